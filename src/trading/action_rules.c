#include "config/config.h"
#include "desk_internal.h"
#include "model/model_json.h"
#include "store/rule_table.h"

#include <string.h>

#define RULES_SHOWN 48 /* newest first, including retired ones */
#define LINE_SIZE   1024

/* ------------------------------------------------------------------------------------- show ----
 */

/* "right in 12 of 15 (80 %)": with the number of cases, because few cases prove little. */
static void add_record(struct reply *r, const struct rule *rule)
{
    int64_t cases = rule->success_count + rule->failure_count;
    if (cases == 0) {
        reply_more(r, "{}", cell_text("no case completed yet"));
        return;
    }
    reply_more(r, "right in {} of {} ({})", cell_count(rule->success_count), cell_count(cases),
               cell_pct(100.0 * (double)rule->success_count / (double)cases, 0));
}

/* The symbols in the rule that are not traded: mistyped, or removed from the configuration. */
static int not_traded(const struct desk *desk, const struct rule *rule,
                      struct symbol ret[CONDITION_OPS_MAX])
{
    const struct config_symbols *traded = &desk->o.config->market_symbols;
    struct condition program;
    struct symbol named[CONDITION_OPS_MAX];
    if (condition_compile(str_c(rule->condition), &program, NULL) < 0) {
        return 0;
    }
    int found = 0;
    int count = condition_symbols(&program, named, CONDITION_OPS_MAX);
    for (int i = 0; i < count; i++) {
        int at = 0;
        while (at < traded->count && !symbol_equal(traded->items[at], named[i])) {
            at++;
        }
        if (at == traded->count) {
            ret[found++] = named[i];
        }
    }
    return found;
}

/* full: with the figures that it came from. */
static void show_rule(const struct desk *desk, struct reply *r, const struct rule *rule, bool full)
{
    static const char *const marks[] = {
        [RULE_TESTING] = "🧪", [RULE_ACTIVE] = "✅", [RULE_RETIRED] = "⚪"};
    reply_para(r, "{} {} · {} · {} · ", cell_text(marks[rule->status]), cell_count(rule->id),
               cell_text(rule_status_name(rule->status)),
               cell_text(rule_effect_name(rule->effect)));
    add_record(r, rule);
    reply_line(r, "   when %s", rule->condition);
    reply_line(r, "   %s", rule->help);
    if (desk->learnt.rule != NULL) {
        desk->learnt.rule(r, rule->id, full, desk->learnt.userdata);
    }
    struct symbol symbols[CONDITION_OPS_MAX];
    int count = not_traded(desk, rule, symbols);
    for (int i = 0; i < count; i++) {
        reply_line(r, "   ⚠️ %s is not traded", symbols[i].name);
    }
}

static void add_rule_json(struct json_out *data, const struct desk *desk, const struct rule *rule)
{
    struct symbol symbols[CONDITION_OPS_MAX];
    int count = not_traded(desk, rule, symbols);
    model_json_rule(data, rule);
    json_out_array(data, "not_traded");
    for (int i = 0; i < count; i++) {
        json_out_text(data, NULL, symbols[i].name);
    }
    json_out_end(data);
}

/* The rule that a command added or changed. */
static void set_rule_data(struct reply *r, const struct desk *desk, const struct rule *rule)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "rule");
    add_rule_json(&data, desk, rule);
    json_out_end(&data);
}

static int show_words(struct reply *r)
{
    reply_title(r, TONE_PLAIN, "Words of a rule's condition");
    reply_line(r, "Compare with < <= > >= == != or \"between 20 and 30\". Combine with and, or, "
                  "not and parentheses.");
    /* Not a table: its rows would be twice as wide as a phone. */
    for (const struct condition_word *w = condition_words(); w->name != NULL; w++) {
        reply_line(r, "· %s: %s", w->name, w->help);
    }
    reply_line(r, "/rule_add avoid \"rsi14@1h > 70 and side == long\" \"no chasing\"");
    return ACTION_DONE;
}

static void add_buttons(struct reply *r, const struct rule *rule)
{
    char line[48];
    if (rule->status == RULE_TESTING) {
        (void)snprintf(line, sizeof(line), "/rule_activate %lld", (long long)rule->id);
        reply_button(r, "Activate", line, BUTTON_PLAIN);
    } else if (rule->status == RULE_ACTIVE) {
        (void)snprintf(line, sizeof(line), "/rule_test %lld", (long long)rule->id);
        reply_button(r, "Only test", line, BUTTON_PLAIN);
    }
    if (rule->status != RULE_RETIRED) {
        (void)snprintf(line, sizeof(line), "/rule_retire %lld", (long long)rule->id);
        reply_button(r, "Retire", line, BUTTON_DANGER);
    }
}

static int show_rules(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct arg_value *what = action_value(call, "what");
    struct rule_query query = {.retired = what != NULL};
    if (what != NULL && what->type == PARAM_INT) {
        query.id = what->number;
    } else if (what != NULL && strcmp(what->text, "words") == 0) {
        return show_words(r);
    }
    struct rule rules[RULES_SHOWN];
    int rc = desk_need_store(desk, action_reply(call), err);
    int n = rc < 0 ? rc : rule_table_list(desk->o.trading, &query, rules, RULES_SHOWN, err);
    if (n < 0) {
        return n;
    }
    if (n == 0 && query.id > 0) {
        return err_set(err, ERR_RULE_UNKNOWN, "rule %lld", (long long)query.id);
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "rules");
    int active = 0;
    for (int i = 0; i < n; i++) {
        active += rules[i].status == RULE_ACTIVE;
        if (i > 0) {
            reply_gap(r);
        }
        show_rule(desk, r, &rules[i], query.id > 0);
        json_out_object(&data, NULL);
        add_rule_json(&data, desk, &rules[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
    if (query.id > 0) {
        reply_title(r, TONE_PLAIN, "Trading rule %lld", (long long)query.id);
        reply_line(r, "Added by %s.", rules[0].created_by);
        add_buttons(r, &rules[0]);
    } else if (n == 0) {
        reply_title(r, TONE_PLAIN, "No trading rules yet");
        reply_line(r, "/rules words lists the words of a condition.");
    } else {
        reply_title(r, TONE_PLAIN, "Trading rules: %d active of %d", active, n);
    }
    return ACTION_DONE;
}

/* --------------------------------------------------------------------------------------- add ---
 */

/* Compiles the condition before the engine gets it, so that an error can show its column. */
static int read_rule(const struct action_call *call, struct rule *ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    struct condition program;
    buf_addf(&text, "%s\n%s\n%s", action_text(call, "effect"), action_text(call, "condition"),
             action_text(call, "help"));
    if (strchr(action_text(call, "condition"), '\n') != NULL) {
        return err_set(err, ERR_RULE_CONDITION, "it contains a line break");
    }
    return rule_read(buf_str(&text), ret, &program, err);
}

static bool added(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    struct rule rules[RULES_MAX];
    struct rule wanted;
    struct condition program;
    struct err err = {0};
    (void)rule_read(str_c(p->asked.text), &wanted, &program, NULL); /* valid: read_rule made it */
    int n = desk->o.trading == NULL
                ? 0
                : rule_table_list(desk->o.trading, &(struct rule_query){0}, rules, RULES_MAX, &err);
    reply_title(r, TONE_GOOD, "The rule is being tested");
    for (int i = 0; i < n; i++) {
        if (rules[i].effect == wanted.effect && strcmp(rules[i].condition, wanted.condition) == 0) {
            reply_title(r, TONE_GOOD, "Rule %lld is being tested", (long long)rules[i].id);
            show_rule(desk, r, &rules[i], false);
            add_buttons(r, &rules[i]);
            set_rule_data(r, desk, &rules[i]);
        }
    }
    reply_line(r, "Until it is activated, its matches are counted but change nothing.");
    desk_finish(p, NULL); /* the rule exists even if its number could not be read */
    return true;
}

static int add_rule(struct action_call *call, struct err *err)
{
    struct rule rule;
    int rc = read_rule(call, &rule, err);
    if (rc < 0) {
        return rc;
    }
    struct request draft = {.kind = REQUEST_RULE_ADD};
    rule_write(&rule, draft.text);
    return desk_ask(action_userdata(call), call, &draft, added, err);
}

/* ------------------------------------------------------------------------------------ status ---
 */

static int find_rule(struct desk *desk, struct action_call *call, struct rule *ret, struct err *err)
{
    int64_t id = action_int(call, "rule");
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc < 0) {
        return rc;
    }
    rc = rule_table_list(desk->o.trading, &(struct rule_query){.id = id, .retired = true}, ret, 1,
                         err);
    if (rc == 0 || (rc > 0 && ret->status == RULE_RETIRED)) {
        return err_set(err, ERR_RULE_UNKNOWN, "rule %lld%s", (long long)id,
                       rc > 0 ? " is retired" : "");
    }
    return rc < 0 ? rc : 0;
}

static const char *consequence(enum rule_status status, enum rule_effect effect)
{
    switch (status) {
    case RULE_TESTING:
        return "Its matches will be counted but change nothing.";
    case RULE_ACTIVE:
        return effect == RULE_AVOID ? "Entries that match it will be refused."
                                    : "Entries that match it will be larger, within the risk "
                                      "limits.";
    case RULE_RETIRED:
        return "The engine will never use it again; its counts stay in /rules all.";
    }
    return "";
}

static int preview_status(struct action_call *call, struct err *err)
{
    struct reply *r = action_reply(call);
    struct rule rule;
    enum rule_status status = RULE_TESTING;
    int rc = find_rule(action_userdata(call), call, &rule, err);
    if (rc < 0) {
        return rc;
    }
    (void)rule_status_parse(str_c(action_text(call, "status")), &status); /* one of its choices */
    show_rule(action_userdata(call), r, &rule, true);
    reply_line(r, "%s", consequence(status, rule.effect));
    return 0;
}

static bool status_set(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    struct rule rule;
    struct err err = {0};
    int n = desk->o.trading == NULL
                ? 0
                : rule_table_list(desk->o.trading,
                                  &(struct rule_query){.id = p->asked.number, .retired = true},
                                  &rule, 1, &err);
    reply_title(r, TONE_GOOD, "Rule %lld is %s", (long long)p->asked.number, p->asked.text);
    if (n == 1) {
        show_rule(desk, r, &rule, false);
        set_rule_data(r, desk, &rule);
    }
    reply_button(r, "Rules", "/rules", BUTTON_PLAIN);
    desk_finish(p, NULL);
    return true;
}

static int set_status(struct action_call *call, struct err *err)
{
    struct request draft = {.kind = REQUEST_RULE_STATUS, .number = action_int(call, "rule")};
    (void)str_copy(str_c(action_text(call, "status")), draft.text, sizeof(draft.text));
    return desk_ask(action_userdata(call), call, &draft, status_set, err);
}

static const struct action_param all_or_words = {.type = PARAM_CHOICE, .choices = "all|words"};

const struct action action_rules_rows[] = {
    {.name = "trading.rules",
     .summary = "Trading rules and how often they were right, or the words of a condition",
     .data = DESK_AGE " rules",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .otherwise = &all_or_words,
                              .noun = "a number, all or words",
                              .help = "a rule's number, all (retired too), or words"}),
     .run = show_rules},
    {.name = "trading.rule_add",
     .summary = "Add a trading rule in testing: its matches are counted but change nothing",
     .data = DESK_AGE " rule",
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS(
         {.name = "effect",
          .type = PARAM_CHOICE,
          .required = true,
          .choices = "avoid|favour",
          .help = "avoid refuses matching entries, favour enlarges them"},
         {.name = "condition",
          .type = PARAM_TEXT,
          .required = true,
          .help = "when the rule matches; see /rules words"},
         {.name = "help", .type = PARAM_TEXT, .required = true, .help = "the reason, as text"}),
     .run = add_rule,
     .cancel = desk_cancel,
     .recover = desk_recover},
    {.name = "trading.rule_status",
     .summary = "Test, activate or retire a trading rule",
     .data = DESK_AGE " rule learning",
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "rule",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the rule"},
                             {.name = "status",
                              .type = PARAM_CHOICE,
                              .required = true,
                              .choices = "testing|active|retired",
                              .help = "the new status"}),
     .run = set_status,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_status},
    {0},
};
