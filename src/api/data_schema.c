#include "data_schema.h"

#include "base/check.h"
#include "openapi_schema.h"

#include <string.h>

/* The names of `defs` are separated by spaces. */
static void need_def(struct data_schema *s, struct str name)
{
    struct str rest = buf_str(&s->defs), one;
    while (str_word(&rest, &one)) {
        if (str_equal(one, name)) {
            return;
        }
    }
    buf_addf(&s->defs, "%.*s ", STR_ARG(name));
}

static void copy(struct data_schema *s, struct json_out *out, const char *key,
                 const struct json_object *schema);

static void write_object(struct data_schema *s, struct json_out *out,
                         const struct json_object *schema);

/* A reference to a member of a schema becomes what is there. */
static void write_member(struct data_schema *s, struct json_out *out, struct str path)
{
    const struct json_object *at = json_get(s->components, "schemas");
    for (struct str step; str_split(&path, '/', &step);) {
        char name[OPENAPI_REF_SIZE];
        (void)str_copy(step, name, sizeof(name));
        at = json_get(at, name);
    }
    write_object(s, out, at);
}

static void write_ref(struct data_schema *s, struct json_out *out, struct str ref)
{
    AUTO_BUF struct buf local = BUF_INIT(OPENAPI_REF_SIZE);
    size_t skipped = strlen(OPENAPI_SCHEMAS);
    ASSERT(str_starts(ref, OPENAPI_SCHEMAS));
    struct str name = str_n(ref.ptr + skipped, ref.len - skipped);
    if (memchr(name.ptr, '/', name.len) != NULL) {
        write_member(s, out, name);
        return;
    }
    need_def(s, name);
    buf_addf(&local, "#/$defs/%.*s", STR_ARG(name));
    json_out_text(out, "$ref", local.data);
}

static void write_object(struct data_schema *s, struct json_out *out,
                         const struct json_object *schema)
{
    struct json_object_iter it;
    json_object_object_foreachC(schema, it)
    {
        if (strcmp(it.key, "$ref") == 0) {
            write_ref(s, out, json_value_str(it.val));
        } else {
            copy(s, out, it.key, it.val);
        }
    }
}

/* A copy whose references lead to the definitions. */
static void copy(struct data_schema *s, struct json_out *out, const char *key,
                 const struct json_object *schema)
{
    if (json_is_object(schema)) {
        json_out_object(out, key);
        write_object(s, out, schema);
        json_out_end(out);
    } else if (json_is_array(schema)) {
        json_out_array(out, key);
        for (size_t i = 0; i < json_len(schema); i++) {
            copy(s, out, NULL, json_item(schema, i));
        }
        json_out_end(out);
    } else {
        json_out_value(out, key, schema);
    }
}

void data_schema_write(struct data_schema *s, struct json_out *out, const char *key)
{
    AUTO_JSON struct json_object *schema = json_object_new_object();
    openapi_data(schema, str_c(s->members));
    copy(s, out, key, schema);
}

void data_schema_write_defs(struct data_schema *s, struct json_out *out, const char *key)
{
    json_out_object(out, key);
    /* The list grows while it is walked. */
    for (size_t at = 0; at < s->defs.len;) {
        struct str rest = str_n(s->defs.data + at, s->defs.len - at), one;
        char name[OPENAPI_REF_SIZE];
        (void)str_word(&rest, &one);
        (void)str_copy(one, name, sizeof(name));
        at += one.len + 1;
        copy(s, out, name, json_get(json_get(s->components, "schemas"), name));
    }
    json_out_end(out);
}

void data_schema_release(struct data_schema *s)
{
    buf_release(&s->defs);
}
