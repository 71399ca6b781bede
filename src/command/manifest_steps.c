#include "approval.h"
#include "base/check.h"
#include "base/clock.h"
#include "call.h"
#include "manifest_internal.h"
#include "when.h"

#include <string.h>

#define NEAR_ENOUGH        2 /* edits */
#define TIMEOUT_DEFAULT_US (30 * USEC_PER_SEC)
#define TIMEOUT_MAX_US     USEC_PER_HOUR
#define RETRIES_MAX        5
#define BACKOFF_INITIAL_US USEC_PER_SEC
#define BACKOFF_FACTOR     2
#define BACKOFF_FACTOR_MAX 10
#define BACKOFF_MAX_US     (30 * USEC_PER_SEC)
#define EVERY_DEFAULT_US   (2 * USEC_PER_SEC)
#define EVERY_MIN_US       (500 * USEC_PER_MSEC)
#define WITHIN_MAX_US      USEC_PER_DAY

/* The action whose output may be used here: of a step before this one, and not in the same parallel
 * group. */
static const struct action *find_output(const struct manifest *m, const struct manifest_step *user,
                                        struct str id)
{
    for (int i = 0; i < manifest_step_total(m); i++) {
        const struct manifest_step *step = manifest_step_at(m, i);
        bool beside = user->group != 0 && step->group == user->group;
        if (str_equal_c(id, step->id) && step != user && !beside) {
            return step->action;
        }
    }
    return NULL;
}

int manifest_steps_check_name(const struct manifest *m, const struct manifest_step *user,
                              struct str name, int *ret_arg, struct err *why)
{
    struct str output = name;
    struct str id = name;
    (void)str_split(&output, '.', &id);
    *ret_arg = manifest_find_arg(m, name);
    if (*ret_arg >= 0) {
        return 0;
    }
    if (id.len == name.len) {
        return err_set(why, ERR_MANIFEST_FORMAT, "$%.*s is not an argument of this command",
                       STR_ARG(name));
    }
    const struct action *action = find_output(m, user, id);
    if (action == NULL) {
        return err_set(why, ERR_MANIFEST_FORMAT, "no earlier step has the id %.*s", STR_ARG(id));
    }
    return action_has_output(action, output)
               ? 0
               : err_set(why, ERR_MANIFEST_FORMAT, "%s gives no output %.*s; it gives: %s",
                         action->name, STR_ARG(output),
                         action->outputs == NULL ? "none" : action->outputs);
}

/* How long the action of a step waits by itself. */
static int64_t waits_us(const struct manifest_step *step)
{
    int64_t us = 0;
    for (int i = 0; i < step->with_count; i++) {
        const struct manifest_with *with = &step->with[i];
        if (with->param->waits && with->literal.type == PARAM_DURATION) { /* not an argument */
            us += with->literal.duration_us;
        }
    }
    return us > 0 ? us : step->action->waits_us;
}

static int read_timeout(const struct manifest_reader *r, const struct yaml_node *item,
                        struct manifest_step *step)
{
    const struct yaml_node *timeout = yaml_get(item, "timeout");
    int64_t waited_us = waits_us(step);
    step->timeout_us = TIMEOUT_DEFAULT_US;
    if (timeout == NULL && waited_us >= TIMEOUT_DEFAULT_US) {
        step->timeout_us = waited_us + MANIFEST_MARGIN_US;
    }
    if (timeout != NULL && (!value_parse_duration(yaml_text(timeout), &step->timeout_us) ||
                            step->timeout_us > TIMEOUT_MAX_US)) {
        return manifest_complain(r, timeout, "timeout must be a duration up to 1h, such as 60s");
    }
    if (step->timeout_us <= waited_us) {
        AUTO_BUF struct buf text = BUF_INIT(32);
        clock_add_duration(&text, waited_us);
        return manifest_complain(r, timeout, "timeout must be longer than the %s that %s waits",
                                 text.data, step->action->name);
    }
    return 0;
}

static int read_limits(const struct manifest_reader *r, const struct yaml_node *item,
                       struct manifest_step *step)
{
    int rc = read_timeout(r, item, step);
    if (rc < 0) {
        return rc;
    }
    const struct yaml_node *retries = yaml_get(item, "retries");
    int64_t count = 0;
    if (retries != NULL &&
        (!str_to_i64(yaml_text(retries), &count) || count < 0 || count > RETRIES_MAX)) {
        return manifest_complain(r, retries, "retries must be 0 to %d", RETRIES_MAX);
    }
    step->retries = (int)count;
    return 0;
}

/* Finds the action of a step, and checks that the command may run it. */
static int read_action(const struct manifest_reader *r, const struct yaml_node *item,
                       struct manifest_step *step)
{
    char name[64] = "";
    int rc = manifest_read_text(r, item, "run", true, name, sizeof(name));
    if (rc < 0) {
        return rc;
    }
    const struct yaml_node *at = yaml_get(item, "run");
    if (strcmp(name, APPROVAL_ACTION) == 0) {
        return manifest_complain(r, at, "write this step as approve: {text: …, within: 10m}");
    }
    step->action = action_find(r->actions, name);
    if (step->action == NULL) {
        const char *near = NULL;
        int near_distance = NEAR_ENOUGH + 1;
        for (size_t i = 0; action_at(r->actions, i) != NULL; i++) {
            int distance = str_distance(str_c(name), str_c(action_at(r->actions, i)->name));
            if (distance < near_distance) {
                near = action_at(r->actions, i)->name;
                near_distance = distance;
            }
        }
        return near == NULL
                   ? manifest_complain(r, at, "no action %s", name)
                   : manifest_complain(r, at, "no action %s; did you mean %s?", name, near);
    }
    if (step->action->lowest > r->m->role) {
        return manifest_complain(r, at, "action %s needs role %s, but the command's role is %s",
                                 name, role_name(step->action->lowest), role_name(r->m->role));
    }
    if (step->action->emergency && !r->m->emergency) {
        return manifest_complain(r, at, "action %s needs emergency: true", name);
    }
    if (step->action->effect == ACTION_MOVES_MONEY && !r->m->confirm) {
        return manifest_complain(r, at, "action %s moves money: the command needs confirm: true",
                                 name);
    }
    return 0;
}

static int read_backoff(const struct manifest_reader *r, const struct yaml_node *item,
                        struct manifest_step *step)
{
    static const char *const keys[] = {"initial", "factor", "max", NULL};
    const struct yaml_node *map = yaml_get(item, "backoff");
    struct manifest_backoff *b = &step->backoff;
    *b = (struct manifest_backoff){
        .initial_us = BACKOFF_INITIAL_US, .factor = BACKOFF_FACTOR, .max_us = BACKOFF_MAX_US};
    if (map == NULL) {
        return 0;
    }
    int rc = manifest_check_keys(r, map, keys);
    if (rc < 0) {
        return rc;
    }
    const struct yaml_node *initial = yaml_get(map, "initial");
    const struct yaml_node *factor = yaml_get(map, "factor");
    const struct yaml_node *max = yaml_get(map, "max");
    if (step->retries == 0) {
        return manifest_complain(r, map, "backoff needs retries");
    }
    if (initial != NULL && !value_parse_duration(yaml_text(initial), &b->initial_us)) {
        return manifest_complain(r, initial, "initial must be a duration such as 2s");
    }
    if (max != NULL && !value_parse_duration(yaml_text(max), &b->max_us)) {
        return manifest_complain(r, max, "max must be a duration such as 30s");
    }
    if (b->max_us > TIMEOUT_MAX_US || b->initial_us > b->max_us) {
        return manifest_complain(r, map, "initial must be at most max, and max at most 1h");
    }
    if (factor != NULL && (!str_to_double(yaml_text(factor), &b->factor) || !(b->factor >= 1) ||
                           b->factor > BACKOFF_FACTOR_MAX)) {
        return manifest_complain(r, factor, "factor must be a number from 1 to %d",
                                 BACKOFF_FACTOR_MAX);
    }
    return 0;
}

struct when_user {
    const struct manifest_reader *r;
    const struct manifest_step *step;
    bool own; /* the outputs of the step itself count, too */
};

static bool is_own_output(const struct manifest_step *step, struct str name)
{
    struct str output = name, id;
    return str_split(&output, '.', &id) && str_equal_c(id, step->id) &&
           action_has_output(step->action, output);
}

static bool is_known(const void *userdata, struct str name, struct err *err)
{
    const struct when_user *user = userdata;
    int arg = -1;
    return (user->own && is_own_output(user->step, name)) ||
           manifest_steps_check_name(user->r->m, user->step, name, &arg, err) == 0;
}

/* A condition under `key`; it stays empty if there is none. */
static int read_condition(const struct manifest_reader *r, const struct yaml_node *item,
                          const char *key, const struct when_user *user, char *ret, size_t size)
{
    const struct yaml_node *node = yaml_get(item, key);
    int rc = manifest_read_text(r, item, key, false, ret, size);
    if (rc < 0 || node == NULL) {
        return rc;
    }
    struct err why = {0};
    size_t offset = 0;
    if (when_check(str_c(ret), &(struct when_names){is_known, user}, &offset, &why) < 0) {
        struct yaml_node at = *node;
        at.column += (int)offset;
        return manifest_complain(r, &at, "%s: %s", key, why.context);
    }
    return 0;
}

static int read_when(const struct manifest_reader *r, const struct yaml_node *item,
                     struct manifest_step *step)
{
    const struct when_user user = {.r = r, .step = step};
    return read_condition(r, item, "when", &user, step->when, sizeof(step->when));
}

static int read_wait_time(const struct manifest_reader *r, const struct yaml_node *item,
                          const char *key, int64_t *ret_us)
{
    const struct yaml_node *node = yaml_get(item, key);
    if (node != NULL && (!value_parse_duration(yaml_text(node), ret_us) || *ret_us < EVERY_MIN_US ||
                         *ret_us > WITHIN_MAX_US)) {
        return manifest_complain(r, node, "%s must be a duration from 500ms to 1d", key);
    }
    return 0;
}

/* `until`, `every` and `within`. */
static int read_until(const struct manifest_reader *r, const struct yaml_node *item,
                      struct manifest_step *step)
{
    struct manifest_wait *wait = &step->until;
    const struct when_user user = {.r = r, .step = step, .own = true};
    const struct yaml_node *until = yaml_get(item, "until");
    const struct yaml_node *every = yaml_get(item, "every");
    const struct yaml_node *within = yaml_get(item, "within");
    if (until == NULL) {
        const struct yaml_node *alone = every != NULL ? every : within;
        return alone == NULL ? 0 : manifest_complain(r, alone, "every and within belong to until");
    }
    if (step->action->effect != ACTION_READS) {
        return manifest_complain(r, until, "until repeats the step, and %s does not only read",
                                 step->action->name);
    }
    wait->every_us = EVERY_DEFAULT_US;
    int rc = read_condition(r, item, "until", &user, wait->condition, sizeof(wait->condition));
    if (rc < 0 || (rc = read_wait_time(r, item, "every", &wait->every_us)) < 0 ||
        (rc = read_wait_time(r, item, "within", &wait->within_us)) < 0) {
        return rc;
    }
    if (wait->condition[0] == '\0' || wait->within_us <= wait->every_us) {
        return manifest_complain(r, until,
                                 "until needs a condition, and within: a duration longer "
                                 "than every");
    }
    return 0;
}

static int read_id(const struct manifest_reader *r, const struct yaml_node *item,
                   struct manifest_step *step)
{
    char id[sizeof(step->id)] = "";
    const struct yaml_node *at = yaml_get(item, "id");
    int rc = manifest_read_text(r, item, "id", false, id, sizeof(id));
    if (rc < 0 || at == NULL) {
        return rc;
    }
    if (!manifest_name_is_valid(id, sizeof(id) - 1)) {
        return manifest_complain(r, at, "id %s does not match [a-z][a-z0-9_]*", id);
    }
    if (manifest_find_arg(r->m, str_c(id)) >= 0 || manifest_find_step(r->m, str_c(id)) >= 0) {
        return manifest_complain(r, at, "%s is already the name of an argument or step", id);
    }
    memcpy(step->id, id, sizeof(id));
    return 0;
}

static int read_step(const struct manifest_reader *r, const struct yaml_node *item, int group,
                     struct manifest_step *step)
{
    static const char *const keys[] = {"run",     "id",    "when",  "with",   "timeout", "retries",
                                       "backoff", "until", "every", "within", NULL};
    int rc = 0;
    step->group = group;
    if ((rc = manifest_check_keys(r, item, keys)) < 0 || (rc = read_action(r, item, step)) < 0 ||
        (rc = read_id(r, item, step)) < 0 ||
        (rc = manifest_args_read_with(r, item, "with", step)) < 0 ||
        (rc = read_when(r, item, step)) < 0 || (rc = read_until(r, item, step)) < 0 ||
        (rc = read_limits(r, item, step)) < 0) {
        return rc;
    }
    return read_backoff(r, item, step);
}

/* `approve: {text: …, within: 10m, role: admin}`: the run waits for another person. */
static int read_approval(const struct manifest_reader *r, const struct yaml_node *item,
                         struct manifest_step *step)
{
    static const char *const keys[] = {"approve", "id", "when", NULL};
    int rc = manifest_check_keys(r, item, keys);
    step->action = action_find(r->actions, APPROVAL_ACTION);
    step->timeout_us = TIMEOUT_DEFAULT_US; /* prolonged by what it waits */
    if (rc == 0 && step->action->lowest > r->m->role) {
        rc = manifest_complain(r, item, "approve needs a command with role %s",
                               role_name(step->action->lowest));
    }
    if (rc < 0 || (rc = read_id(r, item, step)) < 0 ||
        (rc = manifest_args_read_with(r, item, "approve", step)) < 0) {
        return rc;
    }
    return read_when(r, item, step);
}

/* One list of steps while it is read. */
struct step_list {
    const char *key;
    struct manifest_step *steps;
    int *count;
};

static int add_step(const struct manifest_reader *r, const struct yaml_node *item, int group,
                    const struct step_list *list)
{
    if (*list->count == MANIFEST_STEPS_MAX) {
        return manifest_complain(r, item, "%s must be a list of at most %d steps", list->key,
                                 MANIFEST_STEPS_MAX);
    }
    (*list->count)++; /* before, so that the step is in the list while it is checked */
    struct manifest_step *step = &list->steps[*list->count - 1];
    const struct yaml_node *approve = item->kind == YAML_MAPPING ? yaml_get(item, "approve") : NULL;
    if (approve == NULL) {
        return read_step(r, item, group, step);
    }
    if (group != 0 || list->steps != r->m->steps) {
        return manifest_complain(r, approve, "approve is a step of its own under steps");
    }
    return read_approval(r, item, step);
}

static int add_group(const struct manifest_reader *r, const struct yaml_node *item,
                     const struct step_list *list)
{
    static const char *const keys[] = {"parallel", NULL};
    const struct yaml_node *steps = yaml_get(item, "parallel");
    int rc = manifest_check_keys(r, item, keys);
    if (rc < 0) {
        return rc;
    }
    if (steps->kind != YAML_SEQUENCE || yaml_len(steps) < 2) {
        return manifest_complain(r, steps, "parallel must be a list of at least 2 steps");
    }
    int group = ++r->m->group_count;
    for (size_t i = 0; rc == 0 && i < yaml_len(steps); i++) {
        rc = add_step(r, yaml_at(steps, i), group, list);
    }
    return rc;
}

/* Those of groups too; at most what fits. */
static size_t count_steps(const struct yaml_node *list)
{
    size_t count = 0;
    for (size_t i = 0; i < yaml_len(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        const struct yaml_node *group =
            item->kind == YAML_MAPPING ? yaml_get(item, "parallel") : NULL;
        count += group != NULL && group->kind == YAML_SEQUENCE ? yaml_len(group) : 1;
    }
    return count < MANIFEST_STEPS_MAX ? count : MANIFEST_STEPS_MAX;
}

int manifest_steps_read(const struct manifest_reader *r, const struct yaml_node *root,
                        const char *key, struct manifest_step **ret_steps, int *ret_count)
{
    const struct yaml_node *list = yaml_get(root, key);
    if (list != NULL && list->kind != YAML_SEQUENCE) {
        return manifest_complain(r, list, "%s must be a list of at most %d steps", key,
                                 MANIFEST_STEPS_MAX);
    }
    if (yaml_len(list) == 0) {
        return 0;
    }
    *ret_steps = calloc(count_steps(list), sizeof(**ret_steps));
    NEED_MEMORY(*ret_steps);
    const struct step_list to = {.key = key, .steps = *ret_steps, .count = ret_count};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < yaml_len(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        bool is_group = item->kind == YAML_MAPPING && yaml_get(item, "parallel") != NULL;
        rc = is_group ? add_group(r, item, &to) : add_step(r, item, 0, &to);
    }
    if (rc == 0) { /* most have one or two */
        *ret_steps = reallocarray(*ret_steps, (size_t)*ret_count, sizeof(**ret_steps));
        NEED_MEMORY(*ret_steps);
    }
    return rc;
}

/* Sets `changes` and `safe_side` from the actions of all steps. A step under on_failure or always
 * takes the command from the safe side only if it steers something itself: not if it raises an
 * alert. */
void manifest_steps_summarise(struct manifest *m)
{
    m->safe_side = true;
    for (int i = 0; i < manifest_step_total(m); i++) {
        const struct action *a = manifest_step_at(m, i)->action;
        bool steers = i < m->step_count ? a->effect != ACTION_READS
                                        : a->locks != NULL || a->effect == ACTION_MOVES_MONEY;
        m->changes = m->changes || a->effect != ACTION_READS;
        m->safe_side = m->safe_side && (a->safe_side || !steers);
    }
    bool acts = false;
    for (int i = 0; i < m->step_count; i++) {
        acts = acts || m->steps[i].action->effect != ACTION_READS;
    }
    m->safe_side = m->safe_side && acts;
}

int manifest_step_total(const struct manifest *m)
{
    return m->step_count + m->on_failure_count + m->always_count;
}

bool manifest_is_workflow(const struct manifest *m)
{
    return manifest_step_total(m) > 1;
}

const struct manifest_step *manifest_step_at(const struct manifest *m, int index)
{
    if (index < m->step_count) {
        return &m->steps[index];
    }
    index -= m->step_count;
    return index < m->on_failure_count ? &m->on_failure[index]
                                       : &m->always[index - m->on_failure_count];
}

int manifest_find_arg(const struct manifest *m, struct str name)
{
    for (int i = 0; i < m->arg_count; i++) {
        if (str_equal_c(name, m->args[i].rule.name)) {
            return i;
        }
    }
    return -1;
}

int manifest_find_step(const struct manifest *m, struct str id)
{
    for (int i = 0; id.len > 0 && i < manifest_step_total(m); i++) {
        if (str_equal_c(id, manifest_step_at(m, i)->id)) {
            return i;
        }
    }
    return -1;
}

bool manifest_has_action(const struct manifest *m, const char *action)
{
    for (int i = 0; i < manifest_step_total(m); i++) {
        if (strcmp(manifest_step_at(m, i)->action->name, action) == 0) {
            return true;
        }
    }
    return false;
}

static size_t word_size(struct str text, size_t from)
{
    size_t size = 0;
    while (from + size < text.len) {
        char c = text.ptr[from + size];
        if (c != '_' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
            break;
        }
        size++;
    }
    return size;
}

size_t manifest_name_size(const struct manifest *m, struct str text)
{
    size_t size = 1 + word_size(text, 1);
    struct str first = str_n(text.ptr + 1, size - 1);
    bool dot = size < text.len && text.ptr[size] == '.' && word_size(text, size + 1) > 0;
    return dot && manifest_find_arg(m, first) < 0 ? size + 1 + word_size(text, size + 1) : size;
}
