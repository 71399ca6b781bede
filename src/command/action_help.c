#include "base/check.h"
#include "builtin.h"
#include "io/json_out.h"

#include <string.h>

static bool may_run(const struct principal *who, const struct manifest *m)
{
    return manifest_is_visible(m, who->channel) && manifest_permit(m, who, NULL, NULL) == 0;
}

/* What the manifest says about an argument; the same rules bind it. */
static void add_arg(struct json_out *data, const struct manifest_arg *arg)
{
    const struct action_param *rule = &arg->rule;
    AUTO_BUF struct buf accepts = BUF_INIT(1024);
    value_describe(rule, &accepts);
    json_out_object(data, NULL);
    json_out_text(data, "name", rule->name);
    json_out_text(data, "type", param_type_name(rule->type));
    json_out_text(data, "accepts", accepts.data);
    json_out_bool(data, "required", rule->required);
    json_out_text(data, "default", rule->default_text);
    json_out_text(data, "minimum", rule->minimum);
    json_out_text(data, "maximum", rule->maximum);
    json_out_text(data, "help", rule->help);
    json_out_end(data);
}

static void write_manifest(struct json_out *data, const struct manifest *m)
{
    AUTO_BUF struct buf usage = BUF_INIT(512);
    manifest_usage(m, &usage);
    json_out_text(data, "name", m->name);
    json_out_text(data, "group", m->group);
    json_out_text(data, "summary", m->summary);
    json_out_text(data, "usage", usage.data);
    json_out_text(data, "role", role_name(m->role));
    json_out_bool(data, "emergency", m->emergency);
    json_out_bool(data, "confirm", m->confirm);
    json_out_array(data, "aliases");
    for (int i = 0; i < m->alias_count; i++) {
        json_out_text(data, NULL, m->aliases[i]);
    }
    json_out_end(data);
    json_out_array(data, "args");
    for (int i = 0; i < m->arg_count; i++) {
        add_arg(data, &m->args[i]);
    }
    json_out_end(data);
}

static void add_manifest(struct json_out *data, const char *key, const struct manifest *m)
{
    json_out_object(data, key);
    write_manifest(data, m);
    json_out_end(data);
}

static void list_commands(const struct builtin *builtin, const struct principal *who,
                          struct reply *r)
{
    const struct manifest *m = NULL;
    const char *group = "";
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "commands");
    for (size_t i = 0; (m = manifest_at(builtin->manifests, i)) != NULL; i++) {
        if (!may_run(who, m)) {
            continue;
        }
        if (strcmp(group, m->group) != 0) {
            group = m->group;
            reply_gap(r);
            reply_heading(r, group);
        }
        reply_line(r, "/%s  %s", m->name, m->summary); /* its arguments: /help <command> */
        add_manifest(&data, NULL, m);
    }
    json_out_end(&data);
    reply_gap(r);
    reply_para(r, "{} shows details. Answer a prompt with its buttons, or with {} or /cancel.",
               cell_code("/help <command>"), cell_code("/confirm <code>"));
}

static void show_schedule(const struct manifest *m, struct reply *r)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    manifest_add_schedule(m, &text);
    if (text.len > 0) {
        reply_line(r, "Runs by itself %s.", text.data);
    }
}

/* What is demanded beyond the role; not what concerns other people. */
static void show_rules(const struct manifest *m, const struct principal *who, struct reply *r)
{
    if (m->rate > 0) {
        reply_para(r, "At most {} a minute.", cell_count(m->rate));
    }
    for (int i = 0; i < m->rule_count; i++) {
        const struct manifest_rule *rule = &m->rules[i];
        bool concerns = rule->user_count == 0;
        for (int u = 0; u < rule->user_count; u++) {
            concerns = concerns || strcmp(rule->users[u], who->name) == 0;
        }
        if (concerns) {
            AUTO_BUF struct buf text = BUF_INIT(4096);
            manifest_rule_describe(m, rule, &text);
            text.data[0] =
                (char)(text.data[0] >= 'a' && text.data[0] <= 'z' ? text.data[0] - 'a' + 'A'
                                                                  : text.data[0]);
            reply_line(r, "%s.", text.data);
        }
    }
}

#define CANDIDATES_MAX 200 /* bytes */

static void add_candidate(const char *candidate, void *userdata)
{
    struct buf *out = userdata;
    if (out->len + strlen(candidate) + 2 <= CANDIDATES_MAX) {
        buf_addf(out, "%s%s", out->len == 0 ? "" : ", ", candidate);
    } else if (!buf_failed(out) && (out->len < 3 || strcmp(out->data + out->len - 3, "…") != 0)) {
        buf_add_c(out, " …");
    }
}

static void show_arg(const struct builtin *builtin, const struct manifest_arg *arg, struct reply *r)
{
    const struct value_context context = {.domains = builtin->actions,
                                          .now_us = clock_wall_us(builtin->clock)};
    AUTO_BUF struct buf accepts = BUF_INIT(1024);
    AUTO_BUF struct buf candidates = BUF_INIT(CANDIDATES_MAX + 8);
    manifest_arg_describe(arg, &accepts);
    if (arg->rule.choices == NULL) { /* else they are listed already */
        value_complete(&arg->rule, str_c(""), &context, add_candidate, &candidates);
    }
    if (candidates.len == 0) {
        reply_item(r, "{} ({}): {}", cell_text(arg->rule.name), cell_text(accepts.data),
                   cell_text(arg->rule.help));
    } else {
        reply_item(r, "{} ({}): {}; now {}", cell_text(arg->rule.name), cell_text(accepts.data),
                   cell_text(arg->rule.help), cell_text(candidates.data));
    }
}

static int show_one(const struct builtin *builtin, const char *name, const struct principal *who,
                    struct reply *r, struct err *err)
{
    const struct manifest *m = manifest_find(builtin->manifests, name[0] == '/' ? name + 1 : name);
    if (m == NULL || !may_run(who, m)) {
        const char *near = manifest_nearest(builtin->manifests, who->channel, str_c(name));
        return near == NULL
                   ? err_set(err, ERR_COMMAND_UNKNOWN, "%.40s; /help lists the commands", name)
                   : err_set(err, ERR_COMMAND_UNKNOWN, "%.40s; did you mean %s?", name, near);
    }
    AUTO_BUF struct buf usage = BUF_INIT(512);
    manifest_usage(m, &usage);
    reply_title(r, TONE_PLAIN, "%s", usage.data);
    reply_line(r, "%s.", m->summary);
    for (int i = 0; i < m->alias_count; i++) {
        reply_line(r, "Also /%s", m->aliases[i]);
    }
    show_schedule(m, r);
    reply_line(r, "Role %s%s%s.", role_name(m->role),
               m->emergency ? " with the emergency grant" : "",
               m->confirm ? "; asks for a confirmation" : "");
    show_rules(m, who, r);
    for (int i = 0; i < m->arg_count; i++) {
        show_arg(builtin, &m->args[i], r);
    }
    for (int i = 0; i < m->example_count; i++) {
        AUTO_BUF struct buf example = BUF_INIT(512);
        buf_addf(&example, "/%s", m->examples[i]);
        reply_para(r, "Example: {}", cell_code(example.data));
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    add_manifest(&data, "command", m);
    return ACTION_DONE;
}

static int show_help(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const char *name = action_text(call, "command");
    ASSERT(builtin->manifests != NULL);
    if (name != NULL) {
        return show_one(builtin, name, action_who(call), action_reply(call), err);
    }
    reply_title(action_reply(call), TONE_PLAIN, "Commands");
    list_commands(builtin, action_who(call), action_reply(call));
    return ACTION_DONE;
}

/* The first message of every chat with a bot; a link of a web page may add a word to it. */
static int show_start(struct action_call *call, struct err *err)
{
    const struct principal *who = action_who(call);
    struct reply *r = action_reply(call);
    (void)err; /* cannot fail */
    reply_title(r, TONE_PLAIN, "Hello %s", who->name);
    reply_line(r, "nightdesk runs the trading bot; you steer it from here. Your role is %s.",
               role_name(who->role));
    reply_button(r, "Status", "/status", BUTTON_PRIMARY);
    reply_button(r, "Help", "/help", BUTTON_PLAIN);
    list_commands(action_userdata(call), who, r);
    return ACTION_DONE;
}

/* ---------------------------------------------------------------- workflows */

static void add_step(struct json_out *data, const struct manifest_step *step)
{
    json_out_object(data, NULL);
    json_out_text(data, "id", step->id);
    json_out_text(data, "action", step->action->name);
    json_out_text(data, "summary", step->action->summary);
    json_out_text(data, "when", step->when);
    json_out_text(data, "until", step->until.condition);
    json_out_i64(data, "group", step->group);
    json_out_i64(data, "timeout_us", step->timeout_us);
    json_out_i64(data, "retries", step->retries);
    json_out_end(data);
}

static void add_steps(struct json_out *data, const char *key, const struct manifest_step *steps,
                      int count)
{
    json_out_array(data, key);
    for (int i = 0; i < count; i++) {
        add_step(data, &steps[i]);
    }
    json_out_end(data);
}

static void add_workflow(struct json_out *data, const char *key, const struct manifest *m)
{
    AUTO_BUF struct buf schedule = BUF_INIT(256);
    manifest_add_schedule(m, &schedule);
    json_out_object(data, key);
    json_out_text(data, "version", m->digest);
    json_out_bool(data, "changes", m->changes);
    json_out_text(data, "schedule", schedule.data);
    json_out_bool(data, "second_factor", m->second_factor != MANIFEST_FACTOR_NO);
    json_out_bool(data, "four_eyes", m->four_eyes);
    json_out_bool(data, "undo", m->undo);
    write_manifest(data, m);
    add_steps(data, "steps", m->steps, m->step_count);
    add_steps(data, "on_failure", m->on_failure, m->on_failure_count);
    add_steps(data, "always", m->always, m->always_count);
    json_out_end(data);
}

static void show_steps(struct reply *r, const char *heading, const struct manifest_step *steps,
                       int count)
{
    if (count > 0) {
        reply_heading(r, heading);
    }
    for (int i = 0; i < count; i++) {
        const struct manifest_step *step = &steps[i];
        const char *what = step->action->summary;
        if (step->when[0] != '\0') {
            reply_item(r, "{}, if {}", cell_text(what), cell_code(step->when));
        } else {
            reply_item(r, "{}", cell_text(what));
        }
    }
}

static int show_workflow(const struct builtin *builtin, const char *name,
                         const struct principal *who, struct reply *r, struct err *err)
{
    const struct manifest *m = manifest_find(builtin->manifests, name[0] == '/' ? name + 1 : name);
    if (m == NULL || !may_run(who, m) || !manifest_is_workflow(m)) {
        return err_set(err, ERR_COMMAND_UNKNOWN, "%.40s; /workflows lists those of several steps",
                       name);
    }
    AUTO_BUF struct buf usage = BUF_INIT(512);
    manifest_usage(m, &usage);
    reply_title(r, TONE_PLAIN, "%s", usage.data);
    reply_line(r, "%s.", m->summary);
    show_steps(r, "Steps", m->steps, m->step_count);
    show_steps(r, "If it fails", m->on_failure, m->on_failure_count);
    show_steps(r, "At the end", m->always, m->always_count);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    add_workflow(&data, "workflow", m);
    return ACTION_DONE;
}

static int show_workflows(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const struct principal *who = action_who(call);
    struct reply *r = action_reply(call);
    const char *name = action_text(call, "name");
    const struct manifest *m;
    if (name != NULL) {
        return show_workflow(builtin, name, who, r, err);
    }
    reply_title(r, TONE_PLAIN, "Workflows");
    reply_line(r, "Commands of several steps.");
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "workflows");
    for (size_t i = 0; (m = manifest_at(builtin->manifests, i)) != NULL; i++) {
        if (may_run(who, m) && manifest_is_workflow(m)) {
            reply_line(r, "/%s  %s", m->name, m->summary);
            add_workflow(&data, NULL, m);
        }
    }
    json_out_end(&data);
    reply_gap(r);
    reply_para(r, "{} shows the steps of one.", cell_code("/workflows <name>"));
    return ACTION_DONE;
}

static int show_version(struct action_call *call, struct err *err)
{
    (void)err; /* cannot fail */
    struct reply *r = action_reply(call);
    reply_title(r, TONE_PLAIN, "nightdesk %s", NIGHTDESK_VERSION);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "version", NIGHTDESK_VERSION);
    return ACTION_DONE;
}

const struct action action_help_rows[] = {
    {.name = "help",
     .summary = "Commands that you may use, or one command in full",
     .data = "commands command",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "command", .type = PARAM_TEXT, .help = "name of a command"}),
     .run = show_help},
    {.name = "start",
     .summary = "A greeting, and the commands that you may use",
     .data = "commands",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params =
         ACTION_PARAMS({.name = "word", .type = PARAM_TEXT, .help = "added by a link; ignored"}),
     .run = show_start},
    {.name = "workflows",
     .summary = "Commands of several steps, or the steps of one",
     .data = "workflows workflow",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "name", .type = PARAM_TEXT, .help = "of a workflow"}),
     .run = show_workflows},
    {.name = "version",
     .summary = "Version of nightdesk",
     .data = "version",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_version},
    {0},
};
