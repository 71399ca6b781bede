/* A text that may be a secret key: it is refused without an error text that holds a part of it, or
 * it signs. The first byte of the input says which forms are accepted. */
#include "base/check.h"
#include "io/secret.h"
#include "io/signing_key.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned forms[] = {SIGNING_KEY_TEXT, SIGNING_KEY_BASE64, SIGNING_KEY_ED25519, 0};
    struct signing_key *key = NULL;
    struct err err = {0};
    uint8_t signature[SIGNATURE_MAX];
    if (size < 1 || secret_init(NULL) < 0) {
        return 0;
    }
    struct str text = str_n((const char *)data + 1, size - 1);
    int rc = signing_key_new(text, forms[data[0] % COUNT_OF(forms)] | SIGNING_KEY_PEM, "key", &key,
                             &err);
    if (rc == 0) {
        size_t length = signing_key_sign(key, str_c("message"), signature);
        if (length != 32 && length != 64) {
            abort();
        }
        signing_key_free(key);
    } else if (rc != -ERR_VENUE_KEY ||
               (text.len >= 16 && memmem(err.context, strlen(err.context), text.ptr, 16) != NULL)) {
        abort();
    }
    return 0;
}
