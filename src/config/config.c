#include "config/config.h"

#include "base/check.h"
#include "base/log.h"
#include "config_read.h"
#include "io/file.h"

#include <string.h>

#define LOCAL_FILE  "nightdesk.yaml"
#define SYSTEM_FILE "/etc/nightdesk/nightdesk.yaml"

void config_free(struct config *config)
{
    if (config != NULL) {
        for (int i = 0; i < config->service_count; i++) {
            free(config->services[i].checks);
        }
        free(config->services);
        detail_free(config->detail);
        free(config);
    }
}

/* Reads all sources in order. root is NULL if there is no file. */
static int build(const struct yaml_node *root, const char *name,
                 const struct config_options *options, struct config **ret,
                 struct config_problems *problems, struct err *err)
{
    AUTO_FREE struct config_problems *own = NULL;
    if (problems == NULL) {
        problems = own = calloc(1, sizeof(*own));
        ASSERT(own != NULL);
    }
    *problems = (struct config_problems){.count = 0};
    AUTO_CONFIG struct config *config = calloc(1, sizeof(*config));
    ASSERT(config != NULL);
    config->detail = detail_new();
    (void)str_copy(str_c(root != NULL ? name : ""), config->detail->path,
                   sizeof(config->detail->path));
    struct load load = {.config = config,
                        .name = name,
                        .problems = problems,
                        .credentials = getenv("CREDENTIALS_DIRECTORY"),
                        .without_secrets = options->without_secrets,
                        .root = root,
                        .unseal = options->unseal};
    config_read_defaults(&load);
    if (root != NULL) {
        config_read_tree(&load, root);
    }
    config_read_credentials(&load);
    config_read_finish(&load, root);
    sealed_set_release(&load.sealed);
    if (problems->count > 0) {
        if (err != NULL) {
            *err = problems->items[0];
        }
        return -problems->items[0].id;
    }
    *ret = TAKE(config);
    return 0;
}

/* Reports a single problem, for example a file that is not valid YAML. */
static int only_problem(struct config_problems *problems, const struct err *why, struct err *err)
{
    if (problems != NULL) {
        *problems = (struct config_problems){.count = 1, .items = {*why}};
    }
    if (err != NULL) {
        *err = *why;
    }
    return -why->id;
}

int config_parse(struct str text, const char *name, struct config **ret,
                 struct config_problems *problems, struct err *err)
{
    AUTO_YAML struct yaml *doc = NULL;
    struct err why = {0};
    int rc = secret_init(err);
    if (rc < 0) {
        return rc;
    }
    if (yaml_parse(text, name, &doc, &why) < 0) {
        return only_problem(problems, &why, err);
    }
    return build(yaml_root(doc), name, &(struct config_options){.path = NULL}, ret, problems, err);
}

static int parse_again(const char *path, const struct str *given, struct yaml **ret,
                       struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(YAML_MAX_BYTES);
    int rc = given != NULL ? 0 : file_read_settled(path, &text, err);
    if (rc < 0 || (rc = yaml_parse(given != NULL ? *given : buf_str(&text), path, ret, err)) < 0) {
        return rc;
    }
    const struct yaml_node *root = yaml_root(*ret);
    bool empty = root->kind == YAML_MAPPING && yaml_len(root) == 0;
    return empty ? err_set(err, ERR_CONFIG_MISSING, "%.200s: it is empty", path) : 0;
}

int config_load(const struct config_options *options, struct config **ret,
                struct config_problems *problems, struct err *err)
{
    const char *path = options->path;
    if (path == NULL && !options->no_file) {
        path = file_exists(LOCAL_FILE) ? LOCAL_FILE : file_exists(SYSTEM_FILE) ? SYSTEM_FILE : NULL;
    }
    AUTO_YAML struct yaml *doc = NULL;
    struct err why = {0};
    /* Before anything is read that may be a secret: no core dumps, and locked memory. */
    int rc = secret_init(err);
    if (rc < 0) {
        return rc;
    }
    ASSERT(options->text == NULL || (path != NULL && options->again));
    if (path != NULL && (options->again ? parse_again(path, options->text, &doc, &why)
                                        : yaml_parse_file(path, &doc, &why)) < 0) {
        return only_problem(problems, &why, err);
    }
    struct config *config = NULL;
    rc = build(doc != NULL ? yaml_root(doc) : NULL, path, options, &config, problems, err);
    if (rc < 0) {
        return rc;
    }
    /* Not in config_parse, whose result may only be checked, not used. The part of a bot token
     * behind the colon also alone: a URL may hold the colon as %3A. */
    for (int i = 0; i < config->detail->secret_count; i++) {
        const char *secret = secret_text(config->detail->secrets[i]);
        const char *colon = strchr(secret, ':');
        bool is_url = strstr(secret, "://") != NULL;
        if (!log_hide(secret) ||
            (colon != NULL && !is_url && strlen(colon + 1) >= 16 && !log_hide(colon + 1))) {
            config_free(config);
            (void)err_set(&why, ERR_CONFIG_LIMIT, "too many secrets since the start");
            return only_problem(problems, &why, err);
        }
    }
    *ret = config;
    return 0;
}

const char *config_path(const struct config *config)
{
    return config->detail->path;
}

void config_add_place(const struct config *config, const char *path, struct buf *out)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct origin *origin = &config->detail->origins[i];
        if (strcmp(option_table[i].path, path) == 0 && origin->kind == ORIGIN_FILE) {
            buf_addf(out, "%.80s:%d:%d: ", config->detail->path, origin->line, origin->column);
        }
    }
    buf_add_c(out, path);
}

static bool refers_to(struct str text, struct str name)
{
    AUTO_BUF struct buf whole = BUF_INIT(128), fallback = BUF_INIT(128);
    buf_addf(&whole, "${%.*s}", STR_ARG(name));
    buf_addf(&fallback, "${%.*s:-", STR_ARG(name));
    return memmem(text.ptr, text.len, whole.data, whole.len) != NULL ||
           memmem(text.ptr, text.len, fallback.data, fallback.len) != NULL;
}

bool config_refers_to(const struct config *config, struct str name)
{
    AUTO_BUF struct buf text = BUF_INIT(YAML_MAX_BYTES);
    for (size_t i = 0; i < option_count; i++) {
        if (option_table[i].type == OPTION_SECRET &&
            refers_to(str_c(option_table[i].fallback), name)) {
            return true;
        }
    }
    return config_path(config)[0] != '\0' && file_read(config_path(config), &text, NULL) == 0 &&
           refers_to(buf_str(&text), name);
}

const struct config_service *config_service(const struct config *config, struct str name)
{
    for (int i = 0; i < config->service_count; i++) {
        if (str_equal_c(name, config->services[i].name)) {
            return &config->services[i];
        }
    }
    return NULL;
}

bool config_market_file(const char *text, struct market_file *ret)
{
    struct str name, path = str_c(text);
    if (!str_split(&path, '=', &name) || !symbol_parse(str_trim(name), &ret->symbol)) {
        return false;
    }
    ret->path = path.ptr + strspn(path.ptr, " \t");
    ret->unit = 1;
    size_t len = strlen(ret->path);
    return len > 0 && len <= MARKET_PATH_MAX;
}

bool config_market_unit(const char *text, struct symbol *ret, int *ret_unit)
{
    struct str name, rest = str_c(text);
    int64_t unit = 0, power = 10;
    if (!str_split(&rest, '=', &name) || !symbol_parse(str_trim(name), ret) ||
        !str_to_i64(str_trim(rest), &unit)) {
        return false;
    }
    while (power < unit && power < MARKET_UNIT_MAX) {
        power *= 10;
    }
    *ret_unit = (int)unit;
    return unit == 1 || unit == power;
}

static void set_unit(struct settings *settings, const char *text)
{
    struct symbol symbol;
    int unit;
    ASSERT(config_market_unit(text, &symbol, &unit));
    for (int i = 0; i < settings->market_file_count; i++) {
        if (symbol_equal(settings->market_files[i].symbol, symbol)) {
            settings->market_files[i].unit = unit;
        }
    }
}

static void set_market(const struct config *config, struct settings *ret)
{
    ret->market_source = strcmp(config->market_source, "csv") == 0    ? MARKET_CSV
                         : strcmp(config->market_source, "live") == 0 ? MARKET_LIVE
                                                                      : MARKET_SIMULATED;
    for (int i = 0; i < config->market_files.count; i++) {
        ASSERT(config_market_file(config->market_files.items[i],
                                  &ret->market_files[ret->market_file_count]));
        ret->market_file_count++;
    }
    for (int i = 0; i < config->market_file_units.count; i++) {
        set_unit(ret, config->market_file_units.items[i]);
    }
    ret->market_max_dropped_pct = config->market_max_dropped_pct;
}

static enum entry_order entry_order_of(const char *word)
{
    return strcmp(word, "limit") == 0       ? ENTRY_LIMIT
           : strcmp(word, "post_only") == 0 ? ENTRY_POST_ONLY
                                            : ENTRY_MARKET;
}

static void set_tier(struct tier *tier, const struct config_symbols *symbols,
                     double max_position_pct, double max_exposure_pct)
{
    tier->symbol_count = symbols->count;
    memcpy(tier->symbols, symbols->items, sizeof(tier->symbols));
    tier->max_position_pct = max_position_pct;
    tier->max_exposure_pct = max_exposure_pct;
}

bool config_reserved_coin(const char *text, struct reserved_coin *ret)
{
    struct str name, rest = str_c(text);
    *ret = (struct reserved_coin){.currency = ""};
    return str_split(&rest, '=', &name) &&
           str_copy(str_trim(name), ret->currency, sizeof(ret->currency)) &&
           ret->currency[0] != '\0' && dec_parse(str_trim(rest), &ret->amount) &&
           ret->amount.e8 > 0;
}

static void set_reserved(const struct config *config, struct real_venue_settings *ret)
{
    for (int i = 0; i < config->venue_reserved.count; i++) {
        ASSERT(config_reserved_coin(config->venue_reserved.items[i],
                                    &ret->reserved[ret->reserved_count]));
        ret->reserved_count++;
    }
}

void config_venue(const struct config *config, struct venue_settings *ret)
{
    *ret = (struct venue_settings){
        .paper = {.initial_cash = config->paper_initial_cash,
                  .max_leverage = config->risk_max_leverage,
                  .spread_bps = config->paper_spread,
                  .fee_bps = config->paper_fee,
                  .maker_fee_bps = config->paper_maker_fee,
                  .depth = config->paper_depth,
                  .level_bps = config->paper_level,
                  .latency_us = config->paper_latency_us,
                  .reject_pct = config->paper_reject_pct,
                  .min_notional = config->paper_min_notional,
                  .tick_digits = config->paper_tick_digits,
                  .funding_bps = config->paper_funding,
                  .lot = config->paper_lot,
                  .fee_in_coins = config->paper_fee_in_coins},
        .real = {.mode = strcmp(config->venue_mode, "live") == 0      ? VENUE_LIVE
                         : strcmp(config->venue_mode, "sandbox") == 0 ? VENUE_SANDBOX
                                                                      : VENUE_DRY_RUN,
                 .key_id = config->venue_key,
                 .key_secret = config->venue_secret,
                 .url = config->venue_url,
                 .stream_url = config->venue_stream_url,
                 .ca_file = config->venue_ca_file,
                 .accept_withdrawal = config->venue_accept_withdrawal,
                 .accept_unknown_withdrawal = config->venue_accept_unknown_withdrawal,
                 .extended_hours = config->venue_extended_hours},
    };
    (void)str_copy(str_c(config->venue_name), ret->name, sizeof(ret->name));
    set_reserved(config, &ret->real);
}

static void set_live(const struct config *config, const char *venue, struct live_settings *ret)
{
    bool first = strcmp(venue, config->market_venue) == 0;
    const char *url =
        first ? config->market_url : config_venue_url(&config->market_venue_urls, venue);
    const char *stream_url = first ? config->market_stream_url
                                   : config_venue_url(&config->market_venue_stream_urls, venue);
    *ret = (struct live_settings){.depth = config->market_depth};
    (void)str_copy(str_c(venue), ret->venue, sizeof(ret->venue));
    (void)str_copy(str_c(url != NULL ? url : ""), ret->url, sizeof(ret->url));
    (void)str_copy(str_c(stream_url != NULL ? stream_url : ""), ret->stream_url,
                   sizeof(ret->stream_url));
    (void)str_copy(str_c(config->market_ca_file), ret->ca_file, sizeof(ret->ca_file));
    config_price_key(config, venue, &ret->key_id, &ret->key_secret);
}

static int add_venue(const struct config *config, const char *venue, struct live_plan *plan)
{
    int at = 0;
    while (at < plan->count && strcmp(plan->venues[at].venue, venue) != 0) {
        at++;
    }
    if (at == plan->count) {
        ASSERT(plan->count < LIVE_VENUES_MAX); /* config_check.c counts them */
        set_live(config, venue, &plan->venues[plan->count++]);
    }
    return at;
}

void config_live(const struct config *config, struct live_plan *ret)
{
    *ret = (struct live_plan){.count = 0};
    (void)add_venue(config, config->market_venue, ret);
    for (int i = 0; i < config->market_venues.count; i++) {
        struct live_route *route = &ret->routes[ret->route_count];
        char venue[16];
        ASSERT(config_market_venue(config->market_venues.items[i], &route->symbol, venue));
        route->venue = add_venue(config, venue, ret);
        ret->route_count++;
    }
}

bool config_market_venue(const char *text, struct symbol *ret, char ret_venue[16])
{
    struct str name, venue = str_c(text);
    return str_split(&venue, '=', &name) && symbol_parse(str_trim(name), ret) &&
           str_trim(venue).len > 0 && str_copy(str_trim(venue), ret_venue, 16);
}

const char *config_venue_url(const struct config_texts *list, const char *venue)
{
    size_t length = strlen(venue);
    for (int i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], venue, length) == 0 && list->items[i][length] == '=') {
            return list->items[i] + length + 1;
        }
    }
    return NULL;
}

/* alpaca_sip has Alpaca's keys. */
static bool has_key_of(const char *venue, const char *name)
{
    size_t length = strlen(name);
    return strncmp(venue, name, length) == 0 && (venue[length] == '\0' || venue[length] == '_');
}

void config_price_key(const struct config *config, const char *venue, const char **ret_id,
                      const char **ret_secret)
{
    bool own = config->market_key[0] != '\0';
    bool shared = !own && has_key_of(venue, config->venue_name);
    *ret_id = own ? config->market_key : shared ? config->venue_key : "";
    *ret_secret = own ? config->market_secret : shared ? config->venue_secret : "";
}

void config_settings(const struct config *config, struct settings *ret)
{
    *ret = (struct settings){
        .symbol_count = config->market_symbols.count,
        .seed = (uint64_t)config->market_seed,
        .market_speed = config->market_speed,
        .threshold = config->trading_threshold,
        .entry_order = entry_order_of(config->trading_entry_order),
        .risk_per_trade_pct = config->risk_risk_per_trade_pct,
        .max_position_pct = config->risk_max_position_pct,
        .max_positions = config->risk_max_positions,
        .stop_pct = config->risk_stop_pct,
        .target_pct = config->risk_target_pct,
        .max_daily_loss_pct = config->risk_max_daily_loss_pct,
        .max_drawdown_pct = config->risk_max_drawdown_pct,
        .max_consecutive_losses = config->risk_max_consecutive_losses,
        .cooldown_us = config->risk_cooldown_us,
        .initial_cash = strcmp(config->venue_name, "paper") == 0 ? config->paper_initial_cash
                                                                 : config->venue_capital,
        .max_exposure_pct = config->risk_max_exposure_pct,
        .max_leverage = config->risk_max_leverage,
        .max_correlation = config->risk_max_correlation,
        .maintenance_margin_pct = config->risk_maintenance_margin_pct,
        .min_liquidation_distance_pct = config->risk_min_liquidation_distance_pct,
        .max_orders_per_minute = config->risk_max_orders_per_minute,
    };
    memcpy(ret->symbols, config->market_symbols.items, sizeof(ret->symbols));
    set_market(config, ret);
    (void)str_copy(str_c(config->trading_model), ret->model, sizeof(ret->model));
    set_tier(&ret->tiers[0], &config->tiers_tier1_symbols, config->tiers_tier1_max_position_pct,
             config->tiers_tier1_max_exposure_pct);
    set_tier(&ret->tiers[1], &config->tiers_tier2_symbols, config->tiers_tier2_max_position_pct,
             config->tiers_tier2_max_exposure_pct);
    set_tier(&ret->tiers[2], &config->tiers_tier3_symbols, config->tiers_tier3_max_position_pct,
             config->tiers_tier3_max_exposure_pct);
}
