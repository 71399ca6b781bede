/* Blue/green: which of the two instances of a template unit gets a release, and the link of that
 * instance. What runs is left alone until deploy.switch. */
#include "base/check.h"
#include "deploy_internal.h"
#include "io/file.h"

#include <string.h>

const char *work_idle_colour(const struct work *w)
{
    return w->colours[strcmp(w->layout.live, w->colours[0]) == 0 ? 1 : 0];
}

static bool is_ready(const struct work *w)
{
    return strcmp(layout_colour(&w->layout, w->colour), w->version) == 0;
}

/* The prompt of a service that is not deployed blue/green says nothing of colours. */
static bool has_colours(const struct action_call *call)
{
    const struct config_service *s =
        deploy_service(action_userdata(call), action_text(call, "service"), NULL);
    return s == NULL || config_has_colours(s);
}

/* ---------------------------------------------------------------- choose */

static int choose_colour(struct work *w, struct err *err)
{
    int rc = layout_read(w->root, &w->layout, err);
    const char *given = w->version[0] == '\0' ? NULL : w->version;
    const struct layout_release *release =
        rc < 0 ? NULL : deploy_choose(&w->layout, w->service, given, w->back, err);
    if (release == NULL) {
        return deploy_failed(err);
    }
    (void)str_copy(str_c(release->version), w->version, sizeof(w->version));
    if (strcmp(w->version, w->layout.current) == 0) {
        return err_set(err, ERR_RELEASE_CURRENT, "%s %s", w->service, w->version);
    }
    if (work_has_colours(w)) {
        (void)str_copy(str_c(work_idle_colour(w)), w->colour, sizeof(w->colour));
        w->there = is_ready(w);
    }
    return 0;
}

static void show_chosen(const struct work *w, struct action_call *call)
{
    if (work_has_colours(w)) {
        reply_line(action_reply(call), "%s gets %s%s%s", w->colour, w->version,
                   w->layout.live[0] == '\0' ? "" : "; live is ", w->layout.live);
    }
    action_output(call, "version", "%s", w->version);
    action_output(call, "colour", "%s", w->colour);
    action_output(call, "current", "%s", w->layout.current);
    action_output(call, "ready", "%s", w->there ? "yes" : "");
}

static int run_choose(struct action_call *call, struct err *err)
{
    struct work *w = work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    w->run = choose_colour;
    w->show = show_chosen;
    w->back = strcmp(action_text(call, "way"), "back") == 0;
    return work_start(w, call, err);
}

/* ---------------------------------------------------------------- prepare */

static int prepare(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err);
    return rc < 0 ? rc : layout_prepare(w->root, w->colour, w->version, err);
}

static void show_prepared(const struct work *w, struct action_call *call)
{
    reply_line(action_reply(call), "%s has %s now.", w->colour, w->version);
}

/* What its link says now decides. */
static int look_whether_prepared(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err); /* removes what the crash left */
    rc = rc < 0 ? rc : layout_read(w->root, &w->layout, err);
    return rc < 0 || is_ready(w) ? rc
                                 : err_set(err, ERR_COMMAND_NOT_DONE, "%s: %s was not given %s",
                                           w->service, w->colour, w->version);
}

static int start_prepare(struct action_call *call, int (*run)(struct work *w, struct err *err),
                         struct err *err)
{
    const char *colour = action_text(call, "colour");
    struct work *w = work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    if (colour == NULL || w->version[0] == '\0' || !work_has_colours(w) ||
        (strcmp(colour, w->colours[0]) != 0 && strcmp(colour, w->colours[1]) != 0)) {
        int rc = err_set(err, ERR_RELEASE_COLOUR, "%s: no colour %s, or no version", w->service,
                         colour == NULL ? "was given" : colour);
        free(w);
        return rc;
    }
    w->run = run;
    w->show = show_prepared;
    (void)str_copy(str_c(colour), w->colour, sizeof(w->colour));
    return work_start(w, call, err);
}

static int run_prepare(struct action_call *call, struct err *err)
{
    return start_prepare(call, prepare, err);
}

static int recover_prepare(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return start_prepare(call, look_whether_prepared, err);
}

/* ---------------------------------------------------------------- failed */

static int mark_failed(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err);
    return rc < 0 ? rc : layout_mark(w->root, w->version, true, err);
}

static int run_failed(struct action_call *call, struct err *err)
{
    struct work *w = work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    w->run = mark_failed;
    return work_start(w, call, err);
}

/* Repeating it does no harm. */
static int recover_failed(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return run_failed(call, err);
}

/* ---------------------------------------------------------------- the table */

#define PARAM_OF_SERVICE                                                                    \
    {                                                                                       \
        .name = "service", .type = PARAM_SERVICE, .required = true, .help = "which service" \
    }

const struct action colour_actions[] = {
    {.name = "deploy.choose",
     .summary = "Choose the release of the next switch, and with a template unit the colour for it",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "version colour current ready",
     .params = ACTION_PARAMS(
         PARAM_OF_SERVICE,
         {.name = "version",
          .type = PARAM_TEXT,
          .help = "which; the newest or, on the way back, the one before if left out"},
         {.name = "way",
          .type = PARAM_CHOICE,
          .choices = "go|back",
          .default_text = "go",
          .help = "forward or back"}),
     .run = run_choose,
     .applies = has_colours,
     .cancel = work_cancel},
    {.name = "deploy.prepare",
     .summary = "Give the colour that is not live and does not run a release",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(
         PARAM_OF_SERVICE,
         {.name = "version", .type = PARAM_TEXT, .help = "which; without one it fails"},
         {.name = "colour", .type = PARAM_TEXT, .help = "such as blue; without one it fails"}),
     .run = run_prepare,
     .applies = has_colours,
     .cancel = work_cancel,
     .recover = recover_prepare},
    {.name = "deploy.failed",
     .summary = "Note that a release has failed: it is not the newest to deploy any more",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(
         PARAM_OF_SERVICE,
         {.name = "version", .type = PARAM_TEXT, .help = "which; without one it fails"}),
     .run = run_failed,
     .cancel = work_cancel,
     .recover = recover_failed},
    {0},
};
