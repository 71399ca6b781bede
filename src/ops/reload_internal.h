/*
 * reload_internal.h: what the commands that read, change and show the configuration share: reading
 * it, the difference, storing and applying a version. Private to this module.
 *
 *     AUTO_RELOAD_FRESH struct reload_fresh fresh = {.config = NULL};
 *     rc = reload_read(reload, NULL, &config, err);                // checks everything
 *     rc = rc < 0 ? rc : reload_compare(reload, config, &fresh, err);
 *     rc = rc < 0 ? rc : reload_use(reload, &fresh, &wish, &id, err);
 *
 * Always true: as in ops/reload.h.
 * Thread: ops.
 */
#pragma once

#include "io/loop.h"
#include "ops/reload.h"

#define RELOAD_SHOWN_MAX 4 /* prompts that are remembered */

/* What a prompt showed. */
struct reload_shown {
    int64_t run_id; /* 0: free */
    struct config *config;
};

struct reload {
    struct reload_options o;
    const struct config *config; /* runs now */
    struct config *owned;        /* the same, unless it is the caller's */
    bool wanted;                 /* a signal could not be stored */
    bool invalid;                /* the file could not be used the last time */
    bool alerted;                /* the alert is open, or may be: an earlier process raised it */
    struct loop_source *again;   /* the next attempt */
    int waiting;                 /* changes that need a restart, as of the last reading */
    int bad_files;               /* files of the user's own commands */
    struct reload_shown shown[RELOAD_SHOWN_MAX];
    int shown_next;
};

/* A configuration that was read and may be applied. */
struct reload_fresh {
    struct config *config;
    struct config_diff *diff;
};

void reload_fresh_release(struct reload_fresh *fresh);
#define AUTO_RELOAD_FRESH __attribute__((cleanup(reload_fresh_release)))

/* Who wants it, and why. */
struct reload_wish {
    const struct principal *who;
    const char *why;
};

/* Reads and checks everything; text NULL: of the file, else what it is to hold. Every problem is
 * logged; *err is the first. */
int reload_read(const struct reload *reload, const struct str *text, struct config **ret,
                struct err *err);
/* Takes the configuration. */
int reload_compare(const struct reload *reload, struct config *owned, struct reload_fresh *ret,
                   struct err *err);
/* The same for the new value of one option only, also if it needs a restart otherwise: the caller
 * has put it into effect. CONFIG_UNAPPLIED if another live option differs. */
int reload_compare_taking(const struct reload *reload, struct config *owned, const char *path,
                          struct reload_fresh *ret, struct err *err);
/* Stores and applies what can take effect now. *ret_id: its version; 0: nothing changed. */
int reload_use(struct reload *reload, struct reload_fresh *fresh, const struct reload_wish *wish,
               int64_t *ret_id, struct err *err);
/* Stores the configuration that runs as a version of its own, with these lines as its changes. */
int reload_store(const struct reload *reload, const struct buf *changes,
                 const struct reload_wish *wish, int64_t *ret_id, struct err *err);
/* A file that can be used ends the alert, also one that an earlier process has raised. */
int reload_note_valid(struct reload *reload, struct err *err);
const char *reload_options_word(int count); /* "option" or "options" */

/* reload_actions.c: the prompts that are remembered. */
void reload_forget_shown(struct reload_shown *shown);

/* rotate.c: token.rotate. */
void rotate_actions(struct reload *reload, struct action_table *table);

/* targets.c: risk.set, the limits of risk one by one. */
void targets_actions(struct reload *reload, struct action_table *table);
