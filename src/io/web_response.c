#include "base/check.h"
#include "web_private.h"

#include <string.h>

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{101, "Switching Protocols"},
                   {200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {206, "Partial Content"},
                   {301, "Moved Permanently"},
                   {302, "Found"},
                   {303, "See Other"},
                   {304, "Not Modified"},
                   {307, "Temporary Redirect"},
                   {308, "Permanent Redirect"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {422, "Unprocessable Content"},
                   {426, "Upgrade Required"},
                   {428, "Precondition Required"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Other";
}

/* A value from elsewhere must not begin another header. */
static bool is_one_line(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 && text.ptr[i] != '\t') {
            return false;
        }
    }
    return true;
}

static void add_header(struct buf *head, struct str name, struct str value)
{
    if (name.len > 0 && is_one_line(name) && is_one_line(value)) {
        buf_addf(head, "%.*s: %.*s\r\n", STR_ARG(name), STR_ARG(value));
    }
}

static void add_headers(struct buf *head, const char *const *headers)
{
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        struct str rest = str_c(headers[i]), name;
        if (str_split(&rest, ':', &name)) {
            add_header(head, str_trim(name), str_trim(rest));
        }
    }
}

static struct web_response *begin(int status, size_t body_size)
{
    struct web_response *response = calloc(1, sizeof(*response));
    NEED_MEMORY(response != NULL);
    atomic_init(&response->references, 1);
    response->status = status;
    buf_init(&response->head, (size_t)64 << 10);
    buf_init(&response->body, body_size);
    buf_addf(&response->head, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    return response;
}

struct web_response *web_response_new(const struct web_answer *answer)
{
    bool empty = answer->status == 204 || answer->status == 304;
    struct web_response *response = begin(answer->status, answer->body.len);
    struct buf *head = &response->head;
    response->close = answer->close;
    if (!empty) {
        add_header(head, STR_LIT("Content-Type"),
                   str_c(answer->content_type == NULL ? "text/plain; charset=utf-8"
                                                      : answer->content_type));
        buf_addf(head, "Content-Length: %zu\r\n", answer->body.len);
        buf_add_str(&response->body, answer->body);
    }
    add_headers(head, answer->headers);
    ASSERT(!buf_failed(head) && !buf_failed(&response->body));
    return response;
}

struct web_response *web_response_endless(int status, const char *const *headers)
{
    struct web_response *response = begin(status, 0);
    response->close = status != 101;
    if (status == 101) {
        buf_add_c(&response->head, "Connection: Upgrade\r\n");
    }
    add_headers(&response->head, headers);
    ASSERT(!buf_failed(&response->head));
    return response;
}

struct web_response *web_response_ref(struct web_response *response)
{
    (void)atomic_fetch_add_explicit(&response->references, 1, memory_order_relaxed);
    return response;
}

void web_response_unref(struct web_response *response)
{
    if (response != NULL &&
        atomic_fetch_sub_explicit(&response->references, 1, memory_order_acq_rel) == 1) {
        buf_release(&response->head);
        buf_release(&response->body);
        free(response);
    }
}

/* ---------------------------------------------------------------- answers given many times */

struct web_content {
    struct web_response *response;
};

struct web_content *web_content_new(const struct web_answer *answer)
{
    struct web_content *content = calloc(1, sizeof(*content));
    NEED_MEMORY(content != NULL);
    content->response = web_response_new(answer);
    return content;
}

void web_content_free(struct web_content *content)
{
    if (content != NULL) {
        web_response_unref(content->response); /* connections that send it have references */
        free(content);
    }
}

void web_answer_content(struct web_request *request, const struct web_content *content)
{
    ASSERT(request->unanswered && !request->held);
    request->unanswered = false;
    request->answered = true;
    request->response = web_response_ref(content->response);
}
