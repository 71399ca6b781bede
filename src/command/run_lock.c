#include "base/buf.h"
#include "lock.h"
#include "run.h"

#include <string.h>

/* Adds the resource that one word of action.locks names: "service:$service" with the value of the
 * parameter. Without a value, and for `all`, it is the kind alone. */
static void add_lock(const struct action *action, struct str word, const struct arg_value *values,
                     struct lock_set *out)
{
    struct str rest = word;
    struct str kind;
    AUTO_BUF struct buf name = BUF_INIT(LOCK_NAME_SIZE - 1);
    (void)str_split(&rest, ':', &kind);
    buf_add_str(&name, kind);
    const struct action_param *param =
        rest.len < 2 ? NULL : action_param_find(action, str_n(rest.ptr + 1, rest.len - 1));
    if (param != NULL && values != NULL) {
        AUTO_BUF struct buf text = BUF_INIT(LOCK_NAME_SIZE);
        value_text(&values[param - action->params], &text);
        if (text.len > 0 && !str_equal_nocase(buf_str(&text), "all")) {
            buf_addf(&name, ":%s", text.data);
        }
    }
    lock_set_add(out, buf_failed(&name) ? kind : buf_str(&name));
}

/* The resources of all steps. A command on the safe side locks nothing: it is never refused. */
void run_lock_list(const struct run *run, struct lock_set *out)
{
    for (int i = 0; i < run_step_total(run) && !run->m->safe_side; i++) {
        const struct manifest_step *step = run_step(run, i);
        struct arg_value *values = NULL;
        struct str rest = str_c(step->action->locks);
        struct str word;
        if (rest.len > 0) {
            (void)run_args_resolve(run, step, &values, NULL); /* on failure: the whole kind */
        }
        while (str_word(&rest, &word)) {
            add_lock(step->action, word, values, out);
        }
        run_args_free(step->action, values);
    }
}

int run_lock_check(const struct run *run, struct err *err)
{
    AUTO_LOCK_SET struct lock_set wanted = {0};
    run_lock_list(run, &wanted);
    const struct lock *lock = lock_find(&run->runner->locks, &wanted);
    if (lock == NULL) {
        return 0;
    }
    const struct lock_holder *h = &lock->holder;
    int64_t now_us = clock_wall_us(run->runner->o.clock);
    AUTO_BUF struct buf since = BUF_INIT(64);
    AUTO_BUF struct buf age = BUF_INIT(64);
    clock_add_when(&since, h->since_us, now_us);
    clock_add_duration(&age, now_us > h->since_us ? now_us - h->since_us : 0);
    return err_set(err, ERR_COMMAND_LOCKED, "%s: run %lld of %s since %s UTC (%s): %s", lock->name,
                   (long long)h->run_id, h->who, since.data, age.data, h->line);
}

void run_lock_take(struct run *run, int64_t since_us)
{
    AUTO_LOCK_SET struct lock_set wanted = {0};
    AUTO_BUF struct buf line = BUF_INIT(LINE_BYTES_MAX + 64);
    struct lock_holder holder = {.run_id = run->id, .since_us = since_us};
    run_lock_list(run, &wanted);
    (void)run_args_line(run, &line);
    str_cut(buf_str(&line), holder.line, sizeof(holder.line));
    (void)str_copy(str_c(run->who.name), holder.who, sizeof(holder.who));
    lock_take(&run->runner->locks, &wanted, &holder);
    run->locked = true;
}
