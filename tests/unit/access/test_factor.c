/* Setting up a second factor by command, and recovery codes. How a code is verified is in
 * test_access.c. */
#include "access_rig.h"
#include "base/check.h"
#include "io/otp.h"
#include "store/factor_table.h"

#include <ctype.h>
#include <string.h>

#define STEP_US (30 * USEC_PER_SEC)

typedef char codes_t[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1];

static struct principal person(struct access_rig *s, int64_t id)
{
    struct principal who;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, id, &who), 0);
    return who;
}

static void code_now(struct access_rig *s, const char *secret, char ret[OTP_DIGITS + 1])
{
    assert_int_equal(otp_code(secret, clock_wall_us(&s->clock.clock) / STEP_US, ret, NULL), 0);
}

static enum err_id verify(struct access_rig *s, const struct principal *who, const char *code)
{
    struct err why = {0};
    assert_int_equal(access_verify_code(s->access, who, code, &why, NULL), 0);
    return (enum err_id)why.id;
}

static struct access_factor factor_of(struct access_rig *s, const struct principal *who)
{
    struct access_factor f;
    assert_int_equal(access_factor_get(s->access, who, &f, NULL), 0);
    return f;
}

static void enrol(struct access_rig *s, const struct principal *who,
                  char ret_secret[FACTOR_SECRET_SIZE], codes_t ret_codes)
{
    char code[OTP_DIGITS + 1];
    assert_int_equal(access_factor_begin(s->access, who, ret_secret, NULL), 0);
    code_now(s, ret_secret, code);
    assert_int_equal(access_factor_confirm(s->access, who, code, ret_codes, NULL), 0);
}

static void a_first_code_activates_the_factor(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7), rita = person(s, 8);
    char secret[FACTOR_SECRET_SIZE], code[OTP_DIGITS + 1];
    codes_t codes;
    struct err err = {0};
    struct access_factor f = factor_of(s, &alice);
    assert_false(f.is_configured || f.is_active || f.is_begun || f.recovery_left != 0);
    assert_int_equal(access_factor_confirm(s->access, &alice, "000000", codes, &err),
                     -ERR_FACTOR_NOT_BEGUN);
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), 0);
    assert_int_equal(strlen(secret), FACTOR_SECRET_SIZE - 1);
    assert_string_equal(access_rig_audited(s)->action, "factor.begun");
    assert_string_equal(access_rig_audited(s)->detail, "alice");
    access_rig_restart(s); /* it may begin on one day and be confirmed by another process */
    f = factor_of(s, &alice);
    assert_true(f.is_begun && !f.is_active);
    assert_false(access_has_factor(s->access, &alice)); /* not asked for yet */
    code_now(s, secret, code);
    assert_int_equal(verify(s, &alice, code), ERR_ACCESS_NO_FACTOR);
    assert_int_equal(access_factor_confirm(s->access, &alice, "000000x", codes, &err),
                     -ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(access_factor_confirm(s->access, &rita, code, codes, &err),
                     -ERR_FACTOR_NOT_BEGUN);
    assert_int_equal(access_factor_confirm(s->access, &alice, code, codes, &err), 0);
    assert_string_equal(access_rig_audited(s)->action, "factor.enrolled");
    f = factor_of(s, &alice);
    assert_true(f.is_active && !f.is_begun && !f.is_configured);
    assert_int_equal(f.recovery_left, RECOVERY_CODES);
    assert_true(access_has_factor(s->access, &alice));
    assert_false(access_has_factor(s->access, &rita));
    assert_int_equal(verify(s, &alice, code), ERR_ACCESS_FACTOR_WRONG); /* it has confirmed */
    clock_fake_advance(&s->clock, STEP_US);
    code_now(s, secret, code);
    assert_int_equal(verify(s, &alice, code), ERR_NONE);
    assert_int_equal(access_factor_confirm(s->access, &alice, code, codes, &err),
                     -ERR_FACTOR_NOT_BEGUN);
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), -ERR_FACTOR_EXISTS);
}

static void a_set_up_ends_after_an_hour(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7);
    char secret[FACTOR_SECRET_SIZE], next[FACTOR_SECRET_SIZE], code[OTP_DIGITS + 1];
    codes_t codes;
    struct err err = {0};
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), 0);
    s->clock.now_wall_us--; /* begun in the future */
    assert_false(factor_of(s, &alice).is_begun);
    s->clock.now_wall_us++;
    assert_true(factor_of(s, &alice).is_begun);
    clock_fake_advance(&s->clock, USEC_PER_HOUR - 1);
    assert_true(factor_of(s, &alice).is_begun);
    clock_fake_advance(&s->clock, 1);
    assert_false(factor_of(s, &alice).is_begun);
    code_now(s, secret, code);
    assert_int_equal(access_factor_confirm(s->access, &alice, code, codes, &err),
                     -ERR_FACTOR_NOT_BEGUN);
    /* A new one replaces it: only the newest secret counts. */
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), 0);
    assert_int_equal(access_factor_begin(s->access, &alice, next, &err), 0);
    assert_string_not_equal(secret, next);
    code_now(s, secret, code);
    assert_int_equal(access_factor_confirm(s->access, &alice, code, codes, &err),
                     -ERR_ACCESS_FACTOR_WRONG);
    code_now(s, next, code);
    assert_int_equal(access_factor_confirm(s->access, &alice, code, codes, &err), 0);
}

static void the_configuration_comes_first(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7);
    char secret[FACTOR_SECRET_SIZE], code[OTP_DIGITS + 1];
    codes_t codes;
    struct err err = {0};
    enrol(s, &alice, secret, codes);
    s->config.users[0].totp = "JBSWY3DPEHPK3PXP";
    assert_true(factor_of(s, &alice).is_configured);
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), -ERR_FACTOR_CONFIGURED);
    clock_fake_advance(&s->clock, STEP_US);
    code_now(s, secret, code);
    assert_int_equal(verify(s, &alice, code), ERR_ACCESS_FACTOR_WRONG);
    code_now(s, "JBSWY3DPEHPK3PXP", code);
    assert_int_equal(verify(s, &alice, code), ERR_NONE);
    /* Who has a token of the API's, or the schedule, has nobody's app. */
    s->config.users[0].totp = NULL;
    assert_true(access_has_factor(s->access, &alice));
    struct principal who = alice;
    static const enum channel none[] = {CHANNEL_HTTP, CHANNEL_SCHEDULE};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        who.channel = none[i];
        assert_false(access_has_factor(s->access, &who));
    }
    who.channel = CHANNEL_SOCKET;
    assert_true(access_has_factor(s->access, &who));
}

static void a_recovery_code_works_once(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7), rita = person(s, 8);
    char secret[FACTOR_SECRET_SIZE];
    codes_t codes, ritas;
    enrol(s, &alice, secret, codes);
    enrol(s, &rita, secret, ritas);
    for (int i = 0; i < RECOVERY_CODES; i++) {
        char typed[32];
        size_t n = 0;
        assert_int_equal(strspn(codes[i], "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), RECOVERY_CODE_CHARS);
        for (int k = 0; k < RECOVERY_CODE_CHARS; k++) { /* "7q4zk-o2mxa" */
            char c = codes[i][k] == '0' ? 'O' : codes[i][k] == '1' ? "ilL"[i % 3] : codes[i][k];
            typed[n] = (char)(i % 2 == 0 ? tolower((unsigned char)c) : c);
            n++;
            if (k == 4) {
                typed[n++] = '-';
            }
        }
        typed[n] = '\0';
        assert_int_equal(verify(s, &rita, typed), ERR_ACCESS_FACTOR_WRONG); /* alice's alone */
        assert_int_equal(verify(s, &rita, ritas[i]), ERR_NONE); /* which forgets the failure */
        assert_int_equal(verify(s, &alice, typed), ERR_NONE);
        assert_int_equal(verify(s, &alice, codes[i]), ERR_ACCESS_FACTOR_WRONG);
        assert_int_equal(factor_of(s, &alice).recovery_left, RECOVERY_CODES - 1 - i);
        clock_fake_advance(&s->clock, 10 * USEC_PER_MIN);
    }
}

/* One that does not fit is a wrong code like any other. */
static void wrong_recovery_codes_lock_the_factor(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7);
    char secret[FACTOR_SECRET_SIZE], wrong[RECOVERY_CODE_CHARS + 1];
    codes_t codes;
    enrol(s, &alice, secret, codes);
    (void)str_copy(str_c(codes[0]), wrong, sizeof(wrong));
    wrong[9] = wrong[9] == '2' ? '3' : '2';
    for (int i = 0; i < 4; i++) {
        assert_int_equal(verify(s, &alice, wrong), ERR_ACCESS_FACTOR_WRONG);
    }
    assert_int_equal(verify(s, &alice, codes[1]), ERR_NONE);
    static const char *const odd[] = {"U234567890", "23456 7890", "234567890", "23456789012"};
    for (size_t i = 0; i < COUNT_OF(odd); i++) { /* not of the form of a code at all */
        assert_int_equal(verify(s, &alice, odd[i]), ERR_ACCESS_FACTOR_WRONG);
    }
    assert_int_equal(verify(s, &alice, wrong), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, codes[2]), ERR_ACCESS_FACTOR_LOCKED);
    assert_int_equal(factor_of(s, &alice).recovery_left, RECOVERY_CODES - 1);
    clock_fake_advance(&s->clock, 15 * USEC_PER_MIN);
    assert_int_equal(verify(s, &alice, codes[2]), ERR_NONE);
}

static void new_recovery_codes_replace_those_before(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7);
    char secret[FACTOR_SECRET_SIZE];
    codes_t before, codes;
    struct err err = {0};
    assert_int_equal(access_factor_codes(s->access, &alice, codes, &err), -ERR_ACCESS_NO_FACTOR);
    enrol(s, &alice, secret, before);
    assert_int_equal(verify(s, &alice, before[0]), ERR_NONE);
    assert_int_equal(access_factor_codes(s->access, &alice, codes, &err), 0);
    assert_string_equal(access_rig_audited(s)->action, "factor.codes");
    assert_int_equal(factor_of(s, &alice).recovery_left, RECOVERY_CODES);
    assert_int_equal(verify(s, &alice, before[1]), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, codes[RECOVERY_CODES - 1]), ERR_NONE);
}

static void a_removed_factor_is_gone(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7), rita = person(s, 8);
    char secret[FACTOR_SECRET_SIZE];
    codes_t codes, ritas;
    struct err err = {0};
    assert_int_equal(access_factor_remove(s->access, &s->adam, "alice", &err),
                     -ERR_ACCESS_NO_FACTOR);
    assert_string_equal(err.context, "alice");
    enrol(s, &alice, secret, codes);
    enrol(s, &rita, secret, ritas);
    assert_int_equal(access_factor_remove(s->access, &s->adam, "alice", &err), 0);
    assert_string_equal(access_rig_audited(s)->action, "factor.removed");
    assert_string_equal(access_rig_audited(s)->user, "adam");
    assert_string_equal(access_rig_audited(s)->detail, "alice");
    assert_false(access_has_factor(s->access, &alice));
    assert_int_equal(factor_of(s, &alice).recovery_left, 0);
    assert_true(access_has_factor(s->access, &rita));
    assert_int_equal(verify(s, &rita, ritas[0]), ERR_NONE);
    enrol(s, &alice, secret, codes);
    assert_int_equal(verify(s, &alice, codes[0]), ERR_NONE);
}

static void what_cannot_be_stored_changes_no_factor(void **state)
{
    struct access_rig *s = *state;
    const struct principal alice = person(s, 7);
    char secret[FACTOR_SECRET_SIZE], code[OTP_DIGITS + 1];
    codes_t codes, others;
    struct err err = {0};
    access_rig_fail_writes(s, true);
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), -ERR_DB_FULL);
    access_rig_fail_writes(s, false);
    assert_false(factor_of(s, &alice).is_begun);
    assert_int_equal(access_factor_begin(s->access, &alice, secret, &err), 0);
    code_now(s, secret, code);
    access_rig_fail_writes(s, true);
    assert_int_equal(access_factor_confirm(s->access, &alice, code, codes, &err), -ERR_DB_FULL);
    access_rig_fail_writes(s, false);
    assert_true(factor_of(s, &alice).is_begun);
    assert_int_equal(factor_of(s, &alice).recovery_left, 0);
    assert_int_equal(access_factor_confirm(s->access, &alice, code, codes, &err), 0);
    access_rig_fail_writes(s, true);
    assert_int_equal(access_factor_codes(s->access, &alice, others, &err), -ERR_DB_FULL);
    assert_int_equal(access_factor_remove(s->access, &alice, "alice", &err), -ERR_DB_FULL);
    struct err why = {0};
    assert_int_equal(access_verify_code(s->access, &alice, codes[0], &why, &err), -ERR_DB_FULL);
    access_rig_fail_writes(s, false);
    assert_int_equal(factor_of(s, &alice).recovery_left, RECOVERY_CODES);
    assert_int_equal(verify(s, &alice, codes[0]), ERR_NONE);
    assert_int_equal(access_factor_remove(s->access, &alice, "alice", &err), 0);
}

UNIT_GROUP(factor, ACCESS_RIG_TEST(a_first_code_activates_the_factor),
           ACCESS_RIG_TEST(a_set_up_ends_after_an_hour),
           ACCESS_RIG_TEST(the_configuration_comes_first),
           ACCESS_RIG_TEST(a_recovery_code_works_once),
           ACCESS_RIG_TEST(wrong_recovery_codes_lock_the_factor),
           ACCESS_RIG_TEST(new_recovery_codes_replace_those_before),
           ACCESS_RIG_TEST(a_removed_factor_is_gone),
           ACCESS_RIG_TEST(what_cannot_be_stored_changes_no_factor))
