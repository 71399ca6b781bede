/*
 * api_metrics.h: GET /metrics: what this program measures and knows, for Prometheus. Private to
 * this module. docs/metrics.md lists the families.
 *
 * api_metrics.c answers and writes what the process itself is; api_metrics_trading.c writes what
 * the engine publishes, api_metrics_ops.c what the ops side does and what is in its database.
 * Always true: the number of series does not depend on the number of symbols traded: only symbols
 * with an open position have series of their own. At most POSITIONS_LIMIT positions and
 * CONFIG_SERVICES_MAX services. What is not known is left out, never zero.
 * Thread: the listener's.
 */
#pragma once

#include "api_internal.h"
#include "io/exposition.h"

/* How often each agent was right in the last trades. */
struct api_accuracy {
    bool read;
    uint64_t trades; /* of the snapshot when it was read */
    uint64_t file;   /* shared->trading_file */
    int count;
    struct {
        char name[16];
        int64_t judged, right;
    } agents[VOTES_MAX];
};

/* Of a listener; made by the first request. */
struct api_metrics {
    struct web_content *content[2]; /* by openmetrics; NULL: none yet */
    int64_t rendered_mono_us[2];
    double started_s; /* of the process, wall; 0: not known */
    struct api_accuracy accuracy;
};

/* One rendering. */
struct api_scrape {
    struct listener *listener;
    struct exposition out;
    const struct snapshot *snapshot;
    const struct shared *shared;
    int64_t now_wall_us;
    int64_t now_mono_us;
};

/* After the listener's thread has ended. */
void api_metrics_release(struct listener *listener);

void api_metrics_trading(struct api_scrape *scrape);
void api_metrics_ops(struct api_scrape *scrape);

static inline void api_metrics_family(struct api_scrape *scrape, const char *name,
                                      enum exposition_type type, const char *help)
{
    exposition_family(&scrape->out, name, type, help);
}
/* A family of one sample. */
void api_metrics_u64(struct api_scrape *scrape, const char *name, enum exposition_type type,
                     const char *help, uint64_t value);
void api_metrics_double(struct api_scrape *scrape, const char *name, const char *help,
                        double value);
void api_metrics_histogram(struct api_scrape *scrape, const char *name, const char *help,
                           const struct histogram *histogram);
