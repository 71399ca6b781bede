/*
 * reload_internal.h: what the commands that read, change and show the configuration share: reading
 * it, the difference, storing and applying a version. Private to this module.
 *
 *     AUTO_RELOAD_FRESH struct reload_fresh fresh = RELOAD_FRESH_INIT;
 *     rc = reload_read(reload, NULL, &fresh, err);                 // checks everything
 *     rc = rc < 0 ? rc : reload_compare(reload, &fresh, err);
 *     rc = rc < 0 ? rc : reload_use(reload, &fresh, &wish, &id, err);
 *
 * Always true: as in ops/reload.h.
 * Thread: ops.
 */
#pragma once

#include "io/loop.h"
#include "io/yaml.h"
#include "ops/reload.h"

#define RELOAD_SHOWN_MAX 4 /* prompts that are remembered */

/* What a prompt showed. */
struct reload_shown {
    int64_t run_id; /* 0: free */
    struct config *config;
};

#define RELOAD_OFFERS_MAX 4

/* The text of a configuration that somebody has sent. */
struct reload_offer {
    char hash[65]; /* "": free */
    char *text;    /* owned */
    int64_t at_mono_us;
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
    struct reload_offer offers[RELOAD_OFFERS_MAX];
    int offers_next;
};

/* A configuration that was read and may be applied. */
struct reload_fresh {
    struct config *config;
    struct config_diff *diff;
    struct buf file; /* the text that it was read from, without secrets; empty: no file */
};
#define RELOAD_FRESH_INIT                \
    {                                    \
        .file = BUF_INIT(YAML_MAX_BYTES) \
    }

void reload_fresh_release(struct reload_fresh *fresh);
#define AUTO_RELOAD_FRESH __attribute__((cleanup(reload_fresh_release)))

/* Who wants it, and why. */
struct reload_wish {
    const struct principal *who;
    const char *why;
};

/* Reads and checks everything; text NULL: of the file, else what it is to hold. *err is the first
 * problem. */
int reload_check(const struct reload *reload, const struct str *text, struct reload_fresh *ret,
                 struct config_problems *problems, struct err *err);
/* The same; every further problem is logged. */
int reload_read(const struct reload *reload, const struct str *text, struct reload_fresh *ret,
                struct err *err);
/* Fills in the difference to what runs. From then on ret->config has what can take effect now. */
int reload_compare(const struct reload *reload, struct reload_fresh *ret, struct err *err);
/* The same for the new value of one option only, also if it needs a restart otherwise: the caller
 * has put it into effect. CONFIG_UNAPPLIED if another live option differs. */
int reload_compare_taking(const struct reload *reload, const char *path, struct reload_fresh *ret,
                          struct err *err);
/* Stores and applies what can take effect now; what waits for a restart is stored as well. *ret_id:
 * its version; 0: nothing changed. */
int reload_use(struct reload *reload, struct reload_fresh *fresh, const struct reload_wish *wish,
               int64_t *ret_id, struct err *err);
/* Stores the configuration that runs as a version of its own, with these lines as its changes. */
int reload_store(const struct reload *reload, const struct buf *changes,
                 const struct reload_wish *wish, int64_t *ret_id, struct err *err);
/* A file that can be used ends the alert, also one that an earlier process has raised. */
int reload_note_valid(struct reload *reload, struct err *err);
const char *reload_options_word(int count); /* "option" or "options" */

/* reload_actions.c: two tables, of what takes effect now and of what waits; and data. */
void reload_show_diff(struct reply *reply, const struct config_diff *diff);
/* The prompts that are remembered. */
void reload_forget_shown(struct reload_shown *shown);

/* rotate.c: token.rotate. */
void rotate_actions(struct reload *reload, struct action_table *table);

/* targets.c: risk.set, the limits of risk one by one; the functions of an action, with the text of
 * what is asked for: "risk.max_drawdown 12%, max_positions 2 because it is thin". */
void targets_actions(struct reload *reload, struct action_table *table);
int targets_preview(struct action_call *call, const char *text, struct err *err);
bool targets_loosen(const struct reload *reload, const char *text);
int targets_run(struct action_call *call, const char *text, struct err *err);
int targets_recover(struct action_call *call, const char *text, bool *ret_happened,
                    struct err *err);

/* offers.c: NULL with CONFIG_CANDIDATE if it is no longer kept. */
const char *reload_offered(const struct reload *reload, const char *hash, struct err *err);
void reload_forget_offers(struct reload *reload);

/* config_actions.c: one option, whole texts, the history: config.get and the others. */
void config_actions(struct reload *reload, struct action_table *table);
