#include "engine/recorder.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "engine_private.h"
#include "io/file.h"
#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX     "run-"
#define SUFFIX     ".ndj"
#define FOLDER_MAX 4096 /* entries of the folder that are examined */
/* Records that wait for the disk: about twenty market days of three symbols. */
#define HELD_MAX ((size_t)8 << 20)

struct recorder {
    char folder[PATH_MAX];
    char path[PATH_MAX + 64];
    int fd;
    int64_t offset;
    bool full;
    int keep_runs;
    int64_t keep_bytes;
    struct engine_now before;
    struct record_start start;
    uint8_t *held; /* frames that are not in the file yet */
    size_t held_size;
    uint8_t *scratch;
    recorder_fault_fn fault;
    void *userdata;
};

/* ---------------------------------------------------------------- the folder */

/* "run-12.ndj" is 12; 0 for anything else. */
static int64_t run_of(const char *name)
{
    size_t len = strlen(name);
    int64_t run = 0;
    size_t fixed = sizeof(PREFIX SUFFIX) - 1;
    if (len <= fixed || strncmp(name, PREFIX, sizeof(PREFIX) - 1) != 0 ||
        strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) != 0 ||
        !str_to_i64(str_n(name + sizeof(PREFIX) - 1, len - fixed), &run) || run < 1) {
        return 0;
    }
    return run;
}

struct old_run {
    int64_t run;
    int64_t size;
    int64_t changed_us; /* run numbers may be reused: the time shows which file is older */
};

static int older_first(const void *a, const void *b)
{
    const struct old_run *x = a;
    const struct old_run *y = b;
    if (x->changed_us != y->changed_us) {
        return x->changed_us < y->changed_us ? -1 : 1;
    }
    return x->run < y->run ? -1 : x->run > y->run;
}

/* Lists the runs in the folder except `without`; -1: the folder cannot be read. The caller frees
 * *ret. */
static int list_runs(const char *folder, int64_t without, struct old_run **ret)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return -1;
    }
    struct old_run *runs = calloc(FOLDER_MAX, sizeof(*runs));
    ASSERT(runs != NULL);
    int count = 0;
    for (const struct dirent *e; count < FOLDER_MAX && (e = readdir(dir)) != NULL;) {
        struct stat st;
        int64_t run = run_of(e->d_name);
        if (run == 0 || run == without ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) {
            continue;
        }
        runs[count++] = (struct old_run){
            run, st.st_size, (int64_t)st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000};
    }
    (void)closedir(dir);
    qsort(runs, (size_t)count, sizeof(*runs), older_first);
    *ret = runs;
    return count;
}

/* A file that cannot be deleted is retried in the next hour. */
static void prune(const struct recorder *r)
{
    AUTO_FREE struct old_run *runs = NULL;
    int count = list_runs(r->folder, r->start.run, &runs);
    int64_t bytes = r->offset;
    for (int i = 0; i < count; i++) {
        bytes += runs[i].size;
    }
    for (int i = 0; i < count && (count - i + 1 > r->keep_runs || bytes > r->keep_bytes); i++) {
        char path[PATH_MAX + 64];
        (void)snprintf(path, sizeof(path), "%s/" PREFIX "%lld" SUFFIX, r->folder,
                       (long long)runs[i].run);
        if (unlink(path) < 0) {
            LOG(DEBUG, "cannot delete %s now: %s", path, strerror(errno));
        }
        bytes -= runs[i].size;
    }
}

static bool folder_of(const char *state_dir, char ret[PATH_MAX])
{
    int len = snprintf(ret, PATH_MAX, "%s/" RECORDER_FOLDER, state_dir);
    return len > 0 && len < PATH_MAX - 64;
}

static int lower_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int recorder_runs(const char *state_dir, int64_t *ret, int max)
{
    char folder[PATH_MAX];
    AUTO_FREE struct old_run *runs = NULL;
    AUTO_FREE int64_t *numbers = calloc(FOLDER_MAX, sizeof(*numbers));
    ASSERT(numbers != NULL);
    int count = folder_of(state_dir, folder) ? list_runs(folder, 0, &runs) : 0;
    for (int i = 0; i < count; i++) {
        numbers[i] = runs[i].run;
    }
    count = count < 0 ? 0 : count;
    qsort(numbers, (size_t)count, sizeof(*numbers), lower_first);
    int kept = count < max ? count : max;
    memcpy(ret, numbers + count - kept, (size_t)kept * sizeof(*ret));
    return kept;
}

int recorder_find(const char *state_dir, int64_t run, struct buf *ret, struct err *err)
{
    char folder[PATH_MAX];
    AUTO_FREE struct old_run *runs = NULL;
    int count = folder_of(state_dir, folder) ? list_runs(folder, 0, &runs) : -1;
    for (int i = count - 1; i >= 0; i--) {
        if (run == 0 || runs[i].run == run) {
            buf_addf(ret, "%s/" PREFIX "%lld" SUFFIX, folder, (long long)runs[i].run);
            return 0;
        }
    }
    return run == 0 ? err_set(err, ERR_ENGINE_RECORD_NONE, "%s/" RECORDER_FOLDER, state_dir)
                    : err_set(err, ERR_ENGINE_RECORD_NONE, "run %lld in %s/" RECORDER_FOLDER,
                              (long long)run, state_dir);
}

/* ---------------------------------------------------------------- writing */

static int write_at(struct recorder *r, const uint8_t *bytes, size_t size, int64_t offset)
{
    size_t allowed = size;
    int rc = 0;
    if (r->fault != NULL) {
        rc = r->fault(size, &allowed, r->userdata);
        allowed = rc < 0 ? (allowed < size ? allowed : size) : size;
    }
    for (size_t done = 0; done < allowed;) {
        ssize_t n = pwrite(r->fd, bytes + done, allowed - done, (off_t)(offset + (int64_t)done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -ENOSPC;
        }
        done += (size_t)n;
    }
    return rc < 0 ? -EIO : 0;
}

/* Appends all of it, or nothing. */
static int append(struct recorder *r, const uint8_t *bytes, size_t size, struct err *err)
{
    int rc = write_at(r, bytes, size, r->offset);
    if (rc < 0) {
        /* If this fails too, the next attempt overwrites the torn record. */
        (void)!ftruncate(r->fd, (off_t)r->offset);
        return err_set(err, ERR_ENGINE_RECORD, "%s: %s", r->path, strerror(-rc));
    }
    r->offset += (int64_t)size;
    return 0;
}

static int write_start(struct recorder *r, const struct engine *engine, struct err *err)
{
    AUTO_FREE uint8_t *bytes = malloc(RECORD_MAGIC_SIZE + RECORD_FRAME_SIZE + RECORD_START_MAX);
    ASSERT(bytes != NULL);
    struct pack p = PACK_WRITE(bytes + RECORD_MAGIC_SIZE + RECORD_FRAME_SIZE, RECORD_START_MAX);
    record_start_pack(&p, &r->start, engine);
    ASSERT(!p.failed);
    memcpy(bytes, RECORD_MAGIC, RECORD_MAGIC_SIZE);
    record_seal(bytes + RECORD_MAGIC_SIZE, p.at, (int64_t)RECORD_MAGIC_SIZE);
    return append(r, bytes, RECORD_MAGIC_SIZE + RECORD_FRAME_SIZE + p.at, err);
}

static void fill_start(struct recorder *r, const struct recorder_start *start,
                       const struct engine *engine)
{
    struct record_start *s = &r->start;
    s->version = RECORD_VERSION;
    s->run = engine_state(engine)->run;
    s->restored = start->memory != NULL;
    s->now = start->now;
    s->settings = engine->settings;
    s->step_us = engine->series[0].step_us;
    s->venue = engine->venue.can;
    s->symbol_count = engine->symbol_count;
    for (int i = 0; i < engine->symbol_count; i++) {
        s->symbols[i] = engine->series[i].symbol;
    }
    if (start->memory != NULL) {
        engine_memory_copy(&s->memory, start->memory);
    }
    if (engine->predictor != NULL) {
        (void)str_copy(str_c(predictor_hash(engine->predictor)), s->model_hash,
                       sizeof(s->model_hash));
    }
    r->keep_runs = start->keep_runs > 0 ? start->keep_runs : RECORDER_KEEP_RUNS;
    r->keep_bytes = start->keep_bytes > 0 ? start->keep_bytes : RECORDER_KEEP_BYTES;
    r->before = start->now;
}

static int open_file(struct recorder *r, const char *state_dir, struct err *err)
{
    if (!folder_of(state_dir, r->folder)) {
        return err_set(err, ERR_ENGINE_RECORD, "%.100s…: path too long", state_dir);
    }
    int rc = file_make_folder(r->folder, 0700, err);
    if (rc < 0) {
        return rc;
    }
    (void)snprintf(r->path, sizeof(r->path), "%s/" PREFIX "%lld" SUFFIX, r->folder,
                   (long long)r->start.run);
    r->fd = open(r->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (r->fd < 0) {
        return err_set(err, ERR_ENGINE_RECORD, "%s: %s", r->path, strerror(errno));
    }
    return 0;
}

int recorder_open(const char *state_dir, const struct recorder_start *start,
                  const struct engine *engine, struct recorder **ret, struct err *err)
{
    struct recorder *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->fd = -1;
    r->held = malloc(HELD_MAX);
    r->scratch = malloc(record_scratch(engine));
    ASSERT(r->held != NULL && r->scratch != NULL);
    fill_start(r, start, engine);
    int rc = open_file(r, state_dir, err);
    if (rc >= 0) {
        rc = write_start(r, engine, err);
        if (rc < 0) {
            (void)unlink(r->path);
        }
    }
    if (rc < 0) {
        recorder_free(r);
        return rc;
    }
    prune(r);
    *ret = r;
    return 0;
}

void recorder_free(struct recorder *recorder)
{
    if (recorder == NULL) {
        return;
    }
    if (recorder->fd >= 0) {
        (void)close(recorder->fd);
    }
    free(recorder->held);
    free(recorder->scratch);
    free(recorder);
}

int recorder_flush(struct recorder *r, struct err *err)
{
    if (r->held_size == 0) {
        return 0;
    }
    int rc = append(r, r->held, r->held_size, err);
    if (rc >= 0) {
        r->held_size = 0;
    }
    return rc;
}

int recorder_step(struct recorder *r, const struct engine *engine, const struct engine_now *now,
                  const struct engine_inputs *inputs, const struct engine_outputs *outputs,
                  struct err *err)
{
    if (r->full || record_is_idle(inputs, outputs)) {
        return recorder_flush(r, err);
    }
    int64_t offset = r->offset + (int64_t)r->held_size;
    if (r->held_size + RECORD_FRAME_SIZE + RECORD_STEP_MAX > HELD_MAX) {
        r->full = true;
        return err_set(err, ERR_ENGINE_RECORD_FULL, "%s: no write has succeeded since byte %lld",
                       r->path, (long long)r->offset);
    }
    /* Packing for writing does not change the values. */
    AUTO_UNCLEARED struct record_step step; /* of 300 decisions, of which few are used */
    step.now = *now;
    step.inputs = (struct engine_inputs *)(uintptr_t)inputs;
    step.settings = (struct settings *)(uintptr_t)inputs->settings;
    step.request = (struct request *)(uintptr_t)inputs->request;
    uint8_t *frame = r->held + r->held_size;
    struct pack p = PACK_WRITE(frame + RECORD_FRAME_SIZE, RECORD_STEP_MAX);
    record_digest_of(engine, outputs, RECORD_VERSION, r->scratch, &step.digest);
    record_step_pack(&p, &step, &r->before, &r->start);
    ASSERT(!p.failed);
    if (offset + (int64_t)(RECORD_FRAME_SIZE + p.at) > r->keep_bytes) {
        r->full = true;
        return err_set(err, ERR_ENGINE_RECORD_FULL, "%s: %lld bytes", r->path, (long long)offset);
    }
    record_seal(frame, p.at, offset);
    r->held_size += RECORD_FRAME_SIZE + p.at;
    r->before = *now;
    int rc = recorder_flush(r, err);
    if (rc >= 0 && outputs->equity_point) {
        prune(r);
    }
    return rc;
}

const char *recorder_path(const struct recorder *recorder)
{
    return recorder->path;
}

int64_t recorder_size(const struct recorder *recorder)
{
    return recorder->offset;
}

void recorder_set_fault(struct recorder *recorder, recorder_fault_fn fn, void *userdata)
{
    recorder->fault = fn;
    recorder->userdata = userdata;
}
