/*
 * Journals with valid sums and invalid contents: which starts and steps are accepted, how
 * differences are reported, and files that change while they are read.
 */
#include "../../../src/engine/engine_private.h"
#include "../../../src/engine/record.h"
#include "../../../src/engine/record_reader.h"
#include "base/check.h"
#include "engine/engine_buffers.h"
#include "engine/journal_source.h"
#include "engine/recorder.h"
#include "engine/replay.h"
#include "io/file.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_US INT64_C(1790000000000000)

/* ---------------------------------------------------------------- writing a journal by hand */

struct forge {
    char path[64];
    struct settings settings;
    struct engine *engine;
    struct record_start *start; /* the start in the file */
    struct buf file;
    uint8_t *bytes; /* a frame and its payload */
    struct engine_now before;
};

static struct symbol symbol_of(const char *name)
{
    struct symbol symbol;
    ASSERT(symbol_parse(str_c(name), &symbol));
    return symbol;
}

/* A recovered state with one of each: a position, its order, a rule and its shadow. */
static void fill_memory(struct engine_memory *m)
{
    m->state = (struct engine_state){.state = TRADING_ACTIVE,
                                     .state_reason = "as it was",
                                     .market_us = START_US,
                                     .initial_cash = dec_from_int(10000),
                                     .cash = dec_from_int(9000),
                                     .equity_peak = dec_from_int(10000),
                                     .day_start_equity = dec_from_int(10000),
                                     .day = START_US / USEC_PER_DAY,
                                     .run = 3,
                                     .next_order = 2,
                                     .next_decision_id = 2,
                                     .next_trade_id = 1,
                                     .cooldown_count = 1};
    m->state.cooldowns[0].symbol = symbol_of("BTC-USD");
    m->state.cooldowns[0].until_us = START_US + USEC_PER_MIN;
    m->position_count = 1;
    m->positions[0] = (struct position){.symbol = symbol_of("BTC-USD"),
                                        .side = SIDE_LONG,
                                        .qty = dec_from_int(10),
                                        .entry_price = dec_from_int(100),
                                        .stop = dec_from_int(98),
                                        .target = dec_from_int(104),
                                        .mark_price = dec_from_int(100),
                                        .opened_us = START_US,
                                        .decision_id = 1,
                                        .client_id = "nd-2-1"};
    m->order_count = 1;
    m->orders[0] = (struct order){.client_id = "nd-2-1",
                                  .symbol = symbol_of("BTC-USD"),
                                  .state = ORDER_FILLED,
                                  .qty = dec_from_int(10),
                                  .reference_price = dec_from_int(100),
                                  .stop = dec_from_int(98),
                                  .target = dec_from_int(104),
                                  .filled_qty = dec_from_int(10),
                                  .average_price = dec_from_int(100),
                                  .created_us = START_US};
    m->booked_count = 1;
    fill_id_of_number(1, m->booked[0].venue_fill_id);
    m->rules.rule_count = 1;
    m->rules.rules[0] = (struct rule){
        .id = 1, .status = RULE_TESTING, .condition = "rsi14 > 70", .created_us = START_US};
    m->rules.last_rule_id = 1;
    m->rules.shadow_count = 1;
    m->rules.shadows[0] = (struct rule_shadow){.id = 1,
                                               .rule_id = 1,
                                               .decision_id = 1,
                                               .symbol = symbol_of("BTC-USD"),
                                               .entry = dec_from_int(100),
                                               .stop = dec_from_int(98),
                                               .target = dec_from_int(104),
                                               .at_us = START_US};
    m->rules.last_shadow_id = 1;
    m->entry_count = 1;
    m->entries_us[0] = START_US;
}

static void forge_open(struct forge *g, bool restored)
{
    memset(g, 0, sizeof(*g));
    (void)str_copy(STR_LIT("/var/tmp/nightdesk-forge-XXXXXX"), g->path, sizeof(g->path));
    int fd = mkstemp(g->path);
    assert_true(fd >= 0);
    (void)close(fd);
    driver_rig_settings(&g->settings);
    g->engine = engine_new(&g->settings, g->settings.symbols, g->settings.symbol_count);
    g->start = calloc(1, sizeof(*g->start));
    g->bytes = malloc(RECORD_FRAME_SIZE + RECORD_START_MAX);
    ASSERT(g->start != NULL && g->bytes != NULL);
    g->file = (struct buf)BUF_INIT((size_t)64 << 20);
    g->start->version = RECORD_VERSION;
    g->start->run = 3;
    g->start->now = (struct engine_now){START_US, START_US, USEC_PER_SEC};
    g->start->settings = g->settings;
    g->start->step_us = USEC_PER_MIN;
    g->start->venue = (struct venue_capabilities){VENUE_USUAL, .brackets = true};
    g->start->symbol_count = g->settings.symbol_count;
    memcpy(g->start->symbols, g->settings.symbols, sizeof(g->start->symbols));
    g->start->restored = restored;
    if (restored) {
        fill_memory(&g->start->memory);
    }
    g->before = g->start->now;
}

static void forge_close(struct forge *g)
{
    (void)unlink(g->path);
    engine_free(g->engine);
    free(g->start);
    free(g->bytes);
    buf_release(&g->file);
}

static void add_frame(struct forge *g, size_t size)
{
    record_seal(g->bytes, size, (int64_t)g->file.len);
    buf_add(&g->file, g->bytes, RECORD_FRAME_SIZE + size);
}

/* trailing: bytes after the start. */
static void write_start(struct forge *g, const struct record_start *start, size_t trailing)
{
    struct pack p = PACK_WRITE(g->bytes + RECORD_FRAME_SIZE, RECORD_START_MAX);
    record_start_pack(&p, (struct record_start *)(uintptr_t)start, g->engine);
    assert_false(p.failed);
    buf_clear(&g->file);
    buf_add(&g->file, RECORD_MAGIC, RECORD_MAGIC_SIZE);
    memset(p.bytes + p.at, 0, trailing);
    add_frame(g, p.at + trailing);
}

static void write_step(struct forge *g, struct record_step *step, size_t trailing)
{
    struct pack p = PACK_WRITE(g->bytes + RECORD_FRAME_SIZE, RECORD_STEP_MAX);
    record_step_pack(&p, step, &g->before, g->start);
    assert_false(p.failed);
    memset(p.bytes + p.at, 0, trailing);
    add_frame(g, p.at + trailing);
    g->before = step->now;
}

static void forge_write(struct forge *g)
{
    assert_int_equal(file_write(g->path, buf_str(&g->file), 0600, NULL), 0);
}

static int replay_to_end(const char *path, struct err *err)
{
    AUTO_REPLAY struct replay *replay = NULL;
    err_clear(err);
    int rc = replay_open(path, NULL, &replay, err);
    while (rc >= 0 && (rc = replay_step(replay, err)) > 0) {}
    return rc;
}

/* ---------------------------------------------------------------- starts */

static bool start_is_refused(struct forge *g, const struct record_start *start, size_t trailing)
{
    struct err err = {0};
    struct source *source = NULL;
    write_start(g, start, trailing);
    forge_write(g);
    int rc = replay_to_end(g->path, &err);
    int as_market = journal_source_open(g->path, &source, NULL);
    journal_source_free(source);
    if (rc == 0 && as_market == 0) {
        return false;
    }
    assert_int_equal(rc, -ERR_ENGINE_RECORD_DAMAGED);
    assert_int_equal(as_market, rc);
    assert_non_null(strstr(err.context, "offset 16: invalid start record"));
    return true;
}

static void a_recovered_state_is_read_back(void **state)
{
    (void)state;
    struct forge g;
    forge_open(&g, true);
    struct order *entry = &g.start->memory.orders[0];
    entry->type = ORDER_TYPE_LIMIT;
    entry->time_in_force = TIF_DAY;
    entry->post_only = true;
    entry->reduce_only = true;
    entry->price = dec_from_int(99);
    g.start->venue.shorts = false;
    assert_false(start_is_refused(&g, g.start, 0));
    assert_true(start_is_refused(&g, g.start, 1));
    AUTO_REPLAY struct replay *replay = NULL;
    write_start(&g, g.start, 0);
    forge_write(&g);
    assert_int_equal(replay_open(g.path, NULL, &replay, NULL), 0);
    const struct engine *engine = replay_engine(replay);
    const struct rule_book *book = engine_rule_book(engine);
    assert_int_equal(book->rule_count, 1);
    assert_string_equal(book->rules[0].condition, "rsi14 > 70");
    assert_int_equal(book->shadow_count, 1);
    assert_memory_equal(&book->shadows[0], &g.start->memory.rules.shadows[0],
                        sizeof(book->shadows[0]));
    int count = 0;
    const struct position *p = engine_positions(engine, &count);
    assert_int_equal(count, 1);
    assert_int_equal(p->qty.e8, dec_from_int(10).e8);
    assert_string_equal(p->client_id, "nd-2-1");
    const struct order *o = &engine->slots[0].order;
    assert_int_equal(o->type, ORDER_TYPE_LIMIT);
    assert_int_equal(o->time_in_force, TIF_DAY);
    assert_true(o->post_only && o->reduce_only);
    assert_int_equal(o->price.e8, dec_from_int(99).e8);
    assert_int_equal(engine->venue.can.times_in_force, g.start->venue.times_in_force);
    assert_false(engine->venue.can.shorts);
    assert_int_equal(engine_state(engine)->cooldown_count, 1);
    assert_int_equal(replay_settings(replay)->market_speed, g.settings.market_speed);
    assert_int_equal(replay_next_us(replay), INT64_MAX);
    forge_close(&g);
}

/* Invalid amounts, in every field that holds money. */
static void a_start_with_impossible_money_is_refused(void **state)
{
    (void)state;
    static const size_t money[] = {
        offsetof(struct record_start, settings.initial_cash),
        offsetof(struct record_start, memory.state.initial_cash),
        offsetof(struct record_start, memory.state.cash),
        offsetof(struct record_start, memory.state.realised),
        offsetof(struct record_start, memory.state.fees),
        offsetof(struct record_start, memory.state.funding),
        offsetof(struct record_start, memory.state.equity_peak),
        offsetof(struct record_start, memory.state.day_start_equity),
        offsetof(struct record_start, memory.positions[0].qty),
        offsetof(struct record_start, memory.positions[0].entry_price),
        offsetof(struct record_start, memory.positions[0].stop),
        offsetof(struct record_start, memory.positions[0].target),
        offsetof(struct record_start, memory.positions[0].mark_price),
        offsetof(struct record_start, memory.positions[0].unrealised),
        offsetof(struct record_start, memory.positions[0].fees),
        offsetof(struct record_start, memory.orders[0].qty),
        offsetof(struct record_start, memory.orders[0].reference_price),
        offsetof(struct record_start, memory.orders[0].stop),
        offsetof(struct record_start, memory.orders[0].target),
        offsetof(struct record_start, memory.orders[0].filled_qty),
        offsetof(struct record_start, memory.orders[0].average_price),
        offsetof(struct record_start, memory.orders[0].price),
        offsetof(struct record_start, memory.orders[0].stop_away),
        offsetof(struct record_start, memory.orders[0].target_away),
        offsetof(struct record_start, memory.rules.shadows[0].entry),
        offsetof(struct record_start, memory.rules.shadows[0].stop),
        offsetof(struct record_start, memory.rules.shadows[0].target),
    };
    struct forge g;
    forge_open(&g, true);
    for (size_t i = 0; i < COUNT_OF(money); i++) {
        const struct dec bad = DEC_INVALID;
        struct dec good;
        char *at = (char *)g.start + money[i];
        memcpy(&good, at, sizeof(good));
        memcpy(at, &bad, sizeof(bad));
        assert_true(start_is_refused(&g, g.start, 0));
        memcpy(at, &good, sizeof(good));
    }
    assert_false(start_is_refused(&g, g.start, 0));
    forge_close(&g);
}

static void a_start_with_impossible_figures_is_refused(void **state)
{
    (void)state;
    struct forge g;
    forge_open(&g, true);
    struct record_start *s = g.start;
    struct settings *o = &s->settings;
    struct engine_memory *m = &s->memory;
    const struct record_start *good = malloc(sizeof(*good));
    ASSERT(good != NULL);
    memcpy((void *)(uintptr_t)good, s, sizeof(*s));
#define REFUSED(field, wrong)                    \
    do {                                         \
        (field) = (wrong);                       \
        assert_true(start_is_refused(&g, s, 0)); \
        memcpy(s, good, sizeof(*s));             \
    } while (0)
    REFUSED(s->step_us, 7);
    REFUSED(s->venue.order_types, VENUE_SET(ORDER_TYPE_STOP));
    REFUSED(s->venue.times_in_force, VENUE_SET(TIF_FOK));
    REFUSED(s->symbol_count, 0);
    REFUSED(s->symbol_count, 1); /* fewer than are traded */
    REFUSED(s->now.market_us, -1);
    REFUSED(s->symbols[0].name[0], '!');
    REFUSED(o->symbols[0].name[0], '!');
    REFUSED(o->symbol_count, 0);
    REFUSED(o->market_speed, 0);
    REFUSED(o->threshold, 0);
    REFUSED(o->stop_pct, -1);
    REFUSED(o->target_pct, (double)NAN);
    REFUSED(o->max_positions, -1);
    REFUSED(o->max_positions, POSITIONS_LIMIT + 1);
    REFUSED(o->cooldown_us, -1);
    REFUSED(m->state.market_us, -1);
    REFUSED(m->state.run, -1);
    REFUSED(m->state.run, INT64_MAX);
    REFUSED(m->state.next_order, -1);
    REFUSED(m->positions[0].symbol.name[0], '\0');
    REFUSED(m->positions[0].qty.e8, 0);
    REFUSED(m->positions[0].entry_price.e8, -1);
    REFUSED(m->orders[0].symbol.name[0], '\0');
    REFUSED(m->rules.rules[0].condition[0], ')');
#undef REFUSED
    assert_false(start_is_refused(&g, s, 0));
    free((void *)(uintptr_t)good);
    forge_close(&g);
}

/* ---------------------------------------------------------------- steps */

static void step_is_refused(struct forge *g, struct record_step *step, size_t trailing)
{
    struct err err = {0};
    struct source *source = NULL;
    g->before = g->start->now;
    write_start(g, g->start, 0);
    char expected[80];
    (void)snprintf(expected, sizeof(expected), "offset %zu: invalid record", g->file.len);
    write_step(g, step, trailing);
    forge_write(g);
    assert_int_equal(replay_to_end(g->path, &err), -ERR_ENGINE_RECORD_DAMAGED);
    assert_non_null(strstr(err.context, expected));
    err_clear(&err);
    assert_int_equal(journal_source_open(g->path, &source, &err), 0);
    assert_int_equal(source_next_us(source), INT64_MAX);
    assert_int_equal(journal_source_end(source, &err), -ERR_ENGINE_RECORD_DAMAGED);
    assert_non_null(strstr(err.context, expected));
    journal_source_free(source);
}

static void an_impossible_step_is_refused(void **state)
{
    (void)state;
    struct forge g;
    forge_open(&g, false);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    ASSERT(in != NULL);
    engine_inputs_init(in, CAPACITY_MIN);
    struct settings fresh = g.settings;
    struct request request = {.id = 1, .kind = REQUEST_AMEND, .symbol = g.settings.symbols[0]};
    struct record_step step = {
        .now = g.start->now, .inputs = in, .settings = &fresh, .request = &request};
    step_is_refused(&g, &step, 1);
    step.now.market_us = -1;
    step_is_refused(&g, &step, 0);
    step.now = g.start->now;
    step.now.mono_us = -1;
    step_is_refused(&g, &step, 0);
    step.now = g.start->now;
    in->settings = &fresh;
    fresh.threshold = 0;
    step_is_refused(&g, &step, 0);
    fresh = g.settings;
    in->request = &request;
    request.stop = DEC_INVALID;
    step_is_refused(&g, &step, 0);
    request.stop = DEC_ZERO;
    request.target = DEC_INVALID;
    step_is_refused(&g, &step, 0);
    request.target = DEC_ZERO;
    in->has_sentiment = true;
    in->sentiment_count = 1;
    in->sentiments[0] =
        (struct sentiment_value){.symbol = g.settings.symbols[0], .score = (double)NAN};
    step_is_refused(&g, &step, 0);
    in->sentiments[0].score = 1.5;
    step_is_refused(&g, &step, 0);
    in->sentiments[0].score = 1;
    in->sentiments[0].symbol.name[0] = '!';
    step_is_refused(&g, &step, 0);

    /* Reading stops there, however often it is called, and no next time is known. */
    AUTO_REPLAY struct replay *replay = NULL;
    assert_int_equal(replay_open(g.path, NULL, &replay, NULL), 0);
    for (int i = 0; i < 3; i++) {
        struct err err = {0};
        assert_int_equal(replay_next_us(replay), INT64_MAX);
        assert_int_equal(replay_step(replay, &err), -ERR_ENGINE_RECORD_DAMAGED);
        assert_non_null(strstr(err.context, "invalid record"));
    }
    assert_int_equal(replay_count(replay)->steps, 0);
    engine_inputs_release(in);
    free(in);
    forge_close(&g);
}

/* Bars from the future, off the step, or older than the previous ones: the source drops them and
 * returns the others. */
static void a_market_drops_faulty_bars(void **state)
{
    (void)state;
    struct forge g;
    forge_open(&g, false);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    ASSERT(in != NULL);
    engine_inputs_init(in, CAPACITY_MIN);
    struct record_step step = {.now = g.start->now, .inputs = in};
    const int64_t first_us = START_US - START_US % USEC_PER_MIN;
    const struct dec price = dec_from_int(100);
    const int64_t offsets_us[] = {0, USEC_PER_MIN, -USEC_PER_MIN, 7, USEC_PER_DAY};
    write_start(&g, g.start, 0);
    for (size_t i = 0; i < COUNT_OF(offsets_us); i++) {
        in->bar_count = 1;
        in->bars[0] = (struct source_bar){
            g.settings.symbols[0], {first_us + offsets_us[i], price, price, price, price, price}};
        step.now.market_us = first_us + 3 * USEC_PER_MIN;
        write_step(&g, &step, 0);
    }
    forge_write(&g);
    struct source *source = NULL;
    assert_int_equal(journal_source_open(g.path, &source, NULL), 0);
    for (int i = 1; i <= 2; i++) {
        struct source_bar got[SYMBOLS_LIMIT];
        assert_int_equal(source_next_us(source), first_us + i * USEC_PER_MIN);
        assert_int_equal(source_next(source, got), 1);
    }
    assert_int_equal(source_next_us(source), INT64_MAX);
    assert_int_equal(journal_source_end(source, NULL), 0);
    journal_source_free(source);
    engine_inputs_release(in);
    free(in);
    forge_close(&g);
}

static void a_market_of_another_file_is_refused(void **state)
{
    (void)state;
    struct forge g;
    struct source *source = NULL;
    struct err err = {0};
    forge_open(&g, false);
    assert_int_equal(journal_source_open("/nowhere/x.ndj", &source, &err), -ERR_FILE_MISSING);
    err_clear(&err);
    assert_int_equal(journal_source_open("/dev/null/x.ndj", &source, &err), -ERR_FILE_FAILED);
    write_start(&g, g.start, 0);
    buf_truncate(&g.file, RECORD_MAGIC_SIZE);
    forge_write(&g); /* a run that died before its first record */
    err_clear(&err);
    assert_int_equal(journal_source_open(g.path, &source, &err), -ERR_ENGINE_RECORD_DAMAGED);
    write_start(&g, g.start, 0);
    g.file.data[g.file.len - 1] ^= 1;
    forge_write(&g);
    err_clear(&err);
    assert_int_equal(journal_source_open(g.path, &source, &err), -ERR_ENGINE_RECORD_DAMAGED);
    assert_non_null(strstr(err.context, "checksum"));
    assert_non_null(strstr(err.context, g.path));
    assert_null(source);
    forge_close(&g);
}

/* ---------------------------------------------------------------- differences */

/* Steps of a real run, unchanged but for a forged digest. */
typedef bool (*change_fn)(struct record_digest *answer);

static void copy_run(struct forge *g, const char *from, change_fn change)
{
    struct record_reader reader;
    struct settings settings;
    struct request request;
    struct engine_inputs *in = calloc(1, sizeof(*in));
    ASSERT(in != NULL);
    engine_inputs_init(in, CAPACITY_MIN);
    bool changed = false;
    assert_int_equal(record_reader_open(&reader, from, NULL), 0);
    assert_int_equal(record_reader_next(&reader, RECORD_START_MAX, NULL), 1);
    struct pack p = PACK_READ(reader.bytes + RECORD_FRAME_SIZE, reader.size);
    g->start->version = reader.version;
    record_start_pack(&p, g->start, NULL);
    assert_false(p.failed);
    g->before = g->start->now;
    struct engine_now before = g->start->now;
    buf_clear(&g->file);
    buf_add(&g->file, RECORD_MAGIC, RECORD_MAGIC_SIZE);
    buf_add(&g->file, reader.bytes, RECORD_FRAME_SIZE + reader.size);
    while (record_reader_next(&reader, RECORD_STEP_MAX, NULL) > 0) {
        struct record_step step = {.inputs = in, .settings = &settings, .request = &request};
        struct pack next = PACK_READ(reader.bytes + RECORD_FRAME_SIZE, reader.size);
        record_step_pack(&next, &step, &before, g->start);
        assert_false(next.failed);
        before = step.now;
        changed = changed || change(&step.digest);
        write_step(g, &step, 0);
    }
    assert_true(changed);
    record_reader_release(&reader);
    engine_inputs_release(in);
    free(in);
    forge_write(g);
}

static bool has_decision(struct record_digest *a)
{
    if (a->decision_count == 0) {
        return false;
    }
    a->sums[RECORD_DECISIONS] ^= 1;
    return true;
}

static bool other_reasons(struct record_digest *a)
{
    return has_decision(a);
}

static bool other_score(struct record_digest *a)
{
    a->decisions[0].score += 0.25;
    return has_decision(a);
}

static bool other_outcome(struct record_digest *a)
{
    a->decisions[0].outcome =
        a->decisions[0].outcome == OUTCOME_HOLD ? OUTCOME_VETOED : OUTCOME_HOLD;
    return has_decision(a);
}

static bool other_direction(struct record_digest *a)
{
    a->decisions[0].direction =
        a->decisions[0].direction == DIRECTION_SHORT ? DIRECTION_LONG : DIRECTION_SHORT;
    return has_decision(a);
}

static bool other_symbol(struct record_digest *a)
{
    a->decisions[0].symbol = symbol_of("XRP-USD");
    return has_decision(a);
}

static bool one_less(struct record_digest *a)
{
    bool has = has_decision(a);
    a->decision_count -= has;
    return has;
}

static bool one_more(struct record_digest *a)
{
    if (!has_decision(a)) {
        return false;
    }
    a->decisions[a->decision_count] = a->decisions[0];
    a->decisions[a->decision_count++].symbol = symbol_of("XRP-USD");
    return true;
}

static bool other_sends(struct record_digest *a)
{
    if (a->sends == 0) {
        return false;
    }
    a->sends++;
    a->sums[RECORD_ORDERS] ^= 1;
    return true;
}

static bool other_books(struct record_digest *a)
{
    a->sums[RECORD_BOOKS] ^= 1;
    a->sums[RECORD_REST] ^= 1;
    return true;
}

static void the_first_difference_is_reported(void **state)
{
    (void)state;
    static const struct {
        change_fn change;
        const char *text;
    } cases[] = {
        {other_reasons, "decisions: same outcomes, different reasons"},
        {other_score, "decisions: was "},
        {other_outcome, "decisions: was "},
        {other_direction, "decisions: was "},
        {other_symbol, "decisions: was XRP-USD"},
        {one_less, "decisions: was none, is "},
        {one_more, ", is none"},
        {other_sends, " orders were sent, now "},
        {other_books, "books, events"},
    };
    struct recorder_rig f;
    struct forge g;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    recorder_rig_open(&f, NULL, 0);
    for (int i = 0; i < 600 && engine_state(driver_engine(f.driver))->orders == 0; i++) {
        recorder_rig_run(&f, 1);
    }
    assert_int_equal(recorder_find(f.folder, 1, &path, NULL), 0);
    forge_open(&g, false);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        copy_run(&g, path.data, cases[i].change);
        assert_int_equal(replay_to_end(g.path, &err), -ERR_ENGINE_REPLAY_DIFFERS);
        if (strstr(err.context, cases[i].text) == NULL) {
            print_error("%zu: %s\n", i, err.context);
        }
        assert_non_null(strstr(err.context, cases[i].text));
        assert_non_null(strstr(err.context, "step "));
    }
    forge_close(&g);
    recorder_rig_close(&f);
}

/* ---------------------------------------------------------------- files that change */

/* More than the reader buffers, so that the end really has to be read. */
static void a_file_truncated_while_it_is_read_is_reported(void **state)
{
    (void)state;
    struct forge g;
    struct record_reader reader;
    struct err err = {0};
    forge_open(&g, false);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    ASSERT(in != NULL);
    engine_inputs_init(in, CAPACITY_MIN);
    in->report_count = ENGINE_REPORTS_MAX;
    struct record_step step = {.now = g.start->now, .inputs = in};
    write_start(&g, g.start, 0);
    int steps = 0;
    for (; g.file.len < (size_t)1 << 20; steps++) {
        write_step(&g, &step, 0);
    }
    forge_write(&g);
    assert_int_equal(record_reader_open(&reader, g.path, &err), 0);
    assert_int_equal(record_reader_next(&reader, RECORD_START_MAX, &err), 1);
    assert_int_equal(truncate(g.path, (off_t)g.file.len / 2), 0);
    int read = 0;
    int rc;
    while ((rc = record_reader_next(&reader, RECORD_STEP_MAX, &err)) > 0) {
        read++;
    }
    assert_int_equal(rc, -ERR_ENGINE_RECORD_DAMAGED);
    assert_non_null(strstr(err.context, "the file was truncated while it was read"));
    assert_true(read > 0 && read < steps);
    record_reader_release(&reader);
    engine_inputs_release(in);
    free(in);
    forge_close(&g);
}

UNIT_GROUP(record, cmocka_unit_test(a_recovered_state_is_read_back),
           cmocka_unit_test(a_start_with_impossible_money_is_refused),
           cmocka_unit_test(a_start_with_impossible_figures_is_refused),
           cmocka_unit_test(an_impossible_step_is_refused),
           cmocka_unit_test(a_market_drops_faulty_bars),
           cmocka_unit_test(a_market_of_another_file_is_refused),
           cmocka_unit_test(the_first_difference_is_reported),
           cmocka_unit_test(a_file_truncated_while_it_is_read_is_reported))
