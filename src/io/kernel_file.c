#include "kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's struct linux_dirent64; readdir would allocate 32 KiB for each folder. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

static int failed(const char *path, int error, struct err *err)
{
    enum err_id id = error == ENOENT || error == ESRCH || error == ENODEV ? ERR_FILE_MISSING
                     : error == EACCES || error == EPERM                  ? ERR_FILE_DENIED
                                                                          : ERR_FILE_FAILED;
    return err_set(err, id, "%s: %s", path, strerror(error));
}

static int open_path(char *path, size_t size, const char *folder, const char *name, int flags,
                     int *ret_fd, struct err *err)
{
    *ret_fd = -1;
    int n = snprintf(path, size, "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= size) {
        return err_set(err, ERR_FILE_MISSING, "%.200s: the path is too long", path);
    }
    *ret_fd = open(path, flags);
    return *ret_fd < 0 ? failed(path, errno, err) : 0;
}

int kernel_file_open(struct kernel_file *file, const char *folder, const char *name,
                     struct err *err)
{
    file->begin = file->end = 0;
    file->ended = file->skip = false;
    return open_path(file->path, sizeof(file->path), folder, name, O_RDONLY | O_CLOEXEC, &file->fd,
                     err);
}

void kernel_file_close(struct kernel_file *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
        file->fd = -1;
    }
}

int kernel_file_bad(const struct kernel_file *file, struct err *err)
{
    return err_set(err, ERR_HOST_FORMAT, "%s", file->path);
}

/* 1: more was read. 0: the end. */
static int fill(struct kernel_file *file, struct err *err)
{
    ssize_t n;
    memmove(file->text, file->text + file->begin, file->end - file->begin);
    file->end -= file->begin;
    file->begin = 0;
    do {
        n = read(file->fd, file->text + file->end, sizeof(file->text) - file->end);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return failed(file->path, errno, err);
    }
    file->end += (size_t)n;
    file->ended = n == 0;
    return n > 0;
}

static bool take_line(struct kernel_file *file, struct str *ret)
{
    const char *from = file->text + file->begin;
    const char *feed = memchr(from, '\n', file->end - file->begin);
    if (feed == NULL) {
        return false;
    }
    *ret = str_n(from, (size_t)(feed - from));
    file->begin += ret->len + 1;
    return true;
}

int kernel_file_line(struct kernel_file *file, struct str *ret, struct err *err)
{
    for (;;) {
        bool rest = file->skip; /* of a line that was cut */
        if (take_line(file, ret)) {
            file->skip = false;
            if (!rest) {
                return 1;
            }
            continue;
        }
        size_t held = file->end - file->begin;
        if (file->ended || held == sizeof(file->text)) {
            *ret = str_n(file->text + file->begin, held);
            file->begin = file->end;
            file->skip = !file->ended;
            if (!rest || file->ended) {
                return held > 0 && !rest;
            }
        }
        int rc = file->ended ? 0 : fill(file, err);
        if (rc < 0) {
            return rc;
        }
    }
}

int kernel_file_word(struct kernel_file *file, const char *folder, const char *name,
                     struct str *ret, struct err *err)
{
    int rc = kernel_file_open(file, folder, name, err);
    rc = rc < 0 ? rc : kernel_file_line(file, ret, err);
    return rc < 0 ? rc : rc == 0 ? kernel_file_bad(file, err) : 0;
}

bool kernel_whole_number(struct str text, int64_t *ret)
{
    int64_t n;
    bool ok = str_to_i64(text, &n) && n >= 0 && n <= KERNEL_NUMBER_MAX;
    *ret = ok ? n : *ret;
    return ok;
}

bool kernel_number(struct str *rest, int64_t *ret)
{
    struct str word;
    return str_word(rest, &word) && kernel_whole_number(word, ret);
}

bool kernel_add(int64_t *sum, int64_t n)
{
    int64_t more;
    bool ok = !__builtin_add_overflow(*sum, n, &more);
    *sum = ok ? more : *sum;
    return ok;
}

bool kernel_bytes(struct str *rest, int64_t unit, int64_t *ret)
{
    int64_t n = 0;
    bool ok = kernel_number(rest, &n) && n <= KERNEL_NUMBER_MAX / unit;
    *ret = ok ? n * unit : *ret;
    return ok;
}

/* ------------------------------------------------------------------ folders */

int kernel_folder_open(struct kernel_folder *folder, const char *path, const char *name,
                       struct err *err)
{
    char full[KERNEL_PATH_SIZE];
    folder->begin = folder->end = 0;
    return open_path(full, sizeof(full), path, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                     &folder->fd, err);
}

void kernel_folder_close(struct kernel_folder *folder)
{
    if (folder->fd >= 0) {
        (void)close(folder->fd);
        folder->fd = -1;
    }
}

int kernel_folder_next(struct kernel_folder *folder, const char **ret, struct err *err)
{
    for (;;) {
        if (folder->begin == folder->end) {
            long n = syscall(SYS_getdents64, folder->fd, folder->entries, sizeof(folder->entries));
            if (n <= 0) {
                return n == 0 ? 0 : failed("folder", errno, err);
            }
            folder->begin = 0;
            folder->end = (size_t)n;
        }
        const struct entry *entry = (const struct entry *)(folder->entries + folder->begin);
        folder->begin += entry->size;
        if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) {
            *ret = entry->name;
            return 1;
        }
    }
}
