#include "config/config.h"
#include "config/unseal.h"
#include "io/file.h"
#include "rigs/config_rig.h"
#include "store/sealed_file.h"
#include "unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define YAML                                             \
    "telegram: {bot_token: \"${TELEGRAM_BOT_TOKEN}\"}\n" \
    "claude: {model: \"${NIGHTDESK_TEST_VALUE:-claude-x}\"}\n"

struct rig {
    char folder[64];
    char conf[128], sealed[128], key[128], credential[128];
    struct unseal unseal;
    int asked;
    const char *phrase;
};

static const char *folder_of(const char *configured, void *userdata)
{
    struct rig *rig = userdata;
    assert_string_equal(configured, "var");
    return rig->folder;
}

static int ask(char *ret, size_t *ret_len, void *userdata, struct err *err)
{
    struct rig *rig = userdata;
    (void)err;
    rig->asked++;
    *ret_len = strlen(rig->phrase);
    memcpy(ret, rig->phrase, *ret_len + 1);
    return 0;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    (void)config_rig_clean(state);
    (void)str_copy(str_c("/var/tmp/nightdesk-unseal-XXXXXX"), rig->folder, sizeof(rig->folder));
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->conf, sizeof(rig->conf), "%s/c.yaml", rig->folder);
    (void)snprintf(rig->sealed, sizeof(rig->sealed), "%s/" SEALED_FILE_NAME, rig->folder);
    (void)snprintf(rig->key, sizeof(rig->key), "%s/" SEALED_KEY_NAME, rig->folder);
    (void)snprintf(rig->credential, sizeof(rig->credential), "%s/telegram_bot_token", rig->folder);
    rig->unseal = (struct unseal){.folder = folder_of, .ask = ask, .userdata = rig};
    assert_int_equal(file_write(rig->conf, str_c(YAML), 0600, NULL), 0);
    *state = rig;
    return secret_init(NULL);
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    unseal_release(&rig->unseal);
    (void)unlink(rig->conf);
    (void)unlink(rig->sealed);
    (void)unlink(rig->key);
    (void)unlink(rig->credential);
    assert_int_equal(rmdir(rig->folder), 0);
    free(rig);
    return config_rig_clean(state);
}

static void seal(struct rig *rig, const char *value, const char *phrase)
{
    AUTO_SEALED_SET struct sealed_set set = {.count = 0};
    struct sealed_head head = {.by_passphrase = phrase != NULL,
                               .cost = {.passes = 1, .memory_bytes = 64 << 10}};
    const struct sealed_source source = {.key_file = rig->key};
    struct secret_key key;
    assert_int_equal(phrase != NULL
                         ? seal_key_of_passphrase(str_c(phrase), head.salt, &head.cost, &key, NULL)
                         : sealed_key_first(&source, &key, NULL),
                     0);
    assert_int_equal(sealed_set_put(&set, str_c("TELEGRAM_BOT_TOKEN"), str_c(value), 1, NULL), 0);
    assert_int_equal(
        sealed_set_put(&set, str_c("NIGHTDESK_TEST_VALUE"), str_c("sealed-model"), 1, NULL), 0);
    assert_int_equal(sealed_file_write(rig->sealed, &head, &key, &set, NULL), 0);
}

static int load(struct rig *rig, struct config **ret, struct config_problems *problems)
{
    const struct config_options options = {.path = rig->conf, .unseal = &rig->unseal};
    return config_load(&options, ret, problems, NULL);
}

static void loads_token(struct rig *rig, const char *token)
{
    AUTO_CONFIG struct config *config = NULL;
    assert_int_equal(load(rig, &config, NULL), 0);
    assert_string_equal(config->telegram_bot_token, token);
}

static void a_sealed_secret_comes_after_the_environment_and_credentials(void **state)
{
    struct rig *rig = *state;
    AUTO_CONFIG struct config *config = NULL;
    AUTO_BUF struct buf dump = BUF_INIT(100000);
    seal(rig, "1:sealed", NULL);
    assert_int_equal(load(rig, &config, NULL), 0);
    assert_string_equal(config->telegram_bot_token, "1:sealed");
    assert_string_equal(config->claude_model, "claude-x"); /* not for what is shown */
    config_dump(config, &dump);
    assert_non_null(strstr(dump.data, "c.yaml:1:23, $TELEGRAM_BOT_TOKEN"));
    assert_null(strstr(dump.data, "1:sealed"));
    (void)setenv("CREDENTIALS_DIRECTORY", rig->folder, 1);
    assert_int_equal(file_write(rig->credential, str_c("2:credential\n"), 0600, NULL), 0);
    loads_token(rig, "2:credential");
    (void)setenv("TELEGRAM_BOT_TOKEN", "3:environment", 1);
    loads_token(rig, "3:environment");
    assert_int_equal(rig->asked, 0);
}

static void what_cannot_be_unsealed_is_one_problem(void **state)
{
    struct rig *rig = *state;
    struct config *config = NULL;
    struct config_problems problems;
    seal(rig, "1:sealed", NULL);
    assert_int_equal(unlink(rig->key), 0);
    assert_int_equal(load(rig, &config, &problems), -ERR_SEALED_KEY);
    assert_int_equal(problems.count, 1);
    assert_int_equal(unlink(rig->sealed), 0);
    assert_int_equal(load(rig, &config, &problems), -ERR_CONFIG_ENV);
    assert_null(config);
}

static void a_passphrase_is_asked_for_once(void **state)
{
    struct rig *rig = *state;
    struct config *none = NULL;
    rig->phrase = "correct horse";
    seal(rig, "1:sealed", rig->phrase);
    loads_token(rig, "1:sealed");
    loads_token(rig, "1:sealed");
    assert_int_equal(rig->asked, 1);
    /* A reload cannot ask. */
    rig->unseal.ask = NULL;
    seal(rig, "2:set-meanwhile", rig->phrase);
    loads_token(rig, "2:set-meanwhile");
    seal(rig, "3:other", "another horse");
    assert_int_equal(load(rig, &none, NULL), -ERR_SEALED_WRONG_KEY);
}

static void nobody_is_asked_for_secrets_that_are_not_needed(void **state)
{
    struct rig *rig = *state;
    AUTO_CONFIG struct config *config = NULL;
    rig->phrase = "correct horse";
    seal(rig, "1:sealed", rig->phrase);
    const struct config_options options = {
        .path = rig->conf, .unseal = &rig->unseal, .without_secrets = true};
    assert_int_equal(config_load(&options, &config, NULL, NULL), 0);
    assert_int_equal(rig->asked, 0);
    assert_true(config_refers_to(config, str_c("TELEGRAM_BOT_TOKEN")));
    assert_true(config_refers_to(config, str_c("NIGHTDESK_TEST_VALUE")));
    assert_true(config_refers_to(config, str_c("CLAUDE_API_KEY")));
    assert_false(config_refers_to(config, str_c("TELEGRAM_BOT")));
}

UNIT_GROUP(sealed,
           cmocka_unit_test_setup_teardown(
               a_sealed_secret_comes_after_the_environment_and_credentials, setup, teardown),
           cmocka_unit_test_setup_teardown(what_cannot_be_unsealed_is_one_problem, setup, teardown),
           cmocka_unit_test_setup_teardown(a_passphrase_is_asked_for_once, setup, teardown),
           cmocka_unit_test_setup_teardown(nobody_is_asked_for_secrets_that_are_not_needed, setup,
                                           teardown))
