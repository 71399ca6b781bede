#include "expand.h"

#include "base/check.h"
#include "io/file.h"

#include <limits.h>
#include <string.h>

static bool is_name_char(char c, bool first)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (!first && c >= '0' && c <= '9');
}

/* The file of a systemd credential: $CREDENTIALS_DIRECTORY/NAME, or with the name in lower case. */
static bool read_credential(const char *folder, const char *name, struct buf *out)
{
    char lower[EXPAND_NAME_SIZE];
    for (size_t i = 0; i < sizeof(lower); i++) {
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
        if (name[i] == '\0') {
            break;
        }
    }
    const char *const names[] = {name, lower};
    for (size_t i = 0; folder != NULL && folder[0] != '\0' && i < COUNT_OF(names); i++) {
        AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
        buf_addf(&path, "%s/%s", folder, names[i]);
        if (!buf_failed(&path) && file_exists(path.data)) {
            return file_read(path.data, out, NULL) == 0;
        }
    }
    return false;
}

/* inside is the text between the braces. */
static int expand_one(struct str inside, struct buf *out, struct expand_used *ret,
                      const struct expand_sources *more, const char *place, struct err *err)
{
    size_t len = 0;
    while (len < inside.len && is_name_char(inside.ptr[len], len == 0)) {
        len++;
    }
    struct str rest = str_n(inside.ptr + len, inside.len - len);
    char name[EXPAND_NAME_SIZE];
    if (memmem(inside.ptr, inside.len, "${", 2) != NULL) {
        return err_set(
            err, ERR_CONFIG_ENV,
            "%s: ${ inside of ${ } is not expanded: use one variable, or a plain text as "
            "its default",
            place);
    }
    if (len == 0 || !str_copy(str_n(inside.ptr, len), name, sizeof(name)) ||
        (rest.len > 0 && !str_starts(rest, ":-"))) {
        return err_set(err, ERR_CONFIG_ENV, "%s: expected ${NAME} or ${NAME:-text}", place);
    }
    const char *value = getenv(name);
    if (value != NULL && (value[0] != '\0' || rest.len == 0)) {
        if (!str_is_utf8(str_c(value))) {
            return err_set(err, ERR_CONFIG_ENV, "%s: $%s is not valid UTF-8", place, name);
        }
        buf_add_c(out, value);
        (void)str_copy(str_c(name), ret->name, sizeof(ret->name));
        return 0;
    }
    ret->sealed = false;
    if (more != NULL &&
        (read_credential(more->credentials, name, out) ||
         (ret->sealed = more->sealed != NULL && more->sealed(name, out, more->userdata)))) {
        (void)str_copy(str_c(name), ret->name, sizeof(ret->name));
        return 0;
    }
    if (rest.len == 0) {
        ret->unset = true;
        return err_set(err, ERR_CONFIG_ENV, "%s: $%s is not set and has no default", place, name);
    }
    buf_add_str(out, str_n(rest.ptr + 2, rest.len - 2));
    return 0;
}

int expand_text(struct str text, struct buf *out, struct expand_used *ret,
                const struct expand_sources *more, const char *place, struct err *err)
{
    *ret = (struct expand_used){.any = false};
    size_t at = 0;
    while (at < text.len) {
        struct str rest = str_n(text.ptr + at, text.len - at);
        if (str_starts(rest, "$${")) {
            buf_add_c(out, "${");
            at += 3;
        } else if (str_starts(rest, "${")) {
            const char *end = memchr(rest.ptr, '}', rest.len);
            if (end == NULL) {
                return err_set(err, ERR_CONFIG_ENV, "%s: ${ without }", place);
            }
            size_t len = (size_t)(end - rest.ptr);
            ret->any = true;
            int rc = expand_one(str_n(rest.ptr + 2, len - 2), out, ret, more, place, err);
            if (rc < 0) {
                return rc;
            }
            at += len + 1;
        } else {
            buf_add_char(out, text.ptr[at++]);
        }
    }
    return buf_failed(out)
               ? err_set(err, ERR_CONFIG_LIMIT, "%s: longer than %zu bytes", place, out->max)
               : 0;
}
