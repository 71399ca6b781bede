#include "web_head.h"

#include "base/check.h"
#include "io/web.h"

#include <string.h>

enum { METHOD_MAX = 16, CHUNK_LINE_MAX = 512, TRAILERS_MAX = 4096, CHUNK_DIGITS_MAX = 8 };

/* ---------------------------------------------------------------- characters */

enum { TOKEN = 1, PATH = 2, QUERY = 4, HEX = 8, DIGIT = 16, VALUE = 32, NAME = 64 };

/* TOKEN: RFC 9110, 5.6.2. PATH: pchar and "/" of RFC 3986. QUERY: also what browsers and other
 * programs leave as it is in queries. VALUE: a byte of a field's value. NAME: of a host's name. */
static uint8_t class_of(unsigned char c)
{
    bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
    bool word = digit || upper || lower;
    bool path = word || (c != '\0' && strchr("-._~!$&'()*+,;=:@/%", c) != NULL);
    uint8_t class = 0;
    class |= word || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL) ? TOKEN : 0;
    class |= path ? PATH | QUERY : 0;
    class |= c != '\0' && strchr("?[]{}|", c) != NULL ? QUERY : 0;
    class |= digit || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f') ? HEX : 0;
    class |= digit ? DIGIT : 0;
    class |= c == '\t' || (c >= 0x20 && c != 0x7F) ? VALUE : 0;
    class |= word || c == '-' || c == '.' || c == '_' ? NAME : 0;
    return class;
}

static uint8_t classes[256];

__attribute__((constructor)) static void classes_init(void)
{
    for (unsigned i = 0; i < 256; i++) {
        classes[i] = class_of((unsigned char)i);
    }
}

static bool is(char c, int class)
{
    return (classes[(unsigned char)c] & class) != 0;
}

/* The length of the front of text whose bytes are all of the class. */
static size_t span_of(const char *text, size_t len, int class)
{
    size_t n = 0;
    while (n < len && is(text[n], class)) {
        n++;
    }
    return n;
}

static unsigned hex_digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

int web_unescape(char *text, size_t len, bool plus)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++, out++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '%') {
            if (len - i < 3 || !is(text[i + 1], HEX) || !is(text[i + 2], HEX)) {
                return -1;
            }
            c = (unsigned char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
            i += 2;
            if (c < 0x20 || c == 0x7F) {
                return -1;
            }
        } else if (c == '+' && plus) {
            c = ' ';
        }
        text[out] = (char)c;
    }
    text[out] = '\0';
    return str_is_utf8(str_n(text, out)) ? (int)out : -1;
}

/* ---------------------------------------------------------------- authorities */

static size_t bracketed_size(struct str text)
{
    const char *end = memchr(text.ptr, ']', text.len);
    if (end == NULL || end - text.ptr < 3) {
        return 0;
    }
    for (const char *c = text.ptr + 1; c < end; c++) {
        if (!is(*c, HEX) && *c != ':' && *c != '.') {
            return 0;
        }
    }
    return (size_t)(end - text.ptr) + 1;
}

bool web_authority(struct str text, struct str *ret_host, int *ret_port)
{
    bool bracket = text.len > 0 && text.ptr[0] == '[';
    size_t size = bracket ? bracketed_size(text) : span_of(text.ptr, text.len, NAME);
    struct str port = str_n(text.ptr + size, text.len - size);
    int64_t number = 0;
    if (size == 0 || size > 255 || text.ptr[0] == '.') {
        return false;
    }
    if (port.len > 0) {
        struct str digits = str_n(port.ptr + 1, port.len - 1);
        if (port.ptr[0] != ':' || digits.len == 0 || digits.len > 5 ||
            span_of(digits.ptr, digits.len, DIGIT) != digits.len || !str_to_i64(digits, &number) ||
            number == 0 || number > 65535) {
            return false;
        }
    }
    /* "localhost." is the same name. */
    size -= !bracket && text.ptr[size - 1] == '.' ? 1 : 0;
    *ret_host = str_n(text.ptr, size);
    *ret_port = (int)number;
    return true;
}

bool web_origin(struct str text, bool *ret_tls, struct str *ret_host, int *ret_port)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (text.len > len && str_equal_nocase(str_n(text.ptr, len), schemes[i])) {
            *ret_tls = i == 1;
            return web_authority(str_n(text.ptr + len, text.len - len), ret_host, ret_port);
        }
    }
    return false;
}

/* ---------------------------------------------------------------- the request line */

struct str web_head_view(const char *data, struct web_span span)
{
    return span.len == 0 ? str_c("") : str_n(data + span.at, span.len);
}

static struct web_span span_at(size_t at, size_t len)
{
    return (struct web_span){.at = (uint16_t)at, .len = (uint16_t)len};
}

static bool is_served(struct str method)
{
    static const char *const methods[] = {"GET",   "POST",   "HEAD",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (str_equal_c(method, methods[i])) {
            return true;
        }
    }
    return false;
}

static int read_version(struct web_head *head, struct str version, struct err *err)
{
    if (version.len != 8 || memcmp(version.ptr, "HTTP/", 5) != 0 || !is(version.ptr[5], DIGIT) ||
        version.ptr[6] != '.' || !is(version.ptr[7], DIGIT)) {
        return err_set(err, ERR_WEB_REQUEST, "the request line does not end with HTTP/1.1");
    }
    if (version.ptr[5] != '1' || version.ptr[7] > '1') {
        return err_set(err, ERR_WEB_VERSION, "%.*s", STR_ARG(version));
    }
    head->minor = version.ptr[7] - '0';
    head->close = head->minor == 0;
    return 0;
}

/* It is decoded when it is needed. */
static bool query_is_valid(struct str query)
{
    AUTO_UNCLEARED char copy[WEB_TARGET_MAX + 1];
    if (memchr(query.ptr, '%', query.len) == NULL) {
        return true;
    }
    memcpy(copy, query.ptr, query.len);
    return web_unescape(copy, query.len, false) >= 0;
}

static int read_target(struct web_head *head, char *data, size_t at, size_t len, struct err *err)
{
    char *target = data + at;
    if (len == 1 && target[0] == '*' && str_equal_c(web_head_view(data, head->method), "OPTIONS")) {
        head->path = span_at(at, 1);
        target[1] = '\0';
        return 0;
    }
    if (len == 0 || target[0] != '/') {
        return err_set(err, ERR_WEB_TARGET, "it does not begin with /; this server is not a proxy");
    }
    size_t path = span_of(target, len, PATH), query = path;
    if (path < len && target[path] == '?') {
        query = path + 1 + span_of(target + path + 1, len - path - 1, QUERY);
    }
    if (query < len) {
        return err_set(err, ERR_WEB_TARGET, "byte 0x%02x is not allowed in it",
                       (unsigned)(unsigned char)target[query]);
    }
    target[len] = '\0';
    if (path < len) {
        head->query = span_at(at + path + 1, len - path - 1);
    }
    int size = web_unescape(target, path, false);
    if (size < 0 || !query_is_valid(web_head_view(data, head->query))) {
        return err_set(err, ERR_WEB_TARGET,
                       "an escape in the %s is broken, is a control character or is not UTF-8",
                       size < 0 ? "path" : "query");
    }
    head->path = span_at(at, (size_t)size);
    return 0;
}

/* The line without its CR LF. */
static int read_request_line(struct web_head *head, char *data, size_t at, size_t len,
                             struct err *err)
{
    const char *line = data + at;
    size_t method = span_of(line, len, TOKEN);
    if (method == 0 || method == len || line[method] != ' ') {
        return err_set(err, ERR_WEB_REQUEST, "it does not begin with a method and one blank");
    }
    const char *blank = memchr(line + method + 1, ' ', len - method - 1);
    if (blank == NULL) {
        return err_set(err, ERR_WEB_REQUEST, "the request line has no version (HTTP/0.9)");
    }
    size_t target_at = at + method + 1, target_len = (size_t)(blank - line) - method - 1;
    head->method = span_at(at, method);
    int rc = read_version(head, str_n(blank + 1, len - (size_t)(blank - line) - 1), err);
    if (rc == 0 && (method > METHOD_MAX || !is_served(str_n(line, method)))) {
        rc = err_set(err, ERR_WEB_METHOD, "%.*s", method > METHOD_MAX ? METHOD_MAX : (int)method,
                     line);
    }
    if (rc == 0) {
        rc = read_target(head, data, target_at, target_len, err);
    }
    data[at + method] = '\0';
    return rc;
}

/* ---------------------------------------------------------------- fields */

static int read_host(struct web_head *head, struct str value, struct err *err)
{
    (void)head;
    struct str host;
    int port;
    return web_authority(value, &host, &port)
               ? 0
               : err_set(err, ERR_WEB_HOST, "%.*s: not a name or address with an optional port",
                         value.len > 80 ? 80 : (int)value.len, value.ptr);
}

static int read_length(struct web_head *head, struct str value, struct err *err)
{
    if (value.len == 0 || value.len > 18 || span_of(value.ptr, value.len, DIGIT) != value.len ||
        !str_to_i64(value, &head->content_length)) {
        return err_set(err, ERR_WEB_FRAMING, "Content-Length is not a number");
    }
    return 0;
}

static int read_coding(struct web_head *head, struct str value, struct err *err)
{
    head->chunked = str_equal_nocase(value, "chunked");
    return head->chunked
               ? 0
               : err_set(err, ERR_WEB_FRAMING, "Transfer-Encoding is not exactly \"chunked\"");
}

static int read_connection(struct web_head *head, struct str value, struct err *err)
{
    (void)err;
    struct str rest = value, word;
    while (str_split(&rest, ',', &word)) {
        word = str_trim(word);
        head->close |= str_equal_nocase(word, "close");
        head->upgrade |= str_equal_nocase(word, "upgrade");
    }
    return 0;
}

static int read_expect(struct web_head *head, struct str value, struct err *err)
{
    head->expects_continue = head->minor == 1 && str_equal_nocase(value, "100-continue");
    return str_equal_nocase(value, "100-continue")
               ? 0
               : err_set(err, ERR_WEB_EXPECT, "%.*s", value.len > 40 ? 40 : (int)value.len,
                         value.ptr);
}

static int read_origin(struct web_head *head, struct str value, struct err *err)
{
    (void)head;
    bool tls;
    struct str host;
    int port;
    return str_equal_c(value, "null") || web_origin(value, &tls, &host, &port)
               ? 0
               : err_set(err, ERR_WEB_HOST, "Origin is not a scheme and a host");
}

/* Fields that may come once only, and what is done with them. */
static const struct {
    const char *name;
    int (*read)(struct web_head *head, struct str value, struct err *err); /* may be NULL */
    enum err_id twice; /* ERR_NONE: it may be repeated */
} known[] = {
    {"Host", read_host, ERR_WEB_HOST},
    {"Content-Length", read_length, ERR_WEB_FRAMING},
    {"Transfer-Encoding", read_coding, ERR_WEB_FRAMING},
    {"Connection", read_connection, ERR_NONE},
    {"Expect", read_expect, ERR_WEB_REQUEST},
    {"Origin", read_origin, ERR_WEB_HOST},
    {"Authorization", NULL, ERR_WEB_REQUEST},
    {"Content-Type", NULL, ERR_WEB_REQUEST},
    {"Idempotency-Key", NULL, ERR_WEB_REQUEST},
    {"Upgrade", NULL, ERR_WEB_REQUEST},
};
enum { HOST = 0 }; /* in known */

static int use_field(struct web_head *head, struct str name, struct str value, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (name.len != strlen(known[i].name) || !str_equal_nocase(name, known[i].name)) {
            continue;
        }
        if (known[i].twice != ERR_NONE && (head->seen & 1U << i) != 0) {
            return err_set(err, known[i].twice, "%s is given twice", known[i].name);
        }
        head->seen |= 1U << i;
        return known[i].read == NULL ? 0 : known[i].read(head, value, err);
    }
    return 0;
}

/* Finds name and value in a line without its CR LF. */
static int split_field(const char *line, size_t len, struct web_span *ret_name,
                       struct web_span *ret_value, struct err *err)
{
    if (line[0] == ' ' || line[0] == '\t') {
        return err_set(err, ERR_WEB_REQUEST, "a header line begins with a blank (folded line)");
    }
    size_t name = span_of(line, len, TOKEN);
    if (name == 0 || name == len || line[name] != ':') {
        bool blank = name > 0 && name < len && (line[name] == ' ' || line[name] == '\t');
        return err_set(err, ERR_WEB_REQUEST, "%s",
                       blank ? "a blank stands before the colon of a header"
                             : "a header line is not a name, a colon and a value");
    }
    size_t from = name + 1, to = len;
    if (span_of(line + from, len - from, VALUE) != len - from) {
        return err_set(err, ERR_WEB_REQUEST, "the value of %.*s contains a control character",
                       name > 40 ? 40 : (int)name, line);
    }
    while (from < to && (line[from] == ' ' || line[from] == '\t')) {
        from++;
    }
    while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t')) {
        to--;
    }
    *ret_name = span_at(0, name);
    *ret_value = span_at(from, to - from);
    return 0;
}

static int read_field(struct web_head *head, char *data, size_t at, size_t len, struct err *err)
{
    struct web_span name, value;
    int rc = split_field(data + at, len, &name, &value, err);
    if (rc < 0) {
        return rc;
    }
    if (head->field_count == WEB_FIELDS_MAX) {
        return err_set(err, ERR_WEB_HEAD_LONG, "more than %d headers", WEB_FIELDS_MAX);
    }
    name.at = (uint16_t)at;
    value.at = (uint16_t)(value.at + at);
    data[name.at + name.len] = '\0';
    data[value.at + value.len] = '\0';
    head->fields[head->field_count].name = name;
    head->fields[head->field_count++].value = value;
    return use_field(head, web_head_view(data, name), web_head_view(data, value), err);
}

/* ---------------------------------------------------------------- the head */

static int finish(const struct web_head *head, struct err *err)
{
    if (head->minor == 1 && (head->seen & 1U << HOST) == 0) {
        return err_set(err, ERR_WEB_HOST, "there is no Host header");
    }
    if (head->chunked && (head->content_length >= 0 || head->minor == 0)) {
        return err_set(err, ERR_WEB_FRAMING, "%s",
                       head->minor == 0 ? "HTTP/1.0 has no Transfer-Encoding"
                                        : "both Content-Length and Transfer-Encoding are given");
    }
    return 1;
}

/* A whole line: 1 at the end of the head. */
static int read_line(struct web_head *head, char *data, size_t at, size_t size, struct err *err)
{
    if (size < 2 || data[at + size - 2] != '\r') {
        return err_set(err, ERR_WEB_REQUEST, "a line ends with LF alone");
    }
    size_t len = size - 2;
    if (head->lines == 0) {
        if (len == 0 && at == 0) {
            return 0; /* RFC 9112, 2.2: one empty line before a request is ignored */
        }
        head->lines = 1;
        head->content_length = -1;
        return read_request_line(head, data, at, len, err);
    }
    head->lines++;
    return len == 0 ? finish(head, err) : read_field(head, data, at, len, err);
}

/* A line without an end: is it too long, or no HTTP from its first byte on? */
static int check_partial(const struct web_head *head, const char *data, size_t len, struct err *err)
{
    size_t at = head->line_at;
    if (head->lines == 0 && len > at && !is(data[at], TOKEN) && data[at] != '\r') {
        return err_set(err, ERR_WEB_REQUEST, "byte 0x%02x does not begin a request",
                       (unsigned)(unsigned char)data[at]);
    }
    if (head->lines == 0 && len - at > WEB_TARGET_MAX) {
        return err_set(err, ERR_WEB_TARGET_LONG, "the request line has more than %d bytes",
                       WEB_TARGET_MAX);
    }
    return len > WEB_HEAD_MAX ? err_set(err, ERR_WEB_HEAD_LONG,
                                        "the headers have more than %d bytes", WEB_HEAD_MAX)
                              : 0;
}

int web_head_read(struct web_head *head, char *data, size_t len, struct err *err)
{
    for (;;) {
        char *feed = memchr(data + head->searched_at, '\n', len - head->searched_at);
        if (feed == NULL) {
            head->searched_at = len;
            return check_partial(head, data, len, err);
        }
        size_t at = head->line_at, end = (size_t)(feed - data) + 1;
        int rc = check_partial(head, data, end, err);
        if (rc == 0) {
            rc = read_line(head, data, at, end - at, err);
        }
        head->line_at = end;
        head->searched_at = end;
        if (rc != 0) {
            return rc;
        }
    }
}

static bool is_named(const struct web_head *head, const char *data, int field, struct str name)
{
    struct web_span span = head->fields[field].name;
    return span.len == name.len && strncasecmp(data + span.at, name.ptr, name.len) == 0;
}

struct str web_head_field(const struct web_head *head, const char *data, const char *name)
{
    for (int i = 0; i < head->field_count; i++) {
        if (is_named(head, data, i, str_c(name))) {
            return web_head_view(data, head->fields[i].value);
        }
    }
    return str_c("");
}

struct str web_head_last(const struct web_head *head, const char *data, const char *name)
{
    for (int i = head->field_count - 1; i >= 0; i--) {
        if (is_named(head, data, i, str_c(name))) {
            return web_head_view(data, head->fields[i].value);
        }
    }
    return str_c("");
}

/* ---------------------------------------------------------------- chunked bodies */

/* The end of the line that begins at data, with its LF; 0: it has not come yet; negative. */
static int line_size(struct web_chunks *chunks, const char *data, size_t len, struct err *err)
{
    size_t from = chunks->searched_at < len ? chunks->searched_at : len;
    const char *feed = memchr(data + from, '\n', len - from);
    size_t size = feed == NULL ? len : (size_t)(feed - data) + 1;
    if (size > CHUNK_LINE_MAX) {
        return err_set(err, ERR_WEB_FRAMING, "a line of the chunked body is too long");
    }
    chunks->searched_at = feed == NULL ? len : 0;
    if (feed != NULL && (size < 2 || feed[-1] != '\r')) {
        return err_set(err, ERR_WEB_FRAMING, "a line of the chunked body ends with LF alone");
    }
    return feed == NULL ? 0 : (int)size;
}

/* "1a2b" or "1a2b;name=value", without CR LF. */
static int read_size(struct web_chunks *chunks, const char *line, size_t len, struct err *err)
{
    size_t digits = span_of(line, len, HEX);
    bool good = digits > 0 && digits <= CHUNK_DIGITS_MAX &&
                (digits == len || (line[digits] == ';' && digits + 1 < len)) &&
                span_of(line + digits, len - digits, VALUE) == len - digits;
    if (!good) {
        return err_set(err, ERR_WEB_FRAMING, "the size of a chunk is not valid");
    }
    chunks->left = 0;
    for (size_t i = 0; i < digits; i++) {
        chunks->left = chunks->left << 4 | hex_digit(line[i]);
    }
    chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
    return 0;
}

/* 1 at the empty line after the trailers. */
static int read_trailer(struct web_chunks *chunks, const char *line, size_t len, struct err *err)
{
    struct web_span name, value;
    chunks->trailers += len;
    if (len == 0) {
        return 1;
    }
    if (chunks->trailers > TRAILERS_MAX) {
        return err_set(err, ERR_WEB_HEAD_LONG, "the trailers have more than %d bytes",
                       TRAILERS_MAX);
    }
    return split_field(line, len, &name, &value, err);
}

static int read_chunk_line(struct web_chunks *chunks, const char *line, size_t len, struct err *err)
{
    switch (chunks->state) {
    case CHUNK_SIZE:
        return read_size(chunks, line, len, err);
    case CHUNK_END:
        chunks->state = CHUNK_SIZE;
        return len == 0 ? 0 : err_set(err, ERR_WEB_FRAMING, "a chunk is longer than its size");
    case CHUNK_TRAILER:
        return read_trailer(chunks, line, len, err);
    case CHUNK_DATA:
        break;
    }
    UNREACHABLE();
}

static int read_data(struct web_chunks *chunks, const char *data, size_t len, struct buf *body,
                     size_t *ret_used, struct err *err)
{
    size_t size = chunks->left < len ? (size_t)chunks->left : len;
    if (chunks->left > body->max - body->len) {
        return err_set(err, ERR_WEB_BODY_LONG, "more than %zu bytes", body->max);
    }
    buf_add(body, data, size);
    chunks->left -= size;
    chunks->state = chunks->left == 0 ? CHUNK_END : CHUNK_DATA;
    *ret_used = size;
    return 0;
}

int web_chunks_read(struct web_chunks *chunks, const char *data, size_t len, struct buf *body,
                    size_t *ret_used, struct err *err)
{
    int rc = 0;
    *ret_used = 0;
    while (rc == 0 && *ret_used < len) {
        const char *at = data + *ret_used;
        size_t left = len - *ret_used, used = 0;
        if (chunks->state == CHUNK_DATA) {
            rc = read_data(chunks, at, left, body, &used, err);
        } else {
            int size = line_size(chunks, at, left, err);
            if (size <= 0) {
                return size;
            }
            used = (size_t)size;
            rc = read_chunk_line(chunks, at, used - 2, err);
        }
        *ret_used += used;
    }
    return rc;
}
