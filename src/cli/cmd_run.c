#include "cli_daemon.h"
#include "cli_internal.h"

#include <sys/stat.h>

/* A terminal, a pipe, a socket or a file talks; /dev/null and other devices do not. */
static bool stdin_talks(void)
{
    struct stat st;
    if (fstat(STDIN_FILENO, &st) < 0) {
        return false;
    }
    return isatty(STDIN_FILENO) || S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode) ||
           S_ISSOCK(st.st_mode);
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0};
    if (cli_load_config(args, &config, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    return cli_daemon(&(struct cli_daemon){
        .args = args,
        .config = config,
        .config_source = &(struct config_options){.path = cli_value(args, "--config")},
        .state_dir = cli_state_dir(args, config),
        .console = config->console_enabled && !cli_flag(args, "--no-console") && stdin_talks()});
}

const struct cli_command cmd_run = {
    .name = "run",
    .summary = "Start the daemon: trading engine, chat, auditor, API",
    .words = "",
    .options = {CLI_OPTION_CONFIG,
                CLI_OPTION_STATE,
                {"--no-console", NULL, "do not read commands from standard input"}},
    .more =
        "Without a configuration file it runs on its embedded defaults: paper venue, simulated\n"
        "market, state under var/. Commands are read from standard input when that is a\n"
        "terminal, a pipe or a file; the log is then <state>/nightdesk.log, else standard\n"
        "error or the journal. From a pipe or a file it ends when its input does.\n"
        "Past 10 MB nightdesk.log becomes nightdesk.log.1; five old ones are kept. It may be "
        "moved\n"
        "or deleted while it is written: a second later it is begun anew.\n"
        "SIGHUP reads the configuration again and logs whether it can be used and which options\n"
        "change at the next start; the running daemon keeps the one it was started with.",
    .exits = "  0  ended as it was asked to (end of input, SIGTERM, SIGINT)\n"
             "  2  could not start: configuration, state folder, database, or another daemon\n",
    .run = run,
};
