#include "base/check.h"
#include "config_read.h"
#include "io/units.h"

#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_name(struct str name)
{
    if (name.len == 0 || name.len >= sizeof(((struct config_service *)0)->name)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

static int problem_count(const struct load *load)
{
    return load->problems->count + load->problems->more;
}

static void check_status(struct load *load, const struct yaml_node *map, const char *path,
                         int64_t status)
{
    if (status != 0 && status < 100) {
        detail_problem(load, ERR_CONFIG_RANGE, map,
                       "%s.expect_status: expected 100 to 599, or 0 for any from 200 to 299", path);
    }
}

static void check_command(struct load *load, const struct yaml_node *map, const char *path,
                          const struct config_texts *command)
{
    if (command->count > 0 && command->items[0][0] == '\0') {
        detail_problem(load, ERR_CONFIG_TYPE, map, "%s.command: expected the name of a program",
                       path);
    }
}

/* ------------------------------------------------------------------ checks */

/* How many kinds it has; *ret is the name of the last. */
static int kinds_of(const struct config_check *c, const char **ret)
{
    const struct {
        const char *name;
        bool set;
    } kinds[] = {
        {"unit", c->unit[0] != '\0'},       {"url", c->url[0] != '\0'},
        {"tcp", c->tcp[0] != '\0'},         {"command", c->command.count > 0},
        {"file", c->file[0] != '\0'},       {"process", c->process[0] != '\0'},
        {"heartbeat", c->heartbeat_us > 0},
    };
    int count = 0;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        count += kinds[i].set ? 1 : 0;
        *ret = kinds[i].set ? kinds[i].name : *ret;
    }
    return count;
}

/* A field that its kind does not read would be without effect. */
static void check_fields(struct load *load, const struct yaml_node *map, const char *path,
                         const char *kind)
{
    static const struct {
        const char *name;
        const char *kinds; /* that read it */
    } fields[] = {
        {"grace", "heartbeat"},
        {"expect_status", "url"},
        {"body_has", "url"},
        {"body_matches", "url"},
        {"json_pointer", "url"},
        {"json_value", "url"},
        {"max_latency", "url, tcp"},
        {"redirects", "url"},
        {"ca_file", "url"},
        {"certificate_days", "url"},
        {"max_age", "file"},
        {"min_size", "file"},
        {"path", "url"},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const struct yaml_node *node = yaml_get(map, fields[i].name);
        if (node != NULL && strstr(fields[i].kinds, kind) == NULL) {
            detail_problem(load, ERR_CONFIG_CONFLICT, node,
                           "%s.%s: expected only with %s; this check is of kind %s", path,
                           fields[i].name, fields[i].kinds, kind);
        }
    }
}

/* HOST:PORT or [ADDRESS]:PORT. */
static bool is_host_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port = 0;
    return colon != NULL && colon != text && strpbrk(text, " \t/@") == NULL &&
           (strcmp(colon + 1, "%i") == 0 || /* config_check.c says whether it is one */
            (str_to_i64(str_c(colon + 1), &port) && port > 0 && port < 65536)) &&
           (text[0] == '[' ? colon[-1] == ']' : memchr(text, ':', (size_t)(colon - text)) == NULL);
}

static bool is_regex(const char *pattern)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    regfree(&regex);
    return true;
}

/* A back-reference can take exponential time. */
static bool has_back_reference(const char *pattern)
{
    for (const char *at = pattern; (at = strchr(at, '\\')) != NULL && at[1] != '\0'; at += 2) {
        if (at[1] >= '1' && at[1] <= '9') {
            return true;
        }
    }
    return false;
}

static void check_check(struct load *load, const struct yaml_node *map, const char *path,
                        const struct config_check *c)
{
    const char *kind = "";
    int kinds = kinds_of(c, &kind);
    if (kinds != 1) {
        detail_problem(load, kinds == 0 ? ERR_CONFIG_MISSING : ERR_CONFIG_CONFLICT, map,
                       "%s: expected one of unit, url, tcp, command, file, process and heartbeat, "
                       "which is its kind; found %d of them",
                       path, kinds);
        return;
    }
    check_fields(load, map, path, kind);
    check_status(load, map, path, c->expect_status);
    check_command(load, map, path, &c->command);
    if (c->tcp[0] != '\0' && !is_host_port(c->tcp)) {
        detail_problem(load, ERR_CONFIG_TYPE, map,
                       "%s.tcp: expected HOST:PORT, such as 127.0.0.1:5432 or [::1]:5432", path);
    }
    if (c->unit[0] != '\0' && !units_name_valid(c->unit)) {
        detail_problem(load, ERR_CONFIG_TYPE, map,
                       "%s.unit: expected the name of a unit such as a.service, found \"%.40s\"",
                       path, c->unit);
    }
    if (!is_regex(c->body_matches) || has_back_reference(c->body_matches)) {
        detail_problem(load, ERR_CONFIG_TYPE, map,
                       "%s.body_matches: expected an extended regular expression without "
                       "back-references",
                       path);
    }
    if (c->path[0] != '\0' && (c->path[0] != '/' || strpbrk(c->path, " \t") != NULL)) {
        detail_problem(load, ERR_CONFIG_TYPE, map,
                       "%s.path: expected a path that starts with / and contains no space", path);
    }
    if (c->json_pointer[0] != '\0' && c->json_pointer[0] != '/') {
        detail_problem(load, ERR_CONFIG_TYPE, map,
                       "%s.json_pointer: expected a JSON pointer, which starts with /", path);
    }
    if (c->json_value[0] != '\0' && c->json_pointer[0] == '\0') {
        detail_problem(load, ERR_CONFIG_MISSING, map, "%s.json_value: expected a json_pointer too",
                       path);
    }
    if ((c->file[0] != '\0' && c->file[0] != '/') ||
        (c->process[0] != '\0' && c->process[0] != '/')) {
        detail_problem(load, ERR_CONFIG_TYPE, map, "%s.%s: expected a path that starts with /",
                       path, kind);
    }
}

static void read_check(struct load *load, struct config_service *service,
                       const struct yaml_node *key, const struct yaml_node *map,
                       const char *service_path)
{
    struct config_check *check = &service->checks[service->check_count];
    struct str name = yaml_text(key);
    AUTO_BUF struct buf path = BUF_INIT(128);
    if (!is_name(name)) {
        detail_problem(load, ERR_CONFIG_TYPE, key,
                       "%s.checks: expected a name of 1 to 31 of a-z, 0-9, - and _", service_path);
        return;
    }
    if (str_equal_c(name, "unit") || str_equal_c(name, "url") || str_equal_c(name, "child")) {
        detail_problem(load, ERR_CONFIG_TYPE, key,
                       "%s.checks.%.*s: this is the name of one of the service's own checks",
                       service_path, STR_ARG(name));
        return;
    }
    buf_addf(&path, "%s.checks.%.*s", service_path, STR_ARG(name));
    if (!config_expect_kind(load, map, YAML_MAPPING, path.data, "unit, url, tcp, command …")) {
        return;
    }
    int before = problem_count(load);
    (void)str_copy(name, check->name, sizeof(check->name));
    config_read_fields(load,
                       &(struct config_fields){option_check_fields, option_check_field_count, NULL},
                       check, map, path.data);
    if (before == problem_count(load)) {
        check_check(load, map, path.data, check);
    }
    service->check_count++;
}

static void read_checks(struct load *load, struct config_service *service,
                        const struct yaml_node *map, const char *service_path)
{
    AUTO_BUF struct buf path = BUF_INIT(64);
    buf_addf(&path, "%s.checks", service_path);
    if (map == NULL || yaml_is_null(map) ||
        !config_expect_kind(load, map, YAML_MAPPING, path.data, "checks by name")) {
        return;
    }
    if (yaml_len(map) > CONFIG_CHECKS_MAX) {
        detail_problem(load, ERR_CONFIG_RANGE, map, "%s: expected at most %d checks, found %zu",
                       path.data, CONFIG_CHECKS_MAX, yaml_len(map));
        return;
    }
    if (yaml_len(map) == 0) {
        return;
    }
    service->checks = calloc(yaml_len(map), sizeof(*service->checks));
    ASSERT(service->checks != NULL);
    for (size_t i = 0; i < yaml_len(map); i++) {
        read_check(load, service, yaml_key(map, i), yaml_value(map, i), service_path);
    }
}

/* ------------------------------------------------------------------ services */

static void check_service(struct load *load, const struct yaml_node *map, const char *path,
                          const struct config_service *s)
{
    if (s->unit[0] != '\0' && s->command.count > 0) {
        detail_problem(load, ERR_CONFIG_CONFLICT, map, "%s: expected unit or command, not both",
                       path);
    }
    if (s->unit[0] == '\0' && s->command.count == 0 && s->url[0] == '\0' && s->check_count == 0) {
        detail_problem(load, ERR_CONFIG_MISSING, map,
                       "%s: expected a unit, a command, a url or checks", path);
    }
    check_status(load, map, path, s->expect_status);
    if (s->health_endpoint[0] != '/') {
        detail_problem(load, ERR_CONFIG_TYPE, map,
                       "%s.health_endpoint: expected a path that starts with /", path);
    }
    if (strpbrk(s->health_endpoint, " \t") != NULL) {
        detail_problem(load, ERR_CONFIG_TYPE, map,
                       "%s.health_endpoint: it contains a space; a URL holds one as %%20", path);
    }
    check_command(load, map, path, &s->command);
}

static void read_service(struct load *load, const struct yaml_node *key,
                         const struct yaml_node *map)
{
    struct config *config = load->config;
    struct str name = yaml_text(key);
    if (!is_name(name)) {
        detail_problem(load, ERR_CONFIG_TYPE, key,
                       "services: expected a name of 1 to 31 of a-z, 0-9, - and _");
        return;
    }
    AUTO_BUF struct buf path = BUF_INIT(64);
    buf_addf(&path, "services.%.*s", STR_ARG(name));
    if (!config_expect_kind(load, map, YAML_MAPPING, path.data, "unit, command, url …")) {
        return;
    }
    struct config_service *service = &config->services[config->service_count++];
    *service =
        (struct config_service){.line = key->line, .unit = "", .url = "", .health_endpoint = ""};
    (void)str_copy(name, service->name, sizeof(service->name));
    int before = problem_count(load);
    config_read_fields(
        load, &(struct config_fields){option_service_fields, option_service_field_count, "checks"},
        service, map, path.data);
    read_checks(load, service, yaml_get(map, "checks"), path.data);
    if (before == problem_count(load)) {
        check_service(load, map, path.data, service);
    }
}

void config_services_read(struct load *load, const struct yaml_node *map)
{
    if (!config_expect_kind(load, map, YAML_MAPPING, "services", "services by name")) {
        return;
    }
    if (yaml_len(map) > CONFIG_SERVICES_MAX) {
        detail_problem(load, ERR_CONFIG_RANGE, map,
                       "services: expected at most %d services, found %zu", CONFIG_SERVICES_MAX,
                       yaml_len(map));
        return;
    }
    if (yaml_len(map) == 0) {
        return;
    }
    load->config->services = calloc(yaml_len(map), sizeof(*load->config->services));
    ASSERT(load->config->services != NULL);
    for (size_t i = 0; i < yaml_len(map); i++) {
        read_service(load, yaml_key(map, i), yaml_value(map, i));
    }
}

/* ------------------------------------------------------------------ self, demo */

/* The path of this program; it stays right after its file was replaced by a newer one. */
static const char *self_path(struct config_detail *detail)
{
    static const char deleted[] = " (deleted)";
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    struct str s = n > 0 ? str_n(path, (size_t)n) : STR_LIT("nightdesk");
    size_t tail = sizeof(deleted) - 1;
    if (s.len > tail && memcmp(s.ptr + s.len - tail, deleted, tail) == 0) {
        s.len -= tail;
    }
    return detail_text(detail, s);
}

static void resolve_self(struct load *load)
{
    struct config *config = load->config;
    for (int i = 0; i < config->service_count; i++) {
        struct config_texts *command = &config->services[i].command;
        if (command->count > 0 && strcmp(command->items[0], "self") == 0) {
            const char *path = self_path(config->detail);
            command->items[0] = path != NULL ? path : "nightdesk";
        }
    }
}

/* The service that is checked and can be restarted if there is no file. */
static const char demo_services[] = "demo:\n"
                                    "  command: [self, demo-service, --port, \"8099\"]\n"
                                    "  url: http://127.0.0.1:8099\n"
                                    "  health_endpoint: /health\n";

void config_services_finish(struct load *load, bool none)
{
    struct config *config = load->config;
    if (none) {
        AUTO_YAML struct yaml *demo = NULL;
        ASSERT(yaml_parse(str_c(demo_services), "defaults", &demo, NULL) == 0);
        config_services_read(load, yaml_root(demo));
        config->services[0].line = 0;
    }
    resolve_self(load);
}
