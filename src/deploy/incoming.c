#include "incoming.h"

#include "base/check.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 * 1024)

static void folder_of(char ret[PATH_MAX], const char *root)
{
    int n = snprintf(ret, PATH_MAX, "%s/incoming", root);
    ASSERT(n > 0 && n < PATH_MAX);
}

void incoming_clear(const char *root)
{
    char folder[PATH_MAX];
    folder_of(folder, root);
    (void)file_remove_tree(folder, NULL);
}

/* The last part of a path or URL, with nothing in it that a file name should not have. */
static void name_of(const char *path, char ret[NAME_MAX + 1])
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-";
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    bool good = name[0] != '\0' && name[0] != '.' && strspn(name, plain) == strlen(name) &&
                strlen(name) + strlen(SIGNATURE_SUFFIX) <= NAME_MAX;
    (void)str_copy(str_c(good ? name : "artefact"), ret, NAME_MAX + 1);
}

int incoming_begin(const char *root, const char *name, int *ret_fd, struct err *err)
{
    char folder[PATH_MAX], path[PATH_MAX], plain[NAME_MAX + 1];
    folder_of(folder, root);
    name_of(name, plain);
    int rc = file_remove_tree(folder, err);
    rc = rc < 0 ? rc : file_make_folder(folder, 0700, err);
    int n = snprintf(path, sizeof(path), "%s/%s", folder, plain);
    ASSERT(n > 0 && (size_t)n < sizeof(path));
    if (rc < 0) {
        return rc;
    }
    *ret_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return *ret_fd < 0 ? file_error(err, errno, "create", path) : 0;
}

static int copy_bytes(int from, int to, const char *path, const atomic_bool *stop, struct err *err)
{
    AUTO_FREE char *chunk = malloc(CHUNK_BYTES);
    int64_t bytes = 0;
    ASSERT(chunk != NULL);
    for (;;) {
        ssize_t n = read(from, chunk, CHUNK_BYTES);
        if (n <= 0) {
            return n == 0 ? 0 : file_error(err, errno, "read", path);
        }
        if ((bytes += n) > INCOMING_BYTES_MAX) {
            return err_set(err, ERR_FILE_TOO_LARGE, "%s: more than %lld bytes", path,
                           (long long)INCOMING_BYTES_MAX);
        }
        if (stop != NULL && atomic_load(stop)) {
            return err_set(err, ERR_ARCHIVE_STOPPED, "%s", path);
        }
        for (ssize_t done = 0; done < n;) {
            ssize_t wrote = write(to, chunk + done, (size_t)(n - done));
            if (wrote < 0 && errno != EINTR) {
                return file_error(err, errno, "copy", path);
            }
            done += wrote < 0 ? 0 : wrote;
        }
    }
}

static int copy_signature(const char *root, const char *path, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(INCOMING_SIG_MAX);
    char from[PATH_MAX], to[PATH_MAX], artefact[PATH_MAX];
    int n = snprintf(from, sizeof(from), "%s" SIGNATURE_SUFFIX, path);
    if (n < 0 || (size_t)n >= sizeof(from)) {
        return file_error(err, ENAMETOOLONG, "read", path);
    }
    int rc = file_read(from, &text, err);
    if (rc == -ERR_FILE_MISSING) {
        err_clear(err); /* whether it needs one is decided later */
        return 0;
    }
    rc = rc < 0 ? rc : incoming_find(root, artefact, err);
    n = snprintf(to, sizeof(to), "%s" SIGNATURE_SUFFIX, rc < 0 ? "" : artefact);
    ASSERT(n > 0 && (size_t)n < sizeof(to));
    return rc < 0 ? rc : file_write(to, buf_str(&text), 0600, err);
}

int incoming_copy(const char *root, const char *path, const atomic_bool *stop, struct err *err)
{
    struct stat st;
    AUTO_FD int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    AUTO_FD int to = -1;
    if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode)) {
        return file_error(err, from < 0 ? errno : EINVAL, "read a regular file", path);
    }
    int rc = incoming_begin(root, path, &to, err);
    rc = rc < 0 ? rc : copy_bytes(from, to, path, stop, err);
    rc = rc < 0 ? rc : copy_signature(root, path, err);
    if (rc < 0) {
        incoming_clear(root);
    }
    return rc;
}

static bool is_signature(const char *name)
{
    size_t len = strlen(name), suffix = strlen(SIGNATURE_SUFFIX);
    return len > suffix && strcmp(name + len - suffix, SIGNATURE_SUFFIX) == 0;
}

int incoming_find(const char *root, char ret_path[PATH_MAX], struct err *err)
{
    char folder[PATH_MAX];
    AUTO_FILE_NAMES struct file_names names = {0};
    folder_of(folder, root);
    int rc = file_list(folder, 4, &names, err);
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        if (!is_signature(names.items[i])) {
            int n = snprintf(ret_path, PATH_MAX, "%s/%s", folder, names.items[i]);
            return n > 0 && n < PATH_MAX ? 0 : file_error(err, ENAMETOOLONG, "find", folder);
        }
    }
    return rc < 0 && rc != -ERR_FILE_MISSING
               ? rc
               : err_set(err, ERR_RELEASE_UNKNOWN, "%s: nothing was fetched", folder);
}
