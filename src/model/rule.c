#include "model/rule.h"

#include "names.h"

#include <stdio.h>

static const char *const status_words[] = {
    [RULE_TESTING] = "testing", [RULE_ACTIVE] = "active", [RULE_RETIRED] = "retired"};
static const char *const effect_words[] = {[RULE_AVOID] = "avoid", [RULE_FAVOUR] = "favour"};

NAMES_PRINT(rule_status, enum rule_status, status_words)
NAMES_PARSE(rule_status, enum rule_status, status_words)
NAMES_PRINT(rule_effect, enum rule_effect, effect_words)
NAMES_PARSE(rule_effect, enum rule_effect, effect_words)

_Static_assert(sizeof("favour\n") + CONDITION_TEXT_SIZE + RULE_HELP_SIZE <= REQUEST_TEXT_SIZE,
               "a rule fits in a request");

static bool is_one_line(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == 0x7F) {
            return false;
        }
    }
    return str_is_utf8(text);
}

int rule_read(struct str text, struct rule *ret, struct condition *ret_program, struct err *err)
{
    *ret = (struct rule){0};
    struct str rest = text;
    struct str effect = STR_LIT("");
    struct str condition = STR_LIT("");
    (void)str_split(&rest, '\n', &effect);
    (void)str_split(&rest, '\n', &condition);
    if (!rule_effect_parse(effect, &ret->effect)) {
        struct str shown = str_n(effect.ptr, effect.len < 20 ? effect.len : 20);
        return err_set(err, ERR_RULE_TEXT, "effect: %.*s is neither avoid nor favour",
                       STR_ARG(shown));
    }
    int rc = condition_compile(condition, ret_program, err);
    if (rc < 0) {
        return rc;
    }
    (void)condition_print(ret_program, ret->condition);
    struct str help = str_trim(rest);
    if (help.len == 0) {
        return err_set(err, ERR_RULE_TEXT, "the reason is missing");
    }
    if (!is_one_line(help)) {
        return err_set(err, ERR_RULE_TEXT, "the reason contains a line break or is not text");
    }
    if (!str_copy(help, ret->help, sizeof(ret->help))) {
        return err_set(err, ERR_RULE_TEXT, "the reason is longer than %d bytes",
                       RULE_HELP_SIZE - 1);
    }
    return 0;
}

void rule_write(const struct rule *rule, char dst[REQUEST_TEXT_SIZE])
{
    (void)snprintf(dst, REQUEST_TEXT_SIZE, "%s\n%s\n%s", rule_effect_name(rule->effect),
                   rule->condition, rule->help);
}
