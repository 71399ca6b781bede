#include "ask_bench.h"
#include "base/check.h"
#include "command/reply.h"
#include "io/db.h"
#include "io/secret.h"
#include "rigs/action_rig.h"
#include "store/sample_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE "prediction"

static const struct config *config_of(void *userdata)
{
    return ((struct world *)userdata)->config;
}

/* ------------------------------------------------------------------ rows */

/* A check every ten minutes; each 40th hour has an outage of half an hour. */
static bool is_up(int64_t minute)
{
    return minute % 2400 >= 30;
}

static void fill_ops(struct world *w, int64_t hours)
{
    struct service_sample *samples = calloc((size_t)hours * 6, sizeof(*samples));
    NEED_MEMORY(samples != NULL);
    char sql[2048];
    for (int64_t i = 0; i < hours * 6; i++) {
        int64_t minute = (i + 1) * 10;
        samples[i] =
            (struct service_sample){.service = SERVICE,
                                    .at_us = w->now_us - (hours * 60 - minute) * USEC_PER_MIN - 1,
                                    .up = is_up(minute)};
    }
    ASSERT(sample_table_add_all(w->ops, samples, (size_t)hours * 6, NULL) == 0);
    free(samples);
    (void)snprintf(
        sql, sizeof(sql),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
        " INSERT INTO command_runs(command, args, user_id, user_name, role, channel, chat_id,"
        " state, step, created_us, updated_us, result, error_code)"
        " SELECT 'pause', '{}', 1, 'alice', 'admin', 'telegram', 1, 'done', 0,"
        " %lld - i * 7200000000, 0, '', CASE WHEN i %% 7 = 0 THEN 'DB_FULL' ELSE '' END FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)"
        " INSERT INTO llm_calls(at_us, model, input_tokens, output_tokens, cache_read_tokens,"
        " cache_write_tokens, cost_usd, latency_us, stop_reason, error_code, request_id,"
        " prompt_hash, report_hash) SELECT %lld - i * 5400000000, 'claude', 10, 10, 0, 0,"
        " 1000000 + i * 10000, 1, 'end_turn', '', '', '', '' FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
        " INSERT INTO monitoring_alerts(alert_type, severity, title, description, evidence,"
        " recommendation, status, created_at, fingerprint, source, last_seen_at)"
        " SELECT 'service', 'high', 't', '', '[]', '', 'fixed',"
        " strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', %lld / 1000000 - i * 9000, 'unixepoch'),"
        " 'f' || i, CASE WHEN i %% 5 = 0 THEN 'auditor' ELSE 'health' END,"
        " strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', %lld / 1000000, 'unixepoch') FROM n;",
        (long long)w->now_us, (long long)w->now_us, (long long)w->now_us, (long long)w->now_us);
    struct err err = {0};
    if (db_exec(ops_store_db(w->ops), sql, &err) < 0) {
        printf("# %s\n", err.context);
        abort();
    }
}

static double amount(struct db_rows *rows, int column)
{
    return (double)db_i64(rows, column) / 1e8;
}

/* The side that an agent voted for, from the text of the votes. */
static int vote_of(struct str votes, const char *agent)
{
    char text[16384], name[48];
    (void)str_copy(votes, text, sizeof(text));
    (void)snprintf(name, sizeof(name), "\"%s\"", agent);
    const char *at = strstr(text, name);
    const char *direction = at == NULL ? NULL : strstr(at, "\"direction\"");
    if (direction == NULL) {
        return 0;
    }
    const char *word = strchr(direction + strlen("\"direction\""), '"');
    return word == NULL                         ? 0
           : strncmp(word, "\"long\"", 6) == 0  ? 1
           : strncmp(word, "\"short\"", 7) == 0 ? -1
                                                : 0;
}

static void read_trades(struct world *w)
{
    struct db *db = trading_store_db(w->rig.store);
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t count = 0;
    ASSERT(db_get_i64(db, "SELECT count(*) FROM trades", DB_NO_VALUES, 0, &count, NULL) == 0);
    w->trades = calloc((size_t)count + 1, sizeof(*w->trades));
    NEED_MEMORY(w->trades != NULL);
    ASSERT(db_query(db,
                    "SELECT id, symbol, side, qty, entry_price, exit_price, pnl, fees, opened_us,"
                    " closed_us, (SELECT votes FROM decisions WHERE decisions.id = decision_id)"
                    " FROM trades ORDER BY closed_us, id",
                    DB_NO_VALUES, &rows, NULL) == 0);
    while (db_next(rows, NULL) > 0) {
        struct world_trade *t = &w->trades[w->count++];
        t->id = db_i64(rows, 0);
        (void)str_copy(db_text(rows, 1), t->symbol, sizeof(t->symbol));
        t->side = str_equal_c(db_text(rows, 2), "long") ? 1 : -1;
        t->qty = amount(rows, 3);
        t->entry = amount(rows, 4);
        t->exit = amount(rows, 5);
        t->pnl = amount(rows, 6);
        t->fees = amount(rows, 7);
        t->opened_us = db_i64(rows, 8);
        t->closed_us = db_i64(rows, 9);
        t->predicted = vote_of(db_text(rows, 10), "predict");
    }
}

/* ------------------------------------------------------------------ life */

void world_open(struct world *w, uint64_t seed, int64_t hours)
{
    struct settings settings;
    char path[96];
    *w = (struct world){0};
    driver_rig_settings(&settings);
    settings.seed = seed;
    driver_rig_open(&w->rig, &settings);
    driver_rig_run(&w->rig, hours * 60);
    w->now_us = driver_rig_snapshot(&w->rig)->market_us;
    ASSERT(secret_init(NULL) == 0);
    ASSERT(config_load(&(struct config_options){.no_file = true}, &w->config, NULL, NULL) >= 0);
    (void)str_copy(STR_LIT("/tmp/nightdesk-ask-XXXXXX"), w->folder, sizeof(w->folder));
    ASSERT(mkdtemp(w->folder) != NULL);
    (void)snprintf(path, sizeof(path), "%s/trading.db", w->folder);
    ASSERT(db_backup(trading_store_db(w->rig.store), path, NULL) == 0);
    ASSERT(ops_store_open(w->folder, OPS_STORE_WRITE, &w->ops, NULL) == 0);
    read_trades(w);
    fill_ops(w, hours);
    w->measures = (struct measures){.state_dir = w->folder, .config = config_of, .userdata = w};
    w->actions = action_table_new();
    measure_actions(&w->measures, w->actions);
    w->context =
        (struct grammar_context){.wall_us = w->now_us, .market_us = w->now_us, .zone_name = "UTC"};
    for (int i = 0; i < w->config->market_symbols.count; i++) {
        w->context.symbols[w->context.symbol_count++] = w->config->market_symbols.items[i];
    }
    w->context.services[w->context.service_count++] = SERVICE;
    w->context.services[w->context.service_count++] = "feed";
}

void world_close(struct world *w)
{
    static const char *const files[] = {"trading.db", "trading.db-wal", "trading.db-shm", "ops.db",
                                        "ops.db-wal", "ops.db-shm",     "audit.key"};
    action_table_free(w->actions);
    ops_store_free(w->ops);
    config_free(w->config);
    driver_rig_close(&w->rig);
    free(w->trades);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "%s/%s", w->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(w->folder);
}

/* ------------------------------------------------------------------ running */

struct json_object *world_run(struct world *w, const char *command, const char *args)
{
    const char *action = strcmp(command, "measure") == 0 ? "trading.measure" : "ops.measure";
    struct err err = {0};
    struct reply *reply = action_rig_run(w->actions, action, args, w->now_us, &err);
    if (reply == NULL) {
        printf("# %s %s: %s\n", command, args, err.context);
        return NULL;
    }
    struct json_object *data = json_object_get(json_get(reply_data(reply), "measured"));
    reply_free(reply);
    return data;
}

/* ------------------------------------------------------------------ the answers */

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fmax(1, fmax(fabs(a), fabs(b)));
}

struct check {
    struct json_object *object;
    char *why;
    size_t size;
    bool good;
};

static void number_is(struct check *c, const char *pointer, double expected)
{
    struct json_object *value = json_at(c->object, pointer);
    double is = json_is_number(value) ? json_object_get_double(value) : (double)NAN;
    if (!c->good || near(is, expected)) {
        return;
    }
    c->good = false;
    (void)snprintf(c->why, c->size, "%s is %.8g, not %.8g", pointer, is, expected);
}

static bool fits(const struct want *want, const struct world_trade *t, const char *symbol,
                 int64_t from_us, int64_t to_us)
{
    return t->closed_us >= from_us && t->closed_us < to_us &&
           (symbol == NULL || strcmp(symbol, t->symbol) == 0) &&
           (want->side == 0 || want->side == t->side);
}

/* All figures of a set of trades, whatever the measure. */
static void trades_are(struct check *c, const struct world *w, const struct want *want,
                       const char *symbol, int64_t from_us, int64_t to_us, const char *part)
{
    int n = 0, wins = 0, losses = 0, run = 0, most_losses = 0, most_wins = 0, skip = 0;
    int judged = 0, right = 0;
    double net = 0, fees = 0, best = -INFINITY, worst = INFINITY, volume = 0, profit = 0, loss = 0;
    int64_t held_us = 0;
    char pointer[64];
    for (int i = 0; i < w->count && want->last > 0; i++) {
        skip += fits(want, &w->trades[i], symbol, from_us, to_us);
    }
    skip = want->last > 0 && skip > want->last ? skip - (int)want->last : 0;
    for (int i = 0; i < w->count; i++) {
        const struct world_trade *t = &w->trades[i];
        if (!fits(want, t, symbol, from_us, to_us) || skip-- > 0) {
            continue;
        }
        n++;
        wins += t->pnl > 0;
        losses += t->pnl < 0;
        net += t->pnl;
        fees += t->fees;
        profit += t->pnl > 0 ? t->pnl : 0;
        loss += t->pnl < 0 ? t->pnl : 0;
        best = fmax(best, t->pnl);
        worst = fmin(worst, t->pnl);
        volume += t->qty * t->entry + t->qty * t->exit;
        held_us += t->closed_us - t->opened_us;
        run = t->pnl > 0 ? (run > 0 ? run + 1 : 1) : t->pnl < 0 ? (run < 0 ? run - 1 : -1) : run;
        most_wins = run > most_wins ? run : most_wins;
        most_losses = -run > most_losses ? -run : most_losses;
        judged += t->predicted != 0;
        right += t->predicted * (t->exit > t->entry ? 1 : t->exit < t->entry ? -1 : 0) > 0;
    }
#define IS(name, value)                                              \
    do {                                                             \
        (void)snprintf(pointer, sizeof(pointer), "/%s/" name, part); \
        number_is(c, pointer, value);                                \
    } while (0)
    if (strcmp(want->measure, "accuracy") == 0) {
        IS("accuracy/n", judged);
        IS("accuracy/k", right);
        return;
    }
    IS("trades", n);
    IS("wins", wins);
    IS("losses", losses);
    IS("net_usd", net);
    IS("fees_usd", fees);
    IS("volume_usd", volume);
    IS("wins_in_a_row", most_wins);
    IS("losses_in_a_row", most_losses);
    if (n > 0) {
        double p = (double)wins / n, z = 1.959963984540054;
        double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
        double half = z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n)) / (1 + z * z / n);
        IS("best_usd", best);
        IS("worst_usd", worst);
        IS("average_hold_s", round((double)(held_us / n) / 1e5) / 10);
        IS("win_rate/low_pct", round(1e4 * fmax(0, centre - half)) / 100);
        if (loss < 0) {
            IS("profit_factor", round(-1e4 * profit / loss) / 1e4);
        }
    }
}

static void equity_is(struct check *c, const struct world *w, const struct want *want)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    double peak = 0, deepest = 0, first = 0, last = 0;
    int n = 0;
    ASSERT(db_query(trading_store_db(w->rig.store), "SELECT at_us, equity FROM equity ORDER BY 1",
                    DB_NO_VALUES, &rows, NULL) == 0);
    while (db_next(rows, NULL) > 0) {
        double equity = amount(rows, 1);
        if (db_i64(rows, 0) < want->from_us || db_i64(rows, 0) >= want->to_us) {
            continue;
        }
        first = n == 0 ? equity : first;
        last = equity;
        peak = fmax(peak, equity);
        deepest = fmax(deepest, 100 * (peak - equity) / peak);
        n++;
    }
    number_is(c, "/result/points", n);
    if (n > 0) {
        number_is(c, "/result/deepest_drawdown_pct", round(1e4 * deepest) / 1e4);
        number_is(c, "/result/change_usd", last - first);
    }
}

static void market_is(struct check *c, const struct world *w, const struct want *want)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    bool slippage = strcmp(want->measure, "slippage") == 0;
    int n = 0, vetoed = 0;
    double bp = 0;
    ASSERT(db_query(trading_store_db(w->rig.store),
                    slippage ? "SELECT created_us, symbol, state, side, kind, average_price,"
                               " reference_price FROM orders"
                             : "SELECT at_us, symbol, outcome FROM decisions",
                    DB_NO_VALUES, &rows, NULL) == 0);
    while (db_next(rows, NULL) > 0) {
        int64_t at_us = db_i64(rows, 0);
        if (at_us < want->from_us || at_us >= want->to_us ||
            (want->symbol != NULL && !str_equal_c(db_text(rows, 1), want->symbol))) {
            continue;
        }
        if (!slippage) {
            n++;
            vetoed += str_equal_c(db_text(rows, 2), "vetoed");
            continue;
        }
        double price = amount(rows, 5), wanted = amount(rows, 6);
        if (!str_equal_c(db_text(rows, 2), "filled") || price <= 0 || wanted <= 0) {
            continue;
        }
        bool buys = str_equal_c(db_text(rows, 3), "long") == str_equal_c(db_text(rows, 4), "entry");
        bp += (buys ? 1 : -1) * 1e4 * (price - wanted) / wanted;
        n++;
    }
    number_is(c, slippage ? "/result/orders" : "/result/decisions", n);
    if (slippage && n > 0) {
        number_is(c, "/result/average_bp", round(1e4 * bp / n) / 1e4);
    } else if (!slippage) {
        number_is(c, "/result/vetoed", vetoed);
    }
}

/* The rows of fill_ops, by its own rule. */
static void ops_are(struct check *c, const struct world *w, const struct want *want)
{
    int n = 0, other = 0;
    double cost = 0;
    for (int i = 1; i <= 90; i++) {
        bool alerts = strcmp(want->measure, "alerts") == 0;
        bool findings = strcmp(want->measure, "findings") == 0;
        bool calls = strcmp(want->measure, "cost") == 0;
        bool commands = strcmp(want->measure, "commands") == 0;
        int64_t step_s = calls ? 5400 : commands ? 7200 : 9000;
        int most = calls ? 90 : commands ? 60 : 50;
        int64_t at_us = w->now_us - i * step_s * USEC_PER_SEC;
        at_us -= alerts || findings ? at_us % USEC_PER_SEC : 0; /* stored in seconds */
        if (i > most || at_us < want->from_us || at_us >= want->to_us || (alerts && i % 5 == 0) ||
            (findings && i % 5 != 0)) {
            continue;
        }
        n++;
        other += commands && i % 7 == 0;
        cost += 0.01 + i * 0.0001;
    }
    if (strcmp(want->measure, "cost") == 0) {
        number_is(c, "/result/calls", n);
        number_is(c, "/result/cost_usd", cost);
    } else {
        number_is(c, "/result/count", n);
    }
    if (strcmp(want->measure, "commands") == 0) {
        number_is(c, "/result/failed", other);
    }
}

static void checks_are(struct check *c, const struct world *w, const struct want *want)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int n = 0, up = 0, outages = 0;
    bool before = true;
    ASSERT(db_query(ops_store_db(w->ops), "SELECT at_us, up FROM service_samples ORDER BY 1",
                    DB_NO_VALUES, &rows, NULL) == 0);
    while (db_next(rows, NULL) > 0) {
        bool now = db_i64(rows, 1) != 0;
        if (db_i64(rows, 0) < want->from_us || db_i64(rows, 0) >= want->to_us) {
            continue;
        }
        n++;
        up += now;
        outages += before && !now;
        before = now;
    }
    number_is(c, "/result/uptime/n", n);
    number_is(c, "/result/uptime/k", up);
    number_is(c, "/result/outages", outages);
}

/* The symbol with the largest or smallest profit, of those that traded. */
static void first_group_is(struct check *c, const struct world *w, const struct want *want)
{
    const char *best = NULL;
    double found = 0;
    for (size_t s = 0; s < w->context.symbol_count; s++) {
        const char *symbol = w->context.symbols[s].name;
        double sum = 0;
        int n = 0;
        for (int i = 0; i < w->count; i++) {
            if (fits(want, &w->trades[i], symbol, want->from_us, want->to_us)) {
                sum += w->trades[i].pnl;
                n++;
            }
        }
        if (n > 0 && (best == NULL || (want->order > 0 ? sum > found : sum < found))) {
            best = symbol;
            found = sum;
        }
    }
    const char *first = json_text(json_item(json_get(c->object, "groups"), 0), "name");
    if (best != NULL && strcmp(best, first) != 0) {
        c->good = false;
        (void)snprintf(c->why, c->size, "%s is first, not %s", first, best);
    }
}

bool world_answers(const struct world *w, const struct want *want, struct json_object *data,
                   char *ret_why, size_t size)
{
    static const char *const of_equity[] = {"drawdown", "equity"};
    static const char *const of_market[] = {"slippage", "vetoes", "decisions"};
    static const char *const of_ops[] = {"alerts", "findings", "cost", "commands"};
    static const char *const of_checks[] = {"uptime", "outages"};
    struct check c = {.object = data, .why = ret_why, .size = size, .good = true};
    ret_why[0] = '\0';
    if (strcmp(json_text(data, "measure"), want->measure) != 0) {
        (void)snprintf(ret_why, size, "it is %s, not %s", json_text(data, "measure"),
                       want->measure);
        return false;
    }
#define ONE_OF(list, check)                        \
    for (size_t i = 0; i < COUNT_OF(list); i++) {  \
        if (strcmp(want->measure, list[i]) == 0) { \
            check(&c, w, want);                    \
            return c.good;                         \
        }                                          \
    }
    ONE_OF(of_equity, equity_is)
    ONE_OF(of_market, market_is)
    ONE_OF(of_ops, ops_are)
    ONE_OF(of_checks, checks_are)
    trades_are(&c, w, want, want->symbol, want->from_us, want->to_us, "result");
    if (want->versus_from_us != 0 || want->versus_symbol != NULL) {
        bool period = want->versus_from_us != 0;
        trades_are(&c, w, want, want->versus_symbol != NULL ? want->versus_symbol : want->symbol,
                   period ? want->versus_from_us : want->from_us,
                   period ? want->versus_to_us : want->to_us, "versus");
    } else if (json_get(data, "versus") != NULL) {
        c.good = false;
        (void)snprintf(ret_why, size, "it is compared with something");
    }
    if (want->order != 0) {
        first_group_is(&c, w, want);
    }
    return c.good;
}
