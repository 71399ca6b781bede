/* The launch data of a Telegram Mini App: a query string whose fields, without `hash`, sorted and
 * joined by line feeds, are signed with HMAC-SHA-256. The key is the HMAC of the bot's token under
 * "WebAppData" (core.telegram.org/bots/webapps). */
#include "access/login.h"
#include "config/config.h"
#include "io/json.h"

#include <stdlib.h>
#include <string.h>

#define DATA_MAX   ((size_t)8 * 1024)
#define FIELDS_MAX 32
#define AHEAD_US   USEC_PER_MIN       /* how far the clock of this machine may be behind */
#define USER_MAX   (INT64_C(1) << 52) /* an id of Telegram has at most 52 bits */

struct field {
    struct str name; /* decoded */
    struct str value;
};

struct fields {
    struct buf text; /* what the fields point into */
    struct field items[FIELDS_MAX];
    int count;
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool access_launch_key(const struct config *config, struct secret_key *ret)
{
    char hex[SECRET_HASH_HEX_SIZE];
    if (!config->telegram_mini_app || config->telegram_bot_token[0] == '\0') {
        return false;
    }
    secret_hmac_sha256(str_c("WebAppData"), str_c(config->telegram_bot_token), hex);
    for (size_t i = 0; i < sizeof(ret->bytes); i++) {
        ret->bytes[i] = (uint8_t)(hex_digit(hex[2 * i]) * 16 + hex_digit(hex[2 * i + 1]));
    }
    secret_wipe(hex, sizeof(hex));
    return true;
}

/* Appends the text without its escapes. A control character would let one signature stand for
 * several sets of fields. */
static int decode(struct str text, struct buf *out, struct str *ret, struct err *err)
{
    size_t begin = out->len;
    for (size_t i = 0; i < text.len; i++) {
        int c = (unsigned char)text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(text.ptr[i + 2]);
            if (low < 0) {
                return err_set(err, ERR_LOGIN_DATA, "a %% without two hex digits");
            }
            c = high * 16 + low;
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c < ' ' || c == 0x7F) {
            return err_set(err, ERR_LOGIN_DATA, "a field has a control character");
        }
        buf_add_char(out, (char)c);
    }
    *ret = str_n(out->data + begin, out->len - begin);
    return str_is_utf8(*ret) ? 0 : err_set(err, ERR_LOGIN_DATA, "a field is not UTF-8");
}

static int by_name(const void *a, const void *b)
{
    const struct str x = ((const struct field *)a)->name, y = ((const struct field *)b)->name;
    size_t shared = x.len < y.len ? x.len : y.len;
    int order = shared == 0 ? 0 : memcmp(x.ptr, y.ptr, shared);
    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

static int read_fields(struct str data, struct fields *f, struct err *err)
{
    struct str part;
    int rc = 0;
    while (rc == 0 && str_split(&data, '&', &part)) {
        const char *equals = part.len == 0 ? NULL : memchr(part.ptr, '=', part.len);
        if (equals == NULL || equals == part.ptr || f->count == FIELDS_MAX) {
            return err_set(err, ERR_LOGIN_DATA, "%s",
                           f->count == FIELDS_MAX ? "too many fields" : "a field without a name");
        }
        struct field *field = &f->items[f->count++];
        size_t len = (size_t)(equals - part.ptr);
        rc = decode(str_n(part.ptr, len), &f->text, &field->name, err);
        rc = rc < 0 ? rc
                    : decode(str_n(equals + 1, part.len - len - 1), &f->text, &field->value, err);
    }
    qsort(f->items, (size_t)f->count, sizeof(f->items[0]), by_name);
    for (int i = 1; rc == 0 && i < f->count; i++) {
        rc = str_equal(f->items[i - 1].name, f->items[i].name)
                 ? err_set(err, ERR_LOGIN_DATA, "a field is there twice")
                 : 0;
    }
    return rc;
}

static struct str value_of(const struct fields *f, const char *name)
{
    for (int i = 0; i < f->count; i++) {
        if (str_equal_c(f->items[i].name, name)) {
            return f->items[i].value;
        }
    }
    return str_c("");
}

static int check_signature(const struct secret_key *key, const struct fields *f, struct err *err)
{
    char hex[SECRET_HASH_HEX_SIZE];
    struct str hash = value_of(f, "hash");
    AUTO_BUF struct buf text = BUF_INIT(DATA_MAX + FIELDS_MAX);
    for (int i = 0; i < f->count; i++) {
        if (!str_equal_c(f->items[i].name, "hash")) {
            buf_add_c(&text, text.len == 0 ? "" : "\n");
            buf_add_str(&text, f->items[i].name);
            buf_add_char(&text, '=');
            buf_add_str(&text, f->items[i].value);
        }
    }
    secret_hmac_sha256(str_n((const char *)key->bytes, sizeof(key->bytes)), buf_str(&text), hex);
    bool equal = secret_equal(hash, str_c(hex));
    secret_wipe(hex, sizeof(hex));
    return equal ? 0
                 : err_set(err, ERR_LOGIN_DATA, "%s",
                           hash.len == 0 ? "there is no hash" : "hash does not fit the fields");
}

static int check_age(struct str date, int64_t now_us, int64_t *ret_us, struct err *err)
{
    int64_t seconds = 0;
    if (!str_to_i64(date, &seconds) || seconds <= 0 || seconds > INT64_MAX / USEC_PER_SEC) {
        return err_set(err, ERR_LOGIN_DATA, "auth_date is not a time");
    }
    *ret_us = seconds * USEC_PER_SEC;
    if (*ret_us > now_us && *ret_us - now_us > AHEAD_US) {
        return err_set(err, ERR_LOGIN_OLD, "auth_date is ahead of the clock of this machine");
    }
    return now_us - *ret_us <= LOGIN_VALID_US
               ? 0
               : err_set(err, ERR_LOGIN_OLD, "auth_date is more than five minutes ago");
}

static int read_user(struct str text, int64_t *ret, struct err *err)
{
    AUTO_JSON struct json_object *user = NULL;
    const struct json_limits limits = {.max_bytes = DATA_MAX, .max_depth = 4};
    struct err ignored = {0};
    int64_t id = json_parse(text, &limits, &user, &ignored) < 0 ? 0 : json_i64(user, "id", 0);
    *ret = id;
    return id > 0 && id < USER_MAX ? 0 : err_set(err, ERR_LOGIN_DATA, "user has no id of a person");
}

static int check(const struct secret_key *key, struct str data, int64_t now_us, struct fields *f,
                 struct access_launch *ret, struct err *err)
{
    int rc = read_fields(data, f, err);
    rc = rc < 0 ? rc : check_signature(key, f, err);
    rc = rc < 0 ? rc : check_age(value_of(f, "auth_date"), now_us, &ret->signed_us, err);
    rc = rc < 0 ? rc : read_user(value_of(f, "user"), &ret->user_id, err);
    if (rc == 0) {
        access_token_hash(value_of(f, "hash"), ret->hash);
    }
    return rc;
}

int access_launch_check(const struct secret_key *key, struct str data, int64_t now_us,
                        struct access_launch *ret, struct err *err)
{
    if (data.len == 0 || data.len > DATA_MAX) {
        return err_set(err, ERR_LOGIN_DATA, "%zu bytes; 1 to %zu", data.len, DATA_MAX);
    }
    /* Room for all of it at once: the fields point into it. */
    struct fields f = {.text = BUF_INIT(DATA_MAX + 1)};
    buf_reserve(&f.text, data.len + 1);
    *ret = (struct access_launch){0};
    int rc = check(key, data, now_us, &f, ret, err);
    buf_release(&f.text);
    return rc;
}
