#include "../../../src/health/certificate.h"
#include "health_rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The checks of one service with real servers, programs and files. */

static const char *reason(struct rig *rig)
{
    return health_rig_first(rig)->detail;
}

static void until_down(struct rig *rig, const char *why)
{
    UNTIL(rig, health_rig_first(rig)->checked_us != 0 && strstr(reason(rig), why) != NULL);
}

static void until_up(struct rig *rig)
{
    UNTIL(rig, health_rig_first(rig)->checked_us != 0 && strcmp(reason(rig), "ok") == 0);
}

static struct config_check *only_check(struct rig *rig)
{
    (void)health_rig_add(rig, "demo");
    return health_rig_check(rig, "it");
}

static void a_body_that_says_that_it_is_ill_is_down(void **state)
{
    struct rig *rig = *state;
    static const char *const ill[] = {"{\"status\":\"unhealthy\"}",
                                      "{\"status\": \"DOWN\"}",
                                      "{\"healthy\":false}",
                                      "{\"ok\":false}",
                                      "{\"state\":\"failed\"}",
                                      " Unhealthy\n",
                                      "error"};
    static const char *const well[] = {"{\"status\":\"healthy\"}",
                                       "{\"status\":\"UP\"}",
                                       "{\"status\":\"degraded\"}",
                                       "{\"healthy\":true}",
                                       "ok",
                                       "",
                                       "no error today",
                                       "{\"status\":",
                                       "[\"down\"]"};
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    for (size_t i = 0; i < COUNT_OF(ill); i++) {
        rig->body = ill[i];
        until_down(rig, "its answer");
        rig->body = well[i];
        until_up(rig);
    }
    rig->body = ill[0];
    until_down(rig, "its answer says status: unhealthy");
    rig->body = well[7];
    until_up(rig);
    rig->body = ill[5];
    until_down(rig, "its answer is \"Unhealthy\"");
    rig->body = well[8];
    until_up(rig);
}

static void a_body_follows_its_rules(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    check->url = rig->url;
    check->path = "/healthz";
    check->body_has = "models";
    check->body_matches = "loaded\": *[1-9]";
    check->json_pointer = "/models/loaded";
    rig->body = "{\"models\":{\"loaded\":3},\"status\":\"down\"}"; /* a rule says what counts */
    health_rig_start(rig);
    until_up(rig);
    rig->body = "{\"model\":{}}";
    until_down(rig, "its answer does not contain \"models\"");
    rig->body = "{\"models\":{\"loaded\":0}}";
    until_down(rig, "its answer does not match loaded\": *[1-9]");
    rig->body = "models loaded\": 1";
    until_down(rig, "its answer is not JSON");
    rig->body = "{\"models\":{\"x\":{\"loaded\":1}}}";
    until_down(rig, "its answer has no /models/loaded");
    health_rig_first(rig)->checks[0]->config.json_value = "3";
    rig->body = "{\"models\":{\"loaded\":31}}";
    until_down(rig, "/models/loaded is 31, expected 3");
    rig->body = "{\"models\":{\"loaded\":\"3\",\"note\":\"loaded\\\":3\"}, \"x\": \"loaded\": 3}";
    until_down(rig, "its answer is not JSON");
    rig->body = "{\"models\":{\"loaded\": 3}}";
    until_up(rig);
}

static void redirects_are_followed_as_often_as_set(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    check->url = rig->url;
    check->path = "/moved";
    health_rig_start(rig);
    until_down(rig, "HTTP 302, expected 200 to 299");
    health_rig_first(rig)->checks[0]->config.redirects = 1;
    until_up(rig);
}

static void a_port_is_open_or_not(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    check->tcp = rig->url + strlen("http://");
    health_rig_start(rig);
    until_up(rig);
    web_stop(rig->web);
    rig->web = NULL;
    until_down(rig, err_info(ERR_HTTP_CONNECT)->message);
}

static void a_command_says_why(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    const char *argv[] = {"/bin/sh", "-c", "exit 0", NULL};
    rig->services[0].timeout_us = USEC_PER_SEC / 5;
    check->command = (struct config_texts){.count = 3, .items = argv};
    health_rig_start(rig);
    until_up(rig);
    argv[2] = "echo first; printf 'queue has 900 rows\\033\\n\\n'; exit 3";
    until_down(rig, "exit code 3: queue has 900 rows?");
    argv[2] = "kill -9 $$";
    until_down(rig, "killed by signal 9");
    argv[2] = "echo busy; exec sleep 100";
    until_down(rig, "it did not end within 200 ms: busy");
    argv[0] = "/nowhere/nothing";
    until_down(rig, "the program does not exist: /nowhere/nothing");
}

/* The process of a check that waits for a dead disk: a signal does not end it. */
static bool killable = true;

int kill(pid_t pid, int signal_number)
{
    return killable ? (int)syscall(SYS_kill, pid, signal_number) : 0;
}

static void a_command_that_cannot_be_killed_is_given_up(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    const char *argv[] = {"/bin/sh", "-c", "echo busy; exec sleep 100", NULL};
    rig->services[0].timeout_us = USEC_PER_SEC / 20;
    check->command = (struct config_texts){.count = 3, .items = argv};
    killable = false;
    health_rig_start(rig);
    until_down(rig, "it did not end within 50 ms: busy");
    until_down(rig, "was killed and has not ended: a disk may hang");
    int64_t pid = 0;
    assert_true(str_to_i64(str_n(reason(rig) + strlen("its process "),
                                 strcspn(reason(rig) + strlen("its process "), " ")),
                           &pid));
    argv[2] = "exit 0";
    killable = true;
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    until_up(rig);
    assert_int_equal(waitpid((pid_t)pid, NULL, WNOHANG), -1); /* it was reaped */

    argv[2] = "exec sleep 3";
    killable = false;
    UNTIL(rig, health_rig_first(rig)->checks[0]->running);
    int64_t begun_us = clock_mono_us(loop_clock(rig->loop));
    service_retire(health_rig_first(rig));
    assert_true(clock_mono_us(loop_clock(rig->loop)) - begun_us < USEC_PER_SEC);
    killable = true;
}

static void a_file_is_fresh_and_large_enough(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/data", rig->folder);
    check->file = path;
    check->min_size = 4;
    check->max_age_us = USEC_PER_HOUR;
    health_rig_start(rig);
    until_down(rig, "no such file: ");
    assert_int_equal(file_write(path, STR_LIT("abc"), 0600, NULL), 0);
    until_down(rig, "it has 3 bytes; the least is 4: ");
    assert_int_equal(file_write(path, STR_LIT("abcd"), 0600, NULL), 0);
    until_up(rig);
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    until_down(rig, "not changed for 2 h; the limit is 1 h: ");
    assert_int_equal(unlink(path), 0);
}

static int64_t wall_days(struct rig *rig, int64_t days)
{
    return clock_wall_us(loop_clock(rig->loop)) + days * USEC_PER_DAY + USEC_PER_HOUR;
}

static void a_certificate_that_ends_soon_is_an_alert_of_its_own(void **state)
{
    struct rig *rig = *state;
    static const char fingerprint[] = "certificate:demo/it";
    struct config_check *config = only_check(rig);
    config->url = rig->url;
    config->path = "/healthz";
    config->certificate_days = 7;
    health_rig_make(rig);
    const struct check *check = health_rig_first(rig)->checks[0];
    struct certificate certificate = CERTIFICATE_INIT;
    int64_t now_us = clock_mono_us(loop_clock(rig->loop));
    assert_true(certificate_is_due(&certificate, now_us));
    certificate_seen(&certificate, check, wall_days(rig, 30));
    assert_false(certificate_is_due(&certificate, now_us + USEC_PER_MIN));
    assert_true(certificate_is_due(&certificate, now_us + 2 * USEC_PER_HOUR));
    assert_int_equal(health_rig_alert(rig, fingerprint), -1);
    int64_t soon_us = wall_days(rig, 6);
    certificate_seen(&certificate, check, soon_us);
    assert_int_equal(health_rig_alert(rig, fingerprint), ALERT_OPEN);
    assert_true(certificate_is_due(&certificate, now_us + USEC_PER_SEC));
    health_rig_first(rig)->checks[0]->config.certificate_days = 6; /* just above the limit */
    certificate_seen(&certificate, check, soon_us);
    assert_int_equal(health_rig_alert(rig, fingerprint), ALERT_OPEN);
    certificate_seen(&certificate, check, wall_days(rig, 90));
    assert_int_equal(health_rig_alert(rig, fingerprint), ALERT_FIXED);
    assert_false(certificate_is_due(&certificate, now_us + USEC_PER_MIN));
    certificate_seen(&certificate, check, wall_days(rig, 3));
    assert_int_equal(health_rig_alert(rig, fingerprint), ALERT_OPEN);
    service_retire(health_rig_first(rig));
    assert_int_equal(health_rig_alert(rig, fingerprint), ALERT_FIXED);
}

static void write_pid(const char *path, pid_t pid)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d\n", (int)pid);
    assert_int_equal(file_write(path, str_c(text), 0600, NULL), 0);
}

static void nothing(void *data)
{
    (void)data;
}

static void note(void *data, void *userdata)
{
    (void)data;
    *(bool *)userdata = true;
}

static int threads_that_look(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks)) {
        char path[300];
        AUTO_BUF struct buf name = BUF_INIT(64);
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
        count += file_read(path, &name, NULL) == 0 && strcmp(name.data, "file checks\n") == 0;
    }
    (void)closedir(tasks);
    return count;
}

/* Reading a FIFO without a writer hangs as a dead disk does. */
static void a_dead_disk_stops_only_its_own_check(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    char path[128];
    bool helped = false;
    (void)snprintf(path, sizeof(path), "%s/pid", rig->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    check->process = path;
    rig->config.monitoring_start_grace_us = 0; /* failures count at once */
    rig->services[0].timeout_us = USEC_PER_SEC / 20;
    struct config_service *other = health_rig_add(rig, "other");
    struct config_check file = *check;
    file.process = "";
    file.file = "/proc/self/stat";
    other->checks = &file;
    other->check_count = 1;
    health_rig_start(rig);
    until_down(rig, "the disk did not answer within 50 ms");
    UNTIL(rig, health_rig_first(rig)->failures >= 4);
    assert_true(threads_that_look() <= 2);
    assert_string_equal(rig->health->services[1]->detail, "ok");
    assert_non_null(
        pool_start(rig->helpers,
                   &(struct pool_work){.work = nothing, .done = note, .userdata = &helped}, NULL));
    UNTIL(rig, helped);
    struct config *next = health_rig_next(rig); /* a reload adds no look either */
    health_apply(rig->health, next, NULL);
    UNTIL(rig, health_rig_first(rig)->failures >= 6);
    assert_true(threads_that_look() <= 2);
    char old[128];
    (void)snprintf(old, sizeof(old), "%s/old", rig->folder);
    assert_int_equal(rename(path, old), 0);
    write_pid(path, getpid());
    int writer = open(old, O_WRONLY | O_CLOEXEC); /* the look under way ends */
    assert_true(writer >= 0);
    (void)close(writer);
    until_up(rig);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(old), 0);
    health_free(TAKE(rig->health));
    health_rig_free_config(next);
}

static void a_pid_file_names_a_living_process(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/pid", rig->folder);
    check->process = path;
    health_rig_start(rig);
    until_down(rig, "the pid file cannot be read: ");
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    write_pid(path, child);
    until_up(rig);
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    until_down(rig, " is another one now: ");
    write_pid(path, child);
    until_up(rig);
    assert_int_equal(kill(child, SIGKILL), 0);
    until_down(rig, " has ended: "); /* not reaped yet */
    assert_int_equal(waitpid(child, NULL, 0), child);
    until_down(rig, " does not exist: ");
    assert_int_equal(file_write(path, STR_LIT("none"), 0600, NULL), 0);
    until_down(rig, "the pid file has no process id: ");
    assert_int_equal(unlink(path), 0);
}

/* What the kernel writes into the folder of a cgroup. */
static void write_events(const char *folder, const char *text)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/cgroup.events", folder);
    assert_int_equal(file_write(path, str_c(text), 0600, NULL), 0);
}

static void a_cgroup_has_a_process(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    char group[128], events[160];
    (void)snprintf(group, sizeof(group), "%s/group", rig->folder);
    (void)snprintf(events, sizeof(events), "%s/cgroup.events", group);
    check->process = "/sys/fs/cgroup/no-such-group";
    health_rig_start(rig);
    until_down(rig, "the cgroup does not exist: /sys/fs/cgroup/no-such-group");
    assert_int_equal(mkdir(group, 0700), 0);
    write_events(group, "populated 1\nfrozen 0\n");
    health_rig_first(rig)->checks[0]->config.process = group;
    until_up(rig);
    write_events(group, "populated 0\nfrozen 0\n");
    until_down(rig, "no process is in the cgroup: ");
    assert_int_equal(unlink(events), 0);
    assert_int_equal(rmdir(group), 0);
}

static void the_reason_names_the_check(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_check(rig, "data")->file = "/nowhere/data";
    health_rig_check(rig, "worker")->process = "/nowhere/pid";
    health_rig_start(rig);
    until_down(rig, "data: no such file: /nowhere/data (and 1 more)");
    rig->status = 500;
    until_down(rig, "url: HTTP 500, expected 200 to 299 (and 2 more)");
}

/* What /services demo answers to somebody of this role, as JSON. */
static void list_as(struct rig *rig, enum channel channel, enum role role, struct buf *out)
{
    const struct principal who = {.channel = channel, .name = "al", .role = role};
    bool shown = role == ROLE_ADMIN && channel == CHANNEL_CONSOLE;
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.list", "demo", NULL, reply, NULL);
    call.who = &who;
    buf_clear(out);
    assert_int_equal(call.action->run(&call, NULL), ACTION_DONE);
    assert_true(reply_is_protected(reply) == shown);
    assert_true((reply_concealed_us(reply) != 0) == shown); /* stored nowhere */
    json_add_text(out, reply_data(reply));
}

static void only_an_admin_sees_what_a_job_calls(void **state)
{
    struct rig *rig = *state;
    AUTO_BUF struct buf text = BUF_INIT(8192);
    only_check(rig)->heartbeat_us = USEC_PER_DAY;
    health_rig_start(rig);
    until_up(rig);
    list_as(rig, CHANNEL_CONSOLE, ROLE_ADMIN, &text);
    assert_has(text.data, "/ping/");
    list_as(rig, CHANNEL_HTTP, ROLE_ADMIN, &text);
    assert_null(strstr(text.data, "/ping/"));
    list_as(rig, CHANNEL_CONSOLE, ROLE_OPERATOR, &text);
    assert_has(text.data, "\"kind\":\"heartbeat\"");
    assert_null(strstr(text.data, "/ping/"));
}

static void a_reload_applies_to_a_check(void **state)
{
    struct rig *rig = *state;
    struct config_check *check = only_check(rig);
    check->url = rig->url;
    check->path = "/healthz";
    check->expect_status = 200;
    health_rig_start(rig);
    until_up(rig);
    struct config *next = health_rig_next(rig);
    struct config_check changed[2] = {*check, *check};
    changed[0].expect_status = 204;
    changed[1].url = "";
    changed[1].file = "/nowhere/data";
    (void)str_copy(STR_LIT("other"), changed[1].name, sizeof(changed[1].name));
    next->services[0].checks = changed;
    next->services[0].check_count = 2;
    health_apply(rig->health, next, NULL);
    assert_int_equal(health_rig_first(rig)->state, SERVICE_UP); /* it is the same service */
    until_down(rig, "it: HTTP 200, expected 204 (and 1 more)");
    struct config *last = health_rig_next(rig);
    last->services[0].checks = &changed[1];
    last->services[0].check_count = 1;
    health_apply(rig->health, last, NULL);
    health_rig_free_config(next);
    until_down(rig, "no such file: /nowhere/data");
    health_free(rig->health);
    rig->health = NULL;
    health_rig_free_config(last);
}

UNIT_GROUP(health_checks, RIGGED(a_body_that_says_that_it_is_ill_is_down),
           RIGGED(a_body_follows_its_rules), RIGGED(redirects_are_followed_as_often_as_set),
           RIGGED(a_port_is_open_or_not), RIGGED(a_command_says_why),
           RIGGED(a_command_that_cannot_be_killed_is_given_up),
           RIGGED(a_dead_disk_stops_only_its_own_check),
           RIGGED(a_certificate_that_ends_soon_is_an_alert_of_its_own),
           RIGGED(a_file_is_fresh_and_large_enough), RIGGED(a_pid_file_names_a_living_process),
           RIGGED(a_cgroup_has_a_process), RIGGED(the_reason_names_the_check),
           RIGGED(only_an_admin_sees_what_a_job_calls), RIGGED(a_reload_applies_to_a_check))
