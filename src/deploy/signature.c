#include "deploy/signature.h"

#include "base/check.h"
#include "io/file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define SIGNATURE_MAX ((size_t)1024)
#define HEAD          "nightdesk-release 1"

/* ---------------------------------------------------------------- names */

bool release_name_is_valid(struct str name)
{
    bool good = name.len > 0 && name.len < RELEASE_NAME_SIZE && name.ptr[0] != '-';
    for (size_t i = 0; good && i < name.len; i++) {
        char c = name.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return good;
}

bool release_version_is_valid(struct str version)
{
    bool good = version.len > 0 && version.len < RELEASE_VERSION_SIZE &&
                isalnum((unsigned char)version.ptr[0]);
    for (size_t i = 0; good && i < version.len; i++) {
        unsigned char c = (unsigned char)version.ptr[i];
        good = (c < 0x80 && isalnum(c)) || (c != '\0' && strchr("._+~-", c) != NULL);
    }
    return good;
}

/* Without the suffixes of an archive. */
static struct str stem_of(const char *path)
{
    static const char *const suffixes[] = {".tar.gz",  ".tgz",     ".tar.xz",
                                           ".tar.zst", ".tar.bz2", ".zip"};
    const char *slash = strrchr(path, '/');
    struct str stem = str_c(slash == NULL ? path : slash + 1);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        size_t len = strlen(suffixes[i]);
        if (stem.len > len && memcmp(stem.ptr + stem.len - len, suffixes[i], len) == 0) {
            return str_n(stem.ptr, stem.len - len);
        }
    }
    return stem;
}

bool release_id_from_file(const char *path, struct release_id *ret)
{
    struct str stem = stem_of(path);
    for (size_t i = 1; i + 1 < stem.len; i++) {
        if (stem.ptr[i] == '-' && isdigit((unsigned char)stem.ptr[i + 1])) {
            struct str name = str_n(stem.ptr, i);
            struct str version = str_n(stem.ptr + i + 1, stem.len - i - 1);
            return release_name_is_valid(name) && release_version_is_valid(version) &&
                   str_copy(name, ret->name, sizeof(ret->name)) &&
                   str_copy(version, ret->version, sizeof(ret->version));
        }
    }
    return false;
}

/* ---------------------------------------------------------------- the text */

static int signature_path(const char *artefact, char ret[PATH_MAX], struct err *err)
{
    int n = snprintf(ret, PATH_MAX, "%s" SIGNATURE_SUFFIX, artefact);
    return n > 0 && n < PATH_MAX ? 0 : file_error(err, ENAMETOOLONG, "name", artefact);
}

static void add_signed(const struct signature *s, struct buf *out)
{
    buf_addf(out, HEAD "\nname %s\nversion %s\nsha256 %s\nkey %s\n", s->id.name, s->id.version,
             s->hash, s->key);
}

int signature_make(const char *artefact, const struct release_id *id, const struct secret_key *key,
                   struct signature *ret, struct err *err)
{
    struct signature s = {.id = *id};
    char path[PATH_MAX], hex[SIGN_SIZE];
    ASSERT(release_name_is_valid(str_c(id->name)) && release_version_is_valid(str_c(id->version)));
    int rc = signature_path(artefact, path, err);
    rc = rc < 0 ? rc : sign_hash_file(artefact, s.hash, &s.bytes, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf text = BUF_INIT(SIGNATURE_MAX);
    sign_public(key, s.key);
    add_signed(&s, &text);
    sign_make(key, buf_str(&text), hex);
    buf_addf(&text, "signature %s\n", hex);
    if (ret != NULL) {
        *ret = s;
    }
    return file_write(path, buf_str(&text), 0644, err);
}

/* "name value" of the next line into ret. */
static bool take_line(struct str *text, const char *name, char *ret, size_t size)
{
    struct str line, word;
    return str_split(text, '\n', &line) && str_split(&line, ' ', &word) &&
           str_equal_c(word, name) && str_copy(line, ret, size);
}

static bool parse(struct str text, struct signature *ret, char hex[SIGN_SIZE])
{
    struct str rest = text, line;
    return str_split(&rest, '\n', &line) && str_equal_c(line, HEAD) &&
           take_line(&rest, "name", ret->id.name, sizeof(ret->id.name)) &&
           take_line(&rest, "version", ret->id.version, sizeof(ret->id.version)) &&
           take_line(&rest, "sha256", ret->hash, sizeof(ret->hash)) &&
           take_line(&rest, "key", ret->key, sizeof(ret->key)) &&
           take_line(&rest, "signature", hex, SIGN_SIZE) && rest.len == 0 &&
           release_name_is_valid(str_c(ret->id.name)) &&
           release_version_is_valid(str_c(ret->id.version));
}

int signature_check(const char *artefact, struct signature *ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(SIGNATURE_MAX), signed_text = BUF_INIT(SIGNATURE_MAX);
    char path[PATH_MAX], hash[SIGN_HASH_SIZE], hex[SIGN_SIZE];
    *ret = (struct signature){.bytes = 0};
    int rc = signature_path(artefact, path, err);
    rc = rc < 0 ? rc : file_read(path, &text, err);
    if (rc == -ERR_FILE_MISSING) {
        return err_set(err, ERR_RELEASE_UNSIGNED, "%s is missing", path);
    }
    if (rc < 0) {
        return rc;
    }
    if (!parse(buf_str(&text), ret, hex)) {
        return err_set(err, ERR_RELEASE_SIGNATURE, "%s: not a signature of this program", path);
    }
    add_signed(ret, &signed_text);
    if (!sign_check(str_c(ret->key), buf_str(&signed_text), str_c(hex))) {
        return err_set(err, ERR_RELEASE_SIGNATURE, "%s: the signature does not fit its text", path);
    }
    rc = sign_hash_file(artefact, hash, &ret->bytes, err);
    if (rc == 0 && strcmp(hash, ret->hash) != 0) {
        return err_set(
            err, ERR_RELEASE_SIGNATURE,
            "%s: sha256 is %.16s…, signed was %.16s…: cut short, changed, or another file",
            artefact, hash, ret->hash);
    }
    return rc;
}
