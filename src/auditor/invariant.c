#include "invariant.h"

#include "base/check.h"
#include "model/shared.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Rounding errors add up to a few units of 1e-8, never to a cent. */
#define MONEY_TOLERANCE     0.01
#define SILENT_S            ((double)SHARED_SILENT_US / (double)USEC_PER_SEC)
#define FEED_LAG_MAX_MIN    20.0 /* four bars of the slowest timeframe used for decisions */
#define CLOCK_JUMP_MAX_S    60.0
#define CLOCK_SKEW_MAX_S    300.0
#define IDLE_MIN            120.0 /* market minutes without a decision: dozens of bars */
#define VETO_ENTRIES_MIN    10
#define SERVICE_CHANGES_MAX 6

struct run {
    struct json_object *report;
    struct finding_list *list;
    enum invariant rule;
    enum invariant_state state;
};

static const char *const names[INVARIANT_COUNT] = {
    [INVARIANT_BOOKS] = "books",     [INVARIANT_FEED] = "feed", [INVARIANT_COUNTERS] = "counters",
    [INVARIANT_INTENTS] = "intents", [INVARIANT_IDLE] = "idle", [INVARIANT_AUDIT_LOG] = "audit_log",
    [INVARIANT_GAPS] = "gaps",
};

const char *invariant_name(enum invariant rule)
{
    return names[rule];
}

/* True and the number if the report has it; an UNKNOWN rule then becomes KEPT. */
static bool number(struct run *run, const char *pointer, double *ret)
{
    struct json_object *value = json_at(run->report, pointer);
    if (!json_is_number(value)) {
        return false;
    }
    if (run->state == INVARIANT_UNKNOWN) {
        run->state = INVARIANT_KEPT;
    }
    *ret = json_object_get_double(value);
    return true;
}

/* Marks the rule as broken and returns its finding; the first violation sets the title. */
static struct finding *broken(struct run *run, enum alert_type type, enum severity severity,
                              const char *title)
{
    struct finding *finding = NULL;
    for (int i = 0; i < run->list->count; i++) {
        if (run->list->items[i].rule == names[run->rule]) {
            finding = &run->list->items[i];
        }
    }
    if (finding == NULL) {
        finding = finding_add(run->list, names[run->rule], type, severity);
        ASSERT(finding != NULL); /* the rules run first, and the list has space for all of them */
        (void)str_copy(str_c(title), finding->title, sizeof(finding->title));
    }
    finding->severity = severity > finding->severity ? severity : finding->severity;
    run->state = INVARIANT_BROKEN;
    return finding;
}

/* Cites the figure as it is in the report; ignored if the finding's evidence is full. */
static void cite(const struct run *run, struct finding *finding, const char *pointer)
{
    struct json_object *value = json_at(run->report, pointer);
    if (value == NULL || finding->evidence_count == FINDING_EVIDENCE_MAX) {
        return;
    }
    struct finding_evidence *evidence = &finding->evidence[finding->evidence_count++];
    (void)str_copy(str_c(pointer), evidence->pointer, sizeof(evidence->pointer));
    evidence->cited.is_text = !json_is_number(value);
    const char *text = evidence->cited.is_text
                           ? json_object_get_string(value)
                           : json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    (void)str_copy(str_c(text), evidence->cited.text, sizeof(evidence->cited.text));
}

__attribute__((format(printf, 2, 3))) static void report(struct finding *finding,
                                                         const char *format, ...)
{
    size_t len = strlen(finding->description);
    if (len > 0 && len + 1 < sizeof(finding->description)) {
        finding->description[len++] = ' ';
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->description + len, sizeof(finding->description) - len, format, args);
    va_end(args);
}

static void advise(struct finding *finding, const char *text)
{
    if (finding->recommendation[0] == '\0') {
        (void)str_copy(str_c(text), finding->recommendation, sizeof(finding->recommendation));
    }
}

/* ------------------------------------------------------------------ the rules */

static void rule_books(struct run *run)
{
    double off = 0;
    if (number(run, "/books/difference", &off) && off != 0) {
        struct finding *f = broken(run, ALERT_BUG, SEVERITY_CRITICAL, "the books do not balance");
        cite(run, f, "/books/difference");
        report(f, "Cash plus positions at cost differs from initial cash plus realised profit.");
        advise(f, "Pause trading, compare the venue's balances and fills with /positions and "
                  "/trades, and keep a copy of trading.db.");
    }
    struct json_object *flag = json_at(run->report, "/account/books_balance");
    if (flag != NULL && run->state == INVARIANT_UNKNOWN) {
        run->state = INVARIANT_KEPT;
    }
    if (flag != NULL && !json_object_get_boolean(flag)) {
        struct finding *f = broken(run, ALERT_BUG, SEVERITY_CRITICAL, "the books do not balance");
        cite(run, f, "/account/books_balance");
        report(f, "The engine reports that its books do not balance.");
        advise(f, "Pause trading, compare the venue's balances and fills with /positions and "
                  "/trades, and keep a copy of trading.db.");
    }
}

static void rule_feed(struct run *run)
{
    double value = 0;
    if (number(run, "/system/engine/silent_s", &value) && value >= SILENT_S) {
        struct finding *f =
            broken(run, ALERT_DATA, SEVERITY_HIGH, "the trading engine does not respond");
        cite(run, f, "/system/engine/silent_s");
        report(f, "The engine's heartbeat or snapshot is %.0f s old.", value);
        advise(f, "Look at the logs of nightdesk and restart it; check the machine's clock.");
    }
    struct json_object *feed = json_at(run->report, "/system/feed");
    if (json_is_object(feed)) {
        json_object_object_foreach(feed, symbol, row)
        {
            char pointer[FINDING_POINTER_SIZE];
            (void)row;
            (void)snprintf(pointer, sizeof(pointer), "/system/feed/%s/lag_min", symbol);
            if (number(run, pointer, &value) && value > FEED_LAG_MAX_MIN) {
                struct finding *f =
                    broken(run, ALERT_DATA, SEVERITY_HIGH, "a market's data feed is stale");
                cite(run, f, pointer);
                report(f, "The newest candle of %.16s is %.0f market minutes old.", symbol, value);
                advise(f, "Check the market's source. Until it recovers only the venue's own stops "
                          "protect positions there.");
            }
        }
    }
    if (number(run, "/system/clock/jumped_s", &value) && fabs(value) > CLOCK_JUMP_MAX_S) {
        struct finding *f =
            broken(run, ALERT_DATA, SEVERITY_HIGH, "the clock of this machine jumped");
        cite(run, f, "/system/clock/jumped_s");
        report(f, "Since the last audit the wall clock moved %.0f s relative to elapsed time.",
               value);
        advise(f, "Check time synchronisation (timedatectl).");
    }
    if (number(run, "/system/clock/market_minus_ours_s", &value) &&
        fabs(value) > CLOCK_SKEW_MAX_S) {
        struct finding *f = broken(run, ALERT_DATA, SEVERITY_HIGH,
                                   "the market's clock and this machine's disagree");
        cite(run, f, "/system/clock/market_minus_ours_s");
        report(f, "They differ by %.0f s.", value);
        advise(f, "Check time synchronisation (timedatectl) and the market's source.");
    }
}

static void rule_counters(struct run *run)
{
    static const struct {
        const char *pointer;
        const char *const cited[2];
        bool only_above; /* the snapshot is older than the state row, so it may count fewer */
        double tolerance;
    } pairs[] = {
        {"/counters/trades/table_minus_state",
         {"/counters/trades/table", "/counters/trades/state"},
         false,
         0},
        {"/counters/fills/table_minus_state",
         {"/counters/fills/table", "/counters/fills/state"},
         false,
         0},
        {"/counters/trades/snapshot_minus_state",
         {"/counters/trades/snapshot", "/counters/trades/state"},
         true,
         0},
        {"/counters/fills/snapshot_minus_state",
         {"/counters/fills/snapshot", "/counters/fills/state"},
         true,
         0},
        {"/counters/realised_pnl/difference",
         {"/counters/realised_pnl/state",
          "/counters/realised_pnl/trades_less_open_fees_and_funding"},
         false,
         MONEY_TOLERANCE},
        {"/counters/fees/difference",
         {"/counters/fees/state", "/counters/fees/fills"},
         false,
         MONEY_TOLERANCE},
        {"/counters/funding/difference",
         {"/counters/funding/state", "/counters/funding/payments"},
         false,
         MONEY_TOLERANCE},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        double off = 0;
        if (!number(run, pairs[i].pointer, &off) || fabs(off) <= pairs[i].tolerance ||
            (pairs[i].only_above && off < 0)) {
            continue;
        }
        struct finding *f = broken(run, ALERT_BUG, SEVERITY_HIGH, "counters disagree");
        cite(run, f, pairs[i].cited[0]);
        cite(run, f, pairs[i].cited[1]);
        report(f, "%s is %.8g; it must be 0.", pairs[i].pointer, off);
        advise(f, "A row was lost or counted twice: keep a copy of trading.db and compare its "
                  "trades and fills with the venue's.");
    }
}

static void rule_intents(struct run *run)
{
    double stuck = 0;
    if (!number(run, "/orders/stuck", &stuck) || stuck < 1) {
        return;
    }
    struct finding *f =
        broken(run, ALERT_BUG, SEVERITY_HIGH, "orders have had no answer for too long");
    cite(run, f, "/orders/stuck");
    cite(run, f, "/orders/oldest_stuck_min");
    cite(run, f, "/orders/stuck_orders/0/client_id");
    cite(run, f, "/orders/stuck_orders/0/state");
    report(f,
           "%.0f orders are neither accepted nor refused; the venue may have filled them without "
           "our knowledge.",
           stuck);
    advise(f, "Look up the client ids at the venue; until then assume that they are filled.");
}

/* Vetoes that do not depend on the settings: trading was off, or every position slot is in use. */
static bool is_expected(const struct run *run, const char *code)
{
    static const char *const off[] = {"RISK_HALT", "RISK_STARTING", "RISK_PAUSED", "RISK_BREAKER"};
    for (size_t i = 0; i < COUNT_OF(off); i++) {
        if (strcmp(code, off[i]) == 0) {
            return true;
        }
    }
    return strcmp(code, "RISK_MAX_POSITIONS") == 0 &&
           json_len(json_at(run->report, "/account/positions")) > 0;
}

static void rule_vetoes(struct run *run)
{
    double wanted = 0;
    double orders = 0;
    if (!number(run, "/decisions/entries_wanted", &wanted) ||
        !number(run, "/decisions/orders", &orders) || wanted < VETO_ENTRIES_MIN || orders > 0) {
        return;
    }
    struct json_object *vetoes = json_at(run->report, "/decisions/vetoes");
    if (!json_is_object(vetoes)) {
        return;
    }
    json_object_object_foreach(vetoes, code, count)
    {
        if ((double)json_object_get_int64(count) != wanted || is_expected(run, code)) {
            continue;
        }
        char pointer[FINDING_POINTER_SIZE];
        (void)snprintf(pointer, sizeof(pointer), "/decisions/vetoes/%s", code);
        struct finding *f =
            broken(run, ALERT_INEFFICIENCY, SEVERITY_HIGH, "one rule vetoes every entry");
        cite(run, f, "/decisions/entries_wanted");
        cite(run, f, "/decisions/orders");
        cite(run, f, pointer);
        report(f, "%.40s vetoed all %.0f proposed entries.", code, wanted);
        advise(f, "Compare the limit with the sizes that the decisions propose (/why): with these "
                  "settings the bot never trades.");
    }
}

static void rule_idle(struct run *run)
{
    double up = 0;
    double count = 0;
    const char *state = json_text(json_at(run->report, "/account"), "state");
    if (strcmp(state, "active") == 0) {
        double since = 0;
        bool ever = number(run, "/decisions/since_last_min", &since);
        if (number(run, "/system/engine/active_market_min", &up) && up > IDLE_MIN &&
            number(run, "/system/engine/decisions", &count) &&
            (count == 0 || (ever && since > IDLE_MIN))) {
            struct finding *f =
                broken(run, ALERT_BUG, SEVERITY_HIGH, "the trading engine makes no decisions");
            cite(run, f, "/system/engine/active_market_min");
            cite(run, f, "/system/engine/decisions");
            cite(run, f, "/decisions/since_last_min");
            cite(run, f, "/system/engine/candles");
            report(f, "It has been active for %.0f market minutes without a decision.", up);
            advise(f, "Check that candles arrive (/status), and look at the logs of nightdesk.");
        }
        rule_vetoes(run);
    }
    struct json_object *services = json_at(run->report, "/system/services");
    if (!json_is_object(services)) {
        return;
    }
    json_object_object_foreach(services, name, row)
    {
        char pointer[FINDING_POINTER_SIZE];
        (void)row;
        (void)snprintf(pointer, sizeof(pointer), "/system/services/%s/changes", name);
        if (number(run, pointer, &count) && count >= SERVICE_CHANGES_MAX) {
            struct finding *f =
                broken(run, ALERT_SERVICE, SEVERITY_MEDIUM, "a service is flapping");
            cite(run, f, pointer);
            report(f, "%.32s changed between up and down %.0f times.", name, count);
            advise(f, "Look at /logs of the service; a restart does not fix the cause.");
        }
    }
}

static void rule_audit_log(struct run *run)
{
    double row = 0;
    if (number(run, "/system/audit_log/bad_row", &row) && row != 0) {
        struct finding *f = broken(run, ALERT_SECURITY, SEVERITY_HIGH, "the audit log was altered");
        cite(run, f, "/system/audit_log/bad_row");
        cite(run, f, "/system/audit_log/why");
        report(f, "Row %.0f: %.95s.", row,
               json_text(json_at(run->report, "/system/audit_log"), "why"));
        advise(f, "Keep a copy of ops.db and audit.key, run `nightdesk auditlog verify`, and find "
                  "out who can write to the state folder.");
    }
}

static void rule_gaps(struct run *run)
{
    struct json_object *gaps = json_at(run->report, "/meta/gaps");
    if (!json_is_object(gaps)) {
        return;
    }
    run->state = INVARIANT_KEPT;
    json_object_object_foreach(gaps, name, reason)
    {
        const char *text = json_object_get_string(reason);
        /* A failure is recorded as an error code; other reasons, such as a first start, are not. */
        if (text == NULL || err_by_code(text) == ERR_NONE) {
            continue;
        }
        char pointer[FINDING_POINTER_SIZE];
        (void)snprintf(pointer, sizeof(pointer), "/meta/gaps/%s", name);
        struct finding *f =
            broken(run, ALERT_DATA, SEVERITY_HIGH, "the audit could not read all data");
        cite(run, f, pointer);
        report(f, "%.32s: %.120s.", name, err_info((int)err_by_code(text))->message);
        advise(f, err_info((int)err_by_code(text))->remediation);
    }
}

void invariant_run(struct json_object *report, struct finding_list *list,
                   enum invariant_state ret_states[INVARIANT_COUNT])
{
    static void (*const rules[INVARIANT_COUNT])(struct run *) = {
        [INVARIANT_BOOKS] = rule_books,       [INVARIANT_FEED] = rule_feed,
        [INVARIANT_COUNTERS] = rule_counters, [INVARIANT_INTENTS] = rule_intents,
        [INVARIANT_IDLE] = rule_idle,         [INVARIANT_AUDIT_LOG] = rule_audit_log,
        [INVARIANT_GAPS] = rule_gaps,
    };
    for (int i = 0; i < INVARIANT_COUNT; i++) {
        struct run run = {.report = report, .list = list, .rule = (enum invariant)i};
        rules[i](&run);
        ret_states[i] = run.state;
    }
}
