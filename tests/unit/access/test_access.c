#include "access_rig.h"
#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "io/db.h"
#include "io/loop.h"
#include "io/otp.h"
#include "io/pool.h"
#include "io/secret.h"
#include "store/audit_chain.h"
#include "store/factor_table.h"
#include "store/read_table.h"
#include "unit/unit.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void users_are_identified_by_id(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &who), 0);
    assert_string_equal(who.name, "alice");
    assert_int_equal(who.role, ROLE_OPERATOR);
    assert_false(who.emergency);
    assert_int_equal(who.id, 7);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 8, &who), 0);
    assert_true(who.emergency);
    access_rig_add_user(&s->config, 0, "nobody", "admin",
                        true); /* what a message without a sender has */
    static const int64_t unauthorised[] = {0, -7, 77, -1001234567890};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, unauthorised[i], &who),
                         -ERR_ACCESS_UNAUTHORISED);
    }
}

static void an_empty_user_list_admits_nobody(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    s->config.user_count = 0;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &who),
                     -ERR_ACCESS_UNAUTHORISED);
}

static void uids_map_to_roles(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    static const enum channel channels[] = {CHANNEL_CONSOLE, CHANNEL_SOCKET};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(access_identify(s->access, channels[i], (int64_t)getuid(), &who), 0);
        assert_int_equal(who.role, ROLE_ADMIN);
        assert_true(who.emergency);
        assert_true(who.name[0] != '\0');
        assert_int_equal(access_identify(s->access, channels[i], 0, &who), 0);
        assert_int_equal(who.role, ROLE_ADMIN);
    }
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_CONSOLE, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, -1, &who),
                     -ERR_ACCESS_UNAUTHORISED);
}

static void a_listed_uid_has_a_name_and_a_role(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    access_rig_add_local(&s->config, 54321, "olga", "operator", false);
    access_rig_add_local(&s->config, 54322, "ron", "read_only", true);
    access_rig_add_local(&s->config, (int64_t)getuid() == 0 ? 1 : (int64_t)getuid(), "desk",
                         "read_only", false);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54321, &who), 0);
    assert_string_equal(who.name, "olga");
    assert_int_equal(who.role, ROLE_OPERATOR);
    assert_false(who.emergency);
    assert_int_equal(who.id, 54321);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54322, &who), 0);
    assert_int_equal(who.role, ROLE_READ_ONLY);
    assert_true(who.emergency);
    /* A listed uid has no access to the console, and a Telegram id is not a uid. */
    assert_int_equal(access_identify(s->access, CHANNEL_CONSOLE, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 7, &who), -ERR_ACCESS_UNAUTHORISED);
    /* The daemon's own user stays admin, even if listed with a lower role: it owns the databases.
     */
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, (int64_t)getuid(), &who), 0);
    assert_int_equal(who.role, ROLE_ADMIN);
    assert_true(getuid() == 0 || strcmp(who.name, "desk") == 0);
}

static void http_is_operator_and_the_schedule_is_admin(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, 0, &who), 0);
    assert_int_equal(who.role, ROLE_OPERATOR);
    assert_string_equal(who.name, "api");
    assert_false(who.emergency);
    assert_int_equal(access_identify(s->access, CHANNEL_HTTP, 1, &who), -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SCHEDULE, 0, &who), 0);
    assert_int_equal(who.role, ROLE_ADMIN);
    assert_string_equal(who.name, "schedule");
}

static void a_role_includes_the_roles_below(void **state)
{
    (void)state;
    for (int has = ROLE_NONE; has <= ROLE_ADMIN; has++) {
        for (int needs = ROLE_READ_ONLY; needs <= ROLE_ADMIN; needs++) {
            struct principal who = {.name = "x", .role = (enum role)has};
            struct err err = {0};
            int rc = access_permit(&who, (enum role)needs, false, &err);
            assert_int_equal(rc, has >= needs ? 0 : -ERR_ACCESS_DENIED);
        }
    }
    struct principal who = {.name = "alice", .role = ROLE_READ_ONLY};
    struct err err = {0};
    assert_int_equal(access_permit(&who, ROLE_OPERATOR, false, &err), -ERR_ACCESS_DENIED);
    assert_string_equal(err.context, "needs operator, alice is read_only");
    who.role = ROLE_ADMIN; /* no role replaces the emergency grant */
    assert_int_equal(access_permit(&who, ROLE_READ_ONLY, true, &err), -ERR_ACCESS_DENIED);
    who.emergency = true;
    assert_int_equal(access_permit(&who, ROLE_READ_ONLY, true, &err), 0);
    who.role = ROLE_NONE; /* and the grant replaces no role */
    assert_int_equal(access_permit(&who, ROLE_READ_ONLY, true, &err), -ERR_ACCESS_DENIED);
}

static void log_lines_of_unauthorised_users_are_limited(void **state)
{
    struct access_rig *s = *state;
    static struct audit_row rows[100];
    int logged = 0;
    for (int i = 0; i < 10; i++) {
        logged += access_unauthorised(s->access, CHANNEL_TELEGRAM, 666, "message") ? 1 : 0;
    }
    assert_int_equal(logged, 3);
    assert_int_equal(audit_chain_list(s->store, 0, rows, 100, NULL), 3);
    assert_string_equal(rows[0].user, "telegram:666");
    assert_string_equal(rows[0].result, "ACCESS_UNAUTHORISED");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(access_unauthorised(s->access, CHANNEL_TELEGRAM, 666, "message"));
    assert_int_equal(audit_chain_list(s->store, 0, rows, 100, NULL), 4);
    assert_non_null(strstr(rows[0].detail, "7 more from this sender left out"));

    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    logged = 0;
    for (int i = 0; i < 500; i++) { /* a new id for each message does not evade the limit */
        logged += access_unauthorised(s->access, CHANNEL_TELEGRAM, 1000 + i, "message") ? 1 : 0;
    }
    assert_int_equal(logged, 30);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(access_unauthorised(s->access, CHANNEL_TELEGRAM, 5000, "message"));
    assert_true(audit_chain_list(s->store, 0, rows, 1, NULL) == 1);
    assert_non_null(strstr(rows[0].detail, "470 more from other unauthorised senders left out"));
    assert_true(access_unauthorised(s->access, CHANNEL_TELEGRAM, 5001, "message"));
    assert_true(audit_chain_list(s->store, 0, rows, 1, NULL) == 1);
    assert_string_equal(rows[0].detail, "message"); /* they are reported once */

    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    for (int i = 0; i < 31; i++) {
        (void)access_unauthorised(s->access, CHANNEL_TELEGRAM, 6000 + i, "message");
    }
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(access_unauthorised(s->access, CHANNEL_TELEGRAM, 7000, "message"));
    assert_true(audit_chain_list(s->store, 0, rows, 1, NULL) == 1);
    assert_non_null(strstr(rows[0].detail, "1 more from other unauthorised senders left out"));
}

static bool sent(struct access_rig *s, enum channel channel, int64_t id)
{
    return access_unauthorised(s->access, channel, id, "message");
}

static const char *last_detail(struct access_rig *s)
{
    static struct audit_row row;
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    return row.detail;
}

static void senders_are_told_apart_by_channel_and_id(void **state)
{
    struct access_rig *s = *state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sent(s, CHANNEL_TELEGRAM, 666), i < 3);
    }
    assert_true(sent(s, CHANNEL_SOCKET, 666));
    assert_true(sent(s, CHANNEL_TELEGRAM, 667));
    assert_string_equal(last_detail(s), "message");
    /* An hour after its first message, to the microsecond. */
    clock_fake_advance(&s->clock, USEC_PER_HOUR - 1);
    assert_false(sent(s, CHANNEL_TELEGRAM, 666));
    clock_fake_advance(&s->clock, 1);
    assert_true(sent(s, CHANNEL_TELEGRAM, 666));
    assert_string_equal(last_detail(s), "message (2 more from this sender left out)");
    assert_true(sent(s, CHANNEL_TELEGRAM, 666));
    assert_string_equal(last_detail(s), "message");
}

static void a_clock_that_goes_back_does_not_silence_the_log(void **state)
{
    struct access_rig *s = *state;
    for (int i = 0; i < 40; i++) {
        (void)sent(s, CHANNEL_TELEGRAM, 1 + i / 3);
    }
    assert_false(sent(s, CHANNEL_TELEGRAM, 1));
    assert_false(sent(s, CHANNEL_TELEGRAM, 50));
    s->clock.now_wall_us -= 3 * USEC_PER_HOUR;
    assert_true(sent(s, CHANNEL_TELEGRAM, 1));
    assert_non_null(strstr(last_detail(s), "(1 more from this sender left out)"));
    assert_true(sent(s, CHANNEL_TELEGRAM, 50));
}

static void long_messages_are_cut(void **state)
{
    struct access_rig *s = *state;
    char text[300];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_true(access_unauthorised(s->access, CHANNEL_TELEGRAM, 5, text));
    assert_int_equal(strlen(last_detail(s)), 200);
}

static void a_line_that_cannot_be_written_is_counted(void **state)
{
    struct access_rig *s = *state;
    access_rig_fail_writes(s, true);
    assert_false(sent(s, CHANNEL_TELEGRAM, 666));
    access_rig_fail_writes(s, false);
    assert_true(sent(s, CHANNEL_TELEGRAM, 666));
    assert_string_equal(last_detail(s), "message (1 more from this sender left out)");
}

/* 64 senders are remembered; the next takes the place of the one that was silent longest, and what
 * was left out of that is not forgotten. */
static void the_sender_silent_longest_is_forgotten(void **state)
{
    struct access_rig *s = *state;
    for (int i = 0; i < 5; i++) {
        (void)sent(s, CHANNEL_TELEGRAM, 1); /* two left out */
        (void)sent(s, CHANNEL_TELEGRAM, 2);
    }
    for (int id = 3; id <= 64; id++) {
        clock_fake_advance(&s->clock, USEC_PER_SEC);
        (void)sent(s, CHANNEL_TELEGRAM, id);
    }
    clock_fake_advance(&s->clock, USEC_PER_SEC);
    (void)sent(s, CHANNEL_TELEGRAM, 1); /* three left out; now 2 is the oldest */
    clock_fake_advance(&s->clock, USEC_PER_SEC);
    (void)sent(s, CHANNEL_TELEGRAM, 65);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(sent(s, CHANNEL_TELEGRAM, 1));
    /* 24 of 3 to 64 were written (30 lines an hour); 38 and 65 were not; and the two of 2. */
    assert_string_equal(last_detail(s), "message (3 more from this sender left out)"
                                        " (41 more from other unauthorised senders left out)");
}

static void a_name_of_one_letter_is_a_name(void **state)
{
    struct access_rig *s = *state;
    struct audit_row row;
    const struct principal who = {.channel = CHANNEL_TELEGRAM, .id = 5, .name = "b"};
    assert_int_equal(access_audit(s->access, &who, "command.received", "status", "ok", NULL), 0);
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    assert_string_equal(row.user, "b");
}

static void audit_lines_are_redacted(void **state)
{
    struct access_rig *s = *state;
    struct audit_row row;
    struct principal who = {.channel = CHANNEL_CONSOLE, .name = "root", .role = ROLE_ADMIN};
    assert_true(log_hide("123456:verysecrettoken"));
    assert_int_equal(access_audit(s->access, &who, "command.received",
                                  "set 123456:verysecrettoken now", "ok", NULL),
                     0);
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    assert_string_equal(row.detail, "set *** now");
    assert_string_equal(row.user, "root");
    assert_string_equal(row.channel, "console");
}

static void the_detail_of_a_line_is_cut_to_its_size(void **state)
{
    struct access_rig *s = *state;
    struct audit_row row;
    char detail[1100];
    struct principal who = {.channel = CHANNEL_CONSOLE, .name = "root", .role = ROLE_ADMIN};
    memset(detail, 'x', sizeof(detail));
    detail[sizeof(detail) - 1] = '\0';
    detail[1023] = '\0';
    assert_int_equal(access_audit(s->access, &who, "a", detail, "ok", NULL), 0);
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    assert_int_equal(strlen(row.detail), 1023);
    assert_string_equal(row.action, "a");
    assert_string_equal(row.result, "ok");
    assert_int_equal(row.at_us, clock_wall_us(&s->clock.clock));
    detail[1023] = 'x';
    assert_int_equal(access_audit(s->access, &who, "a", detail, "ok", NULL), 0);
    assert_int_equal(audit_chain_list(s->store, 0, &row, 1, NULL), 1);
    assert_int_equal(strlen(row.detail), 1023);
}

/* What belongs to a run says so, once. */
static void a_line_of_a_run_names_it(void **state)
{
    struct access_rig *s = *state;
    assert_int_equal(access_audit(s->access, &s->adam, "a", "words", "ok", NULL), 0);
    assert_string_equal(access_rig_audited(s)->detail, "words");
    TRACE_RUN(12);
    assert_int_equal(access_audit(s->access, &s->adam, "a", "words", "ok", NULL), 0);
    assert_string_equal(access_rig_audited(s)->detail, "run 12: words");
    assert_int_equal(access_audit(s->access, &s->adam, "a", "run 12: words", "ok", NULL), 0);
    assert_string_equal(access_rig_audited(s)->detail, "run 12: words");
    assert_int_equal(access_audit(s->access, &s->adam, "a", "runs", "ok", NULL), 0);
    assert_string_equal(access_rig_audited(s)->detail, "run 12: runs");
}

static void the_owner_of_the_machine_is_local(void **state)
{
    struct access_rig *s = *state;
    const int64_t own = (int64_t)getuid();
    static const enum channel channels[] = {CHANNEL_CONSOLE, CHANNEL_TELEGRAM, CHANNEL_SOCKET,
                                            CHANNEL_HTTP, CHANNEL_SCHEDULE};
    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        bool local = channels[i] == CHANNEL_CONSOLE || channels[i] == CHANNEL_SOCKET;
        const int64_t ids[] = {0, own, own + 1};
        for (size_t k = 0; k < COUNT_OF(ids); k++) {
            const struct principal who = {.channel = channels[i], .id = ids[k]};
            assert_int_equal(access_is_local_owner(s->access, &who), local && k < 2);
        }
    }
}

/* Nobody is let in by a list that could not be read. */
static void people_that_cannot_be_read_are_an_error(void **state)
{
    struct access_rig *s = *state;
    struct access *access = NULL;
    access_rig_drop_table(s, "people");
    assert_true(access_new(&s->config, s->store, &s->clock.clock, &access, NULL) < 0);
    assert_null(access);
}

static void reads_are_counted_by_person_and_command(void **state)
{
    struct access_rig *s = *state;
    struct read_count rows[4];
    struct principal alice = {.channel = CHANNEL_TELEGRAM, .id = 7, .name = "alice"};
    struct principal nobody = {.channel = CHANNEL_SOCKET, .id = 54321};
    assert_int_equal(access_count_reads(s->access, &alice, "status", 1, 0, NULL), 0);
    assert_int_equal(access_count_reads(s->access, &alice, "status", 1, 1, NULL), 0);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_int_equal(access_count_reads(s->access, &nobody, "why", 1, 0, NULL), 0);
    assert_int_equal(read_table_list(s->store, 0, 0, rows, 4, NULL), 2);
    assert_string_equal(rows[0].user, "socket:54321");
    assert_string_equal(rows[0].channel, "socket");
    assert_string_equal(rows[0].command, "why");
    assert_string_equal(rows[1].user, "alice");
    assert_string_equal(rows[1].channel, "telegram");
    assert_string_equal(rows[1].command, "status");
    assert_int_equal(rows[1].count, 2);
    assert_int_equal(rows[1].failed, 1);
    assert_true(rows[0].at_us > rows[1].at_us);
}

static void names_round_trip(void **state)
{
    (void)state;
    for (int c = CHANNEL_CONSOLE; c <= CHANNEL_SCHEDULE; c++) {
        enum channel channel = CHANNEL_CONSOLE;
        assert_true(channel_parse(str_c(channel_name((enum channel)c)), &channel));
        assert_int_equal(channel, c);
    }
    for (int r = ROLE_NONE; r <= ROLE_ADMIN; r++) {
        enum role role = ROLE_NONE;
        assert_true(role_parse(str_c(role_name((enum role)r)), &role));
        assert_int_equal(role, r);
    }
    enum role role;
    assert_false(role_parse(str_c("root"), &role));
    enum channel channel;
    assert_false(channel_parse(str_c("pigeon"), &channel));
}

static void note_user(int64_t id, const char *name, void *userdata)
{
    char *all = userdata;
    size_t len = strlen(all);
    (void)snprintf(all + len, 256 - len, "%lld=%s ", (long long)id, name);
}

static void all_listed_users_are_named(void **state)
{
    struct access_rig *s = *state;
    char all[256] = "";
    struct principal who;
    access_rig_add_local(&s->config, 54321, "olga", "operator", false);
    access_each_user(s->access, note_user, all);
    assert_string_equal(all, "7=alice 8=rita 9=adam 54321=olga ");
    assert_true(access_telegram_user(s->access, 2, &who));
    assert_string_equal(who.name, "adam");
    assert_int_equal(who.role, ROLE_ADMIN);
    assert_int_equal(who.channel, CHANNEL_TELEGRAM);
    assert_false(access_telegram_user(s->access, 3, &who));
    s->config.users[3] = s->config.users[0]; /* beyond the count */
    assert_false(access_telegram_user(s->access, 3, &who));
}

static void a_configuration_with_an_unknown_role_is_refused(void **state)
{
    struct access_rig *s = *state;
    struct access *access = NULL;
    struct err err = {0};
    s->config.users[0].role = "owner";
    assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &access, &err),
                     -ERR_INTERNAL);
    assert_string_equal(err.context, "role of user alice");
    s->config.users[0].role = "operator";
    s->config.users[2].role = "owner";
    assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &access, &err),
                     -ERR_INTERNAL);
    assert_string_equal(err.context, "role of user adam");
    s->config.users[2].role = "admin";
    access_rig_add_local(&s->config, 54321, "olga", "boss", false);
    assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &access, &err),
                     -ERR_INTERNAL);
    assert_string_equal(err.context, "role of user olga");
    assert_null(access);
    access_free(NULL);
}

static void the_role_none_admits_nobody(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    s->config.users[0].role = "none";
    access_rig_add_local(&s->config, 54321, "olga", "none", true);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54321, &who),
                     -ERR_ACCESS_UNAUTHORISED);
    assert_int_equal(access_identify(s->access, CHANNEL_SCHEDULE, 1, &who),
                     -ERR_ACCESS_UNAUTHORISED);
}

static void a_new_configuration_replaces_the_users(void **state)
{
    struct access_rig *s = *state;
    struct principal who;
    static struct config next;
    memset(&next, 0, sizeof(next));
    access_rig_add_user(&next, 17, "zoe", "admin", false);
    access_rig_add_user(&next, 1, "una", "operator", false);
    access_apply(s->access, &next);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 17, &who), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 1, &who), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &who),
                     -ERR_ACCESS_UNAUTHORISED);
}

/* ---- the user that runs the daemon ---- */

static const char *name_of(int64_t uid, char dst[32])
{
    const struct passwd *row = getpwuid((uid_t)uid);
    if (row != NULL) {
        (void)str_copy(str_c(row->pw_name), dst, 32);
    } else {
        (void)snprintf(dst, 32, "uid %lld", (long long)uid);
    }
    return dst;
}

static void iterate_until_known(struct loop *loop, const struct access *access)
{
    for (int i = 0; i < 500 && access_learns_names(access); i++) {
        (void)loop_iterate(loop, 20 * USEC_PER_MSEC);
    }
}

/* For a process that is not root. Returns the number of the line that is wrong, or 0. */
#define EXPECT(condition)    \
    do {                     \
        if (!(condition)) {  \
            return __LINE__; \
        }                    \
    } while (0)
static int check_own_uid(struct access_rig *s)
{
    const int64_t own = (int64_t)getuid();
    char all[256] = "", expected[256], own_name[32], root_name[32], text[32];
    struct principal who;
    struct access *a = NULL;
    EXPECT(own != 0 && access_new(&s->config, s->store, &s->clock.clock, &a, NULL) == 0);
    EXPECT(access_identify(a, CHANNEL_SOCKET, own, &who) == 0);
    EXPECT(who.role == ROLE_ADMIN && who.emergency);
    (void)snprintf(text, sizeof(text), "uid %lld", (long long)own);
    EXPECT(strcmp(who.name, text) == 0);
    EXPECT(access_identify(a, CHANNEL_CONSOLE, 0, &who) == 0 && strcmp(who.name, "uid 0") == 0);
    EXPECT(access_identify(a, CHANNEL_SOCKET, own + 1, &who) < 0);

    struct loop *loop = loop_new(NULL);
    struct pool *pool = pool_new(
        loop, &(struct pool_options){.name = "unit", .threads_max = 2, .queue_max = 4}, NULL);
    EXPECT(!access_learns_names(a));
    access_learn_names(a, pool);
    EXPECT(access_learns_names(a));
    iterate_until_known(loop, a);
    EXPECT(!access_learns_names(a));
    EXPECT(access_identify(a, CHANNEL_SOCKET, own, &who) == 0);
    EXPECT(strcmp(who.name, name_of(own, own_name)) == 0);
    EXPECT(access_identify(a, CHANNEL_CONSOLE, 0, &who) == 0);
    EXPECT(strcmp(who.name, name_of(0, root_name)) == 0);
    access_each_user(a, note_user, all);
    (void)snprintf(expected, sizeof(expected), "7=alice 8=rita 9=adam 0=%s %lld=%s ", root_name,
                   (long long)own, own_name);
    EXPECT(getpwuid((uid_t)own) == NULL || strcmp(all, expected) == 0);
    access_rig_add_local(&s->config, own, "desk", "read_only",
                         false); /* listed: only under that name */
    all[0] = '\0';
    access_each_user(a, note_user, all);
    (void)snprintf(expected, sizeof(expected), "7=alice 8=rita 9=adam %lld=desk 0=%s ",
                   (long long)own, root_name);
    EXPECT(strcmp(all, expected) == 0);
    EXPECT(access_identify(a, CHANNEL_SOCKET, own, &who) == 0 && strcmp(who.name, "desk") == 0);
    EXPECT(who.role == ROLE_ADMIN && who.emergency);
    access_free(a);

    /* Freed during a lookup, which then tells nobody. */
    EXPECT(access_new(&s->config, s->store, &s->clock.clock, &a, NULL) == 0);
    access_learn_names(a, pool);
    access_free(a);
    (void)usleep(20000);
    for (int i = 0; i < 10; i++) {
        (void)loop_iterate(loop, USEC_PER_MSEC);
    }
    /* Without room for a lookup the names stay unknown. */
    struct pool *full = pool_new(
        loop, &(struct pool_options){.name = "unit", .threads_max = 1, .queue_max = 1}, NULL);
    EXPECT(access_new(&s->config, s->store, &s->clock.clock, &a, NULL) == 0);
    access_learn_names(a, full);
    access_learn_names(a, full);
    access_free(a);
    pool_free(full);
    pool_free(pool);
    loop_free(loop);
    return 0;
}

static void the_user_of_the_daemon_is_an_admin(void **state)
{
    struct access_rig *s = *state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (getuid() == 0 && setuid(65534) != 0) {
            _exit(255);
        }
        int line = check_own_uid(s);
        if (line != 0) {
            print_error("line %d\n", line);
        }
        _exit(line == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* root has one lookup. */
static void the_name_of_root_is_learned(void **state)
{
    struct access_rig *s = *state;
    char root_name[32];
    struct principal who;
    struct loop *loop = loop_new(NULL);
    struct pool *pool = pool_new(
        loop, &(struct pool_options){.name = "unit", .threads_max = 2, .queue_max = 4}, NULL);
    access_learn_names(s->access, pool);
    iterate_until_known(loop, s->access);
    assert_false(access_learns_names(s->access));
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 0, &who), 0);
    assert_string_equal(who.name, name_of(0, root_name));
    /* Without room for a lookup its memory is freed. */
    struct pool *full = pool_new(
        loop, &(struct pool_options){.name = "unit", .threads_max = 1, .queue_max = 1}, NULL);
    struct access *others[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &others[i], NULL), 0);
        access_learn_names(others[i], full);
    }
    for (size_t i = 0; i < 4; i++) {
        access_free(others[i]);
    }
    pool_free(full);
    pool_free(pool);
    loop_free(loop);
}

/* ---- the second factor ---- */

#define ALICE_SECRET "JBSWY3DPEHPK3PXP"
#define OLGA_SECRET  "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

/* Verifies the code of `secret` for the step now, or `steps` later. Returns the reason. */
static enum err_id verify(struct access_rig *s, const struct principal *who, const char *secret,
                          int64_t steps)
{
    char code[OTP_DIGITS + 1];
    struct err why = {0}, err = {0};
    int64_t step = clock_wall_us(&s->clock.clock) / (30 * USEC_PER_SEC) + steps;
    assert_int_equal(otp_code(secret, step, code, &err), 0);
    assert_int_equal(access_verify_code(s->access, who, code, &why, &err), 0);
    return (enum err_id)why.id;
}

static void a_code_belongs_to_one_person(void **state)
{
    struct access_rig *s = *state;
    struct principal alice, rita, olga;
    access_rig_add_local(&s->config, 54321, "olga", "operator", false);
    s->config.users[0].totp = ALICE_SECRET;
    s->config.locals[0].totp = OLGA_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 8, &rita), 0);
    assert_int_equal(access_identify(s->access, CHANNEL_SOCKET, 54321, &olga), 0);
    assert_true(access_has_factor(s->access, &alice));
    assert_false(access_has_factor(s->access, &rita));
    assert_true(access_has_factor(s->access, &olga));
    assert_int_equal(verify(s, &rita, ALICE_SECRET, 0), ERR_ACCESS_NO_FACTOR);
    assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
    assert_int_equal(verify(s, &olga, OLGA_SECRET, 0), ERR_NONE);
    /* Elsewhere a person is known by name only. */
    struct principal web = {.channel = CHANNEL_HTTP, .id = 7, .name = "rita"};
    assert_false(access_has_factor(s->access, &web));
    (void)snprintf(web.name, sizeof(web.name), "olga");
    assert_true(access_has_factor(s->access, &web));
    (void)snprintf(web.name, sizeof(web.name), "alice");
    assert_true(access_has_factor(s->access, &web));
    /* On this machine the uid counts, whatever name NSS has for it. */
    const struct principal daemon = {.channel = CHANNEL_CONSOLE, .id = 54321, .name = "desk"};
    assert_true(access_has_factor(s->access, &daemon));
    const struct principal schedule = {.channel = CHANNEL_SCHEDULE, .name = "schedule"};
    assert_false(access_has_factor(s->access, &schedule));
    /* An id of Telegram is not a uid. */
    const struct principal other = {.channel = CHANNEL_SOCKET, .id = 7, .name = "bob"};
    assert_false(access_has_factor(s->access, &other));
}

static void a_code_works_once(void **state)
{
    struct access_rig *s = *state;
    struct principal alice;
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, -1), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 1), ERR_NONE);
    clock_fake_advance(&s->clock, 60 * USEC_PER_SEC);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
    for (int i = 0; i < 5; i++) { /* who replays a code is guessing, too */
        assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 1), ERR_ACCESS_FACTOR_LOCKED);
}

/* Five wrong codes within ten minutes lock the factor for fifteen. */
static void wrong_codes_lock_the_factor(void **state)
{
    struct access_rig *s = *state;
    struct principal alice;
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    /* The window ends, so a fifth does not lock; nor do four more. */
    clock_fake_advance(&s->clock, 10 * USEC_PER_MIN);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE); /* forgets them */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    clock_fake_advance(&s->clock, 15 * USEC_PER_MIN - USEC_PER_SEC);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_ACCESS_FACTOR_LOCKED);
    clock_fake_advance(&s->clock, USEC_PER_SEC);
    assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
}

static void a_wrong_code_is_explained(void **state)
{
    struct access_rig *s = *state;
    struct principal alice;
    struct err why = {0}, err = {0};
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(access_verify_code(s->access, &alice, "000000x", &why, &err), 0);
        assert_int_equal(why.id, ERR_ACCESS_FACTOR_WRONG);
        assert_string_equal(why.context, "alice");
    }
    assert_int_equal(access_verify_code(s->access, &alice, "000000", &why, &err), 0);
    assert_int_equal(why.id, ERR_ACCESS_FACTOR_LOCKED);
    assert_string_equal(why.context, "alice, until 11:21:40 UTC");
    /* A secret that is no secret is not the person's failure. */
    access_rig_add_local(&s->config, 54321, "olga", "operator", false);
    s->config.locals[0].totp = "not base 32!";
    const struct principal olga = {.channel = CHANNEL_SOCKET, .id = 54321, .name = "olga"};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(access_verify_code(s->access, &olga, "000000", &why, &err), 0);
        assert_int_equal(why.id, ERR_OTP_SECRET);
    }
    struct factor f;
    assert_int_equal(factor_table_get(s->store, "olga", &f, NULL), 0);
    assert_int_equal(f.failures, 0);
    const struct principal rita = {.channel = CHANNEL_TELEGRAM, .id = 8, .name = "rita"};
    assert_int_equal(access_verify_code(s->access, &rita, "000000", &why, &err), 0);
    assert_int_equal(why.id, ERR_ACCESS_NO_FACTOR);
    assert_string_equal(why.context, "rita");
}

/* The reason is that of this code, not of one before. */
static void the_reason_of_a_code_is_its_own(void **state)
{
    struct access_rig *s = *state;
    struct principal alice;
    char code[OTP_DIGITS + 1];
    struct err why = {.id = ERR_ACCESS_FACTOR_LOCKED}, err = {0};
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    int64_t step = clock_wall_us(&s->clock.clock) / (30 * USEC_PER_SEC);
    assert_int_equal(otp_code(ALICE_SECRET, step, code, &err), 0);
    assert_int_equal(access_verify_code(s->access, &alice, code, &why, &err), 0);
    assert_int_equal(why.id, ERR_NONE);
}

static void without_its_row_no_code_is_accepted(void **state)
{
    struct access_rig *s = *state;
    char folder[] = "/tmp/nightdesk-access-XXXXXX", path[64];
    struct principal alice;
    struct db *db = NULL;
    struct err why = {0}, err = {0};
    assert_non_null(mkdtemp(folder));
    access_free(s->access);
    ops_store_free(s->store);
    assert_int_equal(ops_store_open(folder, OPS_STORE_WRITE, &s->store, NULL), 0);
    assert_int_equal(access_new(&s->config, s->store, &s->clock.clock, &s->access, NULL), 0);
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    (void)snprintf(path, sizeof(path), "%s/ops.db", folder);
    assert_int_equal(db_open(&(struct db_options){.path = path}, &db, NULL), 0);
    assert_int_equal(db_exec(db, "DROP TABLE second_factors", NULL), 0);
    db_free(db);
    char code[OTP_DIGITS + 1];
    int64_t step = clock_wall_us(&s->clock.clock) / (30 * USEC_PER_SEC);
    assert_int_equal(otp_code(ALICE_SECRET, step, code, &err), 0);
    assert_true(access_verify_code(s->access, &alice, code, &why, &err) < 0);
    access_free(s->access);
    ops_store_free(s->store);
    s->access = NULL;
    s->store = NULL;
    static const char *const files[] = {"ops.db", "ops.db-wal", "ops.db-shm", "audit.key"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* The window of failures begins again if the clock was set back before it. */
static void failures_of_the_future_do_not_count(void **state)
{
    struct access_rig *s = *state;
    struct principal alice;
    s->config.users[0].totp = ALICE_SECRET;
    assert_int_equal(access_identify(s->access, CHANNEL_TELEGRAM, 7, &alice), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    }
    s->clock.now_wall_us -= USEC_PER_HOUR;
    assert_int_equal(verify(s, &alice, OLGA_SECRET, 0), ERR_ACCESS_FACTOR_WRONG);
    assert_int_equal(verify(s, &alice, ALICE_SECRET, 0), ERR_NONE);
    access_rig_fail_writes(s, true);
    struct err why = {0};
    assert_true(access_verify_code(s->access, &alice, "000000", &why, NULL) < 0);
    access_rig_fail_writes(s, false);
}

UNIT_GROUP(access, ACCESS_RIG_TEST(users_are_identified_by_id),
           ACCESS_RIG_TEST(an_empty_user_list_admits_nobody), ACCESS_RIG_TEST(uids_map_to_roles),
           ACCESS_RIG_TEST(a_listed_uid_has_a_name_and_a_role),
           ACCESS_RIG_TEST(http_is_operator_and_the_schedule_is_admin),
           cmocka_unit_test(a_role_includes_the_roles_below),
           ACCESS_RIG_TEST(log_lines_of_unauthorised_users_are_limited),
           ACCESS_RIG_TEST(all_listed_users_are_named),
           ACCESS_RIG_TEST(a_code_belongs_to_one_person), ACCESS_RIG_TEST(a_code_works_once),
           ACCESS_RIG_TEST(wrong_codes_lock_the_factor), ACCESS_RIG_TEST(a_wrong_code_is_explained),
           ACCESS_RIG_TEST(the_reason_of_a_code_is_its_own),
           ACCESS_RIG_TEST(without_its_row_no_code_is_accepted),
           ACCESS_RIG_TEST(failures_of_the_future_do_not_count),
           ACCESS_RIG_TEST(a_configuration_with_an_unknown_role_is_refused),
           ACCESS_RIG_TEST(the_role_none_admits_nobody),
           ACCESS_RIG_TEST(a_new_configuration_replaces_the_users),
           ACCESS_RIG_TEST(the_user_of_the_daemon_is_an_admin),
           ACCESS_RIG_TEST(the_name_of_root_is_learned),
           ACCESS_RIG_TEST(senders_are_told_apart_by_channel_and_id),
           ACCESS_RIG_TEST(a_clock_that_goes_back_does_not_silence_the_log),
           ACCESS_RIG_TEST(long_messages_are_cut),
           ACCESS_RIG_TEST(a_line_that_cannot_be_written_is_counted),
           ACCESS_RIG_TEST(the_sender_silent_longest_is_forgotten),
           ACCESS_RIG_TEST(the_detail_of_a_line_is_cut_to_its_size),
           ACCESS_RIG_TEST(a_line_of_a_run_names_it),
           ACCESS_RIG_TEST(the_owner_of_the_machine_is_local),
           ACCESS_RIG_TEST(people_that_cannot_be_read_are_an_error),
           ACCESS_RIG_TEST(reads_are_counted_by_person_and_command),
           ACCESS_RIG_TEST(audit_lines_are_redacted),
           ACCESS_RIG_TEST(a_name_of_one_letter_is_a_name), cmocka_unit_test(names_round_trip))
