#include "command/trigger.h"

#include "manifest_internal.h"
#include "when.h"

#include <string.h>

#define TIMES_MAX 20

void trigger_describe(const struct manifest_trigger *trigger, struct buf *out)
{
    buf_addf(out, "on the alert %s", trigger->alert);
    if (trigger->when[0] != '\0') {
        buf_addf(out, ", when %s", trigger->when);
    }
    if (trigger->after_us > 0) {
        buf_add_c(out, ", after ");
        clock_add_duration(out, trigger->after_us);
    }
    buf_addf(out, "; at most %d time%s in ", trigger->times, trigger->times == 1 ? "" : "s");
    clock_add_duration(out, trigger->within_us);
}

/* ------------------------------------------------------------------ an alert */

bool trigger_matches(const struct manifest_trigger *trigger, const char *fingerprint,
                     char ret_item[TRIGGER_ITEM_SIZE])
{
    const char *star = strchr(trigger->alert, '*');
    size_t len = strlen(fingerprint);
    ret_item[0] = '\0';
    if (star == NULL) {
        return trigger->alert[0] != '\0' && strcmp(trigger->alert, fingerprint) == 0;
    }
    size_t before = (size_t)(star - trigger->alert);
    size_t after = strlen(star + 1);
    return len > before + after && strncmp(fingerprint, trigger->alert, before) == 0 &&
           strcmp(fingerprint + len - after, star + 1) == 0 &&
           str_copy(str_n(fingerprint + before, len - before - after), ret_item, TRIGGER_ITEM_SIZE);
}

struct facts {
    struct json_object *evidence;
    bool quiet;
};

static bool add_fact(const void *userdata, struct str name, struct buf *out)
{
    const struct facts *facts = userdata;
    if (str_equal_c(name, "quiet")) {
        buf_add_c(out, facts->quiet ? "true" : "false");
        return true;
    }
    for (size_t i = 0; i < json_len(facts->evidence); i++) {
        struct json_object *item = json_item(facts->evidence, i);
        const char *last = strrchr(json_text(item, "pointer"), '/');
        struct json_object *value = json_get(item, "value");
        if (last != NULL && str_equal_c(name, last + 1) && value != NULL) {
            buf_add_c(out, json_object_get_string(value));
            return true;
        }
    }
    return false;
}

int trigger_holds(const struct manifest_trigger *trigger, struct json_object *evidence, bool quiet,
                  bool *ret_holds, struct err *err)
{
    const struct facts facts = {.evidence = evidence, .quiet = quiet};
    *ret_holds = true;
    return trigger->when[0] == '\0'
               ? 0
               : when_eval(str_c(trigger->when), &(struct when_values){add_fact, &facts}, ret_holds,
                           err);
}

/* ------------------------------------------------------------------ reading it */

/* The evidence of an alert may have any names. */
static bool is_known(const void *userdata, struct str name, struct err *err)
{
    (void)userdata;
    (void)name;
    (void)err;
    return true;
}

static int read_when(const struct manifest_reader *r, const struct yaml_node *map)
{
    struct manifest_trigger *trigger = &r->m->trigger;
    struct err why = {0};
    size_t offset = 0;
    int rc = manifest_read_text(r, map, "when", false, trigger->when, sizeof(trigger->when));
    if (rc < 0 || trigger->when[0] == '\0') {
        return rc;
    }
    if (when_check(str_c(trigger->when), &(struct when_names){is_known, NULL}, &offset, &why) < 0) {
        return manifest_complain(r, yaml_get(map, "when"), "when, at byte %zu: %s", offset,
                                 why.context);
    }
    return 0;
}

static int read_duration(const struct manifest_reader *r, const struct yaml_node *map,
                         const char *key, int64_t least_us, int64_t most_us, int64_t *ret_us)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (node != NULL && (!value_parse_duration(yaml_text(node), ret_us) || *ret_us < least_us ||
                         *ret_us > most_us)) {
        return manifest_complain(r, node, "%s must be a duration from %llds to %llds", key,
                                 (long long)(least_us / USEC_PER_SEC),
                                 (long long)(most_us / USEC_PER_SEC));
    }
    return 0;
}

/* Nobody answers a prompt, and there is one value to give. */
static int check_command(const struct manifest_reader *r, const struct yaml_node *map)
{
    const struct manifest *m = r->m;
    bool named = strchr(m->trigger.alert, '*') != NULL;
    if (m->confirm || m->second_factor || m->four_eyes || m->emergency) {
        return manifest_complain(r, map,
                                 "a command that asks for a confirmation or needs the emergency "
                                 "grant cannot run by itself");
    }
    if (m->schedule.every_us > 0 || m->schedule.at_count > 0) {
        return manifest_complain(r, map, "a command has either trigger or every and at");
    }
    if (named && m->arg_count == 0) {
        return manifest_complain(r, map, "* needs an argument that gets its text");
    }
    for (int i = named ? 1 : 0; i < m->arg_count; i++) {
        if (m->args[i].rule.required) {
            return manifest_complain(r, map,
                                     "argument %s is required, so the command cannot run by itself",
                                     m->args[i].rule.name);
        }
    }
    return 0;
}

int manifest_trigger_read(const struct manifest_reader *r, const struct yaml_node *root)
{
    static const char *const keys[] = {"alert", "when", "after", "times", "within", "verify", NULL};
    const struct yaml_node *map = yaml_get(root, "trigger");
    struct manifest_trigger *trigger = &r->m->trigger;
    int rc = 0;
    if (map == NULL) {
        return 0;
    }
    *trigger = (struct manifest_trigger){
        .times = 2, .within_us = USEC_PER_HOUR, .verify_us = 2 * USEC_PER_MIN};
    if ((rc = manifest_check_keys(r, map, keys)) < 0 ||
        (rc = manifest_read_text(r, map, "alert", true, trigger->alert, sizeof(trigger->alert))) <
            0 ||
        (rc = read_when(r, map)) < 0 ||
        (rc = read_duration(r, map, "after", 0, USEC_PER_DAY, &trigger->after_us)) < 0 ||
        (rc = read_duration(r, map, "within", USEC_PER_MIN, USEC_PER_DAY, &trigger->within_us)) <
            0 ||
        (rc = read_duration(r, map, "verify", USEC_PER_SEC, USEC_PER_HOUR, &trigger->verify_us)) <
            0) {
        return rc;
    }
    const char *star = strchr(trigger->alert, '*');
    if (star != NULL && strchr(star + 1, '*') != NULL) {
        return manifest_complain(r, yaml_get(map, "alert"), "alert may have one *");
    }
    const struct yaml_node *times = yaml_get(map, "times");
    int64_t count = 0;
    if (times != NULL &&
        (!str_to_i64(yaml_text(times), &count) || count < 1 || count > TIMES_MAX)) {
        return manifest_complain(r, times, "times must be a number from 1 to %d", TIMES_MAX);
    }
    trigger->times = times != NULL ? (int)count : trigger->times;
    return check_command(r, map);
}
