#include "base/check.h"
#include "fakes/fake_telegram_internal.h"

#include <string.h>

#define OLD_DATE_S INT64_C(1700000000) /* of message 1 */

static int64_t add_update(struct fake_telegram *fake, struct json_object *update)
{
    ASSERT(fake->update_count < FAKE_TELEGRAM_UPDATES_MAX);
    int64_t id = fake->next_update++;
    fake_telegram_add(update, "update_id", json_object_new_int64(id));
    fake->updates[fake->update_count++] = update;
    fake_telegram_end_poll(fake);
    return id;
}

static struct json_object *user_json(int64_t id)
{
    struct json_object *user = json_object_new_object();
    fake_telegram_add(user, "id", json_object_new_int64(id));
    fake_telegram_add(user, "is_bot", json_object_new_boolean(false));
    fake_telegram_add(user, "first_name", json_object_new_string("Somebody"));
    return user;
}

static void add_topic(struct json_object *message, int64_t thread)
{
    if (thread != 0) {
        fake_telegram_add(message, "is_topic_message", json_object_new_boolean(true));
        fake_telegram_add(message, "message_thread_id", json_object_new_int64(thread));
    }
}

void fake_telegram_end_topic(struct fake_telegram *fake, int64_t chat, int64_t thread, bool deleted)
{
    (void)pthread_mutex_lock(&fake->lock);
    struct fake_telegram_topic *topic = fake_telegram_find_topic(fake, chat, thread);
    ASSERT(topic != NULL);
    topic->refusal =
        deleted ? "Bad Request: message thread not found" : "Bad Request: TOPIC_CLOSED";
    (void)pthread_mutex_unlock(&fake->lock);
}

static void add_answered(struct json_object *message, int64_t chat, int64_t message_id)
{
    struct json_object *answered =
        fake_telegram_message_json(chat, message_id, "what the bot said");
    struct json_object *bot = json_object_new_object();
    fake_telegram_add(bot, "id", json_object_new_int64(123456789));
    fake_telegram_add(bot, "is_bot", json_object_new_boolean(true));
    fake_telegram_add(bot, "first_name", json_object_new_string("nightdesk"));
    fake_telegram_add(bot, "username", json_object_new_string(FAKE_TELEGRAM_USERNAME));
    fake_telegram_add(answered, "from", bot);
    fake_telegram_add(answered, "date", json_object_new_int64(1));
    fake_telegram_add(message, "reply_to_message", answered);
}

int64_t fake_telegram_user_sends(struct fake_telegram *fake, const struct fake_telegram_message *m)
{
    (void)pthread_mutex_lock(&fake->lock);
    int64_t id = fake->next_message++;
    struct json_object *message =
        fake_telegram_message_json(m->chat == 0 ? m->from : m->chat, id, m->text);
    struct json_object *update = json_object_new_object();
    if (m->thread != 0) {
        add_topic(message, m->thread);
        if (fake_telegram_find_topic(fake, m->chat, m->thread) == NULL) {
            ASSERT(fake->topic_count < FAKE_TELEGRAM_TOPICS_MAX);
            fake->topics[fake->topic_count++] =
                (struct fake_telegram_topic){.chat = m->chat, .thread = m->thread};
        }
    }
    fake_telegram_add(message, "from", user_json(m->from));
    fake_telegram_add(message, "date",
                      json_object_new_int64(clock_wall_us(clock_real()) / USEC_PER_SEC - m->age_s));
    if (m->reply_to != 0) {
        add_answered(message, m->chat == 0 ? m->from : m->chat, m->reply_to);
    }
    fake_telegram_add(update, "message", message);
    (void)add_update(fake, update);
    (void)pthread_mutex_unlock(&fake->lock);
    return id;
}

static void press(struct fake_telegram *fake, int64_t from, struct json_object *message,
                  const char *data)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "press-%lld", (long long)fake->next_press++);
    struct json_object *query = json_object_new_object();
    struct json_object *update = json_object_new_object();
    fake_telegram_add(query, "id", json_object_new_string(id));
    fake_telegram_add(query, "from", user_json(from));
    fake_telegram_add(query, "message", message);
    fake_telegram_add(query, "chat_instance", json_object_new_string("1"));
    fake_telegram_add(query, "data", json_object_new_string(data));
    fake_telegram_add(update, "callback_query", query);
    (void)add_update(fake, update);
}

bool fake_telegram_press(struct fake_telegram *fake, int64_t from, int64_t chat, const char *label)
{
    bool found = false;
    (void)pthread_mutex_lock(&fake->lock);
    for (size_t i = fake->sent_count; i-- > 0 && !found;) {
        const struct fake_telegram_entry *s = &fake->sent[i];
        const struct json_object *rows = json_get(s->markup, "inline_keyboard");
        if (!s->public.accepted || s->replaced || s->public.chat != chat) {
            continue;
        }
        for (size_t r = 0; r < json_len(rows) && !found; r++) {
            for (size_t b = 0; b < json_len(json_item(rows, r)) && !found; b++) {
                const struct json_object *button = json_item(json_item(rows, r), b);
                if (strcmp(json_text(button, "text"), label) == 0 &&
                    json_get(button, "disabled") == NULL) {
                    struct json_object *message =
                        fake_telegram_message_json(chat, s->public.message_id, s->seen);
                    fake_telegram_add(message, "date", json_object_new_int64(s->date_s));
                    add_topic(message, s->public.thread);
                    press(fake, from, message, json_text(button, "callback_data"));
                    found = true;
                }
            }
        }
    }
    (void)pthread_mutex_unlock(&fake->lock);
    return found;
}

void fake_telegram_age_messages(struct fake_telegram *fake, int64_t seconds)
{
    (void)pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->sent_count; i++) {
        fake->sent[i].date_s -= seconds;
    }
    (void)pthread_mutex_unlock(&fake->lock);
}

void fake_telegram_press_data(struct fake_telegram *fake, int64_t from, int64_t chat,
                              const char *data)
{
    (void)pthread_mutex_lock(&fake->lock);
    struct json_object *message = fake_telegram_message_json(chat, 1, "an old message");
    fake_telegram_add(message, "date", json_object_new_int64(OLD_DATE_S));
    press(fake, from, message, data);
    (void)pthread_mutex_unlock(&fake->lock);
}

int64_t fake_telegram_push(struct fake_telegram *fake, const char *update_json)
{
    struct json_object *update = NULL;
    const struct json_limits limits = {.max_bytes = FAKE_TELEGRAM_BODY_MAX, .max_depth = 512};
    ASSERT(json_parse(str_c(update_json), &limits, &update, NULL) == 0);
    (void)pthread_mutex_lock(&fake->lock);
    int64_t id = add_update(fake, update);
    (void)pthread_mutex_unlock(&fake->lock);
    return id;
}

size_t fake_telegram_pending(struct fake_telegram *fake)
{
    (void)pthread_mutex_lock(&fake->lock);
    size_t count = fake->update_count;
    (void)pthread_mutex_unlock(&fake->lock);
    return count;
}
