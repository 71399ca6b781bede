#include "api/openapi.h"
#include "cli_actions.h"
#include "cli_internal.h"
#include "cli_man.h"
#include "command/builtin.h"
#include "command/manifest.h"

#define OUT_MAX ((size_t)1 << 20)

/* What is written from the manifests. */
static int add_commands(const struct action_table *table,
                        void (*write)(const struct manifest_list *list, struct buf *out),
                        struct buf *out, struct err *err)
{
    struct manifest_list *list = NULL;
    int rc = manifest_list_load(table, &list, err);
    if (rc == 0) {
        write(list, out);
    }
    manifest_list_free(list);
    return rc;
}

static int run(const struct cli_args *args)
{
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    struct err err = {0};
    struct builtin builtin = {0};
    struct action_table *table = cli_actions(&builtin);
    int rc = 0;
    const char *what = args->word[0];
    if (strcmp(what, "errors") == 0) {
        err_catalogue_markdown(&out);
    } else if (strcmp(what, "commands") == 0) {
        rc = add_commands(table, manifest_markdown, &out, &err);
    } else if (strcmp(what, "actions") == 0) {
        action_markdown(table, &out);
    } else if (strcmp(what, "api") == 0) {
        api_markdown(&out);
    } else if (strcmp(what, "config") == 0) {
        config_write_markdown(&out);
    } else if (strcmp(what, "man") == 0) {
        cli_man(&out);
    } else if (strcmp(what, "man-config") == 0) {
        config_write_man(&out);
    } else if (strcmp(what, "bash") == 0) {
        rc = add_commands(table, cli_complete_bash, &out, &err);
    } else if (strcmp(what, "zsh") == 0) {
        rc = add_commands(table, cli_complete_zsh, &out, &err);
    } else {
        rc = err_set(&err, ERR_CLI_USAGE, "docs takes %s", args->command->words);
    }
    action_table_free(table);
    if (rc < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

const struct cli_command cmd_docs = {
    .name = "docs",
    .summary = "Print a reference page, manual page or completion, from the program's tables",
    .words = "errors|commands|actions|api|config|man|man-config|bash|zsh",
    .words_min = 1,
    .words_max = 1,
    .more =
        "errors, commands, actions, api and config are Markdown; man is nightdesk(1) and\n"
        "man-config nightdesk.yaml(5); bash and zsh are files for the completion of these shells.",
    .exits = "  0  printed\n"
             "  2  wrong usage\n",
    .run = run,
};
