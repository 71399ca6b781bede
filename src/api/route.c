/* Finds the row of a request in the table of routes. */
#include "api/route.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

#define EDITS_MAX 4 /* between a path and the one that is suggested */

/* The next part of a path: what is between two slashes. *rest begins with a slash. */
static bool next_part(struct str *rest, struct str *ret)
{
    if (rest->len == 0 || rest->ptr[0] != '/') {
        return false;
    }
    const char *begin = rest->ptr + 1;
    size_t left = rest->len - 1;
    const char *end = memchr(begin, '/', left);
    size_t len = end == NULL ? left : (size_t)(end - begin);
    *ret = str_n(begin, len);
    *rest = str_n(begin + len, left - len);
    return true;
}

static bool is_name(struct str part)
{
    return part.len > 2 && part.ptr[0] == '{';
}

static bool matches(const char *template, struct str path)
{
    struct str wanted = str_c(template), part, have;
    while (next_part(&wanted, &part)) {
        if (!next_part(&path, &have) || (is_name(part) ? have.len == 0 : !str_equal(part, have))) {
            return false;
        }
    }
    return path.len == 0;
}

const struct route *route_find(struct str method, struct str path, bool *ret_here)
{
    bool head = str_equal_c(method, "HEAD");
    *ret_here = false;
    for (const struct route *route = routes; route->path != NULL; route++) {
        if (!matches(route->path, path)) {
            continue;
        }
        *ret_here = true;
        if (route->method == NULL || str_equal_c(method, route->method) ||
            (head && strcmp(route->method, "GET") == 0)) {
            return route;
        }
    }
    return NULL;
}

void route_methods(struct str path, char *ret, size_t size)
{
    size_t len = 0;
    ret[0] = '\0';
    for (const struct route *route = routes; route->path != NULL; route++) {
        if (route->method != NULL && matches(route->path, path)) {
            len +=
                (size_t)snprintf(ret + len, size - len, "%s%s%s", len > 0 ? ", " : "",
                                 route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
            ASSERT(len < size);
        }
    }
}

/* The path that the template means if its parameters are as in `path`. */
static void fill(const char *template, struct str path, struct buf *ret)
{
    struct str wanted = str_c(template), part, have = str_c("");
    buf_clear(ret);
    while (next_part(&wanted, &part)) {
        bool there = next_part(&path, &have) && have.len > 0;
        buf_add_char(ret, '/');
        buf_add_str(ret, is_name(part) && there ? have : part);
    }
}

bool route_nearest(struct str path, char *ret, size_t size)
{
    int best = EDITS_MAX + 1;
    AUTO_BUF struct buf filled = BUF_INIT(1024);
    for (const struct route *route = routes; route->path != NULL; route++) {
        fill(route->path, path, &filled);
        int edits = str_distance(path, buf_str(&filled));
        if (edits < best) {
            best = edits;
            (void)str_copy(str_c(route->path), ret, size);
        }
    }
    return best <= EDITS_MAX;
}

bool route_in_path(const struct route *route, const char *name)
{
    struct str rest = str_c(route->path), part;
    while (next_part(&rest, &part)) {
        if (is_name(part) && str_equal_c(str_n(part.ptr + 1, part.len - 2), name)) {
            return true;
        }
    }
    return false;
}

struct str route_part(const struct route *route, struct str path, const char *name)
{
    struct str wanted = str_c(route->path), part, have = str_c("");
    while (next_part(&wanted, &part) && next_part(&path, &have)) {
        if (is_name(part) && str_equal_c(str_n(part.ptr + 1, part.len - 2), name)) {
            break;
        }
    }
    return have;
}

int route_param_count(const struct route *route)
{
    int count = 0;
    while (route->params != NULL && route->params[count].name != NULL) {
        count++;
    }
    return count;
}
