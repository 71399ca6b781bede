#include "base/auto.h"
#include "base/buf.h"
#include "claude_internal.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/secret.h"

static void add_cache_mark(struct json_out *out)
{
    json_out_object(out, "cache_control");
    json_out_text(out, "type", "ephemeral");
    json_out_end(out);
}

static void add_system(struct json_out *out, const char *system)
{
    json_out_array(out, "system");
    json_out_object(out, NULL);
    json_out_text(out, "type", "text");
    json_out_text(out, "text", system);
    add_cache_mark(out);
    json_out_end(out);
    json_out_end(out);
}

static void add_messages(struct json_out *out, const struct llm_request *llm_request)
{
    if (llm_request->messages != NULL) {
        json_out_value(out, "messages", llm_request->messages);
        add_cache_mark(out); /* each round repeats all before it */
        return;
    }
    json_out_array(out, "messages");
    json_out_object(out, NULL);
    json_out_text(out, "role", "user");
    json_out_text(out, "content", llm_request->user);
    json_out_end(out);
    json_out_end(out);
}

static void add_tools(struct json_out *out, const struct llm_request *llm_request)
{
    json_out_value(out, "tools", llm_request->tools);
    if (llm_request->no_more_tools) {
        json_out_object(out, "tool_choice");
        json_out_text(out, "type", "none");
        json_out_end(out);
    }
}

static void add_schema(struct json_out *out, const struct json_object *schema)
{
    json_out_object(out, "output_config");
    json_out_object(out, "format");
    json_out_text(out, "type", "json_schema");
    json_out_value(out, "schema", schema);
    json_out_end(out);
    json_out_end(out);
}

/* Without sampling parameters: the API refuses them since version 2026-10-21. */
struct json_object *claude_request_body(const struct llm_request *llm_request, const char *model,
                                        int64_t max_tokens)
{
    struct json_object *body = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(body);
    json_out_text(&out, "model", model);
    json_out_i64(&out, "max_tokens", max_tokens);
    add_system(&out, llm_request->system);
    add_messages(&out, llm_request);
    if (llm_request->tools != NULL) {
        add_tools(&out, llm_request);
    }
    if (llm_request->schema != NULL) {
        add_schema(&out, llm_request->schema);
    }
    if (llm_request->on_text != NULL) {
        json_out_bool(&out, "stream", true);
    }
    return body;
}

void claude_request_hashes(const struct llm_request *llm_request, char *ret_prompt_hex,
                           char *ret_report_hex)
{
    AUTO_BUF struct buf prompt = BUF_INIT(CLAUDE_REQUEST_MAX_BYTES);
    AUTO_BUF struct buf asked = BUF_INIT(CLAUDE_REQUEST_MAX_BYTES);
    buf_addf(&prompt, "%s\n", llm_request->system);
    json_add_text(&prompt, llm_request->schema);
    secret_hash(NULL, buf_str(&prompt), ret_prompt_hex);
    if (llm_request->messages != NULL) {
        json_add_text(&asked, llm_request->messages);
    }
    secret_hash(NULL, llm_request->messages != NULL ? buf_str(&asked) : str_c(llm_request->user),
                ret_report_hex);
}
