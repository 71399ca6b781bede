#include "base/check.h"
#include "base/clock.h"
#include "cli_internal.h"
#include "deploy/deploy.h"
#include "deploy/guard.h"
#include "deploy/signature.h"
#include "deploy/sources.h"
#include "io/archive.h"
#include "io/file.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "model/diff.h"

#include <limits.h>
#include <string.h>

#define KEY_TEXT_MAX ((size_t)4096)
#define DIFF_MAX     ((size_t)64 << 20)

/* What one call prints. */
struct made {
    const char *did; /* "packed" "signed" "verified" "key" */
    const char *file;
    struct signature s; /* "": not known */
    int64_t entries;    /* 0: not known */
    bool trusted;       /* signed with the key of --key */
};

static void add_text(struct json_out *json, const char *name, const char *text)
{
    if (text[0] == '\0') {
        json_out_null(json, name);
    } else {
        json_out_text(json, name, text);
    }
}

static void print_json(const struct made *m)
{
    AUTO_BUF struct buf out = BUF_INIT(PATH_MAX * 8);
    struct json_out json = JSON_OUT(&out);
    json_out_document(&json, "nightdesk.release/1");
    json_out_text(&json, "did", m->did);
    json_out_text(&json, "file", m->file);
    add_text(&json, "name", m->s.id.name);
    add_text(&json, "version", m->s.id.version);
    add_text(&json, "sha256", m->s.hash);
    add_text(&json, "key", m->s.key);
    json_out_i64(&json, "bytes", m->s.bytes);
    json_out_bool(&json, "trusted", m->trusted);
    json_out_end(&json);
    buf_add_char(&out, '\n');
    cli_print(buf_str(&out));
}

static void print(const struct cli_args *args, const struct made *m)
{
    if (cli_flag(args, "--json")) {
        print_json(m);
        return;
    }
    AUTO_BUF struct buf out = BUF_INIT(PATH_MAX * 2);
    if (m->s.id.name[0] != '\0') {
        buf_addf(&out, "%s %s %s: %s\n", m->did, m->s.id.name, m->s.id.version, m->file);
        buf_addf(&out, "sha256 %s, %lld bytes", m->s.hash, (long long)m->s.bytes);
        if (m->entries > 0) {
            buf_addf(&out, ", %lld entries", (long long)m->entries);
        }
        buf_add_char(&out, '\n');
    }
    if (m->s.key[0] != '\0') {
        buf_addf(&out, "key %s\n", m->s.key);
    }
    if (strcmp(m->did, "verified") == 0 && !m->trusted) {
        buf_add_c(&out, "The signature fits, but whose key this is was not checked: use --key.\n");
    }
    cli_print(buf_str(&out));
}

/* From --name and --version, else from the name of the file. */
static int find_id(const struct cli_args *args, const char *path, struct release_id *ret,
                   struct err *err)
{
    const char *name = cli_value(args, "--name"), *version = cli_value(args, "--version");
    bool named = release_id_from_file(path, ret);
    if (name != NULL && !release_name_is_valid(str_c(name))) {
        return err_set(err, ERR_CLI_USAGE, "--name takes up to %d of a-z, 0-9, _ and -",
                       RELEASE_NAME_SIZE - 1);
    }
    if (version != NULL && !release_version_is_valid(str_c(version))) {
        return err_set(err, ERR_CLI_USAGE, "--version takes up to %d letters, digits and . _ + ~ -",
                       RELEASE_VERSION_SIZE - 1);
    }
    if (!named && (name == NULL || version == NULL)) {
        return err_set(err, ERR_RELEASE_NAME, "%s: no name and version in the name of the file",
                       path);
    }
    if (name != NULL) {
        (void)str_copy(str_c(name), ret->name, sizeof(ret->name));
    }
    if (version != NULL) {
        (void)str_copy(str_c(version), ret->version, sizeof(ret->version));
    }
    return 0;
}

/* The name of a folder, if a release may have it. */
static void name_of_folder(const char *folder, char ret[RELEASE_NAME_SIZE])
{
    AUTO_FREE char *real = realpath(folder, NULL);
    const char *slash = real == NULL ? NULL : strrchr(real, '/');
    if (slash == NULL || !release_name_is_valid(str_c(slash + 1))) {
        ret[0] = '\0';
        return;
    }
    (void)str_copy(str_c(slash + 1), ret, RELEASE_NAME_SIZE);
}

static int read_diff(const char *file, struct buf *out, struct err *err)
{
    int rc = file_read(file, out, err);
    if (rc == 0 && diff_measure(buf_str(out)).files == 0) {
        rc = err_set(err, ERR_CLI_USAGE, "--diff takes a unified diff: %s has no file in it", file);
    }
    return rc;
}

/* Puts the diff of --diff, or of the two source trees, into the folder, where a deploy looks for
 * it. */
static int add_diff(const struct cli_args *args, struct err *err)
{
    const char *file = cli_value(args, "--diff");
    const struct sources sources = {.before = cli_value(args, "--sources-before"),
                                    .after = cli_value(args, "--sources-after"),
                                    .within_us = SOURCES_US};
    AUTO_BUF struct buf text = BUF_INIT(DIFF_MAX);
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    bool trees = sources.before != NULL;
    if (trees != (sources.after != NULL)) {
        return err_set(err, ERR_CLI_USAGE, "--sources-before and --sources-after go together");
    }
    if (trees && file != NULL) {
        return err_set(err, ERR_CLI_USAGE, "give --diff or the two source trees, not both");
    }
    if (!trees && file == NULL) {
        return 0;
    }
    buf_addf(&path, "%s/" DEPLOY_DIFF_FILE, args->word[1]);
    int rc = trees ? sources_diff(&sources, &text, err) : read_diff(file, &text, err);
    return rc < 0 ? rc : file_write(path.data, buf_str(&text), 0644, err);
}

static int pack(const struct cli_args *args, struct made *m, struct err *err)
{
    static char path[PATH_MAX];
    char name[RELEASE_NAME_SIZE];
    struct archive_size size;
    const char *given = cli_value(args, "--name"), *out = cli_value(args, "--out");
    const char *version = cli_value(args, "--version");
    name_of_folder(args->word[1], name);
    if (version == NULL) {
        return err_set(err, ERR_CLI_USAGE, "release pack needs --version");
    }
    if (given == NULL && name[0] == '\0') {
        return err_set(err, ERR_CLI_USAGE, "release pack needs --name for this folder");
    }
    int n = snprintf(path, sizeof(path), "%s-%s.tar.gz", given != NULL ? given : name, version);
    m->file = out != NULL ? out : path;
    (void)str_copy(str_c(name), m->s.id.name, sizeof(m->s.id.name));
    int rc = n < 0 ? -1 : find_id(args, path, &m->s.id, err);
    /* What sign could not read again from the name of the file. */
    struct release_id again;
    if (rc == 0 && out == NULL &&
        (!release_id_from_file(path, &again) || strcmp(again.name, m->s.id.name) != 0 ||
         strcmp(again.version, m->s.id.version) != 0)) {
        rc = err_set(err, ERR_RELEASE_NAME,
                     "%s: a name has no part that begins with a digit, a version begins with one",
                     path);
    }
    rc = rc < 0 ? rc : add_diff(args, err);
    rc = rc < 0 ? rc : archive_pack(args->word[1], m->file, &size, err);
    rc = rc < 0 ? rc : sign_hash_file(m->file, m->s.hash, &m->s.bytes, err);
    m->entries = rc < 0 ? 0 : size.entries;
    m->did = "packed";
    return rc;
}

static int sign(const struct cli_args *args, struct made *m, struct err *err)
{
    struct secret_key key;
    const char *path = cli_value(args, "--key");
    struct release_id id;
    m->did = "signed";
    if (path == NULL) {
        return err_set(err, ERR_CLI_USAGE, "release sign needs --key; release key FILE makes one");
    }
    if (!file_exists(path)) { /* a wrong path must not make a new key */
        return err_set(err, ERR_FILE_MISSING, "%s", path);
    }
    int rc = find_id(args, args->word[1], &id, err);
    rc = rc < 0 ? rc : secret_key_load(path, &key, err);
    rc = rc < 0 ? rc : signature_make(args->word[1], &id, &key, &m->s, err);
    secret_wipe(&key, sizeof(key));
    return rc;
}

/* The public key of --key: as hex, or in a file, with or without the word key before it. */
static int read_public(const char *text, char ret[SIGN_PUBLIC_SIZE], struct err *err)
{
    AUTO_BUF struct buf file = BUF_INIT(KEY_TEXT_MAX);
    struct str hex = str_c(text);
    if (!sign_is_public(hex)) {
        int rc = file_read(text, &file, err);
        if (rc < 0) {
            return rc;
        }
        hex = str_trim(buf_str(&file));
        hex = str_starts(hex, "key ") ? str_trim(str_n(hex.ptr + 4, hex.len - 4)) : hex;
    }
    if (!sign_is_public(hex)) {
        return err_set(err, ERR_CLI_USAGE,
                       "--key takes a public key: 64 hex digits, or a file "
                       "with what release key prints");
    }
    (void)str_copy(hex, ret, SIGN_PUBLIC_SIZE);
    return 0;
}

static int verify(const struct cli_args *args, struct made *m, struct err *err)
{
    char key[SIGN_PUBLIC_SIZE];
    const char *given = cli_value(args, "--key");
    int rc = given == NULL ? 0 : read_public(given, key, err);
    m->did = "verified";
    rc = rc < 0 ? rc : signature_check(args->word[1], &m->s, err);
    if (rc == 0 && given != NULL && strcasecmp(key, m->s.key) != 0) {
        return err_set(err, ERR_RELEASE_SIGNATURE,
                       "%s: signed with the key %.16s…, not with %.16s…", args->word[1], m->s.key,
                       key);
    }
    m->trusted = given != NULL;
    return rc;
}

static int show_key(const struct cli_args *args, struct made *m, struct err *err)
{
    struct secret_key key;
    m->did = "key";
    int rc = secret_key_load(args->word[1], &key, err);
    if (rc == 0) {
        sign_public(&key, m->s.key);
    }
    secret_wipe(&key, sizeof(key));
    return rc;
}

/* It must never keep nightdesk from starting, so a failure is only reported. */
static int guard(const struct cli_args *args)
{
    char version[RELEASE_VERSION_SIZE];
    struct err err = {0};
    int rc = secret_init(&err);
    rc = rc < 0 ? rc : guard_start(args->word[1], clock_wall_us(clock_real()), version, &err);
    if (rc < 0) {
        return cli_fail(args, &err, CLI_REFUSED);
    }
    AUTO_BUF struct buf out = BUF_INIT(256);
    if (rc == GUARD_UNDONE) {
        buf_addf(&out, "the update was not confirmed: %s is put back\n", version);
    } else if (rc == GUARD_COUNTED) {
        buf_addf(&out, "%s is not confirmed yet\n", version);
    }
    cli_print(buf_str(&out));
    return CLI_FINE;
}

static int run(const struct cli_args *args)
{
    if (strcmp(args->word[0], "guard") == 0) {
        return guard(args);
    }
    static const struct {
        const char *word;
        int (*run)(const struct cli_args *args, struct made *m, struct err *err);
    } words[] = {{"pack", pack}, {"sign", sign}, {"verify", verify}, {"key", show_key}};
    struct made m = {.file = args->word[1]};
    struct err err = {0};
    int rc = secret_init(&err);
    for (size_t i = 0; rc == 0 && i < COUNT_OF(words); i++) {
        if (strcmp(args->word[0], words[i].word) == 0) {
            rc = words[i].run(args, &m, &err);
            if (rc == 0) {
                print(args, &m);
                return CLI_FINE;
            }
        }
    }
    if (rc == 0) {
        rc = err_set(&err, ERR_CLI_USAGE, "release takes pack, sign, verify, key or guard");
    }
    bool refused = rc == -ERR_RELEASE_UNSIGNED || rc == -ERR_RELEASE_SIGNATURE ||
                   rc == -ERR_RELEASE_NAME || rc == -ERR_ARCHIVE_REFUSED ||
                   rc == -ERR_RELEASE_SOURCES;
    return cli_fail(args, &err, refused ? CLI_REFUSED : CLI_CRITICAL);
}

const struct cli_command cmd_release = {
    .name = "release",
    .summary = "Pack, sign and verify a release of a service",
    .words = "pack FOLDER|sign FILE|verify FILE|key FILE|guard FOLDER",
    .words_min = 2,
    .words_max = 2,
    .options = {{"--version", "V", "pack, sign: its version (sign: default from the file name)"},
                {"--name", "N", "pack, sign: its name (pack: default the folder's)"},
                {"--out", "FILE", "pack: the archive (default NAME-VERSION.tar.gz)"},
                {"--diff", "FILE", "pack: what changes, for reviews: FOLDER/release.diff"},
                {"--sources-before", "DIR", "pack: makes that diff from two source trees: the old"},
                {"--sources-after", "DIR", "pack: and the new one, with the program diff"},
                {"--key", "FILE|HEX", "sign: the private key; verify: the public one"},
                CLI_OPTION_JSON},
    .more =
        "key makes a private key (mode 0600) unless the file exists, and prints the public key,\n"
        "which belongs into release_keys of the service. Keep the private key off the server.\n"
        "pack writes the files of a folder as a .tar.gz; the same files give the same bytes.\n"
        "sign writes FILE.sig: name, version, sha256, key, and their Ed25519 signature.\n"
        "verify compares FILE with FILE.sig and, with --key, its key. Another archive of tar.gz,\n"
        "tar.xz, tar.zst, tar.bz2 or zip can be signed as well.\n"
        "guard is for ExecStartPre= of nightdesk's own unit, with its release_root: it puts the\n"
        "version before back if an update was not confirmed after three starts.",
    .exits = "  0  done, or the signature is valid\n"
             "  1  refused: no signature or a wrong one, an entry that cannot be packed, source "
             "trees\n     that cannot be compared, a guard that failed\n"
             "  2  wrong usage, or a file cannot be read or written\n",
    .run = run,
};
