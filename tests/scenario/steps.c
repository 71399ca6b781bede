#include "../../src/store/row.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "io/json.h"
#include "io/otp.h"
#include "scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXPECT_US (12 * USEC_PER_SEC)

static int64_t now_us(void)
{
    return clock_mono_us(clock_real());
}

static int64_t number(const struct yaml_node *node, int64_t otherwise)
{
    int64_t value = otherwise;
    (void)str_to_i64(yaml_text(node), &value);
    return value;
}

/* Polls until the condition holds or the deadline has passed. A step may set its own deadline with
 * within: <seconds>. */
static bool until(struct scene *s, const struct yaml_node *step,
                  bool (*condition)(struct scene *s, const struct yaml_node *step))
{
    int64_t seconds = number(yaml_get(step, "within"), EXPECT_US / USEC_PER_SEC);
    int64_t end = now_us() + seconds * USEC_PER_SEC;
    for (;;) {
        if (condition(s, step)) {
            return true;
        }
        if (now_us() > end) {
            return false;
        }
        (void)poll(NULL, 0, 10);
    }
}

/* An action of a person starts a new range of messages; further actions before the next expect
 * belong to it. */
static void mark(struct scene *s)
{
    if (!s->marked) {
        s->mark = fake_telegram_sent_count(s->telegram);
        s->marked = true;
    }
}

/* ------------------------------------------------------------------------ people's actions ---- */

#define SCENARIO_TOTP "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" /* of the users in the files */

/* Keeps the word that follows a text, {keep: "Pairing code: "}, for later steps. */
static bool keep(struct scene *s, const struct yaml_node *step, const char *text)
{
    const struct yaml_node *before = yaml_get(step, "keep");
    const char *at = before == NULL ? NULL : strstr(text, yaml_text(before).ptr);
    if (at != NULL) {
        at += yaml_text(before).len;
        (void)str_copy(str_n(at, strcspn(at, " \n<")), s->kept, sizeof(s->kept));
    }
    return before == NULL || at != NULL || scene_fail(s, "nothing to keep in: %s", text);
}

/* "@otp" is the code of this moment, "@kept_otp" that of the secret that was kept, "@kept" the word
 * that was kept. */
static void add_text(const struct scene *s, struct buf *out, struct str text)
{
    static const char *const words[] = {"@kept_otp", "@kept", "@otp"};
    for (size_t i = 0; i < text.len; i++) {
        struct str rest = str_n(text.ptr + i, text.len - i);
        size_t w = 0;
        while (w < COUNT_OF(words) && !str_starts(rest, words[w])) {
            w++;
        }
        if (w == COUNT_OF(words)) {
            buf_add_char(out, text.ptr[i]);
            continue;
        }
        char code[OTP_DIGITS + 1] = "";
        (void)otp_code(w == 0 ? s->kept : SCENARIO_TOTP, (int64_t)time(NULL) / 30, code, NULL);
        buf_add_c(out, w == 1 ? s->kept : code);
        i += strlen(words[w]) - 1;
    }
}

/* The newest message of the bot in a chat; 0: none. */
static int64_t newest_in(struct scene *s, int64_t chat)
{
    for (size_t i = fake_telegram_sent_count(s->telegram); i-- > 0;) {
        struct fake_telegram_sent sent;
        fake_telegram_get_sent(s->telegram, i, &sent);
        if (sent.chat == chat && sent.message_id != 0 && strcmp(sent.method, "sendMessage") == 0) {
            return sent.message_id;
        }
    }
    return 0;
}

/* {from, chat, thread, text, then_bytes, seconds_ago, answers: true (the newest of the bot)} */
static bool do_send(struct scene *s, const struct yaml_node *step)
{
    int64_t from = 0, chat = 0;
    if (!scene_person(s, yaml_get(step, "from"), &from) ||
        (yaml_get(step, "chat") != NULL && !scene_person(s, yaml_get(step, "chat"), &chat))) {
        return false;
    }
    mark(s);
    AUTO_BUF struct buf text = BUF_INIT((size_t)16 << 20);
    add_text(s, &text, yaml_text(yaml_get(step, "text")));
    for (int64_t i = number(yaml_get(step, "then_bytes"), 0); i > 0; i -= 16) {
        buf_add_c(&text, " 0123456789abcde");
    }
    (void)fake_telegram_user_sends(
        s->telegram,
        &(struct fake_telegram_message){.from = from,
                                        .chat = chat,
                                        .thread = number(yaml_get(step, "thread"), 0),
                                        .text = text.data,
                                        .age_s = number(yaml_get(step, "seconds_ago"), 0),
                                        .reply_to = yaml_get(step, "answers") == NULL
                                                        ? 0
                                                        : newest_in(s, chat == 0 ? from : chat)});
    return true;
}

struct press {
    int64_t from;
    int64_t chat;
};

static bool read_press(struct scene *s, const struct yaml_node *step, struct press *ret)
{
    if (!scene_person(s, yaml_get(step, "from"), &ret->from)) {
        return false;
    }
    ret->chat = ret->from;
    return yaml_get(step, "chat") == NULL || scene_person(s, yaml_get(step, "chat"), &ret->chat);
}

static bool try_press(struct scene *s, const struct yaml_node *step)
{
    struct press p;
    return read_press(s, step, &p) && fake_telegram_press(s->telegram, p.from, p.chat,
                                                          yaml_text(yaml_get(step, "button")).ptr);
}

static bool do_press(struct scene *s, const struct yaml_node *step)
{
    struct press p;
    if (!read_press(s, step, &p)) {
        return false;
    }
    mark(s);
    if (yaml_get(step, "data") != NULL) {
        fake_telegram_press_data(s->telegram, p.from, p.chat,
                                 yaml_text(yaml_get(step, "data")).ptr);
        return true;
    }
    return until(s, step, try_press) || scene_fail(s, "no such button");
}

static bool do_update(struct scene *s, const struct yaml_node *step)
{
    struct json_object *parsed = NULL;
    if (json_parse(yaml_text(step), &JSON_LIMITS_DEFAULT, &parsed, NULL) < 0) {
        return scene_fail(s, "update: not JSON");
    }
    (void)json_object_put(parsed);
    mark(s);
    (void)fake_telegram_push(s->telegram, yaml_text(step).ptr);
    return true;
}

/* ----------------------------------------------------------------------------------- faults ----
 */

static bool do_fail(struct scene *s, const struct yaml_node *step)
{
    static const struct {
        const char *name;
        enum fake_telegram_fault fault;
    } faults[] = {{"error", FAKE_TELEGRAM_ERROR},     {"body", FAKE_TELEGRAM_BODY},
                  {"cut", FAKE_TELEGRAM_CUT},         {"close", FAKE_TELEGRAM_CLOSE},
                  {"at_once", FAKE_TELEGRAM_AT_ONCE}, {"large", FAKE_TELEGRAM_LARGE},
                  {"slow", FAKE_TELEGRAM_SLOW},       {"trickle", FAKE_TELEGRAM_TRICKLE},
                  {"again", FAKE_TELEGRAM_AGAIN}};
    struct fake_telegram_failure f = {
        .method = yaml_text(yaml_get(step, "method")).ptr,
        .skip = (int)number(yaml_get(step, "skip"), 0),
        .times = (int)number(yaml_get(step, "times"), 1),
        .status = (int)number(yaml_get(step, "status"), 400),
        .description = yaml_text(yaml_get(step, "description")).ptr,
        .retry_after_s = number(yaml_get(step, "retry_after"), 0),
        .migrate_to = number(yaml_get(step, "migrate_to"), 0),
        .body = yaml_text(yaml_get(step, "body")).ptr,
        .delay_ms = number(yaml_get(step, "delay_ms"), 0),
    };
    if (yaml_get(step, "chat") != NULL && !scene_person(s, yaml_get(step, "chat"), &f.chat)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        if (str_equal_c(yaml_text(yaml_get(step, "fault")), faults[i].name)) {
            f.fault = faults[i].fault;
            fake_telegram_fail(s->telegram, &f);
            return true;
        }
    }
    return scene_fail(s, "unknown fault");
}

/* {chat: group, thread: 7, deleted: true} */
static bool do_end_topic(struct scene *s, const struct yaml_node *step)
{
    int64_t chat = 0;
    if (!scene_person(s, yaml_get(step, "chat"), &chat)) {
        return false;
    }
    fake_telegram_end_topic(s->telegram, chat, number(yaml_get(step, "thread"), 0),
                            str_equal_c(yaml_text(yaml_get(step, "deleted")), "true"));
    return true;
}

static bool do_webhook(struct scene *s, const struct yaml_node *step)
{
    fake_telegram_set_webhook(s->telegram, yaml_text(step).ptr);
    return true;
}

/* BotFather gives the bot this token. */
static bool do_revoke(struct scene *s, const struct yaml_node *step)
{
    fake_telegram_revoke(s->telegram, yaml_text(step).ptr);
    return true;
}

static enum fake_claude_break break_of(const struct yaml_node *step)
{
    static const char *const words[] = {[FAKE_CLAUDE_WHOLE] = "",
                                        [FAKE_CLAUDE_CLOSES] = "closes",
                                        [FAKE_CLAUDE_ENDS] = "ends",
                                        [FAKE_CLAUDE_ERROR] = "error"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_equal_c(yaml_text(yaml_get(step, "breaks")), words[i])) {
            return (enum fake_claude_break)i;
        }
    }
    return FAKE_CLAUDE_WHOLE;
}

/* {reply: "…", stop_reason: …, tools: [{name, input}], piece_ms, breaks: closes, times: 3} or
 * {fail: 529, type: overloaded_error} */
static bool do_claude(struct scene *s, const struct yaml_node *step)
{
    struct str reason = yaml_text(yaml_get(step, "stop_reason"));
    const struct yaml_node *tools = yaml_get(step, "tools");
    if (yaml_get(step, "fail") != NULL) {
        fake_claude_fail(s->claude, (int)number(yaml_get(step, "fail"), 500),
                         yaml_text(yaml_get(step, "type")).ptr);
        return true;
    }
    struct fake_claude_message message = {.text = yaml_text(yaml_get(step, "reply")).ptr,
                                          .stop_reason = reason.len == 0 ? NULL : reason.ptr,
                                          .piece_ms = number(yaml_get(step, "piece_ms"), 0),
                                          .breaks = break_of(step)};
    for (size_t i = 0; i < yaml_len(tools) && i < FAKE_CLAUDE_TOOLS_MAX; i++) {
        const struct yaml_node *tool = yaml_at(tools, i);
        message.tools[i] =
            (struct fake_claude_tool){.name = yaml_text(yaml_get(tool, "name")).ptr,
                                      .input = yaml_text(yaml_get(tool, "input")).ptr};
    }
    for (int64_t i = number(yaml_get(step, "times"), 1); i > 0; i--) {
        fake_claude_say(s->claude, &message);
    }
    return true;
}

static bool text_has(const char *text, const struct yaml_node *wanted);
static bool text_has_any(const char *text, const struct yaml_node *unwanted);

/* {has: […], has_not: […]}: the last request to the model, as JSON. */
static bool do_asked(struct scene *s, const struct yaml_node *step)
{
    size_t count = fake_claude_requests(s->claude);
    const char *request = count > 0 ? fake_claude_request(s->claude, count - 1) : NULL;
    if (request == NULL) {
        return scene_fail(s, "the model was not asked");
    }
    return (text_has(request, yaml_get(step, "has")) &&
            !text_has_any(request, yaml_get(step, "has_not"))) ||
           scene_fail(s, "the model was asked: %.20000s", request);
}

/* -------------------------------------------------------------------------- sent messages ---- */

static bool text_has(const char *text, const struct yaml_node *wanted)
{
    if (wanted == NULL || wanted->kind == YAML_SCALAR) {
        return strstr(text, yaml_text(wanted).ptr) != NULL;
    }
    for (size_t i = 0; i < yaml_len(wanted); i++) {
        if (strstr(text, yaml_text(yaml_at(wanted, i)).ptr) == NULL) {
            return false;
        }
    }
    return true;
}

static bool text_has_any(const char *text, const struct yaml_node *unwanted)
{
    if (unwanted != NULL && unwanted->kind == YAML_SCALAR) {
        return strstr(text, yaml_text(unwanted).ptr) != NULL;
    }
    for (size_t i = 0; i < yaml_len(unwanted); i++) {
        if (strstr(text, yaml_text(yaml_at(unwanted, i)).ptr) != NULL) {
            return true;
        }
    }
    return false;
}

static bool flag_fits(const struct yaml_node *wanted, bool is)
{
    return wanted == NULL || str_equal_c(yaml_text(wanted), is ? "true" : "false");
}

static bool fits(struct scene *s, const struct yaml_node *step,
                 const struct fake_telegram_sent *sent)
{
    int64_t chat = 0;
    const struct yaml_node *method = yaml_get(step, "method");
    if (yaml_get(step, "chat") != NULL) {
        if (!scene_person(s, yaml_get(step, "chat"), &chat) || chat != sent->chat) {
            return false;
        }
    }
    return sent->accepted && (method == NULL || str_equal_c(yaml_text(method), sent->method)) &&
           (yaml_get(step, "thread") == NULL ||
            number(yaml_get(step, "thread"), 0) == sent->thread) &&
           flag_fits(yaml_get(step, "html"), sent->html) &&
           flag_fits(yaml_get(step, "protected"), sent->is_protected) &&
           text_has(sent->text, yaml_get(step, "has")) &&
           !text_has_any(sent->text, yaml_get(step, "has_not")) &&
           (yaml_get(step, "buttons") == NULL ||
            text_has(sent->buttons, yaml_get(step, "buttons")));
}

static size_t count_fitting(struct scene *s, const struct yaml_node *step, size_t from)
{
    size_t count = 0;
    for (size_t i = from; i < fake_telegram_sent_count(s->telegram); i++) {
        struct fake_telegram_sent sent;
        fake_telegram_get_sent(s->telegram, i, &sent);
        count += fits(s, step, &sent) ? 1 : 0;
    }
    return count;
}

static bool try_expect(struct scene *s, const struct yaml_node *step)
{
    return count_fitting(s, step, s->mark) > 0;
}

/* Of the first message that fits. */
static bool keep_sent(struct scene *s, const struct yaml_node *step)
{
    for (size_t i = s->mark; i < fake_telegram_sent_count(s->telegram); i++) {
        struct fake_telegram_sent sent;
        fake_telegram_get_sent(s->telegram, i, &sent);
        if (fits(s, step, &sent)) {
            return keep(s, step, sent.text);
        }
    }
    return true;
}

/* Adds the messages to the failure report. */
static void list_sent(struct scene *s, size_t from)
{
    for (size_t i = from; i < fake_telegram_sent_count(s->telegram); i++) {
        struct fake_telegram_sent sent;
        fake_telegram_get_sent(s->telegram, i, &sent);
        scene_fail(s, "  %s%s to %lld: %.600s %s", sent.accepted ? "" : "refused ", sent.method,
                   (long long)sent.chat, sent.text, sent.buttons);
    }
}

static bool do_expect(struct scene *s, const struct yaml_node *step)
{
    s->marked = false;
    if (until(s, step, try_expect)) {
        return keep_sent(s, step);
    }
    scene_fail(s, "not sent; messages since the last action:");
    list_sent(s, s->mark);
    return false;
}

/* {count: N, …as expect}: counts messages since the start of the scenario, without waiting. */
static bool do_sent(struct scene *s, const struct yaml_node *step)
{
    size_t wanted = (size_t)number(yaml_get(step, "count"), 1);
    size_t count = count_fitting(s, step, 0);
    if (count == wanted) {
        return true;
    }
    scene_fail(s, "sent %zu times, not %zu times; all messages:", count, wanted);
    list_sent(s, 0);
    return false;
}

static bool try_confirmed(struct scene *s, const struct yaml_node *step)
{
    (void)step;
    return fake_telegram_pending(s->telegram) == 0;
}

static bool do_confirmed(struct scene *s, const struct yaml_node *step)
{
    return until(s, step, try_confirmed) || scene_fail(s, "updates are not confirmed");
}

static bool try_calls(struct scene *s, const struct yaml_node *step)
{
    size_t calls = fake_telegram_calls(s->telegram, yaml_text(yaml_get(step, "method")).ptr);
    return calls >= (size_t)number(yaml_get(step, "at_least"), 0);
}

static bool do_calls(struct scene *s, const struct yaml_node *step)
{
    const char *method = yaml_text(yaml_get(step, "method")).ptr;
    if (!until(s, step, try_calls)) {
        return scene_fail(s, "only %zu calls", fake_telegram_calls(s->telegram, method));
    }
    size_t calls = fake_telegram_calls(s->telegram, method);
    return calls <= (size_t)number(yaml_get(step, "at_most"), INT64_MAX) ||
           scene_fail(s, "%zu calls", calls);
}

static void menu_of(struct scene *s, const struct yaml_node *step, struct buf *out)
{
    int64_t who = 0, chat = 0;
    buf_add_char(out, ' ');
    if (scene_person(s, yaml_get(step, "who"), &who)) {
        chat = who;
        if (yaml_get(step, "chat") == NULL || scene_person(s, yaml_get(step, "chat"), &chat)) {
            fake_telegram_menu(s->telegram, chat, who, out);
        }
    }
    buf_add_char(out, ' ');
}

static bool try_menu(struct scene *s, const struct yaml_node *step)
{
    AUTO_BUF struct buf names = BUF_INIT((size_t)64 << 10);
    menu_of(s, step, &names);
    bool empty = str_equal_c(yaml_text(yaml_get(step, "empty")), "true");
    return empty ? str_trim(buf_str(&names)).len == 0
                 : text_has(names.data, yaml_get(step, "has")) &&
                       !text_has_any(names.data, yaml_get(step, "has_not"));
}

/* {who: bob, chat: group, has: " status ", has_not: …} or {…, empty: true}: the commands that a
 * person sees in the menu of a chat, between blanks. */
static bool do_menu(struct scene *s, const struct yaml_node *step)
{
    AUTO_BUF struct buf names = BUF_INIT((size_t)64 << 10);
    if (until(s, step, try_menu)) {
        return true;
    }
    menu_of(s, step, &names);
    return scene_fail(s, "the menu is:%s", names.data);
}

/* ------------------------------------------------------------------------------- databases ---- */

static void first_value(struct db *db, const char *sql, struct buf *out)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct err err = {0};
    if (db_query(db, sql, DB_NO_VALUES, &rows, &err) < 0 || db_next(rows, &err) < 0) {
        buf_addf(out, "%s: %s", err_info(err.id)->code, err.context);
    } else if (db_column_count(rows) > 0) {
        if (db_column_type(rows, 0) == DB_TYPE_I64) {
            buf_addf(out, "%lld", (long long)db_i64(rows, 0));
        } else {
            buf_add_str(out, db_text(rows, 0));
        }
    }
}

static void query(struct scene *s, const struct yaml_node *step, struct buf *out)
{
    struct err err = {0};
    /* The statement cache uses the pointer of the text as its key, so the text must outlive it. */
    const char *sql = yaml_text(yaml_get(step, "query")).ptr;
    if (str_equal_c(yaml_text(yaml_get(step, "db")), "trading")) {
        struct trading_store *store = NULL;
        if (trading_store_open(s->dir, TRADING_STORE_READ, &store, &err) == 0) {
            first_value(store->db, sql, out);
        }
        trading_store_free(store);
    } else {
        struct ops_store *store = NULL;
        if (ops_store_open(s->dir, OPS_STORE_READ, &store, &err) == 0) {
            first_value(store->db, sql, out);
        }
        ops_store_free(store);
    }
    if (err.id != ERR_NONE) {
        buf_addf(out, "%s: %s", err_info(err.id)->code, err.context);
    }
}

static bool try_sql(struct scene *s, const struct yaml_node *step)
{
    AUTO_BUF struct buf got = BUF_INIT((size_t)1 << 20);
    query(s, step, &got);
    const struct yaml_node *is = yaml_get(step, "is");
    int64_t value = 0;
    if (is != NULL) {
        return str_equal(yaml_text(is), buf_str(&got));
    }
    return str_to_i64(buf_str(&got), &value) && value >= number(yaml_get(step, "at_least"), 1);
}

/* {db: ops, query: "…", is: "…"} or {…, at_least: N}: the first column of the first row. */
static bool do_sql(struct scene *s, const struct yaml_node *step)
{
    if (until(s, step, try_sql)) {
        return true;
    }
    AUTO_BUF struct buf got = BUF_INIT((size_t)1 << 20);
    query(s, step, &got);
    return scene_fail(s, "the result is: %s", got.data);
}

/* {db: trading, sql: "…"}: changes a database while the daemon does not run. */
static bool do_change(struct scene *s, const struct yaml_node *step)
{
    struct err err = {0};
    const char *sql = yaml_text(yaml_get(step, "sql")).ptr;
    if (str_equal_c(yaml_text(yaml_get(step, "db")), "trading")) {
        struct trading_store *store = NULL;
        if (trading_store_open(s->dir, TRADING_STORE_WRITE, &store, &err) == 0) {
            (void)db_exec(store->db, sql, &err);
        }
        trading_store_free(store);
    } else {
        struct ops_store *store = NULL;
        if (ops_store_open(s->dir, OPS_STORE_WRITE, &store, &err) == 0) {
            (void)db_exec(store->db, sql, &err);
        }
        ops_store_free(store);
    }
    return err.id == ERR_NONE || scene_fail(s, "%s: %s", err_info(err.id)->code, err.context);
}

/* Sets the time of the file that shows when the last process ended. */
static void age_alive(struct scene *s, int64_t seconds)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct stat st;
    buf_addf(&path, "%s/alive", s->dir);
    if (stat(path.data, &st) == 0) {
        const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                          {.tv_sec = st.st_mtim.tv_sec - seconds}};
        (void)utimensat(AT_FDCWD, path.data, times, 0);
    }
}

/* Seconds that pass while the program is not running: for messages that wait, and since its end. */
static bool do_later(struct scene *s, const struct yaml_node *step)
{
    struct ops_store *store = NULL;
    struct err err = {0};
    int64_t seconds = number(step, 0);
    if (s->pid != 0) {
        return scene_fail(s, "the daemon runs");
    }
    int rc = ops_store_open(s->dir, OPS_STORE_WRITE, &store, &err);
    if (rc == 0) {
        rc = db_run(store->db, "UPDATE outbox SET not_before_us = not_before_us - ?1",
                    DB_VALUES(DB_I64(seconds * USEC_PER_SEC)), &err);
    }
    if (rc == 0) {
        rc = db_run(store->db, "UPDATE kv SET value = value - ?1 WHERE name = 'notices.stopped_us'",
                    DB_VALUES(DB_I64(seconds * USEC_PER_SEC)), &err);
    }
    ops_store_free(store);
    age_alive(s, seconds);
    return rc == 0 || scene_fail(s, "%s", err.context);
}

/* {name: …, starts: …}: a file of the state folder. */
static bool do_file(struct scene *s, const struct yaml_node *step)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    char text[256] = {0};
    buf_addf(&path, "%s/%.*s", s->dir, STR_ARG(yaml_text(yaml_get(step, "name"))));
    FILE *file = fopen(path.data, "re");
    if (file == NULL) {
        return scene_fail(s, "%s: %s", path.data, strerror(errno));
    }
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    struct str starts = yaml_text(yaml_get(step, "starts"));
    return (len >= starts.len && memcmp(text, starts.ptr, starts.len) == 0) ||
           scene_fail(s, "%s starts with: %.32s", path.data, text);
}

/* {has: [...]}: a line of the daemon's log has all words. */
static bool try_logged(struct scene *s, const struct yaml_node *step)
{
    AUTO_BUF struct buf log = BUF_INIT((size_t)64 << 20);
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    struct str rest, line;
    if (file_read(s->log, &log, NULL) < 0) {
        return false;
    }
    rest = buf_str(&log);
    while (str_split(&rest, '\n', &line)) {
        buf_clear(&text);
        buf_add_str(&text, line);
        if (text_has(text.data, yaml_get(step, "has"))) {
            return true;
        }
    }
    return false;
}

static bool do_logged(struct scene *s, const struct yaml_node *step)
{
    return until(s, step, try_logged) || scene_fail(s, "no such line in the log");
}

/* true: starts a write transaction on ops.db, as another process would; false: ends it. */
static bool do_locked(struct scene *s, const struct yaml_node *step)
{
    struct err err = {0};
    if (!str_equal_c(yaml_text(step), "true")) {
        ops_store_free(s->locker);
        s->locker = NULL;
        return true;
    }
    if (ops_store_open(s->dir, OPS_STORE_WRITE, &s->locker, &err) < 0) {
        return scene_fail(s, "cannot lock: %s", err.context);
    }
    for (int i = 0; i < 200; i++) {
        if (ops_store_begin(s->locker, &err) == 0) {
            return true;
        }
        (void)poll(NULL, 0, 10);
    }
    return scene_fail(s, "cannot lock: %s", err.context);
}

/* ------------------------------------------------------------------------------ processes ---- */

static bool do_daemon(struct scene *s, const struct yaml_node *step)
{
    struct str what = yaml_text(step);
    mark(s);
    if (str_equal_c(what, "kill")) {
        return daemon_kill(s);
    }
    if (str_equal_c(what, "stop")) {
        return daemon_stop(s);
    }
    if (str_equal_c(what, "start")) {
        return daemon_start(s);
    }
    if (str_equal_c(what, "hang_up")) {
        return daemon_hang_up(s);
    }
    return scene_fail(s, "unknown: %.*s", STR_ARG(what));
}

/* {name: text}: files in the folder of own commands. */
static bool do_commands(struct scene *s, const struct yaml_node *step)
{
    return scene_commands(s, step);
}

/* What differs from the default configuration from now on, in place of the scenario's `config`; or
 * a text: the whole file. */
static bool do_config(struct scene *s, const struct yaml_node *step)
{
    return scene_configure(s, step);
}

/* {args: [do, status], input: "…", exit: 0, has: …, has_not: …} */
static bool do_run(struct scene *s, const struct yaml_node *step)
{
    AUTO_BUF struct buf out = BUF_INIT((size_t)4 << 20);
    int code = 0;
    if (!daemon_run(s, yaml_get(step, "args"), yaml_text(yaml_get(step, "input")), &out, &code)) {
        return false;
    }
    if (code != (int)number(yaml_get(step, "exit"), 0)) {
        return scene_fail(s, "exit status %d: %s", code, out.data);
    }
    if (!keep(s, step, out.data)) {
        return false;
    }
    return (text_has(out.data, yaml_get(step, "has")) &&
            !text_has_any(out.data, yaml_get(step, "has_not"))) ||
           scene_fail(s, "it printed: %s", out.data);
}

static bool try_venue(struct scene *s, const struct yaml_node *step)
{
    AUTO_BUF struct buf got = BUF_INIT((size_t)32 << 20);
    return venue_has(s, step, &got);
}

/* {do: [price BTC-USD 61000, …]}: commands of the fake, and {state: /ids/x, is: 1} or {…, count:
 * N}: a part of its state (RFC 6901). */
static bool do_venue(struct scene *s, const struct yaml_node *step)
{
    const struct yaml_node *lines = yaml_get(step, "do");
    if (s->venue == NULL) {
        return scene_fail(s, "the scenario has no venue");
    }
    if (lines != NULL && !venue_do(s, lines)) {
        return false;
    }
    if (yaml_get(step, "state") == NULL || until(s, step, try_venue)) {
        return true;
    }
    AUTO_BUF struct buf got = BUF_INIT((size_t)32 << 20);
    (void)venue_has(s, step, &got);
    return scene_fail(s, "the venue has: %.4000s", got.data);
}

static const struct {
    const char *name;
    bool (*run)(struct scene *s, const struct yaml_node *step);
} kinds[] = {
    {"send", do_send},     {"press", do_press},       {"update", do_update},
    {"fail", do_fail},     {"webhook", do_webhook},   {"claude", do_claude},
    {"expect", do_expect}, {"sent", do_sent},         {"confirmed", do_confirmed},
    {"calls", do_calls},   {"sql", do_sql},           {"daemon", do_daemon},
    {"run", do_run},       {"locked", do_locked},     {"file", do_file},
    {"config", do_config}, {"commands", do_commands}, {"end_topic", do_end_topic},
    {"menu", do_menu},     {"later", do_later},       {"logged", do_logged},
    {"revoke", do_revoke}, {"change", do_change},     {"asked", do_asked},
    {"venue", do_venue},
};

static bool run_step(struct scene *s, const struct yaml_node *step)
{
    struct str name = yaml_text(yaml_key(step, 0));
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_equal_c(name, kinds[i].name)) {
            return kinds[i].run(s, yaml_value(step, 0)) ||
                   scene_fail(s, "(step %.*s in line %d)", STR_ARG(name), step->line);
        }
    }
    return scene_fail(s, "line %d: unknown step %.*s", step->line, STR_ARG(name));
}

bool steps_run(struct scene *s, const struct yaml_node *steps)
{
    for (size_t i = 0; i < yaml_len(steps); i++) {
        if (!run_step(s, yaml_at(steps, i))) {
            return false;
        }
    }
    return true;
}
