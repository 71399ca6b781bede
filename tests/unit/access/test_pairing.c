/* The first owner: a one-time code that the terminal shows. */
#include "access_rig.h"
#include "base/check.h"

#include <ctype.h>
#include <string.h>

#define PAT 50 /* who wants to become an owner */

static const struct principal terminal = {.channel = CHANNEL_CONSOLE, .name = "root"};

/* Opens pairing; the code is in static memory. */
static const char *open_code(struct access_rig *s)
{
    static char code[PAIR_CODE_CHARS + 1];
    int64_t expires_us = 0;
    assert_int_equal(access_pair_open(s->access, &terminal, code, &expires_us, NULL), 0);
    assert_int_equal(expires_us, s->clock.now_wall_us + 15 * USEC_PER_MIN);
    assert_int_equal(strspn(code, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), PAIR_CODE_CHARS);
    return code;
}

static bool is_right(struct access_rig *s, int64_t id, const char *text)
{
    bool right = true;
    assert_int_equal(access_pair_try(s->access, id, str_c(text), &right, NULL), 0);
    return right;
}

static bool is_open(struct access_rig *s)
{
    bool open = false;
    assert_int_equal(access_pair_is_open(s->access, &open, NULL), 0);
    return open;
}

/* A code of the right form that is not the right one. */
static const char *wrong_code(const char *code)
{
    static char wrong[PAIR_CODE_CHARS + 1];
    (void)str_copy(str_c(code), wrong, sizeof(wrong));
    wrong[0] = wrong[0] == '2' ? '3' : '2';
    return wrong;
}

static void an_owner_is_lacking_while_telegram_has_no_admin(void **state)
{
    struct access_rig *s = *state;
    struct err err = {0};
    char code[PAIR_CODE_CHARS + 1];
    int64_t expires_us = 0;
    assert_false(access_lacks_owner(s->access));
    s->config.user_count = 2; /* without adam */
    assert_true(access_lacks_owner(s->access));
    s->config.telegram_bot_token = "";
    assert_false(access_lacks_owner(s->access));
    assert_int_equal(access_pair_open(s->access, &terminal, code, &expires_us, &err),
                     -ERR_PAIR_OFF);
    assert_false(is_open(s));
}

static void the_code_makes_an_owner_once(void **state)
{
    struct access_rig *s = *state;
    struct principal pat, again;
    struct err err = {0};
    assert_false(is_open(s));
    assert_false(is_right(s, PAT, "0000000000")); /* before any code was made */
    const char *code = open_code(s);
    assert_string_equal(access_rig_audited(s)->action, "access.pairing");
    assert_string_equal(access_rig_audited(s)->user, "root");
    assert_null(strstr(access_rig_audited(s)->detail, code));
    assert_true(is_open(s));
    assert_true(is_right(s, PAT, code));
    assert_int_equal(access_pair_accept(s->access, PAT, "Pat", &pat, &err), 0);
    assert_int_equal(access_pair_done(s->access, &err), 0);
    assert_string_equal(pat.name, "Pat");
    assert_int_equal(pat.channel, CHANNEL_TELEGRAM);
    assert_int_equal(pat.id, PAT);
    assert_string_equal(access_rig_audited(s)->action, "access.paired");
    assert_string_equal(access_rig_audited(s)->user, "Pat");
    assert_string_equal(access_rig_audited(s)->detail, "Pat (50): admin with the emergency grant");
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, PAT, &again), 0);
    assert_int_equal(again.role, ROLE_ADMIN);
    assert_true(again.emergency && pat.emergency);
    assert_int_equal(pat.role, ROLE_ADMIN);
    assert_false(is_open(s));
    assert_false(is_right(s, PAT + 1, code));
    struct access_person p;
    assert_true(access_person_at(s->access, 3, &p));
    assert_string_equal(p.granted_by, "pairing");
}

/* As people type it, and as a link sends it. */
static void the_code_is_read_as_people_type_it(void **state)
{
    struct access_rig *s = *state;
    static const char *const forms[] = {"%s",          "  %s \n", "/start %s", "/pair %s",
                                        "/start   %s", "%.5s-%s", "%.5s %s",   "-%.5s--%s-"};
    const char *code = open_code(s);
    for (int n = 0; n < 500 && (strchr(code, 'Z') == NULL || strchr(code, 'A') == NULL); n++) {
        code = open_code(s); /* one with the first and the last letter */
    }
    assert_true(strchr(code, 'Z') != NULL && strchr(code, 'A') != NULL);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        char text[64], typed[64];
        const char *second = strstr(forms[i], "%.5s");
        if (second != NULL) {
            (void)snprintf(text, sizeof(text), "%.*s%.5s%.*s%s%s", (int)(second - forms[i]),
                           forms[i], code, (int)strcspn(second + 4, "%"), second + 4, code + 5,
                           strstr(second, "%s") + 2);
        } else {
            const char *at = strstr(forms[i], "%s");
            (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - forms[i]), forms[i], code,
                           at + 2);
        }
        assert_true(is_right(s, 60 + (int64_t)i, text));
        for (size_t k = 0; k <= strlen(text);
             k++) { /* the easily confused letters, in lower case */
            char c = text[k] == '0' ? 'O' : text[k] == '1' ? (k % 2 == 0 ? 'I' : 'L') : text[k];
            typed[k] = (char)tolower((unsigned char)c);
        }
        assert_true(is_right(s, 60 + (int64_t)i, typed));
    }
}

/* What has not the form of a code is no try. */
static void other_texts_are_not_counted(void **state)
{
    struct access_rig *s = *state;
    const char *code = open_code(s);
    char text[64];
    static const char *const others[] = {"",
                                         "/start",
                                         "/pair",
                                         "hello",
                                         "/status",
                                         "U123456789",
                                         "123456789",
                                         "12345678901",
                                         "\xC3\xA9"
                                         "12345678"};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(others); i++) {
            assert_false(is_right(s, PAT, others[i]));
        }
        (void)snprintf(text, sizeof(text), "/confirm %s", code);
        assert_false(is_right(s, PAT, text));
        (void)snprintf(text, sizeof(text), "%s%s", code, "0");
        assert_false(is_right(s, PAT, text));
        const struct str cut = str_n(code, PAIR_CODE_CHARS - 1);
        bool right = true;
        assert_int_equal(access_pair_try(s->access, PAT, cut, &right, NULL), 0);
        assert_false(right);
        bool nul = true;
        (void)snprintf(text, sizeof(text), "%s", code);
        text[4] = '\0';
        assert_int_equal(access_pair_try(s->access, PAT, str_n(text, PAIR_CODE_CHARS), &nul, NULL),
                         0);
        assert_false(nul);
    }
    static const int64_t nobody[] = {0, -1, -1001234567890};
    for (size_t i = 0; i < COUNT_OF(nobody); i++) {
        assert_false(is_right(s, nobody[i], code)); /* a group is no person */
    }
    assert_true(is_right(s, PAT, code));
}

static void three_wrong_codes_end_the_tries_of_a_sender(void **state)
{
    struct access_rig *s = *state;
    const char *code = open_code(s);
    for (int i = 0; i < 2; i++) {
        assert_false(is_right(s, PAT, wrong_code(code)));
    }
    assert_true(is_right(s, PAT, code)); /* the third */
    assert_false(is_right(s, PAT, code));
    assert_true(is_open(s));
    assert_true(is_right(s, PAT + 1, code)); /* not those of others */
    code = open_code(s);                     /* a new code starts again */
    assert_true(is_right(s, PAT, code));
}

static void ten_wrong_codes_end_it_also_over_a_restart(void **state)
{
    struct access_rig *s = *state;
    const char *code = open_code(s);
    for (int i = 0; i < 9; i++) {
        assert_false(is_right(s, 60 + i % 5, wrong_code(code)));
        if (i == 4) {
            access_rig_restart(s);
        }
    }
    assert_true(is_open(s));
    assert_true(is_right(s, PAT, code));
    assert_false(is_right(s, PAT, wrong_code(code))); /* the tenth */
    assert_false(is_open(s));
    assert_false(is_right(s, PAT + 1, code));
    code = open_code(s);
    assert_true(is_right(s, PAT + 1, code));
}

/* Sixteen senders are counted each by itself; more have used up the tries of all. */
static void a_seventeenth_sender_cannot_try(void **state)
{
    struct access_rig *s = *state;
    const char *code = open_code(s);
    for (int i = 0; i < 16; i++) {
        assert_true(is_right(s, 100 + i, code));
    }
    assert_false(is_right(s, 200, code));
    assert_true(is_right(s, 115, code));
    assert_true(is_open(s));
}

static void a_code_expires(void **state)
{
    struct access_rig *s = *state;
    const char *code = open_code(s);
    clock_fake_advance(&s->clock, 15 * USEC_PER_MIN - 1);
    access_rig_restart(s);
    assert_true(is_open(s));
    assert_true(is_right(s, PAT, code));
    clock_fake_advance(&s->clock, 1);
    assert_false(is_open(s));
    assert_false(is_right(s, PAT, code));
    code = open_code(s);
    s->clock.now_wall_us -= 1; /* a clock that was set back does not keep it open for longer */
    assert_false(is_open(s));
    assert_false(is_right(s, PAT, code));
    s->clock.now_wall_us += 1;
    assert_true(is_right(s, PAT, code));
    static char before[PAIR_CODE_CHARS + 1];
    (void)str_copy(str_c(code), before, sizeof(before));
    code = open_code(s); /* replaces the one before */
    assert_false(is_right(s, PAT, before));
    assert_true(is_right(s, PAT, code));
}

static void only_a_hash_of_the_code_is_stored(void **state)
{
    struct access_rig *s = *state;
    AUTO_BUF struct buf stored = BUF_INIT(256);
    const char *code = open_code(s);
    assert_int_equal(ops_store_get_text(s->store, "pair.hash", &stored, NULL), 0);
    assert_true(stored.len >= 32);
    assert_null(strstr(stored.data, code));
}

static void an_owner_gets_a_name_of_their_own(void **state)
{
    struct access_rig *s = *state;
    static const struct {
        const char *shown;
        const char *name;
    } cases[] = {
        {"Pat", "Pat"},
        {"Pat", "Pat2"},
        {"adam", "adam2"},
        {"\xD0\x9F\xD0\xB0\xD1\x82", "owner"},
        {"\xF0\x9F\x99\x82", "owner2"},
        {"", "owner3"},
        {"Mary Ann O'Hara", "MaryAnnOHara"},
        {"0123456789012345678901234567890123456789", "012345678901234567890123456"},
        {"0123456789012345678901234567890123456789", "0123456789012345678901234562"},
        {"api", "api2"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct principal who;
        assert_int_equal(
            access_pair_accept(s->access, 100 + (int64_t)i, cases[i].shown, &who, NULL), 0);
        assert_int_equal(access_pair_done(s->access, NULL), 0);
        assert_string_equal(who.name, cases[i].name);
    }
    struct principal who; /* paired again: the name is theirs */
    assert_int_equal(access_pair_accept(s->access, 100, "Pat", &who, NULL), 0);
    assert_string_equal(who.name, "Pat");
}

static void what_cannot_be_stored_opens_nothing(void **state)
{
    struct access_rig *s = *state;
    char code[PAIR_CODE_CHARS + 1];
    int64_t expires_us = 0;
    bool right = true;
    access_rig_fail_writes(s, true);
    assert_int_equal(access_pair_open(s->access, &terminal, code, &expires_us, NULL), -ERR_DB_FULL);
    access_rig_fail_writes(s, false);
    assert_false(is_open(s));
    const char *good = open_code(s); /* no transaction is open */
    access_rig_fail_writes(s, true);
    assert_int_equal(access_pair_try(s->access, PAT, str_c(wrong_code(good)), &right, NULL),
                     -ERR_DB_FULL);
    assert_false(right);
    access_rig_fail_writes(s, false);
    access_rig_drop_table(s, "kv");
    assert_true(access_pair_try(s->access, PAT, str_c(good), &right, NULL) < 0);
    assert_false(right);
}

UNIT_GROUP(pairing, ACCESS_RIG_TEST(an_owner_is_lacking_while_telegram_has_no_admin),
           ACCESS_RIG_TEST(the_code_makes_an_owner_once),
           ACCESS_RIG_TEST(the_code_is_read_as_people_type_it),
           ACCESS_RIG_TEST(other_texts_are_not_counted),
           ACCESS_RIG_TEST(three_wrong_codes_end_the_tries_of_a_sender),
           ACCESS_RIG_TEST(ten_wrong_codes_end_it_also_over_a_restart),
           ACCESS_RIG_TEST(a_seventeenth_sender_cannot_try), ACCESS_RIG_TEST(a_code_expires),
           ACCESS_RIG_TEST(only_a_hash_of_the_code_is_stored),
           ACCESS_RIG_TEST(an_owner_gets_a_name_of_their_own),
           ACCESS_RIG_TEST(what_cannot_be_stored_opens_nothing))
