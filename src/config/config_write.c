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

/* A value, unlike a default of the table, is literal: its ${ is escaped. */
static void add_literal(struct buf *out, const char *text)
{
    AUTO_BUF struct buf escaped = BUF_INIT(16384);
    for (const char *at = text; *at != '\0'; at++) {
        buf_add_c(&escaped, at[0] == '$' && at[1] == '{' ? "$" : "");
        buf_add_char(&escaped, *at);
    }
    add_quoted(out, escaped.data);
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
    buf_addf(out, "| `%s` | %s", name, option_type_name(o->type));
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

#define MARKDOWN_HEAD "| option | type | default | range | meaning |\n|---|---|---|---|---|\n"

void config_write_markdown(struct buf *out)
{
    buf_add_c(out,
              "# Configuration\n\n"
              "Generated from the table of options; do not edit.\n\n"
              "A configuration file is optional. nightdesk reads the file given with `--config`, "
              "else `./nightdesk.yaml`, else\n`/etc/nightdesk/nightdesk.yaml`. In any value "
              "`${NAME}` is replaced by the environment variable, `${NAME:-text}` by\ntext if "
              "the variable is unset or empty, and `$${` is a literal `${`. A secret can also be "
              "a file named after its\noption in `$CREDENTIALS_DIRECTORY` (systemd's "
              "`LoadCredential=`); the file wins. An empty value is the same as none.\n"
              "`nightdesk check-config` reports every mistake with its line and column.\n\n"
              "Options are read at start. `SIGHUP` only checks the configuration and logs which "
              "options differ; restart nightdesk to\napply them.\n");
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

/* ------------------------------------------------------------------ the dump */

static void dump_value(struct buf *out, const struct option *o, const void *owner)
{
    const void *slot = (const char *)owner + o->offset;
    switch (o->type) {
    case OPTION_SECRET:
        buf_add_c(out, (*(const char *const *)slot)[0] != '\0' ? "\"***\"" : "\"\"");
        return;
    case OPTION_TEXT:
    case OPTION_URL:
        add_literal(out, *(const char *const *)slot);
        return;
    case OPTION_ENUM:
        buf_add_c(out, *(const char *const *)slot);
        return;
    case OPTION_INT:
        buf_addf(out, "%lld", (long long)*(const int64_t *)slot);
        return;
    case OPTION_DURATION:
        value_add_duration(out, *(const int64_t *)slot);
        return;
    case OPTION_BOOL:
        buf_add_c(out, *(const bool *)slot ? "true" : "false");
        return;
    case OPTION_FLOAT:
        value_add_number(out, *(const double *)slot);
        return;
    case OPTION_PERCENT:
        value_add_number(out, *(const double *)slot);
        buf_add_char(out, '%');
        return;
    case OPTION_MONEY:
        dec_add_text(out, *(const struct dec *)slot);
        return;
    case OPTION_INTS: {
        const struct config_ints *list = slot;
        buf_add_char(out, '[');
        for (int i = 0; i < list->count; i++) {
            buf_addf(out, "%s%lld", i > 0 ? ", " : "", (long long)list->items[i]);
        }
        buf_add_char(out, ']');
        return;
    }
    case OPTION_TEXTS: {
        const struct config_texts *list = slot;
        buf_add_char(out, '[');
        for (int i = 0; i < list->count; i++) {
            buf_add_c(out, i > 0 ? ", " : "");
            add_literal(out, list->items[i]);
        }
        buf_add_char(out, ']');
        return;
    }
    case OPTION_SYMBOLS: {
        const struct config_symbols *list = slot;
        buf_add_char(out, '[');
        for (int i = 0; i < list->count; i++) {
            buf_addf(out, "%s%s", i > 0 ? ", " : "", list->items[i].name);
        }
        buf_add_char(out, ']');
        return;
    }
    }
}

static void dump_origin(struct buf *out, const struct config *config, const struct origin *origin)
{
    switch (origin->kind) {
    case ORIGIN_DEFAULT:
        buf_add_c(out, "  # default\n");
        return;
    case ORIGIN_ENVIRONMENT:
        buf_addf(out, "  # $%s\n", origin->variable);
        return;
    case ORIGIN_FILE:
        buf_addf(out, "  # %s:%d:%d%s%s\n", config->detail->path, origin->line, origin->column,
                 origin->variable[0] != '\0' ? ", $" : "", origin->variable);
        return;
    case ORIGIN_CREDENTIAL:
        buf_add_c(out, "  # credential\n");
        return;
    }
}

static void dump_item_origin(struct buf *out, const struct config *config, int line)
{
    if (line == 0) {
        buf_add_c(out, "  # default\n");
    } else {
        buf_addf(out, "  # %s:%d\n", config->detail->path, line);
    }
}

/* Without the users from admin_users: with them the dump could not be read back. */
static void dump_users(struct buf *out, const struct config *config)
{
    int listed = config->user_count - config->telegram_admin_users.count;
    buf_add_c(out, listed > 0 ? "  users:\n" : "  users: []  # default\n");
    for (int u = 0; u < listed; u++) {
        for (size_t f = 0; f < option_user_field_count; f++) {
            buf_addf(out, "%s%s: ", f == 0 ? "    - {" : ", ", option_user_fields[f].name);
            dump_value(out, &option_user_fields[f], &config->users[u]);
        }
        buf_add_char(out, '}');
        dump_item_origin(out, config, config->detail->user_lines[u]);
    }
}

static void dump_locals(struct buf *out, const struct config *config)
{
    buf_add_c(out, config->local_count > 0 ? "  local_users:\n" : "  local_users: []  # default\n");
    for (int u = 0; u < config->local_count; u++) {
        for (size_t f = 0; f < option_local_field_count; f++) {
            buf_addf(out, "%s%s: ", f == 0 ? "    - {" : ", ", option_local_fields[f].name);
            dump_value(out, &option_local_fields[f], &config->locals[u]);
        }
        buf_add_char(out, '}');
        dump_item_origin(out, config, config->detail->local_lines[u]);
    }
}

static void dump_services(struct buf *out, const struct config *config)
{
    for (int s = 0; s < config->service_count; s++) {
        buf_addf(out, "  %s:", config->services[s].name);
        dump_item_origin(out, config, config->detail->service_lines[s]);
        for (size_t f = 0; f < option_service_field_count; f++) {
            buf_addf(out, "    %s: ", option_service_fields[f].name);
            dump_value(out, &option_service_fields[f], &config->services[s]);
            buf_add_char(out, '\n');
        }
    }
}

void config_dump(const struct config *config, struct buf *out)
{
    for (size_t g = 0; g < option_group_count; g++) {
        const char *group = option_groups[g].name;
        bool services = strcmp(group, "services") == 0;
        buf_addf(out, "%s:%s\n", group, services && config->service_count == 0 ? " {}" : "");
        for (size_t i = 0; i < option_count; i++) {
            if (strcmp(option_table[i].group, group) == 0) {
                buf_addf(out, "  %s: ", option_table[i].name);
                dump_value(out, &option_table[i], config);
                dump_origin(out, config, &config->detail->origins[i]);
            }
        }
        if (strcmp(group, "telegram") == 0) {
            dump_users(out, config);
        } else if (strcmp(group, "api") == 0) {
            dump_locals(out, config);
        } else if (services) {
            dump_services(out, config);
        }
    }
}

/* ------------------------------------------------------------------ differences */

static bool same_value(const struct option *o, const void *before, const void *after)
{
    if (o->type == OPTION_SECRET) { /* dump_value writes only *** */
        return strcmp(*(const char *const *)(const void *)((const char *)before + o->offset),
                      *(const char *const *)(const void *)((const char *)after + o->offset)) == 0;
    }
    AUTO_BUF struct buf a = BUF_INIT(65536), b = BUF_INIT(65536);
    dump_value(&a, o, before);
    dump_value(&b, o, after);
    return str_equal(buf_str(&a), buf_str(&b));
}

/* A list of groups, such as telegram.users, to be compared item by item. */
struct group_list {
    const struct option *fields;
    size_t field_count;
    const void *items;
    int count;
    size_t item_size;
};

static bool same_list(const struct group_list *a, const struct group_list *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (int i = 0; i < a->count; i++) {
        const char *x = (const char *)a->items + (size_t)i * a->item_size;
        const char *y = (const char *)b->items + (size_t)i * b->item_size;
        for (size_t f = 0; f < a->field_count; f++) {
            if (!same_value(&a->fields[f], x, y)) {
                return false;
            }
        }
    }
    return true;
}

static struct group_list users_of(const struct config *c)
{
    return (struct group_list){option_user_fields, option_user_field_count, c->users,
                               c->user_count - c->telegram_admin_users.count, sizeof(c->users[0])};
}

static struct group_list locals_of(const struct config *c)
{
    return (struct group_list){option_local_fields, option_local_field_count, c->locals,
                               c->local_count, sizeof(c->locals[0])};
}

static struct group_list services_of(const struct config *c)
{
    return (struct group_list){option_service_fields, option_service_field_count, c->services,
                               c->service_count, sizeof(c->services[0])};
}

static bool same_names(const struct config *before, const struct config *after)
{
    bool same = before->service_count == after->service_count;
    for (int i = 0; same && i < before->service_count; i++) {
        same = strcmp(before->services[i].name, after->services[i].name) == 0;
    }
    return same;
}

int config_changes(const struct config *before, const struct config *after, struct buf *out)
{
    int count = 0;
    for (size_t i = 0; i < option_count; i++) {
        if (!same_value(&option_table[i], before, after)) {
            buf_addf(out, "%s%s", count++ > 0 ? ", " : "", option_table[i].path);
        }
    }
    const struct {
        const char *path;
        struct group_list before, after;
        bool same_names;
    } lists[] = {
        {"telegram.users", users_of(before), users_of(after), true},
        {"api.local_users", locals_of(before), locals_of(after), true},
        {"services", services_of(before), services_of(after), same_names(before, after)},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (!lists[i].same_names || !same_list(&lists[i].before, &lists[i].after)) {
            buf_addf(out, "%s%s", count++ > 0 ? ", " : "", lists[i].path);
        }
    }
    return count;
}
