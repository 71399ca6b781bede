#include "base/log_tap.h"
#include "unit/unit.h"

#include <pthread.h>
#include <stdlib.h>

enum { WRITERS = 4, LINES = UNIT_SANITIZED ? 4000 : 20000 };

static void drop(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void *write_lines(void *userdata)
{
    for (int i = 0; i < LINES; i++) {
        LOG(INFO, "%d %d", *(int *)userdata, i);
    }
    return NULL;
}

/* Every line is read or counted as lost, and those of one thread are read in their order. */
static void lines_of_several_threads_are_read_or_counted(void **state)
{
    (void)state;
    static struct log_copy copies[32];
    pthread_t threads[WRITERS];
    int numbers[WRITERS], last[WRITERS];
    uint64_t lost = 0, seen = 0, missed = 0;
    log_tap_open();
    log_set_sink(drop, NULL);
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        last[i] = -1;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
    }
    while (seen + missed < (uint64_t)WRITERS * LINES) {
        size_t n = log_tap_read(copies, 32, &lost);
        seen += n;
        missed += lost;
        for (size_t i = 0; i < n; i++) {
            int writer = -1, line = -1;
            assert_int_equal(sscanf(copies[i].message, "%d %d", &writer, &line), 2);
            assert_true(line > last[writer]);
            last[writer] = line;
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    assert_true(seen > 0);
    assert_int_equal(seen + missed, (uint64_t)WRITERS * LINES);
    LOG_FIELDS(ERROR, "no disk", {"ERROR_CODE", "DB_FULL"});
    LOG(DEBUG, "not at this level");
    assert_int_equal(log_tap_read(copies, 32, &lost), 1);
    assert_string_equal(copies[0].message, "no disk");
    assert_string_equal(copies[0].error_code, "DB_FULL");
    assert_string_equal(copies[0].file, "test_log_tap.c");
    assert_int_equal(copies[0].level, LOG_LEVEL_ERROR);
    log_set_sink(NULL, NULL);
}

UNIT_GROUP(log_tap, cmocka_unit_test(lines_of_several_threads_are_read_or_counted))
