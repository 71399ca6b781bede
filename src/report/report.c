#include "report/report.h"

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "glossary.h"
#include "invariants.h"
#include "moment.h"
#include "passes.h"
#include "report/privacy.h"
#include "sections.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "store/state_table.h"
#include "store/trading.h"

#include <stdlib.h>
#include <string.h>

/* An order without an answer for ten minutes of market time is stuck. In an accelerated market the
 * venue still gets two minutes of real time. */
#define STUCK_MARKET_US (10 * USEC_PER_MIN)
#define STUCK_WALL_US   (2 * USEC_PER_MIN)

struct report {
    int64_t hours;
    int64_t wall_us;
    int64_t market_us;     /* 0: not known before the database is read */
    int64_t state_wall_us; /* since when the engine is in its state; 0: unknown */
    int64_t active_us;     /* how long it has been trading, market time */
    int64_t speed;
    int64_t check_us; /* between two health checks */
    char *state_dir;  /* NULL: none */
    struct settings settings;
    struct json_object *root; /* being written; the next are parts of it */
    struct json_object *meta;
    struct json_object *account;
    struct json_object *system;
    struct json_object *untrusted;
    struct json_object *gaps;
    struct json_object *document; /* frozen */
    struct privacy *privacy;
};

/* ------------------------------------------------------------------ what the process knows */

static struct json_object *add_part(struct json_object *parent, const char *name)
{
    struct json_out out = JSON_OUT_TREE(parent);
    json_out_object(&out, name);
    json_out_end(&out);
    return json_get(parent, name);
}

static void add_times(struct report *report, const struct report_sources *sources,
                      const struct snapshot *s)
{
    report->wall_us = clock_wall_us(sources->clock);
    report->speed = 1;
    report->check_us = sources->config->monitoring_check_interval_us;
    if (s == NULL) {
        return;
    }
    report->market_us = s->market_us;
    report->state_wall_us = s->state_since_us;
    report->speed = s->market_speed > 0 ? s->market_speed : 1;
    struct json_object *active = json_at(report->root, "/system/engine/active_market_min");
    report->active_us = (int64_t)(json_object_get_double(active) * (double)USEC_PER_MIN);
}

struct report *report_new(const struct report_sources *sources, int64_t hours)
{
    struct report *report = calloc(1, sizeof(*report));
    NEED_MEMORY(report != NULL);
    report->hours = hours;
    report->state_dir = sources->state_dir == NULL ? NULL : strdup(sources->state_dir);
    NEED_MEMORY(sources->state_dir == NULL || report->state_dir != NULL);
    report->privacy = privacy_new(sources->config);
    report->root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(report->root);
    json_out_text(&out, "schema", "nightdesk.audit/3");
    report->meta = add_part(report->root, "meta");
    report->gaps = add_part(report->meta, "gaps");
    config_settings(sources->config, &report->settings);
    const struct snapshot *s = sources->snapshot;
    struct moment m = {.from = sources,
                       .settings = &report->settings,
                       .snapshot = s != NULL && s->version > 0 ? s : NULL,
                       .wall_us = clock_wall_us(sources->clock),
                       .hours = hours};
    moment_add_settings(&m, &out);
    report->account = add_part(report->root, "account");
    report->system = add_part(report->root, "system");
    report->untrusted = add_part(report->root, "untrusted");
    struct json_out account = JSON_OUT_TREE(report->account);
    struct json_out untrusted = JSON_OUT_TREE(report->untrusted);
    struct json_out system = JSON_OUT_TREE(report->system);
    moment_add_account(&m, &account, &untrusted);
    moment_add_system(&m, &system);
    add_times(report, sources, m.snapshot);
    return report;
}

void report_free(struct report *report)
{
    if (report == NULL) {
        return;
    }
    (void)json_object_put(report->root);
    (void)json_object_put(report->document);
    privacy_free(report->privacy);
    free(report->state_dir);
    free(report);
}

/* ------------------------------------------------------------------ what is on disk */

/* If rc is an error, records it as the reason why a part is missing. */
static void gap(const char *part, int rc, void *userdata)
{
    struct report *report = userdata;
    if (rc < 0) {
        struct json_out gaps = JSON_OUT_TREE(report->gaps);
        json_out_text(&gaps, part, err_info(rc)->code);
    }
}

static void add_state(struct report *report, struct trading_store *trading)
{
    struct engine_state *state = calloc(1, sizeof(*state));
    NEED_MEMORY(state != NULL);
    int rc = state_table_load(trading, state, NULL);
    if (rc == -ERR_STORE_NOT_FOUND) {
        struct json_out gaps = JSON_OUT_TREE(report->gaps);
        json_out_text(&gaps, "state", "the engine has not started yet");
    } else {
        gap("state", rc, report);
    }
    if (rc == 0 && report->market_us == 0) { /* no engine: what it left behind */
        struct json_out out = JSON_OUT_TREE(report->account);
        report->market_us = state->market_us;
        json_out_text(&out, "state", trading_state_name(state->state));
        json_out_dec(&out, "initial_cash", state->initial_cash);
        json_out_dec(&out, "cash", state->cash);
        json_out_dec(&out, "realised_pnl", state->realised);
        json_out_dec(&out, "fees", state->fees);
        json_out_dec(&out, "funding", state->funding);
        json_out_dec(&out, "equity_peak", state->equity_peak);
        struct json_out untrusted = JSON_OUT_TREE(report->untrusted);
        json_out_text(&untrusted, "state_reason", state->state_reason);
    }
    free(state);
}

static void add_facts(const struct report *report, struct source *source)
{
    int64_t window_us = report->hours * USEC_PER_HOUR;
    int64_t stuck_us = STUCK_WALL_US * report->speed;
    int64_t in_state_us = report->wall_us - report->state_wall_us;
    const struct {
        const char *name;
        int64_t value;
    } facts[] = {
        {"market_us", report->market_us},
        {"since_us", report->market_us - window_us},
        {"earlier_us", report->market_us - 2 * window_us},
        {"wall_us", report->wall_us},
        {"wall_since_us", report->wall_us - window_us},
        {"wall_earlier_us", report->wall_us - 2 * window_us},
        {"stuck_us", stuck_us > STUCK_MARKET_US ? stuck_us : STUCK_MARKET_US},
        {"state_since_us", report->market_us - (in_state_us > 0 ? in_state_us : 0) * report->speed},
        {"active_since_us", report->market_us - report->active_us},
        {"speed", report->speed},
        {"check_us", report->check_us},
        {"silent_s", SHARED_SILENT_US / USEC_PER_SEC},
    };
    for (size_t i = 0; i < COUNT_OF(facts); i++) {
        source_fact_i64(source, facts[i].name, facts[i].value);
    }
}

static void add_meta(const struct report *report)
{
    struct json_out out = JSON_OUT_TREE(report->meta);
    json_out_i64(&out, "hours", report->hours);
    json_out_time(&out, "generated_at", report->wall_us);
    json_out_time(&out, "market_time", report->market_us);
    json_out_time(&out, "market_since", report->market_us - report->hours * USEC_PER_HOUR);
    json_out_i64(&out, "market_speed", report->speed);
    if (report->settings.symbol_count > 0) {
        json_out_str(&out, "currency", symbol_quote(&report->settings.symbols[0]));
    }
}

static void add_audit_log(struct report *report, struct ops_store *ops)
{
    int64_t last_id = 0;
    struct audit_chain_result result = {0};
    int rc = audit_chain_verify_recent(ops, &result, &last_id, NULL);
    if (rc == -ERR_SECRET_KEY) { /* `nightdesk audit` by a user who must not read the key */
        struct json_out gaps = JSON_OUT_TREE(report->gaps);
        json_out_text(&gaps, "audit_log", "its key cannot be read here");
    } else if (rc < 0) {
        gap("audit_log", rc, report);
    } else {
        struct json_out out = JSON_OUT_TREE(report->system);
        json_out_object(&out, "audit_log");
        json_out_i64(&out, "rows", last_id);
        json_out_i64(&out, "checked", result.rows);
        json_out_i64(&out, "bad_row", result.bad_id);
        json_out_text(&out, "why", result.ok ? "intact" : result.why);
        json_out_end(&out);
    }
}

/* A model or a person may have written these texts, so they are untrusted. */
static int add_texts(struct report *report, struct db *db, const char *name, const char *sql)
{
    struct json_out out = JSON_OUT_TREE(report->untrusted);
    json_out_object(&out, name);
    int rc = source_rows(db, &out, sql, NULL);
    json_out_end(&out);
    return rc;
}

static int add_known(struct report *report, struct source *source)
{
    return add_texts(report, source->ops, "known",
                     "SELECT 'alert-' || id, severity, status, title, note"
                     " FROM monitoring_alerts WHERE status IN ('open', 'acknowledged', 'wontfix')"
                     " OR (status = 'rejected' AND last_seen_at >="
                     " strftime('%Y-%m-%dT%H:%M:%SZ', fact('wall_since_us') / 1000000,"
                     " 'unixepoch')) ORDER BY id DESC LIMIT 25");
}

static int add_rule_texts(struct report *report, struct source *source)
{
    return add_texts(report, source->trading, "rules",
                     "SELECT 'rule-' || id, condition, help FROM trading_rules"
                     " ORDER BY status = 'retired', id LIMIT 40");
}

static void read_trading(struct report *report, struct source *source, struct json_out *out)
{
    struct json_out account = JSON_OUT_TREE(report->account);
    sections_add(source, true, out, gap, report);
    sections_add_account(source, &account, gap, report);
    gap("rules", add_rule_texts(report, source), report);
}

static void read_ops(struct report *report, struct source *source, struct ops_store *ops,
                     struct json_out *out)
{
    sections_add(source, false, out, gap, report);
    add_audit_log(report, ops);
    gap("alerts", add_known(report, source), report);
}

/* ------------------------------------------------------------------ the document */

/* Writes the report as text, redacts it and parses it again: all later steps use exactly these
 * figures, and no later step redacts them. */
static int freeze(struct report *report, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(REPORT_MAX_BYTES);
    json_add_text(&text, report->root);
    if (buf_failed(&text)) {
        return err_set(err, ERR_BUF_FULL, "audit report over %zu bytes", text.max);
    }
    log_redact(text.data);
    return json_parse(str_c(text.data), &JSON_LIMITS_DEFAULT, &report->document, err);
}

int report_read(struct report *report, struct trading_store *trading, struct ops_store *ops,
                struct err *err)
{
    struct source source = {0};
    struct passes *passes = NULL;
    int64_t window_us = report->hours * USEC_PER_HOUR;
    struct json_out out = JSON_OUT_TREE(report->root);
    struct json_out invariants = JSON_OUT_TREE(report->root);
    int rc = source_open(&source, trading != NULL ? trading_store_db(trading) : NULL,
                         ops != NULL ? ops_store_db(ops) : NULL, report->root, err);
    if (rc < 0) {
        return rc;
    }
    if (trading != NULL) {
        add_state(report, trading);
    } else {
        struct json_out gaps = JSON_OUT_TREE(report->gaps);
        json_out_text(&gaps, "trading", "no database yet");
    }
    add_meta(report);
    if (report->state_dir != NULL) {
        struct json_out system = JSON_OUT_TREE(report->system);
        moment_add_disk(report->state_dir, &system);
    }
    add_facts(report, &source);
    if (trading != NULL) {
        passes = passes_begin(&report->settings, report->market_us - window_us,
                              report->market_us - 2 * window_us, &source);
        read_trading(report, &source, &out);
    }
    if (ops != NULL) {
        read_ops(report, &source, ops, &out);
        privacy_add_people(report->privacy, ops);
    }
    json_out_object(&invariants, "invariants");
    invariants_add(&source, false, &invariants);
    if (trading != NULL) {
        struct err ignored = {0};
        gap("trades", passes_end(passes, &source, &out, &ignored), report);
    }
    invariants_add(&source, true, &invariants);
    json_out_end(&invariants);
    source_close(&source);
    glossary_add(&out);
    privacy_clean(report->privacy, report->root);
    return freeze(report, err);
}

struct json_object *report_document(const struct report *report)
{
    return report->document;
}
