#include "samples.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "io/loop.h"

#include <stdlib.h>

struct samples {
    struct ops_store *store;
    struct loop_source *due;
    struct service_sample *waiting; /* SAMPLES_MAX; NULL: none */
    size_t count;
};

static void store_all(struct samples *samples)
{
    struct err err = {0};
    AUTO_FREE struct service_sample *waiting = TAKE(samples->waiting);
    size_t count = samples->count;
    samples->count = 0;
    if (count > 0 && sample_table_add_all(samples->store, waiting, count, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store health samples");
    }
}

static void on_due(void *userdata)
{
    store_all(userdata);
}

struct samples *samples_new(struct loop *loop, struct ops_store *store)
{
    struct samples *samples = calloc(1, sizeof(*samples));
    ASSERT(samples != NULL);
    samples->store = store;
    samples->due = loop_add_timer(loop, on_due, samples);
    loop_source_name(samples->due, "health samples");
    return samples;
}

void samples_free(struct samples *samples)
{
    if (samples != NULL) {
        store_all(samples);
        loop_source_free(samples->due);
        free(samples);
    }
}

void samples_add(struct samples *samples, const struct service_sample *sample)
{
    if (samples->waiting == NULL) {
        samples->waiting = calloc(SAMPLES_MAX, sizeof(*samples->waiting));
        ASSERT(samples->waiting != NULL);
        loop_timer_in(samples->due, SAMPLES_WITHIN_US);
    }
    samples->waiting[samples->count++] = *sample;
    if (samples->count == SAMPLES_MAX) {
        loop_timer_stop(samples->due);
        store_all(samples);
    }
}
