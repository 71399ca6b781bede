/*
 * audit_row.h: shared by the files of the audit log: the encoding of a row, its hash, the record of
 * the last row, and archives.
 *
 *     audit_row_encode(&row, &bytes);
 *     struct audit_hash hash = audit_hash_bytes(store, buf_str(&bytes));
 *
 * Always true: each field is encoded as "length:bytes", so no two rows have the same encoding. An
 * archive holds these bytes row by row, so verify checks the bytes that were hashed.
 * Thread: that of the connection.
 */
#pragma once

#include "row.h"
#include "store/audit_chain.h"
#include "store/audit_seal.h"

/* Far more than the sizes in audit_chain.h need. A row that does not fit was not written by us; its
 * encoding is cut and does not match the stored hash. */
#define AUDIT_ENCODED_MAX   ((size_t)16 * 1024)
#define AUDIT_HEAD_NAME     "audit_head"
#define AUDIT_ARCHIVE_MAX   ((size_t)32 << 20) /* bytes of a file */
#define AUDIT_ARCHIVE_FIRST "nightdesk audit archive 1\n"
#define AUDIT_ARCHIVED      "audit.archived" /* action of the row that names one */
#define AUDIT_FIELDS        5

struct audit_hash {
    char hex[SECRET_HASH_HEX_SIZE];
};

/* A row as stored; the views point into the database row or the archive it was read from. */
struct audit_raw {
    int64_t id;
    int64_t at_us;
    struct str fields[AUDIT_FIELDS]; /* user, channel, action, detail, result */
    struct str prev;
    struct str hash;
};

/* The number of rows and the hash of the last one. */
struct audit_head {
    int64_t count;
    struct audit_hash last;
};

/* An archive as the chain names it. */
struct audit_archive {
    char file[64]; /* its name in <state_dir>/audit */
    int64_t first_id;
    int64_t last_id;
    struct audit_hash bytes; /* over the whole file */
    struct audit_hash last;  /* of its last row */
};

void audit_row_encode(const struct audit_raw *row, struct buf *out);
struct audit_hash audit_row_hash(const struct ops_store *store, const struct audit_raw *row);
struct audit_hash audit_hash_bytes(const struct ops_store *store, struct str bytes);
/* Reads the columns id, at_us, user, channel, action, detail, result, prev_hash, hash. */
void audit_row_read(struct db_rows *rows, int first_column, struct audit_raw *ret);
/* True if the row is valid and follows `last`; *last becomes its hash. False: *result says why. */
bool audit_row_follows(const struct ops_store *store, const struct audit_raw *row,
                       int64_t wanted_id, struct audit_hash *last,
                       struct audit_chain_result *result);
void audit_chain_result_describe(struct audit_chain_result *result, int64_t id, const char *why);
/* False if the text is not a head, or was not written with our key. */
bool audit_head_parse(const struct ops_store *store, struct str text, struct audit_head *ret);
/* 1: the log was begun with this key, or is empty. 0: with another key. This only explains a broken
 * chain and protects nothing: the row hashes do not depend on it. */
int audit_key_fits(struct ops_store *store, struct err *err);

/* audit_seal.c */
/* Follows the rows of a whole log and checks the seals among them. */
struct audit_seal_check {
    const struct audit_witness *witness; /* NULL: seals are not checked */
    bool *fits;                          /* of each kept seal; owned by the caller */
};
/* After audit_row_follows. False: *result says why. */
bool audit_seal_look(const struct audit_seal_check *check, const struct audit_raw *row,
                     struct audit_chain_result *result);
/* After the last row, if all were valid. */
void audit_seal_conclude(const struct audit_seal_check *check, int64_t last_id,
                         struct audit_chain_result *result);

/* audit_archive.c */
/* False if the detail of a row does not name an archive. */
bool audit_archive_parse(struct str detail, struct audit_archive *ret);
/* The archive that the newest such row of the table names. 1, 0 if there is none, or negative. */
int audit_archive_newest(struct ops_store *store, struct audit_archive *ret, struct err *err);
/* Appends the file; ERR_FILE_MISSING. */
int audit_archive_load(const struct ops_store *store, const struct audit_archive *archive,
                       struct buf *out, struct err *err);
/* Reads the next row from the front of *rest (after AUDIT_ARCHIVE_FIRST). False at the end and at
 * bytes that are not a row. */
bool audit_archive_next(struct str *rest, struct audit_raw *ret);
