#include "base/check.h"
#include "base/roff.h"
#include "detail.h"
#include "io/json_out.h"
#include "value.h"

#include <string.h>

/* ------------------------------------------------------------------ shared */

static void add_quoted(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    buf_add_json(out, str_c(text)); /* also valid as a double-quoted YAML scalar */
    buf_add_char(out, '"');
}

static bool is_textual(enum option_type type)
{
    return type == OPTION_TEXT || type == OPTION_SECRET || type == OPTION_URL;
}

/* The default as written in the example: texts quoted, other types as in the table. */
static void add_fallback_yaml(struct buf *out, const struct option *option)
{
    if (is_textual(option->type) || strstr(option->fallback, "${") != NULL) {
        add_quoted(out, option->fallback);
    } else {
        buf_add_c(out, option->fallback);
    }
}

/* Wraps text into comment lines of at most 96 columns, each with the prefix. */
static void add_comment(struct buf *out, const char *prefix, const char *text)
{
    struct str rest = str_c(text);
    struct str word;
    size_t column = 0;
    while (str_word(&rest, &word)) {
        if (column > 0 && column + 1 + word.len > 96) {
            buf_add_char(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buf_add_c(out, prefix);
            column = strlen(prefix);
        }
        buf_add_char(out, ' ');
        buf_add_str(out, word);
        column += 1 + word.len;
    }
    buf_add_char(out, '\n');
}

/* ------------------------------------------------------------------ JSON Schema */

/* A limit of the table is a JSON number or empty. */
static void schema_limits(struct json_out *out, const struct option *o, const char *low,
                          const char *high)
{
    if (o->minimum[0] != '\0') {
        json_out_number(out, low, o->minimum);
    }
    if (o->maximum[0] != '\0') {
        json_out_number(out, high, o->maximum);
    }
}

static void schema_pattern(struct json_out *out, const char *pattern)
{
    json_out_object(out, NULL);
    json_out_text(out, "type", "string");
    json_out_text(out, "pattern", pattern);
    json_out_end(out);
}

/* "anyOf" of a number type within the option's limits and of ${NAME}, which every value may be. */
static void schema_number(struct json_out *out, const char *type, const struct option *o)
{
    json_out_array(out, "anyOf");
    json_out_object(out, NULL);
    json_out_text(out, "type", type);
    schema_limits(out, o, "minimum", "maximum");
    json_out_end(out);
    schema_pattern(out, "\\$\\{");
    json_out_end(out);
}

static void schema_words(struct json_out *out, struct str words)
{
    struct str word;
    json_out_array(out, "anyOf");
    json_out_object(out, NULL);
    json_out_array(out, "enum");
    while (str_split(&words, '|', &word)) {
        json_out_str(out, NULL, word);
    }
    json_out_end(out);
    json_out_end(out);
    schema_pattern(out, "\\$\\{");
    json_out_end(out);
}

static void schema_percent(struct json_out *out)
{
    json_out_array(out, "anyOf");
    json_out_object(out, NULL);
    json_out_text(out, "type", "number");
    json_out_end(out);
    schema_pattern(out, "^-?[0-9.]+ *%?$");
    schema_pattern(out, "\\$\\{");
    json_out_end(out);
}

static void schema_array(struct json_out *out, const struct option *o)
{
    json_out_text(out, "type", "array");
    json_out_object(out, "items");
    if (o->type == OPTION_INTS) {
        json_out_array(out, "anyOf");
        json_out_object(out, NULL);
        json_out_text(out, "type", "integer");
        json_out_end(out);
        schema_pattern(out, "\\$\\{");
        json_out_end(out);
    } else {
        json_out_array(out, "type");
        json_out_text(out, NULL, "string");
        json_out_text(out, NULL, "number");
        json_out_end(out);
    }
    json_out_end(out);
    schema_limits(out, o, "minItems", "maxItems");
}

static void schema_type(struct json_out *out, const struct option *o)
{
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_URL:
        json_out_text(out, "type", "string");
        return;
    case OPTION_ENUM:
        schema_words(out, str_c(o->unit));
        return;
    case OPTION_INT:
        schema_number(out, "integer", o);
        return;
    case OPTION_FLOAT:
    case OPTION_MONEY:
        schema_number(out, "number", o);
        return;
    case OPTION_BOOL:
        schema_number(out, "boolean", o);
        return;
    case OPTION_PERCENT:
        schema_percent(out);
        return;
    case OPTION_DURATION:
        json_out_text(out, "type", "string");
        json_out_text(out, "pattern", "^([0-9]+(ms|s|m|h|d))+$|\\$\\{");
        return;
    case OPTION_INTS:
    case OPTION_TEXTS:
    case OPTION_SYMBOLS:
        schema_array(out, o);
        return;
    }
}

/* In the table lists are written [a, b]. */
static void schema_default(struct json_out *out, const struct option *o)
{
    bool is_env = strstr(o->fallback, "${") != NULL;
    if (option_is_list(o->type) && !is_env) {
        struct str rest = str_n(o->fallback + 1, strlen(o->fallback) - 2);
        struct str item;
        json_out_array(out, "default");
        while (str_split(&rest, ',', &item)) {
            json_out_str(out, NULL, str_trim(item));
        }
        json_out_end(out);
    } else if (o->type == OPTION_BOOL && !is_env) {
        json_out_bool(out, "default", strcmp(o->fallback, "true") == 0);
    } else if (!is_env &&
               (o->type == OPTION_INT || o->type == OPTION_FLOAT || o->type == OPTION_MONEY)) {
        json_out_number(out, "default", o->fallback);
    } else {
        json_out_text(out, "default", o->fallback);
    }
}

static void schema_option(struct json_out *out, const struct option *o)
{
    json_out_object(out, o->name);
    schema_type(out, o);
    if (o->fallback != NULL) {
        schema_default(out, o);
    }
    json_out_text(out, "description", o->help);
    json_out_end(out);
}

/* Leaves the object of the properties open, for more of them. */
static void schema_begin_fields(struct json_out *out, const char *key, const struct option *fields,
                                size_t count)
{
    json_out_object(out, key);
    json_out_text(out, "type", "object");
    json_out_bool(out, "additionalProperties", false);
    json_out_array(out, "required");
    for (size_t i = 0; i < count; i++) {
        if (fields[i].fallback == NULL) {
            json_out_text(out, NULL, fields[i].name);
        }
    }
    json_out_end(out);
    json_out_object(out, "properties");
    for (size_t i = 0; i < count; i++) {
        schema_option(out, &fields[i]);
    }
}

static void schema_fields(struct json_out *out, const char *key, const struct option *fields,
                          size_t count)
{
    schema_begin_fields(out, key, fields, count);
    json_out_end(out);
    json_out_end(out);
}

static void schema_names(struct json_out *out)
{
    json_out_object(out, "propertyNames");
    json_out_text(out, "pattern", "^[a-z0-9_-]{1,31}$");
    json_out_end(out);
}

/* The fields of a service, and its checks by name. */
static void schema_services(struct json_out *out)
{
    schema_names(out);
    schema_begin_fields(out, "additionalProperties", option_service_fields,
                        option_service_field_count);
    json_out_object(out, "checks");
    json_out_text(out, "type", "object");
    json_out_i64(out, "maxProperties", CONFIG_CHECKS_MAX);
    json_out_text(out, "description", "More checks of the service, by name.");
    schema_names(out);
    schema_fields(out, "additionalProperties", option_check_fields, option_check_field_count);
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
}

static void schema_list(struct json_out *out, const char *name, int max,
                        const struct option *fields, size_t count)
{
    json_out_object(out, name);
    json_out_text(out, "type", "array");
    json_out_i64(out, "maxItems", max);
    schema_fields(out, "items", fields, count);
    json_out_end(out);
}

static void schema_properties(struct json_out *out, const struct option_group *group)
{
    json_out_bool(out, "additionalProperties", false);
    json_out_object(out, "properties");
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].group, group->name) == 0) {
            schema_option(out, &option_table[i]);
        }
    }
    if (strcmp(group->name, "telegram") == 0) {
        schema_list(out, "users", CONFIG_USERS_MAX, option_user_fields, option_user_field_count);
    } else if (strcmp(group->name, "api") == 0) {
        schema_list(out, "local_users", CONFIG_LOCALS_MAX, option_local_fields,
                    option_local_field_count);
    }
    json_out_end(out);
}

static void schema_group(struct json_out *out, const struct option_group *group)
{
    json_out_object(out, group->name);
    json_out_array(out, "type");
    json_out_text(out, NULL, "object");
    json_out_text(out, NULL, "null");
    json_out_end(out);
    json_out_text(out, "description", group->help);
    if (strcmp(group->name, "services") == 0) {
        schema_services(out);
    } else {
        schema_properties(out, group);
    }
    json_out_end(out);
}

/* JSON Schema's own form: $schema takes the place of a version of ours. */
void config_write_schema(struct buf *text)
{
    struct json_out out = JSON_OUT_INDENTED(text);
    json_out_object(&out, NULL);
    json_out_text(&out, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_out_text(&out, "title", "nightdesk configuration");
    json_out_text(&out, "type", "object");
    json_out_bool(&out, "additionalProperties", false);
    json_out_object(&out, "properties");
    for (size_t g = 0; g < option_group_count; g++) {
        schema_group(&out, &option_groups[g]);
    }
    json_out_end(&out);
    json_out_end(&out);
    buf_add_char(text, '\n');
}

/* ------------------------------------------------------------------ docs/config.md */

static void markdown_row(struct buf *out, const struct option *o, const char *name)
{
    buf_addf(out, "| `%s` | %s | %s", name, (o->flags & CONFIG_LIVE) != 0 ? "live" : "restart",
             option_type_name(o->type));
    if (o->type == OPTION_ENUM) {
        struct str rest = str_c(o->unit);
        struct str word;
        for (int i = 0; str_split(&rest, '|', &word); i++) {
            buf_addf(out, "%s`%.*s`", i > 0 ? ", " : ": ", STR_ARG(word));
        }
    } else if (o->unit[0] != '\0') {
        buf_addf(out, ", %s", o->unit);
    }
    buf_add_c(out, " | ");
    if (o->fallback == NULL) {
        buf_add_c(out, "must be given");
    } else if (o->fallback[0] != '\0') {
        buf_addf(out, "`%s`", o->fallback);
    }
    buf_add_c(out, " | ");
    value_add_range(out, o);
    buf_addf(out, " | %s%s |\n", o->help,
             (o->flags & CONFIG_FILE_ONLY) != 0 ? " Changed in the file only." : "");
}

static void markdown_fields(struct buf *out, const struct option *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        markdown_row(out, &fields[i], fields[i].path);
    }
}

#define MARKDOWN_HEAD                                          \
    "| option | change | type | default | range | meaning |\n" \
    "|---|---|---|---|---|---|\n"

void config_write_markdown(struct buf *out)
{
    buf_add_c(
        out,
        "# Configuration\n\n"
        "Generated from the table of options; do not edit.\n\n"
        "A configuration file is optional. nightdesk reads the file given with `--config`, "
        "else `./nightdesk.yaml`, else\n`/etc/nightdesk/nightdesk.yaml`. In any value "
        "`${NAME}` is replaced by the environment variable, `${NAME:-text}` by\ntext if "
        "the variable is unset or empty, and `$${` is a literal `${`. A secret can also be "
        "a file named after its\noption in `$CREDENTIALS_DIRECTORY` (systemd's "
        "`LoadCredential=`); the file wins. In a secret,\n`${NAME}` is the first of: the "
        "environment variable; a file in `$CREDENTIALS_DIRECTORY` named like it, or like it\n"
        "in lower case; the secret of this name that `nightdesk secret` has sealed. An empty value "
        "is the "
        "same as none.\n"
        "`nightdesk check-config` reports every mistake with its line and column.\n\n"
        "`/reload`, `SIGHUP` and `systemctl reload nightdesk` read the file, the environment "
        "variables and the credentials again.\n"
        "A change of an option marked *live* takes effect at once, for the engine between two "
        "steps; one marked *restart* is named\n"
        "and takes effect at the next start. If the file cannot be read or has a mistake, "
        "nothing changes: `/reload` answers with\n"
        "file:line:column, a signal raises an alert, which the next reload with a correct file "
        "resolves. While ops.db cannot be\n"
        "written nothing is applied: `/reload` is refused, a signal is repeated until it can be "
        "stored.\n\n"
        "A tighter limit closes no position: it holds for the next entry, and for the unfilled "
        "rest of one. A loss limit that is\n"
        "already exceeded trips the circuit breaker at the next step, which stops entries. "
        "The liquidation guard computes with a\n"
        "changed `risk.maintenance_margin` at once, and may then reduce a position. Stops and "
        "targets that are already set keep\n"
        "their prices. A run that has begun ends as it began; a prompt is answered with the "
        "role that the person has then. A long\n"
        "poll under way ends with its old timeout. An empty file is refused, because it may be "
        "one that is just being written.\n\n"
        "Every configuration that took effect is kept in ops.db with time, person and reason, "
        "secrets as `***`: the newest 100.\n"
        "`/config_history` lists them, `/config_diff 3` compares one with what runs,\n"
        "`/config_rollback 3` restores its file, comments and all; secrets stay those of now.\n"
        "`/config_set alerts.storm 20` changes one option in the file, whose comments stay "
        "([operations](operations.md)).\n"
        "systemd copies a `LoadCredential=` file when it starts "
        "the service, so a new one needs a\n"
        "restart.\n");
    for (size_t g = 0; g < option_group_count; g++) {
        const char *group = option_groups[g].name;
        buf_addf(out, "\n## %s\n\n%s\n\n" MARKDOWN_HEAD, group, option_groups[g].help);
        for (size_t i = 0; i < option_count; i++) {
            if (strcmp(option_table[i].group, group) == 0) {
                markdown_row(out, &option_table[i], option_table[i].path);
            }
        }
        if (strcmp(group, "telegram") == 0) {
            markdown_fields(out, option_user_fields, option_user_field_count);
        } else if (strcmp(group, "api") == 0) {
            markdown_fields(out, option_local_fields, option_local_field_count);
        } else if (strcmp(group, "services") == 0) {
            markdown_fields(out, option_service_fields, option_service_field_count);
            markdown_fields(out, option_check_fields, option_check_field_count);
        }
    }
}

/* ------------------------------------------------------------------ nightdesk.yaml(5) */

static void man_option(struct buf *out, const struct option *o)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    roff_tag(out, o->path);
    buf_addf(&text, "%s Type: %s%s%s", o->help, option_type_name(o->type),
             o->unit[0] != '\0' ? ", " : "", o->unit);
    if (o->fallback == NULL) {
        buf_add_c(&text, "; must be given");
    } else if (o->fallback[0] != '\0') {
        buf_addf(&text, "; default: %s", o->fallback);
    }
    AUTO_BUF struct buf range = BUF_INIT(256);
    value_add_range(&range, o);
    buf_addf(&text, "%s%s. A change takes effect at %s.", range.len > 0 ? "; " : "", range.data,
             (o->flags & CONFIG_LIVE) != 0 ? "a reload" : "the next start");
    buf_add_c(&text, (o->flags & CONFIG_FILE_ONLY) != 0 ? " No command changes it." : "");
    roff_add(out, text.data);
}

static void man_fields(struct buf *out, const struct option *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        man_option(out, &fields[i]);
    }
}

void config_write_man(struct buf *out)
{
    roff_head(out, "nightdesk.yaml", 5, "configuration of nightdesk");
    roff_section(out, "DESCRIPTION");
    roff_add(out,
             "A YAML file with the sections below; every option may be left out. nightdesk reads "
             "the file given with --config, else ./nightdesk.yaml, else "
             "/etc/nightdesk/nightdesk.yaml.\n\n"
             "In any value ${NAME} is replaced by the environment variable, ${NAME:-text} by text "
             "if the variable is unset or empty, and $${ is a literal ${. A secret can also be a "
             "file named after its option in $CREDENTIALS_DIRECTORY; the file wins. In a secret, "
             "${NAME} is the first of: the environment variable; a file in $CREDENTIALS_DIRECTORY "
             "named like it, or like it in lower case; the secret of this name that nightdesk "
             "secret has sealed.\n\n"
             "nightdesk check-config reports every mistake with its line and column; nightdesk "
             "config --example prints a commented file.");
    for (size_t g = 0; g < option_group_count; g++) {
        const char *group = option_groups[g].name;
        roff_section(out, group);
        roff_add(out, option_groups[g].help);
        for (size_t i = 0; i < option_count; i++) {
            if (strcmp(option_table[i].group, group) == 0) {
                man_option(out, &option_table[i]);
            }
        }
        if (strcmp(group, "telegram") == 0) {
            man_fields(out, option_user_fields, option_user_field_count);
        } else if (strcmp(group, "api") == 0) {
            man_fields(out, option_local_fields, option_local_field_count);
        } else if (strcmp(group, "services") == 0) {
            man_fields(out, option_service_fields, option_service_field_count);
            man_fields(out, option_check_fields, option_check_field_count);
        }
    }
    roff_section(out, "SEE ALSO");
    buf_add_c(out, ".BR nightdesk (1)\n");
}

/* ------------------------------------------------------------------ the example */

static void example_option(struct buf *out, const struct option *o)
{
    AUTO_BUF struct buf range = BUF_INIT(256);
    AUTO_BUF struct buf help = BUF_INIT(1024);
    value_add_range(&range, o);
    buf_add_c(&help, o->help);
    if (o->type == OPTION_ENUM) {
        struct str rest = str_c(o->unit);
        struct str word;
        for (int i = 0; str_split(&rest, '|', &word); i++) {
            buf_addf(&help, "%s%.*s", i > 0 ? ", " : " One of ", STR_ARG(word));
        }
        buf_add_char(&help, '.');
    } else if (range.len > 0) {
        buf_addf(&help, " (%s)", range.data);
    }
    add_comment(out, "  #", help.data);
    buf_addf(out, "  %s: ", o->name);
    add_fallback_yaml(out, o);
    buf_add_char(out, '\n');
}

static const char example_users[] =
    "  # Users of the bot by numeric id, which /whoami shows to a listed user and @userinfobot "
    "to\n"
    "  # anyone. Roles: read_only, operator, admin; emergency is a separate grant.\n"
    "  users: []\n"
    "  #  - {id: 123456789, name: alice, role: admin, emergency: true}\n"
    "  #  - {id: 987654321, name: bob, role: read_only}\n";

static const char example_locals[] =
    "  # Users of the Unix socket (nightdesk do) by uid of this machine. Root and the user that\n"
    "  # runs nightdesk are always admin. Other users must be in the group of the socket.\n"
    "  local_users: []\n"
    "  #  - {uid: 1000, name: alice, role: operator, emergency: true}\n";

static const char example_services[] =
    "  # nightdesk itself keeps a command running; systemd runs a unit.\n"
    "  demo:\n"
    "    command: [self, demo-service, --port, \"8099\"]\n"
    "    url: \"http://127.0.0.1:8099\"\n"
    "    health_endpoint: \"/health\"\n"
    "    expect_status: 0\n"
    "    timeout: 5s\n"
    "  #prediction:\n"
    "  #  unit: \"prediction.service\"\n"
    "  #  url: \"http://127.0.0.1:9000\"\n"
    "  #  # More checks, each of one kind: unit, url, tcp, command, file, process or heartbeat.\n"
    "  #  checks:\n"
    "  #    model: {url: \"http://127.0.0.1:9000/model\", json_pointer: /loaded, json_value: "
    "true}\n"
    "  #    port: {tcp: \"127.0.0.1:9001\"}\n"
    "  #    queue: {command: [/usr/local/bin/queue-check, --max, \"100\"]}\n"
    "  #    data: {file: /var/lib/prediction/candles.csv, max_age: 15m}\n"
    "  #    worker: {process: /run/prediction/worker.pid}\n"
    "  #    nightly: {heartbeat: 1d, grace: 1h}\n";

void config_write_example(struct buf *out)
{
    buf_add_c(out, "# yaml-language-server: $schema=schema.json\n"
                   "# nightdesk.yaml: every option with its default. Generated from the table of "
                   "options.\n"
                   "# An editor that knows the line above completes and checks: nightdesk config "
                   "--schema > schema.json\n"
                   "# The file is optional: keep only the options that you change. In values, "
                   "${NAME} and\n"
                   "# ${NAME:-text} are replaced from the environment.\n");
    for (size_t g = 0; g < option_group_count; g++) {
        const char *group = option_groups[g].name;
        buf_add_char(out, '\n');
        add_comment(out, "#", option_groups[g].help);
        buf_addf(out, "%s:\n", group);
        for (size_t i = 0; i < option_count; i++) {
            if (strcmp(option_table[i].group, group) == 0) {
                example_option(out, &option_table[i]);
            }
        }
        if (strcmp(group, "telegram") == 0) {
            buf_add_c(out, example_users);
        } else if (strcmp(group, "api") == 0) {
            buf_add_c(out, example_locals);
        } else if (strcmp(group, "services") == 0) {
            buf_add_c(out, example_services);
        }
    }
}
