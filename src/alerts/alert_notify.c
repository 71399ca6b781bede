#include "alerts_internal.h"
#include "io/json_out.h"
#include "store/alert_table.h"
#include "store/ops.h"

#define LATE_US USEC_PER_MIN /* a message that waits longer is shown in /status */

static struct reply *storm_reply(void)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_WARN, "many alerts at once");
    reply_para(r, "{} lists them.", cell_code("/alerts"));
    return r;
}

/* Of a storm only its beginning. */
void alert_tell(struct alerts *alerts, enum alert_gate gate, const struct reply *reply)
{
    int64_t now_us = clock_mono_us(alerts->o.clock);
    bool storm = gate == ALERT_GATE_STORM;
    bool again =
        storm && alerts->storm_mono_us != 0 && now_us - alerts->storm_mono_us < USEC_PER_MIN;
    if (alerts->o.told == NULL || alerts->news_count == ALERT_NEWS_MAX || again ||
        gate == ALERT_GATE_OFF || gate == ALERT_GATE_MUTED) {
        return;
    }
    alerts->storm_mono_us = storm ? now_us : alerts->storm_mono_us;
    alerts->news[alerts->news_count++] = storm ? storm_reply() : reply_copy(reply);
}

void alert_tell_end(struct alerts *alerts, bool committed)
{
    for (size_t i = 0; i < alerts->news_count; i++) {
        if (committed) {
            alerts->o.told(alerts->news[i], alerts->o.userdata);
        }
        reply_free(alerts->news[i]);
    }
    alerts->news_count = 0;
}

static int notify_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const struct alert_notice *notice = change->notice;
    const struct symbol *symbol = notice->symbol.name[0] == '\0' ? NULL : &notice->symbol;
    struct alert_target targets[ALERT_TARGETS_MAX];
    enum alert_gate gate = alert_gate(alerts, notice->kind, NULL, symbol);
    alert_tell(alerts, gate, notice->reply);
    if (gate == ALERT_GATE_HOLD) {
        return alert_hold(alerts, notice->kind, reply_get_title(notice->reply), NULL, 0, err);
    }
    if (gate != ALERT_GATE_SEND && gate != ALERT_GATE_SILENT) {
        return 0;
    }
    size_t count = alert_targets(alerts, notice->kind, targets);
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        int64_t ignored = 0;
        if (notice->except_chat_id == 0 || targets[i].chat_id != notice->except_chat_id) {
            rc = alert_post(alerts, &targets[i], notice->reply,
                            gate == ALERT_GATE_SILENT ? OUTBOX_INFO : OUTBOX_NORMAL, 0, &ignored,
                            err);
        }
    }
    return rc < 0 ? rc : 0;
}

int alerts_notify(struct alerts *alerts, const struct alert_notice *notice, struct err *err)
{
    struct alert_change change = {.alerts = alerts, .body = notify_body, .notice = notice};
    return alert_run(&change, err);
}

void alerts_tick(struct alerts *alerts, bool telegram_refused)
{
    alert_mute_tick(alerts);
    incident_tick(alerts);
    alert_maintenance_tick(alerts);
    alert_digest_tick(alerts);
    alert_copy_tick(alerts, telegram_refused);
    alert_escalate_tick(alerts);
}

void alerts_undelivered_line(struct buf *out, struct json_object *data, void *userdata)
{
    const struct alerts *alerts = userdata;
    struct outbox_undelivered u = {0};
    int64_t now_us = clock_wall_us(alerts->o.clock);
    struct json_out members = JSON_OUT_TREE(data);
    if (outbox_table_undelivered(alerts->o.store, now_us - USEC_PER_DAY, now_us - LATE_US, &u,
                                 NULL) < 0) {
        buf_add_c(out, "Outbox unknown");
        return;
    }
    json_out_object(&members, "undelivered");
    json_out_i64(&members, "waiting", u.waiting);
    json_out_i64(&members, "dead", u.dead);
    json_out_i64(&members, "uncertain", u.uncertain);
    json_out_end(&members);
    if (u.waiting + u.dead + u.uncertain == 0) {
        return;
    }
    const char *between = "";
    buf_add_c(out, "🔴 Messages ");
    if (u.dead > 0) {
        buf_addf(out, "%lld undelivered", (long long)u.dead);
        between = ", ";
    }
    if (u.uncertain > 0) {
        buf_addf(out, "%s%lld uncertain", between, (long long)u.uncertain);
        between = ", ";
    }
    if (u.waiting > 0) {
        buf_addf(out, "%s%lld waiting", between, (long long)u.waiting);
    }
}

void alerts_mutes_line(struct buf *out, struct json_object *data, void *userdata)
{
    const struct alerts *alerts = userdata;
    int64_t now_us = clock_wall_us(alerts->o.clock);
    struct json_out members = JSON_OUT_TREE(data);
    bool any = false;
    json_out_array(&members, "mutes");
    for (size_t i = 0; i < alerts->mute_count; i++) {
        const struct mute *mute = &alerts->mutes[i];
        if (mute->until_us <= now_us) {
            continue;
        }
        buf_addf(out, "%s%s%s", any ? ", " : "🔕 Muted ", mute->kind == MUTE_ALERT ? "alert " : "",
                 mute->value);
        any = true;
        json_out_text(&members, NULL, mute->value);
    }
    json_out_end(&members);
}
