#include "../../../src/io/der.h"
#include "base/base64.h"
#include "io/jwt.h"
#include "io/secret.h"
#include "io/signing_key.h"
#include "scratch.h"
#include "unit/unit.h"

#include <string.h>

/* Keys that openssl(1) made for this test. */
#define EC_BODY                                                          \
    "MHcCAQEEIEva8c9U/da0VFqvNwDSyNFoXvfnvGiWkVqcvme8zNiVoAoGCCqGSM49\n" \
    "AwEHoUQDQgAEETQFyIsPLlQZOEAmy92OZi84WJc3IASzXECinS4jRCdccsxbkwz8\n" \
    "07Eb7V3qoxefUMgPvS5uOagHB6NGKwQCzw==\n"
#define EC_SEC1  "-----BEGIN EC PRIVATE KEY-----\n" EC_BODY "-----END EC PRIVATE KEY-----\n"
#define EC_PARAM "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
#define EC_PKCS8                                                         \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgS9rxz1T91rRUWq83\n" \
    "ANLI0Whe9+e8aJaRWpy+Z7zM2JWhRANCAAQRNAXIiw8uVBk4QCbL3Y5mLzhYlzcg\n" \
    "BLNcQKKdLiNEJ1xyzFuTDPzTsRvtXeqjF59QyA+9Lm45qAcHo0YrBALP\n"         \
    "-----END PRIVATE KEY-----\n"
#define EC_PUBLIC                                                        \
    "-----BEGIN PUBLIC KEY-----\n"                                       \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEETQFyIsPLlQZOEAmy92OZi84WJc3\n" \
    "IASzXECinS4jRCdccsxbkwz807Eb7V3qoxefUMgPvS5uOagHB6NGKwQCzw==\n"     \
    "-----END PUBLIC KEY-----\n"
/* RFC 8032, 7.1, test 1: seed and public key. */
#define ED_SEED "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define ED_64                                                              \
    "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy" \
    "89qmIyWvAhpo9wdRGg=="
#define ED_PKCS8                                                         \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
    "-----END PRIVATE KEY-----\n"

static struct signing_key *key_of(const char *text, unsigned forms)
{
    struct err err = {0};
    struct signing_key *key = NULL;
    assert_int_equal(secret_init(NULL), 0);
    if (signing_key_new(str_c(text), forms, "secret key of test", &key, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return key;
}

static void assert_signs(const char *text, unsigned forms, struct str message, enum signing_text as,
                         const char *expected)
{
    AUTO_BUF struct buf out = BUF_INIT(256);
    AUTO_SIGNING_KEY struct signing_key *key = key_of(text, forms);
    signing_key_add(key, message, as, &out);
    assert_string_equal(out.data, expected);
}

static void signs_as_binance_documents(void **state)
{
    (void)state;
    assert_signs("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
                 SIGNING_KEY_TEXT | SIGNING_KEY_PEM,
                 str_c("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&"
                       "recvWindow=5000&timestamp=1499827319559"),
                 SIGNING_HEX, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
    assert_signs("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9\n",
                 SIGNING_KEY_TEXT | SIGNING_KEY_PEM,
                 str_c("symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&"
                       "recvWindow=5000&timestamp=1591702613943"),
                 SIGNING_HEX, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9");
}

static void signs_as_kraken_documents(void **state)
{
    (void)state;
    AUTO_BUF struct buf message = BUF_INIT(256);
    uint8_t hash[SECRET_SHA256_SIZE];
    secret_sha256(str_c("1616492376594"
                        "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&"
                        "volume=1.25"),
                  hash);
    buf_add_c(&message, "/0/private/AddOrder");
    buf_add(&message, hash, sizeof(hash));
    assert_signs(
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1hu"
        "Xg==",
        SIGNING_KEY_BASE64, buf_str(&message), SIGNING_BASE64,
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8"
        "ndwLUQ==");
}

static void signs_with_ed25519_keys_in_each_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned forms;
    } rows[] = {
        {ED_SEED, SIGNING_KEY_ED25519 | SIGNING_KEY_PEM},
        {ED_64, SIGNING_KEY_ED25519},
        {ED_PKCS8, SIGNING_KEY_ED25519 | SIGNING_KEY_PEM},
        {ED_PKCS8, SIGNING_KEY_TEXT | SIGNING_KEY_PEM},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_signs(rows[i].text, rows[i].forms, str_c(""), SIGNING_HEX,
                     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    }
}

static void writes_the_jws_of_rfc_8037(void **state)
{
    (void)state;
    AUTO_BUF struct buf out = BUF_INIT(1024);
    AUTO_SIGNING_KEY struct signing_key *key = key_of(ED_SEED, SIGNING_KEY_ED25519);
    jwt_add_with_header(key, str_c("{\"alg\":\"EdDSA\"}"), str_c("Example of Ed25519 signing"),
                        &out);
    assert_string_equal(out.data,
                        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0Jz"
                        "lnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

static void write_scratch(const char *path, const void *bytes, size_t size)
{
    AUTO_FILE FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
}

/* Has openssl(1) verify a signature of 64 bytes, which it wants in DER. */
static bool openssl_accepts(struct str message, const uint8_t signature[64])
{
    AUTO_SCRATCH struct scratch s = scratch_make();
    AUTO_BUF struct buf command = BUF_INIT(1024), der = BUF_INIT(128);
    for (size_t half = 0; half < 2; half++) {
        const uint8_t *number = signature + 32 * half;
        size_t size = 32;
        while (size > 1 && number[0] == 0) {
            number++;
            size--;
        }
        buf_add(&der, "\x02", 1);
        buf_add_char(&der, (char)(size + (number[0] >> 7)));
        buf_add(&der, "\0", number[0] >> 7);
        buf_add(&der, number, size);
    }
    AUTO_BUF struct buf sequence = BUF_INIT(128);
    buf_add(&sequence, "\x30", 1);
    buf_add_char(&sequence, (char)der.len);
    buf_add_str(&sequence, buf_str(&der));
    write_scratch(scratch_path(&s, "public"), EC_PUBLIC, strlen(EC_PUBLIC));
    write_scratch(scratch_path(&s, "message"), message.ptr, message.len);
    write_scratch(scratch_path(&s, "signature"), sequence.data, sequence.len);
    buf_addf(&command,
             "cd %s && openssl dgst -sha256 -verify public -signature signature message > out 2>&1",
             s.folder);
    return system(command.data) == 0;
}

static void signs_with_es256_keys_in_each_form(void **state)
{
    (void)state;
    static const char *const forms[] = {EC_SEC1, EC_PKCS8, EC_PARAM EC_SEC1};
    struct str message = STR_LIT("a message");
    uint8_t signature[SIGNATURE_MAX];
    if (system("command -v openssl > /dev/null") != 0) {
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        AUTO_SIGNING_KEY struct signing_key *key = key_of(forms[i], SIGNING_KEY_PEM);
        assert_int_equal(signing_key_algorithm(key), SIGNING_ES256);
        assert_int_equal(signing_key_sign(key, message, signature), 64);
        assert_true(openssl_accepts(message, signature));
        assert_false(openssl_accepts(str_c("another message"), signature));
    }
}

static void a_key_may_come_with_other_line_ends(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(2048);
    const char *const ends[] = {"\\n", "\r\n", "", " ", "\\r\\n"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        buf_clear(&text);
        buf_add_c(&text, "  ");
        for (const char *c = ED_PKCS8; *c != '\0'; c++) {
            if (*c == '\n') {
                buf_add_c(&text, ends[i]);
            } else {
                buf_add_char(&text, *c);
            }
        }
        AUTO_SIGNING_KEY struct signing_key *key = key_of(text.data, SIGNING_KEY_PEM);
        assert_int_equal(signing_key_algorithm(key), SIGNING_ED25519);
    }
}

static void a_key_that_cannot_be_used_is_refused_by_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned forms;
        const char *why;
    } rows[] = {
        {"", SIGNING_KEY_TEXT, "it is empty"},
        {" \n", SIGNING_KEY_BASE64, "it is empty"},
        {"0123456789abcde", SIGNING_KEY_TEXT, "it is too short"},
        {"0123456789 abcdef", SIGNING_KEY_TEXT, "it has spaces"},
        {"0123456789\xC3\xA4"
         "bcdef",
         SIGNING_KEY_TEXT, "other characters"},
        {"MDEyMzQ1Njc4OWFiY2Q=", SIGNING_KEY_BASE64, "it is too short"},
        {"MDEyMzQ1Njc4OWFiY2RlZg=", SIGNING_KEY_BASE64, "it is not base64"},
        {"MDEyMzQ1Njc4OWFiY2RlZg==", SIGNING_KEY_ED25519, "32 or 64 bytes"},
        {"0WGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy"
         "89qmIyWvAhpo9wdRGg==",
         SIGNING_KEY_ED25519, "damaged"},
        {ED_SEED, SIGNING_KEY_PEM, "BEGIN line is missing"},
        {ED_PKCS8, SIGNING_KEY_BASE64, "does not give out"},
        {EC_SEC1 "x", SIGNING_KEY_PEM, "follows after its END"},
        {EC_PARAM, SIGNING_KEY_PEM, "parameters only"},
        {"-----BEGIN EC PRIVATE KEY-----\n" EC_BODY, SIGNING_KEY_PEM, "END line is missing"},
        {"-----BEGIN EC PRIVATE KEY-----\n" EC_BODY "-----END PRIVATE KEY-----", SIGNING_KEY_PEM,
         "END line is missing"},
        {"-----BEGIN EC PRIVATE KEY", SIGNING_KEY_PEM, "END line is missing"},
        {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHLepNhICumfyMzzFfFM\n"
         "-----END PRIVATE KEY-----",
         SIGNING_KEY_PEM, "damaged or not whole"},
        {"-----BEGIN PRIVATE KEY-----\nMC4CAQAw!QYDK2VwBCIEIHLepNhICumfyMzzFfFM\n"
         "-----END PRIVATE KEY-----",
         SIGNING_KEY_PEM, "damaged or not whole"},
        /* A byte follows. */
        {"-----BEGIN PRIVATE KEY-----\n"
         "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
         "\n-----END PRIVATE KEY-----",
         SIGNING_KEY_PEM, "damaged or not whole"},
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MDECAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABoAoGCCqGSM49AwEHAA=="
         "\n-----END EC PRIVATE KEY-----",
         SIGNING_KEY_PEM, "damaged or not whole"},
        /* The scalar is 0. */
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MDECAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAoAoGCCqGSM49\n"
         "AwEH\n-----END EC PRIVATE KEY-----",
         SIGNING_KEY_PEM, "damaged or not whole"},
        {"-----BEGIN EC PRIVATE KEY-----\nMCUCAQEEIEva8c9U/da0VFqvNwDSyNFoXvfnvGiWkVqcvme8zNiV\n"
         "-----END EC PRIVATE KEY-----",
         SIGNING_KEY_PEM, "which curve"},
        {"-----BEGIN EC PRIVATE KEY-----\n"
         "MIGkAgEBBDBwv/BqSf+JbAalaIaglnMr8275jWJAF5q8wxmANSSPx5fOymUred3l\n"
         "cm2NPaPJO0CgBwYFK4EEACKhZANiAASEsGMYyShG0XQV0Aa+I0dUSuaaaDNAChYi\n"
         "TWDwdkbCsLD5PfE0IcZuyZTXfz9f0hFrW5Pa8ZyF9KxlGIb4LQI0FL7jXTacxytL\n"
         "kbtme0XUD56yHxfn9oK7Pgck+4C+Rfo=\n"
         "-----END EC PRIVATE KEY-----",
         SIGNING_KEY_PEM, "not P-256"},
        {"-----BEGIN PRIVATE KEY-----\n"
         "MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEAm2SUlREQ7e1EZY5O\n"
         "ogFcyUUZ5+qDfjCDerJBuFYQeTw/LcpH/FWnxM8e62Lmuo5Kf6Ftij+/jEK4PC5l\n"
         "P/KNbwIDAQABAkAuCWZbo2q4koqo67gwFuc+WdKK+tdqE0VgnF8MFbNbtx9tyqu5\n"
         "/XEDA+PPSeX6uQraFURyBhficrALqkJdc89BAiEAyviIbIqRb7JH53hJjrakqNmL\n"
         "kl0nsOb10x7+zwOhFcsCIQDD/dpBfNOUXIKySrr5p7xpmQEYkypHtAid1MvUJ/wS\n"
         "bQIhAILktFYLJq95sZU8pXM7pgSeBrxlBuu2hmGYY4rtNDzxAiEAjAIvRTMH7mc7\n"
         "0mQCN9B0jzcHCmgu/vQEZ8OZLGC3+O0CIGIlhEYm7/+CRNDHw4XmNZDXc6Nchdeo\n"
         "W7O/5bclCsb4\n"
         "-----END PRIVATE KEY-----",
         SIGNING_KEY_PEM, "RSA"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----", SIGNING_KEY_PEM,
         "RSA"},
        {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,C0\n\n"
         "tckuOH5L\n-----END EC PRIVATE KEY-----",
         SIGNING_KEY_PEM, "passphrase"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHs\n-----END ENCRYPTED PRIVATE KEY-----",
         SIGNING_KEY_PEM, "passphrase"},
        {EC_PUBLIC, SIGNING_KEY_PEM, "public key"},
        {"-----BEGIN DH PARAMETERS-----\nMIHs\n-----END DH PARAMETERS-----", SIGNING_KEY_PEM,
         "not the PEM text of a private key"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {0};
        struct signing_key *key = NULL;
        assert_int_equal(
            signing_key_new(str_c(rows[i].text), rows[i].forms, "secret key of test", &key, &err),
            -ERR_VENUE_KEY);
        assert_null(key);
        assert_has(err.context, "secret key of test: ");
        assert_has(err.context, rows[i].why);
        /* No error text holds six characters of the key in a row. */
        for (const char *c = strchr(rows[i].text, '\n'); c != NULL && strlen(c) > 6; c++) {
            char six[7] = {0};
            memcpy(six, c, 6);
            if (strspn(six, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
                6) {
                assert_lacks(err.context, six);
            }
        }
    }
    static char long_text[8192];
    struct signing_key *key = NULL;
    memset(long_text, 'a', sizeof(long_text));
    assert_int_equal(signing_key_new(str_n(long_text, 600), SIGNING_KEY_TEXT, "k", &key, NULL),
                     -ERR_VENUE_KEY);
    assert_int_equal(signing_key_new(str_n(long_text, 8192), SIGNING_KEY_TEXT, "k", &key, NULL),
                     -ERR_VENUE_KEY);
}

static void more_keys_than_are_kept_stay_apart(void **state)
{
    (void)state;
    struct signing_key *keys[20];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(keys); i++) {
            char text[33];
            memset(text, (int)('a' + i), sizeof(text) - 1);
            text[sizeof(text) - 1] = '\0';
            keys[i] = key_of(text, SIGNING_KEY_TEXT);
        }
        for (size_t i = 0; i < COUNT_OF(keys); i++) {
            char text[33];
            uint8_t signature[SIGNATURE_MAX], expected[SECRET_SHA256_SIZE];
            memset(text, (int)('a' + i), sizeof(text) - 1);
            secret_hmac_sha256_bytes(str_n(text, 32), str_c("m"), expected);
            assert_int_equal(signing_key_sign(keys[i], str_c("m"), signature), sizeof(expected));
            assert_memory_equal(signature, expected, sizeof(expected));
            signing_key_free(keys[i]);
        }
    }
}

static void a_token_names_key_and_algorithm(void **state)
{
    (void)state;
    static const char claims[] = "{\"iss\":\"cdp\",\"sub\":\"organizations/1/apiKeys/2\"}";
    AUTO_SIGNING_KEY struct signing_key *key = key_of(EC_SEC1, SIGNING_KEY_PEM);
    AUTO_BUF struct buf token = BUF_INIT(2048), again = BUF_INIT(2048), header = BUF_INIT(512);
    jwt_add(key, "organizations/1/apiKeys/\"2", str_c(claims), &token);
    jwt_add(key, "organizations/1/apiKeys/\"2", str_c(claims), &again);
    struct str rest = buf_str(&token), part;
    assert_true(str_split(&rest, '.', &part));
    AUTO_BUF struct buf padded = BUF_INIT(512);
    buf_add_str(&padded, part);
    for (size_t i = 0; i < padded.len; i++) {
        padded.data[i] = (char)(padded.data[i] == '-'   ? '+'
                                : padded.data[i] == '_' ? '/'
                                                        : padded.data[i]);
    }
    buf_add_c(&padded, &"===="[padded.len % 4 == 0 ? 4 : padded.len % 4]);
    assert_true(base64_decode(buf_str(&padded), &header));
    assert_has(header.data,
               "{\"alg\":\"ES256\",\"kid\":\"organizations/1/apiKeys/\\\"2\",\"nonce\":\"");
    const char *nonce = strstr(header.data, "nonce\":\"") + 8;
    assert_int_equal(strspn(nonce, "0123456789abcdef"), 32);
    assert_string_equal(nonce + 32, "\",\"typ\":\"JWT\"}");
    assert_true(str_split(&rest, '.', &part));
    AUTO_BUF struct buf expected = BUF_INIT(512);
    base64url_add(&expected, str_c(claims));
    assert_true(str_equal(part, buf_str(&expected)));
    assert_int_equal(rest.len, 86); /* 64 bytes */
    assert_string_not_equal(token.data, again.data);
}

static void der_reads_whole_values_only(void **state)
{
    (void)state;
    static const uint8_t short_s[] = {0x02, 0x02, 0x00, 0x81};
    static const uint8_t negative[] = {0x02, 0x01, 0x81};
    static const uint8_t too_long[] = {0x02, 0x03, 0x01, 0x02, 0x03};
    static const uint8_t not_shortest[] = {0x04, 0x81, 0x01, 0x00};
    static const uint8_t cut[] = {0x04, 0x82, 0x01};
    static const uint8_t indefinite[] = {0x30, 0x80, 0x00, 0x00};
    uint8_t two[2] = {0xFF, 0xFF};
    struct der d = der_of(short_s, sizeof(short_s)), value;
    assert_true(der_take(&d, 0x02, &value));
    assert_int_equal(d.left, 0);
    assert_true(der_number(&value, two, sizeof(two)));
    assert_memory_equal(two, "\x00\x81", 2); /* with a zero in front */
    d = der_of(negative, sizeof(negative));
    assert_true(der_take(&d, 0x02, &value));
    assert_false(der_number(&value, two, sizeof(two)));
    d = der_of(too_long, sizeof(too_long));
    assert_true(der_take(&d, 0x02, &value));
    assert_false(der_number(&value, two, sizeof(two)));
    d = der_of(not_shortest, sizeof(not_shortest));
    assert_false(der_take(&d, 0x04, &value));
    d = der_of(cut, sizeof(cut));
    assert_false(der_take(&d, 0x04, &value));
    d = der_of(indefinite, sizeof(indefinite));
    assert_false(der_take(&d, 0x30, &value));
    d = der_of(short_s, sizeof(short_s) - 1);
    assert_false(der_take(&d, 0x02, &value));
}

UNIT_GROUP(signing_key, cmocka_unit_test(signs_as_binance_documents),
           cmocka_unit_test(signs_as_kraken_documents),
           cmocka_unit_test(signs_with_ed25519_keys_in_each_form),
           cmocka_unit_test(writes_the_jws_of_rfc_8037),
           cmocka_unit_test(signs_with_es256_keys_in_each_form),
           cmocka_unit_test(a_key_may_come_with_other_line_ends),
           cmocka_unit_test(a_key_that_cannot_be_used_is_refused_by_its_reason),
           cmocka_unit_test(more_keys_than_are_kept_stay_apart),
           cmocka_unit_test(a_token_names_key_and_algorithm),
           cmocka_unit_test(der_reads_whole_values_only))
