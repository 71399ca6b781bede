/*
 * secret.h: random bytes, keyed hashes and strings that must not leak (libsodium).
 *
 *     secret_init(err);                                   // once, at start
 *     struct secret *token = secret_new(str_c(text));     // locked memory, wiped when freed
 *     secret_nonce(code, 10);                             // "7Q4ZK0M2XA"
 *     secret_hash(key, bytes, hex);
 *
 * Always true: the bytes of a struct secret are between guard pages, excluded from core dumps and
 * (as far as RLIMIT_MEMLOCK allows) from swap. Comparison takes constant time. secret_init turns
 * core dumps off (seal.h).
 * Thread: any after secret_init (main thread).
 */
#pragma once

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_KEY_SIZE         32
#define SECRET_HASH_HEX_SIZE    65 /* 32 bytes as lower-case hex and a NUL */

#define SECRET_SHA256_SIZE      32
#define SECRET_HMAC_SHA512_SIZE 64

int secret_init(struct err *err);

void secret_random(void *dst, size_t size);
uint64_t secret_random_u64(void);
/* Writes chars characters of Crockford's base 32 (5 bits each, no I L O U) and a NUL to dst. */
void secret_nonce(char *dst, size_t chars);

struct secret_key {
    uint8_t bytes[SECRET_KEY_SIZE];
};

/* BLAKE2b-256, keyed; key NULL: plain. */
void secret_hash(const struct secret_key *key, struct str data, char ret_hex[SECRET_HASH_HEX_SIZE]);
/* SipHash-2-4, salted: a 64-bit checksum that detects damage, not tampering. */
uint64_t secret_checksum(struct str data, uint64_t salt);
/* HMAC-SHA256 (RFC 2104), for signatures that other programs check; the key may have any length. */
void secret_hmac_sha256(struct str key, struct str data, char ret_hex[SECRET_HASH_HEX_SIZE]);
void secret_hmac_sha256_bytes(struct str key, struct str data, uint8_t ret[SECRET_SHA256_SIZE]);
/* The same with SHA-512, as bytes. */
void secret_hmac_sha512(struct str key, struct str data, uint8_t ret[SECRET_HMAC_SHA512_SIZE]);
/* SHA-256, as bytes. */
void secret_sha256(struct str data, uint8_t ret[SECRET_SHA256_SIZE]);
/* A key for one purpose: BLAKE2b of the label, keyed. */
void secret_derive(const struct secret_key *key, const char *label, struct secret_key *ret);
/* Encrypts and authenticates (XSalsa20-Poly1305, a random nonce), as hex; at most 256 bytes. */
void secret_box(const struct secret_key *key, struct str plain, struct buf *ret_hex);
/* False if it was not sealed with this key, or was changed. */
bool secret_unbox(const struct secret_key *key, struct str hex, struct buf *ret_plain);
bool secret_equal(struct str a, struct str b);
/* Zeroes memory; the compiler cannot optimise it away. */
void secret_wipe(void *bytes, size_t size);

/* Reads a key of 64 hex characters from path; a missing file is created with a random key and mode
 * 0600. ERR_SECRET_KEY if it is malformed or readable by others. */
int secret_key_load(const char *path, struct secret_key *ret, struct err *err);

struct secret;

/* A copy of text, at most 4096 bytes (ASSERT; callers limit what they read). */
struct secret *secret_new(struct str text);
void secret_free(struct secret *secret);
/* NUL-terminated, valid until the secret is freed; "" for NULL. */
const char *secret_text(const struct secret *secret);
bool secret_is_empty(const struct secret *secret);

static inline void secret_cleanup(struct secret **slot)
{
    secret_free(*slot);
}
#define AUTO_SECRET AUTO(secret_cleanup)
