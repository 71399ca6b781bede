/*
 * trigger.h: which alerts make a command run by itself: the key `trigger` of a manifest.
 *
 *     trigger: {alert: "service:*", when: $fault == crashed, after: 5s, times: 2, within: 1h,
 *               verify: 2m}
 *
 *     if (trigger_matches(&m->trigger, alert->fingerprint, item) &&
 *         trigger_holds(&m->trigger, evidence, quiet, &holds, err) == 0 && holds) …
 *
 * The text that * stands for is the first argument of the command. The names in `when` are the last
 * parts of the pointers in the alert's evidence ("/services/demo/fault" is $fault), and $quiet: no
 * order is open and nobody's command is running.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "model/alert.h"

#include <stdbool.h>
#include <stdint.h>

#define TRIGGER_ITEM_SIZE 64

struct manifest_trigger {
    char alert[ALERT_FINGERPRINT_SIZE]; /* of a fingerprint, with at most one *; "": no trigger */
    char when[160];                     /* checked (when.h); "": always */
    int64_t after_us;                   /* how long the alert must have been open */
    int times;                          /* at most so often for the same item … */
    int64_t within_us;                  /* … within this time */
    int64_t verify_us;                  /* after the run, the alert must be resolved within this */
};

/* "on the alert service:*, when $fault == crashed, after 2 s; at most 3 times in 1 h" */
void trigger_describe(const struct manifest_trigger *trigger, struct buf *out);
/* ret_item: what * stands for, or "". An item that is too long does not match. */
bool trigger_matches(const struct manifest_trigger *trigger, const char *fingerprint,
                     char ret_item[TRIGGER_ITEM_SIZE]);
/* evidence: the array of the alert; NULL: none. Error: COMMAND_ARG_INVALID, if a value to compare
 * is no number. */
int trigger_holds(const struct manifest_trigger *trigger, struct json_object *evidence, bool quiet,
                  bool *ret_holds, struct err *err);
