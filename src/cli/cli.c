#include "cli/cli.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "chat/render.h"
#include "cli_unseal.h"
#include "io/file.h"
#include "model/model_json.h"
#include "ops/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

static const struct cli_command *const commands[] = {
    &cmd_run,     &cmd_demo,         &cmd_do,      &cmd_chat,       &cmd_watch,    &cmd_ask,
    &cmd_mcp,     &cmd_pair,         &cmd_otp,     &cmd_token,      &cmd_secret,   &cmd_venue,
    &cmd_release, &cmd_check_config, &cmd_config,  &cmd_auditlog,   &cmd_audit,    &cmd_report,
    &cmd_predict, &cmd_replay,       &cmd_train,   &cmd_indicators, &cmd_backtest, &cmd_import,
    &cmd_docs,    &cmd_demo_service, &cmd_version, &cmd_help,
};

/* ---------------------------------------------------------------- printing */

/* errno of the first write to standard output that failed; 0: none. */
static int output_error;

void cli_output_failed(int error)
{
    output_error = output_error == 0 ? error : output_error;
}

bool cli_output_ok(void)
{
    return output_error == 0;
}

void cli_print(struct str text)
{
    size_t done = 0;
    while (output_error == 0 && done < text.len) {
        ssize_t n = write(STDOUT_FILENO, text.ptr + done, text.len - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            cli_output_failed(n == 0 ? EIO : errno);
        }
    }
}

/* A reader that had enough, such as head, ends the program as it ends others: by SIGPIPE, without a
 * word. Where the parent ignores SIGPIPE, a closed pipe is an error like any other. */
static int finish(int code, bool dies_of_sigpipe)
{
    if (output_error == 0) {
        return code;
    }
    if (output_error == EPIPE && dies_of_sigpipe) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    struct err err = {0};
    (void)err_set(&err, ERR_CLI_OUTPUT, "%s", strerror(output_error));
    return cli_fail(NULL, &err, code > CLI_CRITICAL ? code : CLI_CRITICAL);
}

int cli_fail(const struct cli_args *args, const struct err *err, int code)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    if (args != NULL && cli_flag(args, "--json")) {
        struct json_out out = JSON_OUT(&text);
        json_out_document(&out, "nightdesk.error/1");
        model_json_err(&out, err);
        json_out_end(&out);
        buf_add_char(&text, '\n');
        cli_print(buf_str(&text));
        return code;
    }
    render_text_error(err, &text);
    (void)fprintf(stderr, "%s", text.data);
    return code;
}

static const char output_exit[] = "  2  also: standard output could not be written\n";

static void add_usage(const struct cli_command *c, struct buf *out)
{
    buf_addf(out, "Usage: nightdesk %s", c->name);
    if (c->options[0].name != NULL) {
        buf_add_c(out, " [OPTION]…");
    }
    if (c->words[0] != '\0') {
        buf_addf(out, " %s", c->words);
    }
    buf_add_char(out, '\n');
}

static void add_command_help(const struct cli_command *c, struct buf *out)
{
    add_usage(c, out);
    buf_addf(out, "\n%s.\n", c->summary);
    if (c->more[0] != '\0') {
        buf_addf(out, "\n%s\n", c->more);
    }
    buf_add_c(out, "\nOptions:\n");
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        char left[40];
        (void)snprintf(left, sizeof(left), "%s %s", c->options[i].name,
                       c->options[i].value == NULL ? "" : c->options[i].value);
        buf_addf(out, "  %-18s %s\n", left, c->options[i].help);
    }
    buf_addf(out, "  %-18s %s\n", "--help", "show this");
    buf_addf(out, "\nExit codes:\n%s%s", c->exits, output_exit);
}

void cli_print_help(const struct cli_command *command)
{
    AUTO_BUF struct buf out = BUF_INIT(16384);
    if (command != NULL) {
        add_command_help(command, &out);
    } else {
        buf_add_c(&out, "Usage: nightdesk SUBCOMMAND [OPTION]…\n\n"
                        "A trading bot that you operate from your phone, with an AI auditor on "
                        "the night desk.\n\nSubcommands:\n");
        for (size_t i = 0; i < COUNT_OF(commands); i++) {
            buf_addf(&out, "  %-14s %s\n", commands[i]->name, commands[i]->summary);
        }
        buf_add_c(&out, "\nMore about one: nightdesk help SUBCOMMAND, or its --help; -V prints "
                        "the version.\nStart with: nightdesk run\n");
    }
    cli_print(buf_str(&out));
}

/* ---------------------------------------------------------------- parsing */

static int option_index(const struct cli_command *c, struct str name)
{
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        if (str_equal_c(name, c->options[i].name)) {
            return i;
        }
    }
    return -1;
}

static int unknown_option(const struct cli_command *c, struct str name, struct err *err)
{
    const char *near = NULL;
    int best = 3;
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        int distance = str_distance(name, str_c(c->options[i].name));
        if (distance < best) {
            best = distance;
            near = c->options[i].name;
        }
    }
    return err_set(err, ERR_CLI_USAGE, "%s has no option %.*s%s%s%s", c->name, STR_ARG(name),
                   near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                   near != NULL ? "?" : "");
}

static int parse_option(struct cli_args *args, int argc, char **argv, int *at, struct err *err)
{
    struct str rest = str_c(argv[*at]);
    struct str name = rest;
    const char *equals = strchr(argv[*at], '=');
    if (equals != NULL) {
        name = str_n(argv[*at], (size_t)(equals - argv[*at]));
    }
    int index = option_index(args->command, name);
    if (index < 0) {
        return unknown_option(args->command, name, err);
    }
    if (args->command->options[index].value == NULL) {
        if (equals != NULL) {
            return err_set(err, ERR_CLI_USAGE, "%.*s takes no value", STR_ARG(name));
        }
        args->value[index] = "";
        return 0;
    }
    if (equals == NULL && *at + 1 >= argc) {
        return err_set(err, ERR_CLI_USAGE, "%.*s needs a value", STR_ARG(name));
    }
    if (args->given_count == CLI_GIVEN_MAX) {
        return err_set(err, ERR_CLI_USAGE, "more than %d options", CLI_GIVEN_MAX);
    }
    args->value[index] = equals != NULL ? equals + 1 : argv[++*at];
    args->given[args->given_count++] = (struct cli_given){index, args->value[index]};
    return 0;
}

/* argv[0] is the subcommand's name. */
static int parse(struct cli_args *args, int argc, char **argv, bool *ret_help, struct err *err)
{
    const struct cli_command *c = args->command;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            continue;
        }
        if (options && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            *ret_help = true;
            return 0;
        }
        if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            int rc = parse_option(args, argc, argv, &i, err);
            if (rc < 0) {
                return rc;
            }
            continue;
        }
        if (args->word_count >= c->words_max || args->word_count >= CLI_WORDS_MAX) {
            return err_set(err, ERR_CLI_USAGE, "%s does not take \"%.60s\"", c->name, argv[i]);
        }
        args->word[args->word_count++] = argv[i];
    }
    if (args->word_count < c->words_min) {
        return err_set(err, ERR_CLI_USAGE, "%s needs %s", c->name, c->words);
    }
    return 0;
}

const char *cli_value(const struct cli_args *args, const char *option)
{
    int index = option_index(args->command, str_c(option));
    return index < 0 ? NULL : args->value[index];
}

int cli_values(const struct cli_args *args, const char *option, const char **ret, int max)
{
    int index = option_index(args->command, str_c(option));
    int count = 0;
    for (int i = 0; i < args->given_count; i++) {
        if (args->given[i].option != index) {
            continue;
        }
        if (count < max) {
            ret[count] = args->given[i].value;
        }
        count++;
    }
    return count;
}

bool cli_flag(const struct cli_args *args, const char *option)
{
    return cli_value(args, option) != NULL;
}

int cli_number(const struct cli_args *args, const char *option, int64_t minimum, int64_t maximum,
               int64_t *ret, struct err *err)
{
    const char *text = cli_value(args, option);
    if (text == NULL) {
        return 0;
    }
    int64_t value;
    if (!str_to_i64(str_c(text), &value) || value < minimum || value > maximum) {
        return err_set(err, ERR_CLI_USAGE, "%s takes a whole number from %lld to %lld", option,
                       (long long)minimum, (long long)maximum);
    }
    *ret = value;
    return 0;
}

/* ---------------------------------------------------------------- configuration and state */

/* unseal NULL: without secrets. */
static int load_config(const struct cli_args *args, struct unseal *unseal, struct config **ret,
                       struct err *err)
{
    struct config_problems problems = {0};
    int rc = config_load(&(struct config_options){.path = cli_value(args, "--config"),
                                                  .without_secrets = unseal == NULL,
                                                  .unseal = unseal},
                         ret, &problems, err);
    for (int i = 1; rc < 0 && i < problems.count; i++) {
        (void)fprintf(stderr, "also: %s: %s\n", err_info(problems.items[i].id)->code,
                      problems.items[i].context);
    }
    if (rc < 0 && problems.more > 0) {
        (void)fprintf(stderr, "also: %d more\n", problems.more);
    }
    return rc;
}

int cli_load_config(const struct cli_args *args, struct config **ret, struct err *err)
{
    struct cli_unseal unseal;
    int rc = cli_load_config_unseal(args, &unseal, ret, err);
    unseal_release(&unseal.unseal);
    return rc;
}

int cli_load_config_unseal(const struct cli_args *args, struct cli_unseal *unseal,
                           struct config **ret, struct err *err)
{
    cli_unseal_init(unseal, args);
    return load_config(args, &unseal->unseal, ret, err);
}

int cli_load_config_without_secrets(const struct cli_args *args, struct config **ret,
                                    struct err *err)
{
    return load_config(args, NULL, ret, err);
}

const char *cli_state_dir(const struct cli_args *args, const struct config *config)
{
    return cli_folder(args, config->state_dir);
}

const char *cli_find_state_dir(const struct cli_args *args, const struct config *config)
{
    return cli_find_folder(args, config->state_dir);
}

const char *cli_folder(const struct cli_args *args, const char *configured)
{
    const char *given = cli_value(args, "--state");
    if (given != NULL && given[0] != '\0') {
        return given;
    }
    const char *systemd = getenv("STATE_DIRECTORY");
    return systemd != NULL && systemd[0] == '/' ? systemd : configured;
}

const char *cli_find_folder(const struct cli_args *args, const char *configured)
{
    static const char installed[] = "/var/lib/nightdesk";
    const char *dir = cli_folder(args, configured);
    AUTO_BUF struct buf here = BUF_INIT(4096);
    buf_addf(&here, "%s/" OPS_LOCK_NAME, dir);
    bool given = cli_value(args, "--state") != NULL || getenv("STATE_DIRECTORY") != NULL;
    return given || file_exists(here.data) || !file_exists(installed) ? dir : installed;
}

int cli_require_state(const char *state_dir, const char *file, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/%s", state_dir, file);
    if (!buf_failed(&path) && access(path.data, F_OK) < 0 && errno == EACCES) {
        return err_set(err, ERR_FILE_DENIED, "%s", path.data);
    }
    return !buf_failed(&path) && file_exists(path.data)
               ? 0
               : err_set(err, ERR_CLI_NO_STATE, "%s has no %s", state_dir, file);
}

/* ---------------------------------------------------------------- dispatch */

const struct cli_command *cli_command_at(size_t index)
{
    return index < COUNT_OF(commands) ? commands[index] : NULL;
}

const struct cli_command *cli_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

int cli_unknown(const char *name)
{
    const char *near = NULL;
    int best = 3;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        int distance = str_distance(str_c(name), str_c(commands[i]->name));
        if (distance < best) {
            best = distance;
            near = commands[i]->name;
        }
    }
    struct err err = {0};
    (void)err_set(&err, ERR_CLI_USAGE, "no subcommand %.60s%s%s%s", name,
                  near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                  near != NULL ? "?" : "");
    return cli_fail(NULL, &err, CLI_CRITICAL);
}

/* If the program is started with one of them closed, the next file opened gets its number, and a
 * message to standard error would be written into a database. For reading only: output to a closed
 * descriptor still fails. */
static void fill_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int dispatch(int argc, char **argv)
{
    int64_t started_us = clock_mono_us(clock_real());
    if (argc < 2) {
        cli_print_help(NULL);
        return CLI_CRITICAL;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    } else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    }
    struct cli_args args = {.command = cli_find(name), .started_mono_us = started_us};
    if (args.command == NULL) {
        return cli_unknown(name);
    }
    bool help = false;
    struct err err = {0};
    if (parse(&args, argc - 1, argv + 1, &help, &err) < 0) {
        return cli_fail(&args, &err, CLI_CRITICAL);
    }
    if (help) {
        cli_print_help(args.command);
        return CLI_FINE;
    }
    return args.command->run(&args);
}

int cli_main(int argc, char **argv)
{
    fill_standard_descriptors();
    output_error = 0;
    /* One-shot subcommands report through their output; the daemon sets its own level. */
    log_set_level(LOG_LEVEL_WARNING);
    /* A closed peer is an error of one write and must not end the program. */
    bool dies_of_sigpipe = signal(SIGPIPE, SIG_IGN) == SIG_DFL;
    return finish(dispatch(argc, argv), dies_of_sigpipe);
}
