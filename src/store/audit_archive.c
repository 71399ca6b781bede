#include "audit_row.h"
#include "base/check.h"
#include "io/file.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>

/* A file is AUDIT_ARCHIVE_FIRST and then one line per row: its encoding, with the hash as one more
 * field. A field may contain line breaks, so rows are parsed by their lengths, not by lines. */

#define FOLDER    "audit"
#define NAME_WORD "audit-"
#define FILE_MODE 0640

static int folder_of(const struct ops_store *store, struct buf *out, struct err *err)
{
    if (store->dir == NULL) {
        return err_set(err, ERR_FILE_MISSING, "a database in memory has no archives");
    }
    buf_addf(out, "%s/" FOLDER, store->dir);
    return 0;
}

static int path_of(const struct ops_store *store, const char *file, struct buf *out,
                   struct err *err)
{
    int rc = folder_of(store, out, err);
    buf_addf(out, "/%s", file);
    return rc;
}

static void name_archive(struct audit_archive *archive)
{
    (void)snprintf(archive->file, sizeof(archive->file), NAME_WORD "%010lld-%010lld.log",
                   (long long)archive->first_id, (long long)archive->last_id);
}

/* ------------------------------------------------------------------ the row that names it */

static void describe(const struct audit_archive *archive, struct buf *out)
{
    buf_addf(out, "%s rows %lld to %lld hash %s last %s", archive->file,
             (long long)archive->first_id, (long long)archive->last_id, archive->bytes.hex,
             archive->last.hex);
}

static bool read_word(struct str *rest, const char *wanted)
{
    struct str word;
    return str_word(rest, &word) && str_equal_c(word, wanted);
}

static bool read_number(struct str *rest, int64_t *ret)
{
    struct str word;
    return str_word(rest, &word) && str_to_i64(word, ret);
}

static bool read_hash(struct str *rest, struct audit_hash *ret)
{
    struct str word;
    return str_word(rest, &word) && str_copy(word, ret->hex, sizeof(ret->hex));
}

bool audit_archive_parse(struct str detail, struct audit_archive *ret)
{
    struct str file;
    *ret = (struct audit_archive){.first_id = 0};
    if (!str_word(&detail, &file) || !read_word(&detail, "rows") ||
        !read_number(&detail, &ret->first_id) || !read_word(&detail, "to") ||
        !read_number(&detail, &ret->last_id) || !read_word(&detail, "hash") ||
        !read_hash(&detail, &ret->bytes) || !read_word(&detail, "last") ||
        !read_hash(&detail, &ret->last) || ret->first_id < 1 || ret->last_id < ret->first_id) {
        return false;
    }
    name_archive(ret); /* do not use a path from a row that is not verified yet */
    return str_equal_c(file, ret->file);
}

int audit_archive_newest(struct ops_store *store, struct audit_archive *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT detail FROM audit_log WHERE action = '" AUDIT_ARCHIVED "'"
                           " ORDER BY id DESC LIMIT 1",
                           DB_NO_VALUES, &row, err);
    return rc <= 0 ? rc : audit_archive_parse(row_str(&row), ret);
}

/* ------------------------------------------------------------------ reading */

int audit_archive_load(const struct ops_store *store, const struct audit_archive *archive,
                       struct buf *out, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    int rc = path_of(store, archive->file, &path, err);
    return rc < 0 ? rc : file_read(path.data, out, err);
}

static bool read_field(struct str *rest, struct str *ret)
{
    struct str digits;
    int64_t length = 0;
    struct str after = *rest;
    if (!str_split(&after, ':', &digits) || !str_to_i64(digits, &length) || length < 0 ||
        (uint64_t)length > after.len) {
        return false;
    }
    *ret = str_n(after.ptr, (size_t)length);
    *rest = str_n(after.ptr + length, after.len - (size_t)length);
    return true;
}

static bool read_field_number(struct str *rest, int64_t *ret)
{
    struct str text;
    return read_field(rest, &text) && str_to_i64(text, ret);
}

bool audit_archive_next(struct str *rest, struct audit_raw *ret)
{
    struct str word;
    struct str at = *rest;
    if (!read_field(&at, &word) || !str_equal_c(word, "row") || !read_field_number(&at, &ret->id) ||
        !read_field_number(&at, &ret->at_us)) {
        return false;
    }
    for (int i = 0; i < AUDIT_FIELDS; i++) {
        if (!read_field(&at, &ret->fields[i])) {
            return false;
        }
    }
    if (!read_field(&at, &ret->prev) || !read_field(&at, &ret->hash) || at.len == 0 ||
        at.ptr[0] != '\n') {
        return false;
    }
    *rest = str_n(at.ptr + 1, at.len - 1);
    return true;
}

/* ------------------------------------------------------------------ archiving */

static int first_row(struct ops_store *store, int64_t *ret_id, struct audit_hash *ret_prev,
                     struct err *err)
{
    AUTO_ROW struct row row = {0};
    *ret_id = 0;
    int rc = row_query_one(store->db, "SELECT id, prev_hash FROM audit_log ORDER BY id LIMIT 1",
                           DB_NO_VALUES, &row, err);
    if (rc > 0) {
        *ret_id = row_i64(&row);
        (void)str_copy(row_str(&row), ret_prev->hex, sizeof(ret_prev->hex));
    }
    return rc < 0 ? rc : 0;
}

/* 1 if the first min_rows rows are old enough. Reads only the last of them. */
static int is_due(struct ops_store *store, const struct audit_archive_options *options,
                  int64_t first_id, struct err *err)
{
    int64_t at_us = 0;
    int rc =
        db_get_i64(store->db, "SELECT at_us FROM audit_log WHERE id = ?",
                   DB_VALUES(DB_I64(first_id + options->min_rows - 1)), INT64_MAX, &at_us, err);
    return rc < 0 ? rc : at_us < options->before_us;
}

/* Checks the rows and appends them to out in the format of the file. */
static int collect(struct ops_store *store, const struct audit_archive_options *options,
                   struct audit_archive *archive, struct buf *out, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t last_id = 0;
    int rc = db_get_i64(store->db, "SELECT max(id) FROM audit_log", DB_NO_VALUES, 0, &last_id, err);
    if (rc == 0) {
        rc = db_query(store->db,
                      "SELECT id, at_us, user, channel, action, detail, result, prev_hash, hash"
                      " FROM audit_log WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64(archive->first_id), DB_I64(last_id - AUDIT_ROWS_KEPT),
                                DB_I64(AUDIT_ARCHIVE_ROWS)),
                      &rows, err);
    }
    archive->last_id = archive->first_id - 1;
    buf_add_c(out, AUDIT_ARCHIVE_FIRST);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct audit_raw row;
        struct audit_chain_result result = {.ok = true};
        audit_row_read(rows, 0, &row);
        if (row.at_us >= options->before_us) {
            break;
        }
        if (!audit_row_follows(store, &row, archive->last_id + 1, &archive->last, &result)) {
            return err_set(err, ERR_AUDIT_CHAIN, "row %lld: %s", (long long)result.bad_id,
                           result.why);
        }
        audit_row_encode(&row, out);
        buf_addf(out, "%zu:", row.hash.len);
        buf_add_str(out, row.hash);
        buf_add_char(out, '\n');
        archive->last_id = row.id;
    }
    return rc < 0 ? rc : 0;
}

/* Deletes the files that a crash left: archives of rows that are still in the table, and partial
 * files. */
static void remove_leftovers(const char *folder, const struct audit_archive *archive)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        struct str rest = str_c(entry->d_name), digits;
        int64_t first_id = 0;
        if (!str_starts(rest, NAME_WORD) || strcmp(entry->d_name, archive->file) == 0) {
            continue;
        }
        rest = str_n(rest.ptr + strlen(NAME_WORD), rest.len - strlen(NAME_WORD));
        if (str_split(&rest, '-', &digits) && str_to_i64(digits, &first_id) &&
            first_id >= archive->first_id) {
            AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
            buf_addf(&path, "%s/%s", folder, entry->d_name);
            (void)remove(path.data);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static int write_file(struct ops_store *store, const struct audit_archive *archive,
                      struct str bytes, struct err *err)
{
    AUTO_BUF struct buf folder = BUF_INIT(PATH_MAX), path = BUF_INIT(PATH_MAX);
    int rc = folder_of(store, &folder, err);
    if (rc < 0 || (rc = path_of(store, archive->file, &path, err)) < 0 ||
        (rc = file_make_folder(folder.data, 0750, err)) < 0) {
        return rc;
    }
    remove_leftovers(folder.data, archive);
    return file_write(path.data, bytes, FILE_MODE, err);
}

static int remove_archived(struct ops_store *store, const struct audit_archive_options *options,
                           const struct audit_archive *archive, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    AUTO_BUF struct buf detail = BUF_INIT(512);
    int64_t id = 0;
    describe(archive, &detail);
    const struct audit_entry entry = {.at_us = options->now_us,
                                      .user = options->user,
                                      .channel = options->channel,
                                      .action = AUDIT_ARCHIVED,
                                      .detail = detail.data,
                                      .result = "ok"};
    int rc = row_begin(store->db, &own, err);
    if (rc == 0) {
        rc = audit_chain_append(store, &entry, &id, err);
    }
    if (rc == 0) {
        rc = db_run(store->db, "DELETE FROM audit_log WHERE id >= ? AND id <= ?",
                    DB_VALUES(DB_I64(archive->first_id), DB_I64(archive->last_id)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int audit_chain_archive(struct ops_store *store, const struct audit_archive_options *options,
                        int64_t *ret_rows, struct err *err)
{
    ASSERT(options->min_rows >= 1 && options->min_rows <= AUDIT_ARCHIVE_ROWS);
    struct audit_archive archive = {.first_id = 0};
    AUTO_BUF struct buf bytes = BUF_INIT(AUDIT_ARCHIVE_MAX);
    *ret_rows = 0;
    if (!store->has_key) {
        return err_set(err, ERR_SECRET_KEY, "audit.key is missing or not readable");
    }
    int rc = first_row(store, &archive.first_id, &archive.last, err);
    if (rc < 0 || archive.first_id == 0 ||
        (rc = is_due(store, options, archive.first_id, err)) <= 0 ||
        (rc = collect(store, options, &archive, &bytes, err)) < 0) {
        return rc;
    }
    int64_t rows = archive.last_id - archive.first_id + 1;
    if (rows < options->min_rows) {
        return 0;
    }
    if (buf_failed(&bytes)) {
        return err_set(err, ERR_FILE_TOO_LARGE, "an archive of the audit log");
    }
    archive.bytes = audit_hash_bytes(store, buf_str(&bytes));
    name_archive(&archive);
    if ((rc = write_file(store, &archive, buf_str(&bytes), err)) < 0 ||
        (rc = remove_archived(store, options, &archive, err)) < 0) {
        return rc;
    }
    *ret_rows = rows;
    return 0;
}
