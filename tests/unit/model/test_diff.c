/* Unified diffs of others: what they change, and where. */
#include "base/buf.h"
#include "model/diff.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

static const char two_files[] = "diff --git a/src/a.c b/src/a.c\n"
                                "--- a/src/a.c\n"
                                "+++ b/src/a.c\n"
                                "@@ -10,3 +10,4 @@ int main(void)\n"
                                " kept\n"
                                "--- a comment of SQL\n"
                                "+++ another\n"
                                "+added\n"
                                " kept too\n"
                                "\\ No newline at end of file\n"
                                "diff -ruN old/b.txt new/b.txt\n"
                                "--- old/b.txt\t2026-11-20 10:00:00\n"
                                "+++ new/b.txt\t2026-11-21 10:00:00\n"
                                "@@ -0,0 +1 @@\n"
                                "+only\n"
                                "--- a/gone.c\n"
                                "+++ /dev/null\n"
                                "@@ -7 +0,0 @@\n"
                                "-last\n";

static void lines_have_their_places(void **state)
{
    (void)state;
    struct diff_size size = diff_measure(str_c(two_files));
    assert_int_equal(size.files, 3);
    assert_int_equal(size.added, 3);
    assert_int_equal(size.removed, 2);
    struct str d = str_c(two_files);
    assert_true(diff_has(d, "src/a.c", 10));
    assert_true(diff_has(d, "src/a.c", 12)); /* "added" */
    assert_true(diff_has(d, "src/a.c", 13));
    assert_false(diff_has(d, "src/a.c", 14));
    assert_false(diff_has(d, "src/a.c", 9));
    assert_false(diff_has(d, "a.c", 10));
    assert_true(diff_has(d, "b.txt", 1));
    assert_true(diff_has(d, "gone.c", 7));
    assert_false(diff_has(d, "gone.c", 0));
}

static void damaged_diffs_end_and_give_no_place(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "@@ -1 +1 @@\n+x\n",
                                      "+++ b/a\n@@ -1,x +1 @@\n+x\n",
                                      "+++ \n@@ -1 +1 @@\n+x\n",
                                      "+++ b/a\n@@ -1 @@\n+x\n",
                                      "+++ b/a\n@@",
                                      "+++ b/a\n@@ -1 +1 @@\n*x\n+x\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(diff_measure(str_c(bad[i])).added, 0);
        assert_false(diff_has(str_c(bad[i]), "a", 1));
    }
    /* More lines than a number holds. */
    static const char large[] =
        "+++ b/a\n@@ -1 +99999999999999999999,99999999999999999999 @@\n+x\n";
    assert_int_equal(diff_measure(str_c(large)).added, 1);
    char *cut = strdup(two_files);
    for (size_t n = strlen(cut); n > 0; n--) { /* wherever it is cut */
        (void)diff_measure(str_n(cut, n));
    }
    free(cut);
}

static void a_large_diff_takes_no_time(void **state)
{
    (void)state;
    struct buf text = BUF_INIT((size_t)6 << 20);
    buf_add_c(&text, "--- a/x\n+++ b/x\n@@ -0,0 +1,1000000 @@\n");
    for (int i = 0; i < 100000; i++) {
        buf_add_c(&text, "+0123456789012345678901234567890123456789012345678\n");
    }
    assert_true(text.len > 5000000);
    assert_int_equal(diff_measure(buf_str(&text)).added, 100000);
    assert_true(diff_has(buf_str(&text), "x", 100000));
    buf_release(&text);
}

UNIT_GROUP(diff, cmocka_unit_test(lines_have_their_places),
           cmocka_unit_test(damaged_diffs_end_and_give_no_place),
           cmocka_unit_test(a_large_diff_takes_no_time))
