#include "base/check.h"
#include "cli_unseal.h"
#include "io/file.h"
#include "io/yaml.h"

#include <string.h>

#define OUT_MAX ((size_t)1 << 20)

/* ---------------------------------------------------------------- what the file says */

static int print_file(const struct cli_args *args)
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

/* ---------------------------------------------------------------- commands of the daemon */

/* A word of the command line, and the operator command that it stands for. */
static const struct verb {
    const char *word;
    const char *command;
    int least; /* words that follow */
    int most;
    bool file;    /* the first of them may be a file, whose text is sent */
    bool changes; /* takes --why */
    bool rest;    /* the words behind the first are one value, as it is */
    const char *usage;
} verbs[] = {
    {"get", "config_get", 0, 1, false, false, false, "get [OPTION]"},
    {"set", "config_set", 2, CLI_WORDS_MAX, false, true, true, "set OPTION VALUE"},
    {"diff", "config_diff", 0, 2, true, false, false, "diff [FILE, or VERSION [OTHER]]"},
    {"validate", "config_validate", 0, 1, true, false, false, "validate [FILE]"},
    {"apply", "config_apply", 1, 1, true, true, false, "apply FILE"},
    {"history", "config_history", 0, 1, false, false, false, "history [VERSION]"},
    {"rollback", "config_rollback", 1, 1, false, true, false, "rollback VERSION"},
};

static const struct verb *find_verb(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (strcmp(word, verbs[i].word) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* A version is a number; everything else is the name of a file. */
static bool names_file(const struct verb *verb, const struct cli_args *args)
{
    return verb->file && args->word_count > 1 &&
           args->word[1][strspn(args->word[1], "0123456789")] != '\0';
}

static int add_why(const struct verb *verb, const char *why, struct buf *line, struct err *err)
{
    AUTO_BUF struct buf word = BUF_INIT(CLI_LINE_MAX);
    if (why == NULL) {
        return 0;
    }
    if (!verb->changes) {
        return err_set(err, ERR_CLI_USAGE, "--why is for set, apply and rollback");
    }
    if (verb->rest) {
        buf_addf(line, " because %s", why);
        return 0;
    }
    buf_addf(&word, "why=%s", why);
    return cli_add_word(line, word.data, err);
}

/* The line of the operator command, and the text that goes with it. */
static int make_line(const struct cli_args *args, const struct verb *verb, struct buf *line,
                     struct buf *text, struct err *err)
{
    int count = args->word_count - 1;
    int first = names_file(verb, args) ? 2 : 1;
    if (count < verb->least || count > verb->most) {
        return err_set(err, ERR_CLI_USAGE, "nightdesk config %s", verb->usage);
    }
    int rc = first == 2 ? file_read(args->word[1], text, err) : 0;
    buf_add_c(line, verb->command);
    for (int i = first; rc == 0 && i < args->word_count; i++) {
        if (verb->rest && i > 1) {
            buf_addf(line, " %s", args->word[i]);
        } else {
            rc = cli_add_word(line, args->word[i], err);
        }
    }
    rc = rc < 0 ? rc : add_why(verb, cli_value(args, "--why"), line, err);
    return rc == 0 && buf_failed(line) ? err_set(err, ERR_CLI_USAGE, "the command is too long")
                                       : rc;
}

static int run(const struct cli_args *args)
{
    AUTO_BUF struct buf line = BUF_INIT(CLI_LINE_MAX), text = BUF_INIT(YAML_MAX_BYTES);
    struct err err = {0};
    if (args->word_count == 0) {
        return print_file(args);
    }
    const struct verb *verb = find_verb(args->word[0]);
    if (verb == NULL) {
        (void)err_set(&err, ERR_CLI_USAGE,
                      "config %.40s: one of get, set, diff, validate, apply, history, rollback",
                      args->word[0]);
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (make_line(args, verb, &line, &text, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    return cli_do_line(args, line.data, names_file(verb, args) ? text.data : NULL);
}

const struct cli_command cmd_config = {
    .name = "config",
    .summary = "Print the effective configuration, secrets as ***; or change it",
    .words = "[get|set|diff|validate|apply|history|rollback …]",
    .words_max = CLI_WORDS_MAX,
    .options = {CLI_OPTION_CONFIG,
                CLI_OPTION_STATE,
                CLI_OPTION_PASSPHRASE,
                {"--schema", NULL, "print the JSON Schema of the file instead"},
                {"--markdown", NULL, "print the reference of all options instead"},
                {"--example", NULL, "print a commented example file instead"},
                {"--why", "TEXT", "the reason of a change, for the history"},
                {"--yes", NULL, "answer a confirmation prompt with yes"},
                {"--otp", "DIGITS", "the code of your authenticator app"},
                CLI_OPTION_JSON},
    .more = "Without a word it prints what the file says. The words ask the running daemon, as in\n"
            "the chat:\n"
            "  get [OPTION]          an option, a group, or what differs from the defaults\n"
            "  set OPTION VALUE      changes the file, whose comments stay, and applies it\n"
            "  diff [FILE]           what the file would change\n"
            "  diff VERSION [OTHER]  between two versions of the history, or to what runs\n"
            "  validate [FILE]       every mistake\n"
            "  apply FILE            replaces the file; *** keeps the secret of now\n"
            "  history [VERSION]     who changed what, when and why\n"
            "  rollback VERSION      the file of that version, comments and all",
    .exits = "  0  printed, or done\n"
             "  1  refused, failed, or not confirmed\n"
             "  2  the configuration cannot be used, no daemon, or wrong usage\n",
    .run = run,
};
