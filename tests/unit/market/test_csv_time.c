/* A time with the date of the row before takes a fast path, which must give the same result. */
#include "base/clock.h"
#include "market/csv.h"
#include "unit/unit.h"

#include <stdlib.h>

/* -1: refused. The first row fixes the date; the second has the time in question. */
static int64_t second_time(const char *first, const char *second)
{
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text, "time,open,high,low,close,volume\n%s,1,1,1,1,1\n%s,1,1,1,1,1\n", first, second);
    FILE *stream = fmemopen(text.data, text.len, "r");
    assert_non_null(stream);
    AUTO_CSV struct csv *csv = NULL;
    struct csv_row row;
    assert_int_equal(csv_open_stream(stream, "test", NULL, &csv, NULL), 0);
    assert_int_equal(csv_next(csv, &row, NULL), 1);
    return csv_next(csv, &row, NULL) == 1 ? row.bar.open_us : -1;
}

static void both_paths_give_the_same_time(void **state)
{
    (void)state;
    static const char *const times[] = {"2022-01-05 14:30:00",
                                        "2022-01-05T14:30:59Z",
                                        "2022-01-05 23:59:59.999999",
                                        "2022-01-05 14:30:00.5Z",
                                        "2022-01-05 14:30:00.123",
                                        "2022-01-05 14:30:00.123456789",
                                        "2022-01-05 14:30:00+02:00",
                                        "2022-01-05T14:30",
                                        "2022-01-05 14:30:00.000000+01:00",
                                        "2022-01-06 00:00:00",
                                        "2022-01-05 00:00:01.000001"};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        /* Another date before it: the slow path. */
        int64_t far = second_time("2022-01-04 00:00:00", times[i]);
        int64_t near = second_time("2022-01-05 00:00:00", times[i]);
        assert_true(far > 0);
        assert_int_equal(near, far);
    }
    assert_int_equal(second_time("2022-01-05 00:00:00", "2022-01-05 14:30:07.25"),
                     INT64_C(1641393007250000));
}

static void an_invalid_time_is_refused_on_both_paths(void **state)
{
    (void)state;
    static const char *const times[] = {"2022-01-05 24:00:00",   "2022-01-05 14:60:00",
                                        "2022-01-05 14:30:60",   "2022-01-05 14:30:00.",
                                        "2022-01-05 14:30:00.x", "2022-01-05 14:30:00.1234567890",
                                        "2022-01-05 14:30:00 ?", "2022-01-05-14:30:00",
                                        "2022-01-05 14.30.00",   "2022-01-05 1x:30:00"};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(second_time("2022-01-04 00:00:00", times[i]), -1);
        assert_int_equal(second_time("2022-01-05 00:00:00", times[i]), -1);
    }
}

UNIT_GROUP(csv_time, cmocka_unit_test(both_paths_give_the_same_time),
           cmocka_unit_test(an_invalid_time_is_refused_on_both_paths))
