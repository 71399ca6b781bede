/*
 * approval_open.h: what the row of a step `approve` says while it waits for another person.
 *
 *     struct approval_open open;
 *     if (approval_open_read(&step, &open)) …              // /confirm <open.code> answers it
 *
 * Thread: any.
 */
#pragma once

#include "command/action.h"
#include "model/run.h"

#include <stdbool.h>
#include <stdint.h>

struct approval_open {
    char code[16];
    int64_t expires_us;                /* wall */
    char asked[ACTION_OUTPUT_MAX + 1]; /* the question, as the manifest has it */
};

/* False: the step is another one, or it was answered. */
bool approval_open_read(const struct run_step *step, struct approval_open *ret);
