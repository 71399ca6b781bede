/* What was read over the API, by the hour, in the audit log: a line for each call would fill it. */
#include "access_internal.h"
#include "base/check.h"
#include "store/audit_chain.h"
#include "store/read_table.h"

#include <string.h>

#define HOURS_MAX 48 /* added at once; the others at the next call */
#define ROWS      64
#define DETAIL    1000 /* bytes; what does not fit is a sum */

/* One line of the audit log, while it grows. */
struct line {
    char user[64];
    struct buf detail;
    int64_t others; /* reads that do not fit */
};

static int end_line(struct access *access, enum channel channel, struct line *line, struct err *err)
{
    if (line->user[0] == '\0') {
        return 0;
    }
    if (line->others > 0) {
        buf_addf(&line->detail, ", others %lld", (long long)line->others);
    }
    const struct audit_entry entry = {.at_us = clock_wall_us(access->clock),
                                      .user = line->user,
                                      .channel = channel_name(channel),
                                      .action = "reads.counted",
                                      .detail = line->detail.data,
                                      .result = "ok"};
    int64_t id = 0;
    int rc = audit_chain_append(access->store, &entry, &id, err);
    line->user[0] = '\0';
    return rc;
}

static void begin_line(struct line *line, const struct read_count *r)
{
    (void)str_copy(str_c(r->user), line->user, sizeof(line->user));
    buf_clear(&line->detail);
    line->others = 0;
    clock_add_iso(&line->detail, r->at_us, false);
    buf_add_c(&line->detail, " and an hour:");
}

static void add_read(struct line *line, const struct read_count *r)
{
    if (line->detail.len > DETAIL - 100) {
        line->others += r->count;
        return;
    }
    buf_addf(&line->detail, " %s %lld", r->command, (long long)r->count);
    if (r->failed > 0) {
        buf_addf(&line->detail, " (%lld failed)", (long long)r->failed);
    }
}

static int add_hour(struct access *access, enum channel channel, int64_t hour_us, struct err *err)
{
    struct line line = {.detail = BUF_INIT(DETAIL + 24)};
    AUTO_FREE struct read_count *rows = calloc(ROWS, sizeof(*rows));
    ASSERT(rows != NULL);
    int rc = ROWS;
    for (size_t offset = 0; rc == ROWS; offset += ROWS) {
        rc =
            read_table_hour(access->store, channel_name(channel), hour_us, offset, rows, ROWS, err);
        for (int i = 0; i < rc; i++) {
            if (strcmp(line.user, rows[i].user) != 0) {
                int ended = end_line(access, channel, &line, err);
                rc = ended < 0 ? ended : rc;
                begin_line(&line, &rows[i]);
            }
            add_read(&line, &rows[i]);
        }
    }
    rc = rc < 0 ? rc : end_line(access, channel, &line, err);
    buf_release(&line.detail);
    return rc;
}

static int add_hours(struct access *access, enum channel channel, const char *mark, struct err *err)
{
    int64_t now_us = clock_wall_us(access->clock), since_us = 0, hour_us = 0;
    int64_t before_us = now_us - now_us % USEC_PER_HOUR;
    int rc = ops_store_get_i64(access->store, mark, 0, &since_us, err);
    if (rc == 0 && since_us > before_us) { /* the clock was set back: begin with this hour */
        return ops_store_write_i64(access->store, mark, before_us, err);
    }
    for (int i = 0; rc >= 0 && i < HOURS_MAX; i++) {
        rc = read_table_next_hour(access->store, channel_name(channel), since_us, before_us,
                                  &hour_us, err);
        if (rc <= 0) {
            return rc;
        }
        rc = add_hour(access, channel, hour_us, err);
        since_us = hour_us + USEC_PER_HOUR;
        rc = rc < 0 ? rc : ops_store_write_i64(access->store, mark, since_us, err);
    }
    return rc;
}

int access_audit_reads(struct access *access, enum channel channel, struct err *err)
{
    char mark[48];
    (void)snprintf(mark, sizeof(mark), "reads_audited_us.%s", channel_name(channel));
    int rc = ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = add_hours(access, channel, mark, err);
    if (rc < 0) {
        ops_store_rollback(access->store);
        return rc;
    }
    return ops_store_commit(access->store, err);
}
