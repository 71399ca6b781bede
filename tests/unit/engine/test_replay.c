#include "base/auto.h"
#include "base/check.h"
#include "engine/engine_buffers.h"
#include "engine/journal_source.h"
#include "engine/recorder.h"
#include "engine/replay.h"
#include "fakes/stump_model.h"
#include "io/file.h"
#include "io/secret.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "store/state_table.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_FRAME 16
#define FRAME_HEAD  12

/* ---------------------------------------------------------------- replaying a run */

/* Replays the whole file of a run, which must be identical; returns its counts. */
static struct replay_count replay_all(const struct recorder_rig *f, int64_t run)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_REPLAY struct replay *replay = NULL;
    struct err err = {0};
    int rc = recorder_find(f->folder, run, &path, &err);
    rc = rc < 0 ? rc : replay_open(path.data, NULL, &replay, &err);
    while (rc >= 0 && (rc = replay_step(replay, &err)) > 0) {}
    if (rc < 0) {
        print_error("run %lld: %s: %s\n", (long long)run, err_info(rc)->code, err.context);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(replay_run(replay), run);
    return *replay_count(replay);
}

static void ask(struct recorder_rig *f, enum request_kind kind)
{
    recorder_rig_ask(f, &(struct request){.kind = kind});
}

static void move_stop(struct recorder_rig *f)
{
    const struct snapshot *s = driver_snapshot(f->driver);
    if (s->position_count == 0) {
        return;
    }
    const struct position *p = &s->positions[0];
    struct dec closer =
        dec_mul_div(dec_add(p->stop, p->mark_price), dec_from_int(1), dec_from_int(2));
    recorder_rig_ask(f,
                     &(struct request){.kind = REQUEST_AMEND, .symbol = p->symbol, .stop = closer});
}

static void change_settings(struct recorder_rig *f, double threshold)
{
    struct settings *draft = mailbox_draft(f->shared.settings);
    *draft = f->settings;
    draft->threshold = threshold;
    mailbox_publish(f->shared.settings);
}

static void a_paper_run_replays_identically(void **state)
{
    (void)state;
    struct recorder_rig f;
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 400);
    ask(&f, REQUEST_PAUSE);
    recorder_rig_run(&f, 30);
    ask(&f, REQUEST_RESUME);
    struct request rule = {.kind = REQUEST_RULE_ADD};
    (void)str_copy(STR_LIT("avoid\nrsi14 > 60 and side == long\nno chasing"), rule.text,
                   sizeof(rule.text));
    recorder_rig_ask(&f, &rule);
    recorder_rig_run(&f, 300);
    move_stop(&f);
    change_settings(&f, 0.2);
    recorder_rig_run(&f, 300);
    recorder_rig_restart(&f);
    recorder_rig_run(&f, 300);
    ask(&f, REQUEST_CLOSE);
    ask(&f, REQUEST_MAINTENANCE);
    recorder_rig_run(&f, 30);
    ask(&f, REQUEST_RESUME);
    ask(&f, REQUEST_CANCEL);
    recorder_rig_run(&f, 200);
    shared_halt(&f.shared, 0);
    recorder_rig_run(&f, 60);
    ask(&f, REQUEST_CLEAR_EMERGENCY);
    ask(&f, REQUEST_RESUME);
    recorder_rig_run(&f, 200);
    const struct engine_state *s = engine_state(driver_engine(f.driver));
    struct replay_count first = replay_all(&f, 1);
    struct replay_count second = replay_all(&f, 2);
    assert_int_equal(first.decisions + second.decisions, s->decisions);
    assert_int_equal(first.orders + second.orders, s->orders);
    assert_int_equal(first.fills + second.fills, s->fills);
    assert_int_equal(first.trades + second.trades, s->trades);
    assert_true(s->orders > 5 && s->trades > 2);
    /* Idle rounds are skipped; otherwise a day would not fit on a disk. */
    assert_true(first.steps < 3 * 1100);
    recorder_rig_close(&f);
}

/* Feed, venue and disk fail at random; the recorded inputs still explain every decision. */
static void faults_replay_identically(void **state)
{
    (void)state;
    int64_t orders = 0;
    for (uint64_t seed = 1; seed <= (UNIT_SANITIZED ? 4 : 12); seed++) {
        struct recorder_rig f;
        struct settings settings;
        recorder_rig_prepare(&f, NULL, seed);
        settings = f.settings;
        settings.seed = seed;
        settings.market_speed = 600;
        settings.stop_pct = 0.6;
        settings.target_pct = 1;
        f.settings = settings;
        recorder_rig_start(&f);
        static const enum request_kind kinds[] = {
            REQUEST_PAUSE,       REQUEST_RESUME,         REQUEST_RESUME,         REQUEST_CLOSE,
            REQUEST_MAINTENANCE, REQUEST_EMERGENCY_STOP, REQUEST_CLEAR_EMERGENCY};
        for (int i = 0; i < 500; i++) {
            recorder_rig_round(&f, (int64_t)rng_below(&f.rng, 400 * USEC_PER_MSEC) + 1);
            if (rng_chance(&f.rng, 0.01)) {
                ask(&f, kinds[rng_below(&f.rng, COUNT_OF(kinds))]);
            }
            if (rng_chance(&f.rng, 0.01)) {
                clock_fake_jump_wall(&f.clock, -USEC_PER_HOUR);
            }
            if (rng_chance(&f.rng, 0.005)) {
                change_settings(&f, 0.1 + rng_double(&f.rng) / 2);
            }
            if (rng_chance(&f.rng, 0.005)) {
                recorder_rig_restart(&f);
            }
        }
        struct err err = {0};
        struct engine_state s;
        trading_store_set_fault(f.store, NULL, NULL);
        assert_int_equal(state_table_load(f.store, &s, &err), 0);
        for (int64_t run = 1; run <= s.run; run++) {
            orders += replay_all(&f, run).orders;
        }
        recorder_rig_close(&f);
    }
    assert_true(orders > (UNIT_SANITIZED ? 15 : 50));
}

/* ---------------------------------------------------------------- detecting differences */

static void read_journal(const struct recorder_rig *f, int64_t run, struct buf *out)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    assert_int_equal(recorder_find(f->folder, run, &path, NULL), 0);
    assert_int_equal(file_read(path.data, out, NULL), 0);
}

static uint32_t frame_length(const char *frame)
{
    const unsigned char *b = (const unsigned char *)frame + 8;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void seal(char *frame, size_t offset)
{
    uint64_t sum = secret_checksum(str_n(frame + 8, 4 + (size_t)frame_length(frame)), offset);
    for (unsigned i = 0; i < 8; i++) {
        frame[i] = (char)(unsigned char)(sum >> (8 * i));
    }
}

static int replay_bytes(const char *path, struct str bytes, struct replay_count *ret,
                        struct err *err)
{
    AUTO_REPLAY struct replay *replay = NULL;
    memset(ret, 0, sizeof(*ret));
    err_clear(err);
    /* A new file each time: some file systems sync a file that was truncated to zero. */
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    (void)close(fd);
    int rc = replay_open(path, NULL, &replay, err);
    while (rc >= 0 && (rc = replay_step(replay, err)) > 0) {}
    if (replay != NULL) {
        *ret = *replay_count(replay);
    }
    return rc;
}

/* The sums are effective: an engine that decides differently is detected at that step. */
static void another_threshold_is_detected(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    AUTO_BUF struct buf bytes = BUF_INIT((size_t)64 << 20);
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 300);
    read_journal(&f, 1, &bytes);
    const double now = f.settings.threshold;
    const double other = 0.9;
    char *at = memmem(bytes.data, bytes.len, &now, sizeof(now));
    assert_non_null(at);
    memcpy(at, &other, sizeof(other));
    seal(bytes.data + FIRST_FRAME, FIRST_FRAME);
    struct replay_count count;
    struct err err = {0};
    assert_int_equal(replay_bytes(recorder_rig_path(&f, "x", path), buf_str(&bytes), &count, &err),
                     -ERR_ENGINE_REPLAY_DIFFERS);
    assert_non_null(strstr(err.context, "decisions"));
    assert_non_null(strstr(err.context, " at 20"));
    assert_true(count.steps > 0);
    recorder_rig_close(&f);
}

static void one_wrong_bit_of_a_digest_is_detected(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    AUTO_BUF struct buf bytes = BUF_INIT((size_t)64 << 20);
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 300);
    read_journal(&f, 1, &bytes);
    /* In the sums of the first step; only counts follow them. */
    size_t offset = FIRST_FRAME + FRAME_HEAD + frame_length(bytes.data + FIRST_FRAME);
    char *frame = bytes.data + offset;
    frame[FRAME_HEAD + frame_length(frame) - 4] ^= 1;
    seal(frame, offset);
    struct replay_count count;
    struct err err = {0};
    int rc = replay_bytes(recorder_rig_path(&f, "x", path), buf_str(&bytes), &count, &err);
    assert_int_equal(rc, -ERR_ENGINE_REPLAY_DIFFERS);
    assert_non_null(strstr(err.context, "step 1 "));
    recorder_rig_close(&f);
}

/* ---------------------------------------------------------------- damage */

struct bare {
    char folder[64];
    struct settings settings;
    struct engine *engine;
    struct recorder *recorder;
    struct engine_now now;
    struct engine_inputs inputs;
    struct engine_outputs outputs;
};

/* A run without a driver and without history: small enough to be cut at every byte. */
static void bare_open(struct bare *b, int steps)
{
    memset(b, 0, sizeof(*b));
    (void)str_copy(STR_LIT("/var/tmp/nightdesk-bare-XXXXXX"), b->folder, sizeof(b->folder));
    assert_non_null(mkdtemp(b->folder));
    driver_rig_settings(&b->settings);
    b->settings.symbol_count = 1;
    b->now = (struct engine_now){1790000000000000 - 1790000000000000 % USEC_PER_HOUR,
                                 1790000000000000, USEC_PER_SEC};
    b->engine = engine_new(&b->settings, b->settings.symbols, 1);
    engine_inputs_init(&b->inputs, 1);
    engine_outputs_init(&b->outputs, 1);
    engine_begin(b->engine, &b->now);
    struct recorder_start start = {.now = b->now};
    assert_int_equal(recorder_open(b->folder, &start, b->engine, &b->recorder, NULL), 0);
    for (int i = 0; i < steps; i++) {
        b->now.market_us += USEC_PER_MIN;
        b->now.mono_us += USEC_PER_SEC;
        b->inputs.bar_count = 1;
        b->inputs.bars[0] = (struct source_bar){b->settings.symbols[0],
                                                {b->now.market_us - USEC_PER_MIN, dec_from_int(100),
                                                 dec_from_int(102 + i), dec_from_int(99),
                                                 dec_from_int(101), dec_from_int(7)}};
        engine_step(b->engine, &b->now, &b->inputs, &b->outputs);
        assert_int_equal(
            recorder_step(b->recorder, b->engine, &b->now, &b->inputs, &b->outputs, NULL), 0);
    }
}

static void bare_close(struct bare *b)
{
    char path[512];
    (void)unlink(recorder_path(b->recorder));
    recorder_free(b->recorder);
    engine_free(b->engine);
    engine_inputs_release(&b->inputs);
    engine_outputs_release(&b->outputs);
    (void)snprintf(path, sizeof(path), "%s/x", b->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/journal", b->folder);
    (void)rmdir(path);
    (void)rmdir(b->folder);
}

static void bare_read(const struct bare *b, struct buf *out)
{
    assert_int_equal(file_read(recorder_path(b->recorder), out, NULL), 0);
}

static void a_cut_anywhere_is_reported_with_its_offset(void **state)
{
    (void)state;
    enum { STEPS = 4 };
    struct bare b;
    char path[512];
    AUTO_BUF struct buf bytes = BUF_INIT((size_t)1 << 20);
    bare_open(&b, STEPS);
    bare_read(&b, &bytes);
    (void)snprintf(path, sizeof(path), "%s/x", b.folder);
    size_t ends[STEPS + 1];
    size_t offset = FIRST_FRAME;
    for (int i = 0; i <= STEPS; i++) {
        offset += FRAME_HEAD + frame_length(bytes.data + offset);
        ends[i] = offset;
    }
    assert_int_equal(offset, bytes.len);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        struct replay_count count;
        struct err err = {0};
        int rc = replay_bytes(path, str_n(bytes.data, cut), &count, &err);
        int whole = -1; /* frames */
        while (whole < STEPS && ends[whole + 1] <= cut) {
            whole++;
        }
        if (whole >= 0 && ends[whole] == cut) {
            assert_int_equal(rc, 0);
            assert_int_equal(count.steps, whole);
            continue;
        }
        assert_int_equal(rc, cut == 0 ? -ERR_ENGINE_RECORD_FOREIGN : -ERR_ENGINE_RECORD_DAMAGED);
        assert_true(cut == 0 || strstr(err.context, "offset") != NULL);
        assert_int_equal(count.steps, whole > 0 ? whole : 0);
        if (whole >= 0) {
            char expected[64];
            (void)snprintf(expected, sizeof(expected), "offset %zu ", ends[whole]);
            assert_non_null(strstr(err.context, expected));
            assert_int_equal(count.offset, ends[whole]);
        }
    }
    bare_close(&b);
}

static void a_changed_byte_is_never_accepted(void **state)
{
    (void)state;
    struct bare b;
    char path[512];
    AUTO_BUF struct buf bytes = BUF_INIT((size_t)1 << 20);
    bare_open(&b, 3);
    bare_read(&b, &bytes);
    (void)snprintf(path, sizeof(path), "%s/x", b.folder);
    for (size_t i = 0; i < bytes.len; i++) {
        struct replay_count count;
        struct err err = {0};
        bytes.data[i] ^= (char)(1 << i % 7);
        int rc = replay_bytes(path, buf_str(&bytes), &count, &err);
        bytes.data[i] ^= (char)(1 << i % 7);
        assert_true(rc == -ERR_ENGINE_RECORD_DAMAGED || rc == -ERR_ENGINE_RECORD_FOREIGN);
        assert_true(i < FIRST_FRAME || rc == -ERR_ENGINE_RECORD_DAMAGED);
    }
    bare_close(&b);
}

/* Impossible lengths, counts and figures, with matching sums. */
static void hostile_frames_are_refused(void **state)
{
    (void)state;
    struct bare b;
    char path[512];
    AUTO_BUF struct buf bytes = BUF_INIT((size_t)1 << 20);
    bare_open(&b, 2);
    bare_read(&b, &bytes);
    (void)snprintf(path, sizeof(path), "%s/x", b.folder);
    struct replay_count count;
    struct err err = {0};
    static const uint32_t lengths[] = {0, 1, 5, 0x7fffffff, 0xffffffff, 4 << 20};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO_BUF struct buf copy = BUF_INIT((size_t)1 << 20);
        buf_add_str(&copy, buf_str(&bytes));
        memcpy(copy.data + FIRST_FRAME + 8, &lengths[i], 4);
        assert_int_equal(replay_bytes(path, buf_str(&copy), &count, &err),
                         -ERR_ENGINE_RECORD_DAMAGED);
    }
    /* Changes each byte of each frame (each third one under a sanitizer) and repairs the sum: the
     * file is refused, or differs, or the byte had no effect; it never crashes. */
    for (size_t frame = FIRST_FRAME; frame < bytes.len;) {
        size_t length = frame_length(bytes.data + frame);
        for (size_t i = 0; i < length; i += UNIT_SANITIZED ? 3 : 1) {
            AUTO_BUF struct buf copy = BUF_INIT((size_t)1 << 20);
            buf_add_str(&copy, buf_str(&bytes));
            copy.data[frame + FRAME_HEAD + i] = (char)0xff;
            seal(copy.data + frame, frame);
            int rc = replay_bytes(path, buf_str(&copy), &count, &err);
            assert_true(rc == 0 || rc == -ERR_ENGINE_RECORD_DAMAGED ||
                        rc == -ERR_ENGINE_RECORD_FOREIGN || rc == -ERR_ENGINE_REPLAY_DIFFERS);
        }
        frame += FRAME_HEAD + length;
    }
    /* A frame moved to another place is detected. */
    size_t first = FIRST_FRAME + FRAME_HEAD + frame_length(bytes.data + FIRST_FRAME);
    size_t size = FRAME_HEAD + frame_length(bytes.data + first);
    AUTO_BUF struct buf twice = BUF_INIT((size_t)1 << 20);
    buf_add_str(&twice, str_n(bytes.data, first + size));
    buf_add_str(&twice, str_n(bytes.data + first, bytes.len - first));
    assert_int_equal(replay_bytes(path, buf_str(&twice), &count, &err), -ERR_ENGINE_RECORD_DAMAGED);
    assert_int_equal(count.steps, 1);
    bare_close(&b);
}

static void other_files_are_foreign(void **state)
{
    (void)state;
    struct bare b;
    char path[512];
    AUTO_BUF struct buf bytes = BUF_INIT((size_t)1 << 20);
    AUTO_REPLAY struct replay *replay = NULL;
    bare_open(&b, 1);
    bare_read(&b, &bytes);
    (void)snprintf(path, sizeof(path), "%s/x", b.folder);
    struct replay_count count;
    struct err err = {0};
    bytes.data[14] = '0';
    assert_int_equal(replay_bytes(path, buf_str(&bytes), &count, &err), -ERR_ENGINE_RECORD_FOREIGN);
    assert_non_null(strstr(err.context, "version 0"));
    assert_true(journal_source_fits(path));
    assert_int_equal(replay_bytes(path, STR_LIT("time,open,high,low,close\n"), &count, &err),
                     -ERR_ENGINE_RECORD_FOREIGN);
    assert_false(journal_source_fits(path));
    assert_false(journal_source_fits(b.folder));
    assert_int_equal(replay_open(b.folder, NULL, &replay, &err), -ERR_ENGINE_RECORD_FOREIGN);
    assert_int_equal(replay_open("/nowhere/x.ndj", NULL, &replay, &err), -ERR_FILE_MISSING);
    bare_close(&b);
}

/* ---------------------------------------------------------------- the disk */

struct torn {
    int fail; /* how many writes fail */
    size_t keep;
};

static int tear(size_t size, size_t *ret_written, void *userdata)
{
    struct torn *t = userdata;
    if (t->fail == 0) {
        return 0;
    }
    t->fail--;
    *ret_written = t->keep < size ? t->keep : size;
    return -ERR_ENGINE_RECORD;
}

static void a_torn_record_is_cut_off_and_written_again(void **state)
{
    (void)state;
    struct bare b;
    struct err err = {0};
    bare_open(&b, 2);
    int64_t before = recorder_size(b.recorder);
    struct torn torn = {.fail = 2, .keep = 9};
    recorder_set_fault(b.recorder, tear, &torn);
    b.now.market_us += USEC_PER_MIN;
    b.inputs.bars[0].candle.open_us += USEC_PER_MIN;
    engine_step(b.engine, &b.now, &b.inputs, &b.outputs);
    for (int i = 0; i < 2; i++) {
        int rc = i == 0 ? recorder_step(b.recorder, b.engine, &b.now, &b.inputs, &b.outputs, &err)
                        : recorder_flush(b.recorder, &err);
        assert_int_equal(rc, -ERR_ENGINE_RECORD);
        struct stat st;
        assert_int_equal(stat(recorder_path(b.recorder), &st), 0);
        assert_int_equal(st.st_size, before);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    /* The next step writes both. */
    torn = (struct torn){.fail = 1, .keep = 5};
    b.now.market_us += USEC_PER_MIN;
    b.inputs.bars[0].candle.open_us += USEC_PER_MIN;
    engine_step(b.engine, &b.now, &b.inputs, &b.outputs);
    assert_int_equal(recorder_step(b.recorder, b.engine, &b.now, &b.inputs, &b.outputs, &err),
                     -ERR_ENGINE_RECORD);
    assert_int_equal(recorder_flush(b.recorder, &err), 0);
    assert_int_equal(recorder_flush(b.recorder, &err), 0);
    AUTO_REPLAY struct replay *replay = NULL;
    err_clear(&err);
    assert_int_equal(replay_open(recorder_path(b.recorder), NULL, &replay, &err), 0);
    int steps = 0;
    while (replay_step(replay, &err) > 0) {
        steps++;
    }
    assert_int_equal(err.id, ERR_NONE);
    assert_int_equal(steps, 4);
    bare_close(&b);
}

/* The file may not grow: records wait in memory, nothing is committed before them, and later the
 * file is complete. */
static void a_full_disk_loses_no_record(void **state)
{
    (void)state;
    struct recorder_rig f;
    struct rlimit was;
    struct stat st;
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 100);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    assert_int_equal(recorder_find(f.folder, 1, &path, NULL), 0);
    assert_int_equal(stat(path.data, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    struct rlimit tight = {.rlim_cur = (rlim_t)st.st_size + 20, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    uint64_t steps = driver_snapshot(f.driver)->steps;
    recorder_rig_run(&f, 5);
    const struct snapshot *s = driver_snapshot(f.driver);
    assert_int_equal(s->last_err, ERR_ENGINE_RECORD);
    assert_non_null(strstr(s->state_reason, "the journal cannot be written"));
    assert_true(s->steps >= steps + 4);
    struct engine_state on_disk;
    assert_int_equal(state_table_load(f.store, &on_disk, NULL), 0);
    assert_true(on_disk.market_us < s->market_us);
    struct stat held;
    assert_int_equal(stat(path.data, &held), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_true(held.st_size <= st.st_size + 20);
    recorder_rig_run(&f, 100);
    assert_int_equal(driver_snapshot(f.driver)->last_err, 0);
    assert_true(driver_snapshot(f.driver)->steps > steps + 50);
    (void)replay_all(&f, 1);
    recorder_rig_close(&f);
}

static void a_full_run_is_reported_once(void **state)
{
    (void)state;
    struct bare b;
    struct err err = {0};
    bare_open(&b, 1);
    int64_t size = recorder_size(b.recorder);
    recorder_free(b.recorder);
    struct recorder_start start = {.now = b.now, .keep_bytes = size + 40};
    assert_int_equal(recorder_open(b.folder, &start, b.engine, &b.recorder, &err), 0);
    int reported = 0;
    for (int i = 0; i < 20; i++) {
        b.now.market_us += USEC_PER_MIN;
        b.inputs.bars[0].candle.open_us += USEC_PER_MIN;
        engine_step(b.engine, &b.now, &b.inputs, &b.outputs);
        int rc = recorder_step(b.recorder, b.engine, &b.now, &b.inputs, &b.outputs, &err);
        assert_true(rc == 0 || rc == -ERR_ENGINE_RECORD_FULL);
        reported += rc < 0;
    }
    assert_int_equal(reported, 1);
    assert_true(recorder_size(b.recorder) <= size + 40);
    bare_close(&b);
}

static void the_oldest_runs_are_deleted_first(void **state)
{
    (void)state;
    struct bare b;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    bare_open(&b, 1);
    for (int run = 2; run <= 9; run++) {
        char name[512];
        (void)snprintf(name, sizeof(name), "%s/journal/run-%d.ndj", b.folder, run);
        assert_int_equal(file_write(name, STR_LIT("old"), 0600, NULL), 0);
        struct timespec times[2] = {{.tv_sec = 1000 + run}, {.tv_sec = 1000 + run}};
        assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
    }
    recorder_free(b.recorder);
    struct recorder_start start = {.now = b.now, .keep_runs = 4};
    assert_int_equal(recorder_open(b.folder, &start, b.engine, &b.recorder, NULL), 0);
    for (int run = 2; run <= 9; run++) {
        buf_clear(&path);
        int rc = recorder_find(b.folder, run, &path, NULL);
        assert_int_equal(rc, run >= 7 ? 0 : -ERR_ENGINE_RECORD_NONE);
        if (rc == 0) {
            assert_int_equal(unlink(path.data), 0);
        }
    }
    buf_clear(&path);
    assert_int_equal(recorder_find(b.folder, 0, &path, NULL), 0);
    assert_string_equal(path.data, recorder_path(b.recorder));
    bare_close(&b);
}

/* A new field in one of these structs must be written by src/engine/record.c (or a comment there
 * must say why it cannot affect a step); then update the size here. */
static void every_field_is_recorded(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct settings), 29312);
    assert_int_equal(sizeof(struct request), 648);
    assert_int_equal(sizeof(struct source_bar), 64);
    assert_int_equal(sizeof(struct quote), 56);
    assert_int_equal(sizeof(struct venue_report), 3664);
    assert_int_equal(sizeof(struct sentiment_value), 32);
    assert_int_equal(sizeof(struct engine_inputs), 58720);
    assert_int_equal(sizeof(struct engine_state), 7472);
    assert_int_equal(sizeof(struct engine_memory), 328176);
    assert_int_equal(sizeof(struct engine_outputs), 21544);
}

/* ---------------------------------------------------------------- queries */

static void a_replay_can_stop_at_any_time(void **state)
{
    (void)state;
    struct recorder_rig f;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_REPLAY struct replay *replay = NULL;
    struct err err = {0};
    recorder_rig_open(&f, NULL, 0);
    recorder_rig_run(&f, 240);
    AUTO_FREE struct snapshot *then = snapshot_new(CAPACITY_MIN);
    snapshot_copy(then, CAPACITY_MIN, driver_snapshot(f.driver));
    recorder_rig_run(&f, 240);
    assert_int_equal(recorder_find(f.folder, 1, &path, NULL), 0);
    assert_int_equal(replay_open(path.data, NULL, &replay, &err), 0);
    while (replay_next_us(replay) <= then->market_us) {
        assert_int_equal(replay_step(replay, &err), 1);
    }
    AUTO_FREE struct snapshot *now = snapshot_new(CAPACITY_MIN);
    engine_snapshot(replay_engine(replay), replay_now(replay), now);
    assert_int_equal(now->position_count, then->position_count);
    assert_int_equal(now->equity.e8, then->equity.e8);
    assert_int_equal(now->decisions, then->decisions);
    assert_int_equal(now->trades, then->trades);
    for (int i = 0; i < then->market_count; i++) {
        struct symbol symbol = then->markets[i].symbol;
        assert_int_equal(now->markets[i].price.e8, then->markets[i].price.e8);
        const struct decision *d = replay_decision(replay, symbol);
        assert_non_null(d);
        assert_true(d->at_us <= then->market_us && d->at_us > then->market_us - 6 * USEC_PER_MIN);
        assert_true(d->vote_count > 0);
        assert_non_null(replay_quote(replay, symbol));
        assert_non_null(replay_series(replay, symbol));
    }
    assert_null(replay_decision(replay, (struct symbol){"NONE"}));
    assert_null(replay_quote(replay, (struct symbol){"NONE"}));
    assert_null(replay_series(replay, (struct symbol){"NONE"}));
    recorder_rig_close(&f);
}

static void write_model(const char *path, double under)
{
    AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
    stump_model(under, -2, &text);
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
}

/* A replay asks the same model as the run did; without it, or with another, it is refused. */
static void a_replay_needs_the_same_model(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    AUTO_BUF struct buf journal = BUF_INIT(4096);
    AUTO_REPLAY struct replay *replay = NULL;
    struct err err = {0};
    recorder_rig_prepare(&f, NULL, 0);
    write_model(recorder_rig_path(&f, "m.json", path), 2);
    (void)str_copy(str_c(path), f.settings.model, sizeof(f.settings.model));
    recorder_rig_start(&f);
    recorder_rig_run(&f, 200);
    (void)replay_all(&f, 1);
    write_model(path, 1);
    assert_int_equal(recorder_find(f.folder, 1, &journal, NULL), 0);
    assert_int_equal(replay_open(journal.data, NULL, &replay, &err), -ERR_ENGINE_REPLAY_MODEL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(replay_open(journal.data, NULL, &replay, &err), -ERR_ENGINE_REPLAY_MODEL);
    recorder_rig_close(&f);
}

/* ---------------------------------------------------------------- as a market */

static void a_journal_is_a_market(void **state)
{
    (void)state;
    struct recorder_rig f;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct source *source = NULL;
    struct err err = {0};
    recorder_rig_open(&f, NULL, 3); /* with an unreliable feed */
    recorder_rig_run(&f, 500);
    assert_int_equal(recorder_find(f.folder, 1, &path, NULL), 0);
    assert_true(journal_source_fits(path.data));
    assert_int_equal(journal_source_open(path.data, &source, &err), 0);
    assert_int_equal(source_step_us(source), USEC_PER_MIN);
    struct symbol symbols[SYMBOLS_LIMIT];
    assert_int_equal(journal_source_symbols(source, symbols), f.settings.symbol_count);
    int64_t takes = 0;
    int64_t bars = 0;
    int64_t last_us = 0;
    for (int64_t us; (us = source_next_us(source)) != INT64_MAX; takes++) {
        struct source_bar got[SYMBOLS_LIMIT];
        int count = source_next(source, got);
        assert_true(count > 0 && us > last_us);
        for (int i = 0; i < count; i++) {
            assert_true(candle_is_valid(&got[i].candle));
            assert_int_equal(got[i].candle.open_us, us - USEC_PER_MIN);
        }
        bars += count;
        last_us = us;
    }
    assert_int_equal(journal_source_end(source, &err), 0);
    assert_true(takes > 450 && takes < 500);
    assert_int_equal(bars, engine_state(driver_engine(f.driver))->candles);
    char byte;
    assert_int_equal(source_save(source, &byte, 1), 0);
    assert_false(source_load(source, &byte, 1));
    journal_source_free(source);

    struct stat st;
    assert_int_equal(stat(path.data, &st), 0);
    assert_int_equal(truncate(path.data, st.st_size - 5), 0);
    assert_int_equal(journal_source_open(path.data, &source, &err), 0);
    while (source_next_us(source) != INT64_MAX) {
        struct source_bar got[SYMBOLS_LIMIT];
        (void)source_next(source, got);
    }
    assert_int_equal(journal_source_end(source, &err), -ERR_ENGINE_RECORD_DAMAGED);
    journal_source_free(source);
    journal_source_free(NULL);
    recorder_rig_close(&f);
}

UNIT_GROUP(replay, cmocka_unit_test(a_paper_run_replays_identically),
           cmocka_unit_test(faults_replay_identically),
           cmocka_unit_test(another_threshold_is_detected),
           cmocka_unit_test(one_wrong_bit_of_a_digest_is_detected),
           cmocka_unit_test(a_cut_anywhere_is_reported_with_its_offset),
           cmocka_unit_test(a_changed_byte_is_never_accepted),
           cmocka_unit_test(hostile_frames_are_refused), cmocka_unit_test(other_files_are_foreign),
           cmocka_unit_test(a_torn_record_is_cut_off_and_written_again),
           cmocka_unit_test(a_full_disk_loses_no_record),
           cmocka_unit_test(a_full_run_is_reported_once),
           cmocka_unit_test(the_oldest_runs_are_deleted_first),
           cmocka_unit_test(a_replay_can_stop_at_any_time),
           cmocka_unit_test(a_replay_needs_the_same_model),
           cmocka_unit_test(every_field_is_recorded), cmocka_unit_test(a_journal_is_a_market))
