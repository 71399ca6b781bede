#include "trading/why.h"

#include "base/clock.h"
#include "view.h"

#include <string.h>

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
    double largest = 0;
    double sum = 0;
    for (int i = 0; i < d->vote_count; i++) {
        largest = d->votes[i].weight > largest ? d->votes[i].weight : largest;
    }
    if (!(largest > 0)) {
        return;
    }
    const char *between = "";
    reply_line(r, "Score: (");
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        if (!(v->weight > 0)) {
            continue;
        }
        bool is_short = v->direction == DIRECTION_SHORT;
        double confidence = v->direction == DIRECTION_NONE ? 0 : v->confidence;
        reply_more(r, "{}{}×{}",
                   cell_text(between[0] != '\0' ? (is_short ? " − " : " + ")
                             : is_short         ? "−"
                                                : ""),
                   cell_number(confidence, 2), cell_number(v->weight, 2));
        sum += is_short ? -confidence * v->weight : confidence * v->weight;
        between = " ";
    }
    double bias = bias_of(d);
    reply_more(r, ") / {}", cell_number(largest, 2));
    if (bias > 0 || bias < 0) {
        reply_more(r, " {} {} by rules", cell_text(bias > 0 ? "+" : "−"),
                   cell_number(bias > 0 ? bias : -bias, 2));
    }
    sum = sum / largest + bias;
    reply_more(r, " = {}{}; ±{} is needed", cell_number_signed(d->score, 2),
               cell_text(sum > 1.0005 || sum < -1.0005 ? " (limited to 1)" : ""),
               cell_number(d->threshold, 2));
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
    reply_columns(r, "agent", "vote", "conf", "weight");
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        reply_cells(r, cell_text(v->agent), cell_text(vote_text(d, v)),
                    cell_number(v->confidence, 2),
                    v->weight > 0 ? cell_number(v->weight, 2) : cell_none());
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
    reply_para(r, "{}: ", cell_text(label));
    for (int i = 0; i < v->reason_count; i++) {
        reply_more(r, "{}{} {}", cell_text(i > 0 ? ", " : ""), cell_text(v->reasons[i].indicator),
                   cell_number_auto(v->reasons[i].value, true)); /* bars and gaps are counts */
    }
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
            reply_columns(r, "indicator", "value", "limit", "points");
        }
        any = true;
        reply_cells(r, cell_text(v->agent), cell_text(""), cell_text(""), cell_text(""));
        for (int k = 0; k < v->reason_count; k++) {
            const struct reason *why = &v->reasons[k];
            AUTO_BUF struct buf name = BUF_INIT(64);
            buf_addf(&name, "· %s", why->indicator);
            reply_cells(r, cell_text(name.data), cell_number_auto(why->value, false),
                        cell_number_auto(why->threshold, false),
                        cell_number_signed(why->points, 2));
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
    reply_para(r, "Vetoed by {}: {}", cell_text(d->veto_code), cell_text(d->veto_text));
    if (is_amount(d->qty)) {
        reply_para(r, "Wanted: {} {}", cell_text(direction_name(d->direction)),
                   cell_qty(d->qty, d->symbol.name));
        view_bracket(r, &d->symbol, d->stop, d->target);
    }
    if (is_amount(d->veto_max_qty)) {
        reply_para(r, "Largest quantity that would pass: {}",
                   cell_qty(d->veto_max_qty, d->symbol.name));
    } else {
        reply_line(r, "No quantity would pass.");
    }
}

void why_head(struct reply *r, const struct decision *d)
{
    AUTO_BUF struct buf score = BUF_INIT(64);
    cell_add_text(&score, cell_number_signed(d->score, 2));
    reply_title(r, TONE_PLAIN, "%s · %s · score %s of %.2f · %s", d->symbol.name,
                direction_name(d->direction), score.data, d->threshold, outcome_name(d->outcome));
    reply_para(r, "Decision {} at {}, price {}, market {}", cell_count(d->id),
               cell_time(d->at_us, 0), cell_price(d->price, d->symbol.name),
               cell_text(regime_name(d->regime)));
    why_votes(r, d);
    why_score(r, d);
}

void why_conclusion(struct reply *r, const struct decision *d)
{
    switch (d->outcome) {
    case OUTCOME_HOLD:
        reply_line(r, "Held: %s.", why_hold_reason(d));
        return;
    case OUTCOME_VETOED:
        why_veto(r, d);
        return;
    case OUTCOME_ORDER:
        reply_para(r, "Order {}: {} {}", cell_code(d->client_id),
                   cell_text(direction_name(d->direction)), cell_qty(d->qty, d->symbol.name));
        view_bracket(r, &d->symbol, d->stop, d->target);
        return;
    }
}

void why_details(struct reply *r, const struct decision *d)
{
    reply_fold(r, "Details");
    why_reasons(r, d);
    why_indicators(r, d, "quant_analyst", "Market");
    why_indicators(r, d, "data_sync", "Data");
    reply_fold_end(r);
}
