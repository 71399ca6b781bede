#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "chat/render.h"
#include "cli_internal.h"
#include "io/file.h"
#include "io/json_out.h"
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
        struct json_out json = JSON_OUT(&out);
        json_out_document(&json, "nightdesk.auditlog_verify/1");
        json_out_bool(&json, "ok", result.ok);
        json_out_i64(&json, "rows", result.rows);
        json_out_i64(&json, "archives", result.archives);
        if (result.ok) {
            json_out_null(&json, "bad_row");
        } else {
            json_out_i64(&json, "bad_row", result.bad_id);
        }
        json_out_text(&json, "why", result.ok ? "" : result.why);
        json_out_text(&json, "last_hash", result.last_hash);
        json_out_end(&json);
        buf_add_char(&out, '\n');
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

/* "door" is the name of 0.1.0, kept for programs that read it. */
static void add_channel(struct json_out *out, const char *name)
{
    json_out_text(out, "channel", name);
    json_out_text(out, "door", name);
}

static void add_row_members(const struct audit_row *row, struct json_out *out)
{
    json_out_i64(out, "id", row->id);
    json_out_time(out, "at", row->at_us);
    json_out_text(out, "user", row->user);
    add_channel(out, row->channel);
    json_out_text(out, "action", row->action);
    json_out_text(out, "detail", row->detail);
    json_out_text(out, "result", row->result);
    json_out_text(out, "hash", row->hash);
}

static void add_row_text(const struct audit_row *row, struct buf *out)
{
    AUTO_BUF struct buf line = BUF_INIT(8192);
    buf_addf(&line, "%6lld  ", (long long)row->id);
    clock_add_iso(&line, row->at_us, false);
    buf_addf(&line, "  %-16s %-9s %-20s %s%s[%s]", row->user, row->channel, row->action,
             row->detail, row->detail[0] != '\0' ? "  " : "", row->result);
    render_clean(buf_str(&line), false, out); /* may contain text of unauthorised users */
    buf_add_char(out, '\n');
}

static void add_read_members(const struct read_count *row, struct json_out *out)
{
    json_out_time(out, "at", row->at_us);
    json_out_text(out, "user", row->user);
    add_channel(out, row->channel);
    json_out_text(out, "command", row->command);
    json_out_i64(out, "count", row->count);
    json_out_i64(out, "failed", row->failed);
}

static void add_read_text(const struct read_count *row, struct buf *out)
{
    clock_add_iso(out, row->at_us, false);
    buf_addf(out, "  %-16s %-9s %-20s %lld", row->user, row->channel, row->command,
             (long long)row->count);
    if (row->failed > 0) {
        buf_addf(out, " (%lld failed)", (long long)row->failed);
    }
    buf_add_char(out, '\n');
}

/* What show and reads list; one of the two is set. */
struct listing {
    struct audit_row *rows;
    struct read_count *reads;
    int count;
};

static void add_members(const struct listing *list, int index, struct json_out *out)
{
    if (list->rows != NULL) {
        add_row_members(&list->rows[index], out);
    } else {
        add_read_members(&list->reads[index], out);
    }
}

/* As in a log, the newest row is last. */
static void add_listing(const struct cli_args *args, const struct listing *list, struct buf *out)
{
    bool lines = cli_flag(args, "--ndjson");
    bool document = !lines && cli_flag(args, "--json");
    struct json_out json = JSON_OUT(out);
    if (document) {
        json_out_document(&json, list->rows != NULL ? "nightdesk.auditlog_rows/1"
                                                    : "nightdesk.auditlog_read_counts/1");
        json_out_array(&json, "rows");
    }
    for (int i = list->count - 1; i >= 0; i--) {
        if (document) {
            json_out_object(&json, NULL);
            add_members(list, i, &json);
            json_out_end(&json);
        } else if (lines) {
            struct json_out line = JSON_OUT(out);
            json_out_document(&line, list->rows != NULL ? "nightdesk.auditlog_row/1"
                                                        : "nightdesk.auditlog_reads/1");
            add_members(list, i, &line);
            json_out_end(&line);
            buf_add_char(out, '\n');
        } else if (list->rows != NULL) {
            add_row_text(&list->rows[i], out);
        } else {
            add_read_text(&list->reads[i], out);
        }
    }
    if (document) {
        json_out_end(&json);
        json_out_end(&json);
        buf_add_char(out, '\n');
    }
}

static int show(const struct cli_args *args, struct ops_store *store)
{
    bool reads = strcmp(args->word[0], "reads") == 0;
    int64_t last = SHOW_DEFAULT;
    struct err err = {0};
    if (cli_number(args, "--last", 1, SHOW_MAX, &last, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_FREE void *items =
        calloc((size_t)last, reads ? sizeof(struct read_count) : sizeof(struct audit_row));
    ASSERT(items != NULL);
    struct listing list = {.rows = reads ? NULL : items, .reads = reads ? items : NULL};
    list.count = reads ? read_table_list(store, 0, 0, list.reads, (size_t)last, &err)
                       : audit_chain_list(store, 0, list.rows, (size_t)last, &err);
    if (list.count < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_BUF struct buf out = BUF_INIT(OUT_MAX);
    add_listing(args, &list, &out);
    if (buf_failed(&out)) {
        (void)err_set(&err, ERR_BUF_FULL, "more than %zu bytes", OUT_MAX);
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
        struct json_out json = JSON_OUT(&out);
        json_out_document(&json, "nightdesk.auditlog_archive/1");
        json_out_i64(&json, "rows", all);
        json_out_i64(&json, "archives", files);
        json_out_end(&json);
        buf_add_char(&out, '\n');
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
    if (cli_load_config_without_secrets(args, &config, &err) < 0 || secret_init(&err) < 0) {
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
    return strcmp(word, "verify") == 0 ? verify(args, store) : show(args, store);
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
                {"--ndjson", NULL, "show, reads: print a JSON document per row"},
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
