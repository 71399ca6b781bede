#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "deploy/guard.h"
#include "deploy_internal.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#define SPACE_SPARE ((int64_t)16 << 20)
#define SHORT_HASH  16

static int64_t wall_us(const struct deploy *deploy)
{
    return clock_wall_us(loop_clock(deploy->o.loop));
}

/* ---------------------------------------------------------------- showing a release */

/* The first digits: enough to compare by eye. */
static const char *short_hex(const char *hex, char ret[SHORT_HASH + 4])
{
    str_cut(str_c(hex), ret, SHORT_HASH + 1);
    return hex[0] == '\0' ? "unknown" : ret;
}

static void show_facts(struct reply *r, const struct layout_release *release, int64_t now_us)
{
    char hex[SHORT_HASH + 4];
    reply_field(r, "version", "{}", cell_text(release->version));
    reply_field(r, "size", "{}",
                release->bytes > 0 ? cell_bytes((double)release->bytes) : cell_text("unknown"));
    reply_field(r, "sha256", "{}", cell_code(short_hex(release->hash, hex)));
    reply_field(r, "signer", "{}",
                release->signer[0] == '\0' ? cell_state("not signed", TONE_WARN)
                                           : cell_code(short_hex(release->signer, hex)));
    if (release->at_us > 0) {
        reply_field(r, "unpacked", "{}", cell_time(release->at_us, now_us));
    }
}

static void add_release_members(struct json_out *data, const struct layout_release *release)
{
    json_out_text(data, "version", release->version);
    json_out_text(data, "sha256", release->hash);
    json_out_text(data, "signer", release->signer);
    json_out_i64(data, "bytes", release->bytes);
    if (release->at_us > 0) {
        json_out_time(data, "unpacked_at", release->at_us);
    } else {
        json_out_null(data, "unpacked_at");
    }
    json_out_bool(data, "failed", release->failed);
}

static void add_release(const struct work *w, const struct layout_release *release, struct reply *r)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "release");
    json_out_text(&data, "service", w->service);
    add_release_members(&data, release);
    json_out_end(&data);
}

/* ---------------------------------------------------------------- check, unpack */

/* The artefact in incoming, if the service may have it. */
static int accept_incoming(struct work *w, struct err *err)
{
    char path[PATH_MAX];
    int rc = incoming_find(w->root, path, err);
    return rc < 0 ? rc : accept_artefact(path, &w->policy, &w->release, err);
}

static int check_space(const struct work *w, struct err *err)
{
    struct statvfs fs;
    if (statvfs(w->root, &fs) < 0) {
        return file_error(err, errno, "look at the disk of", w->root);
    }
    int64_t left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    int64_t needed = 2 * w->release.bytes + SPACE_SPARE;
    return left >= needed ? 0
                          : err_set(err, ERR_FILE_NO_SPACE,
                                    "%s: %lld MB are free, a release of %lld MB needs "
                                    "at least %lld MB",
                                    w->root, (long long)(left >> 20),
                                    (long long)(w->release.bytes >> 20), (long long)(needed >> 20));
}

static int check_incoming(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err);
    rc = rc < 0 ? rc : accept_incoming(w, err);
    rc = rc < 0 ? rc : layout_read(w->root, &w->layout, err);
    if (rc == 0 && strcmp(w->layout.current, w->release.version) == 0) {
        rc = err_set(err, ERR_RELEASE_CURRENT, "%s %s", w->service, w->release.version);
    }
    return rc < 0 ? rc : check_space(w, err);
}

static void show_checked(const struct work *w, struct action_call *call)
{
    struct reply *r = action_reply(call);
    reply_title(r, TONE_GOOD, "%s %s is valid", w->service, w->release.version);
    show_facts(r, &w->release, wall_us(w->deploy));
    action_output(call, "version", "%s", w->release.version);
    action_output(call, "sha256", "%s", w->release.hash);
    action_output(call, "signer", "%s", w->release.signer);
}

static int unpack_incoming(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    char path[PATH_MAX];
    int rc = layout_lock(w->root, &lock, err);
    rc = rc < 0 ? rc : accept_incoming(w, err);
    rc = rc < 0 ? rc : incoming_find(w->root, path, err);
    w->release.at_us = w->now_us;
    rc = rc < 0 ? rc : layout_unpack(w->root, path, &w->release, &w->stop, err);
    w->there = rc == 1;
    if (lock >= 0) {
        incoming_clear(w->root);
    }
    struct err why = {0};
    if (rc >= 0 && layout_prune(w->root, w->keep, w->release.version, &w->removed, &why) < 0) {
        log_err(LOG_LEVEL_WARNING, &why, "could not remove old releases");
    }
    return rc < 0 ? rc : 0;
}

static void show_pruned(const struct work *w, struct action_call *call)
{
    struct reply *r = action_reply(call);
    if (w->removed > 0) {
        reply_para(r, "{} old release{} removed.", cell_count((int64_t)w->removed),
                   cell_text(w->removed == 1 ? "" : "s"));
    }
}

static void show_unpacked(const struct work *w, struct action_call *call)
{
    struct reply *r = action_reply(call);
    AUTO_BUF struct buf line = BUF_INIT(256);
    reply_title(r, TONE_GOOD, "%s %s is unpacked", w->service, w->release.version);
    if (w->there) {
        reply_line(r, "It was unpacked before, from the same artefact.");
    }
    add_release(w, &w->release, r);
    show_pruned(w, call);
    buf_addf(&line, "/deploy %s %s", w->service, w->release.version);
    reply_button(r, "Deploy", line.data, BUTTON_PRIMARY);
    action_output(call, "version", "%s", w->release.version);
}

static int start(struct action_call *call, int (*run)(struct work *w, struct err *err),
                 void (*show)(const struct work *w, struct action_call *call), struct err *err)
{
    struct work *w = work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    w->run = run;
    w->show = show;
    return work_start(w, call, err);
}

static int run_check(struct action_call *call, struct err *err)
{
    return start(call, check_incoming, show_checked, err);
}

static int run_unpack(struct action_call *call, struct err *err)
{
    return start(call, unpack_incoming, show_unpacked, err);
}

/* A crash has cut it off: what is left of it is removed, and it can be fetched again. */
static int forget_incoming(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err);
    if (rc == 0) {
        incoming_clear(w->root);
    }
    return err_set(err, ERR_COMMAND_NOT_DONE,
                   "%s: nightdesk was stopped meanwhile; fetch the release again", w->service);
}

static int discard(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err);
    if (rc == 0) {
        incoming_clear(w->root);
    }
    return rc;
}

static int run_discard(struct action_call *call, struct err *err)
{
    return start(call, discard, NULL, err);
}

/* Repeating it does no harm. */
static int recover_discard(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return start(call, discard, NULL, err);
}

static int recover_incoming(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return start(call, forget_incoming, NULL, err);
}

/* ---------------------------------------------------------------- switch, back */

static void output_switch(const struct work *w, struct action_call *call)
{
    action_output(call, "version", "%s", w->version);
    action_output(call, "previous", "%s", w->from);
    action_output(call, "apply", "%s",
                  work_has_colours(w) ? "colour"
                  : w->reload         ? "reload"
                                      : "restart");
}

static void show_switched(const struct work *w, struct action_call *call)
{
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    reply_title(r, TONE_GOOD, "%s: %s is the current release", w->service, w->version);
    if (w->layout.live[0] != '\0') {
        reply_para(r, "{} is live.", cell_text(w->layout.live));
    }
    if (w->from[0] != '\0') {
        reply_para(r, "Before it: {}.", cell_text(w->from));
    }
    json_out_object(&data, "switch");
    json_out_text(&data, "service", w->service);
    json_out_text(&data, "version", w->version);
    json_out_text(&data, "previous", w->from);
    json_out_text(&data, "colour", w->layout.live);
    json_out_end(&data);
    output_switch(w, call);
}

/* A switch that is not waited for any more: it does not happen, or what undoes it needs to know. */
static void cancel_change(struct action_call *call)
{
    struct work *w = action_state(call);
    int turn = LAYOUT_OPEN;
    if (!atomic_compare_exchange_strong(&w->turn, &turn, LAYOUT_STOPPED)) {
        output_switch(w, call);
    }
    work_cancel(call);
}

static int switch_to(struct work *w, enum layout_way way, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err);
    rc = rc < 0 ? rc : layout_read(w->root, &w->layout, err);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(w->layout.current, w->version) == 0) {
        return err_set(err, ERR_RELEASE_CURRENT, "%s %s", w->service, w->version);
    }
    (void)str_copy(str_c(w->layout.current), w->from, sizeof(w->from));
    const struct layout_goal goal = {.version = w->version,
                                     .colour = work_has_colours(w) ? work_idle_colour(w) : NULL,
                                     .way = way};
    rc = layout_switch_unless(w->root, &goal, &w->turn, err);
    bool back = way == LAYOUT_BACK;
    const char *marked = back ? w->failed : w->version;
    struct err why = {0};
    if (rc == 0 && marked[0] != '\0' && layout_mark(w->root, marked, back, &why) < 0) {
        log_err(LOG_LEVEL_WARNING, &why, "could not note whether a release has failed");
    }
    return rc;
}

static int go(struct work *w, struct err *err)
{
    return switch_to(w, LAYOUT_GO, err);
}

static int go_back(struct work *w, struct err *err)
{
    return switch_to(w, LAYOUT_BACK, err);
}

/* NULL: ERR_RELEASE_UNREAD, ERR_RELEASE_ROOT. */
static const struct known *find_known(struct action_call *call, struct err *err)
{
    struct deploy *deploy = action_userdata(call);
    const struct config_service *s = deploy_service(deploy, action_text(call, "service"), err);
    const struct known *known = s == NULL ? NULL : deploy_known(deploy, s->name);
    if (s != NULL && (known == NULL || !known->read)) {
        (void)err_set(err, ERR_RELEASE_UNREAD, "%s", s->name);
        return NULL;
    }
    return known;
}

const struct layout_release *deploy_choose(const struct layout *layout, const char *service,
                                           const char *version, bool back, struct err *err)
{
    if (version == NULL) {
        const struct layout_release *newest = layout_newest(layout);
        version = back ? layout->previous : newest != NULL ? newest->version : "";
    }
    const struct layout_release *release = layout_find(layout, version);
    if (release == NULL && version[0] == '\0') {
        (void)err_set(err, ERR_RELEASE_UNKNOWN, "%s: no release before %s", service,
                      layout->current[0] == '\0' ? "the first one" : layout->current);
    } else if (release == NULL) {
        (void)err_set(err, ERR_RELEASE_UNKNOWN, "%s %s", service, version);
    }
    return release;
}

static const struct layout_release *choose(struct action_call *call, const struct known *known,
                                           bool back, struct err *err)
{
    return deploy_choose(&known->layout, known->service, action_text(call, "version"), back, err);
}

/* A version that is given is looked up by the helper: a run that is resumed may get here before the
 * releases are read. */
static const char *version_of(struct action_call *call, bool back, struct err *err)
{
    const char *given = action_text(call, "version");
    const struct known *known = given == NULL ? find_known(call, err) : NULL;
    const struct layout_release *release = known == NULL ? NULL : choose(call, known, back, err);
    return given != NULL ? given : release == NULL ? NULL : release->version;
}

static int run_change(struct action_call *call, bool back, struct err *err)
{
    const char *version = version_of(call, back, err);
    struct work *w = version == NULL ? NULL : work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    w->run = back ? go_back : go;
    w->show = show_switched;
    const char *failed = back ? action_text(call, "failed") : NULL;
    (void)str_copy(str_c(failed == NULL ? "" : failed), w->failed, sizeof(w->failed));
    bool fits = str_copy(str_c(version), w->version, sizeof(w->version));
    int rc = fits ? action_remember(call, w->version, err)
                  : err_set(err, ERR_RELEASE_UNKNOWN, "%s %.40s…", w->service, version);
    if (rc < 0) {
        free(w);
        return rc;
    }
    return work_start(w, call, err);
}

static int run_switch(struct action_call *call, struct err *err)
{
    return run_change(call, false, err);
}

static int run_back(struct action_call *call, struct err *err)
{
    return run_change(call, true, err);
}

/* What the link says now decides: the switch is one rename. */
static int look_whether_switched(struct work *w, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(w->root, &lock, err); /* removes what the crash left */
    rc = rc < 0 ? rc : layout_read(w->root, &w->layout, err);
    if (rc < 0) {
        return rc;
    }
    (void)str_copy(str_c(w->layout.previous), w->from, sizeof(w->from));
    return strcmp(w->layout.current, w->version) == 0
               ? 0
               : err_set(err, ERR_COMMAND_NOT_DONE, "%s: the current release is still %s",
                         w->service, w->layout.current[0] == '\0' ? "none" : w->layout.current);
}

static int recover_change(struct action_call *call, bool *ret_happened, struct err *err)
{
    const char *version = action_remembered(call);
    *ret_happened = false;
    if (version == NULL) {
        return 0;
    }
    struct work *w = work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    (void)str_copy(str_c(version), w->version, sizeof(w->version));
    w->run = look_whether_switched;
    w->show = show_switched;
    return work_start(w, call, err);
}

static int preview_change(struct action_call *call, bool back, struct err *err)
{
    const struct known *known = find_known(call, err);
    const struct layout_release *release = known == NULL ? NULL : choose(call, known, back, err);
    struct reply *r = action_reply(call);
    if (release == NULL) {
        return deploy_failed(err);
    }
    const char *current = known->layout.current;
    if (strcmp(release->version, current) == 0) {
        return err_set(err, ERR_RELEASE_CURRENT, "%s %s", known->service, current);
    }
    show_facts(r, release, wall_us(action_userdata(call)));
    reply_field(r, "replaces", "{}", cell_text(current[0] == '\0' ? "nothing" : current));
    if (known->layout.live[0] != '\0') {
        reply_field(r, "live", "{}", cell_text(known->layout.live));
    }
    AUTO_BUF struct buf what = BUF_INIT(128); /* a restart depends on "demo" itself */
    buf_addf(&what, "release of %s", known->service);
    action_depends(call, what.data, "%s %s instead of %s", release->version, release->hash,
                   current);
    return 0;
}

static int preview_switch(struct action_call *call, struct err *err)
{
    return preview_change(call, false, err);
}

static int preview_back(struct action_call *call, struct err *err)
{
    return preview_change(call, true, err);
}

/* ---------------------------------------------------------------- an update of nightdesk itself */

static int arm(struct work *w, struct err *err)
{
    return guard_arm(w->root, w->version, w->now_us, err);
}

static int run_arm(struct action_call *call, struct err *err)
{
    const char *version = version_of(call, false, err);
    struct work *w = version == NULL ? NULL : work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    w->run = arm;
    (void)str_copy(str_c(version), w->version, sizeof(w->version));
    return work_start(w, call, err);
}

/* The next step was not begun: without the switch the marker means nothing. */
static int recover_arm(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)call;
    (void)err;
    *ret_happened = false;
    return 0;
}

static int confirm(struct work *w, struct err *err)
{
    return w->version[0] == '\0' ? err_set(err, ERR_RELEASE_UNKNOWN, "%s", w->service)
                                 : guard_confirm(w->root, w->version, err);
}

static void show_confirmed(const struct work *w, struct action_call *call)
{
    reply_title(action_reply(call), TONE_GOOD, "%s %s runs", w->service, w->version);
}

static int run_confirm(struct action_call *call, struct err *err)
{
    return start(call, confirm, show_confirmed, err);
}

/* Repeating it does no harm. */
static int recover_confirm(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return start(call, confirm, show_confirmed, err);
}

static int disarm(struct work *w, struct err *err)
{
    return guard_disarm(w->root, err);
}

static int run_disarm(struct action_call *call, struct err *err)
{
    return start(call, disarm, NULL, err);
}

/* Repeating it does no harm. */
static int recover_disarm(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return start(call, disarm, NULL, err);
}

/* ---------------------------------------------------------------- prune, list */

static int trim(const char *root, size_t keep, size_t *ret_removed, struct err *err)
{
    AUTO_FD int lock = -1;
    int rc = layout_lock(root, &lock, err);
    return rc < 0 ? rc : layout_prune(root, keep, "", ret_removed, err);
}

int deploy_trim(const char *root, size_t keep, struct err *err)
{
    size_t removed = 0;
    return trim(root, keep, &removed, err);
}

static int prune(struct work *w, struct err *err)
{
    return trim(w->root, w->keep, &w->removed, err);
}

static int run_prune(struct action_call *call, struct err *err)
{
    return start(call, prune, show_pruned, err);
}

static int recover_prune(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return start(call, prune, show_pruned, err); /* what is left is removed now */
}

static const char *state_of(const struct layout *l, const struct layout_release *release)
{
    return strcmp(release->version, l->current) == 0    ? "current"
           : release->failed                            ? "failed"
           : strcmp(release->version, l->previous) == 0 ? "previous"
                                                        : "";
}

static void add_layout(struct reply *r, const char *service, const struct layout *l)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "service", service);
    json_out_text(&data, "current", l->current);
    json_out_text(&data, "previous", l->previous);
    json_out_text(&data, "live", l->live);
    json_out_array(&data, "colours");
    for (size_t i = 0; i < l->colour_count; i++) {
        json_out_object(&data, NULL);
        json_out_text(&data, "name", l->colours[i].name);
        json_out_text(&data, "version", l->colours[i].version);
        json_out_end(&data);
    }
    json_out_end(&data);
    json_out_array(&data, "releases");
    for (size_t i = 0; i < l->count; i++) {
        json_out_object(&data, NULL);
        add_release_members(&data, &l->items[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
}

static void show_list(const struct work *w, struct action_call *call)
{
    struct reply *r = action_reply(call);
    const struct layout *l = &w->layout;
    const struct layout_release *newest = layout_newest(l);
    AUTO_BUF struct buf line = BUF_INIT(256);
    reply_title(r, TONE_PLAIN, "%s: %zu release%s", w->service, l->count, l->count == 1 ? "" : "s");
    add_layout(r, w->service, l);
    if (l->count == 0) {
        reply_line(r, "None is unpacked. /stage fetches one.");
        return;
    }
    reply_columns(r, "version", "state", "size", "unpacked");
    for (size_t i = 0; i < l->count; i++) {
        const struct layout_release *release = &l->items[i];
        const char *state = state_of(l, release);
        reply_cells(r, cell_text(release->version),
                    state[0] == '\0'
                        ? cell_none()
                        : cell_state(state, strcmp(state, "current") == 0  ? TONE_GOOD
                                            : strcmp(state, "failed") == 0 ? TONE_WARN
                                                                           : TONE_PLAIN),
                    release->bytes > 0 ? cell_bytes((double)release->bytes) : cell_none(),
                    cell_time(release->at_us, wall_us(w->deploy)));
    }
    for (size_t i = 0; i < l->colour_count && l->live[0] != '\0'; i++) {
        bool live = strcmp(l->colours[i].name, l->live) == 0;
        reply_item(r, "{} has {}{}", cell_text(l->colours[i].name),
                   cell_text(l->colours[i].version), cell_text(live ? ", live" : ""));
    }
    if (newest != NULL && strcmp(newest->version, l->current) != 0) {
        buf_addf(&line, "/deploy %s %s", w->service, newest->version);
        reply_button(r, "Deploy newest", line.data, BUTTON_PLAIN);
    }
    if (l->previous[0] != '\0') {
        buf_clear(&line);
        buf_addf(&line, "/rollback %s", w->service);
        reply_button(r, "Roll back", line.data, BUTTON_DANGER);
    }
}

static int run_list(struct action_call *call, struct err *err)
{
    return start(call, NULL, show_list, err);
}

/* ---------------------------------------------------------------- the table */

#define PARAM_OF_SERVICE                                                                    \
    {                                                                                       \
        .name = "service", .type = PARAM_SERVICE, .required = true, .help = "which service" \
    }
#define PARAM_OF_VERSION(text)                                \
    {                                                         \
        .name = "version", .type = PARAM_TEXT, .help = (text) \
    }

static const struct action actions[] = {
    {.name = "deploy.list",
     .summary = "The releases of a service that are unpacked",
     .data = "service current previous live colours releases",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = run_list,
     .cancel = work_cancel},
    {.name = "deploy.fetch",
     .summary = "Fetch a release and its signature from a file or URL",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE,
                             {.name = "artefact",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "absolute path, or URL below one of "
                                      "release_urls"},
                             {.name = "signature",
                              .type = PARAM_TEXT,
                              .help = "URL of the signature; that of the artefact with .sig behind "
                                      "its path if left out"}),
     .run = fetch_run,
     .cancel = fetch_cancel,
     .recover = recover_incoming},
    {.name = "deploy.check",
     .summary = "Verify what was fetched: hash, signature, name, version, space",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "version sha256 signer",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, PARAM_OF_VERSION("the version it must have")),
     .run = run_check,
     .cancel = work_cancel},
    {.name = "deploy.unpack",
     .summary = "Unpack what was fetched, once more verified",
     .data = "release",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "service:$service",
     .outputs = "version",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, PARAM_OF_VERSION("the version it must have")),
     .run = run_unpack,
     .cancel = work_cancel,
     .recover = recover_incoming},
    {.name = "deploy.discard",
     .summary = "Remove what was fetched and is not unpacked",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = run_discard,
     .cancel = work_cancel,
     .recover = recover_discard},
    {.name = "deploy.switch",
     .summary = "Make a release the current one",
     .data = "switch",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .outputs = "version previous apply",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, PARAM_OF_VERSION("which; the newest if left out")),
     .run = run_switch,
     .cancel = cancel_change,
     .recover = recover_change,
     .preview = preview_switch},
    {.name = "deploy.back",
     .summary = "Return to the release before the current one, or to a named one",
     .data = "switch",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .outputs = "version previous apply",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE,
                             PARAM_OF_VERSION("which; the one before the current one if left out"),
                             {.name = "failed",
                              .type = PARAM_TEXT,
                              .help = "a release that is not the newest to deploy any more"}),
     .run = run_back,
     .cancel = cancel_change,
     .recover = recover_change,
     .preview = preview_back},
    {.name = "deploy.arm",
     .summary = "Have an update of nightdesk undone if the new version does not come up",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, PARAM_OF_VERSION("which; the newest if left out")),
     .run = run_arm,
     .cancel = work_cancel,
     .recover = recover_arm},
    {.name = "deploy.confirm",
     .summary = "Confirm that the new version of nightdesk is the one that runs",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, PARAM_OF_VERSION("which; without one it fails")),
     .run = run_confirm,
     .cancel = work_cancel,
     .recover = recover_confirm},
    {.name = "deploy.disarm",
     .summary = "End the watch over an update of nightdesk that was given up",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = run_disarm,
     .cancel = work_cancel,
     .recover = recover_disarm},
    {.name = "deploy.prune",
     .summary = "Remove old releases",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = run_prune,
     .cancel = work_cancel,
     .recover = recover_prune},
    {0},
};

void deploy_actions(struct deploy *deploy, struct action_table *table)
{
    action_table_add(table, actions, deploy);
    action_table_add(table, colour_actions, deploy);
    action_table_add(table, diff_actions, deploy);
}
