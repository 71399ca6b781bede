#include "gather.h"

#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "command/tool.h"
#include "io/json.h"
#include "io/json_out.h"

#include <stdarg.h>
#include <string.h>

#define PATTERNS_SHOWN 3

/* ------------------------------------------------------------------ gathering */

enum wants { WANTS_NOTHING, WANTS_ID, WANTS_SERVICE };

/* In this order; the first one says which service it is about. */
static const struct {
    const char *command;
    enum wants wants;
    const char *lines; /* of a log; "": none */
} sources[] = {
    {"alerts", WANTS_ID, ""},        {"incident", WANTS_ID, ""},
    {"services", WANTS_NOTHING, ""}, {"logs", WANTS_SERVICE, "new"},
    {"logs", WANTS_SERVICE, "30"},   {"alerts", WANTS_NOTHING, ""},
    {"runs", WANTS_NOTHING, ""},     {"status", WANTS_NOTHING, ""},
    {"findings", WANTS_NOTHING, ""}, {"decisions", WANTS_NOTHING, ""},
};

/* "service:demo" is about demo, and so is "service:demo:memory". */
void gather_note_service(struct ask *q)
{
    struct json_object *alert = json_at(q->readings[0].document, "/data/alert");
    struct str fingerprint = json_str(alert, "fingerprint");
    if (str_starts(fingerprint, "service:")) {
        struct str name =
            str_n(fingerprint.ptr + strlen("service:"), fingerprint.len - strlen("service:"));
        const char *end = memchr(name.ptr, ':', name.len);
        name.len = end != NULL ? (size_t)(end - name.ptr) : name.len;
        (void)str_copy(name, q->service, sizeof(q->service));
    }
}

bool gather_next(struct ask *q)
{
    const struct assistant *assistant = q->assistant;
    while (q->gathered < (int)COUNT_OF(sources) && q->reading_count < QUESTION_STEPS_MAX) {
        int at = q->gathered++;
        const struct manifest *m = tool_find(assistant->manifests, &q->who, sources[at].command);
        if (m == NULL || (sources[at].wants == WANTS_ID && q->alert_id == 0) ||
            (sources[at].wants == WANTS_SERVICE && q->service[0] == '\0')) {
            continue;
        }
        AUTO_JSON struct json_object *args = json_object_new_object();
        AUTO_BUF struct buf shown = BUF_INIT(128);
        struct json_out out = JSON_OUT_TREE(args);
        if (sources[at].wants == WANTS_ID) {
            json_out_i64(&out, "id", q->alert_id);
        } else if (sources[at].wants == WANTS_SERVICE) {
            json_out_text(&out, "service", q->service);
            json_out_text(&out, "lines", sources[at].lines);
        }
        buf_addf(&shown, "⏳ reading /%s", m->name);
        action_stream(q->call, buf_str(&shown));
        tool_run_start(q, m, args);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ what code can tell */

static bool add_cause(struct ask *q, int weight, int source, const char *quote, const char *text)
{
    if (q->cause_count == CAUSES_MAX || source < 0) {
        return false;
    }
    int at = q->cause_count++;
    while (at > 0 && q->causes[at - 1].weight < weight) { /* stable: equal ones in order */
        q->causes[at] = q->causes[at - 1];
        at--;
    }
    struct cause *cause = &q->causes[at];
    *cause = (struct cause){.weight = weight, .source = source};
    str_cut(str_c(text), cause->text, sizeof(cause->text));
    str_cut(str_c(quote), cause->quote, sizeof(cause->quote));
    return true;
}

int gather_find(const struct ask *q, const char *pointer, struct json_object **ret)
{
    for (int i = 0; i < q->reading_count; i++) {
        *ret = json_at(q->readings[i].document, pointer);
        if (*ret != NULL) {
            return i;
        }
    }
    *ret = NULL;
    return -1;
}

__attribute__((format(printf, 5, 6))) static void tell(struct ask *q, int weight, int source,
                                                       const char *quote, const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(CAUSE_TEXT_SIZE);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    (void)add_cause(q, weight, source, quote, text.data);
}

/* It follows from another alert, or something was changed shortly before it. */
static void tell_incident(struct ask *q)
{
    struct json_object *incident = NULL, *events = NULL, *alert = NULL;
    int source = gather_find(q, "/data/incident", &incident);
    int64_t root = json_i64(incident, "id", q->alert_id);
    if (root != q->alert_id) {
        tell(q, 9, source, json_text(incident, "title"), "It follows from incident %lld: %s",
             (long long)root, json_text(incident, "title"));
    }
    source = gather_find(q, "/data/alert", &alert);
    if (json_text(alert, "cause")[0] != '\0') {
        tell(q, 8, source, json_text(alert, "cause"), "It was raised because of %s",
             json_text(alert, "cause"));
    }
    source = gather_find(q, "/data/events", &events);
    for (size_t i = json_len(events); i-- > 0;) { /* the newest is the most probable */
        const struct json_object *event = json_item(events, i);
        if (strcmp(json_text(event, "kind"), "changed") == 0) {
            tell(q, 6, source, json_text(event, "text"), "Shortly before it: %s",
                 json_text(event, "text"));
        }
    }
}

static void tell_logs(struct ask *q)
{
    struct json_object *patterns = NULL;
    int source = gather_find(q, "/data/patterns", &patterns);
    for (size_t i = 0; i < json_len(patterns) && i < PATTERNS_SHOWN; i++) {
        const struct json_object *pattern = json_item(patterns, i);
        tell(q, 4, source, json_text(pattern, "example"), "New in its log: %s",
             json_text(pattern, "example"));
    }
}

/* What else is wrong: another service, a machine without memory or disk. */
static void tell_others(struct ask *q)
{
    static const char *const machine[] = {"disk", "memory", "swap", "cpu", "descriptor"};
    struct json_object *services = NULL, *alerts = NULL;
    int source = gather_find(q, "/data/services", &services);
    for (size_t i = 0; i < json_len(services); i++) {
        const struct json_object *service = json_item(services, i);
        const char *name = json_text(service, "name");
        if (strcmp(json_text(service, "state"), "down") == 0 && strcmp(name, q->service) != 0) {
            tell(q, 3, source, json_text(service, "detail"), "%s is down, too", name);
        } else if (strcmp(name, q->service) == 0 && json_text(service, "detail")[0] != '\0') {
            tell(q, 5, source, json_text(service, "detail"), "Its check says: %s",
                 json_text(service, "detail"));
        }
    }
    source = gather_find(q, "/data/alerts", &alerts);
    for (size_t i = 0; i < json_len(alerts); i++) {
        const struct json_object *alert = json_item(alerts, i);
        for (size_t k = 0; k < COUNT_OF(machine); k++) {
            if (json_i64(alert, "id", 0) != q->alert_id &&
                strcasestr(json_text(alert, "title"), machine[k]) != NULL) {
                tell(q, 5, source, json_text(alert, "title"), "The machine: %s",
                     json_text(alert, "title"));
                break;
            }
        }
    }
}

/* ------------------------------------------------------------------ runbooks */

/* Chosen by code, for the service of the alert; a model can only pick one of them. */
static void find_runbooks(struct ask *q)
{
    static const char *const commands[] = {"restart", "force_restart", "rollback"};
    const struct assistant *assistant = q->assistant;
    for (size_t i = 0; q->service[0] != '\0' && i < COUNT_OF(commands); i++) {
        const struct manifest *m = manifest_find(assistant->manifests, commands[i]);
        AUTO_BUF struct buf line = BUF_INIT(128);
        buf_addf(&line, "/%s %s", commands[i], q->service);
        if (m != NULL && manifest_is_visible(m, q->who.channel) &&
            manifest_permit(m, &q->who, NULL, NULL) == 0 && line.len < PROPOSAL_SIZE) {
            (void)str_copy(buf_str(&line), q->runbooks[q->runbook_count++], PROPOSAL_SIZE);
        }
    }
}

void gather_causes(struct ask *q)
{
    tell_incident(q);
    tell_logs(q);
    tell_others(q);
    find_runbooks(q);
}

/* ------------------------------------------------------------------ the reply */

void gather_show(const struct ask *q, struct reply *r, struct json_out *data, struct buf *answer)
{
    json_out_array(data, "hypotheses");
    for (int i = 0; i < q->cause_count; i++) {
        const struct cause *cause = &q->causes[i];
        reply_item(r, "{} [{}]", cell_text(cause->text), cell_count(cause->source + 1));
        buf_addf(answer, "%s [%d]\n", cause->text, cause->source + 1);
        json_out_object(data, NULL);
        json_out_text(data, "cause", cause->text);
        json_out_text(data, "standing", "possible");
        json_out_array(data, "evidence_for");
        json_out_object(data, NULL);
        json_out_i64(data, "source", cause->source + 1);
        json_out_text(data, "quote", cause->quote);
        json_out_end(data);
        json_out_end(data);
        json_out_array(data, "evidence_against");
        json_out_end(data);
        json_out_end(data);
    }
    json_out_end(data);
    if (q->cause_count == 0) {
        reply_line(r, "Nothing that was read points to a cause.");
    }
}

void gather_add_sources(struct reply *r, const struct ask *q)
{
    reply_fold(r, "What was read");
    for (int i = 0; i < q->reading_count; i++) {
        reply_item(r, "[{}] {}{}", cell_count(i + 1), cell_code(q->readings[i].line),
                   cell_text(q->readings[i].error != ERR_NONE ? ": failed" : ""));
    }
    reply_fold_end(r);
}
