#include "base/check.h"
#include "detail.h"
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

static void schema_limits(struct buf *out, const struct option *o, const char *low,
                          const char *high)
{
    if (o->minimum[0] != '\0') {
        buf_addf(out, ", \"%s\": %s", low, o->minimum);
    }
    if (o->maximum[0] != '\0') {
        buf_addf(out, ", \"%s\": %s", high, o->maximum);
    }
}

/* ${NAME} is allowed for every value. */
#define SCHEMA_ENV "{\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"}"

static void schema_type(struct buf *out, const struct option *o)
{
    struct str words = str_c(o->unit);
    struct str word;
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_URL:
        buf_add_c(out, "\"type\": \"string\"");
        return;
    case OPTION_ENUM:
        buf_add_c(out, "\"anyOf\": [{\"enum\": [");
        for (int i = 0; str_split(&words, '|', &word); i++) {
            buf_addf(out, "%s\"%.*s\"", i > 0 ? ", " : "", STR_ARG(word));
        }
        buf_add_c(out, "]}, " SCHEMA_ENV "]");
        return;
    case OPTION_INT:
        buf_add_c(out, "\"anyOf\": [{\"type\": \"integer\"");
        schema_limits(out, o, "minimum", "maximum");
        buf_add_c(out, "}, " SCHEMA_ENV "]");
        return;
    case OPTION_FLOAT:
    case OPTION_MONEY:
        buf_add_c(out, "\"anyOf\": [{\"type\": \"number\"");
        schema_limits(out, o, "minimum", "maximum");
        buf_add_c(out, "}, " SCHEMA_ENV "]");
        return;
    case OPTION_BOOL:
        buf_add_c(out, "\"anyOf\": [{\"type\": \"boolean\"}, " SCHEMA_ENV "]");
        return;
    case OPTION_PERCENT:
        buf_add_c(out, "\"anyOf\": [{\"type\": \"number\"}, {\"type\": \"string\", \"pattern\": "
                       "\"^-?[0-9.]+ *%?$\"}, " SCHEMA_ENV "]");
        return;
    case OPTION_DURATION:
        buf_add_c(out, "\"type\": \"string\", \"pattern\": \"^([0-9]+(ms|s|m|h|d))+$|\\\\$\\\\{\"");
        return;
    case OPTION_INTS:
        buf_add_c(
            out, "\"type\": \"array\", \"items\": {\"anyOf\": [{\"type\": \"integer\"}, " SCHEMA_ENV
                 "]}");
        schema_limits(out, o, "minItems", "maxItems");
        return;
    case OPTION_TEXTS:
    case OPTION_SYMBOLS:
        buf_add_c(out, "\"type\": \"array\", \"items\": {\"type\": [\"string\", \"number\"]}");
        schema_limits(out, o, "minItems", "maxItems");
        return;
    }
}

/* In the table lists are written [a, b]. */
static void schema_default(struct buf *out, const struct option *o)
{
    bool plain =
        strstr(o->fallback, "${") == NULL && (o->type == OPTION_INT || o->type == OPTION_BOOL ||
                                              o->type == OPTION_FLOAT || o->type == OPTION_MONEY);
    if (plain) {
        buf_add_c(out, o->fallback);
    } else if (option_is_list(o->type)) {
        struct str rest = str_n(o->fallback + 1, strlen(o->fallback) - 2);
        struct str item;
        buf_add_char(out, '[');
        for (int i = 0; str_split(&rest, ',', &item); i++) {
            buf_addf(out, "%s\"%.*s\"", i > 0 ? ", " : "", STR_ARG(str_trim(item)));
        }
        buf_add_char(out, ']');
    } else {
        add_quoted(out, o->fallback);
    }
}

static void schema_option(struct buf *out, const struct option *o, const char *indent)
{
    buf_addf(out, "%s\"%s\": {", indent, o->name);
    schema_type(out, o);
    if (o->fallback != NULL) {
        buf_add_c(out, ", \"default\": ");
        schema_default(out, o);
    }
    buf_add_c(out, ", \"description\": ");
    add_quoted(out, o->help);
    buf_add_char(out, '}');
}

static void schema_fields(struct buf *out, const struct option *fields, size_t count,
                          const char *indent)
{
    buf_add_c(out, "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [");
    for (size_t i = 0, n = 0; i < count; i++) {
        if (fields[i].fallback == NULL) {
            buf_addf(out, "%s\"%s\"", n++ > 0 ? ", " : "", fields[i].name);
        }
    }
    buf_add_c(out, "], \"properties\": {\n");
    for (size_t i = 0; i < count; i++) {
        schema_option(out, &fields[i], indent);
        buf_add_c(out, i + 1 < count ? ",\n" : "}}");
    }
}

static void schema_list(struct buf *out, const char *name, int max, const struct option *fields,
                        size_t count)
{
    buf_addf(out, ",\n      \"%s\": {\"type\": \"array\", \"maxItems\": %d, \"items\":\n        ",
             name, max);
    schema_fields(out, fields, count, "          ");
    buf_add_char(out, '}');
}

static void schema_group(struct buf *out, const struct option_group *group)
{
    buf_addf(out, "    \"%s\": {\"type\": [\"object\", \"null\"], \"description\": ", group->name);
    add_quoted(out, group->help);
    if (strcmp(group->name, "services") == 0) {
        buf_add_c(out, ", \"propertyNames\": {\"pattern\": \"^[a-z0-9_-]{1,31}$\"}, "
                       "\"additionalProperties\":\n      ");
        schema_fields(out, option_service_fields, option_service_field_count, "        ");
        buf_add_char(out, '}');
        return;
    }
    buf_add_c(out, ", \"additionalProperties\": false, \"properties\": {\n");
    bool first = true;
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].group, group->name) == 0) {
            buf_add_c(out, first ? "" : ",\n");
            schema_option(out, &option_table[i], "      ");
            first = false;
        }
    }
    if (strcmp(group->name, "telegram") == 0) {
        schema_list(out, "users", CONFIG_USERS_MAX, option_user_fields, option_user_field_count);
    } else if (strcmp(group->name, "api") == 0) {
        schema_list(out, "local_users", CONFIG_LOCALS_MAX, option_local_fields,
                    option_local_field_count);
    }
    buf_add_c(out, "}}");
}

void config_write_schema(struct buf *out)
{
    buf_add_c(out, "{\n"
                   "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                   "  \"title\": \"nightdesk configuration\",\n"
                   "  \"type\": \"object\",\n"
                   "  \"additionalProperties\": false,\n"
                   "  \"properties\": {\n");
    for (size_t g = 0; g < option_group_count; g++) {
        schema_group(out, &option_groups[g]);
        buf_add_c(out, g + 1 < option_group_count ? ",\n" : "\n");
    }
    buf_add_c(out, "  }\n}\n");
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
    buf_addf(out, " | %s |\n", o->help);
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
        "`LoadCredential=`); the file wins. An empty value is the same as none.\n"
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
        "A tighter limit closes no position and cancels no order that is open: it holds for "
        "the next entry. Stops and targets that\n"
        "are already set keep their prices. A run that has begun ends as it began; a prompt "
        "is answered with the role that the\n"
        "person has then. A long poll under way ends with its old timeout.\n\n"
        "Every configuration that took effect is kept in ops.db with time, person and reason, "
        "secrets as `***`: the newest 100.\n"
        "`/config_history` lists them. systemd copies a `LoadCredential=` file when it starts "
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
        }
    }
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
    "  #  url: \"http://127.0.0.1:9000\"\n";

void config_write_example(struct buf *out)
{
    buf_add_c(out, "# nightdesk.yaml: every option with its default. Generated from the table of "
                   "options.\n"
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
