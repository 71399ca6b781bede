/*
 * data_schema.h: JSON schemas of the data of commands: which members there are comes from what
 * their actions declare (command/action.h), and what each of them is from docs/json.md.
 *
 *     AUTO_JSON struct json_object *components = json_object_new_object();
 *     openapi_schemas(components);                    // openapi_schema.h
 *     struct data_schema s = DATA_SCHEMA(components, "snapshot positions");
 *     data_schema_write(&s, &out, "data");            // {"type": …, "properties": …}
 *     data_schema_write_defs(&s, &out, "$defs");      // what that refers to, as #/$defs/…
 *     data_schema_release(&s);
 *
 * The schema stands alone: it refers to nothing outside of its document. Members that it does not
 * name may be added by a later version. Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "io/json_out.h"

#define DATA_SCHEMA_NAMES_MAX 4096

struct data_schema {
    const struct json_object *components; /* with the schemas of docs/json.md; borrowed */
    const char *members;                  /* as manifest_data writes them; borrowed */
    struct buf defs;                      /* names of what was referred to, each once */
};

#define DATA_SCHEMA(all, names)                                                          \
    {                                                                                    \
        .components = (all), .members = (names), .defs = BUF_INIT(DATA_SCHEMA_NAMES_MAX) \
    }

void data_schema_write(struct data_schema *s, struct json_out *out, const char *key);
/* After data_schema_write. */
void data_schema_write_defs(struct data_schema *s, struct json_out *out, const char *key);
void data_schema_release(struct data_schema *s);
