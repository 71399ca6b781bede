#include "alerts/alerts.h"
#include "assistant/claude.h"
#include "assistant/ledger.h"
#include "auditor/auditor.h"
#include "base/clock.h"
#include "chat/render.h"
#include "cli_unseal.h"
#include "command/reply_json.h"
#include "io/file.h"
#include "io/http.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/secret.h"
#include "ops/ops.h"
#include "store/ops.h"
#include "store/trading.h"

#define HOURS_DEFAULT 24

static void print_reply(const struct cli_args *args, const struct reply *reply)
{
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    if (cli_flag(args, "--json")) {
        AUTO_JSON struct json_object *json = reply_json(reply);
        json_add_text(&text, json);
        buf_add_char(&text, '\n');
    } else {
        render_text(reply, &(struct render_text_options){.buttons = false}, &text);
    }
    if (cli_flag(args, "--verbose") && !cli_flag(args, "--json")) {
        AUTO_JSON struct json_object *json = reply_json(reply);
        struct json_object *report = json_get(json_get(json, "data"), "report");
        buf_add_c(&text, "\nReport:\n");
        buf_add_c(&text, json_object_to_json_string_ext(report, JSON_C_TO_STRING_PRETTY |
                                                                    JSON_C_TO_STRING_SPACED));
        buf_add_char(&text, '\n');
    }
    cli_print(buf_str(&text));
}

/* ---------------------------------------------------------------- by the daemon */

/* The exit codes of auditor_run_sync, derived from the daemon's answer. */
static int exit_of(const struct reply *reply)
{
    AUTO_JSON struct json_object *json = reply_json(reply);
    struct json_object *data = json_get(json, "data");
    struct json_object *findings = json_get(data, "findings");
    enum severity worst = SEVERITY_INFO;
    for (size_t i = 0; i < json_len(findings); i++) {
        struct json_object *finding = json_item(findings, i);
        enum severity severity;
        if (!json_truth(finding, "rejected", false) &&
            severity_parse(str_c(json_text(finding, "severity")), &severity) && severity > worst) {
            worst = severity;
        }
    }
    if (worst == SEVERITY_CRITICAL) {
        return AUDITOR_EXIT_CRITICAL;
    }
    if (worst == SEVERITY_HIGH) {
        return AUDITOR_EXIT_HIGH;
    }
    const char *verdict = json_text(data, "verdict");
    bool known = strcmp(verdict, "clear") == 0 || strcmp(verdict, "findings") == 0;
    return known ? AUDITOR_EXIT_CLEAR : AUDITOR_EXIT_NO_VERDICT;
}

static int audit_by_daemon(const struct cli_args *args, const struct config *config, int64_t hours)
{
    AUTO_BUF struct buf body = BUF_INIT(CLI_ANSWER_MAX);
    char line[40];
    (void)snprintf(line, sizeof(line), "audit %lld", (long long)hours);
    struct reply *answer = NULL;
    struct err refusal = {0}, err = {0};
    int rc = cli_ask(config, cli_find_state_dir(args, config),
                     &(struct cli_request){.line = line, .confirm = true}, &body, &err);
    if (rc == -ERR_CLI_NO_DAEMON) { /* so it is no daemon that holds the folder */
        rc = err_set(&err, ERR_AUDIT_BUSY, "another process has locked the state folder");
    }
    if (rc < 0 || cli_read_answer(&body, &answer, &refusal, &err) < 0) {
        return cli_fail(args, &err, CLI_NO_VERDICT);
    }
    AUTO_REPLY struct reply *reply = answer;
    if (reply == NULL) {
        return cli_fail(args, &refusal, CLI_NO_VERDICT);
    }
    print_reply(args, reply);
    return reply_get_error(reply) != NULL ? CLI_NO_VERDICT : exit_of(reply);
}

/* ---------------------------------------------------------------- by ourselves */

struct modules {
    struct loop *loop;
    struct http *http;
    struct ledger ledger;
    struct claude *claude;
    struct llm_client llm_client;
    struct trading_store *trading;
    struct ops_store *store;
    struct alerts *alerts;
    struct auditor *auditor;
};

static void modules_release(struct modules *r)
{
    auditor_free(r->auditor);
    alerts_free(r->alerts);
    claude_free(r->claude);
    http_free(r->http);
    trading_store_free(r->trading);
    ops_store_free(r->store);
    loop_free(r->loop);
}

static int modules_init(struct modules *r, const struct config *config, const char *state_dir,
                        const struct auditor_request *request, struct err *err)
{
    if ((r->loop = loop_new(err)) == NULL || (r->http = http_new(r->loop, err)) == NULL) {
        return -ERR_LOOP_SETUP;
    }
    int rc = ops_store_open(state_dir, request->dry_run ? OPS_STORE_READ : OPS_STORE_WRITE,
                            &r->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = trading_store_open(state_dir, TRADING_STORE_READ, &r->trading, err);
    if (rc == 0 && !request->dry_run) {
        rc = alerts_new(
            &(struct alerts_options){.clock = clock_real(), .config = config, .store = r->store},
            &r->alerts, err);
    }
    r->ledger = (struct ledger){.store = r->store,
                                .clock = clock_real(),
                                .daily_budget = config->claude_daily_budget,
                                .read_only = request->dry_run};
    if (rc == 0 && !request->offline && config->claude_api_key[0] != '\0') {
        rc = claude_new(
            &(struct claude_options){.loop = r->loop,
                                     .http = r->http,
                                     .api_url = config->claude_api_url,
                                     .api_key = config->claude_api_key,
                                     .model = config->claude_model,
                                     .max_tokens = config->claude_max_tokens,
                                     .timeout_ms = config->claude_timeout_us / USEC_PER_MSEC,
                                     .ledger = &r->ledger},
            &r->claude, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (r->claude != NULL) {
        r->llm_client = claude_llm_client(r->claude);
    }
    return auditor_new(
        &(struct auditor_options){.loop = r->loop,
                                  .clock = clock_real(),
                                  .config = config,
                                  .trading = r->trading,
                                  .store = r->store,
                                  .alerts = r->alerts,
                                  .llm_client = r->claude != NULL ? &r->llm_client : NULL,
                                  .state_dir = state_dir},
        &r->auditor, err);
}

static int audit_here(const struct cli_args *args, const struct config *config,
                      const char *state_dir, const struct auditor_request *request)
{
    struct modules modules = {0};
    struct err err = {0};
    enum auditor_exit verdict = AUDITOR_EXIT_NO_VERDICT;
    AUTO_REPLY struct reply *reply = reply_new();
    int rc = modules_init(&modules, config, state_dir, request, &err);
    if (rc == 0) {
        rc = auditor_run_sync(modules.auditor, request, reply, &verdict, &err);
    }
    modules_release(&modules);
    if (rc < 0) {
        return cli_fail(args, &err, CLI_NO_VERDICT);
    }
    print_reply(args, reply);
    return (int)verdict;
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    AUTO_FD int lock_fd = -1;
    AUTO_BUF struct buf lock = BUF_INIT(4096);
    struct auditor_request request = {
        .hours = HOURS_DEFAULT,
        .dry_run = cli_flag(args, "--dry-run"),
        .offline = cli_flag(args, "--offline"),
    };
    struct err err = {0};
    if (cli_number(args, "--hours", 1, AUDITOR_HOURS_MAX, &request.hours, &err) < 0) {
        return cli_fail(args, &err, CLI_NO_VERDICT);
    }
    if (cli_load_config(args, &config, &err) < 0 || secret_init(&err) < 0) {
        return cli_fail(args, &err, CLI_NO_VERDICT);
    }
    const char *state_dir = cli_find_state_dir(args, config);
    /* A wrong folder has no findings either; that must not look like "all clear". */
    if (cli_require_state(state_dir, "trading.db", &err) < 0 ||
        cli_require_state(state_dir, "ops.db", &err) < 0) {
        return cli_fail(args, &err, CLI_NO_VERDICT);
    }
    if (request.dry_run) {
        return audit_here(args, config, state_dir, &request);
    }
    /* ops.db has one writer: with a daemon running, that is the daemon. */
    buf_addf(&lock, "%s/" OPS_LOCK_NAME, state_dir);
    int rc = file_lock(lock.data, &lock_fd, &err);
    if (rc == -ERR_FILE_LOCKED && !request.offline) {
        return audit_by_daemon(args, config, request.hours);
    }
    if (rc == -ERR_FILE_LOCKED) {
        (void)fprintf(stderr, "The daemon is running, so this offline audit stores "
                              "nothing.\n");
        request.dry_run = true;
    } else if (rc < 0) {
        return cli_fail(args, &err, CLI_NO_VERDICT);
    }
    return audit_here(args, config, state_dir, &request);
}

const struct cli_command cmd_audit = {
    .name = "audit",
    .summary = "Audit once and exit with the verdict, for cron",
    .words = "",
    .options = {{"--hours", "N", "how far back (default 24, at most 720)"},
                {"--offline", NULL, "do not ask Claude"},
                {"--dry-run", NULL, "store nothing and raise no alert"},
                {"--verbose", NULL, "print the report as well"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE,
                CLI_OPTION_PASSPHRASE},
    .more = "A running daemon does the audit; otherwise this process does. The audit is stored and "
            "its\n"
            "findings become alerts, unless --dry-run is given.",
    .exits = "  0  nothing above medium\n"
             "  1  a high finding\n"
             "  2  a critical finding\n"
             "  3  no verdict: the model gave none, or only findings that could not be verified, "
             "or the\n"
             "     audit could not run, for example because the folder is not a nightdesk state "
             "folder.\n"
             "     Never treat this as all clear. (Wrong usage of the options exits with 2.)\n",
    .run = run,
};
