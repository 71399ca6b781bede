#include "base/check.h"
#include "bind.h"
#include "builtin.h"
#include "model/model_json.h"
#include "store/run_table.h"

#include <string.h>

#define LISTED_MAX 15
#define STEPS_MAX  (3 * MANIFEST_STEPS_MAX)

/* "restart demo"; the name alone if the command has changed so that it cannot be told. */
static void add_line(const struct builtin *builtin, const struct run_row *row, struct buf *out)
{
    static const struct value_context no_look_up = {0};
    const struct manifest *m = manifest_find(builtin->manifests, row->command);
    AUTO_JSON struct json_object *args = NULL;
    if (m == NULL || json_parse(str_c(row->args_json), &JSON_LIMITS_DEFAULT, &args, NULL) < 0) {
        buf_add_c(out, row->command);
        return;
    }
    struct arg_value *values = bind_new(m);
    if (bind_stored(m, args, &no_look_up, values, NULL) == 0) {
        (void)bind_add_line(m, values, out);
    } else {
        buf_add_c(out, row->command);
    }
    bind_free(m, values);
}

/* "2/2": the last step that began, of those of the command; a step of on_failure or always is none
 * of them. */
static void add_step(const struct builtin *builtin, const struct run_row *row, struct buf *out)
{
    const struct manifest *m = manifest_find(builtin->manifests, row->command);
    int64_t step = row->step + 1;
    if (m == NULL) {
        buf_addf(out, "%lld", (long long)step);
    } else if (step <= m->step_count) {
        buf_addf(out, "%lld/%d", (long long)step, m->step_count);
    } else {
        buf_add_c(out, step <= m->step_count + m->on_failure_count ? "on_failure" : "always");
    }
}

static enum tone tone_of(enum run_state state)
{
    switch (state) {
    case RUN_DONE:
        return TONE_GOOD;
    case RUN_FAILED:
    case RUN_UNKNOWN:
        return TONE_BAD;
    case RUN_RUNNING:
        return TONE_BUSY;
    case RUN_CONFIRMING:
    case RUN_CANCELLED:
    case RUN_EXPIRED:
    case RUN_REFUSED:
    case RUN_STATE_COUNT:
        break;
    }
    return TONE_WARN;
}

static void add_run(struct json_out *data, const char *key, const struct run_row *row,
                    const char *line)
{
    json_out_object(data, key);
    model_json_run(data, row);
    json_out_text(data, "line", line);
    json_out_end(data);
}

/* From the command to its end, or until now; a run that still waits for its answer has taken no
 * time. */
static int64_t took_us(const struct run_row *row, int64_t now_us)
{
    int64_t end_us = row->state == RUN_RUNNING ? now_us : row->updated_us;
    return end_us > row->created_us ? end_us - row->created_us : 0;
}

static struct cell took_cell(const struct run_row *row, int64_t now_us)
{
    return row->state == RUN_CONFIRMING ? cell_none() : cell_took(took_us(row, now_us));
}

/* Running runs first, then the newest others. */
static int list_runs(const struct builtin *builtin, struct reply *r, struct err *err)
{
    static const struct run_query live = {.states = 1U << RUN_RUNNING | 1U << RUN_CONFIRMING};
    static const struct run_query over = {.states =
                                              ~(1U << RUN_RUNNING | 1U << RUN_CONFIRMING) & 0xFF};
    struct run_row rows[2 * LISTED_MAX];
    int running = run_table_list(builtin->store, &live, rows, LISTED_MAX, err);
    int ended = running < 0
                    ? running
                    : run_table_list(builtin->store, &over, rows + running, LISTED_MAX, err);
    if (running < 0) {
        return running;
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "runs");
    int64_t now_us = clock_wall_us(builtin->clock);
    reply_title(r, TONE_PLAIN, "Runs: %d running or waiting", running);
    if (running + (ended > 0 ? ended : 0) > 0) {
        reply_columns(r, "#", "command", "who", "since (UTC)", "took", "step", "state");
    }
    for (int i = 0; i < running + ended; i++) {
        AUTO_BUF struct buf line = BUF_INIT(4096);
        AUTO_BUF struct buf since = BUF_INIT(64);
        AUTO_BUF struct buf step = BUF_INIT(64);
        char shown[48];
        add_line(builtin, &rows[i], &line);
        str_cut(buf_str(&line), shown, sizeof(shown));
        clock_add_when(&since, rows[i].created_us, now_us);
        add_step(builtin, &rows[i], &step);
        reply_cells(r, cell_count(rows[i].id), cell_text(shown), cell_text(rows[i].user_name),
                    cell_text(since.data), took_cell(&rows[i], now_us), cell_text(step.data),
                    cell_state(run_state_name(rows[i].state), tone_of(rows[i].state)));
        add_run(&data, NULL, &rows[i], line.data);
    }
    json_out_end(&data);
    for (int i = 0; i < running; i++) {
        AUTO_BUF struct buf button = BUF_INIT(64);
        if (rows[i].state == RUN_RUNNING && i < 4) {
            buf_addf(&button, "/cancel %lld", (long long)rows[i].id);
            reply_button(r, button.data, button.data, BUTTON_PLAIN);
        }
    }
    for (int i = 0; i < running + ended; i++) {
        run_row_release(&rows[i]);
    }
    return ended < 0 ? ended : ACTION_DONE;
}

static enum tone tone_of_step(enum run_step_state state)
{
    switch (state) {
    case RUN_STEP_DONE:
        return TONE_GOOD;
    case RUN_STEP_FAILED:
    case RUN_STEP_UNKNOWN:
        return TONE_BAD;
    case RUN_STEP_RUNNING:
        return TONE_BUSY;
    case RUN_STEP_SKIPPED:
    case RUN_STEP_CANCELLED:
        break;
    }
    return TONE_PLAIN;
}

static void show_step(struct reply *r, const struct run_step *s, int64_t now_us)
{
    int64_t end_us = s->ended_us > 0 ? s->ended_us : now_us;
    AUTO_BUF struct buf name = BUF_INIT(128);
    buf_addf(&name, "%lld. %s", (long long)s->index + 1, s->action);
    reply_para(r, "{}  {}  {}", cell_text(name.data),
               cell_state(run_step_state_name(s->state), tone_of_step(s->state)),
               cell_took(end_us > s->started_us ? end_us - s->started_us : 0));
    if (s->result[0] != '\0' && strcmp(s->result, "ok") != 0 && s->state != RUN_STEP_RUNNING) {
        reply_line(r, "    %s", s->result);
    }
    if (s->outputs[0] != '\0') {
        reply_line(r, "    %s", s->outputs);
    }
}

static int show_run(const struct builtin *builtin, int64_t id, struct reply *r, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    int rc = run_table_get(builtin->store, id, &row, err);
    if (rc < 0) {
        return rc;
    }
    struct run_step *steps = calloc(STEPS_MAX, sizeof(*steps));
    ASSERT(steps != NULL);
    int n = run_table_steps(builtin->store, id, steps, STEPS_MAX, err);
    AUTO_BUF struct buf line = BUF_INIT(4096);
    AUTO_BUF struct buf since = BUF_INIT(64);
    int64_t now_us = clock_wall_us(builtin->clock);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    add_line(builtin, &row, &line);
    clock_add_when(&since, row.created_us, now_us);
    reply_title(r, tone_of(row.state), "Run %lld: %s: %s", (long long)id, line.data,
                run_state_name(row.state));
    reply_para(r, "{}, channel {}, since {} UTC, took {}", cell_text(row.user_name),
               cell_text(row.channel), cell_text(since.data), took_cell(&row, now_us));
    if (row.err_id != ERR_NONE) {
        reply_line(r, "%s: %s", err_info(row.err_id)->code, err_info(row.err_id)->message);
    }
    add_run(&data, "run", &row, line.data);
    json_out_array(&data, "steps");
    for (int i = 0; i < n; i++) {
        show_step(r, &steps[i], now_us);
        json_out_object(&data, NULL);
        model_json_step(&data, &steps[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
    if (builtin->run_details != NULL) {
        builtin->run_details(id, r, builtin->run_details_userdata);
    }
    if (row.state == RUN_RUNNING) {
        AUTO_BUF struct buf button = BUF_INIT(64);
        buf_addf(&button, "/cancel %lld", (long long)id);
        reply_button(r, "Cancel", button.data, BUTTON_PLAIN);
    }
    free(steps);
    return n < 0 ? n : ACTION_DONE;
}

static int show_runs(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    bool one = action_value(call, "run") != NULL;
    int64_t id = one ? action_int(call, "run") : 0;
    return !one ? list_runs(builtin, action_reply(call), err)
                : show_run(builtin, id, action_reply(call), err);
}

const struct action action_runs_rows[] = {
    {.name = "command.runs",
     .summary = "Running and recent commands, or the steps of one",
     .data = "runs run steps orders",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "run",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .help = "number of the run; all if left out"}),
     .run = show_runs},
    {0},
};
