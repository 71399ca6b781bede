#include "io/jwt.h"

#include "base/base64.h"
#include "base/check.h"
#include "io/secret.h"

enum { HEADER_MAX = 4096 };

void jwt_add_with_header(const struct signing_key *key, struct str header, struct str payload,
                         struct buf *out)
{
    size_t begin = out->len;
    base64url_add(out, header);
    buf_add_char(out, '.');
    base64url_add(out, payload);
    if (!buf_failed(out)) {
        AUTO_BUF struct buf signature = BUF_INIT(128);
        signing_key_add(key, str_n(out->data + begin, out->len - begin), SIGNING_BASE64URL,
                        &signature);
        buf_add_char(out, '.');
        buf_add_str(out, buf_str(&signature));
    }
}

void jwt_add(const struct signing_key *key, const char *kid, struct str claims, struct buf *out)
{
    enum signing_algorithm algorithm = signing_key_algorithm(key);
    AUTO_BUF struct buf header = BUF_INIT(HEADER_MAX);
    ASSERT(algorithm == SIGNING_ES256 || algorithm == SIGNING_ED25519);
    buf_addf(&header, "{\"alg\":\"%s\",\"kid\":\"", algorithm == SIGNING_ES256 ? "ES256" : "EdDSA");
    buf_add_json(&header, str_c(kid));
    buf_addf(&header, "\",\"nonce\":\"%016llx%016llx\",\"typ\":\"JWT\"}",
             (unsigned long long)secret_random_u64(), (unsigned long long)secret_random_u64());
    ASSERT(!buf_failed(&header));
    jwt_add_with_header(key, buf_str(&header), claims, out);
}
