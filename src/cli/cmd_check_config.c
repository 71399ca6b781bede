#include "cli_check.h"
#include "cli_unseal.h"
#include "model/model_json.h"

#include <stdio.h>
#include <string.h>

static void add_json(const struct cli_check *check, const char *read, struct buf *text)
{
    struct json_out out = JSON_OUT(text);
    json_out_document(&out, "nightdesk.check_config/1");
    json_out_bool(&out, "ok", true);
    json_out_text(&out, "file", read);
    json_out_array(&out, "warnings");
    for (int i = 0; i < check->warning_count; i++) {
        json_out_object(&out, NULL);
        model_json_err(&out, &check->warnings[i]);
        json_out_end(&out);
    }
    json_out_end(&out);
    json_out_i64(&out, "warnings_more", check->warnings_more);
    json_out_end(&out);
    buf_add_char(text, '\n');
}

static int report(const struct cli_args *args, const struct config *config,
                  const struct cli_check *check)
{
    const char *read = config_path(config);
    AUTO_BUF struct buf out = BUF_INIT((size_t)64 * 1024);
    if (cli_flag(args, "--json")) {
        add_json(check, read, &out);
    } else if (read[0] == '\0') {
        buf_add_c(&out, "ok: no configuration file; the embedded defaults apply\n");
    } else {
        buf_addf(&out, "ok: %s\n", read);
    }
    cli_print(buf_str(&out));
    for (int i = 0; i < check->warning_count && !cli_flag(args, "--json"); i++) {
        (void)fprintf(stderr, "warning: ");
        (void)cli_fail(NULL, &check->warnings[i], CLI_FINE);
    }
    if (check->warnings_more > 0 && !cli_flag(args, "--json")) {
        (void)fprintf(stderr, "%d more warnings\n", check->warnings_more);
    }
    return CLI_FINE;
}

/* A reload checks as the user of the service, who may not read the key of the sealed secrets: then
 * everything else is checked. */
static int load(const struct cli_args *args, struct config **ret, struct config_problems *problems,
                struct err *err)
{
    struct config_options options = {.path = args->word_count > 0 ? args->word[0] : NULL};
    struct cli_unseal unseal;
    cli_unseal_init(&unseal, args);
    options.unseal = &unseal.unseal;
    int rc = config_load(&options, ret, problems, err);
    const char *key_file = unseal.unseal.key_file;
    if (rc < 0 && err->id == ERR_FILE_DENIED && key_file[0] != '\0' &&
        strncmp(err->context, key_file, strlen(key_file)) == 0) {
        (void)fprintf(stderr, "The sealed secrets are not checked: you may not read %s.\n",
                      key_file);
        options.unseal = NULL;
        options.without_secrets = true;
        *problems = (struct config_problems){0};
        rc = config_load(&options, ret, problems, err);
    }
    unseal_release(&unseal.unseal);
    return rc;
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    struct config_problems problems = {0};
    struct err err = {0};
    if (load(args, &config, &problems, &err) < 0) {
        for (int i = 1; i < problems.count && !cli_flag(args, "--json"); i++) {
            (void)fprintf(stderr, "also: %s: %s\n", err_info(problems.items[i].id)->code,
                          problems.items[i].context);
        }
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    struct cli_check check;
    const char *state_dir = cli_state_dir(args, config);
    if (cli_check(config, state_dir, &check) < 0 ||
        cli_check_databases(state_dir, &check.problem) < 0) {
        return cli_fail(args, &check.problem, CLI_CRITICAL);
    }
    return report(args, config, &check);
}

const struct cli_command cmd_check_config = {
    .name = "check-config",
    .summary = "Check a configuration file without starting anything",
    .words = "[FILE]",
    .words_max = 1,
    .options = {CLI_OPTION_JSON, CLI_OPTION_STATE, CLI_OPTION_PASSPHRASE},
    .more =
        "Without FILE it checks the file that `nightdesk run` would read: ./nightdesk.yaml, else\n"
        "/etc/nightdesk/nightdesk.yaml, else the embedded defaults. Like a start, it checks the\n"
        "options, the market files, the model, the state folder and its databases, the socket\n"
        "and your own commands; it creates and changes nothing.",
    .exits =
        "  0  valid; warnings name a model, files, commands or a socket that would be left out\n"
        "  2  not valid; each problem is reported with file:line:column\n",
    .run = run,
};
