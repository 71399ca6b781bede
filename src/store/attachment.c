#include "store/attachment.h"

#include "base/check.h"
#include "io/file.h"
#include "io/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER        "attachments"
#define LISTED_MAX    (ATTACHMENT_COUNT_MAX * 4) /* more than this many were not left by us */
#define ID_BYTES      12
#define EXTENSION_MAX 8
#define PENDING_MAX   ((size_t)128 * 1024)
#define PENDING_FULL  ((size_t)64 * 1024)

void attachment_dir(const char *state_dir, struct buf *out)
{
    buf_addf(out, "%s/" FOLDER, state_dir);
}

static bool is_id(const char *id)
{
    size_t len = strlen(id);
    return len > 2 * ID_BYTES && len < ATTACHMENT_ID_SIZE &&
           strspn(id, "0123456789abcdef") >= 2 * ID_BYTES && id[2 * ID_BYTES] == '.' &&
           strspn(id + 2 * ID_BYTES + 1, "abcdefghijklmnopqrstuvwxyz0123456789") ==
               len - 2 * ID_BYTES - 1;
}

void attachment_id(const char *name, char ret[ATTACHMENT_ID_SIZE])
{
    unsigned char bytes[ID_BYTES];
    AUTO_BUF struct buf id = BUF_INIT(ATTACHMENT_ID_SIZE - 1);
    const char *dot = strrchr(name, '.');
    secret_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        buf_addf(&id, "%02x", bytes[i]);
    }
    buf_addf(&id, ".%.*s", EXTENSION_MAX, dot == NULL ? "bin" : dot + 1);
    ASSERT(is_id(id.data)); /* names are constants of the callers */
    (void)str_copy(buf_str(&id), ret, ATTACHMENT_ID_SIZE);
}

struct entry {
    char name[ATTACHMENT_ID_SIZE];
    int64_t changed_ns;
};

static int by_age(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->changed_ns < y->changed_ns ? -1 : x->changed_ns > y->changed_ns;
}

/* The files of the folder, oldest first; negative: an error. entries: LISTED_MAX. */
static int list_files(const char *dir, struct entry *entries, struct err *err)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    int rc = file_list(dir, LISTED_MAX, &names, err);
    int count = 0;
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        AUTO_BUF struct buf path = BUF_INIT(8192);
        struct stat st;
        buf_addf(&path, "%s/%s", dir, names.items[i]);
        if (is_id(names.items[i]) && lstat(path.data, &st) == 0 && S_ISREG(st.st_mode)) {
            struct entry *e = &entries[count++];
            (void)str_copy(str_c(names.items[i]), e->name, sizeof(e->name));
            e->changed_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
        }
    }
    qsort(entries, (size_t)count, sizeof(entries[0]), by_age);
    return rc < 0 ? rc : count;
}

static void delete_file(const char *dir, const struct entry *entry)
{
    AUTO_BUF struct buf path = BUF_INIT(8192);
    buf_addf(&path, "%s/%s", dir, entry->name);
    (void)unlink(path.data);
}

/* Deletes the oldest files, so that one more fits. */
static int make_space(const char *dir, struct err *err)
{
    struct entry entries[LISTED_MAX];
    int count = list_files(dir, entries, err);
    for (int i = 0; i + ATTACHMENT_COUNT_MAX <= count; i++) {
        delete_file(dir, &entries[i]);
    }
    return count < 0 ? count : 0;
}

int attachment_expire(const char *dir, int64_t before_us, struct err *err)
{
    struct entry entries[LISTED_MAX];
    if (!file_exists(dir)) {
        return 0;
    }
    int count = list_files(dir, entries, err);
    for (int i = 0; i < count && entries[i].changed_ns / 1000 < before_us; i++) {
        delete_file(dir, &entries[i]);
    }
    return count < 0 ? count : 0;
}

int attachment_add(const char *dir, const struct attachment_new *file, struct attachment *ret,
                   struct err *err)
{
    int64_t max = file->image ? ATTACHMENT_IMAGE_MAX : ATTACHMENT_DOCUMENT_MAX;
    if ((int64_t)file->bytes.len > max) {
        return err_set(err, ERR_ATTACHMENT_TOO_LARGE, "%s: %zu bytes, at most %lld", file->name,
                       file->bytes.len, (long long)max);
    }
    AUTO_BUF struct buf path = BUF_INIT(8192);
    ret->size_bytes = (int64_t)file->bytes.len;
    attachment_id(file->name, ret->id);
    buf_addf(&path, "%s/%s", dir, ret->id);
    int rc = file_make_folder(dir, 0750, err);
    rc = rc < 0 ? rc : make_space(dir, err);
    return rc < 0 ? rc : file_write(path.data, file->bytes, 0640, err);
}

/* ------------------------------------------------------------------------- in pieces ---- */

/* The file while it is written: a valid id, so that it is deleted in time if we die. */
static void part_path(const struct attachment_writer *w, struct buf *out)
{
    buf_addf(out, "%s/%.*s.part", w->dir, 2 * ID_BYTES, w->id);
}

static int write_error(const struct attachment_writer *w, const char *what, struct err *err)
{
    return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FILE_NO_SPACE : ERR_FILE_FAILED,
                   "%s: could not %s: %s", w->name, what, strerror(errno));
}

int attachment_begin(const char *dir, const struct attachment_new *file,
                     struct attachment_writer *ret, struct err *err)
{
    *ret = (struct attachment_writer){.name = file->name,
                                      .max_bytes = file->image ? ATTACHMENT_IMAGE_MAX
                                                               : ATTACHMENT_DOCUMENT_MAX,
                                      .fd = -1};
    buf_init(&ret->pending, PENDING_MAX);
    (void)str_copy(str_c(dir), ret->dir, sizeof(ret->dir));
    attachment_id(file->name, ret->id);
    int rc = file_make_folder(dir, 0750, err);
    rc = rc < 0 ? rc : make_space(dir, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf path = BUF_INIT(8192);
    part_path(ret, &path);
    ret->fd = open(path.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    return ret->fd < 0 ? write_error(ret, "create the file", err) : 0;
}

static int flush_pending(struct attachment_writer *w, struct err *err)
{
    size_t done = 0;
    while (done < w->pending.len) {
        ssize_t n = write(w->fd, w->pending.data + done, w->pending.len - done);
        if (n < 0 && errno != EINTR) {
            return write_error(w, "write", err);
        }
        done += n < 0 ? 0 : (size_t)n;
    }
    buf_clear(&w->pending);
    return 0;
}

int attachment_append(struct attachment_writer *w, struct str bytes, struct err *err)
{
    w->size_bytes += (int64_t)bytes.len;
    if (w->size_bytes > w->max_bytes) {
        return err_set(err, ERR_ATTACHMENT_TOO_LARGE, "%s: more than %lld MB", w->name,
                       (long long)(w->max_bytes / 1000000));
    }
    buf_add_str(&w->pending, bytes);
    if (buf_failed(&w->pending)) {
        return err_set(err, ERR_STORE_TOO_LONG, "%s: a row of %zu bytes", w->name, bytes.len);
    }
    return w->pending.len < PENDING_FULL ? 0 : flush_pending(w, err);
}

int attachment_commit(struct attachment_writer *w, struct attachment *ret, struct err *err)
{
    AUTO_BUF struct buf part = BUF_INIT(8192);
    AUTO_BUF struct buf path = BUF_INIT(8192);
    part_path(w, &part);
    buf_addf(&path, "%s/%s", w->dir, w->id);
    int rc = flush_pending(w, err);
    if (rc == 0 && fsync(w->fd) < 0) {
        rc = write_error(w, "sync", err);
    }
    if (rc == 0 && rename(part.data, path.data) < 0) {
        rc = write_error(w, "name the file", err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret = (struct attachment){.size_bytes = w->size_bytes};
    memcpy(ret->id, w->id, sizeof(ret->id));
    (void)close(w->fd);
    w->fd = -1;
    buf_release(&w->pending);
    return 0;
}

void attachment_abort(struct attachment_writer *w)
{
    if (w->fd >= 0) {
        AUTO_BUF struct buf part = BUF_INIT(8192);
        part_path(w, &part);
        (void)close(w->fd);
        w->fd = -1;
        (void)unlink(part.data);
    }
    buf_release(&w->pending);
}

int attachment_path(const char *dir, const char *id, struct buf *out, int64_t *ret_size,
                    struct err *err)
{
    struct stat st;
    AUTO_BUF struct buf path = BUF_INIT(8192);
    buf_addf(&path, "%s/%s", dir, id);
    if (!is_id(id) || stat(path.data, &st) != 0 || !S_ISREG(st.st_mode)) {
        return err_set(err, ERR_ATTACHMENT_GONE, "%.60s", id);
    }
    buf_add_str(out, buf_str(&path));
    if (ret_size != NULL) {
        *ret_size = st.st_size;
    }
    return 0;
}
