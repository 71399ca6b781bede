#include "base/check.h"
#include "io/file.h"
#include "store/sealed_file.h"
#include "unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
    char folder[64];
    char path[128];
    char key_path[128];
    struct secret_key key;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    assert_int_equal(secret_init(NULL), 0);
    (void)str_copy(str_c("/var/tmp/nightdesk-sealed-XXXXXX"), rig->folder, sizeof(rig->folder));
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/" SEALED_FILE_NAME, rig->folder);
    (void)snprintf(rig->key_path, sizeof(rig->key_path), "%s/" SEALED_KEY_NAME, rig->folder);
    secret_random(&rig->key, sizeof(rig->key));
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    (void)unlink(rig->path);
    (void)unlink(rig->key_path);
    assert_int_equal(rmdir(rig->folder), 0); /* no temporary file is left */
    free(rig);
    return 0;
}

static void put(struct sealed_set *set, const char *name, const char *value)
{
    assert_int_equal(sealed_set_put(set, str_c(name), str_c(value), 1767225600000000, NULL), 0);
}

static void write_two(struct rig *rig)
{
    AUTO_SEALED_SET struct sealed_set set = {.count = 0};
    struct sealed_head head = {.by_passphrase = false};
    put(&set, "TELEGRAM_BOT_TOKEN", "123:abc-recognisable");
    put(&set, "A", "zwölf");
    assert_int_equal(sealed_file_write(rig->path, &head, &rig->key, &set, NULL), 0);
}

static int read_file(const struct rig *rig, const struct secret_key *key, struct sealed_set *ret,
                     struct err *err)
{
    AUTO_SEALED_FILE struct sealed_file *file = NULL;
    int rc = sealed_file_read(rig->path, &file, err);
    return rc < 0 ? rc : sealed_file_open(file, key, ret, err);
}

static void what_is_set_is_read_again_by_name(void **state)
{
    struct rig *rig = *state;
    AUTO_SEALED_SET struct sealed_set set = {.count = 0};
    AUTO_BUF struct buf text = BUF_INIT(4096);
    struct stat st;
    write_two(rig);
    assert_int_equal(read_file(rig, &rig->key, &set, NULL), 0);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.items[0].name, "A");
    assert_int_equal(set.items[1].set_us, 1767225600000000);
    assert_true(str_equal_c(sealed_set_get(&set, str_c("A")), "zwölf"));
    assert_int_equal(sealed_set_get(&set, str_c("TELEGRAM_BOT")).len, 0);
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_read(rig->path, &text, NULL), 0);
    assert_null(strstr(text.data, "recognisable"));
    assert_null(strstr(text.data, "TELEGRAM"));

    put(&set, "A", "other");
    assert_int_equal(sealed_set_remove(&set, str_c("TELEGRAM_BOT_TOKEN"), NULL), 0);
    assert_int_equal(sealed_set_remove(&set, str_c("TELEGRAM_BOT_TOKEN"), NULL),
                     -ERR_SEALED_UNKNOWN);
    assert_int_equal(set.count, 1);
    assert_true(str_equal_c(sealed_set_get(&set, str_c("A")), "other"));
}

static void the_set_is_limited(void **state)
{
    (void)state;
    AUTO_SEALED_SET struct sealed_set set = {.count = 0};
    for (int i = 0; i < SEALED_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "N%02d", i);
        put(&set, name, "v");
    }
    assert_int_equal(sealed_set_put(&set, str_c("M"), str_c("v"), 1, NULL), -ERR_SEALED_FULL);
    assert_int_equal(set.count, SEALED_MAX);
    put(&set, "N07", "again");
}

static void names_and_values_are_checked(void **state)
{
    (void)state;
    char long_name[65], long_value[SEALED_VALUE_MAX + 1];
    memset(long_name, 'A', sizeof(long_name));
    memset(long_value, 'v', sizeof(long_value));
    assert_true(sealed_name_is_valid(str_c("_a9")));
    assert_true(sealed_name_is_valid(str_n(long_name, 63)));
    assert_false(sealed_name_is_valid(str_n(long_name, 64)));
    assert_false(sealed_name_is_valid(str_c("")));
    assert_false(sealed_name_is_valid(str_c("9A")));
    assert_false(sealed_name_is_valid(str_c("telegram.bot_token")));
    assert_false(sealed_name_is_valid(str_c("Ä")));
    assert_true(sealed_value_is_valid(str_n(long_value, SEALED_VALUE_MAX)));
    assert_false(sealed_value_is_valid(str_n(long_value, SEALED_VALUE_MAX + 1)));
    assert_false(sealed_value_is_valid(str_c("")));
    assert_false(sealed_value_is_valid(str_c("two\nlines")));
    assert_false(sealed_value_is_valid(str_c("\xff\xfe")));
    assert_false(sealed_value_is_valid(str_n("a\0b", 3)));
}

/* Every length but the whole one, and every byte changed, is refused with a reason. */
static void a_cut_or_changed_file_is_refused(void **state)
{
    struct rig *rig = *state;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    int truncated = 0, damaged = 0, versions = 0, keys = 0;
    write_two(rig);
    assert_int_equal(file_read(rig->path, &text, NULL), 0);
    for (size_t i = 0; i < 2 * text.len; i++) {
        AUTO_BUF struct buf wrong = BUF_INIT(4096);
        AUTO_SEALED_SET struct sealed_set set = {.count = 0};
        struct err err = {0};
        buf_add(&wrong, text.data, i < text.len ? i : text.len);
        if (i >= text.len) {
            wrong.data[i - text.len] ^= 1;
        }
        assert_int_equal(file_write(rig->path, buf_str(&wrong), 0600, NULL), 0);
        int rc = read_file(rig, &rig->key, &set, &err);
        truncated += rc == -ERR_SEALED_TRUNCATED;
        damaged += rc == -ERR_SEALED_DAMAGED;
        versions += rc == -ERR_SEALED_VERSION;
        keys += rc == -ERR_SEALED_WRONG_KEY;
        if (i + 1 != text.len) { /* without the last line feed it is whole */
            assert_true(rc < 0);
        }
        assert_int_equal(set.count > 0, rc == 0);
        assert_null(strstr(err.context, "recognisable"));
    }
    assert_true(truncated > 200);
    assert_true(damaged > 200);
    assert_true(versions > 0);
    assert_int_equal(keys, 0); /* the checksum tells damage from another key */
}

static void a_foreign_version_is_named(void **state)
{
    struct rig *rig = *state;
    struct sealed_set set;
    struct err err = {0};
    assert_int_equal(
        file_write(rig->path, str_c("nightdesk sealed secrets 2\nwhatever\n"), 0600, NULL), 0);
    assert_int_equal(read_file(rig, &rig->key, &set, &err), -ERR_SEALED_VERSION);
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    struct rig *rig = *state;
    struct sealed_set set;
    struct err err = {0};
    struct sealed_source source = {.key_file = rig->key_path};
    struct secret_key key;
    write_two(rig);
    assert_int_equal(chmod(rig->path, 0640), 0);
    assert_int_equal(read_file(rig, &rig->key, &set, &err), -ERR_SEALED_EXPOSED);
    assert_non_null(strstr(err.context, "mode 0640"));
    assert_int_equal(sealed_key_write(rig->key_path, &rig->key, NULL, NULL), 0);
    assert_int_equal(chmod(rig->key_path, 0604), 0);
    assert_int_equal(sealed_key_first(&source, &key, &err), -ERR_SEALED_EXPOSED);
    assert_int_equal(chmod(rig->key_path, 0600), 0);
    assert_int_equal(sealed_key_first(&source, &key, &err), 0);
}

static void another_key_is_named(void **state)
{
    struct rig *rig = *state;
    AUTO_SEALED_FILE struct sealed_file *file = NULL;
    struct sealed_source source = {.key_file = rig->key_path};
    struct secret_key other = {{1}}, found;
    struct sealed_set set;
    struct err err = {0};
    write_two(rig);
    assert_int_equal(read_file(rig, &other, &set, &err), -ERR_SEALED_WRONG_KEY);
    assert_int_equal(sealed_file_read(rig->path, &file, NULL), 0);
    assert_int_equal(sealed_key_find(&source, file, &found, &err), -ERR_SEALED_KEY);
    assert_int_equal(sealed_key_write(rig->key_path, &other, NULL, NULL), 0);
    assert_int_equal(sealed_key_find(&source, file, &found, &err), -ERR_SEALED_WRONG_KEY);
    assert_non_null(strstr(err.context, file->head.key_id));
    assert_int_equal(file_write(rig->key_path, str_c("nonsense\n"), 0600, NULL), 0);
    assert_int_equal(sealed_key_find(&source, file, &found, &err), -ERR_SECRET_KEY);
}

/* As after a crash in the middle of a rotation: both keys are in the file. */
static void of_two_keys_the_fitting_one_is_found(void **state)
{
    struct rig *rig = *state;
    AUTO_SEALED_FILE struct sealed_file *file = NULL;
    struct sealed_source source = {.key_file = rig->key_path};
    struct secret_key other = {{1}}, found;
    write_two(rig);
    assert_int_equal(sealed_file_read(rig->path, &file, NULL), 0);
    assert_int_equal(sealed_key_write(rig->key_path, &other, &rig->key, NULL), 0);
    assert_int_equal(sealed_key_find(&source, file, &found, NULL), 0);
    assert_memory_equal(&found, &rig->key, sizeof(found));
    assert_int_equal(sealed_key_write(rig->key_path, &rig->key, &other, NULL), 0);
    assert_int_equal(sealed_key_find(&source, file, &found, NULL), 0);
    assert_memory_equal(&found, &rig->key, sizeof(found));
}

static void a_credential_comes_before_the_key_file(void **state)
{
    struct rig *rig = *state;
    struct rig away = *rig;
    struct secret_key other = {{1}}, found;
    char folder[96], path[128];
    (void)snprintf(folder, sizeof(folder), "%s/cred", rig->folder);
    (void)snprintf(path, sizeof(path), "%s/" SEALED_KEY_NAME, folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    struct sealed_source source = {.credentials = folder, .key_file = away.key_path};
    assert_int_equal(sealed_key_write(rig->key_path, &other, NULL, NULL), 0);
    assert_int_equal(sealed_key_write(path, &rig->key, NULL, NULL), 0);
    assert_int_equal(chmod(path, 0440), 0); /* systemd's, with an ACL */
    assert_int_equal(sealed_key_first(&source, &found, NULL), 0);
    assert_memory_equal(&found, &rig->key, sizeof(found));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sealed_key_first(&source, &found, NULL), 0);
    assert_memory_equal(&found, &other, sizeof(found));
    assert_int_equal(rmdir(folder), 0);
}

static int say(char *ret, size_t *ret_len, void *userdata, struct err *err)
{
    const char *text = userdata;
    (void)err;
    *ret_len = strlen(text);
    memcpy(ret, text, *ret_len + 1);
    return 0;
}

static void a_passphrase_opens_what_it_sealed(void **state)
{
    struct rig *rig = *state;
    AUTO_SEALED_FILE struct sealed_file *file = NULL;
    AUTO_SEALED_SET struct sealed_set set = {.count = 0};
    struct sealed_head head = {.by_passphrase = true,
                               .cost = {.passes = 1, .memory_bytes = 64 << 10}};
    char right[] = "correct horse", wrong[] = "correct horsf";
    struct sealed_source source = {.key_file = rig->key_path, .ask = say, .userdata = right};
    struct secret_key key;
    struct err err = {0};
    secret_random(head.salt, sizeof(head.salt));
    put(&set, "A", "b");
    assert_int_equal(seal_key_of_passphrase(str_c(right), head.salt, &head.cost, &key, NULL), 0);
    assert_int_equal(sealed_file_write(rig->path, &head, &key, &set, NULL), 0);
    assert_int_equal(sealed_file_read(rig->path, &file, NULL), 0);
    assert_true(file->head.by_passphrase);
    secret_wipe(&key, sizeof(key));
    assert_int_equal(sealed_key_find(&source, file, &key, &err), 0);
    sealed_set_release(&set);
    assert_int_equal(sealed_file_open(file, &key, &set, NULL), 0);
    assert_int_equal(set.count, 1);
    source.userdata = wrong;
    assert_int_equal(sealed_key_find(&source, file, &key, &err), -ERR_SEALED_PASSPHRASE);
    source.ask = NULL;
    assert_int_equal(sealed_key_find(&source, file, &key, &err), -ERR_SEALED_KEY);
}

UNIT_GROUP(sealed_file,
           cmocka_unit_test_setup_teardown(what_is_set_is_read_again_by_name, setup, teardown),
           cmocka_unit_test(the_set_is_limited), cmocka_unit_test(names_and_values_are_checked),
           cmocka_unit_test_setup_teardown(a_cut_or_changed_file_is_refused, setup, teardown),
           cmocka_unit_test_setup_teardown(a_foreign_version_is_named, setup, teardown),
           cmocka_unit_test_setup_teardown(a_file_that_others_can_read_is_refused, setup, teardown),
           cmocka_unit_test_setup_teardown(another_key_is_named, setup, teardown),
           cmocka_unit_test_setup_teardown(of_two_keys_the_fitting_one_is_found, setup, teardown),
           cmocka_unit_test_setup_teardown(a_credential_comes_before_the_key_file, setup, teardown),
           cmocka_unit_test_setup_teardown(a_passphrase_opens_what_it_sealed, setup, teardown))
