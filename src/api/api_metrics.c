#include "api_metrics.h"

#include "answer.h"
#include "base/check.h"
#include "call.h"
#include "io/host.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RENDER_GAP_US USEC_PER_SEC /* in between, the last answer is given again */

/* ---------------------------------------------------------------- families of one sample */

void api_metrics_u64(struct api_scrape *scrape, const char *name, enum exposition_type type,
                     const char *help, uint64_t value)
{
    exposition_family(&scrape->out, name, type, help);
    exposition_u64(&scrape->out, value, NULL);
}

void api_metrics_double(struct api_scrape *scrape, const char *name, const char *help, double value)
{
    exposition_family(&scrape->out, name, EXPOSITION_GAUGE, help);
    exposition_double(&scrape->out, value, NULL);
}

void api_metrics_histogram(struct api_scrape *scrape, const char *name, const char *help,
                           const struct histogram *histogram)
{
    exposition_family(&scrape->out, name, EXPOSITION_HISTOGRAM, help);
    exposition_histogram(&scrape->out, histogram);
}

/* ---------------------------------------------------------------- the process */

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / (double)USEC_PER_SEC;
}

/* Looked up once, so that it does not move with the clocks. */
static double process_start(int64_t started_ticks)
{
    struct timespec up, now;
    if (clock_gettime(CLOCK_BOOTTIME, &up) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0) {
        return 0;
    }
    double boot_s =
        (double)now.tv_sec - (double)up.tv_sec + (double)(now.tv_nsec - up.tv_nsec) / 1e9;
    return boot_s + (double)started_ticks / (double)host_ticks_per_second();
}

/* The names are those that every exporter has. */
static void write_process(struct api_scrape *s)
{
    struct api_metrics *m = s->listener->metrics;
    struct rusage use = {0};
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        exposition_family(&s->out, "process_cpu_seconds", EXPOSITION_COUNTER,
                          "CPU time of nightdesk, user and system.");
        exposition_double(&s->out, seconds(use.ru_utime) + seconds(use.ru_stime), NULL);
    }
    struct host_process process = {0};
    struct err ignored = {0};
    if (host_read_process("/proc", getpid(), &process, &ignored) < 0) {
        return;
    }
    m->started_s = m->started_s > 0 ? m->started_s : process_start(process.started_ticks);
    api_metrics_u64(s, "process_resident_memory_bytes", EXPOSITION_GAUGE, "Resident memory.",
                    (uint64_t)process.memory_bytes);
    api_metrics_u64(s, "process_threads", EXPOSITION_GAUGE, "Threads.", (uint64_t)process.threads);
    if ((process.has & PROCESS_FILES) != 0) {
        api_metrics_u64(s, "process_open_fds", EXPOSITION_GAUGE, "Open file descriptors.",
                        (uint64_t)process.files);
    }
    if ((process.has & PROCESS_FILES) != 0 && process.files_max > 0) {
        api_metrics_u64(s, "process_max_fds", EXPOSITION_GAUGE,
                        "The most file descriptors that may be open.", (uint64_t)process.files_max);
    }
    if (m->started_s > 0) {
        api_metrics_double(s, "process_start_time_seconds",
                           "When the process started, in seconds since 1970.", m->started_s);
    }
}

static void write_build(struct api_scrape *s)
{
    exposition_family(&s->out, "nightdesk_build", EXPOSITION_INFO, "The program that runs.");
    exposition_u64(&s->out, 1, EXPOSITION_LABELS({"version", NIGHTDESK_VERSION}));
}

/* stat only: closing a descriptor of a database would drop the locks that SQLite holds. */
static void write_databases(struct api_scrape *s)
{
    static const char *const names[] = {"trading", "ops"};
    static const char *const suffixes[] = {"", "-wal"};
    exposition_family(&s->out, "nightdesk_database_size_bytes", EXPOSITION_GAUGE,
                      "Size of a database on disk, with its write-ahead log.");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        int64_t size_bytes = 0;
        bool found = false;
        for (size_t k = 0; k < COUNT_OF(suffixes); k++) {
            AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
            struct stat st;
            buf_addf(&path, "%s/%s.db%s", s->listener->api->state_dir, names[i], suffixes[k]);
            if (stat(path.data, &st) == 0) {
                size_bytes += st.st_size;
                found = true;
            }
        }
        if (found) {
            exposition_i64(&s->out, size_bytes, EXPOSITION_LABELS({"database", names[i]}));
        }
    }
}

/* ---------------------------------------------------------------- the answer */

static void write_families(struct listener *listener, struct exposition form)
{
    struct api_scrape s = {.listener = listener,
                           .out = form,
                           .snapshot = shared_reader_snapshot(listener->reader),
                           .shared = listener->api->shared,
                           .now_wall_us = clock_wall_us(clock_real()),
                           .now_mono_us = clock_mono_us(clock_real())};
    if (listener->metrics == NULL) {
        listener->metrics = calloc(1, sizeof(*listener->metrics));
        NEED_MEMORY(listener->metrics != NULL);
    }
    write_build(&s);
    api_metrics_trading(&s);
    api_metrics_ops(&s);
    write_databases(&s);
    write_process(&s);
    exposition_end(&s.out);
}

static struct web_content *render(struct listener *listener, bool openmetrics)
{
    AUTO_BUF struct buf body = BUF_INIT(API_ANSWER_MAX);
    write_families(listener, (struct exposition){.text = &body, .openmetrics = openmetrics});
    ASSERT(!buf_failed(&body)); /* a fifth of it with POSITIONS_LIMIT and CONFIG_SERVICES_MAX */
    return web_content_new(&(struct web_answer){
        .status = 200,
        .content_type = openmetrics ? EXPOSITION_OPENMETRICS_TYPE : EXPOSITION_CLASSIC_TYPE,
        .body = buf_str(&body)});
}

void api_metrics_json_handle(struct api_call *call)
{
    struct api_answer a;
    const struct snapshot *s = shared_reader_snapshot(call->listener->reader);
    api_answer_begin(&a, call->route->answer, api_age_of_engine(call->listener->api->shared, s));
    write_families(call->listener, (struct exposition){.json = &a.out});
    api_answer_send(&a, call->request);
}

void api_metrics_handle(struct api_call *call)
{
    struct listener *listener = call->listener;
    if (listener->metrics == NULL) {
        listener->metrics = calloc(1, sizeof(*listener->metrics));
        ASSERT(listener->metrics != NULL);
    }
    struct api_metrics *m = listener->metrics;
    int form = exposition_wanted(web_header(call->request, "Accept")) ? 1 : 0;
    int64_t now_us = clock_mono_us(clock_real());
    if (m->content[form] == NULL || now_us - m->rendered_mono_us[form] >= RENDER_GAP_US) {
        web_content_free(m->content[form]);
        m->content[form] = render(listener, form == 1);
        m->rendered_mono_us[form] = now_us;
    }
    web_add_header(call->request, "Vary: Accept");
    web_answer_content(call->request, m->content[form]);
}

void api_metrics_release(struct listener *listener)
{
    if (listener->metrics != NULL) {
        web_content_free(listener->metrics->content[0]);
        web_content_free(listener->metrics->content[1]);
        free(listener->metrics);
        listener->metrics = NULL;
    }
}
