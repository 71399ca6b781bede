/*
 * rig.h: runs a command line as main() does, captures its output, and has a folder for its files.
 *
 *     static void version_is_text(void **state)      // RIG_TEST(version_is_text) in UNIT_GROUP
 *     {
 *         AUTO_RUN struct rig_run r = {0};
 *         rig_run(&r, WORDS("--version"));
 *         assert_int_equal(r.code, CLI_FINE);
 *         assert_non_null(strstr(r.out.data, "nightdesk "));
 *     }
 *
 * The folder exists from the setup of a test to its teardown; one test runs at a time.
 *
 * Thread: the test's.
 */
#pragma once

#include "base/auto.h"
#include "base/buf.h"

#define RIG_PATH_LEN 96

struct rig_run {
    struct buf out; /* both are NUL-terminated; len does not count the NUL */
    struct buf err;
    int code; /* enum cli_exit */
};
void rig_run_release(struct rig_run *r);
#define AUTO_RUN AUTO(rig_run_release)

extern char rig_folder[64];

/* cmocka's setup and teardown. */
int rig_make_folder(void **state);
int rig_remove_folder(void **state);
#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, rig_make_folder, rig_remove_folder)

/* "<folder>/<name>" into ret_path. */
void rig_path(const char *name, char ret_path[RIG_PATH_LEN]);

/* words: the arguments after the program's name, terminated by NULL. r: zeroed, or released. */
void rig_run(struct rig_run *r, const char *const *words);
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
