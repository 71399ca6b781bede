/*
 * mail.h: hands mails to a server over SMTP (libcurl), on the loop of an http client.
 *
 *     struct mail_call *call = mail_send(http, &(struct mail_request){.host = "mail.example.org",
 *         .port = 587, .tls = MAIL_STARTTLS, .user = user, .password = password, .from = from,
 *         .to = to, .to_count = 1, .text = buf_str(&message), .timeout_ms = 30000}, on_end, self);
 *     mail_cancel(call);
 *
 * Always true: with MAIL_STARTTLS or MAIL_TLS neither a password nor a mail is sent before the
 * server's certificate was verified; every call ends within timeout_ms; no proxy is used. The
 * request is copied. The callback runs exactly once, from the loop, never inside mail_send; after
 * mail_cancel or http_free it does not run.
 * Thread: the loop's.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "io/http.h"

#include <stddef.h>
#include <stdint.h>

struct mail_call;

enum mail_tls { MAIL_STARTTLS, MAIL_TLS, MAIL_PLAIN };

struct mail_request {
    const char *host;
    unsigned port;
    enum mail_tls tls;
    const char *ca_file; /* PEM; NULL or "": the system's authorities */
    const char *user;    /* NULL or "": no login */
    const char *password;
    const char *from; /* address, without angle brackets */
    const char *const *to;
    size_t to_count;
    struct str text; /* RFC 5322: header, empty line, body; lines end with CR LF */
    int64_t timeout_ms;
};

enum mail_outcome {
    MAIL_ACCEPTED,
    MAIL_NOT_SENT, /* the server did not get it or asked for another attempt: repeat later */
    MAIL_REFUSED,  /* a final answer: repeating it does not help */
    MAIL_UNKNOWN   /* it was sent, and the answer was lost */
};

struct mail_result {
    enum mail_outcome outcome;
    struct err err;        /* ERR_NONE if accepted, else MAIL_… of the catalogue */
    const char *complaint; /* the server's refusal of some of the recipients; "": none */
};

typedef void (*mail_fn)(const struct mail_result *result, void *userdata);

struct mail_call *mail_send(struct http *http, const struct mail_request *request, mail_fn fn,
                            void *userdata);
void mail_cancel(struct mail_call *call); /* accepts NULL */
