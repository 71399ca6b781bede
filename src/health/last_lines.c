#include "last_lines.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "health_internal.h"
#include "io/file.h"
#include "io/journal.h"
#include "io/pool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES          5
#define LINES_READ     16 /* some of them are systemd's */
#define TEXT_MAX_BYTES ((size_t)600)
#define LOG_MAX_BYTES  ((size_t)1 << 20)

/* systemd tells us that a unit has failed before journald has stored the unit's last words. */
#define RECENT_US   (2 * USEC_PER_SEC)
#define CATCH_UP_US (LAST_LINES_WAIT_US / 5 * 4)
#define PAUSE_NSEC  (20 * 1000 * 1000L)

struct job {
    char unit[256]; /* "": the file at path */
    bool failed;    /* the unit has: the journal will say so */
    char path[512];
    struct buf text;
};

struct last_lines {
    struct service *service;
    struct pool_job *job; /* NULL: it is over */
    struct loop_source *deadline;
    bool pending;
    char *text; /* NULL: none */
};

/* Drops what systemd says about the unit, as in "2026-11-29T21:02:33Z a.service: Failed with result
 * …": the alert says it already. */
static void drop_systemd(struct job *job)
{
    struct str rest = buf_str(&job->text), line;
    AUTO_BUF struct buf kept = BUF_INIT(LOG_MAX_BYTES);
    size_t len = strlen(job->unit);
    while (str_split(&rest, '\n', &line)) {
        const char *space = memchr(line.ptr, ' ', line.len);
        struct str message =
            space == NULL ? line : str_n(space + 1, line.len - (size_t)(space + 1 - line.ptr));
        if (!str_starts(message, job->unit) || message.len <= len || message.ptr[len] != ':') {
            buf_add_str(&kept, line);
            buf_add_char(&kept, '\n');
        }
    }
    buf_clear(&job->text);
    buf_add_str(&job->text, buf_str(&kept));
}

/* systemd reports a failure to journald after the unit's last line, so that line is stored too. */
static bool journal_has_failure(const char *unit)
{
    AUTO_BUF struct buf line = BUF_INIT(8192);
    (void)journal_read(&(struct journal_query){.unit = unit,
                                               .lines = 1,
                                               .since_us = clock_wall_us(clock_real()) - RECENT_US,
                                               .contains = "Failed with result"},
                       &line, NULL);
    return line.len > 0;
}

static void work(void *data)
{
    struct job *job = data;
    if (job->unit[0] != '\0') {
        const struct timespec pause = {.tv_nsec = PAUSE_NSEC};
        int64_t until_us = clock_mono_us(clock_real()) + CATCH_UP_US;
        while (job->failed && !journal_has_failure(job->unit) &&
               clock_mono_us(clock_real()) < until_us) {
            (void)nanosleep(&pause, NULL);
        }
        (void)journal_read(&(struct journal_query){.unit = job->unit, .lines = LINES_READ},
                           &job->text, NULL);
        drop_systemd(job);
    } else {
        (void)file_read(job->path, &job->text, NULL);
    }
}

static void drop(void *data)
{
    struct job *job = data;
    buf_release(&job->text);
    free(job);
}

/* The last LINES lines, without the oldest of them if they are too long together. */
static struct str tail_of(struct str text)
{
    text = str_trim(text);
    size_t from = text.len, start = text.len;
    int lines = 0;
    while (from > 0 && lines < LINES && text.len - from < TEXT_MAX_BYTES) {
        from--;
        if (from == 0 || text.ptr[from - 1] == '\n') {
            start = from;
            lines++;
        }
    }
    start = start == text.len && text.len > TEXT_MAX_BYTES ? text.len - TEXT_MAX_BYTES : start;
    return str_n(text.ptr + start, text.len - start);
}

static void finish(struct last_lines *lines)
{
    lines->pending = false;
    loop_timer_stop(lines->deadline);
    service_raise(lines->service);
}

static void done(void *data, void *userdata)
{
    struct job *job = data;
    struct last_lines *lines = userdata;
    lines->job = NULL;
    for (size_t i = 0; i < job->text.len; i++) { /* the text behind a NUL would not be redacted */
        job->text.data[i] = (char)(job->text.data[i] == '\0' ? '?' : job->text.data[i]);
    }
    if (job->text.len > 0) {
        log_redact(job->text.data);
        struct str tail = tail_of(str_c(job->text.data));
        lines->text = strndup(tail.ptr, tail.len);
        ASSERT(lines->text != NULL);
        str_make_safe(lines->text);
    }
    finish(lines);
}

static void on_deadline(void *userdata)
{
    struct last_lines *lines = userdata;
    pool_cancel(TAKE(lines->job));
    finish(lines);
}

struct last_lines *last_lines_read(struct service *service)
{
    struct health *health = service->health;
    struct last_lines *lines = calloc(1, sizeof(*lines));
    struct job *job = calloc(1, sizeof(*job));
    ASSERT(lines != NULL && job != NULL);
    buf_init(&job->text, LOG_MAX_BYTES);
    (void)str_copy(str_c(service->unit), job->unit, sizeof(job->unit));
    (void)str_copy(str_c(service->child.log_path), job->path, sizeof(job->path));
    job->failed = service->sure;
    lines->service = service;
    lines->pending = true;
    lines->deadline = loop_add_timer(health->options.loop, on_deadline, lines);
    loop_source_name(lines->deadline, "last lines of a log");
    lines->job =
        pool_start(health->options.helpers,
                   &(struct pool_work){
                       .data = job, .work = work, .done = done, .drop = drop, .userdata = lines},
                   NULL);
    if (lines->job == NULL) {
        drop(job);
    }
    loop_timer_in(lines->deadline, lines->job == NULL ? 0 : LAST_LINES_WAIT_US);
    return lines;
}

void last_lines_free(struct last_lines *lines)
{
    if (lines != NULL) {
        pool_cancel(lines->job);
        loop_source_free(lines->deadline);
        free(lines->text);
        free(lines);
    }
}

bool last_lines_pending(const struct last_lines *lines)
{
    return lines != NULL && lines->pending;
}

const char *last_lines_text(const struct last_lines *lines)
{
    return lines == NULL || lines->text == NULL ? "" : lines->text;
}
