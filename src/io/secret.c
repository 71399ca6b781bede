#include "io/secret.h"

#include "base/buf.h"
#include "base/check.h"
#include "io/file.h"
#include "io/sign.h"

#include <errno.h>
/* <sodium.h> cannot be included: its randombytes.h has a field `random`, which banned.h poisons.
 * Its randombytes functions use getrandom(2) on Linux, as this file does. */
#include <sodium/core.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_secretbox.h>
#include <sodium/crypto_shorthash.h>
#include <sodium/crypto_sign.h>
#include <sodium/utils.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { SECRET_MAX = 4096 };

struct secret {
    char *text; /* from sodium_malloc: guard pages, locked, wiped by sodium_free */
};

int secret_init(struct err *err)
{
    return sodium_init() < 0 ? err_set(err, ERR_SECRET_SETUP, "libsodium") : 0;
}

void secret_random(void *dst, size_t size)
{
    unsigned char *bytes = dst;
    while (size > 0) {
        ssize_t n = getrandom(bytes, size, 0);
        ASSERT(n > 0 || errno == EINTR);
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

uint64_t secret_random_u64(void)
{
    uint64_t value = 0;
    secret_random(&value, sizeof(value));
    return value;
}

void secret_nonce(char *dst, size_t chars)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    /* 256 is a multiple of 32, so the low five bits of a random byte are uniform. */
    secret_random(dst, chars);
    for (size_t i = 0; i < chars; i++) {
        dst[i] = alphabet[(unsigned char)dst[i] & 31U];
    }
    dst[chars] = '\0';
}

void secret_hash(const struct secret_key *key, struct str data, char ret_hex[SECRET_HASH_HEX_SIZE])
{
    unsigned char hash[32];
    int rc = crypto_generichash(hash, sizeof(hash), (const unsigned char *)data.ptr, data.len,
                                key == NULL ? NULL : key->bytes, key == NULL ? 0 : SECRET_KEY_SIZE);
    ASSERT(rc == 0);
    (void)sodium_bin2hex(ret_hex, SECRET_HASH_HEX_SIZE, hash, sizeof(hash));
}

uint64_t secret_checksum(struct str data, uint64_t salt)
{
    unsigned char key[crypto_shorthash_KEYBYTES] = {0};
    unsigned char hash[crypto_shorthash_BYTES];
    uint64_t sum = 0;
    for (unsigned i = 0; i < 8; i++) {
        key[i] = (unsigned char)(salt >> (8 * i));
    }
    int rc = crypto_shorthash(hash, (const unsigned char *)data.ptr, data.len, key);
    ASSERT(rc == 0);
    for (unsigned i = 0; i < 8; i++) {
        sum |= (uint64_t)hash[i] << (8 * i);
    }
    return sum;
}

void secret_hmac_sha256(struct str key, struct str data, char ret_hex[SECRET_HASH_HEX_SIZE])
{
    crypto_auth_hmacsha256_state state;
    unsigned char tag[crypto_auth_hmacsha256_BYTES];
    _Static_assert(sizeof(tag) * 2 + 1 == SECRET_HASH_HEX_SIZE, "a tag in hex");
    (void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.ptr, key.len);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)data.ptr, data.len);
    (void)crypto_auth_hmacsha256_final(&state, tag);
    (void)sodium_bin2hex(ret_hex, SECRET_HASH_HEX_SIZE, tag, sizeof(tag));
    sodium_memzero(&state, sizeof(state));
}

void secret_derive(const struct secret_key *key, const char *label, struct secret_key *ret)
{
    int rc = crypto_generichash(ret->bytes, sizeof(ret->bytes), (const unsigned char *)label,
                                strlen(label), key->bytes, SECRET_KEY_SIZE);
    ASSERT(rc == 0);
}

enum { BOX_HEAD = crypto_secretbox_NONCEBYTES, BOX_PLAIN_MAX = 256 };
_Static_assert(crypto_secretbox_KEYBYTES == SECRET_KEY_SIZE, "one kind of key");

void secret_box(const struct secret_key *key, struct str plain, struct buf *ret_hex)
{
    unsigned char box[BOX_HEAD + crypto_secretbox_MACBYTES + BOX_PLAIN_MAX];
    char hex[2 * sizeof(box) + 1];
    size_t size = BOX_HEAD + crypto_secretbox_MACBYTES + plain.len;
    ASSERT(plain.len <= BOX_PLAIN_MAX);
    secret_random(box, BOX_HEAD);
    int rc = crypto_secretbox_easy(box + BOX_HEAD, (const unsigned char *)plain.ptr, plain.len, box,
                                   key->bytes);
    ASSERT(rc == 0);
    (void)sodium_bin2hex(hex, sizeof(hex), box, size);
    buf_add_c(ret_hex, hex);
}

bool secret_unbox(const struct secret_key *key, struct str hex, struct buf *ret_plain)
{
    unsigned char box[BOX_HEAD + crypto_secretbox_MACBYTES + BOX_PLAIN_MAX];
    unsigned char plain[BOX_PLAIN_MAX];
    size_t size = 0;
    bool good =
        sodium_hex2bin(box, sizeof(box), hex.ptr, hex.len, NULL, &size, NULL) == 0 &&
        size >= BOX_HEAD + crypto_secretbox_MACBYTES &&
        crypto_secretbox_open_easy(plain, box + BOX_HEAD, size - BOX_HEAD, box, key->bytes) == 0;
    if (good) {
        buf_add(ret_plain, (const char *)plain, size - BOX_HEAD - crypto_secretbox_MACBYTES);
    }
    sodium_memzero(plain, sizeof(plain));
    return good;
}

bool secret_equal(struct str a, struct str b)
{
    /* The length of the expected value is not secret. */
    return a.len == b.len && sodium_memcmp(a.ptr, b.ptr, a.len) == 0;
}

void secret_wipe(void *bytes, size_t size)
{
    sodium_memzero(bytes, size);
}

static int key_create(const char *path, struct secret_key *ret, struct err *err)
{
    char hex[2 * SECRET_KEY_SIZE + 2];
    secret_random(ret->bytes, sizeof(ret->bytes));
    (void)sodium_bin2hex(hex, sizeof(hex), ret->bytes, sizeof(ret->bytes));
    hex[sizeof(hex) - 2] = '\n';
    int rc = file_write(path, str_n(hex, sizeof(hex) - 1), 0600, err);
    sodium_memzero(hex, sizeof(hex));
    return rc;
}

int secret_key_load(const char *path, struct secret_key *ret, struct err *err)
{
    if (!file_exists(path)) {
        return key_create(path, ret, err);
    }
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return err_set(err, ERR_SECRET_KEY, "%s: mode %04o", path, (unsigned)(st.st_mode & 07777));
    }
    AUTO_BUF struct buf text = BUF_INIT(256);
    int rc = file_read(path, &text, err);
    if (rc < 0) {
        return rc;
    }
    struct str hex = str_trim(buf_str(&text));
    size_t len = 0;
    bool good =
        hex.len == (size_t)2 * SECRET_KEY_SIZE &&
        sodium_hex2bin(ret->bytes, sizeof(ret->bytes), hex.ptr, hex.len, NULL, &len, NULL) == 0 &&
        len == SECRET_KEY_SIZE;
    sodium_memzero(text.data, text.len);
    return good ? 0 : err_set(err, ERR_SECRET_KEY, "%s: %zu bytes", path, text.len);
}

struct secret *secret_new(struct str text)
{
    ASSERT(text.len <= SECRET_MAX);
    struct secret *secret = calloc(1, sizeof(*secret));
    ASSERT(secret != NULL);
    secret->text = sodium_malloc(text.len + 1);
    ASSERT(secret->text != NULL);
    memcpy(secret->text, text.ptr, text.len);
    secret->text[text.len] = '\0';
    return secret;
}

void secret_free(struct secret *secret)
{
    if (secret != NULL) {
        sodium_free(secret->text);
        free(secret);
    }
}

const char *secret_text(const struct secret *secret)
{
    return secret == NULL ? "" : secret->text;
}

bool secret_is_empty(const struct secret *secret)
{
    return secret_text(secret)[0] == '\0';
}

/* ------------------------------------------------------------------ sign.h */

_Static_assert(crypto_sign_SEEDBYTES == SECRET_KEY_SIZE, "a key file holds a seed");

static void make_pair(const struct secret_key *seed,
                      unsigned char public_key[crypto_sign_PUBLICKEYBYTES],
                      unsigned char private_key[crypto_sign_SECRETKEYBYTES])
{
    int rc = crypto_sign_seed_keypair(public_key, private_key, seed->bytes);
    ASSERT(rc == 0);
}

void sign_public(const struct secret_key *seed, char ret_hex[SIGN_PUBLIC_SIZE])
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    unsigned char private_key[crypto_sign_SECRETKEYBYTES];
    make_pair(seed, public_key, private_key);
    secret_wipe(private_key, sizeof(private_key));
    (void)sodium_bin2hex(ret_hex, SIGN_PUBLIC_SIZE, public_key, sizeof(public_key));
}

void sign_make(const struct secret_key *seed, struct str message, char ret_hex[SIGN_SIZE])
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    unsigned char private_key[crypto_sign_SECRETKEYBYTES];
    unsigned char signature[crypto_sign_BYTES];
    make_pair(seed, public_key, private_key);
    int rc = crypto_sign_detached(signature, NULL, (const unsigned char *)message.ptr, message.len,
                                  private_key);
    secret_wipe(private_key, sizeof(private_key));
    ASSERT(rc == 0);
    (void)sodium_bin2hex(ret_hex, SIGN_SIZE, signature, sizeof(signature));
}

static bool read_hex(struct str hex, unsigned char *ret, size_t size)
{
    size_t len = 0;
    return hex.len == 2 * size &&
           sodium_hex2bin(ret, size, hex.ptr, hex.len, NULL, &len, NULL) == 0 && len == size;
}

bool sign_is_public(struct str hex)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    return read_hex(hex, public_key, sizeof(public_key));
}

bool sign_check(struct str public_hex, struct str message, struct str signature_hex)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    unsigned char signature[crypto_sign_BYTES];
    return read_hex(public_hex, public_key, sizeof(public_key)) &&
           read_hex(signature_hex, signature, sizeof(signature)) &&
           crypto_sign_verify_detached(signature, (const unsigned char *)message.ptr, message.len,
                                       public_key) == 0;
}
