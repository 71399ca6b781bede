/* Streamed answers, and conversations with tools. */
#include "../../../src/assistant/claude_internal.h"
#include "claude_rig.h"
#include "io/json.h"
#include "store/llm_call_table.h"
#include "unit/unit.h"

#include <string.h>

/* ------------------------------------------------------------------ the reader alone */

#define START                                                                                    \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"type\":\"message\"," \
    "\"model\":\"claude-sonnet-5-5\",\"content\":[],\"usage\":{\"input_tokens\":100,"            \
    "\"output_tokens\":1}}}\n\n"
#define BLOCK(index, block) \
    "data: {\"type\":\"content_block_start\",\"index\":" index ",\"content_block\":" block "}\n\n"
#define DELTA(index, delta) \
    "data: {\"type\":\"content_block_delta\",\"index\":" index ",\"delta\":" delta "}\n\n"
#define STOP(index) "data: {\"type\":\"content_block_stop\",\"index\":" index "}\n\n"
#define TEXT        "{\"type\":\"text\",\"text\":\"\"}"
#define SAYS(text)  DELTA("0", "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define ENDS                                                                                 \
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{" \
    "\"output_tokens\":7}}\n\ndata: {\"type\":\"message_stop\"}\n\n"

/* Feeds the text up to each length in turn, as a network may cut it. */
static void feed(struct claude_stream *stream, const char *text)
{
    claude_stream_init(stream);
    for (size_t len = 1; len <= strlen(text); len++) {
        (void)claude_stream_feed(stream, str_n(text, len));
        assert_true(str_is_utf8(buf_str(&stream->text)));
    }
}

static void a_stream_is_read_as_it_arrives(void **state)
{
    (void)state;
    struct claude_stream stream;
    feed(&stream, START "event: ping\ndata: {\"type\":\"ping\"}\n\n: a comment\n"
                        "data: {\"type\":\"unheard_of\",\"index\":0}\r\n\r\n" BLOCK("0", TEXT)
                            SAYS("3 trades – ") SAYS("−2.5 €") STOP("0") ENDS);
    assert_true(claude_stream_is_whole(&stream));
    assert_string_equal(stream.text.data, "3 trades – −2.5 €");
    assert_string_equal(json_text(json_at(stream.message, "/content/0"), "text"),
                        "3 trades – −2.5 €");
    assert_string_equal(json_text(stream.message, "stop_reason"), "end_turn");
    assert_int_equal(json_i64(json_get(stream.message, "usage"), "input_tokens", 0), 100);
    assert_int_equal(json_i64(json_get(stream.message, "usage"), "output_tokens", 0), 7);
    claude_stream_release(&stream);
}

static void a_tool_is_read_from_pieces(void **state)
{
    (void)state;
    struct claude_stream stream;
    feed(&stream,
         START BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
             DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"Hm.\"}")
                 DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"c2\"}")
                     DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"ln\"}") STOP("0")
                         BLOCK("1", "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"trades\","
                                    "\"input\":{}}")
                             DELTA("1", "{\"type\":\"input_json_delta\",\"partial_json\":"
                                        "\"{\\\"count\\\":\"}")
                                 DELTA("1", "{\"type\":\"input_json_delta\",\"partial_json\":"
                                            "\"12}\"}") STOP("1")
                                     BLOCK("2", "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":"
                                                "\"status\",\"input\":{}}") STOP("2") ENDS);
    assert_true(claude_stream_is_whole(&stream));
    assert_string_equal(json_text(json_at(stream.message, "/content/0"), "thinking"), "Hm.");
    assert_string_equal(json_text(json_at(stream.message, "/content/0"), "signature"), "c2ln");
    assert_int_equal(json_i64(json_at(stream.message, "/content/1/input"), "count", 0), 12);
    assert_true(json_is_object(json_at(stream.message, "/content/2/input")));
    claude_stream_release(&stream);
}

static void a_broken_stream_is_not_whole(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err_id id; /* ERR_NONE: it just ends too early */
    } cases[] = {
        {START BLOCK("0", TEXT) SAYS("half"), ERR_NONE},
        {START BLOCK("0", TEXT) SAYS("all") STOP("0"), ERR_NONE},
        {START BLOCK("0", TEXT) SAYS("a") ENDS, ERR_CLAUDE_GARBLED},
        {BLOCK("0", TEXT), ERR_CLAUDE_GARBLED},
        {START START, ERR_CLAUDE_GARBLED},
        {START BLOCK("1", TEXT), ERR_CLAUDE_GARBLED},
        {START SAYS("no block"), ERR_CLAUDE_GARBLED},
        {START STOP("0"), ERR_CLAUDE_GARBLED},
        {START BLOCK("0", TEXT) BLOCK("1", TEXT), ERR_CLAUDE_GARBLED},
        {START "data: {\"type\":\n\n", ERR_CLAUDE_GARBLED},
        {START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"n\",\"input\":{}}")
             DELTA("0", "{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\"}") STOP("0"),
         ERR_CLAUDE_GARBLED},
        {START "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
               "\"Overloaded\"}}\n\n",
         ERR_CLAUDE_OVERLOADED},
        {"data: "
         "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"\"}}\n\n",
         ERR_CLAUDE_RATE_LIMITED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct claude_stream stream;
        feed(&stream, cases[i].text);
        assert_false(claude_stream_is_whole(&stream));
        assert_int_equal(stream.err.id, cases[i].id);
        claude_stream_release(&stream);
    }
}

/* ------------------------------------------------------------------ over loopback */

/* One request of this file. */
struct asking {
    struct claude_rig *rig;
    struct llm_client client;
    void *handle;
    struct json_object *messages;
    struct json_object *tools;
    struct json_object *content; /* of the last answer */
    size_t pieces;               /* how often on_text was called */
    char text[256];
    char stop_reason[32];
    size_t stop_at; /* cancels at this piece; 0: never */
    bool done;
    int err_id;
    int attempts;
};

static void on_text(struct str text, void *userdata)
{
    struct asking *a = userdata;
    assert_true(str_is_utf8(text));
    assert_true(str_copy(text, a->text, sizeof(a->text)));
    a->pieces++;
    if (a->pieces == a->stop_at) {
        a->client.cancel(a->client.self, a->handle);
        a->done = true;
    }
}

static void on_answer(const struct llm_answer *answer, void *userdata)
{
    struct asking *a = userdata;
    a->done = true;
    a->err_id = (int)answer->err.id;
    a->attempts = answer->attempts;
    a->content = answer->content != NULL ? json_object_get(answer->content) : NULL;
    (void)str_copy(str_c(answer->text), a->text, sizeof(a->text));
    (void)str_copy(str_c(answer->stop_reason), a->stop_reason, sizeof(a->stop_reason));
}

static void ask(struct asking *a)
{
    const struct llm_request request = {
        .system = "rules", .messages = a->messages, .tools = a->tools, .on_text = on_text};
    a->client = claude_llm_client(a->rig->claude);
    a->done = false;
    a->pieces = 0;
    (void)json_object_put(a->content);
    a->content = NULL;
    assert_int_equal(a->client.ask(a->client.self, &request, on_answer, a, &a->handle, NULL), 0);
    for (int i = 0; i < 1000 && !a->done; i++) {
        (void)loop_iterate(a->rig->loop, 10000);
    }
    assert_true(a->done);
}

static void begin(struct asking *a, struct claude_rig *rig)
{
    *a = (struct asking){.rig = rig};
    assert_int_equal(json_parse(str_c("[{\"role\":\"user\",\"content\":\"how many?\"}]"),
                                &JSON_LIMITS_DEFAULT, &a->messages, NULL),
                     0);
    assert_int_equal(json_parse(str_c("[{\"name\":\"trades\",\"description\":\"closed trades\","
                                      "\"input_schema\":{\"type\":\"object\",\"properties\":{},"
                                      "\"additionalProperties\":false}}]"),
                                &JSON_LIMITS_DEFAULT, &a->tools, NULL),
                     0);
}

static void end(struct asking *a)
{
    assert_string_equal(fake_claude_violations(a->rig->fake), "");
    (void)json_object_put(a->messages);
    (void)json_object_put(a->tools);
    (void)json_object_put(a->content);
}

static void text_arrives_in_pieces(void **state)
{
    struct asking a;
    begin(&a, *state);
    fake_claude_say(a.rig->fake,
                    &(struct fake_claude_message){.text = "Three trades – a loss of 2.50 €.",
                                                  .piece_bytes = 61,
                                                  .piece_ms = 1});
    ask(&a);
    assert_int_equal(a.err_id, ERR_NONE);
    assert_string_equal(a.text, "Three trades – a loss of 2.50 €.");
    assert_in_range(a.pieces, 2, 8);
    assert_has(fake_claude_request(a.rig->fake, 0), "\"stream\":true");
    end(&a);
}

static void a_tool_is_asked_for_and_answered(void **state)
{
    struct asking a;
    begin(&a, *state);
    fake_claude_say(a.rig->fake,
                    &(struct fake_claude_message){.tools = {{"trades", "{\"count\":3}"}}});
    ask(&a);
    assert_int_equal(a.err_id, ERR_NONE);
    assert_string_equal(a.stop_reason, "tool_use");
    const struct json_object *use = json_item(a.content, json_len(a.content) - 1);
    assert_string_equal(json_text(use, "name"), "trades");
    assert_int_equal(json_i64(json_get(use, "input"), "count", 0), 3);

    struct json_object *said = json_object_new_object();
    (void)json_object_object_add(said, "role", json_object_new_string("assistant"));
    (void)json_object_object_add(said, "content", json_object_get(a.content));
    (void)json_object_array_add(a.messages, said);
    AUTO_BUF struct buf result = BUF_INIT(1000);
    buf_addf(&result,
             "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"%s\","
             "\"content\":\"<untrusted_data>{\\\"closed\\\":7}</untrusted_data>\"}]}",
             json_text(use, "id"));
    struct json_object *answered = NULL;
    assert_int_equal(json_parse(buf_str(&result), &JSON_LIMITS_DEFAULT, &answered, NULL), 0);
    (void)json_object_array_add(a.messages, answered);
    fake_claude_say(a.rig->fake, &(struct fake_claude_message){.text = "{{/closed}} were closed."});
    ask(&a);
    assert_string_equal(a.text, "7 were closed.");
    end(&a);
}

static struct llm_call_record last_call(struct claude_rig *rig)
{
    struct llm_call_record record = {0};
    assert_int_equal(llm_call_table_list(rig->store, &record, 1, NULL), 1);
    return record;
}

static void an_aborted_answer_is_paid_for(void **state)
{
    struct asking a;
    begin(&a, *state);
    a.stop_at = 1;
    fake_claude_say(a.rig->fake,
                    &(struct fake_claude_message){
                        .text = "A long answer that nobody reads to its end.", .piece_ms = 2});
    ask(&a);
    struct llm_call_record record = last_call(a.rig);
    assert_string_equal(record.error_code, "COMMAND_CANCELLED");
    assert_int_equal(record.input_tokens, 1200);
    assert_true(dec_is_valid(record.cost_usd) && record.cost_usd.e8 > 0);
    end(&a);
}

/* What was shown of it is replaced. */
static void a_stream_that_breaks_off_is_repeated(void **state)
{
    static const enum fake_claude_break breaks[] = {FAKE_CLAUDE_CLOSES, FAKE_CLAUDE_ENDS,
                                                    FAKE_CLAUDE_ERROR};
    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        struct asking a;
        begin(&a, *state);
        fake_claude_say(a.rig->fake,
                        &(struct fake_claude_message){.text = "The first half, and the second.",
                                                      .breaks = breaks[i]});
        fake_claude_say(a.rig->fake, &(struct fake_claude_message){.text = "Whole."});
        ask(&a);
        assert_int_equal(a.err_id, ERR_NONE);
        assert_int_equal(a.attempts, 2);
        assert_string_equal(a.text, "Whole.");
        end(&a);
    }
}

#define OVER_LOOPBACK(test) \
    cmocka_unit_test_setup_teardown(test, claude_rig_set_up, claude_rig_tear_down)

UNIT_GROUP(stream, cmocka_unit_test(a_stream_is_read_as_it_arrives),
           cmocka_unit_test(a_tool_is_read_from_pieces),
           cmocka_unit_test(a_broken_stream_is_not_whole), OVER_LOOPBACK(text_arrives_in_pieces),
           OVER_LOOPBACK(a_tool_is_asked_for_and_answered),
           OVER_LOOPBACK(an_aborted_answer_is_paid_for),
           OVER_LOOPBACK(a_stream_that_breaks_off_is_repeated))
