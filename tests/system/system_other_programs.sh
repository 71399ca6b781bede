#!/bin/sh
# Other programs use the databases while the daemon trades: readers, a writer that holds its
# transaction, VACUUM, a backup, cp, and a file that replaces another as rsync does. After kill -9 and
# after a clean stop the state is unchanged: stop, pause, positions, trades. A WAL that is missing
# between two runs is noticed.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v python3 > /dev/null || {
    tap_skip "other programs on the databases" "no python3"
    tap_end
}
cat > "$WORK/fast.yaml" <<YAML
api: {port: 0}
console: {enabled: false}
market: {seed: 5, speed: 600}
services: {}
YAML

start() { # STATE
    "$ND" run --config "$WORK/fast.yaml" --state "$WORK/$1" --no-console > "$WORK/$1.log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 "$ND" do version --config "$WORK/fast.yaml" --state "$WORK/$1"
}

run_command() { # STATE COMMAND...
    ask_state=$1
    shift
    "$ND" do --config "$WORK/fast.yaml" --state "$WORK/$ask_state" --yes "$@" 2>&1
}

stop() { # kill9 or term
    if [ "$1" = term ]; then kill -TERM $daemon; else kill -9 $daemon; fi
    wait $daemon 2> /dev/null
}

has_traded() { # STATE
    run_command "$1" trades | grep -q "^All [1-9]"
}

# The parts that must be equal: everything except the clocks.
figures() { # STATE
    run_command "$1" trades --json | python3 -c '
import json, sys
data = json.load(sys.stdin)["data"]
print([data[k] for k in ("trades", "count", "wins", "pnl")])'
    run_command "$1" positions | grep -v "Market time"
}

sql() { # FILE STATEMENT...
    python3 - "$@" <<'PY'
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
for s in sys.argv[2:]:
    print(c.execute(s).fetchall())
c.close()
PY
}

lock() { # FILE SECONDS: keeps a write transaction open
    python3 - "$@" <<'PY'
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
c.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[2]))
c.execute("COMMIT")
c.close()
PY
}

backup() { # FROM TO
    python3 - "$@" <<'PY'
import sqlite3, sys
a, b = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])
a.backup(b)
a.close()
b.close()
PY
}

look() { # STATE: every access that does not replace files
    for db in trading ops; do
        sql "$WORK/$1/$db.db" "SELECT count(*) FROM sqlite_schema"
        lock "$WORK/$1/$db.db" 1
        sql "$WORK/$1/$db.db" "VACUUM" "PRAGMA wal_checkpoint(TRUNCATE)"
        backup "$WORK/$1/$db.db" "$WORK/$1-$db.backup"
        cp "$WORK/$1/$db.db" "$WORK/$1/$db.db-wal" "$WORK/$1/$db.db-shm" "$WORK"
    done
}

replace() { # STATE DATABASE: replaces the file, as rsync and most restores do
    cp "$WORK/$1/$2.db" "$WORK/$1/.$2.db.new" && mv "$WORK/$1/.$2.db.new" "$WORK/$1/$2.db"
}

is_intact() { # FILE
    sql "$1" "PRAGMA integrity_check" | grep -qF "('ok',)"
}

status_has() { # STATE TEXT
    run_command "$1" status | grep -qi "$2"
}

no_lost_file() { # PID: no open database file was deleted or replaced
    ! find "/proc/$1/fd" -lname '*.db*(deleted)' | grep -q .
}

for end in kill9 term; do
    s=look-$end
    start $s
    wait_for 60 has_traded $s
    look $s > "$WORK/look.out" 2>&1
    tap_check "$end: other programs succeed" lacks "$WORK/look.out" Error
    tap_check "$end: and no file is replaced" no_lost_file $daemon
    run_command $s emergency_stop > "$WORK/out"
    wait_for 20 status_has $s "verified flat"
    figures $s > "$WORK/before"
    tap_check "$end: there are trades to compare" contains "$WORK/before" entry_price
    stop $end
    start $s
    tap_check "$end: the emergency stop is still active" \
        sh -c "'$ND' do status --config '$WORK/fast.yaml' --state '$WORK/$s' | head -n 1 | grep -q ⛔"
    figures $s > "$WORK/after"
    tap_check "$end: trades and positions are unchanged" cmp "$WORK/before" "$WORK/after"
    stop term
    tap_check "$end: trading.db is intact" is_intact "$WORK/$s/trading.db"
    tap_check "$end: ops.db is intact" is_intact "$WORK/$s/ops.db"
done

for end in kill9 term; do
    s=replace-$end
    start $s
    wait_for 60 has_traded $s
    replace $s trading
    replace $s ops
    tap_check "$end: a replaced database pauses trading" wait_for 10 status_has $s "paused by nightdesk"
    tap_check "$end: the database is back at its path" wait_for 10 no_lost_file $daemon
    tap_check "$end: the other file is kept" \
        sh -c "ls '$WORK/$s' | grep -q 'trading.db.aside-' && ls '$WORK/$s' | grep -q 'ops.db.aside-'"
    run_command $s alerts > "$WORK/out"
    tap_check "$end: there is an alert about it" contains "$WORK/out" "deleted or replaced"
    run_command $s close all > /dev/null
    wait_for 20 sh -c "'$ND' do positions --config '$WORK/fast.yaml' --state '$WORK/$s' | grep -q 'No position is open'"
    figures $s > "$WORK/before"
    stop $end
    tap_check "$end: without other programs trading.db is intact" is_intact "$WORK/$s/trading.db"
    start $s
    tap_check "$end: trading is still paused" status_has $s "paused by nightdesk"
    figures $s > "$WORK/after"
    tap_check "$end: trades and positions are unchanged as well" \
        cmp "$WORK/before" "$WORK/after"
    run_command $s resume > "$WORK/out"
    tap_check "$end: a person resumes" sh -c "! '$ND' do status --config '$WORK/fast.yaml' --state '$WORK/$s' | grep -q paused"
    stop term
    "$ND" auditlog verify --config "$WORK/fast.yaml" --state "$WORK/$s" > "$WORK/out" 2>&1
    tap_check "$end: the audit log is one chain" contains "$WORK/out" "ok:"
done

# Deleted between two runs: the -wal with the last commits, then the whole file.
for loss in cut deleted all; do
    s=wal-$loss
    start $s
    wait_for 60 has_traded $s
    [ $loss = all ] || run_command $s emergency_stop > "$WORK/out"
    [ $loss = all ] || wait_for 20 status_has $s "verified flat"
    stop kill9
    case $loss in
    cut) : > "$WORK/$s/trading.db-wal" ;;
    deleted) rm "$WORK/$s/trading.db-wal" "$WORK/$s/trading.db-shm" ;;
    all) rm "$WORK/$s"/trading.db* ;;
    esac
    start $s
    tap_check "$loss: a start with lost commits reports it" \
        wait_for 10 contains "$WORK/$s.log" ENGINE_STORE_OLD
    if [ $loss = all ]; then
        tap_check "$loss: and pauses" wait_for 10 status_has $s "paused by nightdesk"
    else
        tap_check "$loss: the lost emergency stop is active again" \
            wait_for 10 sh -c "'$ND' do status --config '$WORK/fast.yaml' --state '$WORK/$s' | head -n 1 | grep -q ⛔"
    fi
    run_command $s alerts > "$WORK/out"
    tap_check "$loss: there is an alert about it" contains "$WORK/out" "older than what was recorded"
    tap_check "$loss: the journal of the lost run is kept" \
        test "$(ls "$WORK/$s/journal" | wc -l)" -ge 2
    stop term
done

# An older copy and no journal: the state file shows it.
start old
backup "$WORK/old/trading.db" "$WORK/old.copy"
wait_for 60 has_traded old
stop kill9
rm -r "$WORK/old"/trading.db* "$WORK/old/journal"
cp "$WORK/old.copy" "$WORK/old/trading.db"
start old
tap_check "an older copy without a journal is detected by the state file" \
    wait_for 10 contains "$WORK/old.log" ".trading_state.json has"
tap_check "and pauses" wait_for 10 status_has old "paused by nightdesk"
stop term

# An ordinary start reports nothing.
start fine
wait_for 60 has_traded fine
stop kill9
start fine
tap_check "kill -9 alone loses nothing and reports nothing" lacks "$WORK/fine.log" ENGINE_STORE_OLD
tap_check "and trading continues" status_has fine "🟢"
stop term
tap_end
