/*
 * config_write.h: a change of the configuration file by a command, from its check to the version
 * that takes effect. Private to this module.
 *
 *     struct config_write *w = config_write_new(reload, action_who(call));
 *     rc = config_write_open(w, err);                       // w->before
 *     buf_add_str(&w->after, wanted);
 *     rc = rc < 0 ? rc : config_write_check(w, &fresh, err);
 *     return rc < 0 ? rc : config_write_start(w, call, err);
 *
 * Always true: the file is replaced as a whole or not at all, by a helper thread, since the disk
 * may be slow; it is not replaced if somebody has edited it since. If its version cannot be stored
 * or the command is cancelled or too slow, the text before stands in the file again. The rights and
 * the owner of the file stay.
 * Thread: ops.
 */
#pragma once

#include "io/pool.h"
#include "reload_internal.h"

#include <limits.h>
#include <stdatomic.h>

struct config_write {
    struct reload *reload;
    char path[PATH_MAX]; /* of the file itself, not of a link to it */
    struct buf before;   /* texts of the file */
    struct buf after;
    struct principal who;
    char why[201];
    /* Optional: whether the change may be made; called again just before it takes effect. */
    int (*check)(const struct config_write *w, const struct config_diff *diff, struct err *err);
    /* Fills the reply when it has taken effect. id: its version; 0: nothing differs. */
    void (*show)(const struct config_write *w, const struct config_diff *diff, int64_t id,
                 struct action_call *call);
    void *data; /* the caller's, freed with free */

    /* Private. */
    struct pool_job *started;
    atomic_int turn;
    int rc;
    struct err err;
};

/* Never NULL. */
struct config_write *config_write_new(struct reload *reload, const struct principal *who);
void config_write_free(struct config_write *w); /* takes NULL */
static inline void config_write_cleanup(struct config_write **slot)
{
    config_write_free(*slot);
}
#define AUTO_CONFIG_WRITE __attribute__((cleanup(config_write_cleanup)))

/* Finds and reads the file, which must be writable. */
int config_write_open(struct config_write *w, struct err *err);
/* Whether `after` is a configuration that can be used, and what it would change. */
int config_write_check(const struct config_write *w, struct reload_fresh *ret, struct err *err);
/* Begins to write; returns ACTION_PENDING. Takes w, also if it fails. */
int config_write_start(struct config_write *w, struct action_call *call, struct err *err);
void config_write_cancel(struct action_call *call); /* for the action's cancel */
