/*
 * kill9: kills the daemon with kill -9 at random moments, while a fake Telegram sends commands and
 * the market runs at full speed. After each kill it starts the daemon with a stopped market and
 * compares its answers with the state on disk.
 *
 *     kill9 NIGHTDESK [ROUNDS [SEED]]            prints TAP; a failure prints the seed
 *
 * Invariants after a kill at any moment:
 *   - every database is intact, and positions and trading state are the committed ones;
 *   - no intent stays open, and no order was filled beyond its quantity;
 *   - the engine's positions equal the venue's;
 *   - every command ran exactly once.
 */
#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"
#include "fakes/fake_telegram.h"
#include "io/db.h"
#include "io/file.h"
#include "io/json.h"
#include "io/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWNER          7
#define ROUNDS_DEFAULT 50
#define SEED_DEFAULT   20260101
#define LIFE_MAX_MS    450
#define READY_MAX_MS   10000
#define POSITIONS_TEXT ((size_t)16 * 1024)

struct world {
    const char *binary;
    uint64_t seed;
    struct rng rng;
    char folder[64];
    char fast[96];  /* configuration: the market runs, people send commands */
    char still[96]; /* the market is stopped and Telegram is off: only recovery runs */
    char last[96];  /* the market is stopped, commands are answered */
    char state[96];
    struct fake_telegram *telegram;
    int checks;
    int failures;
    int round;
    int64_t commands; /* /why commands, numbered from 1 */
    int64_t pauses_and_resumes;
    int64_t closes;
    int with_positions; /* rounds in which the killed daemon had positions */
    int with_intents;
    pid_t daemon;
};

/* ---------------------------------------------------------------- TAP */

__attribute__((format(printf, 3, 4))) static bool check(struct world *w, bool good,
                                                        const char *format, ...)
{
    if (good) {
        return true;
    }
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    w->failures++;
    (void)printf("# seed %llu, round %d: %s\n", (unsigned long long)w->seed, w->round, text);
    return false;
}

static void print_result(struct world *w, int failures_before, const char *name)
{
    w->checks++;
    (void)printf("%s %d - %s\n", w->failures == failures_before ? "ok" : "not ok", w->checks, name);
    (void)fflush(stdout);
}

/* ---------------------------------------------------------------- the daemon */

static void start(struct world *w, const char *config)
{
    pid_t pid = fork();
    if (pid == 0) {
        char log[128];
        (void)snprintf(log, sizeof(log), "%s/daemon.log", w->folder);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        int null = open("/dev/null", O_RDONLY);
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)execl(w->binary, w->binary, "run", "--config", config, "--state", w->state,
                    (char *)NULL);
        _exit(127);
    }
    w->daemon = pid;
}

static void end(struct world *w)
{
    int status;
    (void)kill(w->daemon, SIGKILL);
    (void)waitpid(w->daemon, &status, 0);
    (void)check(w, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                "the daemon ended by itself before the kill (status %d)", status);
    w->daemon = 0;
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* GET over the daemon's socket; NULL without an answer of 200. */
static struct json_object *get(struct world *w, const char *path)
{
    static char answer[256 * 1024];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    AUTO_BUF struct buf path_text = BUF_INIT(sizeof(to.sun_path) - 1);
    buf_addf(&path_text, "%s/nightdesk.sock", w->state);
    (void)str_copy(buf_str(&path_text), to.sun_path, sizeof(to.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        char request[256];
        int n = snprintf(request, sizeof(request),
                         "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
        ssize_t got = send(fd, request, (size_t)n, MSG_NOSIGNAL);
        while (got > 0 && len + 1 < sizeof(answer)) {
            got = read(fd, answer + len, sizeof(answer) - 1 - len);
            len += got > 0 ? (size_t)got : 0;
        }
    }
    (void)close(fd);
    answer[len] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    struct json_object *root = NULL;
    if (strncmp(answer, "HTTP/1.1 200", 12) == 0 && body != NULL) {
        (void)json_parse(str_c(body + 4), &JSON_LIMITS_DEFAULT, &root, NULL);
    }
    return root;
}

/* The state once the engine has reconciled. */
static struct json_object *wait_state(struct world *w)
{
    for (int waited = 0; waited < READY_MAX_MS; waited += 5) {
        struct json_object *root = get(w, "/api/v1/state");
        if (root != NULL &&
            strcmp(json_text(json_get(root, "trading"), "state"), "starting") != 0) {
            return root;
        }
        (void)json_object_put(root);
        pause_ms(5);
    }
    return NULL;
}

/* ---------------------------------------------------------------- the disk */

static struct db *open_db(struct world *w, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", w->state, name);
    struct db *db = NULL;
    struct err err = {0};
    int rc = db_open(&(struct db_options){.path = path, .read_only = true, .busy_timeout_ms = 2000},
                     &db, &err);
    (void)check(w, rc == 0, "%s: %s", name, err.context);
    return db;
}

static int64_t number(struct world *w, struct db *db, const char *sql)
{
    int64_t value = -1;
    struct err err = {0};
    (void)check(w, db_get_i64(db, sql, DB_NO_VALUES, -1, &value, &err) == 0, "%s: %s", sql,
                err.context);
    return value;
}

/* "BTC-USD long 310000 6412050000000;" for each row, sorted. */
static void positions_on_disk(struct world *w, struct db *db, const char *table, struct buf *out)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct err err = {0};
    bool paper = strcmp(table, "paper_positions") == 0;
    int rc = db_query(db,
                      paper ? "SELECT symbol, side, qty, entry_price FROM paper_positions"
                              " ORDER BY symbol"
                            : "SELECT symbol, side, qty, entry_price FROM positions"
                              " ORDER BY symbol",
                      DB_NO_VALUES, &rows, &err);
    while (rc == 0 && (rc = db_next(rows, &err)) > 0) {
        buf_addf(out, "%.*s %.*s %lld %lld;", STR_ARG(db_text(rows, 0)), STR_ARG(db_text(rows, 1)),
                 (long long)db_i64(rows, 2), (long long)db_i64(rows, 3));
        rc = 0;
    }
    (void)check(w, rc == 0, "%s: %s", table, err.context);
}

static int compare_positions(const void *a, const void *b)
{
    struct json_object *const *x = a, *const *y = b;
    return strcmp(json_text(*x, "symbol"), json_text(*y, "symbol"));
}

/* A number with its digits as they were written. */
static struct dec decimal(struct json_object *object, const char *key)
{
    struct dec value = DEC_INVALID;
    struct json_object *number = json_get(object, key);
    if (json_is_number(number)) {
        (void)dec_parse(str_c(json_object_to_json_string(number)), &value);
    }
    return value;
}

static void positions_in_state(struct json_object *state, struct buf *out)
{
    struct json_object *positions = json_get(state, "positions");
    json_object_array_sort(positions, compare_positions);
    for (size_t i = 0; i < json_len(positions); i++) {
        struct json_object *p = json_item(positions, i);
        struct dec qty = decimal(p, "qty"), entry = decimal(p, "entry_price");
        buf_addf(out, "%s %s %lld %lld;", json_text(p, "symbol"), json_text(p, "side"),
                 (long long)qty.e8, (long long)entry.e8);
    }
}

struct remains { /* the state on disk of a killed daemon */
    char trading_state[24];
    int64_t open_orders;
    int64_t unbooked_fills; /* known to the venue and not to the engine */
    struct buf positions;
    struct buf venue;
};

static void read_remains(struct world *w, struct remains *r)
{
    struct db *db = open_db(w, "trading.db");
    if (db == NULL) {
        return;
    }
    struct err err = {0};
    (void)check(w, db_quick_check(db, &err) == 0, "trading.db: %s", err.context);
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    if (db_query(db, "SELECT state FROM engine_state", DB_NO_VALUES, &rows, &err) == 0 &&
        db_next(rows, &err) > 0) {
        (void)str_copy(db_text(rows, 0), r->trading_state, sizeof(r->trading_state));
    }
    r->open_orders = number(w, db,
                            "SELECT count(*) FROM orders"
                            " WHERE state NOT IN ('filled', 'cancelled', 'rejected')");
    r->unbooked_fills = number(w, db,
                               "SELECT count(*) FROM paper_fills p WHERE NOT EXISTS"
                               " (SELECT 1 FROM fills f WHERE f.venue_fill_id = p.venue_fill_id)");
    positions_on_disk(w, db, "positions", &r->positions);
    positions_on_disk(w, db, "paper_positions", &r->venue);
    db_rows_free(TAKE(rows));
    db_free(db);
}

/* ---------------------------------------------------------------- invariants */

/* An order may rest at the venue until the next price; then engine and venue both list it. */
static void check_intents(struct world *w, struct db *db)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    AUTO_BUF struct buf open = BUF_INIT(512);
    struct err err = {0};
    int rc = db_query(db,
                      "SELECT o.client_id, o.state, p.state FROM orders o LEFT JOIN paper_orders p"
                      " ON p.client_id = o.client_id"
                      " WHERE o.state NOT IN ('filled', 'cancelled', 'rejected')"
                      " AND NOT (o.state IN ('acked', 'partial') AND p.state IS o.state)",
                      DB_NO_VALUES, &rows, &err);
    while (rc == 0 && db_next(rows, &err) > 0) {
        buf_addf(&open, " %.*s %.*s (venue: %.*s)", STR_ARG(db_text(rows, 0)),
                 STR_ARG(db_text(rows, 1)), STR_ARG(db_text(rows, 2)));
    }
    (void)check(w, open.len == 0, "not resolved by recovery:%s", open.data);
}

static void check_books(struct world *w)
{
    struct db *db = open_db(w, "trading.db");
    if (db == NULL) {
        return;
    }
    check_intents(w, db);
    (void)check(w,
                number(w, db,
                       "SELECT count(*) FROM (SELECT client_id, kind, sum(qty) AS done FROM"
                       " fills GROUP BY client_id, kind) f JOIN orders o ON"
                       " o.client_id = f.client_id AND o.kind = f.kind WHERE f.done > o.qty") == 0,
                "an order was filled beyond its quantity");
    (void)check(w, number(w, db, "SELECT count(*) - count(DISTINCT venue_fill_id) FROM fills") == 0,
                "a fill was booked twice");
    (void)check(w,
                number(w, db,
                       "SELECT count(*) FROM paper_fills p WHERE NOT EXISTS"
                       " (SELECT 1 FROM fills f WHERE f.venue_fill_id = p.venue_fill_id)") == 0,
                "a fill of the venue is not booked");
    (void)check(w,
                number(w, db,
                       "SELECT count(*) FROM fills f WHERE NOT EXISTS"
                       " (SELECT 1 FROM paper_fills p WHERE p.venue_fill_id = f.venue_fill_id)") ==
                    0,
                "a booked fill is unknown to the venue");
    (void)check(w,
                number(w, db,
                       "SELECT count(*) FROM (SELECT client_id FROM trades GROUP BY client_id"
                       " HAVING count(DISTINCT opened_us) > 1)") == 0,
                "one entry became two trades");
    int64_t asked = w->pauses_and_resumes;
    int64_t done =
        number(w, db, "SELECT count(*) FROM engine_requests WHERE kind IN ('pause', 'resume')");
    (void)check(w, done <= asked, "%lld pauses and resumes took effect, %lld were sent",
                (long long)done, (long long)asked);
    done = number(w, db, "SELECT count(*) FROM engine_requests WHERE kind = 'close'");
    (void)check(w, done <= w->closes, "%lld closes took effect, %lld were sent", (long long)done,
                (long long)w->closes);
    db_free(db);
}

static void check_runs(struct world *w, bool final)
{
    struct db *db = open_db(w, "ops.db");
    if (db == NULL) {
        return;
    }
    struct err err = {0};
    (void)check(w, db_quick_check(db, &err) == 0, "ops.db: %s", err.context);
    (void)check(w,
                number(w, db,
                       "SELECT count(*) FROM (SELECT args FROM command_runs WHERE command ="
                       " 'why' GROUP BY args HAVING count(*) > 1)") == 0,
                "a command ran twice");
    int64_t runs = number(w, db, "SELECT count(*) FROM command_runs WHERE command = 'why'");
    (void)check(w, runs <= w->commands, "%lld runs of %lld commands", (long long)runs,
                (long long)w->commands);
    if (final) {
        (void)check(w, runs == w->commands, "%lld runs of %lld commands: some were lost",
                    (long long)runs, (long long)w->commands);
        (void)check(w,
                    number(w, db, "SELECT count(*) FROM command_runs WHERE state = 'running'") == 0,
                    "a run never ended");
        /* Telegram accepts about one message per second, so most replies wait; none is dead. */
        (void)check(w, number(w, db, "SELECT count(*) FROM outbox WHERE state = 'dead'") == 0,
                    "a reply was given up");
    }
    db_free(db);
}

/* Compares the answers of the restarted daemon with the state that the killed one left. The market
 * is stopped, so only recovery may have changed anything. */
static void check_restart(struct world *w, const struct remains *r)
{
    AUTO_JSON struct json_object *state = wait_state(w);
    if (!check(w, state != NULL, "it did not come up")) {
        return;
    }
    const char *now = json_text(json_get(state, "trading"), "state");
    bool known = r->trading_state[0] != '\0' && strcmp(r->trading_state, "starting") != 0;
    (void)check(w, !known || strcmp(r->trading_state, now) == 0, "it was %s and is %s",
                r->trading_state, now);
    AUTO_BUF struct buf shown = BUF_INIT(POSITIONS_TEXT);
    positions_in_state(state, &shown);
    if (r->open_orders == 0 && r->unbooked_fills == 0) {
        (void)check(w, strcmp(shown.data, r->positions.data) == 0,
                    "positions were \"%s\" and are \"%s\"", r->positions.data, shown.data);
        (void)check(w, strcmp(shown.data, r->venue.data) == 0,
                    "the venue had \"%s\" and the engine has \"%s\"", r->venue.data, shown.data);
    }
    struct db *db = open_db(w, "trading.db");
    if (db != NULL) {
        AUTO_BUF struct buf venue = BUF_INIT(POSITIONS_TEXT), engine = BUF_INIT(POSITIONS_TEXT);
        positions_on_disk(w, db, "paper_positions", &venue);
        positions_on_disk(w, db, "positions", &engine);
        (void)check(w, strcmp(venue.data, engine.data) == 0,
                    "the venue has \"%s\" and the engine \"%s\"", venue.data, engine.data);
        db_free(db);
    }
    (void)check(w, json_truth(json_get(state, "account"), "books_balance", false),
                "the books do not balance");
}

/* ---------------------------------------------------------------- people */

static void send_command(struct world *w, const char *text)
{
    (void)fake_telegram_user_sends(w->telegram,
                                   &(struct fake_telegram_message){.from = OWNER, .text = text});
}

static void send_something(struct world *w)
{
    char text[64];
    switch (rng_below(&w->rng, 6)) {
    case 0:
        w->pauses_and_resumes++;
        send_command(w, "/pause");
        break;
    case 1:
    case 2:
        w->pauses_and_resumes++;
        send_command(w, "/resume");
        break;
    case 3:
        w->closes++;
        send_command(w, "/close all");
        break;
    case 4:
        (void)fake_telegram_press(w->telegram, OWNER, OWNER, "Confirm");
        break;
    default:
        (void)snprintf(text, sizeof(text), "/why %lld", (long long)(1000000 + ++w->commands));
        send_command(w, text);
        break;
    }
}

/* ---------------------------------------------------------------- the run */

static void write_config(struct world *w, char *path, size_t size, const char *name, int speed,
                         bool telegram)
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    (void)snprintf(path, size, "%.60s/%s", w->folder, name);
    buf_addf(&text,
             "telegram:\n  bot_token: \"%s\"\n  api_url: http://127.0.0.1:%u\n  chat_id: %d\n"
             "  poll_timeout: 2s\n  stale_after: 1h\n"
             "  users:\n    - {id: %d, name: owner, role: admin, emergency: true}\n"
             "market:\n  seed: 11\n  speed: %d\n"
             "trading:\n  threshold: 0.05\nrisk:\n  cooldown: 0s\n  stop: 0.3%%\n  target: 0.5%%\n"
             "  max_daily_loss: 100%%\n  max_drawdown: 100%%\n  max_consecutive_losses: 100\n"
             "commands:\n  rate: 0\nservices: {}\napi:\n  port: 0\n",
             telegram ? FAKE_TELEGRAM_TOKEN : "", (unsigned)fake_telegram_port(w->telegram), OWNER,
             OWNER, speed);
    struct err err = {0};
    (void)check(w, file_write(path, buf_str(&text), 0600, &err) == 0, "%s", err.context);
}

static void one_round(struct world *w)
{
    start(w, w->fast);
    int64_t life_ms = 20 + (int64_t)rng_below(&w->rng, LIFE_MAX_MS);
    while (life_ms > 0) {
        int64_t step_ms = 1 + (int64_t)rng_below(&w->rng, 60);
        pause_ms(step_ms < life_ms ? step_ms : life_ms);
        life_ms -= step_ms;
        if (life_ms > 0) {
            send_something(w);
        }
    }
    end(w);

    struct remains remains = {.positions = BUF_INIT(POSITIONS_TEXT),
                              .venue = BUF_INIT(POSITIONS_TEXT)};
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/trading.db", w->state);
    if (file_exists(path)) {
        read_remains(w, &remains);
        w->with_positions += remains.positions.len > 0 ? 1 : 0;
        w->with_intents += remains.open_orders > 0 ? 1 : 0;
    }
    start(w, w->still);
    check_restart(w, &remains);
    check_books(w);
    check_runs(w, false);
    end(w);
    buf_release(&remains.positions);
    buf_release(&remains.venue);
}

static int64_t runs_under_way(struct world *w)
{
    struct db *db = open_db(w, "ops.db");
    if (db == NULL) {
        return 0;
    }
    int64_t count = number(w, db, "SELECT count(*) FROM command_runs WHERE state = 'running'");
    db_free(db);
    return count;
}

/* At the end every command has been answered. */
static void last_round(struct world *w)
{
    start(w, w->last);
    (void)json_object_put(wait_state(w));
    for (int waited = 0; waited < 60000 && fake_telegram_pending(w->telegram) > 0; waited += 50) {
        pause_ms(50);
    }
    (void)check(w, fake_telegram_pending(w->telegram) == 0, "updates are not confirmed");
    for (int waited = 0; waited < 20000 && runs_under_way(w) > 0; waited += 100) {
        pause_ms(100);
    }
    int status;
    (void)kill(w->daemon, SIGTERM);
    (void)waitpid(w->daemon, &status, 0);
    w->daemon = 0;
    (void)check(w, WIFEXITED(status) && WEXITSTATUS(status) == 0, "SIGTERM ended it with %d",
                status);
    check_books(w);
    check_runs(w, true);
    /* Without trades and commands the test would prove nothing. */
    struct db *db = open_db(w, "trading.db");
    if (db != NULL) {
        int64_t fills = number(w, db, "SELECT count(*) FROM fills");
        int64_t requests = number(w, db, "SELECT count(*) FROM engine_requests");
        (void)printf("# %lld fills, %lld requests of people took effect, %d rounds with positions, "
                     "%d with an open intent\n",
                     (long long)fills, (long long)requests, w->with_positions, w->with_intents);
        (void)check(w, w->round < 20 || (fills > 20 && requests > 5 && w->with_positions > 5),
                    "too little happened to prove anything");
        db_free(db);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: kill9 NIGHTDESK [ROUNDS [SEED]]\n");
        return 2;
    }
    struct world w = {.binary = argv[1], .seed = SEED_DEFAULT};
    int64_t rounds = ROUNDS_DEFAULT, seed = SEED_DEFAULT;
    struct err err = {0};
    if ((argc > 2 && !str_to_i64(str_c(argv[2]), &rounds)) ||
        (argc > 3 && !str_to_i64(str_c(argv[3]), &seed)) || secret_init(&err) < 0) {
        return 2;
    }
    w.seed = (uint64_t)seed;
    rng_init(&w.rng, w.seed);
    (void)str_copy(str_c("/var/tmp/nightdesk-kill9.XXXXXX"), w.folder, sizeof(w.folder));
    if (mkdtemp(w.folder) == NULL || fake_telegram_start(&w.telegram) < 0) {
        (void)printf("Bail out! no work folder or no loopback\n");
        return 1;
    }
    (void)snprintf(w.state, sizeof(w.state), "%s/state", w.folder);
    write_config(&w, w.fast, sizeof(w.fast), "fast.yaml", 3600, true);
    write_config(&w, w.still, sizeof(w.still), "still.yaml", 1, false);
    write_config(&w, w.last, sizeof(w.last), "last.yaml", 1, true);
    for (w.round = 1; w.round <= rounds; w.round++) {
        int before = w.failures;
        one_round(&w);
        char name[64];
        (void)snprintf(name, sizeof(name), "kill -9, moment %d", w.round);
        print_result(&w, before, name);
    }
    int before = w.failures;
    last_round(&w);
    char name[128];
    (void)snprintf(name, sizeof(name), "%lld numbered commands ran once each, none was lost",
                   (long long)w.commands);
    print_result(&w, before, name);
    (void)printf("1..%d\n", w.checks);
    fake_telegram_stop(w.telegram);
    char command[128];
    if (w.failures == 0) {
        (void)snprintf(command, sizeof(command), "rm -rf %s", w.folder);
        (void)!system(command);
    } else {
        (void)printf("# state and log are kept in %s\n", w.folder);
    }
    return w.failures == 0 ? 0 : 1;
}
