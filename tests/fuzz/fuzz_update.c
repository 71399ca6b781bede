/*
 * Updates, from the text of an answer of getUpdates to the decision and the messages that follow.
 * Each line of the input is one answer; in it, @CODE@ stands for the code of the newest prompt,
 * 1234567890 for the present time, and a line "wait" lets open prompts expire. Whatever the text
 * says:
 *   - nobody but a user of the configuration causes a message, a run or a call of an action;
 *   - an action of commands that ask for a confirmation is called only for the person who was
 * asked, in the chat where they were, once for each prompt;
 *   - every message is one that Telegram takes.
 */
#include "base/check.h"
#include "chat/render.h"
#include "command/reply_json.h"
#include "fakes/fake_telegram_check.h"
#include "rigs/update_rig.h"

#include <inttypes.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUTS_EACH 1000 /* for one rig: its database grows */
#define IDS_EACH    1000
#define CODE_MARK   "@CODE@"
#define NOW_MARK    "1234567890"

static const char config[] = "telegram:\n"
                             "  bot_token: \"123456789:FAKE-token_0123456789abcdefghijk\"\n"
                             "  api_url: http://127.0.0.1:1\n"
                             "  users:\n"
                             "    - {id: 1001, name: ann, role: admin, emergency: true}\n"
                             "    - {id: 1002, name: rita, role: read_only}\n"
                             "    - {id: 1003, name: olaf, role: operator}\n"
                             "commands: {rate: 0}\n";

static struct update_rig rig;
static int inputs;
static bool pushed;      /* an update, in this input */
static int64_t first_id; /* of this input's updates: a known id has no effect */
static char code[16];    /* of the newest prompt */
static int64_t asked_id, asked_chat;
static int64_t sender_id, sender_chat; /* of the update that is being handled */
static bool guarded;                   /* it has called a guarded action */

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "fuzz_update: %s\n", what);
        abort();
    }
}

/* Every command that has this action asks for a confirmation. */
static bool is_guarded(const struct action *action)
{
    const struct manifest *m = NULL;
    bool always = action->effect != ACTION_READS;
    for (size_t i = 0; always && (m = manifest_at(rig.manifests, i)) != NULL; i++) {
        always = m->confirm || !manifest_has_action(m, action->name);
    }
    return always;
}

static void on_call(struct action_call *call, void *userdata)
{
    (void)userdata;
    if (is_guarded(action_of(call))) {
        guarded = true;
        must(action_who(call)->id == asked_id && action_chat_id(call) == asked_chat,
             "a guarded action for somebody who was not asked");
        must(code[0] != '\0' && sender_id == asked_id && sender_chat == asked_chat,
             "a guarded action without its confirmation");
    }
}

/* Prompts hold "y:CODE" in the command of a button. */
static void find_code(const char *payload)
{
    const char *at = strstr(payload, "\"y:");
    if (at != NULL) {
        (void)str_copy(str_n(at + 3, strcspn(at + 3, "\"")), code, sizeof(code));
    }
}

static void on_message(int64_t chat_id, const char *payload, void *userdata)
{
    (void)chat_id, (void)userdata;
    struct err err = {0};
    struct reply *reply = NULL;
    struct render_parts parts = {0};
    find_code(payload);
    if (strcmp(payload, "{}") == 0) {
        return;
    }
    must(reply_json_read(payload, strlen(payload), &reply, &err) == 0, "an unreadable message");
    render_html(reply, &parts);
    for (size_t i = 0; i < parts.count; i++) {
        const char *why = "";
        AUTO_BUF struct buf text = BUF_INIT((size_t)64 << 10);
        must(str_is_utf8(buf_str(&parts.part[i])), "a message that is not UTF-8");
        must(fake_telegram_check_html(buf_str(&parts.part[i]), &text, &why), why);
        must(text.len > 0 && str_utf16_len(buf_str(&text)) <= 4096, "a message too long");
    }
    render_parts_release(&parts);
    reply_free(reply);
}

/* Whether a number of it is the id of a user: only then may it have an effect. */
static bool names_user(struct json_object *value)
{
    bool found = false;
    if (json_object_is_type(value, json_type_int)) {
        int64_t id = json_object_get_int64(value);
        return id >= 1001 && id <= 1003;
    }
    if (json_is_object(value)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            found = found || names_user(member);
        }
    }
    for (size_t i = 0; json_is_array(value) && i < json_len(value); i++) {
        found = found || names_user(json_item(value, i));
    }
    return found;
}

/* Who sent an update, and where: of a message, or of a press. */
static void sender_of(const struct json_object *update, int64_t *ret_id, int64_t *ret_chat)
{
    const struct json_object *message = json_get(update, "message");
    const struct json_object *press = json_get(update, "callback_query");
    bool is_press = !json_is_object((struct json_object *)(uintptr_t)message);
    const struct json_object *place = is_press ? json_get(press, "message") : message;
    *ret_id = json_i64(json_get(is_press ? press : message, "from"), "id", 0);
    *ret_chat = json_i64(json_get(place, "chat"), "id", 0);
}

static void push(struct json_object *update)
{
    char before[sizeof(code)];
    pushed = true;
    int64_t id = first_id + json_i64(update, "update_id", 0) % IDS_EACH;
    (void)json_object_object_add(update, "update_id", json_object_new_int64(id));
    memcpy(before, code, sizeof(code));
    guarded = false;
    sender_of(update, &sender_id, &sender_chat);
    must(update_rig_push(&rig, update) == 0, "an update could not be stored");
    struct update_seen seen = update_rig_look(&rig);
    bool effect = seen.messages > 0 || seen.runs > 0 || seen.calls > 0;
    must(!effect || names_user(update), "an effect without a user");
    must(seen.waiting <= 1, "two prompts for one update");
    if (guarded) {
        must(strcmp(before, code) == 0, "a new prompt together with a guarded action");
        code[0] = '\0'; /* works once */
    } else if (seen.waiting == 1) {
        asked_id = sender_id;
        asked_chat = sender_chat;
    }
}

static const struct json_limits limits = {.max_bytes = (size_t)16 << 20, .max_depth = 512};

static void answer(struct str text)
{
    AUTO_JSON struct json_object *body = NULL;
    AUTO_BUF struct buf filled = BUF_INIT((size_t)2 << 20);
    while (text.len > 0) {
        if (str_starts(text, CODE_MARK)) {
            buf_add_c(&filled, code);
            text = str_n(text.ptr + strlen(CODE_MARK), text.len - strlen(CODE_MARK));
        } else if (str_starts(text, NOW_MARK)) {
            buf_addf(&filled, "%" PRId64, clock_wall_us(&rig.clock.clock) / USEC_PER_SEC);
            text = str_n(text.ptr + strlen(NOW_MARK), text.len - strlen(NOW_MARK));
        } else {
            buf_add_char(&filled, text.ptr[0]);
            text = str_n(text.ptr + 1, text.len - 1);
        }
    }
    if (json_parse(buf_str(&filled), &limits, &body, NULL) < 0) {
        return;
    }
    struct json_object *updates = json_get(body, "result");
    for (size_t i = 0; i < json_len(updates); i++) {
        struct json_object *update = json_item(updates, i);
        if (json_is_object(update) && json_i64(update, "update_id", -1) >= 0) {
            push(update);
        }
    }
}

static void open_rig(void)
{
    if (rig.loop != NULL && inputs < INPUTS_EACH) {
        return;
    }
    if (rig.loop != NULL) {
        update_rig_close(&rig);
    }
    inputs = 0;
    update_rig_open(&rig, config);
    rig.on_call = on_call;
    rig.on_message = on_message;
}

static void let_expire(void)
{
    update_rig_settle(&rig);
    code[0] = '\0';
}

/* Up to the last line that can be read. */
static struct str readable(struct str input)
{
    struct str rest = input, line;
    size_t len = 0;
    while (str_split(&rest, '\n', &line)) {
        AUTO_JSON struct json_object *body = NULL;
        bool good = str_equal_c(line, "wait") || json_parse(line, &limits, &body, NULL) == 0;
        len = good ? (size_t)(line.ptr + line.len - input.ptr) : len;
    }
    return str_n(input.ptr, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct buf last = BUF_INIT((size_t)2 << 20);
    struct str rest = readable(str_n((const char *)data, size)), line;
    if (str_equal(rest, buf_str(&last))) {
        return 0; /* most prefixes of a text end within a line */
    }
    buf_clear(&last);
    buf_add_str(&last, rest);
    rest = buf_str(&last);
    open_rig();
    first_id += IDS_EACH;
    pushed = false;
    asked_id = asked_chat = 0;
    while (str_split(&rest, '\n', &line)) {
        if (str_equal_c(line, "wait")) {
            let_expire();
        } else {
            answer(line);
        }
    }
    if (pushed) {
        let_expire();
        inputs++;
    }
    return 0;
}
