#include "base/buf.h"
#include "base/check.h"
#include "cli/cli.h"
#include "io/file.h"
#include "io/json.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#define OUT_MAX ((size_t)2 << 20)

/* Runs a command line with its output in files; each text is appended to its buffer. */
struct run {
    struct buf out;
    struct buf err;
    int code;
};

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)str_copy(str_c("/var/tmp/nd-cli.XXXXXX"), folder, sizeof(folder));
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static void run_release(struct run *r)
{
    buf_release(&r->out);
    buf_release(&r->err);
}
#define AUTO_RUN AUTO(run_release)

static void run(struct run *r, const char *const *words)
{
    char out_path[96], err_path[96];
    (void)snprintf(out_path, sizeof(out_path), "%s/out", folder);
    (void)snprintf(err_path, sizeof(err_path), "%s/err", folder);
    const char *argv[16] = {"nightdesk"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = words[argc - 1];
    }
    (void)fflush(NULL);
    int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
    int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int err = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(out >= 0 && err >= 0);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(err, STDERR_FILENO);
    r->code = cli_main(argc, (char **)(uintptr_t)argv);
    (void)fflush(NULL);
    (void)dup2(saved_out, STDOUT_FILENO);
    (void)dup2(saved_err, STDERR_FILENO);
    (void)close(saved_out);
    (void)close(saved_err);
    (void)close(out);
    (void)close(err);
    buf_init(&r->out, OUT_MAX);
    buf_init(&r->err, OUT_MAX);
    assert_int_equal(file_read(out_path, &r->out, NULL), 0);
    assert_int_equal(file_read(err_path, &r->err, NULL), 0);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void wrong_usage_exits_with_2_and_names_the_nearest(void **state)
{
    (void)state;
    AUTO_RUN struct run a = {0}, b = {0}, c = {0}, d = {0};
    run(&a, WORDS("rnu"));
    assert_int_equal(a.code, CLI_CRITICAL);
    assert_non_null(strstr(a.err.data, "CLI_USAGE"));
    assert_non_null(strstr(a.err.data, "did you mean run?"));
    run(&b, WORDS("run", "--confg", "x"));
    assert_int_equal(b.code, CLI_CRITICAL);
    assert_non_null(strstr(b.err.data, "did you mean --config?"));
    run(&c, WORDS("run", "--config"));
    assert_int_equal(c.code, CLI_CRITICAL);
    assert_non_null(strstr(c.err.data, "needs a value"));
    run(&d, WORDS("version", "now"));
    assert_int_equal(d.code, CLI_CRITICAL);
    assert_int_equal(d.out.len, 0);
}

static void every_subcommand_has_help_with_its_exit_codes(void **state)
{
    (void)state;
    AUTO_RUN struct run all = {0};
    run(&all, WORDS("help"));
    assert_int_equal(all.code, CLI_FINE);
    static const char *const names[] = {"run",          "demo",         "train",    "do",
                                        "check-config", "config",       "auditlog", "audit",
                                        "docs",         "demo-service", "predict",  "indicators",
                                        "import",       "version",      "help"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_non_null(strstr(all.out.data, names[i]));
        AUTO_RUN struct run one = {0};
        run(&one, WORDS(names[i], "--help"));
        assert_int_equal(one.code, CLI_FINE);
        assert_non_null(strstr(one.out.data, "Usage: nightdesk "));
        assert_non_null(strstr(one.out.data, "Exit codes:\n  0 "));
    }
}

static void version_is_text_or_json(void **state)
{
    (void)state;
    AUTO_RUN struct run text = {0}, json = {0};
    run(&text, WORDS("--version"));
    assert_string_equal(text.out.data, "nightdesk " NIGHTDESK_VERSION "\n");
    run(&json, WORDS("version", "--json"));
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(root, "version"), NIGHTDESK_VERSION);
}

static void check_config_tells_the_place_and_never_a_secret(void **state)
{
    (void)state;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/n.yaml", folder);
    assert_int_equal(file_write(path, STR_LIT("api:\n  port: 9000\n"), 0600, NULL), 0);
    AUTO_RUN struct run good = {0}, bad = {0}, json = {0};
    run(&good, WORDS("check-config", path));
    assert_int_equal(good.code, CLI_FINE);
    assert_non_null(strstr(good.out.data, path));
    assert_int_equal(
        file_write(path, STR_LIT("api:\n  prot: 1\n  token: [hush-hush]\n"), 0600, NULL), 0);
    run(&bad, WORDS("check-config", path));
    assert_int_equal(bad.code, CLI_CRITICAL);
    assert_non_null(strstr(bad.err.data, "n.yaml:2:3"));
    assert_non_null(strstr(bad.err.data, "port"));
    assert_null(strstr(bad.err.data, "hush"));
    run(&json, WORDS("check-config", "--json", path));
    assert_int_equal(json.code, CLI_CRITICAL);
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_true(json_text(root, "error_code")[0] != '\0');
}

static void docs_print_every_table(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *holds;
    } pages[] = {{"errors", "CLI_USAGE"},
                 {"commands", "restart"},
                 {"actions", "## service.restart"},
                 {"config", "check_interval"}};
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        AUTO_RUN struct run page = {0};
        run(&page, WORDS("docs", pages[i].what));
        assert_int_equal(page.code, CLI_FINE);
        assert_non_null(strstr(page.out.data, pages[i].holds));
    }
    AUTO_RUN struct run wrong = {0}, schema = {0}, example = {0};
    run(&wrong, WORDS("docs", "nothing"));
    assert_int_equal(wrong.code, CLI_CRITICAL);
    run(&schema, WORDS("config", "--schema"));
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&schema.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);

    /* The example is a configuration that can be used as it is. */
    run(&example, WORDS("config", "--example"));
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/example.yaml", folder);
    assert_int_equal(file_write(path, buf_str(&example.out), 0600, NULL), 0);
    AUTO_RUN struct run check = {0};
    run(&check, WORDS("check-config", path));
    assert_int_equal(check.code, CLI_FINE);
}

static void without_a_daemon_do_says_so(void **state)
{
    (void)state;
    AUTO_RUN struct run plain = {0}, json = {0};
    run(&plain, WORDS("do", "status", "--state", folder));
    assert_int_equal(plain.code, CLI_CRITICAL);
    assert_non_null(strstr(plain.err.data, "CLI_NO_DAEMON"));
    run(&json, WORDS("do", "--json", "--state", folder, "--", "restart", "--all"));
    assert_int_equal(json.code, CLI_CRITICAL);
    assert_non_null(strstr(json.out.data, "\"CLI_NO_DAEMON\""));
}

static void an_audit_of_nothing_is_no_all_clear_when_it_cannot_run(void **state)
{
    (void)state;
    AUTO_RUN struct run missing = {0}, hours = {0};
    run(&missing, WORDS("audit", "--offline", "--dry-run", "--state", folder));
    assert_int_equal(missing.code, CLI_NO_VERDICT);
    run(&hours, WORDS("audit", "--offline", "--hours", "0", "--state", folder));
    assert_int_equal(hours.code, CLI_NO_VERDICT);
    assert_non_null(strstr(hours.err.data, "--hours is a whole number from 1 to 720"));
}

static void an_offline_audit_prints_its_verdict_and_nothing_else(void **state)
{
    (void)state;
    AUTO_RUN struct run json = {0};
    run(&json, WORDS("audit", "--offline", "--json", "--state", folder));
    assert_int_equal(json.code, CLI_FINE);
    assert_string_equal(json.err.data, "");
    AUTO_JSON struct json_object *root = NULL;
    assert_int_equal(json_parse(buf_str(&json.out), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    assert_string_equal(json_text(json_get(root, "data"), "verdict"), "clear");

    /* It was stored, so the audit log can be verified now. */
    AUTO_RUN struct run verify = {0};
    run(&verify, WORDS("auditlog", "verify", "--json", "--state", folder));
    assert_int_equal(verify.code, CLI_FINE);
    assert_non_null(strstr(verify.out.data, "\"ok\":true"));
}

static void auditlog_without_a_database_exits_with_2(void **state)
{
    (void)state;
    AUTO_RUN struct run verify = {0}, wrong = {0};
    run(&verify, WORDS("auditlog", "verify", "--state", folder));
    assert_int_equal(verify.code, CLI_CRITICAL);
    run(&wrong, WORDS("auditlog", "burn", "--state", folder));
    assert_int_equal(wrong.code, CLI_CRITICAL);
    assert_non_null(strstr(wrong.err.data, "CLI_USAGE"));
}

#define CLI_TEST(fn) cmocka_unit_test_setup_teardown(fn, make_folder, remove_folder)
UNIT_GROUP(cli, CLI_TEST(wrong_usage_exits_with_2_and_names_the_nearest),
           CLI_TEST(every_subcommand_has_help_with_its_exit_codes),
           CLI_TEST(version_is_text_or_json),
           CLI_TEST(check_config_tells_the_place_and_never_a_secret),
           CLI_TEST(docs_print_every_table), CLI_TEST(without_a_daemon_do_says_so),
           CLI_TEST(an_audit_of_nothing_is_no_all_clear_when_it_cannot_run),
           CLI_TEST(an_offline_audit_prints_its_verdict_and_nothing_else),
           CLI_TEST(auditlog_without_a_database_exits_with_2))
