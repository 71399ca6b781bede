/*
 * plan.h: what is known of the conditions of a run's steps before they run. Private to this module.
 *
 *     if (!plan_skips(run, run_step(run, i))) describe it
 *
 * Thread: ops.
 */
#pragma once

#include "command/manifest.h"
#include "run.h"

#include <stdbool.h>

/* The condition of the step does not hold, whatever earlier steps will give. */
bool plan_skips(const struct run *run, const struct manifest_step *step);
/* Its condition asks for what an earlier step will give. */
bool plan_depends(const struct run *run, const struct manifest_step *step);
/* Its condition asks only for arguments: the person who gave them has chosen. */
bool plan_is_chosen(const struct manifest_step *step);
