#include "reading.h"

#include "base/check.h"
#include "io/pool.h"
#include "store/trading.h"

#include <string.h>

struct job {
    struct reading reading;
    char dir[4096];
    struct err err;
    int rc;
};

static void job_free(void *data)
{
    struct job *job = data;
    free(job->reading.data);
    free(job);
}

static void work(void *data)
{
    struct job *job = data;
    struct trading_store *store = NULL;
    job->rc = trading_store_open(job->dir, TRADING_STORE_READ, &store, &job->err);
    if (job->rc == 0) {
        job->rc = job->reading.read(store, job->reading.data, &job->err);
    }
    trading_store_free(store);
}

static void done(void *data, void *userdata)
{
    const struct job *job = data;
    struct action_call *call = userdata;
    action_set_state(call, NULL);
    if (job->rc == 0) {
        job->reading.show(call, job->reading.data);
    }
    action_finish(call, job->rc == 0 ? NULL : &job->err);
}

int reading_start(struct desk *desk, struct action_call *call, const struct reading *reading,
                  struct err *err)
{
    struct job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->reading = *reading;
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc == 0 && desk->o.helpers == NULL) {
        rc = reading->read(desk->o.trading, reading->data, err);
        if (rc == 0) {
            reading->show(call, reading->data);
        }
    }
    if (rc < 0 || desk->o.helpers == NULL) {
        job_free(job);
        return rc < 0 ? rc : ACTION_DONE;
    }
    (void)str_copy(str_c(desk->o.state_dir), job->dir, sizeof(job->dir));
    struct pool_job *handle =
        pool_start(desk->o.helpers,
                   &(struct pool_work){
                       .work = work, .done = done, .drop = job_free, .data = job, .userdata = call},
                   err);
    if (handle == NULL) {
        job_free(job);
        return -ERR_POOL_BUSY;
    }
    action_set_state(call, handle);
    return ACTION_PENDING;
}

void reading_cancel(struct action_call *call)
{
    pool_cancel(action_state(call));
}
