#include "body_rule.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "io/json.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGEX_BYTES ((size_t)16 * 1024)
#define SHOWN_BYTES ((size_t)40)

struct body_rule {
    const struct config_check *config;
    bool has_regex;
    regex_t regex;
};

struct body_rule *body_rule_new(const struct config_check *config)
{
    struct body_rule *rule = calloc(1, sizeof(*rule));
    ASSERT(rule != NULL);
    rule->config = config;
    rule->has_regex =
        config->body_matches[0] != '\0' &&
        regcomp(&rule->regex, config->body_matches, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) == 0;
    return rule;
}

void body_rule_free(struct body_rule *rule)
{
    if (rule != NULL && rule->has_regex) {
        regfree(&rule->regex);
    }
    free(rule);
}

/* ------------------------------------------------------------------ without a rule */

static bool is_ill(struct str word)
{
    static const char *const words[] = {
        "unhealthy", "down",     "fail",        "failed",         "failing",      "failure",
        "error",     "critical", "dead",        "stopped",        "not ok",       "nok",
        "offline",   "broken",   "unavailable", "out_of_service", "outofservice", "false",
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_equal_nocase(word, words[i])) {
            return true;
        }
    }
    return false;
}

static bool json_is_well(const struct json_object *body, char *reason, size_t size)
{
    static const char *const words[] = {"status", "state", "health"};
    static const char *const flags[] = {"healthy", "ok", "alive"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct str word = json_str(body, words[i]);
        if (is_ill(word)) {
            (void)snprintf(reason, size, "its answer says %s: %.*s", words[i], STR_ARG(word));
            return false;
        }
    }
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (!json_truth(body, flags[i], true)) {
            (void)snprintf(reason, size, "its answer says %s: false", flags[i]);
            return false;
        }
    }
    return true;
}

static bool says_well(struct str body, char *reason, size_t size)
{
    AUTO_JSON struct json_object *json = NULL;
    struct str text = str_trim(body);
    if (is_ill(text)) {
        (void)snprintf(reason, size, "its answer is \"%.*s\"", STR_ARG(text));
        return false;
    }
    return text.len == 0 || text.ptr[0] != '{' ||
           json_parse(text, &JSON_LIMITS_DEFAULT, &json, NULL) < 0 ||
           json_is_well(json, reason, size);
}

/* ------------------------------------------------------------------ the rules */

static bool matches(const struct body_rule *rule, struct str body)
{
    char text[REGEX_BYTES + 1];
    size_t len = body.len < REGEX_BYTES ? body.len : REGEX_BYTES;
    memcpy(text, body.ptr, len);
    text[len] = '\0';
    return regexec(&rule->regex, text, 0, NULL, 0) == 0;
}

/* The value as a person would write it into the configuration: a text without its quotes. */
static void add_value(struct buf *out, struct json_object *value)
{
    if (json_is_text(value)) {
        buf_add_str(out, json_value_str(value));
    } else {
        json_add_text(out, value);
    }
}

static bool pointer_holds(const struct config_check *c, struct str body, char *reason, size_t size)
{
    AUTO_JSON struct json_object *json = NULL;
    struct json_object *value = NULL;
    if (json_parse(str_trim(body), &JSON_LIMITS_DEFAULT, &json, NULL) < 0) {
        (void)snprintf(reason, size, "its answer is not JSON");
        return false;
    }
    if (!json_pointer(json, str_c(c->json_pointer), &value)) {
        (void)snprintf(reason, size, "its answer has no %s", c->json_pointer);
        return false;
    }
    AUTO_BUF struct buf text = BUF_INIT(BODY_RULE_BYTES);
    add_value(&text, value);
    bool good = c->json_value[0] != '\0'
                    ? str_equal_c(buf_str(&text), c->json_value)
                    : !str_equal_c(buf_str(&text), "false") && !str_equal_c(buf_str(&text), "null");
    if (!good) {
        (void)snprintf(reason, size, "%s is %.*s%s%s", c->json_pointer,
                       (int)(text.len < SHOWN_BYTES ? text.len : SHOWN_BYTES), text.data,
                       c->json_value[0] != '\0' ? ", expected " : "", c->json_value);
    }
    return good;
}

bool body_rule_holds(struct body_rule *rule, struct str body, char *reason, size_t size)
{
    const struct config_check *c = rule->config;
    if (c->body_has[0] == '\0' && c->body_matches[0] == '\0' && c->json_pointer[0] == '\0') {
        return says_well(body, reason, size);
    }
    if (c->body_has[0] != '\0' &&
        memmem(body.ptr, body.len, c->body_has, strlen(c->body_has)) == NULL) {
        (void)snprintf(reason, size, "its answer does not contain \"%s\"", c->body_has);
        return false;
    }
    if (rule->has_regex && !matches(rule, body)) {
        (void)snprintf(reason, size, "its answer does not match %s", c->body_matches);
        return false;
    }
    return c->json_pointer[0] == '\0' || pointer_holds(c, body, reason, size);
}
