#include "audit_row.h"
#include "base/check.h"

#include <string.h>

#define ATTEMPTS_MAX 3 /* the daemon may archive rows while another process verifies */

/* Where the check has arrived. */
struct walk {
    struct audit_hash last; /* of the row before the next one */
    struct audit_seal_check seals;
};

static bool next_row(const struct ops_store *store, const struct audit_raw *row, int64_t wanted_id,
                     struct walk *walk, struct audit_chain_result *result)
{
    return audit_row_follows(store, row, wanted_id, &walk->last, result) &&
           audit_seal_look(&walk->seals, row, result);
}

/* Archives in the order in which they were found. */
struct archives {
    struct audit_archive *items;
    size_t count;
    size_t capacity;
};

static void archives_release(struct archives *archives)
{
    free(archives->items);
}
#define AUTO_ARCHIVES AUTO(archives_release)

static void archives_add(struct archives *archives, const struct audit_archive *item)
{
    if (archives->count == archives->capacity) {
        archives->capacity = archives->capacity == 0 ? 64 : 2 * archives->capacity;
        archives->items =
            reallocarray(archives->items, archives->capacity, sizeof(*archives->items));
        ASSERT(archives->items != NULL);
    }
    archives->items[archives->count++] = *item;
}

static const struct audit_archive *archives_ending_at(const struct archives *archives, int64_t id)
{
    for (size_t i = archives->count; i > 0; i--) {
        if (archives->items[i - 1].last_id == id) {
            return &archives->items[i - 1];
        }
    }
    return NULL;
}

__attribute__((format(printf, 3, 4))) static void set_whyf(struct audit_chain_result *result,
                                                           int64_t id, const char *format, ...)
{
    char text[sizeof(result->why)];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    audit_chain_result_describe(result, id, text);
}

static int first_id(struct ops_store *store, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT min(id) FROM audit_log", DB_NO_VALUES, 1, ret, err);
}

/* ------------------------------------------------------------------ archives */

/* Adds the archives that rows of the table name. */
static int named_by_table(struct ops_store *store, struct archives *archives, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(
        store->db, "SELECT detail FROM audit_log WHERE action = '" AUDIT_ARCHIVED "' ORDER BY id",
        DB_NO_VALUES, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct audit_archive archive;
        if (audit_archive_parse(db_text(rows, 0), &archive)) {
            archives_add(archives, &archive);
        }
    }
    return rc < 0 ? rc : 0;
}

/* The first row after all archives known before id. */
static int64_t first_unnamed(const struct archives *archives, int64_t id)
{
    int64_t first = 1;
    for (size_t i = 0; i < archives->count; i++) {
        int64_t last = archives->items[i].last_id;
        first = last < id && last >= first ? last + 1 : first;
    }
    return first;
}

/* 1; 0 if the file is missing, and the result names it; or negative. */
static int load(const struct ops_store *store, const struct audit_archive *archive,
                struct buf *bytes, struct audit_chain_result *result, struct err *err)
{
    struct err why = {0};
    int rc = audit_archive_load(store, archive, bytes, &why);
    if (rc == -ERR_FILE_MISSING) {
        set_whyf(result, archive->first_id, "its archive %s is missing", archive->file);
        return 0;
    }
    if (rc < 0) {
        *err = why;
        return rc;
    }
    return 1;
}

/* Finds the archives from the table's first row back to row 1. Each one is named by a row of the
 * table or of a newer archive. *ret_chain holds them, newest first. */
static int find_archives(struct ops_store *store, int64_t table_first, struct archives *ret_chain,
                         struct audit_chain_result *result, struct err *err)
{
    AUTO_ARCHIVES struct archives known = {0};
    int rc = named_by_table(store, &known, err);
    int64_t wanted = table_first - 1;
    while (rc >= 0 && wanted > 0) {
        const struct audit_archive *found = archives_ending_at(&known, wanted);
        if (found == NULL) {
            audit_chain_result_describe(result, first_unnamed(&known, wanted),
                                        "the row is missing, and no row names an archive with it");
            return 0;
        }
        archives_add(ret_chain, found);
        wanted = found->first_id - 1;
        AUTO_BUF struct buf bytes = BUF_INIT(AUDIT_ARCHIVE_MAX);
        rc = load(store, &ret_chain->items[ret_chain->count - 1], &bytes, result, err);
        if (rc <= 0) {
            return rc;
        }
        size_t skip = strlen(AUDIT_ARCHIVE_FIRST);
        struct str rest =
            bytes.len < skip ? str_n(bytes.data, 0) : str_n(bytes.data + skip, bytes.len - skip);
        struct audit_raw row;
        while (audit_archive_next(&rest, &row)) {
            struct audit_archive older;
            if (str_equal_c(row.fields[2], AUDIT_ARCHIVED) &&
                audit_archive_parse(row.fields[3], &older)) {
                archives_add(&known, &older);
            }
        }
    }
    return rc < 0 ? rc : 1;
}

/* Checks row by row, so that the first bad one is named, then the file as a whole. */
static bool verify_archive(const struct ops_store *store, const struct audit_archive *archive,
                           struct str bytes, struct walk *walk, struct audit_chain_result *result)
{
    struct audit_hash whole = audit_hash_bytes(store, bytes);
    bool untouched = strcmp(whole.hex, archive->bytes.hex) == 0;
    if (!str_starts(bytes, AUDIT_ARCHIVE_FIRST)) {
        set_whyf(result, archive->first_id, "its archive %s has no valid header", archive->file);
        return false;
    }
    size_t skip = strlen(AUDIT_ARCHIVE_FIRST);
    struct str rest = str_n(bytes.ptr + skip, bytes.len - skip);
    for (int64_t id = archive->first_id; id <= archive->last_id; id++) {
        struct audit_raw row;
        if (!audit_archive_next(&rest, &row)) {
            set_whyf(result, id, "its archive %s was cut off or damaged there", archive->file);
            return false;
        }
        struct audit_chain_result bad = *result;
        if (!next_row(store, &row, id, walk, &bad)) {
            set_whyf(result, bad.bad_id, "%.60s (in archive %s)", bad.why, archive->file);
            return false;
        }
        *result = bad;
        result->rows++;
    }
    if (rest.len > 0 || !untouched || strcmp(walk->last.hex, archive->last.hex) != 0) {
        set_whyf(result, archive->last_id, "its archive %s is not the one that was written",
                 archive->file);
        return false;
    }
    result->archives++;
    return true;
}

/* 1: all rows before the table's first row are valid, and the walk has passed them.
 * 0: the result says which is not. */
static int verify_archives(struct ops_store *store, int64_t table_first, struct walk *walk,
                           struct audit_chain_result *result, struct err *err)
{
    AUTO_ARCHIVES struct archives chain = {0};
    int rc = find_archives(store, table_first, &chain, result, err);
    for (size_t i = chain.count; rc > 0 && i > 0; i--) {
        AUTO_BUF struct buf bytes = BUF_INIT(AUDIT_ARCHIVE_MAX);
        rc = load(store, &chain.items[i - 1], &bytes, result, err);
        if (rc > 0 && !verify_archive(store, &chain.items[i - 1], buf_str(&bytes), walk, result)) {
            return 0;
        }
    }
    return rc;
}

/* ------------------------------------------------------------------ the table */

/* The hash that row from_id must follow, itself unchecked: that of the row before it, or the one in
 * the row that names the archive. 0: there is neither, and the result says so. */
static int start_hash(struct ops_store *store, int64_t from_id, int64_t table_first,
                      struct audit_hash *ret, struct audit_chain_result *result, struct err *err)
{
    *ret = (struct audit_hash){{0}};
    if (from_id == table_first && table_first > 1) {
        struct audit_archive newest = {.last_id = 0};
        int rc = audit_archive_newest(store, &newest, err);
        if (rc >= 0 && newest.last_id != from_id - 1) {
            audit_chain_result_describe(result, newest.last_id + 1,
                                        "the row is missing, and no row names an archive with it");
            return 0;
        }
        *ret = newest.last;
        return rc < 0 ? rc : 1;
    }
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT hash FROM audit_log WHERE id = ?",
                           DB_VALUES(DB_I64(from_id - 1)), &row, err);
    if (rc > 0) {
        (void)str_copy(row_str(&row), ret->hex, sizeof(ret->hex));
    }
    return rc < 0 ? rc : 1;
}

/* Checks the rows of the table from from_id on, which follow walk->last. *ret_moved: the first rows
 * have been archived meanwhile. */
static int verify_table(struct ops_store *store, int64_t from_id, struct walk *walk,
                        bool *ret_moved, struct audit_chain_result *ret, struct err *err)
{
    /* One statement, so that rows and head are consistent while the writer continues. */
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(
        store->db,
        "SELECT head.value, head.first, a.id, a.at_us, a.user, a.channel, a.action, a.detail,"
        " a.result, a.prev_hash, a.hash FROM (SELECT (SELECT value FROM kv WHERE name = ?) AS"
        " value, (SELECT min(id) FROM audit_log) AS first) head"
        " LEFT JOIN audit_log a ON a.id >= ? ORDER BY a.id",
        DB_VALUES(DB_TEXT_C(AUDIT_HEAD_NAME), DB_I64(from_id)), &rows, err);
    struct audit_head head = {0};
    bool has_head = false;
    int64_t next_id = from_id;
    int64_t checked = 0;
    *ret_moved = false;
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        if (checked == 0 && db_i64(rows, 1) > from_id) {
            *ret_moved = true;
        }
        has_head = audit_head_parse(store, db_text(rows, 0), &head);
        if (db_is_null(rows, 2)) { /* no rows from from_id on */
            if (db_is_null(rows, 0)) {
                audit_seal_conclude(&walk->seals, next_id - 1, ret);
                return 0; /* no head either: the log is empty */
            }
            break;
        }
        struct audit_raw row;
        audit_row_read(rows, 2, &row);
        if (!next_row(store, &row, next_id, walk, ret)) {
            return 0;
        }
        next_id++;
        checked++;
        ret->rows++;
    }
    if (rc < 0) {
        return rc;
    }
    memcpy(ret->last_hash, walk->last.hex, sizeof(ret->last_hash));
    if (!has_head) {
        audit_chain_result_describe(ret, next_id - 1,
                                    "the record of the last row is missing or was changed");
    } else if (head.count >= next_id) {
        audit_chain_result_describe(ret, next_id,
                                    "the row is missing: the end of the log was cut off");
    } else if (checked > 0 &&
               (head.count != next_id - 1 || strcmp(head.last.hex, walk->last.hex) != 0)) {
        audit_chain_result_describe(ret, head.count + 1, "the row was not added by nightdesk");
    } else {
        audit_seal_conclude(&walk->seals, next_id - 1, ret);
    }
    return 0;
}

/* One attempt. *ret_moved: rows were archived meanwhile, so the result is invalid. */
static int verify_once(struct ops_store *store, int64_t from_id,
                       const struct audit_seal_check *seals, bool *ret_moved,
                       struct audit_chain_result *ret, struct err *err)
{
    int64_t table_first = 1;
    struct walk walk = {.seals = *seals};
    *ret = (struct audit_chain_result){.ok = true};
    *ret_moved = false;
    int rc = first_id(store, &table_first, err);
    if (rc < 0) {
        return rc;
    }
    bool all = from_id == 1;
    from_id = from_id < table_first ? table_first : from_id;
    rc = all && table_first > 1 ? verify_archives(store, table_first, &walk, ret, err)
                                : start_hash(store, from_id, table_first, &walk.last, ret, err);
    if (rc <= 0) {
        /* The missing rows may have been archived meanwhile. */
        int64_t again = table_first;
        int moved = first_id(store, &again, err);
        *ret_moved = moved == 0 && again != table_first;
        return rc < 0 ? rc : moved;
    }
    return verify_table(store, from_id, &walk, ret_moved, ret, err);
}

static int verify(struct ops_store *store, int64_t from_id, const struct audit_seal_check *seals,
                  struct audit_chain_result *ret, struct err *err)
{
    ASSERT(from_id >= 1);
    struct err local = {0};
    err = err != NULL ? err : &local;
    *ret = (struct audit_chain_result){.ok = true};
    if (!store->has_key) {
        return err_set(err, ERR_SECRET_KEY, "audit.key is missing or not readable");
    }
    int rc = audit_key_fits(store, err);
    if (rc == 0) {
        audit_chain_result_describe(ret, 1,
                                    "audit.key is not the one it was begun with: it was lost or "
                                    "replaced");
    }
    if (rc <= 0) {
        return rc;
    }
    bool moved = true;
    for (int i = 0; moved && i < ATTEMPTS_MAX; i++) {
        rc = verify_once(store, from_id, seals, &moved, ret, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int audit_chain_verify(struct ops_store *store, int64_t from_id, struct audit_chain_result *ret,
                       struct err *err)
{
    return verify(store, from_id, &(struct audit_seal_check){.witness = NULL}, ret, err);
}

int audit_chain_verify_kept(struct ops_store *store, const struct audit_witness *witness,
                            struct audit_chain_result *ret, struct err *err)
{
    AUTO_FREE struct audit_witness *used = malloc(sizeof(*used));
    AUTO_FREE bool *fits = calloc(witness->seal_count + 1, sizeof(*fits));
    ASSERT(used != NULL && fits != NULL);
    *used = *witness;
    if (used->key_count == 0) {
        struct err missing = {0}; /* then every seal is one of another key */
        int rc = audit_seal_public_key(store, used->keys[0], &missing);
        if (rc < 0 && rc != -ERR_FILE_MISSING) {
            *err = missing;
            return rc;
        }
        used->key_count = rc == 0 ? 1 : 0;
    }
    return verify(store, 1, &(struct audit_seal_check){.witness = used, .fits = fits}, ret, err);
}

int audit_chain_verify_recent(struct ops_store *store, struct audit_chain_result *ret,
                              int64_t *ret_last_id, struct err *err)
{
    int rc =
        db_get_i64(store->db, "SELECT max(id) FROM audit_log", DB_NO_VALUES, 0, ret_last_id, err);
    if (rc < 0) {
        return rc;
    }
    int64_t table_first = 1;
    if ((rc = first_id(store, &table_first, err)) < 0) {
        return rc;
    }
    /* Never from before the table's first row, since reading archives takes longer. */
    int64_t from_id = *ret_last_id - AUDIT_CHAIN_RECENT + 1;
    return audit_chain_verify(store, from_id < table_first ? table_first : from_id, ret, err);
}
