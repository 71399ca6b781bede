/*
 * Runs scenarios: the real program against fakes of Telegram and Claude on loopback.
 *
 *     scenario BINARY FOLDER [NAME...]       e.g. scenario build/release/nightdesk cases stranger
 *
 * A scenario is a YAML file: name, config (groups and options that differ from the defaults in
 * scene.c), before (steps before the daemon starts), steps, await: nothing (when it will not
 * poll). The steps stand in steps.c. Speaks TAP.
 */
#include "scenario.h"

#include "base/check.h"
#include "base/log.h"
#include "io/file.h"
#include "io/secret.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CASES_MAX 256

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t list_cases(const char *folder, char *ret[CASES_MAX])
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return 0;
    }
    for (const struct dirent *e = readdir(dir); e != NULL && count < CASES_MAX; e = readdir(dir)) {
        size_t len = strlen(e->d_name);
        if (len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0) {
            ret[count++] = strndup(e->d_name, len - 5);
        }
    }
    (void)closedir(dir);
    qsort(ret, count, sizeof(*ret), by_name);
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

static void show_lines(const char *prefix, struct str text)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        (void)printf("%s%.*s\n", prefix, STR_ARG(line));
    }
}

static void show_failure(struct scene *s)
{
    AUTO_BUF struct buf log = BUF_INIT((size_t)64 << 20);
    show_lines("# ", buf_str(&s->why));
    if (file_read(s->log, &log, NULL) == 0) {
        size_t tail = log.len > 4000 ? 4000 : log.len;
        show_lines("#   log: ", str_n(log.data + log.len - tail, tail));
    }
    (void)printf("#   left behind: %s\n", s->dir);
}

static bool run_case(const char *binary, const char *folder, const char *name, size_t number)
{
    char path[512];
    struct scene s = {0};
    struct err err = {0};
    AUTO_YAML struct yaml *doc = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
    if (yaml_parse_file(path, &doc, &err) < 0) {
        (void)printf("not ok %zu - %s\n# %s: %s\n", number, name, err_info(err.id)->message,
                     err.context);
        return false;
    }
    const struct yaml_node *root = yaml_root(doc);
    struct str title = yaml_text(yaml_get(root, "name"));
    bool good = scene_open(&s, binary, root) && steps_run(&s, yaml_get(root, "before")) &&
                daemon_start(&s) && steps_run(&s, yaml_get(root, "steps")) && daemon_stop(&s);
    good = scene_check(&s) && good;
    (void)printf("%s %zu - %s: %.*s\n", good ? "ok" : "not ok", number, name, STR_ARG(title));
    if (!good) {
        show_failure(&s);
    }
    (void)fflush(stdout);
    scene_close(&s);
    return good;
}

int main(int argc, char **argv)
{
    char *names[CASES_MAX];
    char binary[4096];
    struct err err = {0};
    if (argc < 3 || realpath(argv[1], binary) == NULL || secret_init(&err) < 0) {
        (void)fprintf(stderr, "usage: scenario BINARY FOLDER [NAME...]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR);
    size_t count = list_cases(argv[2], names), number = 0, failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(names[i], argv + 3, argc - 3)) {
            failed += run_case(binary, argv[2], names[i], ++number) ? 0 : 1;
        }
        free(names[i]);
    }
    (void)printf("1..%zu\n", number);
    return number == 0 || failed > 0 ? 1 : 0;
}
