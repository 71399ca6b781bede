#!/bin/sh
# A start on long tables scans no whole table. SQLite's counters are checked, not the time.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v python3 > /dev/null || {
    tap_skip "a start on long tables" "no python3"
    tap_end
}
cat > "$WORK/fast.yaml" <<YAML
api: {port: 0}
console: {enabled: false}
market: {seed: 5, speed: 600}
services: {}
log: {level: debug}
YAML

start() { # LOG
    "$ND" run --config "$WORK/fast.yaml" --state "$WORK/a" --no-console > "$WORK/$1" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 grep -q "ready in" "$WORK/$1"
}

stop() {
    kill -TERM $daemon
    wait $daemon
}

has_orders() {
    "$ND" do --config "$WORK/fast.yaml" --state "$WORK/a" trades | grep -q "^All [1-9]"
}

# Each growing table gets 30,000 more rows: older copies of one of its rows with other keys.
grow() { # FILE
    python3 - "$1" <<'PY'
import sqlite3, sys
ROWS = 30000
# These have one row per symbol, name, rule, person or thing that is muted, or a limit of their own.
BOUNDED = {"kv", "blobs", "engine_state", "positions", "paper_positions", "paper_state", "cooldowns",
           "trading_rules", "rule_shadows", "people", "mutes", "maintenance", "maintenance_pauses",
           "live_messages", "metric_levels", "learnings", "reflections", "learning_reviews",
           "questions", "question_steps", "question_ratings", "question_proposals", "proposals",
           "forecasts", "sessions", "session_members", "session_events", "api_tokens",
           "logins", "sentiment_items", "sentiment_values"}
ENDED = {"state": "done", "status": "fixed", "used": 1}
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA foreign_keys = OFF")
c.execute("BEGIN")
tables = c.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"
                   " AND name NOT LIKE 'sqlite_%'").fetchall()
for (table,) in tables:
    if table in BOUNDED:
        continue
    info = c.execute(f"PRAGMA table_info({table})").fetchall()
    names = [r[1] for r in info]
    keys = {r[1] for r in info if r[5]}
    for index in c.execute(f"PRAGMA index_list({table})").fetchall():
        if index[2]:
            keys |= {r[2] for r in c.execute(f"PRAGMA index_info({index[1]})")}
    row = c.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()
    if row is None:
        row = [("" if "TEXT" in r[2] else 0) if r[3] else None for r in info]
    ended = dict(ENDED, state="filled") if "orders" in table else ENDED
    ended = dict(ENDED, state="delivered") if table == "outbox" else ended
    row = [ended.get(n, v) for n, v in zip(names, row)]
    def clone(n):
        out = list(row)
        for i, r in enumerate(info):
            if r[1] in keys:
                out[i] = f"{row[i]}-{n}" if "TEXT" in r[2] else -n
            elif r[1].endswith("_us") and isinstance(out[i], int):
                out[i] = 1000000 + n
        return out
    c.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(names))})",
                  (clone(n) for n in range(ROWS)))
c.execute("COMMIT")
PY
}

work() { # LOG WHICH WHAT: a number of the line of that database
    sed -n "s/.*work: $2 started: .*$3 \([0-9]*\).*/\1/p" "$WORK/$1" | head -n 1
}

start first
wait_for 60 has_orders
stop
tap_check "rows are added to trading.db" grow "$WORK/a/trading.db"
tap_check "rows are added to ops.db" grow "$WORK/a/ops.db"
start long
stop
tap_check "the daemon starts on them" contains "$WORK/long" "ready in"
for which in "trading.db engine" "ops.db ops" "trading.db ops"; do
    scanned=$(work long "$which" scanned)
    steps=$(work long "$which" steps)
    tap_check "$which: no table is scanned (${scanned:-none} rows)" test "${scanned:-9999999}" -lt 1000
    # At most 10,000 candles per symbol warm up the engine, regardless of the length of the table.
    tap_check "$which: no index is scanned (${steps:-none} steps)" \
        test "${steps:-9999999}" -lt 300000
done
tap_end
