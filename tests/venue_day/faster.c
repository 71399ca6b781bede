#include "venue_day/faster.h"

#include "base/check.h"
#include "io/http.h"
#include "venue/account.h"

#include <string.h>
#include <systemd/sd-event.h>
#include <time.h>

/* Of the linker's --wrap: the first replaces all calls, the second is the function itself. */
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t us);
int __real_sd_event_source_set_time(sd_event_source *source, uint64_t us);
struct http_call *__wrap_http_send(struct http *http, const struct http_request *request,
                                   http_fn fn, void *userdata, struct err *err);
struct http_call *__real_http_send(struct http *http, const struct http_request *request,
                                   http_fn fn, void *userdata, struct err *err);
const struct account_api *__wrap_account_api_find(const char *name);
const struct account_api *__real_account_api_find(const char *name);

static struct {
    int64_t times, limits;
    int64_t since_wall_us, since_mono_us;
    struct account_api api;
} fast = {.times = 1, .limits = 1};

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static int64_t wall_us(const struct clock *clock)
{
    (void)clock;
    return fast.since_wall_us + (read_us(CLOCK_REALTIME) - fast.since_wall_us) * fast.times;
}

static int64_t mono_us(const struct clock *clock)
{
    (void)clock;
    return fast.since_mono_us + (read_us(CLOCK_MONOTONIC) - fast.since_mono_us) * fast.times;
}

void faster_begin(int64_t times, int64_t since_s, int64_t limits)
{
    fast.times = times;
    fast.limits = limits;
    fast.since_wall_us = since_s * USEC_PER_SEC;
    fast.since_mono_us = read_us(CLOCK_MONOTONIC);
    *clock_real() = (struct clock){.wall_us = wall_us, .mono_us = mono_us};
}

int64_t faster_real_us(int64_t us)
{
    return us / fast.times;
}

/* A little late rather than early: a timer that finds itself early is armed again and again. */
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t us)
{
    int64_t passed_us = (int64_t)us - fast.since_mono_us;
    int64_t real_us = (int64_t)us;
    if (passed_us > 0) {
        real_us = fast.since_mono_us + (passed_us + fast.times - 1) / fast.times;
    }
    return __real_sd_event_source_set_time(source, (uint64_t)real_us);
}

struct http_call *__wrap_http_send(struct http *http, const struct http_request *request,
                                   http_fn fn, void *userdata, struct err *err)
{
    struct http_request copy = *request;
    copy.timeout_ms = (copy.timeout_ms + fast.times - 1) / fast.times;
    return __real_http_send(http, &copy, fn, userdata, err);
}

const struct account_api *__wrap_account_api_find(const char *name)
{
    const struct account_api *api = __real_account_api_find(name);
    if (api == NULL) {
        return NULL;
    }
    ASSERT(fast.api.name == NULL || fast.api.name == api->name); /* one venue in a process */
    fast.api = *api;
    fast.api.limit *= fast.limits;
    fast.api.falls_per_s *= fast.limits;
    fast.api.order_limit *= fast.limits;
    fast.api.order_falls_per_s *= fast.limits;
    return &fast.api;
}
