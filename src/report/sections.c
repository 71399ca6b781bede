#include "sections.h"

#include "decisions.h"
#include "votes.h"

#include <stddef.h>
#include <string.h>

enum kind { OPEN, CLOSE, ROW, ROWS, END };

/* A step that writes the report: opens or closes an object, or writes the rows of a statement into
 * the open object, ROWS as an object each. With a name, ROW and ROWS open one of their own. */
struct step {
    enum kind kind;
    const char *name;
    const char *sql;
};

static const struct step trading_steps[] = {
    {OPEN, "orders", NULL},
    {ROW, NULL,
     "SELECT (SELECT count(*) FROM orders) AS \"all\", count(*) AS open,"
     " coalesce(sum(state = 'unknown'), 0) AS unknown,"
     " coalesce(sum(state IN ('prepared', 'sent', 'unknown')"
     " AND fact('market_us') - created_us >= fact('stuck_us')), 0) AS stuck,"
     " fact('stuck_us') / 6e7 AS stuck_after_min"
     " FROM orders WHERE state NOT IN ('filled', 'cancelled', 'rejected')"},
    {ROWS, "stuck_orders",
     "SELECT 'order-' || client_id, symbol, kind, side, state, qty AS qty_e8,"
     " created_us AS created_at, (fact('market_us') - created_us) / 6e7 AS age_min"
     " FROM orders WHERE state NOT IN ('filled', 'cancelled', 'rejected')"
     " AND state IN ('prepared', 'sent', 'unknown')"
     " AND fact('market_us') - created_us >= fact('stuck_us') ORDER BY created_us LIMIT 10"},
    /* Of the newest orders, which are found without reading all. */
    {ROWS, "by_state",
     "SELECT state, count(*) AS count FROM (SELECT state, created_us FROM orders"
     " ORDER BY rowid DESC LIMIT 5000) WHERE created_us >= fact('since_us') GROUP BY 1"},
    {ROWS, "by_kind",
     "SELECT kind, count(*) AS count, avg(updated_us - created_us) / 1e6 AS average_latency_s,"
     " max(updated_us - created_us) / 1e6 AS max_latency_s,"
     " avg((average_price - reference_price) * 1e4 / reference_price *"
     " CASE WHEN (side = 'long') = (kind = 'entry') THEN 1 ELSE -1 END) AS average_slippage_bp,"
     " max(abs(average_price - reference_price) * 1e4 / reference_price) AS max_slippage_bp"
     " FROM (SELECT * FROM orders ORDER BY rowid DESC LIMIT 5000)"
     " WHERE created_us >= fact('since_us') AND state = 'filled' AND reference_price > 0"
     " AND average_price > 0 GROUP BY 1"},
    {CLOSE, NULL, NULL},

    {OPEN, "rules", NULL},
    {ROWS, "by_status", "SELECT status, count(*) AS count FROM trading_rules GROUP BY 1"},
    {ROW, NULL,
     "SELECT count(*) AS total,"
     " coalesce(sum(status <> 'retired' AND success_count + failure_count = 0), 0) AS unused,"
     " coalesce(sum(success_count = 0 AND failure_count > 0), 0) AS never_succeeded"
     " FROM trading_rules"},
    {ROWS, "each",
     "SELECT 'rule-' || id, status, effect, success_count AS success, failure_count AS failure,"
     " success_count AS success_rate_k, success_count + failure_count AS success_rate_n,"
     " (SELECT max(at_us) FROM decisions WHERE at_us >= fact('since_us') AND rules <> ''"
     " AND ' ' || rules || ' ' LIKE '% ' || trading_rules.id || ' %') AS last_used_at,"
     " (SELECT count(*) FROM decisions WHERE at_us >= fact('since_us') AND rules <> ''"
     " AND ' ' || rules || ' ' LIKE '% ' || trading_rules.id || ' %') AS matches"
     " FROM trading_rules ORDER BY status = 'retired', id LIMIT 40"},
    {CLOSE, NULL, NULL},
    {END, NULL, NULL},
};

static const struct step account_steps[] = {
    {ROWS, "daily",
     "SELECT date(at_us / 1000000, 'unixepoch'), equity AS equity_e8, realised AS realised_pnl_e8,"
     " max(at_us) AS last_at FROM equity_curve"
     " WHERE at_us >= fact('market_us') - 30 * 86400000000 GROUP BY 1 ORDER BY 1"},
    {ROW, "trend",
     "WITH point AS (SELECT at_us, equity, lag(equity) OVER (ORDER BY at_us) AS before"
     " FROM equity_curve WHERE at_us >= fact('since_us')),"
     " change AS (SELECT at_us, equity, before, (equity - before) * 100.0 / before AS pct"
     " FROM point)"
     " SELECT count(*) AS points, (SELECT equity FROM point ORDER BY at_us LIMIT 1) AS first_e8,"
     " (SELECT equity FROM point ORDER BY at_us DESC LIMIT 1) AS last_e8,"
     " ((SELECT equity FROM point ORDER BY at_us DESC LIMIT 1) * 100.0 /"
     " (SELECT equity FROM point ORDER BY at_us LIMIT 1) - 100) AS change_pct,"
     " max(equity) AS highest_e8, min(equity) AS lowest_e8,"
     " sqrt(max(0, avg(pct * pct) - avg(pct) * avg(pct))) AS hourly_volatility_pct FROM change"},
    {ROWS, "refused_near_limits",
     "SELECT key, json_extract(value, '$.count') AS count FROM json_each(fact('/decisions/vetoes'))"
     " WHERE key IN ('RISK_TOTAL_EXPOSURE', 'RISK_TIER_EXPOSURE', 'RISK_SYMBOL_EXPOSURE',"
     " 'RISK_MAX_POSITIONS', 'RISK_POSITION_SIZE', 'RISK_LEVERAGE', 'RISK_MARGIN',"
     " 'RISK_LIQUIDATION', 'RISK_DAILY_LOSS', 'RISK_DRAWDOWN')"},
    {END, NULL, NULL},
};

static const struct step ops_steps[] = {
    {OPEN, "learnings", NULL},
    {ROW, NULL,
     "SELECT count(*) AS total, coalesce(sum(created_us >= fact('wall_us') - 86400000000), 0)"
     " AS last_24h, avg(confidence) AS average_confidence,"
     " coalesce(sum(rule_id <> 0), 0) AS with_rule, coalesce(sum(duplicates), 0) AS duplicates,"
     " coalesce(sum(outcome IN ('confirmed', 'testing', 'active')), 0) AS actionable,"
     " (SELECT coalesce(max(value), 0) FROM kv WHERE name = 'learning_words_rejected')"
     " AS words_rejected, max(updated_us) AS last_at FROM learnings"},
    {ROWS, "by_outcome",
     "SELECT outcome, count(*) AS count, avg(confidence) AS average_confidence FROM learnings"
     " GROUP BY 1"},
    {ROW, "reflections",
     "SELECT count(*) AS count, coalesce(sum(at_us >= fact('wall_us') - 86400000000), 0)"
     " AS last_24h, coalesce(sum(decision_id = 0), 0) AS without_decision,"
     " coalesce(sum(best_pct IS NULL), 0) AS without_excursion,"
     " coalesce(sum(words <> ''), 0) AS with_words,"
     " avg(best_pct) AS average_best_pct, avg(worst_pct) AS average_worst_pct,"
     " max(at_us) AS last_at FROM reflections"},
    {ROW, "studies",
     "SELECT count(*) AS count, coalesce(sum(tried), 0) AS tests,"
     " coalesce(sum(survivors), 0) AS survived, coalesce(sum(confirmed), 0) AS confirmed,"
     " max(at_us) AS last_at FROM learning_reviews"},
    /* Each that a rule came from, or may. */
    {ROWS, "each",
     "SELECT 'learning-' || id, outcome, effect, wins AS win_rate_k, cases AS win_rate_n,"
     " formed_p, held_p AS held_out_p, rule_id AS rule FROM learnings WHERE review_id <> 0"
     " ORDER BY rule_id = 0, id DESC LIMIT 20"},
    {CLOSE, NULL, NULL},

    {OPEN, "services", NULL},
    {ROWS, NULL,
     "WITH sample AS (SELECT service, at_us, up, latency_us,"
     " lag(up) OVER (PARTITION BY service ORDER BY at_us) AS before FROM service_samples"
     " WHERE at_us >= fact('wall_since_us'))"
     " SELECT service, count(*) AS samples, sum(up) AS up_rate_k, count(*) AS up_rate_n,"
     " coalesce(sum(up <> before), 0) AS changes,"
     " avg(CASE WHEN up THEN latency_us END) / 1e3 AS average_ms, max(latency_us) / 1e3 AS max_ms,"
     " max(at_us) AS last_at FROM sample GROUP BY 1 ORDER BY 1 LIMIT 40"},
    {CLOSE, NULL, NULL},

    {OPEN, "alerts", NULL},
    {ROWS, "open_by_severity",
     "SELECT severity, count(*) AS count FROM monitoring_alerts"
     " WHERE status IN ('open', 'acknowledged') GROUP BY 1"},
    {ROWS, "new_by_source",
     "SELECT source, count(*) AS count, sum(count) AS times FROM monitoring_alerts"
     " WHERE last_seen_at >= strftime('%Y-%m-%dT%H:%M:%SZ', fact('wall_since_us') / 1000000,"
     " 'unixepoch') GROUP BY 1 ORDER BY 2 DESC LIMIT 12"},
    {ROW, NULL,
     "SELECT coalesce(sum(status = 'open'), 0) AS open,"
     " coalesce(sum(status = 'acknowledged'), 0) AS acknowledged,"
     " coalesce(sum(status = 'fixed'), 0) AS fixed, coalesce(sum(status = 'wontfix'), 0)"
     " AS wontfix, coalesce(sum(status = 'rejected'), 0) AS rejected,"
     " coalesce(sum(reopened), 0) AS reopened FROM monitoring_alerts"},
    {CLOSE, NULL, NULL},

    /* What the engine kept failing at, by error code. */
    {OPEN, "errors", NULL},
    {ROWS, NULL,
     "SELECT substr(fingerprint, 8), count(*) AS alerts, sum(count) AS times FROM monitoring_alerts"
     " WHERE source = 'engine' AND fingerprint LIKE 'engine:%' AND last_seen_at >="
     " strftime('%Y-%m-%dT%H:%M:%SZ', fact('wall_since_us') / 1000000, 'unixepoch')"
     " GROUP BY 1 ORDER BY 3 DESC LIMIT 12"},
    {CLOSE, NULL, NULL},

    {OPEN, "outbox", NULL},
    {ROWS, "by_state",
     "SELECT state, count(*) AS count FROM outbox WHERE created_at_us >= fact('wall_since_us')"
     " GROUP BY 1"},
    {ROW, NULL,
     "SELECT count(*) AS waiting, (fact('wall_us') - min(created_at_us)) / 6e7"
     " AS oldest_waiting_min FROM outbox WHERE state IN ('queued', 'sending')"},
    {CLOSE, NULL, NULL},

    {OPEN, "commands", NULL},
    {ROWS, "runs_by_state",
     "SELECT state, count(*) AS count FROM command_runs WHERE created_us >= fact('wall_since_us')"
     " GROUP BY 1"},
    {ROWS, "errors",
     "SELECT error_code, count(*) AS count FROM command_runs"
     " WHERE created_us >= fact('wall_since_us') AND error_code <> '' GROUP BY 1"
     " ORDER BY 2 DESC LIMIT 12"},
    {CLOSE, NULL, NULL},

    {OPEN, "config_changes", NULL},
    {ROWS, NULL,
     "SELECT 'version-' || id, at_us AS changed_at, channel FROM config_versions"
     " WHERE at_us >= fact('wall_since_us') ORDER BY id DESC LIMIT 10"},
    {CLOSE, NULL, NULL},

    {OPEN, "audits", NULL},
    {ROW, NULL,
     "SELECT count(*) AS count, coalesce(sum(rejected), 0) AS rejected_rate_k,"
     " coalesce(sum(claimed), 0) AS rejected_rate_n,"
     " coalesce(sum(verdict = 'no_verdict'), 0) AS no_verdict, max(finished_us) AS last_at"
     " FROM (SELECT * FROM audits WHERE model <> '' ORDER BY id DESC LIMIT 100)"},
    {CLOSE, NULL, NULL},

    {OPEN, "model", NULL},
    {ROW, NULL,
     "WITH call AS (SELECT * FROM llm_calls WHERE at_us >= fact('wall_since_us')),"
     " answered AS (SELECT latency_us, row_number() OVER (ORDER BY latency_us) AS place,"
     " count(*) OVER () AS n FROM call WHERE stop_reason <> '')"
     " SELECT count(*) AS calls, coalesce(sum(error_code <> ''), 0) AS error_rate_k,"
     " count(*) AS error_rate_n,"
     " (SELECT avg(latency_us) / 1e6 FROM answered) AS average_s,"
     " (SELECT max(latency_us) / 1e6 FROM answered) AS max_s,"
     " (SELECT min(latency_us) / 1e6 FROM answered WHERE place * 100 >= n * 95) AS p95_s,"
     " coalesce(sum(input_tokens), 0) AS input_tokens,"
     " coalesce(sum(output_tokens), 0) AS output_tokens,"
     " coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,"
     " coalesce(sum(cost_usd), 0) AS cost_usd_e8, count(*) - count(cost_usd) AS unpriced FROM "
     "call"},
    {ROWS, "errors",
     "SELECT error_code, count(*) AS count FROM llm_calls WHERE at_us >= fact('wall_since_us')"
     " AND error_code <> '' GROUP BY 1 ORDER BY 2 DESC LIMIT 12"},
    {ROWS, "stop_reasons",
     "SELECT stop_reason, count(*) AS count FROM llm_calls WHERE at_us >= fact('wall_since_us')"
     " AND stop_reason <> '' GROUP BY 1 ORDER BY 2 DESC LIMIT 12"},
    {CLOSE, NULL, NULL},
    {END, NULL, NULL},
};

static void run_steps(struct db *db, const char *part, const struct step *steps,
                      struct json_out *out, section_gap_fn gap, void *userdata)
{
    for (const struct step *step = steps; step->kind != END; step++) {
        struct err ignored = {0};
        if (step->kind == CLOSE) {
            json_out_end(out);
            continue;
        }
        if (step->name != NULL) {
            json_out_object(out, step->name);
        }
        if (step->kind == OPEN) {
            part = step->name;
            continue;
        }
        int rc = step->kind == ROW ? source_row(db, out, step->sql, &ignored)
                                   : source_rows(db, out, step->sql, &ignored);
        if (rc < 0) {
            gap(part, rc, userdata);
        }
        if (step->name != NULL) {
            json_out_end(out);
        }
    }
}

static void add_decisions(struct source *source, struct json_out *out, section_gap_fn gap,
                          void *userdata)
{
    struct err ignored = {0};
    json_out_object(out, "decisions");
    gap("decisions", decisions_add(source, out, &ignored), userdata);
    gap("decisions", votes_add(source, out, &ignored), userdata);
    json_out_end(out);
}

void sections_add(struct source *source, bool trading, struct json_out *out, section_gap_fn gap,
                  void *userdata)
{
    if (trading) {
        add_decisions(source, out, gap, userdata);
        run_steps(source->trading, NULL, trading_steps, out, gap, userdata);
    } else {
        run_steps(source->ops, NULL, ops_steps, out, gap, userdata);
    }
}

void sections_add_account(struct source *source, struct json_out *out, section_gap_fn gap,
                          void *userdata)
{
    run_steps(source->trading, "account", account_steps, out, gap, userdata);
}
