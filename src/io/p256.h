/*
 * p256.h: ECDSA on the curve P-256 with SHA-256, ES256 (OpenSSL's libcrypto, loaded at the first
 * use). Private to io.
 *
 *     rc = p256_load(err);
 *     if (p256_is_scalar(scalar)) p256_sign(scalar, hash, signature);
 *
 * Always true: OpenSSL's copies of the key exist only inside a call and are wiped before it
 * returns. Thread: any.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define P256_SIZE 32

/* ERR_LIBRARY. */
int p256_load(struct err *err);
/* Whether it is a secret key: 1 to the order of the curve - 1. */
bool p256_is_scalar(const uint8_t scalar[P256_SIZE]);
/* Signs a SHA-256 hash: r and s, big-endian, with leading zeros. After p256_load. */
void p256_sign(const uint8_t scalar[P256_SIZE], const uint8_t hash[P256_SIZE],
               uint8_t ret[2 * P256_SIZE]);
