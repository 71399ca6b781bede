#include "base/auto.h"
#include "base/buf.h"
#include "check.h"
#include "health_internal.h"
#include "io/http.h"

static void on_connected(const struct http_response *response, void *userdata)
{
    struct check *check = userdata;
    int64_t limit_us = check->config.max_latency_us;
    check->own = NULL;
    if (response->outcome != HTTP_OK) {
        check->fault = response->err.id == ERR_HTTP_TIMEOUT ? CHECK_HUNG : CHECK_UNWELL;
        check_fail(check, "%s", err_info(response->err.id)->message);
    } else if (limit_us > 0 && response->elapsed_us > limit_us) {
        check_fail(check, "it took %lld ms to connect; the limit is %lld ms",
                   (long long)(response->elapsed_us / USEC_PER_MSEC),
                   (long long)(limit_us / USEC_PER_MSEC));
    } else {
        check_pass(check);
    }
}

static void begin(struct check *check)
{
    AUTO_BUF struct buf url = BUF_INIT(512);
    struct err err = {0};
    buf_addf(&url, "http://%s", check->config.tcp);
    check->own =
        http_send(check_health(check)->options.http,
                  &(struct http_request){.url = url.data,
                                         .timeout_ms = check_timeout_us(check) / USEC_PER_MSEC,
                                         .connect_only = true},
                  on_connected, check, &err);
    if (check->own == NULL) {
        check_fail(check, "%s", err_info(err.id)->message);
    }
}

static void cancel(struct check *check)
{
    http_cancel(check->own);
    check->own = NULL;
}

const struct check_kind check_tcp = {.name = "tcp", .begin = begin, .cancel = cancel};
