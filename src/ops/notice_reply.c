#include "notice_reply.h"

#include "base/clock.h"
#include "model/order.h"

#include <string.h>

#define SHOWN 10

static enum tone tone_of(struct dec pnl)
{
    return dec_cmp(pnl, DEC_ZERO) < 0 ? TONE_BAD : TONE_GOOD;
}

struct reply *notice_entry(const struct position *p)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_PLAIN, "%s %s opened", p->symbol.name, side_name(p->side));
    reply_para(r, "{} at {}", cell_qty(p->qty, p->symbol.name),
               cell_price(p->entry_price, p->symbol.name));
    reply_para(r, "Stop {}, target {}", cell_price(p->stop, p->symbol.name),
               cell_price(p->target, p->symbol.name));
    AUTO_BUF struct buf command = BUF_INIT(64);
    buf_addf(&command, "/why %s", p->symbol.name);
    reply_button(r, "Why", command.data, BUTTON_PLAIN);
    return r;
}

static double pnl_pct(const struct trade *t)
{
    return cell_ratio_pct(t->pnl, dec_mul(t->entry_price, t->qty));
}

struct reply *notice_exit(const struct trade *t)
{
    struct reply *r = reply_new();
    reply_title(r, tone_of(t->pnl), "%s %s closed: %s", t->symbol.name, side_name(t->side),
                t->exit_reason);
    reply_para(r, "{} ({}) after fees", cell_money_signed(t->pnl), cell_pct_signed(pnl_pct(t), 2));
    reply_para(r, "{} from {} to {}, held {}", cell_qty(t->qty, t->symbol.name),
               cell_price(t->entry_price, t->symbol.name),
               cell_price(t->exit_price, t->symbol.name),
               cell_duration(t->closed_us - t->opened_us));
    if (t->run_id != 0) {
        AUTO_BUF struct buf command = BUF_INIT(64);
        buf_addf(&command, "/runs %lld", (long long)t->run_id);
        reply_more(r, ", {}", cell_code(command.data));
    }
    return r;
}

struct reply *notice_trades(const struct position *entries, size_t entry_count,
                            const struct trade *exits, size_t count, int64_t total)
{
    struct reply *r = reply_new();
    struct dec sum = DEC_ZERO;
    for (size_t i = 0; i < count; i++) {
        sum = dec_add(sum, exits[i].pnl);
    }
    reply_title(r, count > 0 && dec_is_valid(sum) ? tone_of(sum) : TONE_PLAIN,
                "%zu opened, %lld closed", entry_count, (long long)total);
    if (count > 0) {
        reply_para(r,
                   total > (int64_t)count ? "{} after fees in the newest {}"
                                          : "{} after fees in {} trades",
                   cell_money_signed(sum), cell_count((int64_t)count));
    }
    for (size_t i = 0; i < entry_count && i < SHOWN; i++) {
        reply_item(r, "{} {} opened at {}", cell_symbol(entries[i].symbol.name),
                   cell_text(side_name(entries[i].side)),
                   cell_price(entries[i].entry_price, entries[i].symbol.name));
    }
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        reply_item(r, "{} {} closed: {}, {}", cell_symbol(exits[i].symbol.name),
                   cell_text(side_name(exits[i].side)), cell_text(exits[i].exit_reason),
                   cell_money_signed(exits[i].pnl));
    }
    reply_button(r, "Trades", "/trades", BUTTON_PLAIN);
    return r;
}

struct reply *notice_veto(const struct symbol *symbol, const char *direction, const char *code,
                          const char *text)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_WARN, "%s %s vetoed", symbol->name, direction);
    reply_para(r, "{}: {}", cell_code(code), cell_text(text));
    AUTO_BUF struct buf command = BUF_INIT(64);
    buf_addf(&command, "/why %s", symbol->name);
    reply_button(r, "Why", command.data, BUTTON_PLAIN);
    return r;
}

struct reply *notice_state(const struct snapshot *s)
{
    struct reply *r = reply_new();
    bool active = s->state == TRADING_ACTIVE;
    reply_title(r, active ? TONE_GOOD : TONE_WARN, "trading is %s", trading_state_name(s->state));
    if (s->state_reason[0] != '\0') {
        reply_line(r, "%s", s->state_reason);
    }
    return r;
}

/* "2 positions, stops in place" */
static void add_positions(struct reply *r, const struct snapshot *s)
{
    int bare = 0;
    for (int i = 0; i < s->position_count; i++) {
        bare += dec_cmp(s->positions[i].stop, DEC_ZERO) <= 0 ? 1 : 0;
    }
    if (s->position_count == 0) {
        reply_line(r, "No position is open.");
    } else if (bare == 0) {
        reply_para(r, "{} {}, stops in place", cell_count(s->position_count),
                   cell_text(s->position_count == 1 ? "position" : "positions"));
    } else {
        reply_para(r, "{} {}, {} without a stop", cell_count(s->position_count),
                   cell_text(s->position_count == 1 ? "position" : "positions"), cell_count(bare));
    }
}

static void add_state(struct reply *r, const struct snapshot *s)
{
    if (s->state != TRADING_ACTIVE) {
        reply_para(r, "Trading is {}: {}", cell_text(trading_state_name(s->state)),
                   cell_text(s->state_reason));
    }
}

/* result, code, status: $SERVICE_RESULT, $EXIT_CODE and $EXIT_STATUS of systemd.exec(5). */
static void add_end(struct reply *r, const struct notice_end *end)
{
    static const struct {
        const char *result;
        const char *words;
    } known[] = {{"watchdog", "the watchdog ended it, because it made no progress"},
                 {"oom-kill", "the kernel ended it, because memory was short"},
                 {"timeout", "it did not start or stop in time"}};
    struct str rest = str_c(end->how), result, code;
    if (end->at_us > 0) {
        reply_para(r, "The last run died at {}", cell_time(end->at_us, end->now_us));
    }
    if (!str_word(&rest, &result) || !str_word(&rest, &code)) {
        if (end->at_us > 0) {
            reply_more(r, "{}", cell_text(": killed, or a power cut."));
        }
        return;
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (str_equal_c(result, known[i].result)) {
            reply_more(r, ": {}.", cell_text(known[i].words));
            return;
        }
    }
    AUTO_BUF struct buf words = BUF_INIT(96);
    buf_addf(&words, "%s %.*s", str_equal_c(code, "exited") ? "exit code" : "signal",
             STR_ARG(str_trim(rest)));
    reply_more(r, ": {}.", cell_text(words.data));
}

struct reply *notice_started(enum notice_start how, int64_t away_us, const struct notice_end *end,
                             const struct snapshot *s, const struct outbox_undelivered *undelivered)
{
    struct reply *r = reply_new();
    switch (how) {
    case NOTICE_START_FIRST:
        reply_title(r, TONE_GOOD, "nightdesk started");
        break;
    case NOTICE_START_CLEAN:
        reply_title(r, TONE_GOOD, "nightdesk started");
        if (away_us > 0) {
            reply_para(r, "It was stopped for {}.", cell_duration(away_us));
        }
        break;
    case NOTICE_START_CRASH:
        reply_title(r, TONE_BAD, "nightdesk stopped unexpectedly");
        add_end(r, end);
        if (away_us > 0) {
            reply_para(r, "It was away {} and runs again.", cell_duration(away_us));
        } else {
            reply_line(r, "It runs again.");
        }
        break;
    }
    add_positions(r, s);
    add_state(r, s);
    int64_t lost = undelivered->dead + undelivered->uncertain;
    if (lost > 0) {
        reply_para(r, "{} earlier {} may not have arrived: see {}.", cell_count(lost),
                   cell_text(lost == 1 ? "message" : "messages"), cell_code("/status"));
    }
    return r;
}

struct reply *notice_stopped(const char *why, const struct snapshot *s)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_WARN, "nightdesk stops");
    reply_line(r, "%s", why);
    add_positions(r, s);
    if (s->position_count > 0) {
        reply_line(r, "Until it runs again, nobody watches them but the venue.");
    }
    return r;
}

struct reply *notice_daily(const struct notice_day *day, const struct snapshot *s)
{
    struct reply *r = reply_new();
    bool known = dec_cmp(day->equity_before, DEC_ZERO) > 0;
    struct dec change = known ? dec_sub(s->equity, day->equity_before) : DEC_ZERO;
    reply_title(r, tone_of(change), "daily report");
    reply_field(r, "Equity", "{}", cell_money(s->equity));
    if (known) {
        reply_field(r, "Change", "{} ({})", cell_money_signed(change),
                    cell_pct_signed(cell_ratio_pct(change, day->equity_before), 2));
    }
    reply_field(r, "Realised", "{}", cell_money_signed(day->pnl));
    reply_field(r, "Trades", "{}, {} won", cell_count(day->trades), cell_count(day->wins));
    if (day->trades > 0) {
        reply_field(r, "Best", "{} {}", cell_symbol(day->best.symbol.name),
                    cell_money_signed(day->best.pnl));
        reply_field(r, "Worst", "{} {}", cell_symbol(day->worst.symbol.name),
                    cell_money_signed(day->worst.pnl));
    }
    reply_field(r, "Fees", "{}", cell_money(day->fees));
    reply_field(r, "Drawdown", "{}", cell_pct(s->drawdown_pct, 2));
    reply_field(r, "Positions", "{}", cell_count(s->position_count));
    reply_field(r, "Alerts", "{} new, {} open", cell_count(day->new_alerts),
                cell_count(day->open_alerts));
    add_state(r, s);
    return r;
}

static void add_audits(struct reply *r, const struct audit_sums *a)
{
    reply_field(r, "Audits", "{}", cell_count(a->audits));
    if (a->no_verdict > 0) {
        reply_field(r, "No verdict", "{} of them", cell_count(a->no_verdict));
    }
    if (a->answers.claimed > 0) {
        double share = 100.0 * (double)a->answers.rejected / (double)a->answers.claimed;
        reply_field(r, "Model's errors", "{} of {} findings rejected ({})",
                    cell_count(a->answers.rejected), cell_count(a->answers.claimed),
                    cell_pct(share, 1));
    }
}

static void add_spend(struct reply *r, const struct llm_spend *spend)
{
    if (spend->calls == 0) {
        reply_field(r, "Cost", "{}", cell_text("none: the model was not asked"));
        return;
    }
    reply_field(r, "Cost", "{} for {} requests", cell_cost(spend->cost_usd),
                cell_count(spend->calls));
    if (spend->unpriced > 0) {
        reply_more(r, ", {} of them at an unknown cost", cell_count(spend->unpriced));
    }
}

static void add_forecasts(struct reply *r, const struct notice_week *week)
{
    int warned = 0;
    for (int i = 0; i < week->forecast_count; i++) {
        warned += week->forecasts[i].warned;
    }
    if (week->forecast_count == 0) {
        reply_field(r, "Forecast", "{}", cell_text("none: too few days were measured"));
        return;
    }
    reply_field(r, "Forecast", "{} of {} will pass a limit", cell_count(warned),
                cell_count(week->forecast_count));
    for (int i = 0; i < warned; i++) {
        const struct forecast_row *f = &week->forecasts[i];
        reply_more(r, "{}{} {}", cell_text(i == 0 ? ": " : ", "), cell_text(f->kind),
                   cell_text(strcmp(f->subject, "host") == 0 ? "of the machine" : f->subject));
    }
}

struct reply *notice_weekly(const struct notice_week *week, int64_t now_us)
{
    const struct alert_findings *f = &week->findings;
    struct reply *r = reply_new();
    bool bad = week->open_count > 0 && week->open[0].severity >= SEVERITY_HIGH;
    bool none = week->audits.audits == 0; /* no audit is no all-clear */
    reply_title(r,
                bad                   ? TONE_BAD
                : none || f->open > 0 ? TONE_WARN
                                      : TONE_GOOD,
                "weekly digest of the auditor");
    reply_para(r, "Since {}", cell_time(week->since_us, now_us));
    reply_field(r, "Found", "{}", cell_count(f->found));
    reply_field(r, "Fixed", "{}", cell_count(f->fixed));
    reply_field(r, "Came back", "{}", cell_count(f->reopened));
    reply_field(r, "Won't fix", "{}", cell_count(f->wontfix));
    reply_field(r, "Rejected", "{}", cell_count(f->rejected));
    reply_field(r, "Open now", "{}", cell_count(f->open));
    add_audits(r, &week->audits);
    add_spend(r, &week->spend);
    self_report_add(r, &week->self);
    add_forecasts(r, week);
    if (none) {
        reply_line(r, "No audit has finished, so nothing was checked.");
    }
    for (int i = 0; i < week->open_count; i++) {
        reply_item(r, "{} · {}", cell_text(severity_name(week->open[i].severity)),
                   cell_text(week->open[i].title));
    }
    if (week->forecast_count > 0) {
        reply_button(r, "Forecast", "/forecast", BUTTON_PLAIN);
    }
    if (f->open > 0) {
        reply_button(r, "Open findings", "/findings", BUTTON_PLAIN);
    }
    reply_button(r, "Rejected", "/findings rejected", BUTTON_PLAIN);
    return r;
}
