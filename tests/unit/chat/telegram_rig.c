#include "telegram_rig.h"

#include "base/check.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wake(void *userdata)
{
    struct telegram_rig *rig = userdata;
    telegram_wake(rig->telegram);
}

void telegram_rig_open(struct telegram_rig *rig)
{
    struct err err = {0};
    struct channels *d = &rig->channels;
    assert_null(rig->telegram);
    assert_int_equal(
        telegram_new(&(struct telegram_options){.loop = d->loop,
                                                .clock = clock_real(),
                                                .config = d->config,
                                                .store = d->store,
                                                .access = d->access,
                                                .runner = d->runner,
                                                .manifests = d->manifests,
                                                .alerts = d->alerts,
                                                .attachments = rig->folder,
                                                .backoff_first_us = rig->backoff_first_us,
                                                .backoff_max_us = rig->backoff_max_us,
                                                .poll_gap_us = rig->poll_gap_us},
                     &rig->telegram, &err),
        0);
    d->outbox_changed = wake;
    d->userdata = rig;
    telegram_start(rig->telegram);
}

void telegram_rig_close(struct telegram_rig *rig)
{
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    rig->telegram = NULL;
    rig->channels.outbox_changed = NULL;
}

int telegram_rig_setup(void **state)
{
    struct telegram_rig *rig = calloc(1, sizeof(*rig));
    char url[64];
    assert_non_null(rig);
    assert_int_equal(fake_telegram_start(&rig->tg), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", fake_telegram_port(rig->tg));
    (void)snprintf(rig->folder, sizeof(rig->folder), "/dev/shm/nightdesk-chat-%d", (int)getpid());
    rig->backoff_first_us = 20 * USEC_PER_MSEC;
    rig->backoff_max_us = 100 * USEC_PER_MSEC;
    channels_open(&rig->channels, url, "");
    telegram_rig_open(rig);
    *state = rig;
    return 0;
}

static void remove_folder(const char *folder)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    if (file_list(folder, 1000, &names, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names.items[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

int telegram_rig_teardown(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_close(rig);
    channels_close(&rig->channels);
    remove_folder(rig->folder);
    AUTO_BUF struct buf violations = BUF_INIT((size_t)256 * 1024);
    buf_add_c(&violations, fake_telegram_violations(rig->tg));
    fake_telegram_stop(rig->tg);
    free(rig);
    assert_string_equal(violations.data, "");
    return 0;
}

/* -------------------------------------------------------------------- people and the server ----
 */

void telegram_rig_say(struct telegram_rig *rig, int64_t from, const char *text)
{
    (void)fake_telegram_user_sends(rig->tg,
                                   &(struct fake_telegram_message){.from = from, .text = text});
}

void telegram_rig_refuse(struct telegram_rig *rig, const char *method, int status,
                         const char *description, int times)
{
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = method,
                                                                .times = times,
                                                                .fault = FAKE_TELEGRAM_ERROR,
                                                                .status = status,
                                                                .description = description});
}

void telegram_rig_page(struct telegram_rig *rig, const char *method, int status, const char *html,
                       int times)
{
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = method,
                                                                .times = times,
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = status,
                                                                .body = html});
}

int64_t telegram_rig_post_to(struct telegram_rig *rig, int64_t chat, enum outbox_priority priority,
                             const char *title)
{
    return channels_post(&rig->channels, "telegram", chat, priority, title, 0);
}

int64_t telegram_rig_post(struct telegram_rig *rig, enum outbox_priority priority,
                          const char *title)
{
    return telegram_rig_post_to(rig, ALICE, priority, title);
}

/* ------------------------------------------------------------------------------ what was sent ----
 */

bool telegram_rig_find(struct telegram_rig *rig, const char *text, struct fake_telegram_sent *ret)
{
    for (size_t i = fake_telegram_sent_count(rig->tg); i-- > 0;) {
        fake_telegram_get_sent(rig->tg, i, ret);
        if (ret->accepted && strstr(ret->text, text) != NULL) {
            return true;
        }
    }
    return false;
}

int telegram_rig_count(struct telegram_rig *rig, const char *text)
{
    int count = 0;
    for (size_t i = 0; i < fake_telegram_sent_count(rig->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(rig->tg, i, &s);
        count += s.accepted && strstr(s.text, text) != NULL ? 1 : 0;
    }
    return count;
}

struct fake_telegram_sent telegram_rig_last(struct telegram_rig *rig)
{
    struct fake_telegram_sent s;
    size_t count = fake_telegram_sent_count(rig->tg);
    assert_true(count > 0);
    fake_telegram_get_sent(rig->tg, count - 1, &s);
    return s;
}

/* What a condition waits for. */
struct wanted {
    struct telegram_rig *rig;
    const char *text;
    int64_t number;
    int64_t id;
};

static bool has_count(void *userdata)
{
    const struct wanted *w = userdata;
    return telegram_rig_count(w->rig, w->text) >= w->number;
}

static bool has_calls(void *userdata)
{
    const struct wanted *w = userdata;
    return (int64_t)fake_telegram_calls(w->rig->tg, w->text) >= w->number;
}

static bool is_confirmed(void *userdata)
{
    const struct wanted *w = userdata;
    return fake_telegram_pending(w->rig->tg) == 0;
}

static bool row_is(void *userdata)
{
    const struct wanted *w = userdata;
    return (int64_t)channels_state(&w->rig->channels, w->id) == w->number;
}

static bool channel_is(void *userdata)
{
    const struct wanted *w = userdata;
    struct telegram_status status;
    telegram_status(w->rig->telegram, &status);
    return (int64_t)status.state == w->number;
}

static bool alert_is(void *userdata)
{
    const struct wanted *w = userdata;
    return channels_has_alert(&w->rig->channels, w->text) == (w->number != 0);
}

static bool has_pressed(void *userdata)
{
    const struct wanted *w = userdata;
    return fake_telegram_press(w->rig->tg, ALICE, ALICE, w->text);
}

static void until(struct wanted wanted, bool (*condition)(void *userdata), const char *what)
{
    if (!channels_until(&wanted.rig->channels, condition, &wanted)) {
        fail_msg("%s: %s %lld", what, wanted.text == NULL ? "" : wanted.text,
                 (long long)wanted.number);
    }
}

void telegram_rig_press(struct telegram_rig *rig, const char *label)
{
    until((struct wanted){.rig = rig, .text = label}, has_pressed, "no button");
}

void telegram_rig_until_count(struct telegram_rig *rig, const char *text, int count)
{
    until((struct wanted){.rig = rig, .text = text, .number = count}, has_count, "not sent");
}

struct fake_telegram_sent telegram_rig_until_sent(struct telegram_rig *rig, const char *text)
{
    struct fake_telegram_sent s = {0};
    telegram_rig_until_count(rig, text, 1);
    assert_true(telegram_rig_find(rig, text, &s));
    return s;
}

void telegram_rig_until_calls(struct telegram_rig *rig, const char *method, size_t count)
{
    until((struct wanted){.rig = rig, .text = method, .number = (int64_t)count}, has_calls,
          "not called");
}

void telegram_rig_until_confirmed(struct telegram_rig *rig)
{
    until((struct wanted){.rig = rig}, is_confirmed, "an update is not confirmed");
}

void telegram_rig_until_row(struct telegram_rig *rig, int64_t id, enum outbox_state state)
{
    until((struct wanted){.rig = rig, .id = id, .number = (int64_t)state}, row_is,
          "a row does not reach its state");
}

void telegram_rig_until_state(struct telegram_rig *rig, enum telegram_state state)
{
    until((struct wanted){.rig = rig, .number = (int64_t)state}, channel_is,
          "the channel does not reach its state");
}

void telegram_rig_until_alert(struct telegram_rig *rig, const char *fingerprint, bool open)
{
    until((struct wanted){.rig = rig, .text = fingerprint, .number = open}, alert_is,
          "an alert is not as wanted");
}
