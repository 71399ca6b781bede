#include "cli_internal.h"

static int run(const struct cli_args *args)
{
    return cli_do_line(args, "pair", NULL);
}

const struct cli_command cmd_pair = {
    .name = "pair",
    .summary = "Show a code that makes its sender an owner on Telegram",
    .words = "",
    .options = {CLI_OPTION_JSON, CLI_OPTION_CONFIG, CLI_OPTION_STATE},
    .more =
        "Send the code to your bot in a private chat: the first who does so becomes an owner\n"
        "(admin with the emergency grant). It works once, for fifteen minutes; a new code\n"
        "replaces the one before. Only root and the user that runs the daemon may ask for it.\n"
        "When Telegram is configured and has no admin, nightdesk run shows a code by itself, if\n"
        "it has a terminal.",
    .exits = "  0  the code is on standard output\n"
             "  1  refused: another user, or Telegram is off\n"
             "  2  no daemon, or wrong usage\n",
    .run = run,
};
