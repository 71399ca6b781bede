#include "config/setting.h"

#include "config/config.h"
#include "config_value.h"
#include "detail.h"
#include "io/yaml.h"
#include "io/yaml_edit.h"
#include "option.h"
#include "value.h"

#include <string.h>

#define VALUE_BYTES_MAX ((size_t)65536)

/* ------------------------------------------------------------------ finding it */

static const struct option *find_path(struct str name)
{
    for (size_t i = 0; i < option_count; i++) {
        if (str_equal_c(name, option_table[i].path)) {
            return &option_table[i];
        }
    }
    return NULL;
}

/* By the name alone: *ret_count options have it; adds their paths. */
static const struct option *find_name(struct str name, int *ret_count, struct buf *paths)
{
    const struct option *found = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < option_count; i++) {
        if (str_equal_c(name, option_table[i].name)) {
            found = &option_table[i];
            buf_addf(paths, "%s%s", *ret_count > 0 ? ", " : "", found->path);
            *ret_count += 1;
        }
    }
    return found;
}

static int unknown(struct str name, struct err *err)
{
    const struct option *nearest = NULL;
    int len = name.len > 60 ? 60 : (int)name.len;
    int least = len / 3 + 1; /* more is no typing error */
    for (size_t i = 0; i < option_count; i++) {
        int by_path = str_distance(name, str_c(option_table[i].path));
        int by_name = str_distance(name, str_c(option_table[i].name));
        int distance = by_path < by_name ? by_path : by_name;
        if (distance < least) {
            least = distance;
            nearest = &option_table[i];
        }
    }
    return nearest != NULL ? err_set(err, ERR_CONFIG_UNKNOWN_KEY, "%.*s: did you mean %s?", len,
                                     name.ptr, nearest->path)
                           : err_set(err, ERR_CONFIG_UNKNOWN_KEY,
                                     "%.*s: docs/config.md lists all options", len, name.ptr);
}

int config_setting_find(struct str name, struct config_setting *ret, struct err *err)
{
    AUTO_BUF struct buf paths = BUF_INIT(256);
    const struct option *o = find_path(name);
    int count = 1;
    if (o == NULL) {
        o = find_name(name, &count, &paths);
    }
    if (o == NULL) {
        return unknown(name, err);
    }
    if (count > 1) {
        return err_set(err, ERR_CONFIG_UNKNOWN_KEY, "%.*s alone is not clear: %s", STR_ARG(name),
                       paths.data);
    }
    *ret = (struct config_setting){.option = o,
                                   .path = o->path,
                                   .type = option_type_name(o->type),
                                   .unit = o->unit,
                                   .fallback = o->fallback,
                                   .help = o->help,
                                   .live = (o->flags & CONFIG_LIVE) != 0,
                                   .secret = o->type == OPTION_SECRET,
                                   .file_only = (o->flags & CONFIG_FILE_ONLY) != 0 ||
                                                o->type == OPTION_SECRET};
    return 0;
}

const char *config_setting_path(size_t index)
{
    return index < option_count ? option_table[index].path : NULL;
}

/* ------------------------------------------------------------------ what it is */

void config_setting_add_value(const struct config_setting *setting, const struct config *config,
                              struct buf *out)
{
    config_add_value(out, setting->option, config);
}

void config_setting_add_range(const struct config_setting *setting, struct buf *out)
{
    value_add_range(out, setting->option);
}

bool config_setting_is_default(const struct config_setting *setting, const struct config *config)
{
    size_t index = (size_t)(setting->option - option_table);
    return config->detail->origins[index].kind == ORIGIN_DEFAULT;
}

/* ------------------------------------------------------------------ a new value */

/* In quotes, and literal: its ${ is escaped, so that nobody reads the environment by it. */
static void add_quoted(struct buf *out, struct str text)
{
    AUTO_BUF struct buf escaped = BUF_INIT(2 * VALUE_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++) {
        bool dollar = text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{';
        buf_add_c(&escaped, dollar ? "$$" : "");
        if (!dollar) {
            buf_add_char(&escaped, text.ptr[i]);
        }
    }
    buf_add_char(out, '"');
    buf_add_json(out, buf_str(&escaped));
    buf_add_char(out, '"');
}

/* Numbers, words and durations need no quotes. */
static bool is_plain(struct str text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "._-";
    for (size_t i = 0; i < text.len; i++) {
        if (memchr(plain, text.ptr[i], sizeof(plain) - 1) == NULL &&
            !(text.ptr[i] == '%' && i + 1 == text.len && i > 0)) {
            return false;
        }
    }
    return text.len > 0;
}

static void add_item(struct buf *out, enum option_type type, struct str text)
{
    bool texts = type == OPTION_TEXT || type == OPTION_URL || type == OPTION_TEXTS;
    if (!texts && is_plain(text)) {
        buf_add_str(out, text);
    } else {
        add_quoted(out, text);
    }
}

static int add_list(const struct option *o, struct str value, struct buf *out, struct err *err)
{
    AUTO_YAML struct yaml *doc = NULL;
    const char *separator = "";
    buf_add_char(out, '[');
    if (value.len > 0 && value.ptr[0] == '[') {
        if (yaml_parse(value, o->path, &doc, NULL) < 0 || yaml_root(doc)->kind != YAML_SEQUENCE) {
            return err_set(err, ERR_CONFIG_TYPE, "%s: expected a list such as [a, b]", o->path);
        }
        for (size_t i = 0; i < yaml_len(yaml_root(doc)); i++) {
            const struct yaml_node *item = yaml_at(yaml_root(doc), i);
            if (item->kind != YAML_SCALAR) {
                return err_set(err, ERR_CONFIG_TYPE, "%s: item %zu is a list itself", o->path,
                               i + 1);
            }
            buf_add_c(out, separator);
            add_item(out, o->type, item->text);
            separator = ", ";
        }
    } else {
        struct str item;
        while (str_split(&value, ',', &item)) {
            buf_add_c(out, separator);
            add_item(out, o->type, str_trim(item));
            separator = ", ";
        }
    }
    buf_add_char(out, ']');
    return 0;
}

/* "12 %" and "1 h" are one word. */
static void add_number(const struct option *o, struct str value, struct buf *out)
{
    AUTO_BUF struct buf word = BUF_INIT(VALUE_BYTES_MAX);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != ' ') {
            buf_add_char(&word, value.ptr[i]);
        }
    }
    add_item(out, o->type, buf_str(&word));
}

int config_setting_edit(const struct config_setting *setting, struct str value, struct str text,
                        const char *file, struct buf *out, struct err *err)
{
    const struct option *o = setting->option;
    AUTO_BUF struct buf yaml = BUF_INIT(4 * VALUE_BYTES_MAX);
    value = str_trim(value);
    if (setting->secret) { /* the command, and with it the secret, would be kept */
        return err_set(err, ERR_CONFIG_GUARDED, "%s is a secret", o->path);
    }
    if (option_is_list(o->type)) {
        int rc = add_list(o, value, &yaml, err);
        if (rc < 0) {
            return rc;
        }
    } else if (o->type == OPTION_PERCENT || o->type == OPTION_DURATION) {
        add_number(o, value, &yaml);
    } else {
        add_item(&yaml, o->type, value);
    }
    if (buf_failed(&yaml)) {
        return err_set(err, ERR_CONFIG_LIMIT, "%s: a value of %zu bytes", o->path, value.len);
    }
    const struct yaml_edit edit = {.group = o->group, .name = o->name, .value = yaml.data};
    return yaml_edit(text, file, &edit, out, err);
}
