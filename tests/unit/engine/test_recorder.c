/*
 * The flight recorder's folder and disk: other files in it, limits, and failing writes.
 */
#include "base/check.h"
#include "engine/recorder.h"
#include "engine/replay.h"
#include "io/file.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
    char folder[64];
    struct settings settings;
    struct engine *engine;
    struct recorder_start start;
    struct recorder *recorder;
};

static void rig_open(struct rig *r)
{
    memset(r, 0, sizeof(*r));
    (void)str_copy(STR_LIT("/var/tmp/nightdesk-rig-XXXXXX"), r->folder, sizeof(r->folder));
    assert_non_null(mkdtemp(r->folder));
    driver_rig_settings(&r->settings);
    r->engine = engine_new(&r->settings, r->settings.symbols, r->settings.symbol_count);
    r->start.now = (struct engine_now){1790000000000000, 1790000000000000, USEC_PER_SEC};
    engine_begin(r->engine, &r->start.now);
}

static void rig_close(struct rig *r)
{
    char command[128];
    recorder_free(r->recorder);
    engine_free(r->engine);
    (void)snprintf(command, sizeof(command), "rm -rf %s", r->folder);
    assert_int_equal(system(command), 0);
}

static int start(struct rig *r, struct err *err)
{
    recorder_free(r->recorder);
    r->recorder = NULL;
    err_clear(err);
    return recorder_open(r->folder, &r->start, r->engine, &r->recorder, err);
}

static const char *in_folder(const struct rig *r, const char *name, char dst[256])
{
    (void)snprintf(dst, 256, "%s/" RECORDER_FOLDER "/%s", r->folder, name);
    return dst;
}

static void write_bytes(const struct rig *r, const char *name, size_t size, int64_t at_s)
{
    char path[256];
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    for (size_t i = 0; i < size; i++) {
        buf_add_char(&text, 'x');
    }
    assert_int_equal(file_write(in_folder(r, name, path), buf_str(&text), 0600, NULL), 0);
    struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const struct rig *r, const char *name)
{
    char path[256];
    struct stat st;
    return lstat(in_folder(r, name, path), &st) == 0;
}

/* Files that are not runs are neither found nor deleted, however old. */
static void other_files_are_left_alone(void **state)
{
    (void)state;
    static const char *const others[] = {"run-0.ndj", "run--5.ndj", "run-x.ndj",
                                         "run-7.txt", "walk-7.ndj", "run-7.ndj.1",
                                         ".ndj",      "run-.ndj",   "run-99999999999999999999.ndj"};
    struct rig r;
    struct err err = {0};
    char path[256];
    AUTO_BUF struct buf found = BUF_INIT(4096);
    rig_open(&r);
    assert_int_equal(recorder_find(r.folder, 0, &found, &err), -ERR_ENGINE_RECORD_NONE);
    r.start.keep_runs = 1;
    assert_int_equal(start(&r, &err), 0);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        write_bytes(&r, others[i], 10, 1000);
    }
    assert_int_equal(mkdir(in_folder(&r, "run-8.ndj", path), 0700), 0);
    assert_int_equal(symlink("/etc/passwd", in_folder(&r, "run-9.ndj", path)), 0);
    write_bytes(&r, "run-10.ndj", 10, 1000);
    assert_int_equal(start(&r, &err), 0);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_true(is_there(&r, others[i]));
    }
    assert_true(is_there(&r, "run-8.ndj") && is_there(&r, "run-9.ndj"));
    assert_false(is_there(&r, "run-10.ndj"));
    static const int64_t none[] = {7, 8, 9, 10, -5};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        err_clear(&err);
        assert_int_equal(recorder_find(r.folder, none[i], &found, &err), -ERR_ENGINE_RECORD_NONE);
        assert_non_null(strstr(err.context, r.folder));
    }
    assert_int_equal(recorder_find(r.folder, 0, &found, &err), 0);
    assert_string_equal(found.data, recorder_path(r.recorder));
    rig_close(&r);
}

/* Limited by bytes too; of two files of the same time the smaller number is the older. */
static void bytes_are_a_limit_too(void **state)
{
    (void)state;
    struct rig r;
    struct err err = {0};
    rig_open(&r);
    assert_int_equal(start(&r, &err), 0);
    int64_t own = recorder_size(r.recorder);
    write_bytes(&r, "run-4.ndj", 1000, 1000);
    write_bytes(&r, "run-6.ndj", 1000, 1000);
    write_bytes(&r, "run-5.ndj", 1000, 1000);
    write_bytes(&r, "run-3.ndj", 1000, 2000);
    r.start.keep_bytes = own + 2500;
    assert_int_equal(start(&r, &err), 0);
    assert_false(is_there(&r, "run-4.ndj"));
    assert_false(is_there(&r, "run-5.ndj"));
    assert_true(is_there(&r, "run-6.ndj"));
    assert_true(is_there(&r, "run-3.ndj"));
    rig_close(&r);
}

static void an_impossible_folder_is_reported(void **state)
{
    (void)state;
    struct rig r;
    struct err err = {0};
    char path[256];
    AUTO_BUF struct buf found = BUF_INIT(2 * PATH_MAX);
    rig_open(&r);
    /* A parent of the folder is a file. */
    (void)snprintf(path, sizeof(path), "%s/" RECORDER_FOLDER, r.folder);
    assert_int_equal(file_write(path, STR_LIT("in the way"), 0600, NULL), 0);
    assert_true(start(&r, &err) < 0);
    assert_non_null(strstr(err.context, path));
    assert_null(r.recorder);
    assert_int_equal(unlink(path), 0);

    /* The file of this run is a link, which is not followed, or a folder. */
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/other", r.folder);
    assert_int_equal(file_write(path, STR_LIT("precious"), 0600, NULL), 0);
    char run[256];
    assert_int_equal(symlink(path, in_folder(&r, "run-1.ndj", run)), 0);
    assert_int_equal(start(&r, &err), -ERR_ENGINE_RECORD);
    AUTO_BUF struct buf kept = BUF_INIT(64);
    assert_int_equal(file_read(path, &kept, NULL), 0);
    assert_string_equal(kept.data, "precious");
    assert_int_equal(unlink(run), 0);
    assert_int_equal(mkdir(run, 0700), 0);
    assert_int_equal(start(&r, &err), -ERR_ENGINE_RECORD);
    assert_int_equal(rmdir(run), 0);
    assert_int_equal(start(&r, &err), 0);

    /* Longer than a path may be. */
    static char vast[PATH_MAX + 10];
    memset(vast, 'a', sizeof(vast) - 1);
    struct recorder *none = NULL;
    err_clear(&err);
    assert_int_equal(recorder_open(vast, &r.start, r.engine, &none, &err), -ERR_ENGINE_RECORD);
    assert_non_null(strstr(err.context, "too long"));
    assert_null(none);
    err_clear(&err);
    assert_int_equal(recorder_find(vast, 1, &found, &err), -ERR_ENGINE_RECORD_NONE);
    rig_close(&r);
}

/* The disk has no space for the start: no incomplete file remains that could be taken for a run. */
static void an_incomplete_start_is_removed(void **state)
{
    (void)state;
    struct rig r;
    struct err err = {0};
    struct rlimit was;
    rig_open(&r);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    for (rlim_t room = 0; room <= 1000; room += 500) {
        struct rlimit tight = {.rlim_cur = room, .rlim_max = was.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        int rc = start(&r, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
        assert_int_equal(rc, -ERR_ENGINE_RECORD);
        assert_null(r.recorder);
        assert_false(is_there(&r, "run-1.ndj"));
    }
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(start(&r, &err), 0);
    AUTO_REPLAY struct replay *replay = NULL;
    assert_int_equal(replay_open(recorder_path(r.recorder), NULL, &replay, &err), 0);
    rig_close(&r);
}

UNIT_GROUP(recorder, cmocka_unit_test(other_files_are_left_alone),
           cmocka_unit_test(bytes_are_a_limit_too),
           cmocka_unit_test(an_impossible_folder_is_reported),
           cmocka_unit_test(an_incomplete_start_is_removed))
