#include "market/simulated.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/dec.h"
#include "base/hash.h"

#include <math.h>

#define MAGIC    UINT64_C(0x6e642d73696d3031) /* "nd-sim01": the layout of simulated_state */
#define SUBSTEPS 6                            /* points of the path inside a minute */

/* Drift and noise a minute, as fractions of the price, and how strongly chop pulls to its anchor.
 * Chop is quiet and long enough that the hourly bands, which look back 20 hours, are narrow half of
 * the time, so both regimes occur. With a third more drift, trend-following rules multiply their
 * money in weeks; with a third less, fees use it up. */
struct climate_row {
    const char *name;
    double drift;
    double noise;
    double pull;
    int shortest_min;
    int longest_min;
    double odds[4]; /* of the next climate, by enum climate; they sum to 1 */
};

static const struct climate_row climates[] = {
    [CLIMATE_UP] = {"up", 0.00009, 0.0008, 0, 90, 360, {0.20, 0.15, 0.57, 0.08}},
    [CLIMATE_DOWN] = {"down", -0.00010, 0.0009, 0, 60, 300, {0.25, 0.10, 0.58, 0.07}},
    [CLIMATE_CHOP] = {"chop", 0, 0.0009, 0.012, 240, 1200, {0.44, 0.36, 0.14, 0.06}},
    [CLIMATE_CRASH] = {"crash", -0.0014, 0.0026, 0, 8, 30, {0.55, 0.05, 0.40, 0}},
};

/* Well-known coins start near their real prices in dollars, whatever the dollar is called; the
 * price of any other symbol is derived from its name. */
static const struct {
    const char *coin;
    double base;
    double volatility;
} known[] = {
    {"BTC", 64000, 1.0},
    {"ETH", 3100, 1.2},
    {"SOL", 150, 1.6},
};

static bool is_dollar(struct str currency)
{
    return str_equal_c(currency, "USD") || str_equal_c(currency, "USDT") ||
           str_equal_c(currency, "USDC");
}

const char *simulated_climate_name(enum climate climate)
{
    return climates[climate].name;
}

static void enter(struct simulated_state *s, enum climate climate)
{
    const struct climate_row *row = &climates[climate];
    s->climate = (int32_t)climate;
    s->minutes_left =
        row->shortest_min +
        (int64_t)rng_below(&s->rng, (uint64_t)(row->longest_min - row->shortest_min + 1));
    for (int i = 0; i < s->symbol_count; i++) {
        s->symbols[i].anchor = s->symbols[i].price;
    }
}

static void change_climate(struct simulated_state *s)
{
    const double *odds = climates[s->climate].odds;
    double ticket = rng_double(&s->rng);
    int next = 0;
    while (next < (int)COUNT_OF(climates) - 1 && ticket >= odds[next]) {
        ticket -= odds[next];
        next++;
    }
    enter(s, (enum climate)next);
}

static void symbol_init(struct simulated_symbol *s, struct symbol symbol)
{
    s->symbol = symbol;
    /* Not HASH_BEGIN, so that a seed gives the market that it has always given. */
    uint64_t hash = hash_add(UINT64_C(1469598103934665603), symbol.name, strlen(symbol.name));
    s->base = 5.0 + (double)(hash % 49500) / 100.0;
    s->volatility = 1.0 + (double)(hash >> 32 & 0xff) / 256.0;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (str_equal_c(symbol_base(&symbol), known[i].coin) && is_dollar(symbol_quote(&symbol))) {
            s->base = known[i].base;
            s->volatility = known[i].volatility;
        }
    }
    /* Six significant digits, as venues quote. */
    s->tick = 1e-5;
    for (double base = s->base; base >= 10; base /= 10) {
        s->tick *= 10;
    }
    s->price = s->base;
    s->anchor = s->base;
}

static struct dec on_tick(const struct simulated_symbol *s, double price)
{
    struct dec tick = dec_from_double(s->tick);
    return dec_max(dec_round_to(dec_from_double(price), tick), tick);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static struct candle next_candle(struct simulated_state *s, struct simulated_symbol *sym,
                                 const double shared[SUBSTEPS])
{
    const struct climate_row *row = &climates[s->climate];
    double noise = row->noise * sym->volatility / sqrt(SUBSTEPS);
    double drift = row->drift * sym->volatility / SUBSTEPS;
    double gap = row->noise * 0.1 * rng_normal(&s->rng);
    double low = sym->base / 50;
    double high = sym->base * 50;

    double price = clamp(sym->price * (1 + gap), low, high);
    double top = price;
    double bottom = price;
    double open = price;
    for (int i = 0; i < SUBSTEPS; i++) {
        /* A weak pull to the base keeps prices plausible over years. It approximates
         * log(base / price) with operations that IEEE 754 rounds exactly: libm may differ in the
         * last bit between machines, and the same seed must give the same trades. */
        double to_base = 2 * (sym->base - price) / (sym->base + price);
        double pull = row->pull / SUBSTEPS * (sym->anchor / price - 1) + 2e-5 / SUBSTEPS * to_base;
        double own = 0.6 * shared[i] + 0.8 * rng_normal(&s->rng);
        price = clamp(price * (1 + clamp(drift + pull + noise * own, -0.05, 0.05)), low, high);
        top = price > top ? price : top;
        bottom = price < bottom ? price : bottom;
    }
    sym->price = price;

    double busy = 1 + fabs(price / open - 1) / row->noise;
    double volume = 1e5 / sym->base * busy * (0.5 + rng_double(&s->rng));
    return (struct candle){
        .open_us = s->next_open_us,
        .open = on_tick(sym, open),
        .high = on_tick(sym, top),
        .low = on_tick(sym, bottom),
        .close = on_tick(sym, price),
        .volume = dec_round_to(dec_from_double(volume), (struct dec){DEC_ONE / 10000}),
    };
}

static struct simulated *of(struct source *source)
{
    return (struct simulated *)((char *)source - offsetof(struct simulated, source));
}

static const struct simulated *of_const(const struct source *source)
{
    return (const struct simulated *)((const char *)source - offsetof(struct simulated, source));
}

static int64_t next_us(const struct source *source)
{
    return of_const(source)->state.next_open_us + timeframe_us(TF_1M);
}

static int next(struct source *source, struct source_bar *ret)
{
    struct simulated *market = of(source);
    struct simulated_state *s = &market->state;
    if (s->minutes_left <= 0 && !market->pinned) {
        change_climate(s);
    }
    s->minutes_left--;

    double shared[SUBSTEPS];
    for (int i = 0; i < SUBSTEPS; i++) {
        shared[i] = rng_normal(&s->rng);
    }
    for (int i = 0; i < s->symbol_count; i++) {
        ret[i].symbol = s->symbols[i].symbol;
        ret[i].candle = next_candle(s, &s->symbols[i], shared);
    }
    s->next_open_us += timeframe_us(TF_1M);
    return s->symbol_count;
}

static size_t size_of(int symbols)
{
    return offsetof(struct simulated_state, symbols) +
           (size_t)symbols * sizeof(struct simulated_symbol);
}

static size_t save(const struct source *source, void *dst, size_t dst_size)
{
    const struct simulated_state *s = &of_const(source)->state;
    size_t size = size_of(s->symbol_count);
    if (dst_size < size) {
        return 0;
    }
    memcpy(dst, s, size);
    return size;
}

static bool state_is_sane(const struct simulated_state *s)
{
    if (s->magic != MAGIC || s->symbol_count < 1 || s->symbol_count > SYMBOLS_LIMIT ||
        s->climate < 0 || s->climate >= (int32_t)COUNT_OF(climates) || s->next_open_us < 0 ||
        s->next_open_us > INT64_MAX / 2 || s->next_open_us % timeframe_us(TF_1M) != 0) {
        return false;
    }
    for (int i = 0; i < s->symbol_count; i++) {
        const struct simulated_symbol *sym = &s->symbols[i];
        struct symbol parsed;
        size_t len = strnlen(sym->symbol.name, SYMBOL_SIZE);
        if (len == SYMBOL_SIZE || !symbol_parse(str_n(sym->symbol.name, len), &parsed) ||
            !symbol_equal(parsed, sym->symbol) || !(sym->base > 0 && sym->base < 1e8) ||
            !(sym->price >= sym->base / 50 && sym->price <= sym->base * 50) ||
            !(sym->anchor > 0 && sym->anchor <= sym->base * 50) ||
            !(sym->tick > 0 && sym->tick <= sym->base) ||
            !(sym->volatility > 0 && sym->volatility < 10)) {
            return false;
        }
    }
    return true;
}

/* The symbols are those of init: a symbol in the saved state continues from there, a new one starts
 * at its base, and one that is no longer traded is dropped. */
static bool load(struct source *source, const void *bytes, size_t size)
{
    struct simulated_state saved;
    if (size < size_of(1) || size > sizeof(saved) ||
        (size - size_of(0)) % sizeof(saved.symbols[0]) != 0) {
        return false;
    }
    memcpy(&saved, bytes, size);
    /* Earlier versions saved room for more symbols than there were. */
    if (saved.symbol_count > (int64_t)((size - size_of(0)) / sizeof(saved.symbols[0])) ||
        !state_is_sane(&saved)) {
        return false;
    }
    struct simulated_state *s = &of(source)->state;
    for (int i = 0; i < s->symbol_count; i++) {
        for (int j = 0; j < saved.symbol_count; j++) {
            if (symbol_equal(s->symbols[i].symbol, saved.symbols[j].symbol)) {
                s->symbols[i] = saved.symbols[j];
            }
        }
    }
    s->rng = saved.rng;
    s->next_open_us = saved.next_open_us;
    s->minutes_left = saved.minutes_left;
    s->climate = saved.climate;
    return true;
}

static const struct source_ops simulated_ops = {
    .name = "simulated",
    .next_us = next_us,
    .next = next,
    .save = save,
    .load = load,
};

void simulated_init(struct simulated *market, uint64_t seed, const struct symbol *symbols,
                    int count, int64_t start_us)
{
    ASSERT(count >= 1 && count <= SYMBOLS_LIMIT && start_us >= 0);
    /* The state is compared and stored as bytes, so padding must be zero. */
    memset(market, 0, offsetof(struct simulated, state) + size_of(count));
    market->pinned = false;
    market->source.ops = &simulated_ops;
    struct simulated_state *s = &market->state;
    s->magic = MAGIC;
    market->source.step_us = timeframe_us(TF_1M);
    rng_init(&s->rng, seed);
    s->next_open_us = start_us - start_us % timeframe_us(TF_1M);
    s->symbol_count = count;
    for (int i = 0; i < count; i++) {
        symbol_init(&s->symbols[i], symbols[i]);
    }
    enter(s, (enum climate)rng_below(&s->rng, 3)); /* never CLIMATE_CRASH */
}

void simulated_pin(struct simulated *market, enum climate climate)
{
    enter(&market->state, climate);
    market->pinned = true;
}
