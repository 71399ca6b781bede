#!/bin/sh
# nightdesk audit over the databases of a run of the engine, clean and with a fault planted in them: it
# ends without an error, the report has its six categories, the fault is found and named, the exit code is
# the verdict, it is stored, and it is the same twice. Two audits of one folder never run at once.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1
for program in sqlite3 python3; do
    command -v $program > /dev/null || { tap_skip "audits of a run" "no $program"; tap_end; }
done

cat > fast.yaml <<'YAML'
api: {port: 0}
market: {seed: 7, speed: 3000}
services: {}
monitoring: {audit_first_after: 1d}
YAML
mkfifo say
timeout 120 "$ND" run --config fast.yaml --state clean < say > run.out 2>&1 &
daemon=$!
kill_at_exit $daemon
exec 9> say
trades() {
    test "$(sqlite3 -readonly clean/trading.db 'SELECT count(*) FROM trades' 2> /dev/null || echo 0)" -ge 6
}
tap_check "the engine closes six trades" wait_for 60 trades
exec 9>&-
wait $daemon
tap_check "and ends without an error" test $? -eq 0

audit() { # FOLDER OPTION...: out, err, code
    folder=$1
    shift
    timeout 60 "$ND" audit --config fast.yaml --state "$folder" "$@" > out 2> err
    code=$?
}
count() { # FOLDER TABLE CONDITION
    sqlite3 -readonly "$1/ops.db" "SELECT count(*) FROM $2 WHERE $3"
}

audit clean --offline --json
tap_check "a clean run: exit 0" test $code -eq 0
tap_check "and no finding above medium" sh -c '! grep -qE "\"severity\":\"(high|critical)\"" out'
for part in trades rules win_loss account system learnings invariants glossary; do
    tap_check "the report has $part" python3 -c "
import json
report = json.load(open('out'))['data']['report']
assert report['$part'], '$part'"
done
tap_check "it is stored" test "$(count clean audits "\"cause\" = 'cli'")" = 1

plant() { # FOLDER SQL
    rm -rf "$1"
    cp -r clean "$1"
    sqlite3 "$1/trading.db" "$2"
}
plant high 'UPDATE trades SET closed_us = opened_us - 60000000 WHERE id = 3'
plant critical 'UPDATE engine_state SET cash = cash - 500000000'

audit high --offline --json --dry-run
cp out first
tap_check "a trade that ends before it begins: exit 1" test $code -eq 1
tap_check "with the trade's name" grep -q '"subject":"trade-3"' out
tap_check "a dry run stores nothing" test "$(count high monitoring_alerts 1)" = 0
audit high --offline --json --dry-run
same() { # but for the times and the state of the machine
    python3 - first out <<'PY'
import json, sys
def findings(path):
    data = json.load(open(path))["data"]
    return [data["findings"], data["verdict"], data["not_evaluated"], data["report"]["trades"],
            data["report"]["win_loss"], data["report"]["invariants"]]
assert findings(sys.argv[1]) == findings(sys.argv[2])
PY
}
tap_check "twice the same" same

audit critical --offline --hours 48 --verbose
tap_check "money that is missing: exit 2" test $code -eq 2
tap_check "and it is said" contains out "the books do not balance"
tap_check "--verbose prints the report" contains out '"win_loss"'
tap_check "the finding is an open alert" \
    test "$(count critical monitoring_alerts "status = 'open' AND severity = 'critical'")" = 1
tap_check "the log counts by severity" grep -q 'audit (cli): critical 1, high ' err
tap_check "and names the finding" grep -q 'audit finding: critical bug, account: the books do not' err
sqlite3 critical/trading.db 'UPDATE engine_state SET cash = cash + 500000000'
audit critical --offline
tap_check "the money is back: exit 0" test $code -eq 0
tap_check "and the alert is over" \
    test "$(count critical monitoring_alerts "status = 'open' AND severity = 'critical'")" = 0

# A Messages API that accepts and never answers.
asked() { # NUMBER
    test "$(grep -c asked port)" -ge "$1"
}
python3 - > port <<'PY' &
import socket
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(8)
print(server.getsockname()[1], flush=True)
held = []
while True: # a line for each request
    held.append(server.accept())
    print("asked", flush=True)
PY
kill_at_exit $!
wait_for 10 test -s port
cat >> fast.yaml <<YAML
claude: {api_key: sk-ant-test-0000000000, api_url: "http://127.0.0.1:$(head -n 1 port)", timeout: 60s}
YAML
"$ND" audit --config fast.yaml --state clean > slow.out 2>&1 &
slow=$!
kill_at_exit $slow
wait_for 20 asked 1
busy() {
    audit clean --json
    test $code -eq 3 && grep -q AUDIT_BUSY out err
}
tap_check "a second audit of the folder is refused: exit 3" busy
tap_check "while the first goes on" kill -0 $slow
kill -TERM $slow
wait $slow 2> /dev/null

# Beside a daemon it is the daemon that audits, one at a time.
"$ND" run --no-console --config fast.yaml --state clean < /dev/null > daemon.out 2>&1 &
kill_at_exit $!
wait_for 20 grep -q "ready in" daemon.out
"$ND" audit --config fast.yaml --state clean > slow.out 2>&1 &
kill_at_exit $!
wait_for 20 asked 2
tap_check "a second audit beside the daemon is refused: exit 3" busy
tap_end
