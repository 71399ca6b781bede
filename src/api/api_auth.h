/*
 * api_auth.h: who calls, and whether they may: Host, Origin and CORS, the token with its address,
 * expiry and rate at a TCP listener, the uid at the socket, the role that the route asks for.
 *
 *     if (api_auth_preflight(&call) || !api_auth_admit(&call)) return;      // it was answered
 *
 * Always true: nobody is admitted whom a row of struct api_admission or api_readers does not name.
 * A token is compared by its hash, with all of them, in constant time. Every refusal is counted for
 * the audit log (api_tally.h).
 * Thread: a listener's; api_auth_publish and api_auth_release: ops.
 */
#pragma once

#include "access/login.h"
#include "api/api.h"
#include "base/address.h"
#include "store/token_table.h"

#include <stdbool.h>
#include <stdint.h>

#define API_TOKENS_MAX (TOKENS_MAX + 2) /* api.token, and the one before it for a while */
#define API_NAMES_MAX  9                /* api.hosts and api.public_url; api.cors_origins */
#define API_NAME_SIZE  128

struct api;
struct api_call;
struct config;
struct listener;
struct web_request;

struct api_token {
    char hash[SECRET_HASH_HEX_SIZE];
    int64_t id; /* as in struct principal */
    enum role role;
    struct access_token_times times;
    int network_count; /* 0: from everywhere */
    struct network networks[ACCESS_TOKEN_NETWORKS_MAX];
};

struct api_names {
    int count;
    char items[API_NAMES_MAX][API_NAME_SIZE];
};

/* What a TCP listener admits; the ops thread publishes it. */
struct api_admission {
    int64_t rate; /* requests a minute and token; 0: no limit */
    struct api_names hosts;
    struct api_names origins;
    bool mini_app;
    struct secret_key launch_key; /* of the Mini App */
    int login_count;
    char logins[LOGIN_OPEN_MAX][SECRET_HASH_HEX_SIZE]; /* links that nobody has used */
    int token_count;
    struct api_token tokens[API_TOKENS_MAX];
};

/* Answers the question of a browser whether a page of another origin may send a request. */
bool api_auth_preflight(struct api_call *call);
/* Sets the caller and the role of the call; false: it was refused, and has been answered. */
bool api_auth_admit(struct api_call *call);
/* Logging in, without a token. A wrong link, or data that Telegram has not signed, count as a wrong
 * token of the address. Errors: API_BLOCKED; LOGIN_LINK; LOGIN_OFF, LOGIN_DATA, LOGIN_OLD. */
int api_auth_may_try(const struct api_call *call, struct err *err);
int api_auth_link(const struct api_call *call, const char *hash, struct err *err);
int api_auth_launch(const struct api_call *call, struct str data, struct access_launch *ret,
                    struct err *err);
/* Whether the page may be shown inside Telegram: telegram.mini_app is on, and there is a bot. */
bool api_auth_mini_app(const struct api_call *call);
/* Whether a caller who was admitted before may still read: for answers that go on for long. */
bool api_auth_holds(struct listener *listener, int64_t caller);

/* The address of the client of the request that the listener handles; NULL: it has none. */
const struct address *api_auth_from(struct listener *listener, struct web_request *request);

/* Publishes who may call from now on. */
void api_auth_publish(struct api *api, const struct config *config);
/* After the listener's thread has ended. */
void api_auth_release(struct listener *listener);
