#include "db_file.h"

#include "base/buf.h"
#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE     ".aside-"
#define NAMES_MAX 1024

static int failed(struct err *err, const char *path, const char *what)
{
    return err_set(err, ERR_DB_OPEN, "%s: could not %s: %s", path, what, strerror(errno));
}

static bool name_of(struct buf *out, const char *path, const char *suffix)
{
    buf_addf(out, "%s%s", path, suffix);
    return !buf_failed(out);
}

static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct str parent = slash == NULL ? str_c(".") : str_n(path, (size_t)(slash - path) + 1);
    if (!str_copy(parent, folder, sizeof(folder))) {
        return -1;
    }
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

/* ---------------------------------------------------------------- create */

/* False with errno EEXIST if `to` exists. */
static bool rename_if_free(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    /* Not every file system supports RENAME_NOREPLACE. */
    if (errno == EEXIST || link(from, to) < 0) {
        return false;
    }
    (void)unlink(from);
    return true;
}

int db_file_create(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        return 0;
    }
    /* SQLite would create it world-readable; -wal and -shm get the mode of the main file. Our
     * descriptor is closed before the file gets its name, so no lock on it can be lost. */
    AUTO_BUF struct buf temporary = BUF_INIT(PATH_MAX);
    if (!name_of(&temporary, path, ".XXXXXX")) {
        return err_set(err, ERR_DB_OPEN, "%s: path is too long", path);
    }
    int fd = mkostemp(temporary.data, O_CLOEXEC);
    if (fd < 0) {
        return failed(err, path, "create it");
    }
    bool moded = fchmod(fd, 0640) == 0;
    (void)close(fd);
    if (moded && rename_if_free(temporary.data, path)) {
        return 0;
    }
    int error = errno;
    (void)unlink(temporary.data);
    errno = error;
    return error == EEXIST ? 0 : failed(err, path, "create it");
}

/* ---------------------------------------------------------------- watch */

/* False if the state of the file is unknown. */
static bool identify(const char *path, const char *suffix, struct db_file_id *ret)
{
    char name[PATH_MAX]; /* not a buf: without memory a file would seem to be missing */
    struct stat st;
    *ret = (struct db_file_id){0};
    int len = snprintf(name, sizeof(name), "%s%s", path, suffix);
    if (len < 0 || (size_t)len >= sizeof(name)) {
        return false;
    }
    if (stat(name, &st) < 0) {
        return errno == ENOENT || errno == ENOTDIR;
    }
    *ret = (struct db_file_id){st.st_dev, st.st_ino};
    return true;
}

void db_file_record(struct db_file *file, const char *path)
{
    (void)identify(path, "", &file->main);
    (void)identify(path, "-wal", &file->wal);
    (void)identify(path, "-shm", &file->shm);
}

/* 0: unchanged; 1: deleted; 2: replaced. */
static int change_of(const struct db_file_id *was, const char *path, const char *suffix)
{
    struct db_file_id is;
    if (was->inode == 0 || !identify(path, suffix, &is)) {
        return 0;
    }
    if (is.inode == 0) {
        return 1;
    }
    return is.inode == was->inode && is.device == was->device ? 0 : 2;
}

bool db_file_check(const struct db_file *file, const char *path, const char **ret_what)
{
    static const char *const main_is[] = {NULL, "was deleted or moved away", "was replaced"};
    static const char *const wal_is[] = {NULL, "-wal was deleted", "-wal was replaced"};
    static const char *const shm_is[] = {NULL, "-shm was deleted", "-shm was replaced"};
    const char *what = main_is[change_of(&file->main, path, "")];
    what = what != NULL ? what : wal_is[change_of(&file->wal, path, "-wal")];
    what = what != NULL ? what : shm_is[change_of(&file->shm, path, "-shm")];
    *ret_what = what;
    return what != NULL;
}

/* ---------------------------------------------------------------- replace */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Deletes the oldest; sorted by name they are sorted by time. A failed deletion is retried by the
 * next call. */
static void prune_asides(const char *path)
{
    char folder[PATH_MAX];
    char *names[NAMES_MAX];
    size_t count = 0;
    const char *slash = strrchr(path, '/');
    struct str parent = slash == NULL ? str_c(".") : str_n(path, (size_t)(slash - path) + 1);
    AUTO_BUF struct buf prefix = BUF_INIT(PATH_MAX);
    (void)name_of(&prefix, slash == NULL ? path : slash + 1, ASIDE);
    DIR *dir = str_copy(parent, folder, sizeof(folder)) ? opendir(folder) : NULL;
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *e; count < NAMES_MAX && (e = readdir(dir)) != NULL;) {
        const char *dot = strrchr(e->d_name, '.');
        if (strncmp(e->d_name, prefix.data, prefix.len) == 0 && strcmp(dot, ".wal") != 0 &&
            (names[count] = strdup(e->d_name)) != NULL) {
            count++;
        }
    }
    qsort(names, count, sizeof(names[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF struct buf wal = BUF_INIT(PATH_MAX);
        if (i + DB_FILE_ASIDES < count && name_of(&wal, names[i], ".wal")) {
            (void)unlinkat(dirfd(dir), names[i], 0);
            (void)unlinkat(dirfd(dir), wal.data, 0);
        }
        free(names[i]);
    }
    (void)closedir(dir);
}

bool db_file_has_copy(const char *path)
{
    struct db_file_id id;
    return identify(path, DB_FILE_COPY_SUFFIX, &id) && id.inode != 0;
}

static bool move_aside(const char *from, const char *to)
{
    return rename(from, to) == 0 || errno == ENOENT;
}

int db_file_restore(const char *path, struct err *err)
{
    if (!db_file_has_copy(path)) {
        return 0;
    }
    AUTO_BUF struct buf copy = BUF_INIT(PATH_MAX), wal = BUF_INIT(PATH_MAX),
                        shm = BUF_INIT(PATH_MAX), aside = BUF_INIT(PATH_MAX),
                        aside_wal = BUF_INIT(PATH_MAX);
    (void)name_of(&copy, path, DB_FILE_COPY_SUFFIX);
    (void)name_of(&wal, path, "-wal");
    (void)name_of(&shm, path, "-shm");
    (void)name_of(&aside, path, ASIDE);
    clock_add_iso(&aside, clock_wall_us(clock_real()), true);
    if (!name_of(&aside_wal, aside.data, ".wal")) {
        return err_set(err, ERR_DB_OPEN, "%s: path is too long", path);
    }
    /* The WAL is renamed first, because SQLite would replay it into any file at path. It may not
     * belong to the main file set aside with it, so its new name is not one that SQLite opens. */
    if (!move_aside(wal.data, aside_wal.data) || (unlink(shm.data) < 0 && errno != ENOENT)) {
        return failed(err, path, "move its WAL aside");
    }
    if (!move_aside(path, aside.data)) {
        return failed(err, path, "move it aside");
    }
    if (rename(copy.data, path) < 0 || sync_folder(path) < 0) {
        return failed(err, path, "move the copy to its path");
    }
    prune_asides(path);
    return 0;
}
