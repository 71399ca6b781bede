#include "base/check.h"
#include "cli_internal.h"
#include "cli_man.h"
#include "command/manifest.h"

#include <ctype.h>

static bool takes_file(const char *value)
{
    return value != NULL && strcmp(value, "FILE") == 0;
}

static bool takes_folder(const char *value)
{
    return value != NULL && strcmp(value, "DIR") == 0;
}

/* The words that a subcommand chooses from: "verify show" of "verify|show FILE"; nothing for
 * "FILE". */
static void add_choices(const struct cli_command *c, struct buf *out)
{
    struct str rest = str_c(c->words);
    struct str first, word;
    if (c == &cmd_help) {
        for (size_t i = 0; cli_command_at(i) != NULL; i++) {
            buf_addf(out, "%s%s", i > 0 ? " " : "", cli_command_at(i)->name);
        }
        return;
    }
    if (!str_word(&rest, &first) || !islower((unsigned char)first.ptr[0])) {
        return;
    }
    for (int i = 0; first.len > 0 && str_split(&first, '|', &word); i++) {
        buf_addf(out, "%s%.*s", i > 0 ? " " : "", STR_ARG(word));
    }
}

/* The commands of the chat that `do` runs, and, for one of them, the words that its arguments
 * choose from. */
static void add_chat_commands(const struct manifest_list *list, struct buf *out)
{
    const struct manifest *m;
    const char *gap = "";
    for (size_t i = 0; (m = manifest_at(list, i)) != NULL; i++) {
        if (manifest_is_visible(m, CHANNEL_SOCKET)) {
            buf_addf(out, "%s%s", gap, m->name);
            gap = " ";
        }
    }
}

static void add_chat_choices(const struct manifest *m, struct buf *out)
{
    for (int i = 0; i < m->arg_count; i++) {
        for (const struct action_param *p = &m->args[i].rule; p != NULL; p = p->otherwise) {
            struct str rest = str_c(p->choices), word;
            while (str_split(&rest, '|', &word)) {
                buf_addf(out, "%.*s ", STR_ARG(word));
            }
            buf_add_c(out, p->type == PARAM_SYMBOL_OR_ALL ? "all " : "");
        }
    }
}

/* ---------------------------------------------------------------- bash */

static void bash_values(struct buf *out, const char *action, bool (*takes)(const char *))
{
    bool any = false;
    for (size_t k = 0; cli_command_at(k) != NULL; k++) {
        const struct cli_command *c = cli_command_at(k);
        for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
            if (takes(c->options[i].value)) {
                buf_addf(out, "%s%s:%s", any ? " | " : "    ", c->name, c->options[i].name);
                any = true;
            }
        }
    }
    buf_addf(out, ")\n        _nightdesk_add %s ;;\n", action);
}

static bool takes_other(const char *value)
{
    return value != NULL && !takes_file(value) && !takes_folder(value);
}

static void bash_command(struct buf *out, const struct cli_command *c)
{
    if (c == &cmd_do) {
        buf_addf(out, "    %s) _nightdesk_chat ;;\n", c->name);
        return;
    }
    buf_addf(out, "    %s) _nightdesk_add -W \"", c->name);
    add_choices(c, out);
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        buf_addf(out, " %s", c->options[i].name);
    }
    buf_addf(out, " --help\"%s ;;\n",
             strstr(c->words, "FILE") != NULL ? "; _nightdesk_add -f" : "");
}

/* The command is the first word that is neither an option nor the value of one. */
static void bash_chat(struct buf *out, const struct manifest_list *list)
{
    const struct cli_command *c = &cmd_do;
    const struct manifest *m;
    buf_add_c(out, "_nightdesk_chat() {\n    local i command=\n"
                   "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
                   "        case ${COMP_WORDS[i]} in\n        ");
    const char *gap = "";
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        if (c->options[i].value != NULL) {
            buf_addf(out, "%s%s", gap, c->options[i].name);
            gap = " | ";
        }
    }
    buf_add_c(out, ") ((i++)) ;;\n        -*) ;;\n"
                   "        *) command=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n"
                   "    _nightdesk_add -W \"");
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        buf_addf(out, "%s ", c->options[i].name);
    }
    buf_add_c(out, "--help\"\n    case $command in\n    '') _nightdesk_add -W \"");
    add_chat_commands(list, out);
    buf_add_c(out, "\" ;;\n");
    for (size_t i = 0; (m = manifest_at(list, i)) != NULL; i++) {
        AUTO_BUF struct buf choices = BUF_INIT(4096);
        add_chat_choices(m, &choices);
        if (choices.len > 0 && manifest_is_visible(m, CHANNEL_SOCKET)) {
            buf_addf(out, "    %s) _nightdesk_add -W \"%s\" ;;\n", m->name, choices.data);
        }
    }
    buf_add_c(out, "    esac\n}\n");
}

void cli_complete_bash(const struct manifest_list *list, struct buf *out)
{
    buf_add_c(out, "# bash completion for nightdesk, generated from its tables of subcommands and "
                   "commands\n"
                   "_nightdesk_add() {\n"
                   "    local word\n"
                   "    while IFS= read -r word; do\n"
                   "        COMPREPLY+=(\"$word\")\n"
                   "    done < <(compgen \"$@\" -- \"$cur\")\n"
                   "}\n"
                   "_nightdesk() {\n"
                   "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                   "    COMPREPLY=()\n"
                   "    compopt -o filenames 2> /dev/null\n"
                   "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                   "        _nightdesk_add -W \"");
    for (size_t i = 0; cli_command_at(i) != NULL; i++) {
        buf_addf(out, "%s ", cli_command_at(i)->name);
    }
    buf_add_c(out, "--help --version\"\n        return\n    fi\n"
                   "    case ${COMP_WORDS[1]}:$prev in\n");
    bash_values(out, "-f", takes_file);
    bash_values(out, "-d", takes_folder);
    bash_values(out, "-W \"\"", takes_other);
    buf_add_c(out, "    *) _nightdesk_words ;;\n    esac\n}\n"
                   "_nightdesk_words() {\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; cli_command_at(i) != NULL; i++) {
        bash_command(out, cli_command_at(i));
    }
    buf_add_c(out, "    esac\n}\n");
    bash_chat(out, list);
    buf_add_c(out, "complete -F _nightdesk nightdesk\n");
}

/* ---------------------------------------------------------------- zsh */

/* Inside single quotes, where _arguments and _describe take brackets and colons for themselves. */
static void zsh_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_add_c(out, "'\\''");
        } else {
            buf_addf(out, "%s%c", strchr("[]:\\", *text) != NULL ? "\\" : "", *text);
        }
    }
}

static void zsh_option(struct buf *out, const struct cli_option *o)
{
    buf_addf(out, " \\\n            '*%s%s[", o->name, o->value != NULL ? "=" : "");
    zsh_text(out, o->help);
    buf_add_char(out, ']');
    if (o->value != NULL) {
        buf_addf(out, ":%s:%s", o->value,
                 takes_file(o->value)     ? "_files"
                 : takes_folder(o->value) ? "_files -/"
                                          : " ");
    }
    buf_add_char(out, '\'');
}

static void zsh_command(struct buf *out, const struct cli_command *c,
                        const struct manifest_list *list)
{
    AUTO_BUF struct buf choices = BUF_INIT(8192);
    if (c == &cmd_do) {
        add_chat_commands(list, &choices);
    } else {
        add_choices(c, &choices);
    }
    buf_addf(out, "    %s)\n        _arguments '--help[show this]'", c->name);
    for (int i = 0; i < CLI_OPTIONS_MAX && c->options[i].name != NULL; i++) {
        zsh_option(out, &c->options[i]);
    }
    if (choices.len > 0) {
        buf_addf(out, " \\\n            '1:word:(%s)'", choices.data);
    }
    if (strstr(c->words, "FILE") != NULL) {
        buf_add_c(out, " \\\n            '*:file:_files'");
    }
    buf_add_c(out, "\n        ;;\n");
}

void cli_complete_zsh(const struct manifest_list *list, struct buf *out)
{
    buf_add_c(out, "#compdef nightdesk\n"
                   "# zsh completion for nightdesk, generated from its tables of subcommands and "
                   "commands\n"
                   "local -a subcommands\nsubcommands=(\n");
    for (size_t i = 0; cli_command_at(i) != NULL; i++) {
        buf_addf(out, "    '%s:", cli_command_at(i)->name);
        zsh_text(out, cli_command_at(i)->summary);
        buf_add_c(out, "'\n");
    }
    buf_add_c(out, ")\nif (( CURRENT == 2 )); then\n"
                   "    _describe subcommand subcommands\n    return\nfi\n"
                   "shift words\n(( CURRENT-- ))\ncase $words[1] in\n");
    for (size_t i = 0; cli_command_at(i) != NULL; i++) {
        zsh_command(out, cli_command_at(i), list);
    }
    buf_add_c(out, "esac\n");
}
