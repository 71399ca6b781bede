#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "body_rule.h"
#include "certificate.h"
#include "check.h"
#include "health_internal.h"
#include "io/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct url {
    struct http_call *call;
    struct body_rule *rule;
    char *address; /* of the request under way, or of the last one */
    int redirects; /* of this run */
    struct certificate certificate;
};

static void send_to(struct check *check, const char *address);

static int64_t now_mono_us(const struct check *check)
{
    return clock_mono_us(loop_clock(check_health(check)->options.loop));
}

static bool is_expected(const struct config_check *config, int status)
{
    int64_t wanted = config->expect_status;
    return wanted != 0 ? status == wanted : status >= 200 && status <= 299;
}

static bool is_tls(const char *address)
{
    return strncasecmp(address, "https://", 8) == 0;
}

static bool has_rule(const struct config_check *config)
{
    return config->body_has[0] != '\0' || config->body_matches[0] != '\0' ||
           config->json_pointer[0] != '\0';
}

/* Whether it leads on to another URL, which has then been asked. */
static bool follow(struct check *check, const struct http_response *response)
{
    struct url *url = check->own;
    const char *location = http_header(response, "location");
    AUTO_BUF struct buf next = BUF_INIT(4096);
    if (response->status < 300 || response->status > 399 || location == NULL ||
        url->redirects >= check->config.redirects ||
        !http_join_url(url->address, location, &next)) {
        return false;
    }
    url->redirects++;
    send_to(check, next.data);
    return true;
}

static void judge(struct check *check, const struct http_response *response)
{
    struct url *url = check->own;
    const struct config_check *config = &check->config;
    char reason[CHECK_REASON_SIZE];
    bool whole = response->outcome == HTTP_OK;
    if (!whole && response->outcome != HTTP_TOO_LARGE) {
        check->fault = response->err.id == ERR_HTTP_TIMEOUT ? CHECK_HUNG : CHECK_UNWELL;
        check_fail(check, "%s", err_info(response->err.id)->message);
        return;
    }
    check->fault = CHECK_WRONG;
    if (!is_expected(config, response->status)) {
        char wanted[24] = "200 to 299";
        if (config->expect_status != 0) {
            (void)snprintf(wanted, sizeof(wanted), "%lld", (long long)config->expect_status);
        }
        check_fail(check, "HTTP %d, expected %s", response->status, wanted);
    } else if (config->max_latency_us > 0 && response->elapsed_us > config->max_latency_us) {
        check_fail(check, "it answered after %lld ms; the limit is %lld ms",
                   (long long)(response->elapsed_us / USEC_PER_MSEC),
                   (long long)(config->max_latency_us / USEC_PER_MSEC));
    } else if (!whole && has_rule(config)) {
        check_fail(check, "its answer is larger than %zu KiB", BODY_RULE_BYTES / 1024);
    } else if (whole && !body_rule_holds(url->rule, response->body, reason, sizeof(reason))) {
        check_fail(check, "%s", reason);
    } else {
        check_pass(check);
    }
}

/* Only the certificate of the last server counts, where redirects lead to. */
static void look_at_certificate(struct check *check, const struct http_response *response)
{
    struct url *url = check->own;
    bool answered = response->outcome == HTTP_OK || response->outcome == HTTP_TOO_LARGE;
    if (answered && !check->service->is_idle &&
        (response->expires_us != 0 || !is_tls(url->address))) {
        certificate_seen(&url->certificate, check, response->expires_us);
    }
}

static void on_answer(const struct http_response *response, void *userdata)
{
    struct check *check = userdata;
    struct url *url = check->own;
    url->call = NULL;
    if (!follow(check, response)) {
        look_at_certificate(check, response);
        judge(check, response);
    }
}

static void send_to(struct check *check, const char *address)
{
    struct url *url = check->own;
    struct err err = {0};
    char *before = url->address; /* address may be a part of it */
    url->address = strdup(address);
    ASSERT(url->address != NULL);
    free(before);
    int64_t left_us = check_timeout_us(check) - (now_mono_us(check) - check->begun_mono_us);
    url->call =
        http_send(check_health(check)->options.http,
                  &(struct http_request){
                      .url = url->address,
                      .timeout_ms = left_us / USEC_PER_MSEC > 1 ? left_us / USEC_PER_MSEC : 1,
                      .max_body_bytes = BODY_RULE_BYTES,
                      .ca_file = check->config.ca_file,
                      .certificate = is_tls(url->address) &&
                                     certificate_is_due(&url->certificate, now_mono_us(check))},
                  on_answer, check, &err);
    if (url->call == NULL) {
        check_fail(check, "%s", err_info(err.id)->message);
    }
}

static void begin(struct check *check)
{
    const struct config_check *config = &check->config;
    struct url *url = check->own;
    if (url == NULL) {
        check->own = url = calloc(1, sizeof(*url));
        ASSERT(url != NULL);
        url->certificate = CERTIFICATE_INIT;
        url->rule = body_rule_new(config);
    }
    struct str base = str_c(config->url);
    while (config->path[0] != '\0' && base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    AUTO_BUF struct buf address = BUF_INIT(2048);
    buf_addf(&address, "%.*s%s%s", STR_ARG(base),
             config->path[0] == '/' || config->path[0] == '\0' ? "" : "/", config->path);
    url->redirects = 0;
    send_to(check, address.data);
}

static void cancel(struct check *check)
{
    struct url *url = check->own;
    http_cancel(TAKE(url->call));
}

static void release(struct check *check)
{
    struct url *url = TAKE(check->own);
    if (url != NULL) {
        body_rule_free(url->rule);
        free(url->address);
        free(url);
    }
}

const struct check_kind check_url = {
    .name = "url", .begin = begin, .cancel = cancel, .release = release};
