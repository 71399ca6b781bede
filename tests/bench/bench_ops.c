/*
 * bench_ops.c: the daemon from its users' point of view: the real binary in a separate process, on
 * loopback.
 *
 * "exec to ready" is the time from before exec to READY=1 of sd_notify, with an existing state
 * folder. "update to reply" is the time from an update in the fake Bot API (with a waiting long
 * poll) to sendMessage; 50 users in turn, because Telegram accepts one message per second in a
 * chat. It includes two commits, which survive a crash of the program; the disk is waited for
 * before the update is confirmed, and for a command that changes something before it runs. "two
 * plain SQLite commits" is the peer: one INSERT each, alternating with the updates on the same
 * disk, that of /var/tmp, and waiting for it. "with 10,000 alerts queued" is the same while they
 * wait for another chat. "1,000 updates" are all there when the daemon starts to poll; it ends when
 * Telegram has none left. "socket command" is one POST on a new connection. "longest absence" is
 * the longest time during all this in which the ops loop was busy or blocked (io/loop.h), including
 * the disk; the peer column names the callback.
 */
#include "base/check.h"
#include "base/clock.h"
#include "bench/bench.h"
#include "command/reply_json.h"
#include "fakes/fake_telegram.h"
#include "fakes/fake_venue.h"
#include "io/file.h"
#include "model/capacity.h"
#include "store/ops.h"
#include "store/outbox_table.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define STARTS         20
#define PEOPLE         50
#define UPDATES        520
#define QUEUED_UPDATES 260
#define QUEUED_ALERTS  10000
#define QUEUED_CHAT    (-100500)
#define BACKLOGS       3
#define BACKLOG        1000
#define COMMANDS       1000
#define UPDATE_GAP_MS  75 /* Telegram accepts about 15 messages per second from a bot */
#define IDLE_S         3
#define FIRST_PERSON   1000
#define ANSWER_MAX_MS  5000
#define NS_PER_MS      1e6

static double ready_ms[STARTS], update_ms[UPDATES], bare_ms[UPDATES], command_ms[COMMANDS],
    queued_ms[QUEUED_UPDATES], backlog_s[BACKLOGS], rss_mb[1];

struct daemon {
    char binary[PATH_MAX];
    char folder[64];
    char config[96];
    char state[96];
    int notify_fd;
    pid_t pid;
};

static void sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

static void start(struct daemon *d)
{
    pid_t self = getpid();
    d->pid = fork();
    if (d->pid == 0) {
        bench_die_with_parent(self);
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)execl(d->binary, d->binary, "run", "--config", d->config, "--state", d->state,
                    (char *)NULL);
        _exit(127);
    }
    char message[4096];
    ssize_t n;
    do {
        n = recv(d->notify_fd, message, sizeof(message) - 1, 0);
        ASSERT(n > 0); /* on a timeout the daemon did not start */
        message[n] = '\0';
    } while (strstr(message, "READY=1") == NULL);
}

static void stop(struct daemon *d)
{
    int status;
    (void)kill(d->pid, SIGTERM);
    (void)waitpid(d->pid, &status, 0);
    ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char rest[4096];
    while (recv(d->notify_fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) {}
}

static void listen_for_ready(struct daemon *d)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", d->folder);
    d->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ASSERT(bind(d->notify_fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    const struct timeval limit = {.tv_sec = 120};
    ASSERT(setsockopt(d->notify_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
    ASSERT(setenv("NOTIFY_SOCKET", address.sun_path, 1) == 0);
}

/* symbols: of the market; 0: the default ones. */
static void write_config(struct daemon *d, uint16_t port, int symbols)
{
    AUTO_BUF struct buf text = BUF_INIT(16384);
    buf_addf(&text, "telegram:\n  bot_token: \"%s\"\n  api_url: http://127.0.0.1:%u\n  users:\n",
             FAKE_TELEGRAM_TOKEN, (unsigned)port);
    for (int i = 0; i < PEOPLE; i++) {
        buf_addf(&text, "    - {id: %d, name: person%d, role: operator}\n", FIRST_PERSON + i, i);
    }
    buf_add_c(&text, "commands:\n  rate: 0\nmonitoring:\n  audit_first_after: 1h\n"
                     "services: {}\napi:\n  port: 0\n");
    for (int i = 0; i < symbols; i++) {
        buf_addf(&text, "%sS%03d-USD%s", i == 0 ? "market:\n  symbols: [" : ", ", i,
                 i == symbols - 1 ? "]\nrisk:\n  max_positions: 100\n" : "");
    }
    ASSERT(file_write(d->config, buf_str(&text), 0600, NULL) == 0);
}

static void measure_starts(struct daemon *d)
{
    start(d);
    stop(d);
    for (int i = 0; i < STARTS; i++) {
        int64_t from_ns = bench_now_ns();
        start(d);
        ready_ms[i] = (double)(bench_now_ns() - from_ns) / NS_PER_MS;
        stop(d);
    }
}

static double resident_mb(pid_t pid)
{
    char path[64], line[256];
    double kb = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kb = strtod(line + 6, NULL);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kb / 1024;
}

static void bare_run(sqlite3 *db, const char *sql)
{
    ASSERT(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static sqlite3 *bare_open(const struct daemon *d)
{
    char path[96];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/bare.db", d->folder);
    ASSERT(sqlite3_open(path, &db) == SQLITE_OK);
    bare_run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    bare_run(db, "CREATE TABLE messages(id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
    return db;
}

static void ask(struct fake_telegram *telegram, int i)
{
    (void)fake_telegram_user_sends(
        telegram,
        &(struct fake_telegram_message){.from = FIRST_PERSON + i % PEOPLE, .text = "/status"});
}

/* From the message of one person to the reply in their chat. *seen: messages sent so far. */
static double one_update_ms(struct fake_telegram *telegram, int i, size_t *seen)
{
    int64_t from_ns = bench_now_ns();
    ask(telegram, i);
    for (;;) {
        ASSERT(fake_telegram_wait_sent(telegram, *seen, ANSWER_MAX_MS));
        while (*seen < fake_telegram_sent_count(telegram)) {
            struct fake_telegram_sent sent;
            fake_telegram_get_sent(telegram, (*seen)++, &sent);
            if (sent.chat == FIRST_PERSON + i % PEOPLE) {
                return (double)(bench_now_ns() - from_ns) / NS_PER_MS;
            }
        }
    }
}

/* Each message waits for its reply before the next one is sent. */
static void measure_updates(const struct daemon *d, struct fake_telegram *telegram)
{
    sqlite3 *bare = bare_open(d);
    size_t seen = fake_telegram_sent_count(telegram);
    for (int i = 0; i < UPDATES; i++) {
        update_ms[i] = one_update_ms(telegram, i, &seen);
        sleep_ms(UPDATE_GAP_MS / 2);
        int64_t from_ns = bench_now_ns();
        bare_run(bare, "INSERT INTO messages(text) VALUES ('/status')");
        bare_run(bare, "INSERT INTO messages(text) VALUES ('a reply')");
        bare_ms[i] = (double)(bench_now_ns() - from_ns) / NS_PER_MS;
        sleep_ms(UPDATE_GAP_MS / 2);
    }
    ASSERT(sqlite3_close(bare) == SQLITE_OK);
}

/* Alerts for one chat, which gets one a second; the replies go to other chats. */
static void queue_alerts(const struct daemon *d)
{
    struct ops_store *store = NULL;
    AUTO_REPLY struct reply *reply = reply_new();
    AUTO_BUF struct buf text = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    reply_title(reply, TONE_BAD, "an alert");
    reply_json_message(reply, &text);
    ASSERT(ops_store_open(d->state, OPS_STORE_WRITE, &store, NULL) == 0);
    ASSERT(ops_store_begin(store, NULL) == 0);
    for (int i = 0; i < QUEUED_ALERTS; i++) {
        const struct outbox_new m = {.channel = "telegram",
                                     .chat_id = QUEUED_CHAT,
                                     .kind = OUTBOX_SEND,
                                     .priority = OUTBOX_HIGH,
                                     .payload = text.data};
        int64_t id = 0;
        ASSERT(outbox_table_add(store, &m, clock_wall_us(clock_real()), &id, NULL) == 0);
    }
    ASSERT(ops_store_commit(store, NULL) == 0);
    ops_store_free(store);
}

static void measure_queued(struct daemon *d, struct fake_telegram *telegram)
{
    queue_alerts(d);
    start(d);
    sleep_ms(IDLE_S * 1000);
    size_t seen = fake_telegram_sent_count(telegram);
    for (int i = 0; i < QUEUED_UPDATES; i++) {
        queued_ms[i] = one_update_ms(telegram, i, &seen);
        sleep_ms(UPDATE_GAP_MS);
    }
    stop(d);
}

/* In an account of its own: most replies still wait for their turn at the end. */
static void measure_backlogs(struct daemon *d, struct fake_telegram *telegram)
{
    (void)snprintf(d->state, sizeof(d->state), "%s/backlog", d->folder);
    for (int n = 0; n < BACKLOGS; n++) {
        for (int i = 0; i < BACKLOG; i++) {
            ask(telegram, i);
        }
        size_t polls = fake_telegram_calls(telegram, "getUpdates");
        start(d);
        while (fake_telegram_calls(telegram, "getUpdates") == polls) {
            sleep_ms(1);
        }
        int64_t from_ns = bench_now_ns();
        while (fake_telegram_pending(telegram) > 0) {
            ASSERT((double)(bench_now_ns() - from_ns) < 60e9);
            sleep_ms(1);
        }
        backlog_s[n] = (double)(bench_now_ns() - from_ns) / 1e9;
        stop(d);
    }
}

static void measure_commands(const struct daemon *d)
{
    static const char request[] = "POST /api/v1/commands/status HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\nContent-Length: 2\r\n\r\n{}";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%.80s/nightdesk.sock", d->state);
    for (int i = 0; i < COMMANDS; i++) {
        char answer[65536];
        int64_t from_ns = bench_now_ns();
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
        ASSERT(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1);
        ssize_t first = read(fd, answer, sizeof(answer) - 1);
        while (read(fd, answer + 12, sizeof(answer) - 12) > 0) {}
        command_ms[i] = (double)(bench_now_ns() - from_ns) / NS_PER_MS;
        ASSERT(first > 12 && strncmp(answer, "HTTP/1.1 200", 12) == 0);
        (void)close(fd);
    }
}

/* The longest absence that the daemon reports, in milliseconds. */
static double longest_absence(const struct daemon *d, char *source, size_t size)
{
    static const char request[] = "GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\n"
                                  "Connection: close\r\n\r\n";
    static const char key[] = "\"longest_absence_us\":", in[] = "\"longest_absence_in\":\"";
    AUTO_BUF struct buf answer = BUF_INIT((size_t)1 << 20);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%.80s/nightdesk.sock", d->state);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    ASSERT(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1);
    char bytes[4096];
    for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;) {
        buf_add(&answer, bytes, (size_t)n);
    }
    (void)close(fd);
    const char *us = strstr(answer.data, key), *who = strstr(answer.data, in);
    ASSERT(us != NULL && who != NULL);
    who += sizeof(in) - 1;
    (void)snprintf(source, size, "%.*s", (int)strcspn(who, "\""), who);
    return strtod(us + sizeof(key) - 1, NULL) / 1000;
}

/* With an account and the prices of one venue, whose fake is a process of its own. */
static double venue_mb(struct daemon *d, uint16_t port, const struct fake_venue *fake)
{
    AUTO_BUF struct buf text = BUF_INIT(16384);
    (void)snprintf(d->state, sizeof(d->state), "%s/venue", d->folder);
    write_config(d, port, 0);
    ASSERT(file_read(d->config, &text, NULL) >= 0);
    buf_addf(&text,
             "market:\n  source: live\n  venue: binance\n  speed: 1\n  symbols: [BTC-USDT, "
             "ETH-USDT, SOL-USDT]\n  url: \"%s\"\n  stream_url: \"%s\"\n",
             fake_venue_url(fake), fake_venue_stream_url(fake));
    buf_addf(&text,
             "venue:\n  name: binance\n  mode: sandbox\n  accept_unknown_withdrawal: true\n  "
             "key: \"%s\"\n  secret: \"%s\"\n  url: \"%s\"\n  stream_url: "
             "\"%s/ws-api/v3\"\ntiers:\n  tier1_symbols: [BTC-USDT]\n  tier2_symbols: "
             "[ETH-USDT]\n",
             fake_venue_key(fake), fake_venue_secret(fake), fake_venue_url(fake),
             fake_venue_stream_url(fake));
    ASSERT(file_write(d->config, buf_str(&text), 0600, NULL) == 0);
    start(d);
    sleep_ms(IDLE_S * 1000);
    double mb = resident_mb(d->pid);
    stop(d);
    return mb;
}

/* A new account: its first start warms up each symbol, which takes seconds. */
static double many_symbols_mb(struct daemon *d, uint16_t port)
{
    (void)snprintf(d->state, sizeof(d->state), "%s/many", d->folder);
    write_config(d, port, SYMBOLS_LIMIT);
    start(d);
    sleep_ms(IDLE_S * 1000);
    double mb = resident_mb(d->pid);
    stop(d);
    return mb;
}

#define HELPS 50

static double help_ms[HELPS];

/* From before fork to the end of `nightdesk --help`. */
static void measure_help(const struct daemon *d)
{
    for (int i = 0; i < HELPS; i++) {
        int64_t began_ns = bench_now_ns();
        pid_t pid = fork();
        ASSERT(pid >= 0);
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            (void)dup2(null, STDOUT_FILENO);
            (void)execl(d->binary, d->binary, "--help", (char *)NULL);
            _exit(127);
        }
        int status = 0;
        ASSERT(waitpid(pid, &status, 0) == pid && status == 0);
        help_ms[i] = (double)(bench_now_ns() - began_ns) / 1e6;
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    struct daemon d = {.folder = "/var/tmp/nightdesk-bench.XXXXXX"};
    char self[PATH_MAX];
    ASSERT(realpath(argv[0], self) != NULL);
    (void)snprintf(d.binary, sizeof(d.binary), "%.4000s/../nightdesk", dirname(self));
    ASSERT(mkdtemp(d.folder) != NULL);
    (void)snprintf(d.config, sizeof(d.config), "%s/nightdesk.yaml", d.folder);
    (void)snprintf(d.state, sizeof(d.state), "%s/state", d.folder);
    struct fake_venue *venue = NULL; /* before a thread exists */
    ASSERT(fake_venue_start("binance", &venue) == 0);
    struct fake_telegram *telegram = NULL;
    ASSERT(fake_telegram_start(&telegram) == 0);
    write_config(&d, fake_telegram_port(telegram), 0);
    listen_for_ready(&d);

    measure_help(&d);
    measure_starts(&d);
    start(&d);
    sleep_ms(IDLE_S * 1000);
    rss_mb[0] = resident_mb(d.pid);
    measure_updates(&d, telegram);
    measure_commands(&d);
    double later_mb[1] = {resident_mb(d.pid)};
    char source[64];
    double away_ms[1] = {longest_absence(&d, source, sizeof(source))};
    stop(&d);
    measure_queued(&d, telegram);
    measure_backlogs(&d, telegram);
    double beside_mb[1] = {venue_mb(&d, fake_telegram_port(telegram), venue) - rss_mb[0]};
    double many_mb[1] = {many_symbols_mb(&d, fake_telegram_port(telegram))};

    bench_table_head();
    bench_table_row("--help, from fork to exit (limit 20 ms)", help_ms, HELPS, "ms", NULL);
    bench_table_row("exec to ready (limit 200 ms)", ready_ms, STARTS, "ms", NULL);
    bench_table_row("idle memory, RSS (limit 22 MB)", rss_mb, 1, "MB", NULL);
    bench_table_row("idle memory, 300 symbols, RSS (limit 60 MB)", many_mb, 1, "MB", NULL);
    bench_table_row("a venue: live prices and account (limit 4 MB)", beside_mb, 1, "MB", NULL);
    bench_table_row("memory after 1520 commands, RSS", later_mb, 1, "MB", NULL);
    bench_table_row("Telegram update to reply (limit p99 5 ms)", update_ms, UPDATES, "ms", NULL);
    bench_table_row("the same with 10,000 alerts queued (limit p99 10 ms)", queued_ms,
                    QUEUED_UPDATES, "ms", NULL);
    bench_table_row("two plain SQLite commits", bare_ms, UPDATES, "ms", "share of the disk");
    bench_table_row("1,000 updates in one backlog (limit 2 s)", backlog_s, BACKLOGS, "s", NULL);
    bench_table_row("socket command to answer", command_ms, COMMANDS, "ms", NULL);
    bench_table_row("longest absence of the ops loop", away_ms, 1, "ms", source);

    fake_telegram_stop(telegram);
    fake_venue_stop(venue);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", d.folder);
    return system(command) == 0 ? 0 : 1;
}
