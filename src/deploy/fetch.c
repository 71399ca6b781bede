/* deploy.fetch: copies an artefact and its signature into <root>/incoming, from a file of this
 * machine or from a URL. */
#include "base/check.h"
#include "deploy_internal.h"
#include "io/file.h"
#include "io/http.h"
#include "io/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FETCH_MS      (15 * 60 * 1000)
#define SIG_MS        30000
#define FETCH_URL_MAX ((size_t)8192) /* a signed URL is long */
#define REDIRECTS_MAX 5

/* What a helper does for a fetch; it owns all of it. */
struct fetch_job {
    int (*run)(struct fetch_job *job, struct err *err);
    atomic_bool stop;
    char root[LAYOUT_ROOT_SIZE];
    char from[VALUE_TEXT_MAX + 1]; /* a path or URL */
    struct buf sig;
    int fd, lock; /* -1: none */
    int rc;
    struct err err;
};

struct fetch {
    struct deploy *deploy;
    struct fetch *next;
    struct action_call *call;
    char service[32];
    struct buf url;     /* of the request; redirects replace it */
    struct buf sig_url; /* of the signature */
    int redirects;      /* of this file */
    char header[600];   /* "": none; only for the URL that was given */
    char root[LAYOUT_ROOT_SIZE];
    struct fetch_job *data; /* of job */
    struct pool_job *job;   /* one of these two, or NULL */
    struct http_call *http;
    int fd, lock;
};

/* ---------------------------------------------------------------- on a helper */

static int copy_file(struct fetch_job *job, struct err *err)
{
    return incoming_copy(job->root, job->from, &job->stop, err);
}

static int prepare(struct fetch_job *job, struct err *err)
{
    job->from[strcspn(job->from, "?")] = '\0';
    return incoming_begin(job->root, job->from, &job->fd, err);
}

static int keep_signature(struct fetch_job *job, struct err *err)
{
    char path[PATH_MAX], sig[PATH_MAX];
    int rc = incoming_find(job->root, path, err);
    if (rc < 0 || job->sig.len == 0) {
        return rc;
    }
    int n = snprintf(sig, sizeof(sig), "%s" SIGNATURE_SUFFIX, path);
    ASSERT(n > 0 && (size_t)n < sizeof(sig));
    return file_write(sig, buf_str(&job->sig), 0600, err);
}

static int discard(struct fetch_job *job, struct err *err)
{
    (void)err;
    incoming_clear(job->root);
    return 0;
}

static void run_job(void *data)
{
    struct fetch_job *job = data;
    job->rc = job->lock >= 0 ? 0 : layout_lock(job->root, &job->lock, &job->err);
    job->rc = job->rc < 0 ? job->rc : job->run(job, &job->err);
}

static void drop_job(void *data)
{
    struct fetch_job *job = data;
    if (job->fd >= 0) {
        (void)close(job->fd);
    }
    if (job->lock >= 0) {
        (void)close(job->lock);
    }
    buf_release(&job->sig);
    free(job);
}

/* ---------------------------------------------------------------- on the loop */

static void on_job(void *data, void *userdata);

static void on_discarded(void *data, void *userdata)
{
    (void)data;
    (void)userdata;
}

/* The job gets the descriptors. fetch->call may be over: then nothing waits for it. */
static int start_job(struct fetch *f, int (*run)(struct fetch_job *job, struct err *err),
                     const char *from, const struct buf *sig, struct err *err)
{
    struct fetch_job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->run = run;
    job->fd = TAKE_FD(f->fd);
    job->lock = TAKE_FD(f->lock);
    buf_init(&job->sig, INCOMING_SIG_MAX);
    (void)str_copy(str_c(f->root), job->root, sizeof(job->root));
    (void)str_copy(str_c(from), job->from, sizeof(job->from));
    if (sig != NULL) {
        buf_add_str(&job->sig, buf_str(sig));
    }
    bool waits = run != discard;
    struct pool_job *started = pool_start(f->deploy->o.helpers,
                                          &(struct pool_work){.data = job,
                                                              .work = run_job,
                                                              .done = waits ? on_job : on_discarded,
                                                              .drop = drop_job,
                                                              .userdata = waits ? f : NULL},
                                          err);
    if (started == NULL) {
        drop_job(job);
        return -ERR_POOL_BUSY;
    }
    f->job = waits ? started : NULL;
    f->data = waits ? job : NULL;
    return 0;
}

static void fetch_free(struct fetch *f)
{
    struct fetch **at = &f->deploy->fetches;
    while (*at != NULL && *at != f) {
        at = &(*at)->next;
    }
    if (*at == f) {
        *at = f->next;
    }
    if (f->http != NULL) {
        http_cancel(f->http);
    }
    if (f->job != NULL) {
        atomic_store(&f->data->stop, true);
        pool_cancel(f->job);
    }
    if (f->fd >= 0) {
        (void)close(f->fd);
    }
    if (f->lock >= 0) {
        (void)close(f->lock);
    }
    buf_release(&f->url);
    buf_release(&f->sig_url);
    free(f);
}

static void finish(struct fetch *f, const struct err *err)
{
    struct action_call *call = f->call;
    action_set_state(call, NULL);
    if (err != NULL && f->lock >= 0) {
        (void)start_job(f, discard, "", NULL, NULL); /* else the next fetch removes it */
    } else if (err == NULL) {
        reply_title(action_reply(call), TONE_GOOD, "%s: release fetched", f->service);
    }
    fetch_free(f);
    action_finish(call, err);
}

static bool is_found(const struct http_response *response, const char *url, struct err *err)
{
    AUTO_BUF struct buf shown = BUF_INIT(FETCH_URL_MAX);
    if (response->outcome != HTTP_OK) {
        *err = response->err;
        return false;
    }
    if (response->status != 200) {
        http_redact_url(str_c(url), &shown);
        (void)err_set(err, ERR_RELEASE_FETCH, "%s: HTTP %d", shown.data, response->status);
        return false;
    }
    return true;
}

static int send(struct fetch *f, size_t max, int fd, int64_t timeout_ms, http_fn fn,
                struct err *err)
{
    const char *const headers[] = {f->header, NULL};
    bool with_header = f->header[0] != '\0' && f->redirects == 0;
    f->http = http_send(f->deploy->o.http,
                        &(struct http_request){.url = f->url.data,
                                               .headers = with_header ? headers : NULL,
                                               .max_body_bytes = max,
                                               .body_fd = fd,
                                               .timeout_ms = timeout_ms},
                        fn, f, err);
    return f->http == NULL ? -ERR_HTTP_URL : 0;
}

/* 1: the response leads on, and f->url is where to; the token is not sent there. 0: it does not.
 * Negative: it must not be followed. */
static int follow(struct fetch *f, const struct http_response *response, struct err *err)
{
    const char *location = http_header(response, "location");
    bool leads = response->outcome == HTTP_OK && location != NULL &&
                 (response->status == 301 || response->status == 302 || response->status == 303 ||
                  response->status == 307 || response->status == 308);
    AUTO_BUF struct buf next = BUF_INIT(FETCH_URL_MAX), shown = BUF_INIT(FETCH_URL_MAX);
    if (!leads) {
        return 0;
    }
    bool good = http_join_url(f->url.data, location, &next);
    http_redact_url(buf_str(&next), &shown);
    if (!good || !fetch_may_follow(f->url.data, next.data)) {
        return err_set(err, ERR_RELEASE_REDIRECT, "to %s",
                       good ? shown.data : "a URL that is malformed or too long");
    }
    if (++f->redirects > REDIRECTS_MAX) {
        return err_set(err, ERR_RELEASE_REDIRECT, "more than %d, the last to %s", REDIRECTS_MAX,
                       shown.data);
    }
    buf_clear(&f->url);
    buf_add_str(&f->url, buf_str(&next));
    return 1;
}

static void on_signature(const struct http_response *response, void *userdata)
{
    struct fetch *f = userdata;
    struct err err = {0};
    f->http = NULL;
    int leads = follow(f, response, &err);
    if (leads != 0) {
        if (leads < 0 || send(f, INCOMING_SIG_MAX, 0, SIG_MS, on_signature, &err) < 0) {
            finish(f, &err);
        }
        return;
    }
    bool missing =
        response->outcome == HTTP_OK && (response->status == 404 || response->status == 410);
    if (!missing && !is_found(response, f->url.data, &err)) {
        finish(f, &err);
        return;
    }
    AUTO_BUF struct buf sig = BUF_INIT(INCOMING_SIG_MAX);
    if (!missing) { /* whether it needs one is decided later */
        buf_add_str(&sig, response->body);
    }
    if (start_job(f, keep_signature, "", &sig, &err) < 0) {
        finish(f, &err);
    }
}

static void on_artefact(const struct http_response *response, void *userdata);

/* What the server sent with a redirect is no part of the artefact. */
static int fetch_artefact(struct fetch *f, struct err *err)
{
    if (f->redirects > 0 && (ftruncate(f->fd, 0) < 0 || lseek(f->fd, 0, SEEK_SET) < 0)) {
        return file_error(err, errno, "empty the file of", "a release that is fetched");
    }
    return send(f, (size_t)INCOMING_BYTES_MAX, f->fd, FETCH_MS, on_artefact, err);
}

static void on_artefact(const struct http_response *response, void *userdata)
{
    struct fetch *f = userdata;
    struct err err = {0};
    f->http = NULL;
    int leads = follow(f, response, &err);
    bool good = leads == 0 && is_found(response, f->url.data, &err);
    if (leads == 1) {
        good = fetch_artefact(f, &err) == 0;
    } else if (good) {
        buf_clear(&f->url);
        buf_add_str(&f->url, buf_str(&f->sig_url));
        f->redirects = 0;
        good = send(f, INCOMING_SIG_MAX, 0, SIG_MS, on_signature, &err) == 0;
    }
    if (!good) {
        finish(f, &err);
    }
}

static void on_job(void *data, void *userdata)
{
    struct fetch_job *job = data;
    struct fetch *f = userdata;
    bool downloads = job->run == prepare && job->rc == 0;
    f->job = NULL;
    f->data = NULL;
    f->lock = TAKE_FD(job->lock);
    f->fd = TAKE_FD(job->fd);
    if (!downloads) {
        finish(f, job->rc < 0 ? &job->err : NULL);
        return;
    }
    struct err err = {0};
    AUTO_BUF struct buf shown = BUF_INIT(FETCH_URL_MAX);
    http_redact_url(buf_str(&f->url), &shown);
    action_progress(f->call, "fetching %s", shown.data);
    if (fetch_artefact(f, &err) < 0) {
        finish(f, &err);
    }
}

/* ---------------------------------------------------------------- the action */

static bool is_url(const char *text)
{
    return strstr(text, "://") != NULL;
}

/* Of what is allowed, the path decides where it leads: plain characters only. The query may hold a
 * signature: whatever a URL may hold, but no fragment. */
static int check_url(const struct config_service *s, const char *url, struct err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~/:[]+";
    AUTO_BUF struct buf shown = BUF_INIT(FETCH_URL_MAX);
    size_t path = strcspn(url, "?");
    bool allowed = strspn(url, plain) == path && strstr(url, "..") == NULL;
    bool found = false;
    for (const char *at = url + path; *at != '\0'; at++) {
        allowed = allowed && *at > ' ' && *at < 0x7f && strchr("#\"'<>\\^`{|}", *at) == NULL;
    }
    for (int i = 0; i < s->release_urls.count; i++) {
        size_t len = strlen(s->release_urls.items[i]);
        found = found || (len < path && strncmp(url, s->release_urls.items[i], len) == 0);
    }
    http_redact_url(str_c(url), &shown);
    if (strstr(url + path, "=***") != NULL) {
        return err_set(
            err, ERR_RELEASE_URL,
            "%s: its query was not kept, because it may hold a secret; give the URL again",
            shown.data);
    }
    return allowed && found ? 0 : err_set(err, ERR_RELEASE_URL, "%s", shown.data);
}

/* https leads to https. http leads to the same host only, on this machine. */
bool fetch_may_follow(const char *from, const char *to)
{
    static const char *const local[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    if (strncasecmp(to, "https://", 8) == 0) {
        return strncasecmp(from, "https://", 8) == 0;
    }
    for (size_t i = 0; i < COUNT_OF(local); i++) {
        size_t len = strlen(local[i]);
        if (strncasecmp(from, local[i], len) == 0 && strncasecmp(to, local[i], len) == 0 &&
            strchr(":/", from[len]) != NULL && from[len] != '\0' &&
            strchr(":/?", to[len]) != NULL) {
            return strcspn(to + len, "@") >= strcspn(to + len, "/?");
        }
    }
    return false;
}

/* That of the artefact with .sig at the end of its path, unless another one was given. */
static void add_signature_url(const char *artefact, const char *given, struct buf *out)
{
    size_t path = strcspn(artefact, "?");
    if (given != NULL) {
        buf_add_c(out, given);
    } else {
        buf_addf(out, "%.*s" SIGNATURE_SUFFIX "%s", (int)path, artefact, artefact + path);
    }
}

int fetch_run(struct action_call *call, struct err *err)
{
    struct deploy *deploy = action_userdata(call);
    const char *from = action_text(call, "artefact");
    const struct config_service *s = deploy_service(deploy, action_text(call, "service"), err);
    if (s == NULL) {
        return deploy_failed(err);
    }
    const char *signature = action_text(call, "signature");
    int rc = is_url(from) ? check_url(s, from, err) : 0;
    if (rc == 0 && signature != NULL && !is_url(from)) {
        rc = err_set(err, ERR_RELEASE_URL, "the signature of a file is the file beside it");
    } else if (rc == 0 && signature != NULL) {
        rc = check_url(s, signature, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (!is_url(from) && from[0] != '/') {
        return err_set(err, ERR_FILE_MISSING, "%s: expected an absolute path or a URL", from);
    }
    struct fetch *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    f->deploy = deploy;
    f->call = call;
    f->fd = f->lock = -1;
    (void)str_copy(str_c(s->name), f->service, sizeof(f->service));
    (void)str_copy(str_c(s->release_root), f->root, sizeof(f->root));
    buf_init(&f->url, FETCH_URL_MAX);
    buf_init(&f->sig_url, FETCH_URL_MAX);
    buf_add_c(&f->url, from);
    add_signature_url(from, signature, &f->sig_url);
    if (s->release_token[0] != '\0') {
        (void)snprintf(f->header, sizeof(f->header), "Authorization: Bearer %s", s->release_token);
    }
    rc = start_job(f, is_url(from) ? prepare : copy_file, from, NULL, err);
    if (rc < 0) {
        fetch_free(f);
        return rc;
    }
    f->next = deploy->fetches;
    deploy->fetches = f;
    action_set_state(call, f);
    return ACTION_PENDING;
}

void fetch_cancel(struct action_call *call)
{
    struct fetch *f = action_state(call);
    if (f->http != NULL) {
        http_cancel(f->http);
        f->http = NULL;
        (void)start_job(f, discard, "", NULL, NULL);
    }
    fetch_free(f);
}

void fetch_free_all(struct deploy *deploy)
{
    while (deploy->fetches != NULL) {
        fetch_free(deploy->fetches);
    }
}
