/* Tools of the Model Context Protocol: commands that only read, and the one that proposes. Ops. */
#include "answer.h"
#include "assistant/tool_document.h"
#include "base/check.h"
#include "base/log.h"
#include "command/proposal.h"
#include "command/runner.h"
#include "command/tool.h"
#include "data_schema.h"
#include "io/http.h"
#include "mcp.h"
#include "store/ops.h"

#include <string.h>

#define PROPOSE         "propose_command"
#define DESCRIPTION_MAX 400
#define ARGS_SHOWN      200 /* bytes of the arguments in the audit log */
#define TEXT_MAX        (8 * TOOL_DOCUMENT_MAX)

/* ---------------------------------------------------------------- the list */

/* To propose changes nothing of the desk, but it sends people a message; the same line is not
 * proposed twice. */
static void add_annotations(struct json_out *out, bool reads)
{
    json_out_object(out, "annotations");
    json_out_bool(out, "readOnlyHint", reads);
    json_out_bool(out, "destructiveHint", false);
    json_out_bool(out, "idempotentHint", true);
    json_out_bool(out, "openWorldHint", false); /* the desk's own data */
    json_out_end(out);
}

static void add_typed(struct json_out *out, const char *key, const char *type, const char *what)
{
    json_out_object(out, key);
    json_out_text(out, "type", type);
    json_out_text(out, "description", what);
    json_out_end(out);
}

/* assistant/tool_document.h. members: as those of manifest_data */
static void add_output_schema(const struct mcp_request *request, const char *members,
                              struct json_out *out)
{
    struct data_schema data = DATA_SCHEMA(request->schemas, members);
    json_out_object(out, "outputSchema");
    json_out_text(out, "type", "object");
    json_out_bool(out, "additionalProperties", false);
    json_out_object(out, "properties");
    add_typed(out, "title", "string", "what a person sees first");
    data_schema_write(&data, out, "data");
    add_typed(out, "blocks", "array", "in place of data: the reply as a person sees it");
    add_typed(out, "error", "object", "why it failed: code, message, context, remedy");
    add_typed(out, "note", "string", "what was left out");
    add_typed(out, "data_age_seconds", "number", "how old the data is");
    add_typed(out, "ttl_seconds", "integer", "for how long it may still be used");
    add_typed(out, "stale", "boolean", "it is only the last that is known");
    json_out_end(out);
    data_schema_write_defs(&data, out, "$defs");
    json_out_end(out);
    data_schema_release(&data);
}

static void add_tool(const struct mcp_request *request, const struct manifest *m,
                     struct json_out *out)
{
    AUTO_BUF struct buf text = BUF_INIT(DESCRIPTION_MAX), members = BUF_INIT(MANIFEST_DATA_MAX);
    manifest_data(m, &members);
    tool_describe(m, &text);
    json_out_object(out, NULL);
    json_out_text(out, "name", m->name);
    json_out_text(out, "title", m->summary);
    json_out_text(out, "description", text.data);
    tool_input_schema(m, out, "inputSchema");
    add_output_schema(request, members.data, out);
    add_annotations(out, true);
    json_out_end(out);
}

/* Whether there is a command that changes the desk and that the caller may run. Those of everybody,
 * such as the rating of an answer, are nothing to propose. */
static bool may_propose(const struct api *api, const struct principal *who)
{
    const struct manifest *m;
    for (size_t i = 0; (m = manifest_at(api->manifests, i)) != NULL; i++) {
        if (m->changes && m->role >= ROLE_OPERATOR && manifest_is_visible(m, who->channel) &&
            manifest_permit(m, who, NULL, NULL) == 0) {
            return true;
        }
    }
    return false;
}

static void add_proposing(const struct mcp_request *request, struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_text(out, "name", PROPOSE);
    json_out_text(out, "title", "Propose a command to the people of the desk");
    json_out_text(out, "description",
                  "Proposes one command that would change something. It is checked as if it had "
                  "been typed, and people get a message in which one of them accepts or declines "
                  "it. Nothing is run by this; the tool proposals shows what became of it. "
                  "nightdesk://docs/commands lists the commands.");
    json_out_object(out, "inputSchema");
    json_out_text(out, "type", "object");
    json_out_bool(out, "additionalProperties", false);
    json_out_object(out, "properties");
    add_typed(out, "command", "string", "the whole line, such as /restart prediction");
    add_typed(out, "reason", "string",
              "for the people who decide: why, in a sentence or two (at most 500 bytes)");
    json_out_end(out);
    json_out_array(out, "required");
    json_out_text(out, NULL, "command");
    json_out_text(out, NULL, "reason");
    json_out_end(out);
    json_out_end(out);
    add_output_schema(request, "proposal", out);
    add_annotations(out, false);
    json_out_end(out);
}

void mcp_tools_list(struct api *api, const struct principal *who, const struct mcp_request *request,
                    struct json_out *out)
{
    const struct manifest *m;
    size_t at = 0;
    json_out_array(out, "tools");
    while ((m = tool_next(api->manifests, who, &at)) != NULL) {
        add_tool(request, m, out);
    }
    if (may_propose(api, who)) {
        add_proposing(request, out);
    }
    json_out_end(out);
}

/* ---------------------------------------------------------------- a call */

static bool is_reading(const struct mcp_request *r)
{
    return strcmp(r->method, "resources/read") == 0;
}

/* "trades" or "nightdesk://state" */
static const char *name_of(const struct mcp_request *r)
{
    return json_text(r->params, is_reading(r) ? "uri" : "name");
}

/* A line in the audit log: who called what, with which arguments. */
static void audit(struct api *api, const struct principal *who, const struct mcp_request *r,
                  const char *result)
{
    struct err err = {0};
    AUTO_BUF struct buf args = BUF_INIT(API_BODY_MAX * 2);
    AUTO_BUF struct buf plain = BUF_INIT(API_BODY_MAX * 2);
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    char shown[ARGS_SHOWN + 1], name[101];
    json_add_text(&args, json_get(r->params, "arguments"));
    (void)http_redact_text(buf_str(&args), &plain);
    log_redact(plain.data);
    str_cut(str_c(plain.data), shown, sizeof(shown));
    str_cut(str_c(name_of(r)), name, sizeof(name));
    buf_addf(&detail, "%s %s %s", r->method, name, is_reading(r) ? "" : shown);
    str_make_safe(detail.data);
    int rc = ops_store_begin_unsynced(api->store, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "mcp: could not record a call");
        return;
    }
    rc = access_audit(api->access, who, "mcp.call", str_trim(buf_str(&detail)).ptr, result, &err);
    if (rc < 0) {
        ops_store_rollback(api->store);
    } else {
        rc = ops_store_commit(api->store, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "mcp: could not record a call");
    }
}

static void fail(struct api *api, const struct principal *who, struct api_job *job,
                 const struct mcp_fault *fault)
{
    audit(api, who, job->mcp, fault->code == MCP_INVALID_PARAMS ? "invalid_params" : "failed");
    mcp_answer_fault(job->request, job->mcp, fault);
    api_job_free(job);
}

/* The document, as structure and as the same in a text for clients that know no structure. As every
 * answer below 400 it says how old it is, as do the answers of commands. */
static void answer_tool(const struct api_job *job, struct json_object *document, bool failed)
{
    AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX);
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    struct json_out out = JSON_OUT(&body), more = JSON_OUT_TREE(document);
    if (!failed) {
        api_age_write(&more, api_age_of_ops(job->listener->api->shared));
    }
    json_add_text(&text, document);
    mcp_begin(job->mcp, &out);
    json_out_array(&out, "content");
    json_out_object(&out, NULL);
    json_out_text(&out, "type", "text");
    json_out_str(&out, "text", buf_str(&text));
    json_out_end(&out);
    json_out_end(&out);
    json_out_value(&out, "structuredContent", document);
    json_out_bool(&out, "isError", failed);
    mcp_end(&out);
    mcp_answer(job->request, job->mcp, &body);
}

static void answer_resource(const struct api_job *job, struct str text)
{
    AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX * 2);
    struct json_out out = JSON_OUT(&body);
    mcp_begin(job->mcp, &out);
    mcp_resource_answer(job->mcp, name_of(job->mcp), text, &out);
    mcp_end(&out);
    mcp_answer(job->request, job->mcp, &body);
}

/* A resource that a command reads; what it refuses is not there for this caller. */
static void answer_read(const struct api_job *job, struct json_object *document,
                        const struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    struct mcp_fault fault;
    if (err != NULL) {
        AUTO_BUF struct buf why = BUF_INIT(400);
        buf_addf(&why, "%s: %s", err_info(err->id)->message, err->context);
        (void)mcp_refuse_uri(job->mcp, &fault, why.data);
        mcp_answer_fault(job->request, job->mcp, &fault);
        return;
    }
    json_add_text(&text, document);
    answer_resource(job, buf_str(&text));
}

static void deliver(struct api *api, struct api_job *job, const struct reply *reply,
                    const struct err *err)
{
    const struct tool_document_sources sources = {api->config, api->store};
    const struct err *failed = err != NULL && err->id != ERR_NONE ? err : NULL;
    AUTO_REPLY struct reply *none = reply_new();
    AUTO_JSON struct json_object *document =
        tool_document(&sources, reply != NULL ? reply : none, failed);
    audit(api, &job->who, job->mcp, failed != NULL ? err_info(failed->id)->code : "ok");
    if (is_reading(job->mcp)) {
        answer_read(job, document, failed);
    } else {
        answer_tool(job, document, failed != NULL);
    }
    api_job_free(job);
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct api_job *job = userdata;
    struct api *api = job->listener->api;
    api_job_unlink(api, job);
    deliver(api, job, reply, err);
}

/* Chats that are attached to the socket see the message, too. */
static void propose(struct api *api, struct api_job *job, const struct json_object *args)
{
    struct err err = {0};
    AUTO_REPLY struct reply *reply = NULL;
    const struct proposal_request request = {
        .who = &job->who, .line = json_text(args, "command"), .reason = json_text(args, "reason")};
    json_object_object_foreach(args, key, value)
    {
        if ((strcmp(key, "command") != 0 && strcmp(key, "reason") != 0) || !json_is_text(value)) {
            (void)err_set(&err, ERR_COMMAND_ARG_INVALID, "%.40s: command and reason, both texts",
                          key);
        }
    }
    if (err.id == ERR_NONE) {
        (void)proposal_make(api->runner, &request, &reply, &err);
    }
    if (reply != NULL) {
        api_publish(api, reply);
    }
    deliver(api, job, reply, &err);
}

static void run_command(struct api *api, struct api_job *job, const struct manifest *m,
                        const char *args)
{
    struct err err = {0};
    const struct invocation in = {.line = m->name,
                                  .args_json = args,
                                  .who = &job->who,
                                  .on_reply = on_reply,
                                  .userdata = job};
    api_job_link(api, job); /* first: runner_submit may call on_reply */
    if (runner_submit(api->runner, &in, &err) < 0) {
        on_reply(NULL, &err, job);
    }
}

static void call_tool(struct api *api, struct api_job *job)
{
    const struct mcp_request *r = job->mcp;
    struct json_object *args = NULL;
    struct mcp_fault fault;
    const struct manifest *m = tool_find(api->manifests, &job->who, name_of(r));
    AUTO_BUF struct buf text = BUF_INIT(API_BODY_MAX * 2);
    (void)json_object_object_get_ex(r->params, "arguments", &args);
    if (args != NULL && !json_is_object(args)) {
        (void)mcp_refuse(r, &fault, 400, MCP_INVALID_PARAMS, "arguments must be an object");
        fail(api, &job->who, job, &fault);
        return;
    }
    if (strcmp(name_of(r), PROPOSE) == 0 && may_propose(api, &job->who)) {
        propose(api, job, args);
        return;
    }
    if (m == NULL) {
        (void)mcp_refuse(r, &fault, 400, MCP_INVALID_PARAMS, "Unknown tool: %.60s", name_of(r));
        fail(api, &job->who, job, &fault);
        return;
    }
    if (args == NULL) {
        buf_add_c(&text, "{}");
    } else {
        json_add_text(&text, args);
    }
    run_command(api, job, m, text.data);
}

static void read_resource(struct api *api, struct api_job *job)
{
    struct mcp_source source;
    struct mcp_fault fault;
    const struct manifest *m = NULL;
    AUTO_BUF struct buf args = BUF_INIT(400);
    if (job->line != NULL) { /* the listener has read it */
        audit(api, &job->who, job->mcp, "ok");
        answer_resource(job, str_c(job->line));
        api_job_free(job);
        return;
    }
    if (mcp_resource_source(name_of(job->mcp), &source)) {
        m = tool_find(api->manifests, &job->who, source.command);
    }
    if (m == NULL) {
        (void)mcp_refuse_uri(job->mcp, &fault, "not for this caller");
        fail(api, &job->who, job, &fault);
        return;
    }
    struct json_out out = JSON_OUT(&args);
    json_out_object(&out, NULL);
    if (source.arg != NULL) {
        json_out_text(&out, source.arg, source.value);
    }
    json_out_end(&out);
    run_command(api, job, m, args.data);
}

void mcp_tools_call(struct api *api, const struct principal *who, struct api_job *job)
{
    job->who = *who;
    if (is_reading(job->mcp)) {
        read_resource(api, job);
    } else {
        call_tool(api, job);
    }
}
