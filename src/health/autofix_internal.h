/*
 * autofix_internal.h: shared by autofix.c, which runs the playbooks, and autofix_status.c, which
 * shows them. Private to this module. Thread: ops.
 */
#pragma once

#include "command/trigger.h"
#include "health/autofix.h"

#include <stddef.h>
#include <stdint.h>

#define AUTOFIX_USER "autofix"     /* in the audit log and in command_runs */
#define AUTOFIX_OFF  "autofix.off" /* a named value of ops.db */
#define FIXES_MAX    16            /* one that runs, and those whose effect is awaited */
#define GIVEN_UP     64

/* How the last run of a playbook ended. The names are stored (autofix_status.c). */
enum autofix_outcome {
    AUTOFIX_FIXED,
    AUTOFIX_NO_HELP, /* the alert is still open, and there was nothing to undo */
    AUTOFIX_UNDONE,
    AUTOFIX_NOT_UNDONE, /* it did not help, and undoing failed */
    AUTOFIX_CANCELLED,  /* by a person */
    AUTOFIX_OUTCOMES
};

/* A run, and then the wait for its effect. */
struct fix {
    struct autofix *autofix;
    const struct manifest *m; /* a reference; NULL: this place is free */
    int64_t alert_id;
    char item[TRIGGER_ITEM_SIZE];
    bool running;       /* the run has not ended */
    struct err failure; /* of the run */
    int64_t begun_mono_us;
    int64_t ended_mono_us;
};

struct autofix {
    struct autofix_options o;
    const struct manifest_list *manifests;
    struct runner *runner; /* NULL before autofix_start */
    bool off;
    struct fix fixes[FIXES_MAX];
    size_t offset;        /* of the open alerts that are looked at next */
    int64_t look_mono_us; /* not before this time */
    /* Alerts that were escalated or taken over, the newest; one that opens again is another. */
    struct {
        int64_t id, reopened;
    } given_up[GIVEN_UP];
    size_t given_up_next;
};

/* How often it ran for this item within its time; negative: unknown. */
int64_t autofix_attempts(const struct autofix *autofix, const struct manifest *m, const char *item);
/* Stores how a run ended, for the status and for the message of an alert that is given up. */
void autofix_remember(const struct autofix *autofix, const struct fix *fix,
                      enum autofix_outcome outcome);
/* " The last run did not help and was undone."; nothing if there is none. */
void autofix_add_last(const struct autofix *autofix, const struct manifest *m, struct buf *out);
