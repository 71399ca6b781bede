#include "cli_unseal.h"

#define OUT_MAX ((size_t)1 << 20)

static int run(const struct cli_args *args)
{
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    if (cli_flag(args, "--schema")) {
        config_write_schema(&out);
    } else if (cli_flag(args, "--markdown")) {
        config_write_markdown(&out);
    } else if (cli_flag(args, "--example")) {
        config_write_example(&out);
    } else {
        AUTO_CONFIG struct config *config = NULL;
        struct err err = {0};
        if (cli_load_config(args, &config, &err) < 0) {
            return cli_fail(args, &err, CLI_CRITICAL);
        }
        config_dump(config, &out);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

const struct cli_command cmd_config = {
    .name = "config",
    .summary = "Print the effective configuration, secrets as ***",
    .words = "",
    .options = {CLI_OPTION_CONFIG,
                CLI_OPTION_STATE,
                CLI_OPTION_PASSPHRASE,
                {"--schema", NULL, "print the JSON Schema of the file instead"},
                {"--markdown", NULL, "print the reference of all options instead"},
                {"--example", NULL, "print a commented example file instead"}},
    .more = "",
    .exits = "  0  printed\n"
             "  2  the configuration cannot be used\n",
    .run = run,
};
