#include "openapi_schema.h"

#include "base/check.h"
#include "io/embed.h"
#include "io/json_out.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PAGE      "docs/json.md"
#define COMMANDS  "docs/commands.md"
#define EXAMPLES  "src/api/examples.json"
#define NAME_SIZE 96

static struct str find_file(const char *path)
{
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (strcmp(f->path, path) == 0) {
            return str_n(f->data, f->size);
        }
    }
    return str_c("");
}

struct str openapi_commands(void)
{
    return find_file(COMMANDS);
}

/* The name of a component has no slash: "nightdesk.state.2". */
static void component_name(struct str name, char ret[NAME_SIZE])
{
    (void)str_copy(name, ret, NAME_SIZE);
    for (char *c = ret; *c != '\0'; c++) {
        *c = *c == '/' || *c == ' ' ? '.' : *c;
    }
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
    struct json_out out = JSON_OUT_TREE(object);
    json_out_text(&out, key, text);
}

void openapi_ref(struct json_object *schema, const char *name)
{
    char component[NAME_SIZE];
    char ref[NAME_SIZE + 32];
    component_name(str_c(name), component);
    (void)snprintf(ref, sizeof(ref), OPENAPI_SCHEMAS "%s", component);
    add_text(schema, "$ref", ref);
}

/* A member that is an object, which is added if there is none. */
static struct json_object *need(struct json_object *object, const char *key)
{
    if (json_get(object, key) == NULL) {
        struct json_out out = JSON_OUT_TREE(object);
        json_out_object(&out, key);
        json_out_end(&out);
    }
    return json_get(object, key);
}

/* A member that is an array, which is added if there is none. */
static struct json_object *need_list(struct json_object *object, const char *key)
{
    if (json_get(object, key) == NULL) {
        struct json_out out = JSON_OUT_TREE(object);
        json_out_array(&out, key);
        json_out_end(&out);
    }
    return json_get(object, key);
}

/* One more schema that a value must fit. */
static void add_included(struct json_object *schema, const char *name)
{
    AUTO_JSON struct json_object *one = json_object_new_object();
    struct json_out out = JSON_OUT_ITEMS(need_list(schema, "allOf"));
    openapi_ref(one, name);
    json_out_value(&out, NULL, one);
}

static bool is_any_key(struct str step)
{
    for (size_t i = 0; i < step.len; i++) {
        if (!isupper((unsigned char)step.ptr[i])) {
            return false;
        }
    }
    return step.len > 0;
}

static void add_nullable(struct json_object *schema, const char *type)
{
    struct json_out out = JSON_OUT_TREE(schema);
    json_out_array(&out, "type");
    json_out_text(&out, NULL, type);
    json_out_text(&out, NULL, "null");
    json_out_end(&out);
}

/* The schema of a member, below that of its object. */
static struct json_object *member(struct json_object *object, struct str step)
{
    char name[NAME_SIZE];
    if (json_get(object, "type") == NULL) {
        add_nullable(object, "object");
    }
    if (is_any_key(step)) {
        return need(object, "additionalProperties");
    }
    (void)str_copy(step, name, sizeof(name));
    return need(need(object, "properties"), name);
}

/* "votes[].reasons[].value" → its schema; the ones above it are added. */
static struct json_object *find(struct json_object *schema, struct str path)
{
    struct str step;
    while (str_split(&path, '.', &step)) {
        bool list = step.len > 2 && memcmp(step.ptr + step.len - 2, "[]", 2) == 0;
        schema = member(schema, str_n(step.ptr, step.len - (list ? 2 : 0)));
        if (list) {
            if (json_get(schema, "type") == NULL) {
                add_nullable(schema, "array");
            }
            schema = need(schema, "items");
        }
    }
    return schema;
}

/* The text between the first two asterisks. */
static bool find_reference(struct str text, char *ret, size_t size)
{
    const char *from = memchr(text.ptr, '*', text.len);
    const char *end = text.ptr + text.len;
    const char *to = from == NULL ? NULL : memchr(from + 1, '*', (size_t)(end - from - 1));
    return to != NULL && str_copy(str_n(from + 1, (size_t)(to - from - 1)), ret, size);
}

/* "integer or text", "list of replies"; false: any type. */
static bool read_types(struct json_object *schema, struct str type)
{
    struct json_out out = JSON_OUT_ITEMS(need_list(schema, "type"));
    struct str word;
    bool string = false;
    while (str_word(&type, &word)) {
        bool time = str_equal_c(word, "time");
        if (str_equal_c(word, "any")) {
            json_object_object_del(schema, "type");
            return false;
        }
        if (string && time) { /* a text of any form */
            continue;
        }
        if (time) {
            add_text(schema, "format", "date-time");
        }
        if (str_equal_c(word, "array") || str_equal_c(word, "list")) {
            json_out_text(&out, NULL, "array");
            break;
        }
        if (time || str_equal_c(word, "text")) {
            json_out_text(&out, NULL, "string");
            string = true;
        } else if (!str_equal_c(word, "or") && !str_equal_c(word, "null")) {
            json_out_str(&out, NULL, word);
        }
    }
    json_out_text(&out, NULL, "null");
    return true;
}

static void add_type(struct json_object *schema, struct str type, struct str meaning)
{
    char name[NAME_SIZE];
    bool refers = find_reference(meaning, name, sizeof(name));
    if (!read_types(schema, type)) {
        return;
    }
    struct str first = json_value_str(json_item(json_get(schema, "type"), 0));
    if (str_equal_c(first, "array")) {
        struct json_object *items = need(schema, "items");
        if (refers) {
            openapi_ref(items, name);
        }
    } else if (refers && str_equal_c(first, "object")) {
        add_included(schema, name);
    }
}

static void add_row(struct json_object *schema, struct str line)
{
    struct str cells = line, skip, field, type, unit, meaning;
    AUTO_BUF struct buf text = BUF_INIT(2048);
    if (!str_split(&cells, '|', &skip) || !str_split(&cells, '|', &field) ||
        !str_split(&cells, '|', &type) || !str_split(&cells, '|', &unit) ||
        !str_split(&cells, '|', &meaning)) {
        return;
    }
    struct json_object *at = find(schema, str_trim(field));
    if (json_get(at, "type") == NULL) {
        add_type(at, str_trim(type), meaning);
    }
    buf_add_str(&text, str_trim(meaning));
    if (str_trim(unit).len > 0) {
        buf_addf(&text, "%s(%.*s)", text.len > 0 ? " " : "", STR_ARG(str_trim(unit)));
    }
    if (text.len > 0) {
        add_text(at, "description", text.data);
    }
}

void openapi_data(struct json_object *schema, struct str members)
{
    AUTO_BUF struct buf ref = BUF_INIT(2 * NAME_SIZE);
    struct str one;
    if (str_equal_c(members, "*")) {
        openapi_ref(schema, OPENAPI_DATA);
        return;
    }
    add_nullable(schema, "object");
    while (str_word(&members, &one)) {
        struct json_object *at = schema;
        buf_clear(&ref);
        buf_add_c(&ref, OPENAPI_SCHEMAS OPENAPI_DATA);
        for (struct str step; str_split(&one, '.', &step);) {
            at = member(at, step);
            buf_addf(&ref, "/properties/%.*s", STR_ARG(step));
        }
        add_text(at, "$ref", ref.data);
    }
}

static void add_command(struct json_object *schemas, const struct openapi_command *command)
{
    AUTO_BUF struct buf name = BUF_INIT(NAME_SIZE);
    buf_addf(&name, OPENAPI_DATA ".%.*s", STR_ARG(command->name));
    openapi_data(need(schemas, name.data), command->data);
}

/* "The data of `/why`." names the command whose data a document has. */
static bool find_command(struct str line, char *ret, size_t size)
{
    static const char phrase[] = "The data of `/";
    struct str rest = line, word;
    if (!str_starts(line, phrase)) {
        return false;
    }
    rest.ptr += sizeof(phrase) - 1;
    rest.len -= sizeof(phrase) - 1;
    AUTO_BUF struct buf name = BUF_INIT(NAME_SIZE);
    (void)str_split(&rest, '`', &word);
    buf_addf(&name, OPENAPI_DATA ".%.*s", STR_ARG(word));
    return str_copy(buf_str(&name), ret, size);
}

static void add_documents(struct json_object *schemas)
{
    struct json_object *schema = NULL;
    struct str rest = find_file(PAGE), line;
    char data[NAME_SIZE] = "";
    while (str_split(&rest, '\n', &line)) {
        char name[NAME_SIZE];
        if (str_starts(line, "### ")) {
            component_name(str_trim(str_n(line.ptr + 4, line.len - 4)), name);
            schema = need(schemas, name);
            (void)str_copy(str_c(OPENAPI_DATA), data, sizeof(data));
        } else if (schema != NULL && find_command(line, data, sizeof(data))) {
            continue;
        } else if (str_starts(line, "#")) {
            schema = NULL;
        } else if (schema != NULL && str_starts(line, "All fields of ")) {
            if (find_reference(line, name, sizeof(name))) {
                add_included(schema, strcmp(name, OPENAPI_DATA) == 0 ? data : name);
            }
        } else if (schema != NULL && str_starts(line, "| ") && !str_starts(line, "| field") &&
                   !str_starts(line, "| name | type |")) {
            add_row(schema, line);
        }
    }
}

void openapi_schemas(struct json_object *components)
{
    struct json_object *schemas = need(components, "schemas");
    struct str rest = openapi_commands();
    struct openapi_command command;
    add_documents(schemas);
    while (openapi_command_next(&rest, &command)) {
        add_command(schemas, &command);
    }
}

void openapi_examples(struct json_object *components)
{
    struct str file = find_file(EXAMPLES);
    const struct json_limits limits = {.max_bytes = file.len, .max_depth = 32};
    AUTO_JSON struct json_object *all = NULL;
    int rc = json_parse(file, &limits, &all, NULL);
    ASSERT(rc == 0); /* built in */
    struct json_object *examples = need(components, "examples");
    json_object_object_foreach(all, key, value)
    {
        char name[NAME_SIZE];
        component_name(str_c(key), name);
        struct json_out out = JSON_OUT_TREE(need(examples, name));
        json_out_value(&out, "value", value);
    }
}

const char *openapi_example(const char *name, char *ret, size_t size)
{
    char component[NAME_SIZE];
    component_name(str_c(name), component);
    (void)snprintf(ret, size, "#/components/examples/%s", component);
    return ret;
}
