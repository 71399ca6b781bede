/*
 * signing_key.h: secret keys that others give out, such as those of venues, and signatures with
 * them: HMAC and Ed25519 (libsodium), ES256 (OpenSSL, loaded with the first such key).
 *
 *     rc = signing_key_new(str_c(secret_text(secret)), SIGNING_KEY_TEXT | SIGNING_KEY_PEM,
 *                          "secret key of binance", &key, err);
 *     signing_key_add(key, message, SIGNING_BASE64, &out);
 *     signing_key_free(key);
 *
 * Always true: the bytes of a key are in locked memory and wiped when it is freed; copies of them
 * are wiped before the call returns. No error text holds a part of a key. Text around a key (white
 * space, line ends, the \n that JSON writes for one) is ignored; anything else that does not
 * belong to it is refused. Deterministic, but for ES256.
 * Thread: any after secret_init; one key may be used by several at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct signing_key;

/* The forms in which a key may be given; a set of them. */
#define SIGNING_KEY_TEXT    1U /* the text itself is the key of HMAC-SHA-256 */
#define SIGNING_KEY_BASE64  2U /* base64 of the key of HMAC-SHA-512, 16 to 512 bytes */
#define SIGNING_KEY_ED25519 4U /* base64 of the seed, 32 bytes, or of seed and public key, 64 */
/* A PEM text of a key of Ed25519 or of P-256 (for ES256), in PKCS#8 ("PRIVATE KEY", RFC 8410 and
 * 5958) or for P-256 also in SEC1 ("EC PRIVATE KEY", RFC 5915), without passphrase. */
#define SIGNING_KEY_PEM 8U

enum signing_algorithm {
    SIGNING_HMAC_SHA256, /* 32 bytes */
    SIGNING_HMAC_SHA512, /* 64 bytes */
    SIGNING_ED25519,     /* 64 bytes (RFC 8032) */
    SIGNING_ES256        /* 64 bytes: r and s, 32 each (RFC 7518, 3.4) */
};

#define SIGNATURE_MAX 64

/* At most one of TEXT, BASE64 and ED25519 in forms; a text that begins with "-----BEGIN" is PEM.
 * what: of which key errors speak. Errors: ERR_VENUE_KEY, ERR_LIBRARY (ES256). */
int signing_key_new(struct str text, unsigned forms, const char *what, struct signing_key **ret,
                    struct err *err);
void signing_key_free(struct signing_key *key); /* takes NULL */
enum signing_algorithm signing_key_algorithm(const struct signing_key *key);

/* Returns the size of the signature. */
size_t signing_key_sign(const struct signing_key *key, struct str message,
                        uint8_t ret[SIGNATURE_MAX]);

enum signing_text {
    SIGNING_HEX, /* lower case */
    SIGNING_BASE64,
    SIGNING_BASE64URL /* without padding */
};
/* Appends the signature as text. */
void signing_key_add(const struct signing_key *key, struct str message, enum signing_text as,
                     struct buf *out);

static inline void signing_key_cleanup(struct signing_key **slot)
{
    signing_key_free(*slot);
}
#define AUTO_SIGNING_KEY AUTO(signing_key_cleanup)
