/* One pass over the closed trades of a period. */
#include "base/check.h"
#include "io/json.h"
#include "measure_internal.h"

#include <string.h>

#define AGENTS_MAX 16

struct row_of_trade {
    int64_t id;
    struct str symbol, side, reason, regime, votes;
    struct dec qty, entry, exit, pnl, fees;
    int64_t opened_us, closed_us;
};

struct agent_vote {
    struct str agent;
    int direction; /* 1: long, -1: short, 0: none */
};

/* The votes of the decision, which are valid as long as *ret_tree. */
static int read_votes(struct str votes, struct json_object **ret_tree,
                      struct agent_vote ret[AGENTS_MAX])
{
    int count = 0;
    *ret_tree = NULL;
    if (votes.len == 0 || json_parse(votes, &JSON_LIMITS_DEFAULT, ret_tree, NULL) < 0) {
        return 0;
    }
    for (size_t i = 0; i < json_len(*ret_tree) && count < AGENTS_MAX; i++) {
        struct json_object *vote = json_item(*ret_tree, i);
        struct str direction = json_str(vote, "direction");
        ret[count].agent = json_str(vote, "agent");
        ret[count++].direction = str_equal_c(direction, "long")    ? 1
                                 : str_equal_c(direction, "short") ? -1
                                                                   : 0;
    }
    return count;
}

static int side_of(const struct row_of_trade *t)
{
    return str_equal_c(t->side, "long") ? 1 : -1;
}

static void add_trade(struct measure_sum *sum, const struct row_of_trade *t)
{
    int64_t held_us = t->closed_us - t->opened_us;
    bool win = t->pnl.e8 > 0, loss = t->pnl.e8 < 0;
    sum->first_us = sum->count == 0 ? t->closed_us : sum->first_us;
    sum->last_us = t->closed_us;
    if (sum->count == 0 || dec_cmp(t->pnl, sum->best) > 0) {
        sum->best = t->pnl;
        sum->best_id = t->id;
    }
    if (sum->count == 0 || dec_cmp(t->pnl, sum->worst) < 0) {
        sum->worst = t->pnl;
        sum->worst_id = t->id;
    }
    sum->count++;
    sum->wins += win;
    sum->losses += loss;
    sum->amount = dec_add(sum->amount, t->pnl);
    sum->fees = dec_add(sum->fees, t->fees);
    sum->profit = win ? dec_add(sum->profit, t->pnl) : sum->profit;
    sum->loss = loss ? dec_add(sum->loss, t->pnl) : sum->loss;
    sum->volume =
        dec_add(sum->volume, dec_add(dec_mul(t->qty, t->entry), dec_mul(t->qty, t->exit)));
    sum->held_us += held_us;
    sum->longest_us = held_us > sum->longest_us ? held_us : sum->longest_us;
    if (win) {
        sum->run = sum->run > 0 ? sum->run + 1 : 1;
        sum->wins_in_a_row = sum->run > sum->wins_in_a_row ? sum->run : sum->wins_in_a_row;
    } else if (loss) {
        sum->run = sum->run < 0 ? sum->run - 1 : -1;
        sum->losses_in_a_row = -sum->run > sum->losses_in_a_row ? -sum->run : sum->losses_in_a_row;
    }
}

/* Whether the price moved to the side of the vote. */
static void judge(struct measure_sum *sum, const struct row_of_trade *t, int direction)
{
    int moved = dec_cmp(t->exit, t->entry);
    if (direction != 0) {
        sum->judged++;
        sum->right += moved * direction > 0;
    }
}

static void take_judged(const struct measure_query *q, struct measure_result *ret,
                        const struct row_of_trade *t, const struct agent_vote *votes, int count)
{
    for (int i = 0; i < count; i++) {
        if (q->agent[0] != '\0' && !str_equal_c(votes[i].agent, q->agent)) {
            continue;
        }
        judge(&ret->all, t, votes[i].direction);
        if (q->by == MEASURE_BY_AGENT) {
            judge(measure_group(ret, votes[i].agent), t, votes[i].direction);
        } else if (q->by == MEASURE_BY_SYMBOL) {
            judge(measure_group(ret, t->symbol), t, votes[i].direction);
        }
    }
}

/* The agents that voted for the side of the entry. */
static bool voted_for(const struct agent_vote *vote, const struct row_of_trade *t)
{
    return vote->direction == side_of(t);
}

static void take(const struct measure_query *q, struct measure_result *ret,
                 const struct row_of_trade *t)
{
    char name[MEASURE_NAME_SIZE] = "";
    struct agent_vote votes[AGENTS_MAX];
    AUTO_JSON struct json_object *tree = NULL;
    int count = read_votes(t->votes, &tree, votes);
    if (q->accuracy) {
        take_judged(q, ret, t, votes, count);
        return;
    }
    bool of_agent = q->agent[0] == '\0';
    for (int i = 0; i < count && !of_agent; i++) {
        of_agent = str_equal_c(votes[i].agent, q->agent) && voted_for(&votes[i], t);
    }
    if (!of_agent) {
        return;
    }
    add_trade(&ret->all, t);
    switch (q->by) {
    case MEASURE_BY_SYMBOL:
        add_trade(measure_group(ret, t->symbol), t);
        break;
    case MEASURE_BY_EXIT:
        add_trade(measure_group(ret, t->reason), t);
        break;
    case MEASURE_BY_SIDE:
        add_trade(measure_group(ret, t->side), t);
        break;
    case MEASURE_BY_HOUR:
    case MEASURE_BY_DAY:
        measure_time_name(q, t->closed_us, name);
        add_trade(measure_group(ret, str_c(name)), t);
        break;
    case MEASURE_BY_AGENT:
        for (int i = 0; i < count; i++) {
            if (voted_for(&votes[i], t)) {
                add_trade(measure_group(ret, votes[i].agent), t);
            }
        }
        break;
    case MEASURE_BY_REGIME:
        add_trade(measure_group(ret, t->regime.len > 0 ? t->regime : STR_LIT("unknown")), t);
        break;
    case MEASURE_BY_NONE:
    case MEASURE_BY_CODE:
    case MEASURE_BY_SERVICE:
        break;
    }
}

/* Two texts: the decisions are long, and only some measures need them. */
#define FIELDS                                                                   \
    "t.id, t.symbol, t.side, t.exit_reason, t.qty, t.entry_price, t.exit_price," \
    " t.pnl, t.fees, t.opened_us, t.closed_us"
#define PERIOD                                                                     \
    " WHERE t.closed_us >= ?1 AND t.closed_us < ?2 AND (?3 = '' OR t.symbol = ?3)" \
    " AND (?4 = '' OR t.side = ?4) ORDER BY t.closed_us, t.id"
#define LAST                                                                 \
    " WHERE t.id IN (SELECT id FROM trades WHERE (?3 = '' OR symbol = ?3)"   \
    " AND (?4 = '' OR side = ?4) ORDER BY closed_us DESC, id DESC LIMIT ?5)" \
    " AND t.closed_us >= ?1 AND t.closed_us < ?2 ORDER BY t.closed_us, t.id"
#define ALONE ", '', '' FROM trades t"
#define DECISION                                                    \
    ", coalesce(d.regime, ''), coalesce(d.votes, '') FROM trades t" \
    " LEFT JOIN decisions d ON d.id = t.decision_id"

static const char *sql_of(const struct measure_query *q)
{
    bool votes = q->accuracy || q->agent[0] != '\0' || q->by == MEASURE_BY_AGENT ||
                 q->by == MEASURE_BY_REGIME;
    if (q->last > 0) {
        return votes ? "SELECT " FIELDS DECISION LAST : "SELECT " FIELDS ALONE LAST;
    }
    return votes ? "SELECT " FIELDS DECISION PERIOD : "SELECT " FIELDS ALONE PERIOD;
}

int measure_trades(struct db *db, const struct measure_query *q, struct measure_result *ret,
                   struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    const char *side = q->side > 0 ? "long" : q->side < 0 ? "short" : "";
    bool last = q->last > 0;
    const struct db_value values[] = {DB_I64(last ? INT64_MIN : q->from_us),
                                      DB_I64(last ? INT64_MAX : q->to_us), DB_TEXT_C(q->symbol),
                                      DB_TEXT_C(side), DB_I64(q->last)};
    int rc = db_query(db, sql_of(q), values, last ? 5 : 4, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row_of_trade t = {.id = db_i64(rows, 0),
                                 .symbol = db_text(rows, 1),
                                 .side = db_text(rows, 2),
                                 .reason = db_text(rows, 3),
                                 .qty = db_dec(rows, 4),
                                 .entry = db_dec(rows, 5),
                                 .exit = db_dec(rows, 6),
                                 .pnl = db_dec(rows, 7),
                                 .fees = db_dec(rows, 8),
                                 .opened_us = db_i64(rows, 9),
                                 .closed_us = db_i64(rows, 10),
                                 .regime = db_text(rows, 11),
                                 .votes = db_text(rows, 12)};
        take(q, ret, &t);
    }
    return rc < 0 ? rc : 0;
}
