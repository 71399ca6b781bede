/*
 * transfer.h: what a call over HTTP (http.c) and a mail (mail.c) have in common: a libcurl transfer
 * on the loop, with its host name resolved beforehand. Private to this module, and the only file
 * that includes libcurl's header.
 *
 *     struct http_call { struct transfer t; ... };               // first member
 *     transfer_init(&call->t, http, finish, discard);
 *     ... set options of call->t.easy, t.host and t.port (or t.host "") ...
 *     transfer_begin(&call->t);
 *     static void finish(struct transfer *t);   // from the loop, once: hands the result on
 *     transfer_release(&call->t);               // then free the call
 *
 * Always true: finish runs from a deferred source, never inside a curl callback.
 * Thread: the loop's.
 */
#pragma once

#include "base/clock.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/resolve.h"

#include <curl/curl.h>
#include <stdbool.h>

/* clang-format off */
#define TRANSFER_FUNCTIONS(X) \
    X(easy_cleanup) X(easy_getinfo) X(easy_init) X(easy_recv) X(easy_send) \
    X(easy_setopt) X(easy_strerror) X(free) X(getdate) X(global_init) X(mime_addpart) \
    X(mime_data) X(mime_filedata) X(mime_filename) X(mime_free) \
    X(mime_init) X(mime_name) X(mime_type) X(multi_add_handle) \
    X(multi_assign) X(multi_cleanup) X(multi_info_read) X(multi_init) \
    X(multi_remove_handle) X(multi_setopt) X(multi_socket_action) X(slist_append) \
    X(slist_free_all) X(url) X(url_cleanup) X(url_get) \
    X(url_set)
/* clang-format on */

/* libcurl, which is loaded at its first use (library.h). */
struct transfer_curl {
#define X(name) __typeof__(curl_##name) *name;
    TRANSFER_FUNCTIONS(X)
#undef X
};
extern struct transfer_curl curl;

/* Sets an option of a transfer. curl takes the value as a variable argument, so its type must be
 * exact; the check in curl.h is for calls of curl_easy_setopt only. */
#define VALUE_TYPE(value) __typeof__(1 ? (value) : (value)) /* an array's is a pointer */
#define VALUE_FITS(option, value)                                                                  \
    ((option) < CURLOPTTYPE_OBJECTPOINT ? __builtin_types_compatible_p(VALUE_TYPE(value), long)    \
     : (option) >= CURLOPTTYPE_OFF_T ? __builtin_types_compatible_p(VALUE_TYPE(value), curl_off_t) \
                                     : sizeof(VALUE_TYPE(value)) == sizeof(void *))
#define easy_set(easy, option, value)                                                \
    __extension__({                                                                  \
        _Static_assert(VALUE_FITS(option, value), "type of the value for " #option); \
        curl.easy_setopt(easy, option, value);                                       \
    })

enum { TRANSFER_HOST_MAX = 253 };

struct transfer;
typedef void (*transfer_fn)(struct transfer *t);

struct http {
    struct loop *loop;
    CURLM *multi;
    struct resolver *resolver;
    struct loop_source *timer;    /* curl's timer */
    struct loop_source *deferred; /* runs the callbacks of finished transfers */
    struct socket_watch *watches;
    struct transfer *transfers; /* all whose callback has not run */
    size_t pending;
    struct http_meter *meter; /* NULL: not measured */
    bool freed_inside;        /* http_free was called from a callback */
    bool delivering;
};

struct transfer {
    struct http *http;
    struct transfer *next;
    struct transfer *previous;
    transfer_fn finish;  /* releases and frees it */
    transfer_fn discard; /* the same, without a callback */
    transfer_fn report;  /* after `news`: tells how far it is, and may free it; NULL: never */
    CURL *easy;
    bool added;                       /* to the multi handle */
    struct resolver_query *query;     /* while the host is being resolved */
    struct loop_source *lookup_timer; /* limits the time for that */
    struct curl_slist *addresses;     /* of the host, for CURLOPT_RESOLVE */
    char host[TRANSFER_HOST_MAX + 1]; /* to resolve; "": left to curl */
    unsigned port;
    int64_t began_mono_us;
    int64_t lookup_us; /* duration of the name look-up */
    int64_t timeout_ms;
    int64_t connect_ms;
    bool connected; /* curl waits for bytes, not for the connection */
    bool news;      /* report is due */
    bool done;
    CURLcode code;
    char curl_why[CURL_ERROR_SIZE]; /* may quote the URL: looked at, never shown */
    char why[96];                   /* replaces curl's text for code; or "" */
};

void transfer_init(struct transfer *t, struct http *http, transfer_fn finish, transfer_fn discard);
void transfer_release(struct transfer *t);
/* Sets the options that all transfers have; 0 is a default. */
void transfer_set_times(struct transfer *t, int64_t timeout_ms, int64_t connect_ms);
/* True if the name needs a look-up and can be used unchanged in CURLOPT_RESOLVE. */
bool transfer_needs_lookup(const char *host);
/* Sets host and port if we resolve the host before curl starts, because curl's own look-up cannot
 * be cancelled without waiting for it. Left to curl: addresses, "localhost", names that are not
 * plain ASCII, and hosts that NO_PROXY exempts from a proxy. proxies: those of the environment are
 * used. False: the URL is malformed. */
bool transfer_find_host(struct transfer *t, const char *url, bool proxies);
/* Takes the URL of a connection apart: host and port as a Host header has them, and the target,
 * which is path and query. False: it is malformed, or has a user or a fragment. */
bool transfer_split_url(const char *url, struct buf *authority, struct buf *target);
/* For a connection of its own without requests, over which its owner speaks HTTP/1.1: with
 * easy_send and easy_recv, when the transfer has ended well. One of them must be called at once:
 * before, libcurl counts the connection as idle, and may close it when another transfer begins.
 * ca_file: NULL or "": the authorities
 * of the system. */
void transfer_set_connection(struct transfer *t, const char *url, const char *ca_file,
                             int64_t timeout_us);
void transfer_begin(struct transfer *t);
/* A header or method that would be more than one. */
bool transfer_has_break(const char *text);
/* Notes how long a request took, and whether it failed. */
void transfer_measure(struct http *http, int64_t elapsed_us, bool failed);
/* What a code of curl says of an HTTP request of which a part was sent. */
enum err_id transfer_error(CURLcode code);
/* In words; of TLS what is wrong with the certificate. Otherwise what curl says beyond its code is
 * not shown, since it may quote the URL. */
const char *transfer_why(const struct transfer *t, enum err_id id);
/* Why nothing was sent of one: there is no connection. */
enum err_id transfer_unsent_error(const struct transfer *t, bool tls);
/* Without memory libcurl leaves an option out; the request would then be another one. */
void transfer_need_memory(CURLcode code);
