#include "io/archive.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/str.h"
#include "io/file.h"
#include "library.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FUNCTIONS(X)                    \
    X(read_new)                         \
    X(read_free)                        \
    X(read_support_filter_gzip)         \
    X(read_support_filter_xz)           \
    X(read_support_filter_zstd)         \
    X(read_support_filter_bzip2)        \
    X(read_support_format_tar)          \
    X(read_support_format_zip_seekable) \
    X(read_set_options)                 \
    X(read_open_fd)                     \
    X(read_next_header)                 \
    X(read_data)                        \
    X(format)                           \
    X(filter_code)                      \
    X(error_string)                     \
    X(write_new)                        \
    X(write_free)                       \
    X(write_close)                      \
    X(write_set_format_pax_restricted)  \
    X(write_add_filter_gzip)            \
    X(write_set_options)                \
    X(write_open_fd)                    \
    X(write_header)                     \
    X(write_data)                       \
    X(entry_new)                        \
    X(entry_free)                       \
    X(entry_pathname_utf8)              \
    X(entry_pathname)                   \
    X(entry_symlink_utf8)               \
    X(entry_symlink)                    \
    X(entry_hardlink_utf8)              \
    X(entry_hardlink)                   \
    X(entry_filetype)                   \
    X(entry_mode)                       \
    X(entry_size)                       \
    X(entry_is_encrypted)               \
    X(entry_set_pathname)               \
    X(entry_set_symlink)                \
    X(entry_set_filetype)               \
    X(entry_set_perm)                   \
    X(entry_set_size)                   \
    X(entry_set_mtime)

static struct {
#define X(name) __typeof__(archive_##name) *name;
    FUNCTIONS(X)
#undef X
} lib;
static const struct library_function functions[] = {
#define X(name) {"archive_" #name, &lib.name},
    FUNCTIONS(X)
#undef X
};
static struct library library = {.names = {"libarchive.so.13"},
                                 .package = "libarchive13",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

#define CHUNK_BYTES     ((size_t)64 * 1024)
#define PATH_BYTES_MAX  1023
#define NAME_BYTES_MAX  200 /* of one component, so that temporary names beside it fit, too */
#define DEPTH_MAX       32
#define RATIO_FROM      ((int64_t)1 << 20)
#define SHOWN_NAME_SIZE 121

/* ---------------------------------------------------------------- errors */

/* A name as it may be shown: what could forge a line or hide is replaced. */
static void show_name(struct str name, char ret[SHOWN_NAME_SIZE])
{
    AUTO_BUF struct buf clean = BUF_INIT(PATH_BYTES_MAX * 4);
    while (name.len > 0 && clean.len < SHOWN_NAME_SIZE) {
        size_t size = str_utf8_size(name);
        bool good = size > 0 && !str_is_unsafe(name, size);
        buf_add(&clean, good ? name.ptr : "?", good ? size : 1);
        name = str_n(name.ptr + (size > 0 ? size : 1), name.len - (size > 0 ? size : 1));
    }
    str_cut(buf_str(&clean), ret, SHOWN_NAME_SIZE);
}

static int refuse(struct err *err, struct str name, const char *why)
{
    char shown[SHOWN_NAME_SIZE];
    show_name(name, shown);
    return err_set(err, ERR_ARCHIVE_REFUSED, "%s: %s", shown, why);
}

/* ---------------------------------------------------------------- names */

/* A path inside the folder: components without `.` and `..`, none empty. */
struct inside {
    int depth;
    char text[PATH_BYTES_MAX + 1]; /* "" is the folder itself */
};

/* NULL, or why the name of a component cannot be used. */
static const char *bad_component(struct str name)
{
    if (name.len > NAME_BYTES_MAX) {
        return "the name is longer than 200 bytes";
    }
    while (name.len > 0) {
        size_t size = str_utf8_size(name);
        if (size == 0) {
            return "the name is not UTF-8";
        }
        if (str_is_unsafe(name, size)) {
            return "the name has a control or invisible character";
        }
        name = str_n(name.ptr + size, name.len - size);
    }
    return NULL;
}

/* NULL, or why this path is refused. */
static const char *read_path(struct str path, struct inside *ret)
{
    struct str rest = path, part;
    size_t len = 0;
    *ret = (struct inside){.depth = 0};
    if (path.len > PATH_BYTES_MAX) {
        return "the path is longer than 1023 bytes";
    }
    if (path.len > 0 && path.ptr[0] == '/') {
        return "the path is absolute";
    }
    while (str_split(&rest, '/', &part)) {
        const char *why = bad_component(part);
        if (part.len == 0 || str_equal_c(part, ".")) {
            continue;
        }
        if (str_equal_c(part, "..")) {
            return "the path has ..";
        }
        if (why != NULL) {
            return why;
        }
        if (++ret->depth > DEPTH_MAX) {
            return "the path has more than 32 folders";
        }
        if (len > 0) {
            ret->text[len++] = '/';
        }
        memcpy(ret->text + len, part.ptr, part.len);
        len += part.len;
        ret->text[len] = '\0';
    }
    return NULL;
}

/* NULL, or why the link is refused. `..` may only come first and at most as often as the link has
 * folders above it: then no chain of links leads out, because each link is itself below real
 * folders. */
static const char *bad_target(const struct inside *link, struct str target)
{
    struct str rest = target, part;
    int above = link->depth - 1;
    bool down = false;
    if (target.len == 0 || target.len > PATH_BYTES_MAX) {
        return "the link has no usable target";
    }
    if (target.ptr[0] == '/') {
        return "the link leads to an absolute path";
    }
    while (str_split(&rest, '/', &part)) {
        const char *why = bad_component(part);
        if (part.len == 0 || str_equal_c(part, ".")) {
            continue;
        }
        if (why != NULL) {
            return why;
        }
        bool up = str_equal_c(part, "..");
        if (up && (down || above-- == 0)) {
            return "the link leads out of the folder";
        }
        down = down || !up;
    }
    return NULL;
}

/* ---------------------------------------------------------------- unpacking */

struct unpacking {
    const struct archive_unpack *what;
    struct archive *archive;
    int root; /* the hidden folder */
    int64_t archive_bytes;
    struct archive_size size;
    char *chunk; /* CHUNK_BYTES */
};

static int damaged(const struct unpacking *u, struct err *err)
{
    const char *why = lib.error_string(u->archive);
    char shown[SHOWN_NAME_SIZE];
    show_name(str_c(why == NULL ? "it ends too early" : why), shown);
    return err_set(err, ERR_ARCHIVE_DAMAGED, "%s: %s", u->what->path, shown);
}

static int check_limits(const struct unpacking *u, struct str name, int64_t bytes, struct err *err)
{
    const struct archive_limits *limits = &u->what->limits;
    char shown[SHOWN_NAME_SIZE];
    show_name(name, shown);
    if (u->size.entries > limits->entries) {
        return err_set(err, ERR_ARCHIVE_LIMIT, "%s: more than %lld entries", shown,
                       (long long)limits->entries);
    }
    if (bytes > limits->bytes) {
        return err_set(err, ERR_ARCHIVE_LIMIT, "%s: more than %lld bytes unpacked", shown,
                       (long long)limits->bytes);
    }
    if (bytes > RATIO_FROM && bytes / limits->ratio > u->archive_bytes) {
        return err_set(err, ERR_ARCHIVE_LIMIT, "%s: more than %lld times the size of the archive",
                       shown, (long long)limits->ratio);
    }
    return 0;
}

/* With this mode whatever the umask is: a service of another user has to read it. */
static int make_folder(int parent, const char *name)
{
    return mkdirat(parent, name, 0755) < 0 ? -1 : fchmodat(parent, name, 0755, 0);
}

/* Opens the folder that holds the last component of the path, and makes the folders on the way. No
 * component is followed if it is a link. */
static int open_parent(const struct unpacking *u, const struct inside *path, int *ret_fd,
                       const char **ret_name, struct err *err)
{
    struct str rest = str_c(path->text), part;
    AUTO_FD int at = fcntl(u->root, F_DUPFD_CLOEXEC, 0);
    while (at >= 0 && str_split(&rest, '/', &part) && rest.len > 0) {
        char name[NAME_BYTES_MAX + 1];
        (void)str_copy(part, name, sizeof(name));
        if (make_folder(at, name) < 0 && errno != EEXIST) {
            return file_error(err, errno, "make a folder", path->text);
        }
        int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && (errno == ELOOP || errno == ENOTDIR)) {
            return refuse(err, str_c(path->text), "the path leads through a link or a file");
        }
        (void)close(at);
        at = next;
    }
    if (at < 0) {
        return file_error(err, errno, "open a folder", path->text);
    }
    const char *slash = strrchr(path->text, '/');
    *ret_name = slash == NULL ? path->text : slash + 1;
    *ret_fd = TAKE_FD(at);
    return 0;
}

static int made(const struct inside *path, int rc, struct err *err)
{
    if (rc >= 0) {
        return 0;
    }
    return errno == EEXIST ? refuse(err, str_c(path->text), "the name is given twice")
                           : file_error(err, errno, "create", path->text);
}

static int write_bytes(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        bytes += n < 0 ? 0 : n;
        size -= n < 0 ? 0 : (size_t)n;
    }
    return 0;
}

static int unpack_data(struct unpacking *u, const struct inside *path, int fd, struct err *err)
{
    for (;;) {
        if (u->what->stop != NULL && atomic_load(u->what->stop)) {
            return err_set(err, ERR_ARCHIVE_STOPPED, "%s", path->text);
        }
        la_ssize_t n = lib.read_data(u->archive, u->chunk, CHUNK_BYTES);
        if (n <= 0) {
            return n == 0 ? 0 : damaged(u, err);
        }
        int rc = check_limits(u, str_c(path->text), u->size.bytes + n, err);
        if (rc < 0) {
            return rc;
        }
        if (write_bytes(fd, u->chunk, (size_t)n) < 0) {
            return file_error(err, errno, "write", path->text);
        }
        u->size.bytes += n;
    }
}

static int unpack_file(struct unpacking *u, struct archive_entry *entry, int parent,
                       const char *name, const struct inside *path, struct err *err)
{
    int rc = check_limits(u, str_c(path->text), u->size.bytes + lib.entry_size(entry), err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FD int fd =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    rc = made(path, fd, err);
    rc = rc < 0 ? rc : unpack_data(u, path, fd, err);
    mode_t mode = (lib.entry_mode(entry) & 0100) != 0 ? 0755 : 0644;
    if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0)) {
        return file_error(err, errno, "sync", path->text);
    }
    return rc;
}

static int unpack_hard_link(const struct unpacking *u, struct str target, int parent,
                            const char *name, const struct inside *path, struct err *err)
{
    struct inside from;
    AUTO_FD int from_parent = -1;
    const char *from_name;
    struct stat st;
    const char *why = read_path(target, &from);
    if (why != NULL || from.depth == 0) {
        return refuse(err, str_c(path->text), why != NULL ? why : "a hard link to a folder");
    }
    int rc = open_parent(u, &from, &from_parent, &from_name, err);
    if (rc < 0) {
        return rc;
    }
    if (fstatat(from_parent, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) {
        return refuse(err, str_c(path->text), "a hard link to what is no file of this archive");
    }
    return made(path, linkat(from_parent, from_name, parent, name, 0), err);
}

static int unpack_link(struct str target, int parent, const char *name, const struct inside *path,
                       struct err *err)
{
    char text[PATH_BYTES_MAX + 1];
    const char *why = bad_target(path, target);
    if (why != NULL) {
        return refuse(err, str_c(path->text), why);
    }
    (void)str_copy(target, text, sizeof(text));
    return made(path, symlinkat(text, parent, name), err);
}

/* A folder may be there already: an entry of a file in it can come first. */
static int unpack_folder(int parent, const char *name, const struct inside *path, struct err *err)
{
    struct stat st;
    if (make_folder(parent, name) == 0) {
        return 0;
    }
    bool folder = errno == EEXIST && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                  S_ISDIR(st.st_mode);
    return folder ? 0 : made(path, -1, err);
}

static struct str first_text(const char *utf8, const char *bytes)
{
    return str_c(utf8 != NULL ? utf8 : bytes);
}

static int unpack_entry(struct unpacking *u, struct archive_entry *entry, struct err *err)
{
    struct str name = first_text(lib.entry_pathname_utf8(entry), lib.entry_pathname(entry));
    struct str hard_link = first_text(lib.entry_hardlink_utf8(entry), lib.entry_hardlink(entry));
    __LA_MODE_T type = lib.entry_filetype(entry);
    struct inside path;
    const char *why = read_path(name, &path);
    u->size.entries++;
    int rc = check_limits(u, name, u->size.bytes, err);
    if (rc < 0) {
        return rc;
    }
    if (why == NULL && hard_link.len == 0 && type != AE_IFREG && type != AE_IFDIR &&
        type != AE_IFLNK) {
        why = type == AE_IFIFO ? "a named pipe" : type == AE_IFSOCK ? "a socket" : "a device";
    } else if (why == NULL && (lib.entry_mode(entry) & (S_ISUID | S_ISGID)) != 0) {
        why = "it has a setuid or setgid bit";
    } else if (why == NULL && lib.entry_is_encrypted(entry) == 1) {
        why = "it is encrypted";
    } else if (why == NULL && path.depth == 0 && type != AE_IFDIR) {
        why = "it has no name";
    }
    if (why != NULL) {
        return refuse(err, name, why);
    }
    if (path.depth == 0) {
        return 0; /* "./" */
    }
    AUTO_FD int parent = -1;
    const char *last;
    rc = open_parent(u, &path, &parent, &last, err);
    if (rc < 0) {
        return rc;
    }
    if (hard_link.len > 0) {
        return unpack_hard_link(u, hard_link, parent, last, &path, err);
    }
    return type == AE_IFDIR ? unpack_folder(parent, last, &path, err)
           : type == AE_IFLNK
               ? unpack_link(first_text(lib.entry_symlink_utf8(entry), lib.entry_symlink(entry)),
                             parent, last, &path, err)
               : unpack_file(u, entry, parent, last, &path, err);
}

static int unpack_entries(struct unpacking *u, struct err *err)
{
    for (;;) {
        struct archive_entry *entry;
        int code = lib.read_next_header(u->archive, &entry);
        if (code == ARCHIVE_EOF) {
            return u->size.entries > 0
                       ? 0
                       : err_set(err, ERR_ARCHIVE_DAMAGED, "%s: it has no entries", u->what->path);
        }
        /* A warning is about a name that the locale cannot show; bytes are enough here. */
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
            return damaged(u, err);
        }
        bool plain = (lib.format(u->archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR &&
                     lib.filter_code(u->archive, 0) == ARCHIVE_FILTER_NONE;
        int rc = plain ? err_set(err, ERR_ARCHIVE_REFUSED,
                                 "%s: a tar without compression; nothing shows that it is complete",
                                 u->what->path)
                       : unpack_entry(u, entry, err);
        if (rc < 0) {
            return rc;
        }
    }
}

static int open_archive(struct unpacking *u, int fd, struct err *err)
{
    u->archive = lib.read_new();
    ASSERT(u->archive != NULL);
    (void)lib.read_support_filter_gzip(u->archive);
    (void)lib.read_support_filter_xz(u->archive);
    (void)lib.read_support_filter_zstd(u->archive);
    (void)lib.read_support_filter_bzip2(u->archive);
    (void)lib.read_support_format_tar(u->archive);
    (void)lib.read_support_format_zip_seekable(u->archive);
    /* Read to the end of the compressed data, where its checksum is, not only to that of the tar.
     */
    (void)lib.read_set_options(u->archive, "tar:read_concatenated_archives");
    return lib.read_open_fd(u->archive, fd, CHUNK_BYTES) == ARCHIVE_OK ? 0 : damaged(u, err);
}

/* Syncs the folders below fd; files were synced when they were written. */
static int sync_folders(int fd, int depth)
{
    DIR *dir = fdopendir(dup(fd));
    const struct dirent *entry;
    int rc = dir == NULL ? -1 : 0;
    while (rc == 0 && depth < DEPTH_MAX + 1 && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' &&
            (entry->d_name[1] == '\0' || strcmp(entry->d_name, "..") == 0)) {
            continue;
        }
        AUTO_FD int below =
            openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rc = below < 0 ? 0 : sync_folders(below, depth + 1);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return rc < 0 ? rc : fsync(fd);
}

static int sync_path(const char *folder)
{
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

static int unpack_into(struct unpacking *u, const char *parent, const char *hidden, struct err *err)
{
    u->root = open(hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (u->root < 0 || fchmod(u->root, 0755) < 0) {
        return file_error(err, errno, "open", hidden);
    }
    int rc = unpack_entries(u, err);
    if (rc < 0) {
        return rc;
    }
    if (sync_folders(u->root, 0) < 0) {
        return file_error(err, errno, "sync", hidden);
    }
    if (u->what->stop != NULL && atomic_load(u->what->stop)) {
        return err_set(err, ERR_ARCHIVE_STOPPED, "%s", u->what->path);
    }
    /* It replaces nothing: a folder that has files cannot be the target of a rename. */
    if (rename(hidden, u->what->into) < 0) {
        return file_error(err, errno, "rename the unpacked folder to", u->what->into);
    }
    return sync_path(parent) < 0 ? file_error(err, errno, "sync", parent) : 0;
}

int archive_unpack(const struct archive_unpack *what, struct archive_size *ret, struct err *err)
{
    struct unpacking u = {.what = what, .root = -1};
    struct stat st;
    char hidden[PATH_MAX], parent[PATH_MAX];
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    const char *slash = strrchr(what->into, '/');
    ASSERT(slash != NULL && slash > what->into);
    int wrote = snprintf(parent, sizeof(parent), "%.*s", (int)(slash - what->into), what->into);
    wrote = wrote < 0 ? wrote
                      : snprintf(hidden, sizeof(hidden), "%s/" ARCHIVE_TEMPORARY "XXXXXX", parent);
    if (wrote < 0 || (size_t)wrote >= sizeof(hidden)) {
        return file_error(err, ENAMETOOLONG, "unpack into", what->into);
    }
    AUTO_FD int fd = open(what->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return file_error(err, errno, "open", what->path);
    }
    if (!S_ISREG(st.st_mode)) {
        return file_error(err, EINVAL, "read what is not a regular file", what->path);
    }
    u.archive_bytes = st.st_size;
    rc = open_archive(&u, fd, err);
    if (rc == 0 && mkdtemp(hidden) == NULL) {
        rc = file_error(err, errno, "make a folder in", parent);
    } else if (rc == 0) {
        u.chunk = malloc(CHUNK_BYTES);
        ASSERT(u.chunk != NULL);
        rc = unpack_into(&u, parent, hidden, err);
        free(u.chunk);
        if (rc < 0) {
            (void)file_remove_tree(hidden, NULL);
        }
    }
    if (u.root >= 0) {
        (void)close(u.root);
    }
    (void)lib.read_free(u.archive);
    if (rc == 0 && ret != NULL) {
        *ret = u.size;
    }
    return rc;
}

/* ---------------------------------------------------------------- packing */

struct packing {
    struct archive *archive;
    struct archive_size size;
    char *chunk;
};

static int write_failed(const struct packing *p, struct str name, struct err *err)
{
    const char *why = lib.error_string(p->archive);
    char shown[SHOWN_NAME_SIZE];
    show_name(name, shown);
    return err_set(err, ERR_FILE_FAILED, "%s: could not pack: %.80s", shown,
                   why == NULL ? "unknown" : why);
}

static int pack_header(struct packing *p, const struct inside *path, const struct stat *st,
                       const char *target, struct err *err)
{
    struct archive_entry *entry = lib.entry_new();
    ASSERT(entry != NULL);
    bool runs = S_ISDIR(st->st_mode) || (st->st_mode & 0100) != 0;
    lib.entry_set_pathname(entry, path->text);
    lib.entry_set_filetype(entry, st->st_mode & S_IFMT);
    lib.entry_set_perm(entry, runs ? 0755 : 0644);
    lib.entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
    lib.entry_set_mtime(entry, 0, 0);
    if (target != NULL) {
        lib.entry_set_symlink(entry, target);
    }
    int code = lib.write_header(p->archive, entry);
    lib.entry_free(entry);
    p->size.entries++;
    return code == ARCHIVE_OK || code == ARCHIVE_WARN ? 0 : write_failed(p, str_c(path->text), err);
}

static int pack_file(struct packing *p, const struct inside *path, const struct stat *st, int at,
                     const char *name, struct err *err)
{
    AUTO_FD int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return file_error(err, errno, "open", path->text);
    }
    int rc = pack_header(p, path, st, NULL, err);
    int64_t left = st->st_size;
    while (rc == 0 && left > 0) {
        ssize_t n = read(fd, p->chunk, left < (int64_t)CHUNK_BYTES ? (size_t)left : CHUNK_BYTES);
        if (n <= 0) {
            rc = n < 0 ? file_error(err, errno, "read", path->text)
                       : err_set(err, ERR_FILE_FAILED, "%s: it became shorter", path->text);
        } else if (lib.write_data(p->archive, p->chunk, (size_t)n) != n) {
            rc = write_failed(p, str_c(path->text), err);
        } else {
            left -= n;
            p->size.bytes += n;
        }
    }
    return rc;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_real(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int pack_folder(struct packing *p, int fd, const char *path, struct err *err);

static int pack_one(struct packing *p, int at, const char *folder, const char *name,
                    struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(PATH_BYTES_MAX + NAME_MAX + 2);
    char target[PATH_BYTES_MAX + 2] = "";
    struct inside path;
    struct stat st;
    buf_addf(&text, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);
    const char *why = read_path(buf_str(&text), &path);
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return file_error(err, errno, "look at", text.data);
    }
    if (why == NULL && S_ISLNK(st.st_mode)) {
        ssize_t n = readlinkat(at, name, target, sizeof(target) - 1);
        why = bad_target(&path, str_n(target, n < 0 ? 0 : (size_t)n));
    } else if (why == NULL && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        why = "neither a file, a folder nor a link";
    } else if (why == NULL && !S_ISDIR(st.st_mode) && (st.st_mode & (S_ISUID | S_ISGID)) != 0) {
        why = "it has a setuid or setgid bit";
    }
    if (why != NULL) {
        return refuse(err, buf_str(&text), why);
    }
    if (S_ISREG(st.st_mode)) {
        return pack_file(p, &path, &st, at, name, err);
    }
    int rc = pack_header(p, &path, &st, S_ISLNK(st.st_mode) ? target : NULL, err);
    if (rc < 0 || S_ISLNK(st.st_mode)) {
        return rc;
    }
    AUTO_FD int below = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return below < 0 ? file_error(err, errno, "open", path.text)
                     : pack_folder(p, below, path.text, err);
}

static int pack_folder(struct packing *p, int fd, const char *path, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandirat(fd, ".", &entries, is_real, by_bytes);
    int rc = count < 0 ? file_error(err, errno, "list", path) : 0;
    for (int i = 0; i < count; i++) {
        rc = rc < 0 ? rc : pack_one(p, fd, path, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int pack_to(struct packing *p, int folder, int out, const char *path, struct err *err)
{
    p->archive = lib.write_new();
    ASSERT(p->archive != NULL);
    (void)lib.write_set_format_pax_restricted(p->archive);
    (void)lib.write_add_filter_gzip(p->archive);
    (void)lib.write_set_options(p->archive, "gzip:!timestamp");
    int rc =
        lib.write_open_fd(p->archive, out) == ARCHIVE_OK ? 0 : write_failed(p, str_c(path), err);
    rc = rc < 0 ? rc : pack_folder(p, folder, "", err);
    if (rc == 0 && p->size.entries == 0) {
        rc = err_set(err, ERR_ARCHIVE_REFUSED, "%s: there is nothing to pack", path);
    }
    if (rc == 0 && lib.write_close(p->archive) != ARCHIVE_OK) {
        rc = write_failed(p, str_c(path), err);
    }
    (void)lib.write_free(p->archive);
    return rc;
}

/* A device or a pipe is written as it is; a rename would put a file in its place. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

int archive_pack(const char *folder, const char *path, struct archive_size *ret, struct err *err)
{
    struct packing p = {.size = {0}};
    char temporary[PATH_MAX];
    bool special = is_special(path);
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FD int from = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0) {
        return file_error(err, errno, "open", folder);
    }
    int wrote = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    bool fits = wrote > 0 && (size_t)wrote < sizeof(temporary);
    AUTO_FD int out = !fits     ? -1
                      : special ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
                                : mkostemp(temporary, O_CLOEXEC);
    if (out < 0) {
        return file_error(err, fits ? errno : ENAMETOOLONG, "create a file next to", path);
    }
    p.chunk = malloc(CHUNK_BYTES);
    ASSERT(p.chunk != NULL);
    rc = pack_to(&p, from, out, folder, err);
    free(p.chunk);
    if (rc == 0 && !special &&
        (fchmod(out, 0644) < 0 || fsync(out) < 0 || rename(temporary, path) < 0)) {
        rc = file_error(err, errno, "write", path);
    }
    if (rc < 0 && !special) {
        (void)unlink(temporary);
    } else if (rc == 0 && ret != NULL) {
        *ret = p.size;
    }
    return rc;
}
