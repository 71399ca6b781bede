#include "base/check.h"
#include "deploy/signature.h"
#include "io/file.h"
#include "unit/io/scratch.h"
#include "unit/unit.h"

static void names_and_versions_are_narrow(void **state)
{
    (void)state;
    static const char *const good[] = {"1", "1.4.2", "v2", "1.0-rc.1+build~x", "2026-11-29"};
    static const char *const bad[] = {
        "",         ".1",  "..",
        "-1",       "a/b", "a b",
        "\xc3\xbc", "a\n", "0123456789012345678901234567890123456789012345678"};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(release_version_is_valid(str_c(good[i])));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(release_version_is_valid(str_c(bad[i])));
    }
    assert_false(release_version_is_valid(str_n("1\0", 2)));
    assert_true(release_name_is_valid(str_c("pair-list_2")));
    assert_false(release_name_is_valid(str_c("../x")));
    assert_false(release_name_is_valid(str_c("-x")));
    assert_false(release_name_is_valid(str_c("")));
}

static void a_file_name_gives_name_and_version(void **state)
{
    (void)state;
    static const struct {
        const char *path, *name, *version;
    } cases[] = {{"/a-1/prediction-1.4.2.tar.gz", "prediction", "1.4.2"},
                 {"pair-list-2.0-rc1.zip", "pair-list", "2.0-rc1"},
                 {"x-2026-11-29.tar.zst", "x", "2026-11-29"}};
    struct release_id id;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(release_id_from_file(cases[i].path, &id));
        assert_string_equal(id.name, cases[i].name);
        assert_string_equal(id.version, cases[i].version);
    }
    assert_false(release_id_from_file("prediction.tar.gz", &id));
    assert_false(release_id_from_file("prediction-latest.tar.gz", &id));
    assert_false(release_id_from_file("-1.tar.gz", &id));
    assert_false(release_id_from_file("Up-1.tar.gz", &id));
}

struct signing {
    struct scratch s;
    char file[160], sig[164];
    struct secret_key key;
};

static struct signing signing_make(void)
{
    struct signing k = {.s = scratch_make(), .key = {{7}}};
    const struct release_id id = {"demo", "1.0"};
    (void)str_copy(str_c(scratch_path(&k.s, "demo-1.0.tar.gz")), k.file, sizeof(k.file));
    (void)snprintf(k.sig, sizeof(k.sig), "%s" SIGNATURE_SUFFIX, k.file);
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(file_write(k.file, str_c("artefact"), 0644, NULL), 0);
    assert_int_equal(signature_make(k.file, &id, &k.key, NULL, NULL), 0);
    return k;
}

static void signing_remove(struct signing *k)
{
    scratch_remove(&k->s);
}
#define AUTO_SIGNING AUTO(signing_remove)

static void a_signed_file_is_verified(void **state)
{
    (void)state;
    AUTO_SIGNING struct signing k = signing_make();
    struct signature found;
    char key[SIGN_PUBLIC_SIZE];
    assert_int_equal(signature_check(k.file, &found, NULL), 0);
    assert_string_equal(found.id.name, "demo");
    assert_string_equal(found.id.version, "1.0");
    assert_int_equal(found.bytes, 8);
    sign_public(&k.key, key);
    assert_string_equal(found.key, key);
}

static void another_artefact_is_refused(void **state)
{
    (void)state;
    AUTO_SIGNING struct signing k = signing_make();
    struct signature found;
    struct err err = {0};
    assert_int_equal(file_write(k.file, str_c("artefac"), 0644, NULL), 0);
    assert_int_equal(signature_check(k.file, &found, &err), -ERR_RELEASE_SIGNATURE);
    assert_has(err.context, "cut short, changed, or another file");
}

/* Each byte of the signature file matters. */
static void any_change_of_the_signature_is_refused(void **state)
{
    (void)state;
    AUTO_SIGNING struct signing k = signing_make();
    AUTO_BUF struct buf text = BUF_INIT(1024);
    struct signature found;
    assert_int_equal(file_read(k.sig, &text, NULL), 0);
    for (size_t i = 0; i < text.len; i++) {
        char was = text.data[i];
        text.data[i] = was == '1' ? '2' : '1';
        FILE *file = fopen(k.sig, "w"); /* without a sync: there are many */
        assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(signature_check(k.file, &found, NULL), -ERR_RELEASE_SIGNATURE);
        text.data[i] = was;
    }
    assert_int_equal(file_write(k.sig, str_n(text.data, text.len - 1), 0644, NULL), 0);
    assert_int_equal(signature_check(k.file, &found, NULL), 0); /* only the last line feed */
    assert_int_equal(file_write(k.sig, str_n(text.data, 100), 0644, NULL), 0);
    assert_int_equal(signature_check(k.file, &found, NULL), -ERR_RELEASE_SIGNATURE);
    assert_int_equal(unlink(k.sig), 0);
    assert_int_equal(signature_check(k.file, &found, NULL), -ERR_RELEASE_UNSIGNED);
}

UNIT_GROUP(signature, cmocka_unit_test(names_and_versions_are_narrow),
           cmocka_unit_test(a_file_name_gives_name_and_version),
           cmocka_unit_test(a_signed_file_is_verified),
           cmocka_unit_test(another_artefact_is_refused),
           cmocka_unit_test(any_change_of_the_signature_is_refused))
