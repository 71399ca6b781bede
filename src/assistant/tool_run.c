#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "command/quote.h"
#include "command/reply_json.h"
#include "command/runner.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "report/privacy.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX ((size_t)24 * 1024) /* bytes of one result, as JSON */
#define TEXT_SHOWN   600                 /* bytes of one text, once something has to be left out */
#define DEPTH_MAX    16

void tool_run_release(struct tool_run *reading)
{
    (void)json_object_put(reading->document);
    reply_free(reading->reply);
    *reading = (struct tool_run){0};
}

/* ------------------------------------------------------------------ the document */

static void copy_text(struct json_out *out, const char *key, struct str text, size_t items)
{
    char shown[TEXT_SHOWN + 1];
    str_cut(text, shown, sizeof(shown));
    json_out_str(out, key, items == SIZE_MAX ? text : str_c(shown));
}

/* A list of which only the first items are kept has its length beside it: "trades_in_all": 200. */
static void copy_value(struct json_out *out, const char *key, struct json_object *value,
                       size_t items, int depth)
{
    if (depth > DEPTH_MAX) {
        json_out_text(out, key, "…");
    } else if (json_is_object(value)) {
        json_out_object(out, key);
        json_object_object_foreach(value, name, member)
        {
            copy_value(out, name, member, items, depth + 1);
        }
        json_out_end(out);
    } else if (json_is_array(value)) {
        json_out_array(out, key);
        for (size_t i = 0; i < json_len(value) && i < items; i++) {
            copy_value(out, NULL, json_item(value, i), items, depth + 1);
        }
        json_out_end(out);
        if (json_len(value) > items && key != NULL) {
            AUTO_BUF struct buf name = BUF_INIT(256);
            buf_addf(&name, "%s_in_all", key);
            json_out_i64(out, name.data, (int64_t)json_len(value));
        }
    } else if (json_is_text(value)) {
        copy_text(out, key, json_value_str(value), items);
    } else {
        json_out_value(out, key, value);
    }
}

static size_t size_of(struct json_object *value)
{
    AUTO_BUF struct buf text = BUF_INIT(8 * DOCUMENT_MAX);
    json_add_text(&text, value);
    return buf_failed(&text) ? SIZE_MAX : text.len;
}

/* The largest version that fits; a last one holds only a note. */
static struct json_object *bounded(struct json_object *whole)
{
    static const size_t steps[] = {SIZE_MAX, 100, 50, 25, 12, 6, 3, 1};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct json_object *shorter = json_object_new_object();
        struct json_out out = JSON_OUT_TREE(shorter);
        json_object_object_foreach(whole, key, member)
        {
            copy_value(&out, key, member, steps[i], 0);
        }
        if (i > 0) {
            json_out_text(&out, "note",
                          "This is not all: long lists and texts are cut. A member that ends in "
                          "_in_all is the length of the whole list. Ask for less at a time.");
        }
        if (size_of(shorter) <= DOCUMENT_MAX) {
            return shorter;
        }
        (void)json_object_put(shorter);
    }
    struct json_object *nothing = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(nothing);
    json_out_text(&out, "note", "The result is too long. Ask for less at a time.");
    return nothing;
}

/* Without ids and names of people, hosts and registered secrets. */
static struct json_object *cleaned(const struct assistant *assistant, struct json_object *document)
{
    struct privacy *privacy = privacy_new(assistant->o.config);
    AUTO_JSON struct json_object *root = json_object_new_object();
    AUTO_BUF struct buf text = BUF_INIT(8 * DOCUMENT_MAX);
    struct json_object *safe = NULL;
    struct json_out out = JSON_OUT_TREE(root);
    json_out_value(&out, "untrusted", document);
    (void)json_object_put(document);
    privacy_add_people(privacy, assistant->o.store);
    privacy_clean(privacy, root);
    privacy_free(privacy);
    json_add_text(&text, json_get(root, "untrusted"));
    log_redact(text.data);
    text.len = strlen(text.data);
    if (json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &safe, NULL) < 0) {
        safe = json_object_new_object();
    }
    return safe;
}

static void add_error(struct json_out *out, const struct err *err)
{
    const struct err_info *info = err_info(err->id);
    json_out_object(out, "error");
    json_out_text(out, "code", info->code);
    json_out_text(out, "message", info->message);
    json_out_text(out, "context", err->context);
    json_out_text(out, "remedy", info->remediation);
    json_out_end(out);
}

/* {"title", "data"}: what programs get of the reply; of a reply without data its blocks. */
static struct json_object *document_of(const struct assistant *assistant, const struct reply *reply,
                                       const struct err *err)
{
    AUTO_JSON struct json_object *whole = json_object_new_object();
    AUTO_JSON struct json_object *all = reply_json(reply);
    struct json_out out = JSON_OUT_TREE(whole);
    struct json_object *data = json_get(all, "data");
    if (reply_get_title(reply)[0] != '\0') {
        json_out_text(&out, "title", reply_get_title(reply));
    }
    if (json_is_object(data) && json_object_object_length(data) > 0) {
        json_out_value(&out, "data", data);
    } else {
        json_out_value(&out, "blocks", json_get(all, "blocks"));
    }
    if (err != NULL) {
        add_error(&out, err);
    }
    return cleaned(assistant, bounded(whole));
}

/* ------------------------------------------------------------------ running it */

static void store(struct ask *q, const struct tool_run *reading)
{
    struct assistant *assistant = q->assistant;
    struct err err = {0};
    AUTO_BUF struct buf result = BUF_INIT(8 * DOCUMENT_MAX);
    AUTO_BUF struct buf detail = BUF_INIT(1000);
    json_add_text(&result, reading->document);
    struct question_step step = {.index = q->reading_count - 1,
                                 .line = (char *)(uintptr_t)reading->line,
                                 .result = result.data,
                                 .took_us =
                                     clock_mono_us(assistant->o.clock) - reading->began_mono_us};
    const char *code = reading->error == ERR_NONE ? "" : err_info(reading->error)->code;
    (void)str_copy(str_c(code), step.error_code, sizeof(step.error_code));
    buf_addf(&detail, "q%lld: %s", (long long)q->id, reading->line);
    int rc = ops_store_begin_unsynced(assistant->o.store, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not store what was read");
        return;
    }
    rc = question_table_step(assistant->o.store, q->id, &step, &err);
    rc = rc < 0 ? rc
                : access_audit(assistant->o.access, &q->who, "assistant.read", detail.data,
                               code[0] == '\0' ? "ok" : code, &err);
    if (rc < 0) {
        ops_store_rollback(assistant->o.store);
    } else {
        rc = ops_store_commit(assistant->o.store, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "assistant: could not store what was read");
    }
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct ask *q = userdata;
    struct tool_run *reading = &q->readings[q->reading_count - 1];
    q->is_reading = false;
    reading->error = err != NULL ? err->id : ERR_NONE;
    reading->document = document_of(q->assistant, reply, err);
    reading->reply = err == NULL ? reply_copy(reply) : NULL;
    store(q, reading);
    loop_defer(q->deferred);
}

/* "/trades 10 symbol=BTC-USD" */
static void add_line(const struct manifest *m, struct json_object *args, struct buf *out)
{
    buf_addf(out, "/%s", m->name);
    json_object_object_foreach(args, key, value)
    {
        AUTO_BUF struct buf text = BUF_INIT(READING_LINE);
        if (json_is_text(value)) {
            buf_add_str(&text, json_value_str(value));
        } else {
            json_add_text(&text, value);
        }
        buf_add_char(out, ' ');
        (void)quote_add_named(out, key, buf_str(&text));
    }
}

void tool_run_start(struct ask *q, const struct manifest *m, struct json_object *args)
{
    struct assistant *assistant = q->assistant;
    struct err err = {0};
    struct tool_run *reading = &q->readings[q->reading_count++];
    AUTO_BUF struct buf line = BUF_INIT(2 * READING_LINE);
    AUTO_BUF struct buf args_text = BUF_INIT(64 * 1024);
    struct principal as = q->who;
    as.channel = CHANNEL_ASSISTANT;
    add_line(m, args, &line);
    str_cut(buf_str(&line), reading->line, sizeof(reading->line));
    str_make_safe(reading->line);
    reading->began_mono_us = clock_mono_us(assistant->o.clock);
    json_add_text(&args_text, args);
    q->is_reading = true;
    const struct invocation in = {.line = m->name,
                                  .args_json = args_text.data,
                                  .who = &as,
                                  .on_reply = on_reply,
                                  .userdata = q};
    if (runner_submit(assistant->runner, &in, &err) < 0) {
        AUTO_REPLY struct reply *failed = reply_new();
        reply_error(failed, &err);
        on_reply(failed, &err, q);
    }
}

void tool_run_stop(struct ask *q)
{
    if (q->is_reading) {
        q->is_reading = false;
        runner_forget(q->assistant->runner, q);
    }
}
