#include "tools.h"

#include "base/auto.h"
#include "base/buf.h"
#include "command/tool.h"
#include "io/json.h"
#include "io/json_out.h"

#define DESCRIPTION_MAX 400

static void add_tool(struct json_out *out, const struct manifest *m)
{
    AUTO_BUF struct buf text = BUF_INIT(DESCRIPTION_MAX);
    tool_describe(m, &text);
    json_out_object(out, NULL);
    json_out_text(out, "name", m->name);
    json_out_text(out, "description", text.data);
    tool_input_schema(m, out, "input_schema");
    json_out_end(out);
}

static void add_proposing(struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_text(out, "name", TOOL_PROPOSE);
    json_out_text(out, "description",
                  "Proposes one command line to the person, who sees it as a button and decides. "
                  "Nothing is run by this. Only for what the person has asked for in the "
                  "question.");
    json_out_object(out, "input_schema");
    json_out_text(out, "type", "object");
    json_out_bool(out, "additionalProperties", false);
    json_out_object(out, "properties");
    json_out_object(out, "command");
    json_out_text(out, "type", "string");
    json_out_text(out, "description", "the whole line, such as /restart prediction");
    json_out_end(out);
    json_out_end(out);
    json_out_array(out, "required");
    json_out_text(out, NULL, "command");
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
}

struct json_object *tools_json(const struct manifest_list *manifests, const struct principal *who,
                               bool propose)
{
    AUTO_JSON struct json_object *root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(root);
    const struct manifest *m;
    size_t at = 0;
    json_out_array(&out, "tools");
    for (int count = 0; count < TOOLS_MAX && (m = tool_next(manifests, who, &at)) != NULL;
         count++) {
        add_tool(&out, m);
    }
    if (propose) {
        add_proposing(&out);
    }
    json_out_end(&out);
    return json_object_get(json_get(root, "tools"));
}
