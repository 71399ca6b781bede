#include "io/signing_key.h"

#include "base/base64.h"
#include "base/check.h"
#include "der.h"
#include "io/seal.h"
#include "io/sign.h"
#include "p256.h"

#include <stdatomic.h>
#include <string.h>

enum { TEXT_MAX = 4096, BYTES_MAX = 512, HMAC_MIN = 16 };

struct signing_key {
    atomic_bool in_use; /* one of those that are kept */
    bool kept;
    enum signing_algorithm algorithm;
    size_t size;
    uint8_t bytes[BYTES_MAX];
};

/* ---------------------------------------------------------------- memory */

/* Locked memory costs eight system calls and more time than a signature. A venue's key is read for
 * each of them, so memory for a few keys is kept from the first one on. */
enum { KEPT_KEYS = 6 };
static _Atomic(struct signing_key *) kept_keys;

static struct signing_key *allocate(void)
{
    struct signing_key *keys = atomic_load(&kept_keys);
    if (keys == NULL) {
        struct signing_key *fresh = seal_alloc(KEPT_KEYS * sizeof(*fresh));
        bool first = atomic_compare_exchange_strong(&kept_keys, &keys, fresh);
        seal_release(first ? NULL : fresh);
        keys = first ? fresh : keys;
    }
    for (int i = 0; i < KEPT_KEYS; i++) {
        if (!atomic_exchange(&keys[i].in_use, true)) {
            keys[i].kept = true;
            return &keys[i];
        }
    }
    return seal_alloc(sizeof(*keys));
}

void signing_key_free(struct signing_key *key)
{
    if (key != NULL && key->kept) {
        secret_wipe(key->bytes, sizeof(key->bytes));
        atomic_store(&key->in_use, false);
    } else {
        seal_release(key);
    }
}

/* In what follows, a function that reads a part of a key returns what is wrong, or NULL. */

/* ---------------------------------------------------------------- PKCS#8 and SEC1 */

static const uint8_t oid_ed25519[] = {0x2B, 0x65, 0x70};
static const uint8_t oid_ec[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
static const uint8_t oid_p256[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
static const uint8_t oid_rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};

static const char not_whole[] = "the key is damaged or not whole";
static const char other_curve[] = "its curve is not P-256";

static const char *take_bytes(struct signing_key *key, enum signing_algorithm algorithm,
                              const struct der *bytes)
{
    if (bytes->left != SECRET_KEY_SIZE) {
        return not_whole;
    }
    key->algorithm = algorithm;
    key->size = bytes->left;
    memcpy(key->bytes, bytes->at, bytes->left);
    return NULL;
}

/* RFC 5915: SEQUENCE { 1, OCTET STRING, [0] curve OPTIONAL, [1] public key OPTIONAL }. Inside of
 * PKCS#8 the curve is named outside. */
static const char *read_sec1(struct der all, bool curve_is_known, struct signing_key *key)
{
    struct der sequence, version, scalar, parameters, curve;
    if (!der_take(&all, DER_SEQUENCE, &sequence) || all.left > 0 ||
        !der_take(&sequence, DER_INTEGER, &version) || !der_is(&version, "\x01", 1) ||
        !der_take(&sequence, DER_OCTET_STRING, &scalar)) {
        return not_whole;
    }
    if (der_take(&sequence, DER_CONTEXT_0, &parameters)) {
        if (!der_take(&parameters, DER_OID, &curve) ||
            !der_is(&curve, oid_p256, sizeof(oid_p256))) {
            return other_curve;
        }
    } else if (!curve_is_known) {
        return "it does not say which curve it is for";
    }
    const char *wrong = take_bytes(key, SIGNING_ES256, &scalar);
    return wrong != NULL || p256_is_scalar(key->bytes) ? wrong : not_whole;
}

/* RFC 5958: SEQUENCE { 0 or 1, SEQUENCE { OID, parameters OPTIONAL }, OCTET STRING, … }. */
static const char *read_pkcs8(struct der all, struct signing_key *key)
{
    struct der sequence, version, algorithm, oid, curve, inner, seed;
    if (!der_take(&all, DER_SEQUENCE, &sequence) || all.left > 0 ||
        !der_take(&sequence, DER_INTEGER, &version) || version.left != 1 || version.at[0] > 1 ||
        !der_take(&sequence, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &oid) ||
        !der_take(&sequence, DER_OCTET_STRING, &inner)) {
        return not_whole;
    }
    if (der_is(&oid, oid_ed25519, sizeof(oid_ed25519))) {
        return der_take(&inner, DER_OCTET_STRING, &seed) && inner.left == 0
                   ? take_bytes(key, SIGNING_ED25519, &seed)
                   : not_whole;
    }
    if (der_is(&oid, oid_ec, sizeof(oid_ec))) {
        return der_take(&algorithm, DER_OID, &curve) && der_is(&curve, oid_p256, sizeof(oid_p256))
                   ? read_sec1(inner, true, key)
                   : other_curve;
    }
    return der_is(&oid, oid_rsa, sizeof(oid_rsa)) ? "it is an RSA key; Ed25519 is needed"
                                                  : "it is neither an Ed25519 nor a P-256 key";
}

/* ---------------------------------------------------------------- PEM */

/* Copies text to ret without white space and without the \n and \r of JSON. */
static void strip(struct str text, struct buf *ret)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 1 < text.len && (text.ptr[i + 1] == 'n' || text.ptr[i + 1] == 'r')) {
            i++;
        } else if (strchr(" \t\r\n", c) == NULL || c == '\0') {
            buf_add_char(ret, c);
        }
    }
}

/* Takes the block at the front of a stripped text. */
static bool take_block(struct str *rest, struct str *ret_label, struct str *ret_body)
{
    static const char begin[] = "-----BEGIN", end[] = "-----END", dashes[] = "-----";
    if (!str_starts(*rest, begin)) {
        return false;
    }
    struct str after = str_n(rest->ptr + sizeof(begin) - 1, rest->len - (sizeof(begin) - 1));
    const char *label_end = memmem(after.ptr, after.len, dashes, sizeof(dashes) - 1);
    if (label_end == NULL) {
        return false;
    }
    *ret_label = str_n(after.ptr, (size_t)(label_end - after.ptr));
    after = str_n(label_end + 5, after.len - ret_label->len - 5);
    const char *body_end = memmem(after.ptr, after.len, end, sizeof(end) - 1);
    if (body_end == NULL) {
        return false;
    }
    *ret_body = str_n(after.ptr, (size_t)(body_end - after.ptr));
    after = str_n(body_end + sizeof(end) - 1, after.len - ret_body->len - (sizeof(end) - 1));
    if (after.len < ret_label->len + 5 ||
        !str_equal(str_n(after.ptr, ret_label->len), *ret_label) ||
        memcmp(after.ptr + ret_label->len, dashes, 5) != 0) {
        return false;
    }
    *rest = str_n(after.ptr + ret_label->len + 5, after.len - ret_label->len - 5);
    return true;
}

static const char *read_block(struct str label, struct str body, struct buf *bytes,
                              struct signing_key *key)
{
    static const struct {
        const char *label; /* stripped */
        const char *wrong;
    } others[] = {
        {"ENCRYPTEDPRIVATEKEY", "it has a passphrase; remove it from the key"},
        {"RSAPRIVATEKEY", "it is an RSA key; Ed25519 is needed"},
        {"OPENSSHPRIVATEKEY", "it is an SSH key"},
        {"PUBLICKEY", "it is the public key; the private one is needed"},
        {"CERTIFICATE", "it is a certificate; the private key is needed"},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (str_equal_c(label, others[i].label)) {
            return others[i].wrong;
        }
    }
    bool pkcs8 = str_equal_c(label, "PRIVATEKEY");
    if (!pkcs8 && !str_equal_c(label, "ECPRIVATEKEY")) {
        return "it is not the PEM text of a private key";
    }
    if (str_starts(body, "Proc-Type:")) {
        return "it has a passphrase; remove it from the key";
    }
    if (!base64_decode(body, bytes)) {
        return not_whole;
    }
    struct der all = der_of(bytes->data, bytes->len);
    return pkcs8 ? read_pkcs8(all, key) : read_sec1(all, false, key);
}

static const char *read_pem(struct str text, struct buf *bytes, struct signing_key *key)
{
    struct str label, body;
    if (!take_block(&text, &label, &body)) {
        return "its BEGIN or END line is missing or damaged";
    }
    /* `openssl ecparam -genkey` writes the curve before the key, which names it again. */
    if (str_equal_c(label, "ECPARAMETERS") && !take_block(&text, &label, &body)) {
        return "it has parameters only";
    }
    return text.len > 0 ? "something follows after its END line"
                        : read_block(label, body, bytes, key);
}

/* ---------------------------------------------------------------- keys */

static const char *read_ed25519(const struct buf *bytes, struct signing_key *key)
{
    struct der seed = der_of(bytes->data, SECRET_KEY_SIZE);
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    if (bytes->len != SECRET_KEY_SIZE && bytes->len != SECRET_KEY_SIZE + SIGN_PUBLIC_BYTES) {
        return "it is not base64 of 32 or 64 bytes";
    }
    (void)take_bytes(key, SIGNING_ED25519, &seed);
    if (bytes->len == SECRET_KEY_SIZE) {
        return NULL;
    }
    sign_public_bytes((const struct secret_key *)(const void *)key->bytes, public_key);
    return memcmp(bytes->data + SECRET_KEY_SIZE, public_key, SIGN_PUBLIC_BYTES) == 0 ? NULL
                                                                                     : not_whole;
}

static const char *read_hmac(const void *bytes, size_t size, size_t least,
                             enum signing_algorithm algorithm, struct signing_key *key)
{
    if (size < least) {
        return "it is too short";
    }
    if (size > BYTES_MAX) {
        return "it is too long";
    }
    key->algorithm = algorithm;
    key->size = size;
    memcpy(key->bytes, bytes, size);
    return NULL;
}

/* True if all of the text is printable ASCII without spaces. */
static bool is_word(struct str text)
{
    bool good = true;
    for (size_t i = 0; i < text.len; i++) {
        good = good && text.ptr[i] > ' ' && text.ptr[i] < 0x7F;
    }
    return good;
}

static const char *read_key(struct str text, unsigned forms, struct buf *stripped,
                            struct buf *bytes, struct signing_key *key)
{
    strip(text, stripped);
    if (stripped->len == 0) {
        return "it is empty";
    }
    if (str_starts(buf_str(stripped), "-----BEGIN")) {
        return (forms & SIGNING_KEY_PEM) != 0
                   ? read_pem(buf_str(stripped), bytes, key)
                   : "it is a PEM text, which this venue does not give out";
    }
    if ((forms & SIGNING_KEY_TEXT) != 0) {
        text = str_trim(text);
        return is_word(text) ? read_hmac(text.ptr, text.len, HMAC_MIN, SIGNING_HMAC_SHA256, key)
                             : "it has spaces, line ends or other characters that no key has";
    }
    if ((forms & (SIGNING_KEY_BASE64 | SIGNING_KEY_ED25519)) == 0) {
        return "it is not a PEM text: its BEGIN line is missing";
    }
    if (!base64_decode(buf_str(stripped), bytes)) {
        return "it is not base64";
    }
    return (forms & SIGNING_KEY_ED25519) != 0
               ? read_ed25519(bytes, key)
               : read_hmac(bytes->data, bytes->len, HMAC_MIN, SIGNING_HMAC_SHA512, key);
}

int signing_key_new(struct str text, unsigned forms, const char *what, struct signing_key **ret,
                    struct err *err)
{
    AUTO_BUF struct buf stripped = BUF_INIT(TEXT_MAX), bytes = BUF_INIT(TEXT_MAX);
    AUTO_SIGNING_KEY struct signing_key *key = allocate();
    /* In advance, so that no copy is left behind where a buffer was before it grew. */
    size_t most = text.len < TEXT_MAX ? text.len : TEXT_MAX;
    buf_reserve(&stripped, most);
    buf_reserve(&bytes, most);
    const char *wrong =
        text.len > TEXT_MAX ? "it is too long" : read_key(text, forms, &stripped, &bytes, key);
    secret_wipe(stripped.data, stripped.cap);
    secret_wipe(bytes.data, bytes.cap);
    if (wrong != NULL) {
        return err_set(err, ERR_VENUE_KEY, "%s: %s", what, wrong);
    }
    int rc = key->algorithm == SIGNING_ES256 ? p256_load(err) : 0;
    if (rc == 0) {
        *ret = TAKE(key);
    }
    return rc;
}

enum signing_algorithm signing_key_algorithm(const struct signing_key *key)
{
    return key->algorithm;
}

/* ---------------------------------------------------------------- signatures */

size_t signing_key_sign(const struct signing_key *key, struct str message,
                        uint8_t ret[SIGNATURE_MAX])
{
    struct str bytes = str_n((const char *)key->bytes, key->size);
    uint8_t hash[SECRET_SHA256_SIZE];
    switch (key->algorithm) {
    case SIGNING_HMAC_SHA256:
        secret_hmac_sha256_bytes(bytes, message, ret);
        return SECRET_SHA256_SIZE;
    case SIGNING_HMAC_SHA512:
        secret_hmac_sha512(bytes, message, ret);
        return SECRET_HMAC_SHA512_SIZE;
    case SIGNING_ED25519:
        sign_bytes((const struct secret_key *)(const void *)key->bytes, message, ret);
        return SIGN_BYTES;
    case SIGNING_ES256:
        secret_sha256(message, hash);
        p256_sign(key->bytes, hash, ret);
        return (size_t)2 * P256_SIZE;
    }
    UNREACHABLE();
}

void signing_key_add(const struct signing_key *key, struct str message, enum signing_text as,
                     struct buf *out)
{
    uint8_t bytes[SIGNATURE_MAX];
    struct str signature = str_n((const char *)bytes, signing_key_sign(key, message, bytes));
    switch (as) {
    case SIGNING_HEX:
        for (size_t i = 0; i < signature.len; i++) {
            static const char digits[] = "0123456789abcdef";
            buf_add_char(out, digits[bytes[i] >> 4]);
            buf_add_char(out, digits[bytes[i] & 15]);
        }
        return;
    case SIGNING_BASE64:
        base64_add(out, signature);
        return;
    case SIGNING_BASE64URL:
        base64url_add(out, signature);
        return;
    }
    UNREACHABLE();
}
