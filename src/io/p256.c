#include "p256.h"

#include "base/check.h"
#include "der.h"
#include "io/secret.h"
#include "library.h"

#include <openssl/evp.h>
#include <string.h>

/* clang-format off */
#define FUNCTIONS(X) \
    X(BN_bin2bn) X(BN_bn2nativepad) X(BN_clear_free) \
    X(EVP_PKEY_CTX_free) X(EVP_PKEY_CTX_new_from_name) X(EVP_PKEY_CTX_new_from_pkey) \
    X(EVP_PKEY_free) X(EVP_PKEY_fromdata) X(EVP_PKEY_fromdata_init) X(EVP_PKEY_sign) \
    X(EVP_PKEY_sign_init) X(OSSL_PARAM_construct_BN) X(OSSL_PARAM_construct_end) \
    X(OSSL_PARAM_construct_utf8_string)
/* clang-format on */

static struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} crypto;

static const struct library_function functions[] = {
#define X(name) {#name, &crypto.name},
    FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libcrypto.so.3"},
                                 .package = "libssl3",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

int p256_load(struct err *err)
{
    return library_load(&library, err);
}

bool p256_is_scalar(const uint8_t scalar[P256_SIZE])
{
    /* FIPS 186-4, D.1.2.3 */
    static const uint8_t order[P256_SIZE] = {0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00,
                                             0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                             0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84,
                                             0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};
    static const uint8_t zero[P256_SIZE];
    return memcmp(scalar, order, P256_SIZE) < 0 && memcmp(scalar, zero, P256_SIZE) != 0;
}

/* Returns OpenSSL's form of the key, without its public half, which a signature does not need. */
static EVP_PKEY *make_key(const uint8_t scalar[P256_SIZE])
{
    char group[] = "prime256v1", group_name[] = "group", private_name[] = "priv";
    uint8_t native[P256_SIZE]; /* in the byte order of the machine */
    EVP_PKEY *key = NULL;
    BIGNUM *number = crypto.BN_bin2bn(scalar, P256_SIZE, NULL);
    NEED_MEMORY(number != NULL);
    ASSERT(crypto.BN_bn2nativepad(number, native, sizeof(native)) == P256_SIZE);
    crypto.BN_clear_free(number);
    OSSL_PARAM params[] = {
        crypto.OSSL_PARAM_construct_utf8_string(group_name, group, 0),
        crypto.OSSL_PARAM_construct_BN(private_name, native, sizeof(native)),
        crypto.OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *context = crypto.EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    NEED_MEMORY(context != NULL && crypto.EVP_PKEY_fromdata_init(context) == 1 &&
                crypto.EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) == 1);
    crypto.EVP_PKEY_CTX_free(context);
    secret_wipe(native, sizeof(native));
    return key;
}

void p256_sign(const uint8_t scalar[P256_SIZE], const uint8_t hash[P256_SIZE],
               uint8_t ret[2 * P256_SIZE])
{
    uint8_t encoded[80]; /* SEQUENCE { r INTEGER, s INTEGER }, at most 72 bytes */
    size_t size = sizeof(encoded);
    struct der sequence, r, s;
    EVP_PKEY *key = make_key(scalar);
    EVP_PKEY_CTX *context = crypto.EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    NEED_MEMORY(context != NULL && crypto.EVP_PKEY_sign_init(context) == 1 &&
                crypto.EVP_PKEY_sign(context, encoded, &size, hash, P256_SIZE) == 1);
    crypto.EVP_PKEY_CTX_free(context);
    crypto.EVP_PKEY_free(key);
    struct der all = der_of(encoded, size);
    ASSERT(der_take(&all, DER_SEQUENCE, &sequence) && der_take(&sequence, DER_INTEGER, &r) &&
           der_take(&sequence, DER_INTEGER, &s) && der_number(&r, ret, P256_SIZE) &&
           der_number(&s, ret + P256_SIZE, P256_SIZE));
}
