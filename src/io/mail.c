#include "io/mail.h"

#include "base/check.h"
#include "transfer.h"

#include <string.h>
#include <sys/socket.h>

struct mail_call {
    struct transfer t; /* first */
    struct curl_slist *to;
    char *text;
    size_t len;
    size_t sent;
    bool ended; /* curl has taken the whole text: the server may have accepted it */
    bool login;
    mail_fn fn;
    void *userdata;
    char host[TRANSFER_HOST_MAX + 8];
    char answer[120];    /* the server's last line */
    char complaint[120]; /* its last refusal, of now (4…) or for good (5…) */
};

static size_t on_curl_read(char *to, size_t size, size_t count, void *userdata)
{
    struct mail_call *call = userdata;
    size_t left = call->len - call->sent;
    size_t n = size * count < left ? size * count : left;
    memcpy(to, call->text + call->sent, n);
    call->sent += n;
    call->ended = call->sent == call->len;
    return n;
}

static size_t on_curl_write(char *bytes, size_t size, size_t count, void *userdata)
{
    (void)bytes;
    (void)userdata;
    return size * count;
}

/* Gets each line of the server. */
static size_t on_curl_line(char *bytes, size_t size, size_t count, void *userdata)
{
    struct mail_call *call = userdata;
    struct str line = str_trim(str_n(bytes, size * count));
    size_t n = 0;
    for (size_t i = 0; i < line.len && n + 1 < sizeof(call->answer); i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        call->answer[n++] = c < ' ' || c >= 0x7f ? '?' : (char)c;
    }
    call->answer[n] = '\0';
    /* 500 and 502: a command that this server does not know; curl has others. */
    if ((call->answer[0] == '4' || call->answer[0] == '5') &&
        strncmp(call->answer, "500", 3) != 0 && strncmp(call->answer, "502", 3) != 0) {
        memcpy(call->complaint, call->answer, n + 1);
    }
    return size * count;
}

static void call_free(struct mail_call *call)
{
    transfer_release(&call->t);
    curl.slist_free_all(call->to);
    free(call->text);
    free(call);
}

static void discard(struct transfer *t)
{
    call_free((struct mail_call *)t);
}

static bool is_tls(CURLcode code)
{
    return code == CURLE_USE_SSL_FAILED || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_CIPHER ||
           code == CURLE_SSL_CERTPROBLEM;
}

static void set_failure(struct mail_result *result, const struct mail_call *call,
                        enum mail_outcome outcome, enum err_id id)
{
    const char *why = call->t.why[0] != '\0' ? call->t.why : curl.easy_strerror(call->t.code);
    result->outcome = outcome;
    (void)err_set(&result->err, id, "%.80s: %s", call->host,
                  call->complaint[0] != '\0' ? call->complaint : why);
}

static void classify(const struct mail_call *call, struct mail_result *result)
{
    char refusal = call->complaint[0]; /* '4', '5', or none */
    CURLcode code = call->t.code;
    if (code == CURLE_OK) {
        result->outcome = MAIL_ACCEPTED;
    } else if (is_tls(code)) {
        set_failure(result, call, MAIL_NOT_SENT, ERR_MAIL_TLS);
    } else if (code == CURLE_LOGIN_DENIED) {
        set_failure(result, call, MAIL_NOT_SENT, refusal == '4' ? ERR_MAIL_SERVER : ERR_MAIL_LOGIN);
    } else if (refusal == '5' && code != CURLE_OPERATION_TIMEDOUT) {
        set_failure(result, call, MAIL_REFUSED, ERR_MAIL_REFUSED);
    } else if (call->ended && (refusal != '4' || code == CURLE_OPERATION_TIMEDOUT)) {
        set_failure(result, call, MAIL_UNKNOWN, ERR_MAIL_LOST);
    } else {
        set_failure(result, call, MAIL_NOT_SENT, ERR_MAIL_SERVER);
    }
}

/* curl keeps the connection and says QUIT when it closes it, waiting for the server's answer. On a
 * connection that was shut down it does not wait. */
static void shut_down(const struct mail_call *call)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl.easy_getinfo(call->t.easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK &&
        fd != CURL_SOCKET_BAD) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

static void finish(struct transfer *t)
{
    struct mail_call *call = (struct mail_call *)t;
    struct mail_result result = {.outcome = MAIL_ACCEPTED, .complaint = ""};
    char complaint[sizeof(call->complaint)];
    classify(call, &result);
    if (t->code == CURLE_OK) {
        shut_down(call);
        memcpy(complaint, call->complaint, sizeof(complaint));
        result.complaint = complaint;
    }
    mail_fn fn = call->fn;
    void *userdata = call->userdata;
    call_free(call);
    fn(&result, userdata);
}

static void set_server(struct mail_call *call, const struct mail_request *request)
{
    CURL *easy = call->t.easy;
    AUTO_BUF struct buf url = BUF_INIT(512);
    buf_addf(&url, "%s://%s:%u", request->tls == MAIL_TLS ? "smtps" : "smtp", request->host,
             request->port);
    ASSERT(!buf_failed(&url));
    transfer_need_memory(easy_set(easy, CURLOPT_URL, url.data));
    transfer_need_memory(easy_set(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps"));
    transfer_need_memory(easy_set(easy, CURLOPT_PROXY, ""));
    (void)easy_set(easy, CURLOPT_USE_SSL,
                   (long)(request->tls == MAIL_PLAIN ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    if (request->ca_file != NULL && request->ca_file[0] != '\0') {
        transfer_need_memory(easy_set(easy, CURLOPT_CAINFO, request->ca_file));
        (void)easy_set(easy, CURLOPT_CAPATH, NULL);
    }
    if (request->user != NULL && request->user[0] != '\0') {
        transfer_need_memory(easy_set(easy, CURLOPT_USERNAME, request->user));
        transfer_need_memory(
            easy_set(easy, CURLOPT_PASSWORD, request->password == NULL ? "" : request->password));
    }
    if (transfer_needs_lookup(request->host)) {
        (void)str_copy(str_c(request->host), call->t.host, sizeof(call->t.host));
        call->t.port = request->port;
    }
}

static void set_envelope(struct mail_call *call, const struct mail_request *request)
{
    AUTO_BUF struct buf address = BUF_INIT(512);
    buf_addf(&address, "<%s>", request->from);
    transfer_need_memory(easy_set(call->t.easy, CURLOPT_MAIL_FROM, address.data));
    for (size_t i = 0; i < request->to_count; i++) {
        buf_clear(&address);
        buf_addf(&address, "<%s>", request->to[i]);
        struct curl_slist *longer = curl.slist_append(call->to, address.data);
        ASSERT(longer != NULL);
        call->to = longer;
    }
    (void)easy_set(call->t.easy, CURLOPT_MAIL_RCPT, call->to);
    /* A wrong address among several must not keep the mail from the others. */
    (void)easy_set(call->t.easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
}

struct mail_call *mail_send(struct http *http, const struct mail_request *request, mail_fn fn,
                            void *userdata)
{
    ASSERT(request->to_count > 0 && fn != NULL && !http->freed_inside);
    struct mail_call *call = calloc(1, sizeof(*call));
    ASSERT(call != NULL);
    transfer_init(&call->t, http, finish, discard);
    call->fn = fn;
    call->userdata = userdata;
    call->len = request->text.len;
    call->text = malloc(call->len + 1);
    ASSERT(call->text != NULL);
    memcpy(call->text, request->text.ptr, call->len);
    str_cut(str_c(request->host), call->host, sizeof(call->host));
    transfer_set_times(&call->t, request->timeout_ms, 0);
    set_server(call, request);
    set_envelope(call, request);
    CURL *easy = call->t.easy;
    (void)easy_set(easy, CURLOPT_UPLOAD, 1L);
    (void)easy_set(easy, CURLOPT_READFUNCTION, on_curl_read);
    (void)easy_set(easy, CURLOPT_READDATA, call);
    (void)easy_set(easy, CURLOPT_WRITEFUNCTION, on_curl_write);
    (void)easy_set(easy, CURLOPT_HEADERFUNCTION, on_curl_line);
    (void)easy_set(easy, CURLOPT_HEADERDATA, call);
    transfer_begin(&call->t);
    return call;
}

void mail_cancel(struct mail_call *call)
{
    if (call != NULL) {
        call_free(call);
    }
}
