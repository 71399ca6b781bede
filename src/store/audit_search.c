#include "store/audit_search.h"

#include "audit_row.h"
#include "base/check.h"
#include "io/file.h"

#include <limits.h>
#include <string.h>

#define ARCHIVES_MAX 100000
#define PAGE_ROWS    256

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* The text after "run 12: " or "run 12 of alice: ", or in the quotes of a refused line. */
static struct str line_of(const struct audit_row *row)
{
    struct str rest = str_c(row->detail), part;
    if (str_starts(rest, "run ") && str_split(&rest, ':', &part)) {
        return str_trim(rest);
    }
    rest = str_c(row->detail);
    if (str_starts(rest, "\"")) {
        rest = str_n(rest.ptr + 1, rest.len - 1);
    }
    return str_starts(rest, "/") ? str_n(rest.ptr + 1, rest.len - 1) : rest;
}

static bool is_command(const struct audit_row *row, const char *command)
{
    struct str line = line_of(row);
    size_t len = strlen(command);
    return str_starts(line, command) && (line.len == len || strchr(" :@\"", line.ptr[len]) != NULL);
}

static bool is_of_run(const struct audit_row *row, int64_t run_id)
{
    char prefix[32];
    (void)snprintf(prefix, sizeof(prefix), "run %lld", (long long)run_id);
    size_t len = strlen(prefix);
    return strncmp(row->detail, prefix, len) == 0 &&
           (row->detail[len] == ':' || row->detail[len] == ' ');
}

static bool has_result(const struct audit_row *row, const char *wanted)
{
    return strcmp(wanted, "failed") == 0 ? strcmp(row->result, "ok") != 0
                                         : str_equal_nocase(str_c(row->result), wanted);
}

bool audit_filter_matches(const struct audit_filter *f, const struct audit_row *row)
{
    return row->at_us >= f->since_us && (f->before_id == 0 || row->id < f->before_id) &&
           row->id > f->after_id && (!is_given(f->user) || strcmp(row->user, f->user) == 0) &&
           (!is_given(f->command) || is_command(row, f->command)) &&
           (!is_given(f->result) || has_result(row, f->result)) &&
           (f->run_id == 0 || is_of_run(row, f->run_id));
}

static int read_row(struct db_rows *rows, struct audit_row *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct audit_row){0};
    ret->id = row_i64(&row);
    ret->at_us = row_i64(&row);
    row_text(&row, ret->user, sizeof(ret->user));
    row_text(&row, ret->channel, sizeof(ret->channel));
    row_text(&row, ret->action, sizeof(ret->action));
    row_text(&row, ret->detail, sizeof(ret->detail));
    row_text(&row, ret->result, sizeof(ret->result));
    row_text(&row, ret->hash, sizeof(ret->hash));
    return row_check(&row, "audit_log", ret->id, err);
}

static void reverse(struct audit_row *rows, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct audit_row row = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

#define ROWS_OF      "SELECT id, at_us, user, channel, action, detail, result, hash FROM audit_log"

#define ROWS_BETWEEN ROWS_OF " WHERE id < ? AND id > ? AND at_us >= ? AND (? = '' OR user = ?)"

int audit_search(struct ops_store *store, const struct audit_filter *filter, struct audit_row *ret,
                 size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t before = filter->before_id == 0 ? INT64_MAX : filter->before_id;
    const char *user = filter->user == NULL ? "" : filter->user;
    size_t n = 0;
    int rc = db_query(store->db,
                      filter->after_id == 0 ? ROWS_BETWEEN " ORDER BY id DESC"
                                            : ROWS_BETWEEN " ORDER BY id",
                      DB_VALUES(DB_I64(before), DB_I64(filter->after_id), DB_I64(filter->since_us),
                                DB_TEXT_C(user), DB_TEXT_C(user)),
                      &rows, err);
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_row(rows, &ret[n], err);
        n += rc >= 0 && audit_filter_matches(filter, &ret[n]) ? 1 : 0;
    }
    if (filter->after_id != 0) {
        reverse(ret, n);
    }
    return rc < 0 ? rc : (int)n;
}

/* ------------------------------------------------------------------ export */

struct export
{
    const struct audit_filter *filter;
    audit_export_fn fn;
    void *userdata;
    int64_t next_id; /* of the row that has to follow */
};

static int emit(struct export *export, const struct audit_row *row, struct err *err)
{
    if (row->id != export->next_id) {
        return err_set(err, ERR_AUDIT_CHAIN, "row %lld is missing", (long long)export->next_id);
    }
    export->next_id++;
    return audit_filter_matches(export->filter, row) ? export->fn(row, export->userdata, err) : 0;
}

static int emit_archive(const struct ops_store *store, const char *file, int64_t table_first,
                        struct export *export, struct err *err)
{
    AUTO_BUF struct buf bytes = BUF_INIT(AUDIT_ARCHIVE_MAX);
    struct audit_archive archive = {.first_id = 0};
    (void)str_copy(str_c(file), archive.file, sizeof(archive.file));
    int rc = audit_archive_load(store, &archive, &bytes, err);
    if (rc < 0 || !str_starts(buf_str(&bytes), AUDIT_ARCHIVE_FIRST)) {
        return rc < 0 ? rc : err_set(err, ERR_AUDIT_CHAIN, "%s has no valid header", file);
    }
    size_t skip = strlen(AUDIT_ARCHIVE_FIRST);
    struct str rest = str_n(bytes.data + skip, bytes.len - skip);
    struct audit_raw raw;
    while (rc == 0 && audit_archive_next(&rest, &raw)) {
        if (raw.id >= table_first) { /* a crash left the file; its rows are still in the table */
            return 0;
        }
        struct audit_row row = {.id = raw.id, .at_us = raw.at_us};
        (void)str_copy(raw.fields[0], row.user, sizeof(row.user));
        (void)str_copy(raw.fields[1], row.channel, sizeof(row.channel));
        (void)str_copy(raw.fields[2], row.action, sizeof(row.action));
        (void)str_copy(raw.fields[3], row.detail, sizeof(row.detail));
        (void)str_copy(raw.fields[4], row.result, sizeof(row.result));
        (void)str_copy(raw.hash, row.hash, sizeof(row.hash));
        rc = emit(export, &row, err);
    }
    return rc < 0 || rest.len == 0 ? rc : err_set(err, ERR_AUDIT_CHAIN, "%s is damaged", file);
}

/* The files of the archives, oldest first; none if all rows are in the table. */
static int list_archives(const struct ops_store *store, int64_t table_first, struct file_names *ret,
                         struct err *err)
{
    AUTO_BUF struct buf folder = BUF_INIT(PATH_MAX);
    if (table_first <= 1 || store->dir == NULL) {
        return 0;
    }
    buf_addf(&folder, "%s/audit", store->dir);
    return file_list(folder.data, ARCHIVES_MAX, ret, err);
}

static bool is_archive(const char *file)
{
    return str_starts(str_c(file), "audit-") && strstr(file, ".log") != NULL;
}

static int emit_archives(const struct ops_store *store, int64_t table_first, struct export *export,
                         struct err *err)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    int rc = list_archives(store, table_first, &names, err);
    for (size_t i = 0; rc >= 0 && i < names.count; i++) {
        if (is_archive(names.items[i])) {
            rc = emit_archive(store, names.items[i], table_first, export, err);
        }
    }
    return rc < 0 ? rc : 0;
}

static int table_first_id(struct ops_store *store, int64_t *ret, struct err *err)
{
    *ret = 1;
    return db_get_i64(store->db, "SELECT min(id) FROM audit_log", DB_NO_VALUES, 1, ret, err);
}

int audit_export(struct ops_store *store, const struct audit_filter *filter, audit_export_fn fn,
                 void *userdata, struct err *err)
{
    struct export export = {.filter = filter, .fn = fn, .userdata = userdata, .next_id = 1};
    AUTO_FREE struct audit_row *page = calloc(PAGE_ROWS, sizeof(*page));
    ASSERT(page != NULL);
    int64_t first;
    int rc = table_first_id(store, &first, err);
    rc = rc < 0 ? rc : emit_archives(store, first, &export, err);
    for (int n = 1; rc >= 0 && n > 0;) {
        AUTO_DB_ROWS struct db_rows *rows = NULL;
        n = 0; /* in pages, so that the query does not stay open while a slow reader takes them */
        rc = db_query(store->db, ROWS_OF " WHERE id >= ? ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64(export.next_id), DB_I64(PAGE_ROWS)), &rows, err);
        while (rc >= 0 && n < PAGE_ROWS && (rc = db_next(rows, err)) > 0) {
            rc = read_row(rows, &page[n], err);
            n += rc >= 0 ? 1 : 0;
        }
        for (int i = 0; rc >= 0 && i < n; i++) {
            rc = emit(&export, &page[i], err);
        }
    }
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ search in archives */

/* The matching rows of one archive, oldest first. */
struct matches {
    struct audit_row *rows; /* AUDIT_ARCHIVE_ROWS */
    size_t count;
};

static int keep_row(const struct audit_row *row, void *userdata, struct err *err)
{
    struct matches *m = userdata;
    if (m->count == AUDIT_ARCHIVE_ROWS) {
        return err_set(err, ERR_AUDIT_CHAIN, "an archive with more than %d rows",
                       AUDIT_ARCHIVE_ROWS);
    }
    m->rows[m->count++] = *row;
    return 0;
}

/* Reads the archive that ends before row *before, and sets that to its first row. */
static int search_archive(const struct ops_store *store, const char *file,
                          const struct audit_filter *filter, int64_t *before, struct matches *m,
                          struct err *err)
{
    struct export export = {.filter = filter, .fn = keep_row, .userdata = m};
    struct str rest = str_c(file), part;
    m->count = 0;
    (void)str_split(&rest, '-', &part);
    if (!str_split(&rest, '-', &part) || !str_to_i64(part, &export.next_id)) {
        return err_set(err, ERR_AUDIT_CHAIN, "%s is not the name of an archive", file);
    }
    int64_t first = export.next_id;
    if (first >= *before) { /* a crash left the file; its rows are still in the table */
        return 0;
    }
    int rc = emit_archive(store, file, *before, &export, err);
    if (rc < 0 || export.next_id < *before) {
        return rc < 0 ? rc
                      : err_set(err, ERR_AUDIT_CHAIN, "row %lld is missing",
                                (long long)export.next_id);
    }
    *before = first;
    return 0;
}

static int search_archives(struct ops_store *store, const struct audit_filter *filter,
                           struct audit_row *ret, size_t max, struct err *err)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    AUTO_FREE struct audit_row *rows = calloc(AUDIT_ARCHIVE_ROWS, sizeof(*rows));
    struct matches m = {.rows = rows};
    int64_t before;
    size_t n = 0;
    ASSERT(rows != NULL);
    int rc = table_first_id(store, &before, err);
    rc = rc < 0 ? rc : list_archives(store, before, &names, err);
    for (size_t i = names.count; rc >= 0 && i > 0 && n < max; i--) {
        if (is_archive(names.items[i - 1])) {
            rc = search_archive(store, names.items[i - 1], filter, &before, &m, err);
            while (rc >= 0 && n < max && m.count > 0) {
                ret[n++] = m.rows[--m.count];
            }
        }
    }
    if (rc >= 0 && n < max && before > 1) {
        return err_set(err, ERR_AUDIT_CHAIN, "row %lld is missing", (long long)before - 1);
    }
    return rc < 0 ? rc : (int)n;
}

int audit_search_all(struct ops_store *store, const struct audit_filter *filter,
                     struct audit_row *ret, size_t max, struct err *err)
{
    ASSERT(filter->after_id == 0);
    int n = audit_search(store, filter, ret, max, err);
    if (n < 0 || (size_t)n == max) {
        return n;
    }
    int more = search_archives(store, filter, ret + n, max - (size_t)n, err);
    return more < 0 ? more : n + more;
}
