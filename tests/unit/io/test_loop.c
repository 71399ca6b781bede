#include "io/loop.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct trace {
    struct loop *loop;
    struct loop_source *source;
    struct loop_source *other;
    char text[64];
    int64_t at_us[16];
    int runs;
};

static void note(struct trace *t, char c)
{
    size_t len = strlen(t->text);
    assert_true(len + 1 < sizeof(t->text));
    t->text[len] = c;
    if (t->runs < 16) {
        t->at_us[t->runs] = clock_mono_us(loop_clock(t->loop));
    }
    t->runs++;
}

static void note_a(void *userdata)
{
    note(userdata, 'a');
}

static void note_b(void *userdata)
{
    note(userdata, 'b');
}

static struct loop *fake_loop(struct clock_fake *fake)
{
    clock_fake_init(fake, 0);
    struct loop *loop = loop_new_fake(fake, NULL);
    assert_non_null(loop);
    return loop;
}

static void timers_fire_in_order_at_their_own_time(void **state)
{
    (void)state;
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct trace t = {.loop = loop};
    struct loop_source *a = loop_add_timer(loop, note_a, &t);
    struct loop_source *b = loop_add_timer(loop, note_b, &t);
    int64_t start_us = clock_mono_us(loop_clock(loop));
    loop_timer_in(a, 300);
    loop_timer_in(b, 200);
    assert_int_equal(t.runs, 0);
    loop_advance(loop, 199);
    assert_string_equal(t.text, "");
    loop_advance(loop, 1000);
    assert_string_equal(t.text, "ba");
    assert_int_equal(t.at_us[0], start_us + 200);
    assert_int_equal(t.at_us[1], start_us + 300);
    assert_int_equal(clock_mono_us(loop_clock(loop)), start_us + 1199);
    assert_false(loop_timer_armed(a));
    loop_source_free(a);
    loop_source_free(b);
    loop_free(loop);
}

static void equal_times_run_in_the_order_of_arming(void **state)
{
    (void)state;
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct trace t = {.loop = loop};
    struct loop_source *a = loop_add_timer(loop, note_a, &t);
    struct loop_source *b = loop_add_timer(loop, note_b, &t);
    loop_timer_in(a, 100);
    loop_timer_in(b, 100);
    loop_timer_in(a, 100); /* armed again: now after b */
    loop_advance(loop, 100);
    assert_string_equal(t.text, "ba");
    loop_source_free(a);
    loop_source_free(b);
    loop_free(loop);
}

static void a_periodic_timer_does_not_drift_and_skips_missed_periods(void **state)
{
    (void)state;
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct trace t = {.loop = loop};
    struct loop_source *a = loop_add_timer(loop, note_a, &t);
    int64_t start_us = clock_mono_us(loop_clock(loop));
    loop_timer_every(a, 100);
    loop_advance(loop, 350);
    assert_int_equal(t.runs, 3);
    assert_int_equal(t.at_us[2], start_us + 300);
    /* The clock jumps over four periods outside the loop: one late run, then in step again. */
    clock_fake_advance(&fake, 480);
    loop_advance(loop, 0);
    assert_int_equal(t.runs, 4);
    loop_advance(loop, 70);
    assert_int_equal(t.runs, 5);
    assert_int_equal(t.at_us[4], start_us + 900);
    loop_timer_stop(a);
    loop_advance(loop, 1000);
    assert_int_equal(t.runs, 5);
    loop_source_free(a);
    loop_free(loop);
}

static void free_other(void *userdata)
{
    struct trace *t = userdata;
    note(t, 'f');
    loop_source_free(t->other);
    t->other = NULL;
    loop_source_free(t->source);
    t->source = NULL;
}

static void callback_may_free_itself_and_others(void **state)
{
    (void)state;
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct trace t = {.loop = loop};
    t.source = loop_add_timer(loop, free_other, &t);
    t.other = loop_add_timer(loop, note_a, &t);
    loop_timer_in(t.source, 10);
    loop_timer_in(t.other, 10);
    loop_advance(loop, 100);
    assert_string_equal(t.text, "f");
    loop_free(loop);
}

static void defer_again(void *userdata)
{
    struct trace *t = userdata;
    note(t, 'd');
    if (t->runs < 4) {
        loop_defer(t->source);
        loop_defer(t->source);
    }
}

static void arm_deferred(void *userdata)
{
    struct trace *t = userdata;
    note(t, 't');
    loop_defer(t->source);
    note(t, 'T');
}

static void deferred_runs_after_the_callback_and_once(void **state)
{
    (void)state;
    struct clock_fake fake;
    struct loop *loop = fake_loop(&fake);
    struct trace t = {.loop = loop};
    t.source = loop_add_deferred(loop, defer_again, &t);
    struct loop_source *timer = loop_add_timer(loop, arm_deferred, &t);
    struct loop_source *later = loop_add_timer(loop, note_b, &t);
    loop_timer_in(timer, 10);
    loop_timer_in(later, 10);
    loop_advance(loop, 10);
    assert_string_equal(t.text, "tTddb");
    loop_source_free(t.source);
    loop_source_free(timer);
    loop_source_free(later);
    loop_free(loop);
}

static void exit_loop(void *userdata)
{
    loop_exit(userdata, 7);
}

static void real_loop_runs_timers_and_exits(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct trace t = {.loop = loop};
    struct loop_source *a = loop_add_timer(loop, note_a, &t);
    struct loop_source *quit = loop_add_timer(loop, exit_loop, loop);
    int64_t start_us = clock_mono_us(loop_clock(loop));
    loop_timer_in(a, 2000);
    loop_timer_in(quit, 5000);
    assert_int_equal(loop_run(loop), 7);
    assert_int_equal(t.runs, 1);
    assert_true(clock_mono_us(loop_clock(loop)) - start_us >= 5000);
    loop_source_free(a);
    loop_source_free(quit);
    loop_free(loop);
}

static void read_byte(int fd, uint32_t events, void *userdata)
{
    struct trace *t = userdata;
    char c = '\0';
    if ((events & EPOLLIN) != 0 && read(fd, &c, 1) == 1) {
        note(t, c);
    }
}

static void descriptor_is_watched_paused_and_freed(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct trace t = {.loop = loop};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct loop_source *io = loop_add_io(loop, ends[0], EPOLLIN, read_byte, &t, NULL);
    assert_int_equal(write(ends[1], "xyz", 3), 3);
    assert_true(loop_iterate(loop, 0));
    assert_string_equal(t.text, "x");
    loop_io_set(io, 0);
    assert_false(loop_iterate(loop, 0));
    loop_io_set(io, EPOLLIN);
    assert_true(loop_iterate(loop, 0));
    assert_string_equal(t.text, "xy");
    loop_source_free(io);
    assert_false(loop_iterate(loop, 0));
    (void)close(ends[0]);
    (void)close(ends[1]);
    loop_free(loop);
}

static void regular_file_cannot_be_watched(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct err err = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_null(loop_add_io(loop, fd, EPOLLIN, read_byte, NULL, &err));
    assert_int_equal(err.id, ERR_LOOP_SOURCE);
    (void)close(fd);
    loop_free(loop);
}

static void signal_arrives_as_a_callback(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct trace t = {.loop = loop};
    struct loop_source *s = loop_add_signal(loop, SIGUSR1, note_a, &t, NULL);
    assert_non_null(s);
    (void)kill(getpid(), SIGUSR1);
    for (int i = 0; i < 100 && t.runs == 0; i++) {
        (void)loop_iterate(loop, 10 * USEC_PER_MSEC);
    }
    assert_string_equal(t.text, "a");
    loop_source_free(s);
    loop_free(loop);
}

struct ended {
    pid_t pid;
    int exit_code;
    int runs;
};

static void on_ended(pid_t pid, int exit_code, void *userdata)
{
    struct ended *e = userdata;
    *e = (struct ended){.pid = pid, .exit_code = exit_code, .runs = e->runs + 1};
}

static struct ended wait_child(int exit_code, int signal)
{
    struct loop *loop = loop_new(NULL);
    struct ended e = {0};
    pid_t pid = fork();
    if (pid == 0) {
        if (signal != 0) {
            (void)kill(getpid(), signal);
        }
        _exit(exit_code);
    }
    struct loop_source *child = loop_add_child(loop, pid, on_ended, &e, NULL);
    assert_non_null(child);
    for (int i = 0; i < 500 && e.runs == 0; i++) {
        (void)loop_iterate(loop, 10 * USEC_PER_MSEC);
    }
    assert_int_equal(e.runs, 1);
    assert_int_equal(e.pid, pid);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
    loop_source_free(child);
    loop_free(loop);
    return e;
}

static void child_exit_is_reported(void **state)
{
    (void)state;
    assert_int_equal(wait_child(3, 0).exit_code, 3);
    assert_int_equal(wait_child(0, SIGKILL).exit_code, -SIGKILL);
}

static void *wake_three_times(void *wake)
{
    loop_wake(wake);
    loop_wake(wake);
    const uint64_t one = 1;
    return write(loop_wake_fd(wake), &one, sizeof(one)) == (ssize_t)sizeof(one) ? wake : NULL;
}

static void wake_from_another_thread_coalesces(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct trace t = {.loop = loop};
    struct loop_source *wake = loop_add_wake(loop, note_a, &t, NULL);
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, wake_three_times, wake), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, wake);
    assert_true(loop_iterate(loop, 0));
    assert_false(loop_iterate(loop, 0));
    assert_string_equal(t.text, "a");
    loop_source_free(wake);
    loop_free(loop);
}

struct spin {
    uint64_t iterations;
    char busiest[32];
    int reports;
};

static void on_spin(uint64_t iterations, const char *busiest, void *userdata)
{
    struct spin *spin = userdata;
    spin->iterations = iterations;
    (void)str_copy(str_c(busiest), spin->busiest, sizeof(spin->busiest));
    spin->reports++;
}

static void ignore(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    (void)userdata;
}

static void spinning_loop_is_reported_with_its_source(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct spin spin = {0};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    loop_on_spin(loop, on_spin, &spin);
    struct loop_source *io = loop_add_io(loop, ends[0], EPOLLIN, ignore, NULL, NULL);
    loop_source_name(io, "forgotten pipe");
    assert_int_equal(write(ends[1], "x", 1), 1); /* and is never read */
    int64_t start_us = clock_mono_us(clock_real());
    while (spin.reports == 0 && clock_mono_us(clock_real()) - start_us < 20 * USEC_PER_SEC) {
        (void)loop_iterate(loop, USEC_PER_SEC);
    }
    assert_int_equal(spin.reports, 1);
    assert_true(spin.iterations > LOOP_SPIN_PER_S);
    assert_string_equal(spin.busiest, "forgotten pipe");
    assert_int_equal(loop_stats(loop).spins, 1);
    loop_source_free(io);
    (void)close(ends[0]);
    (void)close(ends[1]);
    loop_free(loop);
}

struct absence {
    struct loop *loop;
    int turns;
    int reports;
    int64_t away_us;
    char source[32];
};

static void on_absence(int64_t away_us, const char *source, void *userdata)
{
    struct absence *a = userdata;
    if (away_us > LOOP_AWAY_US) {
        a->reports++;
        a->away_us = away_us;
        (void)str_copy(str_c(source), a->source, sizeof(a->source));
    }
}

static void return_at_once(void *userdata)
{
    (void)userdata;
}

static void block(void *userdata)
{
    (void)userdata;
    (void)usleep((useconds_t)(LOOP_AWAY_US * 2));
}

static void end_later(void *userdata)
{
    struct absence *a = userdata;
    if (++a->turns == 20) {
        loop_exit(a->loop, 0);
    }
}

/* The report names the blocking source although others ran in the same iteration. Waiting for
 * events does not count. */
static void an_absence_is_measured_with_its_source(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct absence a = {.loop = loop};
    loop_on_absence(loop, on_absence, &a);
    struct loop_source *end = loop_add_timer(loop, end_later, &a);
    struct loop_source *quick = loop_add_deferred(loop, return_at_once, NULL);
    struct loop_source *slow = loop_add_deferred(loop, block, NULL);
    struct loop_source *after = loop_add_deferred(loop, return_at_once, NULL);
    loop_source_name(quick, "quick");
    loop_source_name(slow, "slow");
    loop_source_name(after, "quick again");
    loop_timer_every(end, 10 * USEC_PER_MSEC);
    loop_defer(quick);
    loop_defer(slow);
    loop_defer(after);
    assert_int_equal(loop_run(loop), 0);
    struct loop_stats stats = loop_stats(loop);
    assert_true(a.reports >= 1);
    assert_string_equal(stats.longest_source, "slow");
    assert_true(stats.longest_us >= LOOP_AWAY_US * 2);
    assert_true(stats.longest_us < LOOP_AWAY_US * 2 + USEC_PER_SEC);
    assert_int_equal(stats.absences, a.reports);
    loop_source_free(end);
    loop_source_free(quick);
    loop_source_free(slow);
    loop_source_free(after);
    loop_free(loop);
}

UNIT_GROUP(loop, cmocka_unit_test(timers_fire_in_order_at_their_own_time),
           cmocka_unit_test(equal_times_run_in_the_order_of_arming),
           cmocka_unit_test(a_periodic_timer_does_not_drift_and_skips_missed_periods),
           cmocka_unit_test(callback_may_free_itself_and_others),
           cmocka_unit_test(deferred_runs_after_the_callback_and_once),
           cmocka_unit_test(real_loop_runs_timers_and_exits),
           cmocka_unit_test(descriptor_is_watched_paused_and_freed),
           cmocka_unit_test(regular_file_cannot_be_watched),
           cmocka_unit_test(signal_arrives_as_a_callback), cmocka_unit_test(child_exit_is_reported),
           cmocka_unit_test(wake_from_another_thread_coalesces),
           cmocka_unit_test(an_absence_is_measured_with_its_source),
           cmocka_unit_test(spinning_loop_is_reported_with_its_source))
