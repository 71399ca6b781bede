#include "command/reply_json.h"
#include "run.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "store/outbox_table.h"
#include "store/run_table.h"

#define DETAIL_MAX 1000

bool run_write_is_chat(enum channel channel)
{
    return channel == CHANNEL_CONSOLE || channel == CHANNEL_TELEGRAM;
}

int run_write_audit(const struct run *run, const char *action, const char *more, const char *result,
                    struct err *err)
{
    AUTO_BUF struct buf detail = BUF_INIT(DETAIL_MAX + LINE_BYTES_MAX);
    buf_addf(&detail, "run %lld: ", (long long)run->id);
    (void)run_args_line(run, &detail);
    if (more[0] != '\0') {
        buf_addf(&detail, ": %s", more);
    }
    return access_audit(run->runner->o.access, &run->who, action, detail.data, result, err);
}

int run_write_post(struct runner *runner, const struct principal *who, int64_t chat_id,
                   struct reply *reply, int64_t run_id, bool urgent, int64_t *outbox_id,
                   struct err *err)
{
    if (runner->o.decorate != NULL) {
        runner->o.decorate(reply, runner->o.decorate_userdata);
    }
    if (!run_write_is_chat(who->channel)) {
        return 0;
    }
    AUTO_JSON struct json_object *value = reply_json(reply);
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    json_add_text(&payload, value);
    if (buf_failed(&payload)) { /* too large: leave out the data, which chats do not show */
        buf_clear(&payload);
        json_object_object_del(value, "data");
        json_add_text(&payload, value);
    }
    if (buf_failed(&payload)) {
        return err_set(err, ERR_BUF_FULL, "reply of %zu blocks", reply_block_count(reply));
    }
    const struct outbox_new message = {.channel = channel_name(who->channel),
                                       .chat_id = chat_id,
                                       .kind = *outbox_id == 0 ? OUTBOX_SEND : OUTBOX_EDIT,
                                       .priority = urgent ? OUTBOX_CRITICAL : OUTBOX_NORMAL,
                                       .payload = payload.data,
                                       .run_id = run_id,
                                       .edit_of = *outbox_id};
    int64_t id = 0;
    int rc = outbox_table_add(runner->o.store, &message, clock_wall_us(runner->o.clock), &id, err);
    if (rc == 0 && *outbox_id == 0) {
        *outbox_id = id;
    }
    return rc;
}

/* Whether the command is only counted when it ends. The audit log is kept for good, and lines about
 * reading would fill it; so it holds only commands that change something or ask for a confirmation,
 * refusals, and commands for admins. */
static bool is_counted(const struct run *run)
{
    return !run->m->changes && !run->m->confirm && run->m->role < ROLE_ADMIN;
}

int run_write_received(const struct run *run, struct err *err)
{
    return is_counted(run) ? 0 : run_write_audit(run, "command.received", "", "ok", err);
}

static int write_ended(const struct run *run, enum run_state state, struct err *err)
{
    bool failed = run->failure.id != ERR_NONE;
    if (is_counted(run)) {
        return access_count_read(run->runner->o.access, &run->who, run->m->name, failed, err);
    }
    return run_write_audit(run, "command.finished", run_table_state_name(state),
                           failed ? err_info(run->failure.id)->code : "ok", err);
}

/* A reading step is audited only if it fails. */
int run_write_start(struct run *run, struct err *err)
{
    int64_t now_us = clock_wall_us(run->runner->o.clock);
    const char *action = run_step(run, run->step)->action->name;
    int rc = run_table_step_begin(run->runner->o.store, run->id, run->step, action, now_us, err);
    if (rc < 0) {
        return rc;
    }
    run->marks[run->step].state = MARK_RUNNING;
    run->step_mono_us = clock_mono_us(run->runner->o.clock);
    return run_is_reading(run) ? 0 : run_write_audit(run, "step.started", action, "ok", err);
}

/* The result in the row of a step is "ok", or "CODE: context". */
static int write_step_end(const struct run *run, struct err *err)
{
    AUTO_BUF struct buf result = BUF_INIT(DETAIL_MAX);
    const struct err *failure = &run->end_err;
    const char *action = run_step(run, run->step)->action->name;
    const char *code = "ok";
    enum run_step_state state = RUN_STEP_DONE;
    if (failure->id == ERR_NONE) {
        buf_add_c(&result, code);
    } else {
        code = err_info(failure->id)->code;
        state = run_is_cut_off(run) && failure->id == ERR_COMMAND_LOST ? RUN_STEP_UNKNOWN
                                                                       : RUN_STEP_FAILED;
        buf_addf(&result, "%s: %s", code, failure->context);
    }
    int rc = run_table_step_end(run->runner->o.store, run->id, run->step, state, result.data,
                                clock_wall_us(run->runner->o.clock), err);
    if (rc < 0 || is_counted(run) || (failure->id == ERR_NONE && run_is_reading(run))) {
        return rc;
    }
    return run_write_audit(run, failure->id == ERR_NONE ? "step.done" : "step.failed", action, code,
                           err);
}

static enum run_state end_state(const struct run *run)
{
    if (run_is_cut_off(run) && run->end_err.id == ERR_COMMAND_LOST) {
        return RUN_UNKNOWN;
    }
    return run->failure.id == ERR_NONE ? RUN_DONE : RUN_FAILED;
}

static int write_finish(struct run *run, struct err *err)
{
    struct runner *runner = run->runner;
    enum run_state state = end_state(run);
    AUTO_BUF struct buf data = BUF_INIT(RUN_JSON_MAX);
    if (run->unrecorded.id != ERR_NONE && !run->noted) {
        run_reply_add_recorded(run->result, run);
        run->noted = true;
    }
    json_add_text(&data, reply_data(run->result));
    int rc =
        run_table_finish(runner->o.store, run->id, state, run->failure.id,
                         buf_failed(&data) ? NULL : data.data, clock_wall_us(runner->o.clock), err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = write_ended(run, state, err)) < 0 ||
        (run->who.channel == CHANNEL_SCHEDULE && runner->o.scheduled != NULL &&
         (rc = runner->o.scheduled(run->m, run->result, &run->failure, runner->o.scheduled_userdata,
                                   err)) < 0)) {
        return rc;
    }
    return run_write_post(runner, &run->who, run->chat_id, run->result, run->id, run->m->emergency,
                          &run->outbox_id, err);
}

int run_write_next(const struct run *run)
{
    int next = run->step + 1;
    if (run_is_cut_off(run)) {
        return -1;
    }
    if (run->step < run->m->step_count && run->failure.id != ERR_NONE) {
        next = run->m->step_count; /* on_failure begins */
    } else if (next == run->m->step_count && run->failure.id == ERR_NONE) {
        return -1;
    }
    return next < run_step_total(run) ? next : -1;
}

/* Uses the row that was stored for the prompt, if it still waits for its confirmation; otherwise
 * adds a new row. */
static int adopt_row(struct run *run, struct err *err)
{
    struct ops_store *store = run->runner->o.store;
    int64_t now_us = clock_wall_us(run->runner->o.clock);
    if (run->asked_run_id != 0) {
        bool won = false;
        int rc = confirmation_table_use(store, run->asked_code, &won, err);
        rc = rc < 0 ? rc : run_table_start(store, run->asked_run_id, now_us, err);
        if (rc != -ERR_STORE_CONFLICT) {
            run->id = rc < 0 ? 0 : run->asked_run_id;
            return rc;
        }
        err_clear(err); /* it has expired in the meantime */
    }
    return runner_store_run(run, RUN_RUNNING, err);
}

int run_write_adopt(struct run *run, struct err *err)
{
    AUTO_BUF struct buf more = BUF_INIT(DETAIL_MAX);
    buf_add_c(&more, "acted at ");
    clock_add_iso(&more, run->asked_wall_us, false);
    buf_addf(&more, ", before it could be recorded: %s", err_info(run->unrecorded.id)->code);
    int rc = adopt_row(run, err);
    if (rc < 0 || (rc = run_write_audit(run, "command.received", more.data, "ok", err)) < 0 ||
        (run->m->confirm &&
         (rc = run_write_audit(run, "confirm.given", "in memory", "ok", err)) < 0)) {
        return rc;
    }
    int64_t began_mono_us = run->step_mono_us;
    enum run_mark_state state = run->marks[run->step].state;
    rc = run_write_start(run, err);
    run->step_mono_us = began_mono_us;
    run->marks[run->step].state = state;
    return rc < 0 || run->note[0] == '\0'
               ? rc
               : run_table_step_note(run->runner->o.store, run->id, run->step, run->note, err);
}

int run_write_advance(struct run *run, struct err *err)
{
    int rc = write_step_end(run, err);
    if (rc < 0) {
        return rc;
    }
    int next = run_write_next(run);
    if (next >= 0) {
        run->step = next;
        return run_write_start(run, err);
    }
    if (run->result == NULL) {
        run->result = run_reply_result(run);
    }
    return write_finish(run, err);
}
