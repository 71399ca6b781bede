#include "base/check.h"
#include "io/websocket.h"
#include "unit/unit.h"

/* What a client sends, and how the connection ends; the frames are masked with zeros unless they
 * say otherwise. */

struct desk {
    struct websocket *ws;
    struct buf said; /* the messages, each with a '|' behind it */
};

static void on_message(struct websocket *ws, struct str message, bool binary, void *userdata)
{
    (void)binary;
    struct desk *d = userdata;
    buf_add_str(&d->said, message);
    buf_add_char(&d->said, '|');
    if (str_equal_c(message, "bye")) {
        websocket_close(ws, WEBSOCKET_UNSUPPORTED, "no");
    }
}

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    assert_int_equal(websocket_load(NULL), 0);
    buf_init(&d->said, 1024);
    d->ws = websocket_new(
        &(struct websocket_options){.max_message = 200, .fn = on_message, .userdata = d});
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;
    websocket_free(d->ws);
    buf_release(&d->said);
    free(d);
    return 0;
}

#define BYTES(s)           \
    {                      \
        (s), sizeof(s) - 1 \
    }
#define MASK       "\0\0\0\0"
#define SEND(d, s) websocket_receive((d)->ws, str_n((s), sizeof(s) - 1))

static void a_key_is_answered(void **state)
{
    (void)state;
    char accept[WEBSOCKET_ACCEPT_SIZE];
    assert_int_equal(websocket_load(NULL), 0);
    /* The example of RFC 6455, 1.3. */
    assert_true(websocket_accept(STR_LIT("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(websocket_accept(STR_LIT("dGhlIHNhbXBsZSBub25jZQ="), accept));
    assert_false(websocket_accept(STR_LIT("dGhlIHNhbXBsZSBub25j!Q=="), accept));
    assert_false(websocket_accept(STR_LIT(""), accept));
}

static void messages_arrive(void **state)
{
    struct desk *d = *state;
    SEND(d, "\x81\x82" MASK "ab");
    SEND(d, "\x81\x83\x01\x02\x03\x04"
            "\x60\x60\x60");      /* masked: "abc" */
    SEND(d, "\x01\x81" MASK "x"); /* in two fragments, with a ping between them */
    SEND(d, "\x89\x82" MASK "hi");
    SEND(d, "\x80\x81" MASK "y");
    const char whole[] = "\x81\x81" MASK "z";
    for (size_t i = 0; i < sizeof(whole) - 1; i++) { /* byte by byte */
        websocket_receive(d->ws, str_n(whole + i, 1));
    }
    assert_string_equal(d->said.data, "ab|abc|xy|z|");
    struct buf *output = websocket_output(d->ws);
    assert_int_equal(output->len, 4);
    assert_memory_equal(output->data, "\x8A\x02hi", 4);
    assert_false(websocket_is_over(d->ws));
}

static void wrong_frames_close_with_their_code(void **state)
{
    static char long_text[512] = "\x81\xFE\x01\x00" MASK; /* 256 bytes */
    static const struct {
        const char *what;
        struct str bytes;
        int code;
    } rows[] = {
        {"not masked",
         BYTES("\x81\x02"
               "ab"),
         1002},
        {"a reserved bit", BYTES("\xC1\x82" MASK "ab"), 1002},
        {"another one", BYTES("\x91\x82" MASK "ab"), 1002},
        {"a reserved opcode", BYTES("\x83\x82" MASK "ab"), 1002},
        {"a reserved control opcode", BYTES("\x8B\x80" MASK), 1002},
        {"a fragmented ping", BYTES("\x09\x80" MASK), 1002},
        {"a long ping", BYTES("\x89\xFE\x00\x7E" MASK), 1002},
        {"a continuation of nothing", BYTES("\x80\x81" MASK "x"), 1002},
        {"a text inside a text",
         BYTES("\x01\x81" MASK "x"
               "\x81\x81" MASK "y"),
         1002},
        {"a length with a zero in front", BYTES("\x81\xFE\x00\x05" MASK "abcde"), 1002},
        {"a length above 2^63", BYTES("\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" MASK), 1002},
        {"a length of 2^62", BYTES("\x81\xFF\x40\0\0\0\0\0\0\0" MASK "x"), 1009},
        {"a message too long", {long_text, 264}, 1009},
        {"text that is not UTF-8", BYTES("\x81\x82" MASK "\xC3\x28"), 1007},
        {"half a character", BYTES("\x81\x81" MASK "\xC3"), 1007},
        {"a surrogate", BYTES("\x81\x83" MASK "\xED\xA0\x80"), 1007},
        {"a close with half a code", BYTES("\x88\x81" MASK "\x03"), 0},
        {"a close with code 1005", BYTES("\x88\x82" MASK "\x03\xED"), 1002},
        {"a close with broken UTF-8", BYTES("\x88\x83" MASK "\x03\xE8\xFF"), 1007},
        {"a close with half a character", BYTES("\x88\x83" MASK "\x03\xE8\xC3"), 1007},
        {"a close", BYTES("\x88\x82" MASK "\x03\xE8"), 1000},
        {"a close without a code", BYTES("\x88\x80" MASK), 0},
    };
    (void)state;
    memset(long_text + 8, 'x', 256);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct desk d = {.said = BUF_INIT(1024)};
        d.ws = websocket_new(
            &(struct websocket_options){.max_message = 200, .fn = on_message, .userdata = &d});
        websocket_receive(d.ws, rows[i].bytes);
        if (!websocket_is_over(d.ws) || websocket_code(d.ws) != rows[i].code) {
            fail_msg("%s: over %d, code %d", rows[i].what, websocket_is_over(d.ws),
                     websocket_code(d.ws));
        }
        const struct buf *output = websocket_output(d.ws);
        assert_int_equal((unsigned char)output->data[0], 0x88);
        if (rows[i].code != 0) {
            assert_int_equal((unsigned char)output->data[2] << 8 | (unsigned char)output->data[3],
                             rows[i].code);
        }
        size_t len = output->len;
        SEND(&d, "\x81\x81" MASK "z"); /* what follows is not read */
        assert_string_equal(d.said.data, "");
        assert_int_equal(output->len, len);
        websocket_free(d.ws);
        buf_release(&d.said);
    }
}

static void fragments_count_together(void **state)
{
    struct desk *d = *state;
    static char most[208] = "\x01\xFE\x00\xC8" MASK; /* 200 bytes */
    memset(most + 8, 'x', 200);
    websocket_receive(d->ws, str_n(most, sizeof(most)));
    SEND(d, "\x00\x80" MASK);
    assert_false(websocket_is_over(d->ws));
    SEND(d, "\x80\x81" MASK "x");
    assert_int_equal(websocket_code(d->ws), 1009);
}

static void the_server_closes_once(void **state)
{
    struct desk *d = *state;
    SEND(d, "\x81\x83" MASK "bye"
            "\x81\x82" MASK "ab");
    websocket_close(d->ws, WEBSOCKET_GOING_AWAY, "again");
    websocket_ping(d->ws, str_c(""));
    assert_string_equal(d->said.data, "bye|");
    assert_true(websocket_is_over(d->ws));
    assert_int_equal(websocket_code(d->ws), 1003);
    const struct buf *output = websocket_output(d->ws);
    assert_int_equal(output->len, 6);
    assert_memory_equal(output->data, "\x88\x04\x03\xEBno", 6);
}

static void heads_say_the_length(void **state)
{
    struct desk *d = *state;
    char head[WEBSOCKET_HEAD_MAX];
    assert_int_equal(websocket_head(125, head), 2);
    assert_memory_equal(head, "\x81\x7D", 2);
    assert_int_equal(websocket_head(126, head), 4);
    assert_memory_equal(head, "\x81\x7E\x00\x7E", 4);
    assert_int_equal(websocket_head(65536, head), 10);
    assert_memory_equal(head, "\x81\x7F\0\0\0\0\0\x01\0\0", 10);
    websocket_ping(d->ws, str_c(""));
    assert_memory_equal(websocket_output(d->ws)->data, "\x89\x00", 2);
}

UNIT_GROUP(websocket, cmocka_unit_test(a_key_is_answered),
           cmocka_unit_test_setup_teardown(messages_arrive, setup, teardown),
           cmocka_unit_test(wrong_frames_close_with_their_code),
           cmocka_unit_test_setup_teardown(fragments_count_together, setup, teardown),
           cmocka_unit_test_setup_teardown(the_server_closes_once, setup, teardown),
           cmocka_unit_test_setup_teardown(heads_say_the_length, setup, teardown))
