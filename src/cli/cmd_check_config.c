#include "cli_internal.h"

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    struct config_problems problems = {0};
    struct err err = {0};
    const char *path = args->word_count > 0 ? args->word[0] : NULL;
    int rc = config_load(&(struct config_options){.path = path}, &config, &problems, &err);
    if (rc < 0) {
        for (int i = 1; i < problems.count && !cli_flag(args, "--json"); i++) {
            (void)fprintf(stderr, "also: %s: %s\n", err_info(problems.items[i].id)->code,
                          problems.items[i].context);
        }
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    const char *read = config_path(config);
    AUTO_BUF struct buf out = BUF_INIT(4096);
    if (cli_flag(args, "--json")) {
        buf_add_c(&out, "{\"ok\":true,\"file\":\"");
        buf_add_json(&out, str_c(read));
        buf_add_c(&out, "\"}\n");
    } else if (read[0] == '\0') {
        buf_add_c(&out, "ok: no configuration file; the embedded defaults are in force\n");
    } else {
        buf_addf(&out, "ok: %s\n", read);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

const struct cli_command cmd_check_config = {
    .name = "check-config",
    .summary = "Check a configuration file without starting anything",
    .words = "[FILE]",
    .words_max = 1,
    .options = {CLI_OPTION_JSON},
    .more = "Without FILE it checks what `nightdesk run` would read: ./nightdesk.yaml, else\n"
            "/etc/nightdesk/nightdesk.yaml, else the embedded defaults.",
    .exits = "  0  it can be used\n"
             "  2  it cannot; each problem is named with file:line:column\n",
    .run = run,
};
