#include "assistant/recommend.h"

#include "base/check.h"
#include "config/config.h"
#include "io/pool.h"
#include "recommend_internal.h"

#include <stdlib.h>
#include <string.h>

struct job {
    struct advice_settings settings;
    int area; /* -1: all */
    char dir[4096];
    struct advisor *advisor;
    struct err err;
    int rc;
};

static void job_free(void *data)
{
    struct job *job = data;
    advisor_free(job->advisor);
    free(job);
}

static void work(void *data)
{
    struct job *job = data;
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    job->advisor = advisor_new(&job->settings);
    job->rc = trading_store_open(job->dir, TRADING_STORE_READ, &trading, &job->err);
    job->rc = job->rc < 0 ? job->rc : ops_store_open(job->dir, OPS_STORE_READ, &ops, &job->err);
    job->rc = job->rc < 0 ? job->rc : advisor_read(job->advisor, trading, ops, &job->err);
    if (job->rc == 0) {
        advise_trades(job->advisor);
        job->rc = advise_tables(job->advisor, trading, ops, &job->err);
    }
    if (job->rc == 0) {
        advise_decide(job->advisor);
    }
}

static void done(void *data, void *userdata)
{
    const struct job *job = data;
    struct action_call *call = userdata;
    action_set_state(call, NULL);
    if (job->rc == 0) {
        advice_show(job->advisor, job->area, action_reply(call));
    }
    action_finish(call, job->rc == 0 ? NULL : &job->err);
}

static int run_here(struct job *job, struct action_call *call, struct err *err)
{
    work(job);
    int rc = job->rc;
    if (rc == 0) {
        advice_show(job->advisor, job->area, action_reply(call));
    } else if (err != NULL) {
        *err = job->err;
    }
    job_free(job);
    return rc < 0 ? rc : ACTION_DONE;
}

static int run(struct action_call *call, struct err *err)
{
    const struct recommender *r = action_userdata(call);
    const struct config *config = r->config(r->userdata);
    struct job *job = calloc(1, sizeof(*job));
    NEED_MEMORY(job != NULL);
    job->settings = (struct advice_settings){.stop_pct = config->risk_stop_pct,
                                             .target_pct = config->risk_target_pct,
                                             .max_position_pct = config->risk_max_position_pct,
                                             .cooldown_us = config->risk_cooldown_us,
                                             .now_us = action_begun_us(call)};
    job->area = -1;
    for (int i = 0; i < ADVICE_AREAS; i++) {
        bool wanted = strcmp(action_text(call, "area"), advice_area_name((enum advice_area)i)) == 0;
        job->area = wanted ? i : job->area;
    }
    (void)str_copy(str_c(r->state_dir), job->dir, sizeof(job->dir));
    if (r->helpers == NULL) {
        return run_here(job, call, err);
    }
    struct pool_job *handle =
        pool_start(r->helpers,
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

static void cancel(struct action_call *call)
{
    pool_cancel(action_state(call));
}

static const struct action rows[] = {
    {.name = "assistant.recommend",
     .summary = "What could be done better, by expected effect, with the figures behind it",
     .data = "recommendations",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .assistant = true,
     .params = ACTION_PARAMS({.name = "area",
                              .type = PARAM_CHOICE,
                              .choices = "all|" ADVICE_AREA_LIST,
                              .default_text = "all",
                              .help = "only advice about this"}),
     .run = run,
     .cancel = cancel},
    {0},
};

void recommend_actions(struct recommender *recommender, struct action_table *table)
{
    action_table_add(table, rows, recommender);
}
