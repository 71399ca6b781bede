/* The commands that show, change, compare and restore the configuration. */
#include "command/runner.h"
#include "io/file.h"
#include "ops/reload.h"
#include "rigs/reload_rig.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define USERS                                              \
    "api: {local_users: [{uid: 5, name: lo, role: admin}," \
    " {uid: 6, name: fay, role: admin, totp: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}]}\n"

static const char file_text[] = "# ours\nclaude: {api_key: k3y-0}   # of March\n"
                                "alerts:\n  storm: 10   # enough\n" USERS;

static int setup(void **state)
{
    return reload_rig_setup(state, file_text);
}

/* ------------------------------------------------------------------ showing */

static void an_option_is_shown_with_its_range(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_run(rig, "/config alerts.storm");
    assert_has(rig->reply, "10");
    assert_has(rig->reply, "1 to 1000");
    assert_has(rig->reply, "takes effect at once");
    reload_rig_run(rig, "/config get claude.api_key");
    assert_has(rig->reply, "***");
    assert_lacks(rig->reply, "k3y-0");
    reload_rig_run(rig, "/config alerts");
    assert_has(rig->reply, "alerts.quiet_hours");
    reload_rig_run(rig, "/config");
    assert_has(rig->reply, "alerts.storm");
    assert_lacks(rig->reply, "k3y-0");
    assert_lacks(rig->reply, "alerts.quiet_hours");
    reload_rig_refused(rig, "/config alerts.strom", ERR_CONFIG_UNKNOWN_KEY, "alerts.storm");
}

/* ------------------------------------------------------------------ one option */

static void an_option_changes_in_the_file_the_process_and_the_history(void **state)
{
    struct reload_rig *rig = *state;
    struct stat st;
    reload_rig_submit(rig, "/config set alerts.storm 20 because of CPI", false, NULL);
    reload_rig_wait(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply, "alerts.storm");
    assert_has(rig->reply, "20");
    reload_rig_file_is(rig, file_text); /* not yet */
    reload_rig_confirm(rig);
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_has(rig->reply, "Configuration 2 applied");
    assert_has(rig->reply, "/config_rollback 1");
    assert_int_equal(rig->applied, 1);
    assert_int_equal(reload_config(rig->reload)->alerts_storm, 20);
    reload_rig_file_is(rig, "# ours\nclaude: {api_key: k3y-0}   # of March\n"
                            "alerts:\n  storm: 20   # enough\n" USERS);
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_string_equal(v.user, "lo");
    assert_string_equal(v.why, "of CPI");
    assert_string_equal(v.changes, "alerts.storm: 10 → 20\n");
    assert_has(v.file, "# enough");
    assert_has(v.file, "api_key: \"***\"");
    assert_lacks(v.file, "k3y-0");
    assert_lacks(v.file, "JBSWY3");
    reload_rig_run(rig, "/config set alerts.storm 20");
    assert_has(rig->reply, "unchanged");
    assert_int_equal(rig->applied, 1);
}

static void what_waits_for_a_restart_is_said_and_kept(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_run(rig, "/config set log.level debug");
    assert_has(rig->reply, "Configuration 2 applied");
    reload_rig_run(rig, "/config set state.dir x");
    assert_int_equal(rig->err.id, ERR_CONFIG_GUARDED);
    reload_rig_run(rig, "/config set paper.fee 7");
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_has(rig->reply, "Configuration 3 written");
    assert_has(rig->reply, "at the next start");
    assert_float_equal(reload_config(rig->reload)->paper_fee, 5, 0);
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_string_equal(v.changes, "paper.fee: 5 → 7 (at the next start)\n");
    reload_rig_stop(rig);
    reload_rig_start(rig);
    assert_float_equal(rig->config->paper_fee, 7, 0);
}

static void a_wrong_value_is_refused_with_its_place(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_refused(rig, "/config set alerts.storm many", ERR_CONFIG_TYPE, "alerts.storm");
    reload_rig_refused(rig, "/config set alerts.storm 0", ERR_CONFIG_RANGE, "1 to 1000");
    reload_rig_refused(rig, "/config set alerts.strom 5", ERR_CONFIG_UNKNOWN_KEY, "alerts.storm");
    reload_rig_refused(rig, "/config set claude.api_key abc", ERR_CONFIG_GUARDED, "secret");
    reload_rig_refused(rig, "/config set telegram.admin_users 7", ERR_CONFIG_GUARDED,
                       "telegram.admin_users");
    reload_rig_refused(rig, "/config set risk.hard_limits \"risk.stop <= 9%\"", ERR_CONFIG_GUARDED,
                       "risk.hard_limits");
    reload_rig_refused(rig, "/config set commands.folder /tmp", ERR_CONFIG_GUARDED,
                       "commands.folder");
    reload_rig_file_is(rig, file_text);
}

static void a_limit_of_risk_is_changed_as_a_limit(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_run(rig, "/config set risk.max_drawdown 12 % because of CPI");
    assert_has(rig->reply, "tighter");
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_string_equal(v.why, "of CPI");
    assert_int_equal(access_identify(rig->access, CHANNEL_SOCKET, 6, &rig->who), 0);
    reload_rig_run(rig, "/config set risk.max_drawdown 14%");
    assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED); /* her code */
    assert_float_equal(rig->drawdown_pct, 12, 0);
}

/* ------------------------------------------------------------------ whole texts */

static void offer(struct reload_rig *rig, const char *text, const char *command, char *ret_line,
                  size_t size)
{
    char hash[65];
    struct err err = {0};
    if (reload_offer(rig->reload, str_c(text), hash, &err) < 0) {
        fail_msg("%s", err.context);
    }
    (void)snprintf(ret_line, size, "%s candidate=%s", command, hash);
}

static void a_text_is_checked_compared_and_applied_with_the_secrets_of_the_file(void **state)
{
    struct reload_rig *rig = *state;
    char line[200];
    static const char text[] = "# new\nclaude: {api_key: '***'}\nalerts: {storm: 30}\n" USERS;
    offer(rig, text, "/config_validate", line, sizeof(line));
    reload_rig_run(rig, line);
    assert_has(rig->reply, "It can be used");
    offer(rig, text, "/config_diff", line, sizeof(line));
    reload_rig_run(rig, line);
    assert_has(rig->reply, "alerts.storm");
    assert_lacks(rig->reply, "claude.api_key");
    assert_int_equal(rig->applied, 0);
    offer(rig, text, "/config_apply why=simpler", line, sizeof(line));
    reload_rig_run(rig, line);
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_int_equal(reload_config(rig->reload)->alerts_storm, 30);
    assert_string_equal(reload_config(rig->reload)->claude_api_key, "k3y-0");
    reload_rig_file_is(rig, "# new\nclaude: {api_key: \"k3y-0\"}\nalerts: {storm: 30}\n" USERS);
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_string_equal(v.why, "simpler");
    assert_lacks(v.file, "k3y-0");
}

static void every_mistake_of_a_text_is_listed(void **state)
{
    struct reload_rig *rig = *state;
    char line[200];
    static const char text[] = "alerts: {storm: 0, storrm: 1}\nrisk: {stop: x}\n" USERS;
    offer(rig, text, "/config_validate", line, sizeof(line));
    reload_rig_run(rig, line);
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_has(rig->reply, "It cannot be used: 3 mistakes");
    assert_has(rig->reply, "storrm");
    offer(rig, text, "/config_apply", line, sizeof(line));
    reload_rig_refused(rig, line, ERR_CONFIG_RANGE, "alerts.storm");
    offer(rig, "a: [", "/config_apply", line, sizeof(line));
    reload_rig_refused(rig, line, ERR_YAML_SYNTAX, "n");
    reload_rig_file_is(rig, file_text);
}

static void a_text_cannot_give_rights_nor_run_programs(void **state)
{
    struct reload_rig *rig = *state;
    char line[200];
    static const char *const texts[] = {
        "claude: {api_key: '***'}\nalerts: {storm: 10}\napi: {local_users: ["
        "{uid: 5, name: lo, role: admin}, {uid: 7, name: eve, role: admin}]}\n",
        "claude: {api_key: other}\nalerts: {storm: 10}\n" USERS,
        "claude: {api_key: '***'}\nalerts: {storm: 10}\nservices: {x: {command: [rm]}}\n" USERS,
        "claude: {api_key: '***', api_url: 'http://evil'}\nalerts: {storm: 10}\n" USERS};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        offer(rig, texts[i], "/config_apply", line, sizeof(line));
        reload_rig_refused(rig, line, ERR_CONFIG_GUARDED, "");
    }
    reload_rig_file_is(rig, file_text);
}

static void a_text_that_is_no_longer_kept_is_refused(void **state)
{
    struct reload_rig *rig = *state;
    char first[200], other[200], text[64];
    offer(rig, "alerts: {storm: 11}\n" USERS, "/config_apply", first, sizeof(first));
    for (int i = 0; i < 4; i++) {
        (void)snprintf(text, sizeof(text), "alerts: {storm: %d}\n", 20 + i);
        offer(rig, text, "/config_diff", other, sizeof(other));
    }
    reload_rig_refused(rig, first, ERR_CONFIG_CANDIDATE, "");
    char hash[65];
    struct err err = {0};
    char *large = malloc(RELOAD_TEXT_MAX + 1);
    memset(large, '#', RELOAD_TEXT_MAX + 1);
    assert_int_equal(reload_offer(rig->reload, str_n(large, RELOAD_TEXT_MAX + 1), hash, &err),
                     -ERR_CONFIG_LIMIT);
    free(large);
    assert_int_equal(reload_offer(rig->reload, STR_LIT("a\xff"), hash, &err), -ERR_BAD_UTF8);
}

/* ------------------------------------------------------------------ versions */

static void an_older_version_returns_comments_and_all(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_run(rig, "/config set alerts.storm 20");
    reload_rig_run(rig, "/config set notify.daily_at 07:30");
    reload_rig_run(rig, "/config diff 1");
    assert_has(rig->reply, "From configuration 1 to what runs");
    assert_has(rig->reply, "alerts.storm");
    assert_has(rig->reply, "notify.daily_at");
    reload_rig_run(rig, "/config diff 2 3");
    assert_lacks(rig->reply, "alerts.storm");
    assert_has(rig->reply, "notify.daily_at");
    reload_rig_run(rig, "/config rollback 1 why=\"too loud\"");
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_int_equal(reload_config(rig->reload)->alerts_storm, 10);
    reload_rig_file_is(rig, "# ours\nclaude: {api_key: \"k3y-0\"}   # of March\n"
                            "alerts:\n  storm: 10   # enough\n"
                            "api: {local_users: [{uid: 5, name: lo, role: admin},"
                            " {uid: 6, name: fay, role: admin, totp: "
                            "\"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\"}]}\n");
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_int_equal(v.id, 4);
    assert_string_equal(v.why, "too loud");
    reload_rig_run(rig, "/config rollback 99");
    assert_int_equal(rig->err.id, ERR_STORE_NOT_FOUND);
}

static void an_edit_that_nobody_applied_is_not_lost(void **state)
{
    struct reload_rig *rig = *state;
    char line[200];
    static const char edited[] = "alerts: {storm: 55}\nclaude: {api_key: k3y-0}\n" USERS;
    reload_rig_write(rig, edited);
    reload_rig_refused(rig, "/config set notify.daily_at 07:30", ERR_CONFIG_UNAPPLIED, "storm");
    reload_rig_refused(rig, "/config rollback 1", ERR_CONFIG_UNAPPLIED, "storm");
    offer(rig, file_text, "/config_apply", line, sizeof(line));
    reload_rig_refused(rig, line, ERR_CONFIG_UNAPPLIED, "storm");
    reload_rig_file_is(rig, edited);
    reload_rig_run(rig, "/config diff");
    assert_has(rig->reply, "alerts.storm");
    /* but a file that cannot be used does not stand in the way */
    reload_rig_write(rig, "alerts: {storm: x}\nclaude: {api_key: k3y-0}\napi: {local_users: [{uid: "
                          "6, totp: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}]}\n");
    reload_rig_run(rig, "/config validate");
    assert_has(rig->reply, "It cannot be used");
    reload_rig_run(rig, "/config rollback 1");
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_has(rig->reply, "no value changes");
}

static void what_the_prompt_showed_is_what_is_applied(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_submit(rig, "/config set alerts.storm 20", false, NULL);
    reload_rig_wait(rig);
    reload_rig_write(rig, "# edited\nclaude: {api_key: k3y-0}\nalerts:\n  storm: 10\n" USERS);
    reload_rig_confirm(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_CHANGED); /* and asks again */
    assert_int_equal(rig->applied, 0);
}

/* ------------------------------------------------------------------ dying */

static void die(struct reload_rig *rig, enum death death)
{
    pid_t pid = fork();
    if (pid == 0) {
        reload_rig_start(rig);
        rig->death = death;
        reload_rig_submit(rig, "/config set alerts.storm 20 because of CPI", true, NULL);
        if (death != DEATH_SUBMITTED) {
            reload_rig_wait(rig);
        }
        (void)raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Killed with -9 at each moment: the file, the process and the history agree after the start. */
static void after_a_kill_the_file_and_the_history_agree(void **state)
{
    struct reload_rig *rig = *state;
    static const enum death deaths[] = {DEATH_SUBMITTED, DEATH_WRITTEN, DEATH_STORED};
    reload_rig_stop(rig);
    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
        reload_rig_write(rig, file_text);
        die(rig, deaths[i]);
        reload_rig_start(rig);
        assert_int_equal(runner_recover(rig->runner, NULL), 0);
        bool changed = rig->config->alerts_storm == 20;
        assert_true(changed || deaths[i] == DEATH_SUBMITTED);
        AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
        assert_has(v.text, changed ? "storm: 20" : "storm: 10");
        if (changed) {
            assert_string_equal(v.user, "lo");
            assert_string_equal(v.why, "of CPI");
        }
        reload_rig_stop(rig);
    }
    reload_rig_start(rig);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, reload_rig_teardown)
UNIT_GROUP(
    config_actions, TEST(an_option_is_shown_with_its_range),
    TEST(an_option_changes_in_the_file_the_process_and_the_history),
    TEST(what_waits_for_a_restart_is_said_and_kept), TEST(a_wrong_value_is_refused_with_its_place),
    TEST(a_limit_of_risk_is_changed_as_a_limit),
    TEST(a_text_is_checked_compared_and_applied_with_the_secrets_of_the_file),
    TEST(every_mistake_of_a_text_is_listed), TEST(a_text_cannot_give_rights_nor_run_programs),
    TEST(a_text_that_is_no_longer_kept_is_refused), TEST(an_older_version_returns_comments_and_all),
    TEST(an_edit_that_nobody_applied_is_not_lost), TEST(what_the_prompt_showed_is_what_is_applied),
    TEST(after_a_kill_the_file_and_the_history_agree))
