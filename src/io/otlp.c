#include "io/otlp.h"

#include <inttypes.h>
#include <stdio.h>

#define STATUS_ERROR 2

static void add_tag(struct json_out *json, const char *key, const char *value)
{
    json_out_object(json, NULL);
    json_out_text(json, "key", key);
    json_out_object(json, "value");
    json_out_text(json, "stringValue", value);
    json_out_end(json);
    json_out_end(json);
}

void otlp_begin(struct otlp *out, struct buf *text)
{
    *out = (struct otlp){.json = JSON_OUT(text)};
    struct json_out *json = &out->json;
    json_out_object(json, NULL);
    json_out_array(json, "resourceSpans");
    json_out_object(json, NULL);
    json_out_object(json, "resource");
    json_out_array(json, "attributes");
    add_tag(json, "service.name", "nightdesk");
    add_tag(json, "service.version", NIGHTDESK_VERSION);
    json_out_end(json);
    json_out_end(json);
    json_out_array(json, "scopeSpans");
    json_out_object(json, NULL);
    json_out_object(json, "scope");
    json_out_text(json, "name", "nightdesk");
    json_out_end(json);
    json_out_array(json, "spans");
}

static void add_hex(struct json_out *json, const char *key, uint64_t value)
{
    char text[20];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, value);
    json_out_text(json, key, text);
}

static void add_time(struct json_out *json, const char *key, int64_t ns)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, ns);
    json_out_text(json, key, text);
}

void otlp_span(struct otlp *out, const struct otlp_span *span)
{
    struct json_out *json = &out->json;
    char trace[36];
    (void)snprintf(trace, sizeof(trace), "%016" PRIx64 "%016" PRIx64, span->trace_high,
                   span->trace_low);
    json_out_object(json, NULL);
    json_out_text(json, "traceId", trace);
    add_hex(json, "spanId", span->id);
    if (span->parent != 0) {
        add_hex(json, "parentSpanId", span->parent);
    }
    json_out_text(json, "name", span->name);
    json_out_i64(json, "kind", span->kind);
    add_time(json, "startTimeUnixNano", span->start_ns);
    add_time(json, "endTimeUnixNano", span->end_ns);
    json_out_array(json, "attributes");
    for (size_t i = 0; span->tags != NULL && span->tags[i].key != NULL; i++) {
        add_tag(json, span->tags[i].key, span->tags[i].value);
    }
    json_out_end(json);
    if (span->failed) {
        json_out_object(json, "status");
        json_out_i64(json, "code", STATUS_ERROR);
        json_out_end(json);
    }
    json_out_end(json);
}

void otlp_end(struct otlp *out)
{
    while (out->json.depth > 0) {
        json_out_end(&out->json);
    }
}
