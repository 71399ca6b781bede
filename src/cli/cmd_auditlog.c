#include "base/clock.h"
#include "cli_internal.h"
#include "io/secret.h"
#include "store/audit_chain.h"
#include "store/ops.h"

#define SHOW_DEFAULT 20
#define SHOW_MAX     1000
#define OUT_MAX      ((size_t)4 << 20)

static int verify(const struct cli_args *args, struct ops_store *store)
{
    struct audit_verdict verdict;
    struct err err = {0};
    if (audit_chain_verify(store, 1, &verdict, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_BUF struct buf out = BUF_INIT(2048);
    if (cli_flag(args, "--json")) {
        buf_addf(&out, "{\"ok\":%s,\"rows\":%lld,\"bad_row\":", verdict.ok ? "true" : "false",
                 (long long)verdict.rows);
        if (verdict.ok) {
            buf_add_c(&out, "null");
        } else {
            buf_addf(&out, "%lld", (long long)verdict.bad_id);
        }
        buf_add_c(&out, ",\"why\":\"");
        buf_add_json(&out, str_c(verdict.ok ? "" : verdict.why));
        buf_addf(&out, "\",\"last_hash\":\"%s\"}\n", verdict.last_hash);
    } else if (verdict.ok) {
        buf_addf(&out, "ok: %lld rows, each as it was written; last hash %s\n",
                 (long long)verdict.rows, verdict.last_hash);
    } else {
        buf_addf(&out, "BROKEN at row %lld: %s\n", (long long)verdict.bad_id, verdict.why);
    }
    cli_print(buf_str(&out));
    return verdict.ok ? CLI_FINE : CLI_REFUSED;
}

static void add_row(const struct audit_row *row, bool json, struct buf *out)
{
    if (!json) {
        buf_addf(out, "%6lld  ", (long long)row->id);
        clock_add_iso(out, row->at_us, false);
        buf_addf(out, "  %-16s %-9s %-20s %s%s[%s]\n", row->user, row->door, row->action,
                 row->detail, row->detail[0] != '\0' ? "  " : "", row->result);
        return;
    }
    buf_addf(out, "{\"id\":%lld,\"at\":\"", (long long)row->id);
    clock_add_iso(out, row->at_us, true);
    const struct {
        const char *key;
        const char *value;
    } texts[] = {
        {"user", row->user},     {"door", row->door},     {"action", row->action},
        {"detail", row->detail}, {"result", row->result}, {"hash", row->hash},
    };
    buf_add_char(out, '"');
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        buf_addf(out, ",\"%s\":\"", texts[i].key);
        buf_add_json(out, str_c(texts[i].value));
        buf_add_char(out, '"');
    }
    buf_add_c(out, "}\n");
}

static int show(const struct cli_args *args, struct ops_store *store)
{
    int64_t last = SHOW_DEFAULT;
    struct err err = {0};
    if (cli_number(args, "--last", 1, SHOW_MAX, &last, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    struct audit_row *rows = calloc((size_t)last, sizeof(*rows));
    if (rows == NULL) {
        (void)err_set(&err, ERR_INTERNAL, "out of memory");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    int count = audit_chain_list(store, 0, rows, (size_t)last, &err);
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    /* Read like a log: the newest at the end. */
    for (int i = count - 1; i >= 0; i--) {
        add_row(&rows[i], cli_flag(args, "--json"), &out);
    }
    free(rows);
    if (count < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    AUTO_OPS_STORE struct ops_store *store = NULL;
    struct err err = {0};
    bool wants_verify = strcmp(args->word[0], "verify") == 0;
    if (!wants_verify && strcmp(args->word[0], "show") != 0) {
        (void)err_set(&err, ERR_CLI_USAGE, "auditlog takes verify or show");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (cli_load_config(args, &config, &err) < 0 || secret_init(&err) < 0 ||
        ops_store_open(cli_find_state_dir(args, config), OPS_STORE_READ, &store, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    return wants_verify ? verify(args, store) : show(args, store);
}

const struct cli_command cmd_auditlog = {
    .name = "auditlog",
    .summary = "Verify or show the audit log, a chain of keyed hashes",
    .words = "verify|show",
    .words_min = 1,
    .words_max = 1,
    .options = {{"--last", "N", "show: how many rows (default 20, at most 1000)"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more = "It reads the database beside a running daemon, or without one.",
    .exits = "  0  shown; or every row is as it was written\n"
             "  1  a row was changed, removed or added; it is named\n"
             "  2  the database or its key cannot be read\n",
    .run = run,
};
