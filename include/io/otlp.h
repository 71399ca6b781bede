/*
 * otlp.h: writes spans as an ExportTraceServiceRequest of OTLP/HTTP in JSON (opentelemetry-proto
 * 1.x): ids in hex, 64-bit numbers as texts, enums as numbers.
 *
 *     struct otlp out;
 *     otlp_begin(&out, &body);
 *     otlp_span(&out, &(struct otlp_span){.trace_high = …, .name = "candle"});
 *     otlp_end(&out);
 *
 * Thread: any, one at a time per writer.
 */
#pragma once

#include "base/buf.h"
#include "io/json_out.h"

#include <stdbool.h>
#include <stdint.h>

struct otlp {
    struct json_out json;
};

struct otlp_tag {
    const char *key; /* NULL: no more */
    const char *value;
};

struct otlp_span {
    uint64_t trace_high, trace_low;
    uint64_t id;
    uint64_t parent; /* 0: none */
    const char *name;
    int kind; /* SpanKind of OTLP */
    int64_t start_ns, end_ns;
    bool failed;
    const struct otlp_tag *tags; /* the last one has no key; NULL: none */
};

void otlp_begin(struct otlp *out, struct buf *text);
void otlp_span(struct otlp *out, const struct otlp_span *span);
void otlp_end(struct otlp *out);
