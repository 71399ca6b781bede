#include "cli_daemon.h"
#include "cli_unseal.h"

#include <sys/stat.h>

/* Commands are read from a terminal, pipe, socket or file, but not from /dev/null. */
static bool stdin_has_commands(void)
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
    struct cli_unseal unseal;
    struct err err = {0};
    if (cli_load_config_unseal(args, &unseal, &config, &err) < 0) {
        unseal_release(&unseal.unseal);
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    unseal.unseal.ask = NULL; /* a reload must not wait for a person */
    int code = cli_daemon(&(struct cli_daemon){
        .args = args,
        .config = config,
        .config_source =
            &(struct config_options){.path = cli_value(args, "--config"), .unseal = &unseal.unseal},
        .state_dir = cli_state_dir(args, config),
        .console =
            config->console_enabled && !cli_flag(args, "--no-console") && stdin_has_commands()});
    unseal_release(&unseal.unseal);
    return code;
}

const struct cli_command cmd_run = {
    .name = "run",
    .summary = "Start the daemon: trading engine, chat, auditor, API",
    .words = "",
    .options = {CLI_OPTION_CONFIG,
                CLI_OPTION_STATE,
                CLI_OPTION_PASSPHRASE,
                {"--no-console", NULL, "do not read commands from standard input"}},
    .more =
        "Without a configuration file it uses its embedded defaults: paper venue, simulated\n"
        "market, state under var/. Commands are read from standard input if that is a terminal,\n"
        "a pipe or a file; the log is then <state>/nightdesk.log, otherwise standard error or the\n"
        "journal. With a pipe or a file the daemon stops at the end of its input.\n"
        "At 10 MB nightdesk.log is renamed to nightdesk.log.1; five old files are kept. If it is\n"
        "moved or deleted, it is created again within a second.\n"
        "If the sealed secrets (nightdesk secret) have a passphrase, it is asked for first.\n"
        "SIGHUP reads the configuration again and applies the options that can change while it\n"
        "runs; the others take effect at the next start. A file with a mistake changes nothing.",
    .exits = "  0  stopped on request (end of input, SIGTERM, SIGINT)\n"
             "  2  could not start: configuration, state folder, database, or another daemon\n",
    .run = run,
};
