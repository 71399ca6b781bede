#include "trading/why.h"

#include "base/clock.h"
#include "figure.h"

#include <string.h>

#define LINE_SIZE 1024

static const struct vote *vote_of(const struct decision *d, const char *agent)
{
    for (int i = 0; i < d->vote_count; i++) {
        if (strcmp(d->votes[i].agent, agent) == 0) {
            return &d->votes[i];
        }
    }
    return NULL;
}

/* The part of the score that trading rules added. */
static double bias_of(const struct decision *d)
{
    const struct vote *core = vote_of(d, "decision_core");
    for (int i = 0; core != NULL && i < core->reason_count; i++) {
        if (strcmp(core->reasons[i].indicator, "rules") == 0) {
            return core->reasons[i].value;
        }
    }
    return 0;
}

/* Shows how the votes add up to the score; the formula is in src/agents/decision_core.c. */
static void why_score(struct reply *r, const struct decision *d)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    double largest = 0;
    double sum = 0;
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        if (!(v->weight > 0)) {
            continue;
        }
        bool is_first = !(largest > 0);
        double confidence = v->direction == DIRECTION_NONE ? 0 : v->confidence;
        const char *sign = v->direction == DIRECTION_SHORT ? "−" : is_first ? "" : "+";
        buf_addf(&line, "%s%s%s%.2f×%.2f", is_first ? "" : " ", sign, is_first ? "" : " ",
                 confidence, v->weight);
        sum += v->direction == DIRECTION_SHORT ? -confidence * v->weight : confidence * v->weight;
        largest = v->weight > largest ? v->weight : largest;
    }
    if (!(largest > 0)) {
        return;
    }
    double bias = bias_of(d);
    buf_addf(&line, ") / %.2f", largest);
    if (bias > 0 || bias < 0) {
        buf_addf(&line, " %s %.2f by rules", bias > 0 ? "+" : "−", bias > 0 ? bias : -bias);
    }
    buf_add_c(&line, " = ");
    figure_signed(&line, d->score, 2);
    sum = sum / largest + bias;
    buf_addf(&line, "%s", sum > 1.0005 || sum < -1.0005 ? " (limited to 1)" : "");
    reply_line(r, "Score: (%s; ±%.2f is needed", line.data, d->threshold);
}

static const char *vote_text(const struct decision *d, const struct vote *v)
{
    bool spoke = v->reason_count > 0;
    if (strcmp(v->agent, "risk_audit") == 0) {
        return !spoke ? "–" : d->outcome == OUTCOME_VETOED ? "veto" : "pass";
    }
    if (strcmp(v->agent, "execution") == 0) {
        return spoke ? "sent" : "–";
    }
    if (strcmp(v->agent, "data_sync") == 0) {
        return strcmp(d->veto_code, "DATA_INVALID") == 0 ? "bad" : "ok";
    }
    return v->direction == DIRECTION_NONE ? "–" : direction_name(v->direction);
}

static void why_votes(struct reply *r, const struct decision *d)
{
    if (d->vote_count == 0) {
        return;
    }
    reply_table(r, 4, (const char *const[]){"agent", "vote", "conf", "weight"});
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        AUTO_BUF struct buf sure = BUF_INIT(32);
        AUTO_BUF struct buf weight = BUF_INIT(32);
        buf_addf(&sure, "%.2f", v->confidence);
        buf_addf(&weight, "%.2f", v->weight);
        reply_row(r, (const char *const[]){v->agent, vote_text(d, v), sure.data,
                                           v->weight > 0 ? weight.data : "–"});
    }
}

/* Whole numbers without decimals, for counts such as bars and gaps. */
static void add_figure(struct buf *out, double value)
{
    if (value > -1e6 && value < 1e6 && value >= (double)(int64_t)value &&
        value <= (double)(int64_t)value) {
        buf_addf(out, "%lld", (long long)value);
    } else {
        figure_number(out, value);
    }
}

/* The indicators of an agent without weight, in one line. */
static void why_indicators(struct reply *r, const struct decision *d, const char *agent,
                           const char *label)
{
    const struct vote *v = vote_of(d, agent);
    if (v == NULL || v->reason_count == 0) {
        return;
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    for (int i = 0; i < v->reason_count; i++) {
        buf_addf(&line, "%s%s ", i > 0 ? ", " : "", v->reasons[i].indicator);
        add_figure(&line, v->reasons[i].value);
    }
    reply_line(r, "%s: %s", label, line.data);
}

/* The reasons of each weighted vote with their points; short columns, for a phone. */
static void why_reasons(struct reply *r, const struct decision *d)
{
    bool any = false;
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        if (!(v->weight > 0) || v->reason_count == 0) {
            continue;
        }
        if (!any) {
            reply_table(r, 4, (const char *const[]){"indicator", "value", "limit", "points"});
        }
        any = true;
        reply_row(r, (const char *const[]){v->agent, "", "", ""});
        for (int k = 0; k < v->reason_count; k++) {
            const struct reason *why = &v->reasons[k];
            AUTO_BUF struct buf name = BUF_INIT(32);
            AUTO_BUF struct buf value = BUF_INIT(32);
            AUTO_BUF struct buf limit = BUF_INIT(32);
            AUTO_BUF struct buf points = BUF_INIT(32);
            buf_addf(&name, "· %s", why->indicator);
            figure_number(&value, why->value);
            figure_number(&limit, why->threshold);
            buf_addf(&points, "%+.2f", why->points);
            reply_row(r, (const char *const[]){name.data, value.data, limit.data, points.data});
        }
    }
}

const char *why_hold_reason(const struct decision *d)
{
    return d->veto_text[0] != '\0' ? d->veto_text : "the score stayed under the threshold";
}

static bool is_amount(struct dec d)
{
    return dec_is_valid(d) && d.e8 > 0;
}

static void why_veto(struct reply *r, const struct decision *d)
{
    char qty[DEC_TEXT_SIZE];
    reply_line(r, "Vetoed by %s: %s", d->veto_code, d->veto_text);
    if (is_amount(d->qty)) {
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        buf_addf(&line, "Wanted: %s %s", direction_name(d->direction), dec_text(d->qty, qty));
        figure_bracket(&line, d->stop, d->target);
        reply_line(r, "%s", line.data);
    }
    if (is_amount(d->veto_max_qty)) {
        reply_line(r, "Largest quantity that would pass: %s", dec_text(d->veto_max_qty, qty));
    } else {
        reply_line(r, "No quantity would pass.");
    }
}

void why_head(struct reply *r, const struct decision *d)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    figure_signed(&line, d->score, 2);
    reply_title(r, TONE_PLAIN, "%s · %s · score %s of %.2f · %s", d->symbol.name,
                direction_name(d->direction), line.data, d->threshold, outcome_name(d->outcome));
    buf_clear(&line);
    buf_addf(&line, "Decision %lld at ", (long long)d->id);
    clock_add_when(&line, d->at_us, 0);
    buf_add_c(&line, " UTC, price ");
    figure_price(&line, d->price);
    buf_addf(&line, ", market %s", regime_name(d->regime));
    reply_line(r, "%s", line.data);
    why_votes(r, d);
    why_score(r, d);
}

void why_conclusion(struct reply *r, const struct decision *d)
{
    char qty[DEC_TEXT_SIZE];
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    switch (d->outcome) {
    case OUTCOME_HOLD:
        reply_line(r, "Held: %s.", why_hold_reason(d));
        return;
    case OUTCOME_VETOED:
        why_veto(r, d);
        return;
    case OUTCOME_ORDER:
        buf_addf(&line, "Order %s: %s %s", d->client_id, direction_name(d->direction),
                 dec_text(d->qty, qty));
        figure_bracket(&line, d->stop, d->target);
        reply_line(r, "%s", line.data);
        return;
    }
}

void why_details(struct reply *r, const struct decision *d)
{
    why_reasons(r, d);
    why_indicators(r, d, "quant_analyst", "Market");
    why_indicators(r, d, "data_sync", "Data");
}
