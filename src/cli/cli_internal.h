/*
 * cli_internal.h: types and functions shared by the subcommands.
 *
 *     static int run(const struct cli_args *args) { ... return CLI_FINE; }
 *     const struct cli_command cmd_version = {.name = "version", ..., .run = run};
 *
 * Thread: main.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "cli/cli.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

#define CLI_OPTIONS_MAX 16
#define CLI_WORDS_MAX   64
#define CLI_GIVEN_MAX   64
#define CLI_LINE_MAX    ((size_t)16 * 1024)
#define CLI_BODY_MAX    ((size_t)64 * 1024) /* that the API takes */
#define CLI_ANSWER_MAX  ((size_t)1 << 20)

struct cli_option {
    const char *name;  /* "--state" */
    const char *value; /* name of its value in the help; NULL: a flag */
    const char *help;
};

#define CLI_OPTION_CONFIG                                                      \
    {                                                                          \
        "--config", "FILE", "configuration file (default: see nightdesk.yaml)" \
    }
#define CLI_OPTION_STATE                                                \
    {                                                                   \
        "--state", "DIR", "state folder (default: state.dir, else var)" \
    }
#define CLI_OPTION_JSON              \
    {                                \
        "--json", NULL, "print JSON" \
    }

struct cli_args;
struct reply;
struct cli_unseal;

struct cli_command {
    const char *name;
    const char *summary;
    const char *words; /* "COMMAND [ARGUMENT]…" or "" */
    int words_min;
    int words_max;
    struct cli_option options[CLI_OPTIONS_MAX]; /* terminated by a NULL name */
    const char *more;                           /* paragraphs of its help; "" if none */
    const char *exits;                          /* lines "  0  …" */
    int (*run)(const struct cli_args *args);
};

struct cli_args {
    const struct cli_command *command;
    const char *value[CLI_OPTIONS_MAX]; /* by index of the option; "" for a flag; NULL: not given */
    int given_count;
    struct cli_given { /* every value, in the order of the command line */
        int option;    /* its index */
        const char *value;
    } given[CLI_GIVEN_MAX];
    const char *word[CLI_WORDS_MAX];
    int word_count;
    int64_t started_mono_us;
};

extern const struct cli_command cmd_run, cmd_do, cmd_check_config, cmd_config, cmd_auditlog,
    cmd_audit, cmd_report, cmd_demo, cmd_predict, cmd_replay, cmd_train, cmd_indicators,
    cmd_backtest, cmd_import, cmd_chat, cmd_watch, cmd_mcp, cmd_ask, cmd_pair, cmd_otp, cmd_token,
    cmd_secret, cmd_venue, cmd_release, cmd_docs, cmd_demo_service, cmd_version, cmd_help;

const char *cli_value(const struct cli_args *args, const char *option); /* NULL: not given */
bool cli_flag(const struct cli_args *args, const char *option);
/* The values of a repeatable option: returns their count and fills in the first max of them. */
int cli_values(const struct cli_args *args, const char *option, const char **ret, int max);
/* A value in minimum..maximum. *ret is not changed if the option was not given. */
int cli_number(const struct cli_args *args, const char *option, int64_t minimum, int64_t maximum,
               int64_t *ret, struct err *err);

/* Prints the error (as JSON on stdout with --json, if the subcommand has that option) and returns
 * code. */
int cli_fail(const struct cli_args *args, const struct err *err, int code);
const struct cli_command *
cli_command_at(size_t index);                         /* in the order of the help; NULL: no more */
const struct cli_command *cli_find(const char *name); /* NULL: there is no such subcommand */
int cli_unknown(const char *name); /* reports that, with the nearest; returns CLI_CRITICAL */
/* Prints the help of one subcommand, or the list of all if NULL. */
void cli_print_help(const struct cli_command *command);
/* Writes all bytes to stdout. After a write that failed it does nothing; cli_main reports that and
 * exits with CLI_CRITICAL at least, or ends by SIGPIPE if the reader closed a pipe. */
void cli_print(struct str text);
/* False after a write that failed: a long list can stop. */
bool cli_output_ok(void);
/* Output was lost that cli_print did not write; error is its errno. */
void cli_output_failed(int error);

/* Loads --config, or the default. On failure it returns a negative id; *err has the first problem,
 * the others are printed to stderr. */
int cli_load_config(const struct cli_args *args, struct config **ret, struct err *err);
/* The same for subcommands that use no secret: one whose variable is not set is no problem. */
int cli_load_config_without_secrets(const struct cli_args *args, struct config **ret,
                                    struct err *err);
/* The same as cli_load_config, with what later loads need: the caller keeps unseal. */
int cli_load_config_unseal(const struct cli_args *args, struct cli_unseal *unseal,
                           struct config **ret, struct err *err);
/* --state, else systemd's $STATE_DIRECTORY, else state.dir. */
const char *cli_state_dir(const struct cli_args *args, const struct config *config);
/* For subcommands that use a daemon's state: as cli_state_dir, but the installed unit's folder if
 * no daemon has run there and neither --state nor $STATE_DIRECTORY is given. */
const char *cli_find_state_dir(const struct cli_args *args, const struct config *config);
/* The same before the configuration is read; configured is state.dir. */
const char *cli_folder(const struct cli_args *args, const char *configured);
const char *cli_find_folder(const struct cli_args *args, const char *configured);
/* For subcommands that only read: ERR_CLI_NO_STATE unless file ("trading.db", "ops.db") exists. */
int cli_require_state(const char *state_dir, const char *file, struct err *err);

/* Runs one command line on the daemon; *ret_body is its JSON answer. ERR_CLI_NO_DAEMON if no daemon
 * listens, ERR_CLI_SOCKET_DENIED if its socket may not be used. */
struct cli_request {
    const char *line;
    bool confirm;         /* answers a confirmation with yes */
    const char *otp;      /* the code of the second factor; NULL: none */
    const char *document; /* a text that the command takes; NULL: none */
};
int cli_ask(const struct config *config, const char *state_dir, const struct cli_request *request,
            struct buf *ret_body, struct err *err);
/* The URL of the request and its body. */
int cli_ask_write(const struct cli_request *request, struct buf *url, struct buf *json,
                  struct err *err);
/* Runs one command line on the daemon and prints its answer; returns the exit code. document: a
 * text that the command takes; NULL: none. */
int cli_do_line(const struct cli_args *args, const char *line, const char *document);
/* Adds a word of the command line as one value of the line of an operator command. */
int cli_add_word(struct buf *line, const char *word, struct err *err);
/* Parses the answer: *ret_reply (the caller frees it), or *ret_refusal if the command was refused.
 * The body is the reply afterwards, also of a command that has failed, which the API answers with a
 * problem around it. */
int cli_read_answer(struct buf *body, struct reply **ret_reply, struct err *ret_refusal,
                    struct err *err);
