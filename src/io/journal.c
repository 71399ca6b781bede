#include "io/journal.h"

#include "base/check.h"
#include "base/clock.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

enum { MESSAGE_MAX = 4096, FIELDS_MAX = 24, DATAGRAM_MAX = 128 * 1024, SCANNED_MAX = 500000 };

bool journal_is_stderr(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct str rest = str_c(stream);
    struct str device;
    int64_t want_device = 0;
    int64_t want_inode = 0;
    struct stat st;
    return str_split(&rest, ':', &device) && str_to_i64(device, &want_device) &&
           str_to_i64(rest, &want_inode) && fstat(STDERR_FILENO, &st) == 0 &&
           (dev_t)want_device == st.st_dev && (ino_t)want_inode == st.st_ino;
}

/* journald's native protocol; a value with line breaks is preceded by its size. sd_journal_sendv is
 * not used, because it blocks while journald hangs. */
static void add_field(struct buf *out, const struct buf *field)
{
    const char *equals = memchr(field->data, '=', field->len);
    if (buf_failed(field) || equals == NULL) {
        return;
    }
    if (memchr(field->data, '\n', field->len) == NULL) {
        buf_add(out, field->data, field->len);
    } else {
        size_t name = (size_t)(equals - field->data);
        uint64_t size = htole64((uint64_t)(field->len - name - 1));
        buf_add(out, field->data, name);
        buf_add_char(out, '\n');
        buf_add(out, (const char *)&size, sizeof(size));
        buf_add(out, equals + 1, field->len - name - 1);
    }
    buf_add_char(out, '\n');
}

/* False if journald does not accept it: it is down or its queue is full. */
static bool send_now(const struct buf *datagram)
{
    static const struct sockaddr_un journald = {.sun_family = AF_UNIX,
                                                .sun_path = "/run/systemd/journal/socket"};
    AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && sendto(fd, datagram->data, datagram->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                             (const struct sockaddr *)&journald, sizeof(journald)) >= 0;
}

void journal_log_sink(const struct log_line *line, void *userdata)
{
    (void)userdata;
    enum { FIXED = 5 };
    struct buf fields[FIXED + FIELDS_MAX];
    size_t extra = line->field_count < FIELDS_MAX ? line->field_count : FIELDS_MAX;
    size_t n = FIXED + extra;
    for (size_t i = 0; i < n; i++) {
        buf_init(&fields[i], (size_t)64 * 1024);
    }
    buf_addf(&fields[0], "MESSAGE=%s", line->message);
    buf_addf(&fields[1], "PRIORITY=%d", (int)line->level);
    buf_addf(&fields[2], "CODE_FILE=%s", line->file);
    buf_addf(&fields[3], "CODE_LINE=%d", line->line);
    buf_addf(&fields[4], "SYSLOG_IDENTIFIER=nightdesk");
    for (size_t i = 0; i < extra; i++) {
        buf_addf(&fields[FIXED + i], "%s=%s", line->fields[i].key, line->fields[i].value);
    }
    AUTO_BUF struct buf datagram = BUF_INIT(DATAGRAM_MAX);
    for (size_t i = 0; i < n; i++) {
        add_field(&datagram, &fields[i]);
    }
    if (buf_failed(&datagram) || !send_now(&datagram)) {
        log_sink_fd(line, (void *)(intptr_t)STDERR_FILENO);
    }
    for (size_t i = 0; i < n; i++) {
        buf_release(&fields[i]);
    }
}

static void journal_cleanup(sd_journal **slot)
{
    if (*slot != NULL) {
        sd_journal_close(*slot);
    }
}

static int journal_error(int code, struct err *err)
{
    return err_set(err, ERR_JOURNAL_UNAVAILABLE, "%s", strerror(-code));
}

/* "2026-11-21T02:36:58Z message\n" of the current entry. */
static void entry_text(sd_journal *journal, struct buf *out)
{
    const void *data = NULL;
    size_t size = 0;
    uint64_t wall_us = 0;
    struct str message = str_c("");
    const size_t prefix = sizeof("MESSAGE=") - 1;
    if (sd_journal_get_realtime_usec(journal, &wall_us) >= 0) {
        clock_add_iso(out, (int64_t)wall_us, false);
        buf_add_char(out, ' ');
    }
    if (sd_journal_get_data(journal, "MESSAGE", &data, &size) >= 0 && size >= prefix) {
        message = str_n((const char *)data + prefix, size - prefix);
    }
    if (message.len > MESSAGE_MAX) {
        message.len = MESSAGE_MAX;
        while (message.len > 0 && ((unsigned char)message.ptr[message.len] & 0xC0U) == 0x80U) {
            message.len--; /* do not cut a UTF-8 character */
        }
    }
    bool utf8 = str_is_utf8(message);
    for (size_t i = 0; i < message.len; i++) {
        unsigned char c = (unsigned char)message.ptr[i];
        bool unprintable = (c < 0x20 && c != '\t') || c == 0x7f || (c >= 0x80 && !utf8);
        buf_add_char(out, (char)(unprintable ? '?' : c));
    }
    buf_add_char(out, '\n');
}

static int add_matches(sd_journal *journal, const char *unit)
{
    AUTO_BUF struct buf match = BUF_INIT(512);
    buf_addf(&match, "_SYSTEMD_UNIT=%s", unit);
    int code = sd_journal_add_match(journal, match.data, match.len);
    if (code >= 0) {
        code = sd_journal_add_disjunction(journal);
    }
    /* Also the manager's messages about the unit: started, failed, killed. */
    buf_clear(&match);
    buf_addf(&match, "UNIT=%s", unit);
    if (code >= 0) {
        code = sd_journal_add_match(journal, "_PID=1", 0);
    }
    if (code >= 0) {
        code = sd_journal_add_match(journal, match.data, match.len);
    }
    return buf_failed(&match) ? -ENAMETOOLONG : code;
}

/* Whether the current entry is one that the query asks for, apart from its unit. text: as
 * entry_text gives it. */
static bool fits(sd_journal *journal, const struct journal_query *query, const char *text)
{
    const void *data = NULL;
    size_t size = 0;
    const size_t prefix = sizeof("PRIORITY=") - 1;
    if (query->least > 0 && sd_journal_get_data(journal, "PRIORITY", &data, &size) >= 0 &&
        size == prefix + 1 && ((const char *)data)[prefix] - '0' > query->least) {
        return false;
    }
    return query->contains == NULL || strcasestr(text, query->contains) != NULL;
}

static bool is_too_old(sd_journal *journal, const struct journal_query *query)
{
    uint64_t wall_us = 0;
    return query->since_us > 0 && sd_journal_get_realtime_usec(journal, &wall_us) >= 0 &&
           (int64_t)wall_us < query->since_us;
}

int journal_read(const struct journal_query *query, struct buf *out, struct err *err)
{
    const char *unit = query->unit;
    size_t lines = query->lines, scanned = 0;
    ASSERT(lines >= 1 && lines <= JOURNAL_LINES_MAX);
    AUTO(journal_cleanup) sd_journal *journal = NULL;
    int code = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
    if (code >= 0 && sd_journal_has_runtime_files(journal) <= 0 &&
        sd_journal_has_persistent_files(journal) <= 0) {
        code = -ENODATA;
    }
    if (code >= 0 && unit != NULL) {
        code = add_matches(journal, unit);
    }
    if (code >= 0) {
        code = sd_journal_seek_tail(journal);
    }
    if (code < 0) {
        return journal_error(code, err);
    }
    /* Collects the newest lines first, until there are enough or the buffer is full. */
    AUTO_BUF struct buf reversed = BUF_INIT(out->max - out->len);
    AUTO_FREE size_t *starts = calloc(lines, sizeof(*starts));
    ASSERT(starts != NULL);
    size_t n = 0;
    while (n < lines && scanned++ < SCANNED_MAX && (code = sd_journal_previous(journal)) > 0 &&
           !is_too_old(journal, query)) {
        size_t before = reversed.len;
        entry_text(journal, &reversed);
        if (!buf_failed(&reversed) && !fits(journal, query, reversed.data + before)) {
            buf_truncate(&reversed, before);
            continue;
        }
        if (buf_failed(&reversed)) {
            buf_truncate(&reversed, before);
            break;
        }
        starts[n++] = before;
    }
    if (code < 0) {
        return journal_error(code, err);
    }
    size_t end = reversed.len;
    while (n > 0) {
        n--;
        buf_add(out, reversed.data + starts[n], end - starts[n]);
        end = starts[n];
    }
    return 0;
}
