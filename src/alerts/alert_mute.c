#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "model/symbol.h"
#include "store/alert_table.h"
#include "store/ops.h"

#include <string.h>

#define RESEND_MAX 50

/* ---------------------------------------------------------------- what is meant */

static bool is_symbol(const struct config *config, struct str text)
{
    for (int i = 0; i < config->market_symbols.count; i++) {
        if (str_equal_nocase(text, config->market_symbols.items[i].name)) {
            return true;
        }
    }
    return false;
}

/* Whether any alert has come from there. */
static bool is_source(const struct alerts *alerts, const char *source)
{
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    const struct alert_query query = {.source = source};
    return alert_table_list(alerts->o.store, &query, alert, 1, NULL) > 0;
}

static int set_alert(struct alerts *alerts, int64_t id, struct mute *ret, struct err *err)
{
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int rc = alert_table_get(alerts->o.store, id, alert, err);
    if (rc < 0) {
        return rc == -ERR_STORE_NOT_FOUND ? err_set(err, ERR_ALERT_UNKNOWN, "%lld", (long long)id)
                                          : rc;
    }
    ret->kind = MUTE_ALERT;
    (void)snprintf(ret->value, sizeof(ret->value), "%lld", (long long)id);
    return 0;
}

/* "12", "exit", "BTC-USD", "source:health", "all" */
static int read_what(struct alerts *alerts, const char *text, struct mute *ret, struct err *err)
{
    struct str what = str_trim(str_c(text));
    enum notice_kind kind;
    int64_t id = 0;
    if (str_to_i64(what, &id)) {
        return set_alert(alerts, id, ret, err);
    }
    if (str_starts(what, "source:")) {
        what = str_n(what.ptr + 7, what.len - 7);
        ret->kind = MUTE_SOURCE;
        if (str_copy(what, ret->value, sizeof(ret->value)) && is_source(alerts, ret->value)) {
            return 0;
        }
    } else if (str_equal_c(what, "all")) {
        ret->kind = MUTE_ALL;
        return str_copy(what, ret->value, sizeof(ret->value)) ? 0 : -1;
    } else if (notice_kind_parse(what, &kind)) {
        if (kind == NOTICE_CRITICAL) {
            return err_set(err, ERR_ALERT_MUTE_CRITICAL, "critical");
        }
        ret->kind = MUTE_NOTICE;
        (void)str_copy(str_c(notice_kind_name(kind)), ret->value, sizeof(ret->value));
        return 0;
    } else if (is_symbol(alerts->o.config, what) && what.len < sizeof(ret->value)) {
        ret->kind = MUTE_SYMBOL;
        for (size_t i = 0; i < what.len; i++) {
            char c = what.ptr[i];
            ret->value[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        }
        ret->value[what.len] = '\0';
        return 0;
    }
    return err_set(err, ERR_ALERT_MUTE_WHAT, "%.60s", text);
}

/* ---------------------------------------------------------------- actions */

static void add_words(struct reply *r, const struct mute *mute, int64_t now_us)
{
    reply_item(r, "{}{} until {} ({})", cell_text(mute->kind == MUTE_ALERT ? "alert " : ""),
               cell_text(mute->value), cell_time(mute->until_us, now_us), cell_text(mute->user));
}

void alert_mute_list(const struct alerts *alerts, struct reply *r)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    bool any = false;
    for (size_t i = 0; i < alerts->mute_count; i++) {
        if (alerts->mutes[i].until_us > now_us) {
            if (!any) {
                reply_line(r, "Muted:");
            }
            any = true;
            add_words(r, &alerts->mutes[i], now_us);
        }
    }
}

static int mute_action(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t now_us = clock_wall_us(alerts->o.clock);
    struct mute mute = {.until_us = now_us + action_duration_us(call, "for")};
    str_cut(str_c(action_who(call)->name), mute.user, sizeof(mute.user));
    int rc = read_what(alerts, action_text(call, "what"), &mute, err);
    if (rc < 0 || (rc = mute_table_write(alerts->o.store, &mute, now_us, err)) < 0 ||
        (rc = alert_gate_load(alerts, err)) < 0) {
        return rc;
    }
    reply_title(r, TONE_GOOD, "%s%s muted", mute.kind == MUTE_ALERT ? "Alert " : "", mute.value);
    reply_para(r, "Until {}, for {}.", cell_time(mute.until_us, now_us),
               cell_duration(mute.until_us - now_us));
    if (mute.kind != MUTE_ALERT) {
        reply_line(r, "Critical alerts are still sent.");
    }
    AUTO_BUF struct buf command = BUF_INIT(96);
    buf_addf(&command, "/unmute %s%s", mute.kind == MUTE_SOURCE ? "source:" : "", mute.value);
    reply_button(r, "Unmute", command.data, BUTTON_PLAIN);
    return ACTION_DONE;
}

static int unmute_action(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct mute mute = {0};
    bool was_there = false;
    int rc = read_what(alerts, action_text(call, "what"), &mute, err);
    if (rc < 0 ||
        (rc = mute_table_remove(alerts->o.store, mute.kind, mute.value, &was_there, err)) < 0 ||
        (rc = alert_gate_load(alerts, err)) < 0) {
        return rc;
    }
    if (!was_there) {
        return err_set(err, ERR_ALERT_MUTE_NONE, "%s", mute.value);
    }
    reply_title(action_reply(call), TONE_GOOD, "%s%s is not muted any more",
                mute.kind == MUTE_ALERT ? "Alert " : "", mute.value);
    return ACTION_DONE;
}

static bool is_listed(struct action_call *call, bool *ret, struct err *err)
{
    const struct alerts *alerts = action_userdata(call);
    struct mute mute = {0};
    *ret = false;
    if (read_what(action_userdata(call), action_text(call, "what"), &mute, err) < 0) {
        return false;
    }
    for (size_t i = 0; i < alerts->mute_count; i++) {
        *ret = *ret || (alerts->mutes[i].kind == mute.kind &&
                        strcmp(alerts->mutes[i].value, mute.value) == 0);
    }
    return true;
}

static int recover_mute(struct action_call *call, bool *ret_happened, struct err *err)
{
    return is_listed(call, ret_happened, err) ? 0 : -err->id;
}

static int recover_unmute(struct action_call *call, bool *ret_happened, struct err *err)
{
    bool listed = false;
    int rc = is_listed(call, &listed, err) ? 0 : -err->id;
    *ret_happened = !listed;
    return rc;
}

static const struct action actions[] = {
    {.name = "alert.mute",
     .summary = "Send no messages about something for a while; critical alerts are still sent",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS(
         {.name = "what",
          .type = PARAM_TEXT,
          .required = true,
          .help = "number of an alert, a kind (entry, exit, veto, pause, start, daily, weekly, "
                  "report, info, low, medium, high), a symbol, source:NAME, or all"},
         {.name = "for",
          .type = PARAM_DURATION,
          .default_text = "1h",
          .minimum = "1m",
          .maximum = "30d",
          .help = "how long"}),
     .run = mute_action,
     .recover = recover_mute},
    {.name = "alert.unmute",
     .summary = "End a mute",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "what was muted, as in /mute"}),
     .run = unmute_action,
     .recover = recover_unmute},
    {0},
};

void alert_mute_actions(struct alerts *alerts, struct action_table *table)
{
    action_table_add(table, actions, alerts);
}

/* ---------------------------------------------------------------- the end of a mute */

static int resend_body(struct alert_change *change, struct err *err)
{
    return alert_send_new(change->alerts, change->alert, err);
}

void alert_mute_tick(struct alerts *alerts)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    size_t active = 0;
    for (size_t i = 0; i < alerts->mute_count; i++) {
        active += alerts->mutes[i].until_us > now_us ? 1 : 0;
    }
    bool ended = active < alerts->mutes_active;
    alerts->mutes_active = active;
    if (!ended) {
        return;
    }
    struct alert *rows = calloc(RESEND_MAX, sizeof(*rows));
    AUTO_FREE struct alert *memory = rows;
    ASSERT(rows != NULL);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN, .unnotified_only = true};
    struct err err = {0};
    int n = alert_table_list(alerts->o.store, &query, rows, RESEND_MAX, &err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; i < n && rc >= 0; i++) {
        struct alert_change change = {.alerts = alerts, .body = resend_body, .alert = &rows[i]};
        rc = alert_run(&change, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not send alerts that were muted");
    }
}
