/* risk.set and /update_targets: the file, the engine's settings and the history change together, or
 * none of them does. */
#include "access/access.h"
#include "alerts/alerts.h"
#include "base/log.h"
#include "command/manifest.h"
#include "command/reply.h"
#include "command/runner.h"
#include "io/db.h"
#include "io/embed.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/secret.h"
#include "ops/reload.h"
#include "rigs/reload_rig.h"
#include "rigs/reply_text.h"
#include "store/audit_chain.h"
#include "store/config_table.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOTP "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
static const char file_text[] = "# ours\nrisk:\n  max_drawdown: 15%   # since March\n"
                                "  hard_limits: [\"risk.max_drawdown <= 20%\"]\n"
                                "api: {local_users: [{uid: 5, name: lo, role: admin},"
                                " {uid: 6, name: fay, role: admin, totp: " TOTP "}]}\n";

static int setup(void **state)
{
    return reload_rig_setup(state, file_text);
}

/* ------------------------------------------------------------------ the way it should go */

static void a_limit_changes_in_the_file_the_process_and_the_history(void **state)
{
    struct reload_rig *rig = *state;
    struct stat st;
    reload_rig_submit(rig, "/update_targets risk.max_drawdown 12 % because CPI is due", false,
                      NULL);
    reload_rig_wait(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply, "risk.max_drawdown");
    assert_has(rig->reply, "15%");
    assert_has(rig->reply, "12%");
    assert_has(rig->reply, "tighter");
    assert_has(rig->reply, "Drawdown that trips the circuit breaker.");
    reload_rig_file_is(rig, file_text); /* not yet */
    reload_rig_confirm(rig);
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_has(rig->reply, "Limits changed (configuration 2)");
    assert_has(rig->reply, "/update_targets risk.max_drawdown 15%");
    assert_int_equal(rig->applied, 1);
    assert_float_equal(rig->drawdown_pct, 12, 0);
    assert_float_equal(reload_config(rig->reload)->risk_max_drawdown_pct, 12, 0);
    reload_rig_file_is(rig, "# ours\nrisk:\n  max_drawdown: 12%   # since March\n"
                            "  hard_limits: [\"risk.max_drawdown <= 20%\"]\n"
                            "api: {local_users: [{uid: 5, name: lo, role: admin},"
                            " {uid: 6, name: fay, role: admin, totp: " TOTP "}]}\n");
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_string_equal(v.user, "lo");
    assert_string_equal(v.why, "CPI is due");
    assert_string_equal(v.changes, "risk.max_drawdown: 15% → 12%\n");
    reload_rig_run(rig, "/update_targets risk.max_drawdown 15%"); /* the undo of the reply */
    assert_int_equal(rig->err.id, ERR_NONE);
    reload_rig_file_is(rig, file_text);
    assert_float_equal(rig->drawdown_pct, 15, 0);
    reload_rig_stop(rig);
    reload_rig_start(rig); /* the next start */
    assert_float_equal(rig->config->risk_max_drawdown_pct, 15, 0);
}

static void several_limits_change_at_once_in_any_spelling(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_run(
        rig,
        "/update_targets max_positions 2, stop=1.5%; risk.cooldown: 2 h tier1_max_exposure to 5 "
        "% max_correlation → 0.5 because of this, and that");
    assert_int_equal(rig->err.id, ERR_NONE);
    const struct config *config = reload_config(rig->reload);
    assert_int_equal(config->risk_max_positions, 2);
    assert_float_equal(config->risk_stop_pct, 1.5, 0);
    assert_int_equal(config->risk_cooldown_us, 2 * USEC_PER_HOUR);
    assert_float_equal(config->tiers_tier1_max_exposure_pct, 5, 0);
    assert_float_equal(config->risk_max_correlation, 0.5, 0);
    assert_int_equal(rig->applied, 1);
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_string_equal(v.why, "of this, and that");
    reload_rig_run(rig, "/update_targets max_positions 2");
    assert_has(rig->reply, "unchanged");
    assert_int_equal(rig->applied, 1);
}

static void a_looser_limit_asks_for_the_second_factor(void **state)
{
    struct reload_rig *rig = *state;
    assert_int_equal(access_identify(rig->access, CHANNEL_SOCKET, 6, &rig->who), 0);
    reload_rig_run(rig, "/update_targets risk.max_drawdown 12%"); /* tighter */
    assert_int_equal(rig->err.id, ERR_NONE);
    static const char *const looser[] = {"risk.max_drawdown 13%", "cooldown 10m", "target 5%",
                                         "max_positions 2, max_drawdown 13%"};
    for (size_t i = 0; i < sizeof(looser) / sizeof(looser[0]); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "/update_targets %s", looser[i]);
        reload_rig_submit(rig, line, true, NULL);
        reload_rig_wait(rig);
        assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED);
        assert_has(rig->reply, "Second factor");
        assert_int_equal(rig->applied, 1);
    }
    reload_rig_submit(rig, "/update_targets risk.max_drawdown 13%", true, "000000");
    reload_rig_wait(rig);
    assert_true(rig->err.id != ERR_NONE);
    reload_rig_submit(rig, "/update_targets risk.max_drawdown 13%", false, NULL); /* the long way */
    reload_rig_wait(rig);
    assert_has(rig->reply, "looser");
    reload_rig_confirm(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply, "Second factor");
    assert_float_equal(rig->drawdown_pct, 12, 0);
}

/* ------------------------------------------------------------------ what is refused */

static void values_out_of_range_are_refused_with_the_range(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_refused(rig, "/update_targets risk.stop 60%", ERR_CONFIG_RANGE,
                       "risk.stop: 60% is outside 0.1% to 50%");
    reload_rig_refused(rig, "/update_targets max_positions 0", ERR_CONFIG_RANGE, "1 to 100");
    reload_rig_refused(rig, "/update_targets risk.stop -1%", ERR_CONFIG_RANGE, "0.1% to 50%");
    reload_rig_refused(rig, "/update_targets risk.stop nan", ERR_CONFIG_TYPE,
                       "a percentage such as");
    reload_rig_refused(rig, "/update_targets max_positions 2.5", ERR_CONFIG_TYPE, "a whole number");
    reload_rig_refused(rig, "/update_targets risk.stop", ERR_CONFIG_TYPE,
                       "its new value is missing");
    reload_rig_refused(rig, "/update_targets because I want", ERR_CONFIG_MISSING,
                       "no limit was named");
    reload_rig_refused(rig, "/update_targets max_drawdwn 12%", ERR_CONFIG_UNKNOWN_KEY,
                       "did you mean risk.max_drawdown?");
    reload_rig_refused(rig, "/update_targets api.token x", ERR_CONFIG_UNKNOWN_KEY,
                       "no limit of risk");
    reload_rig_refused(rig, "/update_targets hard_limits []", ERR_CONFIG_UNKNOWN_KEY,
                       "no limit of risk");
    reload_rig_refused(rig, "/update_targets stop 1% risk.stop 2%", ERR_CONFIG_DUPLICATE,
                       "risk.stop");
    reload_rig_file_is(rig, file_text);
}

static void a_hard_limit_is_named(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_refused(rig, "/update_targets risk.max_drawdown 25%", ERR_CONFIG_RANGE,
                       "risk.max_drawdown: 25% is above 20%, its hard limit (risk.hard_limits)");
    reload_rig_run(rig, "/update_targets risk.max_drawdown 20%");
    assert_int_equal(rig->err.id, ERR_NONE);
    reload_rig_write(rig, "risk: {hard_limits: ['risk.cooldown >= 20m']}\n"
                          "api: {local_users: [{uid: 5, name: lo, role: admin}]}\n");
    reload_signal(rig->reload); /* it is live */
    rig->applied = 0;
    reload_rig_refused(rig, "/update_targets risk.cooldown 10m", ERR_CONFIG_RANGE, "is below 20m");
}

static void what_others_have_edited_is_not_applied_by_the_way(void **state)
{
    struct reload_rig *rig = *state;
    AUTO_BUF struct buf edited = BUF_INIT(4096);
    buf_addf(&edited, "%slog: {level: debug}\n", file_text);
    reload_rig_write(rig, edited.data);
    reload_rig_refused(rig, "/update_targets risk.max_drawdown 12%", ERR_CONFIG_UNAPPLIED,
                       "log.level: info → debug");
    reload_rig_file_is(rig, edited.data);
    reload_rig_write(rig, "risk: [\n");
    reload_rig_refused(rig, "/update_targets risk.max_drawdown 12%", ERR_YAML_SYNTAX,
                       "nightdesk.yaml:2:1");
}

static void an_edit_between_the_prompt_and_its_answer_asks_again(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_submit(rig, "/update_targets risk.max_drawdown 12%", false, NULL);
    reload_rig_wait(rig);
    struct err first = rig->err;
    reload_rig_run(rig, "/update_targets risk.max_drawdown 14%"); /* somebody else */
    rig->err = first;
    reload_rig_confirm(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_CHANGED);
    assert_has(rig->reply, "risk.max_drawdown");
    assert_float_equal(rig->drawdown_pct, 14, 0);
}

/* access(2) asks for the real user: as root everything can be written. */
static void a_folder_that_cannot_be_written_is_named_before_anybody_is_asked(void **state)
{
    struct reload_rig *rig = *state;
    uid_t real = getuid();
    if (real == 0) {
        assert_int_equal(setreuid(65534, (uid_t)-1), 0);
    } else {
        assert_int_equal(chmod(rig->folder, 0500), 0);
    }
    reload_rig_submit(rig, "/update_targets risk.max_drawdown 12%", false, NULL);
    reload_rig_wait(rig);
    assert_int_equal(setreuid(real, (uid_t)-1), 0);
    assert_int_equal(rig->err.id, ERR_FILE_DENIED);
    assert_has(rig->reply, rig->folder);
}

/* The history cannot be written: the file gets its old text back. */
static void without_the_history_nothing_changes(void **state)
{
    struct reload_rig *rig = *state;
    assert_int_equal(db_exec(ops_store_db(rig->store),
                             "CREATE TRIGGER t BEFORE INSERT ON config_versions BEGIN SELECT "
                             "RAISE(ABORT, 'no'); END",
                             NULL),
                     0);
    reload_rig_run(rig, "/update_targets risk.max_drawdown 12%");
    assert_true(rig->err.id != ERR_NONE);
    assert_int_equal(rig->applied, 0);
    reload_rig_file_is(rig, file_text);
}

/* A disk that takes no more: here a limit of the process, above what the databases need. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    struct reload_rig *rig = *state;
    AUTO_BUF struct buf large = BUF_INIT((size_t)1 << 20);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    buf_add_c(&large, file_text);
    while (large.len < 1030000) {
        buf_add_c(&large, "# a comment that makes the file large\n");
    }
    reload_rig_write(rig, large.data);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000000, before.rlim_max}), 0);
    reload_rig_run(rig, "/update_targets risk.max_drawdown 12%");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(rig->err.id, ERR_FILE_FAILED);
    assert_int_equal(rig->applied, 0);
    AUTO_BUF struct buf now = BUF_INIT((size_t)1 << 20);
    assert_int_equal(file_read(rig->path, &now, NULL), 0);
    assert_true(str_equal(buf_str(&now), buf_str(&large)));
    struct file_names names;
    assert_int_equal(file_list(rig->folder, 20, &names, NULL), 0);
    for (size_t i = 0; i < names.count; i++) { /* nothing is left over */
        assert_false(str_starts(str_c(names.items[i]), "nightdesk.yaml."));
    }
    file_names_release(&names);
}

/* A link to the file is not replaced by a file. */
static void a_link_stays_a_link(void **state)
{
    struct reload_rig *rig = *state;
    char real[128];
    struct stat st;
    (void)snprintf(real, sizeof(real), "%s/real.yaml", rig->folder);
    assert_int_equal(rename(rig->path, real), 0);
    assert_int_equal(symlink("real.yaml", rig->path), 0);
    reload_rig_run(rig, "/update_targets risk.max_drawdown 12%");
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_int_equal(lstat(rig->path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    AUTO_BUF struct buf text = BUF_INIT(65536);
    assert_int_equal(file_read(real, &text, NULL), 0);
    assert_has(text.data, "max_drawdown: 12%   # since March");
}

static bool has_file(const struct reload_rig *rig, const char *text)
{
    AUTO_BUF struct buf now = BUF_INIT(65536);
    return file_read(rig->path, &now, NULL) == 0 && str_equal_c(buf_str(&now), text);
}

/* The helper has written the file, or still does, and nothing has applied it. */
static void a_cancelled_change_leaves_the_old_file(void **state)
{
    struct reload_rig *rig = *state;
    int64_t end_us = clock_mono_us(clock_real()) + 10 * USEC_PER_SEC;
    reload_rig_submit(rig, "/update_targets risk.max_drawdown 12%", true, NULL);
    while (has_file(rig, file_text) && clock_mono_us(clock_real()) < end_us) {
        (void)usleep(500);
    }
    assert_false(has_file(rig, file_text));
    reload_rig_run(rig, "/cancel 1");
    while (!has_file(rig, file_text) && clock_mono_us(clock_real()) < end_us) {
        (void)usleep(500);
    }
    reload_rig_file_is(rig, file_text);
    assert_int_equal(rig->applied, 0);
    reload_rig_run(rig, "/update_targets risk.max_drawdown 11%");
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_int_equal(rig->applied, 1);
}

/* Else it would apply the value in its own name, before it is said to be in effect. */
static void a_reload_waits_for_a_change_that_is_under_way(void **state)
{
    struct reload_rig *rig = *state;
    reload_rig_submit(rig, "/update_targets risk.max_drawdown 12% because night", true, NULL);
    reload_rig_submit(rig, "/reload", true, NULL);
    assert_int_equal(rig->err.id, ERR_COMMAND_LOCKED);
    rig->reply[0] = '\0';
    reload_rig_wait(rig);
    assert_has(rig->reply, "Limits changed (configuration 2)");
    AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
    assert_string_equal(v.why, "night");
}

/* ------------------------------------------------------------------ kill -9 */

/* A process with this folder that dies at one point of the command. */
static void die(const struct reload_rig *rig, enum death death)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct reload_rig child = {.death = death};
        (void)str_copy(str_c(rig->folder), child.folder, sizeof(child.folder));
        reload_rig_start(&child);
        reload_rig_submit(&child, "/update_targets risk.max_drawdown 12% because night", true,
                          NULL);
        if (death == DEATH_SUBMITTED) {
            (void)raise(SIGKILL); /* while the helper writes */
        }
        reload_rig_wait(&child);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void killed_at_any_point_the_old_or_the_new_value_is_whole(void **state)
{
    struct reload_rig *rig = *state;
    for (int i = 0; i < 9; i++) {
        enum death death = (enum death[]){DEATH_SUBMITTED, DEATH_WRITTEN, DEATH_STORED}[i % 3];
        reload_rig_stop(rig);
        reload_rig_write(rig, file_text);
        die(rig, death);
        reload_rig_start(rig); /* its file can be used */
        assert_int_equal(runner_recover(rig->runner, NULL), 0);
        bool changed = rig->config->risk_max_drawdown_pct < 15;
        assert_float_equal(rig->config->risk_max_drawdown_pct, changed ? 12 : 15, 0);
        assert_true(changed || death == DEATH_SUBMITTED);
        int64_t done = 0;
        assert_int_equal(db_get_i64(ops_store_db(rig->store),
                                    "SELECT state = 'done' FROM command_runs WHERE id = (SELECT "
                                    "max(id) FROM command_runs)",
                                    DB_NO_VALUES, 0, &done, NULL),
                         0);
        assert_int_equal(done, changed);
        AUTO_CONFIG_VERSION struct config_version v = reload_rig_version(rig);
        assert_true((strstr(v.text, "max_drawdown: 12%") != NULL) == changed);
        if (changed) {
            assert_string_equal(v.user, "lo");
            assert_string_equal(v.why, "night");
            assert_has(v.changes, "risk.max_drawdown: 15% → 12%");
        }
    }
}

#define TARGETS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, reload_rig_teardown)
UNIT_GROUP(targets, TARGETS_TEST(a_limit_changes_in_the_file_the_process_and_the_history),
           TARGETS_TEST(several_limits_change_at_once_in_any_spelling),
           TARGETS_TEST(a_looser_limit_asks_for_the_second_factor),
           TARGETS_TEST(values_out_of_range_are_refused_with_the_range),
           TARGETS_TEST(a_hard_limit_is_named),
           TARGETS_TEST(what_others_have_edited_is_not_applied_by_the_way),
           TARGETS_TEST(an_edit_between_the_prompt_and_its_answer_asks_again),
           TARGETS_TEST(a_folder_that_cannot_be_written_is_named_before_anybody_is_asked),
           TARGETS_TEST(without_the_history_nothing_changes),
           TARGETS_TEST(a_full_disk_leaves_the_old_file), TARGETS_TEST(a_link_stays_a_link),
           TARGETS_TEST(a_cancelled_change_leaves_the_old_file),
           TARGETS_TEST(a_reload_waits_for_a_change_that_is_under_way),
           TARGETS_TEST(killed_at_any_point_the_old_or_the_new_value_is_whole))
