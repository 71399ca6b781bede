#include "channels.h"

#include "base/check.h"
#include "base/log.h"
#include "command/reply_json.h"
#include "fakes/fake_telegram.h"
#include "io/embed.h"
#include "io/secret.h"
#include "store/alert_table.h"
#include "unit/unit.h"

#include <stdlib.h>

static int ping(struct action_call *call, struct err *err)
{
    (void)err;
    reply_title(action_reply(call), TONE_GOOD, "pong");
    reply_button(action_reply(call), "Again", "/ping", BUTTON_PRIMARY);
    return ACTION_DONE;
}

static int touch(struct action_call *call, struct err *err)
{
    (void)err;
    struct channels *d = action_userdata(call);
    d->touched++;
    reply_title(action_reply(call), TONE_GOOD, "touched");
    return ACTION_DONE;
}

static int lines(struct action_call *call, struct err *err)
{
    (void)err;
    int64_t count = action_int(call, "count");
    reply_title(action_reply(call), TONE_PLAIN, "%lld lines", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        reply_line(action_reply(call), "line %lld of <many> & some words to fill it up",
                   (long long)i);
    }
    return ACTION_DONE;
}

static int secret(struct action_call *call, struct err *err)
{
    (void)err;
    reply_title(action_reply(call), TONE_PLAIN, "a balance");
    reply_protect(action_reply(call));
    return ACTION_DONE;
}

static const struct action actions[] = {
    {.name = "test.ping",
     .summary = "Answer",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = ping},
    {.name = "test.touch",
     .summary = "Touch it",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .run = touch},
    {.name = "test.lines",
     .summary = "Print lines",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params =
         ACTION_PARAMS({.name = "count", .type = PARAM_INT, .required = true, .help = "how many"}),
     .run = lines},
    {.name = "test.secret",
     .summary = "Show something private",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = secret},
    {0},
};

#define FILE_ROW(name, text)                             \
    {                                                    \
        "commands/" name ".yaml", text, sizeof(text) - 1 \
    }
static const struct embedded_file files[] = {
    FILE_ROW("lines", "command: lines\ngroup: see\nsummary: Print lines\nrole: read_only\n"
                      "args:\n  - {name: count, type: int, required: true, help: how many}\n"
                      "steps:\n  - {run: test.lines, with: {count: $count}, timeout: 5s}\n"
                      "examples: [\"lines 3\"]\n"),
    FILE_ROW("ping", "command: ping\ngroup: see\nsummary: Answer\nrole: read_only\n"
                     "steps:\n  - {run: test.ping, timeout: 5s}\nexamples: [\"ping\"]\n"),
    FILE_ROW("secret", "command: secret\ngroup: see\nsummary: Show something private\n"
                       "role: read_only\nsteps:\n  - {run: test.secret, timeout: 5s}\n"
                       "examples: [\"secret\"]\n"),
    FILE_ROW("touch", "command: touch\ngroup: steer\nsummary: Touch it\nrole: operator\n"
                      "confirm: true\nprotect: true\nsteps:\n  - {run: test.touch, timeout: 5s}\n"
                      "examples: [\"touch\"]\n"),
    {0},
};

static void on_outbox(void *userdata)
{
    struct channels *d = userdata;
    if (d->outbox_changed != NULL) {
        d->outbox_changed(d->userdata);
    }
}

static void must(int rc, const struct err *err)
{
    if (rc < 0) {
        fail_msg("%s: %s", err_info(rc)->code, err->context);
    }
}

static void open_all(struct channels *d, const char *folder, const char *telegram_url,
                     const char *extra)
{
    struct err err = {0};
    AUTO_BUF struct buf text = BUF_INIT(8192);
    *d = (struct channels){0};
    log_set_level(LOG_LEVEL_ERROR);
    must(secret_init(&err), &err);
    buf_addf(&text,
             "telegram:\n"
             "  bot_token: \"%s\"\n"
             "  api_url: %s\n"
             "  poll_timeout: 1s\n"
             "  users:\n"
             "    - {id: 1001, name: alice, role: admin, emergency: true}\n"
             "    - {id: 1002, name: bob, role: read_only}\n"
             "%s",
             telegram_url[0] == '\0' ? "" : FAKE_TELEGRAM_TOKEN,
             telegram_url[0] == '\0' ? "http://127.0.0.1:1" : telegram_url, extra);
    must(config_parse(buf_str(&text), "test.yaml", &d->config, NULL, &err), &err);
    must(ops_store_open(folder, OPS_STORE_WRITE, &d->store, &err), &err);
    d->loop = loop_new(&err);
    assert_non_null(d->loop);
    must(access_new(d->config, d->store, clock_real(), &d->access, &err), &err);
    d->actions = action_table_new();
    action_table_add(d->actions, actions, d);
    must(alerts_new(&(struct alerts_options){.clock = clock_real(),
                                             .config = d->config,
                                             .store = d->store,
                                             .outbox_changed = on_outbox,
                                             .userdata = d},
                    &d->alerts, &err),
         &err);
    must(manifest_list_read(d->actions, files, &d->manifests, &err), &err);
    must(runner_new(&(struct runner_options){.loop = d->loop,
                                             .clock = clock_real(),
                                             .config = d->config,
                                             .store = d->store,
                                             .access = d->access,
                                             .actions = d->actions,
                                             .manifests = d->manifests,
                                             .outbox_changed = on_outbox,
                                             .outbox_userdata = d},
                    &d->runner, &err),
         &err);
}

void channels_open(struct channels *d, const char *telegram_url, const char *extra)
{
    open_all(d, ":memory:", telegram_url, extra);
}

void channels_open_in(struct channels *d, const char *folder, const char *telegram_url)
{
    open_all(d, folder, telegram_url, "");
}

void channels_close(struct channels *d)
{
    runner_free(d->runner);
    manifest_list_free(d->manifests);
    alerts_free(d->alerts);
    action_table_free(d->actions);
    access_free(d->access);
    ops_store_free(d->store);
    loop_free(d->loop);
    config_free(d->config);
}

bool channels_until(struct channels *d, bool (*condition)(void *userdata), void *userdata)
{
    int64_t end_us = clock_mono_us(clock_real()) + 10 * USEC_PER_SEC;
    while (clock_mono_us(clock_real()) < end_us) {
        if (condition(userdata)) {
            return true;
        }
        (void)loop_iterate(d->loop, 10 * USEC_PER_MSEC);
    }
    return condition(userdata);
}

void channels_run_for(struct channels *d, int64_t us)
{
    int64_t end_us = clock_mono_us(clock_real()) + us;
    while (clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(d->loop, 10 * USEC_PER_MSEC);
    }
}

int64_t channels_post(struct channels *d, const char *channel, int64_t chat,
                      enum outbox_priority priority, const char *title, int64_t edit_of)
{
    struct err err = {0};
    int64_t id = 0;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf text = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    reply_title(r, TONE_PLAIN, "%s", title);
    AUTO_JSON struct json_object *json = reply_json(r);
    json_add_text(&text, json);
    must(outbox_table_add(d->store,
                          &(struct outbox_new){.channel = channel,
                                               .chat_id = chat,
                                               .kind = edit_of == 0 ? OUTBOX_SEND : OUTBOX_EDIT,
                                               .priority = priority,
                                               .payload = text.data,
                                               .edit_of = edit_of},
                          clock_wall_us(clock_real()), &id, &err),
         &err);
    on_outbox(d);
    return id;
}

enum outbox_state channels_state(struct channels *d, int64_t outbox_id)
{
    struct err err = {0};
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    must(outbox_table_get(d->store, outbox_id, &row, &err), &err);
    return row.state;
}

bool channels_has_alert(struct channels *d, const char *fingerprint)
{
    static struct alert alert; /* large */
    return alert_table_find(d->store, fingerprint, &alert, NULL) == 0 && alert.status == ALERT_OPEN;
}
