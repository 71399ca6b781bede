#include "assistant/tool_document.h"
#include "assistant_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "command/quote.h"
#include "command/runner.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

void tool_run_release(struct tool_run *reading)
{
    (void)json_object_put(reading->document);
    reply_free(reading->reply);
    *reading = (struct tool_run){0};
}

/* ------------------------------------------------------------------ running it */

static void store(struct ask *q, const struct tool_run *reading)
{
    struct assistant *assistant = q->assistant;
    struct err err = {0};
    AUTO_BUF struct buf result = BUF_INIT(8 * TOOL_DOCUMENT_MAX);
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
    reading->document = tool_document(
        &(struct tool_document_sources){q->assistant->o.config, q->assistant->o.store}, reply, err);
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
