/*
 * Runs the scenarios: build/asan/oom [--every N] [--jobs N] [--trace SCENARIO N] [MODULE ...]
 *
 * Prints TAP, one line for each scenario, and a table of the modules. --every 7 fails each seventh
 * allocation only. --trace repeats one run and shows where its allocation fails.
 */
#include "oom/oom.h"

#include "base/check.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SCENARIOS_MAX = 128,
    FAIL_AT_MAX = 20000, /* a scenario with more allocations is too large */
    LIMIT_S = 12,        /* a child that takes longer hangs */
    LATER_RUNS = 150,    /* of a series in which all later allocations fail too */
    FAULTS_SHOWN = 3,    /* for each scenario */
    SITES_MAX = 32,
    EXIT_SANITIZER = 99,
};

enum outcome { OUTCOME_NONE, OUTCOME_DONE, OUTCOME_ERROR, OUTCOME_WRONG, OUTCOME_LEAK };

/* What a child tells its parent, in memory that they share. */
struct told {
    enum outcome outcome;
    size_t allocations;
    const void *callers[2]; /* of the first and the last allocation that failed */
    bool reached;           /* the allocation that fails */
    long live;
    char text[512];
    _Alignas(64) char shared[OOM_SHARED_SIZE];
};

/* What a worker tells the main process. */
struct result {
    size_t allocations, runs, done, errors, aborts, faults, library;
    double seconds;
    int site_count;
    char sites[SITES_MAX][160]; /* of the assertions that aborted */
    bool finished;
};

static struct oom_scenario *scenarios;
static struct told *told;
static struct result *results;
static int child_stderr = -1;
static size_t every = 1;

/* Leaks are counted here and confirmed by LeakSanitizer; see run_child. */
#ifdef __SANITIZE_ADDRESS__
int __lsan_do_recoverable_leak_check(void);
const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__asan_default_options(void)
{
    return "exitcode=99:detect_leaks=1:leak_check_at_exit=0:allocator_may_return_null=1";
}
/* fontconfig and OpenSSL never free what they set up once. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\nleak:libcrypto";
}
#endif

void oom_register(struct oom_scenario *scenario)
{
    struct oom_scenario **slot = &scenarios;
    while (*slot != NULL) {
        slot = &(*slot)->next;
    }
    *slot = scenario;
}

void oom_wrong(const char *expression, const char *file, int line)
{
    (void)oom_disarm();
    (void)snprintf(told->text, sizeof(told->text), "%s:%d: %s", file, line, expression);
    told->outcome = OUTCOME_WRONG;
    _exit(0);
}

static void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(memory != MAP_FAILED);
    return memory;
}

/* ------------------------------------------------------------------ one child */

static void stop_if_failed(int rc, const struct err *err, const char *what)
{
    if (rc < 0) {
        (void)snprintf(told->text, sizeof(told->text), "%s: %s: %s", what, err_info(-rc)->code,
                       err->context);
        told->outcome = OUTCOME_WRONG;
        _exit(0);
    }
}

/* Prepares, runs with the failure and releases. Does not return. */
static _Noreturn void run_child(const struct oom_scenario *s, struct oom *oom,
                                const struct oom_plan *plan, long live_expected)
{
    struct err err = {0};
    long live = oom_live();
    if (s->prepare != NULL) {
        stop_if_failed(s->prepare(oom, &err), &err, "prepare");
    }
    err = (struct err){0};
    oom_arm(plan);
    int rc = s->run(oom, &err);
    (void)oom_disarm();
    told->reached = plan->fail_at > 0 && told->allocations >= plan->fail_at;
    if (rc < 0 && (int)err.id != -rc) {
        (void)snprintf(told->text, sizeof(told->text), "returned %s, but err holds %s",
                       err_info(-rc)->code, err_info((int)err.id)->code);
        told->outcome = OUTCOME_WRONG;
        _exit(0);
    }
    if (s->release != NULL) {
        s->release(oom);
    }
    told->live = oom_live() - live;
    told->outcome = rc < 0 ? OUTCOME_ERROR : OUTCOME_DONE;
    if (rc < 0) {
        (void)snprintf(told->text, sizeof(told->text), "%s: %s", err_info(-rc)->code, err.context);
    }
    /* A library may keep a block that it allocated late. That is no leak, and LeakSanitizer, which
     * is slow, can tell. Other builds look for no leaks. */
    if (told->live > live_expected) {
#ifdef __SANITIZE_ADDRESS__
        if (__lsan_do_recoverable_leak_check() != 0) {
            told->outcome = OUTCOME_LEAK;
        }
#endif
    }
    _exit(0);
}

static int delete_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void make_folder(struct oom *oom)
{
    (void)snprintf(oom->folder, sizeof(oom->folder), "%s/nd-oom-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/var/tmp");
    ASSERT(mkdtemp(oom->folder) != NULL);
    ASSERT(setenv("TMPDIR", oom->folder, 1) == 0);
}

/* Returns the wait status. */
static int start_child(const struct oom_scenario *s, struct oom *oom, const struct oom_plan *plan,
                       long live_expected)
{
    ASSERT(madvise(told, sizeof(*told), MADV_REMOVE) == 0); /* zeroed */
    make_folder(oom);
    ASSERT(ftruncate(child_stderr, 0) == 0 && lseek(child_stderr, 0, SEEK_SET) == 0);
    pid_t pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        if (!plan->trace) {
            (void)dup2(child_stderr, STDERR_FILENO);
        }
        (void)alarm(LIMIT_S);
        run_child(s, oom, plan, live_expected);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        ASSERT(errno == EINTR);
    }
    return status;
}

/* The message of check.h on standard error, without its line number: "out of memory at src/x.c in
 * f: p != NULL". Empty if there is none. */
static void abort_message(char *dst, size_t size)
{
    char text[8192];
    ssize_t n = pread(child_stderr, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    dst[0] = '\0';
    const char *memory = strstr(text, "OUT OF MEMORY ");
    const char *at = memory != NULL ? memory : strstr(text, "BUG ");
    const char *line = at == NULL ? NULL : strchr(at, ':');
    const char *in = line == NULL ? NULL : strstr(line, " in ");
    if (in != NULL) {
        (void)snprintf(dst, size, "%.*s%.*s", (int)(line - at), at, (int)strcspn(in, "\n"), in);
    }
}

/* Any other assertion is a bug that lack of memory brought out. */
static bool is_about_memory(const char *message, bool at_once)
{
    return message[0] != '\0' && (at_once || strncmp(message, "OUT OF MEMORY", 13) == 0 ||
                                  strstr(message, "!= NULL") != NULL);
}

static void show_stderr(void)
{
    char line[512];
    FILE *in = fdopen(dup(child_stderr), "r");
    if (in == NULL) {
        return;
    }
    rewind(in);
    for (int i = 0; i < 45 && fgets(line, sizeof(line), in) != NULL; i++) {
        printf("#     %s", line);
    }
    (void)fclose(in);
}

/* Classifies how a child has ended; returns what is wrong or NULL. */
static const char *judge(int status, const struct oom_plan *plan, struct oom *oom, struct result *r,
                         char *text, size_t size)
{
    char site[160];
    oom->outcome = "abort";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
        abort_message(site, sizeof(site));
        if (!is_about_memory(site, told->allocations == plan->fail_at)) {
            (void)snprintf(text, size, "aborted: %s", site[0] == '\0' ? "no message" : site);
            return text;
        }
        int i = 0;
        while (i < r->site_count && strcmp(r->sites[i], site) != 0) {
            i++;
        }
        if (i == r->site_count && i < SITES_MAX) {
            (void)snprintf(r->sites[r->site_count++], sizeof(r->sites[0]), "%s", site);
        }
        r->aborts++;
        return NULL;
    }
    if (WIFSIGNALED(status)) {
        (void)snprintf(text, size, "%s",
                       WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)));
        return text;
    }
    if (WEXITSTATUS(status) != 0) {
        (void)snprintf(text, size, "%s",
                       WEXITSTATUS(status) == EXIT_SANITIZER ? "sanitizer" : "exited");
        return text;
    }
    switch (told->outcome) {
    case OUTCOME_DONE:
        oom->outcome = "done";
        r->done++;
        return NULL;
    case OUTCOME_ERROR:
        oom->outcome = "error";
        r->errors++;
        return NULL;
    case OUTCOME_WRONG:
        (void)snprintf(text, size, "wrong result: %s", told->text);
        return text;
    case OUTCOME_LEAK:
        return "leak";
    case OUTCOME_NONE:
        return "exited without a result";
    }
    UNREACHABLE();
}

/* ------------------------------------------------------------------ one scenario */

static bool is_called_from(const void *caller, const char *library)
{
    Dl_info info;
    return library != NULL && caller != NULL && dladdr(caller, &info) != 0 &&
           strstr(info.dli_fname, library) != NULL;
}

/* Whether the first or the last allocation that failed was one of the libraries that the scenario
 * names. */
static bool is_of_library(const struct oom_scenario *s)
{
    for (size_t i = 0; i < COUNT_OF(s->libraries); i++) {
        if (is_called_from(told->callers[0], s->libraries[i]) ||
            is_called_from(told->callers[1], s->libraries[i])) {
            return true;
        }
    }
    return false;
}

static void show_fault(const struct oom_scenario *s, const struct oom_plan *plan, const char *why)
{
    Dl_info info;
    bool known = told->callers[0] != NULL && dladdr(told->callers[0], &info) != 0;
    printf("# fault: %s_%s, allocation %zu%s%s, called from %s: %s\n", s->module, s->name,
           plan->fail_at, plan->and_all_later ? " and all later" : "",
           plan->which == OOM_OTHER_THREADS ? " of other threads" : "",
           known ? info.dli_fname : "?", why);
    show_stderr();
    (void)fflush(stdout);
}

/* In this process: what libraries set up once is no part of a scenario. */
static void warm_up(const struct oom_scenario *s)
{
    struct oom oom = {.shared = told->shared};
    struct err err = {0};
    make_folder(&oom);
    oom_arm(&(struct oom_plan){.counted = &told->allocations});
    if (s->prepare == NULL || s->prepare(&oom, &err) == 0) {
        (void)s->run(&oom, &err);
    }
    (void)oom_disarm();
    if (s->release != NULL) {
        s->release(&oom);
    }
    (void)nftw(oom.folder, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool run_series(const struct oom_scenario *s, struct result *r, enum oom_thread which,
                       bool and_all_later)
{
    struct oom oom = {.shared = told->shared};
    char text[600];
    struct oom_plan plan = {.which = which,
                            .and_all_later = and_all_later,
                            .counted = &told->allocations,
                            .callers = told->callers};
    warm_up(s);
    /* The first run warms up caches of the machine; the second is the measure. */
    for (int i = 0; i < 2; i++) {
        int status = start_child(s, &oom, &plan, 1 << 30);
        const char *wrong = s->verify == NULL ? NULL : (oom.outcome = "done", s->verify(&oom));
        (void)nftw(oom.folder, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || told->outcome != OUTCOME_DONE ||
            wrong != NULL) {
            show_fault(s, &plan, wrong != NULL ? wrong : told->text);
            r->faults++;
            return false;
        }
    }
    const long live = told->live;
    const size_t allocations = told->allocations;
    r->allocations += and_all_later ? 0 : allocations;
    if (allocations > FAIL_AT_MAX) {
        show_fault(s, &plan, "too many allocations");
        r->faults++;
        return false;
    }
    size_t step = every > s->stride ? every : s->stride;
    step = step == 0 ? 1 : step;
    if (and_all_later && step < allocations / LATER_RUNS + 1) {
        step = allocations / LATER_RUNS + 1;
    }
    for (plan.fail_at = 1; plan.fail_at <= FAIL_AT_MAX; plan.fail_at += step) {
        int status = start_child(s, &oom, &plan, live);
        bool ended = WIFEXITED(status) && told->outcome == OUTCOME_DONE && !told->reached;
        const char *wrong = ended ? NULL : judge(status, &plan, &oom, r, text, sizeof(text));
        if (wrong == NULL && s->verify != NULL) {
            wrong = s->verify(&oom);
        }
        (void)nftw(oom.folder, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
        if (wrong != NULL && is_of_library(s)) {
            r->library++;
        } else if (wrong != NULL) {
            r->faults++;
            if (r->faults <= FAULTS_SHOWN) {
                show_fault(s, &plan, wrong);
            }
        }
        if (ended && plan.fail_at > allocations) {
            break;
        }
        r->runs++;
    }
    return true;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_scenario(const struct oom_scenario *s, struct result *r)
{
    double start = now();
    told = shared_memory(sizeof(*told));
    child_stderr = memfd_create("stderr", MFD_CLOEXEC);
    ASSERT(child_stderr >= 0);
    bool ok = run_series(s, r, OOM_THIS_THREAD, false) && run_series(s, r, OOM_THIS_THREAD, true);
    if (ok && s->threads) {
        (void)(run_series(s, r, OOM_OTHER_THREADS, false) &&
               run_series(s, r, OOM_OTHER_THREADS, true));
    }
    r->seconds = now() - start;
    r->finished = true;
}

static int trace(const char *name, size_t fail_at, bool and_all_later, enum oom_thread which)
{
    for (const struct oom_scenario *s = scenarios; s != NULL; s = s->next) {
        char full[128];
        (void)snprintf(full, sizeof(full), "%s_%s", s->module, s->name);
        if (strcmp(full, name) == 0) {
            told = shared_memory(sizeof(*told));
            child_stderr = memfd_create("stderr", MFD_CLOEXEC);
            warm_up(s);
            struct oom oom = {.shared = told->shared};
            struct oom_plan plan = {.fail_at = fail_at,
                                    .and_all_later = and_all_later,
                                    .which = which,
                                    .trace = true,
                                    .counted = &told->allocations,
                                    .callers = told->callers};
            int status = start_child(s, &oom, &plan, 0);
            printf("%zu allocations; outcome %d; status %d; %ld blocks live; %s\n",
                   told->allocations, (int)told->outcome, status, told->live, told->text);
            if (s->verify != NULL) {
                oom.outcome = told->outcome == OUTCOME_DONE ? "done" : "error";
                const char *wrong = s->verify(&oom);
                printf("verify: %s\n", wrong == NULL ? "right" : wrong);
            }
            (void)nftw(oom.folder, delete_entry, 16, FTW_DEPTH | FTW_PHYS);
            return 0;
        }
    }
    (void)fprintf(stderr, "no scenario %s\n", name);
    return 1;
}

/* ------------------------------------------------------------------ all scenarios */

static bool is_selected(const struct oom_scenario *s, int count, char *const *names)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(s->module, names[i]) == 0) {
            return true;
        }
    }
    return count == 0;
}

/* Each scenario has a worker, so that a fault of the driver's libraries stays in it. */
static void run_all(const struct oom_scenario **list, size_t count, size_t jobs)
{
    size_t next = 0, running = 0;
    while (next < count || running > 0) {
        if (next < count && running < jobs) {
            (void)fflush(stdout);
            pid_t pid = fork();
            ASSERT(pid >= 0);
            if (pid == 0) {
                run_scenario(list[next], &results[next]);
                (void)fflush(stdout);
                _exit(0);
            }
            next++;
            running++;
        } else {
            int status = 0;
            (void)wait(&status);
            if (status != 0) {
                printf("# a worker ended with status %d\n", status);
                (void)fflush(stdout);
            }
            running--;
        }
    }
}

static int compare_sites(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool print_tap(const struct oom_scenario **list, size_t count)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        const struct result *r = &results[i];
        bool ok = r->finished && r->faults == 0 && r->runs > 0;
        good = good && ok;
        printf("%sok %zu - oom: %s %s, %zu allocations, %zu runs, %.1f s\n", ok ? "" : "not ",
               i + 1, list[i]->module, list[i]->name, r->allocations, r->runs, r->seconds);
    }
    printf("1..%zu\n", count);
    return good;
}

static void print_table(const struct oom_scenario **list, size_t count, double seconds)
{
    static char sites[SCENARIOS_MAX * 4][160];
    size_t site_count = 0;
    printf("\n%-10s %11s %7s %7s %7s %7s %7s %7s %6s\n", "module", "allocations", "runs", "done",
           "errors", "aborts", "library", "faults", "s");
    struct result all = {0};
    for (size_t i = 0; i < count; i++) {
        struct result m = {0};
        bool seen = false;
        for (size_t k = 0; k < i; k++) {
            seen = seen || strcmp(list[k]->module, list[i]->module) == 0;
        }
        for (size_t k = i; !seen && k < count; k++) {
            const struct result *r = &results[k];
            if (strcmp(list[k]->module, list[i]->module) == 0) {
                m.allocations += r->allocations;
                m.runs += r->runs;
                m.done += r->done;
                m.errors += r->errors;
                m.aborts += r->aborts;
                m.library += r->library;
                m.faults += r->faults;
                m.seconds += r->seconds;
            }
        }
        if (!seen) {
            printf("%-10s %11zu %7zu %7zu %7zu %7zu %7zu %7zu %6.1f\n", list[i]->module,
                   m.allocations, m.runs, m.done, m.errors, m.aborts, m.library, m.faults,
                   m.seconds);
            all.allocations += m.allocations;
            all.runs += m.runs;
            all.done += m.done;
            all.errors += m.errors;
            all.aborts += m.aborts;
            all.library += m.library;
            all.faults += m.faults;
        }
        for (int k = 0; k < results[i].site_count && site_count < COUNT_OF(sites); k++) {
            memcpy(sites[site_count++], results[i].sites[k], sizeof(sites[0]));
        }
    }
    printf("%-10s %11zu %7zu %7zu %7zu %7zu %7zu %7zu %6.1f\n", "all", all.allocations, all.runs,
           all.done, all.errors, all.aborts, all.library, all.faults, seconds);
    qsort(sites, site_count, sizeof(sites[0]), compare_sites);
    printf("\nplaces that aborted:\n");
    for (size_t i = 0; i < site_count; i++) {
        if (i == 0 || strcmp(sites[i], sites[i - 1]) != 0) {
            printf("  %s\n", sites[i]);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"every", required_argument, NULL, 'e'}, {"jobs", required_argument, NULL, 'j'},
        {"trace", required_argument, NULL, 't'}, {"from", no_argument, NULL, 'f'},
        {"others", no_argument, NULL, 'o'},      {0}};
    static const struct oom_scenario *list[SCENARIOS_MAX];
    size_t jobs = 2, count = 0;
    const char *traced = NULL;
    bool and_all_later = false;
    enum oom_thread which = OOM_THIS_THREAD;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'e':
            every = strtoul(optarg, NULL, 10);
            break;
        case 'j':
            jobs = strtoul(optarg, NULL, 10);
            break;
        case 't':
            traced = optarg;
            break;
        case 'f':
            and_all_later = true;
            break;
        case 'o':
            which = OOM_OTHER_THREADS;
            break;
        default:
            return 2;
        }
    }
    if (every == 0 || jobs == 0) {
        return 2;
    }
    if (traced != NULL) {
        return trace(traced, optind < argc ? strtoul(argv[optind], NULL, 10) : 0, and_all_later,
                     which);
    }
    for (const struct oom_scenario *s = scenarios; s != NULL; s = s->next) {
        if (is_selected(s, argc - optind, argv + optind)) {
            ASSERT(count < SCENARIOS_MAX);
            list[count++] = s;
        }
    }
    results = shared_memory(sizeof(*results) * SCENARIOS_MAX);
    double start = now();
    run_all(list, count, jobs);
    bool good = print_tap(list, count);
    print_table(list, count, now() - start);
    return good && count > 0 ? 0 : 1;
}
