/* Troubleshooting sessions: memory, summary, idle closing, limits, two people, and without a model.
 */
#include "../../../src/assistant/troubleshoot.h"
#include "ask_rig.h"
#include "io/json.h"
#include "rigs/golden.h"
#include "rigs/reply_text.h"
#include "store/question_table.h"
#include "store/session_table.h"

#include <string.h>

static void read_reply(const struct ask_rig *rig, struct buf *text)
{
    buf_clear(text);
    ask_rig_text(rig, text);
}

static void assert_text(const struct ask_rig *rig, const char *words)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 * 1024);
    read_reply(rig, &text);
    assert_has(text.data, words);
}

/* The messages of the last request as JSON. */
static void assert_asked(const struct ask_rig *rig, const char *words, bool has)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    json_add_text(&text, rig->last_messages);
    if (has) {
        assert_has(text.data, words);
    } else {
        assert_lacks(text.data, words);
    }
}

/* Plain text, as somebody writes it in a private chat. */
static bool say(struct ask_rig *rig, const char *text)
{
    rig->free_text = FREE_TEXT_MAYBE;
    bool replied = ask_rig_send(rig, text);
    rig->free_text = FREE_TEXT_NO;
    return replied;
}

static void iterate(struct ask_rig *rig)
{
    for (int i = 0; i < 100; i++) {
        (void)loop_iterate(rig->base.loop, 0);
    }
}

static void pass(struct ask_rig *rig, int64_t us)
{
    loop_advance(rig->base.loop, us);
    iterate(rig);
}

static struct session session_of(struct ask_rig *rig, int64_t id)
{
    struct session s = {0};
    assert_int_equal(session_table_get(rig->base.store, id, &s, NULL), 0);
    free(s.summary);
    s.summary = NULL;
    return s;
}

/* Whether a message to this chat that is not of a run has the words. */
static bool posted(struct ask_rig *rig, int64_t chat_id, const char *words)
{
    bool found = false;
    for (int64_t id = 1; id < 200; id++) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        if (outbox_table_get(rig->base.store, id, &row, NULL) == 0) {
            found = found || (row.chat_id == chat_id && row.run_id == 0 &&
                              strstr(row.payload, words) != NULL);
        }
    }
    return found;
}

/* The document that the reply offers. */
static void read_document(const struct ask_rig *rig, struct buf *out)
{
    for (size_t i = 0; i < reply_block_count(rig->reply); i++) {
        struct reply_block block = reply_get_block(rig->reply, i);
        if (block.kind == BLOCK_DOCUMENT) {
            char path[300];
            (void)snprintf(path, sizeof(path), "%s/attachments/%s", rig->base.folder,
                           block.file->id);
            FILE *file = fopen(path, "re");
            assert_non_null(file);
            char bytes[4096];
            size_t n;
            while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0) {
                buf_add(out, bytes, n);
            }
            (void)fclose(file);
            return;
        }
    }
    fail_msg("there is no document");
}

static void words_are_verbs_only_where_nothing_else_is_meant(void **state)
{
    static const struct {
        const char *what;
        enum troubleshoot_verb verb;
        int64_t id;
    } cases[] = {{"end", TROUBLESHOOT_END, 0},
                 {"END 3", TROUBLESHOOT_END, 3},
                 {"end of the month is odd", TROUBLESHOOT_SAY, 0},
                 {"list", TROUBLESHOOT_LIST, 0},
                 {"list the trades", TROUBLESHOOT_SAY, 0},
                 {"join 3", TROUBLESHOOT_JOIN, 3},
                 {"join", TROUBLESHOOT_SAY, 0},
                 {"open #7", TROUBLESHOOT_OPEN, 7},
                 {"open positions are odd", TROUBLESHOOT_SAY, 0},
                 {" 12 ", TROUBLESHOOT_SHOW, 12},
                 {"#12", TROUBLESHOOT_SHOW, 12},
                 {"#12 go on", TROUBLESHOOT_SAY, 12},
                 {"#x go on", TROUBLESHOOT_SAY, 0},
                 {"0", TROUBLESHOOT_SAY, 0},
                 {"-1", TROUBLESHOOT_SAY, 0},
                 {"", TROUBLESHOOT_SAY, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct troubleshoot_words words = troubleshoot_read(str_c(cases[i].what));
        assert_int_equal(words.verb, cases[i].verb);
        assert_int_equal(words.session_id, cases[i].id);
    }
    assert_string_equal(troubleshoot_read(str_c("#12  go on")).text.ptr, "go on");
}

static void a_session_remembers_what_was_read(void **state)
{
    struct ask_rig *rig = *state;
    ask_rig_uses(rig, "numbers", "{}");
    ask_rig_says(rig, "7 trades were closed.");
    assert_true(ask_rig_send(rig, "troubleshoot something is odd"));
    assert_text(rig, "session 1");
    /* Plain text of one word goes on in it; the figure is still proven by what was read before. */
    ask_rig_says(rig, "Yes: 7 trades were closed, and the limit is 99 %.");
    assert_true(say(rig, "really?"));
    assert_text(rig, "7 trades were closed");
    assert_text(rig, "99 % (unverified)");
    assert_int_equal(json_i64(ask_rig_data(rig), "session_id", 0), 1);
    assert_int_equal(json_i64(ask_rig_data(rig), "found", 0), 1);
    assert_asked(rig, "something is odd", true);
    assert_asked(rig, "Person A (read_only) says:", true);
    assert_asked(rig, "\\\"trades\\\":7", true);
    assert_asked(rig, "rita", false);
    AUTO_QUESTION struct question q = {0};
    assert_int_equal(question_table_get(rig->base.store, 2, &q, NULL), 0);
    assert_has(q.figures, "(q1)");
    /* Outside of a session a word is a mistyped command, and a question has no memory. */
    assert_true(ask_rig_send(rig, "troubleshoot end"));
    assert_true(say(rig, "really?"));
    assert_int_equal(rig->error, ERR_COMMAND_UNKNOWN);
    ask_rig_says(rig, "No.");
    assert_true(say(rig, "and now, dear pirate?"));
    assert_asked(rig, "something is odd", false);
}

static void a_long_session_is_summarised_and_its_figures_are_not_proven(void **state)
{
    struct ask_rig *rig = *state;
    AUTO_BUF struct buf many = BUF_INIT((size_t)64 * 1024);
    buf_add_c(&many, "{\"trades\":7,\"lost\":43,\"rows\":[");
    for (int i = 0; i < 300; i++) {
        buf_addf(&many, "%s{\"note\":\"all the words of a long and boring row of a table\"}",
                 i > 0 ? "," : "");
    }
    buf_add_c(&many, "]}");
    rig->numbers = many.data;
    for (int i = 0; i < 6; i++) {
        ask_rig_uses(rig, "numbers", "{}");
        ask_rig_says(rig, "43 trades lost.");
        assert_true(i == 0 ? ask_rig_send(rig, "troubleshoot something is odd")
                           : say(rig, "look once more"));
        assert_int_equal(rig->error, ERR_NONE);
        loop_advance(rig->base.loop, USEC_PER_MIN);
    }
    assert_null(rig->last_user);
    ask_rig_says(rig, "At first Person A saw 55 trades lost.");
    ask_rig_says(rig, "55 trades lost at first, 43 trades lost now.");
    assert_true(say(rig, "what do you know?"));
    assert_non_null(rig->last_user); /* what was to be summarised */
    assert_has(rig->last_user, "something is odd");
    assert_text(rig, "55 (unverified) trades lost");
    assert_int_equal(json_i64(ask_rig_data(rig), "unverified", -1), 1);
    assert_int_equal(json_i64(ask_rig_data(rig), "found", -1), 1);
    assert_asked(rig, "At first Person A saw 55 trades lost", true);
    assert_asked(rig, "Its figures are not proven", true);
    assert_asked(rig, "something is odd", false);
    assert_int_equal(session_of(rig, 1).summary_to, 4);
    /* It is made once. */
    free(rig->last_user);
    rig->last_user = NULL;
    ask_rig_says(rig, "Nothing new.");
    assert_true(say(rig, "anything else?"));
    assert_null(rig->last_user);
    assert_asked(rig, "At first Person A saw 55 trades lost", true);
}

static void a_summary_that_fails_leaves_the_oldest_out(void **state)
{
    struct ask_rig *rig = *state;
    AUTO_BUF struct buf many = BUF_INIT((size_t)64 * 1024);
    buf_add_c(&many, "{\"rows\":[");
    for (int i = 0; i < 300; i++) {
        buf_addf(&many, "%s{\"note\":\"all the words of a long and boring row of a table\"}",
                 i > 0 ? "," : "");
    }
    buf_add_c(&many, "]}");
    rig->numbers = many.data;
    for (int i = 0; i < 6; i++) {
        ask_rig_uses(rig, "numbers", "{}");
        ask_rig_says(rig, "I see.");
        assert_true(i == 0 ? ask_rig_send(rig, "troubleshoot something is odd")
                           : say(rig, "look once more"));
        loop_advance(rig->base.loop, USEC_PER_MIN);
    }
    ask_rig_fails(rig, ERR_CLAUDE_OVERLOADED);
    ask_rig_says(rig, "I go on.");
    assert_true(say(rig, "what do you know?"));
    assert_text(rig, "I go on.");
    assert_asked(rig, "not kept; call it again if you need it", true);
    assert_int_equal(session_of(rig, 1).summary_to, 0);
}

static void an_idle_session_closes_itself(void **state)
{
    struct ask_rig *rig = *state;
    rig->who.channel = CHANNEL_TELEGRAM;
    ask_rig_says(rig, "Tell me more.");
    assert_true(ask_rig_send(rig, "troubleshoot something is odd"));
    pass(rig, 20 * USEC_PER_MIN);
    ask_rig_says(rig, "And then?");
    assert_true(say(rig, "it is slow"));
    pass(rig, 29 * USEC_PER_MIN);
    assert_true(session_of(rig, 1).open);
    pass(rig, 2 * USEC_PER_MIN);
    struct session s = session_of(rig, 1);
    assert_false(s.open);
    assert_string_equal(s.closed_by, "idle");
    assert_true(posted(rig, 5, "Session 1 is closed"));
    assert_true(posted(rig, 5, "troubleshoot.md"));
    assert_true(ask_rig_send(rig, "troubleshoot #1 still there?"));
    assert_int_equal(rig->error, ERR_SESSION_CLOSED);
    /* Opened again it knows what was said, and is idle after another while. */
    assert_true(ask_rig_send(rig, "troubleshoot open 1"));
    assert_int_equal(rig->error, ERR_NONE);
    ask_rig_says(rig, "Yes.");
    assert_true(say(rig, "still there?"));
    assert_asked(rig, "it is slow", true);
    pass(rig, 31 * USEC_PER_MIN);
    assert_false(session_of(rig, 1).open);
}

static void a_session_is_not_idle_while_it_answers(void **state)
{
    struct ask_rig *rig = *state;
    rig->base.config.assistant_max_time_us = USEC_PER_HOUR;
    rig->base.config.assistant_session_idle_us = 5 * USEC_PER_MIN;
    rig->silent = true;
    ask_rig_says(rig, "never");
    assert_false(ask_rig_send(rig, "troubleshoot something is odd"));
    pass(rig, 6 * USEC_PER_MIN);
    assert_true(session_of(rig, 1).open);
}

static void new_options_apply_to_open_sessions(void **state)
{
    struct ask_rig *rig = *state;
    struct config config = rig->base.config;
    config.assistant_session_max_calls = 3;
    assistant_apply(rig->assistant, &config, &rig->client);
    ask_rig_uses(rig, "numbers", "{}");
    ask_rig_also_uses(rig, "numbers", "{\"count\":2}");
    ask_rig_says(rig, "Nothing.");
    assert_true(ask_rig_send(rig, "troubleshoot something is odd"));
    ask_rig_uses(rig, "numbers", "{}"); /* the third, and the last */
    ask_rig_says(rig, "Nothing again.");
    assert_true(say(rig, "look again"));
    assert_true(rig->last_no_more);
    assert_true(say(rig, "and again"));
    assert_int_equal(rig->error, ERR_SESSION_SPENT);
    assert_text(rig, "calls of session 1");
    config.assistant_session_max_calls = 60;
    config.assistant_session_max_cost = (struct dec){DEC_ONE / 100};
    assistant_apply(rig->assistant, &config, &rig->client);
    assert_true(say(rig, "and again"));
    assert_text(rig, "cost of session 1");
    config.assistant_session_max_cost = (struct dec){DEC_ONE};
    config.assistant_session_max_time_us = USEC_PER_MIN;
    assistant_apply(rig->assistant, &config, &rig->client);
    loop_advance(rig->base.loop, 2 * USEC_PER_MIN);
    assert_true(say(rig, "and again"));
    assert_text(rig, "time of session 1");
    assert_true(session_of(rig, 1).open);
    config.assistant_session_idle_us = 5 * USEC_PER_MIN;
    assistant_apply(rig->assistant, &config, &rig->client);
    pass(rig, 6 * USEC_PER_MIN);
    assert_false(session_of(rig, 1).open);
    assistant_apply(rig->assistant, &rig->base.config, &rig->client);
}

static void people_in_a_session_keep_their_own_rights(void **state)
{
    struct ask_rig *rig = *state;
    struct principal rita = rig->base.rita, alice = rig->base.alice;
    rig->who = rita;
    ask_rig_uses(rig, "numbers", "{}");
    ask_rig_says(rig, "7 trades.");
    assert_true(ask_rig_send(rig, "troubleshoot the demo is odd"));
    /* Nobody is in it who has not joined it. */
    rig->who = alice;
    rig->chat_id = 6;
    assert_true(ask_rig_send(rig, "troubleshoot end 1"));
    assert_int_equal(rig->error, ERR_SESSION_UNKNOWN);
    assert_true(ask_rig_send(rig, "troubleshoot join 1"));
    assert_int_equal(rig->error, ERR_NONE);
    assert_true(posted(rig, 5, "alice (operator) is in session 1 now"));
    /* Alice may tune; rita names it, too, and may not. */
    ask_rig_uses(rig, "propose", "{\"command\":\"/tune demo\"}");
    ask_rig_says(rig, "The button tunes it, Person B.");
    assert_true(say(rig, "please tune it then"));
    assert_text(rig, "The button tunes it, alice.");
    assert_int_equal(json_len(json_get(ask_rig_data(rig), "proposals")), 1);
    assert_asked(rig, "Person B (operator) says:", true);
    assert_true(posted(rig, 5, "please tune it then"));
    assert_true(posted(rig, 5, "/tune demo"));
    rig->who = rita;
    rig->chat_id = 5;
    ask_rig_uses(rig, "propose", "{\"command\":\"/tune demo\"}");
    ask_rig_says(rig, "You may not.");
    assert_true(say(rig, "please tune it now"));
    assert_int_equal(json_len(json_get(ask_rig_data(rig), "proposals")), 0);
    assert_true(posted(rig, 6, "You may not."));
    /* The button runs as the one who presses it. */
    assert_true(ask_rig_send(rig, "tune demo"));
    assert_int_equal(rig->error, ERR_ACCESS_DENIED);
    assert_int_equal(rig->changes, 0);
    rig->who = alice;
    rig->chat_id = 6;
    assert_true(ask_rig_send(rig, "tune demo"));
    assert_int_equal(rig->error, ERR_CONFIRM_NEEDED);
}

static void what_one_may_not_read_is_not_shown(void **state)
{
    struct ask_rig *rig = *state;
    struct principal rita = rig->base.rita, adam = rig->base.adam;
    rig->numbers = "{\"trades\":7,\"secret_plan\":4711}";
    rig->who = rita;
    ask_rig_says(rig, "Tell me more.");
    assert_true(ask_rig_send(rig, "troubleshoot the demo is odd"));
    rig->who = adam;
    rig->chat_id = 6;
    assert_true(ask_rig_send(rig, "troubleshoot join 1"));
    ask_rig_uses(rig, "admin_numbers", "{}");
    ask_rig_says(rig, "I see.");
    assert_true(say(rig, "look at what I may see"));
    assert_asked(rig, "4711", true);
    rig->who = rita;
    rig->chat_id = 5;
    ask_rig_says(rig, "That I cannot say.");
    assert_true(say(rig, "what did you read?"));
    assert_asked(rig, "4711", false);
    assert_asked(rig, "not shown, since this person may not run it", true);
    /* Nor in the transcript, and nobody who may read less can join any more. */
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    assert_true(ask_rig_send(rig, "troubleshoot 1"));
    read_document(rig, &text);
    assert_has(text.data, "/admin_numbers");
    assert_lacks(text.data, "4711");
    rig->who = rig->base.alice;
    rig->chat_id = 7;
    assert_true(ask_rig_send(rig, "troubleshoot join 1"));
    assert_int_equal(rig->error, ERR_SESSION_DENIED);
    assert_true(ask_rig_send(rig, "troubleshoot 1"));
    assert_int_equal(rig->error, ERR_SESSION_DENIED);
    assert_true(ask_rig_send(rig, "troubleshoot list"));
    assert_text(rig, "none that you may see");
    rig->who = adam;
    rig->chat_id = 6;
    assert_true(ask_rig_send(rig, "troubleshoot 1"));
    buf_clear(&text);
    read_document(rig, &text);
    assert_has(text.data, "4711");
}

static void a_message_waits_for_the_one_before_it(void **state)
{
    struct ask_rig *rig = *state;
    ask_rig_says(rig, "Tell me more.");
    assert_true(ask_rig_send(rig, "troubleshoot something is odd"));
    rig->silent = true;
    ask_rig_says(rig, "The earlier answer.");
    ask_rig_says(rig, "The later answer.");
    assert_false(say(rig, "this is the earlier one"));
    assert_false(say(rig, "this is the later one"));
    assert_int_equal(rig->asked, 2);
    assert_true(ask_rig_send(rig, "troubleshoot end"));
    assert_int_equal(rig->error, ERR_SESSION_BUSY);
    rig->silent = false;
    loop_defer(rig->deferred);
    iterate(rig);
    assert_int_equal(rig->asked, 3);
    assert_text(rig, "The later answer.");
    assert_asked(rig, "The earlier answer.", true);
}

static void without_the_model_data_is_shown_and_the_session_stays(void **state)
{
    struct ask_rig *rig = *state;
    ask_rig_says(rig, "Tell me more.");
    assert_true(ask_rig_send(rig, "troubleshoot something is odd"));
    rig->numbers = "{\"alert\":{\"id\":3,\"title\":\"demo is down\",\"cause\":\"service:db\"}}";
    ask_rig_fails(rig, ERR_CLAUDE_BUDGET);
    assert_true(say(rig, "alert 3, dear pirate"));
    assert_int_equal(rig->error, ERR_NONE);
    assert_text(rig, "CLAUDE_BUDGET");
    assert_text(rig, "Session 1 stays open");
    assert_text(rig, "It was raised because of service:db");
    assert_text(rig, "Nothing was changed");
    AUTO_QUESTION struct question q = {0};
    assert_int_equal(question_table_get(rig->base.store, 2, &q, NULL), 0);
    assert_int_equal(q.state, QUESTION_FAILED);
    assert_string_equal(q.error_code, "CLAUDE_BUDGET");
    /* It goes on, and what was read meanwhile is known. */
    ask_rig_says(rig, "I am back.");
    assert_true(say(rig, "are you back?"));
    assert_asked(rig, "service:db", true);
    /* Too slow is no reason to read on. */
    rig->silent = true;
    ask_rig_says(rig, "never");
    assert_false(say(rig, "and now?"));
    pass(rig, 61 * USEC_PER_SEC);
    assert_true(rig->replied);
    assert_text(rig, "ASK_LATE");
    /* A new configuration without a key: no session begins, the open one stays. */
    rig->silent = false;
    ask_rig_again(rig);
    assistant_apply(rig->assistant, &rig->base.config, NULL);
    assert_true(say(rig, "are you there, pirate?"));
    assert_text(rig, "No model is configured");
    assert_text(rig, "Session 1 stays open");
    assert_true(ask_rig_send(rig, "troubleshoot end"));
    assert_true(ask_rig_send(rig, "troubleshoot it is alert 3, pirate"));
    assert_text(rig, "No model is configured");
    assert_text(rig, "It was raised because of service:db");
    struct session none = {0};
    assert_int_equal(session_table_get(rig->base.store, 2, &none, NULL), -ERR_STORE_NOT_FOUND);
}

static void an_answer_to_a_message_of_a_session_goes_on_in_it(void **state)
{
    struct ask_rig *rig = *state;
    rig->who = rig->base.alice;
    rig->chat_id = -77;
    ask_rig_says(rig, "Tell me more.");
    assert_true(ask_rig_send(rig, "troubleshoot something is odd"));
    assert_int_equal(outbox_table_delivered(rig->base.store, 1, 4242, NULL), 0);
    rig->who = rig->base.rita;
    rig->free_text = FREE_TEXT_YES;
    rig->reply_to = 4242;
    ask_rig_says(rig, "Hello, Person B.");
    assert_true(ask_rig_send(rig, "may I help?"));
    assert_text(rig, "Hello, rita.");
    assert_text(rig, "session 1");
    /* Of another message it is a question of its own. */
    rig->reply_to = 4343;
    ask_rig_says(rig, "Hello.");
    assert_true(ask_rig_send(rig, "may I help, dear pirate?"));
    assert_int_equal(json_i64(ask_rig_data(rig), "session_id", -1), 0);
}

static void what_people_run_is_part_of_it(void **state)
{
    struct ask_rig *rig = *state;
    rig->who = rig->base.alice;
    ask_rig_says(rig, "Tell me more.");
    assert_true(ask_rig_send(rig, "troubleshoot something is odd"));
    const struct runner_note note = {.line = "tune demo", .who = "alice", .run_id = 9};
    assistant_note_end(&note, rig->assistant);
    const struct runner_note other = {.line = "tune other", .who = "adam", .run_id = 10};
    assistant_note_end(&other, rig->assistant);
    ask_rig_says(rig, "Good.");
    assert_true(say(rig, "what now?"));
    assert_asked(rig, "Person A (operator) ran /tune demo: done", true);
    assert_asked(rig, "tune other", false);
}

static void replies_match_the_golden_files(void **state)
{
    struct ask_rig *rig = *state;
    char text[64 * 1024];
    rig->who = rig->base.alice;
    ask_rig_uses(rig, "numbers", "{\"count\":3}");
    ask_rig_uses(rig, "propose", "{\"command\":\"/tune demo\"}");
    ask_rig_says(rig, "7 trades were closed, 4 of them lost. I would tune it, Person A.");
    assert_true(ask_rig_send(rig, "troubleshoot demo is odd, please tune it"));
    reply_text_all(rig->reply, text, sizeof(text));
    golden_check_reply("troubleshoot", text, NULL);
    assert_true(ask_rig_send(rig, "troubleshoot list"));
    reply_text_all(rig->reply, text, sizeof(text));
    golden_check_reply("troubleshoot_list", text, NULL);
    ask_rig_fails(rig, ERR_CLAUDE_OVERLOADED);
    assert_true(say(rig, "and now, dear pirate?"));
    reply_text_all(rig->reply, text, sizeof(text));
    golden_check_reply("troubleshoot_by_code", text, NULL);
    assert_true(ask_rig_send(rig, "troubleshoot end"));
    AUTO_BUF struct buf document = BUF_INIT((size_t)1 << 20);
    read_document(rig, &document);
    golden_check("troubleshoot_transcript.out", buf_str(&document));
    assert_true(ask_rig_send(rig, "troubleshoot open 1"));
    reply_text_all(rig->reply, text, sizeof(text));
    golden_check_reply("troubleshoot_open", text, NULL);
}

#define ASK_TEST(test) cmocka_unit_test_setup_teardown(test, ask_rig_set_up, ask_rig_tear_down)

UNIT_GROUP(troubleshoot, ASK_TEST(words_are_verbs_only_where_nothing_else_is_meant),
           ASK_TEST(a_session_remembers_what_was_read),
           ASK_TEST(a_long_session_is_summarised_and_its_figures_are_not_proven),
           ASK_TEST(a_summary_that_fails_leaves_the_oldest_out),
           ASK_TEST(an_idle_session_closes_itself),
           ASK_TEST(a_session_is_not_idle_while_it_answers),
           ASK_TEST(new_options_apply_to_open_sessions),
           ASK_TEST(people_in_a_session_keep_their_own_rights),
           ASK_TEST(what_one_may_not_read_is_not_shown),
           ASK_TEST(a_message_waits_for_the_one_before_it),
           ASK_TEST(without_the_model_data_is_shown_and_the_session_stays),
           ASK_TEST(an_answer_to_a_message_of_a_session_goes_on_in_it),
           ASK_TEST(what_people_run_is_part_of_it))

UNIT_GROUP(troubleshoot_golden, ASK_TEST(replies_match_the_golden_files))
