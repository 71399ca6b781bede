#include "autofix_internal.h"
#include "base/auto.h"
#include "base/log.h"
#include "command/manifest.h"
#include "io/json_out.h"
#include "store/ops.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ the last run */

static const struct {
    const char *name; /* stored, and in JSON */
    const char *text;
} outcomes[AUTOFIX_OUTCOMES] = {
    [AUTOFIX_FIXED] = {"fixed", "fixed"},
    [AUTOFIX_NO_HELP] = {"no_help", "did not help"},
    [AUTOFIX_UNDONE] = {"undone", "did not help, undone"},
    [AUTOFIX_NOT_UNDONE] = {"not_undone", "did not help, and could not be undone"},
    [AUTOFIX_CANCELLED] = {"cancelled", "cancelled"},
};

struct last {
    int64_t at_us;
    enum autofix_outcome outcome;
    char item[TRIGGER_ITEM_SIZE];
};

static void name_of(const struct manifest *m, char *ret, size_t size)
{
    (void)snprintf(ret, size, "autofix.last.%s", m->name);
}

/* As "1796000000000000 fixed demo". */
void autofix_remember(const struct autofix *autofix, const struct fix *fix,
                      enum autofix_outcome outcome)
{
    char name[64];
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(256);
    name_of(fix->m, name, sizeof(name));
    buf_addf(&text, "%lld %s %s", (long long)clock_wall_us(autofix->o.clock),
             outcomes[outcome].name, fix->item);
    if (ops_store_write_text(autofix->o.store, name, buf_str(&text), &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not store how a fix ended");
    }
}

static bool read_last(const struct autofix *autofix, const struct manifest *m, struct last *ret)
{
    char name[64];
    AUTO_BUF struct buf text = BUF_INIT(256);
    struct str at, outcome;
    name_of(m, name, sizeof(name));
    if (ops_store_get_text(autofix->o.store, name, &text, NULL) < 0) {
        return false;
    }
    struct str rest = buf_str(&text);
    if (!str_split(&rest, ' ', &at) || !str_to_i64(at, &ret->at_us) ||
        !str_split(&rest, ' ', &outcome) || !str_copy(rest, ret->item, sizeof(ret->item))) {
        return false;
    }
    for (int i = 0; i < AUTOFIX_OUTCOMES; i++) {
        if (str_equal_c(outcome, outcomes[i].name)) {
            ret->outcome = (enum autofix_outcome)i;
            return true;
        }
    }
    return false;
}

void autofix_add_last(const struct autofix *autofix, const struct manifest *m, struct buf *out)
{
    struct last last = {0};
    if (read_last(autofix, m, &last) && last.outcome != AUTOFIX_FIXED) {
        buf_addf(out, " The last run: %s.", outcomes[last.outcome].text);
    }
}

/* ------------------------------------------------------------------ actions */

static void add_playbook(const struct autofix *autofix, struct reply *reply, struct json_out *data,
                         const struct manifest *m)
{
    const struct manifest_trigger *trigger = &m->trigger;
    struct last last = {0};
    bool ran = read_last(autofix, m, &last);
    int64_t used = ran ? autofix_attempts(autofix, m, last.item) : 0;
    reply_item(reply, "{}: {}", cell_text(m->name), cell_text(m->summary));
    reply_more(reply, "\n  {} of {} used in {}", cell_count(used < 0 ? trigger->times : used),
               cell_count(trigger->times), cell_duration(trigger->within_us));
    if (ran) {
        reply_more(reply, "\n  last {}: {}{}{}",
                   cell_time(last.at_us, clock_wall_us(autofix->o.clock)), cell_text(last.item),
                   cell_text(last.item[0] != '\0' ? ", " : ""),
                   cell_text(outcomes[last.outcome].text));
    }
    json_out_object(data, NULL);
    json_out_text(data, "command", m->name);
    json_out_text(data, "alert", trigger->alert);
    json_out_text(data, "when", trigger->when);
    json_out_i64(data, "times", trigger->times);
    json_out_double(data, "within_s", (double)trigger->within_us / (double)USEC_PER_SEC);
    json_out_i64(data, "used", used);
    if (ran) {
        json_out_object(data, "last");
        json_out_time(data, "at", last.at_us);
        json_out_text(data, "item", last.item);
        json_out_text(data, "outcome", outcomes[last.outcome].name);
        json_out_end(data);
    }
    json_out_end(data);
}

static void show_status(const struct autofix *autofix, struct reply *reply)
{
    const struct manifest *m;
    reply_title(reply, autofix->off ? TONE_WARN : TONE_GOOD, "Auto-fix is %s",
                autofix->off ? "off" : "on");
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_bool(&data, "on", !autofix->off);
    for (size_t i = 0; i < FIXES_MAX; i++) {
        if (autofix->fixes[i].running) {
            reply_para(reply, "Under way: {} {}", cell_text(autofix->fixes[i].m->name),
                       cell_text(autofix->fixes[i].item));
            json_out_text(&data, "now", autofix->fixes[i].m->name);
        }
    }
    json_out_array(&data, "playbooks");
    for (size_t i = 0; (m = manifest_at(autofix->manifests, i)) != NULL; i++) {
        if (m->trigger.alert[0] != '\0') {
            add_playbook(autofix, reply, &data, m);
        }
    }
    json_out_end(&data);
}

static int set_switch(struct action_call *call, struct err *err)
{
    struct autofix *autofix = action_userdata(call);
    const char *to = action_text(call, "to");
    if (strcmp(to, "status") != 0) {
        bool off = strcmp(to, "off") == 0;
        int rc = ops_store_write_i64(autofix->o.store, AUTOFIX_OFF, off ? 1 : 0, err);
        if (rc < 0) {
            return rc;
        }
        autofix->off = off;
    }
    show_status(autofix, action_reply(call));
    return ACTION_DONE;
}

static int recover_switch(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct autofix *autofix = action_userdata(call);
    (void)err;
    const char *to = action_text(call, "to");
    *ret_happened = strcmp(to, "status") == 0 || autofix->off == (strcmp(to, "off") == 0);
    return 0;
}

static const struct action actions[] = {
    {.name = "autofix.switch",
     .summary = "What nightdesk fixes by itself; lets it, or not",
     .data = "on now playbooks",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "to",
                              .type = PARAM_CHOICE,
                              .choices = "on|off|status",
                              .required = true,
                              .help = "on or off; status leaves it as it is"}),
     .run = set_switch,
     .recover = recover_switch},
    {0},
};

void autofix_actions(struct autofix *autofix, struct action_table *table)
{
    action_table_add(table, actions, autofix);
}
