#include "ban_memory.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void ban_read_now(struct ban_now *ret)
{
    struct timespec boot = {0};
    *ret = (struct ban_now){.wall_us = clock_wall_us(clock_real())};
    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    ret->boot_us = (int64_t)boot.tv_sec * USEC_PER_SEC + boot.tv_nsec / 1000;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file != NULL && fgets(ret->boot, sizeof(ret->boot), file) != NULL) {
        ret->boot[strcspn(ret->boot, " \n")] = '\0';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

void ban_print(const struct ban_now *now, int64_t left_us, char ret[BAN_TEXT_SIZE])
{
    (void)snprintf(ret, BAN_TEXT_SIZE, "%lld %lld %lld %s", (long long)(now->wall_us + left_us),
                   (long long)left_us, (long long)(now->boot_us + left_us), now->boot);
}

static struct str next_word(struct str *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ') {
        len++;
    }
    struct str word = str_n(rest->ptr, len);
    size_t skip = len < rest->len ? len + 1 : len;
    *rest = str_n(rest->ptr + skip, rest->len - skip);
    return word;
}

int ban_left(const char *text, const struct ban_now *now, int64_t *ret_left_us)
{
    int64_t until_us = 0, length_us = 0, boot_us = 0;
    struct str rest = str_c(text);
    *ret_left_us = 0;
    if (!str_to_i64(next_word(&rest), &until_us) || !str_to_i64(next_word(&rest), &length_us) ||
        !str_to_i64(next_word(&rest), &boot_us) || length_us < 0 || until_us < 0 || boot_us < 0) {
        return -1;
    }
    bool same = rest.len > 0 && str_equal_c(rest, now->boot);
    int64_t left_us = same ? boot_us - now->boot_us : until_us - now->wall_us + BAN_SPARE_US;
    left_us = left_us < length_us ? left_us : length_us;
    left_us = left_us < BAN_MAX_US ? left_us : BAN_MAX_US;
    *ret_left_us = left_us > 0 ? left_us : 0;
    return 0;
}
