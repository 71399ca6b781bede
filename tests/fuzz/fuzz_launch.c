/* The launch data of a Mini App. The key is that of a bot's token and the time is fixed, so that
 * data of the corpus are accepted. What is accepted names a person, and with any other byte of its
 * hash it is refused. */
#include "access/login.h"
#include "io/secret.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US INT64_C(1764422400000000)

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* As access_launch_key makes it of the token "1:fuzz". */
static void make_key(struct secret_key *ret)
{
    secret_hmac_sha256_bytes(str_c("WebAppData"), str_c("1:fuzz"), ret->bytes);
}

static void check_forged(const struct secret_key *key, char *text, size_t size)
{
    struct access_launch launch;
    char *hash = memmem(text, size, "hash=", strlen("hash="));
    must(hash != NULL); /* it was accepted */
    hash += strlen("hash=");
    for (size_t i = 0; i < 64 && hash + i < text + size; i++) {
        char was = hash[i];
        hash[i] = was == '0' ? '1' : '0';
        must(access_launch_check(key, str_n(text, size), NOW_US, &launch, NULL) < 0);
        hash[i] = was;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct secret_key key;
    struct access_launch launch;
    struct err err = {0};
    make_key(&key);
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    if (access_launch_check(&key, str_n(text, size), NOW_US, &launch, &err) == 0) {
        must(launch.user_id > 0 && launch.hash[0] != '\0' && launch.signed_us <= NOW_US);
        check_forged(&key, text, size);
    } else {
        must(err.id == ERR_LOGIN_DATA || err.id == ERR_LOGIN_OLD);
    }
    free(text);
    return 0;
}
