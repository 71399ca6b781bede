#include "io/otp.h"

#include "base/clock.h"
#include "io/secret.h"

#include <liboath/oath.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US   (30 * USEC_PER_SEC)
#define BYTES_MIN 10 /* of a secret: 80 bits */

static int decode(const char *secret, char **ret_bytes, size_t *ret_size, struct err *err)
{
    int rc = oath_base32_decode(secret, strlen(secret), ret_bytes, ret_size);
    if (rc != OATH_OK) {
        return err_set(err, ERR_OTP_SECRET, "not base 32");
    }
    if (*ret_size < BYTES_MIN) {
        secret_wipe(*ret_bytes, *ret_size);
        free(*ret_bytes);
        return err_set(err, ERR_OTP_SECRET, "shorter than %d bytes", BYTES_MIN);
    }
    return 0;
}

int otp_code(const char *secret, int64_t step, char ret_code[OTP_DIGITS + 1], struct err *err)
{
    char *bytes = NULL;
    size_t size = 0;
    int rc = decode(secret, &bytes, &size, err);
    if (rc < 0) {
        return rc;
    }
    int made = oath_hotp_generate(bytes, size, (uint64_t)step, OTP_DIGITS, false,
                                  OATH_HOTP_DYNAMIC_TRUNCATION, ret_code);
    secret_wipe(bytes, size);
    free(bytes);
    return made == OATH_OK ? 0 : err_set(err, ERR_OTP_SECRET, "%s", oath_strerror(made));
}

int otp_match(const char *secret, const char *code, int64_t now_us, int64_t *ret_step,
              struct err *err)
{
    int64_t now = now_us / STEP_US;
    int64_t found = -1;
    for (int64_t step = now - 1; step <= now + 1; step++) {
        char made[OTP_DIGITS + 1];
        int rc = otp_code(secret, step, made, err);
        if (rc < 0) {
            return rc;
        }
        found = secret_equal(str_c(made), str_c(code)) ? step : found;
        secret_wipe(made, sizeof(made));
    }
    *ret_step = found;
    return found >= 0 ? 0 : err_set(err, ERR_OTP_WRONG, "the code does not match");
}

int otp_new_secret(char *ret, size_t size, struct err *err)
{
    char bytes[20];
    char *text = NULL;
    size_t len = 0;
    secret_random(bytes, sizeof(bytes));
    int made = oath_base32_encode(bytes, sizeof(bytes), &text, &len);
    secret_wipe(bytes, sizeof(bytes));
    if (made != OATH_OK) {
        return err_set(err, ERR_OTP_SECRET, "%s", oath_strerror(made));
    }
    bool fits = str_copy(str_n(text, len), ret, size);
    secret_wipe(text, len);
    free(text);
    return fits ? 0 : err_set(err, ERR_OTP_SECRET, "%zu characters", len);
}
