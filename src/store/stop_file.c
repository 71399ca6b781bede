#include "store/stop_file.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOP_FILE_NAME "emergency.stop"
#define BLOCK_BYTES    4096
#define NONE           "none\n"
#define STOP           "stop "
#define RUN            "run" /* a line of its own: earlier versions read only the first */

struct stop_file {
    int fd;
    char block[BLOCK_BYTES]; /* the file's content, padded with spaces */
};

static int fail(struct err *err, const char *what)
{
    enum err_id id = errno == EACCES || errno == EROFS ? ERR_FILE_DENIED : ERR_FILE_FAILED;
    return err_set(err, id, STOP_FILE_NAME ": %s: %s", what, strerror(errno));
}

static int write_block(struct stop_file *file, struct str text, struct err *err)
{
    char block[BLOCK_BYTES];
    ASSERT(text.len < BLOCK_BYTES);
    memset(block, ' ', sizeof(block));
    memcpy(block, text.ptr, text.len);
    block[BLOCK_BYTES - 1] = '\n';
    ssize_t n = pwrite(file->fd, block, sizeof(block), 0);
    if (n != (ssize_t)sizeof(block)) {
        errno = n < 0 ? errno : ENOSPC;
        return fail(err, "write");
    }
    memcpy(file->block, block, sizeof(block));
    return 0;
}

int stop_file_open(const char *state_dir, struct stop_file **ret, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/" STOP_FILE_NAME, state_dir);
    struct stop_file *file = calloc(1, sizeof(*file));
    ASSERT(file != NULL);
    file->fd = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    ssize_t n = file->fd < 0 ? -1 : pread(file->fd, file->block, sizeof(file->block), 0);
    int rc = n < 0 ? fail(err, "open") : 0;
    if (n == 0) { /* new: allocate its block now, while there is space on the disk */
        rc = write_block(file, str_c(NONE), err);
    }
    if (rc < 0) {
        stop_file_free(file);
        return rc;
    }
    *ret = file;
    return 0;
}

void stop_file_free(struct stop_file *file)
{
    if (file != NULL) {
        if (file->fd >= 0) {
            (void)close(file->fd);
        }
        free(file);
    }
}

bool stop_file_get(const struct stop_file *file, struct stop_mark *ret)
{
    struct str text = str_n(file->block, BLOCK_BYTES);
    *ret = (struct stop_mark){0};
    if (str_starts(text, NONE)) {
        return false;
    }
    struct str line, word;
    if (str_split(&text, '\n', &line) && str_word(&line, &word) && str_equal_c(word, "stop") &&
        str_word(&line, &word) && str_to_i64(word, &ret->at_us)) {
        (void)str_copy(str_trim(line), ret->by, sizeof(ret->by));
        bool has_run = str_split(&text, '\n', &line) && str_word(&line, &word) &&
                       str_equal_c(word, RUN) && str_word(&line, &word) &&
                       str_to_i64(word, &ret->run_id);
        ret->run_id = has_run ? ret->run_id : 0;
    }
    return true;
}

int stop_file_set(struct stop_file *file, const struct stop_mark *mark, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    buf_addf(&text, STOP "%lld %.31s\n", (long long)mark->at_us, mark->by);
    if (mark->run_id != 0) {
        buf_addf(&text, RUN " %lld\n", (long long)mark->run_id);
    }
    return write_block(file, buf_str(&text), err);
}

int stop_file_clear(struct stop_file *file, struct err *err)
{
    return write_block(file, str_c(NONE), err);
}

int stop_file_dup(const struct stop_file *file)
{
    return fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
}

int stop_file_sync(int fd, struct err *err)
{
    return fd < 0 || fdatasync(fd) < 0 ? fail(err, "fdatasync") : 0;
}
