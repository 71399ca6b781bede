#include "approval.h"
#include "run_reply.h"
#include "runner_internal.h"
#include "store/confirmation_table.h"
#include "store/run_table.h"

#include <string.h>

/* The number of a run: "12" or "#12"; 0 if the word is none. */
static int64_t run_number(const char *word)
{
    int64_t number = 0;
    return str_to_i64(str_c(word[0] == '#' ? word + 1 : word), &number) && number > 0 ? number : 0;
}

/* The code of a prompt may consist of digits, too; it comes first. */
bool runner_cancel_names_run(struct runner *runner, const struct line *line)
{
    struct confirmation c;
    return line->count == 2 && strcmp(line->words[0], "cancel") == 0 &&
           run_number(line->words[1]) > 0 && runner_held_find(runner, line->words[1]) == NULL &&
           approval_find(runner, line->words[1]) == NULL &&
           confirmation_table_get(runner->o.store, line->words[1], &c, NULL) < 0;
}

static struct run *find_run(const struct runner *runner, int64_t id)
{
    struct run *run = runner->runs;
    while (run != NULL && run->id != id) {
        run = run->next;
    }
    return run;
}

/* The run does not run: it waits for an answer, has ended, or does not exist. */
static int refuse_other(struct runner *runner, const struct invocation *in, int64_t id,
                        struct admission *a, struct err *err)
{
    AUTO_RUN_ROW struct run_row row = {0};
    struct confirmation c;
    struct err why = {0};
    int rc = run_table_get(runner->o.store, id, &row, err);
    if (rc < 0 && rc != -ERR_STORE_NOT_FOUND) {
        return rc;
    }
    if (rc == 0 && row.state == RUN_CONFIRMING &&
        confirmation_table_of_run(runner->o.store, id, &c, NULL) == 0) {
        return runner_confirm_answer(runner, in, c.nonce, false, a, err);
    }
    err_clear(err);
    (void)err_set(&why, ERR_COMMAND_NOT_RUNNING, "run %lld%s%s", (long long)id, rc == 0 ? ": " : "",
                  rc == 0 ? run_state_name(row.state) : "");
    return runner_refuse_answer(runner, in, "command.refused", &why, NULL, a, err);
}

/* The person who started it may cancel it, and everybody who may run the command. */
static int check_permission(const struct invocation *in, const struct run *run, struct err *err)
{
    bool own = run->who.id == in->who->id && run->who.channel == in->who->channel &&
               strcmp(run->who.name, in->who->name) == 0;
    return own ? 0 : manifest_permit(run->m, in->who, run->args, err);
}

static struct reply *cancel_reply(const struct run *run)
{
    struct reply *r = reply_new();
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    (void)run_args_line(run, &line);
    reply_title(r, TONE_PLAIN, "Run %lld is cancelled: %s", (long long)run->id, line.data);
    for (int i = 0; i < run_step_total(run); i++) {
        const struct step *s = &run->steps[i];
        if (s->state != STEP_RUNNING) {
            continue;
        }
        const char *summary = run_step(run, i)->action->summary;
        if (run_is_follow_up(run, i) || !step_can_cancel(s)) {
            reply_line(r, "%s cannot be cancelled any more: it runs to its end.", summary);
        } else if (!step_is_reading(s)) {
            reply_line(r, "%s is not waited for any more; it may have taken effect.", summary);
        }
    }
    if (run->prepares) {
        reply_line(r, "Nothing was done.");
        return r;
    }
    if (run->m->undo) {
        reply_line(r, "What it has done is undone now.");
    }
    if (run->m->always_count > 0) {
        reply_line(r, "The steps that always run are run now.");
    }
    return r;
}

int runner_cancel(struct runner *runner, const struct invocation *in, const struct line *line,
                  struct admission *a, struct err *err)
{
    int64_t id = run_number(line->words[1]);
    struct run *run = find_run(runner, id);
    struct err why = {0};
    struct stale_age age;
    if (a->unrecorded.id != ERR_NONE) {
        return runner_refuse(runner, in, "command.refused", &a->unrecorded, NULL, a, err);
    }
    if (run == NULL) {
        return refuse_other(runner, in, id, a, err);
    }
    if (check_permission(in, run, &why) < 0) {
        return runner_refuse(runner, in, "command.denied", &why, NULL, a, err);
    }
    if (run->over || run->cancelled_by[0] != '\0') {
        (void)err_set(&why, ERR_COMMAND_NOT_RUNNING, "run %lld: %s", (long long)id,
                      run->over ? "it has ended" : "it is being cancelled");
        return runner_refuse_answer(runner, in, "command.refused", &why, NULL, a, err);
    }
    if (runner_is_stale(runner, in, &age)) {
        (void)err_set(&why, ERR_COMMAND_STALE, "cancel of run %lld", (long long)id);
        return runner_refuse(runner, in, "command.stale", &why, NULL, a, err);
    }
    AUTO_BUF struct buf detail = BUF_INIT(LINE_BYTES_MAX + 128);
    buf_addf(&detail, "run %lld of %s: ", (long long)id, run->who.name);
    (void)run_args_line(run, &detail);
    int64_t outbox_id = 0;
    int rc = runner_open(runner, in, a, err);
    if (rc < 0 || (rc = run_table_cancel(runner->o.store, id, in->who->name, err)) < 0 ||
        (rc = access_audit(runner->o.access, in->who, "command.cancelled", detail.data, "ok",
                           err)) < 0) {
        return rc;
    }
    a->reply = cancel_reply(run);
    a->posted = run_write_is_chat(in->who->channel);
    a->cancel = run;
    return run_write_post(runner, in->who, in->chat_id, in->thread_id, a->reply, 0, false,
                          &outbox_id, err);
}
