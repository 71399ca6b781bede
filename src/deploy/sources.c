/* The trees are mirrored in a temporary folder first, as a/ and b/ with a link for each file, so
 * that diff follows no other link, opens no pipe, and prints no path of this machine. */
#include "deploy/sources.h"

#include "base/auto.h"
#include "base/check.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY_SIZE 160

struct work {
    struct loop *loop;
    int64_t until_mono_us;
    int64_t entries, bytes;
    struct buf *out;
    bool too_large, late;
    int exit_code;
};

static int refuse(struct err *err, const char *what, const char *why)
{
    return err_set(err, ERR_RELEASE_SOURCES, "%s: %s", what, why);
}

/* ------------------------------------------------------------------ the mirror */

static bool is_left_out(const char *name)
{
    static const char *const names[] = {".", "..", ".git", ".hg", ".svn"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A file with the target of a link in it. */
static int mirror_link(const char *from, const char *to, struct err *err)
{
    char target[PATH_MAX];
    ssize_t n = readlink(from, target, sizeof(target));
    if (n < 0) {
        return file_error(err, errno, "read", from);
    }
    AUTO_BUF struct buf text = BUF_INIT(PATH_MAX + 32);
    buf_addf(&text, "symbolic link to %.*s\n", (int)n, target);
    return file_write(to, buf_str(&text), 0600, err);
}

static int mirror_folder(struct work *w, const char *from, const char *to, int depth,
                         struct err *err);

static int mirror_entry(struct work *w, const char *from, const char *to, int depth,
                        struct err *err)
{
    struct stat st;
    if (lstat(from, &st) < 0) {
        return file_error(err, errno, "read", from);
    }
    if (++w->entries > SOURCES_FILES) {
        return refuse(err, from, "there are too many files");
    }
    if (clock_mono_us(clock_real()) >= w->until_mono_us) {
        return refuse(err, from, "it takes too long");
    }
    if (S_ISDIR(st.st_mode)) {
        return mirror_folder(w, from, to, depth + 1, err);
    }
    if (S_ISLNK(st.st_mode)) {
        return mirror_link(from, to, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return 0;
    }
    w->bytes += st.st_size;
    if (w->bytes > SOURCES_BYTES) {
        return refuse(err, from, "the files are too large together");
    }
    return symlink(from, to) < 0 ? file_error(err, errno, "create", to) : 0;
}

static void close_folder(DIR **folder)
{
    if (*folder != NULL) {
        (void)closedir(*folder);
    }
}

static int mirror_folder(struct work *w, const char *from, const char *to, int depth,
                         struct err *err)
{
    AUTO(close_folder) DIR *folder = opendir(from);
    if (folder == NULL) {
        return file_error(err, errno, "read", from);
    }
    if (depth > SOURCES_DEPTH) {
        return refuse(err, from, "the folders are too deep");
    }
    int rc = file_make_folder(to, 0700, err);
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        AUTO_BUF struct buf source = BUF_INIT(PATH_MAX - 1), copy = BUF_INIT(PATH_MAX - 1);
        if (is_left_out(entry->d_name)) {
            continue;
        }
        buf_addf(&source, "%s/%s", from, entry->d_name);
        buf_addf(&copy, "%s/%s", to, entry->d_name);
        rc = buf_failed(&source) || buf_failed(&copy)
                 ? refuse(err, from, "a path is too long")
                 : mirror_entry(w, source.data, copy.data, depth, err);
    }
    return rc;
}

static int mirror(struct work *w, const char *tree, const char *to, struct err *err)
{
    AUTO_FREE char *real = realpath(tree, NULL);
    struct stat st;
    if (real == NULL || stat(real, &st) < 0) {
        return file_error(err, errno, "read", tree);
    }
    return S_ISDIR(st.st_mode) ? mirror_folder(w, real, to, 0, err)
                               : refuse(err, tree, "it is not a folder");
}

/* ------------------------------------------------------------------ diff */

static void on_output(struct str bytes, void *userdata)
{
    struct work *w = userdata;
    buf_add_str(w->out, bytes);
    if (buf_failed(w->out) && !w->too_large) {
        w->too_large = true;
        loop_exit(w->loop, 0);
    }
}

static void on_end(struct process *process, int exit_code, void *userdata)
{
    struct work *w = userdata;
    (void)process;
    w->exit_code = exit_code;
    loop_exit(w->loop, 0);
}

static void on_late(void *userdata)
{
    struct work *w = userdata;
    w->late = true;
    loop_exit(w->loop, 0);
}

static int judge(const struct work *w, struct err *err)
{
    if (w->too_large) {
        return refuse(err, "diff", "the trees differ too much");
    }
    if (w->late) {
        return refuse(err, "diff", "it takes too long");
    }
    if (w->exit_code == 0) {
        return refuse(err, "diff", "the trees are equal");
    }
    if (w->exit_code == 1) {
        return 0;
    }
    char why[WHY_SIZE];
    struct str end = str_trim(buf_str(w->out)), line = {0};
    const char *newline = end.len == 0 ? NULL : memrchr(end.ptr, '\n', end.len);
    line = newline == NULL ? end : str_n(newline + 1, (size_t)(end.ptr + end.len - newline - 1));
    str_cut(line, why, sizeof(why));
    return err_set(err, ERR_RELEASE_SOURCES, "diff ended with %d: %s", w->exit_code, why);
}

static int run_diff(struct work *w, const char *folder, struct err *err)
{
    static const char *const argv[] = {"diff", "-ruN", "a", "b", NULL};
    static const char *const env[] = {"LC_ALL=C", "TZ=UTC", NULL};
    struct process *diff = NULL;
    struct err why = {0};
    w->loop = loop_new(&why);
    if (w->loop == NULL) {
        return refuse(err, "diff", why.context);
    }
    struct loop_source *late = loop_add_timer(w->loop, on_late, w);
    int rc = process_spawn(w->loop,
                           &(struct process_options){.argv = argv,
                                                     .env = env,
                                                     .cwd = folder,
                                                     .output = on_output,
                                                     .fn = on_end,
                                                     .userdata = w},
                           &diff, &why);
    if (rc < 0) {
        rc = refuse(err, "diff", rc == -ERR_PROCESS_MISSING ? "it is not installed" : why.context);
    } else {
        loop_timer_in(late, w->until_mono_us - clock_mono_us(clock_real()));
        (void)loop_run(w->loop);
        rc = judge(w, err);
        process_free(diff);
    }
    loop_source_free(late);
    loop_free(w->loop);
    return rc;
}

int sources_diff(const struct sources *s, struct buf *out, struct err *err)
{
    struct work w = {.until_mono_us = clock_mono_us(clock_real()) + s->within_us, .out = out};
    char folder[PATH_MAX], a[PATH_MAX + 2], b[PATH_MAX + 2];
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(folder, sizeof(folder), "%s/nightdesk-diff.XXXXXX",
                     tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
    if (n < 0 || (size_t)n >= sizeof(folder) || mkdtemp(folder) == NULL) {
        return file_error(err, errno, "create", folder);
    }
    (void)snprintf(a, sizeof(a), "%s/a", folder);
    (void)snprintf(b, sizeof(b), "%s/b", folder);
    int rc = mirror(&w, s->before, a, err);
    rc = rc < 0 ? rc : mirror(&w, s->after, b, err);
    rc = rc < 0 ? rc : run_diff(&w, folder, err);
    int removed = file_remove_tree(folder, rc < 0 ? NULL : err);
    return rc < 0 ? rc : removed;
}
