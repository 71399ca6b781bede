#include "access_internal.h"
#include "base/clock.h"
#include "config/config.h"
#include "io/secret.h"

#include <string.h>

#define VALUE_HASH     "pair.hash"
#define VALUE_EXPIRES  "pair.expires_us"
#define VALUE_TRIES    "pair.tries" /* wrong ones */
#define PAIR_EXPIRY_US (15 * USEC_PER_MIN)
#define TRIES_ALL      10
#define TRIES_EACH     3

bool access_lacks_owner(const struct access *access)
{
    return access->config->telegram_bot_token[0] != '\0' && access_telegram_admins(access) == 0;
}

static void hash_code(const struct access *access, const char *code,
                      char ret_hex[SECRET_HASH_HEX_SIZE])
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    buf_addf(&text, "pairing:%s", code);
    ops_store_fingerprint(access->store, buf_str(&text), ret_hex);
    secret_wipe(text.data, text.len);
}

static int write_code(struct access *access, const char *hash, int64_t expires_us, struct err *err)
{
    int rc = ops_store_write_text(access->store, VALUE_HASH, str_c(hash), err);
    rc = rc < 0 ? rc : ops_store_write_i64(access->store, VALUE_EXPIRES, expires_us, err);
    return rc < 0 ? rc : ops_store_write_i64(access->store, VALUE_TRIES, 0, err);
}

int access_pair_open(struct access *access, const struct principal *by,
                     char ret_code[PAIR_CODE_CHARS + 1], int64_t *ret_expires_us, struct err *err)
{
    char hash[SECRET_HASH_HEX_SIZE];
    if (access->config->telegram_bot_token[0] == '\0') {
        return err_set(err, ERR_PAIR_OFF, "telegram.bot_token");
    }
    secret_nonce(ret_code, PAIR_CODE_CHARS);
    hash_code(access, ret_code, hash);
    *ret_expires_us = clock_wall_us(access->clock) + PAIR_EXPIRY_US;
    memset(access->pair_tries, 0, sizeof(access->pair_tries));
    int rc = ops_store_begin(access->store, err);
    if (rc < 0) {
        return rc;
    }
    rc = write_code(access, hash, *ret_expires_us, err);
    rc = rc < 0 ? rc : access_audit(access, by, "access.pairing", "a code was shown", "ok", err);
    if (rc < 0) {
        ops_store_rollback(access->store);
        return rc;
    }
    return ops_store_commit(access->store, err);
}

int access_pair_is_open(struct access *access, bool *ret, struct err *err)
{
    int64_t expires_us = 0, tries = 0, now_us = clock_wall_us(access->clock);
    int rc = ops_store_get_i64(access->store, VALUE_EXPIRES, 0, &expires_us, err);
    rc = rc < 0 ? rc : ops_store_get_i64(access->store, VALUE_TRIES, 0, &tries, err);
    /* A clock that was set back must not keep a code open for longer. */
    *ret = rc == 0 && now_us < expires_us && expires_us - now_us <= PAIR_EXPIRY_US &&
           tries < TRIES_ALL;
    return rc;
}

/* "/start 7Q4ZK-0M2XA", "/pair 7q4zk0m2xa", "7Q4ZK 0M2XA": the code, as it was made. False for any
 * other text. */
static bool read_code(struct str text, char ret_code[PAIR_CODE_CHARS + 1])
{
    struct str rest = str_trim(text), after = rest, word;
    size_t count = 0;
    if (str_word(&after, &word) && (str_equal_c(word, "/start") || str_equal_c(word, "/pair"))) {
        rest = after;
    }
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        c = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        c = (char)(c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c);
        if (c == '-' || c == ' ') {
            continue;
        }
        if (count == PAIR_CODE_CHARS || c == '\0' ||
            strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", c) == NULL) {
            return false;
        }
        ret_code[count++] = c;
    }
    ret_code[count] = '\0';
    return count == PAIR_CODE_CHARS;
}

/* Counts a wrong code of this sender; false if the sender has no more tries. */
static bool may_try(struct access *access, int64_t id)
{
    struct pair_sender *free = NULL;
    for (size_t i = 0; i < PAIR_SENDERS_MAX; i++) {
        struct pair_sender *s = &access->pair_tries[i];
        if (s->id == id) {
            return s->tries++ < TRIES_EACH;
        }
        free = free == NULL && s->id == 0 ? s : free;
    }
    if (free == NULL) {
        return false; /* so many senders have used up the tries of all */
    }
    *free = (struct pair_sender){.id = id, .tries = 1};
    return true;
}

int access_pair_try(struct access *access, int64_t id, struct str text, bool *ret_right,
                    struct err *err)
{
    char code[PAIR_CODE_CHARS + 1];
    char hash[SECRET_HASH_HEX_SIZE];
    bool open = false;
    int64_t tries = 0;
    AUTO_BUF struct buf stored = BUF_INIT(2 * SECRET_HASH_HEX_SIZE);
    *ret_right = false;
    if (id <= 0 || !read_code(text, code)) {
        return 0;
    }
    int rc = access_pair_is_open(access, &open, err);
    if (rc < 0 || !open || !may_try(access, id) ||
        (rc = ops_store_get_text(access->store, VALUE_HASH, &stored, err)) < 0) {
        return rc;
    }
    hash_code(access, code, hash);
    *ret_right = stored.len > 0 && secret_equal(buf_str(&stored), str_c(hash));
    if (*ret_right) {
        return 0;
    }
    rc = ops_store_get_i64(access->store, VALUE_TRIES, 0, &tries, err);
    return rc < 0 ? rc : ops_store_write_i64(access->store, VALUE_TRIES, tries + 1, err);
}

/* A name for the logs, of what Telegram shows, that nobody else has: four eyes and the second
 * factor tell people apart by name. */
static void choose_name(const struct access *access, int64_t id, const char *shown,
                        char ret[NAME_SIZE])
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    char base[NAME_SIZE - 4] = "";
    size_t len = 0;
    for (const char *c = shown; *c != '\0' && len < sizeof(base) - 1; c++) {
        if (strchr(allowed, *c) != NULL) {
            base[len++] = *c;
        }
    }
    (void)str_copy(str_c(len == 0 ? "owner" : base), ret, NAME_SIZE);
    for (unsigned i = 2; i < 1000 && access_name_is_taken(access, ret, id); i++) {
        (void)snprintf(ret, NAME_SIZE, "%s%u", len == 0 ? "owner" : base, i % 1000);
    }
}

int access_pair_accept(struct access *access, int64_t id, const char *name, struct principal *ret,
                       struct err *err)
{
    struct access_person owner = {.id = id, .role = ROLE_ADMIN, .emergency = true};
    const struct principal terminal = {.channel = CHANNEL_CONSOLE, .name = "pairing"};
    AUTO_BUF struct buf detail = BUF_INIT(128);
    if (access->person_count == PEOPLE_MAX) {
        return err_set(err, ERR_USER_MANY, "%d", PEOPLE_MAX);
    }
    choose_name(access, id, name, owner.name);
    *ret = (struct principal){
        .channel = CHANNEL_TELEGRAM, .id = id, .role = ROLE_ADMIN, .emergency = true};
    (void)str_copy(str_c(owner.name), ret->name, sizeof(ret->name));
    buf_addf(&detail, "%s (%lld): admin with the emergency grant", owner.name, (long long)id);
    int rc = write_code(access, "", 0, err);
    rc = rc < 0 ? rc : access_add_person(access, &terminal, &owner, err);
    return rc < 0 ? rc : access_audit(access, ret, "access.paired", detail.data, "ok", err);
}

int access_pair_done(struct access *access, struct err *err)
{
    return access_people_load(access, err);
}
