#include "config/mask.h"

#include "base/auto.h"
#include "base/check.h"
#include "io/yaml.h"
#include "option.h"

#include <stdlib.h>
#include <string.h>

#define MASK      "***"
#define SPANS_MAX 256

/* A secret of the text, and the same one of the other text. */
struct secret_node {
    const struct yaml_node *node;
    const struct yaml_node *other; /* NULL: not there */
    char path[128];
};

struct secrets {
    int count;
    bool full; /* there are more */
    struct secret_node items[SPANS_MAX];
};

/* ------------------------------------------------------------------ finding them */

static void add(struct secrets *s, const struct yaml_node *node, const struct yaml_node *other,
                const char *where, const char *name)
{
    if (node == NULL || node->kind != YAML_SCALAR || node->text.len == 0 || yaml_is_null(node)) {
        return;
    }
    if (s->count == SPANS_MAX) {
        s->full = true;
        return;
    }
    struct secret_node *item = &s->items[s->count++];
    *item = (struct secret_node){.node = node, .other = other};
    (void)snprintf(item->path, sizeof(item->path), "%s.%s", where, name);
}

static void add_fields(struct secrets *s, const struct option *fields, size_t count,
                       const struct yaml_node *item, const struct yaml_node *other,
                       const char *where)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].type == OPTION_SECRET) {
            add(s, yaml_get(item, fields[i].name), yaml_get(other, fields[i].name), where,
                fields[i].name);
        }
    }
}

static const struct yaml_node *find_person(const struct yaml_node *list, const char *key,
                                           struct str id)
{
    for (size_t i = 0; i < yaml_len(list); i++) {
        if (str_equal(yaml_text(yaml_get(yaml_at(list, i), key)), id)) {
            return yaml_at(list, i);
        }
    }
    return NULL;
}

/* People: a list, compared by a number. */
static void add_people(struct secrets *s, const struct option *fields, size_t count,
                       const struct yaml_node *list, const struct yaml_node *other, const char *key,
                       const char *path)
{
    for (size_t i = 0; list != NULL && list->kind == YAML_SEQUENCE && i < list->len; i++) {
        char where[64];
        struct str id = yaml_text(yaml_get(yaml_at(list, i), key));
        (void)snprintf(where, sizeof(where), "%s[%zu]", path, i);
        add_fields(s, fields, count, yaml_at(list, i), find_person(other, key, id), where);
    }
}

static void add_services(struct secrets *s, const struct yaml_node *map,
                         const struct yaml_node *other)
{
    for (size_t i = 0; map != NULL && map->kind == YAML_MAPPING && i < map->len; i++) {
        char where[80], name[64];
        str_cut(yaml_text(yaml_key(map, i)), name, sizeof(name));
        (void)snprintf(where, sizeof(where), "services.%s", name);
        add_fields(s, option_service_fields, option_service_field_count, yaml_value(map, i),
                   yaml_get(other, name), where);
    }
}

static void find_secrets(const struct yaml_node *root, const struct yaml_node *other,
                         struct secrets *s)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        if (o->type == OPTION_SECRET) {
            add(s, yaml_get(yaml_get(root, o->group), o->name),
                yaml_get(yaml_get(other, o->group), o->name), o->group, o->name);
        }
    }
    add_people(s, option_user_fields, option_user_field_count,
               yaml_get(yaml_get(root, "telegram"), "users"),
               yaml_get(yaml_get(other, "telegram"), "users"), "id", "telegram.users");
    add_people(s, option_local_fields, option_local_field_count,
               yaml_get(yaml_get(root, "api"), "local_users"),
               yaml_get(yaml_get(other, "api"), "local_users"), "uid", "api.local_users");
    add_services(s, yaml_get(root, "services"), yaml_get(other, "services"));
}

static int by_place(const void *a, const void *b)
{
    const struct secret_node *left = a, *right = b;
    return left->node->begin < right->node->begin ? -1 : 1;
}

/* ------------------------------------------------------------------ a new text */

/* ${NAME} or ${NAME:-}: what it stands for is elsewhere. */
static bool is_reference(struct str text)
{
    if (!str_starts(text, "${") || text.ptr[text.len - 1] != '}') {
        return false;
    }
    size_t name = 2;
    while (name < text.len &&
           (text.ptr[name] == '_' || (text.ptr[name] >= '0' && text.ptr[name] <= '9') ||
            (text.ptr[name] >= 'A' && text.ptr[name] <= 'Z') ||
            (text.ptr[name] >= 'a' && text.ptr[name] <= 'z'))) {
        name++;
    }
    struct str rest = str_n(text.ptr + name, text.len - name);
    return name > 2 && (str_equal_c(rest, "}") || str_equal_c(rest, ":-}"));
}

/* Writes a value in place of the node. */
static void replace(struct buf *out, struct str text, const struct yaml_node *node, size_t *at,
                    struct str value)
{
    size_t begin = yaml_byte(text, node->begin), end = yaml_byte(text, node->end);
    bool block =
        begin < text.len && node->quoted && (text.ptr[begin] == '|' || text.ptr[begin] == '>');
    buf_add(out, text.ptr + *at, begin - *at);
    buf_add_char(out, '"');
    buf_add_json(out, value);
    buf_add_c(out, block ? "\"\n" : "\"");
    *at = end;
}

/* A word of a comment, such as a token that is out of use. */
static void mask_comments(struct str text, struct buf *out)
{
    static const char ends[] = " \t\r\n\"',;:=()[]{}";
    bool comment = false;
    for (size_t i = 0; i < text.len;) {
        size_t len = 0;
        while (i + len < text.len && strchr(ends, text.ptr[i + len]) == NULL) {
            len++;
        }
        struct str word = str_n(text.ptr + i, len == 0 ? 1 : len);
        comment =
            comment || (word.ptr[0] == '#' && (i == 0 || strchr(" \t\n", text.ptr[i - 1]) != NULL));
        if (comment && str_looks_secret(word)) {
            buf_add_c(out, MASK);
        } else {
            buf_add_str(out, word);
        }
        comment = comment && word.ptr[0] != '\n';
        i += word.len;
    }
}

int config_mask(struct str text, const char *file, struct buf *out, struct err *err)
{
    AUTO_YAML struct yaml *doc = NULL;
    AUTO_FREE struct secrets *s = calloc(1, sizeof(*s));
    AUTO_BUF struct buf masked = BUF_INIT(YAML_MAX_BYTES);
    size_t at = 0;
    ASSERT(s != NULL);
    int rc = yaml_parse(text, file, &doc, err);
    if (rc < 0) {
        return rc;
    }
    find_secrets(yaml_root(doc), NULL, s);
    if (s->full) {
        return err_set(err, ERR_CONFIG_LIMIT, "%s: more than %d secrets", file, SPANS_MAX);
    }
    qsort(s->items, (size_t)s->count, sizeof(s->items[0]), by_place);
    for (int i = 0; i < s->count; i++) {
        if (!is_reference(s->items[i].node->text)) {
            replace(&masked, text, s->items[i].node, &at, str_c(MASK));
        }
    }
    buf_add(&masked, text.ptr + at, text.len - at);
    mask_comments(buf_str(&masked), out);
    return buf_failed(&masked) || buf_failed(out)
               ? err_set(err, ERR_YAML_LIMIT, "%s: more than %zu bytes", file, out->max)
               : 0;
}

int config_unmask(struct str text, struct str current, const char *file, struct buf *out,
                  struct err *err)
{
    AUTO_YAML struct yaml *doc = NULL, *now = NULL;
    AUTO_FREE struct secrets *s = calloc(1, sizeof(*s));
    size_t at = 0;
    ASSERT(s != NULL);
    int rc = yaml_parse(text, file, &doc, err);
    rc = rc < 0 ? rc : yaml_parse(current, file, &now, err);
    if (rc < 0) {
        return rc;
    }
    find_secrets(yaml_root(doc), yaml_root(now), s);
    qsort(s->items, (size_t)s->count, sizeof(s->items[0]), by_place);
    for (int i = 0; rc == 0 && i < s->count; i++) {
        const struct secret_node *item = &s->items[i];
        if (!str_equal_c(item->node->text, MASK)) {
            continue;
        }
        if (item->other == NULL || item->other->kind != YAML_SCALAR || item->other->text.len == 0) {
            rc = err_set(err, ERR_CONFIG_MASKED, "%s:%d: %s", file, item->node->line, item->path);
        } else {
            replace(out, text, item->node, &at, item->other->text);
        }
    }
    buf_add(out, text.ptr + at, text.len - at);
    if (rc == 0 && (s->full || buf_failed(out))) {
        rc = err_set(err, ERR_YAML_LIMIT, "%s: more than %zu bytes or %d secrets", file, out->max,
                     SPANS_MAX);
    }
    if (rc < 0) {
        buf_clear(out);
    }
    return rc;
}
