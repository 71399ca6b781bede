#include "base/clock.h"
#include "base/dec.h"
#include "command/reply.h"
#include "io/json_out.h"
#include "recommend_internal.h"

#include <math.h>
#include <string.h>

#define SHOWN_MAX     8 /* that are certain */
#define UNCERTAIN_MAX 5
#define BUTTON_LINE   60 /* bytes; a button holds 64 */
#define CHANCE_SHOWN  0.0001

static const char *confidence(const struct advice *advice)
{
    return advice->state == ADVICE_FEW      ? "too few cases"
           : advice->state == ADVICE_CHANCE ? "could be chance"
           : advice->p <= 0.001             ? "high"
           : advice->p <= 0.01              ? "good"
                                            : "fair";
}

static const char *unit_name(enum advice_unit unit)
{
    static const char *const names[] = {"usd_week", "pct_of_time", "alerts_week", "unknown"};
    return names[unit];
}

static struct cell amount(const struct advice *advice, double value)
{
    return advice->unit == ADVICE_USD   ? cell_money_signed(dec_from_double(value))
           : advice->unit == ADVICE_PCT ? cell_pct(value, 2)
                                        : cell_number(value, 1);
}

static void add_effect(struct reply *r, const struct advice *advice)
{
    static const char *const formats[] = {"{} a week (95 %: {} to {})", "{} of the time ({} to {})",
                                          "{} alerts a week ({} to {})"};
    if (advice->unit == ADVICE_UNKNOWN || !isfinite(advice->low)) {
        reply_field(r, "Effect", "not known in money", cell_none());
    } else {
        reply_field(r, "Effect", formats[advice->unit], amount(advice, advice->effect),
                    amount(advice, advice->low), amount(advice, advice->high));
    }
}

static void add_advice(struct reply *r, const struct advice *advice)
{
    reply_heading(r, advice->what);
    add_effect(r, advice);
    if (advice->days > 0) {
        reply_field(r, "Cases", "{} trades on {} days", cell_count(advice->cases),
                    cell_count(advice->days));
    } else {
        reply_field(r, "Cases", "{}", cell_count(advice->cases));
    }
    bool tiny = advice->p < CHANCE_SHOWN;
    reply_field(r, "Confidence", tiny ? "{}; by chance: below {}" : "{}; by chance: {}",
                cell_text(confidence(advice)), cell_number(tiny ? CHANCE_SHOWN : advice->p, 4));
    reply_field(r, "Reckoned", "{}", cell_text(advice->basis));
    reply_field(r, "Command", "{}", cell_code(advice->command));
    if (strlen(advice->command) <= BUTTON_LINE) {
        reply_button_row(r);
        reply_button(r, advice->what, advice->command, BUTTON_PLAIN);
    }
}

static bool is_shown(const struct advice *advice, int area, bool certain)
{
    return (advice->state == ADVICE_CERTAIN) == certain &&
           (area < 0 || advice->area == (enum advice_area)area);
}

static void add_json(struct json_out *out, const struct advisor *a, int area, bool certain)
{
    int left = certain ? SHOWN_MAX : UNCERTAIN_MAX;
    json_out_array(out, certain ? "advice" : "uncertain");
    for (int i = 0; i < a->count && left > 0; i++) {
        const struct advice *advice = &a->items[i];
        if (!is_shown(advice, area, certain)) {
            continue;
        }
        left--;
        json_out_object(out, NULL);
        json_out_text(out, "area", advice_area_name(advice->area));
        json_out_text(out, "what", advice->what);
        json_out_text(out, "unit", unit_name(advice->unit));
        bool known = advice->unit != ADVICE_UNKNOWN;
        json_out_rounded(out, "effect", known ? advice->effect : (double)NAN, 4);
        json_out_rounded(out, "low", known ? advice->low : (double)NAN, 4);
        json_out_rounded(out, "high", known ? advice->high : (double)NAN, 4);
        json_out_i64(out, "cases", advice->cases);
        json_out_i64(out, "days", advice->days);
        json_out_rounded(out, "p", advice->p, 6);
        json_out_text(out, "confidence", confidence(advice));
        json_out_text(out, "basis", advice->basis);
        json_out_text(out, "command", advice->command);
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_uncertain(struct reply *r, const struct advisor *a, int area)
{
    int left = UNCERTAIN_MAX;
    for (int i = 0; i < a->count && left > 0; i++) {
        const struct advice *advice = &a->items[i];
        if (is_shown(advice, area, false)) {
            if (left-- == UNCERTAIN_MAX) {
                reply_fold(r, "Not recommended: could be chance");
            }
            reply_item(r, "{}: {} ({})", cell_text(advice->what), cell_count(advice->cases),
                       cell_text(confidence(advice)));
        }
    }
    if (left < UNCERTAIN_MAX) {
        reply_fold_end(r);
    }
}

static bool is_of_trades(int area)
{
    static const bool others[ADVICE_AREAS] = {[ADVICE_RULES] = true,
                                              [ADVICE_SERVICES] = true,
                                              [ADVICE_ALERTS] = true,
                                              [ADVICE_MODEL] = true};
    return area < 0 || !others[area];
}

static void add_nothing(struct reply *r, const struct advisor *a, int area)
{
    reply_title(r, TONE_GOOD, "Nothing to recommend");
    if (!is_of_trades(area)) {
        reply_line(r, "%s: whatever stands out could be chance, or there are too few cases.",
                   advice_area_name((enum advice_area)area));
    } else if (a->trade_count < ADVICE_CASES_MIN || advisor_days(a) < ADVICE_DAYS_MIN) {
        reply_para(r, "Too little to judge trading by: {} trades on {} days; {} on {} are needed.",
                   cell_count(a->trade_count), cell_count(advisor_days(a)),
                   cell_count(ADVICE_CASES_MIN), cell_count(ADVICE_DAYS_MIN));
    } else {
        reply_line(r, "Whatever differs could be chance, or has too few cases.");
    }
}

void advice_show(const struct advisor *a, int area, struct reply *r)
{
    int shown = 0;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    for (int i = 0; i < a->count && shown < SHOWN_MAX; i++) {
        if (is_shown(&a->items[i], area, true)) {
            if (shown++ == 0) {
                reply_title(r, TONE_WARN, "Recommendations");
            }
            add_advice(r, &a->items[i]);
        }
    }
    if (shown == 0) {
        add_nothing(r, a, area);
    }
    add_uncertain(r, a, area);
    if (a->tested > 0) {
        reply_para(r,
                   "Tested: {} ideas, with {} closed trades of {}. Chance alone passes one of "
                   "them in at most {} of looks.",
                   cell_count(a->tested), cell_count(a->trade_count),
                   cell_duration((int64_t)(advisor_weeks(a) * 7.0 * (double)USEC_PER_DAY)),
                   cell_pct(100 * ADVICE_LEVEL, 0));
    }
    json_out_object(&data, "recommendations");
    json_out_text(&data, "area", area < 0 ? "all" : advice_area_name((enum advice_area)area));
    json_out_i64(&data, "trades", a->trade_count);
    json_out_i64(&data, "days", advisor_days(a));
    json_out_i64(&data, "tested", a->tested);
    json_out_rounded(&data, "level", ADVICE_LEVEL, 3);
    add_json(&data, a, area, true);
    add_json(&data, a, area, false);
    json_out_end(&data);
}
