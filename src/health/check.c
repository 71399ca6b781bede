#include "check.h"

#include "base/check.h"
#include "health_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_TIMEOUT_US (2 * USEC_PER_SEC) /* the shortest of a second look */
#define CONFIRM_LATENCIES  4                  /* a second look waits for so many usual latencies */

static const struct check_kind *kind_of(const struct config_check *config)
{
    return config->unit[0] != '\0'      ? &check_unit
           : config->url[0] != '\0'     ? &check_url
           : config->tcp[0] != '\0'     ? &check_tcp
           : config->command.count > 0  ? &check_command
           : config->file[0] != '\0'    ? &check_file
           : config->process[0] != '\0' ? &check_process
           : config->heartbeat_us > 0   ? &check_heartbeat
                                        : &check_child;
}

struct check *check_new(struct service *service, const struct config_check *config)
{
    struct check *check = calloc(1, sizeof(*check));
    ASSERT(check != NULL);
    check->kind = kind_of(config);
    check->service = service;
    check->config = *config;
    (void)str_copy(str_c("not checked yet"), check->reason, sizeof(check->reason));
    return check;
}

void check_free(struct check *check)
{
    if (check == NULL) {
        return;
    }
    check_cancel(check);
    if (check->kind->release != NULL) {
        check->kind->release(check);
    }
    free(check);
}

bool check_is_kind(const struct check *check, const struct config_check *config)
{
    return check->kind == kind_of(config);
}

static bool same_texts(const struct config_texts *a, const struct config_texts *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

bool check_same(const struct config_check *a, const struct config_check *b)
{
    return strcmp(a->unit, b->unit) == 0 && strcmp(a->url, b->url) == 0 &&
           strcmp(a->path, b->path) == 0 && strcmp(a->tcp, b->tcp) == 0 &&
           same_texts(&a->command, &b->command) && strcmp(a->file, b->file) == 0 &&
           strcmp(a->process, b->process) == 0 && a->heartbeat_us == b->heartbeat_us &&
           a->expect_status == b->expect_status && strcmp(a->body_has, b->body_has) == 0 &&
           strcmp(a->body_matches, b->body_matches) == 0 &&
           strcmp(a->json_pointer, b->json_pointer) == 0 &&
           strcmp(a->json_value, b->json_value) == 0 && a->max_latency_us == b->max_latency_us &&
           a->redirects == b->redirects && strcmp(a->ca_file, b->ca_file) == 0 &&
           a->certificate_days == b->certificate_days && a->max_age_us == b->max_age_us &&
           a->min_size == b->min_size;
}

void check_apply(struct check *check, const struct config_check *config)
{
    check_cancel(check);
    if (check->kind->release != NULL && !check_same(&check->config, config)) {
        check->kind->release(check);
    }
    check->config = *config;
}

struct health *check_health(const struct check *check)
{
    return check->service->health;
}

static int64_t mono_us(const struct check *check)
{
    return clock_mono_us(loop_clock(check_health(check)->options.loop));
}

void check_begin(struct check *check)
{
    ASSERT(!check->running);
    check->running = true;
    check->sure = false;
    check->fault = CHECK_UNWELL;
    check->begun_mono_us = mono_us(check);
    check->kind->begin(check);
}

void check_cancel(struct check *check)
{
    if (check->running) {
        check->running = false;
        check->kind->cancel(check);
    }
}

static void finish(struct check *check, enum check_result result)
{
    ASSERT(check->running);
    check->running = false;
    check->result = result;
    check->checked_mono_us = mono_us(check);
    service_check_done(check->service);
}

void check_pass(struct check *check)
{
    check->latency_us = mono_us(check) - check->begun_mono_us;
    (void)str_copy(str_c("ok"), check->reason, sizeof(check->reason));
    finish(check, CHECK_PASSED);
}

__attribute__((format(printf, 2, 0))) static void set_reason(struct check *check,
                                                             const char *format, va_list args)
{
    char text[4 * CHECK_REASON_SIZE];
    (void)vsnprintf(text, sizeof(text), format, args);
    str_cut(str_c(text), check->reason, sizeof(check->reason));
}

void check_fail(struct check *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_reason(check, format, args);
    va_end(args);
    finish(check, CHECK_FAILED);
}

void check_fail_sure(struct check *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_reason(check, format, args);
    va_end(args);
    check->sure = true;
    finish(check, CHECK_FAILED);
}

int64_t check_timeout_us(const struct check *check)
{
    int64_t longest_us = check->service->config->timeout_us;
    int64_t usual_us = CONFIRM_LATENCIES * check->latency_us;
    int64_t second_us = usual_us > CONFIRM_TIMEOUT_US ? usual_us : CONFIRM_TIMEOUT_US;
    return service_is_confirming(check->service) && second_us < longest_us ? second_us : longest_us;
}

const char *check_fault_name(enum check_fault fault)
{
    switch (fault) {
    case CHECK_UNWELL:
        return "unwell";
    case CHECK_WRONG:
        return "wrong";
    case CHECK_HUNG:
        return "hung";
    case CHECK_CRASHED:
        return "crashed";
    }
    return "";
}

const char *check_result_name(enum check_result result)
{
    switch (result) {
    case CHECK_UNKNOWN:
        return "unknown";
    case CHECK_PASSED:
        return "up";
    case CHECK_FAILED:
        return "down";
    }
    return "";
}
