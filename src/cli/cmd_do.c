#include "chat/render.h"
#include "cli_internal.h"
#include "command/quote.h"
#include "command/reply.h"

static void print_reply(const struct reply *reply)
{
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    render_text(reply, &(struct render_text_options){.buttons = false}, &text);
    cli_print(buf_str(&text));
}

static bool person_confirms(void)
{
    cli_print(STR_LIT("Confirm? [y/N] "));
    char answer[16];
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Sends the line and prints the answer. *ret_asks: the answer is the prompt of a
 * confirmation. */
static int ask_and_show(const struct cli_args *args, const struct config *config,
                        const struct cli_request *request, bool *ret_asks)
{
    *ret_asks = false;
    AUTO_BUF struct buf body = BUF_INIT(CLI_ANSWER_MAX);
    struct reply *answer = NULL;
    struct err refusal = {0}, err = {0};
    if (cli_ask(config, cli_find_state_dir(args, config), request, &body, &err) < 0 ||
        cli_read_answer(&body, &answer, &refusal, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_REPLY struct reply *reply = answer;
    if (cli_flag(args, "--json")) {
        cli_print(buf_str(&body));
    } else if (reply != NULL) {
        print_reply(reply);
    } else {
        (void)cli_fail(args, &refusal, CLI_REFUSED);
    }
    const struct err *failed = reply != NULL ? reply_get_error(reply) : &refusal;
    *ret_asks = failed != NULL && failed->id == ERR_CONFIRM_NEEDED && reply != NULL &&
                str_equal_c(json_str(reply_data(reply), "stage"), "confirm");
    return failed == NULL || failed->id == ERR_NONE ? CLI_FINE : CLI_REFUSED;
}

int cli_do_line(const struct cli_args *args, const char *line, const char *document)
{
    AUTO_CONFIG struct config *config = NULL;
    struct err err = {0};
    if (cli_load_config_without_secrets(args, &config, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    bool asks = false; /* for a confirmation */
    struct cli_request request = {.line = line,
                                  .confirm = cli_flag(args, "--yes"),
                                  .otp = cli_value(args, "--otp"),
                                  .document = document};
    int code = ask_and_show(args, config, &request, &asks);
    bool person = !cli_flag(args, "--json") && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (asks && person && person_confirms()) {
        request.confirm = true;
        code = ask_and_show(args, config, &request, &asks);
    }
    return code;
}

int cli_add_word(struct buf *line, const char *text, struct err *err)
{
    struct str word = str_c(text);
    size_t name = quote_name_size(word);
    buf_add_char(line, ' ');
    buf_add(line, word.ptr, name);
    return quote_add(line, str_n(word.ptr + name, word.len - name))
               ? 0
               : err_set(err, ERR_CLI_USAGE, "%.80s contains every kind of quotation mark", text);
}

static int run(const struct cli_args *args)
{
    struct err err = {0};
    AUTO_BUF struct buf line = BUF_INIT(CLI_LINE_MAX);
    /* A single word is a whole line, as in the chat; of several words, each is one value. */
    buf_add_c(&line, args->word[0]);
    for (int i = 1; i < args->word_count; i++) {
        if (cli_add_word(&line, args->word[i], &err) < 0) {
            return cli_fail(args, &err, CLI_CRITICAL);
        }
    }
    return cli_do_line(args, line.data, NULL);
}

const struct cli_command cmd_do = {
    .name = "do",
    .summary = "Run one command on the running daemon",
    .words = "COMMAND",
    .words_min = 1,
    .words_max = CLI_WORDS_MAX,
    .options = {{"--yes", NULL, "answer a confirmation prompt with yes"},
                {"--otp", "DIGITS", "the code of your authenticator app"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "COMMAND is a command as in the chat: nightdesk do \"restart demo\".\n"
        "You are identified by your uid: root and the daemon's own user are admin; others have\n"
        "the role of their uid in api.local_users. nightdesk do help lists your commands.\n"
        "After a second, the number of the run is printed on standard error: nightdesk do runs 12\n"
        "shows the outcome of run 12, also if this process ended before the answer.",
    .exits = "  0  done\n"
             "  1  refused, failed, or not confirmed\n"
             "  2  no daemon, or wrong usage\n",
    .run = run,
};
