#include "store/sealed_file.h"

#include "base/check.h"
#include "io/file.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC    "nightdesk sealed secrets "
#define VERSION  "1"
#define ID_LABEL "nightdesk sealed secrets: id of the key"
/* "NAME 1767225600000000 4096\n" and a line feed for each value */
#define ITEM_EXTRA (SEALED_NAME_SIZE + 32)
#define PLAIN_MAX  ((size_t)SEALED_MAX * (ITEM_EXTRA + SEALED_VALUE_MAX))
#define TEXT_MAX   (2 * PLAIN_MAX + 2048)

bool sealed_name_is_valid(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.len > 0 && name.len < SEALED_NAME_SIZE;
}

bool sealed_value_is_valid(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return value.len > 0 && value.len <= SEALED_VALUE_MAX && str_is_utf8(value);
}

/* ------------------------------------------------------------------ the set */

static int find(const struct sealed_set *set, struct str name)
{
    for (int i = 0; i < set->count; i++) {
        if (str_equal_c(name, set->items[i].name)) {
            return i;
        }
    }
    return -1;
}

struct str sealed_set_get(const struct sealed_set *set, struct str name)
{
    int at = find(set, name);
    return at < 0 ? str_n("", 0) : set->items[at].value;
}

/* The values move into memory of their own, so that none is left in the old one. */
static void keep_values(struct sealed_set *set)
{
    size_t size = 1, used = 0;
    for (int i = 0; i < set->count; i++) {
        size += set->items[i].value.len;
    }
    char *memory = seal_alloc(size);
    for (int i = 0; i < set->count; i++) {
        struct str *value = &set->items[i].value;
        memcpy(memory + used, value->ptr, value->len);
        value->ptr = memory + used;
        used += value->len;
    }
    seal_release(set->memory);
    set->memory = memory;
}

int sealed_set_put(struct sealed_set *set, struct str name, struct str value, int64_t set_us,
                   struct err *err)
{
    ASSERT(sealed_name_is_valid(name) && sealed_value_is_valid(value));
    int at = find(set, name);
    if (at < 0 && set->count == SEALED_MAX) {
        return err_set(err, ERR_SEALED_FULL, "%d are stored", SEALED_MAX);
    }
    if (at < 0) {
        char text[SEALED_NAME_SIZE];
        (void)str_copy(name, text, sizeof(text));
        at = set->count++;
        while (at > 0 && strcmp(text, set->items[at - 1].name) < 0) {
            set->items[at] = set->items[at - 1];
            at--;
        }
        memcpy(set->items[at].name, text, sizeof(text));
    }
    set->items[at].value = value;
    set->items[at].set_us = set_us;
    keep_values(set);
    return 0;
}

int sealed_set_remove(struct sealed_set *set, struct str name, struct err *err)
{
    int at = find(set, name);
    if (at < 0) {
        return err_set(err, ERR_SEALED_UNKNOWN, "%.63s", str_is_utf8(name) ? name.ptr : "");
    }
    set->count--;
    memmove(&set->items[at], &set->items[at + 1],
            (size_t)(set->count - at) * sizeof(set->items[0]));
    keep_values(set);
    return 0;
}

void sealed_set_release(struct sealed_set *set)
{
    seal_release(set->memory);
    *set = (struct sealed_set){.count = 0};
}

/* Sets nothing if the text is malformed. */
static bool read_items(struct str rest, struct sealed_set *ret)
{
    while (rest.len > 0) {
        struct str line, name, word;
        int64_t len = 0;
        struct sealed_secret *item = &ret->items[ret->count];
        if (ret->count == SEALED_MAX || !str_split(&rest, '\n', &line) || !str_word(&line, &name) ||
            !sealed_name_is_valid(name) || !str_word(&line, &word) ||
            !str_to_i64(word, &item->set_us) || !str_word(&line, &word) ||
            !str_to_i64(word, &len) || len < 0 || (size_t)len >= rest.len) {
            return false;
        }
        (void)str_copy(name, item->name, sizeof(item->name));
        item->value = str_n(rest.ptr, (size_t)len);
        if (rest.ptr[len] != '\n' || !sealed_value_is_valid(item->value)) {
            return false;
        }
        rest = str_n(rest.ptr + len + 1, rest.len - (size_t)len - 1);
        ret->count++;
    }
    return true;
}

/* Returns memory of seal_alloc. */
static char *write_items(const struct sealed_set *set, size_t *ret_len)
{
    size_t size = 1, used = 0;
    for (int i = 0; i < set->count; i++) {
        size += ITEM_EXTRA + set->items[i].value.len;
    }
    char *dst = seal_alloc(size);
    for (int i = 0; i < set->count; i++) {
        const struct sealed_secret *item = &set->items[i];
        int n = snprintf(dst + used, size - used, "%s %lld %zu\n%.*s\n", item->name,
                         (long long)item->set_us, item->value.len, STR_ARG(item->value));
        ASSERT(n > 0 && (size_t)n < size - used);
        used += (size_t)n;
    }
    *ret_len = used;
    return dst;
}

/* ------------------------------------------------------------------ the file */

static void id_of(const struct secret_key *key, char ret[SEALED_ID_SIZE])
{
    char hash[SECRET_HASH_HEX_SIZE];
    secret_hash(key, STR_LIT(ID_LABEL), hash);
    (void)str_copy(str_n(hash, SEALED_ID_SIZE - 1), ret, SEALED_ID_SIZE);
}

static int refuse(struct err *err, enum err_id id, const char *path, const char *why)
{
    return err_set(err, id, "%.300s: %s", path, why);
}

static bool read_salt(struct str hex, uint8_t ret[SEAL_SALT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SEAL_SALT_SIZE; i++) {
        const char *high = hex.len == 2 * SEAL_SALT_SIZE ? strchr(digits, hex.ptr[2 * i]) : NULL;
        const char *low = high != NULL ? strchr(digits, hex.ptr[2 * i + 1]) : NULL;
        if (low == NULL || *high == '\0' || *low == '\0') {
            return false;
        }
        ret[i] = (uint8_t)((high - digits) * 16 + (low - digits));
    }
    return true;
}

/* "key ID HOST" or "passphrase ID HOST PASSES MEMORY SALT" */
static bool read_head(struct str line, struct sealed_head *ret)
{
    struct str kind, id, host, passes, memory, salt;
    *ret = (struct sealed_head){.by_passphrase = false};
    if (!str_word(&line, &kind) || !str_word(&line, &id) || id.len != SEALED_ID_SIZE - 1 ||
        !str_word(&line, &host) || !str_copy(id, ret->key_id, sizeof(ret->key_id)) ||
        !str_copy(host, ret->host, sizeof(ret->host))) {
        return false;
    }
    ret->by_passphrase = str_equal_c(kind, "passphrase");
    return ret->by_passphrase
               ? str_word(&line, &passes) && str_to_i64(passes, &ret->cost.passes) &&
                     str_word(&line, &memory) && str_to_i64(memory, &ret->cost.memory_bytes) &&
                     seal_cost_is_valid(&ret->cost) && str_word(&line, &salt) &&
                     read_salt(salt, ret->salt)
               : str_equal_c(kind, "key");
}

/* Of everything before its own line. */
static void checksum(struct str text, char ret_hex[SECRET_HASH_HEX_SIZE])
{
    secret_hash(NULL, text, ret_hex);
}

static int check_text(struct sealed_file *file, struct err *err)
{
    struct str rest = buf_str(&file->text), line, head;
    char hash[SECRET_HASH_HEX_SIZE];
    if (!str_starts(rest, MAGIC)) {
        /* What is left of a file that was cut off at its very beginning. */
        return refuse(err, rest.len == 0 ? ERR_SEALED_TRUNCATED : ERR_SEALED_DAMAGED, file->path,
                      rest.len == 0 ? "it is empty" : "it does not begin like one");
    }
    (void)str_split(&rest, '\n', &line);
    struct str version = str_trim(str_n(line.ptr + strlen(MAGIC), line.len - strlen(MAGIC)));
    if (!str_equal_c(version, VERSION)) {
        return err_set(err, ERR_SEALED_VERSION, "%.300s: version \"%.20s\", expected " VERSION,
                       file->path, version.len > 0 && version.len < 20 ? version.ptr : "");
    }
    const char *end = file->text.len > 0 && file->text.data[file->text.len - 1] == '\n'
                          ? memrchr(file->text.data, '\n', file->text.len - 1)
                          : NULL;
    struct str before =
        end == NULL ? str_n("", 0) : str_n(file->text.data, (size_t)(end + 1 - file->text.data));
    struct str last = str_n(before.ptr + before.len, file->text.len - before.len);
    if (end == NULL || !str_starts(last, "end ")) {
        return refuse(err, ERR_SEALED_TRUNCATED, file->path, "its last line is missing");
    }
    checksum(before, hash);
    if (!str_equal_c(str_trim(str_n(last.ptr + 4, last.len - 4)), hash)) {
        return refuse(err, ERR_SEALED_DAMAGED, file->path, "its checksum does not match");
    }
    return str_split(&rest, '\n', &head) && read_head(head, &file->head)
               ? 0
               : refuse(err, ERR_SEALED_DAMAGED, file->path, "its second line cannot be read");
}

int sealed_file_read(const char *path, struct sealed_file **ret, struct err *err)
{
    AUTO_SEALED_FILE struct sealed_file *file = calloc(1, sizeof(*file));
    struct stat st;
    NEED_MEMORY(file != NULL);
    buf_init(&file->text, TEXT_MAX);
    if (!str_copy(str_c(path), file->path, sizeof(file->path))) {
        return refuse(err, ERR_FILE_FAILED, path, "path too long");
    }
    int rc = file_read(path, &file->text, err);
    if (rc == 0 && stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        rc = err_set(err, ERR_SEALED_EXPOSED, "%.300s: mode %04o", path,
                     (unsigned)(st.st_mode & 07777));
    }
    rc = rc < 0 ? rc : check_text(file, err);
    if (rc == 0) {
        *ret = TAKE(file);
    }
    return rc;
}

void sealed_file_free(struct sealed_file *file)
{
    if (file != NULL) {
        buf_release(&file->text);
        free(file);
    }
}

bool sealed_file_fits(const struct sealed_file *file, const struct secret_key *key)
{
    char id[SEALED_ID_SIZE];
    id_of(key, id);
    return strcmp(id, file->head.key_id) == 0;
}

int sealed_file_open(const struct sealed_file *file, const struct secret_key *key,
                     struct sealed_set *ret, struct err *err)
{
    struct str rest = buf_str(&file->text), line, box, word;
    size_t len = 0;
    *ret = (struct sealed_set){.count = 0};
    if (!sealed_file_fits(file, key)) {
        return refuse(err, file->head.by_passphrase ? ERR_SEALED_PASSPHRASE : ERR_SEALED_WRONG_KEY,
                      file->path, "sealed with another");
    }
    (void)str_split(&rest, '\n', &line);
    (void)str_split(&rest, '\n', &line);
    struct str head = str_n(file->text.data, (size_t)(rest.ptr - file->text.data));
    if (!str_split(&rest, '\n', &box) || !str_word(&box, &word) || !str_equal_c(word, "box")) {
        return refuse(err, ERR_SEALED_DAMAGED, file->path, "its third line cannot be read");
    }
    box = str_trim(box);
    ret->memory = seal_alloc(box.len / 2 + 1);
    if (!seal_open(key, head, box, ret->memory, &len) ||
        !read_items(str_n(ret->memory, len), ret)) {
        sealed_set_release(ret);
        return refuse(err, ERR_SEALED_DAMAGED, file->path, "its seal is broken");
    }
    return 0;
}

static void add_host(struct buf *out)
{
    char host[SEALED_HOST_SIZE] = "";
    (void)gethostname(host, sizeof(host) - 1);
    for (char *c = host; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '.' || *c == '_';
        *c = plain ? *c : '_';
    }
    buf_add_c(out, host[0] != '\0' ? host : "-");
}

/* As root in a folder of the service's user, the file must be that user's. */
static int write_private(const char *path, struct str text, struct err *err)
{
    char folder[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(path, '/');
    struct str parent = slash == NULL ? STR_LIT(".") : str_n(path, (size_t)(slash - path) + 1);
    if (!str_copy(parent, folder, sizeof(folder)) || stat(folder, &st) < 0) {
        return file_write(path, text, 0600, err);
    }
    return file_write_owned(path, text, &(struct file_owner){st.st_uid, st.st_gid, 0600}, err);
}

int sealed_file_write(const char *path, struct sealed_head *head, const struct secret_key *key,
                      const struct sealed_set *set, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    char hash[SECRET_HASH_HEX_SIZE];
    id_of(key, head->key_id);
    buf_addf(&text, MAGIC VERSION "\n%s %s ", head->by_passphrase ? "passphrase" : "key",
             head->key_id);
    add_host(&text);
    if (head->by_passphrase) {
        buf_addf(&text, " %lld %lld ", (long long)head->cost.passes,
                 (long long)head->cost.memory_bytes);
        for (size_t i = 0; i < SEAL_SALT_SIZE; i++) {
            buf_addf(&text, "%02x", head->salt[i]);
        }
    }
    buf_add_char(&text, '\n');
    AUTO_BUF struct buf box = BUF_INIT(TEXT_MAX);
    size_t len = 0;
    char *plain = write_items(set, &len);
    seal_close(key, buf_str(&text), str_n(plain, len), &box);
    seal_release(plain);
    buf_addf(&text, "box %s\n", box.data);
    checksum(buf_str(&text), hash);
    buf_addf(&text, "end %s\n", hash);
    ASSERT(!buf_failed(&text));
    return write_private(path, buf_str(&text), err);
}

/* ------------------------------------------------------------------ keys */

struct keys {
    int count;
    struct secret_key items[4];
};

/* One key a line. A credential's mode is systemd's business: with an ACL it shows bits of a group.
 */
static int read_keys(const char *path, bool private, struct keys *ret, struct err *err)
{
    enum { SIZE = 1024 };
    char *text = seal_alloc(SIZE);
    size_t len = 0;
    ret->count = 0;
    int rc = seal_read_file(path, private, text, SIZE, &len, err);
    struct str rest = str_n(text, len), line;
    while (rc == 0 && str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0) {
            continue;
        }
        if (ret->count == COUNT_OF(ret->items) || !seal_key_read(line, &ret->items[ret->count])) {
            rc = err_set(err, ERR_SECRET_KEY, "%.300s", path);
        } else {
            ret->count++;
        }
    }
    seal_release(text);
    return rc == 0 && ret->count == 0 ? err_set(err, ERR_SECRET_KEY, "%.300s: empty", path) : rc;
}

/* The first of the two places that exists and has a fitting key (file NULL: the last key of it).
 * Returns 1 if one was found, 0 if none, else an error. *ret_seen: a place with other keys. */
static int search(const struct sealed_source *source, const struct sealed_file *file,
                  struct secret_key *ret, char *ret_seen, size_t seen_size, struct err *err)
{
    AUTO_BUF struct buf credential = BUF_INIT(PATH_MAX);
    struct keys *keys = seal_alloc(sizeof(*keys));
    int found = 0;
    if (source->credentials != NULL && source->credentials[0] != '\0') {
        buf_addf(&credential, "%s/" SEALED_KEY_NAME, source->credentials);
    }
    const char *const places[] = {credential.data, source->key_file};
    for (size_t p = 0; p < COUNT_OF(places) && found == 0; p++) {
        if (places[p] == NULL || places[p][0] == '\0' || !file_exists(places[p])) {
            continue;
        }
        int rc = read_keys(places[p], p == 1, keys, err);
        if (rc < 0) {
            found = rc;
            break;
        }
        (void)str_copy(str_c(places[p]), ret_seen, seen_size);
        for (int i = keys->count - 1; i >= 0 && found == 0; i--) {
            if (file == NULL || sealed_file_fits(file, &keys->items[i])) {
                *ret = keys->items[i];
                found = 1;
            }
        }
    }
    seal_release(keys);
    return found;
}

static int ask_passphrase(const struct sealed_source *source, const struct sealed_file *file,
                          struct secret_key *ret, struct err *err)
{
    if (source->ask == NULL) {
        return refuse(err, ERR_SEALED_KEY, file->path,
                      "it is sealed with a passphrase, and nobody can be asked for it now");
    }
    char *phrase = seal_alloc(SEALED_PHRASE_MAX + 1);
    size_t len = 0;
    int rc = source->ask(phrase, &len, source->userdata, err);
    rc = rc < 0 ? rc
                : seal_key_of_passphrase(str_n(phrase, len), file->head.salt, &file->head.cost, ret,
                                         err);
    seal_release(phrase);
    if (rc == 0 && !sealed_file_fits(file, ret)) {
        rc = refuse(err, ERR_SEALED_PASSPHRASE, file->path, "it does not open it");
    }
    return rc;
}

int sealed_key_find(const struct sealed_source *source, const struct sealed_file *file,
                    struct secret_key *ret, struct err *err)
{
    char seen[PATH_MAX] = "";
    if (file->head.by_passphrase) {
        return ask_passphrase(source, file, ret, err);
    }
    int rc = search(source, file, ret, seen, sizeof(seen), err);
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    if (seen[0] == '\0') {
        return err_set(err, ERR_SEALED_KEY,
                       "%.200s: neither a credential " SEALED_KEY_NAME " nor the file %.200s",
                       file->path, source->key_file);
    }
    return err_set(err, ERR_SEALED_WRONG_KEY,
                   "%.200s was sealed on %.64s with key %s, which is not the one in %.150s",
                   file->path, file->head.host, file->head.key_id, seen);
}

int sealed_key_first(const struct sealed_source *source, struct secret_key *ret, struct err *err)
{
    char seen[PATH_MAX] = "";
    int rc = search(source, NULL, ret, seen, sizeof(seen), err);
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    secret_random(ret->bytes, sizeof(ret->bytes));
    return sealed_key_write(source->key_file, ret, NULL, err);
}

int sealed_key_write(const char *path, const struct secret_key *key, const struct secret_key *more,
                     struct err *err)
{
    char *text = seal_alloc(2 * SECRET_HASH_HEX_SIZE + 1);
    size_t len = 0;
    const struct secret_key *const keys[] = {key, more};
    for (size_t i = 0; i < COUNT_OF(keys) && keys[i] != NULL; i++) {
        seal_key_write(keys[i], text + len);
        len += SECRET_HASH_HEX_SIZE;
        text[len - 1] = '\n';
    }
    int rc = write_private(path, str_n(text, len), err);
    seal_release(text);
    return rc;
}
