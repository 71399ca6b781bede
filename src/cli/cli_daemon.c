#include "cli_daemon.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli_check.h"
#include "engine/engine_thread.h"
#include "io/file.h"
#include "io/journal.h"
#include "io/log_file.h"
#include "io/seal.h"
#include "io/secret.h"
#include "model/shared.h"
#include "ops/ops.h"
#include "store/backup.h"
#include "store/trading.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>

/* With a chat on standard input the log is written to a file in the state folder. */
static int open_log(const struct cli_daemon *daemon, struct log_file **ret, struct err *err)
{
    const char *state_dir = daemon->state_dir;
    bool json = strcmp(daemon->config->log_format, "json") == 0;
    if (!daemon->console) {
        if (journal_is_stderr()) {
            log_set_sink(journal_log_sink, NULL);
        } else if (json) {
            log_set_sink(log_sink_json_fd, (void *)(intptr_t)STDERR_FILENO);
        }
        return 0;
    }
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/" OPS_LOG_NAME, state_dir);
    int rc = log_file_open(path.data, &(struct log_file_limits){0}, ret, err);
    if (rc == 0) {
        log_set_sink(json ? log_sink_json_fd : log_sink_fd, log_file_userdata(*ret));
    }
    return rc;
}

static int lock_state(const char *state_dir, int *ret_fd, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    int rc = file_make_folder(state_dir, 0750, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&path, "%s/" OPS_LOCK_NAME, state_dir);
    return file_lock(path.data, ret_fd, err);
}

/* Creates or upgrades trading.db before any thread reads it. An error is still reported in the
 * terminal here. */
static int prepare_trading(const char *state_dir, struct err *err)
{
    struct trading_store *store = NULL;
    bool restored = false;
    int rc = backup_apply(state_dir, &restored, err);
    if (rc < 0) {
        return err_prefix(err, "the prepared restore");
    }
    if (restored) {
        LOG(NOTICE, "the databases are those of the backup that was restored; what they replace is "
                    "in the folder replaced");
    }
    rc = trading_store_open(state_dir, TRADING_STORE_WRITE, &store, err);
    trading_store_free(store);
    return rc;
}

static void print_start(bool terminal, const char *line)
{
    if (terminal) {
        cli_print(str_c(line));
        cli_print(STR_LIT("\n"));
    }
    LOG(NOTICE, "%s", line);
}

static void print_channels(const struct config *config, bool terminal)
{
    bool token = config->telegram_bot_token[0] != '\0';
    if (!token) {
        print_start(terminal,
                    "Telegram is off: set TELEGRAM_BOT_TOKEN (from @BotFather) to use your "
                    "phone.");
    } else if (config->user_count == 0) {
        print_start(terminal, "telegram.users is empty: people get a role by pairing and /grant.");
    }
    if (config->claude_api_key[0] == '\0') {
        print_start(terminal,
                    "Claude is off: set CLAUDE_API_KEY; until then the auditor's own checks "
                    "run alone.");
    }
}

static void welcome(const struct cli_daemon *daemon)
{
    const struct config *config = daemon->config;
    bool terminal = daemon->console && isatty(STDOUT_FILENO);
    bool real = strcmp(config->venue_name, "paper") != 0;
    AUTO_BUF struct buf line = BUF_INIT(1024);
    buf_addf(&line, "nightdesk %s · %s venue%s%s · %s market at %lldx · state in %s",
             NIGHTDESK_VERSION, config->venue_name, real ? ", " : "",
             real ? config->venue_mode : "", config->market_source, (long long)config->market_speed,
             daemon->state_dir);
    print_start(terminal, daemon->headline != NULL ? daemon->headline : line.data);
    if (daemon->headline == NULL) {
        print_channels(config, terminal);
    }
    if (terminal) {
        cli_print(STR_LIT("Type /status, /positions, /why, /audit, /restart demo, /help. "
                          "^D or ^C stops.\n\n"));
    }
}

/* Only settings without effect are logged here: a missing model or socket is logged by the module
 * that needs it. */
static int check(const struct cli_daemon *daemon, struct err *err)
{
    struct cli_check checked;
    int rc = cli_check(daemon->config, daemon->state_dir, &checked);
    if (rc < 0) {
        *err = checked.problem;
    }
    for (int i = 0; i < checked.warning_count; i++) {
        if (checked.warnings[i].id == ERR_CONFIG_UNUSED ||
            checked.warnings[i].id == ERR_RULE_NOT_TRADED) {
            log_err(LOG_LEVEL_WARNING, &checked.warnings[i], "configuration");
        }
    }
    return rc;
}

/* The engine also watches what an earlier run left in symbols that are no longer configured: known
 * only once it has opened trading.db. */
static int most_symbols(const struct settings *settings)
{
    int most = settings->symbol_count + POSITIONS_LIMIT;
    return most < SYMBOLS_LIMIT ? most : SYMBOLS_LIMIT;
}

/* Runs both threads, from start to stop. The engine stops last, so it can answer the requests of
 * ops. */
static int serve(const struct cli_daemon *daemon, struct log_file *log, int *ret_code,
                 struct err *err)
{
    const char *state_dir = daemon->state_dir;
    struct shared shared;
    struct ops *ops = NULL;
    struct engine_thread *engine = NULL;
    struct engine_options options = {.state_dir = state_dir, .clock = clock_real()};
    config_settings(daemon->config, &options.settings);
    config_venue(daemon->config, &options.venue);
    config_live(daemon->config, &options.live);
    shared_init(&shared, most_symbols(&options.settings));
    if (daemon->config->traces_sample_pct > 0) {
        telemetry_trace(&shared.telemetry, daemon->config->traces_sample_pct / 100,
                        secret_random_u64());
    }
    int rc = check(daemon, err);
    if (rc == 0) {
        rc = prepare_trading(state_dir, err);
    }
    if (rc == 0) {
        rc = ops_new(&(struct ops_options){.config = daemon->config,
                                           .config_source = daemon->config_source,
                                           .shared = &shared,
                                           .state_dir = state_dir,
                                           .console = daemon->console,
                                           .log = log,
                                           .started_mono_us = daemon->args->started_mono_us},
                     &ops, err);
    }
    struct shared_reader *start_reader = NULL;
    if (daemon->on_started != NULL) {
        start_reader = shared_reader_add(&shared, "start", 0);
    }
    shared_seal(&shared);
    if (rc == 0) {
        rc = engine_thread_start(&options, &shared, &engine, err);
    }
    if (rc == 0) {
        if (daemon->on_started != NULL) {
            daemon->on_started(start_reader);
        }
        *ret_code = ops_run(ops);
        cli_output_failed(ops_output_error(ops));
    }
    atomic_store(&shared.stop, true);
    engine_thread_stop(engine);
    ops_free(ops);
    shared_release(&shared);
    return rc;
}

/* From this size on an allocation has pages of its own. */
#define LARGE_BYTES (128 * 1024)
#define TRIM_BYTES  (1024 * 1024)

static void set_process_limits(void)
{
    (void)umask(0027);
    /* Few threads that rarely allocate: an arena for each would waste memory. */
    (void)mallopt(M_ARENA_MAX, 2);
    /* Fixed, or the first large buffer that is freed raises it: then what is sized at start comes
     * from recycled memory, of which calloc touches every page, and freed memory is kept. */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    /* What one command frees the next one needs: no system call and no page fault between. */
    (void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
}

/* Secrets were read already: what does not protect them is said once. */
static void check_memory(void)
{
    struct err err = {0};
    if (seal_check_locked(&err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "secrets");
    }
    if (seal_harden(&err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "secrets");
    }
}

int cli_daemon(const struct cli_daemon *daemon)
{
    AUTO_FD int lock_fd = -1;
    struct log_file *log = NULL;
    struct err err = {0};
    set_process_limits();
    enum log_level level;
    if (log_level_parse(str_c(daemon->config->log_level), &level)) {
        log_set_level(level);
    }
    if (secret_init(&err) < 0 || lock_state(daemon->state_dir, &lock_fd, &err) < 0 ||
        open_log(daemon, &log, &err) < 0) {
        return cli_fail(daemon->args, &err, CLI_CRITICAL);
    }
    welcome(daemon);
    check_memory();
    int code = CLI_FINE;
    int rc = serve(daemon, log, &code, &err);
    if (rc < 0) {
        /* The log gets one line; a person at the terminal gets the whole error. */
        if (log != NULL || journal_is_stderr()) {
            log_err(LOG_LEVEL_ERROR, &err, "could not start");
        }
        code = journal_is_stderr() ? CLI_CRITICAL : cli_fail(daemon->args, &err, CLI_CRITICAL);
    }
    log_set_sink(NULL, NULL);
    log_file_free(log);
    return code;
}
