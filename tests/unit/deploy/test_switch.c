/* A switch that nobody waits for any more. */
#include "../../../src/command/call.h"
#include "../../../src/deploy/deploy_internal.h"
#include "base/check.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/secret.h"
#include "rigs/reply_text.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
    char root[64];
    struct loop *loop;
    struct pool *helpers;
    struct config_service service;
    struct config config;
    struct deploy *deploy;
    struct action_table *table;
    char outputs[256];
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char path[128];
    AUTO_FD int lock = -1;
    assert_non_null(rig);
    (void)snprintf(rig->root, sizeof(rig->root), "/var/tmp/nightdesk-switch-XXXXXX");
    assert_non_null(mkdtemp(rig->root));
    assert_int_equal(secret_init(NULL), 0);
    assert_int_equal(layout_lock(rig->root, &lock, NULL), 0);
    for (int i = 1; i <= 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/releases/%d", rig->root, i);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    assert_int_equal(layout_switch(rig->root, "1", LAYOUT_GO, NULL), 0);
    rig->service = (struct config_service){.unit = "",
                                           .release_root = rig->root,
                                           .release_name = "",
                                           .release_apply = "restart",
                                           .release_keep = 2};
    (void)str_copy(STR_LIT("demo"), rig->service.name, sizeof(rig->service.name));
    rig->config.services = &rig->service;
    rig->config.service_count = 1;
    rig->loop = loop_new(NULL);
    rig->helpers =
        pool_new(rig->loop,
                 &(struct pool_options){.name = "helper", .threads_max = 1, .queue_max = 4}, NULL);
    rig->deploy = deploy_new(&(struct deploy_options){
        .loop = rig->loop, .config = &rig->config, .helpers = rig->helpers});
    rig->table = action_table_new();
    deploy_actions(rig->deploy, rig->table);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    pool_free(rig->helpers);
    action_table_free(rig->table);
    deploy_free(rig->deploy);
    loop_free(rig->loop);
    assert_int_equal(file_remove_tree(rig->root, NULL), 0);
    free(rig);
    return 0;
}

static void note_output(struct action_call *call, const char *name, const char *value)
{
    struct rig *rig = call->owner;
    size_t len = strlen(rig->outputs);
    (void)snprintf(rig->outputs + len, sizeof(rig->outputs) - len, "%s=%s ", name, value);
}

static int no_note(struct action_call *call, const char *text, struct err *err)
{
    (void)call;
    (void)text;
    (void)err;
    return 0;
}

/* What undoes it needs to know from what to what it was. */
static void a_switch_that_has_happened_says_so_when_it_is_cancelled(void **state)
{
    struct rig *rig = *state;
    const struct action *action = action_find(rig->table, "deploy.switch");
    char name[] = "demo", version[] = "2";
    struct arg_value args[2] = {{.type = PARAM_SERVICE, .text = name},
                                {.type = PARAM_TEXT, .text = version}};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = {.action = action,
                               .userdata = rig->deploy,
                               .reply = reply,
                               .args = args,
                               .remember = no_note,
                               .output = note_output,
                               .owner = rig};
    assert_int_equal(action->run(&call, NULL), ACTION_PENDING);
    const struct work *work = action_state(&call);
    while (atomic_load(&work->turn) != LAYOUT_TURNED) {
        (void)usleep(100);
    }
    action->cancel(&call);
    assert_string_equal(rig->outputs, "version=2 previous=1 apply=restart ");
}

static void a_redirect_leads_to_no_weaker_place(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        bool may;
    } cases[] = {{"https://a.example/x", "https://b.example/y?sig=1", true},
                 {"https://a.example/x", "http://a.example/x", false},
                 {"https://a.example/x", "http://127.0.0.1/x", false},
                 {"http://a.example/x", "https://a.example/x", false},
                 {"http://a.example/x", "http://a.example/y", false},
                 {"http://127.0.0.1:80/x", "http://127.0.0.1:81/y", true},
                 {"http://127.0.0.1:80/x", "http://127.0.0.1?y", true},
                 {"http://127.0.0.1:80/x", "http://127.0.0.1.example/y", false},
                 {"http://127.0.0.1:80/x", "http://127.0.0.1:p@b.example/y", false},
                 {"http://127.0.0.1:80/x", "http://127.0.0.2:80/y", false},
                 {"http://127.0.0.1:80/x", "http://localhost:80/y", false},
                 {"http://[::1]:80/x", "http://[::1]:80/y", true},
                 {"http://127.0.0.1.example/x", "http://127.0.0.1/y", false},
                 {"http://127.0.0.1/x", "file:///etc/passwd", false},
                 {"http://127.0.0.1/x", "ftp://127.0.0.1/y", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (fetch_may_follow(cases[i].from, cases[i].to) != cases[i].may) {
            fail_msg("%s to %s", cases[i].from, cases[i].to);
        }
    }
}

static void on_finish(struct action_call *call, const struct err *err)
{
    (void)call;
    assert_null(err);
}

static const char *changes_of(struct rig *rig, const char *mode)
{
    static char shown[4096];
    const struct action *action = action_find(rig->table, "deploy.diff");
    char name[] = "demo", version[] = "2";
    struct arg_value args[2] = {{.type = PARAM_SERVICE, .text = name},
                                {.type = PARAM_TEXT, .text = version}};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = {.action = action,
                               .userdata = rig->deploy,
                               .reply = reply,
                               .args = args,
                               .output = note_output,
                               .finish = on_finish,
                               .owner = rig};
    rig->outputs[0] = '\0';
    rig->service.release_review = mode;
    assert_int_equal(action->run(&call, NULL), ACTION_PENDING);
    while (action_state(&call) != NULL) {
        (void)loop_iterate(rig->loop, 20000);
    }
    reply_text_all(reply, shown, sizeof(shown));
    return shown;
}

static void what_a_release_changes_is_counted(void **state)
{
    struct rig *rig = *state;
    char path[128], wanted[256];
    assert_has(changes_of(rig, "show"), "It carries no diff");
    assert_string_equal(rig->outputs, "path= review= approve= ");
    (void)changes_of(rig, "approve"); /* what nobody can review needs a person, too */
    assert_string_equal(rig->outputs, "path= review= approve=yes ");
    (void)snprintf(path, sizeof(path), "%s/releases/2/release.diff", rig->root);
    assert_int_equal(file_write(path,
                                STR_LIT("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-one\n-two\n+one\n"
                                        "+2\n--- a/y\n+++ b/y\n@@ -0,0 +1 @@\n+y\n"),
                                0644, NULL),
                     0);
    assert_has(changes_of(rig, "approve"), "Diff: 2 files, 3 lines added, 2 removed, ");
    (void)snprintf(wanted, sizeof(wanted), "path=%s review=yes approve=yes ", path);
    assert_string_equal(rig->outputs, wanted);
    (void)changes_of(rig, "off");
    (void)snprintf(wanted, sizeof(wanted), "path=%s review= approve= ", path);
    assert_string_equal(rig->outputs, wanted);
}

UNIT_GROUP(deploy_switch, cmocka_unit_test(a_redirect_leads_to_no_weaker_place),
           cmocka_unit_test_setup_teardown(what_a_release_changes_is_counted, set_up, tear_down),
           cmocka_unit_test_setup_teardown(a_switch_that_has_happened_says_so_when_it_is_cancelled,
                                           set_up, tear_down))
