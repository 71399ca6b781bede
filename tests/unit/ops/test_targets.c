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

/* Where the process dies. */
enum death { DEATH_NONE, DEATH_SUBMITTED, DEATH_WRITTEN, DEATH_STORED };

struct rig {
    char folder[64];
    char path[96];
    struct config_options source;
    struct config *config; /* of the start */
    struct loop *loop;
    struct pool *helpers;
    struct ops_store *store;
    struct alerts *alerts;
    struct access *access;
    struct reload *reload;
    struct action_table *actions;
    struct manifest_list *manifests;
    struct runner *runner;
    struct principal who;
    enum death death;
    int applied;
    double drawdown_pct; /* as last applied */
    char reply[16384];
    struct err err;
};

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line, (void)userdata;
}

static void on_apply(const struct config *before, const struct config *config, void *userdata)
{
    struct rig *rig = userdata;
    (void)before;
    if (rig->death == DEATH_STORED) {
        (void)raise(SIGKILL);
    }
    rig->applied++;
    rig->drawdown_pct = config->risk_max_drawdown_pct;
    access_apply(rig->access, config);
    runner_apply(rig->runner, config);
    alerts_apply(rig->alerts, config);
}

static int on_files(const struct config *config, void *userdata)
{
    (void)config, (void)userdata;
    return 0;
}

static void on_busy(bool begins, void *userdata)
{
    const struct rig *rig = userdata;
    if (begins && rig->death == DEATH_WRITTEN) {
        (void)raise(SIGKILL);
    }
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct rig *rig = userdata;
    reply_text_all(reply, rig->reply, sizeof(rig->reply));
    rig->err = err != NULL ? *err : (struct err){0};
}

static void open_runner(struct rig *rig)
{
    struct err err = {0};
    struct embedded_file files[3] = {{0}};
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        files[0] = strcmp(f->path, "commands/update_targets.yaml") == 0 ? *f : files[0];
        files[1] = strcmp(f->path, "commands/reload.yaml") == 0 ? *f : files[1];
    }
    rig->actions = action_table_new();
    reload_actions(rig->reload, rig->actions);
    if (manifest_list_read(rig->actions, files, &rig->manifests, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_int_equal(runner_new(&(struct runner_options){.loop = rig->loop,
                                                         .clock = clock_real(),
                                                         .config = rig->config,
                                                         .store = rig->store,
                                                         .access = rig->access,
                                                         .actions = rig->actions,
                                                         .manifests = rig->manifests},
                                &rig->runner, &err),
                     0);
}

/* As a start of the program with this folder. */
static void open_rig(struct rig *rig)
{
    struct err err = {0};
    (void)snprintf(rig->path, sizeof(rig->path), "%s/nightdesk.yaml", rig->folder);
    rig->source = (struct config_options){.path = rig->path};
    if (config_load(&rig->source, &rig->config, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    rig->loop = loop_new(&err);
    rig->helpers = pool_new(
        rig->loop, &(struct pool_options){"helper", .threads_max = 1, .queue_max = 2}, &err);
    assert_int_equal(ops_store_open(rig->folder, OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = clock_real(),
                                                         .config = rig->config,
                                                         .store = rig->store},
                                &rig->alerts, &err),
                     0);
    assert_int_equal(access_new(rig->config, rig->store, clock_real(), &rig->access, &err), 0);
    rig->reload = reload_new(&(struct reload_options){.config = rig->config,
                                                      .source = &rig->source,
                                                      .loop = rig->loop,
                                                      .clock = clock_real(),
                                                      .store = rig->store,
                                                      .alerts = rig->alerts,
                                                      .access = rig->access,
                                                      .apply = on_apply,
                                                      .files = on_files,
                                                      .helpers = rig->helpers,
                                                      .busy = on_busy,
                                                      .userdata = rig});
    open_runner(rig);
    reload_started(rig->reload);
    assert_int_equal(access_identify(rig->access, CHANNEL_SOCKET, 5, &rig->who), 0);
}

static void close_rig(struct rig *rig)
{
    runner_free(rig->runner);
    manifest_list_free(rig->manifests);
    action_table_free(rig->actions);
    reload_free(rig->reload);
    access_free(rig->access);
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
    pool_free(rig->helpers);
    loop_free(rig->loop);
    config_free(rig->config);
}

static void write_file(const struct rig *rig, const char *text)
{
    assert_int_equal(file_write(rig->path, str_c(text), 0640, NULL), 0);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_int_equal(secret_init(NULL), 0);
    log_set_sink(swallow, NULL);
    (void)snprintf(rig->folder, sizeof(rig->folder), "/var/tmp/nightdesk-targets-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/nightdesk.yaml", rig->folder);
    write_file(rig, file_text);
    open_rig(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    close_rig(rig);
    (void)chmod(rig->folder, 0700);
    assert_int_equal(file_remove_tree(rig->folder, NULL), 0);
    log_set_sink(NULL, NULL);
    free(rig);
    return 0;
}

static void submit(struct rig *rig, const char *line, bool confirmed, const char *otp)
{
    const struct invocation in = {.line = line,
                                  .who = &rig->who,
                                  .confirmed = confirmed,
                                  .otp = otp,
                                  .on_reply = on_reply,
                                  .userdata = rig};
    rig->reply[0] = '\0';
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
}

static void wait_reply(struct rig *rig)
{
    int64_t end_us = clock_mono_us(clock_real()) + 10 * USEC_PER_SEC;
    while (rig->reply[0] == '\0' && clock_mono_us(clock_real()) < end_us) {
        (void)loop_iterate(rig->loop, 20000);
    }
    assert_true(rig->reply[0] != '\0');
}

static void run(struct rig *rig, const char *line)
{
    submit(rig, line, true, NULL);
    wait_reply(rig);
}

/* Confirms the prompt, whose code is in rig->err. */
static void confirm(struct rig *rig)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "/confirm %.20s", rig->err.context);
    submit(rig, line, false, NULL);
    wait_reply(rig);
}

static void refused(struct rig *rig, const char *line, enum err_id id, const char *part)
{
    run(rig, line);
    if (rig->err.id != (int)id || strstr(rig->reply, part) == NULL) {
        fail_msg("%s: %s, %s", line, err_info(rig->err.id)->code, rig->reply);
    }
    assert_int_equal(rig->applied, 0);
}

static void file_is(const struct rig *rig, const char *text)
{
    AUTO_BUF struct buf now = BUF_INIT(65536);
    assert_int_equal(file_read(rig->path, &now, NULL), 0);
    assert_string_equal(now.data, text);
}

static struct config_version last_version(const struct rig *rig)
{
    struct config_version v = {0};
    assert_int_equal(config_table_last(rig->store, &v, NULL), 0);
    return v;
}

/* ------------------------------------------------------------------ the way it should go */

static void a_limit_changes_in_the_file_the_process_and_the_history(void **state)
{
    struct rig *rig = *state;
    struct stat st;
    submit(rig, "/update_targets risk.max_drawdown 12 % because CPI is due", false, NULL);
    wait_reply(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply, "risk.max_drawdown");
    assert_has(rig->reply, "15%");
    assert_has(rig->reply, "12%");
    assert_has(rig->reply, "tighter");
    assert_has(rig->reply, "Drawdown that trips the circuit breaker.");
    file_is(rig, file_text); /* not yet */
    confirm(rig);
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_has(rig->reply, "Limits changed (configuration 2)");
    assert_has(rig->reply, "/update_targets risk.max_drawdown 15%");
    assert_int_equal(rig->applied, 1);
    assert_float_equal(rig->drawdown_pct, 12, 0);
    assert_float_equal(reload_config(rig->reload)->risk_max_drawdown_pct, 12, 0);
    file_is(rig, "# ours\nrisk:\n  max_drawdown: 12%   # since March\n"
                 "  hard_limits: [\"risk.max_drawdown <= 20%\"]\n"
                 "api: {local_users: [{uid: 5, name: lo, role: admin},"
                 " {uid: 6, name: fay, role: admin, totp: " TOTP "}]}\n");
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    AUTO_CONFIG_VERSION struct config_version v = last_version(rig);
    assert_string_equal(v.user, "lo");
    assert_string_equal(v.why, "CPI is due");
    assert_string_equal(v.changes, "risk.max_drawdown: 15% → 12%\n");
    run(rig, "/update_targets risk.max_drawdown 15%"); /* the undo of the reply */
    assert_int_equal(rig->err.id, ERR_NONE);
    file_is(rig, file_text);
    assert_float_equal(rig->drawdown_pct, 15, 0);
    close_rig(rig);
    open_rig(rig); /* the next start */
    assert_float_equal(rig->config->risk_max_drawdown_pct, 15, 0);
}

static void several_limits_change_at_once_in_any_spelling(void **state)
{
    struct rig *rig = *state;
    run(rig,
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
    AUTO_CONFIG_VERSION struct config_version v = last_version(rig);
    assert_string_equal(v.why, "of this, and that");
    run(rig, "/update_targets max_positions 2");
    assert_has(rig->reply, "unchanged");
    assert_int_equal(rig->applied, 1);
}

static void a_looser_limit_asks_for_the_second_factor(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(access_identify(rig->access, CHANNEL_SOCKET, 6, &rig->who), 0);
    run(rig, "/update_targets risk.max_drawdown 12%"); /* tighter */
    assert_int_equal(rig->err.id, ERR_NONE);
    static const char *const looser[] = {"risk.max_drawdown 13%", "cooldown 10m", "target 5%",
                                         "max_positions 2, max_drawdown 13%"};
    for (size_t i = 0; i < sizeof(looser) / sizeof(looser[0]); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "/update_targets %s", looser[i]);
        submit(rig, line, true, NULL);
        wait_reply(rig);
        assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED);
        assert_has(rig->reply, "Second factor");
        assert_int_equal(rig->applied, 1);
    }
    submit(rig, "/update_targets risk.max_drawdown 13%", true, "000000");
    wait_reply(rig);
    assert_true(rig->err.id != ERR_NONE);
    submit(rig, "/update_targets risk.max_drawdown 13%", false, NULL); /* the long way */
    wait_reply(rig);
    assert_has(rig->reply, "looser");
    confirm(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply, "Second factor");
    assert_float_equal(rig->drawdown_pct, 12, 0);
}

/* ------------------------------------------------------------------ what is refused */

static void values_out_of_range_are_refused_with_the_range(void **state)
{
    struct rig *rig = *state;
    refused(rig, "/update_targets risk.stop 60%", ERR_CONFIG_RANGE,
            "risk.stop: 60% is outside 0.1% to 50%");
    refused(rig, "/update_targets max_positions 0", ERR_CONFIG_RANGE, "1 to 100");
    refused(rig, "/update_targets risk.stop -1%", ERR_CONFIG_RANGE, "0.1% to 50%");
    refused(rig, "/update_targets risk.stop nan", ERR_CONFIG_TYPE, "a percentage such as");
    refused(rig, "/update_targets max_positions 2.5", ERR_CONFIG_TYPE, "a whole number");
    refused(rig, "/update_targets risk.stop", ERR_CONFIG_TYPE, "its new value is missing");
    refused(rig, "/update_targets because I want", ERR_CONFIG_MISSING, "no limit was named");
    refused(rig, "/update_targets max_drawdwn 12%", ERR_CONFIG_UNKNOWN_KEY,
            "did you mean risk.max_drawdown?");
    refused(rig, "/update_targets api.token x", ERR_CONFIG_UNKNOWN_KEY, "no limit of risk");
    refused(rig, "/update_targets hard_limits []", ERR_CONFIG_UNKNOWN_KEY, "no limit of risk");
    refused(rig, "/update_targets stop 1% risk.stop 2%", ERR_CONFIG_DUPLICATE, "risk.stop");
    file_is(rig, file_text);
}

static void a_hard_limit_is_named(void **state)
{
    struct rig *rig = *state;
    refused(rig, "/update_targets risk.max_drawdown 25%", ERR_CONFIG_RANGE,
            "risk.max_drawdown: 25% is above 20%, its hard limit (risk.hard_limits)");
    run(rig, "/update_targets risk.max_drawdown 20%");
    assert_int_equal(rig->err.id, ERR_NONE);
    write_file(rig, "risk: {hard_limits: ['risk.cooldown >= 20m']}\n"
                    "api: {local_users: [{uid: 5, name: lo, role: admin}]}\n");
    reload_signal(rig->reload); /* it is live */
    rig->applied = 0;
    refused(rig, "/update_targets risk.cooldown 10m", ERR_CONFIG_RANGE, "is below 20m");
}

static void what_others_have_edited_is_not_applied_by_the_way(void **state)
{
    struct rig *rig = *state;
    AUTO_BUF struct buf edited = BUF_INIT(4096);
    buf_addf(&edited, "%slog: {level: debug}\n", file_text);
    write_file(rig, edited.data);
    refused(rig, "/update_targets risk.max_drawdown 12%", ERR_CONFIG_UNAPPLIED,
            "log.level: info → debug");
    file_is(rig, edited.data);
    write_file(rig, "risk: [\n");
    refused(rig, "/update_targets risk.max_drawdown 12%", ERR_YAML_SYNTAX, "nightdesk.yaml:2:1");
}

static void an_edit_between_the_prompt_and_its_answer_asks_again(void **state)
{
    struct rig *rig = *state;
    submit(rig, "/update_targets risk.max_drawdown 12%", false, NULL);
    wait_reply(rig);
    struct err first = rig->err;
    run(rig, "/update_targets risk.max_drawdown 14%"); /* somebody else */
    rig->err = first;
    confirm(rig);
    assert_int_equal(rig->err.id, ERR_CONFIRM_CHANGED);
    assert_has(rig->reply, "risk.max_drawdown");
    assert_float_equal(rig->drawdown_pct, 14, 0);
}

/* access(2) asks for the real user: as root everything can be written. */
static void a_folder_that_cannot_be_written_is_named_before_anybody_is_asked(void **state)
{
    struct rig *rig = *state;
    uid_t real = getuid();
    if (real == 0) {
        assert_int_equal(setreuid(65534, (uid_t)-1), 0);
    } else {
        assert_int_equal(chmod(rig->folder, 0500), 0);
    }
    submit(rig, "/update_targets risk.max_drawdown 12%", false, NULL);
    wait_reply(rig);
    assert_int_equal(setreuid(real, (uid_t)-1), 0);
    assert_int_equal(rig->err.id, ERR_FILE_DENIED);
    assert_has(rig->reply, rig->folder);
}

/* The history cannot be written: the file gets its old text back. */
static void without_the_history_nothing_changes(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(db_exec(ops_store_db(rig->store),
                             "CREATE TRIGGER t BEFORE INSERT ON config_versions BEGIN SELECT "
                             "RAISE(ABORT, 'no'); END",
                             NULL),
                     0);
    run(rig, "/update_targets risk.max_drawdown 12%");
    assert_true(rig->err.id != ERR_NONE);
    assert_int_equal(rig->applied, 0);
    file_is(rig, file_text);
}

/* A disk that takes no more: here a limit of the process, above what the databases need. */
static void a_full_disk_leaves_the_old_file(void **state)
{
    struct rig *rig = *state;
    AUTO_BUF struct buf large = BUF_INIT((size_t)1 << 20);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    buf_add_c(&large, file_text);
    while (large.len < 950000) {
        buf_add_c(&large, "# a comment that makes the file large\n");
    }
    write_file(rig, large.data);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){900000, before.rlim_max}), 0);
    run(rig, "/update_targets risk.max_drawdown 12%");
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
    struct rig *rig = *state;
    char real[128];
    struct stat st;
    (void)snprintf(real, sizeof(real), "%s/real.yaml", rig->folder);
    assert_int_equal(rename(rig->path, real), 0);
    assert_int_equal(symlink("real.yaml", rig->path), 0);
    run(rig, "/update_targets risk.max_drawdown 12%");
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_int_equal(lstat(rig->path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    AUTO_BUF struct buf text = BUF_INIT(65536);
    assert_int_equal(file_read(real, &text, NULL), 0);
    assert_has(text.data, "max_drawdown: 12%   # since March");
}

static bool has_file(const struct rig *rig, const char *text)
{
    AUTO_BUF struct buf now = BUF_INIT(65536);
    return file_read(rig->path, &now, NULL) == 0 && str_equal_c(buf_str(&now), text);
}

/* The helper has written the file, or still does, and nothing has applied it. */
static void a_cancelled_change_leaves_the_old_file(void **state)
{
    struct rig *rig = *state;
    int64_t end_us = clock_mono_us(clock_real()) + 10 * USEC_PER_SEC;
    submit(rig, "/update_targets risk.max_drawdown 12%", true, NULL);
    while (has_file(rig, file_text) && clock_mono_us(clock_real()) < end_us) {
        (void)usleep(500);
    }
    assert_false(has_file(rig, file_text));
    run(rig, "/cancel 1");
    while (!has_file(rig, file_text) && clock_mono_us(clock_real()) < end_us) {
        (void)usleep(500);
    }
    file_is(rig, file_text);
    assert_int_equal(rig->applied, 0);
    run(rig, "/update_targets risk.max_drawdown 11%");
    assert_int_equal(rig->err.id, ERR_NONE);
    assert_int_equal(rig->applied, 1);
}

/* Else it would apply the value in its own name, before it is said to be in effect. */
static void a_reload_waits_for_a_change_that_is_under_way(void **state)
{
    struct rig *rig = *state;
    submit(rig, "/update_targets risk.max_drawdown 12% because night", true, NULL);
    submit(rig, "/reload", true, NULL);
    assert_int_equal(rig->err.id, ERR_COMMAND_LOCKED);
    rig->reply[0] = '\0';
    wait_reply(rig);
    assert_has(rig->reply, "Limits changed (configuration 2)");
    AUTO_CONFIG_VERSION struct config_version v = last_version(rig);
    assert_string_equal(v.why, "night");
}

/* ------------------------------------------------------------------ kill -9 */

/* A process with this folder that dies at one point of the command. */
static void die(const struct rig *rig, enum death death)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rig child = {.death = death};
        (void)str_copy(str_c(rig->folder), child.folder, sizeof(child.folder));
        open_rig(&child);
        submit(&child, "/update_targets risk.max_drawdown 12% because night", true, NULL);
        if (death == DEATH_SUBMITTED) {
            (void)raise(SIGKILL); /* while the helper writes */
        }
        wait_reply(&child);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void killed_at_any_point_the_old_or_the_new_value_is_whole(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 9; i++) {
        enum death death = (enum death[]){DEATH_SUBMITTED, DEATH_WRITTEN, DEATH_STORED}[i % 3];
        close_rig(rig);
        write_file(rig, file_text);
        die(rig, death);
        open_rig(rig); /* its file can be used */
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
        AUTO_CONFIG_VERSION struct config_version v = last_version(rig);
        assert_true((strstr(v.text, "max_drawdown: 12%") != NULL) == changed);
        if (changed) {
            assert_string_equal(v.user, "lo");
            assert_string_equal(v.why, "night");
            assert_has(v.changes, "risk.max_drawdown: 15% → 12%");
        }
    }
}

#define TARGETS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
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
