#include "base/buf.h"
#include "base/clock.h"
#include "cli_internal.h"
#include "io/json.h"
#include "io/secret.h"
#include "report/report.h"
#include "report_text.h"
#include "store/ops.h"
#include "store/trading.h"

#define HOURS_DEFAULT 24
#define TEXT_MAX      (2 * REPORT_MAX_BYTES)

static int read_report(const char *state_dir, struct report *report, struct err *err)
{
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    int rc = trading_store_open(state_dir, TRADING_STORE_READ, &trading, err);
    if (rc == 0) {
        rc = ops_store_open(state_dir, OPS_STORE_READ, &ops, err);
    }
    return rc < 0 ? rc : report_read(report, trading, ops, err);
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    AUTO_REPORT struct report *report = NULL;
    struct err err = {0};
    int64_t hours = HOURS_DEFAULT;
    if (cli_number(args, "--hours", 1, REPORT_HOURS_MAX, &hours, &err) < 0 ||
        cli_load_config_without_secrets(args, &config, &err) < 0 || secret_init(&err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    const char *state_dir = cli_find_state_dir(args, config);
    if (cli_require_state(state_dir, "trading.db", &err) < 0 ||
        cli_require_state(state_dir, "ops.db", &err) < 0) {
        return cli_fail(args, &err, CLI_REFUSED);
    }
    const struct clock *clock = clock_real();
    int64_t now_us = clock_mono_us(clock);
    report =
        report_new(&(struct report_sources){.clock = clock,
                                            .config = config,
                                            .state_dir = state_dir,
                                            .started_mono_us = now_us,
                                            .wall_minus_mono_us = clock_wall_us(clock) - now_us},
                   hours);
    if (read_report(state_dir, report, &err) < 0) {
        return cli_fail(args, &err, CLI_REFUSED);
    }
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    if (cli_flag(args, "--json")) {
        json_add_text(&text, report_document(report));
        buf_add_char(&text, '\n');
    } else {
        report_text(report_document(report), &text);
    }
    cli_print(buf_str(&text));
    return CLI_FINE;
}

const struct cli_command cmd_report = {
    .name = "report",
    .summary = "Print the figures that an audit reads, and which invariants are kept",
    .words = "",
    .options = {{"--hours", "N", "how far back, in market time (default 24, at most 720)"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "It reads the databases and changes nothing, also while the daemon runs. What only the\n"
        "daemon knows (prices, the engine's and the venue's state) is in the report of\n"
        "`nightdesk audit --verbose`. docs/json.md has the members.",
    .exits = "  0  the report is on standard output\n"
             "  1  a database is missing or cannot be read\n"
             "  2  wrong usage, or the configuration is invalid\n",
    .run = run,
};
