#include "command/complete.h"

#include "base/check.h"
#include "bind.h"
#include "command/quote.h"
#include "runner_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define CODE_DIGITS 6

/* ---------------------------------------------------------------- candidates */

static void add(struct completions *c, const char *text, const char *help)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->items[i].text, text) == 0) {
            return;
        }
    }
    if (c->count == COMPLETIONS_MAX || strlen(text) >= sizeof(c->items[0].text)) {
        c->more = true;
        return;
    }
    struct completion *item = &c->items[c->count++];
    (void)str_copy(str_c(text), item->text, sizeof(item->text));
    str_cut(str_c(help), item->help, sizeof(item->help));
}

static bool begins(const char *text, struct str prefix)
{
    return strncasecmp(text, prefix.ptr, prefix.len) == 0;
}

static bool may_run(const struct manifest *m, const struct principal *who)
{
    return manifest_is_visible(m, who->channel) && manifest_permit(m, who, NULL, NULL) == 0;
}

static void add_commands(const struct runner *runner, const struct principal *who, struct str word,
                         struct completions *c)
{
    static const char *const answers[][2] = {{"confirm", "Answer a prompt with yes"},
                                             {"cancel", "Answer a prompt with no"}};
    const struct manifest *m;
    for (size_t i = 0; (m = manifest_at(runner->o.manifests, i)) != NULL; i++) {
        if (begins(m->name, word) && may_run(m, who)) {
            add(c, m->name, m->summary);
        }
    }
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        if (begins(answers[i][0], word)) {
            add(c, answers[i][0], answers[i][1]);
        }
    }
}

static void on_value(const char *candidate, void *userdata)
{
    AUTO_BUF struct buf quoted = BUF_INIT(256);
    if (quote_add(&quoted, str_c(candidate)) && !buf_failed(&quoted)) {
        add(userdata, quoted.data, "");
    }
}

static void add_values(const struct runner *runner, const struct principal *who,
                       const struct manifest *m, int arg, struct str word, struct completions *c)
{
    const struct action_param *rule = &m->args[arg].rule;
    const struct value_context context = {.domains = runner->o.actions,
                                          .now_us = clock_wall_us(runner->o.clock)};
    if (rule->type == PARAM_LIST) {
        for (size_t i = word.len; i > 0; i--) {
            if (word.ptr[i - 1] == ',') {
                c->from += i;
                word = str_n(word.ptr + i, word.len - i);
                break;
            }
        }
    }
    if (arg == 0 && rule->type == PARAM_TEXT && manifest_has_action(m, "help")) {
        add_commands(runner, who, word, c);
    } else if (!rule->secret) {
        value_complete(rule, word, &context, on_value, c);
    }
    if (c->count == 0) {
        AUTO_BUF struct buf hint = BUF_INIT(1024);
        buf_addf(&hint, "%s: %s (", rule->name, rule->help);
        manifest_arg_describe(&m->args[arg], &hint);
        buf_add_char(&hint, ')');
        str_cut(buf_str(&hint), c->hint, sizeof(c->hint));
    }
}

/* ---------------------------------------------------------------- the words before */

/* Which arguments the words give, as bind_line takes them; -1: not an argument. */
static int arg_of_word(const struct manifest *m, const struct line *line, size_t i, bool given[])
{
    struct str word = str_c(line->words[i]);
    size_t name = line->quoted[i] ? 0 : quote_name_size(word);
    int arg = name == 0 ? -1 : manifest_find_arg(m, str_n(word.ptr, name - 1));
    for (int k = 0; arg < 0 && k < m->arg_count; k++) {
        arg = given[k] ? -1 : k;
    }
    if (arg >= 0) {
        given[arg] = true;
    }
    return arg;
}

static void complete_args(const struct runner *runner, const struct principal *who,
                          const struct manifest *m, const struct line *line, struct str word,
                          struct completions *c)
{
    bool given[ACTION_PARAMS_MAX] = {false};
    for (size_t i = 1; i < line->count && i < LINE_WORDS_MAX; i++) {
        (void)arg_of_word(m, line, i, given);
    }
    size_t name = quote_name_size(word);
    int named = name == 0 ? -1 : manifest_find_arg(m, str_n(word.ptr, name - 1));
    if (named >= 0) {
        c->from += name;
        add_values(runner, who, m, named, str_n(word.ptr + name, word.len - name), c);
        return;
    }
    for (int k = 0; k < m->arg_count; k++) {
        if (!given[k]) {
            add_values(runner, who, m, k, word, c);
            break;
        }
    }
    for (int k = 0; k < m->arg_count && (word.len > 0 || c->count == 0); k++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%s=", m->args[k].rule.name);
        if (!given[k] && word.len > 0 && begins(text, word)) {
            add(c, text, m->args[k].rule.help);
        }
    }
}

/* ---------------------------------------------------------------- what a history may keep */

static bool has_code(struct str text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        digits = isdigit((unsigned char)text.ptr[i]) ? digits + 1 : 0;
        if (digits >= CODE_DIGITS) {
            return true;
        }
    }
    return false;
}

/* Of a command with a secret argument only the words of its choices are kept: a code may stand in
 * any place by mistake. */
static bool only_choices(const struct manifest *m, const struct line *line)
{
    bool given[ACTION_PARAMS_MAX] = {false};
    for (size_t i = 1; i < line->count && i < LINE_WORDS_MAX; i++) {
        int arg = arg_of_word(m, line, i, given);
        struct str rest = str_c(arg < 0 ? NULL : m->args[arg].rule.choices), choice;
        bool found = false;
        while (str_split(&rest, '|', &choice)) {
            found = found || str_equal_nocase(choice, line->words[i]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool has_secret(const struct manifest *m)
{
    for (int i = 0; i < m->arg_count; i++) {
        if (m->args[i].rule.secret) {
            return true;
        }
    }
    return false;
}

static bool binds(const struct manifest *m, const struct line *line)
{
    static const struct value_context none = {.now_us = 0};
    struct arg_value *values = bind_new(m);
    struct err ignored = {0};
    bool ok = bind_line(m, line, &none, values, &ignored) == 0;
    bind_free(m, values);
    return ok;
}

static enum line_keep keep_of(const struct runner *runner, struct line *line, struct str text)
{
    const struct manifest *m = line_command(line, runner->o.manifests);
    bool answer = strcmp(line->words[0], "confirm") == 0 || strcmp(line->words[0], "cancel") == 0;
    for (size_t i = 0; i < line->count && i < LINE_WORDS_MAX; i++) {
        if (str_looks_secret(str_c(line->words[i]))) {
            return LINE_KEEP_NOT;
        }
    }
    if (answer || (m != NULL && has_secret(m) && !only_choices(m, line))) {
        return LINE_KEEP_NOT;
    }
    if (m != NULL && binds(m, line)) {
        return LINE_KEEP_ALWAYS;
    }
    bool wordlike = strcspn(line->words[0], "0123456789-") == strlen(line->words[0]);
    return wordlike && !has_code(text) ? LINE_KEEP_HERE : LINE_KEEP_NOT;
}

/* ---------------------------------------------------------------- the line */

void complete_line(const struct runner *runner, const struct principal *who,
                   struct str before_cursor, struct completions *ret)
{
    struct str text = before_cursor;
    struct err ignored = {0};
    memset(ret, 0, sizeof(*ret));
    struct line *line = calloc(1, sizeof(*line));
    ASSERT(line != NULL);
    if (line_split(text, line, &ignored) == 0) {
        ret->keep = keep_of(runner, line, text);
    }
    size_t start = text.len;
    while (start > 0 && text.ptr[start - 1] != ' ') {
        start--;
    }
    struct str word = str_n(text.ptr + start, text.len - start);
    ret->from = start;
    if (str_trim(str_n(text.ptr, start)).len == 0) {
        size_t slash = word.len > 0 && word.ptr[0] == '/' ? 1 : 0;
        ret->from += slash;
        add_commands(runner, who, str_n(word.ptr + slash, word.len - slash), ret);
    } else if (line_split(str_n(text.ptr, start), line, &ignored) == 0) {
        const struct manifest *m = line_command(line, runner->o.manifests);
        if (m != NULL && may_run(m, who)) {
            complete_args(runner, who, m, line, word, ret);
        }
    }
    free(line);
}

/* ---------------------------------------------------------------- for another process */

static const char *const keeps[] = {
    [LINE_KEEP_NOT] = "no", [LINE_KEEP_HERE] = "memory", [LINE_KEEP_ALWAYS] = "yes"};

void completions_write(const struct completions *c, struct json_out *out)
{
    json_out_u64(out, "from", c->from);
    json_out_bool(out, "more", c->more);
    json_out_text(out, "hint", c->hint);
    json_out_text(out, "keep", keeps[c->keep]);
    json_out_array(out, "items");
    for (size_t i = 0; i < c->count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "text", c->items[i].text);
        json_out_text(out, "help", c->items[i].help);
        json_out_end(out);
    }
    json_out_end(out);
}

int completions_read(struct str json, struct completions *ret, struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    memset(ret, 0, sizeof(*ret));
    int rc = json_parse(json, &JSON_LIMITS_DEFAULT, &root, err);
    if (rc < 0) {
        return rc;
    }
    int64_t from = json_i64(root, "from", 0);
    ret->from = from > 0 ? (size_t)from : 0;
    ret->more = json_truth(root, "more", false);
    str_cut(str_c(json_text(root, "hint")), ret->hint, sizeof(ret->hint));
    for (size_t i = 0; i < COUNT_OF(keeps); i++) {
        ret->keep = strcmp(json_text(root, "keep"), keeps[i]) == 0 ? (enum line_keep)i : ret->keep;
    }
    struct json_object *items = json_get(root, "items");
    for (size_t i = 0; i < json_len(items); i++) {
        struct json_object *item = json_item(items, i);
        add(ret, json_text(item, "text"), json_text(item, "help"));
    }
    return 0;
}
