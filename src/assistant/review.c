#include "assistant/review.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "command/action.h"
#include "io/file.h"
#include "io/json.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/pool.h"
#include "model/diff.h"
#include "model/plain_text.h"
#include "report/llm_prompt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX    ((size_t)8 << 20)
#define LINE_BYTES  400 /* bytes of a line of the diff that are sent */
#define TEXT_SIZE   480
#define WAIT_US     (3 * USEC_PER_MIN)
#define DIFF_NAME   "release.diff"
#define FENCE_BEGIN "<untrusted_data>\n"
#define FENCE_END   "</untrusted_data>\n"

struct reading {
    struct review *review;
    struct action_call *call;
    struct reading *next;
    struct pool_job *job;
    void *request;
    struct loop_source *late;
    struct llm_client client;

    /* Of the helper. */
    char path[PATH_MAX];
    int rc;
    struct err err;
    bool kept;
    struct buf sent;       /* the diff as far as it is sent, as it was in the file */
    struct buf user;       /* the message */
    struct diff_size all;  /* of what was read */
    struct diff_size part; /* of what is sent */
    bool whole;
};

struct review {
    struct review_options o;
    struct llm_client client;
    bool has_client;
    struct llm_prompt *prompt; /* made when it is first needed */
    struct reading *readings;
};

/* ------------------------------------------------------------------ the message, on a helper */

/* A line that could end the fence is no fence any more. */
static void add_line(struct buf *out, struct str text)
{
    char plain[LINE_BYTES];
    plain_strip(text, PLAIN_LINE, plain, sizeof(plain));
    for (char *at = plain; (at = strstr(at, "untrusted_data")) != NULL;) {
        at[strlen("untrusted")] = '-';
    }
    buf_add_c(out, plain);
    if (text.len > sizeof(plain) - 1) {
        buf_add_c(out, " …");
    }
    buf_add_char(out, '\n');
}

static void add_numbered(struct buf *out, const struct diff_reader *reader,
                         const struct diff_line *line)
{
    switch (line->kind) {
    case DIFF_FILE:
        buf_add_c(out, "==== ");
        add_line(out, str_c(reader->file));
        break;
    case DIFF_ADDED:
    case DIFF_REMOVED:
    case DIFF_KEPT:
        if (line->line > 0) {
            buf_addf(out, "%lld%s ", (long long)line->line,
                     line->kind == DIFF_ADDED     ? "+"
                     : line->kind == DIFF_REMOVED ? "-"
                                                  : " ");
            add_line(out, line->text);
        }
        break;
    case DIFF_OTHER:
        break;
    }
}

/* As much of the diff as may be sent. */
static void build(struct reading *w, struct str diff)
{
    struct diff_reader reader;
    struct diff_line line;
    diff_begin(&reader, diff);
    buf_add_c(&w->user, "The changes of the release:\n" FENCE_BEGIN);
    while (w->user.len < REVIEW_BYTES_MAX && diff_next(&reader, &line)) {
        add_numbered(&w->user, &reader, &line);
    }
    buf_add_c(&w->user, FENCE_END);
    buf_add(&w->sent, diff.ptr, diff.len - reader.rest.len);
    w->all = diff_measure(diff);
    w->part = diff_measure(buf_str(&w->sent));
    w->whole = w->whole && reader.rest.len == 0;
}

static void read_diff(void *data)
{
    struct reading *w = data;
    AUTO_BUF struct buf text = BUF_INIT(READ_MAX);
    int64_t bytes;
    w->rc = file_read_head(w->path, &text, &bytes, &w->err);
    if (w->rc == 0) {
        w->whole = bytes == (int64_t)text.len;
        build(w, buf_str(&text));
    }
}

/* ------------------------------------------------------------------ life of a reading */

static void unlink_reading(const struct reading *w)
{
    struct reading **at = &w->review->readings;
    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
}

static void release_reading(struct reading *w)
{
    buf_release(&w->sent);
    buf_release(&w->user);
    free(w);
}

static void free_reading(struct reading *w)
{
    unlink_reading(w);
    loop_source_free(w->late);
    release_reading(w);
}

static void drop_reading(void *data)
{
    struct reading *w = data;
    if (!w->kept) { /* it was cancelled, and is in no list any more */
        release_reading(w);
    }
}

/* Nobody waits for it any more. */
static void stop(struct reading *w)
{
    if (w->request != NULL) {
        w->client.cancel(w->client.self, w->request);
        free_reading(w);
        return;
    }
    unlink_reading(w);
    loop_source_free(w->late);
    pool_cancel(w->job); /* drop_reading frees it, once the disk answers */
}

/* ------------------------------------------------------------------ the reply */

struct remark {
    char file[DIFF_FILE_SIZE];
    int64_t line;
    char area[16], severity[8], text[TEXT_SIZE];
};

struct remarks {
    int count;   /* kept */
    int dropped; /* without a real place, or damaged */
    int high;
    struct remark items[REVIEW_REMARKS];
};

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_remark(const struct json_object *item, struct str diff, struct remark *ret)
{
    static const char *const areas[] = {"security", "performance", "behaviour", NULL};
    static const char *const severities[] = {"high", "medium", "low", NULL};
    const char *file = json_text(item, "file");
    ret->line = json_i64(item, "line", -1);
    bool fits = str_copy(str_c(json_text(item, "area")), ret->area, sizeof(ret->area)) &&
                str_copy(str_c(json_text(item, "severity")), ret->severity, sizeof(ret->severity));
    plain_strip(str_c(file), PLAIN_LINE, ret->file, sizeof(ret->file));
    plain_text(json_str(item, "text"), PLAIN_LINE, ret->text, sizeof(ret->text));
    return fits && is_one_of(ret->area, areas) && is_one_of(ret->severity, severities) &&
           ret->text[0] != '\0' && ret->line > 0 && diff_has(diff, file, ret->line);
}

static void read_remarks(const struct json_object *answer, struct str diff, struct remarks *ret)
{
    const struct json_object *list = json_get(answer, "remarks");
    *ret = (struct remarks){.count = 0};
    for (size_t i = 0; i < json_len(list); i++) {
        struct remark remark;
        if (!read_remark(json_item(list, i), diff, &remark)) {
            ret->dropped++;
            continue;
        }
        ret->high += strcmp(remark.severity, "high") == 0;
        if (ret->count < REVIEW_REMARKS) {
            ret->items[ret->count] = remark;
        }
        ret->count++;
    }
}

static void add_data(struct action_call *call, const struct reading *w, const struct remarks *m,
                     const char *why)
{
    struct json_out data = JSON_OUT_TREE(reply_data(action_reply(call)));
    json_out_object(&data, "review");
    json_out_bool(&data, "made", m != NULL);
    json_out_text(&data, "why", why);
    if (m != NULL) {
        json_out_bool(&data, "complete", w->whole);
        json_out_i64(&data, "files", w->part.files);
        json_out_i64(&data, "dropped", m->dropped);
        json_out_array(&data, "remarks");
        for (int i = 0; i < m->count && i < REVIEW_REMARKS; i++) {
            json_out_object(&data, NULL);
            json_out_text(&data, "file", m->items[i].file);
            json_out_i64(&data, "line", m->items[i].line);
            json_out_text(&data, "area", m->items[i].area);
            json_out_text(&data, "severity", m->items[i].severity);
            json_out_text(&data, "text", m->items[i].text);
            json_out_end(&data);
        }
        json_out_end(&data);
    }
    json_out_end(&data);
}

static void say_none(struct action_call *call, const char *why)
{
    add_data(call, NULL, NULL, why);
    reply_line(action_reply(call), "No review was made: %s.", why);
    action_output(call, "made", "%s", "");
    action_output(call, "clean", "%s", "");
    action_output(call, "says", "no review was made");
}

static void show_remarks(struct reply *r, const struct remarks *m)
{
    for (int i = 0; i < m->count && i < REVIEW_REMARKS; i++) {
        const struct remark *remark = &m->items[i];
        char place[DIFF_FILE_SIZE + 24];
        (void)snprintf(place, sizeof(place), "%s:%lld", remark->file, (long long)remark->line);
        reply_item(r, "{} · {} · {}: {}", cell_text(remark->severity), cell_text(remark->area),
                   cell_code(place), cell_text(remark->text));
    }
    if (m->count > REVIEW_REMARKS) {
        reply_para(r, "And {} more.", cell_count(m->count - REVIEW_REMARKS));
    }
    if (m->dropped > 0) {
        reply_para(r, "Dropped: {} without a line that is in the diff.", cell_count(m->dropped));
    }
}

static void say_review(const struct reading *w, const struct remarks *m,
                       const struct llm_answer *answer)
{
    struct action_call *call = w->call;
    struct reply *r = action_reply(call);
    bool clean = w->whole && m->high == 0;
    add_data(call, w, m, "");
    reply_para(r, "Review by {}, {}: {} remarks, {} of high severity", cell_text(answer->model),
               cell_cost(answer->cost_usd), cell_count(m->count), cell_count(m->high));
    if (!w->whole) {
        reply_para(r, "Only the beginning was reviewed: {} of {} files or more.",
                   cell_count(w->part.files), cell_count(w->all.files));
    }
    show_remarks(r, m);
    action_output(call, "made", "yes");
    action_output(call, "clean", "%s", clean ? "yes" : "");
    action_output(call, "says", "%d remarks, %d of high severity%s", m->count, m->high,
                  w->whole ? "" : ", of a part of it");
}

static void finish(struct reading *w)
{
    struct action_call *call = w->call;
    action_set_state(call, NULL);
    free_reading(w);
    action_finish(call, NULL);
}

static void finish_without(struct reading *w, const char *why)
{
    say_none(w->call, why);
    finish(w);
}

/* ------------------------------------------------------------------ asking */

static void on_answer(const struct llm_answer *answer, void *userdata)
{
    struct reading *w = userdata;
    AUTO_JSON struct json_object *json = NULL;
    AUTO_FREE struct remarks *remarks = calloc(1, sizeof(*remarks));
    ASSERT(remarks != NULL);
    w->request = NULL;
    if (answer->err.id != ERR_NONE) {
        finish_without(w, err_info(answer->err.id)->message);
        return;
    }
    if (json_parse(str_c(answer->text), &JSON_LIMITS_DEFAULT, &json, NULL) < 0 ||
        json_get(json, "remarks") == NULL) {
        finish_without(w, "the answer of the model cannot be read");
        return;
    }
    read_remarks(json, buf_str(&w->sent), remarks);
    say_review(w, remarks, answer);
    finish(w);
}

static void on_late(void *userdata)
{
    struct reading *w = userdata;
    struct action_call *call = w->call;
    say_none(call, w->request != NULL ? "the model did not answer in time"
                                      : "the disk did not answer in time");
    stop(w);
    action_set_state(call, NULL);
    action_finish(call, NULL);
}

/* Ends it in the callback of the helper, which frees it. */
static void end_read(struct reading *w, const char *why)
{
    struct action_call *call = w->call;
    say_none(call, why);
    unlink_reading(w);
    loop_source_free(w->late);
    action_set_state(call, NULL);
    action_finish(call, NULL);
}

static void on_read(void *data, void *userdata)
{
    struct reading *w = data;
    const struct review *review = userdata;
    const struct llm_request q = {.system = review->prompt->text,
                                  .user = w->user.data,
                                  .schema = review->prompt->schema,
                                  .model = review->prompt->model};
    int rc = w->rc;
    w->job = NULL;
    if (rc == 0 && w->part.added + w->part.removed == 0) {
        end_read(w, "the diff has no lines that can be read");
        return;
    }
    rc = rc < 0 ? rc : w->client.ask(w->client.self, &q, on_answer, w, &w->request, NULL);
    if (rc < 0) {
        end_read(w, err_info(rc)->message);
        return;
    }
    w->kept = true;
    buf_release(&w->user);
    action_progress(w->call, "waiting for the review of %lld files", (long long)w->part.files);
}

static int run_review(struct action_call *call, struct err *err)
{
    struct review *review = action_userdata(call);
    const char *path = action_text(call, "diff");
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    if (slash == NULL || strcmp(slash + 1, DIFF_NAME) != 0) {
        say_none(call, "only a release.diff is sent to a model");
        return ACTION_DONE;
    }
    if (!review->has_client) {
        say_none(call, "there is no key of Claude");
        return ACTION_DONE;
    }
    if (review->prompt == NULL && llm_prompt_load("review", &review->prompt, err) < 0) {
        return -err->id;
    }
    struct reading *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->review = review;
    w->call = call;
    w->client = review->client;
    buf_init(&w->sent, READ_MAX);
    buf_init(&w->user, REVIEW_BYTES_MAX + 4096);
    if (!str_copy(str_c(path), w->path, sizeof(w->path))) {
        free(w);
        say_none(call, "the path is too long");
        return ACTION_DONE;
    }
    w->job = pool_start(review->o.helpers,
                        &(struct pool_work){.work = read_diff,
                                            .done = on_read,
                                            .drop = drop_reading,
                                            .data = w,
                                            .userdata = review},
                        err);
    if (w->job == NULL) {
        free(w);
        say_none(call, "all helpers are busy");
        return ACTION_DONE;
    }
    w->next = review->readings;
    review->readings = w;
    w->late = loop_add_timer(review->o.loop, on_late, w);
    loop_source_name(w->late, "deadline of a review");
    loop_timer_in(w->late, WAIT_US);
    action_set_state(call, w);
    return ACTION_PENDING;
}

static void cancel_review(struct action_call *call)
{
    struct reading *w = action_state(call);
    if (w != NULL) {
        stop(w);
    }
}

/* ------------------------------------------------------------------ module */

struct review *review_new(const struct review_options *options)
{
    struct review *review = calloc(1, sizeof(*review));
    ASSERT(review != NULL);
    review->o = *options;
    review_apply(review, options->llm_client);
    return review;
}

void review_apply(struct review *review, const struct llm_client *llm_client)
{
    review->has_client = llm_client != NULL;
    if (llm_client != NULL) {
        review->client = *llm_client;
    }
}

void review_free(struct review *review)
{
    if (review == NULL) {
        return;
    }
    while (review->readings != NULL) {
        stop(review->readings);
    }
    llm_prompt_free(review->prompt);
    free(review);
}

static const struct action actions[] = {
    {.name = "assistant.review",
     .summary = "Have a model review the diff of a release; it decides nothing",
     .data = "review",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .outputs = "made clean says",
     .waits_us = WAIT_US,
     .params = ACTION_PARAMS(
         {.name = "diff", .type = PARAM_TEXT, .help = "absolute path of a release.diff"}),
     .run = run_review,
     .cancel = cancel_review},
    {0},
};

void review_actions(struct review *review, struct action_table *table)
{
    action_table_add(table, actions, review);
}
