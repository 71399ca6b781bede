#include "passes.h"

#include "base/check.h"
#include "trades.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PARTS 32 /* of the fills, by their ids */

struct fees {
    int64_t count;
    int64_t sum_e8;
    bool failed; /* or too large a sum */
};

struct passes {
    struct trades *trades;
    int rc;
    struct err err;
    int64_t first_fill;
    uint64_t fills_step; /* ids in a part; 0: there are no fills */
    _Atomic int next_part;
    struct db *db; /* of the thread */
    struct fees fees;
    bool begun;
    pthread_t thread;
};

/* ------------------------------------------------------------------ fills */

static void add_fees(struct fees *fees, int64_t count, int64_t sum_e8)
{
    fees->count += count;
    fees->failed |= __builtin_add_overflow(fees->sum_e8, sum_e8, &fees->sum_e8);
}

static void take_fee(struct db_args *args, void *userdata)
{
    add_fees(userdata, 1, db_arg_i64(args, 0));
}

static void find_fills(struct passes *passes, struct db *db)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    /* Of one of the two alone SQLite looks at the ends of the table; of both at all rows. */
    int rc = db_query(db, "SELECT (SELECT min(id) FROM fills), (SELECT max(id) FROM fills)",
                      DB_NO_VALUES, &rows, NULL);
    rc = rc < 0 ? rc : db_next(rows, NULL);
    passes->fees.failed = rc < 0;
    if (rc > 0 && !db_is_null(rows, 0)) {
        passes->first_fill = db_i64(rows, 0);
        passes->fills_step = ((uint64_t)db_i64(rows, 1) - (uint64_t)passes->first_fill) / PARTS + 1;
    }
}

/* Reads one part after the other that nobody has begun. */
static void read_fills(struct passes *passes, struct db *db, struct fees *fees)
{
    int part = 0;
    while (passes->fills_step > 0 && (part = atomic_fetch_add(&passes->next_part, 1)) < PARTS) {
        uint64_t first = (uint64_t)passes->first_fill + (uint64_t)part * passes->fills_step;
        int64_t last = (int64_t)(first + passes->fills_step - 1);
        last = part == PARTS - 1 ? INT64_MAX : last;
        int rc = db_each(db, "SELECT each(fee) FROM fills WHERE id BETWEEN ? AND ?",
                         DB_VALUES(DB_I64((int64_t)first), DB_I64(last)), take_fee, fees, NULL);
        fees->failed |= rc < 0;
    }
}

/* ------------------------------------------------------------------ both */

static void *read_beside(void *userdata)
{
    struct passes *passes = userdata;
    passes->rc = trades_read(passes->trades, passes->db, &passes->err);
    read_fills(passes, passes->db, &passes->fees);
    return NULL;
}

struct passes *passes_begin(const struct settings *settings, int64_t since_us, int64_t earlier_us,
                            const struct source *source)
{
    struct passes *passes = calloc(1, sizeof(*passes));
    NEED_MEMORY(passes != NULL);
    passes->trades = trades_new(settings, since_us, earlier_us);
    passes->db = source->trades;
    find_fills(passes, source->trading);
    if (passes->db != NULL) {
        sigset_t all, before;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        passes->begun = pthread_create(&passes->thread, NULL, read_beside, passes) == 0;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return passes;
}

int passes_end(struct passes *passes, struct source *source, struct json_out *out, struct err *err)
{
    struct fees fees = {0};
    if (passes->begun) {
        read_fills(passes, source->trading, &fees);
        ASSERT(pthread_join(passes->thread, NULL) == 0);
    } else {
        passes->db = source->trading;
        (void)read_beside(passes);
    }
    add_fees(&fees, passes->fees.count, passes->fees.sum_e8);
    if (!fees.failed && !passes->fees.failed) {
        source_fact_i64(source, "fills_count", fees.count);
        source_fact_i64(source, "fills_fee_e8", fees.sum_e8);
    }
    int rc = passes->rc;
    if (rc < 0) {
        *err = passes->err;
    } else {
        rc = trades_add(passes->trades, source, out, err);
    }
    trades_free(passes->trades);
    free(passes);
    return rc;
}
