#include "record_reader.h"

#include "base/check.h"
#include "pack.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define AHEAD_SIZE ((size_t)256 << 10)

static int damaged(const struct record_reader *reader, const char *what, struct err *err)
{
    return err_set(err, ERR_ENGINE_RECORD_DAMAGED, "offset %lld of %lld: %s",
                   (long long)reader->offset, (long long)reader->file_size, what);
}

/* Reads `size` bytes at `at`, which must be within the file's length at opening. */
static int read_at(struct record_reader *reader, int64_t at, void *dst, size_t size,
                   struct err *err)
{
    uint8_t *to = dst;
    while (size > 0) {
        if (at < reader->ahead_at || at >= reader->ahead_at + (int64_t)reader->ahead_size) {
            ssize_t n = pread(reader->fd, reader->ahead, reader->ahead_capacity, (off_t)at);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                return damaged(reader,
                               n < 0 ? strerror(errno) : "the file was truncated while it was read",
                               err);
            }
            reader->ahead_at = at;
            reader->ahead_size = (size_t)n;
        }
        size_t from = (size_t)(at - reader->ahead_at);
        size_t part = reader->ahead_size - from < size ? reader->ahead_size - from : size;
        memcpy(to, reader->ahead + from, part);
        to += part;
        at += (int64_t)part;
        size -= part;
    }
    return 0;
}

/* 0: a version that this program does not know. */
static int version_of(const char magic[RECORD_MAGIC_SIZE])
{
    int version = magic[RECORD_FAMILY_SIZE] - '0';
    return magic[RECORD_FAMILY_SIZE + 1] == '\n' && version >= 1 && version <= RECORD_VERSION
               ? version
               : 0;
}

int record_reader_open(struct record_reader *reader, const char *path, struct err *err)
{
    *reader =
        (struct record_reader){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    struct stat st;
    if (reader->fd < 0 || fstat(reader->fd, &st) < 0) {
        int error = errno;
        record_reader_release(reader);
        return err_set(err, error == ENOENT ? ERR_FILE_MISSING : ERR_FILE_FAILED, "%s: %s", path,
                       strerror(error));
    }
    if (!S_ISREG(st.st_mode)) {
        record_reader_release(reader);
        return err_set(err, ERR_ENGINE_RECORD_FOREIGN, "%s is not a regular file", path);
    }
    reader->file_size = st.st_size;
    /* No frame is longer than its file. */
    size_t capacity = (size_t)reader->file_size + 1;
    reader->ahead_capacity = capacity < AHEAD_SIZE ? capacity : AHEAD_SIZE;
    reader->bytes =
        malloc(RECORD_FRAME_SIZE + (capacity < RECORD_START_MAX ? capacity : RECORD_START_MAX));
    reader->ahead = malloc(reader->ahead_capacity);
    ASSERT(reader->bytes != NULL && reader->ahead != NULL);
    char magic[RECORD_MAGIC_SIZE] = {0};
    size_t there = (size_t)(reader->file_size < (int64_t)sizeof(magic) ? reader->file_size
                                                                       : (int64_t)sizeof(magic));
    int rc = read_at(reader, 0, magic, there, err);
    size_t family = there < RECORD_FAMILY_SIZE ? there : RECORD_FAMILY_SIZE;
    if (rc >= 0 && (there == 0 || memcmp(magic, RECORD_MAGIC, family) != 0)) {
        rc = err_set(err, ERR_ENGINE_RECORD_FOREIGN, "%s is not a journal", path);
    } else if (rc >= 0 && there < sizeof(magic)) {
        rc = damaged(reader, "the file ends within its first 16 bytes", err);
    } else if (rc >= 0 && (reader->version = version_of(magic)) == 0) {
        rc = err_set(err, ERR_ENGINE_RECORD_FOREIGN,
                     "%s is a journal of version %.1s; this program reads 1 to %d", path,
                     magic + RECORD_FAMILY_SIZE, RECORD_VERSION);
    }
    if (rc < 0) {
        record_reader_release(reader);
        return rc;
    }
    reader->offset = (int64_t)RECORD_MAGIC_SIZE;
    return 0;
}

void record_reader_release(struct record_reader *reader)
{
    if (reader->fd >= 0) {
        (void)close(reader->fd);
    }
    free(reader->bytes);
    free(reader->ahead);
    *reader = (struct record_reader){.fd = -1};
}

int record_reader_next(struct record_reader *reader, size_t max, struct err *err)
{
    int64_t left = reader->file_size - reader->offset;
    if (left == 0) {
        return 0;
    }
    if (left < (int64_t)RECORD_FRAME_SIZE) {
        return damaged(reader, "the file ends within a frame", err);
    }
    int rc = read_at(reader, reader->offset, reader->bytes, RECORD_FRAME_SIZE, err);
    if (rc < 0) {
        return rc;
    }
    uint32_t length = 0;
    struct pack p = PACK_READ(reader->bytes + 8, 4);
    pack_u32(&p, &length);
    if (length == 0 || length > max) {
        return damaged(reader, "a frame has an impossible length", err);
    }
    if (left - (int64_t)RECORD_FRAME_SIZE < (int64_t)length) {
        return damaged(reader, "the file ends within a frame", err);
    }
    rc = read_at(reader, reader->offset + (int64_t)RECORD_FRAME_SIZE,
                 reader->bytes + RECORD_FRAME_SIZE, length, err);
    if (rc < 0) {
        return rc;
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < 8; i++) {
        sum |= (uint64_t)reader->bytes[i] << (8 * i);
    }
    if (sum != record_sum(reader->bytes, length, reader->offset)) {
        return damaged(reader, "the checksum of a frame does not match", err);
    }
    reader->size = length;
    reader->offset += (int64_t)RECORD_FRAME_SIZE + (int64_t)length;
    return 1;
}
