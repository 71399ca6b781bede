#include "io/file.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SETTLED_TRIES 3

int file_error(struct err *err, int error, const char *what, const char *path)
{
    enum err_id id = ERR_FILE_FAILED;
    if (error == ENOENT || error == ENOTDIR) {
        id = ERR_FILE_MISSING;
    } else if (error == EACCES || error == EPERM || error == EROFS) {
        id = ERR_FILE_DENIED;
    } else if (error == ENOSPC || error == EDQUOT) {
        id = ERR_FILE_NO_SPACE;
    }
    return err_set(err, id, "%s: could not %s: %s", path, what, strerror(error));
}

static int read_all(int fd, const char *path, struct buf *out, struct err *err)
{
    char chunk[16384];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return file_error(err, errno, "read", path);
        }
        if (n == 0) {
            return 0;
        }
        buf_add(out, chunk, (size_t)n);
        explicit_bzero(chunk, (size_t)n); /* it may be a key */
        if (buf_failed(out)) {
            return err_set(err, ERR_FILE_TOO_LARGE, "%s: more than %zu bytes", path, out->max);
        }
    }
}

int file_read(const char *path, struct buf *out, struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 ? file_error(err, errno, "open", path) : read_all(fd, path, out, err);
}

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int file_read_settled(const char *path, struct buf *out, struct err *err)
{
    for (int i = 0; i < SETTLED_TRIES; i++) {
        AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat before, after;
        if (fd < 0 || fstat(fd, &before) < 0) {
            return file_error(err, errno, "open", path);
        }
        if (!S_ISREG(before.st_mode)) {
            return file_error(err, EINVAL, "read what is not a regular file", path);
        }
        size_t len = out->len;
        int rc = read_all(fd, path, out, err);
        if (rc < 0) {
            return rc;
        }
        if (fstat(fd, &after) == 0 && same_state(&before, &after) &&
            out->len - len == (size_t)after.st_size) {
            return 0;
        }
        buf_truncate(out, len);
    }
    return file_error(err, EAGAIN, "read a file that keeps changing", path);
}

int file_read_head(const char *path, struct buf *out, int64_t *ret_bytes, struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        return file_error(err, errno, "open", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return file_error(err, EINVAL, "read what is not a regular file", path);
    }
    *ret_bytes = st.st_size;
    for (;;) {
        char chunk[16384];
        size_t room = out->max - out->len;
        ssize_t n = read(fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
        if (n < 0 && errno != EINTR) {
            return file_error(err, errno, "read", path);
        }
        if (n == 0) {
            return 0;
        }
        buf_add(out, chunk, n < 0 ? 0 : (size_t)n);
    }
}

static int write_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        bytes.ptr += n;
        bytes.len -= (size_t)n;
    }
    return 0;
}

/* A rename is durable only after an fsync of the folder. */
static int sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct str parent = STR_LIT(".");
    if (slash != NULL) {
        parent = str_n(path, slash == path ? 1 : (size_t)(slash - path));
    }
    if (!str_copy(parent, folder, sizeof(folder))) {
        return -ENAMETOOLONG;
    }
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return -errno;
    }
    return 0;
}

/* A device or a pipe is written as it is: a rename would put a file in its place, for root even in
 * /dev. */
static int write_special(const char *path, struct str bytes, struct err *err)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    int rc = fd < 0 ? -errno : write_all(fd, bytes);
    return rc < 0 ? file_error(err, -rc, "write", path) : 0;
}

int file_write(const char *path, struct str bytes, mode_t mode, struct err *err)
{
    return file_write_owned(path, bytes, &(struct file_owner){geteuid(), getegid(), mode}, err);
}

int file_write_owned(const char *path, struct str bytes, const struct file_owner *owner,
                     struct err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return write_special(path, bytes, err);
    }
    AUTO_BUF struct buf temporary = BUF_INIT(PATH_MAX);
    buf_addf(&temporary, "%s.XXXXXX", path);
    if (buf_failed(&temporary)) {
        return file_error(err, ENAMETOOLONG, "write", path);
    }
    AUTO_FD int fd = mkostemp(temporary.data, O_CLOEXEC);
    if (fd < 0) {
        return file_error(err, errno, "create a file next to", path);
    }
    const char *what = "write";
    int rc = write_all(fd, bytes);
    if (rc == 0 && fchmod(fd, owner->mode) < 0) {
        rc = -errno;
    }
    if (rc == 0 && geteuid() == 0 && owner->uid != 0 && fchown(fd, owner->uid, owner->gid) < 0) {
        rc = -errno;
    }
    if (rc == 0 && fsync(fd) < 0) {
        rc = -errno;
    }
    if (rc == 0 && rename(temporary.data, path) < 0) {
        what = "replace";
        rc = -errno;
    }
    if (rc < 0) {
        (void)unlink(temporary.data);
        return file_error(err, -rc, what, path);
    }
    rc = sync_folder_of(path);
    return rc < 0 ? file_error(err, -rc, "sync the folder of", path) : 0;
}

int file_make_folder(const char *path, mode_t mode, struct err *err)
{
    char folder[PATH_MAX];
    if (!str_copy(str_c(path), folder, sizeof(folder)) || folder[0] == '\0') {
        return file_error(err, folder[0] == '\0' ? ENOENT : ENAMETOOLONG, "make", path);
    }
    for (char *p = folder + 1;; p++) {
        char was = *p;
        if (was != '/' && was != '\0') {
            continue;
        }
        *p = '\0';
        if (mkdir(folder, mode) < 0 && errno != EEXIST) {
            return file_error(err, errno, "create", folder);
        }
        *p = was;
        if (was == '\0') {
            break;
        }
    }
    struct stat st;
    if (stat(path, &st) < 0) {
        return file_error(err, errno, "stat", path);
    }
    return S_ISDIR(st.st_mode) ? 0 : file_error(err, ENOTDIR, "create", path);
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* errno of making a folder in a view of the kernel, which access() allows to root; 0: no view. */
static int error_of_view(const char *folder)
{
    struct statfs fs;
    if (statfs(folder, &fs) < 0) {
        return errno;
    }
    return fs.f_type == PROC_SUPER_MAGIC ? ENOENT : fs.f_type == SYSFS_MAGIC ? EPERM : 0;
}

int file_check_folder(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    if (!str_copy(str_c(path), folder, sizeof(folder)) || folder[0] == '\0') {
        return file_error(err, folder[0] == '\0' ? ENOENT : ENAMETOOLONG, "create", path);
    }
    struct stat st;
    while (stat(folder, &st) < 0) {
        if (errno != ENOENT) {
            return file_error(err, errno, "create", path);
        }
        char *slash = strrchr(folder, '/');
        if (slash == NULL) {
            (void)str_copy(STR_LIT("."), folder, sizeof(folder));
        } else {
            slash[slash == folder ? 1 : 0] = '\0'; /* "/" stays "/" */
        }
    }
    if (!S_ISDIR(st.st_mode)) {
        return file_error(err, ENOTDIR, "create", path);
    }
    int error = error_of_view(folder);
    if (error != 0) {
        return file_error(err, error, "create", path);
    }
    return access(folder, W_OK | X_OK) < 0 ? file_error(err, errno, "write to", folder) : 0;
}

int file_check_writable(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return file_error(err, EISDIR, "write", path);
    }
    return access(path, W_OK) < 0 && errno != ENOENT ? file_error(err, errno, "write", path) : 0;
}

int file_lock(const char *path, int *ret_fd, struct err *err)
{
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0) {
        return file_error(err, errno, "open", path);
    }
    char text[32] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) {
            return file_error(err, errno, "lock", path);
        }
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        int64_t pid = 0;
        (void)str_to_i64(str_trim(str_n(text, n > 0 ? (size_t)n : 0)), &pid);
        return err_set(err, ERR_FILE_LOCKED, "%s is held by pid %lld", path, (long long)pid);
    }
    /* The pid is only for people; the lock works without it, so a full disk does not matter. */
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    if (ftruncate(fd, 0) == 0) {
        (void)!pwrite(fd, text, (size_t)len, 0);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int file_check_trusted(const char *path, bool folder, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        return file_error(err, errno, "read", path);
    }
    if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
        return err_set(err, ERR_FILE_UNTRUSTED, "%s is not a %s", path,
                       folder ? "folder" : "regular file");
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return err_set(err, ERR_FILE_UNTRUSTED, "%s belongs to uid %u", path, (unsigned)st.st_uid);
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_set(err, ERR_FILE_UNTRUSTED, "%s has mode %04o", path,
                       (unsigned)st.st_mode & 07777);
    }
    return 0;
}

/* The kernel's own walk would follow a link that was put in place of a folder. */
static int remove_below(int at, const char *name)
{
    AUTO_FD int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOTDIR || errno == ELOOP ? unlinkat(at, name, 0) : -1;
    }
    DIR *dir = fdopendir(dup(fd));
    const struct dirent *e;
    int rc = dir == NULL ? -1 : 0;
    while (rc == 0 && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            rc = remove_below(fd, e->d_name);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return rc < 0 ? rc : unlinkat(at, name, AT_REMOVEDIR);
}

int file_remove_tree(const char *path, struct err *err)
{
    return remove_below(AT_FDCWD, path) == 0 || errno == ENOENT
               ? 0
               : file_error(err, errno, "remove", path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int file_list(const char *folder, size_t max, struct file_names *ret, struct err *err)
{
    *ret = (struct file_names){0};
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return file_error(err, errno, "open", folder);
    }
    struct file_names names = {.items = calloc(max, sizeof(char *))};
    ASSERT(names.items != NULL);
    int rc = 0;
    for (const struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.') {
            continue;
        }
        if (names.count == max) {
            rc = err_set(err, ERR_FILE_TOO_LARGE, "%s: more than %zu files", folder, max);
            break;
        }
        names.items[names.count] = strdup(e->d_name);
        ASSERT(names.items[names.count] != NULL);
        names.count++;
    }
    (void)closedir(dir);
    if (rc < 0) {
        file_names_release(&names);
        return rc;
    }
    qsort(names.items, names.count, sizeof(char *), by_name);
    *ret = names;
    return 0;
}

void file_names_release(struct file_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    free(names->items);
    *names = (struct file_names){0};
}
