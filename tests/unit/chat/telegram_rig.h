/*
 * telegram_rig.h: the Telegram channel with a fake Bot API, for the tests of what it sends and
 * receives.
 *
 *     struct telegram_rig *rig = *state;     // cmocka: telegram_rig_setup, telegram_rig_teardown
 *     telegram_rig_say(rig, ALICE, "/ping");
 *     (void)telegram_rig_until_sent(rig, "pong");
 *
 * Always true: a wait that takes more than ten seconds fails the test, and so does a violation that
 * the fake has seen by the end. Thread: main thread of the test binary.
 */
#pragma once

#include "channels.h"
#include "chat/telegram.h"
#include "fakes/fake_telegram.h"
#include "unit/unit.h"

struct telegram_rig {
    struct channels channels;
    struct fake_telegram *tg;
    struct telegram *telegram; /* NULL: closed */
    char folder[64];           /* of attachments */
    /* Of the next telegram_rig_open; at first so short that no test waits for them. */
    int64_t backoff_first_us;
    int64_t backoff_max_us;
    int64_t poll_gap_us; /* 0: the default */
};

int telegram_rig_setup(void **state); /* the channel is open */
int telegram_rig_teardown(void **state);
#define TELEGRAM_RIG_TEST(f) \
    cmocka_unit_test_setup_teardown(f, telegram_rig_setup, telegram_rig_teardown)

/* As the next start of the program. */
void telegram_rig_open(struct telegram_rig *rig);
void telegram_rig_close(struct telegram_rig *rig);

/* ---- people and the server ---- */

void telegram_rig_say(struct telegram_rig *rig, int64_t from, const char *text);
/* Alice presses the button once it is there. */
void telegram_rig_press(struct telegram_rig *rig, const char *label);
/* The next calls of a method get this error of the Bot API. */
void telegram_rig_refuse(struct telegram_rig *rig, const char *method, int status,
                         const char *description, int times);
/* The next calls of a method get this page instead of an answer of the Bot API. */
void telegram_rig_page(struct telegram_rig *rig, const char *method, int status, const char *html,
                       int times);
/* A message to Alice. */
int64_t telegram_rig_post(struct telegram_rig *rig, enum outbox_priority priority,
                          const char *title);
int64_t telegram_rig_post_to(struct telegram_rig *rig, int64_t chat, enum outbox_priority priority,
                             const char *title);

/* ---- what was sent ---- */

/* The newest accepted message with this text; false: none. */
bool telegram_rig_find(struct telegram_rig *rig, const char *text, struct fake_telegram_sent *ret);
int telegram_rig_count(struct telegram_rig *rig, const char *text);
struct fake_telegram_sent telegram_rig_last(struct telegram_rig *rig); /* also a refused one */

struct fake_telegram_sent telegram_rig_until_sent(struct telegram_rig *rig, const char *text);
void telegram_rig_until_count(struct telegram_rig *rig, const char *text, int count);
void telegram_rig_until_calls(struct telegram_rig *rig, const char *method, size_t count);
void telegram_rig_until_confirmed(struct telegram_rig *rig); /* all updates */
void telegram_rig_until_row(struct telegram_rig *rig, int64_t id, enum outbox_state state);
void telegram_rig_until_state(struct telegram_rig *rig, enum telegram_state state);
void telegram_rig_until_alert(struct telegram_rig *rig, const char *fingerprint, bool open);
