#include "base/err.h"
#include "base/log.h"
#include "unit/unit.h"

#include <ctype.h>

static void fills_and_returns_the_negative_id(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_DEC_OVERFLOW, "fill %d", 7), -ERR_DEC_OVERFLOW);
    assert_int_equal(err.id, ERR_DEC_OVERFLOW);
    assert_string_equal(err.context, "fill 7");
    assert_int_equal(err_set(NULL, ERR_BUF_FULL, "no err given"), -ERR_BUF_FULL);
    err_clear(&err);
    assert_int_equal(err.id, ERR_NONE);
    assert_string_equal(err.context, "");
    err_clear(NULL);
}

static void context_may_be_its_own_argument(void **state)
{
    (void)state;
    struct err err = {0};
    (void)err_set(&err, ERR_INTERNAL, "inner");
    (void)err_set(&err, ERR_BUF_FULL, "outer (%s)", err.context);
    assert_string_equal(err.context, "outer (inner)");
}

static void prepends_a_prefix(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_prefix(&err, "nothing there"), -ERR_INTERNAL);
    assert_int_equal(err_prefix(NULL, "nothing there"), -ERR_INTERNAL);
    (void)err_set(&err, ERR_BUF_FULL, "12 kB");
    assert_int_equal(err_prefix(&err, "reply %d", 3), -ERR_BUF_FULL);
    assert_string_equal(err.context, "reply 3: 12 kB");
}

static void cuts_a_long_context_between_characters(void **state)
{
    (void)state;
    struct err err = {0};
    for (int shift = 0; shift < 3; shift++) {
        char text[400];
        size_t len = 0;
        memset(text, 'x', (size_t)shift);
        for (len = (size_t)shift; len + 3 < sizeof(text); len += 3) {
            memcpy(text + len, "€", 3);
        }
        text[len] = '\0';
        (void)err_set(&err, ERR_INTERNAL, "%s", text);
        assert_true(strlen(err.context) >= sizeof(err.context) - 3);
        assert_true(str_is_utf8(str_c(err.context)));
        (void)err_prefix(&err, "%s", text);
        assert_true(str_is_utf8(str_c(err.context)));
    }
}

static void finds_rows_by_id_and_code(void **state)
{
    (void)state;
    assert_string_equal(err_info(ERR_BAD_UTF8)->code, "BAD_UTF8");
    assert_ptr_equal(err_info(-ERR_BAD_UTF8), err_info(ERR_BAD_UTF8));
    assert_string_equal(err_info(ERR_NONE)->code, "NONE");
    assert_string_equal(err_info(1000000)->code, "INTERNAL");
    assert_string_equal(err_info(INT32_MIN)->code, "INTERNAL");
    assert_int_equal(err_by_code("DEC_OVERFLOW"), ERR_DEC_OVERFLOW);
    assert_int_equal(err_by_code("NO_SUCH_CODE"), ERR_NONE);
    assert_int_equal(err_by_code("NONE"), ERR_NONE);
    assert_int_equal(err_by_code("ACCESS_STRANGER"), ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(err_by_code("TELEGRAM_DEAF"), ERR_TELEGRAM_POLL_STALLED);
    assert_int_equal(err_by_code("STATEFILE_DAMAGED"), ERR_STATE_FILE_DAMAGED);
    assert_int_equal(err_by_code("STATEFILE_OPEN"), ERR_STATE_FILE_OPEN);
    assert_int_equal(err_by_code("STATEFILE_EXPORT"), ERR_STATE_FILE_EXPORT);
    for (int id = 1; id < ERR_COUNT; id++) {
        assert_int_equal(err_by_code(err_info(id)->code), id);
    }
}

/* Names of programs and files stay lower case, even at the start of a sentence. */
static bool starts_like_a_sentence(const char *text)
{
    struct str rest = str_c(text), word = STR_LIT("");
    (void)str_word(&rest, &word);
    return !islower((unsigned char)text[0]) || str_equal_c(word, "nightdesk") ||
           str_equal_c(word, "systemd") || memchr(word.ptr, '.', word.len) != NULL;
}

static bool is_sentence(const char *text)
{
    size_t len = strlen(text);
    return len > 1 && text[len - 1] == '.' && starts_like_a_sentence(text);
}

/* Checks the style of every row in errors.def. */
static void rows_follow_the_style(void **state)
{
    (void)state;
    int bad = 0;
    for (int id = 1; id < ERR_COUNT; id++) {
        const struct err_info *info = err_info(id);
        size_t len = strlen(info->message);
        const char *wrong = NULL;
        if (len == 0 || len > 100 || info->message[len - 1] == '.' ||
            strchr(info->message, '\n') != NULL) {
            wrong = "message";
        } else if (!(info->http_status >= 400 && info->http_status <= 599) &&
                   !(info->http_status == 202 && info->severity == ERR_SEVERITY_INFO)) {
            /* 202: nothing went wrong, a person is asked first */
            wrong = "http status";
        } else if (!is_sentence(info->cause)) {
            wrong = "cause";
        } else if (!is_sentence(info->impact)) {
            wrong = "impact";
        } else if (!is_sentence(info->remediation)) {
            wrong = "remediation";
        }
        if (wrong != NULL) {
            print_error("errors.def: %s: %s\n", info->code, wrong);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

static void renders_a_line(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_BUF struct buf out = BUF_INIT(4096);
    (void)err_set(&err, ERR_BAD_UTF8, "line \"3\"");
    err_line(&err, &out);
    assert_string_equal(out.data, "BAD_UTF8: text is not valid UTF-8: line \"3\"");
    buf_clear(&out);
    err.context[0] = '\0';
    err_line(&err, &out);
    assert_string_equal(out.data, "BAD_UTF8: text is not valid UTF-8");
}

static void catalogue_holds_every_row(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    err_catalogue_markdown(&out);
    assert_false(buf_failed(&out));
    for (int id = 1; id < ERR_COUNT; id++) {
        char heading[80];
        (void)snprintf(heading, sizeof(heading), "\n## %s\n", err_info(id)->code);
        assert_non_null(strstr(out.data, heading));
    }
    assert_null(strstr(out.data, "## NONE"));
    assert_non_null(strstr(out.data, "HTTP 400 · input · severity low · retry `never`"));
}

static void every_value_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(err_type_name(ERR_TYPE_DATA), "data");
    assert_string_equal(err_severity_name(ERR_SEVERITY_CRITICAL), "critical");
    assert_string_equal(err_retry_name(ERR_RETRY_AFTER_FIX), "after_fix");
}

/* A server may send the URL of a request back, with the token in it. */
static void a_secret_never_enters_a_context(void **state)
{
    (void)state;
    static const char token[] = "987654321:a-token-of-the-error-test";
    struct err err = {0};
    char text[sizeof(err.context)];
    assert_true(log_hide(token));
    (void)err_set(&err, ERR_TELEGRAM_REFUSED, "POST https://api/bot%s/sendMessage: 400", token);
    assert_string_equal(err.context, "POST https://api/bot***/sendMessage: 400");
    (void)err_prefix(&err, "of %s", token);
    assert_string_equal(err.context, "of ***: POST https://api/bot***/sendMessage: 400");
    memset(text, 'x', sizeof(text)); /* cut inside of the token */
    memcpy(text + 240, token, 15);
    text[255] = '\0';
    (void)err_set(&err, ERR_TELEGRAM_REFUSED, "%s%s", text, token + 15);
    assert_null(strstr(err.context, "98765"));
    assert_null(strstr(err.context, "a-tok"));
}

UNIT_GROUP(err, cmocka_unit_test(a_secret_never_enters_a_context),
           cmocka_unit_test(fills_and_returns_the_negative_id),
           cmocka_unit_test(context_may_be_its_own_argument), cmocka_unit_test(prepends_a_prefix),
           cmocka_unit_test(cuts_a_long_context_between_characters),
           cmocka_unit_test(finds_rows_by_id_and_code), cmocka_unit_test(rows_follow_the_style),
           cmocka_unit_test(renders_a_line), cmocka_unit_test(catalogue_holds_every_row),
           cmocka_unit_test(every_value_has_a_name))
