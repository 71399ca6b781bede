#include "base/auto.h"
#include "base/check.h"
#include "io/json_out.h"
#include "lexicon.h"
#include "sentiment_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADLINES 5 /* shown */

/* ------------------------------------------------------------------ parts of replies */

static const char *word_of(double score)
{
    return score <= -0.5   ? "very bad"
           : score <= -0.1 ? "bad"
           : score < 0.1   ? "neutral"
           : score < 0.5   ? "good"
                           : "very good";
}

static struct cell score_cell(bool known, double score)
{
    return known ? cell_number_signed(score, 2) : cell_text("none");
}

static const char *state_of(const struct sentiment_source *source)
{
    return source->failures > 0 ? "fails" : source->read_us > 0 ? "ok" : "not read";
}

static void add_item(struct reply *r, const struct sentiment_item *item, int64_t now_us)
{
    int64_t age_us = now_us - source_item_since_us(item);
    if (item->scorer >= SENTIMENT_INDEX) {
        reply_item(r, "{} · {} old · {}", score_cell(true, item->score),
                   cell_duration(age_us > 0 ? age_us : 0),
                   cell_text(item->scorer == SENTIMENT_INDEX     ? "index"
                             : item->scorer == SENTIMENT_LEXICON ? "by words"
                                                                 : "by Claude"));
    } else {
        reply_item(r, "{} · {} old",
                   cell_text(item->scorer == SENTIMENT_WAITS ? "not rated yet" : "no score"),
                   cell_duration(age_us > 0 ? age_us : 0));
    }
    reply_more(r, ": {}", cell_text(item->title));
}

static void item_json(struct json_out *out, const struct sentiment_item *item)
{
    json_out_object(out, NULL);
    json_out_text(out, "source", item->source);
    json_out_text(out, "title", item->title);
    json_out_text(out, "symbols", item->symbols);
    json_out_text(out, "scorer", sentiment_scorer_name(item->scorer));
    if (item->scorer >= SENTIMENT_INDEX) {
        json_out_rounded(out, "score", item->score, 4);
    } else {
        json_out_null(out, "score");
    }
    json_out_time(out, "published_at", item->published_us);
    json_out_time(out, "received_at", item->received_us);
    json_out_end(out);
}

static void source_json(struct json_out *out, const struct sentiment_source *source)
{
    json_out_object(out, NULL);
    json_out_text(out, "name", source->config.name);
    json_out_text(out, "kind", config_sentiment_kind_name(source->config.kind));
    json_out_text(out, "state", state_of(source));
    json_out_text(out, "error", source->failures > 0 ? err_info(source->err.id)->code : "");
    json_out_text(out, "detail", source->failures > 0 ? source->err.context : "");
    json_out_i64(out, "failures", source->failures);
    json_out_i64(out, "entries", source->entries);
    json_out_i64(out, "unnamed", source->unnamed);
    json_out_i64(out, "undated", source->undated);
    json_out_time(out, "tried_at", source->tried_us);
    json_out_time(out, "read_at", source->read_us);
    json_out_end(out);
}

/* ------------------------------------------------------------------ sentiment.show */

static void add_symbols(const struct sentiment *s, struct reply *r, struct json_out *data,
                        int64_t now_us)
{
    const struct config_symbols *symbols = &s->o.config->market_symbols;
    reply_columns(r, "symbol", "score", "age");
    json_out_array(data, "symbols");
    for (int i = 0; i < symbols->count; i++) {
        const struct sentiment_state *state = &s->states[i];
        bool known = state->known && now_us < state->until_us;
        json_out_object(data, NULL);
        json_out_text(data, "symbol", symbols->items[i].name);
        if (known) {
            json_out_rounded(data, "score", state->score, 4);
        } else {
            json_out_null(data, "score");
        }
        json_out_i64(data, "entries", state->entries);
        json_out_i64(data, "sources", state->sources);
        json_out_time(data, "received_at", state->newest_us);
        json_out_time(data, "until", known ? state->until_us : 0);
        json_out_end(data);
        int64_t age_us = now_us > state->newest_us ? now_us - state->newest_us : 0;
        reply_cells(r, cell_symbol(symbols->items[i].name), score_cell(known, state->score),
                    known ? cell_duration(age_us) : cell_none());
    }
    json_out_end(data);
}

static void add_sources(const struct sentiment *s, struct reply *r, struct json_out *data,
                        int64_t now_us)
{
    reply_columns(r, "source", "state", "read");
    json_out_array(data, "sources");
    for (int i = 0; i < s->count; i++) {
        const struct sentiment_source *source = s->sources[i];
        source_json(data, source);
        reply_cells(r, cell_text(source->config.name),
                    cell_state(state_of(source), source->failures > 0 ? TONE_WARN : TONE_GOOD),
                    source->read_us > 0 ? cell_duration(now_us - source->read_us) : cell_none());
    }
    json_out_end(data);
    for (int i = 0; i < s->count; i++) {
        const struct sentiment_source *source = s->sources[i];
        if (source->failures > 0) {
            reply_para(r, "{}: {}: {}", cell_text(source->config.name),
                       cell_text(err_info(source->err.id)->message),
                       cell_text(source->err.context));
        }
    }
}

static bool is_wanted(const struct sentiment_source *source, const struct sentiment_item *item,
                      const char *what, struct symbol symbol)
{
    return what == NULL || strcmp(source->config.name, what) == 0 ||
           (symbol.name[0] != '\0' && source_item_names(item, symbol));
}

/* The newest entries of all sources: one source after another, by turns. */
static void add_entries(const struct sentiment *s, struct reply *r, struct json_out *data,
                        const char *what, struct symbol symbol)
{
    int at[CONFIG_SENTIMENT_SOURCES] = {0};
    int most = what == NULL ? HEADLINES : 2 * HEADLINES, shown = 0;
    int64_t now_us = sentiment_now_us(s);
    json_out_array(data, "entries");
    while (shown < most) {
        int best = -1;
        for (int i = 0; i < s->count; i++) {
            const struct sentiment_source *source = s->sources[i];
            while (at[i] < source->count &&
                   !is_wanted(source, &source->items[at[i]], what, symbol)) {
                at[i]++;
            }
            if (at[i] < source->count &&
                (best < 0 || source->items[at[i]].received_us >
                                 s->sources[best]->items[at[best]].received_us)) {
                best = i;
            }
        }
        if (best < 0) {
            break;
        }
        const struct sentiment_item *item = &s->sources[best]->items[at[best]++];
        if (shown++ == 0) {
            reply_heading(r, "Newest");
        }
        add_item(r, item, now_us);
        item_json(data, item);
    }
    json_out_end(data);
}

static int show(struct action_call *call, struct err *err)
{
    const struct sentiment *s = action_userdata(call);
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    const char *what = action_text(call, "what");
    struct symbol symbol = {0};
    if (what != NULL && sentiment_find(s, what) == NULL) {
        bool traded = false;
        (void)symbol_parse(str_c(what), &symbol);
        for (int i = 0; i < s->o.config->market_symbols.count; i++) {
            traded = traded || symbol_equal(s->o.config->market_symbols.items[i], symbol);
        }
        if (!traded) {
            return err_set(err, ERR_SENTIMENT_UNKNOWN, "%.40s is no source and no symbol", what);
        }
    }
    json_out_object(&data, "sentiment");
    if (s->count == 0) {
        reply_title(r, TONE_PLAIN, "Sentiment is off");
        reply_line(r,
                   "sentiment.sources is empty: add an index or a feed to read. Rules and models "
                   "then see one number for each symbol.");
        json_out_array(&data, "symbols");
        json_out_end(&data);
        json_out_array(&data, "sources");
        json_out_end(&data);
        json_out_array(&data, "entries");
        json_out_end(&data);
        json_out_end(&data);
        return ACTION_DONE;
    }
    bool fails = false;
    for (int i = 0; i < s->count; i++) {
        fails = fails || s->sources[i]->failures > 0;
    }
    reply_title(r, fails ? TONE_WARN : TONE_GOOD, "Sentiment, -1 bad to 1 good");
    add_symbols(s, r, &data, sentiment_now_us(s));
    add_sources(s, r, &data, sentiment_now_us(s));
    add_entries(s, r, &data, what, symbol);
    json_out_end(&data);
    return ACTION_DONE;
}

/* ------------------------------------------------------------------ sentiment.test */

static struct sentiment_test *take_test(struct sentiment_test *test)
{
    struct sentiment_test **at = &test->sentiment->tests;
    while (*at != test) {
        at = &(*at)->next;
    }
    *at = test->next;
    return test;
}

static void end_test(struct sentiment_test *test)
{
    http_cancel(TAKE(test->request));
    free(take_test(test));
}

static void show_reading(const struct sentiment_test *test, struct sentiment_reading *reading)
{
    struct reply *r = action_reply(test->call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    int64_t now_us = sentiment_now_us(test->sentiment);
    reply_title(r, reading->count > 0 ? TONE_GOOD : TONE_WARN, "%s can be read", test->config.name);
    reply_field(r, "Entries", "{}", cell_count(reading->entries));
    reply_field(r, "Used", "{}", cell_count(reading->count));
    reply_field(r, "No symbol named", "{}", cell_count(reading->unnamed));
    reply_field(r, "Without a date", "{}", cell_count(reading->undated));
    reply_field(r, "Date in the future", "{}", cell_count(reading->future));
    json_out_object(&data, "sentiment_test");
    json_out_text(&data, "source", test->config.name);
    json_out_i64(&data, "read", reading->entries);
    json_out_i64(&data, "used", reading->count);
    json_out_i64(&data, "unnamed", reading->unnamed);
    json_out_i64(&data, "undated", reading->undated);
    json_out_i64(&data, "future", reading->future);
    json_out_array(&data, "entries");
    for (int i = 0; i < reading->count; i++) {
        struct sentiment_item *item = &reading->items[i];
        if (item->scorer == SENTIMENT_WAITS) {
            item->scorer = SENTIMENT_LEXICON;
            item->score = lexicon_score(str_c(item->title));
        }
        if (i < HEADLINES) {
            add_item(r, item, now_us);
            item_json(&data, item);
        }
    }
    json_out_end(&data);
    json_out_end(&data);
    if (reading->count > 0 && test->config.kind != CONFIG_SENTIMENT_FEED) {
        reply_para(r, "Score {}, {}", cell_number_signed(reading->items[0].score, 2),
                   cell_text(word_of(reading->items[0].score)));
    }
    reply_line(r, "Nothing was stored.");
}

void sentiment_test_answer(const struct http_response *response, void *userdata)
{
    struct sentiment_test *test = userdata;
    struct sentiment *s = test->sentiment;
    struct err err = {0};
    AUTO_FREE struct sentiment_reading *reading = calloc(1, sizeof(*reading));
    ASSERT(reading != NULL);
    test->request = NULL;
    int rc = reading_make(&test->config, s->o.config, response, sentiment_now_us(s), reading, &err);
    if (rc == 0) {
        show_reading(test, reading);
    }
    struct action_call *call = test->call;
    end_test(test);
    action_finish(call, rc < 0 ? &err : NULL);
}

static int begin_test(struct action_call *call, struct err *err)
{
    struct sentiment *s = action_userdata(call);
    const char *name = action_text(call, "source");
    const struct sentiment_source *source = sentiment_find(s, name);
    if (source == NULL) {
        return err_set(err, ERR_SENTIMENT_UNKNOWN, "%.40s", name);
    }
    for (const struct sentiment_test *t = s->tests; t != NULL; t = t->next) {
        if (strcmp(t->config.name, name) == 0) {
            return err_set(err, ERR_SENTIMENT_BUSY, "%s", name);
        }
    }
    struct sentiment_test *test = calloc(1, sizeof(*test));
    ASSERT(test != NULL);
    *test = (struct sentiment_test){
        .next = s->tests, .sentiment = s, .call = call, .config = source->config};
    s->tests = test;
    test->request = source_ask(s, &test->config, sentiment_test_answer, test, err);
    if (test->request == NULL) {
        end_test(test);
        return -err->id;
    }
    action_set_state(call, test);
    return ACTION_PENDING;
}

static void cancel_test(struct action_call *call)
{
    end_test(action_state(call));
}

/* At the end: the runner is gone, and with it the calls. */
void sentiment_cancel_tests(struct sentiment *sentiment)
{
    while (sentiment->tests != NULL) {
        end_test(sentiment->tests);
    }
}

static const struct action actions[] = {
    {.name = "sentiment.show",
     .summary = "Sentiment of each symbol, the state of its sources, and what they said",
     .data = "sentiment",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what", .type = PARAM_TEXT, .help = "a symbol or a source"}),
     .run = show},
    {.name = "sentiment.test",
     .summary = "Reads a source of sentiment now and shows what it says; stores nothing",
     .data = "sentiment_test",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "source",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "its name in sentiment.sources"}),
     .run = begin_test,
     .cancel = cancel_test},
    {0},
};

void sentiment_actions(struct sentiment *sentiment, struct action_table *table)
{
    action_table_add(table, actions, sentiment);
}
