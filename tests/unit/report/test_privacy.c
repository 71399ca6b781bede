/* What a report does not tell a model of others. */
#include "base/auto.h"
#include "config/config.h"
#include "io/json.h"
#include "io/secret.h"
#include "report/privacy.h"
#include "report/report.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/person_table.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

struct rig {
    struct config *config;
    struct ops_store *ops;
    struct privacy *privacy;
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    static const char text[] =
        "telegram: {bot_token: '1:abc', chat_id: -1001234567, users: [{id: 7654321, name: anna, "
        "role: admin}, {id: 42, name: bo, role: admin}]}\n"
        "api: {local_users: [{uid: 1000, name: carl}]}\n"
        "mail: {server: smtp.corp.test, from: bot@corp.test, to: [anna@corp.test]}\n"
        "services: {feed: {url: 'http://feed.corp.test:8080/x'}}\n";
    char path[] = "/tmp/nightdesk-privacy-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(secret_init(&err), 0);
    assert_int_equal(config_load(&(struct config_options){.path = path}, &rig->config, NULL, &err),
                     0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->ops, &err), 0);
    const struct person dora = {
        .id = 9876543, .name = "dora", .role = "operator", .granted_by = "anna"};
    assert_int_equal(person_table_save(rig->ops, &dora, &err), 0);
    rig->privacy = privacy_new(rig->config);
    privacy_add_people(rig->privacy, rig->ops);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    privacy_free(rig->privacy);
    ops_store_free(rig->ops);
    config_free(rig->config);
    free(rig);
    return 0;
}

static void personal_ids_are_replaced(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *text;
        const char *expected;
        const char *outside; /* where words are the program's own; NULL: the same */
    } cases[] = {
        {"anna and dora paused it, carl saw it", "[person] and [person] paused it, [person] saw it",
         "anna and dora paused it, carl saw it"},
        {"annabel, anna_2 and Joanna", "annabel, anna_2 and Joanna", NULL},
        {"chat -1001234567, user 7654321 and 9876543.", "chat [id], user [id] and [id].",
         "chat -1001234567, user 7654321 and 9876543."},
        {"76543210 of 42 bo", "76543210 of 42 bo", NULL},
        {"write to x.y+z@mail.example.org, or to <q@a.b>", "write to [mail], or to <[mail]>",
         "write to [mail], or to <[mail]>"},
        {"5 @ 10, a@b, @anna", "5 @ 10, a@b, @[person]", "5 @ 10, a@b, @anna"},
        {"http://feed.corp.test:8080/x?y=1 failed", "http://[host]/x?y=1 failed",
         "http://[host]/x?y=1 failed"},
        {"https://me:pw@h.test", "https://[host]", "https://[host]"},
        {"could not resolve feed.corp.test", "could not resolve [host]",
         "could not resolve feed.corp.test"},
        {"connect 10.0.0.3:443, 127.0.0.1.", "connect [host]:443, [host].",
         "connect [host]:443, [host]."},
        {"version 1.2.3, 1.2.3.4.5, 300.1.1.1, 64120.50",
         "version 1.2.3, 1.2.3.4.5, 300.1.1.1, 64120.50", NULL},
        {"", "", NULL},
        {"://", "://", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AUTO_BUF struct buf inside = BUF_INIT(1000);
        AUTO_BUF struct buf outside = BUF_INIT(1000);
        privacy_text(rig->privacy, str_c(cases[i].text), true, &inside);
        privacy_text(rig->privacy, str_c(cases[i].text), false, &outside);
        assert_string_equal(inside.data, cases[i].expected);
        assert_string_equal(outside.data,
                            cases[i].outside != NULL ? cases[i].outside : cases[i].expected);
    }
}

static void the_report_has_none_of_them(void **state)
{
    struct rig *rig = *state;
    struct clock_fake clock;
    clock_fake_init(&clock, INT64_C(1795000000) * USEC_PER_SEC);
    const struct alert_new alert = {.type = ALERT_BUG,
                                    .severity = SEVERITY_LOW,
                                    .source = "auditor",
                                    .fingerprint = "x:y",
                                    .title = "dora (7654321) wrote to a.b@corp.test at 10.1.2.3",
                                    .description = "d",
                                    .recommendation = "r"};
    struct alert_raised raised;
    assert_int_equal(alert_table_raise(rig->ops, &alert, clock.now_wall_us, &raised, NULL), 0);
    const struct report_sources sources = {.clock = &clock.clock, .config = rig->config};
    struct report *report = report_new(&sources, 24);
    assert_int_equal(report_read(report, NULL, rig->ops, NULL), 0);
    AUTO_BUF struct buf text = BUF_INIT(REPORT_MAX_BYTES);
    json_add_text(&text, report_document(report));
    assert_has(text.data, "[person] ([id]) wrote to [mail] at [host]");
    static const char *const kept_out[] = {"anna",       "dora",      "7654321",
                                           "1001234567", "corp.test", "10.1.2.3"};
    for (size_t i = 0; i < sizeof(kept_out) / sizeof(kept_out[0]); i++) {
        assert_lacks(text.data, kept_out[i]);
    }
    report_free(report);
}

UNIT_GROUP(privacy, cmocka_unit_test_setup_teardown(personal_ids_are_replaced, set_up, tear_down),
           cmocka_unit_test_setup_teardown(the_report_has_none_of_them, set_up, tear_down))
