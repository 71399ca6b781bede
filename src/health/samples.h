/*
 * samples.h: stores the results of the checks, several in one transaction: a commit for each of
 * hundreds of checks would keep the loop away.
 *
 *     struct samples *samples = samples_new(loop, store);
 *     samples_add(samples, &(struct service_sample){…});      // stored within SAMPLES_WITHIN_US
 *     samples_free(samples);                                  // stores the rest
 *
 * Always true: at most SAMPLES_MAX wait. A crash loses those of the last SAMPLES_WITHIN_US.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "store/sample_table.h"

#define SAMPLES_MAX       64
#define SAMPLES_WITHIN_US (USEC_PER_SEC / 4)

struct loop;
struct ops_store;
struct samples;

struct samples *samples_new(struct loop *loop, struct ops_store *store);
void samples_free(struct samples *samples); /* accepts NULL */
void samples_add(struct samples *samples, const struct service_sample *sample);
