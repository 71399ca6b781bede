#include "import_candles.h"

#include "base/check.h"
#include "cli_csv.h"
#include "io/file.h"
#include "io/json_out.h"
#include "market/resample.h"
#include "ops/ops.h"
#include "store/candle_table.h"

#include <ctype.h>
#include <sys/stat.h>

#define PROGRESS_EVERY 50000
#define FOLDER_MAX     4096
#define NAME_PARTS_MAX 16
#define OUT_MAX        ((size_t)4 << 20)

enum outcome { OUTCOME_STORED, OUTCOME_REFUSED, OUTCOME_LEFT_OUT, OUTCOME_COUNT };

struct import { /* of one file */
    const char *path;
    const char *why; /* it is left out */
    struct symbol symbol;
    enum timeframe tf;
    struct csv_check check;
    int64_t stored;
    int64_t unfit; /* bars whose prices or volumes do not fit steps of 1e-8 */
    int64_t first_us;
    int64_t last_us;
};

struct job {
    const struct cli_args *args;
    struct config *config;
    struct csv_limits limits;
    const char *symbol; /* NULL: by the name of each file */
    bool many;          /* more than one word, or a folder */
    bool json;
    int lock_fd;
    struct trading_store *store; /* opened for the first usable file */
    struct json_out json_out;
    struct buf out;
    int outcomes[OUTCOME_COUNT];
    bool has_dropped;
};

static void job_release(struct job *job)
{
    trading_store_free(job->store);
    auto_fd_cleanup(&job->lock_fd);
    config_free(job->config);
    buf_release(&job->out);
}
#define AUTO_JOB AUTO(job_release)

/* ---------------------------------------------------------------- the symbol of a file */

/* "USDT" of "BTCUSDT". The last two count only where they stand alone: SHIBUSD is SHIB in USD. */
static const char *const quotes[] = {"FDUSD", "USDT", "USDC", "USD", "EUR", "GBP",  "JPY", "TRY",
                                     "KRW",   "DAI",  "BTC",  "ETH", "BNB", "BUSD", "TUSD"};
#define QUOTES_JOINED (COUNT_OF(quotes) - 2)

static bool is_quote(const char *part)
{
    for (size_t i = 0; i < COUNT_OF(quotes); i++) {
        if (strcmp(part, quotes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_base(const char *part, size_t len)
{
    bool letter = false;
    for (size_t i = 0; i < len; i++) {
        letter = letter || isalpha((unsigned char)part[i]);
    }
    return letter && len >= 2 && len <= 10;
}

static bool join(const char *base, size_t base_len, const char *quote, struct symbol *ret)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "%.*s-%s", (int)base_len, base, quote);
    return symbol_parse(str_c(name), ret);
}

/* The symbol that a file's name begins with or contains, as exchanges name their files:
 * "BTCUSDT-1m-2022-01.csv", "BTC_USDT-5m.json", "Binance_ETHUSDT_1h.csv". */
static bool symbol_of_name(const char *path, struct symbol *ret)
{
    char parts[NAME_PARTS_MAX][16];
    int count = 0;
    size_t len = 0;
    const char *slash = strrchr(path, '/');
    for (const char *p = slash != NULL ? slash + 1 : path; count < NAME_PARTS_MAX; p++) {
        if (isalnum((unsigned char)*p)) {
            if (len + 1 < sizeof(parts[0])) {
                parts[count][len++] = (char)toupper((unsigned char)*p);
            }
            continue;
        }
        parts[count][len] = '\0';
        count += len > 0;
        len = 0;
        if (*p == '\0') {
            break;
        }
    }
    for (int i = 0; i < count; i++) {
        len = strlen(parts[i]);
        if (i + 1 < count && is_base(parts[i], len) && is_quote(parts[i + 1])) {
            return join(parts[i], len, parts[i + 1], ret);
        }
        for (size_t q = 0; q < QUOTES_JOINED; q++) {
            size_t tail = strlen(quotes[q]);
            if (len > tail && strcmp(parts[i] + len - tail, quotes[q]) == 0 &&
                is_base(parts[i], len - tail)) {
                return join(parts[i], len - tail, quotes[q], ret);
            }
        }
    }
    return false;
}

static int choose_symbol(const struct job *job, struct import *import, int *ret_unit,
                         struct err *err)
{
    if (job->symbol != NULL) {
        if (!symbol_parse(str_c(job->symbol), &import->symbol)) {
            return err_set(err, ERR_CLI_USAGE,
                           "--symbol takes 1 to 15 letters, digits and dashes, such as BTC-USD");
        }
    } else if (!symbol_of_name(import->path, &import->symbol)) {
        if (job->many) {
            return err_set(err, ERR_CLI_USAGE,
                           "%s: its name has no symbol such as BTCUSDT or "
                           "BTC-USD: give it with --symbol",
                           import->path);
        }
        import->symbol = job->config->market_symbols.items[0];
    }
    return cli_csv_unit(cli_value(job->args, "--unit"), &import->symbol, ret_unit, err);
}

/* ---------------------------------------------------------------- one file */

/* The smallest timeframe that the rows fill. */
static int choose_timeframe(struct import *import, struct err *err)
{
    for (int tf = 0; tf < TF_COUNT; tf++) {
        import->tf = (enum timeframe)tf;
        int rc = cli_csv_check_timeframe(import->path, &import->check.report, import->tf, err);
        if (rc == 0) {
            err_clear(err);
            return 0;
        }
    }
    return -err->id;
}

static int store_one(struct import *import, struct trading_store *store, const struct candle *c,
                     struct err *err)
{
    if (!candle_is_valid(c)) {
        import->unfit++;
        return 0;
    }
    int rc = candle_table_import(store, import->symbol, import->tf, c, err);
    if (rc < 0) {
        return rc;
    }
    if (import->stored == 0) {
        import->first_us = c->open_us;
    }
    import->last_us = c->open_us;
    import->stored++;
    return 0;
}

static void show_progress(const struct import *import, int64_t rows)
{
    if (rows % PROGRESS_EVERY == 0 && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%lld of %lld rows\033[K", (long long)rows,
                      (long long)import->check.report.accepted);
    }
}

static int store_all(struct import *import, struct trading_store *store, struct err *err)
{
    AUTO_CSV struct csv *csv = NULL;
    struct resample resample;
    struct csv_row row, closed;
    int64_t rows = 0;
    int rc = csv_open(import->path, &import->check.options, &csv, err);
    resample_init(&resample, timeframe_us(import->tf));
    while (rc >= 0 && (rc = csv_next(csv, &row, err)) > 0) {
        show_progress(import, ++rows);
        if (resample_push(&resample, &row, &closed)) {
            rc = store_one(import, store, &closed.candle, err);
        }
    }
    if (rows >= PROGRESS_EVERY && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\033[K");
    }
    /* The timeframe of a file with one row is unknown: the row counts as a whole candle. */
    int64_t step_us =
        import->check.report.step_us > 0 ? import->check.report.step_us : resample.length_us;
    if (rc == 0 && resample_end(&resample, step_us, &closed)) {
        rc = store_one(import, store, &closed.candle, err);
    }
    return rc;
}

int import_open_store(const char *state_dir, int *ret_lock_fd, struct trading_store **ret,
                      struct err *err)
{
    AUTO_BUF struct buf lock = BUF_INIT(4096);
    int rc = file_make_folder(state_dir, 0750, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&lock, "%s/" OPS_LOCK_NAME, state_dir);
    rc = file_lock(lock.data, ret_lock_fd, err);
    return rc < 0 ? rc : trading_store_open(state_dir, TRADING_STORE_WRITE, ret, err);
}

/* All of the file or nothing, in one transaction; SQLite spills a large one to disk. */
static int store_file(struct job *job, struct import *import, struct err *err)
{
    int rc = 0;
    if (job->store == NULL) {
        rc = import_open_store(cli_find_state_dir(job->args, job->config), &job->lock_fd,
                               &job->store, err);
    }
    rc = rc < 0 ? rc : trading_store_begin(job->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = store_all(import, job->store, err);
    if (rc >= 0 && import->stored == 0) {
        rc = err_set(err, ERR_MARKET_CSV_EMPTY, "%s: no complete %s bar within range", import->path,
                     timeframe_name(import->tf));
    }
    if (rc < 0) {
        trading_store_rollback(job->store);
        return rc;
    }
    return trading_store_commit(job->store, err);
}

/* ---------------------------------------------------------------- outcomes */

static void add_figures_json(struct job *job, const struct import *import)
{
    const struct csv_report *r = &import->check.report;
    struct json_out *out = &job->json_out;
    json_out_text(out, "symbol", import->symbol.name);
    json_out_text(out, "timeframe", timeframe_name(import->tf));
    json_out_i64(out, "stored", import->stored);
    json_out_time(out, "first_at", import->first_us);
    json_out_time(out, "last_at", import->last_us);
    json_out_i64(out, "rows", r->accepted + r->duplicates + r->refused);
    json_out_i64(out, "missing", csv_report_missing(r));
    json_out_i64(out, "duplicates", r->duplicates);
    json_out_i64(out, "refused", r->refused);
    json_out_i64(out, "unfit", import->unfit);
    json_out_text(out, "note", import->check.note);
}

static void add_figures(struct buf *out, const struct import *import)
{
    const struct csv_report *r = &import->check.report;
    buf_addf(out, "%s %s: %lld candles stored, ", import->symbol.name, timeframe_name(import->tf),
             (long long)import->stored);
    clock_add_iso(out, import->first_us, false);
    buf_add_c(out, " to ");
    clock_add_iso(out, import->last_us, false);
    buf_addf(out, "\nrows %lld, missing %lld, duplicates %lld, refused %lld, out of range %lld\n",
             (long long)(r->accepted + r->duplicates + r->refused),
             (long long)csv_report_missing(r), (long long)r->duplicates, (long long)r->refused,
             (long long)import->unfit);
}

static const char *outcome_name(enum outcome outcome)
{
    static const char *const names[OUTCOME_COUNT] = {"stored", "refused", "left out"};
    return names[outcome];
}

/* err: of a file that was not stored. */
static void list_outcome(struct job *job, const struct import *import, enum outcome outcome,
                         const struct err *err)
{
    job->outcomes[outcome]++;
    if (job->json && job->many) {
        json_out_object(&job->json_out, NULL);
        json_out_text(&job->json_out, "file", import->path);
        json_out_text(&job->json_out, "outcome", outcome_name(outcome));
    }
    if (job->json && outcome == OUTCOME_STORED) {
        add_figures_json(job, import);
    } else if (job->json && outcome == OUTCOME_REFUSED) {
        json_out_text(&job->json_out, "error_code", err_info(err->id)->code);
        json_out_text(&job->json_out, "context", err->context);
    }
    if (job->json) {
        if (job->many) {
            json_out_end(&job->json_out);
        }
        return;
    }
    if (job->many) {
        buf_addf(&job->out, "%s: ", import->path);
    }
    if (outcome == OUTCOME_STORED) {
        add_figures(&job->out, import);
    } else if (outcome == OUTCOME_REFUSED) {
        buf_add_c(&job->out, "refused: ");
        err_line(err, &job->out);
        buf_add_char(&job->out, '\n');
    } else {
        buf_addf(&job->out, "left out: %s\n", import->why);
    }
    cli_print(buf_str(&job->out));
    buf_clear(&job->out);
}

/* ---------------------------------------------------------------- files and folders */

/* A negative result ends the import. */
static int import_file(struct job *job, const char *path, struct err *err)
{
    AUTO_FREE struct import *import = calloc(1, sizeof(*import));
    ASSERT(import != NULL);
    struct csv_limits limits = job->limits;
    import->path = path;
    int rc = choose_symbol(job, import, &limits.unit, err);
    rc = rc < 0 ? rc : cli_csv_check(path, &limits, &import->check, err);
    rc = rc < 0 ? rc : choose_timeframe(import, err);
    rc = rc < 0 ? rc : store_file(job, import, err);
    if (rc >= 0) {
        job->has_dropped = job->has_dropped || import->unfit > 0 ||
                           import->check.report.refused + import->check.report.unfit > 0;
        list_outcome(job, import, OUTCOME_STORED, NULL);
        return 0;
    }
    /* Without a database no other file can be stored either. */
    if (!job->many || (job->store == NULL && job->lock_fd < 0 && rc == -ERR_FILE_LOCKED)) {
        return rc;
    }
    list_outcome(job, import, OUTCOME_REFUSED, err);
    err_clear(err);
    return 0;
}

static bool is_candle_file(const char *name)
{
    static const char *const ends[] = {".csv", ".tsv", ".txt", ".json"};
    size_t len = strlen(name);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        size_t tail = strlen(ends[i]);
        if (len > tail && strcasecmp(name + len - tail, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int import_folder(struct job *job, const char *folder, struct err *err)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    int rc = file_list(folder, FOLDER_MAX, &names, err);
    for (size_t i = 0; i < names.count && rc >= 0; i++) {
        AUTO_BUF struct buf path = BUF_INIT(8192);
        struct stat st;
        buf_addf(&path, "%s/%s", folder, names.items[i]);
        struct import other = {.path = path.data};
        if (stat(path.data, &st) == 0 && S_ISDIR(st.st_mode)) {
            other.why = "a folder in a folder";
        } else if (!is_candle_file(names.items[i])) {
            other.why = "not named .csv, .tsv, .txt or .json";
        }
        if (other.why == NULL) {
            rc = import_file(job, path.data, err);
        } else {
            list_outcome(job, &other, OUTCOME_LEFT_OUT, NULL);
        }
    }
    return rc;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int import_words(struct job *job, struct err *err)
{
    int rc = 0;
    for (int i = 1; i < job->args->word_count && rc >= 0; i++) {
        const char *path = job->args->word[i];
        rc = is_folder(path) ? import_folder(job, path, err) : import_file(job, path, err);
    }
    return rc;
}

static void print_end(struct job *job)
{
    if (job->json) {
        if (job->many) {
            json_out_end(&job->json_out);
        }
        json_out_end(&job->json_out);
        buf_add_char(&job->out, '\n');
    } else if (job->many) {
        buf_addf(&job->out, "%d stored, %d refused, %d left out\n", job->outcomes[OUTCOME_STORED],
                 job->outcomes[OUTCOME_REFUSED], job->outcomes[OUTCOME_LEFT_OUT]);
    }
    cli_print(buf_str(&job->out));
}

int import_candles(const struct cli_args *args)
{
    AUTO_JOB struct job job = {.args = args,
                               .symbol = cli_value(args, "--symbol"),
                               .many = args->word_count > 2 || is_folder(args->word[1]),
                               .json = cli_flag(args, "--json"),
                               .lock_fd = -1,
                               .out = BUF_INIT(OUT_MAX)};
    struct err err = {0};
    if (cli_csv_limits(args, true, &job.limits, &err) < 0 ||
        cli_load_config_without_secrets(args, &job.config, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    job.json_out = (struct json_out)JSON_OUT(&job.out);
    if (job.json) {
        json_out_document(&job.json_out,
                          job.many ? "nightdesk.import_files/1" : "nightdesk.import_candles/1");
        if (job.many) {
            json_out_array(&job.json_out, "files");
        }
    }
    if (import_words(&job, &err) < 0) {
        return cli_fail(args, &err, CLI_CRITICAL);
    }
    print_end(&job);
    return job.outcomes[OUTCOME_STORED] == 0                      ? CLI_CRITICAL
           : job.outcomes[OUTCOME_REFUSED] > 0 || job.has_dropped ? CLI_REFUSED
                                                                  : CLI_FINE;
}
