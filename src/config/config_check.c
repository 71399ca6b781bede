#include "base/address.h"
#include "base/check.h"
#include "config_read.h"
#include "io/sign.h"
#include "io/units.h"
#include "model/venue_settings.h"

#include <string.h>

static const struct yaml_node *node_of(const struct yaml_node *root, const char *group,
                                       const char *name)
{
    return yaml_get(yaml_get(root, group), name);
}

/* ---------------------------------------------------------------- market.files */

/* Index of the first of `count` items with this path, or with this symbol if path is NULL; -1 if
 * there is none. */
static int find_file(const struct config *config, int count, struct symbol symbol, const char *path)
{
    for (int i = 0; i < count; i++) {
        struct market_file file;
        if (config_market_file(config->market_files.items[i], &file) &&
            (path != NULL ? strcmp(path, file.path) == 0 : symbol_equal(file.symbol, symbol))) {
            return i;
        }
    }
    return -1;
}

static void check_file(struct load *load, const struct yaml_node *node, int at)
{
    const struct config *config = load->config;
    struct market_file file, other;
    if (!config_market_file(config->market_files.items[at], &file)) {
        detail_problem(load, ERR_CONFIG_TYPE, node,
                       "market.files: expected SYMBOL=path, the path of at most %d characters",
                       MARKET_PATH_MAX);
    } else if (find_file(config, at, file.symbol, NULL) >= 0) {
        detail_problem(load, ERR_CONFIG_DUPLICATE, node, "market.files: %s already has a file",
                       file.symbol.name);
    } else if ((at = find_file(config, at, file.symbol, file.path)) >= 0 &&
               config_market_file(config->market_files.items[at], &other)) {
        detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                       "market.files: %.80s is already the file of %s", file.path,
                       other.symbol.name);
    }
}

/* A unit for each symbol once, and only for one that has a file. */
static void check_unit(struct load *load, const struct yaml_node *node, int at)
{
    const struct config *config = load->config;
    struct symbol symbol, before;
    int unit;
    if (!config_market_unit(config->market_file_units.items[at], &symbol, &unit)) {
        detail_problem(load, ERR_CONFIG_TYPE, node,
                       "market.file_units: expected SYMBOL=unit, the unit 1, 10, 100 … %d",
                       MARKET_UNIT_MAX);
        return;
    }
    if (find_file(config, config->market_files.count, symbol, NULL) < 0) {
        detail_problem(load, ERR_CONFIG_MISSING, node, "market.file_units: %s has no file",
                       symbol.name);
    }
    for (int i = 0; i < at; i++) {
        if (config_market_unit(config->market_file_units.items[i], &before, &unit) &&
            symbol_equal(before, symbol)) {
            detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                           "market.file_units: %s already has a unit", symbol.name);
        }
    }
}

/* With market.source csv each symbol needs a file. */
static void check_files(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct yaml_node *list = node_of(root, "market", "files");
    for (int i = 0; i < config->market_files.count; i++) {
        check_file(load, yaml_at(list, (size_t)i), i);
    }
    const struct yaml_node *units = node_of(root, "market", "file_units");
    for (int i = 0; i < config->market_file_units.count; i++) {
        check_unit(load, yaml_at(units, (size_t)i), i);
    }
    if (strcmp(config->market_source, "csv") != 0) {
        return;
    }
    for (int i = 0; i < config->market_symbols.count; i++) {
        struct symbol symbol = config->market_symbols.items[i];
        if (find_file(config, config->market_files.count, symbol, NULL) < 0) {
            detail_problem(load, ERR_CONFIG_MISSING, list, "market.files: expected %s=path",
                           symbol.name);
        }
    }
}

/* ---------------------------------------------------------------- market.venues */

static bool is_traded(const struct config *config, struct symbol symbol)
{
    for (int i = 0; i < config->market_symbols.count; i++) {
        if (symbol_equal(config->market_symbols.items[i], symbol)) {
            return true;
        }
    }
    return false;
}

/* Counts the venue if no item before this one, and not market.venue, has it. */
static int count_venue(const struct config *config, int at, const char *venue)
{
    struct symbol symbol;
    char other[16];
    bool known = strcmp(venue, config->market_venue) == 0;
    for (int i = 0; i < at && !known; i++) {
        known = config_market_venue(config->market_venues.items[i], &symbol, other) &&
                strcmp(venue, other) == 0;
    }
    return !known;
}

static int check_venue(struct load *load, const struct yaml_node *node, int at)
{
    const struct config *config = load->config;
    struct symbol symbol, other;
    char venue[16], unused[16];
    if (!config_market_venue(config->market_venues.items[at], &symbol, venue)) {
        detail_problem(load, ERR_CONFIG_TYPE, node,
                       "market.venues: expected SYMBOL=venue, such as AAPL-USD=alpaca");
        return 0;
    }
    if (!is_traded(config, symbol)) {
        detail_problem(load, ERR_CONFIG_MISSING, node,
                       "market.venues: %s is not one of market.symbols", symbol.name);
    }
    for (int i = 0; i < at; i++) {
        if (config_market_venue(config->market_venues.items[i], &other, unused) &&
            symbol_equal(other, symbol)) {
            detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                           "market.venues: %s already has a venue", symbol.name);
        }
    }
    return count_venue(config, at, venue);
}

static void check_venue_urls(struct load *load, const struct yaml_node *list,
                             const struct config_texts *items, const char *option,
                             const char *const schemes[2])
{
    for (int i = 0; i < items->count; i++) {
        struct str name, url = str_c(items->items[i]);
        if (!str_split(&url, '=', &name) || name.len == 0 || url.len > 200 ||
            (!str_starts(url, schemes[0]) && !str_starts(url, schemes[1]))) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(list, (size_t)i),
                           "%s: expected venue=address, the address with %s or %s", option,
                           schemes[0], schemes[1]);
        }
    }
}

static void check_venues(struct load *load, const struct yaml_node *root)
{
    static const char *const http[2] = {"https://", "http://"}, *const ws[2] = {"wss://", "ws://"};
    const struct config *config = load->config;
    const struct yaml_node *list = node_of(root, "market", "venues");
    int count = 1;
    for (int i = 0; i < config->market_venues.count; i++) {
        count += check_venue(load, yaml_at(list, (size_t)i), i);
    }
    if (count > LIVE_VENUES_MAX) {
        detail_problem(load, ERR_CONFIG_RANGE, list,
                       "market.venues: expected at most %d venues, with market.venue",
                       LIVE_VENUES_MAX);
    }
    check_venue_urls(load, node_of(root, "market", "venue_urls"), &config->market_venue_urls,
                     "market.venue_urls", http);
    check_venue_urls(load, node_of(root, "market", "venue_stream_urls"),
                     &config->market_venue_stream_urls, "market.venue_stream_urls", ws);
}

static void check_stream(struct load *load, const struct yaml_node *root)
{
    struct str url = str_c(load->config->market_stream_url);
    if (url.len > 0 && !str_starts(url, "wss://") && !str_starts(url, "ws://")) {
        detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "market", "stream_url"),
                       "market.stream_url: expected a URL that starts with wss:// or ws://");
    }
}

/* ---------------------------------------------------------------- tiers */

static bool holds(const struct config_symbols *list, struct symbol symbol)
{
    for (int i = 0; i < list->count; i++) {
        if (symbol_equal(list->items[i], symbol)) {
            return true;
        }
    }
    return false;
}

/* A symbol may be in one tier only. */
static void check_tiers(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct {
        const char *name;
        const struct config_symbols *list;
    } tiers[] = {{"tier1_symbols", &config->tiers_tier1_symbols},
                 {"tier2_symbols", &config->tiers_tier2_symbols},
                 {"tier3_symbols", &config->tiers_tier3_symbols}};
    for (size_t t = 1; t < COUNT_OF(tiers); t++) {
        const struct yaml_node *list = node_of(root, "tiers", tiers[t].name);
        for (int i = 0; i < tiers[t].list->count; i++) {
            struct symbol symbol = tiers[t].list->items[i];
            for (size_t before = 0; before < t; before++) {
                if (holds(tiers[before].list, symbol)) {
                    /* The other list may be the default, which has no line. */
                    const struct yaml_node *at = list != NULL
                                                     ? yaml_at(list, (size_t)i)
                                                     : node_of(root, "tiers", tiers[before].name);
                    detail_problem(load, ERR_CONFIG_DUPLICATE, at,
                                   "tiers.%s: %s is also in tiers.%s", tiers[t].name, symbol.name,
                                   tiers[before].name);
                }
            }
        }
    }
}

/* ---------------------------------------------------------------- services */

/* Two services with one unit would restart it twice and raise two alerts. */
static void check_units(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct yaml_node *services = yaml_get(root, "services");
    for (int i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];
        const struct yaml_node *node = yaml_get(yaml_get(services, s->name), "unit");
        if (s->unit[0] != '\0' && !units_name_valid(s->unit)) {
            detail_problem(load, ERR_CONFIG_TYPE, node,
                           "services.%s.unit: expected the name of a unit such as a.service, found "
                           "\"%.40s\"",
                           s->name, s->unit);
        }
        for (int j = 0; j < i; j++) {
            if (s->unit[0] != '\0' && strcmp(s->unit, config->services[j].unit) == 0) {
                detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                               "services.%s.unit: %s is already the unit of services.%s", s->name,
                               s->unit, config->services[j].name);
            }
        }
    }
}

/* A misspelt name would keep a failure from naming its cause. */
static void check_dependencies(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct yaml_node *services = yaml_get(root, "services");
    for (int i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];
        const struct yaml_node *node = yaml_get(yaml_get(services, s->name), "depends_on");
        for (int k = 0; k < s->depends_on.count; k++) {
            const char *name = s->depends_on.items[k];
            if (config_service(config, str_c(name)) == NULL || strcmp(name, s->name) == 0) {
                detail_problem(load, ERR_CONFIG_TYPE, node,
                               "services.%s.depends_on: expected the name of another service, "
                               "found \"%.40s\"",
                               s->name, name);
            }
        }
    }
}

/* Whether all services that this one needs are among those that are done. */
static bool needs_only(const struct config *config, const struct config_service *s,
                       const bool *is_done)
{
    for (int k = 0; k < s->depends_on.count; k++) {
        const struct config_service *other = config_service(config, str_c(s->depends_on.items[k]));
        if (other != NULL && !is_done[other - config->services]) {
            return false;
        }
    }
    return true;
}

/* In a circle each service would be the cause of the others' failures, and nobody would be told. */
static void check_circles(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct yaml_node *services = yaml_get(root, "services");
    AUTO_FREE bool *is_done = calloc((size_t)config->service_count + 1, sizeof(*is_done));
    ASSERT(is_done != NULL);
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < config->service_count; i++) {
            if (!is_done[i] && needs_only(config, &config->services[i], is_done)) {
                is_done[i] = changed = true;
            }
        }
    }
    for (int i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];
        if (!is_done[i]) {
            detail_problem(
                load, ERR_CONFIG_CONFLICT, yaml_get(yaml_get(services, s->name), "depends_on"),
                "services.%s.depends_on: these services need each other in a circle", s->name);
            return;
        }
    }
}

/* ---------------------------------------------------------------- releases */

/* Without user, query and dots it cannot hold a secret, nor lead elsewhere than it says. */
static bool is_url_folder(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~/:[]+";
    size_t len = strlen(text);
    struct str host = strncmp(text, "https://", 8) == 0  ? str_c(text + 8)
                      : strncmp(text, "http://", 7) == 0 ? str_c(text + 7)
                                                         : str_c("");
    return host.len > 1 && host.ptr[0] != '/' && text[len - 1] == '/' &&
           strspn(text, plain) == len && strstr(text, "..") == NULL;
}

static void check_release(struct load *load, const struct yaml_node *node,
                          const struct config_service *s)
{
    const struct yaml_node *keys = yaml_get(node, "release_keys");
    const struct yaml_node *urls = yaml_get(node, "release_urls");
    if (s->release_root[0] != '\0' && (s->release_root[0] != '/' || s->release_root[1] == '\0')) {
        detail_problem(load, ERR_CONFIG_TYPE, yaml_get(node, "release_root"),
                       "services.%s.release_root: expected an absolute path", s->name);
    }
    for (int i = 0; i < s->release_keys.count; i++) {
        if (!sign_is_public(str_c(s->release_keys.items[i]))) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(keys, (size_t)i),
                           "services.%s.release_keys: expected a public key of 64 hex digits",
                           s->name);
        }
    }
    for (int i = 0; i < s->release_urls.count; i++) {
        if (!is_url_folder(s->release_urls.items[i])) {
            detail_problem(load, ERR_CONFIG_TYPE, yaml_at(urls, (size_t)i),
                           "services.%s.release_urls: expected a URL such as "
                           "https://example.org/releases/, with / at its end",
                           s->name);
        }
    }
}

static bool is_port(const char *text)
{
    int64_t port = 0;
    return str_to_i64(str_c(text), &port) && port > 0 && port <= 65535;
}

static void check_colours(struct load *load, const struct yaml_node *node,
                          const struct config_service *s)
{
    const struct yaml_node *list = yaml_get(node, "release_colours");
    const char *first = config_colour(s, 0), *second = config_colour(s, 1);
    bool both = config_has_colours(s);
    if (both && s->release_root[0] == '\0') {
        detail_problem(load, ERR_CONFIG_MISSING, yaml_get(node, "unit"),
                       "services.%s.unit: a template is deployed blue/green and needs a "
                       "release_root; without one, name an instance such as web@1.service",
                       s->name);
    }
    if (!both && s->release_colours.count > 0) {
        detail_problem(load, ERR_CONFIG_CONFLICT, list,
                       "services.%s.release_colours: expected a template as its unit, such as "
                       "web@.service",
                       s->name);
    }
    if (s->release_colours.count == 1 || strcmp(first, second) == 0 ||
        !config_colour_is_valid(str_c(first)) || !config_colour_is_valid(str_c(second))) {
        detail_problem(load, ERR_CONFIG_TYPE, list,
                       "services.%s.release_colours: expected two names such as blue and green, or "
                       "8001 and 8002",
                       s->name);
    }
    for (int i = 0; i < s->check_count; i++) {
        bool coloured = strstr(s->checks[i].tcp, "%i") != NULL;
        if (coloured && !(both && is_port(first) && is_port(second))) {
            detail_problem(load, ERR_CONFIG_CONFLICT, yaml_get(node, "checks"),
                           "services.%s.checks.%s.tcp: %%i is a port only with a template unit and "
                           "release_colours that are ports",
                           s->name, s->checks[i].name);
        }
    }
}

/* Two services with one folder would switch each other. */
static void check_releases(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    for (int i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];
        const struct yaml_node *node = yaml_get(yaml_get(root, "services"), s->name);
        check_release(load, node, s);
        check_colours(load, node, s);
        for (int j = 0; j < i && s->release_root[0] != '\0'; j++) {
            if (strcmp(s->release_root, config->services[j].release_root) == 0) {
                detail_problem(load, ERR_CONFIG_DUPLICATE, yaml_get(node, "release_root"),
                               "services.%s.release_root: it is already that of services.%s",
                               s->name, config->services[j].name);
            }
        }
    }
}

/* ---------------------------------------------------------------- api */

static void check_listen(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct config_texts *proxies = &config->api_trusted_proxies;
    bool cert = config->api_tls_cert[0] != '\0', key = config->api_tls_key[0] != '\0';
    struct address address;
    struct network network;
    if (!address_parse(str_c(config->api_listen), &address)) {
        detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "api", "listen"),
                       "api.listen: expected an IP address, such as 127.0.0.1");
    } else if (!address_is_loopback(&address) && !cert && proxies->count == 0) {
        detail_problem(load, ERR_CONFIG_RANGE, node_of(root, "api", "listen"),
                       "api.listen: %s can be reached from other machines: set api.tls_cert, or "
                       "api.trusted_proxies",
                       config->api_listen);
    }
    if (cert != key) {
        detail_problem(load, ERR_CONFIG_RANGE, node_of(root, "api", cert ? "tls_cert" : "tls_key"),
                       "api.%s: needs api.%s, too", cert ? "tls_cert" : "tls_key",
                       cert ? "tls_key" : "tls_cert");
    }
    for (int i = 0; i < proxies->count; i++) {
        if (!network_parse(str_c(proxies->items[i]), &network)) {
            detail_problem(load, ERR_CONFIG_TYPE, node_of(root, "api", "trusted_proxies"),
                           "api.trusted_proxies: %.60s is not an address or a network",
                           proxies->items[i]);
        }
    }
}

/* ---------------------------------------------------------------- all checks */

void config_check(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    check_files(load, root);
    check_stream(load, root);
    check_venues(load, root);
    check_tiers(load, root);
    config_check_limits(load, root);
    check_units(load, root);
    check_dependencies(load, root);
    check_circles(load, root);
    check_releases(load, root);
    config_check_notify(load, root);
    config_check_sentiment(load, root);
    config_check_venue(load, root);
    check_listen(load, root);
    config_check_api(load, root);
    /* The default socket is in the state folder; sun_path (unix(7)) has 107 characters. */
    if (config->api_socket[0] == '\0' &&
        strlen(config->state_dir) + strlen("/nightdesk.sock") > 107) {
        detail_problem(load, ERR_CONFIG_RANGE, node_of(root, "state", "dir"),
                       "state.dir: expected at most 92 characters, or set api.socket");
    }
}
