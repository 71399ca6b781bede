#include "io/yaml.h"

#include "base/buf.h"
#include "base/check.h"
#include "io/file.h"

#include <string.h>
#include <yaml.h>

/* Nodes and texts are allocated from blocks, which are freed together. */
struct block {
    struct block *next;
    size_t used;
    size_t size;
    max_align_t bytes[];
};

struct yaml {
    struct block *blocks;
    const struct yaml_node *root;
};

struct parse {
    yaml_parser_t parser;
    struct yaml *yaml;
    struct str text;
    const char *name;
    size_t nodes;
    struct err *err;
};

static void *yaml_alloc(struct yaml *yaml, size_t size)
{
    enum { BLOCK = 16384 };
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct block *block = yaml->blocks;
    if (block == NULL || block->size - block->used < size) {
        size_t room = size > BLOCK ? size : BLOCK;
        block = calloc(1, sizeof(*block) + room);
        ASSERT(block != NULL);
        block->size = room;
        block->next = yaml->blocks;
        yaml->blocks = block;
    }
    void *place = (char *)block->bytes + block->used;
    block->used += size;
    return place;
}

static int fail_at(struct parse *p, enum err_id id, yaml_mark_t mark, const char *why)
{
    return err_set(p->err, id, "%s:%zu:%zu: %s", p->name, mark.line + 1, mark.column + 1, why);
}

/* For a byte that is not valid text libyaml reports only the offset. */
static yaml_mark_t mark_of(struct str text, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        mark.column++;
        if (text.ptr[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

/* The caller deletes the event, even after a failure. */
static int next_event(struct parse *p, yaml_event_t *event)
{
    if (yaml_parser_parse(&p->parser, event) == 1) {
        return 0;
    }
    *event = (yaml_event_t){.type = YAML_NO_EVENT};
    const char *why = p->parser.problem == NULL ? "unreadable" : p->parser.problem;
    if (p->parser.error == YAML_READER_ERROR) {
        return fail_at(p, ERR_YAML_SYNTAX, mark_of(p->text, p->parser.problem_offset), why);
    }
    return fail_at(p, ERR_YAML_SYNTAX, p->parser.problem_mark, why);
}

static int read_node(struct parse *p, const yaml_event_t *event, int depth,
                     const struct yaml_node **ret);

struct list {
    const struct yaml_node **items;
    size_t len;
    size_t cap;
};

static void list_cleanup(struct list *list)
{
    free(list->items);
}

static void list_add(struct list *list, const struct yaml_node *node)
{
    if (list->len == list->cap) {
        list->cap = list->cap == 0 ? 16 : list->cap * 2;
        list->items = reallocarray(list->items, list->cap, sizeof(struct yaml_node *));
        ASSERT(list->items != NULL);
    }
    list->items[list->len++] = node;
}

/* Reads nodes up to the end event into list. *ret_end: where that event ends. */
static int read_children(struct parse *p, yaml_event_type_t end, int depth, struct list *list,
                         size_t *ret_end)
{
    for (;;) {
        yaml_event_t event;
        int rc = next_event(p, &event);
        bool last = rc == 0 && event.type == end;
        const struct yaml_node *child = NULL;
        if (rc == 0 && !last) {
            rc = read_node(p, &event, depth + 1, &child);
        }
        *ret_end = event.end_mark.index;
        yaml_event_delete(&event);
        if (rc < 0 || last) {
            return rc;
        }
        list_add(list, child);
    }
}

static int by_text(const void *a, const void *b)
{
    const struct yaml_node *x = *(const struct yaml_node *const *)a;
    const struct yaml_node *y = *(const struct yaml_node *const *)b;
    size_t len = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = memcmp(x->text.ptr, y->text.ptr, len);
    if (order != 0) {
        return order;
    }
    if (x->text.len != y->text.len) {
        return x->text.len < y->text.len ? -1 : 1;
    }
    /* Equal keys stay in file order, so that the second one is reported. */
    if (x->line != y->line) {
        return x->line < y->line ? -1 : 1;
    }
    return (x->column > y->column) - (x->column < y->column);
}

static int check_keys(struct parse *p, const struct yaml_node *map)
{
    for (size_t i = 0; i < map->len; i++) {
        if (map->items[i]->kind != YAML_SCALAR) {
            return err_set(p->err, ERR_YAML_UNSUPPORTED, "%s:%d:%d: a key must be plain text",
                           p->name, map->items[i]->line, map->items[i]->column);
        }
    }
    AUTO_FREE const struct yaml_node **sorted = calloc(map->len + 1, sizeof(struct yaml_node *));
    ASSERT(sorted != NULL);
    for (size_t i = 0; i < map->len; i++) {
        sorted[i] = map->items[i];
    }
    qsort(sorted, map->len, sizeof(struct yaml_node *), by_text);
    for (size_t i = 1; i < map->len; i++) {
        if (str_equal(sorted[i - 1]->text, sorted[i]->text)) {
            struct str key = sorted[i]->text;
            if (str_looks_secret(key)) {
                key = STR_LIT("(a key that may be a secret)");
            }
            return err_set(p->err, ERR_YAML_DUPLICATE, "%s:%d:%d: %.*s (first on line %d)", p->name,
                           sorted[i]->line, sorted[i]->column, STR_ARG(key), sorted[i - 1]->line);
        }
    }
    return 0;
}

static int read_scalar(struct parse *p, const yaml_event_t *event, struct yaml_node *node)
{
    if (event->data.scalar.anchor != NULL) {
        return fail_at(p, ERR_YAML_UNSUPPORTED, event->start_mark, "anchor");
    }
    if (event->data.scalar.tag != NULL) {
        return fail_at(p, ERR_YAML_UNSUPPORTED, event->start_mark, "tag");
    }
    size_t len = event->data.scalar.length;
    char *copy = yaml_alloc(p->yaml, len + 1);
    memcpy(copy, event->data.scalar.value, len);
    copy[len] = '\0';
    node->kind = YAML_SCALAR;
    node->text = str_n(copy, len);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (memchr(copy, '\0', len) != NULL) { /* from "\0" */
        return fail_at(p, ERR_YAML_UNSUPPORTED, event->start_mark, "NUL in a text");
    }
    return 0;
}

static int read_sequence(struct parse *p, const yaml_event_t *event, int depth,
                         struct yaml_node *node)
{
    if (event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL) {
        return fail_at(p, ERR_YAML_UNSUPPORTED, event->start_mark, "anchor or tag");
    }
    AUTO(list_cleanup) struct list list = {0};
    int rc = read_children(p, YAML_SEQUENCE_END_EVENT, depth, &list, &node->end);
    if (rc < 0) {
        return rc;
    }
    node->kind = YAML_SEQUENCE;
    node->flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    node->len = list.len;
    node->items = yaml_alloc(p->yaml, (list.len + 1) * sizeof(struct yaml_node *));
    for (size_t i = 0; i < list.len; i++) {
        node->items[i] = list.items[i];
    }
    return 0;
}

static int read_mapping(struct parse *p, const yaml_event_t *event, int depth,
                        struct yaml_node *node)
{
    if (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL) {
        return fail_at(p, ERR_YAML_UNSUPPORTED, event->start_mark, "anchor or tag");
    }
    AUTO(list_cleanup) struct list list = {0}; /* key, value, key, value … */
    int rc = read_children(p, YAML_MAPPING_END_EVENT, depth, &list, &node->end);
    if (rc < 0) {
        return rc;
    }
    node->kind = YAML_MAPPING;
    node->flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    node->len = list.len / 2;
    node->items = yaml_alloc(p->yaml, (list.len + 1) * sizeof(struct yaml_node *));
    for (size_t i = 0; i < node->len; i++) {
        node->items[i] = list.items[2 * i];
        node->items[node->len + i] = list.items[2 * i + 1];
    }
    return check_keys(p, node);
}

/* Recursion is bounded by YAML_MAX_DEPTH. */
static int read_node(struct parse *p, const yaml_event_t *event, int depth,
                     const struct yaml_node **ret)
{
    if (depth > YAML_MAX_DEPTH) {
        return fail_at(p, ERR_YAML_LIMIT, event->start_mark, "nested too deep");
    }
    if (++p->nodes > YAML_MAX_NODES) {
        return fail_at(p, ERR_YAML_LIMIT, event->start_mark, "too many values");
    }
    struct yaml_node *node = yaml_alloc(p->yaml, sizeof(*node));
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    node->begin = event->start_mark.index;
    node->end = event->end_mark.index;
    node->text = str_c("");
    *ret = node;
    if (event->type == YAML_SCALAR_EVENT) {
        return read_scalar(p, event, node);
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        return read_sequence(p, event, depth, node);
    }
    if (event->type == YAML_MAPPING_START_EVENT) {
        return read_mapping(p, event, depth, node);
    }
    return fail_at(p, ERR_YAML_UNSUPPORTED, event->start_mark, "alias");
}

/* The events of a stream: start, at most one document, end. */
static int read_stream(struct parse *p)
{
    for (;;) {
        yaml_event_t event;
        int rc = next_event(p, &event);
        bool last = rc == 0 && event.type == YAML_STREAM_END_EVENT;
        bool structure = rc == 0 && (event.type == YAML_STREAM_START_EVENT ||
                                     event.type == YAML_DOCUMENT_START_EVENT ||
                                     event.type == YAML_DOCUMENT_END_EVENT);
        if (rc == 0 && event.type == YAML_DOCUMENT_START_EVENT && p->yaml->root != NULL) {
            rc = fail_at(p, ERR_YAML_UNSUPPORTED, event.start_mark, "a second document");
        } else if (rc == 0 && !last && !structure) {
            rc = read_node(p, &event, 1, &p->yaml->root);
        }
        yaml_event_delete(&event);
        if (rc < 0 || last) {
            return rc;
        }
    }
}

int yaml_parse(struct str text, const char *name, struct yaml **ret, struct err *err)
{
    if (text.len > YAML_MAX_BYTES) {
        return err_set(err, ERR_YAML_LIMIT, "%s: %zu bytes, the limit is %zu", name, text.len,
                       YAML_MAX_BYTES);
    }
    AUTO_YAML struct yaml *yaml = calloc(1, sizeof(*yaml));
    ASSERT(yaml != NULL);
    struct parse p = {.yaml = yaml, .text = text, .name = name, .err = err};
    int good = yaml_parser_initialize(&p.parser);
    ASSERT(good == 1);
    yaml_parser_set_encoding(&p.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.parser, (const unsigned char *)text.ptr, text.len);
    int rc = read_stream(&p);
    yaml_parser_delete(&p.parser);
    if (rc < 0) {
        return rc;
    }
    /* Only whitespace and comments, or a single null. */
    if (yaml->root == NULL || yaml_is_null(yaml->root)) {
        struct yaml_node *empty = yaml_alloc(yaml, sizeof(*empty));
        *empty =
            (struct yaml_node){.kind = YAML_MAPPING, .line = 1, .column = 1, .text = str_c("")};
        yaml->root = empty;
    }
    *ret = TAKE(yaml);
    return 0;
}

int yaml_parse_file(const char *path, struct yaml **ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(YAML_MAX_BYTES);
    int rc = file_read(path, &text, err);
    rc = rc < 0 ? rc : yaml_parse(buf_str(&text), path, ret, err);
    if (text.cap > 0) {
        explicit_bzero(text.data, text.len);
    }
    return rc;
}

void yaml_free(struct yaml *yaml)
{
    if (yaml == NULL) {
        return;
    }
    while (yaml->blocks != NULL) {
        struct block *block = yaml->blocks;
        yaml->blocks = block->next;
        explicit_bzero(block->bytes, block->used); /* a scalar may be a secret */
        free(block);
    }
    free(yaml);
}

/* ------------------------------------------------------------------ accessors */

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAPPING) {
        return NULL;
    }
    for (size_t i = 0; i < map->len; i++) {
        if (str_equal_c(map->items[i]->text, key)) {
            return map->items[map->len + i];
        }
    }
    return NULL;
}

const struct yaml_node *yaml_at(const struct yaml_node *sequence, size_t index)
{
    bool good = sequence != NULL && sequence->kind == YAML_SEQUENCE && index < sequence->len;
    return good ? sequence->items[index] : NULL;
}

size_t yaml_len(const struct yaml_node *node)
{
    return node == NULL ? 0 : node->len;
}

const struct yaml_node *yaml_key(const struct yaml_node *map, size_t index)
{
    bool good = map != NULL && map->kind == YAML_MAPPING && index < map->len;
    return good ? map->items[index] : NULL;
}

const struct yaml_node *yaml_value(const struct yaml_node *map, size_t index)
{
    bool good = map != NULL && map->kind == YAML_MAPPING && index < map->len;
    return good ? map->items[map->len + index] : NULL;
}

struct str yaml_text(const struct yaml_node *scalar)
{
    return scalar == NULL ? str_c("") : scalar->text;
}

bool yaml_is_null(const struct yaml_node *node)
{
    if (node == NULL) {
        return true;
    }
    return node->kind == YAML_SCALAR && !node->quoted &&
           (node->text.len == 0 || str_equal_c(node->text, "~") || str_equal_c(node->text, "null"));
}

size_t yaml_byte(struct str text, size_t characters)
{
    size_t at = 0;
    while (at < text.len && characters > 0) {
        at++;
        while (at < text.len && ((unsigned char)text.ptr[at] & 0xc0) == 0x80) {
            at++;
        }
        characters--;
    }
    return at;
}
