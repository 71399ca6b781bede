/* The listeners: opened when the port is free, watched, and given a new certificate when its file
 * has changed. */
#include "alerts/alerts.h"
#include "api_auth.h"
#include "api_internal.h"
#include "api_metrics.h"
#include "base/check.h"
#include "base/log.h"

#include <sys/stat.h>

/* Documented in api.h. Most programs use one connection; a page or a dashboard has six. */
#define SOCKET_CONNECTIONS 128
#define TCP_CONNECTIONS    1280
#define TCP_EACH           1024 /* the rest is for other addresses */
#define TICK_US            (5 * USEC_PER_SEC)
enum { TRUSTED_MAX = 16 };
/* A listener that runs answers within a millisecond. */
#define HUNG_US SHARED_SILENT_US

/* ---------------------------------------------------------------- alerts */

static void raise_alert(const struct listener *listener, const char *fingerprint,
                        const struct err *err)
{
    const struct api *api = listener->api;
    const struct err_info *info = err_info(err->id);
    AUTO_BUF struct buf text = BUF_INIT(1024);
    struct err failed = {0};
    int64_t id;
    log_err(LOG_LEVEL_ERROR, err,
            listener->channel == CHANNEL_SOCKET ? "the API's socket" : "the API's port");
    if (api->alerts == NULL) {
        return;
    }
    buf_addf(&text, "%s: %s. %s %s", listener->what, err->context, info->cause, info->impact);
    const struct alert_spec spec = {
        .type = ALERT_SERVICE,
        .severity = err->id == ERR_API_SILENT ? SEVERITY_CRITICAL : SEVERITY_HIGH,
        .source = "ops",
        .fingerprint = fingerprint,
        .title = info->message,
        .description = text.data,
        .recommendation = info->remediation,
    };
    if (alerts_raise(api->alerts, &spec, &id, &failed) < 0) {
        log_err(LOG_LEVEL_WARNING, &failed, "could not store an alert");
    }
}

static void resolve_alert(const struct listener *listener, const char *fingerprint, const char *why)
{
    struct err err = {0};
    if (listener->api->alerts != NULL &&
        alerts_resolve(listener->api->alerts, fingerprint, why, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not resolve an alert");
    }
}

static const char *fingerprint_of(const struct listener *listener, const char *const names[2])
{
    return names[listener->channel == CHANNEL_SOCKET ? 0 : 1];
}

static const char *const listen_alerts[2] = {"api:listen:socket", "api:listen:port"};
static const char *const silent_alerts[2] = {"api:silent:socket", "api:silent:port"};
static const char *const tls_alerts[2] = {"api:tls:socket", "api:tls:port"};

/* ---------------------------------------------------------------- certificates */

/* A value that changes with either file. */
static int64_t version_of(const struct listener *listener)
{
    int64_t sum = 0;
    const char *const paths[] = {listener->tls_cert, listener->tls_key};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct stat st = {0};
        if (stat(paths[i], &st) == 0) {
            sum = sum * 31 + st.st_mtim.tv_sec * 1000003 + st.st_mtim.tv_nsec +
                  (int64_t)st.st_ino * 17;
        }
    }
    return sum;
}

static void load_certificate(struct listener *listener)
{
    struct err err = {0};
    listener->tls_version = version_of(listener);
    if (web_tls_set(listener->web, listener->tls_cert, listener->tls_key, &err) < 0) {
        raise_alert(listener, fingerprint_of(listener, tls_alerts), &err);
    } else {
        LOG(NOTICE, "the API serves new connections with the certificate of %s",
            listener->tls_cert);
        resolve_alert(listener, fingerprint_of(listener, tls_alerts), "the certificate was loaded");
    }
}

/* ---------------------------------------------------------------- opening */

static void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = strdup(text);
    ASSERT(*slot != NULL);
}

static void open_listener(struct listener *listener)
{
    struct api *api = listener->api;
    const struct config *config = api->config;
    bool socket = listener->channel == CHANNEL_SOCKET;
    bool tls = !socket && config->api_tls_cert[0] != '\0';
    const char *trusted[TRUSTED_MAX + 1] = {NULL};
    struct err err = {0};
    for (int i = 0; !socket && i < config->api_trusted_proxies.count; i++) {
        ASSERT(i < TRUSTED_MAX);
        trusted[i] = config->api_trusted_proxies.items[i];
    }
    if (tls) {
        set_text(&listener->tls_cert, config->api_tls_cert);
        set_text(&listener->tls_key, config->api_tls_key);
        listener->tls_version = version_of(listener);
    }
    const struct web_options options = {
        .unix_path = socket ? listener->path : NULL,
        .address = config->api_listen,
        .port = listener->port,
        .tls_cert = tls ? listener->tls_cert : NULL,
        .tls_key = tls ? listener->tls_key : NULL,
        .trusted_proxies = trusted,
        .only_trusted = !tls,
        .limits = {.max_body_bytes = API_BODY_MAX,
                   .max_connections = socket ? SOCKET_CONNECTIONS : TCP_CONNECTIONS,
                   .max_connections_each = socket ? 0 : TCP_EACH},
        .handler = api_handle,
        .problem = api_problem_document,
        .userdata = listener,
    };
    if (web_start(&options, &listener->web, &err) == 0) {
        if (listener->refused) {
            LOG(NOTICE, "the API's %s is open now", listener->what);
        }
        listener->refused = false;
        resolve_alert(listener, fingerprint_of(listener, listen_alerts),
                      "the API listens as configured");
    } else if (!listener->refused) {
        listener->refused = true;
        raise_alert(listener, fingerprint_of(listener, listen_alerts), &err);
    }
}

/* ---------------------------------------------------------------- watching */

bool api_alive(const struct api *api)
{
    return api == NULL || (!api->socket.silent && !api->tcp.silent);
}

static void watch_listener(struct listener *listener)
{
    int64_t silent_us = web_silent_us(listener->web, clock_mono_us(clock_real()));
    struct err err = {0};
    if (silent_us >= HUNG_US && !listener->silent) {
        listener->silent = true;
        (void)err_set(&err, ERR_API_SILENT, "no sign of life for %lld s",
                      (long long)(silent_us / USEC_PER_SEC));
        raise_alert(listener, fingerprint_of(listener, silent_alerts), &err);
    } else if (silent_us == 0 && (listener->silent || !listener->poked)) {
        listener->silent = false; /* or the process before left the alert open */
        resolve_alert(listener, fingerprint_of(listener, silent_alerts), "it runs again");
    }
    listener->poked = true;
    web_poke(listener->web);
}

static void tick(void *userdata)
{
    struct api *api = userdata;
    struct listener *const listeners[] = {&api->socket, &api->tcp};
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        struct listener *listener = listeners[i];
        if (listener->what == NULL) {
            continue;
        }
        if (listener->web == NULL) {
            open_listener(listener);
            continue;
        }
        watch_listener(listener);
        if (listener->tls_cert != NULL && version_of(listener) != listener->tls_version) {
            load_certificate(listener);
        }
    }
}

void api_listen_reload(struct api *api)
{
    if (api->tcp.web != NULL && api->tcp.tls_cert != NULL) {
        load_certificate(&api->tcp);
    }
}

int api_listen_start(struct api *api, const struct api_options *options, struct err *err)
{
    struct listener *const listeners[] = {&api->socket, &api->tcp};
    api->listen_timer = loop_add_timer(api->loop, tick, api);
    loop_source_name(api->listen_timer, "api listeners");
    if (options->socket_path != NULL) {
        api->socket.what = "socket";
        api->socket.channel = CHANNEL_SOCKET;
        api->socket.reader = options->socket_reader;
        set_text(&api->socket.path, options->socket_path);
    }
    if (options->tcp) {
        api->tcp.what = "port";
        api->tcp.channel = CHANNEL_HTTP;
        api->tcp.reader = options->tcp_reader;
        api->tcp.port = options->port;
    }
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        struct listener *listener = listeners[i];
        listener->api = api;
        listener->stores = (struct api_stores){.state_dir = api->state_dir, .shared = api->shared};
        if (listener->what == NULL) {
            continue;
        }
        listener->jobs = ring_new(2 * API_JOBS_MAX, sizeof(struct api_job *));
        listener->wake = loop_add_wake(api->loop, api_command_accept, listener, err);
        if (listener->wake == NULL) {
            return -ERR_LOOP_SETUP;
        }
        loop_source_name(listener->wake, "api command");
        open_listener(listener);
    }
    loop_timer_every(api->listen_timer, TICK_US);
    return 0;
}

void api_listen_release(struct api *api)
{
    struct listener *const listeners[] = {&api->socket, &api->tcp};
    loop_source_free(api->listen_timer);
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        struct listener *listener = listeners[i];
        loop_source_free(listener->wake);
        ring_free(listener->jobs);
        /* The server has stopped. */
        web_content_free(listener->state);
        api_metrics_release(listener);
        free(listener->state_headers);
        api_stores_release(&listener->stores);
        api_auth_release(listener);
        free(listener->path);
        free(listener->tls_cert);
        free(listener->tls_key);
    }
}
