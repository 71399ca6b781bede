#include "base/auto.h"
#include "base/str.h"
#include "claude_internal.h"
#include "io/json.h"

#include <math.h>
#include <string.h>

#define CLAUDE_BACKOFF_S     0.5
#define CLAUDE_BACKOFF_MAX_S 8.0

bool claude_has_error_code(const struct http_response *response, const char *part)
{
    AUTO_JSON struct json_object *body = NULL;
    if (json_parse(response->body, &JSON_LIMITS_DEFAULT, &body, NULL) < 0) {
        return false;
    }
    const char *code = json_text(json_get(json_get(body, "error"), "details"), "error_code");
    return strstr(code, part) != NULL;
}

/* The wait that the server asks for, in microseconds; -1: none given. */
static int64_t asked_wait_us(const struct http_response *response, int64_t wall_us)
{
    const char *ms = http_header(response, "retry-after-ms");
    double number = 0;
    if (ms != NULL && str_to_double(str_c(ms), &number) && number >= 0) {
        return number > 1e9 ? INT64_MAX : (int64_t)(number * 1e3);
    }
    const char *after = http_header(response, "retry-after");
    if (after == NULL) {
        return -1;
    }
    if (str_to_double(str_c(after), &number)) {
        return number < 0 ? -1 : number > 1e6 ? INT64_MAX : (int64_t)(number * 1e6);
    }
    int64_t then_us = 0;
    if (!clock_parse_http(str_c(after), &then_us)) {
        return -1;
    }
    int64_t wait_us = then_us - wall_us;
    return wait_us < 0 ? 0 : wait_us;
}

int64_t claude_retry_us(const struct http_response *response, int attempt, double jitter,
                        int64_t wall_us)
{
    if (attempt > CLAUDE_RETRIES) {
        return -1;
    }
    int64_t wait_us = -1;
    if (response->outcome == HTTP_OK) {
        const char *word = http_header(response, "x-should-retry");
        bool should_retry = word != NULL && strcmp(word, "true") == 0;
        bool must_not_retry = word != NULL && strcmp(word, "false") == 0;
        int status = response->status;
        bool transient = status == 408 || status == 409 || status == 429 || status >= 500;
        if (must_not_retry || (!should_retry && !transient) ||
            claude_has_error_code(response, "spend_limit")) {
            return -1;
        }
        wait_us = asked_wait_us(response, wall_us);
    } else if (response->outcome == HTTP_TOO_LARGE ||
               err_info(response->err.id)->retry == ERR_RETRY_AFTER_FIX) {
        return -1;
    }
    if (wait_us > CLAUDE_WAIT_MAX_US) {
        return -1;
    }
    if (wait_us < 0) {
        double seconds = fmin(CLAUDE_BACKOFF_S * pow(2, attempt - 1), CLAUDE_BACKOFF_MAX_S);
        wait_us = (int64_t)(seconds * (1 - 0.25 * jitter) * 1e6);
    }
    return wait_us;
}
