#include "base/buf.h"
#include "base/check.h"
#include "check.h"
#include "health_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct seen {
    char path[1024];
    int error; /* errno; 0: it is there */
    int64_t changed_us;
    int64_t size_bytes;
};

static void look(void *data)
{
    struct seen *seen = data;
    struct stat st;
    if (stat(seen->path, &st) < 0) {
        seen->error = errno;
        return;
    }
    seen->changed_us =
        (int64_t)st.st_mtim.tv_sec * USEC_PER_SEC + (int64_t)st.st_mtim.tv_nsec / 1000;
    seen->size_bytes = st.st_size;
}

static void judge(struct check *check, const void *data)
{
    const struct seen *seen = data;
    const struct config_check *config = &check->config;
    int64_t now_us = clock_wall_us(loop_clock(check_health(check)->options.loop));
    int64_t age_us = now_us - seen->changed_us;
    AUTO_BUF struct buf age = BUF_INIT(32), limit = BUF_INIT(32);
    if (seen->error != 0) {
        check_fail(check, "%s: %s", seen->error == ENOENT ? "no such file" : strerror(seen->error),
                   config->file);
    } else if (config->max_age_us > 0 && age_us > config->max_age_us) {
        clock_add_duration(&age, age_us);
        clock_add_duration(&limit, config->max_age_us);
        check_fail(check, "not changed for %s; the limit is %s: %s", age.data, limit.data,
                   config->file);
    } else if (seen->size_bytes < config->min_size) {
        check_fail(check, "it has %lld bytes; the least is %lld: %s", (long long)seen->size_bytes,
                   (long long)config->min_size, config->file);
    } else {
        check_pass(check);
    }
}

static void begin(struct check *check)
{
    static const struct check_look file = {
        .look = look, .seen = judge, .size = sizeof(struct seen)};
    struct seen seen = {.error = 0};
    (void)str_copy(str_c(check->config.file), seen.path, sizeof(seen.path));
    check_look_begin(check, &file, &seen);
}

const struct check_kind check_file = {
    .name = "file", .begin = begin, .cancel = check_look_cancel, .release = check_look_release};
