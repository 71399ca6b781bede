#include "bind.h"

#include "base/check.h"
#include "command/quote.h"

#include <string.h>

struct arg_value *bind_new(const struct manifest *m)
{
    struct arg_value *values = calloc((size_t)m->arg_count + 1, sizeof(*values));
    ASSERT(values != NULL);
    return values;
}

void bind_free(const struct manifest *m, struct arg_value *values)
{
    for (int i = 0; values != NULL && i < m->arg_count; i++) {
        value_release(&values[i]);
    }
    free(values);
}

static int find_arg(const struct manifest *m, struct str name)
{
    for (int i = 0; i < m->arg_count; i++) {
        if (str_equal_c(name, m->args[i].rule.name)) {
            return i;
        }
    }
    return -1;
}

static int check_required(const struct manifest *m, const struct arg_value *values, struct err *err)
{
    for (int i = 0; i < m->arg_count; i++) {
        const struct action_param *rule = &m->args[i].rule;
        if (rule->required && values[i].type == PARAM_NONE) {
            return err_set(err, ERR_COMMAND_ARG_MISSING, "%s: %s", rule->name, rule->help);
        }
    }
    return 0;
}

/* Fills in defaults, makes prices absolute, and refuses if an argument is missing. */
static int complete(const struct manifest *m, const struct value_context *context,
                    struct arg_value *values, struct err *err)
{
    int missing = check_required(m, values, err);
    if (missing < 0) {
        return missing;
    }
    for (int i = 0; i < m->arg_count; i++) {
        const struct action_param *rule = &m->args[i].rule;
        int rc = m->args[i].own_default && values[i].type == PARAM_NONE
                     ? value_from_text(rule, str_c(rule->default_text), context, &values[i], err)
                     : 0;
        if (rc < 0) {
            return rc;
        }
    }
    for (int i = 0; i < m->arg_count; i++) {
        const struct action_param *rule = &m->args[i].rule;
        int of = find_arg(m, str_c(rule->symbol_of));
        int rc = value_resolve_price(rule, &values[i], of < 0 ? NULL : &values[of], context, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int set_arg(const struct manifest *m, int index, struct str text,
                   const struct value_context *context, struct arg_value *values, struct err *err)
{
    const struct action_param *rule = &m->args[index].rule;
    if (values[index].type != PARAM_NONE) { /* which of the two is meant cannot be known */
        return err_set(err, ERR_COMMAND_ARG_EXTRA, "%s is given twice", rule->name);
    }
    return value_from_text(rule, text, context, &values[index], err);
}

/* The index of the argument in name=value; -1 if the word does not name one of this command. */
static int named_arg(const struct manifest *m, const char *word, struct str *ret_value)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL) {
        return -1;
    }
    *ret_value = str_c(equals + 1);
    return find_arg(m, str_n(word, (size_t)(equals - word)));
}

/* The words from `first` on as one text, which gives the same words if it is parsed. A single word
 * is the text itself. */
static int set_rest(const struct manifest *m, int index, const struct line *line, size_t first,
                    const struct value_context *context, struct arg_value *values, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(2 * LINE_BYTES_MAX);
    if (line->count > LINE_WORDS_MAX) {
        return err_set(err, ERR_COMMAND_ARG_EXTRA, "%s: at most %d words", m->name, LINE_WORDS_MAX);
    }
    if (first + 1 == line->count) {
        return set_arg(m, index, str_c(line->words[first]), context, values, err);
    }
    for (size_t i = first; i < line->count; i++) {
        struct str word = str_c(line->words[i]);
        size_t named = line->quoted[i] ? 0 : quote_name_size(word);
        buf_add_c(&text, i == first ? "" : " ");
        buf_add(&text, word.ptr, named);
        (void)quote_add(&text, str_n(word.ptr + named, word.len - named));
    }
    return set_arg(m, index, buf_str(&text), context, values, err);
}

int bind_line(const struct manifest *m, const struct line *line,
              const struct value_context *context, struct arg_value *values, struct err *err)
{
    size_t given = line->count - 1;
    int next = 0;
    for (size_t i = 1; i < line->count && i < LINE_WORDS_MAX; i++) {
        struct str value = str_c(line->words[i]);
        int index = line->quoted[i] ? -1 : named_arg(m, line->words[i], &value);
        bool named = index >= 0;
        if (!named) {
            while (next < m->arg_count && values[next].type != PARAM_NONE) {
                next++;
            }
            index = next;
            value = str_c(line->words[i]);
        }
        if (index >= m->arg_count) {
            return err_set(err, ERR_COMMAND_ARG_EXTRA, "%s takes %d, the line gives %zu", m->name,
                           m->arg_count, given);
        }
        if (m->args[index].rest && !named) {
            int rc = set_rest(m, index, line, i, context, values, err);
            return rc < 0 ? rc : complete(m, context, values, err);
        }
        int rc = set_arg(m, index, value, context, values, err);
        if (rc < 0) {
            return rc;
        }
    }
    return complete(m, context, values, err);
}

static int bind_object(const struct manifest *m, struct json_object *args, bool stored,
                       const struct value_context *context, struct arg_value *values,
                       struct err *err)
{
    json_object_object_foreach(args, name, json)
    {
        int index = find_arg(m, str_c(name));
        if (index < 0 && !stored) {
            return err_set(err, ERR_COMMAND_ARG_EXTRA, "%s takes no argument %.40s", m->name, name);
        }
        int rc = index < 0
                     ? 0
                     : value_from_json(&m->args[index].rule, json, context, &values[index], err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int bind_array(const struct manifest *m, struct json_object *args,
                      const struct value_context *context, struct arg_value *values,
                      struct err *err)
{
    size_t count = json_len(args);
    if (count > (size_t)m->arg_count) {
        return err_set(err, ERR_COMMAND_ARG_EXTRA, "%s takes %d, args has %zu items", m->name,
                       m->arg_count, count);
    }
    for (size_t i = 0; i < count; i++) {
        int rc = value_from_json(&m->args[i].rule, json_item(args, i), context, &values[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int bind_json(const struct manifest *m, struct json_object *args,
              const struct value_context *context, struct arg_value *values, struct err *err)
{
    int rc = json_is_array(args)    ? bind_array(m, args, context, values, err)
             : json_is_object(args) ? bind_object(m, args, false, context, values, err)
                                    : err_set(err, ERR_COMMAND_ARG_INVALID,
                                              "the arguments are neither an object nor an array");
    return rc < 0 ? rc : complete(m, context, values, err);
}

int bind_stored(const struct manifest *m, struct json_object *args,
                const struct value_context *context, struct arg_value *values, struct err *err)
{
    int rc = json_is_object(args) ? bind_object(m, args, true, context, values, err) : 0;
    return rc < 0 ? rc : check_required(m, values, err);
}

void bind_stored_json(const struct manifest *m, const struct arg_value *values, struct buf *text)
{
    struct json_out out = JSON_OUT(text);
    json_out_object(&out, NULL);
    for (int i = 0; i < m->arg_count; i++) {
        AUTO_BUF struct buf shown = BUF_INIT(VALUE_TEXT_MAX);
        if (values[i].type == PARAM_TEXT && !value_shown(&values[i], &shown)) {
            json_out_text(&out, m->args[i].rule.name, shown.data);
        } else if (values[i].type != PARAM_NONE) {
            value_json(&values[i], &out, m->args[i].rule.name);
        }
    }
    json_out_end(&out);
}

bool bind_add_line(const struct manifest *m, const struct arg_value *values, struct buf *out)
{
    bool skipped = false, exact = true;
    buf_add_c(out, m->name);
    for (int i = 0; i < m->arg_count; i++) {
        AUTO_BUF struct buf text = BUF_INIT(LINE_BYTES_MAX);
        if (values[i].type == PARAM_NONE) {
            skipped = true;
            continue;
        }
        exact = value_shown(&values[i], &text) && exact;
        buf_add_char(out, ' ');
        exact = (skipped ? quote_add_named(out, m->args[i].rule.name, buf_str(&text))
                         : quote_add(out, buf_str(&text))) &&
                exact;
    }
    return exact;
}
