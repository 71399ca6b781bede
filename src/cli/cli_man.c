#include "cli_man.h"

#include "base/roff.h"
#include "cli_internal.h"

static void add_option(struct buf *out, const struct cli_option *o)
{
    char tag[64];
    (void)snprintf(tag, sizeof(tag), "%s%s%s", o->name, o->value != NULL ? " " : "",
                   o->value != NULL ? o->value : "");
    roff_tag(out, tag);
    roff_add(out, o->help);
}

/* "  1  refused" begins a code, "     or failed" continues its text. */
static void add_exits(struct buf *out, const char *exits)
{
    struct str rest = str_c(exits);
    struct str line;
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        bool begins = line.len > 5 && line.ptr[2] >= '0' && line.ptr[2] <= '9';
        AUTO_BUF struct buf text = BUF_INIT(1024);
        if (begins) {
            char code[2] = {line.ptr[2], '\0'};
            roff_tag(out, code);
            line = str_n(line.ptr + 3, line.len - 3);
        }
        buf_add_str(&text, str_trim(line));
        roff_add(out, text.data);
    }
}

static void add_command(struct buf *out, const struct cli_command *c)
{
    AUTO_BUF struct buf usage = BUF_INIT(256);
    AUTO_BUF struct buf summary = BUF_INIT(512);
    roff_subsection(out, c->name);
    buf_addf(&usage, "nightdesk %s%s %s", c->name, c->options[0].name != NULL ? " [OPTION]..." : "",
             c->words);
    buf_add_c(out, ".B ");
    roff_add(out, usage.data);
    buf_add_c(out, ".PP\n");
    buf_addf(&summary, "%s.", c->summary);
    roff_add(out, summary.data);
    if (c->more[0] != '\0') {
        buf_add_c(out, ".PP\n");
        roff_add(out, c->more);
    }
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        add_option(out, &c->options[i]);
    }
    buf_add_c(out, ".PP\nExit status:\n");
    add_exits(out, c->exits);
}

void cli_man(struct buf *out)
{
    roff_head(out, "nightdesk", 1, "a trading bot that you operate from your phone");
    roff_section(out, "SYNOPSIS");
    buf_add_c(out, ".B nightdesk\n\\fISUBCOMMAND\\fR [\\fIOPTION\\fR]...\n");
    roff_section(out, "DESCRIPTION");
    roff_add(out,
             "A trading engine, a chat over Telegram or in the terminal, and an auditor in one "
             "process. It trades with play money until a venue is configured. Start with "
             "nightdesk demo, or with nightdesk run.\n\nEvery subcommand also has --help.");
    roff_section(out, "SUBCOMMANDS");
    for (size_t i = 0; cli_command_at(i) != NULL; i++) {
        add_command(out, cli_command_at(i));
    }
    roff_section(out, "EXIT STATUS");
    roff_add(out, "Each subcommand lists its own above. In addition, every subcommand exits with 2 "
                  "if standard output could not be written, and ends by SIGPIPE if the reader of a "
                  "pipe closed it.");
    roff_section(out, "FILES");
    roff_tag(out, "./nightdesk.yaml, /etc/nightdesk/nightdesk.yaml");
    roff_add(out, "The configuration: the first that exists. Without one the defaults apply.");
    roff_tag(out, "/var/lib/nightdesk");
    roff_add(out, "The state folder of the installed service.");
    roff_tag(out, "secrets.sealed, secrets.key");
    roff_add(out, "In the state folder: the secrets that nightdesk secret has sealed, and their "
                  "key, which for the installed service is "
                  "/etc/credstore/nightdesk.secrets.key.");
    roff_section(out, "ENVIRONMENT");
    roff_tag(out, "TELEGRAM_BOT_TOKEN, CLAUDE_API_KEY");
    roff_add(out, "Secrets, read by the default configuration. Sealed secrets of these names "
                  "(nightdesk secret) do the same.");
    roff_tag(out, "STATE_DIRECTORY, CREDENTIALS_DIRECTORY");
    roff_add(out, "Set by systemd: the state folder, and a folder with a file per secret.");
    roff_section(out, "SEE ALSO");
    buf_add_c(out, ".BR nightdesk.yaml (5),\n.BR systemctl (1)\n");
}
