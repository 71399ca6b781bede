#include "api_auth.h"

#include "api_internal.h"
#include "api_limit.h"
#include "api_tally.h"
#include "base/check.h"
#include "call.h"
#include "io/secret.h"
#include "stream.h"

#include <string.h>

#define SCHEME "Bearer"
#define EXPOSED                                                                        \
    "Access-Control-Expose-Headers: ETag, Location, Retry-After, Warning, RateLimit, " \
    "RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
#define ALLOWED                                                                    \
    "Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, " \
    "If-None-Match, Last-Event-ID"

static const struct api_admission nobody;

static const struct api_admission *admission_of(const struct listener *listener)
{
    struct mailbox *box = atomic_load_explicit(&listener->admission, memory_order_acquire);
    return box == NULL ? &nobody : mailbox_latest(box, NULL);
}

/* ------------------------------------------------------------------------- Host and Origin ---- */

/* With DNS rebinding the Host is the web page's own name, which is none of these. */
static bool name_is_ours(const struct api_admission *a, struct str name, bool *ret_local)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    *ret_local = true;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(name, names[i])) {
            return true;
        }
    }
    *ret_local = false;
    for (int i = 0; i < a->hosts.count; i++) {
        if (str_equal_nocase(name, a->hosts.items[i])) {
            return true;
        }
    }
    return false;
}

static bool host_is_ours(const struct api_admission *a, struct str host)
{
    struct str name;
    int port;
    bool local;
    return web_authority(host, &name, &port) && name_is_ours(a, name, &local);
}

/* A page that nightdesk itself serves: on this machine, or through a proxy. */
static bool origin_is_ours(const struct api_admission *a, struct str origin)
{
    struct str name;
    int port;
    bool tls, local;
    return web_origin(origin, &tls, &name, &port) && name_is_ours(a, name, &local) &&
           (!tls || !local);
}

/* The text of api.cors_origins that is this origin; NULL: none. */
static const char *origin_allowed(const struct api_admission *a, struct str origin)
{
    for (int i = 0; i < a->origins.count; i++) {
        if (str_equal_nocase(origin, a->origins.items[i])) {
            return a->origins.items[i];
        }
    }
    return NULL;
}

static int check_origin(const struct api_call *call, const struct api_admission *a, struct err *err)
{
    struct str host = web_header(call->request, "Host");
    struct str origin = web_header(call->request, "Origin");
    if (!host_is_ours(a, host)) {
        return err_set(err, ERR_API_FOREIGN, "Host %.*s", host.len > 60 ? 60 : (int)host.len,
                       host.ptr);
    }
    return origin.len == 0 || origin_is_ours(a, origin) || origin_allowed(a, origin) != NULL
               ? 0
               : err_set(err, ERR_API_FOREIGN, "Origin %.*s",
                         origin.len > 60 ? 60 : (int)origin.len, origin.ptr);
}

/* An answer that depends on the origin says so, so that no cache gives it to another. */
static void add_cors(struct web_request *request, const struct api_admission *a)
{
    const char *allowed = origin_allowed(a, web_header(request, "Origin"));
    if (a->origins.count == 0) {
        return;
    }
    web_add_header(request, "Vary: Origin");
    if (allowed != NULL) {
        char header[API_NAME_SIZE + 40];
        (void)snprintf(header, sizeof(header), "Access-Control-Allow-Origin: %s", allowed);
        web_add_header(request, header);
        web_add_header(request, EXPOSED);
    }
}

/* ---------------------------------------------------------------------------------- refusals -- */

/* Read at most once for a request, and not for most: it costs a system call. */
const struct address *api_auth_from(struct listener *listener, struct web_request *request)
{
    if (listener->channel == CHANNEL_HTTP && !listener->from_read) {
        struct str remote = web_remote(request);
        listener->from_read = true;
        listener->from_known =
            address_parse_peer(remote, &listener->from) || address_parse(remote, &listener->from);
    }
    return listener->channel == CHANNEL_HTTP && listener->from_known ? &listener->from : NULL;
}

static void note(const struct api_call *call, int64_t caller, enum err_id refused,
                 int64_t blocked_s)
{
    struct api_note n = {.request = call->request,
                         .caller = caller,
                         .route = call->route == NULL ? NULL : call->route->path,
                         .refused = refused,
                         .counts = call->route != NULL && call->route->gate == ROUTE_ROLE,
                         .blocked_s = blocked_s};
    api_tally_note(call->listener, &n);
}

static void add_retry(const struct api_call *call, int64_t seconds)
{
    char header[40];
    (void)snprintf(header, sizeof(header), "Retry-After: %lld", (long long)seconds);
    web_add_header(call->request, header);
}

/* ------------------------------------------------------------------------------- the token ---- */

/* The text behind "Bearer "; *ret is empty without a header. */
static int read_bearer(const struct api_call *call, struct str *ret, struct err *err)
{
    struct str header = web_header(call->request, "Authorization");
    size_t len = strlen(SCHEME);
    *ret = str_c("");
    if (header.len == 0) {
        return 0;
    }
    size_t word = 0;
    while (word < header.len && header.ptr[word] != ' ') {
        word++;
    }
    if (word != len || !str_equal_nocase(str_n(header.ptr, len), SCHEME)) {
        return err_set(err, ERR_API_UNAUTHORIZED, "the scheme of Authorization is not " SCHEME);
    }
    *ret = str_n(header.ptr + word, header.len - word);
    if (ret->len < 2) {
        return err_set(err, ERR_API_TOKEN_SHAPE, "nothing follows " SCHEME);
    }
    *ret = str_n(ret->ptr + 1, ret->len - 1);
    for (size_t i = 0; i < ret->len; i++) {
        if (ret->ptr[i] <= ' ' || ret->ptr[i] > '~') { /* also what is not ASCII */
            return err_set(err, ERR_API_TOKEN_SHAPE,
                           "it has a blank or a character that no token "
                           "has");
        }
    }
    if (ret->len > API_TOKEN_MAX) {
        return err_set(err, ERR_API_TOKEN_SHAPE, "%zu characters", ret->len);
    }
    return 0;
}

/* The token with this hash; -1: there is none. The time it takes says nothing about the hashes. */
static int find_token(const struct api_admission *a, struct str token)
{
    char hash[SECRET_HASH_HEX_SIZE];
    int found = -1;
    access_token_hash(token, hash);
    for (int i = 0; i < a->token_count; i++) {
        found = secret_equal(str_c(a->tokens[i].hash), str_c(hash)) ? i : found;
    }
    return found;
}

static struct api_limits *limits_of(struct listener *listener)
{
    if (listener->limits == NULL) {
        listener->limits = api_limits_new();
    }
    return listener->limits;
}

/* Counts a wrong secret of the address. API_BLOCKED: there were too many. */
static int count_guess(const struct api_call *call, enum err_id refused, struct err *err)
{
    const struct address *from = api_auth_from(call->listener, call->request);
    int64_t now_us = clock_mono_us(clock_real()), waits_s = 0, blocked_s = 0;
    if (from != NULL) {
        struct api_limits *limits = limits_of(call->listener);
        waits_s = api_limit_blocked_s(limits, from, now_us);
        blocked_s = api_limit_fail(limits, from, now_us);
    }
    note(call, -1, refused, blocked_s);
    if (waits_s > 0) { /* of this machine, where others may have the right one */
        add_retry(call, blocked_s);
        return err_set(err, ERR_API_BLOCKED, "for %lld s", (long long)blocked_s);
    }
    return 0;
}

/* A wrong token is a guess, unless it was only copied badly. */
static int refuse_unknown(const struct api_call *call, const struct api_admission *a,
                          struct str token, struct err *err)
{
    if (str_starts(token, ACCESS_TOKEN_PREFIX) && !access_token_is_shaped(token)) {
        note(call, -1, ERR_API_TOKEN_SHAPE, 0);
        return err_set(err, ERR_API_TOKEN_SHAPE, "%zu characters, not %zu", token.len,
                       ACCESS_TOKEN_SIZE - 1);
    }
    int rc = count_guess(call, ERR_API_UNAUTHORIZED, err);
    return rc < 0
               ? rc
               : err_set(err, ERR_API_UNAUTHORIZED, "%s",
                         a->token_count == 0 ? "there is no token; nightdesk token create makes one"
                                             : "nobody has this token");
}

static bool is_from(const struct api_token *t, const struct address *from)
{
    if (t->network_count > 0 && from == NULL) {
        return false;
    }
    for (int i = 0; i < t->network_count; i++) {
        if (network_has(&t->networks[i], from)) {
            return true;
        }
    }
    return t->network_count == 0;
}

static int check_times(const struct api_token *t, struct err *err)
{
    enum err_id id = access_token_check(&t->times, clock_wall_us(clock_real()));
    AUTO_BUF struct buf when = BUF_INIT(64);
    bool revoked = t->times.revoked_us != 0;
    if (id == ERR_NONE) {
        return 0;
    }
    clock_add_iso(&when,
                  id == ERR_API_TOKEN_CLOCK ? t->times.created_us
                  : revoked                 ? t->times.revoked_us
                                            : t->times.expires_us,
                  false);
    return err_set(err, id, "%s %s",
                   id == ERR_API_TOKEN_CLOCK ? "it was made at"
                   : revoked                 ? "it was revoked at"
                                             : "it expired at",
                   when.data);
}

static void add_quota(struct web_request *request, int64_t rate, const struct api_quota *q)
{
    int64_t left = q->left > 0 ? q->left : 0;
    const struct {
        const char *name;
        int64_t value;
    } plain[] = {{"Limit", rate}, {"Remaining", left}, {"Reset", q->reset_s}};
    char header[96];
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        (void)snprintf(header, sizeof(header), "RateLimit-%s: %lld", plain[i].name,
                       (long long)plain[i].value);
        web_add_header(request, header);
    }
    (void)snprintf(header, sizeof(header), "RateLimit-Policy: \"minute\";q=%lld;w=60",
                   (long long)rate);
    web_add_header(request, header);
    (void)snprintf(header, sizeof(header), "RateLimit: \"minute\";r=%lld;t=%lld", (long long)left,
                   (long long)q->reset_s);
    web_add_header(request, header);
}

static int check_rate(const struct api_call *call, const struct api_admission *a, int slot,
                      struct err *err)
{
    if (a->rate == 0) {
        return 0;
    }
    const struct api_quota q = api_limit_take(limits_of(call->listener), slot, a->tokens[slot].id,
                                              a->rate, clock_mono_us(clock_real()));
    add_quota(call->request, a->rate, &q);
    if (q.left >= 0) {
        return 0;
    }
    add_retry(call, q.reset_s);
    return err_set(err, ERR_API_RATE, "%lld in a minute", (long long)a->rate);
}

static int check_token(const struct api_call *call, const struct api_admission *a, int slot,
                       struct err *err)
{
    const struct api_token *t = &a->tokens[slot];
    int rc = check_times(t, err);
    if (rc == 0 && t->role == ROLE_NONE) { /* a session */
        rc = err_set(err, ERR_API_TOKEN_ENDED, "its person has no role any more");
    }
    const struct address *from =
        t->network_count == 0 ? NULL : api_auth_from(call->listener, call->request);
    if (rc == 0 && !is_from(t, from)) {
        AUTO_BUF struct buf text = BUF_INIT(64);
        if (from != NULL) {
            address_add(&text, from);
        }
        rc = err_set(err, ERR_API_TOKEN_ADDRESS, "%s", text.data);
    }
    return rc < 0 ? rc : check_rate(call, a, slot, err);
}

/* At the address of this machine a wrong token shuts nobody out who has the right one: all programs
 * here, and all clients of a proxy that does not name them, have that address. */
static int check_blocked(const struct api_call *call, struct err *err)
{
    if (call->listener->limits == NULL || !api_limit_any(call->listener->limits)) {
        return 0;
    }
    const struct address *from = api_auth_from(call->listener, call->request);
    if (from == NULL || address_is_loopback(from)) {
        return 0;
    }
    int64_t waits_s =
        api_limit_blocked_s(call->listener->limits, from, clock_mono_us(clock_real()));
    if (waits_s == 0) {
        return 0;
    }
    add_retry(call, waits_s);
    return err_set(err, ERR_API_BLOCKED, "for %lld s", (long long)waits_s);
}

static int admit_tcp(struct api_call *call, const struct api_admission *a, struct err *err)
{
    struct str token = str_c("");
    int rc = check_blocked(call, err);
    rc = rc < 0 ? rc : read_bearer(call, &token, err);
    if (rc == 0 && token.len == 0) {
        rc = err_set(err, ERR_API_UNAUTHORIZED, "there is no header Authorization");
    }
    if (rc < 0) {
        note(call, -1, err->id, 0);
        return rc;
    }
    int slot = find_token(a, token);
    if (slot < 0) {
        return refuse_unknown(call, a, token, err);
    }
    call->listener->caller = a->tokens[slot].id;
    call->role = a->tokens[slot].role;
    rc = check_token(call, a, slot, err);
    if (rc < 0) {
        note(call, a->tokens[slot].id, err->id, 0);
    }
    return rc;
}

/* ------------------------------------------------------------------------------- logging in ----
 */

int api_auth_may_try(const struct api_call *call, struct err *err)
{
    int rc = check_blocked(call, err);
    if (rc < 0) {
        note(call, -1, err->id, 0);
    }
    return rc;
}

int api_auth_link(const struct api_call *call, const char *hash, struct err *err)
{
    const struct api_admission *a = admission_of(call->listener);
    bool known = false;
    for (int i = 0; i < a->login_count; i++) {
        known = secret_equal(str_c(a->logins[i]), str_c(hash)) || known;
    }
    int rc = known ? 0 : count_guess(call, ERR_LOGIN_LINK, err);
    return rc < 0 || known
               ? rc
               : err_set(err, ERR_LOGIN_LINK, "it was used, has expired, was replaced or is wrong");
}

bool api_auth_mini_app(const struct api_call *call)
{
    return admission_of(call->listener)->mini_app;
}

int api_auth_launch(const struct api_call *call, struct str data, struct access_launch *ret,
                    struct err *err)
{
    const struct api_admission *a = admission_of(call->listener);
    int rc = a->mini_app
                 ? access_launch_check(&a->launch_key, data, clock_wall_us(clock_real()), ret, err)
                 : err_set(err, ERR_LOGIN_OFF, "telegram.mini_app is false");
    struct err blocked = {0};
    if (rc == -ERR_LOGIN_DATA && count_guess(call, err->id, &blocked) < 0) {
        *err = blocked;
        return -ERR_API_BLOCKED;
    }
    if (rc < 0 && rc != -ERR_LOGIN_DATA) {
        note(call, -1, err->id, 0);
    }
    return rc;
}

/* ------------------------------------------------------------------------------ the socket ---- */

static enum role role_of_uid(const struct api_readers *readers, int64_t uid)
{
    if (uid == 0 || uid == readers->own_uid) {
        return ROLE_ADMIN;
    }
    for (int i = 0; i < readers->uid_count; i++) {
        if (readers->uids[i].uid == uid) {
            return readers->uids[i].role;
        }
    }
    return ROLE_NONE;
}

static int admit_socket(struct api_call *call, struct err *err)
{
    int64_t uid = call->listener->caller;
    call->role = role_of_uid(mailbox_latest(call->listener->readers, NULL), uid);
    if (call->role != ROLE_NONE) {
        return 0;
    }
    note(call, uid, ERR_API_UID, 0);
    return err_set(err, ERR_API_UID, "uid %lld is not in api.local_users", (long long)uid);
}

/* -------------------------------------------------------------------------------- all of it ----
 */

static int check_role(const struct api_call *call, struct err *err)
{
    if (call->route == NULL || call->role >= call->route->least) {
        return 0;
    }
    note(call, call->listener->caller, ERR_ACCESS_DENIED, 0);
    return err_set(err, ERR_ACCESS_DENIED, "%s needs %s, and the caller is %s", call->route->path,
                   role_name(call->route->least), role_name(call->role));
}

/* A path that is not served is answered to those only who may read. */
static int admit(struct api_call *call, const struct api_admission *a, struct err *err)
{
    bool socket = call->listener->channel == CHANNEL_SOCKET;
    enum route_gate gate = call->route == NULL ? ROUTE_ROLE : call->route->gate;
    if (gate == ROUTE_OPEN || (gate == ROUTE_OPS && socket)) {
        return 0;
    }
    bool ticket = gate == ROUTE_TICKET && web_has_query(call->request, "ticket");
    int rc = socket   ? admit_socket(call, err)
             : ticket ? stream_ticket_admit(call, err)
                      : admit_tcp(call, a, err);
    if (rc < 0 && ticket && !socket) {
        note(call, -1, err->id, 0);
    }
    rc = rc < 0 ? rc : check_role(call, err);
    if (rc == 0) {
        note(call, call->listener->caller, ERR_NONE, 0);
    }
    return rc;
}

bool api_auth_admit(struct api_call *call)
{
    bool socket = call->listener->channel == CHANNEL_SOCKET;
    const struct api_admission *a = admission_of(call->listener);
    struct err err = {0};
    call->listener->caller = socket ? web_peer_uid(call->request) : -1;
    call->listener->from_read = false;
    int rc = 0;
    if (!socket) {
        add_cors(call->request, a);
        rc = check_origin(call, a, &err);
        if (rc < 0) {
            note(call, -1, ERR_API_FOREIGN, 0);
        }
    }
    rc = rc < 0 ? rc : admit(call, a, &err);
    if (rc < 0) {
        api_answer_err(call->request, &err);
    }
    return rc == 0;
}

bool api_auth_preflight(struct api_call *call)
{
    const struct api_admission *a = admission_of(call->listener);
    char methods[128], text[96] = "";
    struct web_request *request = call->request;
    if (!str_equal_c(web_method(request), "OPTIONS") ||
        web_header(request, "Access-Control-Request-Method").len == 0 ||
        origin_allowed(a, web_header(request, "Origin")) == NULL ||
        !host_is_ours(a, web_header(request, "Host"))) {
        return false;
    }
    route_methods(web_path(request), text, sizeof(text));
    (void)snprintf(methods, sizeof(methods), "Access-Control-Allow-Methods: %s",
                   text[0] == '\0' ? "GET" : text);
    const char *const headers[] = {methods, ALLOWED, "Access-Control-Max-Age: 600", NULL};
    add_cors(request, a);
    web_answer(request, &(struct web_answer){.status = 204, .headers = headers});
    return true;
}

bool api_auth_holds(struct listener *listener, int64_t caller)
{
    if (listener->channel == CHANNEL_SOCKET) {
        return role_of_uid(mailbox_latest(listener->readers, NULL), caller) != ROLE_NONE;
    }
    const struct api_admission *a = admission_of(listener);
    for (int i = 0; i < a->token_count; i++) {
        if (a->tokens[i].id == caller && a->tokens[i].role != ROLE_NONE &&
            check_times(&a->tokens[i], NULL) == 0) {
            return true;
        }
    }
    return false;
}

/* --------------------------------------------------------------------------------- publish ---- */

static void publish_uids(struct listener *listener, const struct config *config)
{
    struct api_readers *draft = mailbox_draft(listener->readers);
    draft->own_uid = (int64_t)geteuid();
    draft->uid_count = 0;
    for (int i = 0; i < config->local_count; i++) {
        enum role role = ROLE_NONE;
        (void)role_parse(str_c(config->locals[i].role), &role);
        draft->uids[draft->uid_count].uid = config->locals[i].uid;
        draft->uids[draft->uid_count++].role = role;
    }
    mailbox_publish(listener->readers);
}

static void copy_names(const struct config_texts *from, struct api_names *ret)
{
    ret->count = 0;
    for (int i = 0; i < from->count && i < API_NAMES_MAX; i++) {
        ret->count +=
            str_copy(str_c(from->items[i]), ret->items[ret->count], API_NAME_SIZE) ? 1 : 0;
    }
}

/* Of api.token, which is an operator (access_identify). */
static void add_configured(struct api_admission *a, const char *token, int64_t until_us)
{
    if (token[0] == '\0') {
        return;
    }
    struct api_token *t = &a->tokens[a->token_count++];
    *t = (struct api_token){.role = ROLE_OPERATOR, .times = {.expires_us = until_us}};
    access_token_hash(str_c(token), t->hash);
}

static void add_public_host(const struct config *config, struct api_names *hosts)
{
    bool tls;
    struct str host;
    int port;
    if (web_origin(str_c(config->api_public_url), &tls, &host, &port)) {
        hosts->count += str_copy(host, hosts->items[hosts->count], API_NAME_SIZE) ? 1 : 0;
    }
}

static void fill_admission(const struct api *api, const struct config *config,
                           struct api_admission *a)
{
    struct access_token token;
    a->rate = config->api_rate;
    copy_names(&config->api_hosts, &a->hosts);
    copy_names(&config->api_cors_origins, &a->origins);
    add_public_host(config, &a->hosts);
    a->mini_app = access_launch_key(config, &a->launch_key);
    a->login_count = 0;
    const char *login;
    while ((login = access_login_at(api->access, a->login_count)) != NULL) {
        (void)str_copy(str_c(login), a->logins[a->login_count++], sizeof(a->logins[0]));
    }
    a->token_count = 0;
    for (int i = 0; i < TOKENS_MAX && access_token_at(api->access, i, &token); i++) {
        struct api_token *t = &a->tokens[a->token_count++];
        *t = (struct api_token){.id = token.id,
                                .role = token.role,
                                .times = token.times,
                                .network_count = token.network_count};
        memcpy(t->networks, token.networks, sizeof(t->networks));
        (void)str_copy(str_c(token.hash), t->hash, sizeof(t->hash));
    }
    add_configured(a, config->api_token, 0);
    if (api->before_until_us > 0) {
        add_configured(a, api->before, api->before_until_us);
    }
}

void api_auth_publish(struct api *api, const struct config *config)
{
    struct access_token token;
    publish_uids(&api->socket, config);
    publish_uids(&api->tcp, config);
    struct mailbox *box = atomic_load_explicit(&api->tcp.admission, memory_order_relaxed);
    bool needed = config->api_token[0] != '\0' || config->api_hosts.count > 0 ||
                  config->api_cors_origins.count > 0 || config->api_public_url[0] != '\0' ||
                  config->telegram_mini_app || access_login_at(api->access, 0) != NULL ||
                  access_token_at(api->access, 0, &token);
    if (box == NULL && !needed) {
        return; /* most desks have no token, and need not have room for any */
    }
    bool fresh = box == NULL;
    box = fresh ? mailbox_new(sizeof(struct api_admission)) : box;
    fill_admission(api, config, mailbox_draft(box));
    mailbox_publish(box);
    if (fresh) {
        atomic_store_explicit(&api->tcp.admission, box, memory_order_release);
    }
}

void api_auth_release(struct listener *listener)
{
    mailbox_free(listener->readers);
    mailbox_free(atomic_load_explicit(&listener->admission, memory_order_relaxed));
    api_limits_free(listener->limits);
}
