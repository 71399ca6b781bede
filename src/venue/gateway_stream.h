/*
 * gateway_stream.h: the stream of an account: logs in, keeps it open, and reads its events.
 *
 *     struct gateway_stream *s = gateway_stream_new(&options);
 *     gateway_stream_open(s);            // options.on_state(true) when events come
 *     gateway_stream_free(s);
 *
 * Always true: on_state(false) is called once for each time that a stream could not be opened or
 * was lost; then nothing happens until gateway_stream_open. A message that cannot be read, a gap in
 * the sequence, and a silence longer than the venue's own all end the stream, because an event
 * may be missing: the owner asks by REST for what happened meanwhile.
 * Thread: the loop's.
 */
#pragma once

#include "calls.h"

struct gateway_stream;

struct gateway_stream_options {
    struct loop *loop;
    struct http *http;
    struct calls *calls; /* for the key of the stream, and the venue's clock */
    const struct account_api *api;
    const char *url;
    const char *ca_file;
    const struct secret *key_id;
    const struct secret *key_secret;
    void (*on_state)(bool open, const struct err *why, void *userdata);
    void (*on_event)(const struct account_event *event, void *userdata);
    void *userdata;
};

/* Whether the venue has such a stream. */
bool gateway_stream_exists(const struct account_api *api);
struct gateway_stream *gateway_stream_new(const struct gateway_stream_options *options);
void gateway_stream_free(struct gateway_stream *s); /* accepts NULL */
void gateway_stream_open(struct gateway_stream *s);
