#include "market/csv.h"

#include "base/check.h"
#include "csv_format.h"
#include "csv_sort.h"
#include "csv_text.h"
#include "json_candles.h"
#include "utf16.h"

#include <endian.h>
#include <errno.h>
#include <math.h>

#define BUFFER_SIZE ((size_t)64 * 1024)
/* Above any real market, and far below values whose squares overflow in an indicator. */
#define PRICE_MAX  1e15
#define VOLUME_MAX 1e18

_Static_assert(BUFFER_SIZE > CSV_LINE_MAX, "a line fits");
/* Behind the buffer, since digits are read eight at a time. */
#define PADDING   16

#define STEPS_MAX 16
#define RAW_SIZE  ((size_t)16 * 1024)

struct csv {
    FILE *stream;
    char *name;
    struct csv_options options;
    struct csv_format format;
    double unit;       /* of options; at least 1 */
    char day_text[10]; /* the newest date that was read, and when it began */
    int64_t day_us;
    bool ended;    /* the stream */
    bool after_cr; /* the last byte was CR: an LF that follows belongs to it */
    bool closed;   /* the array of a JSON file */
    bool is_utf16;
    bool usual; /* the form that read_usual reads: a decimal point, no date of its own */
    struct utf16 utf16;
    struct csv_report report;
    int steps; /* known distances of rows */
    int newest_step;
    int usual_step; /* the most frequent */
    struct {
        int64_t us;
        int64_t count;
    } step[STEPS_MAX];
    struct csv_sort *sort; /* NULL: rows are returned as they are read */
    int64_t sorted_lines;  /* read for it */
    char beginning[64];    /* of a line that is too long */
    size_t beginning_len;
    size_t start; /* of the unread part of the buffer */
    size_t end;
    char buffer[BUFFER_SIZE + PADDING];
};

const char *csv_fault_name(enum csv_fault fault)
{
    static const char *const names[CSV_FAULT_COUNT] = {
        [CSV_FAULT_LONG] = "line too long",
        [CSV_FAULT_QUOTES] = "quotation marks do not match",
        [CSV_FAULT_COLUMNS] = "not as many columns as the header",
        [CSV_FAULT_TIME] = "not a time",
        [CSV_FAULT_NUMBER] = "not a number",
        [CSV_FAULT_IMPOSSIBLE] = "impossible prices or volume",
        [CSV_FAULT_BACK] = "older than the row before",
        [CSV_FAULT_GRID] = "does not open at a multiple of the timeframe",
        [CSV_FAULT_JSON] = "not an array of JSON values",
    };
    ASSERT((unsigned)fault < CSV_FAULT_COUNT);
    return names[fault];
}

/* ---------------------------------------------------------------- lines */

/* Bytes behind end; 0 at the end or after an error. */
static size_t read_some(struct csv *csv)
{
    char *dst = csv->buffer + csv->end;
    size_t room = BUFFER_SIZE - csv->end;
    errno = 0;
    if (!csv->is_utf16) {
        return fread(dst, 1, room, csv->stream);
    }
    unsigned char raw[RAW_SIZE];
    size_t most = room / 3 * 2;
    ASSERT(most > 8);
    most -= 8;
    size_t n = fread(raw, 1, most < RAW_SIZE ? most : RAW_SIZE, csv->stream);
    return n > 0 ? utf16_decode(&csv->utf16, raw, n, dst)
                 : utf16_end(&csv->utf16, csv->buffer + csv->end);
}

static int fill(struct csv *csv, struct err *err)
{
    if (csv->start > 0) {
        memmove(csv->buffer, csv->buffer + csv->start, csv->end - csv->start);
        csv->end -= csv->start;
        csv->start = 0;
    }
    size_t n = read_some(csv);
    csv->end += n;
    if (n == 0 && (feof(csv->stream) || ferror(csv->stream))) {
        csv->ended = true;
        if (ferror(csv->stream)) {
            return err_set(err, ERR_FILE_FAILED, "%s: could not read: %s", csv->name,
                           strerror(errno));
        }
    }
    return 0;
}

static size_t find_line_end(struct str s)
{
    const char *lf = memchr(s.ptr, '\n', s.len);
    size_t len = lf != NULL ? (size_t)(lf - s.ptr) : s.len;
    const char *cr = memchr(s.ptr, '\r', len);
    return cr != NULL ? (size_t)(cr - s.ptr) : len;
}

static void keep_beginning(struct csv *csv, struct str line)
{
    csv->beginning_len = line.len < sizeof(csv->beginning) ? line.len : sizeof(csv->beginning);
    memcpy(csv->beginning, line.ptr, csv->beginning_len);
}

/* 1: a line without its line end, valid until the next call; 0: no more lines. Of a line longer
 * than CSV_LINE_MAX only the beginning is returned, and *ret_long is set. */
static int next_line(struct csv *csv, struct str *ret, bool *ret_long, struct err *err)
{
    *ret_long = false;
    for (;;) {
        if (csv->after_cr && csv->start < csv->end) {
            csv->start += csv->buffer[csv->start] == '\n';
            csv->after_cr = false;
        }
        struct str unread = str_n(csv->buffer + csv->start, csv->end - csv->start);
        size_t len = find_line_end(unread);
        bool found = len < unread.len;
        if (!found && csv->ended && len == 0 && !*ret_long) {
            return 0;
        }
        if (len > CSV_LINE_MAX && !*ret_long) {
            keep_beginning(csv, unread);
            *ret_long = true;
        }
        if (found || csv->ended) {
            *ret = *ret_long ? str_n(csv->beginning, csv->beginning_len) : str_n(unread.ptr, len);
            csv->after_cr = found && unread.ptr[len] == '\r';
            csv->start += found ? len + 1 : len;
            csv->report.lines++;
            return 1;
        }
        if (*ret_long) {
            csv->start = csv->end;
        }
        int rc = fill(csv, err);
        if (rc < 0) {
            return rc;
        }
    }
}

/* The same for the arrays of a JSON file. A file that is cut off is an error. */
static int next_entry(struct csv *csv, struct str *ret, bool *ret_long, struct err *err)
{
    *ret_long = false;
    while (!csv->closed) {
        struct str unread = str_n(csv->buffer + csv->start, csv->end - csv->start), rest = unread;
        enum json_candles what = json_candles_next(&rest, csv->report.lines == 0, ret);
        bool wrong =
            what == JSON_CANDLES_WRONG || (what == JSON_CANDLES_MORE && unread.len > CSV_LINE_MAX);
        if (wrong || (what == JSON_CANDLES_MORE && csv->ended)) {
            return err_set(err, ERR_MARKET_CSV_CUT, "%s: %s after %lld arrays", csv->name,
                           wrong ? "no array of candles follows" : "it ends without a bracket",
                           (long long)csv->report.lines);
        }
        csv->start = csv->end - rest.len;
        if (what == JSON_CANDLES_ENTRY) {
            csv->report.lines++;
            return 1;
        }
        csv->closed = what == JSON_CANDLES_END;
        int rc = csv->closed ? 0 : fill(csv, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- fields */

static bool is_number(char c)
{
    return c >= '0' && c <= '9';
}

/* Plain decimals, which nearly every field is, without strtod. Both results are correctly rounded,
 * since the digits and the power of ten are exact in a double. */
static bool read_plain(struct str s, double *ret, struct dec *ret_exact)
{
    static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int64_t digits = 0;
    size_t at = 0;
    size_t decimals = 0;
    if (s.len == 0 || s.len > 16) {
        return false;
    }
    for (; at < s.len && is_number(s.ptr[at]); at++) {
        digits = digits * 10 + (s.ptr[at] - '0');
    }
    if (at < s.len) {
        if (s.ptr[at] != '.' || at == 0 || at + 1 == s.len) {
            return false;
        }
        decimals = s.len - at - 1;
        for (at++; at < s.len; at++) {
            if (!is_number(s.ptr[at])) {
                return false;
            }
            digits = digits * 10 + (s.ptr[at] - '0');
        }
    }
    if (decimals == 0 && s.len > 15) {
        return false;
    }
    *ret = (double)digits / powers[decimals];
    if (decimals <= 8) {
        int64_t e8;
        bool fits = !__builtin_mul_overflow(digits, (int64_t)powers[8 - decimals], &e8);
        *ret_exact = fits ? (struct dec){e8} : DEC_INVALID;
    } else {
        *ret_exact = dec_from_double(*ret);
    }
    return true;
}

static bool read_loose(const struct csv_format *format, struct str s, double *ret,
                       struct dec *ret_exact)
{
    char plain[CSV_TEXT_SIZE];
    if (!csv_text_plain(s, format->decimal, format->grouped, plain) ||
        !str_to_double(str_c(plain), ret)) {
        return false;
    }
    if (!dec_parse(str_c(plain), ret_exact)) {
        *ret_exact = dec_from_double(*ret);
    }
    return true;
}

static bool read_number(const struct csv_format *format, struct str s, double *ret,
                        struct dec *ret_exact)
{
    return (format->decimal == '.' && read_plain(s, ret, ret_exact)) ||
           read_loose(format, s, ret, ret_exact);
}

/* Reads up to eight digits; returns their number. Eight bytes must be readable. All at once, since
 * the end of a loop would be mispredicted: the numbers of digits vary. */
static inline size_t read_digits(const char *text, int64_t *ret)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    word = le64toh(word) ^ UINT64_C(0x3030303030303030);
    /* The upper half of each byte that is no digit; of the bytes behind such a one, too, perhaps.
     */
    uint64_t others = (word | (word + UINT64_C(0x0606060606060606))) & UINT64_C(0xf0f0f0f0f0f0f0f0);
    size_t count = others == 0 ? 8 : (size_t)__builtin_ctzll(others) / 8;
    /* Zeros come before the digits; then they are put together to pairs, fours and eight. */
    word = count == 0 ? 0 : word << (64 - 8 * count);
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000ffff0000ffff);
    *ret = (int64_t)((word * 10000 + (word >> 32)) & UINT64_C(0xffffffff));
    return count;
}

/* Reads a decimal from the front of a line in the buffer, if at most eight digits are before and
 * behind the point, and at most 15 in all, and the field ends behind it. Exact, as read_plain. */
static inline bool read_short(struct str *rest, char separator, double *ret, struct dec *ret_exact,
                              bool *ret_last)
{
    static const int64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    const char *text = rest->ptr;
    int64_t digits, behind = 0;
    size_t decimals = 0;
    if (rest->len == 0) {
        return false; /* and perhaps not in the buffer */
    }
    size_t at = read_digits(text, &digits);
    if (at > 0 && text[at] == '.') {
        decimals = read_digits(text + at + 1, &behind);
        at += 1 + decimals;
        if (decimals == 0 || at > 16) {
            return false;
        }
    }
    bool last = at == rest->len;
    if (at == 0 || at > rest->len || (!last && text[at] != separator)) {
        return false;
    }
    digits = digits * tens[decimals] + behind;
    *ret = (double)digits / powers[decimals];
    *ret_exact = (struct dec){digits * tens[8 - decimals]};
    *ret_last = last;
    at += !last;
    *rest = (struct str){text + at, rest->len - at};
    return true;
}

static bool two_digits(const char *text, int limit, int *ret)
{
    if (!is_number(text[0]) || !is_number(text[1])) {
        return false;
    }
    *ret = (text[0] - '0') * 10 + text[1] - '0';
    return *ret < limit;
}

/* ISO text with the same date as the last one read, "2022-01-05 14:30:00.000000", as in nearly
 * every row: only the time of day has to be parsed. False: another form, or not a time. */
static bool read_time_of_day(const struct csv *csv, struct str s, int64_t *ret_us)
{
    int hours, minutes, seconds;
    if (s.len < 19 || memcmp(s.ptr, csv->day_text, sizeof(csv->day_text)) != 0 ||
        (s.ptr[10] != ' ' && s.ptr[10] != 'T') || s.ptr[13] != ':' || s.ptr[16] != ':' ||
        !two_digits(s.ptr + 11, 24, &hours) || !two_digits(s.ptr + 14, 60, &minutes) ||
        !two_digits(s.ptr + 17, 60, &seconds)) {
        return false;
    }
    size_t len = s.len - (s.ptr[s.len - 1] == 'Z');
    int64_t fraction_us = 0;
    int64_t weight = USEC_PER_SEC;
    if (len > 19 && (s.ptr[19] != '.' || len == 20 || len > 29)) {
        return false;
    }
    for (size_t i = 20; i < len; i++) {
        if (!is_number(s.ptr[i])) {
            return false;
        }
        weight /= 10;
        fraction_us += (s.ptr[i] - '0') * weight;
    }
    *ret_us = csv->day_us + hours * USEC_PER_HOUR + minutes * USEC_PER_MIN +
              seconds * USEC_PER_SEC + fraction_us;
    return true;
}

static bool read_time(struct csv *csv, struct str s, int64_t *ret_us)
{
    if (s.len != 8 && csv_text_unix(s, ret_us, NULL)) {
        return true;
    }
    if (!csv_text_time(s, ret_us)) {
        return false;
    }
    int64_t day_us;
    if (s.len >= sizeof(csv->day_text) &&
        clock_parse_iso(str_n(s.ptr, sizeof(csv->day_text)), &day_us)) {
        memcpy(csv->day_text, s.ptr, sizeof(csv->day_text));
        csv->day_us = day_us;
    }
    return true;
}

/* The time of a file with the date in a column of its own. */
static bool read_date_and_time(struct csv *csv, struct str date, struct str time, int64_t *ret_us)
{
    char text[CSV_TEXT_SIZE];
    int n = snprintf(text, sizeof(text), "%.*s %.*s", (int)(date.len < 40 ? date.len : 40),
                     date.ptr, (int)(time.len < 40 ? time.len : 40), time.ptr);
    return n > 0 && (size_t)n < sizeof(text) && date.len > 0 &&
           (read_time_of_day(csv, str_c(text), ret_us) || read_time(csv, str_c(text), ret_us));
}

/* ---------------------------------------------------------------- rows */

static bool refuse(struct csv *csv, enum csv_fault fault, struct str text)
{
    struct csv_report *r = &csv->report;
    r->refused++;
    if (r->faults[fault]++ == 0) {
        r->faults_line[fault] = r->lines;
    }
    if (r->reported_count < CSV_REPORTED_MAX) {
        struct csv_reported *reported = &r->reported[r->reported_count++];
        *reported = (struct csv_reported){.line = r->lines, .fault = fault};
        for (size_t i = 0; i < text.len && i < sizeof(reported->text) - 1; i++) {
            reported->text[i] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? text.ptr[i] : '?';
        }
    }
    return false;
}

static bool is_possible(const struct bar *b)
{
    return b->low > 0 && b->low <= b->open && b->low <= b->close && b->high >= b->open &&
           b->high >= b->close && b->high <= PRICE_MAX && b->volume >= 0 && b->volume <= VOLUME_MAX;
}

/* False: the row was refused and counted. */
static bool split_row(struct csv *csv, struct str line, struct str fields[FIELD_COUNT])
{
    const struct csv_format *format = &csv->format;
    struct str rest = line;
    bool last = false;
    int column = 0;
    for (; !last; column++) {
        struct str field;
        if (!csv_field_next(&rest, format->separator, &field, &last)) {
            return refuse(csv, CSV_FAULT_QUOTES, line);
        }
        /* Empty columns at the end are accepted: spreadsheets write them. */
        if (column >= format->columns && field.len > 0) {
            return refuse(csv, CSV_FAULT_COLUMNS, line);
        }
        int f = column < format->columns ? format->field_of[column] : -1;
        if (f >= 0) {
            fields[f] = field;
        }
    }
    return column >= format->columns || refuse(csv, CSV_FAULT_COLUMNS, line);
}

static bool is_empty(struct str volume)
{
    return volume.len == 0 ||
           (volume.len == 4 && volume.ptr[0] > '9' &&
            (str_equal_nocase(volume, "null") || str_equal_nocase(volume, "none")));
}

/* Multiplies prices and divides the volume, of which struct dec may then hold less. */
static void scale(double unit, double numbers[FIELD_COUNT], struct dec exact[FIELD_COUNT])
{
    for (int f = FIELD_OPEN; f <= FIELD_VOLUME; f++) {
        numbers[f] = f == FIELD_VOLUME ? numbers[f] / unit : numbers[f] * unit;
        exact[f] = dec_from_double(numbers[f]);
    }
}

/* Steps of 1e-8 would lose more than 1e-4 of it. */
static bool is_rounded_away(double value, struct dec exact)
{
    return value < CSV_PRICE_MIN && value > 0 && fabs(dec_to_double(exact) - value) > 1e-4 * value;
}

static bool are_valid(const struct dec exact[FIELD_COUNT])
{
    bool valid = true;
    for (int f = FIELD_OPEN; f <= FIELD_VOLUME; f++) {
        valid = valid && dec_is_valid(exact[f]);
    }
    return valid;
}

static void count_unfit(struct csv_report *r, const struct csv_row *row)
{
    if (r->unfit++ == 0) {
        r->unfit_line = r->lines;
        r->unfit_price = row->bar.low;
    }
    r->unfit_price = row->bar.low < r->unfit_price ? row->bar.low : r->unfit_price;
    r->unfit_volume = row->bar.volume > r->unfit_volume ? row->bar.volume : r->unfit_volume;
}

struct numbers {
    int64_t open_us;
    double value[FIELD_COUNT];
    struct dec exact[FIELD_COUNT];
    bool no_volume;
};

/* False: the row was refused and counted. */
static bool read_fields(struct csv *csv, struct str line, struct numbers *ret)
{
    struct str fields[FIELD_COUNT] = {0};
    if (!split_row(csv, line, fields)) {
        return false;
    }
    struct str time = fields[FIELD_TIME];
    if (csv->format.has_date
            ? !read_date_and_time(csv, fields[FIELD_DATE], time, &ret->open_us)
            : !read_time_of_day(csv, time, &ret->open_us) && !read_time(csv, time, &ret->open_us)) {
        return refuse(csv, CSV_FAULT_TIME, time);
    }
    ret->no_volume = is_empty(fields[FIELD_VOLUME]);
    for (int f = FIELD_OPEN; f <= FIELD_VOLUME; f++) {
        if (f == FIELD_VOLUME && ret->no_volume) {
            ret->value[f] = 0;
            ret->exact[f] = DEC_ZERO;
        } else if (!read_number(&csv->format, fields[f], &ret->value[f], &ret->exact[f])) {
            return refuse(csv, CSV_FAULT_NUMBER, fields[f]);
        }
    }
    return true;
}

/* The same in one pass, for the usual form of a row. False: it has another form, or is not usable,
 * which read_fields finds out. */
static bool read_usual(struct csv *csv, struct str line, struct numbers *ret)
{
    const struct csv_format *format = &csv->format;
    struct str rest = line, field;
    bool last = false;
    int column = 0;
    ret->no_volume = !format->has_volume;
    ret->value[FIELD_VOLUME] = 0;
    ret->exact[FIELD_VOLUME] = DEC_ZERO;
    for (; column < format->columns && !last; column++) {
        int f = format->field_of[column];
        if (f >= FIELD_OPEN && f <= FIELD_VOLUME) {
            if (read_short(&rest, format->separator, &ret->value[f], &ret->exact[f], &last)) {
                continue;
            }
            if (!csv_field_next(&rest, format->separator, &field, &last) ||
                !read_number(format, field, &ret->value[f], &ret->exact[f])) {
                return false;
            }
        } else if (!csv_field_next(&rest, format->separator, &field, &last) ||
                   (f == FIELD_TIME && !read_time_of_day(csv, field, &ret->open_us) &&
                    !read_time(csv, field, &ret->open_us))) {
            return false;
        }
    }
    return last && column == format->columns;
}

/* False: the row was refused and counted. */
static bool read_row(struct csv *csv, struct str line, struct csv_row *ret)
{
    AUTO_UNCLEARED struct numbers n;
    if (!(csv->usual && read_usual(csv, line, &n)) && !read_fields(csv, line, &n)) {
        return false;
    }
    double *numbers = n.value;
    struct dec *exact = n.exact;
    ret->bar.open_us = n.open_us;
    if (csv->unit > 1) {
        scale(csv->unit, numbers, exact);
    }
    ret->bar.open = numbers[FIELD_OPEN];
    ret->bar.high = numbers[FIELD_HIGH];
    ret->bar.low = numbers[FIELD_LOW];
    ret->bar.close = numbers[FIELD_CLOSE];
    ret->bar.volume = numbers[FIELD_VOLUME];
    ret->candle = (struct candle){.open_us = ret->bar.open_us,
                                  .open = exact[FIELD_OPEN],
                                  .high = exact[FIELD_HIGH],
                                  .low = exact[FIELD_LOW],
                                  .close = exact[FIELD_CLOSE],
                                  .volume = exact[FIELD_VOLUME]};
    if (!is_possible(&ret->bar)) {
        return refuse(csv, CSV_FAULT_IMPOSSIBLE, line);
    }
    if (ret->bar.low < CSV_PRICE_MIN || !are_valid(exact) ||
        is_rounded_away(numbers[FIELD_VOLUME], exact[FIELD_VOLUME])) {
        ret->candle.low = DEC_INVALID;
    }
    csv->report.no_volume += csv->format.has_volume && n.no_volume;
    return true;
}

/* ---------------------------------------------------------------- order */

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The shorter of two that are equally frequent is the usual one. */
static void count_step(struct csv *csv, int64_t us)
{
    int at = csv->newest_step;
    if (csv->steps == 0 || csv->step[at].us != us) {
        csv->report.common_us = common_divisor(csv->report.common_us, us);
        for (at = 0; at < csv->steps && csv->step[at].us != us; at++) {}
        if (at == STEPS_MAX) {
            return;
        }
        csv->steps += at == csv->steps;
        csv->step[at].us = us;
        csv->newest_step = at;
    }
    int64_t count = ++csv->step[at].count;
    int64_t most = csv->step[csv->usual_step].count;
    if (count > most || (count == most && us <= csv->step[csv->usual_step].us)) {
        csv->usual_step = at;
        csv->report.step_us = us;
    }
}

/* False: the row was refused or is a duplicate, and was counted. */
static bool follows(struct csv *csv, const struct csv_row *row, struct str line)
{
    struct csv_report *r = &csv->report;
    int64_t us = row->bar.open_us;
    int64_t grid_us = csv->options.grid_us;
    if (r->accepted > 0 && us < r->last_us) {
        return refuse(csv, CSV_FAULT_BACK, line);
    }
    if (r->accepted > 0 && us == r->last_us) {
        if (r->duplicates++ == 0) {
            r->duplicates_line = r->lines;
        }
        return false;
    }
    if (grid_us > 0 && us - r->last_us != grid_us && us % grid_us != 0) {
        return refuse(csv, CSV_FAULT_GRID, line);
    }
    if (r->accepted == 0) {
        r->first_us = us;
    } else {
        count_step(csv, us - r->last_us);
    }
    if (!dec_is_valid(row->candle.low)) { /* as every candle that does not fit */
        count_unfit(r, row);
    }
    r->last_us = us;
    r->accepted++;
    return true;
}

/* The next row of the file, in whatever order: 1, 0 or negative. */
static int next_row(struct csv *csv, struct csv_row *ret, struct str *ret_line, struct err *err)
{
    bool too_long;
    int rc;
    while ((rc = csv->format.is_json ? next_entry(csv, ret_line, &too_long, err)
                                     : next_line(csv, ret_line, &too_long, err)) > 0) {
        if (too_long) {
            (void)refuse(csv, CSV_FAULT_LONG, *ret_line);
        } else if (csv->format.is_json && !json_candles_entry_is_valid(*ret_line)) {
            (void)refuse(csv, CSV_FAULT_JSON, *ret_line);
        } else if (str_trim(*ret_line).len > 0 && ret_line->ptr[0] != '#' &&
                   read_row(csv, *ret_line, ret)) {
            return 1;
        }
    }
    return rc;
}

int csv_next(struct csv *csv, struct csv_row *ret, struct err *err)
{
    struct str line = STR_LIT("");
    int rc = 1;
    while (rc > 0) {
        if (csv->sort != NULL) {
            rc = csv_sort_next(csv->sort, ret, &csv->report.lines);
            csv->report.lines = rc > 0 ? csv->report.lines : csv->sorted_lines;
        } else {
            rc = next_row(csv, ret, &line, err);
        }
        if (rc > 0 && follows(csv, ret, line)) {
            return 1;
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- life */

/* UTF-16 by its byte order mark, or by the zero bytes of its first two characters. */
static void find_encoding(struct csv *csv)
{
    unsigned char head[4] = {0};
    memcpy(head, csv->buffer, csv->end < 4 ? csv->end : 4);
    bool little = head[0] == 0xff && head[1] == 0xfe, big = head[0] == 0xfe && head[1] == 0xff;
    size_t mark = little || big ? 2 : 0;
    if (csv->end < 4) {
        return;
    }
    little = little || (head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0);
    big = big || (head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0);
    if (!little && !big) {
        return;
    }
    csv->is_utf16 = true;
    csv->utf16.big_endian = big;
    char raw[RAW_SIZE];
    size_t n = csv->end - mark;
    ASSERT(n <= RAW_SIZE);
    memcpy(raw, csv->buffer + mark, n);
    csv->end = utf16_decode(&csv->utf16, (const unsigned char *)raw, n, csv->buffer);
}

/* Fills the buffer, unless the stream ends before. An error is found again by the next read. */
static int read_form(struct csv *csv, struct err *err)
{
    errno = 0;
    csv->end = fread(csv->buffer, 1, RAW_SIZE, csv->stream);
    if (csv->end == 0 && ferror(csv->stream)) {
        return err_set(err, ERR_FILE_FAILED, "%s: could not read: %s", csv->name, strerror(errno));
    }
    find_encoding(csv);
    size_t n = csv->end;
    while (n > 0 && csv->end < BUFFER_SIZE - 64) {
        n = read_some(csv);
        csv->end += n;
    }
    bool whole = n == 0 && !ferror(csv->stream);
    int rc = csv_format_find(str_n(csv->buffer, csv->end), whole, csv->name, &csv->format, err);
    if (csv->is_utf16 && rc >= 0) {
        csv_format_note(csv->format.note, "UTF-16");
    }
    csv->usual = csv->format.decimal == '.' && !csv->format.has_date;
    csv->start = csv->format.header_size;
    csv->report.lines = csv->format.header_lines;
    return rc;
}

static int sort_rows(struct csv *csv, struct err *err)
{
    AUTO_CSV_SORT struct csv_sort *sort = csv_sort_new();
    int64_t most = csv->options.rows_max > 0 ? csv->options.rows_max : CSV_SORT_MAX;
    struct csv_row row;
    struct str line;
    int rc;
    while ((rc = next_row(csv, &row, &line, err)) > 0) {
        if (csv_sort_add(sort, &row, csv->report.lines) > most) {
            return err_set(err, ERR_MARKET_CSV_ORDER, "%s: more than %lld rows", csv->name,
                           (long long)most);
        }
    }
    if (rc == 0) {
        csv_format_note(csv->format.note, csv_sort_finish(sort)
                                              ? "newest first: sorted"
                                              : "not in the order of time: sorted");
        csv->sort = TAKE(sort);
        csv->sorted_lines = csv->report.lines;
    }
    return rc;
}

int csv_open_stream(FILE *stream, const char *name, const struct csv_options *options,
                    struct csv **ret, struct err *err)
{
    AUTO_CSV struct csv *csv = calloc(1, sizeof(*csv));
    ASSERT(csv != NULL);
    csv->stream = stream;
    csv->options = options != NULL ? *options : (struct csv_options){0};
    csv->unit = csv->options.unit > 1 ? csv->options.unit : 1;
    csv->name = strdup(name);
    ASSERT(csv->name != NULL);
    int rc = read_form(csv, err);
    if (rc >= 0 && csv->options.sorts) {
        rc = sort_rows(csv, err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret = TAKE(csv);
    return 0;
}

int csv_open(const char *path, const struct csv_options *options, struct csv **ret, struct err *err)
{
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL) {
        enum err_id id = errno == ENOENT || errno == ENOTDIR ? ERR_FILE_MISSING
                         : errno == EACCES || errno == EPERM ? ERR_FILE_DENIED
                                                             : ERR_FILE_FAILED;
        return err_set(err, id, "%s: could not open: %s", path, strerror(errno));
    }
    return csv_open_stream(stream, path, options, ret, err);
}

void csv_free(struct csv *csv)
{
    if (csv == NULL) {
        return;
    }
    (void)fclose(csv->stream);
    csv_sort_free(csv->sort);
    free(csv->name);
    free(csv);
}

const struct csv_report *csv_report(const struct csv *csv)
{
    return &csv->report;
}

const char *csv_note(const struct csv *csv)
{
    return csv->format.note;
}

int64_t csv_read_bytes(const struct csv *csv)
{
    return (int64_t)ftello(csv->stream) - (int64_t)(csv->end - csv->start);
}

int64_t csv_report_missing(const struct csv_report *r)
{
    if (r->step_us == 0) {
        return 0;
    }
    int64_t missing = (r->last_us - r->first_us) / r->step_us + 1 - r->accepted;
    return missing > 0 ? missing : 0;
}
