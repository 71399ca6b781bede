#include "csv_format.h"

#include "base/check.h"
#include "csv_text.h"
#include "json_candles.h"

#include <ctype.h>

#define SAMPLE_ROWS 200
#define NAME_SIZE   40
/* Headerless numbers before 1990 are not times of candles. */
#define TIME_FIRST_US INT64_C(631152000000000)

static const char *const field_names[FIELD_COUNT] = {"time",  "open",   "high", "low",
                                                     "close", "volume", "date"};

/* Names in lower case, letters and digits only. When a header has several time columns, the alias
 * listed first wins: a date beside a timestamp is meant for people. */
static const struct {
    const char *name;
    enum csv_field field;
} aliases[] = {
    {"timestamp", FIELD_TIME}, {"opentime", FIELD_TIME},
    {"unix", FIELD_TIME},      {"unixtimestamp", FIELD_TIME},
    {"unixtime", FIELD_TIME},  {"timestampms", FIELD_TIME},
    {"datetime", FIELD_TIME},  {"time", FIELD_TIME},
    {"gmttime", FIELD_TIME},   {"utctime", FIELD_TIME},
    {"timeutc", FIELD_TIME},   {"datetimeutc", FIELD_TIME},
    {"localtime", FIELD_TIME}, {"ts", FIELD_TIME},
    {"t", FIELD_TIME},         {"date", FIELD_TIME},
    {"dateutc", FIELD_TIME},   {"day", FIELD_TIME},
    {"open", FIELD_OPEN},      {"o", FIELD_OPEN},
    {"openprice", FIELD_OPEN}, {"high", FIELD_HIGH},
    {"h", FIELD_HIGH},         {"highprice", FIELD_HIGH},
    {"low", FIELD_LOW},        {"l", FIELD_LOW},
    {"lowprice", FIELD_LOW},   {"close", FIELD_CLOSE},
    {"c", FIELD_CLOSE},        {"closeprice", FIELD_CLOSE},
    {"volume", FIELD_VOLUME},  {"vol", FIELD_VOLUME},
    {"v", FIELD_VOLUME},       {"basevolume", FIELD_VOLUME},
    {"tickvol", FIELD_VOLUME},
};

/* The ranks of "Volume BTC" and "Volume USD", behind every alias. */
#define RANK_BASE  COUNT_OF(aliases)
#define RANK_QUOTE (COUNT_OF(aliases) + 1)
#define RANK_NONE  (COUNT_OF(aliases) + 2)

struct sample {
    const char *name;
    struct str text;
    bool whole;
    size_t at;     /* behind the newest line */
    int64_t lines; /* so far */
    int rows;
    struct str row[SAMPLE_ROWS];
};

void csv_format_note(char note[CSV_NOTE_SIZE], const char *text)
{
    size_t len = strlen(note);
    (void)snprintf(note + len, CSV_NOTE_SIZE - len, "%s%s", len > 0 ? ", " : "", text);
}

static void replace_note(char note[CSV_NOTE_SIZE], const char *format, const char *text)
{
    char line[CSV_NOTE_SIZE];
    (void)snprintf(line, sizeof(line), "%s %s", format, text);
    csv_format_note(note, line);
}

/* ---------------------------------------------------------------- lines and fields */

bool csv_field_next_slow(struct str *rest, char separator, struct str *ret, bool *ret_last)
{
    size_t at = 0;
    while (at < rest->len && rest->ptr[at] != separator && (unsigned char)rest->ptr[at] <= ' ') {
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
        const char *end = memchr(rest->ptr, separator, rest->len);
        size_t behind = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
        if (str_trim(str_n(rest->ptr, behind)).len > 0) {
            return false;
        }
        at = behind;
    } else {
        const char *end = memchr(rest->ptr, separator, rest->len);
        at = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
        *ret = str_trim(str_n(rest->ptr, at));
    }
    *ret_last = at == rest->len;
    *rest = *ret_last ? str_n(rest->ptr + at, 0) : str_n(rest->ptr + at + 1, rest->len - at - 1);
    return true;
}

/* The next line, without its end. False: no more, or only the beginning of one is in the sample. */
static bool sample_line(struct sample *s, struct str *ret)
{
    size_t at = s->at;
    while (at < s->text.len && s->text.ptr[at] != '\n' && s->text.ptr[at] != '\r') {
        at++;
    }
    if (at == s->text.len && (!s->whole || at == s->at)) {
        return false;
    }
    *ret = str_n(s->text.ptr + s->at, at - s->at);
    if (at + 1 < s->text.len && s->text.ptr[at] == '\r' && s->text.ptr[at + 1] == '\n') {
        at++;
    }
    s->at = at < s->text.len ? at + 1 : at;
    s->lines++;
    return true;
}

/* The number of fields, of which the first max are returned; -1: quotation marks do not match. */
static int split(struct str line, char separator, struct str *ret, int max)
{
    struct str field;
    bool last = false;
    int count = 0;
    while (!last) {
        if (!csv_field_next(&line, separator, &field, &last)) {
            return -1;
        }
        if (count < max) {
            ret[count] = field;
        }
        count++;
    }
    return count;
}

static int fault(const struct sample *s, struct str line, const char *what, struct err *err)
{
    char text[96];
    bool cut = !str_copy(line, text, sizeof(text));
    for (char *p = text; *p != '\0'; p++) {
        *p = *p >= ' ' && *p <= '~' ? *p : '?';
    }
    return err_set(err, ERR_MARKET_CSV_HEADER, "%s:%lld: %s; the line is \"%s%s\"", s->name,
                   (long long)s->lines, what, text, cut ? "…" : "");
}

/* ---------------------------------------------------------------- header */

static void normalise(struct str name, char dst[NAME_SIZE])
{
    size_t n = 0;
    for (size_t i = 0; i < name.len && n + 1 < NAME_SIZE; i++) {
        if (isalnum((unsigned char)name.ptr[i])) {
            dst[n++] = (char)tolower((unsigned char)name.ptr[i]);
        }
    }
    dst[n] = '\0';
}

static bool is_money(const char *name)
{
    static const char *const money[] = {"usd", "usdt", "usdc", "busd", "tusd", "fdusd",    "dai",
                                        "eur", "gbp",  "jpy",  "krw",  "try",  "currency", "to"};
    for (size_t i = 0; i < COUNT_OF(money); i++) {
        if (strcmp(name, money[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What the columns of a header are: the best alias of each field, and its column. */
struct header {
    size_t rank[FIELD_COUNT];
    int column[FIELD_COUNT];
    struct str volume; /* the name of "Volume BTC" */
};

/* Returns the field that is there twice, or -1. */
static int place(struct header *h, int column, struct str raw)
{
    char name[NAME_SIZE];
    size_t rank = 0;
    normalise(raw, name);
    while (rank < COUNT_OF(aliases) && strcmp(name, aliases[rank].name) != 0) {
        rank++;
    }
    enum csv_field f = rank < COUNT_OF(aliases) ? aliases[rank].field : FIELD_VOLUME;
    if (rank == COUNT_OF(aliases)) {
        if (strncmp(name, "volume", 6) != 0) {
            return -1;
        }
        rank = is_money(name + 6) ? RANK_QUOTE : RANK_BASE;
        if (rank >= h->rank[FIELD_VOLUME]) {
            return -1; /* the first of two coins is the one that is traded */
        }
        h->volume = raw;
    } else if (h->rank[f] == rank) {
        return (int)f;
    }
    bool is_date = strncmp(name, "date", 4) == 0 || strcmp(name, "day") == 0;
    if (is_date && strcmp(name, "datetime") != 0) {
        h->rank[FIELD_DATE] = rank;
        h->column[FIELD_DATE] = column;
    }
    if (rank < h->rank[f]) {
        h->rank[f] = rank;
        h->column[f] = column;
    }
    return -1;
}

static int read_header(const struct sample *s, struct str line, struct csv_format *ret,
                       struct err *err)
{
    struct header h = {.volume = STR_LIT("")};
    struct str rest = line, name;
    char what[96];
    for (int f = 0; f < FIELD_COUNT; f++) {
        h.rank[f] = RANK_NONE;
    }
    ret->columns = 0;
    for (bool last = false; !last; ret->columns++) {
        if (ret->columns >= CSV_COLUMNS_MAX) {
            return fault(s, line, "the header is too long", err);
        }
        if (!csv_field_next(&rest, ret->separator, &name, &last)) {
            return fault(s, line, "quotation marks do not match", err);
        }
        int twice = place(&h, ret->columns, name);
        if (twice >= 0) {
            (void)snprintf(what, sizeof(what), "column %s is there twice", field_names[twice]);
            return fault(s, line, what, err);
        }
    }
    for (int f = 0; f < FIELD_VOLUME; f++) {
        if (h.rank[f] == RANK_NONE) {
            (void)snprintf(what, sizeof(what), "no column %s", field_names[f]);
            return fault(s, line, what, err);
        }
    }
    ret->has_volume = h.rank[FIELD_VOLUME] != RANK_NONE;
    for (int f = 0; f < FIELD_DATE; f++) {
        if (h.rank[f] != RANK_NONE) {
            ret->field_of[h.column[f]] = (signed char)f;
        }
    }
    if (h.volume.len > 0 && h.rank[FIELD_VOLUME] >= COUNT_OF(aliases)) {
        char text[CSV_NOTE_SIZE];
        (void)snprintf(text, sizeof(text), "volume from \"%.*s\"%s",
                       (int)(h.volume.len < 24 ? h.volume.len : 24), h.volume.ptr,
                       h.rank[FIELD_VOLUME] == RANK_QUOTE ? ", which is money, not coins" : "");
        csv_format_note(ret->note, text);
    }
    /* The date stands beside the time: it is needed only if the time has none, as its rows show. */
    ret->has_date = h.rank[FIELD_DATE] != RANK_NONE && h.column[FIELD_DATE] != h.column[FIELD_TIME];
    if (ret->has_date) {
        ret->field_of[h.column[FIELD_DATE]] = FIELD_DATE;
    }
    return 0;
}

/* ---------------------------------------------------------------- rows without a header */

static bool read_price(struct str field, const struct csv_format *format, double *ret)
{
    char plain[CSV_TEXT_SIZE];
    return csv_text_plain(field, format->decimal, format->grouped, plain) &&
           str_to_double(str_c(plain), ret);
}

/* Whether the four prices from this column on are in the order open, high, low, close in nearly
 * every row. */
static bool are_prices(const struct sample *s, const struct csv_format *format, int from)
{
    int good = 0;
    for (int i = 0; i < s->rows; i++) {
        struct str field[16];
        double v[4];
        int count = split(s->row[i], format->separator, field, COUNT_OF(field));
        bool read = count >= from + 4;
        for (int k = 0; read && k < 4; k++) {
            read = read_price(field[from + k], format, &v[k]);
        }
        good += read && v[1] >= v[0] && v[1] >= v[3] && v[2] <= v[0] && v[2] <= v[3];
    }
    return s->rows > 0 && good * 10 >= s->rows * 8;
}

/* Kraken's REST answers have the average price before the volume. */
static bool is_average(const struct sample *s, const struct csv_format *format)
{
    int good = 0;
    for (int i = 0; i < s->rows; i++) {
        struct str field[8];
        double high, low, average;
        good += split(s->row[i], format->separator, field, COUNT_OF(field)) == 8 &&
                read_price(field[2], format, &high) && read_price(field[3], format, &low) &&
                read_price(field[5], format, &average) && average <= high &&
                (average >= low || average == 0);
    }
    return good == s->rows;
}

static bool is_whole(struct str field)
{
    for (size_t i = 0; i < field.len; i++) {
        if (!isdigit((unsigned char)field.ptr[i])) {
            return false;
        }
    }
    return field.len > 0;
}

static void place_from(struct csv_format *ret, int first, int volume)
{
    for (int f = FIELD_OPEN; f <= FIELD_CLOSE; f++) {
        ret->field_of[first + f - FIELD_OPEN] = (signed char)f;
    }
    ret->has_volume = volume >= 0;
    if (volume >= 0) {
        ret->field_of[volume] = FIELD_VOLUME;
    }
}

static int guess_columns(const struct sample *s, struct str line, struct csv_format *ret,
                         struct err *err)
{
    struct str field[CSV_COLUMNS_MAX];
    int count = split(line, ret->separator, field, COUNT_OF(field));
    const char *unit = "";
    int64_t us = 0, close_us = 0;
    ret->columns = count;
    ret->field_of[0] = FIELD_TIME;
    if (!ret->has_date && (!csv_text_time(field[0], &us) || us < TIME_FIRST_US)) {
        return fault(s, line, "no header, and the first column is not a time after 1990", err);
    }
    if (!ret->has_date && field[0].len > 8) { /* eight digits are a date */
        (void)csv_text_unix(field[0], &us, &unit);
    }
    int first = ret->has_date ? 2 : 1;
    if (!are_prices(s, ret, first)) {
        return fault(s, line, "no header, and the columns are not time, open, high, low, close",
                     err);
    }
    const char *kind = "columns time, open, high, low, close, volume";
    if (ret->has_date && count >= 6 && count <= 9) {
        ret->field_of[0] = FIELD_DATE;
        ret->field_of[1] = FIELD_TIME;
        place_from(ret, 2, count > 6 ? 6 : -1);
        kind = "columns date, time, open, high, low, close";
    } else if (count == 12 && csv_text_time(field[6], &close_us) && close_us > us) {
        place_from(ret, 1, 5);
        kind = "Binance klines";
    } else if (count == 8 && is_average(s, ret)) {
        place_from(ret, 1, 6);
        kind = "Kraken candles";
    } else if (count == 7 && is_whole(field[6])) {
        place_from(ret, 1, 5);
        kind = "Kraken OHLCVT";
    } else if (count == 5 || count == 6) {
        place_from(ret, 1, count == 6 ? 5 : -1);
        kind = count == 6 ? kind : "columns time, open, high, low, close";
    } else {
        char what[96];
        (void)snprintf(what, sizeof(what),
                       "no header, and %d columns: which of them are meant is unknown", count);
        return fault(s, line, what, err);
    }
    replace_note(ret->note, kind, ret->is_json ? "in JSON" : "without header");
    if (unit[0] != '\0') {
        replace_note(ret->note, "times in", unit);
    }
    return 0;
}

/* ---------------------------------------------------------------- numbers */

struct marks {
    int comma; /* numbers whose comma is the decimal mark */
    int point;
    int grouped;
    int unclear; /* "1,234" */
};

static void count_marks(struct str field, struct marks *m)
{
    size_t commas = 0, points = 0, comma = 0, point = 0, spaces = 0;
    for (size_t i = 0; i < field.len; i++) {
        commas += field.ptr[i] == ',';
        points += field.ptr[i] == '.';
        comma = field.ptr[i] == ',' ? i : comma;
        point = field.ptr[i] == '.' ? i : point;
        spaces += field.ptr[i] == ' ' || field.ptr[i] == '\'' || field.ptr[i] == '_' ||
                  field.ptr[i] == '\xa0';
    }
    m->grouped += spaces > 0 || (commas > 0 && points > 0) || commas > 1 || points > 1;
    if (commas > 0 && points > 0) {
        m->comma += comma > point;
        m->point += point > comma;
    } else if (commas > 1 || points > 1) {
        m->comma += points > 1;
        m->point += commas > 1;
    } else if (points == 1) {
        m->point += field.len - point != 4; /* "1.234" shows nothing */
    } else if (commas == 1) {
        bool decimal = field.len - comma != 4 || comma > 3 || field.ptr[0] == '0';
        m->comma += decimal;
        m->unclear += !decimal;
    }
}

/* Whether numbers have a decimal comma or thousands separators. */
static int find_marks(const struct sample *s, struct csv_format *ret, struct err *err)
{
    struct marks m = {0};
    for (int i = 0; i < s->rows; i++) {
        struct str rest = s->row[i], field;
        bool last = false;
        for (int column = 0; !last && column < CSV_COLUMNS_MAX; column++) {
            if (!csv_field_next(&rest, ret->separator, &field, &last)) {
                break;
            }
            int f = ret->field_of[column];
            /* Without a header the columns are not known yet, but a time has no such marks. */
            if ((f >= FIELD_OPEN && f <= FIELD_VOLUME) ||
                (ret->columns == 0 && column >= 1 + ret->has_date && column <= 5)) {
                count_marks(field, &m);
            }
        }
    }
    if (m.comma == m.point && m.unclear + m.comma > 0) {
        return fault(s, s->row[0],
                     "numbers such as 1,234 may have a decimal comma or thousands separators", err);
    }
    ret->decimal = m.comma > m.point ? ',' : '.';
    ret->grouped = m.grouped > 0 || (ret->decimal == '.' && m.unclear > 0);
    if (ret->decimal == ',') {
        csv_format_note(ret->note, "decimal comma");
    }
    if (ret->grouped) {
        csv_format_note(ret->note, "thousands separators");
    }
    return 0;
}

/* ---------------------------------------------------------------- the beginning */

static bool starts_nocase(struct str s, const char *text)
{
    size_t len = strlen(text);
    return s.len >= len && str_equal_nocase(str_n(s.ptr, len), text);
}

/* Semicolons, tabs and bars are tried before commas, which can also be decimal marks. */
static char find_separator(struct str line)
{
    static const char separators[] = {';', '\t', '|', ','};
    struct str none[1];
    for (size_t i = 0; i < COUNT_OF(separators); i++) {
        if (split(line, separators[i], none, 1) >= 5) {
            return separators[i];
        }
    }
    return ',';
}

static bool is_header(struct str line, char separator)
{
    struct str field[CSV_COLUMNS_MAX];
    int count = split(line, separator, field, COUNT_OF(field));
    int known = 0;
    for (int i = 0; i < count && i < CSV_COLUMNS_MAX; i++) {
        struct header h;
        for (int f = 0; f < FIELD_COUNT; f++) {
            h.rank[f] = RANK_NONE;
        }
        (void)place(&h, i, field[i]);
        for (int f = 0; f < FIELD_COUNT; f++) {
            known += h.rank[f] != RANK_NONE && f != FIELD_DATE;
        }
    }
    return known > 0;
}

/* Digits at the beginning: a time, not a name. */
static bool is_row(struct str line, char separator)
{
    struct str field[5];
    return split(line, separator, field, COUNT_OF(field)) >= 5 && field[0].len > 0 &&
           isdigit((unsigned char)field[0].ptr[0]) && field[1].len > 0 &&
           isdigit((unsigned char)field[1].ptr[0]);
}

static void sample_rows(struct sample *s)
{
    struct str line;
    while (s->rows < SAMPLE_ROWS && sample_line(s, &line)) {
        if (str_trim(line).len > 0 && line.ptr[0] != '#') {
            s->row[s->rows++] = line;
        }
    }
}

static void note_separator(struct csv_format *ret)
{
    switch (ret->separator) {
    case ';':
        csv_format_note(ret->note, "semicolons");
        break;
    case '\t':
        csv_format_note(ret->note, "tabs");
        break;
    case '|':
        csv_format_note(ret->note, "bars");
        break;
    default:
        break;
    }
}

/* Whether the time has no date, which then stands in a column of its own. */
static int find_date(const struct sample *s, struct csv_format *ret, struct str header,
                     struct err *err)
{
    struct str field[CSV_COLUMNS_MAX];
    int count = s->rows > 0 ? split(s->row[0], ret->separator, field, COUNT_OF(field)) : 0;
    int time = -1, date = -1;
    for (int i = 0; i < ret->columns; i++) {
        time = ret->field_of[i] == FIELD_TIME ? i : time;
        date = ret->field_of[i] == FIELD_DATE ? i : date;
    }
    bool only_clock = time >= 0 && time < count && csv_text_is_time_of_day(field[time]) &&
                      !(field[time].len == 6 && date < 0);
    if (only_clock && date < 0) {
        return fault(s, header, "the time column has no date", err);
    }
    ret->has_date = only_clock;
    if (!only_clock && date >= 0) {
        ret->field_of[date] = -1;
    }
    if (only_clock) {
        csv_format_note(ret->note, "date and time in two columns");
    }
    return 0;
}

static int find_csv(struct sample *s, struct csv_format *ret, struct err *err)
{
    struct str line = STR_LIT(""), comment = STR_LIT("");
    size_t line_at = 0;
    bool found = false;
    while (!found && (line_at = s->at, sample_line(s, &line))) {
        struct str text = str_trim(line);
        if (str_starts(text, "#")) {
            comment = str_n(text.ptr + 1, text.len - 1);
        } else if (starts_nocase(text, "http://") || starts_nocase(text, "https://") ||
                   starts_nocase(text, "www.")) {
            csv_format_note(ret->note, "address in the first line");
        } else {
            found = text.len > 0 && !(starts_nocase(text, "sep=") && text.len == 5);
        }
    }
    if (!found && s->at < s->text.len) {
        line = str_n(s->text.ptr + s->at, s->text.len - s->at);
        s->lines++;
        return fault(s, line, "the header is too long", err);
    }
    if (!found && comment.len == 0) {
        return err_set(err, ERR_MARKET_CSV_HEADER, "%s: the file is empty", s->name);
    }
    ret->separator = find_separator(line);
    bool named = is_header(line, ret->separator);
    if (!named && is_row(line, ret->separator)) {
        ret->separator = find_separator(line);
        named = comment.len > 0 && is_header(comment, ret->separator) &&
                split(comment, ret->separator, NULL, 0) == split(line, ret->separator, NULL, 0);
        s->at = line_at; /* the line is a row */
        s->lines--;
        line = named ? comment : line;
    } else {
        named = true;
    }
    ret->header_size = s->at;
    ret->header_lines = s->lines;
    note_separator(ret);
    int rc = named ? read_header(s, line, ret, err) : 0;
    if (rc < 0) {
        return rc;
    }
    sample_rows(s);
    if (named) {
        rc = find_date(s, ret, line, err);
        return rc < 0 ? rc : find_marks(s, ret, err);
    }
    struct str field[2];
    ret->has_date = split(line, ret->separator, field, 2) >= 6 && csv_text_is_time_of_day(field[1]);
    rc = find_marks(s, ret, err);
    s->lines = ret->header_lines + 1;
    return rc < 0 ? rc : guess_columns(s, line, ret, err);
}

static int find_json(struct sample *s, struct csv_format *ret, struct err *err)
{
    struct str rest = str_trim(s->text), entry;
    rest = str_n(rest.ptr + 1, rest.len - 1);
    ret->is_json = true;
    ret->separator = ',';
    ret->header_size = (size_t)(rest.ptr - s->text.ptr);
    s->lines = 1;
    enum json_candles what = JSON_CANDLES_ENTRY;
    while (s->rows < SAMPLE_ROWS && what == JSON_CANDLES_ENTRY) {
        what = json_candles_next(&rest, s->rows == 0, &entry);
        if (what == JSON_CANDLES_ENTRY) {
            s->row[s->rows++] = entry;
        }
    }
    if (s->rows == 0) {
        return what == JSON_CANDLES_END
                   ? err_set(err, ERR_MARKET_CSV_HEADER, "%s: the array is empty", s->name)
                   : fault(s, str_n(s->text.ptr, s->text.len < 80 ? s->text.len : 80),
                           "JSON, but not an array of arrays [time, open, high, low, close, …]",
                           err);
    }
    return guess_columns(s, s->row[0], ret, err);
}

/* NULL, or what the file is instead of text. */
static const char *find_packing(struct str sample)
{
    static const struct {
        const char *magic, *what;
    } packings[] = {
        {"PK\x03\x04", "a zip archive or a spreadsheet: unpack it, or save it as CSV"},
        {"\x1f\x8b", "compressed with gzip: unpack it"},
        {"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it"},
        {"\xfd"
         "7zXZ",
         "compressed with xz: unpack it"},
        {"BZh", "compressed with bzip2: unpack it"},
        {"PAR1", "a Parquet file: save it as CSV"},
        {"ARROW1", "a Feather file: save it as CSV"},
    };
    for (size_t i = 0; i < COUNT_OF(packings); i++) {
        if (str_starts(sample, packings[i].magic)) {
            return packings[i].what;
        }
    }
    return NULL;
}

int csv_format_find(struct str sample, bool whole, const char *name, struct csv_format *ret,
                    struct err *err)
{
    struct sample s = {.name = name, .text = sample, .whole = whole};
    const char *packing = find_packing(sample);
    if (packing != NULL) {
        return err_set(err, ERR_MARKET_CSV_HEADER, "%s: %s", name, packing);
    }
    memset(ret, 0, sizeof(*ret));
    memset(ret->field_of, -1, sizeof(ret->field_of));
    ret->decimal = '.';
    if (str_starts(s.text, "\xef\xbb\xbf")) {
        s.at = 3;
    }
    struct str text = str_trim(str_n(s.text.ptr + s.at, s.text.len - s.at));
    int rc;
    if (text.len > 0 && text.ptr[0] == '{') {
        s.lines = 1;
        return fault(&s, text, "JSON, but not an array of arrays [time, open, high, low, close, …]",
                     err);
    }
    if (text.len > 0 && text.ptr[0] == '[') {
        s.text = text;
        rc = find_json(&s, ret, err);
        ret->header_size += (size_t)(text.ptr - sample.ptr);
    } else {
        rc = find_csv(&s, ret, err);
    }
    if (rc >= 0 && !ret->has_volume) {
        csv_format_note(ret->note, "no volume: 0");
    }
    return rc;
}
