/* The stages between arguments and run: second factor and approval by a second person. */
#include "access/login.h"
#include "base/check.h"
#include "io/otp.h"
#include "rigs/runner_rig.h"

#include <string.h>

#define SECRET "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

static int setup(void **state)
{
    static struct runner_rig rig;
    runner_rig_open(&rig);
    static const char *const names[] = {"alice", "rita", "adam"};
    static const char *const roles[] = {"operator", "read_only", "admin"};
    for (int i = 0; i < 3; i++) {
        struct config_user *u = &rig.config.users[rig.config.user_count++];
        *u = (struct config_user){.id = 7 + i, .name = names[i], .role = roles[i], .totp = ""};
        u->emergency = i == 2;
    }
    rig.config.users[0].totp = SECRET;
    runner_rig_add(&rig, "guarded",
                   "role: operator\nconfirm: true\nsecond_factor: true\n"
                   "steps: [{run: test.note}]\nexamples: [guarded]\n");
    runner_rig_add(&rig, "coded",
                   "role: operator\nsecond_factor: true\n"
                   "steps: [{run: test.note}]\nexamples: [coded]\n");
    runner_rig_add(&rig, "both",
                   "role: operator\nconfirm: true\nsecond_factor: true\n"
                   "four_eyes: true\nargs: [{name: text, type: text, required: true, "
                   "help: t}]\nsteps: [{run: test.note, with: {text: $text}}]\n"
                   "examples: [both x]\n");
    runner_rig_add(&rig, "pair",
                   "role: operator\nfour_eyes: true\n"
                   "steps: [{run: test.note}]\nexamples: [pair]\n");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    runner_rig_close(*state);
    return 0;
}

static const char *code_now(struct runner_rig *rig)
{
    static char code[OTP_DIGITS + 1];
    int64_t step = rig->clock.now_wall_us / (30 * USEC_PER_SEC);
    assert_int_equal(otp_code(SECRET, step, code, NULL), 0);
    return code;
}

static const char *wrong_code(struct runner_rig *rig)
{
    static char code[OTP_DIGITS + 1];
    (void)snprintf(code, sizeof(code), "%s", code_now(rig));
    code[0] = code[0] == '9' ? '0' : (char)(code[0] + 1);
    return code;
}

static void press(struct runner_rig *rig, const struct principal *who, const char *letter)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "%s:%s", letter, runner_rig_code(rig));
    assert_int_equal(runner_rig_submit(rig, who, line), 0);
}

static void codes_of_rfc_6238(void **state)
{
    (void)state; /* "12345678901234567890" in base 32; the last six of the eight digits */
    static const char secret[] = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    static const struct {
        int64_t second;
        const char *code;
    } cases[] = {
        {59, "287082"}, {1111111109, "081804"}, {1234567890, "005924"}, {20000000000, "353130"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char code[OTP_DIGITS + 1];
        int64_t step = 0;
        assert_int_equal(otp_code(secret, cases[i].second / 30, code, NULL), 0);
        assert_string_equal(code, cases[i].code);
        int64_t now_us = cases[i].second * USEC_PER_SEC;
        assert_int_equal(otp_match(secret, code, now_us + 30 * USEC_PER_SEC, &step, NULL), 0);
        assert_int_equal(step, cases[i].second / 30);
        assert_int_equal(otp_match(secret, code, now_us + 90 * USEC_PER_SEC, &step, NULL),
                         -ERR_OTP_WRONG);
    }
    int64_t step = 0;
    assert_int_equal(otp_match("not base 32!", "000000", 0, &step, NULL), -ERR_OTP_SECRET);
    assert_int_equal(otp_match("GEZDGNBV", "000000", 0, &step, NULL), -ERR_OTP_SECRET);
}

static void the_digits_follow_the_confirmation(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "guarded"), 0);
    press(rig, &rig->alice, "y");
    assert_has(runner_rig_last(rig), "Second factor: guarded");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT);
    assert_int_equal(rig->runs, 0);
    runner_rig_crash(rig); /* the prompt is a row */
    assert_int_equal(runner_rig_submit(rig, &rig->adam, code_now(rig)), 0); /* not his prompt */
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_send(rig, wrong_code(rig)), 0);
    assert_has(runner_rig_last(rig), "ACCESS_FACTOR_WRONG");
    assert_int_equal(runner_rig_send(rig, code_now(rig)), 0);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_int_equal(runner_rig_audited(rig, "factor.given"), 1);
    assert_int_equal(runner_rig_audited(rig, "factor.refused"), 1);
}

static int fail_move(const char *what, void *userdata)
{
    (void)userdata;
    return strstr(what, "UPDATE confirmations SET nonce") != NULL ? -(int)ERR_DB_FULL : 0;
}

/* The prompt of the next stage cannot be stored: nobody is asked for it, and the first stays open.
 */
static void a_prompt_that_is_not_stored_is_not_shown(void **state)
{
    struct runner_rig *rig = *state;
    char line[32];
    assert_int_equal(runner_rig_send(rig, "guarded"), 0);
    (void)snprintf(line, sizeof(line), "y:%s", runner_rig_code(rig));
    const struct invocation in = {.line = line, .who = &rig->alice, .chat_id = rig->chat_id};
    ops_store_set_fault(rig->store, fail_move, NULL);
    assert_int_equal(runner_submit(rig->runner, &in, NULL), -ERR_DB_FULL);
    assert_int_equal(runner_rig_messages(rig), 1);
    ops_store_set_fault(rig->store, NULL, NULL);
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_has(runner_rig_last(rig), "Second factor: guarded");
}

static int fail_writes(const char *what, void *userdata)
{
    (void)what, (void)userdata;
    return -ERR_DB_FULL;
}

/* They are no unknown command, although the attempt cannot be stored. */
static void digits_on_a_full_disk_are_told_apart_from_a_command(void **state)
{
    struct runner_rig *rig = *state;
    struct principal olga = {CHANNEL_SOCKET, 1000, "olga", ROLE_OPERATOR, false, ""};
    rig->config.locals[rig->config.local_count++] =
        (struct config_local){.uid = 1000, .name = "olga", .role = "operator", .totp = SECRET};
    assert_int_equal(runner_rig_call(rig, &olga, "coded", false), 0);
    assert_has(rig->reply_text, "Second factor: coded");
    ops_store_set_fault(rig->store, fail_writes, NULL);
    assert_int_equal(runner_rig_call(rig, &olga, code_now(rig), false), 0);
    assert_int_equal(rig->reply_err, ERR_DB_FULL);
    ops_store_set_fault(rig->store, NULL, NULL);
    assert_int_equal(runner_rig_call(rig, &olga, code_now(rig), false), 0);
    assert_int_equal(rig->runs, 1);
}

static void a_code_works_once(void **state)
{
    struct runner_rig *rig = *state;
    char line[64];
    assert_int_equal(runner_rig_send(rig, "coded"), 0);
    (void)snprintf(line, sizeof(line), "/confirm %s %s", runner_rig_code(rig), code_now(rig));
    assert_int_equal(runner_rig_send(rig, line), 0);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_send(rig, "coded"), 0);
    assert_int_equal(runner_rig_send(rig, code_now(rig)), 0);
    assert_has(runner_rig_last(rig), "used before");
    assert_int_equal(rig->runs, 1);
    clock_fake_advance(&rig->clock, 31 * USEC_PER_SEC);
    assert_int_equal(runner_rig_send(rig, code_now(rig)), 0);
    assert_int_equal(rig->runs, 2);
}

/* Confirmation and code in one message, and together with the command. */
static void one_message_passes_two_stages(void **state)
{
    struct runner_rig *rig = *state;
    char line[64];
    assert_int_equal(runner_rig_send(rig, "guarded"), 0);
    (void)snprintf(line, sizeof(line), "/confirm %s %s", runner_rig_code(rig), code_now(rig));
    assert_int_equal(runner_rig_send(rig, line), 0);
    assert_int_equal(rig->runs, 1);
    clock_fake_advance(&rig->clock, 31 * USEC_PER_SEC);
    const struct invocation in = {.line = "guarded",
                                  .who = &rig->alice,
                                  .chat_id = rig->chat_id,
                                  .confirmed = true,
                                  .otp = code_now(rig)};
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_int_equal(rig->runs, 2);
}

static void five_wrong_codes_lock_it_also_over_a_restart(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "coded"), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(runner_rig_send(rig, wrong_code(rig)), 0);
        assert_has(runner_rig_last(rig), "ACCESS_FACTOR_WRONG");
    }
    assert_int_equal(runner_rig_send(rig, code_now(rig)), 0);
    assert_has(runner_rig_last(rig), "ACCESS_FACTOR_LOCKED");
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_send(rig, code_now(rig)), 0);
    assert_has(runner_rig_last(rig), "ACCESS_FACTOR_LOCKED");
    assert_int_equal(rig->runs, 0);
    clock_fake_advance(&rig->clock, 16 * USEC_PER_MIN);
    assert_int_equal(runner_rig_send(rig, "coded"), 0);
    assert_int_equal(runner_rig_send(rig, code_now(rig)), 0);
    assert_int_equal(rig->runs, 1);
}

static void without_a_secret_the_command_is_refused_at_once(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "guarded"), 0);
    assert_has(runner_rig_last(rig), "ACCESS_NO_FACTOR");
    assert_has(runner_rig_last(rig), "telegram.users");
    assert_lacks(runner_rig_last(rig), "\"y:");
}

static void a_second_person_approves(void **state)
{
    struct runner_rig *rig = *state;
    char line[64];
    assert_int_equal(runner_rig_send(rig, "both hello"), 0);
    (void)snprintf(line, sizeof(line), "/confirm %s %s", runner_rig_code(rig), code_now(rig));
    assert_int_equal(runner_rig_send(rig, line), 0);
    assert_has(runner_rig_last(rig), "Approve: both hello"); /* adam's copy, the newest message */
    assert_has(runner_rig_last(rig), "Asked for by alice");
    assert_has(runner_rig_last(rig), "Another person has to approve it: adam.");
    assert_int_equal(runner_rig_messages(rig), 3); /* prompt, its edit, and adam's; none for rita */
    assert_int_equal(rig->runs, 0);
    runner_rig_crash(rig);
    char code[16];
    (void)snprintf(code, sizeof(code), "%s", runner_rig_code(rig));
    (void)snprintf(line, sizeof(line), "y:%s", code);
    assert_int_equal(runner_rig_send(rig, line), 0);
    assert_has(runner_rig_last(rig), "FOUR_EYES_SELF");
    struct principal alice_at_the_socket = rig->alice;
    alice_at_the_socket.channel = CHANNEL_SOCKET;
    alice_at_the_socket.id = 1000;
    assert_int_equal(runner_rig_submit(rig, &alice_at_the_socket, line), 0);
    assert_int_equal(rig->runs, 0);
    struct principal token = {.channel = CHANNEL_HTTP, .name = "api", .role = ROLE_OPERATOR};
    assert_int_equal(runner_rig_audited(rig, "confirm.foreign"), 2);
    assert_int_equal(runner_rig_submit(rig, &token, line), 0); /* alice may hold it */
    assert_int_equal(runner_rig_audited(rig, "confirm.foreign"), 3);
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_audited(rig, "confirm.approved"), 0);
    assert_int_equal(runner_rig_submit(rig, &rig->rita, line), 0); /* not her role */
    assert_has(runner_rig_last(rig), "CONFIRM_FOREIGN");
    rig->chat_id = 9; /* adam's own chat */
    assert_int_equal(runner_rig_submit(rig, &rig->adam, line), 0);
    rig->chat_id = 100;
    assert_string_equal(rig->notes, "[hello -1]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_int_equal(runner_rig_audited(rig, "confirm.approved"), 1);
    assert_has(runner_rig_audit_detail(rig, "confirm.approved"), "run 1 of alice: both hello");
    assert_int_equal(runner_rig_audited(rig, "command.finished"), 1);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, line), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_USED");
    assert_int_equal(rig->runs, 1);
}

static void an_approval_can_be_refused_and_expires(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    press(rig, &rig->adam, "n");
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    assert_int_equal(runner_rig_audited(rig, "confirm.denied"), 1);
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    char line[32];
    (void)snprintf(line, sizeof(line), "y:%s", runner_rig_code(rig));
    loop_advance(rig->loop, 3 * USEC_PER_MIN);
    assert_int_equal(runner_rig_state(rig, 2), RUN_EXPIRED);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, line), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_EXPIRED");
    assert_int_equal(rig->runs, 0);
}

/* The buttons of the copies are used, however the prompt is closed. */
static void the_copies_of_an_approval_are_closed_with_it(void **state)
{
    struct runner_rig *rig = *state;
    rig->config.users[rig->config.user_count++] =
        (struct config_user){.id = 20, .name = "otto", .role = "operator", .totp = ""};
    assert_int_equal(runner_rig_send(rig, "pair"), 0); /* 1: the prompt, 2: adam's, 3: otto's */
    assert_int_equal(runner_rig_messages(rig), 3);
    rig->chat_id = 9;
    press(rig, &rig->adam, "y");
    rig->chat_id = 100;
    int edits = 0;
    for (int64_t id = 4; id <= runner_rig_messages(rig); id++) {
        struct outbox_row row = {0};
        assert_int_equal(outbox_table_get(rig->store, id, &row, NULL), 0);
        if (row.edit_of == 2 || row.edit_of == 3) {
            assert_int_equal(row.chat_id, row.edit_of == 2 ? 9 : 20);
            assert_int_equal(row.thread_id, 0);
            assert_has(row.payload, "Approved by adam: pair of alice");
            assert_lacks(row.payload, "\"y:");
            assert_has(row.payload, "\"choice\":\"✓ Approved by adam\"");
            edits++;
        }
        assert_true(row.edit_of != 0); /* adam has his answer there, and needs no other message */
        outbox_row_release(&row);
    }
    assert_int_equal(edits, 2);

    int64_t before = runner_rig_messages(rig);
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    loop_advance(rig->loop, 3 * USEC_PER_MIN);
    assert_int_equal(runner_rig_messages(rig), before + 6); /* three prompts, three edits */
    assert_has(runner_rig_last(rig), "CONFIRM_EXPIRED");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT);
}

/* The prompt is closed by an answer from a chat that shows no copy of it. */
static void who_answers_elsewhere_gets_a_reply(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    rig->chat_id = -55; /* a group */
    press(rig, &rig->adam, "n");
    assert_has(runner_rig_last(rig), "Cancelled: pair");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_SEND);

    rig->chat_id = 100;
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    char *step = strstr(rig->added[3], "test.note"); /* of pair */
    assert_non_null(step);
    memcpy(step, "test.read", strlen("test.read"));
    runner_rig_add(rig, "more", "role: operator\nsteps: [{run: test.read}]\nexamples: [more]\n");
    rig->chat_id = -55;
    press(rig, &rig->adam, "y");
    assert_has(runner_rig_last(rig), "COMMAND_CHANGED");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_SEND);
    assert_int_equal(rig->runs, 0);
}

static void who_approves_elsewhere_gets_a_reply(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    rig->chat_id = -55; /* a group */
    press(rig, &rig->adam, "y");
    assert_int_equal(rig->runs, 1);
    int replies = 0;
    struct outbox_row row;
    for (int64_t id = 1; outbox_table_get(rig->store, id, &row, NULL) == 0; id++) {
        if (row.chat_id == -55) {
            assert_has(row.payload, "Approved by adam: pair of alice");
            replies++;
        }
        outbox_row_release(&row);
    }
    assert_int_equal(replies, 1);
}

/* A person who is logged in at the page. */
static struct principal at_the_page(struct runner_rig *rig, const struct principal *who)
{
    char code[LOGIN_CODE_CHARS + 1], hash[SECRET_HASH_HEX_SIZE];
    struct access_session session;
    struct access_token t = {0};
    struct principal ret = {0};
    int64_t expires_us = 0;
    rig->config.api_session_us = USEC_PER_HOUR;
    rig->config.api_port = 8088;
    rig->config.api_public_url = "https://desk.example.com";
    assert_int_equal(access_login_open(rig->access, who, code, &expires_us, NULL), 0);
    access_token_hash(str_c(code), hash);
    assert_int_equal(access_login_link(rig->access, hash, "10.1.2.3", &session, NULL), 0);
    access_token_hash(str_c(session.token), hash);
    for (int i = 0; access_token_at(rig->access, i, &t) && strcmp(t.hash, hash) != 0; i++) {}
    assert_int_equal(access_identify(rig->access, CHANNEL_HTTP, t.id, &ret), 0);
    return ret;
}

/* But not the one who asked, and no program. */
static void another_person_approves_at_the_page(void **state)
{
    struct runner_rig *rig = *state;
    char line[64];
    struct principal alice = at_the_page(rig, &rig->alice);
    struct principal adam = at_the_page(rig, &rig->adam);
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    (void)snprintf(line, sizeof(line), "confirm %s", runner_rig_code(rig));
    rig->chat_id = 0;
    assert_int_equal(runner_rig_submit(rig, &alice, line), 0);
    assert_int_equal(runner_rig_audited(rig, "confirm.foreign"), 1);
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_submit(rig, &adam, line), 0);
    assert_int_equal(rig->runs, 1);
    assert_has(runner_rig_audit_detail(rig, "confirm.approved"), "run 1 of alice: pair");
}

static void a_prompt_says_if_nobody_else_may_approve(void **state)
{
    struct runner_rig *rig = *state;
    rig->config.users[4].role = "read_only"; /* adam */
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    assert_has(runner_rig_last(rig), "nobody else in telegram.users may");
}

/* However many prompts others have open. */
static void the_digits_find_the_own_prompt_among_many(void **state)
{
    struct runner_rig *rig = *state;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(runner_rig_submit(rig, &rig->adam, "pair"), 0);
    }
    clock_fake_advance(&rig->clock, USEC_PER_SEC);
    assert_int_equal(runner_rig_send(rig, "coded"), 0);
    assert_int_equal(runner_rig_send(rig, code_now(rig)), 0);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    assert_int_equal(runner_rig_send(rig, "/cancel"), 0);
    assert_int_equal(runner_rig_state(rig, 42), RUN_CANCELLED);
}

/* The person who asked loses the role before the approval. */
static void the_role_of_the_requester_is_checked_at_the_approval(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    rig->config.users[0].role = "read_only";
    press(rig, &rig->adam, "y");
    assert_has(runner_rig_last(rig), "ACCESS_DENIED");
    assert_int_equal(rig->runs, 0);
}

/* The person who approved gets an answer, and who asked gets the result. */
static void both_people_learn_of_an_approval(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "pair"), 0);
    char line[32];
    (void)snprintf(line, sizeof(line), "y:%s", runner_rig_code(rig));
    rig->chat_id = 9;
    assert_int_equal(runner_rig_submit(rig, &rig->adam, line), 0);
    assert_true(runner_rig_sent(rig, "Approved by adam: pair of alice"));
    assert_true(runner_rig_sent(rig, "/runs 1 shows how it goes."));
    assert_true(runner_rig_sent(rig, "pair: done"));
    assert_int_equal(rig->runs, 1);
}

/* Asked for at the socket, approved in Telegram: each other person with the role gets a prompt. */
static void an_approval_is_asked_for_in_telegram(void **state)
{
    struct runner_rig *rig = *state;
    struct principal olga = {CHANNEL_SOCKET, 1000, "olga", ROLE_OPERATOR, false, ""};
    rig->config.locals[rig->config.local_count++] =
        (struct config_local){.uid = 1000, .name = "olga", .role = "operator", .totp = ""};
    int wakes = rig->outbox_wakes;
    assert_int_equal(runner_rig_call(rig, &olga, "pair", false), 0);
    assert_true(rig->outbox_wakes > wakes); /* they are sent at once */
    assert_int_equal(rig->reply_err, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply_text, "Approve: pair");
    assert_int_equal(runner_rig_messages(rig), 3); /* the rig lists alice twice */
    assert_has(runner_rig_last(rig), "Asked for by olga");
    assert_int_equal(runner_rig_audited(rig, "confirm.asked"), 1);
    press(rig, &rig->adam, "y");
    assert_int_equal(rig->runs, 1);
}

struct countdown {
    int left;
};

static int die_at(const char *what, void *userdata)
{
    struct countdown *c = userdata;
    (void)what;
    return c->left-- <= 0 ? -ERR_DB_FAILED : 0;
}

/* The process dies at the n-th write while the approval arrives: it runs once, or the prompt is
 * still open. */
static void a_crash_at_any_write_of_an_approval_never_runs_twice(void **state)
{
    struct runner_rig *rig = *state;
    bool whole = false;
    for (int n = 0; !whole && n < 60; n++) {
        struct countdown c = {.left = n};
        rig->runs = 0;
        assert_int_equal(runner_rig_send(rig, "pair"), 0);
        char line[32];
        (void)snprintf(line, sizeof(line), "y:%s", runner_rig_code(rig));
        const struct invocation in = {
            .line = line, .who = &rig->adam, .chat_id = 9, .update_id = 1000 + n};
        ops_store_set_fault(rig->store, die_at, &c);
        (void)runner_submit(rig->runner, &in, NULL);
        whole = c.left >= 0;
        runner_rig_crash(rig);
        assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
        assert_true(rig->runs <= 1);
        struct run_row row;
        assert_int_equal(
            run_table_list(rig->store,
                           &(struct run_query){.states = 1U << RUN_RUNNING | 1U << RUN_CONFIRMING},
                           &row, 1, NULL),
            0);
    }
    assert_true(whole);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(
    stages, cmocka_unit_test(codes_of_rfc_6238), RIG_TEST(the_digits_follow_the_confirmation),
    RIG_TEST(a_code_works_once), RIG_TEST(a_prompt_that_is_not_stored_is_not_shown),
    RIG_TEST(digits_on_a_full_disk_are_told_apart_from_a_command),
    RIG_TEST(one_message_passes_two_stages), RIG_TEST(five_wrong_codes_lock_it_also_over_a_restart),
    RIG_TEST(without_a_secret_the_command_is_refused_at_once), RIG_TEST(a_second_person_approves),
    RIG_TEST(an_approval_can_be_refused_and_expires),
    RIG_TEST(the_copies_of_an_approval_are_closed_with_it),
    RIG_TEST(who_answers_elsewhere_gets_a_reply), RIG_TEST(who_approves_elsewhere_gets_a_reply),
    RIG_TEST(another_person_approves_at_the_page),
    RIG_TEST(a_prompt_says_if_nobody_else_may_approve),
    RIG_TEST(the_digits_find_the_own_prompt_among_many),
    RIG_TEST(the_role_of_the_requester_is_checked_at_the_approval),
    RIG_TEST(both_people_learn_of_an_approval), RIG_TEST(an_approval_is_asked_for_in_telegram),
    RIG_TEST(a_crash_at_any_write_of_an_approval_never_runs_twice))
