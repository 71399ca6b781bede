#include "approval.h"
#include "command/reply_json.h"
#include "model/telemetry.h"
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

/* A row for each attachment: a channel that sends files delivers them behind the text, each once.
 */
static int post_files(const struct runner *runner, const struct outbox_new *text,
                      const struct reply *reply, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < reply_block_count(reply); i++) {
        struct reply_block block = reply_get_block(reply, i);
        if (block.file == NULL) {
            continue;
        }
        AUTO_REPLY struct reply *one = reply_new();
        AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
        struct outbox_new message = *text;
        int64_t id = 0;
        (block.kind == BLOCK_IMAGE ? reply_image : reply_document)(one, block.file);
        if (reply_is_protected(reply)) {
            reply_protect(one);
        }
        reply_json_message(one, &payload);
        message.kind = block.kind == BLOCK_IMAGE ? OUTBOX_PHOTO : OUTBOX_DOCUMENT;
        message.payload = payload.data;
        message.edit_of = 0;
        rc = outbox_table_add(runner->o.store, &message, clock_wall_us(runner->o.clock), &id, err);
    }
    return rc;
}

int run_write_typing(const struct run *run, struct err *err)
{
    const struct outbox_new message = {.channel = channel_name(run->who.channel),
                                       .chat_id = run->chat_id,
                                       .thread_id = run->thread_id,
                                       .kind = OUTBOX_ACTION,
                                       .priority = OUTBOX_NORMAL,
                                       .payload = "{}"};
    int64_t id = 0;
    return outbox_table_add(run->runner->o.store, &message, clock_wall_us(run->runner->o.clock),
                            &id, err);
}

int run_write_post(struct runner *runner, const struct principal *who, int64_t chat_id,
                   int64_t thread_id, struct reply *reply, int64_t run_id, bool urgent,
                   int64_t *outbox_id, struct err *err)
{
    if (runner->o.decorate != NULL) {
        runner->o.decorate(reply, runner->o.decorate_userdata);
    }
    if (!run_write_is_chat(who->channel)) {
        return 0;
    }
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    reply_json_message(reply, &payload);
    if (buf_failed(&payload)) {
        return err_set(err, ERR_BUF_FULL, "reply of %zu blocks", reply_block_count(reply));
    }
    const struct outbox_new message = {.channel = channel_name(who->channel),
                                       .chat_id = chat_id,
                                       .thread_id = thread_id,
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
    if (rc == 0 && who->channel == CHANNEL_TELEGRAM) {
        telemetry_reply_queued(runner->o.telemetry, id, clock_wall_us(runner->o.clock));
    }
    return rc < 0 ? rc : post_files(runner, &message, reply, err);
}

/* Whether the command is only counted when it ends. The audit log is kept for good, and lines about
 * reading would fill it; so it holds only commands that change something or ask for a confirmation,
 * refusals, and commands for admins. */
static bool is_counted(const struct run *run)
{
    return !run->m->changes && !run->demand.confirm && run->demand.role < ROLE_ADMIN;
}

int run_write_received(const struct run *run, struct err *err)
{
    return is_counted(run) ? 0 : run_write_audit(run, "command.received", "", "ok", err);
}

static int write_ended(const struct run *run, enum run_state state, struct err *err)
{
    bool failed = run->failure.id != ERR_NONE;
    if (is_counted(run)) {
        return access_count_reads(run->runner->o.access, &run->who, run->m->name, 1, failed ? 1 : 0,
                                  err);
    }
    return run_write_audit(run, "command.finished", run_state_name(state),
                           failed ? err_info(run->failure.id)->code : "ok", err);
}

static int write_step_start(const struct run *run, const struct step *s, struct err *err)
{
    struct ops_store *store = run->runner->o.store;
    const char *action = run_step(run, s->index)->action->name;
    int rc = run_table_step_begin(store, run->id, s->index, action, s->began_us, err);
    if (rc == 0 && s->note[0] != '\0') {
        rc = run_table_step_note(store, run->id, s->index, s->note, err);
    }
    bool audited = s->state != STEP_SKIPPED && !step_is_reading(s);
    return rc < 0 || !audited ? rc : run_write_audit(run, "step.started", action, "ok", err);
}

static enum run_step_state row_state(const struct step *s)
{
    switch (s->state) {
    case STEP_SKIPPED:
        return RUN_STEP_SKIPPED;
    case STEP_CANCELLED:
        return RUN_STEP_CANCELLED;
    case STEP_FAILED:
        return s->lost && s->err.id == ERR_COMMAND_LOST ? RUN_STEP_UNKNOWN : RUN_STEP_FAILED;
    case STEP_WAITING:
    case STEP_RUNNING:
    case STEP_DONE:
        break;
    }
    return RUN_STEP_DONE;
}

/* A step that only reads is audited only if it fails. */
static int audit_step_end(const struct run *run, const struct step *s, struct err *err)
{
    const char *action = run_step(run, s->index)->action->name;
    if (is_counted(run) || s->state == STEP_SKIPPED) {
        return 0;
    }
    if (s->state == STEP_FAILED) {
        return run_write_audit(run, "step.failed", action, err_info(s->err.id)->code, err);
    }
    if (step_is_reading(s)) {
        return 0;
    }
    return s->state == STEP_CANCELLED
               ? run_write_audit(run, "step.cancelled", action, "COMMAND_CANCELLED", err)
               : run_write_audit(run, "step.done", action, "ok", err);
}

/* The result in the row of a step is "ok", "CODE: context", or why it did not run. */
static int write_step_end(const struct run *run, const struct step *s, struct err *err)
{
    struct ops_store *store = run->runner->o.store;
    AUTO_BUF struct buf result = BUF_INIT(DETAIL_MAX);
    AUTO_BUF struct buf outputs = BUF_INIT(RUN_OUTPUTS_SIZE - 1);
    step_outputs_json(s, &outputs);
    if (s->state == STEP_FAILED) {
        buf_addf(&result, "%s: %s", err_info(s->err.id)->code, s->err.context);
    } else if (s->state == STEP_CANCELLED) {
        buf_addf(&result, "by %s", run->cancelled_by);
    } else if (s->state == STEP_SKIPPED) {
        buf_addf(&result, "not %s", run_step(run, s->index)->when);
    } else {
        buf_add_c(&result, "ok");
    }
    int rc =
        outputs.len == 0 ? 0 : run_table_step_outputs(store, run->id, s->index, outputs.data, err);
    if (rc < 0 ||
        (rc = run_table_step_end(store, run->id, s->index, row_state(s), result.data, s->ended_us,
                                 err)) < 0 ||
        (rc = approval_write_end(s, err)) < 0) {
        return rc;
    }
    return audit_step_end(run, s, err);
}

static enum run_state end_state(const struct run *run)
{
    for (int i = 0; i < run_step_total(run); i++) {
        if (run->steps[i].lost && run->steps[i].err.id == ERR_COMMAND_LOST) {
            return RUN_UNKNOWN;
        }
    }
    return run_is_cancelled(run)         ? RUN_CANCELLED
           : run->failure.id == ERR_NONE ? RUN_DONE
                                         : RUN_FAILED;
}

static int write_finish(struct run *run, struct err *err)
{
    struct runner *runner = run->runner;
    enum run_state state = end_state(run);
    struct err space = {0};
    const struct err *why = run_error(run, &space);
    AUTO_BUF struct buf data = BUF_INIT(RUN_JSON_MAX);
    if (run->unrecorded.id != ERR_NONE && !run->noted) {
        run_reply_add_recorded(run->result, run);
        run->noted = true;
    }
    bool concealed = reply_concealed_us(run->result) != 0;
    if (!concealed) {
        json_add_text(&data, reply_data(run->result));
    }
    int rc = run_table_finish(runner->o.store, run->id, state, why == NULL ? ERR_NONE : why->id,
                              concealed || buf_failed(&data) ? NULL : data.data,
                              clock_wall_us(runner->o.clock), err);
    if (rc < 0) {
        return rc;
    }
    if ((rc = write_ended(run, state, err)) < 0 ||
        (run->who.channel == CHANNEL_SCHEDULE && runner->o.scheduled != NULL &&
         (rc = runner->o.scheduled(run->m, run->result, why == NULL ? &space : why,
                                   runner->o.scheduled_userdata, err)) < 0)) {
        return rc;
    }
    return concealed ? 0 /* run.c shows it without the outbox */
                     : run_write_post(runner, &run->who, run->chat_id, run->thread_id, run->result,
                                      run->id, run->m->emergency, &run->outbox_id, err);
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
            run->id = run->asked_run_id; /* if rc is negative, the caller takes it back */
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
    if (rc < 0 || (rc = run_write_audit(run, "command.received", more.data, "ok", err)) < 0) {
        return rc;
    }
    return run->demand.confirm ? run_write_audit(run, "confirm.given", "in memory", "ok", err) : 0;
}

/* Whether the row of a step lacks its start, or its end. */
static bool lacks_start(const struct step *s)
{
    return s->row == STEP_ROW_NONE && s->state != STEP_WAITING;
}

static bool lacks_end(const struct step *s)
{
    return s->row != STEP_ROW_ENDED && step_has_ended(s);
}

bool run_write_is_due(const struct run *run)
{
    for (int i = 0; i < run_step_total(run); i++) {
        if (lacks_start(&run->steps[i]) || lacks_end(&run->steps[i])) {
            return true;
        }
    }
    return run->over && !run->stored;
}

int run_write_steps(struct run *run, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < run_step_total(run); i++) {
        const struct step *s = &run->steps[i];
        rc = lacks_start(s) ? write_step_start(run, s, err) : 0;
        rc = rc == 0 && lacks_end(s) ? write_step_end(run, s, err) : rc;
    }
    return rc < 0 || !run->over ? rc : write_finish(run, err);
}

void run_write_stored(struct run *run)
{
    run->stored = run->over;
    for (int i = 0; i < run_step_total(run); i++) {
        struct step *s = &run->steps[i];
        s->row = step_has_ended(s)          ? STEP_ROW_ENDED
                 : s->state == STEP_RUNNING ? STEP_ROW_RUNNING
                                            : STEP_ROW_NONE;
    }
}
