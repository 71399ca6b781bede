/*
 * measure_job.h: what a call of a measure asks for, and what was read. Private to this module.
 *
 * Thread: ops; measure_job_read: a helper.
 */
#pragma once

#include "assistant/measure.h"
#include "grammar_internal.h"
#include "io/zone.h"
#include "report/measure.h"

#define MEASURE_WHYS 3 /* by symbol, exit and side */

struct measure_job {
    enum measure measure;
    bool why;
    const char *premise; /* "", "loss", "gain", "up", "down" */
    int order;           /* 1: best first, -1: worst first, 0: as they are */
    bool has_period;
    bool has_versus;
    char service[48];
    struct measure_query query;
    struct measure_query versus_query;
    char zone_name[ZONE_LABEL_SIZE]; /* as configured; then for people */
    struct zone *zone;
    int64_t now_us; /* wall */

    char dir[4096];
    struct measure_result *result;
    struct measure_result *versus; /* NULL: nothing to compare with */
    struct measure_result *whys[MEASURE_WHYS];
    struct err err;
    int rc;
};

/* Reads the databases of job->dir. */
int measure_job_read(struct measure_job *job, struct err *err);
void measure_job_free(void *job);
void measure_show(const struct measure_job *job, struct reply *reply);
