/* Resources of the Model Context Protocol: the state, one entity of each kind, and the docs. */
#include "io/embed.h"
#include "mcp.h"
#include "store/audit_table.h"

#include <string.h>

#define SCHEME      "nightdesk://"
#define DOCS        SCHEME "docs/"
#define DOCS_FOLDER "docs/"
#define READ_TTL_MS INT64_C(1000)
#define DOCS_TTL_MS INT64_C(3600000)

/* What a command reads. */
static const struct {
    const char *uri; /* "{id}" at its end: a template */
    const char *name;
    const char *title;
    const char *command;
    const char *arg;
} sources[] = {
    {SCHEME "status", "status", "Account, positions, services and alerts in short", "status", NULL},
    {SCHEME "alerts/{id}", "alert", "One alert in full", "alerts", "id"},
    {SCHEME "findings/{id}", "finding", "One finding of the auditor in full", "findings", "what"},
    {SCHEME "incidents/{id}", "incident", "One incident, with what happened before it", "incident",
     "id"},
    {SCHEME "runs/{id}", "run", "One run of a command, step by step", "runs", "id"},
};

/* The pages that are built in. The line of a page that says what it is about is its title. */
static bool is_page(const struct embedded_file *file)
{
    return str_starts(str_c(file->path), DOCS_FOLDER);
}

static struct str page_name(const struct embedded_file *file)
{
    size_t skip = strlen(DOCS_FOLDER);
    return str_n(file->path + skip, strlen(file->path) - skip - strlen(".md"));
}

static struct str page_title(const struct embedded_file *file)
{
    struct str rest = str_n(file->data, file->size), line;
    (void)str_split(&rest, '\n', &line);
    return str_starts(line, "# ") ? str_n(line.ptr + 2, line.len - 2) : page_name(file);
}

static const struct embedded_file *find_page(struct str name)
{
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (is_page(f) && str_equal(page_name(f), name)) {
            return f;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- lists */

static void add_head(struct json_out *out, const char *key, const char *uri, const char *name,
                     const char *title, const char *type)
{
    json_out_object(out, NULL);
    json_out_text(out, key, uri);
    json_out_text(out, "name", name);
    json_out_text(out, "title", title);
    json_out_text(out, "mimeType", type);
    json_out_end(out);
}

static bool is_template(size_t i)
{
    return sources[i].arg != NULL;
}

void mcp_resources_list(const struct mcp_request *request, struct json_out *out)
{
    (void)request;
    json_out_array(out, "resources");
    add_head(out, "uri", SCHEME "summary", "summary",
             "The desk in short, the most urgent first; made for a model's context",
             "application/json");
    add_head(out, "uri", SCHEME "state", "state",
             "All that the engine publishes: account, positions, prices, limits",
             "application/json");
    add_head(out, "uri", SCHEME "report", "report",
             "The report of the last audit: a day's figures and the invariants that were checked",
             "application/json");
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        if (!is_template(i)) {
            add_head(out, "uri", sources[i].uri, sources[i].name, sources[i].title,
                     "application/json");
        }
    }
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        if (is_page(f)) {
            AUTO_BUF struct buf uri = BUF_INIT(200);
            AUTO_BUF struct buf title = BUF_INIT(200);
            buf_addf(&uri, DOCS "%.*s", STR_ARG(page_name(f)));
            buf_add_str(&title, page_title(f));
            add_head(out, "uri", uri.data, uri.data + strlen(SCHEME), title.data, "text/markdown");
        }
    }
    json_out_end(out);
}

void mcp_templates_list(const struct mcp_request *request, struct json_out *out)
{
    (void)request;
    json_out_array(out, "resourceTemplates");
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        if (is_template(i)) {
            add_head(out, "uriTemplate", sources[i].uri, sources[i].name, sources[i].title,
                     "application/json");
        }
    }
    json_out_end(out);
}

/* ---------------------------------------------------------------- reading */

bool mcp_resource_source(const char *uri, struct mcp_source *ret)
{
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        size_t fixed = strcspn(sources[i].uri, "{");
        const char *value = uri + (strlen(uri) < fixed ? strlen(uri) : fixed);
        if (strncmp(uri, sources[i].uri, fixed) != 0 || (value[0] != '\0') != is_template(i) ||
            !str_copy(str_c(value), ret->value, sizeof(ret->value))) {
            continue;
        }
        ret->command = sources[i].command;
        ret->arg = sources[i].arg;
        return strspn(value, "0123456789") == strlen(value);
    }
    return false;
}

static int read_report(struct listener *listener, struct buf *ret)
{
    AUTO_AUDIT_RECORD struct audit_record last = {0};
    struct err err = {0};
    int rc = api_need_ops(&listener->stores, &err);
    rc = rc < 0 ? rc : audit_table_last(listener->stores.ops, &last, &err);
    if (rc < 0) {
        buf_addf(ret, "%s: %s", err_info(err.id)->message, err.context);
        return rc;
    }
    buf_add_c(ret, last.report_json);
    return 1;
}

int mcp_resource_here(struct listener *listener, const char *uri, struct buf *ret)
{
    struct mcp_source ignored;
    if (strcmp(uri, SCHEME "summary") == 0) {
        api_summary_json(listener, ret);
        return 1;
    }
    if (strcmp(uri, SCHEME "state") == 0) {
        api_state_json(listener, ret);
        return 1;
    }
    if (strcmp(uri, SCHEME "report") == 0) {
        return read_report(listener, ret);
    }
    const struct embedded_file *page =
        str_starts(str_c(uri), DOCS) ? find_page(str_c(uri + strlen(DOCS))) : NULL;
    if (page != NULL) {
        buf_add(ret, page->data, page->size);
        return 1;
    }
    if (mcp_resource_source(uri, &ignored)) {
        return 0;
    }
    buf_add_c(ret, "resources/list and resources/templates/list name them");
    return -1;
}

void mcp_resource_answer(const struct mcp_request *request, const char *uri, struct str text,
                         struct json_out *out)
{
    bool page = str_starts(str_c(uri), DOCS);
    json_out_array(out, "contents");
    json_out_object(out, NULL);
    json_out_text(out, "uri", uri);
    json_out_text(out, "mimeType", page ? "text/markdown" : "application/json");
    json_out_str(out, "text", text);
    json_out_end(out);
    json_out_end(out);
    mcp_cache(request, out, page ? DOCS_TTL_MS : READ_TTL_MS, page);
}
