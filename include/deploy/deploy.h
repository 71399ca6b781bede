/*
 * deploy.h: releases of the configured services, those with a release_root: actions to fetch,
 * verify, unpack, switch to, go back from and remove them. Restarting and checking a service is not
 * its business: commands such as /deploy compose deploy.* and service.* actions.
 *
 *     deploy = deploy_new(&(struct deploy_options){.loop = loop, .config = config, .http = http,
 *                         .helpers = helpers});
 *     deploy_actions(deploy, table);      // deploy.fetch .check .unpack .switch .back .prune .list
 *     deploy_start(deploy);
 *
 * Always true: everything that waits for a disk runs on a helper; an artefact is unpacked only from
 * a private copy that was verified there; a switch is one rename, so that after kill -9 at any
 * moment a service has the old or the new release, and a run that is resumed says which.
 * What is known of the releases (for prompts, which cannot wait) is what the last action of the
 * service, the start or a reload has read.
 * Ownership: config belongs to the caller and outlives the module, or the next deploy_apply.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "command/action.h"

struct config;
struct deploy;
struct http;
struct loop;
struct pool;

/* In the folder of a release: what it changes, as a unified diff. */
#define DEPLOY_DIFF_FILE "release.diff"

struct deploy_options {
    struct loop *loop;
    const struct config *config;
    struct http *http;
    struct pool *helpers;
    /* The releases of a service were read: which colour of it is live ("": none), and since when
     * (wall). May be NULL. */
    void (*live)(const char *service, const char *colour, int64_t since_us, void *userdata);
    void *userdata;
};

struct deploy *deploy_new(const struct deploy_options *options);
void deploy_free(struct deploy *deploy);
void deploy_start(struct deploy *deploy);
void deploy_apply(struct deploy *deploy, const struct config *config);
/* Removes the releases below this root beyond `keep`, as deploy.prune does. RELEASE_BUSY, FILE_….
 * Thread: any; it waits for the disk. */
int deploy_trim(const char *root, size_t keep, struct err *err);
/* deploy NULL: the actions are only described. */
void deploy_actions(struct deploy *deploy, struct action_table *table);
