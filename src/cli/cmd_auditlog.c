#include "base/clock.h"
#include "chat/render.h"
#include "cli_internal.h"
#include "io/file.h"
#include "io/secret.h"
#include "ops/ops.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "store/read_table.h"

#define SHOW_DEFAULT 20
#define SHOW_MAX     1000
#define OUT_MAX      ((size_t)4 << 20)

static int verify(const struct cli_args *args, struct ops_store *store)
{
    struct audit_chain_result result;
    struct err err = {0};
    if (audit_chain_verify(store, 1, &result, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_BUF struct buf out = BUF_INIT(2048);
    if (cli_flag(args, "--json")) {
        buf_addf(&out, "{\"ok\":%s,\"rows\":%lld,\"archives\":%lld,\"bad_row\":",
                 result.ok ? "true" : "false", (long long)result.rows, (long long)result.archives);
        if (result.ok) {
            buf_add_c(&out, "null");
        } else {
            buf_addf(&out, "%lld", (long long)result.bad_id);
        }
        buf_add_c(&out, ",\"why\":\"");
        buf_add_json(&out, str_c(result.ok ? "" : result.why));
        buf_addf(&out, "\",\"last_hash\":\"%s\"}\n", result.last_hash);
    } else if (result.ok) {
        buf_addf(&out, "ok: %lld rows, none changed", (long long)result.rows);
        if (result.archives > 0) {
            buf_addf(&out, ", including those of %lld archive%s", (long long)result.archives,
                     result.archives == 1 ? "" : "s");
        }
        buf_addf(&out, "; last hash %s\n", result.last_hash);
    } else {
        buf_addf(&out, "BROKEN at row %lld: %s\n", (long long)result.bad_id, result.why);
    }
    cli_print(buf_str(&out));
    return result.ok ? CLI_FINE : CLI_REFUSED;
}

static void add_row(const struct audit_row *row, bool json, struct buf *out)
{
    if (!json) {
        AUTO_BUF struct buf line = BUF_INIT(8192);
        buf_addf(&line, "%6lld  ", (long long)row->id);
        clock_add_iso(&line, row->at_us, false);
        buf_addf(&line, "  %-16s %-9s %-20s %s%s[%s]", row->user, row->channel, row->action,
                 row->detail, row->detail[0] != '\0' ? "  " : "", row->result);
        render_clean(buf_str(&line), false, out); /* may contain text of unauthorised users */
        buf_add_char(out, '\n');
        return;
    }
    buf_addf(out, "{\"id\":%lld,\"at\":\"", (long long)row->id);
    clock_add_iso(out, row->at_us, true);
    const struct {
        const char *key;
        const char *value;
    } texts[] = {
        /* "door" is the name of 0.1.0, kept for programs that read it */
        {"user", row->user},     {"channel", row->channel}, {"door", row->channel},
        {"action", row->action}, {"detail", row->detail},   {"result", row->result},
        {"hash", row->hash},
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
    /* As in a log, the newest row is last. */
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

static void add_read(const struct read_count *row, bool json, struct buf *out)
{
    if (!json) {
        clock_add_iso(out, row->at_us, false);
        buf_addf(out, "  %-16s %-9s %-20s %lld", row->user, row->channel, row->command,
                 (long long)row->count);
        if (row->failed > 0) {
            buf_addf(out, " (%lld failed)", (long long)row->failed);
        }
        buf_add_char(out, '\n');
        return;
    }
    buf_add_c(out, "{\"hour\":\"");
    clock_add_iso(out, row->at_us, false);
    buf_add_c(out, "\",\"user\":\"");
    buf_add_json(out, str_c(row->user));
    buf_addf(out,
             "\",\"channel\":\"%s\",\"door\":\"%s\",\"command\":\"%s\",\"count\":%lld,\"failed\":%"
             "lld}\n",
             row->channel, row->channel, row->command, (long long)row->count,
             (long long)row->failed);
}

static int show_reads(const struct cli_args *args, struct ops_store *store)
{
    int64_t last = SHOW_DEFAULT;
    struct err err = {0};
    if (cli_number(args, "--last", 1, SHOW_MAX, &last, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    struct read_count *rows = calloc((size_t)last, sizeof(*rows));
    if (rows == NULL) {
        (void)err_set(&err, ERR_INTERNAL, "out of memory");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    int count = read_table_list(store, 0, 0, rows, (size_t)last, &err);
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    for (int i = count - 1; i >= 0; i--) {
        add_read(&rows[i], cli_flag(args, "--json"), &out);
    }
    free(rows);
    if (count < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

/* A database has one writer: while the daemon runs, that is the daemon. */
static int archive(const struct cli_args *args, const struct config *config, const char *state_dir)
{
    AUTO_OPS_STORE struct ops_store *store = NULL;
    AUTO_FD int lock_fd = -1;
    AUTO_BUF struct buf lock = BUF_INIT(4096), out = BUF_INIT(1024);
    struct err err = {0};
    int64_t days = config->monitoring_audit_log_archive_us / USEC_PER_DAY;
    int64_t rows = 0, all = 0, files = 0;
    char user[32];
    (void)snprintf(user, sizeof(user), "uid %lld", (long long)getuid());
    buf_addf(&lock, "%s/" OPS_LOCK_NAME, state_dir);
    int rc = cli_number(args, "--older-than", 0, 36500, &days, &err);
    if (rc == 0) {
        /* Open it for reading first, so that a wrong folder is reported and no database is created.
         */
        AUTO_OPS_STORE struct ops_store *reader = NULL;
        rc = ops_store_open(state_dir, OPS_STORE_READ, &reader, &err);
    }
    if (rc == 0 && (rc = file_lock(lock.data, &lock_fd, &err)) == 0) {
        rc = ops_store_open(state_dir, OPS_STORE_WRITE, &store, &err);
    }
    int64_t now_us = clock_wall_us(clock_real());
    const struct audit_archive_options options = {.before_us = now_us - days * USEC_PER_DAY,
                                                  .now_us = now_us,
                                                  .min_rows = 1,
                                                  .user = user,
                                                  .channel = "cli"};
    /* Each archive adds a row to the log, which makes one more row old enough to archive: so stop
     * at the first file that is not full. */
    do {
        rc = rc < 0 ? rc : audit_chain_archive(store, &options, &rows, &err);
        all += rc < 0 ? 0 : rows;
        files += rc < 0 || rows == 0 ? 0 : 1;
    } while (rc == 0 && rows == AUDIT_ARCHIVE_ROWS);
    if (rc < 0) {
        return cli_fail(args, &err, rc == -ERR_AUDIT_CHAIN ? CLI_REFUSED : CLI_CRITICAL);
    }
    if (cli_flag(args, "--json")) {
        buf_addf(&out, "{\"rows\":%lld,\"archives\":%lld}\n", (long long)all, (long long)files);
    } else {
        buf_addf(&out, "%lld rows older than %lld days moved to %lld archive%s in %s/audit\n",
                 (long long)all, (long long)days, (long long)files, files == 1 ? "" : "s",
                 state_dir);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

static int run(const struct cli_args *args)
{
    AUTO_CONFIG struct config *config = NULL;
    AUTO_OPS_STORE struct ops_store *store = NULL;
    struct err err = {0};
    const char *word = args->word[0];
    bool writes = strcmp(word, "archive") == 0;
    if (!writes && strcmp(word, "verify") != 0 && strcmp(word, "show") != 0 &&
        strcmp(word, "reads") != 0) {
        (void)err_set(&err, ERR_CLI_USAGE, "auditlog takes verify, show, reads or archive");
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (cli_load_config(args, &config, &err) < 0 || secret_init(&err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    const char *state_dir = cli_find_state_dir(args, config);
    if (cli_require_state(state_dir, "ops.db", &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (writes) {
        return archive(args, config, state_dir);
    }
    if (ops_store_open(state_dir, OPS_STORE_READ, &store, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    return strcmp(word, "verify") == 0 ? verify(args, store)
           : strcmp(word, "show") == 0 ? show(args, store)
                                       : show_reads(args, store);
}

const struct cli_command cmd_auditlog = {
    .name = "auditlog",
    .summary = "Verify, show or archive the audit log, a chain of keyed hashes",
    .words = "verify|show|reads|archive",
    .words_min = 1,
    .words_max = 1,
    .options = {{"--last", "N", "show, reads: how many rows (default 20, at most 1000)"},
                {"--older-than", "DAYS",
                 "archive: rows that are older (default: monitoring.audit_log_archive)"},
                CLI_OPTION_JSON,
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "verify, show and reads read the database with or without a running daemon.\n"
        "The log has commands that change something, refusals and unauthorised users. Commands\n"
        "that only read are counted by person and hour; reads shows the counts.\n"
        "archive moves old rows, except the newest 50, into files in the folder audit of the\n"
        "state folder. The daemon archives automatically; to run archive, stop the daemon.\n"
        "verify reads the archives too, so keep them where they are.",
    .exits = "  0  shown or archived; or no row was changed\n"
             "  1  a row or an archive was changed, removed or added; it is named\n"
             "  2  the database or its key cannot be read, or archive found a running daemon\n",
    .run = run,
};
