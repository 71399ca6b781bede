#include "cli_internal.h"

static int run(const struct cli_args *args)
{
    AUTO_BUF struct buf line = BUF_INIT(CLI_LINE_MAX);
    buf_add_c(&line, "otp");
    for (int i = 0; i < args->word_count; i++) {
        buf_addf(&line, " %s", args->word[i]);
    }
    return cli_do_line(args, line.data, NULL);
}

const struct cli_command cmd_otp = {
    .name = "otp",
    .summary = "Your second factor: set it up, recovery codes, remove it",
    .words = "[new|confirm DIGITS|codes|off|reset user=NAME]",
    .words_max = 2,
    .options = {{"--yes", NULL, "answer a confirmation prompt with yes"},
                {"--otp", "DIGITS", "the code of your authenticator app, or a recovery code"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "nightdesk otp new shows a QR code for your authenticator app, and nightdesk otp confirm\n"
        "with its first six digits turns the second factor on and shows ten recovery codes, once.\n"
        "It is yours: that of the account with which you call this, or of the same name on\n"
        "Telegram. Without a word it shows the state. codes and off need --otp.",
    .exits = "  0  done\n"
             "  1  refused or failed\n"
             "  2  no daemon, or wrong usage\n",
    .run = run,
};
