/*
 * http_rig.h: the HTTP client and our own server on one loop, and the last answer.
 *
 *     struct http_rig d;
 *     http_rig_open(&d, &http_rig_plain);                    // NULL: no server
 *     http_rig_call(&d, "/echo?q=1", (struct http_request){0});
 *     assert_int_equal(d.status, 200);
 *     http_rig_close(&d);
 *
 * The server has: /echo, /form, /whoami, /large (10 MiB), /hold, /quick (held and answered at
 * once), /added?as=own|kept|held (with one more header), /kept, /nothing (no answer), and redirects
 * from everything else to /echo.
 * Thread: the test's; the server has its own.
 */
#pragma once

#include "io/http.h"
#include "io/loop.h"
#include "io/web.h"

struct http_rig {
    struct loop *loop;
    struct http *http;
    struct web *web;
    char url[128];

    /* The last response. */
    int answers;
    enum http_outcome outcome;
    int status;
    int err_id;
    char context[256];
    char body[256];
    size_t body_len;
    int64_t retry_after_s;
    char type[64];
};

extern const struct web_options http_rig_plain; /* of the server */
extern struct web_content *http_rig_kept;       /* of /kept and /added?as=kept: the test sets it */

void http_rig_open(struct http_rig *d, const struct web_options *options);
void http_rig_close(struct http_rig *d);
int http_rig_requests(void); /* that have reached the handler since it was opened */

/* The callback of a call: notes its response. */
void http_rig_on_answer(const struct http_response *r, void *rig);
struct http_call *http_rig_send(struct http_rig *d, const char *path, struct http_request request);
/* Runs the loop until the next response. */
void http_rig_wait(struct http_rig *d);
/* Both. */
void http_rig_call(struct http_rig *d, const char *path, struct http_request request);

/* The request that /hold has; NULL: none. The caller answers it. */
struct web_request *http_rig_take_held(void);
/* Runs the loop until there is one. */
struct web_request *http_rig_wait_held(struct http_rig *d);
