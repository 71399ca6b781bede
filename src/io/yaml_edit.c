#include "io/yaml_edit.h"

#include "io/yaml.h"

#include <string.h>

/* Bytes begin to end of the text are replaced by `text`. */
struct change {
    size_t begin;
    size_t end;
    struct buf text;
};

/* An edit in progress. */
struct edit {
    struct str text;
    const char *file;
    const struct yaml_edit *what;
    const char *newline;
    const struct yaml_node *root;
    const struct yaml_node *group; /* NULL: missing */
    const struct yaml_node *value; /* NULL: missing */
};

/* Where the line that holds this byte ends, before its line break. */
static size_t line_end(struct str text, size_t at)
{
    while (at < text.len && text.ptr[at] != '\n' && text.ptr[at] != '\r') {
        at++;
    }
    return at;
}

static const char *newline_of(struct str text)
{
    const char *first = memchr(text.ptr, '\n', text.len);
    return first != NULL && first > text.ptr && first[-1] == '\r' ? "\r\n" : "\n";
}

static int refuse(const struct edit *e, const struct yaml_node *at, const char *why,
                  struct err *err)
{
    return err_set(err, ERR_YAML_UNSUPPORTED, "%s:%d:%d: %s.%s cannot be set here: %s", e->file,
                   at->line, at->column, e->what->group, e->what->name, why);
}

static void add_spaces(struct buf *out, int count)
{
    for (int i = 0; i < count; i++) {
        buf_add_char(out, ' ');
    }
}

/* ------------------------------------------------------------------ the four ways */

static int replace_value(const struct edit *e, struct change *c, struct err *err)
{
    const struct yaml_node *value = e->value;
    c->begin = yaml_byte(e->text, value->begin);
    c->end = yaml_byte(e->text, value->end);
    char first = c->begin < e->text.len ? e->text.ptr[c->begin] : '\0';
    if (value->kind != YAML_SCALAR && !value->flow) {
        return refuse(e, value, "its value has several lines", err);
    }
    if (value->kind == YAML_SCALAR && value->quoted && (first == '|' || first == '>')) {
        return refuse(e, value, "its value is a block of lines", err);
    }
    buf_addf(&c->text, "%s%s", c->begin == c->end ? " " : "", e->what->value);
    return 0;
}

/* Into {…}. */
static void add_to_flow(const struct edit *e, const struct yaml_node *map, bool group,
                        struct change *c)
{
    const struct yaml_node *last = yaml_value(map, map->len - 1);
    c->begin = c->end =
        last == NULL ? yaml_byte(e->text, map->begin) + 1 : yaml_byte(e->text, last->end);
    buf_addf(&c->text, "%s%s%s%s: %s%s", last == NULL ? "" : ", ", group ? e->what->group : "",
             group ? ": {" : "", e->what->name, e->what->value, group ? "}" : "");
}

/* Where the text of a node ends: that of a block ends with its last item. */
static size_t text_end(const struct yaml_node *node)
{
    while (node->kind != YAML_SCALAR && !node->flow && node->len > 0) {
        node = node->kind == YAML_MAPPING ? yaml_value(node, node->len - 1)
                                          : yaml_at(node, node->len - 1);
    }
    return node->end;
}

/* A line below the last one of the group. */
static void add_to_block(const struct edit *e, struct change *c)
{
    c->begin = c->end = line_end(e->text, yaml_byte(e->text, text_end(e->group)));
    buf_add_c(&c->text, e->newline);
    add_spaces(&c->text, yaml_key(e->group, 0)->column - 1);
    buf_addf(&c->text, "%s: %s", e->what->name, e->what->value);
}

/* A group without a value, such as one whose options are all comments. */
static void fill_group(const struct edit *e, int indent, struct change *c)
{
    size_t end = yaml_byte(e->text, e->group->end);
    c->begin = yaml_byte(e->text, e->group->begin);
    c->end = line_end(e->text, end);
    buf_add(&c->text, e->text.ptr + end, c->end - end); /* a comment */
    buf_add_c(&c->text, e->newline);
    add_spaces(&c->text, indent + 2);
    buf_addf(&c->text, "%s: %s", e->what->name, e->what->value);
}

static void append_group(const struct edit *e, int indent, struct change *c)
{
    c->begin = c->end = e->text.len;
    if (e->text.len > 0 && line_end(e->text, e->text.len - 1) == e->text.len) {
        buf_add_c(&c->text, e->newline);
    }
    add_spaces(&c->text, indent);
    buf_addf(&c->text, "%s:%s", e->what->group, e->newline);
    add_spaces(&c->text, indent + 2);
    buf_addf(&c->text, "%s: %s%s", e->what->name, e->what->value, e->newline);
}

static int plan(const struct edit *e, struct change *c, struct err *err)
{
    int indent = e->root->len > 0 ? yaml_key(e->root, 0)->column - 1 : 0;
    if (e->value != NULL) {
        return replace_value(e, c, err);
    }
    if (e->group == NULL) {
        if (e->root->flow) {
            add_to_flow(e, e->root, true, c);
        } else {
            append_group(e, indent, c);
        }
        return 0;
    }
    if (yaml_is_null(e->group) && !e->root->flow) {
        fill_group(e, indent, c);
        return 0;
    }
    if (e->group->kind != YAML_MAPPING) {
        return refuse(e, e->group, "the group is no mapping", err);
    }
    if (e->group->flow) {
        add_to_flow(e, e->group, false, c);
    } else {
        add_to_block(e, c);
    }
    return 0;
}

/* ------------------------------------------------------------------ the proof */

/* Recursion is bounded by YAML_MAX_DEPTH. */
static bool same(const struct yaml_node *a, const struct yaml_node *b)
{
    if (a == NULL || b == NULL || a->kind != b->kind || a->len != b->len ||
        yaml_is_null(a) != yaml_is_null(b) || !str_equal(a->text, b->text)) {
        return a == b;
    }
    size_t count = a->kind == YAML_MAPPING ? 2 * a->len : a->kind == YAML_SEQUENCE ? a->len : 0;
    for (size_t i = 0; i < count; i++) {
        if (!same(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

/* Whether `after` has the pairs of `before`, except for one key, in their order; and no others but
 * that key. */
static bool same_but(const struct yaml_node *before, const struct yaml_node *after, const char *key)
{
    size_t len = yaml_len(before) + (yaml_get(before, key) == NULL ? 1 : 0);
    size_t at = 0;
    if (yaml_len(after) != len || yaml_get(after, key) == NULL) {
        return false;
    }
    for (size_t i = 0; i < yaml_len(before); i++, at++) {
        const struct yaml_node *name = yaml_key(before, i);
        if (!str_equal_c(name->text, key) && str_equal_c(yaml_key(after, at)->text, key)) {
            at++; /* the new pair */
        }
        if (!same(name, yaml_key(after, at)) ||
            (!str_equal_c(name->text, key) &&
             !same(yaml_value(before, i), yaml_value(after, at)))) {
            return false;
        }
    }
    return true;
}

static bool is_proven(const struct edit *e, struct str result)
{
    AUTO_YAML struct yaml *after = NULL, *wanted = NULL;
    if (yaml_parse(result, e->file, &after, NULL) < 0 ||
        yaml_parse(str_c(e->what->value), e->file, &wanted, NULL) < 0) {
        return false;
    }
    const struct yaml_node *group = yaml_get(yaml_root(after), e->what->group);
    const struct yaml_node *before = e->group;
    return same_but(e->root, yaml_root(after), e->what->group) &&
           same_but(yaml_is_null(before) ? NULL : before, group, e->what->name) &&
           same(yaml_get(group, e->what->name), yaml_root(wanted));
}

int yaml_edit(struct str text, const char *name_of_file, const struct yaml_edit *edit,
              struct buf *out, struct err *err)
{
    AUTO_YAML struct yaml *doc = NULL;
    int rc = yaml_parse(text, name_of_file, &doc, err);
    if (rc < 0) {
        return rc;
    }
    struct edit e = {.text = text,
                     .file = name_of_file,
                     .what = edit,
                     .newline = newline_of(text),
                     .root = yaml_root(doc)};
    e.group = yaml_get(e.root, edit->group);
    e.value = yaml_get(e.group, edit->name);
    if (e.root->kind != YAML_MAPPING) {
        return refuse(&e, e.root, "the text is no mapping", err);
    }
    struct change c = {.text = BUF_INIT(YAML_MAX_BYTES)};
    rc = plan(&e, &c, err);
    if (rc == 0) {
        buf_add(out, text.ptr, c.begin);
        buf_add_str(out, buf_str(&c.text));
        buf_add(out, text.ptr + c.end, text.len - c.end);
    }
    buf_release(&c.text);
    if (rc == 0 && buf_failed(out)) {
        rc = err_set(err, ERR_YAML_LIMIT, "%s: more than %zu bytes", name_of_file, out->max);
    } else if (rc == 0 && !is_proven(&e, buf_str(out))) {
        const struct yaml_node *at = e.value != NULL ? e.value : e.group != NULL ? e.group : e.root;
        rc = refuse(&e, at, "write it into the file by hand", err);
    }
    if (rc < 0) {
        buf_clear(out);
    }
    return rc;
}
