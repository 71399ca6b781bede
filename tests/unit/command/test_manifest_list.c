/* The list of manifests: names and aliases, channels, and the user's own folder. */
#include "base/check.h"
#include "command/manifest.h"
#include "io/embed.h"
#include "io/file.h"
#include "rigs/runner_rig.h"

#include <sys/stat.h>
#include <unistd.h>

#define TAIL "group: see\nsummary: s\nrole: operator\nsteps: [{run: test.read}]\n"

struct list_rig {
    char folder[64];
    struct runner_rig actions; /* only its table of actions */
    struct manifest_list *list;
    int reported;
    char problem[512]; /* the last one */
};

static const char look[] = "command: look\n" TAIL "aliases: [peek]\nexamples: [look]\n";
static const struct embedded_file embedded[] = {
    {.path = "commands/look.yaml", .data = look, .size = sizeof(look) - 1}, {0}};

static int setup(void **state)
{
    struct list_rig *r = calloc(1, sizeof(*r));
    struct err err = {0};
    (void)snprintf(r->folder, sizeof(r->folder), "/tmp/nd-manifests-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    runner_rig_actions(&r->actions);
    assert_int_equal(manifest_list_read(r->actions.actions, embedded, &r->list, &err), 0);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct list_rig *r = *state;
    char command[128];
    manifest_list_free(r->list);
    action_table_free(r->actions.actions);
    (void)snprintf(command, sizeof(command), "rm -r -- '%s'", r->folder);
    assert_int_equal(system(command), 0);
    free(r);
    return 0;
}

static void write_manifest(struct list_rig *r, const char *file, const char *text)
{
    char path[128];
    struct err err = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", r->folder, file);
    assert_int_equal(file_write(path, str_c(text), 0644, &err), 0);
}

/* A correct manifest in the file NAME.yaml. */
static void write_command(struct list_rig *r, const char *name, const char *more)
{
    char file[64], text[512];
    (void)snprintf(file, sizeof(file), "%s.yaml", name);
    (void)snprintf(text, sizeof(text), "command: %s\n" TAIL "examples: [%s]\n%s", name, name, more);
    write_manifest(r, file, text);
}

static void report(const struct err *why, void *userdata)
{
    struct list_rig *r = userdata;
    r->reported++;
    (void)str_copy(str_c(why->context), r->problem, sizeof(r->problem));
}

static int reload(struct list_rig *r, enum manifest_reload how)
{
    const struct manifest_problems problems = {report, r};
    r->reported = 0;
    int count = manifest_list_reload(r->list, r->folder, how, &problems);
    assert_int_equal(count, r->reported);
    return count;
}

static void the_folder_adds_commands_to_the_embedded_ones(void **state)
{
    struct list_rig *r = *state;
    write_command(r, "mine", "aliases: [own, my]\n");
    write_manifest(r, ".hidden.yaml", "not a manifest");
    write_manifest(r, "notes.txt", "not a manifest");
    write_manifest(r, "mine.yaml~", "not a manifest");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    assert_non_null(manifest_find(r->list, "mine"));
    assert_ptr_equal(manifest_find(r->list, "my"), manifest_find(r->list, "mine"));
    assert_ptr_equal(manifest_find(r->list, "peek"), manifest_find(r->list, "look"));
    assert_null(manifest_at(r->list, 2));
}

static void four_hundred_commands_load_and_no_more(void **state)
{
    struct list_rig *r = *state;
    const struct manifest *look_before = manifest_find(r->list, "look");
    for (int i = 0; i < 400; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "own_%d", i);
        write_command(r, name, "");
    }
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    assert_non_null(manifest_at(r->list, 400));
    assert_null(manifest_at(r->list, 401));
    assert_non_null(manifest_find(r->list, "own_399"));
    assert_ptr_equal(manifest_find(r->list, "look"), look_before); /* not read again */
    write_command(r, "one_more", "");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 1);
    assert_has(r->problem, "more than 400 files");
    assert_null(manifest_find(r->list, "one_more"));
    assert_non_null(manifest_find(r->list, "own_399"));
}

static void a_bad_file_changes_nothing_at_a_reload(void **state)
{
    struct list_rig *r = *state;
    write_command(r, "mine", "");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    write_command(r, "other", "");
    write_command(r, "broken", "zebra: 1\n");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 1);
    assert_has(r->problem, "broken.yaml:7:1: unknown key zebra");
    assert_non_null(manifest_find(r->list, "mine"));
    assert_null(manifest_find(r->list, "other"));

    /* At the start the others are used, because a bot that does not start helps nobody. */
    assert_int_equal(reload(r, MANIFEST_SKIP_BAD), 1);
    assert_non_null(manifest_find(r->list, "other"));
    assert_null(manifest_find(r->list, "broken"));
}

static void an_embedded_command_cannot_be_replaced(void **state)
{
    struct list_rig *r = *state;
    write_command(r, "look", "");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 1);
    assert_has(r->problem, "look.yaml:1:10: command look is defined twice");
    assert_has(r->problem, "first in commands/look.yaml:1:10");

    write_command(r, "look", "aliases: [peek]\n"); /* the name comes first */
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 1);
    assert_has(r->problem, "command look is defined twice");

    write_manifest(r, "look.yaml", "command: a\n" TAIL "aliases: [peek]\nexamples: [a]\n");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 1);
    assert_has(r->problem, "command peek is defined twice");
}

static void a_file_that_others_can_change_is_refused(void **state)
{
    struct list_rig *r = *state;
    char path[128];
    write_command(r, "mine", "");
    (void)snprintf(path, sizeof(path), "%s/mine.yaml", r->folder);
    assert_int_equal(chmod(path, 0664), 0);
    assert_int_equal(reload(r, MANIFEST_SKIP_BAD), 1);
    assert_has(r->problem, "mine.yaml has mode 0664");
    assert_null(manifest_find(r->list, "mine"));

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(r->folder, 0777), 0);
    assert_int_equal(reload(r, MANIFEST_SKIP_BAD), 1);
    assert_has(r->problem, "has mode 0777");
    assert_int_equal(chmod(r->folder, 0755), 0);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* reading it would wait for ever */
    assert_int_equal(reload(r, MANIFEST_SKIP_BAD), 1);
    assert_has(r->problem, "mine.yaml is not a regular file");
}

static void a_missing_folder_is_a_problem(void **state)
{
    struct list_rig *r = *state;
    const struct manifest_problems problems = {report, r};
    assert_int_equal(
        manifest_list_reload(r->list, "/nonexistent/commands", MANIFEST_SKIP_BAD, &problems), 1);
    assert_has(r->problem, "/nonexistent/commands");
    assert_int_equal(manifest_list_reload(r->list, "", MANIFEST_ALL_OR_NOTHING, &problems), 0);
    assert_non_null(manifest_find(r->list, "look"));
}

static void keys_of_names_channels_and_schedules_are_checked(void **state)
{
    static const struct {
        const char *more;
        const char *words;
    } cases[] = {
        {"aliases: x\n", "7:10: aliases must be a list"},
        {"aliases: [a, b, c, d, e]\n", "7:10: aliases must be a list of at most 4 names"},
        {"aliases: [Bad]\n", "7:11: name Bad does not match"},
        {"aliases: [cancel]\n", "7:11: cancel is reserved"},
        {"aliases: [mine]\n", "7:11: mine is a name of this command already"},
        {"aliases: [a, a]\n", "7:14: a is a name of this command already"},
        {"channels: []\n", "7:11: channels must be a list"},
        {"channels: telegram\n", "7:11: channels must be a list"},
        {"channels: [fax]\n", "7:12: channel fax is not one of"},
        {"channels: [schedule]\n", "7:12: channel schedule is not one of"},
        {"every: 7h\n", "7:8: every must be a duration from 1m to 1d that divides a day"},
        {"every: 30s\n", "7:8: every must be a duration"},
        {"every: soon\n", "7:8: every must be a duration"},
        {"at: 7:30\n", "7:5: a time must be written as \"07:30\""},
        {"at: \"24:00\"\n", "7:5: a time must be written"},
        {"at: []\n", "7:5: at must be a time"},
        {"at: [\"08:00\", \"07:00\"]\n", "7:15: the times must ascend"},
        {"every: 1h\nat: \"07:30\"\n", "8:5: a command has either every or at"},
        {"every: 1h\nconfirm: true\n", "7:8: a command that asks for a confirmation"},
        {"deliver: true\n", "7:10: deliver needs every or at"},
        {"every: 1h\nargs: [{name: a, type: int, required: true, help: h}]\n",
         "7:8: argument a is required"},
    };
    struct list_rig *r = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        write_command(r, "mine", cases[i].more);
        if (reload(r, MANIFEST_ALL_OR_NOTHING) != 1) {
            fail_msg("accepted: %s", cases[i].more);
        }
        assert_has(r->problem, cases[i].words);
    }
}

static void a_schedule_is_read(void **state)
{
    struct list_rig *r = *state;
    AUTO_BUF struct buf text = BUF_INIT(256);
    write_command(r, "hourly", "every: 1h\n");
    write_command(r, "daily", "at: [\"07:30\", \"19:05\"]\ndeliver: true\n");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    const struct manifest *hourly = manifest_find(r->list, "hourly");
    const struct manifest *daily = manifest_find(r->list, "daily");
    assert_int_equal(hourly->schedule.every_us, USEC_PER_HOUR);
    assert_false(hourly->deliver);
    assert_int_equal(daily->schedule.at_count, 2);
    assert_int_equal(daily->schedule.at_minutes[1], 19 * 60 + 5);
    assert_true(daily->deliver);
    manifest_add_schedule(daily, &text);
    assert_string_equal(text.data, "at 07:30, 19:05");
}

static void a_reference_outlives_a_reload(void **state)
{
    struct list_rig *r = *state;
    write_command(r, "mine", "");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    const struct manifest *held = manifest_ref(manifest_find(r->list, "mine"));
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/mine.yaml", r->folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    assert_null(manifest_find(r->list, "mine"));
    assert_string_equal(held->name, "mine"); /* AddressSanitizer checks that it still exists */
    manifest_unref(held);
}

/* The digest binds a prompt to what it showed. */
static void the_digest_changes_with_what_the_command_does(void **state)
{
    static const struct {
        const char *text;
        bool same;
    } cases[] = {
        {"# a comment\ncommand: mine\ngroup: other\nsummary: words\nrole: operator\n"
         "steps: [{run: test.read}]\nexamples: [mine]\naliases: [own]\n",
         true},
        {"command: mine\ngroup: see\nsummary: s\nrole: admin\nsteps: [{run: test.read}]\n"
         "examples: [mine]\n",
         false},
        {"command: mine\ngroup: see\nsummary: s\nrole: operator\n"
         "steps: [{run: test.read}, {run: test.read}]\nexamples: [mine]\n",
         false},
        {"command: mine\ngroup: see\nsummary: s\nrole: operator\n"
         "steps: [{run: test.read, timeout: 5s}]\nexamples: [mine]\n",
         false},
    };
    struct list_rig *r = *state;
    write_command(r, "mine", "");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    char before[MANIFEST_DIGEST_SIZE];
    (void)str_copy(str_c(manifest_find(r->list, "mine")->digest), before, sizeof(before));
    assert_int_equal(strlen(before), MANIFEST_DIGEST_SIZE - 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        write_manifest(r, "mine.yaml", cases[i].text);
        assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
        bool same = strcmp(before, manifest_find(r->list, "mine")->digest) == 0;
        if (same != cases[i].same) {
            fail_msg("case %zu", i);
        }
    }
}

static void a_command_exists_only_on_its_channels(void **state)
{
    struct list_rig *r = *state;
    write_command(r, "mine", "channels: [console, socket]\n");
    assert_int_equal(reload(r, MANIFEST_ALL_OR_NOTHING), 0);
    const struct manifest *m = manifest_find(r->list, "mine");
    assert_true(manifest_is_visible(m, CHANNEL_CONSOLE));
    assert_true(manifest_is_visible(m, CHANNEL_SOCKET));
    assert_false(manifest_is_visible(m, CHANNEL_TELEGRAM));
    assert_string_equal(manifest_nearest(r->list, CHANNEL_CONSOLE, str_c("mien")), "mine");
    assert_null(manifest_nearest(r->list, CHANNEL_TELEGRAM, str_c("mien")));
}

#define LIST_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
UNIT_GROUP(manifest_list, LIST_TEST(the_folder_adds_commands_to_the_embedded_ones),
           LIST_TEST(four_hundred_commands_load_and_no_more),
           LIST_TEST(a_bad_file_changes_nothing_at_a_reload),
           LIST_TEST(an_embedded_command_cannot_be_replaced),
           LIST_TEST(a_file_that_others_can_change_is_refused),
           LIST_TEST(a_missing_folder_is_a_problem),
           LIST_TEST(keys_of_names_channels_and_schedules_are_checked),
           LIST_TEST(a_schedule_is_read), LIST_TEST(a_reference_outlives_a_reload),
           LIST_TEST(the_digest_changes_with_what_the_command_does),
           LIST_TEST(a_command_exists_only_on_its_channels))
