/*
 * The engine thread, with its shared state used from this thread as ops does; ThreadSanitizer runs
 * it too.
 */
#include "base/log.h"
#include "engine/engine_thread.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void silent(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

static bool wait_reply(struct shared_reader *reader, int64_t id, uint32_t *code)
{
    for (int i = 0; i < 2000; i++) {
        struct event e;
        while (shared_reader_events(reader, &e, 1, NULL) == 1) {
            if (e.id == id) {
                *code = e.code;
                return true;
            }
        }
        pause_ms(5);
    }
    return false;
}

static void push(struct shared *shared, int64_t id, enum request_kind kind)
{
    struct request r = {.id = id, .kind = kind, .by = "alice"};
    assert_true(ring_push(shared->requests, &r));
    uint64_t one = 1;
    assert_int_equal(write(shared->requests_fd, &one, sizeof(one)), (ssize_t)sizeof(one));
}

static void the_engine_serves_another_thread(void **state)
{
    (void)state;
    log_set_sink(silent, NULL);
    char dir[] = "/var/tmp/nd-engine-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct shared shared;
    shared_init(&shared, CAPACITY_MIN);
    struct engine_options options = {.state_dir = dir};
    driver_rig_settings(&options.settings);
    options.venue = driver_rig_venue;
    options.settings.market_speed = 3600;
    struct shared_reader *reader = shared_reader_add(&shared, "test", TOPIC_REPLY);
    struct shared_reader *other = shared_reader_add(&shared, "other", 0);
    shared_seal(&shared);

    for (int start = 0; start < 2; start++) {
        struct engine_thread *thread;
        struct err err = {0};
        assert_int_equal(engine_thread_start(&options, &shared, &thread, &err), 0);
        uint32_t code = 99;
        push(&shared, 10 + start * 10, REQUEST_PAUSE);
        assert_true(wait_reply(reader, 10 + start * 10, &code));
        assert_int_equal(code, ERR_NONE);
        push(&shared, 11 + start * 10, REQUEST_RESUME);
        assert_true(wait_reply(reader, 11 + start * 10, &code));

        struct settings *settings = mailbox_draft(shared.settings);
        *settings = options.settings;
        settings->max_positions = 2;
        mailbox_publish(shared.settings);
        uint64_t version = 0;
        bool applied = false;
        for (int i = 0; i < 400 && !applied; i++) {
            const struct snapshot *s = shared_reader_snapshot(reader);
            assert_true(s->version >= version);
            version = s->version;
            applied = s->max_positions == 2 && s->candles > 30 && s->state == TRADING_ACTIVE;
            (void)shared_reader_snapshot(other);
            pause_ms(5);
        }
        assert_true(applied);
        int64_t beat = atomic_load(&shared.engine_beat_mono_us);
        assert_true(clock_mono_us(clock_real()) - beat < 2 * USEC_PER_SEC);
        engine_thread_stop(thread);
    }
    const struct snapshot *s = shared_reader_snapshot(reader);
    assert_int_equal(shared_reader_snapshot(other)->version, s->version);
    assert_true(s->books_balance);
    assert_true(s->steps > 0 && s->step_p99_ns > 0);
    shared_release(&shared);

    char command[256];
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    engine_thread_stop(NULL);
}

UNIT_GROUP(thread, cmocka_unit_test(the_engine_serves_another_thread))
