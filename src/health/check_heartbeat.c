#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "check.h"
#include "health_internal.h"
#include "heartbeat.h"
#include "io/secret.h"
#include "store/heartbeat_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct calls {
    struct heartbeat row;
    char key[HEARTBEAT_KEY_SIZE];
    int64_t begun_us; /* when nightdesk began to listen: a call before it found nobody */
};

static int64_t wall_us(const struct check *check)
{
    return clock_wall_us(loop_clock(check_health(check)->options.loop));
}

static void write_row(const struct check *check, const struct heartbeat *row)
{
    struct err err = {0};
    if (heartbeat_table_write(check_health(check)->options.store, check->service->config->name,
                              check->config.name, row, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store the call of a job");
    }
}

/* The key is not stored: it follows from the name and the secret key of this installation. */
static void make_key(const struct check *check, char ret[HEARTBEAT_KEY_SIZE])
{
    AUTO_BUF struct buf name = BUF_INIT(128);
    char hash[SECRET_HASH_HEX_SIZE];
    buf_addf(&name, "heartbeat:%s/%s", check->service->config->name, check->config.name);
    ops_store_fingerprint(check_health(check)->options.store, buf_str(&name), hash);
    (void)str_copy(str_n(hash, HEARTBEAT_KEY_SIZE - 1), ret, HEARTBEAT_KEY_SIZE);
}

static struct calls *calls_of(struct check *check)
{
    struct calls *calls = check->own;
    struct err err = {0};
    if (calls != NULL) {
        return calls;
    }
    check->own = calls = calloc(1, sizeof(*calls));
    ASSERT(calls != NULL);
    calls->begun_us = wall_us(check);
    make_key(check, calls->key);
    int rc = heartbeat_table_get(check_health(check)->options.store, check->service->config->name,
                                 check->config.name, &calls->row, &err);
    if (rc < 0) {
        calls->row = (struct heartbeat){.first_us = calls->begun_us};
        if (rc == -ERR_STORE_NOT_FOUND) {
            write_row(check, &calls->row);
        } else {
            log_err(LOG_LEVEL_ERROR, &err, "could not read the calls of a job");
        }
    }
    return calls;
}

const char *heartbeat_key(struct check *check)
{
    return check->kind == &check_heartbeat ? calls_of(check)->key : "";
}

void heartbeat_called(struct check *check, enum heartbeat_call call)
{
    struct calls *calls = calls_of(check);
    int64_t now_us = wall_us(check);
    switch (call) {
    case HEARTBEAT_SUCCESS:
        calls->row.last_us = now_us;
        calls->row.started_us = calls->row.failed_us = 0;
        break;
    case HEARTBEAT_START:
        calls->row.started_us = now_us;
        break;
    case HEARTBEAT_FAILURE:
        calls->row.failed_us = now_us;
        calls->row.started_us = 0;
        break;
    }
    write_row(check, &calls->row);
    service_check_soon(check->service);
}

/* In whole seconds, at least one. */
static void add_time(struct buf *out, int64_t duration_us)
{
    int64_t seconds = duration_us / USEC_PER_SEC;
    clock_add_duration(out, (seconds > 0 ? seconds : 1) * USEC_PER_SEC);
}

static void begin(struct check *check)
{
    const struct calls *calls = calls_of(check);
    const struct heartbeat *row = &calls->row;
    const struct config_check *config = &check->config;
    int64_t now_us = wall_us(check);
    int64_t since_us = row->last_us > row->first_us ? row->last_us : row->first_us;
    int64_t due_us = since_us + config->heartbeat_us;
    due_us = due_us > calls->begun_us ? due_us : calls->begun_us;
    AUTO_BUF struct buf ago = BUF_INIT(32), every = BUF_INIT(32);
    if (row->failed_us != 0) {
        add_time(&ago, now_us - row->failed_us);
        check_fail_sure(check, "the job reported a failure %s ago", ago.data);
    } else if (row->started_us != 0 && now_us > row->started_us + config->grace_us) {
        add_time(&ago, now_us - row->started_us);
        check_fail_sure(check, "the job began %s ago and has not ended", ago.data);
    } else if (now_us > due_us + config->grace_us) {
        add_time(&ago, now_us - since_us);
        add_time(&every, config->heartbeat_us);
        check_fail_sure(check, "no call for %s; one is expected every %s", ago.data, every.data);
    } else {
        check_pass(check);
    }
}

static void cancel(struct check *check)
{
    (void)check; /* a run ends at once */
}

static void release(struct check *check)
{
    free(TAKE(check->own));
}

const struct check_kind check_heartbeat = {
    .name = "heartbeat", .begin = begin, .cancel = cancel, .release = release};
