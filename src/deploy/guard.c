#include "deploy/guard.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "layout.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARKER_MAX ((size_t)256)

struct marker {
    char from[RELEASE_VERSION_SIZE];
    char to[RELEASE_VERSION_SIZE];
    int64_t starts;
    int64_t until_us;
};

static void marker_path(char ret[PATH_MAX], const char *root)
{
    int n = snprintf(ret, PATH_MAX, "%s/update", root);
    ASSERT(n > 0 && n < PATH_MAX);
}

static int write_marker(const char *root, const struct marker *m, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(MARKER_MAX);
    char path[PATH_MAX];
    marker_path(path, root);
    buf_addf(&text, "%s %s %lld %lld\n", m->from, m->to, (long long)m->starts,
             (long long)m->until_us);
    return file_write(path, buf_str(&text), 0644, err);
}

/* False: there is none, or it says nothing. */
static bool read_marker(const char *root, struct marker *ret)
{
    AUTO_BUF struct buf text = BUF_INIT(MARKER_MAX);
    char path[PATH_MAX];
    struct str from, to, starts;
    *ret = (struct marker){.starts = 0};
    marker_path(path, root);
    if (file_read(path, &text, NULL) < 0) {
        return false;
    }
    struct str rest = str_trim(buf_str(&text));
    return str_split(&rest, ' ', &from) && str_split(&rest, ' ', &to) &&
           str_split(&rest, ' ', &starts) && str_to_i64(starts, &ret->starts) &&
           str_to_i64(rest, &ret->until_us) && str_copy(from, ret->from, sizeof(ret->from)) &&
           str_copy(to, ret->to, sizeof(ret->to));
}

static void remove_marker(const char *root)
{
    char path[PATH_MAX];
    marker_path(path, root);
    (void)unlink(path);
}

static int read_layout(const char *root, char ret_current[RELEASE_VERSION_SIZE], struct err *err)
{
    AUTO_FREE struct layout *layout = calloc(1, sizeof(*layout));
    ASSERT(layout != NULL);
    int rc = layout_read(root, layout, err);
    (void)str_copy(str_c(rc < 0 ? "" : layout->current), ret_current, RELEASE_VERSION_SIZE);
    return rc;
}

int guard_arm(const char *root, const char *version, int64_t now_us, struct err *err)
{
    AUTO_FD int lock = -1;
    struct marker m = {.until_us = now_us + GUARD_US};
    int rc = layout_lock(root, &lock, err);
    rc = rc < 0 ? rc : read_layout(root, m.from, err);
    if (rc == 0 && m.from[0] == '\0') {
        rc = err_set(err, ERR_RELEASE_UNKNOWN, "%s: there is no release to return to", root);
    }
    (void)str_copy(str_c(version), m.to, sizeof(m.to));
    return rc < 0 ? rc : write_marker(root, &m, err);
}

int guard_start(const char *root, int64_t now_us, char ret_version[RELEASE_VERSION_SIZE],
                struct err *err)
{
    AUTO_FD int lock = -1;
    struct marker m;
    bool armed = read_marker(root, &m);
    int rc = read_layout(root, ret_version, err);
    if (rc < 0 || !armed) {
        return rc < 0 ? rc : GUARD_IDLE;
    }
    rc = layout_lock(root, &lock, err);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(m.to, ret_version) != 0) {
        remove_marker(root);
        return GUARD_IDLE;
    }
    m.starts++;
    if (m.starts <= GUARD_STARTS_MAX && now_us <= m.until_us) {
        rc = write_marker(root, &m, err);
        return rc < 0 ? rc : GUARD_COUNTED;
    }
    rc = layout_switch(root, m.from, LAYOUT_BACK, err);
    if (rc < 0) {
        return rc;
    }
    remove_marker(root);
    (void)str_copy(str_c(m.from), ret_version, RELEASE_VERSION_SIZE);
    return GUARD_UNDONE;
}

int guard_disarm(const char *root, struct err *err)
{
    AUTO_FD int lock = -1;
    struct marker m;
    char current[RELEASE_VERSION_SIZE];
    if (!read_marker(root, &m)) {
        return 0;
    }
    int rc = layout_lock(root, &lock, err);
    rc = rc < 0 ? rc : read_layout(root, current, err);
    if (rc == 0 && strcmp(m.to, current) != 0) {
        remove_marker(root);
    }
    return rc;
}

int guard_came_up(const char *root, const char *exe, struct err *err)
{
    AUTO_FD int lock = -1;
    struct marker m;
    char release[PATH_MAX];
    if (!read_marker(root, &m)) {
        return 0;
    }
    (void)snprintf(release, sizeof(release), "%s/releases/%s", root, m.to);
    AUTO_FREE char *real = realpath(release, NULL);
    size_t len = real == NULL ? 0 : strlen(real);
    if (len == 0 || strncmp(exe, real, len) != 0 || exe[len] != '/') {
        return 0;
    }
    int rc = layout_lock(root, &lock, err);
    if (rc == 0) {
        remove_marker(root);
    }
    return rc;
}

int guard_confirm(const char *root, const char *version, struct err *err)
{
    AUTO_FD int lock = -1;
    char current[RELEASE_VERSION_SIZE];
    int rc = layout_lock(root, &lock, err);
    rc = rc < 0 ? rc : read_layout(root, current, err);
    if (rc < 0) {
        return rc;
    }
    remove_marker(root);
    return strcmp(current, version) == 0
               ? 0
               : err_set(err, ERR_RELEASE_UNDONE, "%s did not come up; %s runs again", version,
                         current);
}
