/*
 * web_private.h: libmicrohttpd behind include/io/web.h, shared by web.c (requests and answers)
 * and web_line.c (connections that are taken over). Private to this module.
 *
 *     struct MHD_Response *response = mhd.create_response_for_upgrade(on_upgrade, offer);
 *     web_answer_response(request, MHD_HTTP_SWITCHING_PROTOCOLS,
 *                         &(struct web_response){.response = response, .headers = headers});
 *
 * Thread: a server's own, inside its handler.
 */
#pragma once

#include "io/web.h"

#include <microhttpd.h>

/* Loaded by web_start. */
/* clang-format off */
#define MHD_FUNCTIONS(X) \
    X(add_response_header) X(create_post_processor) X(create_response_for_upgrade) \
    X(create_response_from_buffer) X(create_response_from_callback) \
    X(destroy_post_processor) X(destroy_response) X(get_connection_info) \
    X(get_connection_values_n) X(lookup_connection_value_n) X(post_process) \
    X(queue_response) X(resume_connection) X(start_daemon) X(stop_daemon) \
    X(suspend_connection) X(upgrade_action)
/* clang-format on */

struct mhd_functions {
#define X(name) __typeof__(MHD_##name) *name;
    MHD_FUNCTIONS(X)
#undef X
};
extern struct mhd_functions mhd;

/* Of a request that is not held (ASSERT). */
struct MHD_Connection *web_connection(struct web_request *request);
typedef void (*web_end_fn)(void *userdata);
struct web_response {
    struct MHD_Response *response; /* taken over */
    const char *const *headers;    /* added to it; as in struct web_answer */
    /* Runs when the connection has left the request, on the server's thread; NULL: nobody asks. */
    web_end_fn on_end;
    void *userdata;
};
/* Answers a request that is not held (ASSERT). */
void web_answer_response(struct web_request *request, unsigned status,
                         const struct web_response *with);
