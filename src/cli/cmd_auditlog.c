#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "chat/render.h"
#include "cli_internal.h"
#include "command/value.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "ops/ops.h"
#include "store/audit_chain.h"
#include "store/audit_seal.h"
#include "store/audit_search.h"
#include "store/ops.h"
#include "store/read_table.h"

#define SHOW_DEFAULT 20
#define SHOW_MAX     1000
#define OUT_MAX      ((size_t)4 << 20)
#define WITNESS_MAX  ((size_t)256 << 10)

/* --key and --seal: what was kept elsewhere. */
static int read_witness(const struct cli_args *args, struct audit_witness *ret, struct err *err)
{
    const char *key = cli_value(args, "--key");
    const char *seal = cli_value(args, "--seal");
    int rc = 0;
    if (key != NULL && sign_is_public(str_c(key))) {
        rc = audit_witness_add_key(ret, str_c(key), err);
    } else if (key != NULL) {
        AUTO_BUF struct buf text = BUF_INIT(WITNESS_MAX);
        rc = file_read(strcmp(key, "-") == 0 ? "/dev/stdin" : key, &text, err);
        rc = rc < 0 ? rc : audit_witness_read(buf_str(&text), ret, err);
    }
    return rc < 0 || seal == NULL ? rc : audit_witness_add_seal(ret, str_c(seal), err);
}

static void add_result_json(const struct audit_chain_result *result, struct buf *out)
{
    struct json_out json = JSON_OUT(out);
    json_out_document(&json, "nightdesk.auditlog_verify/1");
    json_out_bool(&json, "ok", result->ok);
    json_out_i64(&json, "rows", result->rows);
    json_out_i64(&json, "archives", result->archives);
    if (result->ok) {
        json_out_null(&json, "bad_row");
    } else {
        json_out_i64(&json, "bad_row", result->bad_id);
    }
    json_out_text(&json, "why", result->ok ? "" : result->why);
    json_out_text(&json, "last_hash", result->last_hash);
    json_out_i64(&json, "seals", result->seals);
    json_out_i64(&json, "sealed_rows", result->sealed_rows);
    if (result->seals > 0) {
        json_out_time(&json, "sealed_at", result->sealed_us);
    } else {
        json_out_null(&json, "sealed_at");
    }
    json_out_i64(&json, "unsealed_rows", result->unsealed);
    json_out_i64(&json, "kept_seals", result->kept);
    json_out_end(&json);
    buf_add_char(out, '\n');
}

static void add_result_text(const struct audit_chain_result *result, struct buf *out)
{
    if (!result->ok) {
        buf_addf(out, "BROKEN at row %lld: %s\n", (long long)result->bad_id, result->why);
        return;
    }
    buf_addf(out, "ok: %lld rows, none changed", (long long)result->rows);
    if (result->archives > 0) {
        buf_addf(out, ", including those of %lld archive%s", (long long)result->archives,
                 result->archives == 1 ? "" : "s");
    }
    buf_addf(out, "; last hash %s\n", result->last_hash);
    if (result->seals == 0) {
        buf_addf(out, "no seal yet\n");
        return;
    }
    buf_addf(out, "sealed: rows 1 to %lld, at ", (long long)result->sealed_rows);
    clock_add_iso(out, result->sealed_us, false);
    buf_addf(out, "; %lld row%s not sealed yet\n", (long long)result->unsealed,
             result->unsealed == 1 ? "" : "s");
    if (result->kept > 0) {
        buf_addf(out, "%lld kept seal%s found in it\n", (long long)result->kept,
                 result->kept == 1 ? "" : "s");
    }
}

static int verify(const struct cli_args *args, struct ops_store *store)
{
    AUTO_FREE struct audit_witness *witness = calloc(1, sizeof(*witness));
    AUTO_BUF struct buf out = BUF_INIT(2048);
    struct audit_chain_result result;
    struct err err = {0};
    ASSERT(witness != NULL);
    if (read_witness(args, witness, &err) < 0 ||
        audit_chain_verify_kept(store, witness, &result, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    (cli_flag(args, "--json") ? add_result_json : add_result_text)(&result, &out);
    cli_print(buf_str(&out));
    return result.ok ? CLI_FINE : CLI_REFUSED;
}

/* What the owner keeps elsewhere, in the form that verify --key reads. */
static int show_key(const struct cli_args *args, struct ops_store *store)
{
    AUTO_BUF struct buf out = BUF_INIT(2048);
    char key[SIGN_PUBLIC_SIZE];
    struct audit_seal seal = {.rows = 0};
    struct err err = {0};
    int rc = audit_seal_public_key(store, key, &err);
    rc = rc < 0 ? rc : audit_seal_newest(store, &seal, &err);
    if (rc < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_BUF struct buf text = BUF_INIT(128);
    buf_addf(&text, "%lld:%s", (long long)seal.rows, seal.last_hash);
    if (cli_flag(args, "--json")) {
        struct json_out json = JSON_OUT(&out);
        json_out_document(&json, "nightdesk.auditlog_key/1");
        json_out_text(&json, "key", key);
        if (seal.rows > 0) {
            json_out_text(&json, "seal", text.data);
            json_out_time(&json, "sealed_at", seal.at_us);
        } else {
            json_out_null(&json, "seal");
            json_out_null(&json, "sealed_at");
        }
        json_out_end(&json);
        buf_add_char(&out, '\n');
    } else {
        buf_addf(&out, "key %s\n", key);
        if (seal.rows > 0) {
            buf_addf(&out, "seal %s ", text.data);
            clock_add_iso(&out, seal.at_us, false);
            buf_add_char(&out, '\n');
        }
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

/* "door" is the name of 0.1.0, kept for programs that read it. */
static void add_channel(struct json_out *out, const char *name)
{
    json_out_text(out, "channel", name);
    json_out_text(out, "door", name);
}

static void add_row_members(const struct audit_row *row, struct json_out *out)
{
    audit_row_write(out, row);
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

/* --since takes a UTC time, or "-2h": before now. */
static int read_since(const struct cli_args *args, int64_t *ret_us, struct err *err)
{
    const char *text = cli_value(args, "--since");
    int64_t back_us = 0;
    if (text == NULL || (clock_parse_iso(str_c(text), ret_us) && *ret_us > 0)) {
        return 0;
    }
    if (text[0] == '-' && value_parse_duration(str_c(text + 1), &back_us)) {
        *ret_us = clock_wall_us(clock_real()) - back_us;
        return 0;
    }
    return err_set(err, ERR_CLI_USAGE,
                   "--since takes a UTC time such as 2026-01-05T14:30, or -2h, not \"%.40s\"",
                   text);
}

static int read_filter(const struct cli_args *args, struct audit_filter *ret, struct err *err)
{
    *ret = (struct audit_filter){.user = cli_value(args, "--user"),
                                 .command = cli_value(args, "--command"),
                                 .result = cli_value(args, "--result")};
    if (ret->command != NULL && ret->command[0] == '/') {
        ret->command++;
    }
    int rc = read_since(args, &ret->since_us, err);
    return rc < 0 ? rc : cli_number(args, "--run", 1, INT64_MAX, &ret->run_id, err);
}

/* A text of unauthorised users may begin with what a spreadsheet takes for a formula. */
static void add_csv(const char *text, struct buf *out)
{
    AUTO_BUF struct buf clean = BUF_INIT(8192);
    render_clean(str_c(text), false, &clean);
    buf_add_char(out, '"');
    if (clean.len > 0 && strchr("=+-@", clean.data[0]) != NULL) {
        buf_add_char(out, '\'');
    }
    for (size_t i = 0; i < clean.len; i++) {
        if (clean.data[i] == '"') {
            buf_add_char(out, '"');
        }
        buf_add_char(out, clean.data[i]);
    }
    buf_add_char(out, '"');
}

static void add_row_csv(const struct audit_row *row, struct buf *out)
{
    const char *const texts[] = {row->user, row->channel, row->action, row->detail, row->result};
    buf_addf(out, "%lld,", (long long)row->id);
    clock_add_iso(out, row->at_us, true);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        buf_add_char(out, ',');
        add_csv(texts[i], out);
    }
    buf_addf(out, ",%s\n", row->hash);
}

struct export_job {
    bool csv;
    bool lines;
    struct buf out;       /* what is not printed yet */
    struct json_out json; /* of the document, if it is one */
};

static int print_exported(const struct audit_row *row, void *userdata, struct err *err)
{
    struct export_job *job = userdata;
    if (job->csv) {
        add_row_csv(row, &job->out);
    } else if (job->lines) {
        struct json_out line = JSON_OUT(&job->out);
        json_out_document(&line, "nightdesk.auditlog_row/1");
        add_row_members(row, &line);
        json_out_end(&line);
        buf_add_char(&job->out, '\n');
    } else {
        json_out_object(&job->json, NULL);
        add_row_members(row, &job->json);
        json_out_end(&job->json);
    }
    if (buf_failed(&job->out)) {
        return err_set(err, ERR_BUF_FULL, "row %lld", (long long)row->id);
    }
    cli_print(buf_str(&job->out));
    buf_clear(&job->out);
    return 0;
}

/* Row by row, since the log may be larger than memory. */
static int export_with(const struct cli_args *args, struct ops_store *store, struct export_job *job)
{
    bool document = !job->csv && !job->lines;
    struct audit_filter filter;
    struct err err = {0};
    int rc = read_filter(args, &filter, &err);
    if (rc == 0 && document && !cli_flag(args, "--json")) {
        rc = err_set(&err, ERR_CLI_USAGE, "export takes --csv, --json or --ndjson");
    }
    if (rc < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    if (document) {
        json_out_document(&job->json, "nightdesk.auditlog_rows/1");
        json_out_array(&job->json, "rows");
    } else if (job->csv) {
        buf_add_c(&job->out, "id,at,user,channel,action,detail,result,hash\n");
    }
    rc = audit_export(store, &filter, print_exported, job, &err);
    if (rc < 0) {
        return cli_fail(args, &err, rc == -ERR_AUDIT_CHAIN ? CLI_REFUSED : CLI_CRITICAL);
    }
    if (document) {
        json_out_end(&job->json);
        json_out_end(&job->json);
        buf_add_char(&job->out, '\n');
    }
    cli_print(buf_str(&job->out));
    return CLI_FINE;
}

static int export(const struct cli_args *args, struct ops_store *store)
{
    struct export_job job = {.csv = cli_flag(args, "--csv"),
                             .lines = cli_flag(args, "--ndjson"),
                             .out = BUF_INIT(65536)};
    job.json = (struct json_out)JSON_OUT(&job.out);
    int code = export_with(args, store, &job);
    buf_release(&job.out);
    return code;
}

static int show(const struct cli_args *args, struct ops_store *store)
{
    struct audit_filter filter;
    bool reads = strcmp(args->word[0], "reads") == 0;
    int64_t last = SHOW_DEFAULT;
    struct err err = {0};
    if (cli_number(args, "--last", 1, SHOW_MAX, &last, &err) < 0 ||
        read_filter(args, &filter, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    AUTO_FREE void *items =
        calloc((size_t)last, reads ? sizeof(struct read_count) : sizeof(struct audit_row));
    ASSERT(items != NULL);
    struct listing list = {.rows = reads ? NULL : items, .reads = reads ? items : NULL};
    list.count = reads ? read_table_list(store, 0, 0, list.reads, (size_t)last, &err)
                       : audit_search_all(store, &filter, list.rows, (size_t)last, &err);
    if (list.count < 0) {
        return cli_fail(args, &err, list.count == -ERR_AUDIT_CHAIN ? CLI_REFUSED : CLI_CRITICAL);
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
        strcmp(word, "reads") != 0 && strcmp(word, "key") != 0 && strcmp(word, "export") != 0) {
        (void)err_set(&err, ERR_CLI_USAGE,
                      "auditlog takes verify, show, export, reads, key or archive");
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
    if (strcmp(word, "key") == 0) {
        return show_key(args, store);
    }
    if (strcmp(word, "export") == 0) {
        return export(args, store);
    }
    return strcmp(word, "verify") == 0 ? verify(args, store) : show(args, store);
}

const struct cli_command cmd_auditlog = {
    .name = "auditlog",
    .summary = "Verify, show or archive the audit log, a sealed chain of keyed hashes",
    .words = "verify|show|export|reads|key|archive",
    .words_min = 1,
    .words_max = 1,
    .options = {{"--last", "N", "show, reads: how many rows (default 20, at most 1000)"},
                {"--older-than", "DAYS",
                 "archive: rows that are older (default: monitoring.audit_log_archive)"},
                {"--key", "HEX|FILE", "verify: the public key, or a file with what key printed"},
                {"--seal", "ROWS:HASH", "verify: a seal that was kept elsewhere"},
                {"--since", "TIME", "show, export: not older than this UTC time, or -2h"},
                {"--user", "NAME", "show, export: only of this user"},
                {"--command", "NAME", "show, export: only of this command"},
                {"--result", "WORD", "show, export: ok, failed, or an error code"},
                {"--run", "N", "show, export: only of this run of a command"},
                {"--csv", NULL, "export: print CSV"},
                CLI_OPTION_JSON,
                {"--ndjson", NULL, "show, export, reads: print a JSON document per row"},
                CLI_OPTION_CONFIG,
                CLI_OPTION_STATE},
    .more =
        "verify, show and reads read the database with or without a running daemon.\n"
        "The log has commands that change something, refusals and unauthorised users. Commands\n"
        "that only read are counted by person and hour; reads shows the counts.\n"
        "show prints the newest rows of the database; export prints all that match, oldest first,\n"
        "those in the archives too.\n"
        "archive moves old rows, except the newest 50, into files in the folder audit of the\n"
        "state folder. The daemon archives automatically; to run archive, stop the daemon.\n"
        "verify reads the archives too, so keep them where they are.\n"
        "The daemon seals the log with an Ed25519 signature every hour and at stop. key prints "
        "the\n"
        "public key and the newest seal. Keep them on another machine, and pass them to verify:\n"
        "then it fails for a log that was rewritten, or that ends before a seal you kept.",
    .exits = "  0  shown or archived; or no row was changed\n"
             "  1  a row or an archive was changed, removed or added; it is named\n"
             "  2  the database or its key cannot be read, or archive found a running daemon\n",
    .run = run,
};
