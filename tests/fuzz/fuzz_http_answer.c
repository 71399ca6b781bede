/* What a server answers on a line (http_line.h): however its bytes are cut, the same answer is
 * read, or the same is wrong with it. The first byte of the input says where the bytes are cut. */
#include "../../src/io/http_answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 512 };

static int read_all(struct http_answer *a, struct str bytes, size_t step, struct err *err)
{
    int rc = 0;
    http_answer_init(a, BODY_MAX);
    for (size_t at = 0; at < bytes.len && rc == 0; at += step) {
        size_t left = bytes.len - at;
        rc = http_answer_read(a, str_n(bytes.ptr + at, left < step ? left : step), err);
    }
    return rc == 0 ? http_answer_end(a, err) : rc;
}

static void check(const struct http_answer *a, int rc)
{
    struct http_header headers[HTTP_ANSWER_FIELDS_MAX];
    size_t count = http_answer_fields(a, headers);
    for (size_t i = 0; i < count; i++) {
        if (strpbrk(headers[i].name, " \t:ABC") != NULL || headers[i].name[0] == '\0' ||
            strpbrk(headers[i].value, "\r\n") != NULL) {
            abort();
        }
    }
    if (a->body.len > BODY_MAX ||
        (rc == 1 && (a->status < 200 || a->status > 599 || a->state != HTTP_ANSWER_WHOLE))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_answer whole, parts;
    struct err why_whole = {0}, why_parts = {0};
    if (size < 1 || size > 64 * 1024) {
        return 0;
    }
    struct str bytes = str_n((const char *)data + 1, size - 1);
    int a = read_all(&whole, bytes, bytes.len + 1, &why_whole);
    int b = read_all(&parts, bytes, (size_t)data[0] % 16 + 1, &why_parts);
    check(&whole, a);
    check(&parts, b);
    if (a != b || whole.status != parts.status || whole.close != parts.close ||
        whole.field_count != parts.field_count ||
        (a == 1 && !str_equal(buf_str(&whole.body), buf_str(&parts.body)))) {
        abort();
    }
    http_answer_release(&whole);
    http_answer_release(&parts);
    return 0;
}
