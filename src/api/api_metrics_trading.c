#include "api_metrics.h"
#include "base/check.h"
#include "report/measure.h"
#include "store/trading.h"

#define ACCURACY_TRADES 200 /* the last so many */

/* ---------------------------------------------------------------- engine */

/* A thread that has not begun yet has none. */
static void write_heartbeat(struct api_scrape *s, const char *thread,
                            const _Atomic int64_t *beat_mono_us)
{
    if (atomic_load_explicit(beat_mono_us, memory_order_relaxed) != 0) {
        exposition_double(&s->out,
                          (double)shared_beat_age_us(beat_mono_us, s->now_mono_us) /
                              (double)USEC_PER_SEC,
                          EXPOSITION_LABELS({"thread", thread}));
    }
}

static void write_threads(struct api_scrape *s)
{
    const struct shared *shared = s->shared;
    exposition_family(&s->out, "nightdesk_heartbeat_age_seconds", EXPOSITION_GAUGE,
                      "Time since a thread last went round its loop.");
    write_heartbeat(s, "engine", &shared->engine_beat_mono_us);
    write_heartbeat(s, "ops", &shared->ops_beat_mono_us);
    api_metrics_histogram(s, "nightdesk_engine_step_duration_seconds",
                          "Duration of a step of the engine, without the disk.",
                          &shared->telemetry.step);
    api_metrics_histogram(s, "nightdesk_decision_delay_seconds",
                          "From reading a candle to sending the orders that were decided on it.",
                          &shared->telemetry.decision);
    api_metrics_histogram(s, "nightdesk_venue_response_seconds",
                          "From sending an order to the first report of the venue about it.",
                          &shared->telemetry.venue);
}

/* One sample a state: 1 for the present one. */
#define WRITE_STATE(scrape, family, help, type, last, name_of, now)                   \
    do {                                                                              \
        exposition_family(&(scrape)->out, (family), EXPOSITION_GAUGE, (help));        \
        for (int state_ = 0; state_ <= (int)(last); state_++) {                       \
            exposition_u64(&(scrape)->out, state_ == (int)(now) ? 1 : 0,              \
                           EXPOSITION_LABELS({"state", name_of((enum type)state_)})); \
        }                                                                             \
    } while (0)

static void write_states(struct api_scrape *s)
{
    const struct snapshot *snap = s->snapshot;
    WRITE_STATE(s, "nightdesk_trading_state", "1 for the present state of trading.", trading_state,
                TRADING_MAINTENANCE, trading_state_name, snap->state);
    WRITE_STATE(s, "nightdesk_risk_state", "1 for what trading may still do.", risk_state,
                RISK_HALTED, risk_state_name, snap->risk_state);
    WRITE_STATE(s, "nightdesk_disk_state", "1 for how the engine can write to the disk.",
                disk_state, DISK_FAILED, disk_state_name, snap->disk.state);
    WRITE_STATE(s, "nightdesk_venue_state", "1 for the state of the connection to the venue.",
                venue_state, VENUE_MAINTENANCE, venue_state_name, snap->venue.state);
    exposition_family(&s->out, "nightdesk_venue", EXPOSITION_INFO, "The venue that is traded at.");
    exposition_u64(&s->out, 1, EXPOSITION_LABELS({"venue", snap->venue.name}));
    api_metrics_u64(s, "nightdesk_books_balance", EXPOSITION_GAUGE,
                    "1 if cash, positions and fees add up exactly.", snap->books_balance ? 1 : 0);
    api_metrics_u64(s, "nightdesk_venue_agrees", EXPOSITION_GAUGE,
                    "1 if the venue lists exactly our positions.", snap->venue_agrees ? 1 : 0);
    api_metrics_double(s, "nightdesk_snapshot_age_seconds",
                       "Age of what the engine published last.",
                       (double)shared_silent_us(s->shared, snap, s->now_wall_us, s->now_mono_us) /
                           (double)USEC_PER_SEC);
    api_metrics_double(s, "nightdesk_market_time_seconds",
                       "Market time, in seconds since 1970; a simulation runs faster.",
                       (double)snap->market_us / (double)USEC_PER_SEC);
}

/* ---------------------------------------------------------------- account */

static void write_amount(struct api_scrape *s, const char *name, const char *help, struct dec value)
{
    exposition_family(&s->out, name, EXPOSITION_GAUGE, help);
    exposition_dec(&s->out, value, NULL);
}

static void write_account(struct api_scrape *s)
{
    const struct snapshot *snap = s->snapshot;
    write_amount(s, "nightdesk_equity_usd", "Cash and positions at market prices.", snap->equity);
    write_amount(s, "nightdesk_equity_peak_usd", "The highest equity so far.", snap->equity_peak);
    write_amount(s, "nightdesk_equity_day_start_usd", "Equity at the start of the market day.",
                 snap->day_start_equity);
    write_amount(s, "nightdesk_equity_initial_usd", "What trading began with.", snap->initial_cash);
    write_amount(s, "nightdesk_cash_usd", "Cash.", snap->cash);
    write_amount(s, "nightdesk_realised_profit_usd",
                 "Profit of closed trades, after fees and funding; it falls with losses.",
                 snap->realised);
    write_amount(s, "nightdesk_fees_paid_usd", "Fees paid so far; rebates lower it.", snap->fees);
    write_amount(s, "nightdesk_funding_paid_usd",
                 "Funding paid so far; what was received lowers it.", snap->funding);
    api_metrics_double(s, "nightdesk_drawdown_ratio", "Loss since the highest equity.",
                       snap->drawdown_pct / 100);
    api_metrics_double(s, "nightdesk_drawdown_limit_ratio", "Drawdown at which trading stops.",
                       snap->max_drawdown_pct / 100);
    api_metrics_double(s, "nightdesk_daily_loss_ratio", "Loss of this market day.",
                       snap->daily_loss_pct / 100);
    api_metrics_double(s, "nightdesk_daily_loss_limit_ratio", "Daily loss at which trading stops.",
                       snap->max_daily_loss_pct / 100);
    api_metrics_double(s, "nightdesk_exposure_ratio", "Sum of all positions, of equity.",
                       snap->exposure_pct / 100);
    api_metrics_double(s, "nightdesk_exposure_limit_ratio", "The most exposure that is allowed.",
                       snap->risk.max_exposure_pct / 100);
    api_metrics_double(s, "nightdesk_leverage_ratio", "Exposure as a multiple of equity.",
                       snap->leverage);
}

static void write_positions(struct api_scrape *s)
{
    const struct snapshot *snap = s->snapshot;
    api_metrics_u64(s, "nightdesk_positions", EXPOSITION_GAUGE, "Open positions.",
                    (uint64_t)snap->position_count);
    api_metrics_u64(s, "nightdesk_positions_limit", EXPOSITION_GAUGE,
                    "The most positions that may be open.", (uint64_t)snap->max_positions);
    api_metrics_u64(s, "nightdesk_positions_foreign", EXPOSITION_GAUGE,
                    "Positions at the venue that the bot did not open.",
                    (uint64_t)snap->foreign_count);
    exposition_family(&s->out, "nightdesk_position_notional_usd", EXPOSITION_GAUGE,
                      "Size of an open position at the market price.");
    for (int i = 0; i < snap->position_count; i++) {
        const struct position *p = &snap->positions[i];
        exposition_dec(&s->out, dec_mul(p->qty, p->mark_price),
                       EXPOSITION_LABELS({"symbol", p->symbol.name}, {"side", side_name(p->side)}));
    }
    exposition_family(&s->out, "nightdesk_position_unrealised_usd", EXPOSITION_GAUGE,
                      "Profit of an open position at the market price, without fees.");
    for (int i = 0; i < snap->position_count; i++) {
        const struct position *p = &snap->positions[i];
        exposition_dec(&s->out, p->unrealised,
                       EXPOSITION_LABELS({"symbol", p->symbol.name}, {"side", side_name(p->side)}));
    }
}

/* ---------------------------------------------------------------- counts */

static void write_counts(struct api_scrape *s)
{
    const struct snapshot *snap = s->snapshot;
    api_metrics_u64(s, "nightdesk_engine_steps", EXPOSITION_COUNTER, "Steps of the engine.",
                    snap->steps);
    api_metrics_u64(s, "nightdesk_candles", EXPOSITION_COUNTER, "Candles that were accepted.",
                    snap->candles);
    api_metrics_u64(s, "nightdesk_decisions", EXPOSITION_COUNTER, "Decisions, holds included.",
                    snap->decisions);
    api_metrics_u64(s, "nightdesk_vetoes", EXPOSITION_COUNTER, "Decisions that risk refused.",
                    snap->vetoes);
    api_metrics_u64(s, "nightdesk_orders", EXPOSITION_COUNTER, "Orders.", snap->orders);
    api_metrics_u64(s, "nightdesk_fills", EXPOSITION_COUNTER, "Fills of orders.", snap->fills);
    exposition_family(&s->out, "nightdesk_trades", EXPOSITION_COUNTER,
                      "Closed trades by whether they earned something after fees.");
    exposition_u64(&s->out, snap->wins, EXPOSITION_LABELS({"result", "won"}));
    exposition_u64(&s->out, snap->trades - snap->wins, EXPOSITION_LABELS({"result", "not_won"}));
    api_metrics_u64(s, "nightdesk_orders_open", EXPOSITION_GAUGE, "Orders at the venue.",
                    snap->open_orders);
    api_metrics_u64(s, "nightdesk_orders_unknown", EXPOSITION_GAUGE,
                    "Orders whose state the venue has not reported.", snap->unknown_orders);
}

static void write_market(struct api_scrape *s)
{
    const struct snapshot *snap = s->snapshot;
    uint64_t impossible = 0, backward = 0, stale = 0, future = 0, gaps = 0, suspect = 0;
    int64_t oldest_us = INT64_MAX;
    for (int i = 0; i < snap->market_count; i++) {
        const struct snapshot_market *m = &snap->markets[i];
        impossible += m->refused_impossible;
        backward += m->refused_backward;
        stale += m->refused_stale;
        future += m->refused_future;
        gaps += m->gaps;
        suspect += m->suspect ? 1 : 0;
        oldest_us = m->updated_us < oldest_us ? m->updated_us : oldest_us;
    }
    api_metrics_u64(s, "nightdesk_symbols", EXPOSITION_GAUGE, "Symbols that are watched.",
                    (uint64_t)snap->market_count);
    api_metrics_u64(s, "nightdesk_symbols_suspect", EXPOSITION_GAUGE,
                    "Symbols whose newest candle was refused: nothing is opened in them.", suspect);
    exposition_family(&s->out, "nightdesk_candles_refused", EXPOSITION_COUNTER,
                      "Candles that were refused, by reason.");
    exposition_u64(&s->out, impossible, EXPOSITION_LABELS({"reason", "impossible"}));
    exposition_u64(&s->out, backward, EXPOSITION_LABELS({"reason", "backward"}));
    exposition_u64(&s->out, stale, EXPOSITION_LABELS({"reason", "stale"}));
    exposition_u64(&s->out, future, EXPOSITION_LABELS({"reason", "future"}));
    api_metrics_u64(s, "nightdesk_candles_missing", EXPOSITION_COUNTER,
                    "Candles that were never received.", gaps);
    if (snap->market_count > 0) {
        api_metrics_double(s, "nightdesk_candle_age_seconds",
                           "Market time since the newest candle of the symbol that waits longest.",
                           (double)(snap->market_us - oldest_us) / (double)USEC_PER_SEC);
    }
    api_metrics_u64(s, "nightdesk_feed_failing", EXPOSITION_GAUGE,
                    "1 if candles have stopped although the market goes on.",
                    snap->feed_err != 0 ? 1 : 0);
    const struct snapshot_stream *live = &snap->stream;
    if (live->venue[0] != '\0') {
        api_metrics_u64(s, "nightdesk_stream_up", EXPOSITION_GAUGE,
                        "1 if live prices of all symbols are connected.", live->up ? 1 : 0);
        api_metrics_u64(s, "nightdesk_stream_connections", EXPOSITION_COUNTER,
                        "Connections to live prices that were opened.", live->connections);
        api_metrics_u64(s, "nightdesk_stream_lost", EXPOSITION_COUNTER,
                        "Connections to live prices that were lost.", live->lost);
        api_metrics_u64(s, "nightdesk_stream_refused", EXPOSITION_COUNTER,
                        "Messages and candles of live prices that could not be trusted.",
                        live->refused);
        api_metrics_u64(s, "nightdesk_candles_filled", EXPOSITION_COUNTER,
                        "Candles that were read from the venue's history.", live->filled);
        api_metrics_u64(s, "nightdesk_candles_late", EXPOSITION_COUNTER,
                        "Candles that came after their minute was traded.", live->late_candles);
    }
}

/* ---------------------------------------------------------------- agents */

/* Read again only when a trade was closed since. */
static void read_accuracy(struct api_scrape *s)
{
    struct api_accuracy *a = &s->listener->metrics->accuracy;
    struct err err = {0};
    uint64_t file = atomic_load(&s->shared->trading_file);
    if ((a->read && a->trades == s->snapshot->trades && a->file == file) ||
        api_need_trading(&s->listener->stores, &err) < 0) {
        return;
    }
    struct measure_result *result = measure_result_new();
    const struct measure_query query = {.kind = MEASURE_OF_TRADES,
                                        .by = MEASURE_BY_AGENT,
                                        .accuracy = true,
                                        .last = ACCURACY_TRADES};
    const struct measure_sources sources = {.trading =
                                                trading_store_db(s->listener->stores.trading)};
    if (measure_read(&sources, &query, result, &err) >= 0) {
        *a = (struct api_accuracy){.read = true, .trades = s->snapshot->trades, .file = file};
        for (int i = 0; i < result->count && a->count < VOTES_MAX; i++) {
            (void)str_copy(str_c(result->groups[i].name), a->agents[a->count].name,
                           sizeof(a->agents[0].name));
            a->agents[a->count].judged = result->groups[i].judged;
            a->agents[a->count++].right = result->groups[i].right;
        }
    }
    measure_result_free(result);
}

static void write_agents(struct api_scrape *s)
{
    read_accuracy(s);
    const struct api_accuracy *a = &s->listener->metrics->accuracy;
    exposition_family(&s->out, "nightdesk_agent_accuracy_ratio", EXPOSITION_GAUGE,
                      "Votes of an agent that the price followed, in the last 200 trades.");
    for (int i = 0; i < a->count; i++) {
        if (a->agents[i].judged > 0) {
            exposition_double(&s->out, (double)a->agents[i].right / (double)a->agents[i].judged,
                              EXPOSITION_LABELS({"agent", a->agents[i].name}));
        }
    }
    exposition_family(&s->out, "nightdesk_agent_votes", EXPOSITION_GAUGE,
                      "Votes of an agent for a side, in the last 200 trades.");
    for (int i = 0; i < a->count; i++) {
        exposition_i64(&s->out, a->agents[i].judged,
                       EXPOSITION_LABELS({"agent", a->agents[i].name}));
    }
}

void api_metrics_trading(struct api_scrape *s)
{
    write_threads(s);
    if (s->snapshot->version == 0) {
        return; /* nothing is known yet */
    }
    write_states(s);
    write_account(s);
    write_positions(s);
    write_counts(s);
    write_market(s);
    write_agents(s);
}
