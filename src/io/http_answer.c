#include "http_answer.h"

#include "base/check.h"

#include <ctype.h>
#include <string.h>

enum { HEAD_MAX = 64 * 1024, BYTES_MAX = HEAD_MAX + 256 * 1024, LENGTH_DIGITS_MAX = 18 };

void http_answer_init(struct http_answer *a, size_t max_body)
{
    *a = (struct http_answer){.length = -1};
    buf_init(&a->body, max_body);
    buf_init(&a->text, HEAD_MAX);
    buf_init(&a->bytes, BYTES_MAX);
}

void http_answer_release(struct http_answer *a)
{
    buf_release(&a->body);
    buf_release(&a->text);
    buf_release(&a->bytes);
}

size_t http_answer_fields(const struct http_answer *a,
                          struct http_header ret[HTTP_ANSWER_FIELDS_MAX])
{
    const char *at = a->text.data;
    for (size_t i = 0; i < a->field_count; i++) {
        ret[i].name = at;
        ret[i].value = at + strlen(at) + 1;
        at = ret[i].value + strlen(ret[i].value) + 1;
    }
    return a->field_count;
}

static int garbled(struct err *err, const char *why)
{
    return err_set(err, ERR_HTTP_GARBLED, "%s", why);
}

static void drop_front(struct buf *bytes, size_t size)
{
    memmove(bytes->data, bytes->data + size, bytes->len - size);
    buf_truncate(bytes, bytes->len - size);
}

/* ---------------------------------------------------------------- the head */

static void keep_field(struct http_answer *a, struct str name, struct str value)
{
    if (a->field_count == HTTP_ANSWER_FIELDS_MAX) {
        return;
    }
    for (size_t i = 0; i < name.len; i++) {
        buf_add_char(&a->text, (char)tolower((unsigned char)name.ptr[i]));
    }
    buf_add(&a->text, "", 1);
    buf_add_str(&a->text, value);
    buf_add(&a->text, "", 1);
    a->field_count++;
}

static bool read_length(struct http_answer *a, struct str value)
{
    int64_t length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!isdigit((unsigned char)value.ptr[i])) {
            return false;
        }
    }
    if (value.len == 0 || value.len > LENGTH_DIGITS_MAX || !str_to_i64(value, &length) ||
        (a->length >= 0 && a->length != length)) {
        return false;
    }
    a->length = length;
    return true;
}

/* Returns what is wrong, or NULL. */
static const char *use_field(struct http_answer *a, struct str name, struct str value)
{
    if (str_equal_nocase(name, "content-length")) {
        return read_length(a, value) ? NULL : "its Content-Length is not one number";
    }
    if (str_equal_nocase(name, "transfer-encoding")) {
        bool once = !a->chunked && str_equal_nocase(value, "chunked");
        a->chunked = true;
        return once ? NULL : "its Transfer-Encoding is not exactly \"chunked\"";
    }
    if (str_equal_nocase(name, "connection")) {
        a->close |= answer_head_lists(value, "close");
    }
    return NULL;
}

static bool has_body(const struct http_answer *a)
{
    return a->status != 204 && a->status != 304 && (a->chunked || a->length != 0);
}

static int read_fields(struct http_answer *a, struct err *err)
{
    struct str name, value;
    const char *why = NULL;
    int rc = 0;
    a->close = a->head.minor == 0;
    while (why == NULL && (rc = answer_head_next(&a->head.fields, &name, &value)) > 0) {
        why = use_field(a, name, value);
        keep_field(a, name, value);
    }
    if (rc < 0 || why != NULL) {
        return garbled(err, rc < 0 ? "one of its headers is malformed" : why);
    }
    if (a->chunked && (a->length >= 0 || a->head.minor == 0)) {
        return garbled(err, "it has chunks that it may not have");
    }
    if (!has_body(a)) {
        a->state = HTTP_ANSWER_WHOLE;
    } else if (a->chunked) {
        a->state = HTTP_ANSWER_CHUNKED;
    } else if (a->length < 0) {
        a->close = true;
        a->state = HTTP_ANSWER_TO_END;
    } else {
        a->state = HTTP_ANSWER_SIZED;
    }
    if (a->state == HTTP_ANSWER_SIZED && (uint64_t)a->length > a->body.max) {
        return err_set(err, ERR_HTTP_TOO_LARGE, "the limit is %zu bytes", a->body.max);
    }
    return 0;
}

/* 1: it is read, or an interim one is dropped; 0: more must follow. */
static int read_head(struct http_answer *a, struct err *err)
{
    const char *why = NULL;
    int rc = answer_head_find(&a->head, buf_str(&a->bytes), HEAD_MAX, &why);
    if (rc <= 0) {
        bool large = rc < 0 && a->head.size > HEAD_MAX;
        return rc == 0 ? 0 : large ? err_set(err, ERR_HTTP_HEADERS, "%s", why) : garbled(err, why);
    }
    if (a->head.status == 101) {
        return garbled(err, "it changes the protocol");
    }
    size_t size = a->head.size;
    if (a->head.status >= 200) {
        a->status = a->head.status;
        rc = read_fields(a, err);
    }
    a->head = (struct answer_head){0};
    drop_front(&a->bytes, size);
    return rc < 0 ? rc : 1;
}

/* ---------------------------------------------------------------- the body */

static int too_large(const struct http_answer *a, struct err *err)
{
    return err_set(err, ERR_HTTP_TOO_LARGE, "the limit is %zu bytes", a->body.max);
}

static int read_chunks(struct http_answer *a, struct err *err)
{
    struct err why = {0};
    size_t used = 0;
    int rc = web_chunks_read(&a->chunks, a->bytes.data, a->bytes.len, &a->body, &used, &why);
    drop_front(&a->bytes, used);
    if (rc < 0) {
        return why.id == ERR_WEB_BODY_LONG ? too_large(a, err) : garbled(err, why.context);
    }
    a->state = rc == 1 ? HTTP_ANSWER_WHOLE : a->state;
    return rc;
}

static int read_plain(struct http_answer *a, struct err *err)
{
    size_t size = a->bytes.len;
    if (a->state == HTTP_ANSWER_SIZED && size > (size_t)a->length - a->body.len) {
        size = (size_t)a->length - a->body.len;
    }
    buf_add(&a->body, a->bytes.data, size);
    drop_front(&a->bytes, size);
    if (buf_failed(&a->body)) {
        return too_large(a, err);
    }
    bool whole = a->state == HTTP_ANSWER_SIZED && a->body.len == (size_t)a->length;
    a->state = whole ? HTTP_ANSWER_WHOLE : a->state;
    return whole ? 1 : 0;
}

/* Everything that the bytes so far hold. */
static int read_on(struct http_answer *a, struct err *err)
{
    int rc = 1;
    while (rc > 0 && a->state == HTTP_ANSWER_HEAD && a->bytes.len > 0) {
        rc = read_head(a, err);
    }
    if (rc < 0 || a->state == HTTP_ANSWER_HEAD) {
        return rc < 0 ? rc : 0;
    }
    if (a->state == HTTP_ANSWER_CHUNKED) {
        rc = read_chunks(a, err);
    } else if (a->state != HTTP_ANSWER_WHOLE) {
        rc = read_plain(a, err);
    }
    return rc < 0 ? rc : a->state == HTTP_ANSWER_WHOLE ? 1 : 0;
}

int http_answer_read(struct http_answer *a, struct str bytes, struct err *err)
{
    ASSERT(a->state != HTTP_ANSWER_WHOLE);
    buf_add_str(&a->bytes, bytes);
    NEED_MEMORY(!buf_failed(&a->bytes));
    int rc = read_on(a, err);
    a->extra = rc == 1 && a->bytes.len > 0;
    return rc;
}

int http_answer_end(struct http_answer *a, struct err *err)
{
    if (a->state == HTTP_ANSWER_TO_END) {
        a->state = HTTP_ANSWER_WHOLE;
    }
    return a->state == HTTP_ANSWER_WHOLE
               ? 1
               : err_set(err, ERR_HTTP_LOST, "it ended before the answer was whole");
}
