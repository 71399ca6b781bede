#include "traces.h"

#include "base/check.h"
#include "base/log.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/otlp.h"
#include "model/telemetry.h"

#include <stdlib.h>
#include <string.h>

#define SEND_US      USEC_PER_SEC
#define TIMEOUT_MS   10000
#define ATTEMPTS_MAX 5
#define BODY_MAX     ((size_t)512 * 1024)

struct traces {
    struct loop *loop;
    struct http *http;
    struct telemetry *telemetry;
    char *url;
    char *header;
    struct loop_source *timer;
    struct http_call *call;
    struct buf body; /* of the request under way, or to be repeated */
    uint64_t spans;  /* in it */
    int attempts;
    bool failing; /* and that was logged */
};

static void add_span(struct otlp *out, const struct span *span)
{
    struct otlp_tag tags[SPAN_TAGS + 1] = {0};
    for (size_t i = 0; i < SPAN_TAGS && span->tags[i].key != NULL; i++) {
        tags[i] = (struct otlp_tag){.key = span->tags[i].key, .value = span->tags[i].value};
    }
    otlp_span(out, &(struct otlp_span){.trace_high = span->trace.high,
                                       .trace_low = span->trace.low,
                                       .id = span->id,
                                       .parent = span->parent,
                                       .name = span->name,
                                       .kind = (int)span->kind,
                                       .start_ns = span->start_ns,
                                       .end_ns = span->end_ns,
                                       .failed = span->failed,
                                       .tags = tags});
}

/* False: there are no spans. */
static bool collect(struct traces *t)
{
    struct span span;
    struct otlp out;
    buf_clear(&t->body);
    t->spans = 0;
    while (t->spans < TRACES_BATCH && tracer_take(t->telemetry->tracer, &span)) {
        if (t->spans++ == 0) {
            otlp_begin(&out, &t->body);
        }
        add_span(&out, &span);
    }
    if (t->spans == 0) {
        return false;
    }
    otlp_end(&out);
    ASSERT(!buf_failed(&t->body));
    t->attempts = 0;
    return true;
}

static void drop(struct traces *t)
{
    telemetry_count(&t->telemetry->spans_lost, t->spans);
    buf_release(&t->body);
    t->spans = 0;
}

static void report(struct traces *t, const char *why)
{
    if (why != NULL && !t->failing) {
        LOG(WARNING, "the collector of traces does not take them: %s", why);
    } else if (why == NULL && t->failing) {
        LOG(NOTICE, "the collector of traces takes them again");
    }
    t->failing = why != NULL;
}

/* 4xx but 429 is an answer for good, says OTLP. */
static bool is_final(const struct http_response *response)
{
    return response->outcome == HTTP_OK && response->status / 100 == 4 && response->status != 429;
}

static void on_answer(const struct http_response *response, void *userdata)
{
    struct traces *t = userdata;
    t->call = NULL;
    if (response->outcome == HTTP_OK && response->status / 100 == 2) {
        telemetry_count(&t->telemetry->spans_sent, t->spans);
        buf_release(&t->body);
        t->spans = 0;
        report(t, NULL);
        loop_timer_in(t->timer, SEND_US);
        return;
    }
    AUTO_BUF struct buf why = BUF_INIT(512);
    if (response->outcome == HTTP_OK) {
        buf_addf(&why, "HTTP %d", response->status);
    } else {
        err_line(&response->err, &why);
    }
    report(t, why.data);
    if (is_final(response) || ++t->attempts >= ATTEMPTS_MAX) {
        drop(t);
    }
    loop_timer_in(t->timer, SEND_US << t->attempts);
}

static void on_timer(void *userdata)
{
    struct traces *t = userdata;
    struct err err = {0};
    if (t->spans == 0 && !collect(t)) {
        loop_timer_in(t->timer, SEND_US);
        return;
    }
    const char *headers[] = {t->header[0] == '\0' ? NULL : t->header, NULL};
    t->call = http_send(t->http,
                        &(struct http_request){.url = t->url,
                                               .headers = headers,
                                               .body = buf_str(&t->body),
                                               .content_type = "application/json",
                                               .timeout_ms = TIMEOUT_MS},
                        on_answer, t, &err);
    if (t->call == NULL) {
        report(t, err.context);
        drop(t);
        loop_timer_in(t->timer, SEND_US);
    }
}

struct traces *traces_new(const struct traces_options *o)
{
    if (o->telemetry->tracer == NULL) {
        return NULL;
    }
    struct traces *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    *t = (struct traces){.loop = o->loop,
                         .http = o->http,
                         .telemetry = o->telemetry,
                         .url = strdup(o->url),
                         .header = strdup(o->header)};
    ASSERT(t->url != NULL && t->header != NULL);
    buf_init(&t->body, BODY_MAX);
    t->timer = loop_add_timer(t->loop, on_timer, t);
    loop_source_name(t->timer, "traces");
    loop_timer_in(t->timer, SEND_US);
    return t;
}

void traces_free(struct traces *t)
{
    if (t == NULL) {
        return;
    }
    if (t->call != NULL) {
        http_cancel(t->call);
    }
    loop_source_free(t->timer);
    buf_release(&t->body);
    free(t->url);
    free(t->header);
    free(t);
}
