#include "cli_internal.h"
#include "io/json_out.h"

static int run(const struct cli_args *args)
{
    AUTO_BUF struct buf out = BUF_INIT(256);
    if (cli_flag(args, "--json")) {
        struct json_out json = JSON_OUT(&out);
        json_out_document(&json, "nightdesk.version/1");
        json_out_text(&json, "name", "nightdesk");
        json_out_text(&json, "version", NIGHTDESK_VERSION);
        json_out_end(&json);
        buf_add_char(&out, '\n');
    } else {
        buf_addf(&out, "nightdesk %s\n", NIGHTDESK_VERSION);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

const struct cli_command cmd_version = {
    .name = "version",
    .summary = "Print the version",
    .words = "",
    .options = {CLI_OPTION_JSON},
    .more = "",
    .exits = "  0  always\n",
    .run = run,
};

static int run_help(const struct cli_args *args)
{
    const struct cli_command *one = args->word_count > 0 ? cli_find(args->word[0]) : NULL;
    if (args->word_count > 0 && one == NULL) {
        return cli_unknown(args->word[0]);
    }
    cli_print_help(one);
    return CLI_FINE;
}

const struct cli_command cmd_help = {
    .name = "help",
    .summary = "List the subcommands, or explain one",
    .words = "[SUBCOMMAND]",
    .words_max = 1,
    .more = "",
    .exits = "  0  printed\n"
             "  2  there is no such subcommand\n",
    .run = run_help,
};
