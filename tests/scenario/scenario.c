/*
 * Runs scenarios: the real program against fakes of Telegram and Claude on loopback.
 *
 *     scenario BINARY FOLDER [NAME...]       e.g. scenario build/release/nightdesk cases restart
 *
 * A scenario is a YAML file: name, config (groups and options that differ from the defaults in
 * scene.c), before (steps before the daemon starts), steps. With `daemon: none` no daemon is
 * started; with `daemon: does_not_poll` the start does not wait for a poll. `violation` is a text
 * that every violation of the fakes must contain to be accepted. `venue` names a fake of a venue
 * (tests/fakes/venue), which is then started too, and `second_venue` another one: "@second" and
 * "@second_stream". steps.c has the steps. Prints TAP.
 * PARALLEL scenarios run at a time, each in its own process, because they mostly wait; those with
 * `long: true` begin first, so that no long one is left at the end. One that
 * fails only because the ops loop was away for too long runs once more at the end, alone: other
 * scenarios and a busy disk can hold a loop, too, but not twice in the same place.
 */
#include "scenario.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "fakes/fake_venue.h"
#include "io/file.h"
#include "io/secret.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASES_MAX 256
#define PARALLEL  16

struct scenario {
    char *name; /* of its file, without .yaml; on the heap */
    bool is_long;
};

static int by_length_and_name(const void *a, const void *b)
{
    const struct scenario *one = a, *other = b;
    int order = (int)other->is_long - (int)one->is_long;
    return order != 0 ? order : strcmp(one->name, other->name);
}

/* A file that cannot be parsed fails when it runs. */
static bool is_long(const char *folder, const char *file)
{
    char path[512];
    AUTO_YAML struct yaml *doc = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    return yaml_parse_file(path, &doc, NULL) == 0 &&
           str_equal_c(yaml_text(yaml_get(yaml_root(doc), "long")), "true");
}

static size_t list_cases(const char *folder, struct scenario ret[CASES_MAX])
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return 0;
    }
    for (const struct dirent *e = readdir(dir); e != NULL && count < CASES_MAX; e = readdir(dir)) {
        size_t len = strlen(e->d_name);
        if (len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0) {
            ret[count++] =
                (struct scenario){strndup(e->d_name, len - 5), is_long(folder, e->d_name)};
        }
    }
    (void)closedir(dir);
    qsort(ret, count, sizeof(*ret), by_length_and_name);
    return count;
}

static bool is_wanted(const char *name, char **wanted, int wanted_count)
{
    for (int i = 0; i < wanted_count; i++) {
        if (strcmp(name, wanted[i]) == 0) {
            return true;
        }
    }
    return wanted_count == 0;
}

static void show_lines(FILE *out, const char *prefix, struct str text)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        (void)fprintf(out, "%s%.*s\n", prefix, STR_ARG(line));
    }
}

static void show_failure(FILE *out, struct scene *s)
{
    AUTO_BUF struct buf log = BUF_INIT((size_t)64 << 20);
    show_lines(out, "# ", buf_str(&s->why));
    if (file_read(s->log, &log, NULL) == 0) {
        size_t tail = log.len > 4000 ? 4000 : log.len;
        show_lines(out, "#   log: ", str_n(log.data + log.len - tail, tail));
    }
    (void)fprintf(out, "#   kept: %s\n", s->dir);
}

enum outcome { GOOD, BAD, AWAY /* good, but the ops loop was away for over ABSENCE_MAX_MS */ };

static enum outcome run_case(FILE *out, const char *binary, const char *folder, const char *name,
                             size_t number, bool again)
{
    char path[512];
    struct scene s = {0};
    struct err err = {0};
    AUTO_YAML struct yaml *doc = NULL;
    int64_t began_us = clock_mono_us(clock_real());
    (void)snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
    if (yaml_parse_file(path, &doc, &err) < 0) {
        (void)fprintf(out, "not ok %zu - %s\n# %s: %s\n", number, name, err_info(err.id)->message,
                      err.context);
        return BAD;
    }
    const struct yaml_node *root = yaml_root(doc);
    if (yaml_get(root, "venue") != NULL && !fake_venue_available()) {
        (void)fprintf(out, "ok %zu - %s # SKIP no python3\n", number, name);
        return GOOD;
    }
    struct str title = yaml_text(yaml_get(root, "name"));
    bool none = str_equal_c(yaml_text(yaml_get(root, "daemon")), "none");
    bool good = scene_open(&s, binary, root) && steps_run(&s, yaml_get(root, "before")) &&
                (none || daemon_start(&s)) && steps_run(&s, yaml_get(root, "steps")) &&
                daemon_stop(&s);
    good = scene_check(&s) && good;
    int64_t took_us = clock_mono_us(clock_real()) - began_us;
    enum outcome outcome = !good ? BAD : s.absence_ms > ABSENCE_MAX_MS ? AWAY : GOOD;
    if (outcome == AWAY && !again) {
        (void)fprintf(out, "# %s: loop away %s; it runs once more\n", name, s.absence_in);
        scene_close(&s);
        return AWAY;
    }
    if (outcome == AWAY) {
        good = scene_fail(&s, "the ops loop was away for %s, twice", s.absence_in);
    }
    (void)fprintf(out, "%s %zu - %s: %.*s (%.1f s, loop away %s)\n", good ? "ok" : "not ok", number,
                  name, STR_ARG(title), (double)took_us / (double)USEC_PER_SEC, s.absence_in);
    if (!good) {
        show_failure(out, &s);
    }
    scene_close(&s);
    return outcome;
}

/* --------------------------------------------------------------------- several at a time ---- */

struct job {
    pid_t pid; /* 0: not started, -1: ended */
    enum outcome outcome;
    FILE *out; /* a file that both processes share */
};

static void begin(struct job *job, const char *binary, const char *folder, const char *name,
                  size_t number, bool again)
{
    job->out = tmpfile();
    ASSERT(job->out != NULL);
    (void)fflush(stdout);
    job->pid = fork();
    ASSERT(job->pid >= 0);
    if (job->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        enum outcome outcome = run_case(job->out, binary, folder, name, number, again);
        (void)fflush(job->out);
        _exit((int)outcome);
    }
}

/* Waits for one of the jobs. */
static void end_one(struct job *jobs, size_t count)
{
    int status = 0;
    pid_t pid = wait(&status);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].pid == pid && pid > 0) {
            jobs[i].pid = -1;
            jobs[i].outcome = WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : BAD;
        }
    }
}

/* Prints a job's result; results are printed in the order in which the jobs began. */
static void show(struct job *job, const char *name, size_t number)
{
    char line[4096];
    bool has_result = job->outcome == AWAY; /* it follows when it has run again */
    rewind(job->out);
    while (fgets(line, sizeof(line), job->out) != NULL) {
        has_result = has_result || strncmp(line, "ok", 2) == 0 || strncmp(line, "not ok", 6) == 0;
        (void)fputs(line, stdout);
    }
    if (!has_result) {
        (void)printf("not ok %zu - %s: it crashed\n", number, name);
    }
    (void)fflush(stdout);
    (void)fclose(job->out);
}

static size_t run_all(const char *binary, const char *folder, const struct scenario *cases,
                      size_t count)
{
    struct job jobs[CASES_MAX] = {0};
    size_t begun = 0, shown = 0, running = 0, failed = 0;
    while (shown < count) {
        if (begun < count && running < PARALLEL) {
            begin(&jobs[begun], binary, folder, cases[begun].name, begun + 1, false);
            begun++;
            running++;
            continue;
        }
        end_one(jobs, begun);
        running--;
        for (; shown < begun && jobs[shown].pid == -1; shown++) {
            show(&jobs[shown], cases[shown].name, shown + 1);
            failed += jobs[shown].outcome == BAD ? 1 : 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].outcome == AWAY) {
            begin(&jobs[i], binary, folder, cases[i].name, i + 1, true);
            end_one(&jobs[i], 1);
            show(&jobs[i], cases[i].name, i + 1);
            failed += jobs[i].outcome == GOOD ? 0 : 1;
        }
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct scenario cases[CASES_MAX];
    char binary[4096];
    struct err err = {0};
    if (argc < 3 || realpath(argv[1], binary) == NULL || secret_init(&err) < 0) {
        (void)fprintf(stderr, "usage: scenario BINARY FOLDER [NAME...]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR);
    size_t all = list_cases(argv[2], cases), count = 0;
    for (size_t i = 0; i < all; i++) {
        if (is_wanted(cases[i].name, argv + 3, argc - 3)) {
            cases[count++] = cases[i];
        } else {
            free(cases[i].name);
        }
    }
    size_t failed = run_all(binary, argv[2], cases, count);
    (void)printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        free(cases[i].name);
    }
    return count == 0 || failed > 0 ? 1 : 0;
}
