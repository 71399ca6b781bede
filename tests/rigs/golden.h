/*
 * golden.h: compares text with tests/golden/<name>, or rewrites that file (`make golden`).
 *
 *     golden_check("status.html", text);
 *     golden_check_reply("close", s->full, (const char *const[]){code, NULL});
 *
 * tests/golden/<command>.json is the reply of a command, checked by the tests of the module that
 * makes it; the tests of chat render the same files for people, and find a command without one.
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "base/buf.h"
#include "io/file.h"
#include "io/json.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

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

/* Other bytes in place of a text that differs from run to run, such as a code: as many, because
 * layout depends on it. */
static inline void golden_hide(char *text, const char *hidden)
{
    for (char *at = strstr(text, hidden); at != NULL; at = strstr(at + 1, hidden)) {
        memset(at, 'X', strlen(hidden));
    }
}

/* text: a reply as JSON, up to the first line feed (reply_text_all). hidden: NULL, or ends at a
 * NULL. */
static inline void golden_check_reply(const char *name, const char *text, const char *const *hidden)
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)1 << 20);
    AUTO_BUF struct buf file = BUF_INIT(64);
    AUTO_JSON struct json_object *json = NULL;
    assert_int_equal(
        json_parse(str_n(text, strcspn(text, "\n")), &JSON_LIMITS_DEFAULT, &json, NULL), 0);
    buf_addf(&out, "%s\n",
             json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
    for (; hidden != NULL && *hidden != NULL; hidden++) {
        golden_hide(out.data, *hidden);
    }
    buf_addf(&file, "%s.json", name);
    golden_check(file.data, buf_str(&out));
}
