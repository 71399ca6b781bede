/* What a release says that it changes: the size of its diff, counted here, whether or not anybody
 * reviews it. */
#include "base/check.h"
#include "deploy_internal.h"
#include "io/file.h"
#include "io/json_out.h"

#include <string.h>

#define COUNTED_MAX ((size_t)8 << 20) /* bytes of the diff */

static void path_of(const struct work *w, char ret[PATH_MAX])
{
    int n = snprintf(ret, PATH_MAX, "%s/releases/%s/" DEPLOY_DIFF_FILE, w->root, w->version);
    ASSERT(n > 0 && n < PATH_MAX);
}

static int choose(struct work *w, struct err *err)
{
    int rc = layout_read(w->root, &w->layout, err);
    const struct layout_release *release =
        rc < 0 ? NULL : deploy_choose(&w->layout, w->service, NULL, false, err);
    if (release == NULL) {
        return deploy_failed(err);
    }
    (void)str_copy(str_c(release->version), w->version, sizeof(w->version));
    return 0;
}

static int measure(struct work *w, struct err *err)
{
    char path[PATH_MAX];
    struct err why = {0};
    AUTO_BUF struct buf text = BUF_INIT(COUNTED_MAX);
    int rc = w->version[0] == '\0' ? choose(w, err) : 0;
    if (rc < 0) {
        return rc;
    }
    path_of(w, path);
    rc = file_read_head(path, &text, &w->diff_bytes, &why);
    if (rc == -ERR_FILE_MISSING) {
        return 0;
    }
    if (rc < 0) {
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    w->diff = diff_measure(buf_str(&text));
    w->diff_cut = w->diff_bytes > (int64_t)text.len;
    return 0;
}

static const char *mode_of(const struct work *w)
{
    const struct config_service *s = config_service(w->deploy->o.config, str_c(w->service));
    return s == NULL ? "off" : s->release_review;
}

static void show_diff(const struct work *w, struct action_call *call)
{
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    const char *mode = mode_of(w);
    char path[PATH_MAX];
    bool some = w->diff_bytes > 0;
    path_of(w, path);
    json_out_object(&data, "diff");
    json_out_i64(&data, "bytes", w->diff_bytes);
    json_out_i64(&data, "files", w->diff.files);
    json_out_i64(&data, "added", w->diff.added);
    json_out_i64(&data, "removed", w->diff.removed);
    json_out_bool(&data, "complete", !w->diff_cut);
    json_out_end(&data);
    if (some) {
        reply_para(r, "Diff: {}{} files, {} lines added, {} removed, {}",
                   cell_text(w->diff_cut ? "at least " : ""), cell_count(w->diff.files),
                   cell_count(w->diff.added), cell_count(w->diff.removed),
                   cell_bytes((double)w->diff_bytes));
    } else {
        reply_line(r, "It carries no diff, so nobody can review what it changes.");
    }
    action_output(call, "path", "%s", some ? path : "");
    action_output(call, "review", "%s", some && strcmp(mode, "off") != 0 ? "yes" : "");
    action_output(call, "approve", "%s", strcmp(mode, "approve") == 0 ? "yes" : "");
}

static int run_diff(struct action_call *call, struct err *err)
{
    struct work *w = work_new(action_userdata(call), call, err);
    if (w == NULL) {
        return deploy_failed(err);
    }
    w->run = measure;
    w->show = show_diff;
    return work_start(w, call, err);
}

const struct action diff_actions[] = {
    {.name = "deploy.diff",
     .summary = "Count what a release changes, by the diff that it carries",
     .data = "diff",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "path review approve",
     .params = ACTION_PARAMS(
         {.name = "service", .type = PARAM_SERVICE, .required = true, .help = "which service"},
         {.name = "version", .type = PARAM_TEXT, .help = "which; the newest if left out"}),
     .run = run_diff,
     .cancel = work_cancel},
    {0},
};
