#include "market/csv.h"

#include "base/check.h"

#include <errno.h>

#define BUFFER_SIZE ((size_t)64 * 1024)
/* Above any real market, and far below values whose squares overflow in an indicator. */
#define PRICE_MAX  1e15
#define VOLUME_MAX 1e18

_Static_assert(BUFFER_SIZE > CSV_LINE_MAX, "a line fits");

enum field {
    FIELD_TIME,
    FIELD_OPEN,
    FIELD_HIGH,
    FIELD_LOW,
    FIELD_CLOSE,
    FIELD_VOLUME,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {"time", "open",  "high",
                                                     "low",  "close", "volume"};

/* When a header has several time columns, the alias listed first wins: a date beside a timestamp is
 * meant for people. */
static const struct {
    const char *name;
    enum field field;
} aliases[] = {
    {"timestamp", FIELD_TIME}, {"open_time", FIELD_TIME}, {"open time", FIELD_TIME},
    {"opentime", FIELD_TIME},  {"unix", FIELD_TIME},      {"datetime", FIELD_TIME},
    {"time", FIELD_TIME},      {"ts", FIELD_TIME},        {"t", FIELD_TIME},
    {"date", FIELD_TIME},      {"open", FIELD_OPEN},      {"o", FIELD_OPEN},
    {"high", FIELD_HIGH},      {"h", FIELD_HIGH},         {"low", FIELD_LOW},
    {"l", FIELD_LOW},          {"close", FIELD_CLOSE},    {"c", FIELD_CLOSE},
    {"volume", FIELD_VOLUME},  {"vol", FIELD_VOLUME},     {"v", FIELD_VOLUME},
};

struct csv {
    FILE *stream;
    char *name;
    int columns;                               /* of the header */
    int column[FIELD_COUNT];                   /* the column of each field */
    signed char field_of[CSV_COLUMNS_MAX + 1]; /* the field of each column; -1: none */
    char day_text[10]; /* the newest date that was read, and when it began */
    int64_t day_us;
    bool ended;    /* the stream */
    bool after_cr; /* the last byte was CR: an LF that follows belongs to it */
    struct csv_report report;
    char beginning[64]; /* of a line that is too long */
    size_t beginning_len;
    size_t start; /* of the unread part of the buffer */
    size_t end;
    char buffer[BUFFER_SIZE];
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
    };
    ASSERT((unsigned)fault < CSV_FAULT_COUNT);
    return names[fault];
}

/* ---------------------------------------------------------------- lines */

static int fill(struct csv *csv, struct err *err)
{
    if (csv->start > 0) {
        memmove(csv->buffer, csv->buffer + csv->start, csv->end - csv->start);
        csv->end -= csv->start;
        csv->start = 0;
    }
    errno = 0;
    size_t n = fread(csv->buffer + csv->end, 1, BUFFER_SIZE - csv->end, csv->stream);
    csv->end += n;
    if (n == 0) {
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

/* ---------------------------------------------------------------- fields */

/* Removes a field and the comma after it from the front; *ret_last when there was no comma. A
 * quoted field is returned without its quotation marks; a doubled one inside stays doubled, since
 * no time and no number contains one. */
static bool next_field(struct str *rest, struct str *ret, bool *ret_last)
{
    size_t at = 0;
    if (rest->len > 0 && rest->ptr[0] > '"') { /* neither blank nor quoted: nearly every field */
        const char *comma = memchr(rest->ptr, ',', rest->len);
        at = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
        size_t len = at;
        while (len > 0 && (rest->ptr[len - 1] == ' ' || rest->ptr[len - 1] == '\t')) {
            len--;
        }
        *ret = (struct str){rest->ptr, len};
        *ret_last = comma == NULL;
        size_t behind = at + (comma != NULL);
        *rest = (struct str){rest->ptr + behind, rest->len - behind};
        return true;
    }
    while (at < rest->len && (rest->ptr[at] == ' ' || rest->ptr[at] == '\t')) {
        at++;
    }
    if (at < rest->len && rest->ptr[at] == '"') {
        size_t from = ++at;
        while (at < rest->len &&
               (rest->ptr[at] != '"' || (at + 1 < rest->len && rest->ptr[at + 1] == '"'))) {
            at += rest->ptr[at] == '"' ? 2 : 1;
        }
        if (at >= rest->len) {
            return false;
        }
        *ret = str_trim(str_n(rest->ptr + from, at - from));
        *rest = str_n(rest->ptr + at + 1, rest->len - at - 1);
        const char *comma = memchr(rest->ptr, ',', rest->len);
        size_t behind = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
        if (str_trim(str_n(rest->ptr, behind)).len > 0) {
            return false;
        }
        at = behind;
    } else {
        const char *comma = memchr(rest->ptr, ',', rest->len);
        at = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
        *ret = str_trim(str_n(rest->ptr, at));
    }
    *ret_last = at == rest->len;
    *rest = *ret_last ? str_n(rest->ptr + at, 0) : str_n(rest->ptr + at + 1, rest->len - at - 1);
    return true;
}

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

static bool read_number(struct str s, double *ret, struct dec *ret_exact)
{
    if (read_plain(s, ret, ret_exact)) {
        return true;
    }
    if (!str_to_double(s, ret)) {
        return false;
    }
    if (!dec_parse(s, ret_exact)) {
        *ret_exact = dec_from_double(*ret);
    }
    return true;
}

/* Digits with an optional fraction, as spreadsheets write whole numbers ("1640991660.0"). */
static bool read_unix_time(struct str s, int64_t *ret_us)
{
    /* A number below a unit's limit is in that unit: below 1e11, seconds (until the year 5138). */
    static const struct {
        int64_t below;
        int64_t multiply;
        int64_t divide;
    } units[] = {
        {INT64_C(100000000000), USEC_PER_SEC, 1},
        {INT64_C(100000000000000), USEC_PER_MSEC, 1},
        {INT64_C(100000000000000000), 1, 1},
        {INT64_MAX, 1, 1000},
    };
    struct str whole, fraction = s;
    int64_t value;
    if (!str_split(&fraction, '.', &whole) || whole.len == 0 || !is_number(whole.ptr[0]) ||
        !str_to_i64(whole, &value)) {
        return false;
    }
    size_t unit = 0;
    while (value >= units[unit].below) {
        if (++unit == COUNT_OF(units)) {
            return false;
        }
    }
    int64_t us = value * units[unit].multiply / units[unit].divide;
    int64_t weight = units[unit].multiply;
    for (size_t i = 0; i < fraction.len; i++) {
        if (!is_number(fraction.ptr[i])) {
            return false;
        }
        weight /= 10;
        us += (fraction.ptr[i] - '0') * weight;
    }
    *ret_us = us;
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

/* ISO text, also with an offset from UTC ("+02:00"). */
static bool read_time(struct csv *csv, struct str s, int64_t *ret_us)
{
    if (read_unix_time(s, ret_us)) {
        return true;
    }
    int64_t offset_us = 0;
    if (s.len > 16 && s.ptr[s.len - 3] == ':' &&
        (s.ptr[s.len - 6] == '+' || s.ptr[s.len - 6] == '-')) {
        int64_t hours, minutes;
        const char *text = s.ptr + s.len - 6;
        if (!is_number(text[1]) || !is_number(text[4]) || !str_to_i64(str_n(text + 1, 2), &hours) ||
            !str_to_i64(str_n(text + 4, 2), &minutes) || hours > 18 || minutes > 59) {
            return false;
        }
        offset_us = (hours * 60 + minutes) * USEC_PER_MIN * (text[0] == '-' ? -1 : 1);
        s.len -= 6;
    }
    if (!clock_parse_iso(s, ret_us)) {
        return false;
    }
    *ret_us -= offset_us;
    int64_t day_us;
    if (s.len >= sizeof(csv->day_text) &&
        clock_parse_iso(str_n(s.ptr, sizeof(csv->day_text)), &day_us)) {
        memcpy(csv->day_text, s.ptr, sizeof(csv->day_text));
        csv->day_us = day_us;
    }
    return *ret_us >= 0;
}

/* ---------------------------------------------------------------- rows */

static bool refuse(struct csv *csv, enum csv_fault fault, struct str text)
{
    struct csv_report *r = &csv->report;
    r->refused++;
    r->faults[fault]++;
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
static bool read_row(struct csv *csv, struct str line, struct csv_row *ret)
{
    struct str fields[FIELD_COUNT] = {0};
    struct str rest = line;
    bool last = false;
    int column = 0;
    for (; !last; column++) {
        struct str field;
        if (!next_field(&rest, &field, &last)) {
            return refuse(csv, CSV_FAULT_QUOTES, line);
        }
        /* Empty columns at the end are accepted: spreadsheets write them. */
        if (column >= csv->columns && field.len > 0) {
            return refuse(csv, CSV_FAULT_COLUMNS, line);
        }
        int f = column < csv->columns ? csv->field_of[column] : -1;
        if (f >= 0) {
            fields[f] = field;
        }
    }
    if (column < csv->columns) {
        return refuse(csv, CSV_FAULT_COLUMNS, line);
    }
    if (!read_time_of_day(csv, fields[FIELD_TIME], &ret->bar.open_us) &&
        !read_time(csv, fields[FIELD_TIME], &ret->bar.open_us)) {
        return refuse(csv, CSV_FAULT_TIME, fields[FIELD_TIME]);
    }
    double numbers[FIELD_COUNT];
    struct dec exact[FIELD_COUNT];
    for (int f = FIELD_OPEN; f < FIELD_COUNT; f++) {
        if (!read_number(fields[f], &numbers[f], &exact[f])) {
            return refuse(csv, CSV_FAULT_NUMBER, fields[f]);
        }
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
    return is_possible(&ret->bar) || refuse(csv, CSV_FAULT_IMPOSSIBLE, line);
}

/* False: the row was refused or is a duplicate, and was counted. */
static bool follows(struct csv *csv, const struct csv_row *row, struct str line)
{
    struct csv_report *r = &csv->report;
    int64_t us = row->bar.open_us;
    if (r->accepted > 0 && us < r->last_us) {
        return refuse(csv, CSV_FAULT_BACK, line);
    }
    if (r->accepted > 0 && us == r->last_us) {
        r->duplicates++;
        return false;
    }
    if (r->accepted == 0) {
        r->first_us = us;
    } else if (r->step_us == 0 || us - r->last_us < r->step_us) {
        r->step_us = us - r->last_us;
    }
    r->last_us = us;
    r->accepted++;
    return true;
}

int csv_next(struct csv *csv, struct csv_row *ret, struct err *err)
{
    struct str line;
    bool too_long;
    int rc;
    while ((rc = next_line(csv, &line, &too_long, err)) > 0) {
        if (too_long) {
            (void)refuse(csv, CSV_FAULT_LONG, line);
        } else if (str_trim(line).len > 0 && read_row(csv, line, ret) && follows(csv, ret, line)) {
            return 1;
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- header */

static int header_fault(const struct csv *csv, struct str line, const char *what, struct err *err)
{
    char text[96];
    bool cut = !str_copy(line, text, sizeof(text));
    for (char *p = text; *p != '\0'; p++) {
        *p = *p >= ' ' && *p <= '~' ? *p : '?';
    }
    return err_set(err, ERR_MARKET_CSV_HEADER, "%s:%lld: %s; the line is \"%s%s\"", csv->name,
                   (long long)csv->report.lines, what, text, cut ? "…" : "");
}

/* best: the rank of the alias found for each field; a smaller one is better. */
static int place_column(struct csv *csv, struct str name, size_t best[FIELD_COUNT])
{
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        if (!str_equal_nocase(name, aliases[i].name)) {
            continue;
        }
        enum field f = aliases[i].field;
        if (best[f] == i) {
            return (int)f;
        }
        if (i < best[f]) {
            best[f] = i;
            csv->column[f] = csv->columns;
        }
    }
    return -1;
}

static int read_header(struct csv *csv, struct err *err)
{
    struct str line = STR_LIT("");
    bool too_long = false;
    int rc = 1;
    while (rc > 0 && str_trim(line).len == 0) {
        rc = next_line(csv, &line, &too_long, err);
        if (rc > 0 && csv->report.lines == 1 && str_starts(line, "\xef\xbb\xbf")) {
            line = str_n(line.ptr + 3, line.len - 3);
        }
    }
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        return err_set(err, ERR_MARKET_CSV_HEADER, "%s: the file is empty", csv->name);
    }
    size_t best[FIELD_COUNT];
    char what[96];
    for (int f = 0; f < FIELD_COUNT; f++) {
        best[f] = COUNT_OF(aliases);
    }
    struct str rest = line, name;
    for (bool last = false; !last && !too_long; csv->columns++) {
        if (!next_field(&rest, &name, &last)) {
            return header_fault(csv, line, "quotation marks do not match", err);
        }
        int twice = place_column(csv, name, best);
        if (twice >= 0) {
            (void)snprintf(what, sizeof(what), "column %s is there twice", field_names[twice]);
            return header_fault(csv, line, what, err);
        }
        too_long = csv->columns >= CSV_COLUMNS_MAX;
    }
    if (too_long) {
        return header_fault(csv, line, "the header is too long", err);
    }
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (best[f] == COUNT_OF(aliases)) {
            (void)snprintf(what, sizeof(what), "no column %s", field_names[f]);
            return header_fault(csv, line, what, err);
        }
    }
    memset(csv->field_of, -1, sizeof(csv->field_of));
    for (int f = 0; f < FIELD_COUNT; f++) {
        csv->field_of[csv->column[f]] = (signed char)f;
    }
    return 0;
}

int csv_open_stream(FILE *stream, const char *name, struct csv **ret, struct err *err)
{
    AUTO_CSV struct csv *csv = calloc(1, sizeof(*csv));
    ASSERT(csv != NULL);
    csv->stream = stream;
    csv->name = strdup(name);
    ASSERT(csv->name != NULL);
    int rc = read_header(csv, err);
    if (rc < 0) {
        return rc;
    }
    *ret = TAKE(csv);
    return 0;
}

int csv_open(const char *path, struct csv **ret, struct err *err)
{
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL) {
        enum err_id id = errno == ENOENT || errno == ENOTDIR ? ERR_FILE_MISSING
                         : errno == EACCES || errno == EPERM ? ERR_FILE_DENIED
                                                             : ERR_FILE_FAILED;
        return err_set(err, id, "%s: could not open: %s", path, strerror(errno));
    }
    return csv_open_stream(stream, path, ret, err);
}

void csv_free(struct csv *csv)
{
    if (csv == NULL) {
        return;
    }
    (void)fclose(csv->stream);
    free(csv->name);
    free(csv);
}

const struct csv_report *csv_report(const struct csv *csv)
{
    return &csv->report;
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
