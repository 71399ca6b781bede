#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "run_reply.h"
#include "runner_internal.h"

#include <string.h>

#define RECORD_RETRY_US USEC_PER_SEC

static void clear_slot(struct held_prompt *h)
{
    manifest_unref(h->m);
    free(h->args_json);
    *h = (struct held_prompt){0};
}

static bool is_over(const struct runner *runner, const struct held_prompt *h)
{
    return h->used || clock_mono_us(runner->o.clock) >= h->expires_mono_us;
}

/* Returns a free slot, or frees the slot of the prompt that expires first. */
static struct held_prompt *free_slot(struct runner *runner)
{
    struct held_prompt *best = &runner->held[0];
    for (size_t i = 0; i < HELD_MAX; i++) {
        struct held_prompt *h = &runner->held[i];
        if (h->code[0] == '\0') {
            return h;
        }
        if (h->expires_mono_us < best->expires_mono_us) {
            best = h;
        }
    }
    clear_slot(best);
    return best;
}

void runner_held_add(struct runner *runner, const struct run *run, const char *code, int64_t run_id)
{
    struct held_prompt *h = free_slot(runner);
    AUTO_BUF struct buf args = BUF_INIT(RUN_JSON_MAX);
    run_args_json(run, &args);
    *h = (struct held_prompt){
        .m = manifest_ref(run->m),
        .args_json = strdup(args.data),
        .channel = run->who.channel,
        .user_id = run->who.id,
        .chat_id = run->chat_id,
        .expires_mono_us =
            clock_mono_us(runner->o.clock) + runner->o.config->commands_confirm_expiry_us,
        .run_id = run_id,
    };
    ASSERT(h->args_json != NULL);
    (void)str_copy(str_c(code), h->code, sizeof(h->code));
}

struct held_prompt *runner_held_find(struct runner *runner, const char *code)
{
    for (size_t i = 0; i < HELD_MAX && code[0] != '\0'; i++) {
        if (strcmp(runner->held[i].code, code) == 0) {
            return &runner->held[i];
        }
    }
    return NULL;
}

static bool belongs_to(const struct held_prompt *h, const struct invocation *in)
{
    return h->user_id == in->who->id && h->channel == in->who->channel && h->chat_id == in->chat_id;
}

const struct held_prompt *runner_held_newest(struct runner *runner, const struct invocation *in)
{
    const struct held_prompt *newest = NULL;
    for (size_t i = 0; i < HELD_MAX; i++) {
        const struct held_prompt *h = &runner->held[i];
        if (h->code[0] != '\0' && belongs_to(h, in) && !is_over(runner, h) &&
            (newest == NULL || h->expires_mono_us > newest->expires_mono_us)) {
            newest = h;
        }
    }
    return newest;
}

void runner_held_release(struct runner *runner)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        clear_slot(&runner->held[i]);
    }
}

static int start_held(struct runner *runner, const struct invocation *in, struct held_prompt *h,
                      struct admission *a, struct err *err)
{
    struct err why = {0};
    AUTO_RUN struct run *run = run_new(runner, h->m, in->who, in->chat_id);
    run->thread_id = in->thread_id;
    if (run_args_restore(run, h->args_json, true, &why) < 0) {
        return runner_refuse_answer(runner, in, "confirm.refused", &why, NULL, a, err);
    }
    if (manifest_permit(h->m, in->who, run->args, &why) < 0) {
        return runner_refuse(runner, in, "command.denied", &why, NULL, a, err);
    }
    (void)str_copy(str_c(h->code), run->asked_code, sizeof(run->asked_code));
    run->asked_run_id = h->run_id;
    run_reply_set_choice(run, STAGE_CONFIRM, "");
    a->edit = true;
    a->answered = h;
    return runner_begin(&run, in, a, err);
}

int runner_held_answer(struct runner *runner, const struct invocation *in, struct held_prompt *h,
                       bool yes, struct admission *a, struct err *err)
{
    struct err why = {0};
    if (!belongs_to(h, in)) {
        (void)err_set(&why, ERR_CONFIRM_FOREIGN, "%s", h->m->name);
        return runner_refuse_answer(runner, in, "confirm.foreign", &why, NULL, a, err);
    }
    if (h->used || clock_mono_us(runner->o.clock) >= h->expires_mono_us) {
        (void)err_set(&why, h->used ? ERR_CONFIRM_USED : ERR_CONFIRM_EXPIRED, "%s", h->code);
        return runner_refuse_answer(runner, in, "confirm.refused", &why, NULL, a, err);
    }
    struct stale_age age;
    if (yes && runner_is_stale(runner, in, &age)) {
        struct reply *reply = run_reply_stale_answer(h->m->name, h->code, &age);
        why = *reply_get_error(reply);
        return runner_refuse_answer(runner, in, "confirm.stale", &why, reply, a, err);
    }
    if (yes) {
        return start_held(runner, in, h, a, err);
    }
    a->answered = h; /* if it has a row, that expires */
    a->edit = true;
    a->reply = run_reply_closed(h->m->name, STAGE_CONFIRM, NULL);
    if (a->unrecorded.id != ERR_NONE) {
        return 0;
    }
    int64_t outbox_id = 0;
    int rc = runner_open(runner, in, a, err);
    a->posted = run_write_is_chat(in->who->channel);
    rc = rc < 0
             ? rc
             : access_audit(runner->o.access, in->who, "confirm.cancelled", h->m->name, "ok", err);
    return rc < 0 ? rc
                  : run_write_post(runner, in->who, in->chat_id, in->thread_id, a->reply, 0, false,
                                   &outbox_id, err);
}

/* ------------------------------------------------------------------------------ recording ---- */

/* The oldest run without a row; the list begins with the newest. */
static struct run *first_unrecorded(const struct runner *runner)
{
    struct run *oldest = NULL;
    for (struct run *run = runner->runs; run != NULL; run = run->next) {
        if (run->id == 0 && run->m->changes) {
            oldest = run;
        }
    }
    return oldest;
}

void runner_record_schedule(struct runner *runner)
{
    if (first_unrecorded(runner) != NULL && !loop_timer_armed(runner->record)) {
        loop_timer_in(runner->record, RECORD_RETRY_US);
    }
}

void runner_on_record(void *userdata)
{
    struct runner *runner = userdata;
    struct run *run = first_unrecorded(runner);
    while (run != NULL) {
        run_record(run);
        struct run *next = first_unrecorded(runner);
        if (next == run) {
            break; /* ops.db still cannot be written */
        }
        run = next;
    }
    runner_record_schedule(runner);
}
