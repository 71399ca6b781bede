/*
 * The runner: an operator's command runs once, whatever happens. After each run the files are
 * opened again as after a crash, and the channel delivers the same message again, as it does when
 * its first delivery was not confirmed.
 */
#include "oom/oom.h"
#include "rigs/runner_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(sizeof(struct runner_rig) <= OOM_SHARED_SIZE, "a rig fits into the shared memory");

/* In shared memory, so that verify sees how often the actions ran. */
static struct runner_rig *rig_of(const struct oom *oom)
{
    return oom->shared;
}

static int open_rig(struct oom *oom, struct err *err)
{
    (void)err;
    runner_rig_open(rig_of(oom));
    return 0;
}

/* Closing deletes the rig's folder, but verify still needs the files. */
static void close_rig(struct oom *oom)
{
    struct runner_rig *rig = rig_of(oom);
    char folder[sizeof(rig->folder)];
    (void)snprintf(folder, sizeof(folder), "%s", rig->folder);
    (void)snprintf(rig->folder, sizeof(rig->folder), "%.100s/none", oom->folder);
    (void)mkdir(rig->folder, 0750);
    runner_rig_close(rig);
    (void)snprintf(rig->folder, sizeof(rig->folder), "%s", folder);
}

static int deliver(struct runner_rig *rig, const char *line, struct err *err)
{
    const struct invocation in = {
        .line = line, .who = &rig->alice, .chat_id = rig->chat_id, .update_id = 55};
    return runner_submit(rig->runner, &in, err);
}

/* Opens the files of a child as the next start of the program does. */
static void open_again(const struct runner_rig *old, struct runner_rig *rig)
{
    runner_rig_open_in(rig, old->folder, true);
}

/* Memory is back: what could not be stored is stored now. */
static void settle(struct runner_rig *rig)
{
    (void)oom_disarm();
    loop_advance(rig->loop, 30 * USEC_PER_SEC);
}

/* A refusal is an answer too: 0 if the action ran. */
static int refused(const struct runner_rig *rig, int ran, struct err *err)
{
    (void)rig;
    return ran > 0 ? 0 : err_set(err, ERR_BUF_FULL, "the command was refused");
}

/* ---- a command that reads ---- */

static int look(struct oom *oom, struct err *err)
{
    struct runner_rig *rig = rig_of(oom);
    int rc = deliver(rig, "/look", err);
    settle(rig);
    if (rc < 0) {
        return rc;
    }
    OOM_CHECK(runner_rig_messages(rig) == 1 && runner_active(rig->runner) == 0);
    bool answered = strstr(runner_rig_last(rig), "all is well") != NULL;
    OOM_CHECK(answered || strstr(runner_rig_last(rig), "error_code") != NULL);
    return refused(rig, answered ? rig->reads : 0, err);
}

static const char *looked(struct oom *oom)
{
    static struct runner_rig again;
    open_again(rig_of(oom), &again);
    struct err err = {0};
    const char *wrong = NULL;
    if (deliver(&again, "/look", &err) < 0) {
        wrong = "the command is not taken again";
    } else if (runner_rig_messages(&again) != 1) {
        wrong = "not answered once";
    }
    runner_rig_close(&again);
    return wrong;
}
OOM_SCENARIO(runner, read, .prepare = open_rig, .run = look, .release = close_rig, .verify = looked)

/* ---- a command that changes something ---- */

static int change(struct oom *oom, struct err *err)
{
    struct runner_rig *rig = rig_of(oom);
    int rc = deliver(rig, "change demo \"two words\"", err);
    settle(rig);
    OOM_CHECK(rig->runs <= 1);
    if (rc < 0) {
        return rc;
    }
    OOM_CHECK(runner_rig_messages(rig) == 1 && runner_active(rig->runner) == 0);
    OOM_CHECK(rig->runs == 0 || strcmp(rig->seen, "demo|for demo: two words|90000000") == 0);
    OOM_CHECK(rig->runs == 1 || strstr(runner_rig_last(rig), "error_code") != NULL);
    return refused(rig, rig->runs, err);
}

/* Run once; or not at all if it was refused, or if the crash came between the row that says
 * "running" and the action. */
static const char *once(struct oom *oom, struct runner_rig *again)
{
    int runs = rig_of(oom)->runs + again->runs;
    if (runs > 1) {
        return "ran twice";
    }
    if (strcmp(oom->outcome, "done") == 0 && runs != 1) {
        return "done, but it did not run";
    }
    return runner_rig_messages(again) >= 1 ? NULL : "not answered";
}

static const char *changed(struct oom *oom)
{
    static struct runner_rig again;
    open_again(rig_of(oom), &again);
    const char *wrong = deliver(&again, "change demo \"two words\"", NULL) < 0
                            ? "the command is not taken again"
                            : once(oom, &again);
    runner_rig_close(&again);
    return wrong;
}
OOM_SCENARIO(runner, change, .prepare = open_rig, .run = change, .release = close_rig,
             .verify = changed)

/* ---- a confirmation ---- */

static char press[32]; /* the prompt's button; the nonce differs in each child */

static int open_prompt(struct oom *oom, struct err *err)
{
    struct runner_rig *rig = rig_of(oom);
    runner_rig_open(rig);
    if (runner_rig_send(rig, "sell btc-usd") < 0) {
        return err_set(err, ERR_INTERNAL, "no prompt");
    }
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    (void)snprintf(rig->reply_text, sizeof(rig->reply_text), "%s", press); /* for verify */
    return 0;
}

static int confirm(struct oom *oom, struct err *err)
{
    struct runner_rig *rig = rig_of(oom);
    int rc = deliver(rig, press, err);
    settle(rig);
    OOM_CHECK(rig->runs <= 1);
    if (rc < 0) {
        return rc;
    }
    OOM_CHECK(rig->runs == 1 || strstr(runner_rig_last(rig), "error_code") != NULL);
    OOM_CHECK(rig->runs == 0 || strstr(runner_rig_last(rig), "closed") != NULL);
    return refused(rig, rig->runs, err);
}

static const char *confirmed(struct oom *oom)
{
    static struct runner_rig again;
    open_again(rig_of(oom), &again);
    const char *wrong = deliver(&again, rig_of(oom)->reply_text, NULL) < 0
                            ? "the button is not taken again"
                            : once(oom, &again);
    if (wrong == NULL && runner_rig_state(&again, 1) == RUN_RUNNING) {
        wrong = "the run has no end";
    }
    runner_rig_close(&again);
    return wrong;
}
OOM_SCENARIO(runner, confirm, .prepare = open_prompt, .run = confirm, .release = close_rig,
             .verify = confirmed)

/* ---- a start after a crash ---- */

static int leave_unfinished(struct oom *oom, struct err *err)
{
    struct runner_rig *rig = rig_of(oom);
    runner_rig_open(rig);
    rig->happened = true;
    if (runner_rig_send(rig, "known") < 0 || rig->runs != 1) {
        return err_set(err, ERR_INTERNAL, "no run");
    }
    runner_free(rig->runner);
    rig->runner = NULL;
    return 0;
}

static int recover(struct oom *oom, struct err *err)
{
    struct runner_rig *rig = rig_of(oom);
    const struct runner_options options = {.loop = rig->loop,
                                           .clock = &rig->clock.clock,
                                           .config = &rig->config,
                                           .store = rig->store,
                                           .access = rig->access,
                                           .actions = rig->actions,
                                           .manifests = rig->manifests};
    int rc = runner_new(&options, &rig->runner, err);
    OOM_CHECK((rc == 0) == (rig->runner != NULL));
    rc = rc < 0 ? rc : runner_recover(rig->runner, err);
    (void)oom_disarm();
    OOM_CHECK(rig->runs == 1);
    OOM_CHECK(rc < 0 || rig->recovers == 1);
    if (rc == 0 && runner_rig_state(rig, 1) != RUN_DONE) {
        return err_set(err, ERR_BUF_FULL, "the run did not end as done");
    }
    return rc;
}

static const char *recovered(struct oom *oom)
{
    static struct runner_rig again;
    open_again(rig_of(oom), &again);
    const char *wrong = NULL;
    if (again.runs != 0) {
        wrong = "ran twice";
    } else if (runner_rig_state(&again, 1) == RUN_RUNNING) {
        wrong = "the run has no end";
    } else if (strcmp(oom->outcome, "error") != 0 && runner_rig_state(&again, 1) != RUN_DONE) {
        wrong = "the run did not end as done";
    }
    runner_rig_close(&again);
    return wrong;
}
OOM_SCENARIO(runner, recover, .prepare = leave_unfinished, .run = recover, .release = close_rig,
             .verify = recovered)
