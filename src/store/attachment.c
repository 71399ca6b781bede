#include "store/attachment.h"

#include "base/check.h"
#include "io/file.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER        "attachments"
#define LISTED_MAX    (ATTACHMENT_COUNT_MAX * 4) /* more than this many were not left by us */
#define ID_BYTES      12
#define EXTENSION_MAX 8

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

static void new_id(const char *name, char ret[ATTACHMENT_ID_SIZE])
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

/* Deletes the oldest files, so that one more fits. */
static int make_space(const char *dir, struct err *err)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    int rc = file_list(dir, LISTED_MAX, &names, err);
    struct entry entries[LISTED_MAX];
    size_t count = 0;
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        AUTO_BUF struct buf path = BUF_INIT(8192);
        struct stat st;
        buf_addf(&path, "%s/%s", dir, names.items[i]);
        if (is_id(names.items[i]) && stat(path.data, &st) == 0) {
            struct entry *e = &entries[count++];
            (void)str_copy(str_c(names.items[i]), e->name, sizeof(e->name));
            e->changed_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
        }
    }
    qsort(entries, count, sizeof(entries[0]), by_age);
    for (size_t i = 0; i + ATTACHMENT_COUNT_MAX <= count; i++) {
        AUTO_BUF struct buf path = BUF_INIT(8192);
        buf_addf(&path, "%s/%s", dir, entries[i].name);
        (void)unlink(path.data);
    }
    return rc;
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
    new_id(file->name, ret->id);
    buf_addf(&path, "%s/%s", dir, ret->id);
    int rc = file_make_folder(dir, 0750, err);
    rc = rc < 0 ? rc : make_space(dir, err);
    return rc < 0 ? rc : file_write(path.data, file->bytes, 0640, err);
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
