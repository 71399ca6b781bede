#include "base/check.h"
#include "config_value.h"
#include "detail.h"
#include "value.h"

#include <string.h>

/* ------------------------------------------------------------------ values */

/* A value, unlike a default of the table, is literal: its ${ is escaped. */
static void add_literal(struct buf *out, const char *text)
{
    AUTO_BUF struct buf escaped = BUF_INIT(16384);
    for (const char *at = text; *at != '\0'; at++) {
        buf_add_c(&escaped, at[0] == '$' && at[1] == '{' ? "$" : "");
        buf_add_char(&escaped, *at);
    }
    buf_add_char(out, '"');
    buf_add_json(out, buf_str(&escaped)); /* also valid as a double-quoted YAML scalar */
    buf_add_char(out, '"');
}

void config_add_value(struct buf *out, const struct option *o, const void *owner)
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

/* ------------------------------------------------------------------ the whole configuration */

/* A dump in progress. */
struct dump {
    struct buf *out;
    const struct config *config;
    bool origins; /* with the origin of each value as a comment */
};

static void dump_origin(const struct dump *d, const struct origin *origin)
{
    if (!d->origins) {
        buf_add_char(d->out, '\n');
        return;
    }
    switch (origin->kind) {
    case ORIGIN_DEFAULT:
        buf_add_c(d->out, "  # default\n");
        return;
    case ORIGIN_ENVIRONMENT:
        buf_addf(d->out, "  # $%s\n", origin->variable);
        return;
    case ORIGIN_FILE:
        buf_addf(d->out, "  # %s:%d:%d%s%s\n", d->config->detail->path, origin->line,
                 origin->column, origin->variable[0] != '\0' ? ", $" : "", origin->variable);
        return;
    case ORIGIN_CREDENTIAL:
        buf_add_c(d->out, "  # credential\n");
        return;
    case ORIGIN_SEALED:
        buf_addf(d->out, "  # sealed secret %s\n", origin->variable);
        return;
    case ORIGIN_RUNNING:
        buf_add_c(d->out, "  # as of the start\n");
        return;
    }
}

static void dump_line(const struct dump *d, int line)
{
    if (!d->origins) {
        buf_add_char(d->out, '\n');
    } else if (line == 0) {
        buf_add_c(d->out, "  # default\n");
    } else {
        buf_addf(d->out, "  # %s:%d\n", d->config->detail->path, line);
    }
}

/* One item of a list of groups, in one line. */
static void dump_item(const struct dump *d, const struct option *fields, size_t count,
                      const void *item, int line)
{
    for (size_t f = 0; f < count; f++) {
        buf_addf(d->out, "%s%s: ", f == 0 ? "    - {" : ", ", fields[f].name);
        config_add_value(d->out, &fields[f], item);
    }
    buf_add_char(d->out, '}');
    dump_line(d, line);
}

/* Without the users from admin_users: with them the dump could not be read back. */
static void dump_users(const struct dump *d)
{
    const struct config *config = d->config;
    int listed = config->user_count - config->telegram_admin_users.count;
    if (listed == 0) {
        buf_add_c(d->out, "  users: []");
        dump_line(d, 0);
        return;
    }
    buf_add_c(d->out, "  users:\n");
    for (int u = 0; u < listed; u++) {
        dump_item(d, option_user_fields, option_user_field_count, &config->users[u],
                  config->detail->user_lines[u]);
    }
}

static void dump_locals(const struct dump *d)
{
    const struct config *config = d->config;
    if (config->local_count == 0) {
        buf_add_c(d->out, "  local_users: []");
        dump_line(d, 0);
        return;
    }
    buf_add_c(d->out, "  local_users:\n");
    for (int u = 0; u < config->local_count; u++) {
        dump_item(d, option_local_fields, option_local_field_count, &config->locals[u],
                  config->detail->local_lines[u]);
    }
}

/* The default as config_add_value writes it. */
static void add_fallback(struct buf *out, const struct option *o)
{
    union value value;
    AUTO_BUF struct buf expected = BUF_INIT(256);
    if (o->type == OPTION_TEXT || o->type == OPTION_URL) {
        add_literal(out, o->fallback);
    } else if (o->type == OPTION_DURATION) {
        ASSERT(value_parse(o, str_c(o->fallback), &value, &expected) == VALUE_GOOD);
        value_add_duration(out, value.i64);
    } else {
        buf_add_c(out, o->fallback);
    }
}

/* The checks have many fields, of which most do not concern their kind: only those that differ from
 * the default. */
static void dump_checks(const struct dump *d, const struct config_service *service)
{
    if (service->check_count > 0) {
        buf_add_c(d->out, "    checks:\n");
    }
    for (int c = 0; c < service->check_count; c++) {
        const char *separator = "";
        buf_addf(d->out, "      %s: {", service->checks[c].name);
        for (size_t f = 0; f < option_check_field_count; f++) {
            const struct option *o = &option_check_fields[f];
            AUTO_BUF struct buf value = BUF_INIT(65536), fallback = BUF_INIT(256);
            config_add_value(&value, o, &service->checks[c]);
            add_fallback(&fallback, o);
            if (!str_equal(buf_str(&value), buf_str(&fallback))) {
                buf_addf(d->out, "%s%s: %s", separator, o->name, value.data);
                separator = ", ";
            }
        }
        buf_add_c(d->out, "}\n");
    }
}

static void dump_services(const struct dump *d)
{
    const struct config *config = d->config;
    for (int s = 0; s < config->service_count; s++) {
        buf_addf(d->out, "  %s:", config->services[s].name);
        dump_line(d, config->services[s].line);
        for (size_t f = 0; f < option_service_field_count; f++) {
            buf_addf(d->out, "    %s: ", option_service_fields[f].name);
            config_add_value(d->out, &option_service_fields[f], &config->services[s]);
            buf_add_char(d->out, '\n');
        }
        dump_checks(d, &config->services[s]);
    }
}

static void dump(const struct dump *d)
{
    for (size_t g = 0; g < option_group_count; g++) {
        const char *group = option_groups[g].name;
        bool services = strcmp(group, "services") == 0;
        bool empty = services && d->config->service_count == 0;
        buf_addf(d->out, "%s:%s\n", group, empty ? " {}" : "");
        for (size_t i = 0; i < option_count; i++) {
            if (strcmp(option_table[i].group, group) == 0) {
                buf_addf(d->out, "  %s: ", option_table[i].name);
                config_add_value(d->out, &option_table[i], d->config);
                dump_origin(d, &d->config->detail->origins[i]);
            }
        }
        if (strcmp(group, "telegram") == 0) {
            dump_users(d);
        } else if (strcmp(group, "api") == 0) {
            dump_locals(d);
        } else if (services) {
            dump_services(d);
        }
    }
}

void config_dump(const struct config *config, struct buf *out)
{
    dump(&(struct dump){.out = out, .config = config, .origins = true});
}

void config_text(const struct config *config, struct buf *out)
{
    dump(&(struct dump){.out = out, .config = config});
}
