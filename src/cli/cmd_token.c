#include "base/check.h"
#include "cli_internal.h"
#include "command/quote.h"

#include <string.h>

/* Appends " name=value", quoted. */
static int add_value(const char *name, const char *value, struct buf *line, struct err *err)
{
    buf_addf(line, " %s=", name);
    return quote_add(line, str_c(value))
               ? 0
               : err_set(err, ERR_CLI_USAGE, "%.80s contains every kind of quotation mark", value);
}

static int add_create(const struct cli_args *args, struct buf *line, struct err *err)
{
    static const char *const names[] = {"role", "name", "expires", "ip", "commands"};
    int rc = 0;
    buf_add_c(line, "token_create");
    for (size_t i = 0; rc == 0 && i < COUNT_OF(names); i++) {
        char option[16];
        (void)snprintf(option, sizeof(option), "--%s", names[i]);
        const char *value = cli_value(args, option);
        if (value == NULL && i < 2) {
            rc = err_set(err, ERR_CLI_USAGE, "token create needs --role and --name");
        } else if (value != NULL && value[0] == '\0') {
            rc = err_set(err, ERR_CLI_USAGE, "%s is empty", option);
        } else if (value != NULL) {
            rc = add_value(names[i], value, line, err);
        }
    }
    return rc;
}

static int add_revoke(const struct cli_args *args, struct buf *line, struct err *err)
{
    const char *name = args->word_count > 1 ? args->word[1] : cli_value(args, "--name");
    if (name == NULL || name[0] == '\0') {
        return err_set(err, ERR_CLI_USAGE, "token revoke needs the name of a token");
    }
    buf_add_c(line, "token_revoke");
    return add_value("name", name, line, err);
}

static int write_line(const struct cli_args *args, struct buf *line, struct err *err)
{
    const char *what = args->word[0];
    if (args->word_count > 1 && strcmp(what, "revoke") != 0) {
        return err_set(err, ERR_CLI_USAGE, "token %.20s does not take \"%.60s\"", what,
                       args->word[1]);
    }
    if (strcmp(what, "create") == 0) {
        return add_create(args, line, err);
    }
    if (strcmp(what, "revoke") == 0) {
        return add_revoke(args, line, err);
    }
    buf_add_c(line, "tokens");
    return strcmp(what, "list") == 0
               ? 0
               : err_set(err, ERR_CLI_USAGE, "token %.40s; it takes create, list or revoke", what);
}

static int run(const struct cli_args *args)
{
    AUTO_BUF struct buf line = BUF_INIT(CLI_LINE_MAX);
    struct err err = {0};
    return write_line(args, &line, &err) < 0 ? cli_fail(args, &err, CLI_CRITICAL)
                                             : cli_do_line(args, line.data, NULL);
}

const struct cli_command cmd_token = {
    .name = "token",
    .summary = "Tokens of the API: make one, list them, revoke one",
    .words = "create|list|revoke [NAME]",
    .words_min = 1,
    .words_max = 2,
    .options = {{"--role", "ROLE", "create: read_only, operator or admin"},
                {"--name", "NAME", "create: its name in the logs; nobody else has it"},
                {"--expires", "TIME", "create: valid for so long, such as 90d (default: for good)"},
                {"--ip", "LIST", "create: only from these addresses or networks"},
                {"--commands", "LIST", "create: only these commands, with * and ?"},
                {"--yes", NULL, "revoke: answer the confirmation prompt with yes"},
                {"--otp", "DIGITS", "the code of your authenticator app"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "A token lets a program use the API over TCP, under a name and a role of its own:\n"
        "  nightdesk token create --role read_only --name grafana --expires 90d --ip 10.1.2.3\n"
        "It is printed once; nightdesk keeps only a hash of it. Only root and the user that runs\n"
        "the daemon may make one. LIST is separated by commas. A token that is revoked is refused\n"
        "at its next request.",
    .exits = "  0  done\n"
             "  1  refused, failed, or not confirmed\n"
             "  2  no daemon, or wrong usage\n",
    .run = run,
};
