/*
 * seal.h: memory that holds secrets, and sealing with a key or a passphrase (libsodium).
 *
 *     rc = seal_harden(err);                              // no core dumps; secret_init calls it
 *     char *text = seal_alloc(4096);                      // locked, between guard pages, zeroed
 *     seal_close(key, head, plain, &hex);                 // XChaCha20-Poly1305, a random nonce
 *     if (!seal_open(key, head, hex, text, &len)) ...     // other key, or changed
 *     seal_release(text);                                 // wiped
 *
 * Always true: memory of seal_alloc is excluded from core dumps, and locked as far as
 * RLIMIT_MEMLOCK allows; seal_check_locked says whether all of it was.
 * Thread: any after secret_init; seal_harden main only.
 */
#pragma once

#include "io/secret.h"

#define SEAL_SALT_SIZE 16
/* What a box adds to its plain text, in bytes. */
#define SEAL_EXTRA 40

/* Turns core dumps off for this process and its children, and makes /proc/PID/environ and memory
 * readable by root only. ERR_SECRET_DUMPS if the kernel refuses. */
int seal_harden(struct err *err);

/* Never NULL (NEED_MEMORY). */
void *seal_alloc(size_t size);
void seal_release(void *memory); /* accepts NULL */
/* ERR_SECRET_UNLOCKED if some memory of secrets could not be locked since the start. */
int seal_check_locked(struct err *err);

/* Reads a file to memory of seal_alloc, less than size bytes, NUL-terminated. private:
 * ERR_SEALED_EXPOSED if its group or others may read or write it. */
int seal_read_file(const char *path, bool private, char *ret, size_t size, size_t *ret_len,
                   struct err *err);

/* Appends hex. head is authenticated, too, but not part of the box. */
void seal_close(const struct secret_key *key, struct str head, struct str plain,
                struct buf *ret_hex);
/* False if hex was not sealed with this key and head, or was changed. ret has room for
 * hex.len / 2 bytes and is then NUL-terminated. */
bool seal_open(const struct secret_key *key, struct str head, struct str hex, char *ret,
               size_t *ret_len);

/* The cost of Argon2id: passes and bytes of memory. */
struct seal_cost {
    int64_t passes;
    int64_t memory_bytes;
};
/* 64 MiB and three passes: some 0.2 s for us, and for each guess. */
#define SEAL_COST_DEFAULT ((struct seal_cost){.passes = 3, .memory_bytes = INT64_C(64) << 20})
bool seal_cost_is_valid(const struct seal_cost *cost);
/* Takes as long as the cost says. ERR_SECRET_SETUP if there is not enough memory. */
int seal_key_of_passphrase(struct str passphrase, const uint8_t salt[SEAL_SALT_SIZE],
                           const struct seal_cost *cost, struct secret_key *ret, struct err *err);

/* Reads a key of 64 hex characters, which a file holds. False if it is malformed. */
bool seal_key_read(struct str hex, struct secret_key *ret);
void seal_key_write(const struct secret_key *key, char ret_hex[SECRET_HASH_HEX_SIZE]);
