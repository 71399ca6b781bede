#include "store/backup.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/db.h"
#include "io/file.h"
#include "store/ops.h"
#include "store/trading.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const databases[] = {"ops.db", "trading.db"};

struct path {
    char text[PATH_MAX];
};

static struct path in(const char *folder, const char *name)
{
    struct path path;
    (void)snprintf(path.text, sizeof(path.text), "%.3000s/%.250s", folder, name);
    return path;
}

static struct path folder_of(const char *state_dir, const char *name)
{
    struct path backups = in(state_dir, "backups");
    return in(backups.text, name);
}

static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < BACKUP_NAME_SIZE && name[0] != '.' &&
           strspn(name, "0123456789-TZ") == len;
}

void backup_name(int64_t wall_us, char ret[BACKUP_NAME_SIZE])
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, wall_us, false);
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] = (char)(text.data[i] == ':' ? '-' : text.data[i]);
    }
    (void)str_copy(buf_str(&text), ret, BACKUP_NAME_SIZE);
}

/* Copies both databases of one folder into another, which exists. */
static int copy(const char *from, const char *to, struct err *err)
{
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    struct path ops_copy = in(to, databases[0]), trading_copy = in(to, databases[1]);
    int rc = ops_store_open(from, OPS_STORE_READ, &ops, err);
    rc = rc < 0 ? rc : db_backup(ops_store_db(ops), ops_copy.text, err);
    rc = rc < 0 ? rc : trading_store_open(from, TRADING_STORE_READ, &trading, err);
    return rc < 0 ? rc : db_backup(trading_store_db(trading), trading_copy.text, err);
}

static int check_folder(const char *folder, struct err *err)
{
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    int rc = ops_store_open(folder, OPS_STORE_READ, &ops, err);
    rc = rc < 0 ? rc : ops_store_check(ops, err);
    rc = rc < 0 ? rc : trading_store_open(folder, TRADING_STORE_READ, &trading, err);
    return rc < 0 ? rc : db_quick_check(trading_store_db(trading), err);
}

/* Fills a new folder with verified copies, under another name until it is complete. */
static int fill(const char *from, const char *folder, struct err *err)
{
    struct path part;
    (void)snprintf(part.text, sizeof(part.text), "%.4000s.part", folder);
    int rc = file_remove_tree(part.text, err);
    rc = rc < 0 ? rc : file_make_folder(part.text, 0750, err);
    rc = rc < 0 ? rc : copy(from, part.text, err);
    rc = rc < 0 ? rc : check_folder(part.text, err);
    if (rc == 0 && rename(part.text, folder) < 0) {
        rc = file_error(err, errno, "rename", part.text);
    }
    if (rc < 0) {
        (void)file_remove_tree(part.text, NULL);
    }
    return rc;
}

static int64_t size_of(const char *folder, const char *name)
{
    struct stat st;
    struct path path = in(folder, name);
    return stat(path.text, &st) == 0 ? (int64_t)st.st_size : 0;
}

int backup_make(const char *state_dir, const char *name, struct backup_sizes *ret, struct err *err)
{
    struct path folder = folder_of(state_dir, name), backups = in(state_dir, "backups");
    int rc = file_make_folder(backups.text, 0750, err);
    if (rc == 0) {
        rc = file_exists(folder.text) ? check_folder(folder.text, err)
                                      : fill(state_dir, folder.text, err);
    }
    if (rc == 0) {
        *ret = (struct backup_sizes){.ops_bytes = size_of(folder.text, databases[0]),
                                     .trading_bytes = size_of(folder.text, databases[1])};
    }
    return rc;
}

int backup_check(const char *state_dir, const char *name, struct err *err)
{
    struct path folder = folder_of(state_dir, name);
    return name_is_valid(name) && file_exists(folder.text)
               ? check_folder(folder.text, err)
               : err_set(err, ERR_BACKUP_UNKNOWN, "%.40s", name);
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(b, a);
}

int backup_list(const char *state_dir, char ret[BACKUP_KEEP_MAX][BACKUP_NAME_SIZE], struct err *err)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    struct path backups = in(state_dir, "backups");
    if (!file_exists(backups.text)) {
        return 0;
    }
    int rc = file_list(backups.text, 1000, &names, err);
    size_t n = 0;
    for (size_t i = 0; rc >= 0 && i < names.count && n < BACKUP_KEEP_MAX; i++) {
        if (name_is_valid(names.items[i])) {
            (void)str_copy(str_c(names.items[i]), ret[n++], BACKUP_NAME_SIZE);
        }
    }
    if (rc >= 0 && n > 0) {
        qsort(ret, n, BACKUP_NAME_SIZE, newest_first);
    }
    return rc < 0 ? rc : (int)n;
}

int backup_prune(const char *state_dir, int keep, struct err *err)
{
    char names[BACKUP_KEEP_MAX][BACKUP_NAME_SIZE];
    int n = backup_list(state_dir, names, err);
    int rc = n < 0 ? n : 0;
    for (int i = keep; rc == 0 && i < n; i++) {
        struct path folder = folder_of(state_dir, names[i]);
        rc = file_remove_tree(folder.text, err);
    }
    return rc;
}

/* ---------------------------------------------------------------------------------- restore ----
 */

int backup_stage(const char *state_dir, const char *name, struct err *err)
{
    struct path folder = folder_of(state_dir, name), staged = in(state_dir, "restore");
    bool none = strcmp(name, BACKUP_NONE) == 0;
    int rc = none ? 0 : backup_check(state_dir, name, err);
    rc = rc < 0 ? rc : file_remove_tree(staged.text, err);
    return rc < 0 || none ? rc : fill(folder.text, staged.text, err);
}

bool backup_is_staged(const char *state_dir)
{
    struct path staged = in(state_dir, "restore");
    return file_exists(staged.text);
}

/* Renames if the file is there. */
static int move(const char *from, const char *to, const char *name, struct err *err)
{
    struct path source = in(from, name), target = in(to, name);
    return rename(source.text, target.text) == 0 || errno == ENOENT
               ? 0
               : file_error(err, errno, "rename", source.text);
}

/* The write-ahead log goes first: a database must never meet the log of another. */
static int replace(const char *state_dir, const char *staged, const char *replaced,
                   const char *name, struct err *err)
{
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    struct path waiting = in(staged, name);
    int rc = 0;
    for (size_t i = 0; rc == 0 && file_exists(waiting.text) && i < COUNT_OF(suffixes); i++) {
        char file[64];
        (void)snprintf(file, sizeof(file), "%s%s", name, suffixes[i]);
        rc = move(state_dir, replaced, file, err);
    }
    return rc < 0 ? rc : move(staged, state_dir, name, err);
}

/* The file `begun` says that `replaced` belongs to this restore. */
static int begin(const char *staged, const char *replaced, struct err *err)
{
    struct path begun = in(staged, "begun");
    if (file_exists(begun.text)) {
        return 0;
    }
    int rc = check_folder(staged, err);
    rc = rc < 0 ? rc : file_remove_tree(replaced, err);
    rc = rc < 0 ? rc : file_make_folder(replaced, 0750, err);
    return rc < 0 ? rc : file_write(begun.text, STR_LIT("\n"), 0640, err);
}

int backup_apply(const char *state_dir, bool *ret_applied, struct err *err)
{
    struct path staged = in(state_dir, "restore"), replaced = in(state_dir, "replaced");
    *ret_applied = file_exists(staged.text);
    if (!*ret_applied) {
        return 0;
    }
    int rc = begin(staged.text, replaced.text, err);
    for (size_t i = 0; rc == 0 && i < COUNT_OF(databases); i++) {
        rc = replace(state_dir, staged.text, replaced.text, databases[i], err);
    }
    return rc < 0 ? rc : file_remove_tree(staged.text, err);
}
