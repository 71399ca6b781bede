#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "io/embed.h"
#include "io/json.h"
#include "io/json_out.h"
#include "lexicon.h"
#include "sentiment_internal.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

#define PROMPT     "prompts/sentiment.md"
#define FENCE      "---\n"
#define OUTPUT_KEY "output: |\n"
#define BATCH_MAX  20
#define TOKENS     1200
#define USER_MAX   ((size_t)16 * 1024)
#define DAY        "sentiment_cost_day"
#define COST       "sentiment_cost_e8"

/* A request under way, about headlines that wait. */
struct rating {
    const struct llm_client *client;
    void *request;
    int count;
    struct {
        char source[24];
        char key[SENTIMENT_KEY_SIZE];
    } of[BATCH_MAX];
};

/* ------------------------------------------------------------------ what Claude may cost */

/* False: the budget of today is used up, or what it cost so far cannot be read. */
static bool may_ask(const struct sentiment *s)
{
    int64_t today = sentiment_now_us(s) / USEC_PER_DAY;
    int64_t day = 0, cost = 0;
    struct err err = {0};
    if (ops_store_get_i64(s->o.store, DAY, 0, &day, &err) < 0 ||
        ops_store_get_i64(s->o.store, COST, 0, &cost, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read what ratings have cost");
        return false;
    }
    return day != today || cost < s->o.config->sentiment_daily_cost.e8;
}

/* An unknown cost ends the asking of today: the limit could not be kept. */
static void note_cost(const struct sentiment *s, struct dec cost)
{
    int64_t today = sentiment_now_us(s) / USEC_PER_DAY;
    int64_t day = 0, before = 0;
    struct err err = {0};
    int rc = ops_store_get_i64(s->o.store, DAY, 0, &day, &err);
    rc = rc < 0 ? rc : ops_store_get_i64(s->o.store, COST, 0, &before, &err);
    struct dec sum = dec_is_valid(cost) ? dec_add((struct dec){day == today ? before : 0}, cost)
                                        : s->o.config->sentiment_daily_cost;
    rc = rc < 0 ? rc : ops_store_write_i64(s->o.store, DAY, today, &err);
    rc = rc < 0 ? rc : ops_store_write_i64(s->o.store, COST, sum.e8, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not store what a rating has cost");
    }
}

/* ------------------------------------------------------------------ scores */

static struct sentiment_item *find_item(const struct sentiment *s, const char *name,
                                        const char *key)
{
    const struct sentiment_source *source = sentiment_find(s, name);
    for (int i = 0; source != NULL && i < source->count; i++) {
        if (strcmp(source->items[i].key, key) == 0) {
            return &source->items[i];
        }
    }
    return NULL;
}

static void set_score(struct sentiment *s, struct sentiment_item *item,
                      enum sentiment_scorer scorer, double score)
{
    struct err err = {0};
    item->scorer = scorer;
    item->score = score;
    if (sentiment_table_write(s->o.store, item, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not store the rating of a headline");
    }
    sentiment_changed(s);
}

/* The list of words rates what Claude cannot be asked about. */
static void rate_by_words(struct sentiment *s, const struct rating *rating)
{
    for (int i = 0; i < rating->count; i++) {
        struct sentiment_item *item = find_item(s, rating->of[i].source, rating->of[i].key);
        if (item != NULL && item->scorer == SENTIMENT_WAITS) {
            set_score(s, item, SENTIMENT_LEXICON, lexicon_score(str_c(item->title)));
        }
    }
}

/* Only a number of -1 to 1 for a headline of the request, given once, is a score. */
static bool score_of(const struct json_object *scores, int number, double *ret)
{
    int found = 0;
    for (size_t i = 0; i < json_len(scores); i++) {
        const struct json_object *entry = json_item(scores, i);
        if (json_i64(entry, "n", 0) == number) {
            *ret = json_double(entry, "score", 2);
            found++;
        }
    }
    return found == 1 && *ret >= -1 && *ret <= 1;
}

static void take_scores(struct sentiment *s, const struct rating *rating, const char *text)
{
    AUTO_JSON struct json_object *json = NULL;
    int dropped = 0;
    (void)json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &json, NULL);
    const struct json_object *scores = json_get(json, "scores");
    for (int i = 0; i < rating->count; i++) {
        struct sentiment_item *item = find_item(s, rating->of[i].source, rating->of[i].key);
        double score = 0;
        bool has_score = score_of(scores, i + 1, &score);
        dropped += has_score ? 0 : 1;
        if (item != NULL && item->scorer == SENTIMENT_WAITS) {
            set_score(s, item, has_score ? SENTIMENT_CLAUDE : SENTIMENT_NO_SCORE,
                      has_score ? score : 0);
        }
    }
    if (dropped > 0) {
        LOG(NOTICE, "sentiment: of %d headlines the model gave no usable score to %d",
            rating->count, dropped);
    }
}

static void on_answer(const struct llm_answer *answer, void *userdata)
{
    struct sentiment *s = userdata;
    AUTO_FREE struct rating *rating = TAKE(s->rating);
    if (answer->attempts > 0) {
        note_cost(s, answer->cost_usd);
    }
    if (answer->err.id == ERR_NONE) {
        take_scores(s, rating, answer->text);
    } else {
        log_err(LOG_LEVEL_INFO, &answer->err, "headlines are rated by the list of words");
        rate_by_words(s, rating);
    }
}

/* ------------------------------------------------------------------ the request */

/* The text behind the front matter, and the schema within it. */
static void read_prompt(const char **ret_text, struct json_object **ret_schema)
{
    const struct embedded_file *f = embedded_files;
    while (f->path != NULL && strcmp(f->path, PROMPT) != 0) {
        f++;
    }
    ASSERT(f->path != NULL);
    const char *output = strstr(f->data, OUTPUT_KEY) + strlen(OUTPUT_KEY);
    const char *end = strstr(output, FENCE);
    *ret_text = end + strlen(FENCE);
    int rc =
        json_parse(str_n(output, (size_t)(end - output)), &JSON_LIMITS_DEFAULT, ret_schema, NULL);
    ASSERT(rc == 0);
}

static struct rating *collect(const struct sentiment *s)
{
    struct rating *rating = calloc(1, sizeof(*rating));
    ASSERT(rating != NULL);
    for (int i = 0; i < s->count; i++) {
        const struct sentiment_source *source = s->sources[i];
        for (int k = 0; k < source->count && rating->count < BATCH_MAX; k++) {
            const struct sentiment_item *item = &source->items[k];
            if (item->scorer == SENTIMENT_WAITS) {
                memcpy(rating->of[rating->count].source, item->source, sizeof(item->source));
                memcpy(rating->of[rating->count].key, item->key, sizeof(item->key));
                rating->count++;
            }
        }
    }
    return rating;
}

static int ask(struct sentiment *s, struct rating *rating, struct err *err)
{
    AUTO_JSON struct json_object *schema = NULL;
    AUTO_JSON struct json_object *data = json_object_new_object();
    AUTO_BUF struct buf user = BUF_INIT(USER_MAX);
    const char *system = NULL;
    struct json_out out = JSON_OUT_TREE(data);
    read_prompt(&system, &schema);
    json_out_array(&out, "headlines");
    for (int i = 0; i < rating->count; i++) {
        const struct sentiment_item *item = find_item(s, rating->of[i].source, rating->of[i].key);
        ASSERT(item != NULL); /* collected just now */
        json_out_object(&out, NULL);
        json_out_i64(&out, "n", i + 1);
        json_out_text(&out, "about", item->symbols[0] != '\0' ? item->symbols : "the market");
        json_out_text(&out, "headline", item->title);
        json_out_end(&out);
    }
    json_out_end(&out);
    llm_add_untrusted(data, &user);
    rating->client = s->o.llm_client;
    const struct llm_request request = {
        .system = system, .user = user.data, .schema = schema, .max_tokens = TOKENS};
    return rating->client->ask(rating->client->self, &request, on_answer, s, &rating->request, err);
}

void rating_next(struct sentiment *sentiment)
{
    struct err err = {0};
    if (sentiment->rating != NULL) {
        return;
    }
    struct rating *rating = collect(sentiment);
    bool by_claude = rating->count > 0 && sentiment->o.llm_client != NULL &&
                     strcmp(sentiment->o.config->sentiment_scoring, "claude") == 0 &&
                     may_ask(sentiment);
    if (by_claude) {
        sentiment->rating = rating;
        if (ask(sentiment, rating, &err) >= 0) {
            return;
        }
        log_err(LOG_LEVEL_INFO, &err, "headlines are rated by the list of words");
        sentiment->rating = NULL;
    }
    rate_by_words(sentiment, rating);
    free(rating);
}

void rating_cancel(struct sentiment *sentiment)
{
    struct rating *rating = TAKE(sentiment->rating);
    if (rating != NULL) {
        rating->client->cancel(rating->client->self, rating->request);
        free(rating);
    }
}
