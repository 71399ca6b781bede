#include "base/check.h"
#include "base/clock.h"
#include "cli_daemon.h"
#include "cli_internal.h"
#include "model/shared.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

/* With this seed the bot trades within the first hours, with wins, losses and reversals. */
#define SEED_DEFAULT 7
#define SPEED        3600 /* an hour of the market a second */
/* Commands are read once there is a trade to ask about, or after this time. */
#define TRADE_WAIT_US (20 * USEC_PER_SEC)
#define POLL_MS       50
#define PATHS_OPEN    8

/* A stop was requested: the signals stay pending until the loop runs. */
static bool is_interrupted(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

static void wait_for_trades(struct shared_reader *reader)
{
    int64_t started_us = clock_mono_us(clock_real());
    while (clock_mono_us(clock_real()) - started_us < TRADE_WAIT_US && !is_interrupted()) {
        const struct snapshot *s = shared_reader_snapshot(reader);
        if (s->trades > 0 && s->position_count > 0) {
            return;
        }
        (void)poll(NULL, 0, POLL_MS);
    }
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    (void)remove(path); /* on failure its folder remains, and run reports that */
    return 0;
}

static int make_folder(struct buf *ret, struct err *err)
{
    const char *base = getenv("TMPDIR");
    buf_addf(ret, "%s/nightdesk-demo-XXXXXX", base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(ret->data) == NULL) {
        return err_set(err, errno == EACCES || errno == EROFS ? ERR_FILE_DENIED : ERR_FILE_FAILED,
                       "%s: %s", ret->data, strerror(errno));
    }
    return 0;
}

/* The embedded defaults without outside access: no file, no accounts, no port. */
static int make_config(int64_t seed, struct config **ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text,
             "market: {source: simulated, seed: %lld, speed: %d}\n"
             "telegram: {bot_token: \"\"}\nclaude: {api_key: \"\"}\napi: {port: 0}\n"
             "monitoring: {heartbeat_url: \"\"}\n",
             (long long)seed, SPEED);
    return config_parse(buf_str(&text), "demo", ret, NULL, err);
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    AUTO_BUF struct buf folder = BUF_INIT(4096), line = BUF_INIT(4096 + 256);
    struct err err = {0};
    int64_t seed = SEED_DEFAULT;
    bool keeps = cli_flag(args, "--keep");
    if (cli_number(args, "--seed", 1, INT64_MAX, &seed, &err) < 0 ||
        make_config(seed, &config, &err) < 0 || make_folder(&folder, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    buf_addf(&line,
             "nightdesk %s demo · paper money · simulated market, seed %lld, an hour a second\n"
             "State in %s, %s. No account is used. The chat starts after the first trade.",
             NIGHTDESK_VERSION, (long long)seed, folder.data, keeps ? "kept" : "deleted on exit");
    if (isatty(STDOUT_FILENO) == 0) {
        (void)fprintf(stderr, "%s\n", line.data);
    }
    int code = cli_daemon(&(struct cli_daemon){.args = args,
                                               .config = config,
                                               .state_dir = folder.data,
                                               .console = true,
                                               .headline = line.data,
                                               .on_started = wait_for_trades});
    if (!keeps && (nftw(folder.data, remove_one, PATHS_OPEN, FTW_DEPTH | FTW_PHYS) != 0 ||
                   access(folder.data, F_OK) == 0)) {
        (void)fprintf(stderr, "%s could not be removed\n", folder.data);
    }
    return code;
}

const struct cli_command cmd_demo = {
    .name = "demo",
    .summary = "Try the bot: simulated market, trades and chat; no account needed",
    .words = "",
    .options = {{"--seed", "N", "seed of the simulated market (default: 7)"},
                {"--keep", NULL, "do not delete its folder on exit"}},
    .more =
        "Runs the daemon of nightdesk run in a temporary folder, deleted on exit, with paper\n"
        "money and a simulated market that runs an hour a second. Configuration files and tokens\n"
        "are not read. Commands come from standard input: /status, /why, /decisions, /positions,\n"
        "/help; the demo stops at the end of the input. Commands are read once the first trade is "
        "closed and\n"
        "another position is open, or after 20 s.",
    .exits = "  0  stopped on request (end of input, SIGTERM, SIGINT)\n"
             "  2  could not start: the folder, or a database in it\n",
    .run = run,
};
