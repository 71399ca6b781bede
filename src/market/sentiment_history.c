#include "market/sentiment_history.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "model/capacity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const columns[] = {"received", "symbol", "score", "until"};
enum { RECEIVED, SYMBOL, SCORE, UNTIL, COLUMNS };

struct row {
    int64_t at_us;
    bool known;
    struct sentiment_value value;
};

struct sentiment_history {
    size_t count;
    size_t cap;
    struct row *rows;
    size_t next; /* the first that is not reached yet */
    struct sentiment_values *now;
};

/* ---------------------------------------------------------------- the file */

static struct str unquoted(struct str field)
{
    field = str_trim(field);
    bool quoted = field.len >= 2 && field.ptr[0] == '"' && field.ptr[field.len - 1] == '"';
    return quoted ? str_n(field.ptr + 1, field.len - 2) : field;
}

/* Splits a line; false: another number of fields. */
static bool split(struct str line, struct str fields[COLUMNS])
{
    const char *end = line.ptr + line.len;
    const char *at = line.ptr;
    for (int i = 0; i < COLUMNS; i++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        if ((comma == NULL) != (i == COLUMNS - 1)) {
            return false;
        }
        const char *stop = comma == NULL ? end : comma;
        fields[i] = unquoted(str_n(at, (size_t)(stop - at)));
        at = stop + 1;
    }
    return true;
}

static bool is_header(struct str line)
{
    struct str fields[COLUMNS];
    bool same = split(line, fields);
    for (int i = 0; same && i < COLUMNS; i++) {
        same = str_equal_c(fields[i], columns[i]);
    }
    return same;
}

/* What is wrong; NULL: nothing. */
static const char *read_row(struct str line, struct row *ret)
{
    struct str fields[COLUMNS];
    *ret = (struct row){0};
    if (!split(line, fields)) {
        return "4 columns are expected";
    }
    ret->known = fields[SCORE].len > 0;
    if (!clock_parse_iso(fields[RECEIVED], &ret->at_us) || ret->at_us <= 0) {
        return "received is no time";
    }
    if (!symbol_parse(fields[SYMBOL], &ret->value.symbol)) {
        return "symbol is no symbol";
    }
    if (ret->known && (!str_to_double(fields[SCORE], &ret->value.score) ||
                       !sentiment_value_is_sane(&ret->value))) {
        return "score is no number from -1 to 1";
    }
    if (ret->known && !clock_parse_iso(fields[UNTIL], &ret->value.until_us)) {
        return "until is no time";
    }
    return NULL;
}

static void add_row(struct sentiment_history *h, const struct row *row)
{
    if (h->count == h->cap) {
        h->cap = h->cap == 0 ? 1024 : 2 * h->cap;
        h->rows = reallocarray(h->rows, h->cap, sizeof(h->rows[0]));
        ASSERT(h->rows != NULL);
    }
    h->rows[h->count++] = *row;
}

static int read_rows(struct sentiment_history *h, struct str text, const char *path,
                     struct err *err)
{
    struct str line;
    int number = 1;
    if (!str_split(&text, '\n', &line) || !is_header(line)) {
        return err_set(err, ERR_SENTIMENT_FILE,
                       "%.120s: line 1: the columns received, symbol, score and until are expected",
                       path);
    }
    while (str_split(&text, '\n', &line)) {
        struct row row;
        number++;
        if (str_trim(line).len == 0) {
            continue;
        }
        const char *wrong = read_row(line, &row);
        if (wrong == NULL && h->count > 0 && row.at_us < h->rows[h->count - 1].at_us) {
            wrong = "received is before that of the line above";
        }
        if (wrong != NULL) {
            return err_set(err, ERR_SENTIMENT_FILE, "%.120s: line %d: %s", path, number, wrong);
        }
        add_row(h, &row);
    }
    return 0;
}

int sentiment_history_load(const char *path, struct sentiment_history **ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(SENTIMENT_HISTORY_MAX);
    AUTO_SENTIMENT_HISTORY struct sentiment_history *h = calloc(1, sizeof(*h));
    ASSERT(h != NULL);
    h->now = calloc(1, sentiment_values_size(SYMBOLS_LIMIT));
    ASSERT(h->now != NULL);
    int rc = file_read(path, &text, err);
    rc = rc < 0 ? rc : read_rows(h, buf_str(&text), path, err);
    if (rc == 0) {
        *ret = TAKE(h);
    }
    return rc;
}

void sentiment_history_free(struct sentiment_history *history)
{
    if (history == NULL) {
        return;
    }
    free(history->rows);
    free(history->now);
    free(history);
}

/* ---------------------------------------------------------------- time */

static int find(const struct sentiment_values *now, struct symbol symbol)
{
    int i = 0;
    while (i < now->count && !symbol_equal(now->values[i].symbol, symbol)) {
        i++;
    }
    return i;
}

static void take_row(struct sentiment_values *now, const struct row *row)
{
    int i = find(now, row->value.symbol);
    if (row->known && i < SYMBOLS_LIMIT) {
        now->values[i] = row->value;
        now->count += i == now->count ? 1 : 0;
    } else if (!row->known && i < now->count) {
        now->values[i] = now->values[--now->count];
    }
}

bool sentiment_history_advance(struct sentiment_history *history, int64_t at_us)
{
    size_t before = history->next;
    while (history->next < history->count && history->rows[history->next].at_us <= at_us) {
        take_row(history->now, &history->rows[history->next++]);
    }
    return history->next > before;
}

const struct sentiment_values *sentiment_history_values(const struct sentiment_history *history)
{
    return history->now;
}

double sentiment_history_score(struct sentiment_history *history, struct symbol symbol,
                               int64_t at_us)
{
    if (history == NULL) {
        return (double)NAN;
    }
    (void)sentiment_history_advance(history, at_us);
    const struct sentiment_values *now = history->now;
    int i = find(now, symbol);
    return i < now->count && at_us < now->values[i].until_us ? now->values[i].score : (double)NAN;
}
