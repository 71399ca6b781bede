#include "io/web.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "library.h"
#include "web_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PAIRS_MAX = 128,     /* headers, or query parameters, or form fields */
    DISCARD_FACTOR = 32, /* we read and discard up to so many times max_body_bytes before a 413 */
    BACKLOG = 64
};

/* ------------------------------------------------------------------ the library */

struct mhd_functions mhd;

static const struct library_function functions[] = {
#define X(name) {"MHD_" #name, &mhd.name},
    MHD_FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libmicrohttpd.so.12"},
                                 .package = "libmicrohttpd12",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

/* ------------------------------------------------------------------ requests */

struct pair {
    char *name;
    char *filename; /* of a file in a form; else NULL */
    struct buf value;
};

struct pairs {
    struct pair *all;
    size_t count;
};

/*
 * Access: before the handler runs, only the server's thread uses a request; then only the handler
 * or the holder does. The members from `connection` to `previous` are used by both sides and are
 * protected by the server's mutex. The connection and the holder have a reference each to the
 * request, and a request has one to its struct web (not to the daemon).
 * Lock order: our mutex, then MHD's (suspend, resume). While it stops, MHD calls on_completed with
 * its lock held; that cannot deadlock, because then no request is suspended and so none is resumed.
 */
struct web_request {
    struct web *web;
    struct MHD_Connection *connection; /* NULL once it has ended */
    int references;
    bool handled;    /* the handler has run */
    bool unanswered; /* web_answer has not been called */
    bool held;       /* web_hold was called; the holder has a reference */
    bool suspended;  /* in web->suspended */
    struct MHD_Response *response;
    bool shared;       /* the response belongs to a struct web_content */
    web_end_fn on_end; /* NULL: nobody asks */
    void *on_end_userdata;
    unsigned status;
    struct web_request *next; /* in web->suspended */
    struct web_request *previous;

    /* Most requests are answered by the handler without a look at these, so they are copied from
     * the connection when they are asked for; at the latest by web_hold. */
    bool has_headers;
    bool has_query;
    bool has_peer;
    struct pairs headers;
    struct pairs query;
    int64_t peer_uid;
    char remote[64];

    struct pairs form;
    struct buf added; /* headers of the answer, in lines */
    struct buf body;
    uint64_t received_bytes;
    bool too_large;
    const char *path; /* in text, behind the method */
    char text[];
};

/* An answer that is given many times. */
struct web_content {
    unsigned status;
    struct MHD_Response *response;
    /* For an answer with headers of its own. */
    char *content_type;
    struct buf body;
};

struct web {
    pthread_mutex_t mutex;
    int references; /* the owner's and one per request */
    bool stopping;
    struct web_request *suspended;

    struct MHD_Daemon *daemon;
    web_handler handler;
    void *userdata;
    size_t max_body_bytes;
    uint16_t port;
    char unix_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* ------------------------------------------------------------------ lifetime */

static void web_lock(struct web *web)
{
    int rc = pthread_mutex_lock(&web->mutex);
    ASSERT(rc == 0);
}

static void web_unlock(struct web *web)
{
    int rc = pthread_mutex_unlock(&web->mutex);
    ASSERT(rc == 0);
}

static void web_unref(struct web *web)
{
    web_lock(web);
    bool last = --web->references == 0;
    web_unlock(web);
    if (last) {
        (void)pthread_mutex_destroy(&web->mutex);
        free(web);
    }
}

static void pairs_release(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->all[i].name);
        free(pairs->all[i].filename);
        buf_release(&pairs->all[i].value);
    }
    free(pairs->all);
}

static void request_unref(struct web_request *request)
{
    struct web *web = request->web;
    web_lock(web);
    bool last = --request->references == 0;
    web_unlock(web);
    if (!last) {
        return;
    }
    if (request->response != NULL && !request->shared) {
        mhd.destroy_response(request->response);
    }
    if (request->on_end != NULL) {
        request->on_end(request->on_end_userdata);
    }
    pairs_release(&request->headers);
    pairs_release(&request->query);
    pairs_release(&request->form);
    buf_release(&request->added);
    buf_release(&request->body);
    free(request);
    web_unref(web);
}

static struct pair *pairs_add(struct pairs *pairs, const char *name, size_t max_bytes)
{
    if (pairs->count == PAIRS_MAX) {
        return NULL;
    }
    if (pairs->all == NULL) {
        pairs->all = calloc(PAIRS_MAX, sizeof(*pairs->all));
        ASSERT(pairs->all != NULL);
    }
    struct pair *pair = &pairs->all[pairs->count++];
    buf_init(&pair->value, max_bytes);
    pair->name = strdup(name);
    ASSERT(pair->name != NULL);
    return pair;
}

static enum MHD_Result copy_pair(void *userdata, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    (void)name_len;
    /* MHD's memory limit per connection bounds the length. */
    struct pair *pair = pairs_add(userdata, name, value_len);
    if (pair != NULL && value != NULL) {
        buf_add(&pair->value, value, value_len);
        NEED_MEMORY(!buf_failed(&pair->value));
    }
    return pair == NULL ? MHD_NO : MHD_YES;
}

/* The functions that copy from the connection run on the server's thread, before the request can be
 * held: the connection exists. */
static void need_peer(struct web_request *request)
{
    if (request->has_peer) {
        return;
    }
    request->has_peer = true;
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    request->peer_uid = -1;
    (void)str_copy(str_c("unix"), request->remote, sizeof(request->remote));
    if (info == NULL) {
        return;
    }
    struct sockaddr_in address = {0};
    socklen_t size = sizeof(address);
    struct ucred peer;
    socklen_t peer_size = sizeof(peer);
    if (request->web->unix_path[0] != '\0') {
        if (getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0) {
            request->peer_uid = (int64_t)peer.uid;
        }
    } else if (getpeername(info->connect_fd, (struct sockaddr *)&address, &size) == 0) {
        char host[INET_ADDRSTRLEN] = "";
        (void)inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
        (void)snprintf(request->remote, sizeof(request->remote), "%s:%u", host,
                       (unsigned)ntohs(address.sin_port));
    }
}

static void need_headers(struct web_request *request)
{
    if (!request->has_headers) {
        request->has_headers = true;
        (void)mhd.get_connection_values_n(request->connection, MHD_HEADER_KIND, copy_pair,
                                          &request->headers);
    }
}

static void need_query(struct web_request *request)
{
    if (!request->has_query) {
        request->has_query = true;
        (void)mhd.get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, copy_pair,
                                          &request->query);
    }
}

static struct web_request *request_new(struct web *web, struct MHD_Connection *connection,
                                       const char *path, const char *method)
{
    size_t method_size = strlen(method) + 1, path_size = strlen(path) + 1;
    struct web_request *request = calloc(1, sizeof(*request) + method_size + path_size);
    ASSERT(request != NULL);
    request->web = web;
    request->connection = connection;
    request->references = 1;
    memcpy(request->text, method, method_size);
    memcpy(request->text + method_size, path, path_size);
    request->path = request->text + method_size;
    buf_init(&request->added, 1024);
    buf_init(&request->body, web->max_body_bytes);
    web_lock(web);
    web->references++;
    web_unlock(web);
    return request;
}

/* With the mutex held. */
static void suspended_add(struct web_request *request)
{
    struct web *web = request->web;
    request->next = web->suspended;
    if (web->suspended != NULL) {
        web->suspended->previous = request;
    }
    web->suspended = request;
    request->suspended = true;
}

/* With the mutex held. */
static void suspended_remove(struct web_request *request)
{
    struct web *web = request->web;
    *(request->previous == NULL ? &web->suspended : &request->previous->next) = request->next;
    if (request->next != NULL) {
        request->next->previous = request->previous;
    }
    request->next = NULL;
    request->previous = NULL;
    request->suspended = false;
}

/* ------------------------------------------------------------------ server side */

static enum MHD_Result on_form_data(void *userdata, enum MHD_ValueKind kind, const char *key,
                                    const char *filename, const char *content_type,
                                    const char *transfer_encoding, const char *data, uint64_t off,
                                    size_t size)
{
    (void)kind;
    (void)content_type;
    (void)transfer_encoding;
    struct web_request *request = userdata;
    struct pairs *form = &request->form;
    struct pair *pair = NULL;
    if (off > 0 && form->count > 0) {
        pair = &form->all[form->count - 1];
    } else {
        pair = pairs_add(form, key == NULL ? "" : key, request->web->max_body_bytes);
        if (pair != NULL && filename != NULL) {
            pair->filename = strdup(filename);
            ASSERT(pair->filename != NULL);
        }
    }
    if (pair != NULL) {
        buf_add(&pair->value, data, size);
        NEED_MEMORY(!buf_failed(&pair->value)); /* a field is not larger than the body */
    }
    return pair == NULL ? MHD_NO : MHD_YES;
}

static void parse_form(struct web_request *request)
{
    if (request->body.len == 0) {
        return;
    }
    /* NULL if the content type is not that of a form. A form without a field would be another
     * request, so lack of memory must show. */
    errno = 0;
    struct MHD_PostProcessor *processor =
        mhd.create_post_processor(request->connection, 4096, on_form_data, request);
    if (processor != NULL) {
        (void)mhd.post_process(processor, request->body.data, request->body.len);
        (void)mhd.destroy_post_processor(processor);
    }
    NEED_MEMORY(errno != ENOMEM);
}

/* MHD refuses a header that is not valid, too. */
static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    errno = 0;
    NEED_MEMORY(mhd.add_response_header(response, name, value) == MHD_YES || errno != ENOMEM);
}

/* "Name: value" */
static void add_line(struct MHD_Response *response, struct str line)
{
    struct str name;
    AUTO_BUF struct buf copy = BUF_INIT(1024);
    AUTO_BUF struct buf value = BUF_INIT(1024);
    if (str_split(&line, ':', &name)) {
        buf_add_str(&copy, name);
        buf_add_str(&value, str_trim(line));
        ASSERT(!buf_failed(&copy) && !buf_failed(&value));
        add_header(response, copy.data, value.data);
    }
}

static void add_lines(struct MHD_Response *response, const char *const *headers)
{
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        add_line(response, str_c(headers[i]));
    }
}

/* Those of web_add_header. */
static void add_more(struct MHD_Response *response, const struct web_request *request)
{
    struct str rest = buf_str(&request->added), line;
    while (str_split(&rest, '\n', &line)) {
        add_line(response, line);
    }
}

static struct MHD_Response *response_new(const struct web_answer *answer)
{
    /* MHD copies the bytes; its parameter is just not const. */
    struct MHD_Response *response = mhd.create_response_from_buffer(
        answer->body.len, (void *)(uintptr_t)answer->body.ptr, MHD_RESPMEM_MUST_COPY);
    ASSERT(response != NULL);
    const char *type =
        answer->content_type == NULL ? "text/plain; charset=utf-8" : answer->content_type;
    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (answer->close) {
        add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    add_lines(response, answer->headers);
    return response;
}

/* The same with the headers of web_add_header. */
static struct MHD_Response *response_for(const struct web_request *request,
                                         const struct web_answer *answer)
{
    struct MHD_Response *response = response_new(answer);
    add_more(response, request);
    return response;
}

/* With the mutex held, or before the request is shared. */
static void set_answer(struct web_request *request, int status, const char *text)
{
    request->status = (unsigned)status;
    request->response = response_new(&(struct web_answer){.status = status, .body = str_c(text)});
}

/* Called when the whole request has arrived. */
static void handle(struct web_request *request)
{
    request->handled = true;
    if (request->too_large) {
        set_answer(request, MHD_HTTP_CONTENT_TOO_LARGE, "request body is too large\n");
        return;
    }
    parse_form(request);
    request->unanswered = true;
    request->web->handler(request, request->web->userdata);
}

static enum MHD_Result receive(struct web_request *request, const char *data, size_t *size)
{
    request->received_bytes += *size;
    if (!request->too_large) {
        buf_add(&request->body, data, *size);
        if (buf_failed(&request->body)) {
            request->too_large = true;
            buf_release(&request->body);
        }
    }
    *size = 0;
    /* If we closed the connection while the client still writes, it would not see our response. So
     * a body that is too large is read to its end, up to a limit. */
    bool within_limit =
        request->received_bytes / DISCARD_FACTOR <= (uint64_t)request->web->max_body_bytes + 1024;
    return within_limit ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_access(void *userdata, struct MHD_Connection *connection,
                                 const char *path, const char *method, const char *version,
                                 const char *upload, size_t *upload_size, void **slot)
{
    (void)version;
    struct web *web = userdata;
    struct web_request *request = *slot;
    if (request == NULL) {
        *slot = request_new(web, connection, path, method);
        return MHD_YES;
    }
    if (*upload_size > 0) {
        return receive(request, upload, upload_size);
    }
    if (!request->handled) {
        handle(request);
    }
    web_lock(web);
    enum MHD_Result result = MHD_YES;
    if (!request->suspended) { /* else MHD calls us again after the resume */
        if (request->response == NULL && request->held) {
            set_answer(request, MHD_HTTP_SERVICE_UNAVAILABLE, "shutting down\n");
        } else if (request->response == NULL) {
            request->unanswered = false;
            set_answer(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "not handled\n");
        }
        result = mhd.queue_response(connection, request->status, request->response);
    }
    web_unlock(web);
    return result;
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    (void)connection;
    (void)how;
    struct web *web = userdata;
    struct web_request *request = *slot;
    if (request == NULL) {
        return;
    }
    *slot = NULL;
    web_lock(web);
    request->connection = NULL;
    if (request->suspended) {
        suspended_remove(request);
    }
    web_unlock(web);
    request_unref(request);
}

/* ------------------------------------------------------------------ holder side */

void web_hold(struct web_request *request)
{
    struct web *web = request->web;
    need_headers(request);
    need_query(request);
    need_peer(request);
    web_lock(web);
    ASSERT(request->unanswered && !request->held && request->connection != NULL);
    request->held = true;
    request->references++;
    if (!web->stopping) {
        mhd.suspend_connection(request->connection);
        suspended_add(request);
    }
    web_unlock(web);
}

void web_answer(struct web_request *request, const struct web_answer *answer)
{
    struct MHD_Response *response = response_for(request, answer);
    struct web *web = request->web;
    web_lock(web);
    ASSERT(request->unanswered); /* one answer per request */
    request->unanswered = false;
    bool held = request->held;
    if (request->connection == NULL || request->response != NULL) {
        mhd.destroy_response(response); /* the connection has ended, or web_stop has answered */
    } else {
        request->status = (unsigned)answer->status;
        request->response = response;
        if (request->suspended) {
            suspended_remove(request);
            mhd.resume_connection(request->connection);
        }
    }
    web_unlock(web);
    if (held) {
        request_unref(request);
    }
}

struct web_content *web_content_new(const struct web_answer *answer)
{
    struct web_content *content = calloc(1, sizeof(*content));
    ASSERT(content != NULL);
    content->status = (unsigned)answer->status;
    content->response = response_new(answer);
    content->content_type = strdup(answer->content_type == NULL ? "" : answer->content_type);
    buf_init(&content->body, answer->body.len);
    buf_add_str(&content->body, answer->body);
    ASSERT(answer->headers == NULL && content->content_type != NULL && !buf_failed(&content->body));
    return content;
}

void web_content_free(struct web_content *content)
{
    if (content != NULL) {
        mhd.destroy_response(content->response); /* MHD counts the connections that send it */
        free(content->content_type);
        buf_release(&content->body);
        free(content);
    }
}

void web_answer_content(struct web_request *request, const struct web_content *content)
{
    ASSERT(request->unanswered && !request->held);
    request->unanswered = false;
    request->status = content->status;
    request->shared = request->added.len == 0;
    request->response = content->response;
    if (!request->shared) {
        request->response =
            response_for(request, &(struct web_answer){.content_type = content->content_type,
                                                       .body = buf_str(&content->body)});
    }
}

void web_add_header(struct web_request *request, const char *header)
{
    ASSERT(request->unanswered && !request->held);
    buf_addf(&request->added, "%s\n", header);
    ASSERT(!buf_failed(&request->added));
}

struct MHD_Connection *web_connection(struct web_request *request)
{
    ASSERT(request->unanswered && !request->held);
    return request->connection;
}

void web_answer_response(struct web_request *request, unsigned status,
                         const struct web_response *with)
{
    ASSERT(request->unanswered && !request->held);
    request->unanswered = false;
    request->status = status;
    request->response = with->response;
    request->on_end = with->on_end;
    request->on_end_userdata = with->userdata;
    add_lines(with->response, with->headers);
    add_more(with->response, request);
}

void web_answer_c(struct web_request *request, int status, const char *text)
{
    web_answer(request, &(struct web_answer){.status = status, .body = str_c(text)});
}

void web_answer_json(struct web_request *request, int status, struct str json)
{
    web_answer(request, &(struct web_answer){
                            .status = status, .content_type = "application/json", .body = json});
}

/* ------------------------------------------------------------------ accessors */

struct str web_method(const struct web_request *request)
{
    return str_c(request->text);
}

struct str web_path(const struct web_request *request)
{
    return str_c(request->path);
}

static const struct pair *pairs_find(const struct pairs *pairs, const char *name, bool nocase)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const char *have = pairs->all[i].name;
        if (nocase ? strcasecmp(have, name) == 0 : strcmp(have, name) == 0) {
            return &pairs->all[i];
        }
    }
    return NULL;
}

static struct str pair_value(const struct pair *pair)
{
    return pair == NULL ? str_c("") : buf_str(&pair->value);
}

struct str web_query(struct web_request *request, const char *name)
{
    need_query(request);
    return pair_value(pairs_find(&request->query, name, false));
}

bool web_has_query(struct web_request *request, const char *name)
{
    need_query(request);
    return pairs_find(&request->query, name, false) != NULL;
}

size_t web_query_count(struct web_request *request)
{
    need_query(request);
    return request->query.count;
}

struct str web_query_name(struct web_request *request, size_t index)
{
    ASSERT(index < web_query_count(request));
    return str_c(request->query.all[index].name);
}

struct str web_header(const struct web_request *request, const char *name)
{
    if (!request->has_headers) {
        const char *value = NULL;
        size_t size = 0;
        bool found = mhd.lookup_connection_value_n(request->connection, MHD_HEADER_KIND, name,
                                                   strlen(name), &value, &size) == MHD_YES;
        return found && value != NULL ? str_n(value, size) : str_c("");
    }
    return pair_value(pairs_find(&request->headers, name, true));
}

struct str web_body(const struct web_request *request)
{
    return buf_str(&request->body);
}

struct str web_form(const struct web_request *request, const char *name)
{
    return pair_value(pairs_find(&request->form, name, false));
}

struct str web_form_filename(const struct web_request *request, const char *name)
{
    const struct pair *pair = pairs_find(&request->form, name, false);
    return pair == NULL ? str_c("") : str_c(pair->filename);
}

int64_t web_peer_uid(struct web_request *request)
{
    need_peer(request);
    return request->peer_uid;
}

struct str web_remote(struct web_request *request)
{
    need_peer(request);
    return str_c(request->remote);
}

/* ------------------------------------------------------------------ start and stop */

static int listen_error(struct err *err, const char *what)
{
    return err_set(err, ERR_WEB_LISTEN, "%s: %s", what, strerror(errno));
}

static int listen_tcp(struct web *web, uint16_t port, int *ret_fd, struct err *err)
{
    char what[32];
    (void)snprintf(what, sizeof(what), "127.0.0.1:%u", (unsigned)port);
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        return listen_error(err, what);
    }
    web->port = ntohs(address.sin_port);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* True for a socket file without a listener, which a kill -9 leaves behind. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        return false;
    }
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
           errno == ECONNREFUSED;
}

static int listen_unix(struct web *web, const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!str_copy(str_c(path), address.sun_path, sizeof(address.sun_path))) {
        return err_set(err, ERR_WEB_LISTEN, "%s: a socket path holds at most %zu bytes", path,
                       sizeof(address.sun_path) - 1);
    }
    if (is_stale(&address)) {
        (void)unlink(path);
    }
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* fchmod before bind, so that others can never open the file. */
    if (fd < 0 || fchmod(fd, 0660) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 ||
        listen(fd, BACKLOG) < 0) {
        return listen_error(err, path);
    }
    (void)str_copy(str_c(path), web->unix_path, sizeof(web->unix_path));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static void remove_socket(const struct web *web)
{
    if (web->unix_path[0] != '\0') {
        (void)unlink(web->unix_path);
    }
}

int web_start(const struct web_options *options, struct web **ret, struct err *err)
{
    ASSERT(options->handler != NULL);
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    struct web *web = calloc(1, sizeof(*web));
    ASSERT(web != NULL);
    rc = pthread_mutex_init(&web->mutex, NULL);
    ASSERT(rc == 0);
    web->references = 1;
    web->handler = options->handler;
    web->userdata = options->userdata;
    web->max_body_bytes = options->max_body_bytes == 0 ? (size_t)1 << 20 : options->max_body_bytes;
    unsigned connections = options->max_connections == 0 ? 64 : options->max_connections;
    unsigned timeout_s = options->idle_timeout_s == 0 ? 30 : options->idle_timeout_s;
    int fd = -1;
    rc = options->unix_path != NULL ? listen_unix(web, options->unix_path, &fd, err)
                                    : listen_tcp(web, options->port, &fd, err);
    if (rc < 0) {
        web_unref(web);
        return rc;
    }
    /* The loop handles all signals, so the server's thread starts with all of them blocked. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    web->daemon = mhd.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, NULL, NULL,
        on_access, web, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, timeout_s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, web,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    int start_errno = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (web->daemon == NULL) {
        /* MHD may have closed the socket. A leak is better than closing it twice. */
        errno = start_errno;
        rc = listen_error(err, "server thread");
        remove_socket(web);
        web_unref(web);
        return rc;
    }
    *ret = web;
    return 0;
}

uint16_t web_port(const struct web *web)
{
    return web->port;
}

void web_stop(struct web *web)
{
    if (web == NULL) {
        return;
    }
    web_lock(web);
    web->stopping = true;
    /* MHD cannot stop with suspended connections. */
    while (web->suspended != NULL) {
        struct web_request *request = web->suspended;
        suspended_remove(request);
        mhd.resume_connection(request->connection);
    }
    web_unlock(web);
    mhd.stop_daemon(web->daemon);
    remove_socket(web);
    web_unref(web);
}
