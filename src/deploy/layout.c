#include "layout.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/file.h"
#include "io/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define INFO_MAX      ((size_t)1024)
#define HISTORY_MAX   ((size_t)16 * 1024)
#define HISTORY_LINES 100
#define FOLDERS_MAX   10000 /* of releases; each stage prunes */
#define LINK_HIDDEN   ".current-"
#define COLOUR_LINK   "release"

/* "root/part/name"; a root is at most LAYOUT_ROOT_SIZE, so that it always fits. */
static void path_of(char ret[PATH_MAX], const char *root, const char *part, const char *name)
{
    int n = snprintf(ret, PATH_MAX, "%s/%s%s%s", root, part, name[0] == '\0' ? "" : "/", name);
    ASSERT(n > 0 && n < PATH_MAX);
}

/* ---------------------------------------------------------------- lock, leftovers */

static bool is_leftover(const char *name)
{
    return strncmp(name, ARCHIVE_TEMPORARY, strlen(ARCHIVE_TEMPORARY)) == 0 ||
           strncmp(name, LINK_HIDDEN, strlen(LINK_HIDDEN)) == 0;
}

static int sweep(const char *folder, struct err *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[PATH_MAX];
        if (is_leftover(entry->d_name)) {
            path_of(path, folder, entry->d_name, "");
            rc = file_remove_tree(path, err);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return rc;
}

/* One that is made gets its mode whatever the umask is: the service has to read below it. */
static int make_folder(const char *path, struct err *err)
{
    if (file_exists(path)) {
        return 0;
    }
    int rc = file_make_folder(path, 0755, err);
    return rc == 0 && chmod(path, 0755) < 0 ? file_error(err, errno, "set the mode of", path) : rc;
}

int layout_lock(const char *root, int *ret_fd, struct err *err)
{
    char path[PATH_MAX], releases[PATH_MAX];
    ASSERT(strlen(root) < LAYOUT_ROOT_SIZE);
    path_of(releases, root, "releases", "");
    int rc = make_folder(root, err);
    rc = rc < 0 ? rc : make_folder(releases, err);
    path_of(path, root, "info", "");
    rc = rc < 0 ? rc : make_folder(path, err);
    path_of(path, root, ".lock", "");
    AUTO_FD int fd = rc < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (rc < 0 || fd < 0) {
        return rc < 0 ? rc : file_error(err, errno, "open", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? err_set(err, ERR_RELEASE_BUSY, "%s", root)
                                    : file_error(err, errno, "lock", path);
    }
    rc = sweep(releases, err);
    rc = rc < 0 ? rc : sweep(root, err);
    if (rc == 0) {
        *ret_fd = TAKE_FD(fd);
    }
    return rc;
}

/* ---------------------------------------------------------------- info */

static int write_info(const char *root, const struct layout_release *r, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(INFO_MAX);
    char path[PATH_MAX];
    path_of(path, root, "info", r->version);
    buf_addf(&text, "sha256 %s\nsigner %s\nbytes %lld\nat %lld\n%s", r->hash, r->signer,
             (long long)r->bytes, (long long)r->at_us, r->failed ? "failed yes\n" : "");
    return file_write(path, buf_str(&text), 0644, err);
}

/* What cannot be read is not known; a release without it can still be switched to. */
static void read_info(const char *root, struct layout_release *r)
{
    AUTO_BUF struct buf text = BUF_INIT(INFO_MAX);
    char path[PATH_MAX];
    path_of(path, root, "info", r->version);
    if (file_read(path, &text, NULL) < 0) {
        return;
    }
    struct str rest = buf_str(&text), line, word;
    while (str_split(&rest, '\n', &line)) {
        if (!str_split(&line, ' ', &word)) {
            continue;
        }
        if (str_equal_c(word, "sha256")) {
            (void)str_copy(line, r->hash, sizeof(r->hash));
        } else if (str_equal_c(word, "signer")) {
            (void)str_copy(line, r->signer, sizeof(r->signer));
        } else if (str_equal_c(word, "bytes")) {
            (void)str_to_i64(line, &r->bytes);
        } else if (str_equal_c(word, "at")) {
            (void)str_to_i64(line, &r->at_us);
        } else if (str_equal_c(word, "failed")) {
            r->failed = true;
        }
    }
}

/* ---------------------------------------------------------------- reading */

static bool is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_release(const char *root, const char *version)
{
    char path[PATH_MAX];
    path_of(path, root, "releases", version);
    return is_folder(path);
}

/* What the link leads to, without `folder` before it; "": there is no link. */
static int read_link(const char *path, const char *folder, char ret[RELEASE_VERSION_SIZE],
                     struct err *err)
{
    char target[PATH_MAX];
    ret[0] = '\0';
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0
               : errno == EINVAL ? err_set(err, ERR_RELEASE_LAYOUT, "%s is not a link", path)
                                 : file_error(err, errno, "read", path);
    }
    struct str to = str_n(target, (size_t)n);
    if (str_starts(to, folder)) {
        to = str_n(to.ptr + strlen(folder), to.len - strlen(folder));
    }
    if (!release_version_is_valid(to)) {
        return err_set(err, ERR_RELEASE_LAYOUT, "%s leads to %.*s, not to a release", path, (int)n,
                       target);
    }
    (void)str_copy(to, ret, RELEASE_VERSION_SIZE);
    return 0;
}

static int read_colour(const char *root, const char *colour, char ret[RELEASE_VERSION_SIZE],
                       struct err *err)
{
    char path[PATH_MAX];
    path_of(path, root, colour, COLOUR_LINK);
    return read_link(path, "../releases/", ret, err);
}

/* "" if there is none. RELEASE_LAYOUT if `current` is not a link to a release or to a colour. */
static int read_current(const char *root, char ret[RELEASE_VERSION_SIZE],
                        char ret_live[CONFIG_COLOUR_SIZE], struct err *err)
{
    char path[PATH_MAX], target[RELEASE_VERSION_SIZE];
    path_of(path, root, "current", "");
    ret_live[0] = '\0';
    int rc = read_link(path, "releases/", ret, err);
    if (rc < 0 || ret[0] == '\0' || has_release(root, ret) || !config_colour_is_valid(str_c(ret))) {
        return rc;
    }
    (void)str_copy(str_c(ret), target, sizeof(target));
    rc = read_colour(root, target, ret, err);
    if (rc == 0 && ret[0] != '\0') {
        (void)str_copy(str_c(target), ret_live, CONFIG_COLOUR_SIZE);
    } else if (rc == 0) { /* a release that was removed by hand */
        (void)str_copy(str_c(target), ret, RELEASE_VERSION_SIZE);
    }
    return rc;
}

static int read_colours(const char *root, struct layout *layout, struct err *err)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    char version[RELEASE_VERSION_SIZE], path[PATH_MAX];
    int rc = file_list(root, FOLDERS_MAX, &names, err);
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        const char *name = names.items[i];
        path_of(path, root, name, "");
        if (layout->colour_count == LAYOUT_COLOURS_MAX || !config_colour_is_valid(str_c(name)) ||
            !is_folder(path)) {
            continue;
        }
        if (read_colour(root, name, version, NULL) == 0 && version[0] != '\0') {
            struct layout_colour *colour = &layout->colours[layout->colour_count++];
            (void)str_copy(str_c(name), colour->name, sizeof(colour->name));
            (void)str_copy(str_c(version), colour->version, sizeof(colour->version));
        }
    }
    return rc;
}

static int64_t made_us(const char *root)
{
    struct stat st;
    char path[PATH_MAX];
    path_of(path, root, "current", "");
    return lstat(path, &st) < 0
               ? 0
               : (int64_t)st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
}

struct switched {
    enum layout_way way;
    struct str version;
};

/* "2026-11-29T20:00:00Z go 1.4.2" */
static bool read_switch(struct str line, struct switched *ret)
{
    struct str time, way;
    bool good = str_split(&line, ' ', &time) && str_split(&line, ' ', &way);
    ret->way = good && str_equal_c(way, "back") ? LAYOUT_BACK : LAYOUT_GO;
    ret->version = line;
    return good && release_version_is_valid(line);
}

/* Returns the number of versions below the current one and itself; see layout.h. */
static size_t replay(struct str text, const char *current, struct str stack[HISTORY_LINES])
{
    struct switched lines[HISTORY_LINES];
    struct str line;
    size_t count = 0, depth = 0;
    while (str_split(&text, '\n', &line)) {
        if (count < HISTORY_LINES && read_switch(line, &lines[count])) {
            count++;
        }
    }
    while (count > 0 && !str_equal_c(lines[count - 1].version, current)) {
        count--; /* it did not happen */
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = depth;
        while (lines[i].way == LAYOUT_BACK && at > 0 &&
               !str_equal(stack[at - 1], lines[i].version)) {
            at--;
        }
        if (lines[i].way == LAYOUT_BACK && at > 0) {
            depth = at;
        } else {
            stack[depth++] = lines[i].version;
        }
    }
    return depth;
}

static int read_history(const char *root, struct buf *out, struct err *err)
{
    char path[PATH_MAX];
    path_of(path, root, "history", "");
    int rc = file_read(path, out, err);
    if (rc == -ERR_FILE_MISSING) {
        err_clear(err);
        return 0;
    }
    return rc;
}

static int find_previous(const char *root, struct layout *layout, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(HISTORY_MAX);
    struct str stack[HISTORY_LINES];
    int rc = read_history(root, &text, err);
    size_t depth = rc < 0 ? 0 : replay(buf_str(&text), layout->current, stack);
    layout->previous[0] = '\0';
    while (depth > 1 && layout->previous[0] == '\0') {
        char version[RELEASE_VERSION_SIZE];
        (void)str_copy(stack[--depth - 1], version, sizeof(version));
        if (strcmp(version, layout->current) != 0 && has_release(root, version)) {
            (void)str_copy(str_c(version), layout->previous, sizeof(layout->previous));
        }
    }
    return rc;
}

static int newest_first(const void *a, const void *b)
{
    const struct layout_release *x = a, *y = b;
    return x->at_us != y->at_us ? (x->at_us < y->at_us ? 1 : -1) : -strcmp(x->version, y->version);
}

/* All releases, the newest first; the caller frees the list. */
static int list_releases(const char *root, struct layout_release **ret, size_t *ret_count,
                         struct err *err)
{
    char path[PATH_MAX];
    struct file_names names = {0};
    *ret = NULL;
    *ret_count = 0;
    path_of(path, root, "releases", "");
    int rc = file_list(path, FOLDERS_MAX, &names, err);
    if (rc < 0) {
        return rc;
    }
    struct layout_release *list = calloc(names.count + 1, sizeof(*list));
    ASSERT(list != NULL);
    for (size_t i = 0; i < names.count; i++) {
        struct layout_release *r = &list[*ret_count];
        if (release_version_is_valid(str_c(names.items[i])) && has_release(root, names.items[i])) {
            (void)str_copy(str_c(names.items[i]), r->version, sizeof(r->version));
            read_info(root, r);
            (*ret_count)++;
        }
    }
    file_names_release(&names);
    qsort(list, *ret_count, sizeof(*list), newest_first);
    *ret = list;
    return 0;
}

int layout_read(const char *root, struct layout *ret, struct err *err)
{
    AUTO_FREE struct layout_release *list = NULL;
    size_t count = 0;
    *ret = (struct layout){.count = 0};
    int rc = list_releases(root, &list, &count, err);
    if (rc == -ERR_FILE_MISSING) {
        err_clear(err);
        return 0;
    }
    rc = rc < 0 ? rc : read_current(root, ret->current, ret->live, err);
    rc = rc < 0 ? rc : find_previous(root, ret, err);
    rc = rc < 0 ? rc : read_colours(root, ret, err);
    ret->switched_us = made_us(root);
    size_t others = count > LAYOUT_RELEASES_MAX ? LAYOUT_RELEASES_MAX - 2 : count;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        bool in_use = strcmp(list[i].version, ret->current) == 0 ||
                      strcmp(list[i].version, ret->previous) == 0;
        if (in_use || others > 0) {
            others -= in_use ? 0 : 1;
            ret->items[ret->count++] = list[i];
        }
    }
    return rc;
}

const struct layout_release *layout_newest(const struct layout *layout)
{
    size_t i = 0;
    while (i < layout->count && layout->items[i].failed) {
        i++;
    }
    return i < layout->count ? &layout->items[i] : NULL;
}

const struct layout_release *layout_find(const struct layout *layout, const char *version)
{
    for (size_t i = 0; i < layout->count; i++) {
        if (strcmp(layout->items[i].version, version) == 0) {
            return &layout->items[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- changing */

int layout_unpack(const char *root, const char *artefact, const struct layout_release *release,
                  const atomic_bool *stop, struct err *err)
{
    char into[PATH_MAX], info[PATH_MAX];
    path_of(into, root, "releases", release->version);
    path_of(info, root, "info", release->version);
    if (is_folder(into)) {
        struct layout_release there = {.bytes = 0};
        (void)str_copy(str_c(release->version), there.version, sizeof(there.version));
        read_info(root, &there);
        return strcmp(there.hash, release->hash) == 0
                   ? 1
                   : err_set(err, ERR_RELEASE_EXISTS, "%s: sha256 %.16s… is there, not %.16s…",
                             into, there.hash[0] == '\0' ? "unknown" : there.hash, release->hash);
    }
    /* Before the folder: a release without it would have no hash. Without a folder it is ignored.
     */
    int rc = write_info(root, release, err);
    rc = rc < 0 ? rc
                : archive_unpack(
                      &(struct archive_unpack){
                          .path = artefact, .into = into, .limits = ARCHIVE_LIMITS, .stop = stop},
                      NULL, err);
    if (rc < 0) {
        (void)unlink(info);
    }
    return rc;
}

/* The last lines of text, with one more for this switch. */
static int note_switch(const char *root, const char *version, enum layout_way way, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(HISTORY_MAX), out = BUF_INIT(HISTORY_MAX);
    char path[PATH_MAX];
    int rc = read_history(root, &text, err);
    if (rc < 0) {
        return rc;
    }
    size_t lines = 0;
    struct str rest = buf_str(&text), line;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    while (str_split(&rest, '\n', &line)) {
        if (lines-- < HISTORY_LINES) {
            buf_add_str(&out, line);
            buf_add_char(&out, '\n');
        }
    }
    clock_add_iso(&out, clock_wall_us(clock_real()), false);
    buf_addf(&out, " %s %s\n", way == LAYOUT_BACK ? "back" : "go", version);
    path_of(path, root, "history", "");
    return file_write(path, buf_str(&out), 0644, err);
}

static int sync_folder(const char *path)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int layout_switch(const char *root, const char *version, enum layout_way way, struct err *err)
{
    atomic_int turn = LAYOUT_OPEN;
    return layout_switch_unless(root, &(struct layout_goal){.version = version, .way = way}, &turn,
                                err);
}

/* Puts a link in the place of `path`, in the folder, if *turn allows it. */
static int replace_link(const char *folder, const char *name, const char *target, atomic_int *turn,
                        struct err *err)
{
    int open_turn = LAYOUT_OPEN;
    char path[PATH_MAX], hidden[PATH_MAX], hidden_name[32] = LINK_HIDDEN;
    secret_nonce(hidden_name + strlen(hidden_name), 10);
    path_of(path, folder, name, "");
    path_of(hidden, folder, hidden_name, "");
    if (symlink(target, hidden) < 0) {
        return file_error(err, errno, "make a link", hidden);
    }
    if (!atomic_compare_exchange_strong(turn, &open_turn, LAYOUT_TURNED)) {
        (void)unlink(hidden);
        return err_set(err, ERR_ARCHIVE_STOPPED, "%s: the switch to %s", folder, target);
    }
    if (rename(hidden, path) < 0) {
        int error = errno;
        (void)unlink(hidden);
        return file_error(err, error, "replace", path);
    }
    return 0;
}

static int check_release(const char *root, const char *version, struct err *err)
{
    return release_version_is_valid(str_c(version)) && has_release(root, version)
               ? 0
               : err_set(err, ERR_RELEASE_UNKNOWN, "%s: no release %.60s", root, version);
}

const char *layout_colour(const struct layout *layout, const char *colour)
{
    for (size_t i = 0; i < layout->colour_count; i++) {
        if (strcmp(layout->colours[i].name, colour) == 0) {
            return layout->colours[i].version;
        }
    }
    return "";
}

int layout_prepare(const char *root, const char *colour, const char *version, struct err *err)
{
    atomic_int turn = LAYOUT_OPEN;
    char folder[PATH_MAX], target[PATH_MAX];
    char current[RELEASE_VERSION_SIZE], live[CONFIG_COLOUR_SIZE];
    int rc = check_release(root, version, err);
    rc = rc < 0 ? rc : read_current(root, current, live, err);
    if (rc < 0 || strcmp(live, colour) == 0) {
        return rc < 0 ? rc : err_set(err, ERR_RELEASE_COLOUR, "%s: %s is live", root, colour);
    }
    path_of(folder, root, colour, "");
    (void)snprintf(target, sizeof(target), "../releases/%s", version);
    rc = make_folder(folder, err);
    rc = rc < 0 ? rc : sweep(folder, err);
    rc = rc < 0 ? rc : replace_link(folder, COLOUR_LINK, target, &turn, err);
    return rc == 0 && sync_folder(folder) < 0 ? file_error(err, errno, "sync", folder) : rc;
}

int layout_switch_unless(const char *root, const struct layout_goal *goal, atomic_int *turn,
                         struct err *err)
{
    const char *colour = goal->colour == NULL ? "" : goal->colour;
    char target[PATH_MAX], current[RELEASE_VERSION_SIZE], live[CONFIG_COLOUR_SIZE];
    char ready[RELEASE_VERSION_SIZE] = "";
    int rc = check_release(root, goal->version, err);
    rc = rc < 0 ? rc : read_current(root, current, live, err); /* no folder may be in its place */
    if (rc == 0 && colour[0] != '\0') {
        rc = read_colour(root, colour, ready, err);
    }
    if (rc == 0 && colour[0] != '\0' && strcmp(ready, goal->version) != 0) {
        rc = err_set(err, ERR_RELEASE_COLOUR, "%s: %s has %s, not %s", root, colour,
                     ready[0] == '\0' ? "no release" : ready, goal->version);
    }
    rc = rc < 0 ? rc : note_switch(root, goal->version, goal->way, err);
    if (rc < 0) {
        return rc;
    }
    (void)snprintf(target, sizeof(target), "%s%s", colour[0] == '\0' ? "releases/" : "",
                   colour[0] == '\0' ? goal->version : colour);
    rc = replace_link(root, "current", target, turn, err);
    if (rc < 0) {
        return rc;
    }
    /* It has happened: a failure now would say that it has not. */
    if (sync_folder(root) < 0) {
        struct err why = {0};
        (void)file_error(&why, errno, "sync", root);
        log_err(LOG_LEVEL_WARNING, &why, "a switch to another release may not survive a power cut");
    }
    return 0;
}

int layout_mark(const char *root, const char *version, bool failed, struct err *err)
{
    struct layout_release r = {.failed = false};
    if (!release_version_is_valid(str_c(version)) || !has_release(root, version)) {
        return err_set(err, ERR_RELEASE_UNKNOWN, "%s: no release %.60s", root, version);
    }
    (void)str_copy(str_c(version), r.version, sizeof(r.version));
    read_info(root, &r);
    if (r.failed == failed) {
        return 0;
    }
    r.failed = failed;
    return write_info(root, &r, err);
}

/* Hidden first: what a crash leaves of it is no release, and is removed with the next lock. */
static int remove_release(const char *root, const char *version, struct err *err)
{
    char path[PATH_MAX], hidden[PATH_MAX], info[PATH_MAX];
    path_of(path, root, "releases", version);
    path_of(info, root, "info", version);
    int n = snprintf(hidden, sizeof(hidden), "%s/releases/" ARCHIVE_TEMPORARY "%s", root, version);
    ASSERT(n > 0 && (size_t)n < sizeof(hidden));
    if (rename(path, hidden) < 0) {
        return file_error(err, errno, "rename", path);
    }
    (void)unlink(info);
    return file_remove_tree(hidden, err);
}

static bool is_of_colour(const struct layout *layout, const char *version)
{
    for (size_t i = 0; i < layout->colour_count; i++) {
        if (strcmp(layout->colours[i].version, version) == 0) {
            return true;
        }
    }
    return false;
}

int layout_prune(const char *root, size_t keep, const char *also, size_t *ret_removed,
                 struct err *err)
{
    AUTO_FREE struct layout *layout = calloc(1, sizeof(*layout));
    AUTO_FREE struct layout_release *list = NULL;
    size_t count = 0;
    ASSERT(layout != NULL);
    *ret_removed = 0;
    int rc = layout_read(root, layout, err);
    rc = rc < 0 ? rc : list_releases(root, &list, &count, err);
    for (size_t i = keep; rc == 0 && i < count; i++) {
        const char *version = list[i].version;
        if (strcmp(version, layout->current) != 0 && strcmp(version, layout->previous) != 0 &&
            strcmp(version, also) != 0 && !is_of_colour(layout, version)) {
            rc = remove_release(root, version, err);
            *ret_removed += rc < 0 ? 0 : 1;
        }
    }
    return rc;
}
