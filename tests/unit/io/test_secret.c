#include "io/file.h"
#include "io/seal.h"
#include "scratch.h"
#include "unit/unit.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void hash_matches_the_published_vector(void **state)
{
    (void)state;
    assert_int_equal(secret_init(NULL), 0);
    char hex[SECRET_HASH_HEX_SIZE];
    /* BLAKE2b-256 of "abc". */
    secret_hash(NULL, str_c("abc"), hex);
    assert_string_equal(hex, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    struct secret_key key = {{1}};
    char keyed[SECRET_HASH_HEX_SIZE];
    char again[SECRET_HASH_HEX_SIZE];
    secret_hash(&key, str_c("abc"), keyed);
    secret_hash(&key, str_c("abc"), again);
    assert_string_not_equal(keyed, hex);
    assert_string_equal(keyed, again);
    key.bytes[31] = 1;
    secret_hash(&key, str_c("abc"), again);
    assert_string_not_equal(keyed, again);
}

static void nonces_use_the_whole_alphabet_and_nothing_else(void **state)
{
    (void)state;
    const char *alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char text[4097];
    secret_nonce(text, 4096);
    assert_int_equal(strlen(text), 4096);
    assert_int_equal(strspn(text, alphabet), 4096);
    for (const char *c = alphabet; *c != '\0'; c++) {
        assert_non_null(strchr(text, *c)); /* absent with probability (31/32)^4096 < 1e-56 */
    }
    assert_true(secret_random_u64() != secret_random_u64());
}

static void comparison_is_exact(void **state)
{
    (void)state;
    assert_true(secret_equal(str_c("token"), str_c("token")));
    assert_false(secret_equal(str_c("token"), str_c("tokeN")));
    assert_false(secret_equal(str_c("token"), str_c("toke")));
    assert_true(secret_equal(str_c(""), str_c("")));
}

static void a_key_file_is_created_once_and_kept(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "key");
    struct secret_key first;
    struct secret_key second;
    assert_int_equal(secret_key_load(path, &first, NULL), 0);
    assert_int_equal(secret_key_load(path, &second, NULL), 0);
    assert_memory_equal(first.bytes, second.bytes, SECRET_KEY_SIZE);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    AUTO_BUF struct buf text = BUF_INIT(100);
    assert_int_equal(file_read(path, &text, NULL), 0);
    assert_int_equal(text.len, 65);

    struct err err = {0};
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(secret_key_load(path, &second, &err), -ERR_SECRET_KEY);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(file_write(path, str_n(text.data, 63), 0600, NULL), 0);
    assert_int_equal(secret_key_load(path, &second, &err), -ERR_SECRET_KEY);
    assert_null(strstr(err.context, text.data));
    text.data[5] = 'x';
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
    assert_int_equal(secret_key_load(path, &second, &err), -ERR_SECRET_KEY);
}

static void secret_strings_are_copies(void **state)
{
    (void)state;
    char text[] = "123:token";
    AUTO_SECRET struct secret *secret = secret_new(str_c(text));
    secret_wipe(text, sizeof(text));
    assert_int_equal(text[0], '\0');
    assert_string_equal(secret_text(secret), "123:token");
    assert_false(secret_is_empty(secret));
    assert_true(secret_is_empty(NULL));
    assert_string_equal(secret_text(NULL), "");
    AUTO_SECRET struct secret *empty = secret_new(str_c(""));
    assert_true(secret_is_empty(empty));
}

static void core_dumps_are_off(void **state)
{
    (void)state;
    struct rlimit limit = {.rlim_cur = 1};
    (void)prctl(PR_SET_DUMPABLE, 1);
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 0);
    assert_int_equal(limit.rlim_max, 0);
}

static void a_box_opens_with_its_key_and_head_only(void **state)
{
    (void)state;
    struct secret_key key = {{1}}, other = {{2}};
    AUTO_BUF struct buf hex = BUF_INIT(1024);
    char plain[512];
    size_t len = 0;
    seal_close(&key, STR_LIT("head"), STR_LIT("plain text"), &hex);
    assert_true(seal_open(&key, STR_LIT("head"), buf_str(&hex), plain, &len));
    assert_int_equal(len, 10);
    assert_string_equal(plain, "plain text");
    assert_false(seal_open(&key, STR_LIT("heaD"), buf_str(&hex), plain, &len));
    assert_false(seal_open(&other, STR_LIT("head"), buf_str(&hex), plain, &len));
    assert_false(seal_open(&key, STR_LIT("head"), str_n(hex.data, hex.len - 2), plain, &len));
    assert_false(seal_open(&key, STR_LIT("head"), str_n(hex.data, 78), plain, &len));
    hex.data[50] = hex.data[50] == '0' ? '1' : '0';
    assert_false(seal_open(&key, STR_LIT("head"), buf_str(&hex), plain, &len));
}

/* In a child: a limit cannot be raised again, and root is not limited. */
static void memory_that_is_not_locked_is_reported(void **state)
{
    (void)state;
    if (UNIT_SANITIZED) {
        skip(); /* there mlock does nothing */
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        char *fits = seal_alloc(100);
        bool good = seal_check_locked(&err) == 0;
        (void)setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0});
        good = good && (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0));
        char *refused = seal_alloc(100);
        good = good && seal_check_locked(&err) == -ERR_SECRET_UNLOCKED &&
               strstr(err.context, "RLIMIT_MEMLOCK is 0 bytes") != NULL && refused[99] == '\0';
        seal_release(refused);
        seal_release(fits);
        _exit(good ? 0 : 1);
    }
    int status = 0;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

UNIT_GROUP(secret, cmocka_unit_test(hash_matches_the_published_vector),
           cmocka_unit_test(nonces_use_the_whole_alphabet_and_nothing_else),
           cmocka_unit_test(comparison_is_exact),
           cmocka_unit_test(a_key_file_is_created_once_and_kept),
           cmocka_unit_test(secret_strings_are_copies), cmocka_unit_test(core_dumps_are_off),
           cmocka_unit_test(a_box_opens_with_its_key_and_head_only),
           cmocka_unit_test(memory_that_is_not_locked_is_reported))
