#include "deploy/deploy.h"

#include "base/check.h"
#include "base/log.h"
#include "deploy/guard.h"
#include "deploy_internal.h"
#include "io/loop.h"
#include "io/pool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UP_US USEC_PER_MIN /* that this program has to run before it counts as come up */

/* ---------------------------------------------------------------- what is known */

struct known *deploy_known(struct deploy *deploy, const char *service)
{
    for (size_t i = 0; i < CONFIG_SERVICES_MAX && deploy->known[i] != NULL; i++) {
        if (strcmp(deploy->known[i]->service, service) == 0) {
            return deploy->known[i];
        }
    }
    return NULL;
}

const struct config_service *deploy_service(struct deploy *deploy, const char *name,
                                            struct err *err)
{
    const struct config_service *s = config_service(deploy->o.config, str_c(name));
    if (s == NULL || s->release_root[0] == '\0') {
        err_set(err, s == NULL ? ERR_SERVICE_UNKNOWN : ERR_RELEASE_ROOT, "%s", name);
        return NULL;
    }
    return s;
}

/* ---------------------------------------------------------------- work on a helper */

static void run_work(void *data)
{
    struct work *w = data;
    w->rc = w->run != NULL ? w->run(w, &w->err) : 0;
    /* Also after a failure: what is there now is what people are shown. */
    w->read = layout_read(w->root, &w->layout, w->rc < 0 ? NULL : &w->err) == 0;
    /* A switch that has happened is none that has failed. */
    bool turned = atomic_load(&w->turn) == LAYOUT_TURNED;
    w->rc = w->read || w->rc < 0 || turned ? w->rc : -w->err.id;
}

static void learn(const struct work *w)
{
    struct known *known = deploy_known(w->deploy, w->service);
    if (known != NULL && strcmp(known->root, w->root) == 0) {
        known->read = w->read;
        known->layout = w->layout;
        if (w->read && w->deploy->o.live != NULL) {
            w->deploy->o.live(w->service, w->layout.live, w->layout.switched_us,
                              w->deploy->o.userdata);
        }
    }
}

static void on_work(void *data, void *userdata)
{
    struct work *w = data;
    struct action_call *call = userdata;
    learn(w);
    if (call == NULL) {
        if (w->rc < 0) {
            log_err(LOG_LEVEL_WARNING, &w->err, "could not read the releases of a service");
        }
        return;
    }
    action_set_state(call, NULL);
    if (w->rc >= 0 && w->show != NULL) {
        w->show(w, call);
    }
    action_finish(call, w->rc < 0 ? &w->err : NULL);
}

static void fill_policy(const struct config_service *s, struct accept_policy *ret)
{
    *ret = (struct accept_policy){.unsigned_allowed = s->release_unsigned};
    (void)str_copy(str_c(s->release_name[0] != '\0' ? s->release_name : s->name), ret->name,
                   sizeof(ret->name));
    for (int i = 0; i < s->release_keys.count && ret->key_count < ACCEPT_KEYS_MAX; i++) {
        (void)str_copy(str_c(s->release_keys.items[i]), ret->keys[ret->key_count++],
                       sizeof(ret->keys[0]));
    }
}

static struct work *work_of(struct deploy *deploy, const struct config_service *s)
{
    struct work *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->deploy = deploy;
    w->now_us = clock_wall_us(loop_clock(deploy->o.loop));
    w->keep = (size_t)s->release_keep;
    w->reload = strcmp(s->release_apply, "reload") == 0;
    for (int i = 0; i < 2 && config_has_colours(s); i++) {
        (void)str_copy(str_c(config_colour(s, i)), w->colours[i], sizeof(w->colours[i]));
    }
    (void)str_copy(str_c(s->name), w->service, sizeof(w->service));
    (void)str_copy(str_c(s->release_root), w->root, sizeof(w->root));
    fill_policy(s, &w->policy);
    return w;
}

struct work *work_new(struct deploy *deploy, struct action_call *call, struct err *err)
{
    const struct config_service *s = deploy_service(deploy, action_text(call, "service"), err);
    if (s == NULL) {
        return NULL;
    }
    struct work *w = work_of(deploy, s);
    if (action_param_find(action_of(call), str_c("version")) != NULL &&
        action_text(call, "version") != NULL) {
        (void)str_copy(str_c(action_text(call, "version")), w->version, sizeof(w->version));
        (void)str_copy(str_c(w->version), w->policy.version, sizeof(w->policy.version));
    }
    return w;
}

int work_start(struct work *work, struct action_call *call, struct err *err)
{
    struct pool_job *job = pool_start(
        work->deploy->o.helpers,
        &(struct pool_work){
            .data = work, .work = run_work, .done = on_work, .drop = free, .userdata = call},
        err);
    if (job == NULL) {
        free(work);
        return -ERR_POOL_BUSY;
    }
    if (call != NULL) {
        work->job = job;
        action_set_state(call, work);
    }
    return ACTION_PENDING;
}

void work_cancel(struct action_call *call)
{
    struct work *w = action_state(call);
    atomic_store(&w->stop, true);
    pool_cancel(w->job);
}

/* ---------------------------------------------------------------- life cycle */

static void work_on(struct deploy *deploy, const struct config_service *s,
                    int (*run)(struct work *w, struct err *err))
{
    struct err err = {0};
    struct work *w = work_of(deploy, s);
    w->run = run;
    if (work_start(w, NULL, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read the releases of a service");
    }
}

/* In each root: whether this program is an update that was not confirmed. */
static int note_up(struct work *work, struct err *err)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[n < 0 ? 0 : n] = '\0';
    return guard_came_up(work->root, exe, err);
}

static void on_up(void *userdata)
{
    struct deploy *deploy = userdata;
    for (size_t i = 0; i < CONFIG_SERVICES_MAX && deploy->known[i] != NULL; i++) {
        work_on(deploy, config_service(deploy->o.config, str_c(deploy->known[i]->service)),
                note_up);
    }
}

static void make_known(struct deploy *deploy)
{
    size_t count = 0;
    for (int i = 0; i < deploy->o.config->service_count; i++) {
        const struct config_service *s = &deploy->o.config->services[i];
        if (s->release_root[0] == '\0') {
            continue;
        }
        struct known *known = calloc(1, sizeof(*known));
        ASSERT(known != NULL);
        (void)str_copy(str_c(s->name), known->service, sizeof(known->service));
        (void)str_copy(str_c(s->release_root), known->root, sizeof(known->root));
        deploy->known[count++] = known;
    }
}

static void drop_known(struct deploy *deploy)
{
    for (size_t i = 0; i < CONFIG_SERVICES_MAX; i++) {
        free(deploy->known[i]);
        deploy->known[i] = NULL;
    }
}

struct deploy *deploy_new(const struct deploy_options *options)
{
    struct deploy *deploy = calloc(1, sizeof(*deploy));
    ASSERT(deploy != NULL);
    deploy->o = *options;
    make_known(deploy);
    return deploy;
}

void deploy_free(struct deploy *deploy)
{
    if (deploy == NULL) {
        return;
    }
    fetch_free_all(deploy);
    drop_known(deploy);
    loop_source_free(deploy->up);
    free(deploy);
}

void deploy_start(struct deploy *deploy)
{
    for (size_t i = 0; i < CONFIG_SERVICES_MAX && deploy->known[i] != NULL; i++) {
        work_on(deploy, config_service(deploy->o.config, str_c(deploy->known[i]->service)), NULL);
    }
    if (deploy->known[0] != NULL && deploy->up == NULL) {
        deploy->up = loop_add_timer(deploy->o.loop, on_up, deploy);
        loop_source_name(deploy->up, "update came up");
        loop_timer_in(deploy->up, UP_US);
    }
}

void deploy_apply(struct deploy *deploy, const struct config *config)
{
    deploy->o.config = config;
    drop_known(deploy);
    make_known(deploy);
    deploy_start(deploy);
}
