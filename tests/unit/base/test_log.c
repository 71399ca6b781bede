#include "base/log.h"
#include "base/trace.h"
#include "unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <unistd.h>

struct capture {
    int lines;
    enum log_level level;
    char file[64], message[4096], key[40], value[1024];
    size_t field_count;
};

static void capture_sink(const struct log_line *line, void *userdata)
{
    struct capture *c = userdata;
    c->lines++;
    c->level = line->level;
    c->field_count = line->field_count;
    (void)str_copy(str_c(line->file), c->file, sizeof(c->file));
    (void)str_copy(str_c(line->message), c->message, sizeof(c->message));
    if (line->field_count > 0) {
        (void)str_copy(str_c(line->fields[0].key), c->key, sizeof(c->key));
        (void)str_copy(str_c(line->fields[0].value), c->value, sizeof(c->value));
    }
}

static void restore(void)
{
    log_set_sink(NULL, NULL);
    log_set_level(LOG_LEVEL_INFO);
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    struct capture c = {0};
    log_set_sink(capture_sink, &c);
    log_set_level(LOG_LEVEL_WARNING);
    LOG(NOTICE, "not shown");
    assert_int_equal(c.lines, 0);
    LOG(WARNING, "shown %d", 1);
    assert_int_equal(c.lines, 1);
    assert_int_equal(c.level, LOG_LEVEL_WARNING);
    assert_string_equal(c.message, "shown 1");
    assert_string_equal(c.file, "test_log.c");
    restore();
    enum log_level level = LOG_LEVEL_INFO;
    assert_true(log_level_parse(str_c("debug"), &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_false(log_level_parse(str_c("loud"), &level));
    assert_int_equal(log_level(), LOG_LEVEL_INFO);
}

static void errors_have_their_code_as_a_field(void **state)
{
    (void)state;
    struct capture c = {0};
    log_set_sink(capture_sink, &c);
    struct err err = {0};
    (void)err_set(&err, ERR_BAD_UTF8, "update 7");
    log_err(LOG_LEVEL_ERROR, &err, "could not read");
    assert_string_equal(c.message, "could not read: BAD_UTF8: text is not valid UTF-8: update 7");
    assert_string_equal(c.key, "ERROR_CODE");
    assert_string_equal(c.value, "BAD_UTF8");
    assert_string_equal(c.file, "test_log.c");
    restore();
}

static void control_bytes_cannot_forge_a_line(void **state)
{
    (void)state;
    struct capture c = {0};
    log_set_sink(capture_sink, &c);
    LOG(INFO, "a\nb\x1b[2J\x7f é \xFF \xC2\x9B \xE2\x80\xAE");
    assert_string_equal(c.message, "a\\nb\\x1b[2J\\x7f é \\xff \\xc2\\x9b \\xe2\\x80\\xae");
    LOG_FIELDS(INFO, "m", {"TEXT", "x\ny"});
    assert_string_equal(c.value, "x\\ny");
    restore();
}

static void hides_secrets_everywhere(void **state)
{
    (void)state;
    struct capture c = {0};
    log_set_sink(capture_sink, &c);
    assert_true(log_hide("123456:token-ABC"));
    assert_true(log_hide("abc")); /* too short: it would hide parts of most texts */
    assert_true(log_hide(NULL));
    LOG(INFO, "GET /bot%s/getMe abc", "123456:token-ABC");
    assert_string_equal(c.message, "GET /bot***/getMe abc");
    LOG_FIELDS(INFO, "m", {"URL", "/bot123456:token-ABC/x"});
    assert_string_equal(c.value, "/bot***/x");
    char text[] = "123456:token-ABC123456:token-ABC and 123456:token-AB";
    log_redact(text);
    assert_string_equal(text, "****** and 123456:token-AB");
    restore();
}

static void hides_secrets_that_overlap(void **state)
{
    (void)state;
    assert_true(log_hide("prefix-key"));
    assert_true(log_hide("prefix-key-long"));
    assert_true(log_hide("longTAIL"));
    char nested[] = "<prefix-key-long> <prefix-key>";
    log_redact(nested);
    assert_string_equal(nested, "<***> <***>");
    char overlapping[] = "<prefix-key-longTAIL>";
    log_redact(overlapping);
    assert_string_equal(overlapping, "<***>");
}

/* If the truncation of a long message splits a secret, its first part must be hidden too. */
static void hides_a_secret_at_the_cut(void **state)
{
    (void)state;
    struct capture c = {0};
    log_set_sink(capture_sink, &c);
    assert_true(log_hide("0123456789SECRET"));
    for (size_t pad = 2020; pad < 2050; pad++) {
        LOG(INFO, "%*s0123456789SECRET", (int)pad, "");
        assert_true(strlen(c.message) >= 2000 && strlen(c.message) < 2048);
        assert_null(strpbrk(c.message, "0123456789SECRT"));
    }
    char value[600];
    memset(value, 'x', sizeof(value));
    memcpy(value + 505, "0123456789SECRET", 16);
    value[599] = '\0';
    LOG_FIELDS(INFO, "m", {"LONG", value});
    assert_null(strpbrk(c.value, "0123456789SECRT"));
    restore();
}

static void lines_name_the_run(void **state)
{
    (void)state;
    int fds[2];
    char text[512] = "";
    assert_int_equal(pipe(fds), 0);
    log_set_sink(log_sink_fd, (void *)(intptr_t)fds[1]);
    {
        TRACE_RUN(12);
        LOG_FIELDS(INFO, "paused", {"WHY", "x"});
        assert_int_equal(trace_set_run(13), 12);
        LOG(INFO, "inner");
    }
    LOG(INFO, "outside");
    restore();
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "paused WHY=x RUN=12\n"));
    assert_non_null(strstr(text, "inner RUN=13\n"));
    assert_non_null(strstr(text, "outside\n"));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void text_sink_writes_one_line(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    log_set_sink(log_sink_fd, (void *)(intptr_t)fds[1]);
    errno = 42;
    LOG_FIELDS(WARNING, "order rejected", {"ORDER_ID", "o-1"}, {"WHY", "no \"cash\" left"});
    assert_int_equal(errno, 42);
    restore();
    char text[5000];
    ssize_t n = read(fds[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    regex_t pattern;
    assert_int_equal(
        regcomp(
            &pattern,
            "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z WARNING "
            "test_log\\.c:[0-9]+ order rejected ORDER_ID=o-1 WHY=\"no \\\\\"cash\\\\\" left\"\n$",
            REG_EXTENDED | REG_NOSUB),
        0);
    assert_int_equal(regexec(&pattern, text, 0, NULL, 0), 0);
    regfree(&pattern);

    /* The longest possible line is still written in one piece, so that a pipe keeps it whole. */
    char huge[3000];
    memset(huge, 'y', sizeof(huge));
    huge[2999] = '\0';
    log_set_sink(log_sink_fd, (void *)(intptr_t)fds[1]);
    LOG_FIELDS(INFO, huge, {"A", huge}, {"B", huge}, {"C", huge}, {"D", huge}, {"E", huge});
    restore();
    n = read(fds[0], text, sizeof(text));
    assert_true(n > 4000 && n <= 4096);
    assert_int_equal(text[n - 1], '\n');
    assert_null(memchr(text, '\n', (size_t)n - 1));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* An unread pipe is full after 64 KiB: the writer continues, and reports how many lines it lost. */
static void an_unread_log_blocks_no_writer(void **state)
{
    (void)state;
    int fds[2];
    char text[4097], filler[1000];
    assert_int_equal(pipe(fds), 0);
    memset(filler, 'f', sizeof(filler));
    filler[sizeof(filler) - 1] = '\0';
    log_set_sink(log_sink_fd, (void *)(intptr_t)fds[1]);
    for (int i = 0; i < 200; i++) {
        LOG(NOTICE, "%s", filler);
    }
    int kept = 0;
    while (kept < 200) {
        ssize_t n = read(fds[0], text, sizeof(text) - 1);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            kept += text[i] == '\n' ? 1 : 0;
        }
        if (n < (ssize_t)sizeof(text) - 1) {
            break;
        }
    }
    assert_true(kept > 10 && kept < 200);
    LOG(NOTICE, "read again");
    restore();
    ssize_t n = read(fds[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "%d lines of this log were lost", 200 - kept);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "read again"));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void count_sink(const struct log_line *line, void *userdata)
{
    (void)line;
    __atomic_fetch_add((int *)userdata, 1, __ATOMIC_RELAXED);
}

static void *log_many(void *userdata)
{
    (void)userdata;
    for (int i = 0; i < 2000; i++) {
        LOG(INFO, "engine line %d", i);
    }
    return NULL;
}

/* A token may change while the engine logs; run under ThreadSanitizer. */
static void secrets_can_be_added_while_other_threads_log(void **state)
{
    (void)state;
    int lines = 0;
    log_set_sink(count_sink, &lines);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, log_many, NULL), 0);
    for (int i = 0; i < 10; i++) {
        char secret[24];
        (void)snprintf(secret, sizeof(secret), "rotated-%d", i);
        assert_true(log_hide(secret));
        LOG(INFO, "ops line with rotated-%d", i);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(lines, 2010);
    restore();
}

/* Must be the last test, because the list of secrets stays full. */
static void a_secret_over_the_limit_is_refused(void **state)
{
    (void)state;
    char secret[32];
    int taken = 0;
    do {
        (void)snprintf(secret, sizeof(secret), "many-secrets-%d", taken);
    } while (log_hide(secret) && ++taken < 1000);
    assert_true(taken > 200 && taken < 257);
    assert_false(log_hide("one more"));
    char text[64] = "many-secrets-0 one more 0123456789SECRET";
    log_redact(text);
    assert_string_equal(text, "*** one more ***"); /* registered secrets are still hidden */
    assert_true(log_hide("many-secrets-0"));
}

static size_t json_line(const struct log_line *line, char text[8192])
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    log_sink_json_fd(line, (void *)(intptr_t)fds[1]);
    ssize_t n = read(fds[0], text, 8191);
    assert_true(n > 0);
    text[n] = '\0';
    (void)close(fds[0]);
    (void)close(fds[1]);
    return (size_t)n;
}

static void json_sink_writes_one_object(void **state)
{
    (void)state;
    char text[8192];
    const struct log_field fields[] = {{"ERROR_CODE", "DB_FULL"}, {"PATH", "a \"b\\ c"}};
    (void)json_line(&(struct log_line){.level = LOG_LEVEL_WARNING,
                                       .file = "x.c",
                                       .line = 7,
                                       .message = "say \"hi\" \\n",
                                       .fields = fields,
                                       .field_count = 2},
                    text);
    assert_has(text, "\",\"level\":\"warning\",\"thread\":\"");
    assert_has(text, ",\"source\":\"x.c:7\",\"message\":\"say \\\"hi\\\" \\\\n\",\"error_code\":"
                     "\"DB_FULL\",\"path\":\"a \\\"b\\\\ c\"}\n");
    assert_int_equal(strncmp(text, "{\"time\":\"20", 11), 0);
}

/* The longest message and fields: still one whole object, of at most 4096 bytes. */
static void a_long_json_line_stays_whole(void **state)
{
    (void)state;
    char text[8192], message[2048], value[512];
    memset(message, '"', sizeof(message) - 1);
    memset(value, '\\', sizeof(value) - 1);
    message[sizeof(message) - 1] = value[sizeof(value) - 1] = '\0';
    const struct log_field fields[] = {{"FIRST", value}, {"SECOND", value}, {"LAST", "x"}};
    size_t len = json_line(&(struct log_line){.level = LOG_LEVEL_INFO,
                                              .file = "x.c",
                                              .message = message,
                                              .fields = fields,
                                              .field_count = 3},
                           text);
    assert_true(len <= 4096);
    assert_has(text, "\\\"\\\"\"");
    assert_lacks(text, "second");
    assert_string_equal(text + len - 13, ",\"last\":\"x\"}\n");
}

static void lines_name_the_trace(void **state)
{
    (void)state;
    struct capture c = {0};
    log_set_sink(capture_sink, &c);
    const struct trace_work work = {.trace = {1, 0xab}};
    {
        TRACE_WORK(work);
        LOG(INFO, "traced");
        assert_string_equal(c.key, "TRACE_ID");
        assert_string_equal(c.value, "000000000000000100000000000000ab");
    }
    LOG(INFO, "not traced");
    assert_int_equal(c.field_count, 0);
    restore();
}

UNIT_GROUP(log, cmocka_unit_test(json_sink_writes_one_object),
           cmocka_unit_test(a_long_json_line_stays_whole), cmocka_unit_test(lines_name_the_trace),
           cmocka_unit_test(an_unread_log_blocks_no_writer),
           cmocka_unit_test(lines_below_the_level_are_dropped),
           cmocka_unit_test(errors_have_their_code_as_a_field),
           cmocka_unit_test(control_bytes_cannot_forge_a_line),
           cmocka_unit_test(hides_secrets_everywhere), cmocka_unit_test(hides_secrets_that_overlap),
           cmocka_unit_test(hides_a_secret_at_the_cut), cmocka_unit_test(lines_name_the_run),
           cmocka_unit_test(text_sink_writes_one_line),
           cmocka_unit_test(secrets_can_be_added_while_other_threads_log),
           cmocka_unit_test(a_secret_over_the_limit_is_refused))
