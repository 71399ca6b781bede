#include "logs.h"

#include "base/check.h"
#include "base/log.h"
#include "health_internal.h"
#include "io/file.h"
#include "io/journal.h"
#include "io/json_out.h"
#include "io/pool.h"
#include "log_pattern.h"
#include "store/attachment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX       5000
#define READ_MAX_BYTES  ((size_t)8 << 20)
#define SHOWN_MAX_BYTES ((size_t)3000) /* of a message; more is a document */
#define SHOWN_LINES     10             /* beside the document */
#define DATA_LINES      200
#define DATA_MAX_BYTES  ((size_t)32 * 1024)
#define WINDOW_US       USEC_PER_DAY /* of patterns */
#define RECENT_US       USEC_PER_HOUR
#define LISTED_MAX      20 /* patterns */
#define EXPORT_LINES    JOURNAL_LINES_MAX
#define HEADER_BYTES    ((size_t)1024) /* of a source in an export */

enum log_mode { LOG_LINES, LOG_PATTERNS, LOG_NEW };

struct log_source {
    char name[64];
    char unit[256]; /* "": the child's log at path */
    char path[4096];
};

/* One job of a helper: there may be many journal files, and the disk may hang. */
struct log_job {
    enum log_mode mode;
    bool export;         /* all sources into a document */
    size_t export_bytes; /* of all sources */
    int source_count;
    struct log_source *sources; /* owned */
    size_t lines;
    int64_t since_us; /* 0: any time */
    int64_t now_us;
    int least;          /* of this priority or more urgent; 0: any */
    char contains[256]; /* "": any */
    char dir[4096];     /* of attachments */

    struct buf clean; /* the lines that fit, as they may be shown */
    size_t shown;     /* how many */
    size_t untimed;   /* lines of a file before the first with a time */
    int64_t oldest_us;
    struct log_patterns *patterns;
    struct attachment document; /* id "": none */
    int rc;
    struct err err;
};

static void job_free(void *data)
{
    struct log_job *job = data;
    buf_release(&job->clean);
    log_patterns_free(job->patterns);
    free(job->sources);
    free(job);
}

/* ----------------------------------------------------------------------------------- lines ---- */

/* The time at the front of a line: "2026-11-29T12:05:06Z …" or with a blank between date and time.
 * *ret_rest: the line after it. */
static bool line_time(struct str line, int64_t *ret_us, struct str *ret_rest)
{
    const char *end = memchr(line.ptr, ' ', line.len);
    struct str stamp = str_n(line.ptr, end == NULL ? line.len : (size_t)(end - line.ptr));
    if (stamp.len == 10 && end != NULL) { /* the date alone: the next word is the time */
        struct str rest = str_n(end + 1, line.len - 11);
        const char *next = memchr(rest.ptr, ' ', rest.len);
        stamp.len += 1 + (next == NULL ? rest.len : (size_t)(next - rest.ptr));
    }
    for (size_t i = 0; i < stamp.len; i++) {
        if (stamp.ptr[i] == ',') { /* a fraction as Python writes it */
            stamp.len = i;
        }
    }
    if (stamp.len < 16 || !clock_parse_iso(stamp, ret_us)) {
        return false;
    }
    size_t skip = stamp.len;
    while (skip < line.len && line.ptr[skip] != ' ') {
        skip++;
    }
    *ret_rest = str_trim(str_n(line.ptr + skip, line.len - skip));
    return true;
}

/* The priority that a line of a file names near its front, as syslog counts; 6 if it names none. */
static int line_priority(struct str line)
{
    static const struct {
        const char *word;
        int priority;
    } words[] = {{"EMERG", 1},    {"ALERT", 1},  {"CRIT", 2},    {"FATAL", 2},
                 {"ERROR", 3},    {"ERR", 3},    {"WARNING", 4}, {"WARN", 4},
                 {"CRITICAL", 2}, {"NOTICE", 5}, {"INFO", 6},    {"DEBUG", 7}};
    size_t end = line.len < 96 ? line.len : 96;
    for (size_t i = 0; i < end;) {
        size_t size = 0;
        while (i + size < end && isalpha((unsigned char)line.ptr[i + size])) {
            size++;
        }
        for (size_t k = 0; size > 0 && k < COUNT_OF(words); k++) {
            if (str_equal_nocase(str_n(line.ptr + i, size), words[k].word)) {
                return words[k].priority;
            }
        }
        i += size > 0 ? size : 1;
    }
    return 6;
}

/* Adds the line with invalid and unsafe characters replaced: a child can write any bytes. */
static void add_clean(struct buf *out, struct str line)
{
    while (line.len > 0) {
        size_t size = str_utf8_size(line);
        if (size > 0 && (line.ptr[0] == '\t' || !str_is_unsafe(line, size))) {
            buf_add(out, line.ptr, size);
        } else {
            buf_add_char(out, '?');
        }
        size = size > 0 ? size : 1;
        line = str_n(line.ptr + size, line.len - size);
    }
    buf_add_char(out, '\n');
}

/* What walks over the lines of one source. A line without a time, or that begins with a blank,
 * belongs to the one before. */
struct log_walk {
    struct log_job *job;
    bool filtered; /* by journald already */
    int64_t at_us; /* of the line, or of the last with a time; 0: none yet */
    int priority;
};

static bool fits(struct log_walk *w, struct str line, int64_t at_us, bool timed)
{
    const struct log_job *job = w->job;
    bool goes_on = !timed && line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
    w->at_us = timed ? at_us : w->at_us;
    w->priority = goes_on ? w->priority : line_priority(line);
    if (w->filtered) {
        return true;
    }
    if (job->since_us > 0 && w->at_us < job->since_us) {
        w->job->untimed += w->at_us == 0 ? 1 : 0;
        return false;
    }
    if (job->least > 0 && w->priority > job->least) {
        return false;
    }
    if (job->contains[0] == '\0') {
        return true;
    }
    AUTO_BUF struct buf text = BUF_INIT(READ_MAX_BYTES);
    buf_add_str(&text, line);
    return strcasestr(text.data, job->contains) != NULL;
}

static void take_line(struct log_walk *w, struct str line, struct str text)
{
    struct log_job *job = w->job;
    if (w->at_us > 0 && (job->oldest_us == 0 || w->at_us < job->oldest_us)) {
        job->oldest_us = w->at_us;
    }
    if (job->mode != LOG_LINES) {
        AUTO_BUF struct buf clean = BUF_INIT(READ_MAX_BYTES);
        add_clean(&clean, text);
        log_patterns_add(job->patterns, str_trim(buf_str(&clean)), w->at_us);
        job->shown++;
        return;
    }
    add_clean(&job->clean, line);
    job->shown++;
}

/* ------------------------------------------------------------------------------------ read ---- */

static int read_file(const struct log_source *source, struct buf *out, struct err *err)
{
    char before[sizeof(source->path) + 2];
    (void)snprintf(before, sizeof(before), "%s.1", source->path);
    int rc = file_read(before, out, err);
    rc = rc < 0 && rc != -ERR_FILE_MISSING ? rc : file_read(source->path, out, err);
    if (rc == -ERR_FILE_MISSING) {
        err_clear(err);
        return 0;
    }
    return rc;
}

static int read_source(const struct log_job *job, const struct log_source *source, struct buf *out,
                       struct err *err)
{
    const struct journal_query query = {.unit = source->unit,
                                        .lines = job->lines,
                                        .since_us = job->since_us,
                                        .least = job->least,
                                        .contains =
                                            job->contains[0] == '\0' ? NULL : job->contains};
    return source->unit[0] != '\0' ? journal_read(&query, out, err) : read_file(source, out, err);
}

/* Redacted before it is split: a secret may hold anything. */
static int walk(struct log_job *job, const struct log_source *source)
{
    AUTO_BUF struct buf text = BUF_INIT(READ_MAX_BYTES);
    struct log_walk w = {.job = job, .filtered = source->unit[0] != '\0', .priority = 6};
    int rc = read_source(job, source, &text, &job->err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < text.len; i++) { /* or the text after it would not be redacted */
        text.data[i] = (char)(text.data[i] == '\0' ? '?' : text.data[i]);
    }
    log_redact(text.data);
    struct str rest = str_c(text.data), line;
    while (str_split(&rest, '\n', &line)) {
        int64_t at_us = 0;
        struct str words = line;
        bool timed = line_time(line, &at_us, &words);
        if (fits(&w, line, at_us, timed)) {
            take_line(&w, line, words);
        }
    }
    return 0;
}

/* The last lines of the clean text. */
static struct str last_lines(const struct log_job *job, size_t lines)
{
    size_t from = job->clean.len > 0 ? job->clean.len - 1 : 0;
    while (from > 0 && (job->clean.data[from - 1] != '\n' || --lines > 0)) {
        from--;
    }
    return str_trim(str_n(job->clean.data + from, job->clean.len - from));
}

static int write_document(struct log_job *job, struct str text)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "%s.log", job->export ? "logs" : job->sources[0].name);
    const struct attachment_new file = {.name = name, .media_type = "text/plain", .bytes = text};
    return attachment_add(job->dir, &file, &job->document, &job->err);
}

bool logs_keep_newest(struct buf *out, size_t begin, size_t max_bytes)
{
    if (out->len - begin <= max_bytes) {
        return false;
    }
    size_t from = out->len - max_bytes;
    const char *end = memchr(out->data + from - 1, '\n', max_bytes + 1);
    from = end == NULL ? out->len : (size_t)(end - out->data) + 1;
    memmove(out->data + begin, out->data + from, out->len - from);
    buf_truncate(out, begin + out->len - from);
    return true;
}

/* The newest lines of each source; what does not fit is left out, and the document says so. */
static int export_all(struct log_job *job)
{
    size_t share = job->export_bytes / (size_t)job->source_count;
    for (int i = 0; i < job->source_count; i++) {
        struct err why = {0};
        size_t before = job->shown;
        buf_addf(&job->clean, "%s== %s ==\n", i == 0 ? "" : "\n", job->sources[i].name);
        size_t begin = job->clean.len;
        int rc = walk(job, &job->sources[i]);
        size_t lines = job->shown - before;
        if (logs_keep_newest(&job->clean, begin, share)) {
            buf_addf(&job->clean, "cut: only the newest %zu KiB are above\n", share / 1024);
        } else if (lines >= job->lines && job->sources[i].unit[0] != '\0') {
            buf_addf(&job->clean, "cut: only the newest %zu lines are above\n", job->lines);
        }
        if (rc < 0) { /* the others are still worth having */
            why = job->err;
            buf_addf(&job->clean, "not read: %s: %s\n", err_info(why.id)->code, why.context);
            err_clear(&job->err);
        }
    }
    return write_document(job, buf_str(&job->clean));
}

static void work(void *data)
{
    struct log_job *job = data;
    if (job->export) {
        job->rc = export_all(job);
        return;
    }
    if (job->mode != LOG_LINES) {
        job->patterns = log_patterns_new(job->now_us - RECENT_US);
    }
    job->rc = walk(job, &job->sources[0]);
    if (job->rc == 0 && job->patterns != NULL) {
        log_patterns_sort(job->patterns, job->mode == LOG_NEW);
    } else if (job->rc == 0) {
        job->shown = job->shown < job->lines ? job->shown : job->lines;
        struct str text = last_lines(job, job->lines);
        if (text.len > SHOWN_MAX_BYTES) {
            job->rc = write_document(job, text);
        }
    }
}

/* ------------------------------------------------------------------------------------ show ---- */

static void add_document(const struct log_job *job, struct reply *reply)
{
    char name[96];
    (void)snprintf(name, sizeof(name), "%s.log", job->export ? "logs" : job->sources[0].name);
    const struct reply_file file = {.id = job->document.id,
                                    .name = name,
                                    .media_type = "text/plain",
                                    .size_bytes = job->document.size_bytes};
    reply_document(reply, &file);
}

/* How far back the lines go that could be read. */
static void add_reach(const struct log_job *job, struct reply *reply)
{
    if (job->oldest_us > 0) {
        reply_para(reply, "Read back to {}.", cell_time(job->oldest_us, job->now_us));
    }
    if (job->untimed > 0) {
        reply_line(reply, "⚠ Left out, because nightdesk can read no time in them: %zu %s.",
                   job->untimed, job->untimed == 1 ? "line" : "lines");
    }
}

/* For programs: the last lines, as many as are short enough together. */
static void add_lines(const struct log_job *job, struct reply *reply)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    struct str rest = last_lines(job, job->shown < DATA_LINES ? job->shown : DATA_LINES), line;
    while (rest.len > DATA_MAX_BYTES) {
        (void)str_split(&rest, '\n', &line);
    }
    json_out_i64(&data, "line_count", (int64_t)job->shown);
    json_out_array(&data, "lines");
    while (str_split(&rest, '\n', &line)) {
        json_out_str(&data, NULL, line);
    }
    json_out_end(&data);
}

static void show_lines(const struct log_job *job, struct reply *reply)
{
    bool whole = job->document.id[0] == '\0';
    struct str text = last_lines(job, whole ? job->lines : SHOWN_LINES);
    if (text.len > SHOWN_MAX_BYTES) {
        text = str_n(text.ptr + text.len - SHOWN_MAX_BYTES, SHOWN_MAX_BYTES);
        while (text.len > 0 && ((unsigned char)text.ptr[0] & 0xC0U) == 0x80U) {
            text = str_n(text.ptr + 1, text.len - 1);
        }
    }
    reply_title(reply, TONE_PLAIN, "%s: last log lines", job->sources[0].name);
    if (job->clean.len == 0) {
        bool all = job->since_us == 0 && job->least == 0 && job->contains[0] == '\0';
        reply_line(reply, all ? "The log is empty." : "No line fits.");
    } else {
        reply_pre(reply, text);
    }
    add_lines(job, reply);
    if (job->untimed > 0) {
        add_reach(job, reply);
    }
    if (!whole) {
        reply_line(reply, "All %zu lines are in the document.", job->shown);
        add_document(job, reply);
    }
}

static void add_pattern(const struct log_job *job, const struct log_pattern *p, struct reply *reply,
                        struct json_out *data)
{
    reply_item(reply, "{}× {} · last {}", cell_count(p->count), cell_text(p->text),
               cell_time(p->last_us, job->now_us));
    json_out_object(data, NULL);
    json_out_text(data, "pattern", p->text);
    json_out_text(data, "example", p->example);
    json_out_i64(data, "count", p->count);
    json_out_i64(data, "last_hour", p->recent);
    json_out_time(data, "first_at", p->first_us);
    json_out_time(data, "last_at", p->last_us);
    json_out_end(data);
}

/* New is only what could have been seen before: the log must reach back beyond the last hour. */
static void show_patterns(const struct log_job *job, struct reply *reply)
{
    size_t count = log_patterns_count(job->patterns);
    bool only_new = job->mode == LOG_NEW;
    bool known = !only_new || (job->oldest_us > 0 && job->oldest_us < job->now_us - RECENT_US);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    if (only_new) {
        reply_title(reply, count > 0 && known ? TONE_WARN : TONE_PLAIN,
                    "%s: %zu new %s in the last hour", job->sources[0].name, count,
                    count == 1 ? "pattern" : "patterns");
    } else {
        reply_title(reply, TONE_PLAIN, "%s: %zu %s in %zu %s", job->sources[0].name, count,
                    count == 1 ? "pattern" : "patterns", job->shown,
                    job->shown == 1 ? "line" : "lines");
    }
    if (!known) {
        reply_line(reply, "⚠ The log does not reach back beyond the last hour, so what is new "
                          "cannot be known.");
    }
    json_out_array(&data, "patterns");
    for (size_t i = 0; i < count && i < LISTED_MAX; i++) {
        add_pattern(job, log_patterns_at(job->patterns, i), reply, &data);
    }
    json_out_end(&data);
    json_out_bool(&data, "new_is_known", known);
    if (count > LISTED_MAX) {
        reply_line(reply, "… and %zu more.", count - LISTED_MAX);
    }
    if (log_patterns_other(job->patterns) > 0) {
        reply_line(reply, "%lld lines are of further patterns.",
                   (long long)log_patterns_other(job->patterns));
    }
    add_reach(job, reply);
}

static void on_done(void *data, void *userdata)
{
    struct log_job *job = data;
    struct action_call *call = userdata;
    struct reply *reply = action_reply(call);
    action_set_state(call, NULL);
    if (job->rc < 0) {
        action_finish(call, &job->err);
        return;
    }
    if (job->export) {
        reply_title(reply, TONE_PLAIN, "Logs of %d %s, %zu lines", job->source_count,
                    job->source_count == 1 ? "service" : "services", job->shown);
        add_reach(job, reply);
        add_document(job, reply);
    } else if (job->mode == LOG_LINES) {
        show_lines(job, reply);
    } else {
        show_patterns(job, reply);
    }
    reply_protect(reply);
    action_finish(call, NULL);
}

/* --------------------------------------------------------------------------------- actions ---- */

static struct log_job *job_new(const struct health *health, int sources)
{
    struct log_job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    AUTO_BUF struct buf dir = BUF_INIT(sizeof(job->dir) - 1);
    attachment_dir(health->options.state_dir, &dir);
    (void)str_copy(buf_str(&dir), job->dir, sizeof(job->dir));
    job->export_bytes = health->export_bytes;
    buf_init(&job->clean,
             job->export_bytes + READ_MAX_BYTES + (size_t)(sources + 1) * HEADER_BYTES);
    job->sources = calloc((size_t)sources + 1, sizeof(job->sources[0]));
    ASSERT(job->sources != NULL);
    job->now_us = clock_wall_us(loop_clock(health->options.loop));
    return job;
}

/* False if nightdesk has no log of the service. */
static bool add_source(struct log_job *job, const struct service *s)
{
    if (s->config->unit[0] == '\0' && s->config->command.count == 0) {
        return false;
    }
    struct log_source *source = &job->sources[job->source_count++];
    (void)str_copy(str_c(s->unit), source->unit, sizeof(source->unit));
    (void)str_copy(str_c(s->child.log_path), source->path, sizeof(source->path));
    (void)str_copy(str_c(s->config->name), source->name, sizeof(source->name));
    return true;
}

static int start(struct health *health, struct action_call *call, struct log_job *job,
                 struct err *err)
{
    struct pool_job *started = pool_start(
        health->options.helpers,
        &(struct pool_work){
            .data = job, .work = work, .done = on_done, .drop = job_free, .userdata = call},
        err);
    if (started == NULL) {
        job_free(job);
        return -ERR_POOL_BUSY;
    }
    action_set_state(call, started);
    return ACTION_PENDING;
}

static int priority_of(const char *name)
{
    static const char *const names[] = {"",        "alert",  "critical", "error",
                                        "warning", "notice", "info",     "debug"};
    for (int i = 0; name != NULL && i < (int)COUNT_OF(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return 0;
}

static int show_logs(struct action_call *call, struct err *err)
{
    struct health *health = action_userdata(call);
    const struct service *s = health_find(health, action_text(call, "service"), err);
    if (s == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    const struct arg_value *lines = action_value(call, "lines");
    struct log_job *job = job_new(health, 1);
    if (!add_source(job, s)) {
        job_free(job);
        return err_set(err, ERR_SERVICE_UNMANAGED, "%s", s->config->name);
    }
    if (strcmp(action_text(call, "colour"), "idle") == 0) {
        config_unit_of(s->config, config_idle_colour(s->config, s->colour), job->sources[0].unit);
    }
    if (lines->type == PARAM_CHOICE) {
        job->mode = strcmp(lines->text, "new") == 0 ? LOG_NEW : LOG_PATTERNS;
        job->since_us = job->now_us - WINDOW_US;
    }
    job->lines = job->mode == LOG_LINES ? (size_t)lines->number : JOURNAL_LINES_MAX;
    if (action_value(call, "since") != NULL) {
        job->since_us = action_time_us(call, "since");
    }
    job->least = priority_of(action_text(call, "priority"));
    (void)str_copy(str_c(action_text(call, "grep")), job->contains, sizeof(job->contains));
    return start(health, call, job, err);
}

static int export_logs(struct action_call *call, struct err *err)
{
    struct health *health = action_userdata(call);
    const char *name = action_text(call, "service");
    const struct service *only = name == NULL ? NULL : health_find(health, name, err);
    if (name != NULL && only == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    struct log_job *job = job_new(health, (int)health->count);
    for (size_t i = 0; i < health->count; i++) {
        if (only == NULL || only == health->services[i]) {
            (void)add_source(job, health->services[i]);
        }
    }
    if (job->source_count == 0) {
        job_free(job);
        return err_set(err, ERR_SERVICE_UNMANAGED, "%s", name == NULL ? "no service" : name);
    }
    job->export = true;
    job->lines = EXPORT_LINES;
    job->since_us = action_time_us(call, "since");
    return start(health, call, job, err);
}

static void cancel(struct action_call *call)
{
    pool_cancel(action_state(call));
}

static const struct action_param kind_of_view = {.type = PARAM_CHOICE, .choices = "new|patterns"};

const struct action logs_actions[] = {
    {.name = "service.logs",
     .summary = "Log lines of a service, or their patterns",
     .data = "line_count lines patterns new_is_known",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(
         {.name = "service", .type = PARAM_SERVICE, .required = true, .help = "which service"},
         {.name = "lines",
          .type = PARAM_INT,
          .default_text = "30",
          .minimum = "1",
          .maximum = PARAM_BOUND(LINES_MAX),
          .otherwise = &kind_of_view,
          .noun = "a number of lines, new, or patterns",
          .help = "how many; or patterns of the last day, or those new in the last hour"},
         {.name = "since", .type = PARAM_TIME, .maximum = "now", .help = "not older than this"},
         {.name = "priority",
          .type = PARAM_CHOICE,
          .choices = "alert|critical|error|warning|notice|info|debug",
          .help = "only of this priority or more urgent"},
         {.name = "grep", .type = PARAM_TEXT, .help = "only lines with this text, in any case"},
         {.name = "colour",
          .type = PARAM_CHOICE,
          .choices = "live|idle",
          .default_text = "live",
          .help = "with a template unit: of which instance"}),
     .run = show_logs,
     .cancel = cancel},
    {.name = "service.export_logs",
     .summary = "Logs of one service or of all as a document",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS(
         {.name = "service", .type = PARAM_SERVICE, .help = "which service; all if left out"},
         {.name = "since",
          .type = PARAM_TIME,
          .default_text = "-1d",
          .maximum = "now",
          .help = "not older than this"}),
     .run = export_logs,
     .cancel = cancel},
    {0},
};
