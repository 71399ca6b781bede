#include "invariants.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

/* How many of the newest rows of a table are looked at one by one. An audit takes place every hour,
 * so each row is, unless a table grows by more in an hour. */
#define ROWS "20000"
/* Rows beyond this are not counted. */
#define COUNT_MAX 1000
#define SAYS_SIZE 400

enum database { TRADING, OPS, REPORT };

static const struct row {
    struct invariant shown;
    enum database database;
    const char *needs;
    const char *says;
    const char *sql;
} table[] = {
#define INVARIANT(id, severity, type, database, needs, reads, title, says, advice, sql) \
    {{#id, SEVERITY_##severity, ALERT_##type, reads, title, advice}, database, needs, says, sql},
#include "invariants_behaviour.def"
#include "invariants_books.def"
#include "invariants_machine.def"
#include "invariants_time.def"
#include "invariants_trading.def"
#undef INVARIANT
};

int invariant_count(void)
{
    return (int)COUNT_OF(table);
}

const struct invariant *invariant_at(int index)
{
    return &table[index].shown;
}

const struct invariant *invariant_find(const char *id)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (strcmp(table[i].shown.id, id) == 0) {
            return &table[i].shown;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ what it needs */

/* One word of `needs`: the name of a fact, a pointer, or POINTER>=N. Writes why it is missing. */
static bool has_need(struct source *source, struct str need, struct buf *why)
{
    char pointer[96];
    struct str rest = need, name;
    double least = 0, value = 0;
    (void)str_split(&rest, '>', &name);
    bool bounded = rest.len > 1 && str_to_double(str_n(rest.ptr + 1, rest.len - 1), &least);
    ASSERT(str_copy(name, pointer, sizeof(pointer)));
    if (pointer[0] != '/') {
        bool known = source_has_fact(source, pointer);
        buf_addf(why, "%s%s", known ? "" : pointer, known ? "" : " is not known");
        return known;
    }
    struct json_object *found = json_at(source->root, pointer);
    if (found == NULL) {
        buf_addf(why, "%s is not known", pointer);
        return false;
    }
    value = json_object_is_type(found, json_type_boolean) ? 1 : json_object_get_double(found);
    if (bounded && value < least) {
        buf_addf(why, "%s is below %g", pointer, least);
        return false;
    }
    return true;
}

static bool has_needs(struct source *source, const struct row *row, struct buf *why)
{
    struct str rest = str_c(row->needs), need;
    if ((row->database == TRADING && source->trading == NULL) ||
        (row->database == OPS && source->ops == NULL) ||
        (source->trading == NULL && source->ops == NULL)) {
        buf_add_c(why, "the database could not be read");
        return false;
    }
    while (str_word(&rest, &need)) {
        if (!has_need(source, need, why)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ a subject */

/* The sentence with the figures of the subject, as the report has them. */
static void add_says(const char *says, const struct json_object *figures, struct json_out *out)
{
    AUTO_BUF struct buf text = BUF_INIT(SAYS_SIZE);
    struct str rest = str_c(says), part;
    for (bool in_name = false; str_split(&rest, in_name ? '}' : '{', &part); in_name = !in_name) {
        char name[64];
        if (!in_name) {
            buf_add_str(&text, part);
        } else if (str_copy(part, name, sizeof(name))) {
            struct json_object *value = json_get(figures, name);
            const char *word = json_is_text(value)
                                   ? json_object_get_string(value)
                                   : json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
            buf_add_c(&text, value == NULL ? "unknown" : word);
        }
    }
    json_out_str(out, "says", buf_str(&text));
}

static void add_subject(const struct row *row, struct db_rows *rows, struct json_object *subjects)
{
    struct json_out out = JSON_OUT_TREE(subjects);
    char name[64];
    str_cut(db_text(rows, 0), name, sizeof(name));
    json_out_object(&out, name);
    source_columns(rows, 1, &out);
    add_says(row->says, json_get(subjects, name), &out);
    json_out_end(&out);
}

/* ------------------------------------------------------------------ one invariant */

static int evaluate(struct source *source, const struct row *row, struct json_object *subjects,
                    int64_t *ret_count, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct db *db = row->database == OPS || source->trading == NULL ? source->ops : source->trading;
    int rc = db_query(db, row->sql, DB_NO_VALUES, &rows, err);
    while (rc >= 0 && *ret_count < COUNT_MAX && (rc = db_next(rows, err)) > 0) {
        if (json_object_object_length(subjects) < INVARIANT_SUBJECTS) {
            add_subject(row, rows, subjects);
        }
        ++*ret_count;
    }
    return rc < 0 ? rc : 0;
}

static void add_outcome(struct source *source, const struct row *row, struct json_out *out)
{
    AUTO_BUF struct buf why = BUF_INIT(256);
    AUTO_JSON struct json_object *subjects = json_object_new_object();
    struct err err = {0};
    int64_t count = 0;
    json_out_object(out, row->shown.id);
    if (has_needs(source, row, &why) && evaluate(source, row, subjects, &count, &err) < 0) {
        buf_add_c(&why, err_info(err.id)->code);
    }
    if (why.len > 0) {
        json_out_text(out, "state", "unknown");
        json_out_str(out, "why", buf_str(&why));
    } else if (count == 0) {
        json_out_text(out, "state", "kept");
    } else {
        json_out_text(out, "state", "broken");
        json_out_text(out, "title", row->shown.title);
        json_out_i64(out, "count", count);
        json_out_value(out, "subjects", subjects);
    }
    json_out_end(out);
}

/* Whether it needs the finished report, or the facts of all trades or fills. */
static bool is_last(const struct row *row)
{
    return row->database == REPORT || strstr(row->needs, "trades_") != NULL ||
           strstr(row->needs, "fills_") != NULL;
}

void invariants_add(struct source *source, bool last, struct json_out *out)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (is_last(&table[i]) == last) {
            add_outcome(source, &table[i], out);
        }
    }
}
