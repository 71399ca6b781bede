/*
 * bench_ops.c: the daemon from its users' point of view: the real binary in a separate process, on
 * loopback.
 *
 * "exec to ready" is the time from before exec to READY=1 of sd_notify, with an existing state
 * folder. "update to reply" is the time from an update in the fake Bot API (with a waiting long
 * poll) to sendMessage; 50 users in turn, because Telegram accepts one message per second in a
 * chat. It includes two commits, because an update and its reply are on disk (synchronous=FULL)
 * before the reply is sent. "two plain SQLite commits" is the peer: one INSERT each, alternating
 * with the updates on the same disk, that of /var/tmp. "socket command" is one POST on a new
 * connection. "longest absence" is the longest time during all this in which the ops loop was busy
 * or blocked (io/loop.h), including the disk; the peer column names the callback.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "fakes/fake_telegram.h"
#include "io/file.h"
#include "model/capacity.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define STARTS        20
#define PEOPLE        50
#define UPDATES       520
#define COMMANDS      1000
#define UPDATE_GAP_MS 75 /* Telegram accepts about 15 messages per second from a bot */
#define IDLE_S        3
#define FIRST_PERSON  1000
#define ANSWER_MAX_MS 5000
#define NS_PER_MS     1e6

static double ready_ms[STARTS], update_ms[UPDATES], bare_ms[UPDATES], command_ms[COMMANDS],
    rss_mb[1];

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

/* Each message waits for its reply before the next one is sent. */
static void measure_updates(const struct daemon *d, struct fake_telegram *telegram)
{
    sqlite3 *bare = bare_open(d);
    for (int i = 0; i < UPDATES; i++) {
        size_t before = fake_telegram_sent_count(telegram);
        int64_t from_ns = bench_now_ns();
        (void)fake_telegram_user_sends(
            telegram,
            &(struct fake_telegram_message){.from = FIRST_PERSON + i % PEOPLE, .text = "/status"});
        while (fake_telegram_sent_count(telegram) == before) {
            ASSERT((double)(bench_now_ns() - from_ns) < ANSWER_MAX_MS * NS_PER_MS);
            const struct timespec moment = {.tv_nsec = 20000};
            (void)nanosleep(&moment, NULL);
        }
        update_ms[i] = (double)(bench_now_ns() - from_ns) / NS_PER_MS;
        sleep_ms(UPDATE_GAP_MS / 2);
        from_ns = bench_now_ns();
        bare_run(bare, "INSERT INTO messages(text) VALUES ('/status')");
        bare_run(bare, "INSERT INTO messages(text) VALUES ('a reply')");
        bare_ms[i] = (double)(bench_now_ns() - from_ns) / NS_PER_MS;
        sleep_ms(UPDATE_GAP_MS / 2);
    }
    ASSERT(sqlite3_close(bare) == SQLITE_OK);
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
    double many_mb[1] = {many_symbols_mb(&d, fake_telegram_port(telegram))};

    bench_table_head();
    bench_table_row("--help, from fork to exit (limit 20 ms)", help_ms, HELPS, "ms", NULL);
    bench_table_row("exec to ready (limit 200 ms)", ready_ms, STARTS, "ms", NULL);
    bench_table_row("idle memory, RSS (limit 20 MB)", rss_mb, 1, "MB", NULL);
    bench_table_row("idle memory, 300 symbols, RSS (limit 60 MB)", many_mb, 1, "MB", NULL);
    bench_table_row("memory after 1520 commands, RSS", later_mb, 1, "MB", NULL);
    bench_table_row("Telegram update to reply (limit p99 5 ms)", update_ms, UPDATES, "ms", NULL);
    bench_table_row("two plain SQLite commits", bare_ms, UPDATES, "ms", "share of the disk");
    bench_table_row("socket command to answer", command_ms, COMMANDS, "ms", NULL);
    bench_table_row("longest absence of the ops loop", away_ms, 1, "ms", source);

    fake_telegram_stop(telegram);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", d.folder);
    return system(command) == 0 ? 0 : 1;
}
