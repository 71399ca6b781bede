#include "facts.h"

#include "base/check.h"
#include "base/clock.h"
#include "proof/text_proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX       16
#define TEXT_MAX        400 /* of a text whose figures are read */
#define TIMES_MAX_BYTES ((size_t)64 * 1024)
#define NAMES_MAX_BYTES ((size_t)1024 * 1024)
#define FIRST_CAPACITY  256

/* ------------------------------------------------------------------ life */

struct facts *facts_new(void)
{
    struct facts *facts = calloc(1, sizeof(*facts));
    NEED_MEMORY(facts != NULL);
    buf_init(&facts->names.text, NAMES_MAX_BYTES);
    buf_init(&facts->times, TIMES_MAX_BYTES);
    facts->prose = prose_new();
    return facts;
}

void facts_free(struct facts *facts)
{
    if (facts == NULL) {
        return;
    }
    free(facts->items);
    for (int i = 0; i < facts->source_count; i++) {
        free(facts->texts[i]);
    }
    proof_names_release(&facts->names);
    buf_release(&facts->times);
    prose_free(facts->prose);
    free(facts);
}

/* ------------------------------------------------------------------ values */

static struct fact *add(struct facts *facts, const char *path, double value, struct unit unit)
{
    if (facts->count == TEXT_PROOF_VALUES_MAX) {
        return NULL;
    }
    if (facts->count == facts->capacity) {
        facts->capacity = facts->capacity == 0 ? FIRST_CAPACITY : 2 * facts->capacity;
        facts->items = reallocarray(facts->items, (size_t)facts->capacity, sizeof(*facts->items));
        NEED_MEMORY(facts->items != NULL);
    }
    struct fact *fact = &facts->items[facts->count++];
    *fact =
        (struct fact){.source = facts->source_count - 1, .value = {.value = value, .unit = unit}};
    (void)str_copy(str_c(path), fact->value.pointer, sizeof(fact->value.pointer));
    return fact;
}

static bool add_time(struct facts *facts, struct str text)
{
    int64_t us = 0;
    bool time = text.len >= 10 && clock_parse_iso(text, &us);
    if (time) {
        buf_addf(&facts->times, "%.*s\n", STR_ARG(text));
    }
    return time;
}

/* The figures of a text, and the text itself if it is a time. */
static void add_text(struct facts *facts, const char *path, struct str text)
{
    if (add_time(facts, text) || text.len > TEXT_MAX || !prose_read(facts->prose, text)) {
        return;
    }
    for (int i = 0; i < facts->prose->figure_count; i++) {
        const struct prose_figure *f = &facts->prose->figures[i];
        if (f->kind == PROSE_DATE || f->kind == PROSE_HOUR) {
            buf_addf(&facts->times, "%.*s\n", STR_ARG(f->text));
        }
        if (f->kind != PROSE_NUMBER || f->is_item) {
            continue;
        }
        double value = f->sign < 0 ? -f->shown.value : f->shown.value;
        struct unit unit = f->shown.unit;
        unit.dimension = unit.dimension == DIMENSION_COUNT || unit.dimension == DIMENSION_TIMES
                             ? DIMENSION_NONE
                             : unit.dimension;
        struct fact *fact = add(facts, path, value, unit);
        if (fact != NULL) {
            fact->text = text;
        }
    }
}

/* ------------------------------------------------------------------ paths of names */

/* The path with one more step, of a name as a key is written. False: it is too long. */
static bool extend(const char *path, struct str name, char ret[FINDING_POINTER_SIZE])
{
    AUTO_BUF struct buf out = BUF_INIT(FINDING_POINTER_SIZE - 1);
    buf_addf(&out, "%s/", path);
    for (size_t i = 0; i < name.len; i++) {
        bool gap = name.ptr[i] == ' ' || name.ptr[i] == '/';
        buf_add_char(&out, gap ? '_' : name.ptr[i]);
    }
    return !buf_failed(&out) && str_copy(buf_str(&out), ret, FINDING_POINTER_SIZE);
}

static void add_row(struct facts *facts, const char *table, struct str name)
{
    if (facts->row_count == FACTS_ROWS_MAX || name.len < 2 || name.len >= FACTS_NAME_SIZE) {
        return;
    }
    for (int i = 0; i < facts->row_count; i++) {
        if (str_equal_c(name, facts->rows[i].name) && strcmp(table, facts->rows[i].table) == 0) {
            return;
        }
    }
    struct fact_row *row = &facts->rows[facts->row_count++];
    (void)str_copy(str_c(table), row->table, sizeof(row->table));
    (void)str_copy(name, row->name, sizeof(row->name));
}

/* The name of a row; empty: it has none. */
static struct str name_of(const struct json_object *object)
{
    static const char *const keys[] = {"symbol",  "name",   "service", "agent", "code",
                                       "subject", "reason", "label",   "day",   "date"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct str name = json_str(object, keys[i]);
        if (name.len > 0 && name.len < FACTS_NAME_SIZE) {
            return name;
        }
    }
    return STR_LIT("");
}

/* ------------------------------------------------------------------ cells of a reply */

static struct unit unit_of_cell(struct json_object *cell)
{
    struct str type = json_str(cell, "type");
    struct str unit = json_str(cell, "unit");
    struct unit ret = {.dimension = DIMENSION_NONE};
    if (str_equal_c(type, "money") || str_equal_c(type, "price")) {
        ret.dimension = DIMENSION_MONEY;
        for (size_t i = 0; i < unit.len && unit.len < sizeof(ret.currency); i++) {
            char c = unit.ptr[i];
            ret.currency[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
    } else if (str_equal_c(type, "percent")) {
        ret = (struct unit){.dimension = DIMENSION_PCT, .scale = 1};
    } else if (str_equal_c(type, "duration")) {
        ret = (struct unit){.dimension = DIMENSION_TIME, .scale = 1};
    } else if (unit.len > 0) {
        (void)unit_read(unit, &ret);
    }
    return ret;
}

static bool is_cell(struct json_object *value)
{
    return json_is_object(value) && json_str(value, "type").len > 0 &&
           json_object_object_get_ex(value, "value", NULL);
}

static void add_cell(struct facts *facts, const char *path, struct json_object *cell)
{
    struct json_object *value = json_is_object(cell) ? json_get(cell, "value") : cell;
    if (json_is_number(value)) {
        (void)add(facts, path, json_object_get_double(value), unit_of_cell(cell));
    } else if (json_is_text(value)) {
        add_text(facts, path, json_value_str(value));
    }
}

static void add_spans(struct facts *facts, const char *path, struct json_object *spans)
{
    for (size_t i = 0; i < json_len(spans); i++) {
        add_cell(facts, path, json_item(spans, i));
    }
}

/* A table of a reply: its rows are named by their first cell, their values by the columns. */
static void add_table(struct facts *facts, const char *path, struct json_object *table)
{
    struct json_object *columns = json_get(table, "columns"), *rows = json_get(table, "rows");
    (void)add(facts, path, (double)json_len(rows), (struct unit){.dimension = DIMENSION_NONE});
    for (size_t r = 0; r < json_len(rows); r++) {
        struct json_object *row = json_item(rows, r), *first = json_item(row, 0);
        struct str name = json_is_object(first) ? json_str(first, "value") : json_value_str(first);
        char row_path[FINDING_POINTER_SIZE], cell_path[FINDING_POINTER_SIZE];
        if (!extend(path, name.len > 0 ? name : STR_LIT("row"), row_path)) {
            continue;
        }
        add_row(facts, path, name);
        for (size_t c = 0; c < json_len(row); c++) {
            if (extend(row_path, json_value_str(json_item(columns, c)), cell_path)) {
                add_cell(facts, cell_path, json_item(row, c));
            }
        }
    }
}

static void add_fields(struct facts *facts, const char *path, struct json_object *fields)
{
    for (size_t i = 0; i < json_len(fields); i++) {
        char field[FINDING_POINTER_SIZE];
        struct json_object *item = json_item(fields, i);
        if (extend(path, json_str(item, "name"), field)) {
            add_spans(facts, field, json_get(item, "spans"));
        }
    }
}

/* A block of a reply (reply_json.h). False: it is none. */
static bool add_block(struct facts *facts, const char *path, struct json_object *block)
{
    if (json_is_array(json_get(block, "columns")) && json_is_array(json_get(block, "rows"))) {
        add_table(facts, path, block);
        return true;
    }
    if (json_is_array(json_get(block, "fields"))) {
        add_fields(facts, path, json_get(block, "fields"));
        return true;
    }
    if (json_is_array(json_get(block, "spans"))) {
        add_spans(facts, path, json_get(block, "spans"));
        return true;
    }
    if (json_is_array(json_get(block, "items")) && json_str(block, "type").len > 0) {
        struct json_object *items = json_get(block, "items");
        (void)add(facts, path, (double)json_len(items), (struct unit){.dimension = DIMENSION_NONE});
        for (size_t i = 0; i < json_len(items); i++) {
            add_spans(facts, path, json_item(items, i));
        }
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ any value */

static void collect(struct facts *facts, const char *path, struct json_object *value, int depth);

static void collect_array(struct facts *facts, const char *path, struct json_object *array,
                          int depth)
{
    struct fact *length =
        add(facts, path, (double)json_len(array), (struct unit){.dimension = DIMENSION_NONE});
    if (length != NULL) {
        length->is_length = true;
    }
    for (size_t i = 0; i < json_len(array); i++) {
        struct json_object *item = json_item(array, i);
        struct str name = name_of(item);
        char index[24], below[FINDING_POINTER_SIZE];
        (void)snprintf(index, sizeof(index), "%zu", i);
        if (extend(path, name.len > 0 ? name : str_c(index), below)) {
            add_row(facts, path, name);
            collect(facts, below, item, depth + 1);
        }
    }
}

static void collect_object(struct facts *facts, const char *path, struct json_object *object,
                           int depth)
{
    json_object_object_foreach(object, key, member)
    {
        char below[FINDING_POINTER_SIZE];
        if (extend(path, str_c(key), below)) {
            if (json_is_object(member) && proof_is_row(str_c(key))) {
                add_row(facts, path, str_c(key));
                (void)add_time(facts, str_c(key));
            }
            collect(facts, below, member, depth + 1);
        }
    }
}

static void collect(struct facts *facts, const char *path, struct json_object *value, int depth)
{
    if (depth > DEPTH_MAX) {
        return;
    }
    if (json_is_number(value)) {
        (void)add(facts, path, json_object_get_double(value), unit_of_pointer(path));
    } else if (json_is_text(value)) {
        add_text(facts, path, json_value_str(value));
    } else if (is_cell(value)) {
        add_cell(facts, path, value);
    } else if (json_is_array(value)) {
        collect_array(facts, path, value, depth);
    } else if (json_is_object(value) && !add_block(facts, path, value)) {
        collect_object(facts, path, value, depth);
    }
}

static bool add_source(struct facts *facts, const char *source)
{
    if (facts->source_count == FACTS_SOURCES_MAX) {
        return false;
    }
    str_cut(str_c(source), facts->sources[facts->source_count++], FACTS_NAME_SIZE);
    return true;
}

void facts_add(struct facts *facts, const char *source, struct json_object *document)
{
    if (add_source(facts, source)) {
        proof_names_add(&facts->names, document);
        collect(facts, "", document, 0);
    }
}

void facts_add_text(struct facts *facts, const char *source, struct str text)
{
    if (add_source(facts, source)) {
        char *copy = strndup(text.ptr, text.len);
        NEED_MEMORY(copy != NULL);
        facts->texts[facts->source_count - 1] = copy;
        proof_names_add_text(&facts->names, text);
        add_text(facts, "", str_n(copy, text.len));
    }
}
