#include "cli_check.h"

#include "agents/predictor.h"
#include "cli_actions.h"
#include "command/manifest.h"
#include "engine/driver.h"
#include "io/file.h"
#include "io/secret.h"
#include "model/condition.h"
#include "model/rule.h"
#include "ops/ops.h"
#include "store/ops.h"
#include "store/rule_table.h"
#include "venue/exchange.h"
#include "venue/market_feed.h"
#include "venue/venue.h"

#include <string.h>
#include <sys/stat.h>

static void warn(struct cli_check *check, const struct err *err)
{
    if (check->warning_count < CLI_CHECK_WARNINGS_MAX) {
        check->warnings[check->warning_count++] = *err;
    } else {
        check->warnings_more++;
    }
}

/* Prefixes the error with the option's file, line and column. */
static int at_option(const struct config *config, const char *option, struct err *err)
{
    AUTO_BUF struct buf place = BUF_INIT(256);
    config_add_place(config, option, &place);
    return err_prefix(err, "%s", place.data);
}

/* ---------------------------------------------------------------- the market and its model */

static bool is_traded(const struct settings *settings, struct symbol symbol)
{
    for (int i = 0; i < settings->symbol_count; i++) {
        if (symbol_equal(settings->symbols[i], symbol)) {
            return true;
        }
    }
    return false;
}

static void check_use_of_files(const struct config *config, const struct settings *settings,
                               struct cli_check *check)
{
    struct err err = {0};
    for (int i = 0; i < settings->market_file_count; i++) {
        struct symbol symbol = settings->market_files[i].symbol;
        if (settings->market_source != MARKET_CSV) {
            (void)err_set(&err, ERR_CONFIG_UNUSED, "not read: market.source is not csv");
        } else if (!is_traded(settings, symbol)) {
            (void)err_set(&err, ERR_CONFIG_UNUSED, "%s is not one of market.symbols", symbol.name);
        } else {
            continue;
        }
        (void)at_option(config, "market.files", &err);
        warn(check, &err);
        if (settings->market_source != MARKET_CSV) {
            return; /* one warning is enough */
        }
    }
}

/* Live prices come at their own speed, from a venue that we know. */
static int check_live(const struct config *config, const struct settings *settings,
                      struct live_plan *plan, struct err *err)
{
    plan->route_count = 0;
    if (settings->market_source != MARKET_LIVE) {
        return 0;
    }
    if (settings->market_speed != 1) {
        (void)err_set(err, ERR_CONFIG_RANGE, "expected 1 with market.source live, found %lld",
                      (long long)settings->market_speed);
        return at_option(config, "market.speed", err);
    }
    config_live(config, plan);
    for (int i = 0; i < plan->count; i++) {
        if (market_feed_check(&plan->venues[i], err) < 0) {
            return at_option(config,
                             err->id == ERR_MARKET_KEY ? "market.key"
                             : i > 0                   ? "market.venues"
                                                       : "market.venue",
                             err);
        }
    }
    return 0;
}

/* A real venue trades at its own prices. */
static int check_apart(const struct config *config, const struct live_plan *plan,
                       const struct venue_settings *venue, struct err *err)
{
    if (!venue_is_real(venue)) {
        return 0;
    }
    if (strcmp(config->market_source, "live") != 0 ||
        !exchange_is_of(config->market_venue, venue->name)) {
        (void)err_set(err, ERR_VENUE_MODE,
                      "%s trades at its own prices: market.source must be live, market.venue %s",
                      venue->name, venue->name);
        return at_option(config, "venue.name", err);
    }
    for (int i = 0; i < plan->route_count; i++) {
        const struct live_route *r = &plan->routes[i];
        if (!exchange_is_of(plan->venues[r->venue].venue, venue->name)) {
            (void)err_set(err, ERR_MARKET_APART, "%s is of %s, orders go to %s", r->symbol.name,
                          plan->venues[r->venue].venue, venue->name);
            return at_option(config, "market.venues", err);
        }
    }
    return 0;
}

static void check_model(const struct config *config, const struct settings *settings,
                        int64_t step_us, struct cli_check *check)
{
    AUTO_PREDICTOR struct predictor *predictor = NULL;
    struct err err = {0};
    if (settings->model[0] != '\0' && (predictor_load(settings->model, &predictor, &err) < 0 ||
                                       predictor_check_step(predictor, step_us, &err) < 0)) {
        (void)at_option(config, "trading.model", &err);
        warn(check, &err);
    }
}

/* Warns of stored rules for symbols that are not traded. A trading.db that is missing or cannot be
 * opened is not reported here: the start does that. */
static void check_rules(const struct settings *settings, const char *state_dir,
                        struct cli_check *check)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct trading_store *store = NULL;
    struct rule rules[RULES_MAX];
    buf_addf(&path, "%s/trading.db", state_dir);
    if (!file_exists(path.data) ||
        trading_store_open(state_dir, TRADING_STORE_READ, &store, NULL) < 0) {
        return;
    }
    int count = rule_table_list(store, &(struct rule_query){0}, rules, RULES_MAX, NULL);
    for (int i = 0; i < count; i++) {
        struct condition program;
        struct symbol symbols[CONDITION_OPS_MAX];
        int named = condition_compile(str_c(rules[i].condition), &program, NULL) < 0
                        ? 0
                        : condition_symbols(&program, symbols, CONDITION_OPS_MAX);
        for (int s = 0; s < named; s++) {
            struct err err = {0};
            if (!is_traded(settings, symbols[s])) {
                (void)err_set(&err, ERR_RULE_NOT_TRADED, "rule %lld: %s", (long long)rules[i].id,
                              symbols[s].name);
                warn(check, &err);
            }
        }
    }
    trading_store_free(store);
}

/* ---------------------------------------------------------------- paths */

/* The files of the state folder that a start writes; it creates those that are missing. */
static int check_state(const char *state_dir, struct err *err)
{
    static const char *const names[] = {OPS_LOCK_NAME, OPS_LOG_NAME, "trading.db", "ops.db"};
    int rc = file_check_folder(state_dir, err);
    for (size_t i = 0; rc >= 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        AUTO_BUF struct buf path = BUF_INIT(4096);
        buf_addf(&path, "%s/%s", state_dir, names[i]);
        rc = file_check_writable(path.data, err);
    }
    return rc;
}

static bool has_content(const char *state_dir, const char *name)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct stat st;
    buf_addf(&path, "%s/%s", state_dir, name);
    return stat(path.data, &st) == 0 && st.st_size > 0;
}

static int check_key(const char *state_dir, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct secret_key key;
    buf_addf(&path, "%s/" OPS_KEY_NAME, state_dir);
    int rc = file_exists(path.data) ? secret_key_load(path.data, &key, err) : 0;
    secret_wipe(&key, sizeof(key));
    return rc;
}

int cli_check_databases(const char *state_dir, struct err *err)
{
    struct trading_store *trading = NULL;
    struct ops_store *ops = NULL;
    int rc = secret_init(err);
    if (rc >= 0 && has_content(state_dir, "trading.db")) {
        rc = trading_store_open(state_dir, TRADING_STORE_READ, &trading, err);
    }
    if (rc >= 0 && has_content(state_dir, "ops.db")) {
        rc = ops_store_open(state_dir, OPS_STORE_READ, &ops, err);
    }
    if (rc >= 0) {
        rc = check_key(state_dir, err);
    }
    trading_store_free(trading);
    ops_store_free(ops);
    return rc;
}

/* Only a warning: without a socket the daemon runs, but `nightdesk do` cannot reach it. */
static void check_socket(const struct config *config, const char *state_dir,
                         struct cli_check *check)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct err err = {0};
    int rc = ops_socket_path(config, state_dir, &path, &err);
    const char *slash = strrchr(path.data, '/');
    if (rc >= 0 && config->api_socket[0] != '\0') {
        AUTO_BUF struct buf folder = BUF_INIT(4096);
        buf_add(&folder, path.data, slash == NULL ? 0 : (size_t)(slash - path.data));
        buf_add_c(&folder, slash == NULL ? "." : slash == path.data ? "/" : "");
        rc = !file_exists(folder.data) ? err_set(&err, ERR_FILE_MISSING, "%.200s", folder.data)
                                       : file_check_folder(folder.data, &err);
    }
    if (rc < 0) {
        (void)at_option(config, config->api_socket[0] != '\0' ? "api.socket" : "state.dir", &err);
        warn(check, &err);
    }
}

/* ---------------------------------------------------------------- the user's commands */

static void warn_of_manifest(const struct err *why, void *userdata)
{
    warn(userdata, why);
}

static void check_commands(const struct config *config, struct cli_check *check)
{
    if (config->commands_folder[0] == '\0') {
        return; /* the program's own are correct */
    }
    struct builtin builtin = {0};
    struct action_table *actions = cli_actions(&builtin);
    struct manifest_list *list = NULL;
    const struct manifest_problems problems = {warn_of_manifest, check};
    struct err err = {0};
    if (manifest_list_load(actions, &list, &err) < 0) {
        warn(check, &err);
    } else {
        (void)manifest_list_reload(list, config->commands_folder, MANIFEST_SKIP_BAD, &problems);
    }
    manifest_list_free(list);
    action_table_free(actions);
}

int cli_check(const struct config *config, const char *state_dir, struct cli_check *ret)
{
    struct settings settings;
    int64_t step_us = 0;
    *ret = (struct cli_check){.warning_count = 0};
    config_settings(config, &settings);
    struct live_plan plan;
    int rc = check_live(config, &settings, &plan, &ret->problem);
    if (rc < 0) {
        return rc;
    }
    rc = driver_check_market(&settings, &step_us, &ret->problem);
    if (rc < 0) {
        return at_option(config, "market.files", &ret->problem);
    }
    struct venue_settings venue;
    config_venue(config, &venue);
    if ((rc = venue_check_settings(&venue, &ret->problem)) < 0) {
        return at_option(config, "venue.name", &ret->problem);
    }
    if ((rc = check_apart(config, &plan, &venue, &ret->problem)) < 0) {
        return rc;
    }
    check_use_of_files(config, &settings, ret);
    check_model(config, &settings, step_us, ret);
    if ((rc = check_state(state_dir, &ret->problem)) < 0) {
        return at_option(config, "state.dir", &ret->problem);
    }
    check_socket(config, state_dir, ret);
    check_rules(&settings, state_dir, ret);
    check_commands(config, ret);
    return 0;
}
