#include "figures.h"

#include <math.h>

struct cell figures_result(struct dec amount)
{
    return amount.e8 == 0 ? cell_money(amount) : cell_money_signed(amount);
}

struct dec figures_net(const struct figure_sum *sum)
{
    return dec_sub(sum->pnl, dec_add(sum->funding, sum->charges));
}

struct dec figures_fees(const struct figure_sum *sum)
{
    return dec_add(sum->fees, sum->charges);
}

static double won_pct(const struct figure_sum *sum)
{
    return sum->trades > 0 ? 100.0 * (double)sum->wins / (double)sum->trades : (double)NAN;
}

static double profit_factor(const struct figure_sum *sum)
{
    return sum->loss.e8 < 0 ? (double)sum->profit.e8 / -(double)sum->loss.e8 : (double)NAN;
}

static struct dec average(const struct figure_sum *sum)
{
    return dec_div(sum->pnl, dec_from_int(sum->trades));
}

void figures_fields(struct reply *r, struct dec before_fees, struct dec fees, struct dec funding)
{
    reply_field(r, "Before fees", "{}", figures_result(before_fees));
    reply_field(r, "Fees", "{}", figures_result(dec_neg(fees)));
    reply_field(r, "Funding", "{}", figures_result(dec_neg(funding)));
}

void figures_trades(struct reply *r, const struct figure_sum *sum)
{
    if (sum->trades == 0) {
        reply_field(r, "Trades", "{}", cell_text("none closed"));
        return;
    }
    reply_field(r, "Trades", "{}: {} won ({}), {} lost", cell_count(sum->trades),
                cell_count(sum->wins), cell_pct(won_pct(sum), 0), cell_count(sum->losses));
    if (sum->loss.e8 < 0) {
        reply_field(r, "Profit factor", "{}", cell_number(profit_factor(sum), 2));
    }
    reply_field(r, "Average trade", "{}, held {}", figures_result(average(sum)),
                cell_duration(sum->held_us / sum->trades));
    reply_field(r, "Best", "{}", figures_result(sum->best));
    reply_field(r, "Worst", "{}", figures_result(sum->worst));
}

void figures_json(struct json_out *data, const struct figure_sum *sum)
{
    json_out_i64(data, "trades", sum->trades);
    json_out_i64(data, "wins", sum->wins);
    json_out_i64(data, "losses", sum->losses);
    json_out_rounded(data, "win_rate_pct", won_pct(sum), 6);
    json_out_dec(data, "before_fees", dec_add(sum->pnl, sum->fees));
    json_out_dec(data, "fees", figures_fees(sum));
    json_out_dec(data, "funding", sum->funding);
    json_out_dec(data, "net", figures_net(sum));
    json_out_rounded(data, "profit_factor", profit_factor(sum), 6);
    json_out_dec(data, "average", sum->trades > 0 ? average(sum) : DEC_INVALID);
    json_out_dec(data, "best", sum->trades > 0 ? sum->best : DEC_INVALID);
    json_out_dec(data, "worst", sum->trades > 0 ? sum->worst : DEC_INVALID);
    json_out_i64(data, "held_us", sum->held_us);
}
