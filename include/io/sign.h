/*
 * sign.h: Ed25519 signatures (libsodium), with keys and signatures as lower-case hex or bytes. Keys
 * that others give out, in their forms, are in signing_key.h.
 *
 *     secret_key_load(path, &seed, err);          // 32 random bytes, mode 0600
 *     sign_make(&seed, message, signature);
 *     secret_wipe(&seed, sizeof(seed));
 *     sign_check(public_hex, message, signature_hex)
 *     rc = sign_hash_file(path, hash, &size_bytes, err);  // what a signature of a file is about
 *
 * In secret.c, the only file that includes libsodium.
 * Always true: the expanded private key exists only inside a call and is wiped before it returns.
 * Thread: any after secret_init.
 */
#pragma once

#include "io/secret.h"

#define SIGN_PUBLIC_SIZE  65  /* 32 bytes as hex and a NUL */
#define SIGN_SIZE         129 /* 64 bytes as hex and a NUL */
#define SIGN_HASH_SIZE    65  /* SHA-256 as hex and a NUL */

#define SIGN_PUBLIC_BYTES 32
#define SIGN_BYTES        64

void sign_public(const struct secret_key *seed, char ret_hex[SIGN_PUBLIC_SIZE]);
void sign_make(const struct secret_key *seed, struct str message, char ret_hex[SIGN_SIZE]);
void sign_public_bytes(const struct secret_key *seed, uint8_t ret[SIGN_PUBLIC_BYTES]);
void sign_bytes(const struct secret_key *seed, struct str message, uint8_t ret[SIGN_BYTES]);
/* False also if a text is not hex of the right length. */
bool sign_check(struct str public_hex, struct str message, struct str signature_hex);
/* True for 64 hex digits. */
bool sign_is_public(struct str hex);
/* SHA-256 of a regular file, as sha256sum prints it. It waits for the disk. */
int sign_hash_file(const char *path, char ret_hex[SIGN_HASH_SIZE], int64_t *ret_bytes,
                   struct err *err);
