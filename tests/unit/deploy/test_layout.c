/* Runs what the helpers run, with real folders. */
#include "../../../src/deploy/accept.h"
#include "base/check.h"
#include "base/clock.h"
#include "deploy/guard.h"
#include "io/file.h"
#include "unit/io/scratch.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char folder[64];
    char root[80];
    int lock;
    struct layout layout;
};

static void place_make(struct place *p)
{
    *p = (struct place){.folder = "/var/tmp/nightdesk-layout-XXXXXX", .lock = -1};
    assert_non_null(mkdtemp(p->folder));
    (void)snprintf(p->root, sizeof(p->root), "%s/root", p->folder);
    assert_int_equal(secret_init(NULL), 0);
    mode_t before = umask(0077); /* as under systemd; it must not matter */
    assert_int_equal(layout_lock(p->root, &p->lock, NULL), 0);
    (void)umask(before);
}

static void place_remove(struct place *p)
{
    if (p->lock >= 0) {
        (void)close(p->lock);
    }
    assert_int_equal(file_remove_tree(p->folder, NULL), 0);
}

#define PLACE(p)                       \
    AUTO(place_remove) struct place p; \
    place_make(&(p))

static void write_in(const struct place *p, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    assert_int_equal(file_write(path, str_c(text), 0644, NULL), 0);
}

/* Packs a release whose only file holds its version, and unpacks it; at orders them by age. */
static int add_release(const struct place *p, const char *version, int64_t at_us)
{
    char folder[128], artefact[128], text[64];
    struct layout_release r = {.at_us = at_us};
    (void)snprintf(folder, sizeof(folder), "%s/src", p->folder);
    (void)snprintf(artefact, sizeof(artefact), "%s/demo-%s.tar.gz", p->folder, version);
    assert_true(mkdir(folder, 0755) == 0 || file_exists(folder));
    (void)snprintf(text, sizeof(text), "%s of %lld", version, (long long)at_us);
    write_in(p, "src/version", text);
    assert_int_equal(archive_pack(folder, artefact, NULL, NULL), 0);
    assert_int_equal(sign_hash_file(artefact, r.hash, &r.bytes, NULL), 0);
    (void)str_copy(str_c(version), r.version, sizeof(r.version));
    return layout_unpack(p->root, artefact, &r, NULL, NULL);
}

static const struct layout *look(struct place *p)
{
    struct err err = {0};
    int rc = layout_read(p->root, &p->layout, &err);
    assert_int_equal(rc, 0);
    return &p->layout;
}

static void add_two(const struct place *p)
{
    assert_int_equal(add_release(p, "1", 1), 0);
    assert_int_equal(add_release(p, "2", 2), 0);
}

static void go(const struct place *p, const char *version)
{
    assert_int_equal(layout_switch(p->root, version, LAYOUT_GO, NULL), 0);
}

static void back(const struct place *p, const char *version)
{
    assert_int_equal(layout_switch(p->root, version, LAYOUT_BACK, NULL), 0);
}

/* 1 runs, 2 is unpacked, and nobody holds the lock. */
static void ready_for_update(struct place *p)
{
    add_two(p);
    go(p, "1");
    (void)close(p->lock);
    p->lock = -1;
}

/* To 2, under the guard. */
static void update(const struct place *p)
{
    assert_int_equal(guard_arm(p->root, "2", 0, NULL), 0);
    go(p, "2");
}

static void a_switch_is_a_link_and_remembers_what_was_before(void **state)
{
    (void)state;
    PLACE(p);
    char path[160];
    struct stat st;
    AUTO_BUF struct buf text = BUF_INIT(64);
    (void)snprintf(path, sizeof(path), "%s/releases", p.root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    assert_int_equal(add_release(&p, "1.0", 1), 0);
    assert_int_equal(add_release(&p, "1.1", 2), 0);
    assert_string_equal(look(&p)->current, "");
    go(&p, "1.0");
    assert_string_equal(look(&p)->previous, "");
    go(&p, "1.1");
    (void)snprintf(path, sizeof(path), "%s/current/version", p.root);
    assert_int_equal(file_read(path, &text, NULL), 0);
    assert_string_equal(text.data, "1.1 of 2");
    assert_string_equal(look(&p)->current, "1.1");
    assert_string_equal(p.layout.previous, "1.0");
    assert_int_equal(p.layout.count, 2);
    assert_string_equal(p.layout.items[0].version, "1.1");
    assert_int_equal(layout_switch(p.root, "2.0", LAYOUT_GO, NULL), -ERR_RELEASE_UNKNOWN);
    assert_int_equal(layout_switch(p.root, "../1.0", LAYOUT_GO, NULL), -ERR_RELEASE_UNKNOWN);
    assert_string_equal(look(&p)->current, "1.1");
}

/* After 1, 2 and back there is nothing before 1: a second step back must not return to 2. */
static void two_steps_back_do_not_lead_forward(void **state)
{
    (void)state;
    PLACE(p);
    for (int i = 1; i <= 3; i++) {
        const char version[] = {(char)('0' + i), '\0'};
        assert_int_equal(add_release(&p, version, i), 0);
        go(&p, version);
    }
    back(&p, "2");
    assert_string_equal(look(&p)->previous, "1");
    back(&p, "1");
    assert_string_equal(look(&p)->previous, "");
    go(&p, "3");
    assert_string_equal(look(&p)->previous, "1");
}

static void the_history_is_bounded(void **state)
{
    (void)state;
    PLACE(p);
    char path[160];
    AUTO_BUF struct buf text = BUF_INIT(16384), long_text = BUF_INIT(16384);
    add_two(&p);
    for (int i = 0; i < 300; i++) {
        buf_addf(&long_text, "2026-11-29T20:00:00Z go %d\n", i % 2 + 1);
    }
    write_in(&p, "root/history", long_text.data);
    go(&p, "1");
    assert_string_equal(look(&p)->previous, "2");
    (void)snprintf(path, sizeof(path), "%s/history", p.root);
    assert_int_equal(file_read(path, &text, NULL), 0);
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, 100);
}

/* A crash after the line of the history, before the link: the line counts for nothing. */
static void a_switch_that_did_not_happen_is_ignored(void **state)
{
    (void)state;
    PLACE(p);
    add_two(&p);
    write_in(&p, "root/history", "t go 1\nt go 2\nt back 1\n");
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/current", p.root);
    assert_int_equal(symlink("releases/2", path), 0);
    assert_string_equal(look(&p)->previous, "1");
    write_in(&p, "root/history", "t go 1\nt go 2\nt go 3\n");
    assert_string_equal(look(&p)->previous, "1");
    write_in(&p, "root/history", "\n\x01\xff garbage\nt go\nt go ../x\n");
    assert_string_equal(look(&p)->previous, "");
}

/* Until the rename a switch can be stopped; then it has happened. */
static void a_stopped_switch_does_not_happen(void **state)
{
    (void)state;
    PLACE(p);
    atomic_int turn = LAYOUT_STOPPED;
    const struct layout_goal goal = {.version = "2", .way = LAYOUT_GO};
    add_two(&p);
    go(&p, "1");
    assert_int_equal(layout_switch_unless(p.root, &goal, &turn, NULL), -ERR_ARCHIVE_STOPPED);
    assert_string_equal(look(&p)->current, "1");
    turn = LAYOUT_OPEN;
    assert_int_equal(layout_switch_unless(p.root, &goal, &turn, NULL), 0);
    assert_int_equal(turn, LAYOUT_TURNED);
    assert_string_equal(look(&p)->current, "2");
}

static int go_to_colour(struct place *p, const char *colour, const char *version)
{
    atomic_int turn = LAYOUT_OPEN;
    const struct layout_goal goal = {.version = version, .colour = colour, .way = LAYOUT_GO};
    return layout_switch_unless(p->root, &goal, &turn, NULL);
}

/* Blue/green: what is live and what the other colour has, and neither is pruned. */
static void a_colour_is_prepared_and_then_switched_to(void **state)
{
    (void)state;
    PLACE(p);
    size_t removed = 0;
    for (int i = 0; i < 4; i++) {
        char version[2] = {(char)('1' + i), '\0'};
        assert_int_equal(add_release(&p, version, i + 1), 0);
    }
    assert_int_equal(go_to_colour(&p, "blue", "1"), -ERR_RELEASE_COLOUR);
    assert_int_equal(layout_prepare(p.root, "blue", "9", NULL), -ERR_RELEASE_UNKNOWN);
    assert_int_equal(layout_prepare(p.root, "blue", "1", NULL), 0);
    assert_string_equal(look(&p)->current, "");
    assert_string_equal(layout_colour(&p.layout, "blue"), "1");
    assert_int_equal(go_to_colour(&p, "blue", "1"), 0);
    assert_string_equal(look(&p)->current, "1");
    assert_string_equal(p.layout.live, "blue");
    assert_true(p.layout.switched_us > 0);
    assert_int_equal(layout_prepare(p.root, "blue", "2", NULL), -ERR_RELEASE_COLOUR);
    assert_int_equal(layout_prepare(p.root, "green", "2", NULL), 0);
    assert_string_equal(look(&p)->current, "1"); /* nothing has changed for anybody */
    assert_int_equal(go_to_colour(&p, "green", "3"), -ERR_RELEASE_COLOUR);
    assert_int_equal(go_to_colour(&p, "green", "2"), 0);
    assert_string_equal(look(&p)->current, "2");
    assert_string_equal(p.layout.previous, "1");
    assert_string_equal(p.layout.live, "green");
    assert_int_equal(layout_prune(p.root, 1, "", &removed, NULL), 0);
    assert_int_equal(removed, 1); /* 3; the newest and those of the colours stay */
    assert_int_equal(look(&p)->count, 3);
}

/* What a crash leaves is removed with the next lock, and is no release meanwhile. */
static void leftovers_are_no_releases_and_are_removed(void **state)
{
    (void)state;
    PLACE(p);
    char path[160], hidden[160];
    (void)snprintf(path, sizeof(path), "%s/releases/.unpack-AbCdEf", p.root);
    (void)snprintf(hidden, sizeof(hidden), "%s/.current-AbCdEf", p.root);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(symlink("releases/x", hidden), 0);
    write_in(&p, "root/releases/.unpack-AbCdEf/file", "half");
    write_in(&p, "root/info/9", "sha256 x\n");
    assert_int_equal(look(&p)->count, 0);
    (void)close(p.lock);
    assert_int_equal(layout_lock(p.root, &p.lock, NULL), 0);
    struct stat st;
    assert_true(lstat(path, &st) < 0 && lstat(hidden, &st) < 0);
}

static void two_at_once_are_refused(void **state)
{
    (void)state;
    PLACE(p);
    int second = -1;
    assert_int_equal(layout_lock(p.root, &second, NULL), -ERR_RELEASE_BUSY);
    (void)close(p.lock);
    assert_int_equal(layout_lock(p.root, &p.lock, NULL), 0);
}

static void a_version_never_means_two_things(void **state)
{
    (void)state;
    PLACE(p);
    assert_int_equal(add_release(&p, "1", 1), 0);
    assert_int_equal(add_release(&p, "1", 1), 1); /* the same artefact */
    assert_int_equal(add_release(&p, "1", 2), -ERR_RELEASE_EXISTS);
}

static void pruning_keeps_the_newest_the_current_and_the_previous(void **state)
{
    (void)state;
    PLACE(p);
    size_t removed = 0;
    for (int i = 1; i <= 6; i++) {
        const char version[] = {(char)('0' + i), '\0'};
        assert_int_equal(add_release(&p, version, i), 0);
    }
    go(&p, "1");
    go(&p, "2");
    assert_int_equal(layout_prune(p.root, 2, "3", &removed, NULL), 0);
    assert_int_equal(removed, 1); /* 4; 3 is wanted as well */
    assert_int_equal(look(&p)->count, 5);
    assert_non_null(layout_find(&p.layout, "3"));
    assert_non_null(layout_find(&p.layout, "1"));
    assert_non_null(layout_find(&p.layout, "2"));
    assert_null(layout_find(&p.layout, "4"));
    assert_non_null(layout_find(&p.layout, "5"));
}

/* More folders than are shown: nothing is refused, and what is in use is always there. */
static void many_releases_are_no_obstacle(void **state)
{
    (void)state;
    PLACE(p);
    char path[160];
    size_t removed = 0;
    assert_int_equal(add_release(&p, "0.1", 1), 0);
    assert_int_equal(add_release(&p, "0.2", 2), 0);
    for (int i = 0; i < LAYOUT_RELEASES_MAX + 10; i++) {
        (void)snprintf(path, sizeof(path), "%s/releases/1.%d", p.root, i);
        assert_int_equal(mkdir(path, 0755), 0);
        (void)snprintf(path, sizeof(path), "root/info/1.%d", i);
        write_in(&p, path, "at 100\n");
    }
    go(&p, "0.1");
    go(&p, "0.2");
    assert_int_equal(look(&p)->count, LAYOUT_RELEASES_MAX);
    assert_non_null(layout_find(&p.layout, "0.1"));
    assert_non_null(layout_find(&p.layout, "0.2"));
    assert_int_equal(layout_prune(p.root, 5, "", &removed, NULL), 0);
    assert_int_equal(removed, LAYOUT_RELEASES_MAX + 5);
    assert_int_equal(look(&p)->count, 7);
}

static void a_release_that_failed_is_not_the_newest(void **state)
{
    (void)state;
    PLACE(p);
    add_two(&p);
    assert_int_equal(layout_mark(p.root, "2", true, NULL), 0);
    assert_string_equal(layout_newest(look(&p))->version, "1");
    assert_int_equal(p.layout.items[0].at_us, 2); /* the rest of its info stays */
    assert_int_equal(layout_mark(p.root, "2", false, NULL), 0);
    assert_string_equal(layout_newest(look(&p))->version, "2");
    assert_int_equal(layout_mark(p.root, "3", true, NULL), -ERR_RELEASE_UNKNOWN);
}

static void what_is_no_link_is_not_replaced(void **state)
{
    (void)state;
    PLACE(p);
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/current", p.root);
    assert_int_equal(add_release(&p, "1", 1), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(layout_switch(p.root, "1", LAYOUT_GO, NULL), -ERR_RELEASE_LAYOUT);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/etc", path), 0);
    assert_int_equal(layout_switch(p.root, "1", LAYOUT_GO, NULL), -ERR_RELEASE_LAYOUT);
}

static void a_damaged_artefact_leaves_no_release(void **state)
{
    (void)state;
    PLACE(p);
    char artefact[128];
    const struct layout_release r = {.version = "1", .hash = "x"};
    write_in(&p, "demo-1.tar.gz", "no archive");
    (void)snprintf(artefact, sizeof(artefact), "%s/demo-1.tar.gz", p.folder);
    assert_int_equal(layout_unpack(p.root, artefact, &r, NULL, NULL), -ERR_ARCHIVE_DAMAGED);
    assert_int_equal(look(&p)->count, 0);
    (void)snprintf(artefact, sizeof(artefact), "%s/info/1", p.root);
    assert_false(file_exists(artefact));
}

/* ---------------------------------------------------------------- accepting */

static void only_the_right_key_name_and_version_are_accepted(void **state)
{
    (void)state;
    PLACE(p);
    char artefact[128];
    const struct secret_key key = {{7}}, other = {{8}};
    struct accept_policy policy = {.name = "demo", .key_count = 1};
    struct layout_release r;
    sign_public(&key, policy.keys[0]);
    write_in(&p, "demo-1.tar.gz", "artefact");
    (void)snprintf(artefact, sizeof(artefact), "%s/demo-1.tar.gz", p.folder);
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), -ERR_RELEASE_UNSIGNED);
    const struct release_id id = {"demo", "1"}, foreign = {"web", "1"};
    assert_int_equal(signature_make(artefact, &id, &other, NULL, NULL), 0);
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), -ERR_RELEASE_SIGNATURE);
    policy.unsigned_allowed = true; /* an unknown signer is still refused */
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), -ERR_RELEASE_SIGNATURE);
    policy.unsigned_allowed = false;
    assert_int_equal(signature_make(artefact, &foreign, &key, NULL, NULL), 0);
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), -ERR_RELEASE_NAME);
    assert_int_equal(signature_make(artefact, &id, &key, NULL, NULL), 0);
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), 0);
    assert_string_equal(r.version, "1");
    assert_string_equal(r.signer, policy.keys[0]);
    (void)str_copy(str_c("2"), policy.version, sizeof(policy.version));
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), -ERR_RELEASE_NAME);
    policy.version[0] = '\0';
    policy.key_count = 0; /* no keys: nothing is trusted */
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), -ERR_RELEASE_SIGNATURE);
}

static void unsigned_releases_have_to_be_allowed(void **state)
{
    (void)state;
    PLACE(p);
    char artefact[128];
    struct accept_policy policy = {.name = "demo", .unsigned_allowed = true};
    struct layout_release r;
    write_in(&p, "demo-1.tar.gz", "abc");
    write_in(&p, "x.tar.gz", "abc");
    (void)snprintf(artefact, sizeof(artefact), "%s/demo-1.tar.gz", p.folder);
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), 0);
    assert_string_equal(r.version, "1");
    assert_string_equal(r.signer, "");
    (void)snprintf(artefact, sizeof(artefact), "%s/x.tar.gz", p.folder);
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), -ERR_RELEASE_NAME);
    (void)str_copy(str_c("3"), policy.version, sizeof(policy.version));
    assert_int_equal(accept_artefact(artefact, &policy, &r, NULL), 0);
    assert_string_equal(r.version, "3");
}

/* ---------------------------------------------------------------- the guard of an update */

static void an_update_that_is_not_confirmed_is_undone(void **state)
{
    (void)state;
    PLACE(p);
    char version[RELEASE_VERSION_SIZE];
    ready_for_update(&p);
    assert_int_equal(guard_start(p.root, 0, version, NULL), GUARD_IDLE);
    assert_int_equal(guard_arm(p.root, "2", 0, NULL), 0);
    assert_int_equal(guard_start(p.root, 0, version, NULL), GUARD_IDLE); /* not switched */
    update(&p);
    for (int i = 0; i < GUARD_STARTS_MAX; i++) {
        assert_int_equal(guard_start(p.root, 1, version, NULL), GUARD_COUNTED);
        assert_string_equal(version, "2");
    }
    assert_int_equal(guard_start(p.root, 1, version, NULL), GUARD_UNDONE);
    assert_string_equal(version, "1");
    assert_string_equal(look(&p)->current, "1");
    assert_int_equal(guard_confirm(p.root, "2", NULL), -ERR_RELEASE_UNDONE);
}

static void an_update_that_takes_too_long_is_undone(void **state)
{
    (void)state;
    PLACE(p);
    char version[RELEASE_VERSION_SIZE];
    ready_for_update(&p);
    update(&p);
    assert_int_equal(guard_start(p.root, GUARD_US + 1, version, NULL), GUARD_UNDONE);
    assert_string_equal(look(&p)->current, "1");
}

static void a_confirmed_update_stays(void **state)
{
    (void)state;
    PLACE(p);
    char version[RELEASE_VERSION_SIZE];
    add_two(&p);
    (void)close(p.lock);
    p.lock = -1;
    assert_int_equal(guard_arm(p.root, "2", 0, NULL), -ERR_RELEASE_UNKNOWN); /* no way back */
    go(&p, "1");
    update(&p);
    assert_int_equal(guard_start(p.root, 1, version, NULL), GUARD_COUNTED);
    assert_int_equal(guard_confirm(p.root, "2", NULL), 0);
    for (int i = 0; i < 2 * GUARD_STARTS_MAX; i++) {
        assert_int_equal(guard_start(p.root, 1, version, NULL), GUARD_IDLE);
    }
    assert_string_equal(look(&p)->current, "2");
}

/* The program of the update runs, and the run that should confirm it was lost. */
static void an_update_that_came_up_is_not_undone(void **state)
{
    (void)state;
    PLACE(p);
    char version[RELEASE_VERSION_SIZE], exe[160];
    ready_for_update(&p);
    update(&p);
    (void)snprintf(exe, sizeof(exe), "%s/releases/1/bin/nightdesk", p.root);
    assert_int_equal(guard_came_up(p.root, exe, NULL), 0); /* the old program still runs */
    assert_int_equal(guard_start(p.root, 1, version, NULL), GUARD_COUNTED);
    (void)snprintf(exe, sizeof(exe), "%s/releases/2/bin/nightdesk", p.root);
    assert_int_equal(guard_came_up(p.root, exe, NULL), 0);
    assert_int_equal(guard_start(p.root, GUARD_US + 1, version, NULL), GUARD_IDLE);
    assert_string_equal(look(&p)->current, "2");
}

/* The same version may be deployed later without a confirmation. */
static void an_update_that_was_given_up_is_forgotten(void **state)
{
    (void)state;
    PLACE(p);
    char version[RELEASE_VERSION_SIZE];
    ready_for_update(&p);
    update(&p);
    assert_int_equal(guard_disarm(p.root, NULL), 0); /* it is current: still watched */
    assert_int_equal(guard_start(p.root, 1, version, NULL), GUARD_COUNTED);
    back(&p, "1");
    assert_int_equal(guard_disarm(p.root, NULL), 0);
    go(&p, "2");
    assert_int_equal(guard_start(p.root, GUARD_US + 1, version, NULL), GUARD_IDLE);
}

UNIT_GROUP(layout, cmocka_unit_test(a_switch_is_a_link_and_remembers_what_was_before),
           cmocka_unit_test(two_steps_back_do_not_lead_forward),
           cmocka_unit_test(the_history_is_bounded),
           cmocka_unit_test(a_switch_that_did_not_happen_is_ignored),
           cmocka_unit_test(a_stopped_switch_does_not_happen),
           cmocka_unit_test(a_colour_is_prepared_and_then_switched_to),
           cmocka_unit_test(leftovers_are_no_releases_and_are_removed),
           cmocka_unit_test(two_at_once_are_refused),
           cmocka_unit_test(a_version_never_means_two_things),
           cmocka_unit_test(pruning_keeps_the_newest_the_current_and_the_previous),
           cmocka_unit_test(many_releases_are_no_obstacle),
           cmocka_unit_test(a_release_that_failed_is_not_the_newest),
           cmocka_unit_test(what_is_no_link_is_not_replaced),
           cmocka_unit_test(a_damaged_artefact_leaves_no_release),
           cmocka_unit_test(only_the_right_key_name_and_version_are_accepted),
           cmocka_unit_test(unsigned_releases_have_to_be_allowed),
           cmocka_unit_test(an_update_that_is_not_confirmed_is_undone),
           cmocka_unit_test(an_update_that_takes_too_long_is_undone),
           cmocka_unit_test(an_update_that_came_up_is_not_undone),
           cmocka_unit_test(an_update_that_was_given_up_is_forgotten),
           cmocka_unit_test(a_confirmed_update_stays))
