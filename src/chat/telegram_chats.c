#include "base/log.h"
#include "store/ops.h"
#include "telegram_internal.h"

#include <stdio.h>

#define NAME_SIZE          64
#define CHAT_DEAD_RETRY_US USEC_PER_HOUR

static int64_t mark_of(struct telegram *t, const char *what, int64_t chat_id)
{
    char name[NAME_SIZE];
    int64_t value = 0;
    (void)snprintf(name, sizeof(name), "telegram.%s.%lld", what, (long long)chat_id);
    (void)ops_store_get_i64(t->options.store, name, 0, &value, NULL);
    return value;
}

static void set_mark(struct telegram *t, const char *what, int64_t chat_id, int64_t value)
{
    char name[NAME_SIZE];
    struct err err;
    (void)snprintf(name, sizeof(name), "telegram.%s.%lld", what, (long long)chat_id);
    telegram_log_store(ops_store_write_i64(t->options.store, name, value, &err), &err);
}

int64_t telegram_chats_moved_to(struct telegram *t, int64_t chat_id)
{
    for (int i = 0; i < TELEGRAM_MIGRATIONS_MAX; i++) {
        int64_t next = mark_of(t, "moved", chat_id);
        if (next == 0) {
            break;
        }
        chat_id = next;
    }
    return chat_id;
}

void telegram_chats_moved(struct telegram *t, int64_t chat_id, int64_t to_chat_id)
{
    LOG(NOTICE, "telegram: chat %lld has migrated to %lld", (long long)chat_id,
        (long long)to_chat_id);
    set_mark(t, "moved", chat_id, to_chat_id);
}

bool telegram_chats_is_dead(struct telegram *t, int64_t chat_id)
{
    int64_t since_us = mark_of(t, "dead", chat_id);
    int64_t age_us = clock_wall_us(t->options.clock) - since_us;
    return since_us != 0 && age_us >= 0 && age_us < CHAT_DEAD_RETRY_US;
}

static void alert_name(char name[NAME_SIZE], int64_t chat_id)
{
    (void)snprintf(name, NAME_SIZE, "telegram:chat:%lld", (long long)chat_id);
}

void telegram_chats_alive(struct telegram *t, int64_t chat_id)
{
    if (mark_of(t, "dead", chat_id) != 0) {
        char name[NAME_SIZE];
        set_mark(t, "dead", chat_id, 0);
        alert_name(name, chat_id);
        telegram_alert_over(t, name, "the chat can be reached again");
    }
}

void telegram_chats_dead(struct telegram *t, int64_t chat_id, const char *why)
{
    bool was_dead = mark_of(t, "dead", chat_id) != 0;
    set_mark(t, "dead", chat_id, clock_wall_us(t->options.clock));
    if (was_dead) {
        return; /* the alert is open; another one could be addressed to this chat as well */
    }
    char name[NAME_SIZE];
    struct err err;
    (void)err_set(&err, ERR_TELEGRAM_CHAT_DEAD, "chat %lld: %s", (long long)chat_id, why);
    log_err(LOG_LEVEL_ERROR, &err, "telegram");
    alert_name(name, chat_id);
    telegram_alert(t, ALERT_SERVICE, SEVERITY_HIGH, name, &err);
}
