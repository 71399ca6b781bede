/* The logs of services: filtered, as a document, and their patterns. */
#include "../../../src/health/logs.h"
#include "base/check.h"
#include "health_rig.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Calls service.logs on a file with these lines; the reply is in *ret. */
static void read_logs(struct rig *rig, const char *text, const char *const values[5],
                      struct reply **ret)
{
    static const struct value_context now = {.now_us = INT64_C(1795000000000000)};
    char path[128];
    struct finished f = {0};
    (void)snprintf(path, sizeof(path), "%s/demo.log", rig->folder);
    assert_int_equal(file_write(path, str_c(text), 0600, NULL), 0);
    *ret = reply_new();
    struct action_call call = health_rig_call(rig, "service.logs", "demo", values[1], *ret, &f);
    int count = action_param_count(call.action);
    struct arg_value *all = calloc((size_t)count, sizeof(*all));
    for (int i = 0; i < count; i++) {
        const char *value =
            i < 5 && values[i] != NULL ? values[i] : call.action->params[i].default_text;
        if (value != NULL) {
            assert_int_equal(
                value_from_text(&call.action->params[i], str_c(value), &now, &all[i], NULL), 0);
        }
    }
    call.args = all;
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    for (int i = 0; i < count; i++) {
        value_release(&all[i]);
    }
    free(all);
}

#define LOG_TEXT                                \
    "before any time\n"                         \
    "2026-11-18T10:00:00Z INFO ready\n"         \
    "2026-11-18 11:00:00,123 ERROR feed lost\n" \
    "  Traceback: no route\n"                   \
    "2026-11-18T12:00:00Z WARN slow: 12 ms\n"

static void log_lines_are_filtered(void **state)
{
    struct rig *rig = *state;
    health_rig_command(rig, health_rig_add(rig, "demo"), "/bin/sleep", "1000", NULL);
    health_rig_make(rig);
    static const struct {
        const char *values[5];
        const char *shown;
    } cases[] = {
        {{"demo", "2"}, "  Traceback: no route\n2026-11-18T12:00:00Z WARN slow: 12 ms"},
        {{"demo", "30", "2026-11-18T10:30", "error"},
         "2026-11-18 11:00:00,123 ERROR feed lost\n  Traceback: no route"},
        {{"demo", "30", NULL, NULL, "FEED"}, "2026-11-18 11:00:00,123 ERROR feed lost"},
        {{"demo", "30", NULL, "critical"}, "No line fits."},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_REPLY struct reply *reply = NULL;
        read_logs(rig, LOG_TEXT, cases[i].values, &reply);
        const char *shown = reply_text(reply, 0);
        assert_string_equal(shown, cases[i].shown + (cases[i].shown[0] == ' ' ? 2 : 0));
    }
    AUTO_REPLY struct reply *reply = NULL;
    read_logs(rig, LOG_TEXT, (const char *const[5]){"demo", "30", "2026-11-18T10:30"}, &reply);
    assert_has(reply_text(reply, 2), "nightdesk can read no time in them: 1 line.");
}

static void a_long_log_is_a_document(void **state)
{
    struct rig *rig = *state;
    health_rig_command(rig, health_rig_add(rig, "demo"), "/bin/sleep", "1000", NULL);
    health_rig_make(rig);
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    for (int i = 0; i < 500; i++) {
        buf_addf(&text, "a line of some length, number %d\n", i);
    }
    AUTO_REPLY struct reply *reply = NULL;
    read_logs(rig, text.data, (const char *const[5]){"demo", "400"}, &reply);
    assert_has(reply_text(reply, 0), "number 490\n");
    assert_lacks(reply_text(reply, 0), "number 489\n");
    const struct reply_block last = reply_get_block(reply, reply_block_count(reply) - 1);
    assert_int_equal(last.kind, BLOCK_DOCUMENT);
    char path[256];
    AUTO_BUF struct buf written = BUF_INIT((size_t)1 << 20);
    (void)snprintf(path, sizeof(path), "%s/attachments/%s", rig->folder, last.file->id);
    assert_int_equal(file_read(path, &written, NULL), 0);
    assert_true(str_starts(buf_str(&written), "a line of some length, number 100\n"));
}

static void the_newest_lines_are_kept(void **state)
{
    (void)state;
    static const struct {
        size_t max;
        const char *kept;
    } cases[] = {{12, "head\nold\nnew\nend\n"},
                 {11, "head\nnew\nend\n"},
                 {8, "head\nnew\nend\n"},
                 {7, "head\nend\n"},
                 {3, "head\n"},
                 {0, "head\n"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(64);
        buf_add_c(&text, "head\nold\nnew\nend\n");
        assert_true(logs_keep_newest(&text, 5, cases[i].max) == (i > 0));
        assert_string_equal(text.data, cases[i].kept);
    }
}

static void an_export_keeps_the_newest_lines_of_each(void **state)
{
    struct rig *rig = *state;
    AUTO_BUF struct buf text = BUF_INIT(65536), written = BUF_INIT(65536);
    char path[256], web[128];
    health_rig_command(rig, health_rig_add(rig, "demo"), "/bin/sleep", "1000", NULL);
    health_rig_command(rig, health_rig_add(rig, "web"), "/bin/sleep", "1000", NULL);
    health_rig_make(rig);
    rig->health->export_bytes = 8192;
    for (int i = 0; i < 100; i++) {
        buf_addf(&text, "2026-11-28T10:00:00Z line %d %050d\n", i, 0);
    }
    (void)snprintf(path, sizeof(path), "%s/demo.log", rig->folder);
    (void)snprintf(web, sizeof(web), "%s/web.log", rig->folder);
    assert_int_equal(file_write(path, buf_str(&text), 0600, NULL), 0);
    assert_int_equal(file_write(web, STR_LIT("2026-11-28T10:00:00Z ready\n"), 0600, NULL), 0);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call =
        health_rig_call(rig, "service.export_logs", NULL, "1970-01-01", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    const struct reply_block last = reply_get_block(reply, reply_block_count(reply) - 1);
    assert_int_equal(last.kind, BLOCK_DOCUMENT);
    (void)snprintf(path, sizeof(path), "%s/attachments/%s", rig->folder, last.file->id);
    assert_int_equal(file_read(path, &written, NULL), 0);
    assert_true(str_starts(buf_str(&written), "== demo ==\n2026-11-28T10:00:00Z line "));
    assert_lacks(written.data, " line 10 ");
    assert_has(written.data, " line 99 ");
    assert_has(written.data, "\ncut: only the newest 4 KiB are above\n");
    assert_has(written.data, "\n== web ==\n2026-11-28T10:00:00Z ready\n");
    assert_int_equal(unlink(web), 0);
}

static void new_patterns_are_those_of_the_last_hour(void **state)
{
    struct rig *rig = *state;
    health_rig_command(rig, health_rig_add(rig, "demo"), "/bin/sleep", "1000", NULL);
    health_rig_make(rig);
    AUTO_BUF struct buf text = BUF_INIT(4096);
    int64_t now_us = clock_wall_us(loop_clock(rig->loop));
    static const struct {
        int minutes;
        const char *line;
    } lines[] = {
        {120, "slow: 12 ms"}, {30, "slow: 15 ms"}, {20, "feed 1 lost"}, {10, "feed 2 lost"}};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        clock_add_iso(&text, now_us - lines[i].minutes * USEC_PER_MIN, false);
        buf_addf(&text, " %s\n", lines[i].line);
    }
    AUTO_REPLY struct reply *reply = NULL, *all = NULL, *young = NULL;
    read_logs(rig, text.data, (const char *const[5]){"demo", "new"}, &reply);
    assert_string_equal(reply_get_title(reply), "demo: 1 new pattern in the last hour");
    assert_has(reply_text(reply, 0), "2× feed # lost");
    read_logs(rig, text.data, (const char *const[5]){"demo", "patterns"}, &all);
    assert_string_equal(reply_get_title(all), "demo: 2 patterns in 4 lines");
    const char *later = strchr(text.data, '\n') + 1; /* nothing to compare with */
    read_logs(rig, later, (const char *const[5]){"demo", "new"}, &young);
    assert_has(reply_text(young, 0), "cannot be known");
}

UNIT_GROUP(service_logs, RIGGED(log_lines_are_filtered), RIGGED(a_long_log_is_a_document),
           cmocka_unit_test(the_newest_lines_are_kept),
           RIGGED(an_export_keeps_the_newest_lines_of_each),
           RIGGED(new_patterns_are_those_of_the_last_hour))
