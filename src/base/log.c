#include "base/log.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log_tap.h"
#include "base/trace.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Logging allocates no memory, since the engine thread logs too. */
#define MESSAGE_SIZE 2048
#define VALUE_SIZE   512
#define FIELDS_MAX   16
#define SECRETS_MAX  256 /* rotated secrets stay; each one costs time for every byte logged */
#define SECRET_MIN   4
/* A write of up to PIPE_BUF (4096) bytes to a pipe is atomic in POSIX, which keeps a line whole
 * when several threads or processes share the pipe. */
#define LINE_SIZE 4096

static atomic_int level_now = LOG_LEVEL_INFO;
static log_sink sink_now = log_sink_fd;
static void *sink_userdata = (void *)(intptr_t)STDERR_FILENO;

/* A list that only grows, at its front: a node is complete before it becomes the head, and never
 * changes afterwards. */
struct secret_node {
    const struct secret_node *next;
    size_t count; /* of nodes from this one to the end */
    size_t len;
    char text[];
};
static const struct secret_node *_Atomic secrets;

/* Memory for nodes: never freed, not part of core dumps, locked if the limit allows; io/seal.h
 * reports that it does not. */
static void *hidden_alloc(size_t size)
{
    enum { CHUNK = 16 * 1024 };
    static char *chunk;
    static size_t used;
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (chunk == NULL || size > CHUNK - used) {
        size_t room = size > CHUNK ? size : CHUNK;
        void *pages = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        NEED_MEMORY(pages != MAP_FAILED);
        (void)mlock(pages, room);
        (void)madvise(pages, room, MADV_DONTDUMP);
        chunk = pages;
        used = 0;
    }
    void *place = chunk + used;
    used += size < CHUNK ? size : CHUNK;
    return place;
}

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "ERROR", [LOG_LEVEL_WARNING] = "WARNING", [LOG_LEVEL_NOTICE] = "NOTICE",
    [LOG_LEVEL_INFO] = "INFO",   [LOG_LEVEL_DEBUG] = "DEBUG",
};

static _Thread_local int64_t run_now;

int64_t trace_run(void)
{
    return run_now;
}

int64_t trace_set_run(int64_t run_id)
{
    int64_t before = run_now;
    run_now = run_id;
    return before;
}

static _Thread_local struct trace_work work_now;

struct trace_work trace_work(void)
{
    return work_now;
}

struct trace_work trace_set_work(struct trace_work work)
{
    struct trace_work before = work_now;
    work_now = work;
    return before;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

bool log_level_parse(struct str s, enum log_level *ret)
{
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        if (str_equal_nocase(s, level_names[level])) {
            *ret = (enum log_level)level;
            return true;
        }
    }
    return false;
}

void log_set_sink(log_sink sink, void *userdata)
{
    sink_now = sink != NULL ? sink : log_sink_fd;
    sink_userdata = sink != NULL ? userdata : (void *)(intptr_t)STDERR_FILENO;
}

bool log_hide(const char *secret)
{
    size_t len = secret == NULL ? 0 : strlen(secret);
    if (len < SECRET_MIN) {
        return true;
    }
    const struct secret_node *head = atomic_load_explicit(&secrets, memory_order_relaxed);
    for (const struct secret_node *node = head; node != NULL; node = node->next) {
        if (strcmp(node->text, secret) == 0) {
            return true;
        }
    }
    /* Dropping an older secret would break the promise to hide it. */
    if (head != NULL && head->count == SECRETS_MAX) {
        return false;
    }
    struct secret_node *node = hidden_alloc(sizeof(*node) + len + 1);
    node->next = head;
    node->count = head == NULL ? 1 : head->count + 1;
    node->len = len;
    memcpy(node->text, secret, len + 1);
    atomic_store_explicit(&secrets, node, memory_order_release);
    return true;
}

/* How many bytes at the front of s belong to a secret; 0 if none starts there. At the end of a
 * truncated text, the beginning of a secret counts as a secret. */
static size_t secret_at(struct str s, bool cut)
{
    size_t longest = 0;
    const struct secret_node *node = atomic_load_explicit(&secrets, memory_order_acquire);
    for (; node != NULL; node = node->next) {
        size_t len = node->len;
        if (len > s.len && cut) {
            len = s.len;
        }
        if (len > longest && len <= s.len && memcmp(s.ptr, node->text, len) == 0) {
            longest = len;
        }
    }
    return longest;
}

/* Secrets may overlap or contain each other, so the union of all matches is replaced. This works in
 * place because "***" is written at the end of a match, when all of its bytes have been read. A
 * match of one or two bytes at a truncated end is removed. */
static void redact(char *text, bool cut)
{
    size_t len = strlen(text);
    size_t to = 0, covered_from = 0, covered_until = 0;
    for (size_t i = 0; i <= len; i++) {
        size_t secret = i < len ? secret_at(str_n(text + i, len - i), cut) : 0;
        if (secret > 0) {
            covered_from = i >= covered_until ? i : covered_from;
            covered_until = i + secret > covered_until ? i + secret : covered_until;
        }
        if (i + 1 == covered_until && covered_until - covered_from >= 3) {
            memcpy(text + to, "***", 3);
            to += 3;
        }
        if (i >= covered_until) {
            text[to++] = text[i];
        }
    }
}

void log_redact(char *text)
{
    redact(text, false);
}

void log_redact_cut(char *text)
{
    redact(text, true);
}

/* A fixed array for text that is truncated at its end and always NUL-terminated. */
struct fixed {
    char *data;
    size_t len;
    size_t size;
};

/* Adds all bytes or none, so truncation never splits an escape or a UTF-8 sequence. */
static bool fixed_add(struct fixed *out, const char *bytes, size_t len)
{
    if (len >= out->size - out->len) {
        return false;
    }
    memcpy(out->data + out->len, bytes, len);
    out->len += len;
    out->data[out->len] = '\0';
    return true;
}

static bool add_hex(struct fixed *out, struct str bytes)
{
    char hex[4 * 4 + 1] = "";
    for (size_t i = 0; i < bytes.len; i++) {
        (void)snprintf(hex + 4 * i, 5, "\\x%02x", (unsigned char)bytes.ptr[i]);
    }
    return fixed_add(out, hex, 4 * bytes.len);
}

/* Escapes characters that could hide or forge text on a terminal, and invalid bytes, as \xNN. */
static void add_escaped(struct fixed *out, struct str s)
{
    while (s.len > 0) {
        size_t size = str_utf8_size(s);
        bool added;
        if (s.ptr[0] == '\n') {
            added = fixed_add(out, "\\n", 2);
        } else if (size == 0 || str_is_unsafe(s, size)) {
            added = add_hex(out, str_n(s.ptr, size == 0 ? 1 : size));
        } else {
            added = fixed_add(out, s.ptr, size);
        }
        if (!added) {
            return;
        }
        size = size == 0 ? 1 : size;
        s = str_n(s.ptr + size, s.len - size);
    }
}

/* Hides secrets in raw (changes it), then writes it escaped to dst. */
static void clean(char *raw, bool cut, char *dst, size_t dst_size)
{
    redact(raw, cut);
    struct fixed out = {.data = dst, .size = dst_size};
    dst[0] = '\0';
    add_escaped(&out, str_c(raw));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

__attribute__((format(printf, 6, 0))) static void
write_line(enum log_level level, const char *file, int line, const struct log_field *fields,
           size_t field_count, const char *format, va_list args)
{
    ASSERT(field_count <= FIELDS_MAX);
    char raw[MESSAGE_SIZE], message[MESSAGE_SIZE];
    int len = vsnprintf(raw, sizeof(raw), format, args);
    if (len < 0) {
        raw[0] = '\0';
    }
    clean(raw, len >= (int)sizeof(raw), message, sizeof(message));

    struct log_field clean_fields[FIELDS_MAX + 2];
    char values[FIELDS_MAX][VALUE_SIZE];
    for (size_t i = 0; i < field_count; i++) {
        char raw_value[VALUE_SIZE];
        bool whole = str_copy(str_c(fields[i].value), raw_value, sizeof(raw_value));
        clean(raw_value, !whole, values[i], sizeof(values[i]));
        clean_fields[i] = (struct log_field){.key = fields[i].key, .value = values[i]};
    }

    char run[24];
    if (run_now != 0) {
        (void)snprintf(run, sizeof(run), "%lld", (long long)run_now);
        clean_fields[field_count++] = (struct log_field){.key = "RUN", .value = run};
    }
    char trace[36];
    if (work_now.trace.high != 0 || work_now.trace.low != 0) {
        (void)snprintf(trace, sizeof(trace), "%016llx%016llx",
                       (unsigned long long)work_now.trace.high,
                       (unsigned long long)work_now.trace.low);
        clean_fields[field_count++] = (struct log_field){.key = "TRACE_ID", .value = trace};
    }

    struct log_line out = {
        .level = level,
        .file = base_name(file),
        .line = line,
        .message = message,
        .fields = clean_fields,
        .field_count = field_count,
    };
    log_tap_write(&out);
    sink_now(&out, sink_userdata);
}

void log_write(enum log_level level, const char *file, int line, const struct log_field *fields,
               size_t field_count, const char *format, ...)
{
    if (level > log_level()) {
        return;
    }
    int saved_errno = errno;
    va_list args;
    va_start(args, format);
    write_line(level, file, line, fields, field_count, format, args);
    va_end(args);
    errno = saved_errno;
}

void log_err_at(enum log_level level, const char *file, int line, const struct err *err,
                const char *what)
{
    const struct err_info *info = err_info(err->id);
    const struct log_field field = {"ERROR_CODE", info->code};
    bool context = err->context[0] != '\0';
    log_write(level, file, line, &field, 1, "%s: %s: %s%s%s", what, info->code, info->message,
              context ? ": " : "", context ? err->context : "");
}

/* A value with spaces or quotes is quoted, so that it cannot forge another field. */
static void add_field(struct fixed *out, const struct log_field *field)
{
    bool quote = field->value[0] == '\0' || strpbrk(field->value, " \"") != NULL;
    (void)fixed_add(out, " ", 1);
    (void)fixed_add(out, field->key, strlen(field->key));
    (void)fixed_add(out, quote ? "=\"" : "=", quote ? 2 : 1);
    for (const char *p = field->value; *p != '\0'; p++) {
        if (*p == '"' && !fixed_add(out, "\\", 1)) {
            return;
        }
        if (!fixed_add(out, p, 1)) {
            return;
        }
    }
    if (quote) {
        (void)fixed_add(out, "\"", 1);
    }
}

/* Lines that the sink could not write; the next line written is preceded by this count. */
static _Atomic uint64_t lines_lost;

/* False if the write would block, because the reader (a stopped terminal, a full pipe, a hanging
 * journald) does not read: no thread may wait for its log. A pipe that poll reports as writable
 * accepts LINE_SIZE bytes at once. */
static bool write_now(int fd, const char *text, size_t len)
{
    ssize_t n;
    do {
        n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            n = poll(&ready, 1, 0) > 0 && (ready.revents & POLLOUT) != 0 ? write(fd, text, len) : 0;
        }
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

static void write_line_now(int fd, const char *text, size_t len)
{
    uint64_t lost = atomic_exchange_explicit(&lines_lost, 0, memory_order_relaxed);
    if (lost > 0) {
        char note[96];
        int n = snprintf(note, sizeof(note),
                         "%llu lines of this log were lost: its reader is too slow\n",
                         (unsigned long long)lost);
        if (!write_now(fd, note, (size_t)n)) {
            (void)atomic_fetch_add_explicit(&lines_lost, lost + 1, memory_order_relaxed);
            return;
        }
    }
    if (!write_now(fd, text, len)) {
        (void)atomic_fetch_add_explicit(&lines_lost, 1, memory_order_relaxed);
    }
}

void log_sink_fd(const struct log_line *line, void *fd_as_intptr)
{
    char text[LINE_SIZE];
    /* One byte is reserved for the newline. */
    struct fixed out = {.data = text, .size = sizeof(text) - 1};
    text[0] = '\0';

    char stamp[64];
    time_t now = (time_t)(clock_wall_us(clock_real()) / USEC_PER_SEC);
    struct tm utc;
    if (gmtime_r(&now, &utc) == NULL ||
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        stamp[0] = '\0';
    }
    char head[256];
    (void)snprintf(head, sizeof(head), "%s %s %s:%d ", stamp, level_names[line->level], line->file,
                   line->line);
    (void)fixed_add(&out, head, strlen(head));
    (void)fixed_add(&out, line->message, strlen(line->message));
    for (size_t i = 0; i < line->field_count; i++) {
        add_field(&out, &line->fields[i]);
    }
    text[out.len++] = '\n';

    write_line_now((int)(intptr_t)fd_as_intptr, text, out.len);
}

/* ---------------------------------------------------------------- JSON */

#define MESSAGE_END (LINE_SIZE - 1024) /* what follows the message has room */

/* A text without control characters: only quotes and backslashes need escaping. False, and nothing
 * is added, if it does not fit before `end`. */
static bool add_json_text(struct fixed *out, const char *text, size_t end, bool cut)
{
    size_t before = out->len;
    bool fits = fixed_add(out, "\"", 1);
    struct str rest = str_c(text);
    while (fits && rest.len > 0) {
        size_t size = str_utf8_size(rest);
        size = size == 0 ? 1 : size;
        bool escape = rest.ptr[0] == '"' || rest.ptr[0] == '\\';
        if (out->len + size + 2 >= end) {
            fits = cut; /* a shorter text, or none */
            break;
        }
        fits = (!escape || fixed_add(out, "\\", 1)) && fixed_add(out, rest.ptr, size);
        rest = str_n(rest.ptr + size, rest.len - size);
    }
    if (!fits || !fixed_add(out, "\"", 1)) {
        out->len = before;
        out->data[before] = '\0';
        return false;
    }
    return true;
}

/* A member with a comma before it, unless it is the first one. */
static void add_json_member(struct fixed *out, const char *key, const char *value, size_t end,
                            bool cut)
{
    char name[40];
    size_t before = out->len;
    int len = snprintf(name, sizeof(name), "%s\"%s\":", before > 1 ? "," : "", key);
    for (char *p = name; *p != '\0'; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    }
    if (len < 0 || len >= (int)sizeof(name) || !fixed_add(out, name, (size_t)len) ||
        !add_json_text(out, value, end, cut)) {
        out->len = before;
        out->data[before] = '\0';
    }
}

static void add_json_field(struct fixed *out, const char *key, const char *value)
{
    add_json_member(out, key, value, out->size - 1, false); /* a byte is reserved for the brace */
}

void log_sink_json_fd(const struct log_line *line, void *fd_as_intptr)
{
    char text[LINE_SIZE], head[256], stamp[64], thread[17] = "";
    /* One byte is reserved for the newline. */
    struct fixed out = {.data = text, .size = sizeof(text) - 1};
    int64_t now_us = clock_wall_us(clock_real());
    time_t now = (time_t)(now_us / USEC_PER_SEC);
    struct tm utc;
    text[0] = '\0';
    if (gmtime_r(&now, &utc) == NULL ||
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        stamp[0] = '\0';
    }
    (void)prctl(PR_GET_NAME, thread);
    (void)fixed_add(&out, "{", 1);
    (void)snprintf(head, sizeof(head), "%s.%06dZ", stamp, (int)(now_us % USEC_PER_SEC));
    add_json_field(&out, "time", head);
    (void)str_copy(str_c(level_names[line->level]), head, sizeof(head));
    for (char *p = head; *p != '\0'; p++) {
        *p = (char)(*p - 'A' + 'a');
    }
    add_json_field(&out, "level", head);
    add_json_field(&out, "thread", thread);
    (void)snprintf(head, sizeof(head), "%s:%d", line->file, line->line);
    add_json_field(&out, "source", head);
    add_json_member(&out, "message", line->message, MESSAGE_END, true);
    for (size_t i = 0; i < line->field_count; i++) {
        add_json_field(&out, line->fields[i].key, line->fields[i].value);
    }
    text[out.len++] = '}';
    text[out.len++] = '\n';
    write_line_now((int)(intptr_t)fd_as_intptr, text, out.len);
}
