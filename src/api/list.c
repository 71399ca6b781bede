#include "list.h"

#include "api_internal.h"
#include "base/check.h"

#include <stdio.h>
#include <string.h>

/* The last part of the path: the name of the list, of its array and in its cursors. */
static const char *name_of(const struct api_list *l)
{
    return strrchr(l->call->route->path, '/') + 1;
}

/* ---------------------------------------------------------------- cursors */

/* As hex, since a key may have any character and a client must not read anything into it. */
static void write_cursor(const struct api_list *l, struct buf *ret)
{
    AUTO_BUF struct buf plain = BUF_INIT(2 * API_CURSOR_MAX);
    buf_addf(&plain, "%s:%s", name_of(l), l->key);
    for (size_t i = 0; i < plain.len; i++) {
        buf_addf(ret, "%02x", (unsigned char)plain.data[i]);
    }
}

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

static bool read_cursor(struct api_list *l, const char *text)
{
    char plain[2 * API_CURSOR_MAX];
    size_t len = strlen(text), name = strlen(name_of(l));
    if (len % 2 != 0 || len / 2 >= sizeof(plain)) {
        return false;
    }
    for (size_t i = 0; i < len / 2; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        plain[i] = (char)(high * 16 + low);
    }
    plain[len / 2] = '\0';
    return strncmp(plain, name_of(l), name) == 0 && plain[name] == ':' && plain[name + 1] != '\0' &&
           str_copy(str_c(plain + name + 1), l->after, sizeof(l->after));
}

int64_t api_list_after(const struct api_list *l)
{
    int64_t id = 0;
    return str_to_i64(str_c(l->after), &id) ? id : 0;
}

void api_list_key(struct api_list *l, int64_t key)
{
    (void)snprintf(l->key, sizeof(l->key), "%lld", (long long)key);
}

/* ---------------------------------------------------------------- pages */

static int read_fields(struct api_list *l, const char *text, struct err *err)
{
    struct str rest, name;
    if (text == NULL) {
        return 0;
    }
    if (!str_copy(str_c(text), l->fields, sizeof(l->fields))) {
        return err_set(err, ERR_API_QUERY, "fields is longer than %zu bytes", sizeof(l->fields));
    }
    rest = str_c(l->fields);
    while (str_split(&rest, ',', &name)) {
        if (l->only.count == JSON_ONLY_MAX) {
            return err_set(err, ERR_API_QUERY, "fields: at most %d names", JSON_ONLY_MAX);
        }
        l->only.names[l->only.count++] = str_trim(name);
    }
    return 0;
}

bool api_list_begin(struct api_list *l, struct api_call *call, struct api_age age)
{
    struct err err = {0};
    *l = (struct api_list){.call = call, .limit = (size_t)api_number(call, "limit", 0)};
    const char *cursor = api_text(call, "cursor");
    int rc = read_fields(l, api_text(call, "fields"), &err);
    if (rc == 0 && cursor != NULL && !read_cursor(l, cursor)) {
        rc = err_set(&err, ERR_API_QUERY, "cursor: not one that a page of %s gave", name_of(l));
    }
    if (rc < 0) {
        api_answer_err(call->request, &err);
        return false;
    }
    api_answer_begin(&l->answer, call->route->answer, age);
    json_out_array(&l->answer.out, name_of(l));
    return true;
}

bool api_list_next(struct api_list *l)
{
    l->more = l->count == l->limit;
    return !l->more;
}

void api_list_item(struct api_list *l)
{
    json_out_object(&l->answer.out, NULL);
    l->only.depth = l->answer.out.depth;
    l->answer.out.only = l->only.count > 0 ? &l->only : NULL;
}

void api_list_item_end(struct api_list *l)
{
    l->answer.out.only = NULL;
    json_out_end(&l->answer.out);
    l->count++;
}

/* A field that no item has is a mistake, which an empty object would hide. */
static int check_fields(const struct api_list *l, struct err *err)
{
    for (int i = 0; l->count > 0 && i < l->only.count; i++) {
        if ((l->only.seen & UINT32_C(1) << i) == 0) {
            return err_set(err, ERR_API_QUERY, "fields: %.*s is no member of these items",
                           (int)(l->only.names[i].len > 40 ? 40 : l->only.names[i].len),
                           l->only.names[i].ptr);
        }
    }
    return 0;
}

void api_list_end(struct api_list *l, int rc, const struct err *err)
{
    struct err why = {0};
    if (rc < 0 || check_fields(l, &why) < 0) {
        api_answer_drop(&l->answer);
        api_answer_err(l->call->request, rc < 0 ? err : &why);
        return;
    }
    AUTO_BUF struct buf cursor = BUF_INIT(4 * API_CURSOR_MAX);
    json_out_end(&l->answer.out);
    if (l->more) {
        write_cursor(l, &cursor);
        json_out_str(&l->answer.out, "next_cursor", buf_str(&cursor));
    } else {
        json_out_null(&l->answer.out, "next_cursor");
    }
    api_answer_send(&l->answer, l->call->request);
}
