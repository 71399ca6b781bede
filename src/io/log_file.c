#include "io/log_file.h"

#include "base/auto.h"
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct log_file {
    int fd;
    char *path;
    struct log_file_limits limits;
};

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

int log_file_open(const char *path, const struct log_file_limits *limits, struct log_file **ret,
                  struct err *err)
{
    AUTO_FD int fd = open_path(path);
    if (fd < 0) {
        return err_set(err, errno == EACCES || errno == EROFS ? ERR_FILE_DENIED : ERR_FILE_FAILED,
                       "%s: %s", path, strerror(errno));
    }
    struct log_file *file = calloc(1, sizeof(*file));
    ASSERT(file != NULL);
    file->path = strdup(path);
    ASSERT(file->path != NULL);
    file->limits.max_bytes = limits->max_bytes > 0 ? limits->max_bytes : LOG_FILE_MAX_BYTES;
    file->limits.keep = limits->keep > 0 ? limits->keep : LOG_FILE_KEEP;
    file->fd = TAKE_FD(fd);
    log_file_check(file);
    *ret = file;
    return 0;
}

/* Renames each old file to the next number; the last one is overwritten. */
static void shift(const struct log_file *file)
{
    char from[PATH_MAX], to[PATH_MAX];
    for (int i = file->limits.keep; i >= 1; i--) {
        (void)snprintf(to, sizeof(to), "%s.%d", file->path, i);
        (void)snprintf(from, sizeof(from), i > 1 ? "%s.%d" : "%s", file->path, i - 1);
        (void)rename(from, to);
    }
}

void log_file_check(struct log_file *file)
{
    struct stat ours, at_path;
    if (file == NULL || fstat(file->fd, &ours) < 0) {
        return;
    }
    bool in_place = stat(file->path, &at_path) == 0 && at_path.st_ino == ours.st_ino &&
                    at_path.st_dev == ours.st_dev;
    if (in_place && ours.st_size <= file->limits.max_bytes) {
        return;
    }
    if (in_place) {
        shift(file);
    }
    AUTO_FD int fresh = open_path(file->path);
    if (fresh >= 0) {
        (void)dup3(fresh, file->fd, O_CLOEXEC);
    }
}

void log_file_free(struct log_file *file)
{
    if (file == NULL) {
        return;
    }
    (void)close(file->fd);
    free(file->path);
    free(file);
}

void *log_file_userdata(const struct log_file *file)
{
    return (void *)(intptr_t)file->fd;
}
