#include "io/secret.h"

#include "base/buf.h"
#include "base/check.h"
#include "io/file.h"
#include "io/seal.h"
#include "io/sign.h"

#include <errno.h>
#include <fcntl.h>
/* <sodium.h> cannot be included: its randombytes.h has a field `random`, which banned.h poisons.
 * Its randombytes functions use getrandom(2) on Linux, as this file does. */
#include <sodium/core.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/crypto_auth_hmacsha512.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/crypto_pwhash.h>
#include <sodium/crypto_secretbox.h>
#include <sodium/crypto_shorthash.h>
#include <sodium/crypto_sign.h>
#include <sodium/utils.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

struct secret {
    char *text; /* from seal_alloc: guard pages, locked, wiped when released */
};

int secret_init(struct err *err)
{
    /* Before any secret is read. A refusal is no reason not to run: the daemon reports it. */
    (void)seal_harden(NULL);
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

_Static_assert(crypto_auth_hmacsha256_BYTES == SECRET_SHA256_SIZE, "a tag");

void secret_hmac_sha256_bytes(struct str key, struct str data, uint8_t ret[SECRET_SHA256_SIZE])
{
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.ptr, key.len);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)data.ptr, data.len);
    (void)crypto_auth_hmacsha256_final(&state, ret);
    sodium_memzero(&state, sizeof(state));
}

void secret_hmac_sha256(struct str key, struct str data, char ret_hex[SECRET_HASH_HEX_SIZE])
{
    unsigned char tag[SECRET_SHA256_SIZE];
    secret_hmac_sha256_bytes(key, data, tag);
    (void)sodium_bin2hex(ret_hex, SECRET_HASH_HEX_SIZE, tag, sizeof(tag));
}

_Static_assert(crypto_auth_hmacsha512_BYTES == SECRET_HMAC_SHA512_SIZE, "a tag");
_Static_assert(crypto_hash_sha256_BYTES == SECRET_SHA256_SIZE, "a hash");

void secret_hmac_sha512(struct str key, struct str data, uint8_t ret[SECRET_HMAC_SHA512_SIZE])
{
    crypto_auth_hmacsha512_state state;
    (void)crypto_auth_hmacsha512_init(&state, (const unsigned char *)key.ptr, key.len);
    (void)crypto_auth_hmacsha512_update(&state, (const unsigned char *)data.ptr, data.len);
    (void)crypto_auth_hmacsha512_final(&state, ret);
    sodium_memzero(&state, sizeof(state));
}

void secret_sha256(struct str data, uint8_t ret[SECRET_SHA256_SIZE])
{
    (void)crypto_hash_sha256(ret, (const unsigned char *)data.ptr, data.len);
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
    bool good = seal_key_read(str_trim(buf_str(&text)), ret);
    sodium_memzero(text.data, text.len);
    return good ? 0 : err_set(err, ERR_SECRET_KEY, "%s: %zu bytes", path, text.len);
}

struct secret *secret_new(struct str text)
{
    ASSERT(text.len <= SECRET_MAX);
    struct secret *secret = calloc(1, sizeof(*secret));
    ASSERT(secret != NULL);
    secret->text = seal_alloc(text.len + 1);
    memcpy(secret->text, text.ptr, text.len);
    secret->text[text.len] = '\0';
    return secret;
}

void secret_free(struct secret *secret)
{
    if (secret != NULL) {
        seal_release(secret->text);
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

/* ------------------------------------------------------------------ seal.h */

int seal_harden(struct err *err)
{
    struct rlimit core = {.rlim_cur = 1};
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)prctl(PR_SET_DUMPABLE, 0);
    return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && prctl(PR_GET_DUMPABLE) == 0
               ? 0
               : err_set(err, ERR_SECRET_DUMPS, "limit of core files %llu, dumpable %d",
                         (unsigned long long)core.rlim_cur, prctl(PR_GET_DUMPABLE));
}

static atomic_bool left_unlocked; /* some memory of a secret could not be locked */

void *seal_alloc(size_t size)
{
    void *memory = sodium_malloc(size);
    NEED_MEMORY(memory != NULL);
    memset(memory, 0, size);
    /* sodium_malloc locks its pages, and does not say whether that failed. */
    if (mlock(memory, size) < 0) {
        atomic_store_explicit(&left_unlocked, true, memory_order_relaxed);
    }
    return memory;
}

void seal_release(void *memory)
{
    sodium_free(memory);
}

int seal_check_locked(struct err *err)
{
    struct rlimit limit = {0};
    if (!atomic_load_explicit(&left_unlocked, memory_order_relaxed)) {
        return 0;
    }
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    return err_set(err, ERR_SECRET_UNLOCKED, "RLIMIT_MEMLOCK is %llu bytes",
                   (unsigned long long)limit.rlim_cur);
}

int seal_read_file(const char *path, bool private, char *ret, size_t size, size_t *ret_len,
                   struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;
    if (fd < 0 || fstat(fd, &st) < 0) {
        return err_set(err, errno == ENOENT ? ERR_FILE_MISSING : ERR_FILE_DENIED, "%.300s: %s",
                       path, strerror(errno));
    }
    if (private && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return err_set(err, ERR_SEALED_EXPOSED, "%.300s: mode %04o", path,
                       (unsigned)(st.st_mode & 07777));
    }
    while (n != 0 && len + 1 < size) {
        n = read(fd, ret + len, size - 1 - len);
        if (n < 0 && errno != EINTR) {
            return err_set(err, ERR_FILE_FAILED, "%.300s: %s", path, strerror(errno));
        }
        len += n > 0 ? (size_t)n : 0;
    }
    ret[len] = '\0';
    *ret_len = len;
    return n == 0 ? 0 : err_set(err, ERR_FILE_TOO_LARGE, "%.300s: more than %zu bytes", path, size);
}

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SECRET_KEY_SIZE, "one kind of key");
enum {
    SEAL_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    SEAL_TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES
};
_Static_assert(SEAL_NONCE + SEAL_TAG == SEAL_EXTRA, "see seal.h");

void seal_close(const struct secret_key *key, struct str head, struct str plain,
                struct buf *ret_hex)
{
    size_t size = SEAL_EXTRA + plain.len;
    AUTO_FREE unsigned char *box = malloc(size);
    AUTO_FREE char *hex = malloc(2 * size + 1);
    NEED_MEMORY(box != NULL && hex != NULL);
    secret_random(box, SEAL_NONCE);
    int rc = crypto_aead_xchacha20poly1305_ietf_encrypt(
        box + SEAL_NONCE, NULL, (const unsigned char *)plain.ptr, plain.len,
        (const unsigned char *)head.ptr, head.len, NULL, box, key->bytes);
    ASSERT(rc == 0);
    (void)sodium_bin2hex(hex, 2 * size + 1, box, size);
    buf_add(ret_hex, hex, 2 * size);
}

bool seal_open(const struct secret_key *key, struct str head, struct str hex, char *ret,
               size_t *ret_len)
{
    size_t size = 0;
    unsigned long long len = 0;
    AUTO_FREE unsigned char *box = malloc(hex.len / 2 + 1);
    NEED_MEMORY(box != NULL);
    bool good = hex.len % 2 == 0 &&
                sodium_hex2bin(box, hex.len / 2 + 1, hex.ptr, hex.len, NULL, &size, NULL) == 0 &&
                size == hex.len / 2 && size >= SEAL_EXTRA &&
                crypto_aead_xchacha20poly1305_ietf_decrypt(
                    (unsigned char *)ret, &len, NULL, box + SEAL_NONCE, size - SEAL_NONCE,
                    (const unsigned char *)head.ptr, head.len, box, key->bytes) == 0;
    if (good) {
        *ret_len = (size_t)len;
        ret[len] = '\0';
    }
    return good;
}

bool seal_cost_is_valid(const struct seal_cost *cost)
{
    /* Bounded: the file says how much memory its key needs. */
    return cost->passes >= (int64_t)crypto_pwhash_OPSLIMIT_MIN && cost->passes <= 20 &&
           cost->memory_bytes >= (int64_t)crypto_pwhash_MEMLIMIT_MIN &&
           cost->memory_bytes <= INT64_C(1) << 30;
}

int seal_key_of_passphrase(struct str passphrase, const uint8_t salt[SEAL_SALT_SIZE],
                           const struct seal_cost *cost, struct secret_key *ret, struct err *err)
{
    _Static_assert(crypto_pwhash_SALTBYTES == SEAL_SALT_SIZE, "a salt");
    ASSERT(seal_cost_is_valid(cost));
    int rc = crypto_pwhash(ret->bytes, sizeof(ret->bytes), passphrase.ptr, passphrase.len, salt,
                           (unsigned long long)cost->passes, (size_t)cost->memory_bytes,
                           crypto_pwhash_ALG_ARGON2ID13);
    return rc == 0 ? 0
                   : err_set(err, ERR_SECRET_SETUP, "Argon2id could not get %lld MiB of memory",
                             (long long)(cost->memory_bytes >> 20));
}

bool seal_key_read(struct str hex, struct secret_key *ret)
{
    size_t len = 0;
    return hex.len == (size_t)2 * SECRET_KEY_SIZE &&
           sodium_hex2bin(ret->bytes, sizeof(ret->bytes), hex.ptr, hex.len, NULL, &len, NULL) ==
               0 &&
           len == SECRET_KEY_SIZE;
}

void seal_key_write(const struct secret_key *key, char ret_hex[SECRET_HASH_HEX_SIZE])
{
    (void)sodium_bin2hex(ret_hex, SECRET_HASH_HEX_SIZE, key->bytes, sizeof(key->bytes));
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

_Static_assert(crypto_sign_PUBLICKEYBYTES == SIGN_PUBLIC_BYTES, "a public key");
_Static_assert(crypto_sign_BYTES == SIGN_BYTES, "a signature");

void sign_public_bytes(const struct secret_key *seed, uint8_t ret[SIGN_PUBLIC_BYTES])
{
    unsigned char private_key[crypto_sign_SECRETKEYBYTES];
    make_pair(seed, ret, private_key);
    secret_wipe(private_key, sizeof(private_key));
}

void sign_public(const struct secret_key *seed, char ret_hex[SIGN_PUBLIC_SIZE])
{
    unsigned char public_key[SIGN_PUBLIC_BYTES];
    sign_public_bytes(seed, public_key);
    (void)sodium_bin2hex(ret_hex, SIGN_PUBLIC_SIZE, public_key, sizeof(public_key));
}

void sign_bytes(const struct secret_key *seed, struct str message, uint8_t ret[SIGN_BYTES])
{
    unsigned char public_key[SIGN_PUBLIC_BYTES];
    unsigned char private_key[crypto_sign_SECRETKEYBYTES];
    make_pair(seed, public_key, private_key);
    int rc = crypto_sign_detached(ret, NULL, (const unsigned char *)message.ptr, message.len,
                                  private_key);
    secret_wipe(private_key, sizeof(private_key));
    ASSERT(rc == 0);
}

void sign_make(const struct secret_key *seed, struct str message, char ret_hex[SIGN_SIZE])
{
    unsigned char signature[SIGN_BYTES];
    sign_bytes(seed, message, signature);
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

int sign_hash_file(const char *path, char ret_hex[SIGN_HASH_SIZE], int64_t *ret_bytes,
                   struct err *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    crypto_hash_sha256_state hash;
    unsigned char digest[crypto_hash_sha256_BYTES];
    unsigned char chunk[16384];
    struct stat st;
    ssize_t n;
    *ret_bytes = 0;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return file_error(err, fd < 0 ? errno : EINVAL, "read a regular file", path);
    }
    (void)crypto_hash_sha256_init(&hash);
    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno != EINTR) {
            return file_error(err, errno, "read", path);
        }
        (void)crypto_hash_sha256_update(&hash, chunk, n > 0 ? (size_t)n : 0);
        *ret_bytes += n > 0 ? n : 0;
    }
    (void)crypto_hash_sha256_final(&hash, digest);
    (void)sodium_bin2hex(ret_hex, SIGN_HASH_SIZE, digest, sizeof(digest));
    return 0;
}
