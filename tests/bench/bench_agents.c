/*
 * bench_agents.c: the cost of a tree model: 100 trees of 31 leaves over 20 features, one row at a
 * time. Each sample is the mean of 16 rows that the branch predictor has not learnt (4096 different
 * rows in turn). Also the cost that Predict adds to a decision: the row of features of a moving
 * market, and the answer of a model of the size that `nightdesk train` makes.
 */
#include "agents/model.h"
#include "agents/predictor.h"
#include "agents/training.h"
#include "base/check.h"
#include "base/rng.h"
#include "bench/bench.h"
#include "io/file.h"
#include "market/simulated.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { TREES = 100, LEAVES = 31, FEATURES = 20, ROWS = 4096, BATCH = 16, SAMPLES = 4000 };

static double rows[ROWS][FEATURES], us[SAMPLES];

/* Grows leaf by leaf, as LightGBM does; every eighth split is categorical. */
static void add_tree(struct rng *rng, int index, bool plain, struct buf *out)
{
    int parent[LEAVES] = {0}, side[LEAVES] = {0}, child[2][LEAVES] = {{0}};
    for (int node = 0; node < LEAVES - 1; node++) {
        int leaf = node == 0 ? 0 : (int)rng_below(rng, (uint64_t)node + 1);
        if (node > 0) {
            child[side[leaf]][parent[leaf]] = node;
        }
        child[0][node] = ~leaf;
        child[1][node] = ~(node + 1);
        parent[leaf] = parent[node + 1] = node;
        side[leaf] = 0;
        side[node + 1] = 1;
    }
    int sets = plain ? 0 : (LEAVES - 1) / 8;
    buf_addf(out, "Tree=%d\nnum_leaves=%d\nnum_cat=%d\nsplit_feature=", index, LEAVES, sets);
    for (int i = 0; i < LEAVES - 1; i++) {
        buf_addf(out, "%d ", i < sets ? 0 : 1 + (int)rng_below(rng, FEATURES - 1));
    }
    buf_add_c(out, "\nthreshold=");
    for (int i = 0; i < LEAVES - 1; i++) {
        buf_addf(out, "%.17g ", i < sets ? i : rng_normal(rng) / 2);
    }
    buf_add_c(out, "\ndecision_type=");
    for (int i = 0; i < LEAVES - 1; i++) {
        buf_addf(out, "%d ", i < sets ? 1 : plain ? 2 : 10);
    }
    for (int s = 0; s < 2; s++) {
        buf_addf(out, "\n%s_child=", s == 0 ? "left" : "right");
        for (int i = 0; i < LEAVES - 1; i++) {
            buf_addf(out, "%d ", child[s][i]);
        }
    }
    buf_add_c(out, "\nleaf_value=");
    for (int i = 0; i < LEAVES; i++) {
        buf_addf(out, "%.17g ", rng_normal(rng) / TREES);
    }
    buf_add_c(out, sets > 0 ? "\ncat_boundaries=0" : "");
    for (int i = 1; i <= sets; i++) {
        buf_addf(out, " %d", i);
    }
    buf_add_c(out, sets > 0 ? "\ncat_threshold=" : "");
    for (int i = 0; i < sets; i++) {
        buf_addf(out, "%u ", (unsigned)(rng_u64(rng) >> 32));
    }
    buf_add_c(out, "\n\n");
}

static void bench_model(const char *name, bool plain)
{
    struct rng rng;
    rng_init(&rng, 7);
    AUTO_BUF struct buf text = BUF_INIT((size_t)4 << 20);
    buf_addf(&text, "tree\nversion=v4\nnum_class=1\nmax_feature_idx=%d\n", FEATURES - 1);
    buf_add_c(&text, "objective=binary sigmoid:1\n\n");
    for (int t = 0; t < TREES; t++) {
        add_tree(&rng, t, plain, &text);
    }
    buf_add_c(&text, "end of trees\n");
    AUTO_MODEL struct model *model = NULL;
    ASSERT(model_parse(buf_str(&text), "bench", &model, NULL) == 0);
    for (int r = 0; r < ROWS; r++) {
        rows[r][0] = (double)rng_below(&rng, 32);
        for (int i = 1; i < FEATURES; i++) {
            rows[r][i] = !plain && rng_chance(&rng, .05) ? (double)NAN : rng_normal(&rng);
        }
    }
    double answer = 0;
    for (int s = 0, r = 0; s < SAMPLES; s++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < BATCH; i++, r = (r + 1) % ROWS) {
            (void)model_predict(model, rows[r], FEATURES, &answer, NULL);
            bench_use(&answer);
        }
        us[s] = (double)(bench_now_ns() - start) / BATCH / 1000;
    }
    bench_table_row(name, us, SAMPLES, "us", NULL);
}

/* ---------------------------------------------------------------- cost of Predict */

enum { MARKET_MINUTES = 30 * 24 * 60, BARS_WARM = 12 * 60 };

static struct simulated market;
static struct series series;

static struct candle next_minute(void)
{
    struct source_bar bars[SYMBOLS_LIMIT];
    (void)source_next(&market.source, bars);
    return bars[0].candle;
}

static void start_market(uint64_t seed)
{
    struct symbol symbol = {"BTC-USD"};
    simulated_init(&market, seed, &symbol, 1, 0);
    series_init(&series, symbol, timeframe_us(TF_1M));
}

/* Advances the market until the next five-minute bar has closed. */
static void next_bar(void)
{
    unsigned closed = 0;
    while ((closed & 1U << TF_5M) == 0) {
        struct candle c = next_minute();
        (void)series_push(&series, &c, c.open_us + USEC_PER_MIN, &closed);
    }
}

/* NULL without the library; then only the features are measured. */
static struct predictor *train_one(struct err *err)
{
    AUTO_TRAINING_ROWS struct training_rows *training_rows = NULL;
    AUTO_BUF struct buf text = BUF_INIT(MODEL_JSON_MAX);
    struct training_options options = TRAINING_DEFAULTS;
    struct training_result result;
    struct predictor *predictor = NULL;
    char path[] = "/var/tmp/nightdesk-bench-XXXXXX";
    start_market(3);
    int rc = training_rows_new(TF_5M, timeframe_us(TF_1M), 12, &training_rows, err);
    for (int i = 0; rc == 0 && i < MARKET_MINUTES; i++) {
        struct candle c = next_minute();
        rc = training_rows_push(training_rows, &c, err);
    }
    if (rc < 0 || (rc = training_rows_finish(training_rows, err)) < 0 ||
        (rc = training_run(training_rows, &options, &text, &result, err)) < 0) {
        return NULL;
    }
    int fd = mkstemp(path);
    ASSERT(fd >= 0);
    (void)close(fd);
    if (file_write(path, buf_str(&text), 0600, err) == 0) {
        (void)predictor_load(path, &predictor, err);
    }
    (void)unlink(path);
    return predictor;
}

/* One sample per bar, so that the caches are in the same state as in trading. */
static void bench_predict(void)
{
    struct err err = {0};
    AUTO_PREDICTOR struct predictor *predictor = train_one(&err);
    double row[FEATURES_MAX], up = 0;
    start_market(4);
    for (int i = 0; i < BARS_WARM; i++) {
        next_bar();
    }
    for (int s = 0; s < SAMPLES; s++) {
        next_bar();
        int64_t start = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            features_row(&series, (double)NAN, row);
            bench_use(row);
        }
        us[s] = (double)(bench_now_ns() - start) / BATCH / 1000;
    }
    bench_table_row("features of one decision (target 1 us)", us, SAMPLES, "us", NULL);
    if (predictor == NULL) {
        printf("Predict was not measured: %s: %s\n", err_info(err.id)->message, err.context);
        return;
    }
    for (int s = 0; s < SAMPLES; s++) {
        next_bar();
        int64_t start = bench_now_ns();
        ASSERT(predictor_ask(predictor, &series, (double)NAN, &up));
        bench_use(&up);
        us[s] = (double)(bench_now_ns() - start) / 1000;
    }
    bench_table_row("Predict, one decision (100 trees, depth 3)", us, SAMPLES, "us", NULL);
}

int main(void)
{
    bench_table_head();
    bench_model("100 trees x 31 leaves (target 6 us)", true);
    bench_model("with categories and missing values", false);
    bench_predict();
    return 0;
}
