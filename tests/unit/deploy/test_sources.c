/* The time that the comparison of two source trees may take; tests/system/system_release_sources.sh
 * has the rest. */
#include "deploy/sources.h"
#include "io/file.h"
#include "unit/io/scratch.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

static void a_diff_that_hangs_is_ended(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    AUTO_BUF struct buf out = BUF_INIT(4096);
    struct err err = {0};
    static char path[] = "/usr/local/bin:/usr/bin:/bin";
    const char *before = getenv("PATH");
    AUTO_FREE char *kept = strdup(before == NULL ? path : before);
    const char *program = "#!/bin/sh\nexec /bin/sleep 30\n";
    assert_int_equal(file_write(scratch_path(&s, "diff"), str_c(program), 0755, NULL), 0);
    assert_int_equal(setenv("PATH", s.folder, 1), 0);
    int64_t began_us = clock_mono_us(clock_real());
    const struct sources sources = {s.folder, s.folder, 100 * USEC_PER_MSEC};
    assert_int_equal(sources_diff(&sources, &out, &err), -ERR_RELEASE_SOURCES);
    assert_string_equal(err.context, "diff: it takes too long");
    assert_true(clock_mono_us(clock_real()) - began_us < 5 * USEC_PER_SEC);
    assert_int_equal(setenv("PATH", kept, 1), 0);
}

UNIT_GROUP(sources, cmocka_unit_test(a_diff_that_hangs_is_ended))
