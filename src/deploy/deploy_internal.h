/*
 * deploy_internal.h: shared by the files of this module.
 *
 *     struct work *work = work_new(deploy, call, err);     // NULL: the service cannot be deployed
 *     work->run = unpack, work->show = show_unpacked;
 *     return work_start(work, call, err);                  // ACTION_PENDING
 *
 * Thread: ops; the run of a work: a helper.
 */
#pragma once

#include "accept.h"
#include "config/config.h"
#include "deploy/deploy.h"
#include "incoming.h"
#include "model/diff.h"

struct fetch;
struct pool_job;

/* What the loop knows of the releases of one service. */
struct known {
    char service[32];
    char root[LAYOUT_ROOT_SIZE];
    bool read; /* layout is set */
    struct layout layout;
};

struct deploy {
    struct deploy_options o;
    struct known *known[CONFIG_SERVICES_MAX]; /* of the services with a release_root, then NULL */
    struct fetch *fetches;                    /* under way */
    struct loop_source *up;                   /* timer: this program has come up */
};

struct work {
    /* Of the loop. */
    struct deploy *deploy;
    struct pool_job *job;
    void (*show)(const struct work *work, struct action_call *call); /* after success */

    /* Of the helper: copies, since the configuration may be replaced meanwhile. */
    int (*run)(struct work *work, struct err *err); /* NULL: only reads the layout */
    atomic_bool stop;
    atomic_int turn; /* enum layout_turn; once it is TURNED, `from` stays as it is */
    char service[32];
    char root[LAYOUT_ROOT_SIZE];
    char version[RELEASE_VERSION_SIZE]; /* "": not given */
    char failed[RELEASE_VERSION_SIZE];  /* of a step back: the version that has failed; "": none */
    struct accept_policy policy;
    int64_t now_us; /* when it began */
    size_t keep;
    bool reload;                         /* what applies a release: a reload, not a restart */
    char colours[2][CONFIG_COLOUR_SIZE]; /* of blue/green; "": it is not */
    bool back;                           /* the version to choose is that of a step back */

    /* Its results. */
    int rc;
    struct err err;
    struct layout_release release;
    char from[RELEASE_VERSION_SIZE]; /* what was current before a switch */
    char colour[CONFIG_COLOUR_SIZE]; /* of a template unit: the one to prepare or to switch to */
    bool there;                      /* it was unpacked, or prepared, already */
    size_t removed;
    struct diff_size diff;
    int64_t diff_bytes; /* of release.diff; 0: there is none */
    bool diff_cut;      /* only its beginning was counted */
    bool read;          /* layout is what is there now */
    struct layout layout;
};

/* From the service and, if the action has it, the version of the call. NULL: ERR_SERVICE_UNKNOWN,
 * ERR_RELEASE_ROOT. */
struct work *work_new(struct deploy *deploy, struct action_call *call, struct err *err);
/* Takes ownership, also if it fails. */
int work_start(struct work *work, struct action_call *call, struct err *err);
void work_cancel(struct action_call *call);
struct known *deploy_known(struct deploy *deploy, const char *service);

/* The entry of a service that can be deployed; NULL: ERR_SERVICE_UNKNOWN, ERR_RELEASE_ROOT. */
const struct config_service *deploy_service(struct deploy *deploy, const char *name,
                                            struct err *err);

static inline int deploy_failed(const struct err *err)
{
    return err != NULL && err->id != ERR_NONE ? -err->id : -ERR_INTERNAL;
}

/* The version that was asked for; else for a step back the one before the current one, and for a
 * step forward the newest. NULL: ERR_RELEASE_UNKNOWN. version may be NULL. */
const struct layout_release *deploy_choose(const struct layout *layout, const char *service,
                                           const char *version, bool back, struct err *err);

/* colours.c: blue/green. */
extern const struct action colour_actions[];
static inline bool work_has_colours(const struct work *w)
{
    return w->colours[0][0] != '\0';
}
/* The colour that is not live. */
const char *work_idle_colour(const struct work *w);

/* diff.c: deploy.diff, what a release changes. */
extern const struct action diff_actions[];

/* fetch.c: deploy.fetch */
int fetch_run(struct action_call *call, struct err *err);
void fetch_cancel(struct action_call *call);
void fetch_free_all(struct deploy *deploy);
/* Whether a redirect from one URL to another is safe. */
bool fetch_may_follow(const char *from, const char *to);
