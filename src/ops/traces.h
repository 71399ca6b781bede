/*
 * traces.h: sends the spans of model/tracer.h to a collector, as OTLP/HTTP in JSON.
 *
 *     traces = traces_new(&(struct traces_options){.loop = loop, .http = http, .telemetry = t,
 *                         .url = url, .header = header});
 *
 * Once a second it sends what has been queued, one request at a time. What the collector does not
 * take is sent again a few times, with growing pauses; then it is dropped and counted. A collector
 * that is down is logged once, and so is that it is back.
 * Always true: neither the engine nor a command waits for it; at most TRACES_BATCH spans are in
 * memory beside the queues. Without a tracer it does nothing. Thread: ops.
 */
#pragma once

struct http;
struct loop;
struct telemetry;
struct traces;

#define TRACES_BATCH 256

struct traces_options {
    struct loop *loop;
    struct http *http;
    struct telemetry *telemetry;
    const char *url;
    const char *header; /* "Name: value"; "": none */
};

/* The texts are copied. NULL if nothing is traced. */
struct traces *traces_new(const struct traces_options *options);
void traces_free(struct traces *traces); /* takes NULL */
