/*
 * golden.h: compares text with tests/golden/<name>, or rewrites that file (`make golden`).
 *
 *     golden_check("status.html", text);
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "base/buf.h"
#include "io/file.h"
#include "unit/unit.h"

#include <stdlib.h>

static inline void golden_check(const char *name, struct str text)
{
    AUTO_BUF struct buf path = BUF_INIT(256);
    AUTO_BUF struct buf wanted = BUF_INIT((size_t)1 << 20);
    struct err err = {0};
    buf_addf(&path, "tests/golden/%s", name);
    if (getenv("GOLDEN_UPDATE") != NULL) {
        assert_int_equal(file_write(path.data, text, 0644, &err), 0);
        return;
    }
    if (file_read(path.data, &wanted, &err) < 0) {
        fail_msg("%s is missing; run make golden", path.data);
    }
    AUTO_BUF struct buf got = BUF_INIT((size_t)1 << 20);
    buf_add_str(&got, text);
    assert_string_equal(got.data, wanted.data);
}
