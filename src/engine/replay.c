#include "engine/replay.h"

#include "base/check.h"
#include "engine/engine_buffers.h"
#include "engine_private.h"
#include "record.h"
#include "record_reader.h"

#include <stdio.h>
#include <string.h>

struct replay {
    char *path;
    struct record_reader reader;
    struct record_start start;
    struct predictor *predictor;
    struct engine *engine;
    uint8_t *scratch;
    struct replay_count count;

    bool holds;        /* the next record was read */
    struct err broken; /* why reading stopped */
    struct record_step step;
    struct engine_now before;    /* clocks of the newest record read */
    struct engine_inputs inputs; /* of the next record once it is read, else of the newest step */
    struct settings fresh;
    struct request request;

    struct engine_now now; /* of the newest step */
    struct settings settings;
    struct engine_outputs outputs;
    int decision_count;
    struct decision *decisions; /* the newest of each symbol */
    int quote_count;
    struct quote *quotes;
};

/* ---------------------------------------------------------------- the start */

static int use_model(struct replay *r, const char *model_path, struct err *err)
{
    const char *wanted = r->start.model_hash;
    if (wanted[0] == '\0') {
        return 0;
    }
    model_path = model_path == NULL ? r->start.settings.model : model_path;
    struct err why = {0};
    if (predictor_load(model_path, &r->predictor, &why) < 0) {
        return err_set(err, ERR_ENGINE_REPLAY_MODEL, "the run used model %.16s…: %s", wanted,
                       why.context);
    }
    if (strcmp(predictor_hash(r->predictor), wanted) != 0) {
        return err_set(err, ERR_ENGINE_REPLAY_MODEL, "%s is model %.16s…, the run used %.16s…",
                       model_path, predictor_hash(r->predictor), wanted);
    }
    engine_use_predictor(r->engine, r->predictor);
    return 0;
}

static void make_room(struct replay *r)
{
    size_t symbols = (size_t)capacity_symbols(r->start.symbol_count);
    engine_inputs_init(&r->inputs, r->start.symbol_count);
    engine_outputs_init(&r->outputs, r->start.symbol_count);
    r->scratch = malloc(record_scratch(r->engine));
    r->decisions = calloc(symbols, sizeof(*r->decisions));
    r->quotes = calloc(symbols, sizeof(*r->quotes));
    ASSERT(r->scratch != NULL && r->decisions != NULL && r->quotes != NULL);
}

static int open_all(struct replay *r, const char *model_path, struct err *err)
{
    int rc = record_reader_open(&r->reader, r->path, err);
    if (rc < 0) {
        return rc;
    }
    rc = record_reader_next(&r->reader, RECORD_START_MAX, err);
    if (rc == 0) {
        rc = err_set(err, ERR_ENGINE_RECORD_DAMAGED,
                     "offset %zu: the file ends within the start record", RECORD_MAGIC_SIZE);
    }
    if (rc < 0) {
        return err_prefix(err, "%s", r->path);
    }
    struct pack p = PACK_READ(r->reader.bytes + RECORD_FRAME_SIZE, r->reader.size);
    r->start.version = r->reader.version;
    record_start_pack(&p, &r->start, NULL);
    if (p.failed || !record_start_is_sane(&r->start)) {
        return err_set(err, ERR_ENGINE_RECORD_DAMAGED, "%s: offset %zu: invalid start record",
                       r->path, RECORD_MAGIC_SIZE);
    }
    p.at = 0;
    p.failed = false;
    r->engine = record_start_engine(&r->start, p);
    if (r->engine == NULL) {
        return err_set(err, ERR_ENGINE_RECORD_FOREIGN, "%s: the market history has another layout",
                       r->path);
    }
    make_room(r);
    r->before = r->start.now;
    r->settings = r->start.settings;
    r->count.offset = r->reader.offset;
    return use_model(r, model_path, err);
}

int replay_open(const char *path, const char *model_path, struct replay **ret, struct err *err)
{
    struct replay *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->reader.fd = -1;
    r->path = strdup(path);
    ASSERT(r->path != NULL);
    int rc = open_all(r, model_path, err);
    if (rc < 0) {
        replay_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void replay_free(struct replay *replay)
{
    if (replay == NULL) {
        return;
    }
    engine_free(replay->engine);
    predictor_free(replay->predictor);
    record_reader_release(&replay->reader);
    engine_inputs_release(&replay->inputs);
    engine_outputs_release(&replay->outputs);
    free(replay->decisions);
    free(replay->quotes);
    free(replay->scratch);
    free(replay->path);
    free(replay);
}

/* ---------------------------------------------------------------- a step */

/* Reads the next record. 1: read; 0: the end; else `broken` has the reason. */
static int read_ahead(struct replay *r)
{
    if (r->holds) {
        return 1;
    }
    if (r->broken.id != ERR_NONE) {
        return -r->broken.id;
    }
    int64_t offset = r->reader.offset;
    int rc = record_reader_next(&r->reader, RECORD_STEP_MAX, &r->broken);
    if (rc == 0) {
        return 0;
    }
    if (rc > 0) {
        struct pack p = PACK_READ(r->reader.bytes + RECORD_FRAME_SIZE, r->reader.size);
        r->step = (struct record_step){
            .inputs = &r->inputs, .settings = &r->fresh, .request = &r->request};
        record_step_pack(&p, &r->step, &r->before, &r->start);
        if (!p.failed && record_step_is_sane(&r->step)) {
            r->before = r->step.now;
            r->holds = true;
            return 1;
        }
        (void)err_set(&r->broken, ERR_ENGINE_RECORD_DAMAGED, "offset %lld: invalid record",
                      (long long)offset);
    }
    return err_prefix(&r->broken, "%s", r->path);
}

int64_t replay_next_us(struct replay *replay)
{
    return read_ahead(replay) > 0 ? replay->step.now.market_us : INT64_MAX;
}

static void keep_newest(struct replay *r)
{
    for (int i = 0; i < r->outputs.decision_count; i++) {
        const struct decision *d = &r->outputs.decisions[i];
        int at = 0;
        while (at < r->decision_count && !symbol_equal(r->decisions[at].symbol, d->symbol)) {
            at++;
        }
        r->decisions[at] = *d;
        r->decision_count = at == r->decision_count ? at + 1 : r->decision_count;
    }
    if (r->inputs.quote_count > 0) {
        r->quote_count = r->inputs.quote_count;
        memcpy(r->quotes, r->inputs.quotes, (size_t)r->quote_count * sizeof(r->quotes[0]));
    }
}

static void count_step(struct replay *r)
{
    struct replay_count *c = &r->count;
    c->steps++;
    c->decisions += r->outputs.decision_count;
    c->orders += r->outputs.send_count;
    c->fills += r->outputs.fill_count;
    c->trades += r->outputs.trade_count;
    c->offset = r->reader.offset;
    c->first_us = c->first_us == 0 ? r->now.market_us : c->first_us;
    c->last_us = r->now.market_us;
}

static void add_decision(struct buf *out, struct symbol symbol, enum direction direction,
                         enum outcome outcome, double score)
{
    buf_addf(out, "%s %s (%s, score %.4f)", symbol.name, outcome_name(outcome),
             direction_name(direction), score);
}

/* Describes the first decision that differs in more than its reasons; false: none does. */
static bool add_changed_decision(struct buf *out, const struct record_digest *was,
                                 const struct record_digest *is)
{
    for (int i = 0; i < was->decision_count || i < is->decision_count; i++) {
        const struct record_decision *a = i < was->decision_count ? &was->decisions[i] : NULL;
        const struct record_decision *b = i < is->decision_count ? &is->decisions[i] : NULL;
        if (a != NULL && b != NULL && symbol_equal(a->symbol, b->symbol) &&
            a->direction == b->direction && a->outcome == b->outcome &&
            memcmp(&a->score, &b->score, sizeof(a->score)) == 0) {
            continue;
        }
        buf_add_c(out, "was ");
        if (a == NULL) {
            buf_add_c(out, "none");
        } else {
            add_decision(out, a->symbol, a->direction, a->outcome, a->score);
        }
        buf_add_c(out, ", is ");
        if (b == NULL) {
            buf_add_c(out, "none");
        } else {
            add_decision(out, b->symbol, b->direction, b->outcome, b->score);
        }
        return true;
    }
    return false;
}

static int compare(const struct replay *r, const struct record_digest *is, struct err *err)
{
    const struct record_digest *was = &r->step.digest;
    AUTO_BUF struct buf what = BUF_INIT(512);
    for (int i = 0; i < RECORD_PARTS; i++) {
        if (was->sums[i] != is->sums[i] && !(i == RECORD_REST && is->rest_unknown)) {
            buf_addf(&what, "%s%s", what.len > 0 ? ", " : "",
                     record_part_name((enum record_part)i));
        }
    }
    if (what.len == 0) {
        return 0;
    }
    if (was->sums[RECORD_DECISIONS] != is->sums[RECORD_DECISIONS]) {
        size_t before = what.len;
        buf_add_c(&what, ": ");
        if (!add_changed_decision(&what, was, is)) {
            buf_truncate(&what, before);
            buf_add_c(&what, ": same outcomes, different reasons");
        }
    } else if (was->sends != is->sends) {
        buf_addf(&what, ": %d orders were sent, now %d", was->sends, is->sends);
    }
    AUTO_BUF struct buf time = BUF_INIT(64);
    clock_add_iso(&time, r->now.market_us, true);
    return err_set(err, ERR_ENGINE_REPLAY_DIFFERS, "step %lld at %s: %s", (long long)r->count.steps,
                   time.data, what.data);
}

int replay_step(struct replay *replay, struct err *err)
{
    struct replay *r = replay;
    int rc = read_ahead(r);
    if (rc <= 0) {
        return rc == 0 ? 0 : err_set(err, (enum err_id)r->broken.id, "%s", r->broken.context);
    }
    r->holds = false;
    r->now = r->step.now;
    engine_step(r->engine, &r->now, &r->inputs, &r->outputs);
    if (r->inputs.settings != NULL) {
        r->settings = *r->inputs.settings;
    }
    keep_newest(r);
    count_step(r);
    struct record_digest is;
    record_digest_of(r->engine, &r->outputs, r->start.version, r->scratch, &is);
    rc = compare(r, &is, err);
    return rc < 0 ? rc : 1;
}

/* ---------------------------------------------------------------- results */

int64_t replay_run(const struct replay *replay)
{
    return replay->start.run;
}

const struct replay_count *replay_count(const struct replay *replay)
{
    return &replay->count;
}

const struct engine *replay_engine(const struct replay *replay)
{
    return replay->engine;
}

const struct settings *replay_settings(const struct replay *replay)
{
    return &replay->settings;
}

const struct engine_now *replay_now(const struct replay *replay)
{
    return &replay->now;
}

const struct engine_outputs *replay_outputs(const struct replay *replay)
{
    return &replay->outputs;
}

const struct decision *replay_decision(const struct replay *replay, struct symbol symbol)
{
    for (int i = 0; i < replay->decision_count; i++) {
        if (symbol_equal(replay->decisions[i].symbol, symbol)) {
            return &replay->decisions[i];
        }
    }
    return NULL;
}

const struct quote *replay_quote(const struct replay *replay, struct symbol symbol)
{
    for (int i = 0; i < replay->quote_count; i++) {
        if (symbol_equal(replay->quotes[i].symbol, symbol)) {
            return &replay->quotes[i];
        }
    }
    return NULL;
}

const struct series *replay_series(const struct replay *replay, struct symbol symbol)
{
    return engine_series(replay->engine, symbol);
}
