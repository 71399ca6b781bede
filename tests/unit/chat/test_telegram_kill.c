/* An alert, its edit and the answer to a command across kill -9 between any two writes: nothing is
 * lost, and what may have arrived twice says so. */
#include "channels.h"
#include "chat/telegram.h"
#include "fakes/fake_telegram.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST 1 /* the id of the alert, which is the first message of all */

struct life {
    struct channels channels;
    struct telegram *telegram;
    int writes_left; /* until the end; 0: none */
};

static int on_write(const char *what, void *userdata)
{
    struct life *life = userdata;
    (void)what;
    if (life->writes_left > 0 && --life->writes_left == 0) {
        (void)kill(getpid(), SIGKILL);
    }
    return 0;
}

static void wake(void *userdata)
{
    struct life *life = userdata;
    telegram_wake(life->telegram);
}

/* All messages have ended, and the command is among them. */
static bool is_done(void *userdata)
{
    struct life *life = userdata;
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    bool answered = false, waiting = false;
    for (int64_t id = 1; outbox_table_get(life->channels.store, id, &row, NULL) == 0; id++) {
        waiting = waiting || (row.state != OUTBOX_DELIVERED && row.state != OUTBOX_DEAD);
        answered = answered || row.run_id != 0;
        outbox_row_release(&row);
    }
    return answered && !waiting;
}

static void post_once(struct channels *d, int64_t id, const char *text, int64_t edit_of)
{
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    if (outbox_table_get(d->store, id, &row, NULL) < 0) {
        (void)channels_post(d, "telegram", ALICE, OUTBOX_HIGH, text, edit_of);
    }
}

static void live(const char *folder, const char *url, int kill_at)
{
    struct life life = {.writes_left = kill_at};
    struct channels *d = &life.channels;
    int64_t count = 0;
    channels_open_in(d, folder, url);
    ops_store_set_fault(d->store, on_write, &life);
    assert_int_equal(outbox_table_recover(d->store, &count, NULL), 0);
    assert_int_equal(telegram_new(&(struct telegram_options){.loop = d->loop,
                                                             .clock = clock_real(),
                                                             .config = d->config,
                                                             .store = d->store,
                                                             .access = d->access,
                                                             .runner = d->runner,
                                                             .manifests = d->manifests,
                                                             .alerts = d->alerts,
                                                             .backoff_first_us = USEC_PER_MSEC},
                                  &life.telegram, NULL),
                     0);
    post_once(d, FIRST, "the alert", 0);
    post_once(d, FIRST + 1, "the alert, again", FIRST);
    d->outbox_changed = wake;
    d->userdata = &life;
    telegram_start(life.telegram);
    assert_true(channels_until(d, is_done, &life));
    channels_run_for(d, 300 * USEC_PER_MSEC); /* the next poll confirms the update */
    telegram_stop(life.telegram);
    telegram_free(life.telegram);
    channels_close(d);
}

/* A process that will live: it waits for the address of the server. It is made before the server's
 * threads exist, because a fork beside them can inherit a lock of an allocator for ever. */
struct unborn {
    pid_t pid;
    int fd;
};

static struct unborn prepare(const char *folder, int kill_at)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char url[64];
        (void)close(fds[1]);
        ssize_t n = read(fds[0], url, sizeof(url));
        if (n > 0) {
            live(folder, url, kill_at);
        }
        _exit(0); /* a failed assertion ends elsewhere, with another status */
    }
    (void)close(fds[0]);
    return (struct unborn){.pid = pid, .fd = fds[1]};
}

/* url NULL: it ends without having lived. */
static int let_live(struct unborn unborn, const char *url)
{
    int status = 0;
    if (url != NULL) {
        assert_true(write(unborn.fd, url, strlen(url) + 1) > 0);
    }
    (void)close(unborn.fd);
    assert_int_equal(waitpid(unborn.pid, &status, 0), unborn.pid);
    return status;
}

static int count_with(struct fake_telegram *tg, const char *text, bool repeated)
{
    int count = 0;
    for (size_t i = 0; i < fake_telegram_sent_count(tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(tg, i, &s);
        count += s.accepted && strcmp(s.method, "sendMessage") == 0 &&
                 strstr(s.text, text) != NULL &&
                 (strstr(s.text, "(possibly repeated)") != NULL) == repeated;
    }
    return count;
}

static void check_end(struct fake_telegram *tg, const char *folder, int kill_at)
{
    struct ops_store *store = NULL;
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    struct outbox_undelivered u = {0};
    assert_int_equal(ops_store_open(folder, OPS_STORE_READ, &store, NULL), 0);
    assert_int_equal(outbox_table_undelivered(store, 0, INT64_MAX, &u, NULL), 0);
    assert_int_equal(outbox_table_get(store, FIRST, &row, NULL), 0);
    ops_store_free(store);
    int plain = count_with(tg, "the alert", false), marked = count_with(tg, "the alert", true);
    int answers = count_with(tg, "pong", false);
    const char *last = fake_telegram_text(tg, ALICE, row.message_id);
    if (plain > 1 || plain + marked == 0 || answers == 0 || u.dead + u.uncertain + u.waiting > 0 ||
        fake_telegram_pending(tg) > 0 || last == NULL || strstr(last, "again") == NULL) {
        fail_msg("killed at write %d: %d alerts, %d marked, %d answers, %lld dead, %lld uncertain,"
                 " %lld waiting, %zu updates left, the alert reads: %s",
                 kill_at, plain, marked, answers, (long long)u.dead, (long long)u.uncertain,
                 (long long)u.waiting, fake_telegram_pending(tg), last == NULL ? "" : last);
    }
    assert_string_equal(fake_telegram_violations(tg), "");
}

/* A life that ends at write n, and one after it; false when the first reached its end. */
static bool kill_once(int n)
{
    char folder[64] = "/dev/shm/nightdesk-kill-XXXXXX", command[96], url[64];
    struct fake_telegram *tg = NULL;
    assert_non_null(mkdtemp(folder));
    struct unborn first = prepare(folder, n), second = prepare(folder, 0);
    assert_int_equal(fake_telegram_start(&tg), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", fake_telegram_port(tg));
    (void)fake_telegram_user_sends(
        tg, &(struct fake_telegram_message){.from = ALICE, .chat = ALICE, .text = "/ping"});
    int status = let_live(first, url);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    status = killed ? let_live(second, url) : status + let_live(second, NULL);
    if (status != 0) {
        fail_msg("killed at write %d: the next process ended with %d", n, status);
    }
    check_end(tg, folder, n);
    fake_telegram_stop(tg);
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    return killed;
}

#define AT_ONCE 8                        /* a life mostly waits for its turn to send */
#define STRIDE  (UNIT_SANITIZED ? 4 : 1) /* the release build is killed before each write */
#define KILLED  0
#define ENDED   3

static pid_t try_in_child(int n)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(kill_once(n) ? KILLED : ENDED);
    }
    return pid;
}

static void nothing_is_lost_across_kill_9_between_any_two_writes(void **state)
{
    int kills = 0, ends = 0;
    (void)state;
    for (int n = 1; ends == 0; n += AT_ONCE * STRIDE) {
        pid_t pids[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++) {
            pids[i] = try_in_child(n + i * STRIDE);
        }
        for (int i = 0; i < AT_ONCE; i++) {
            int status = 0;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFEXITED(status));
            assert_true(WEXITSTATUS(status) == KILLED || WEXITSTATUS(status) == ENDED);
            kills += WEXITSTATUS(status) == KILLED;
            ends += WEXITSTATUS(status) == ENDED;
        }
    }
    assert_true(kills * STRIDE >= 15); /* each write and each commit */
}

UNIT_GROUP(telegram_kill, cmocka_unit_test(nothing_is_lost_across_kill_9_between_any_two_writes))
