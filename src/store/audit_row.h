/*
 * audit_row.h: what the files of the audit log share: the bytes that a row is hashed over, its
 * hash, the record of the last row, and what an archive is.
 *
 *     audit_row_encode(&row, &bytes);
 *     struct audit_hash hash = audit_hash_bytes(store, buf_str(&bytes));
 *
 * Always true: each field stands as "length:bytes", so no two rows have the same encoding. An
 * archive holds these very bytes, row by row, so what is verified there is what was hashed.
 * Thread: that of the connection.
 */
#pragma once

#include "row.h"
#include "store/audit_chain.h"

/* Far more than the sizes in audit_chain.h: what does not fit was not written by us, and its cut
 * encoding does not give the stored hash either. */
#define AUDIT_ENCODED_MAX   ((size_t)16 * 1024)
#define AUDIT_HEAD_NAME     "audit_head"
#define AUDIT_ARCHIVE_MAX   ((size_t)32 << 20) /* bytes of a file */
#define AUDIT_ARCHIVE_FIRST "nightdesk audit archive 1\n"
#define AUDIT_ARCHIVED      "audit.archived" /* action of the row that names one */
#define AUDIT_FIELDS        5

struct audit_hash {
    char hex[SECRET_HASH_HEX_SIZE];
};

/* A row as it stands; the views belong to what it was read from. */
struct audit_raw {
    int64_t id;
    int64_t at_us;
    struct str fields[AUDIT_FIELDS]; /* user, door, action, detail, result */
    struct str prev;
    struct str hash;
};

/* How many rows there are and the hash of the last one. */
struct audit_head {
    int64_t count;
    struct audit_hash last;
};

/* An archive as the chain names it. */
struct audit_archive {
    char file[64]; /* its name in the folder of archives */
    int64_t first_id;
    int64_t last_id;
    struct audit_hash bytes; /* over the whole file */
    struct audit_hash last;  /* of its last row */
};

void audit_row_encode(const struct audit_raw *row, struct buf *out);
struct audit_hash audit_row_hash(const struct ops_store *store, const struct audit_raw *row);
struct audit_hash audit_hash_bytes(const struct ops_store *store, struct str bytes);
/* The columns id, at_us, user, door, action, detail, result, prev_hash, hash. */
void audit_row_read(struct db_rows *rows, int first_column, struct audit_raw *ret);
/* False, and *verdict says why, when the row is not the one that comes next behind `last`, which
 * becomes its hash. */
bool audit_row_follows(const struct ops_store *store, const struct audit_raw *row,
                       int64_t wanted_id, struct audit_hash *last,
                       struct audit_chain_result *verdict);
void audit_chain_result_describe(struct audit_chain_result *verdict, int64_t id, const char *why);
/* False when the text is not a head, or not ours. */
bool audit_head_parse(const struct ops_store *store, struct str text, struct audit_head *ret);
/* 1: the log was begun with this key, or is not begun. 0: with another one. It explains a break
 * and does not guard against one: whoever changes it changes no row's hash. */
int audit_key_fits(struct ops_store *store, struct err *err);

/* audit_archive.c */
/* False when the detail of a row names no archive. */
bool audit_archive_parse(struct str detail, struct audit_archive *ret);
/* The newest row of the table that names one: 1, 0 when there is none, or negative. */
int audit_archive_newest(struct ops_store *store, struct audit_archive *ret, struct err *err);
/* Appends the file; ERR_FILE_MISSING. */
int audit_archive_load(const struct ops_store *store, const struct audit_archive *archive,
                       struct buf *out, struct err *err);
/* Takes the next row off the front of *rest (behind AUDIT_ARCHIVE_FIRST). False at the end, and
 * where the bytes are no row. */
bool audit_archive_next(struct str *rest, struct audit_raw *ret);
