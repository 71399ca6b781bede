/*
 * audit_seal.h: Ed25519 seals of the audit log (audit_chain.h), so that its end cannot be cut off
 * without a trace.
 *
 *     audit_seal_create_key(store, err);                                 // at the first start
 *     audit_seal_add(store, &(struct audit_seal_options){.now_us = now, ...}, &seal, err);
 *     audit_witness_read(text, &witness, err);                           // what the owner kept
 *     audit_chain_verify_kept(store, &witness, &result, err);
 *
 * A seal is a row of the chain, "audit.sealed": the number of rows before it and the hash of the
 * last one, signed with <state_dir>/audit_seal.key (0600, read for each seal and wiped afterwards).
 * A log without new rows gets no new seal.
 * Found with a public key that was kept elsewhere: rows before a seal that were changed or removed
 * and whose hashes were recomputed with audit.key; a log without a seal; a seal with another key.
 * Found with a seal that was kept elsewhere too: a log that ends before it, or that holds other
 * rows up to it, with whatever keys they were made.
 * Not found: rows cut off after the newest seal that was kept, by somebody who has audit.key; and
 * with audit_seal.key, any change after it. The row of a seal is written to the system log as well.
 * Thread: add from ops; reads from the owner of the connection.
 */
#pragma once

#include "io/sign.h"
#include "store/audit_chain.h"

#define AUDIT_SEALED          "audit.sealed" /* action of the row */
#define AUDIT_SEAL_KEY_NAME   "audit_seal.key"
#define AUDIT_WITNESS_KEYS    8
#define AUDIT_WITNESS_SEALS   1024
#define AUDIT_SEAL_HASH_CHARS 16 /* the fewest digits of a hash that name a row */

struct audit_seal {
    int64_t rows;       /* that it covers: 1 to rows; its own id is rows + 1 */
    int64_t at_us;      /* of its row */
    char last_hash[65]; /* of row `rows` */
};

/* Creates the key of the state folder unless there is one. ERR_SECRET_KEY if it is damaged or
 * readable by others. A store in memory has no key and no seals. */
int audit_seal_create_key(const struct ops_store *store, struct err *err);
/* The public key; ERR_FILE_MISSING before the first start. */
int audit_seal_public_key(const struct ops_store *store, char ret_hex[SIGN_PUBLIC_SIZE],
                          struct err *err);

struct audit_seal_options {
    int64_t now_us;
    const char *user; /* of the row */
    const char *channel;
    const struct audit_seal *last; /* the last seal of this process; rows 0: none */
};
/* Seals all rows: 1 and *ret; 0 if the newest row is a seal, or the log is empty. ERR_AUDIT_CHAIN
 * if the record of the last row was changed, or the row that *last covers: a changed log is not
 * sealed. */
int audit_seal_add(struct ops_store *store, const struct audit_seal_options *options,
                   struct audit_seal *ret, struct err *err);
/* The newest seal of the table, its signature unchecked: 1, 0 or negative. */
int audit_seal_newest(struct ops_store *store, struct audit_seal *ret, struct err *err);

/* What was kept elsewhere. */
struct audit_witness {
    char keys[AUDIT_WITNESS_KEYS][SIGN_PUBLIC_SIZE]; /* a seal needs one of them */
    size_t key_count;
    bool needs_seal; /* a key was kept: a log without a seal is not valid */
    struct audit_witness_seal {
        int64_t rows;
        char hash[65]; /* its first digits, at least AUDIT_SEAL_HASH_CHARS */
    } seals[AUDIT_WITNESS_SEALS];
    size_t seal_count;
};
/* Adds a public key, or "ROWS:HASH". ERR_AUDIT_WITNESS. */
int audit_witness_add_key(struct audit_witness *witness, struct str hex, struct err *err);
int audit_witness_add_seal(struct audit_witness *witness, struct str text, struct err *err);
/* Lines as `nightdesk auditlog key` prints them: "key HEX" and "seal ROWS:HASH TIME". */
int audit_witness_read(struct str text, struct audit_witness *witness, struct err *err);

/* audit_chain_verify of the whole log, and against what was kept. Without kept keys the key of the
 * state folder is used. */
int audit_chain_verify_kept(struct ops_store *store, const struct audit_witness *witness,
                            struct audit_chain_result *ret, struct err *err);
