#include "base/check.h"
#include "command/file_job.h"
#include "desk_internal.h"
#include "export.h"

#include <stdlib.h>
#include <string.h>

struct export_job {
    struct file_job job; /* first */
    struct export export;
    int64_t period_us; /* 0: all */
};

static int write_rows(struct file_job *job, struct err *err)
{
    struct export_job *e = (struct export_job *)job;
    struct attachment_writer writer;
    int rc = attachment_begin(job->dir, &job->file, &writer, err);
    rc = rc < 0 ? rc : export_write(&e->export, job->state_dir, &writer, err);
    if (rc == 0 && e->export.rows > 0) {
        rc = attachment_commit(&writer, &job->added, err);
        rc = rc < 0 ? rc : 1;
    }
    attachment_abort(&writer);
    (void)snprintf(job->caption, sizeof(job->caption), "%s: %lld row%s, oldest first",
                   export_name(e->export.what), (long long)e->export.rows,
                   e->export.rows == 1 ? "" : "s");
    return rc;
}

static void show_rows(const struct file_job *job, struct reply *r)
{
    const struct export_job *e = (const struct export_job *)job;
    const char *name = export_name(e->export.what);
    const char *form = e->export.json ? "JSON" : "CSV";
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "export");
    json_out_text(&data, "what", name);
    json_out_text(&data, "format", e->export.json ? "json" : "csv");
    json_out_i64(&data, "rows", e->export.rows);
    json_out_end(&data);
    if (job->rc == 0) {
        reply_title(r, TONE_PLAIN, "Nothing to export");
        reply_para(r, "There is no row of: {}", cell_text(name));
    } else {
        reply_title(r, TONE_PLAIN, "Export of %s as %s", name, form);
        reply_para(r, "{} row{}, oldest first", cell_count(e->export.rows),
                   cell_text(e->export.rows == 1 ? "" : "s"));
    }
    if (e->period_us > 0) {
        reply_more(r, ", of the last {}", cell_duration(e->period_us));
    }
    reply_more(r, "{}", cell_text("."));
}

static bool what_parse(const char *text, enum export_what *ret)
{
    for (unsigned i = 0; i < EXPORT_WHATS; i++) {
        if (strcmp(text, export_name((enum export_what)i)) == 0) {
            *ret = (enum export_what)i;
            return true;
        }
    }
    return false;
}

static int export_rows(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct arg_value *period = action_value(call, "period");
    struct export e = {.json = strcmp(action_text(call, "format"), "json") == 0};
    if (period != NULL && period->type == PARAM_CHOICE) { /* "/export trades json" */
        e.json = strcmp(period->text, "json") == 0;
        period = NULL;
    }
    ASSERT(what_parse(action_text(call, "what"), &e.what));
    if (e.what == EXPORT_AUDIT && action_who(call)->role < ROLE_ADMIN) {
        return err_set(err, ERR_ACCESS_DENIED, "the audit log is for the role admin");
    }
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc < 0) {
        return rc;
    }
    int64_t period_us = period == NULL ? 0 : period->duration_us;
    bool real = e.what == EXPORT_AUDIT || e.what == EXPORT_SENTIMENT;
    int64_t now_us =
        real ? clock_wall_us(desk->o.clock) : desk_read(desk, action_reply(call))->market_us;
    e.since_us = period == NULL ? 0 : now_us - period_us;
    struct export_job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->export = e;
    job->period_us = period_us;
    job->job.make = write_rows;
    job->job.show = show_rows;
    job->job.file = (struct attachment_new){.name = export_file_name(e.what, e.json),
                                            .media_type = e.json ? "application/json" : "text/csv"};
    action_progress(call, "writing %s", job->job.file.name);
    return file_job_start(desk->o.helpers, desk->o.state_dir, call, &job->job, err);
}

static const struct action_param or_format = {.type = PARAM_CHOICE, .choices = "csv|json"};

const struct action action_export_rows[] = {
    {.name = "trading.export",
     .summary = "Trades, orders, fills, decisions, equity, sentiment or the audit log as a file",
     .data = DESK_AGE " export",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_CHOICE,
                              .choices = "trades|orders|fills|decisions|equity|audit|sentiment",
                              .default_text = "trades",
                              .help = "which rows; the audit log only for the role admin"},
                             {.name = "period",
                              .type = PARAM_DURATION,
                              .minimum = "1m",
                              .otherwise = &or_format,
                              .noun = "a period such as 30d, or csv or json",
                              .help = "only the last such time, as 30d; all if left out"},
                             {.name = "format",
                              .type = PARAM_CHOICE,
                              .choices = "csv|json",
                              .default_text = "csv",
                              .help = "csv, or json: one document"}),
     .run = export_rows,
     .cancel = file_job_cancel},
    {0},
};
