#include "form.h"

#include "base/buf.h"

#include <string.h>

/* The quoted text after `key="` in the head of a part. */
static struct str quoted(struct str head, const char *key)
{
    const char *at = memmem(head.ptr, head.len, key, strlen(key));
    if (at == NULL) {
        return str_c("");
    }
    at += strlen(key);
    const char *end = memchr(at, '"', head.len - (size_t)(at - head.ptr));
    return end == NULL ? str_c("") : str_n(at, (size_t)(end - at));
}

/* Takes the next part of the body. */
static bool next_part(struct str *rest, struct str mark, struct str *ret_head,
                      struct str *ret_value)
{
    const char *from = memmem(rest->ptr, rest->len, mark.ptr, mark.len);
    if (from == NULL) {
        return false;
    }
    from += mark.len;
    size_t left = rest->len - (size_t)(from - rest->ptr);
    const char *blank = memmem(from, left, "\r\n\r\n", 4);
    const char *end = memmem(from, left, mark.ptr, mark.len);
    if (blank == NULL || end == NULL || end < blank + 6) {
        return false;
    }
    *ret_head = str_n(from, (size_t)(blank - from));
    *ret_value = str_n(blank + 4, (size_t)(end - blank) - 6); /* CR LF is before the mark */
    *rest = str_n(end, rest->len - (size_t)(end - rest->ptr));
    return true;
}

static bool find(const struct web_request *request, const char *name, struct str *ret_head,
                 struct str *ret_value)
{
    struct str type = web_header(request, "content-type"), rest = web_body(request);
    const char *boundary = memmem(type.ptr, type.len, "boundary=", 9);
    AUTO_BUF struct buf mark = BUF_INIT(256);
    if (!str_starts(type, "multipart/form-data") || boundary == NULL) {
        return false;
    }
    buf_addf(&mark, "--%s", boundary + 9);
    while (next_part(&rest, buf_str(&mark), ret_head, ret_value)) {
        if (str_equal_c(quoted(*ret_head, " name=\""), name)) {
            return true;
        }
    }
    return false;
}

struct str form_value(const struct web_request *request, const char *name)
{
    struct str head, value;
    return find(request, name, &head, &value) ? value : str_c("");
}

struct str form_filename(const struct web_request *request, const char *name)
{
    struct str head, value;
    return find(request, name, &head, &value) ? quoted(head, " filename=\"") : str_c("");
}
