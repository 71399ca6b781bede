#include "base/clock.h"
#include "command/manifest.h"

#include <string.h>

void manifest_usage(const struct manifest *m, struct buf *out)
{
    buf_addf(out, "/%s", m->name);
    for (int i = 0; i < m->arg_count; i++) {
        buf_addf(out, m->args[i].rule.required ? " <%s%s>" : " [%s%s]", m->args[i].rule.name,
                 m->args[i].rest ? " …" : "");
    }
}

void manifest_add_schedule(const struct manifest *m, struct buf *out)
{
    if (m->schedule.every_us > 0) {
        buf_add_c(out, "every ");
        clock_add_duration(out, m->schedule.every_us);
    }
    for (int i = 0; i < m->schedule.at_count; i++) {
        int minutes = m->schedule.at_minutes[i];
        buf_addf(out, "%s%02d:%02d", i == 0 ? "at " : ", ", minutes / 60, minutes % 60);
    }
}

static void add_names(const struct manifest *m, struct buf *out)
{
    for (int i = 0; i < m->alias_count; i++) {
        buf_addf(out, "%s`/%s`%s", i == 0 ? "\nAlso " : ", ", m->aliases[i],
                 i + 1 == m->alias_count ? ".\n" : "");
    }
    AUTO_BUF struct buf schedule = BUF_INIT(256);
    manifest_add_schedule(m, &schedule);
    if (schedule.len > 0) {
        buf_addf(out, "\nRuns by itself %s.\n", schedule.data);
    }
}

void manifest_arg_describe(const struct manifest_arg *arg, struct buf *out)
{
    value_describe(&arg->rule, out);
    if (arg->rule.default_text != NULL) {
        buf_addf(out, ", default %s", arg->rule.default_text);
    } else {
        buf_add_c(out, arg->rule.required ? "" : ", optional");
    }
}

static void step_markdown(const struct manifest_step *step, int number, struct buf *out)
{
    buf_addf(out, "%d. ", number);
    if (step->id[0] != '\0') {
        buf_addf(out, "%s: ", step->id);
    }
    buf_addf(out, "`%s", step->action->name);
    for (int i = 0; i < step->with_count; i++) {
        buf_addf(out, " %s=%s", step->with[i].param->name, step->with[i].text);
    }
    buf_add_c(out, "`, at most ");
    clock_add_duration(out, step->timeout_us);
    if (step->retries > 0) {
        buf_addf(out, ", up to %d retr%s", step->retries, step->retries == 1 ? "y" : "ies");
    }
    if (step->when[0] != '\0') {
        buf_addf(out, ", when `%s`", step->when);
    }
    if (step->until.condition[0] != '\0') {
        buf_addf(out, ", until `%s` within ", step->until.condition);
        clock_add_duration(out, step->until.within_us);
    }
    if (step->group != 0) {
        buf_addf(out, ", in parallel group %d", step->group);
    }
    buf_add_c(out, "\n");
}

void manifest_markdown(const struct manifest_list *list, struct buf *out)
{
    buf_add_c(out, "# Commands\n\nGenerated from `commands/*.yaml`; do not edit. All channels "
                   "accept them: Telegram, the console, the API and `nightdesk do`.\n");
    const char *group = "";
    for (size_t i = 0; manifest_at(list, i) != NULL; i++) {
        const struct manifest *m = manifest_at(list, i);
        if (strcmp(group, m->group) != 0) {
            group = m->group;
            buf_addf(out, "\n## %s\n", group);
        }
        buf_add_c(out, "\n### ");
        manifest_usage(m, out);
        char asks[64] = "";
        (void)snprintf(asks, sizeof(asks),
                       m->confirm_after > 0 ? " Asks for a confirmation after step %d."
                       : m->confirm         ? " Asks for a confirmation."
                                            : "",
                       m->confirm_after);
        buf_addf(out, "\n\n%s. Role: %s%s.%s%s%s%s%s\n", m->summary, role_name(m->role),
                 m->emergency ? " with the emergency grant" : "", asks,
                 m->second_factor == MANIFEST_FACTOR_ALWAYS ? " Asks for a second factor."
                 : m->second_factor == MANIFEST_FACTOR_IF_SET
                     ? " Asks for a second factor, if you have one."
                     : "",
                 m->four_eyes ? " Asks a second person for approval." : "",
                 m->changes ? " Changes something: asks first when stale." : "",
                 m->protect ? " Its messages cannot be forwarded." : "");
        if (m->trigger.alert[0] != '\0') {
            buf_add_c(out, "\nRuns by itself ");
            trigger_describe(&m->trigger, out);
            buf_add_c(out, ".\n");
        }
        for (int k = 0; k < m->rule_count; k++) {
            buf_add_c(out, "\nRule: ");
            manifest_rule_describe(m, &m->rules[k], out);
            buf_add_c(out, ".\n");
        }
        add_names(m, out);
        for (int a = 0; a < m->arg_count; a++) {
            buf_addf(out, "%s- `%s` (", a == 0 ? "\n" : "", m->args[a].rule.name);
            manifest_arg_describe(&m->args[a], out);
            buf_addf(out, "): %s\n", m->args[a].rule.help);
        }
        AUTO_BUF struct buf data = BUF_INIT(MANIFEST_DATA_MAX);
        manifest_data(m, &data);
        if (data.len > 0) {
            buf_addf(out, "\nData: `%s`\n", data.data);
        }
        buf_add_c(out, "\nSteps:\n\n");
        for (int s = 0; s < m->step_count; s++) {
            step_markdown(&m->steps[s], s + 1, out);
        }
        for (int s = 0; s < m->on_failure_count; s++) {
            buf_add_c(out, s > 0     ? ""
                           : m->undo ? "\nOn failure, cancel or a crash:\n\n"
                                     : "\nOn failure:\n\n");
            step_markdown(&m->on_failure[s], s + 1, out);
        }
        for (int s = 0; s < m->always_count; s++) {
            buf_add_c(out, s == 0 ? "\nAlways:\n\n" : "");
            step_markdown(&m->always[s], s + 1, out);
        }
        buf_add_c(out, "\nExamples:");
        for (int e = 0; e < m->example_count; e++) {
            buf_addf(out, "%s `/%s`", e == 0 ? "" : ",", m->examples[e]);
        }
        buf_add_c(out, "\n");
    }
}
