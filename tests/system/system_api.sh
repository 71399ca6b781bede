#!/bin/sh
# REST against the real daemon: every reading route answers, pages follow one another, an answer that
# the client has is not sent again, and a command whose key is repeated runs once: also after kill -9.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
conf=$WORK/api.yaml
state=$WORK/state
token=system-test-token-of-32-characters
cat > "$conf" <<YAML
api: {port: 0, token: $token}
market: {seed: 5, speed: 600, symbols: [BTC-USD, ETH-USD, SOL-USD]}
services: {kept: {command: ["/bin/sleep", "1000"]}}
YAML

start() {
    : > "$WORK/log" # of the process before, which was ready as well
    "$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 grep -q "ready in" "$WORK/log"
}
call() { # CURL ARGUMENTS: the status; the body is in $WORK/body, the header in $WORK/head
    curl -s --unix-socket "$state/nightdesk.sock" -D "$WORK/head" -o "$WORK/body" -w '%{http_code}' "$@"
}
get() { call "http://localhost$1"; }
post() { # PATH BODY CURL ARGUMENTS
    post_path=$1 post_body=$2
    shift 2
    call -H 'Content-Type: application/json' --data "$post_body" "$@" "http://localhost$post_path"
}
rows() { sqlite3 "$state/ops.db" "SELECT count(*) FROM command_runs WHERE command = '$1'"; }
header() { sed -n "s/^$1: \(.*\)\r$/\1/Ip" "$WORK/head"; }
has_trades() { get '/api/v1/trades?limit=3' > /dev/null && ! grep -q '"next_cursor":null' "$WORK/body"; }

tap_check "it starts" start
tap_check "it is ready" wait_for 20 sh -c \
    "curl -sf --unix-socket '$state/nightdesk.sock' http://localhost/readyz | grep -q '\"ready\":true'"
for path in state summary positions orders trades equity "candles?symbol=BTC-USD" decisions risk rules \
    learnings alerts findings incidents services audits auditlog runs whoami version health; do
    tap_check "GET $path" test "$(get "/api/v1/$path")" = 200
    tap_check "GET $path says how old it is" grep -q '"data_age_seconds":[0-9]' "$WORK/body"
done
get /api/v1/summary > /dev/null
tap_check "the summary is short: $(wc -c < "$WORK/body") bytes" test "$(wc -c < "$WORK/body")" -lt 7500
get /api/v1/alerts > /dev/null
tap_check "an answer that the client has is not sent again" \
    test "$(call -H "If-None-Match: $(header ETag)" http://localhost/api/v1/alerts)" = 304

tap_check "it trades" wait_for 60 has_trades
get '/api/v1/trades?limit=2&fields=id' > /dev/null
one=$(grep -o '"id":[0-9]*' "$WORK/body" | tr '\n' ' ')
cursor=$(sed -n 's/.*"next_cursor":"\([^"]*\)".*/\1/p' "$WORK/body")
get "/api/v1/trades?limit=2&fields=id&cursor=$cursor" > /dev/null
two=$(grep -o '"id":[0-9]*' "$WORK/body" | tr '\n' ' ')
last=$(echo "$one" | grep -o '[0-9]*' | tail -1)
tap_check "the next page begins after the last row ($one, then $two)" \
    test "$(echo "$two" | grep -o '[0-9]*' | head -1)" -eq $((last - 1))

tap_check "a dry run shows the plan" test \
    "$(post /api/v1/commands/pause '{"dry_run": true}')" = 200
tap_check "and does nothing" test "$(rows pause)" -eq 0
tap_check "a command with a key runs" test \
    "$(post /api/v1/commands/pause '{"confirm": true}' -H 'Idempotency-Key: k-1')" = 200
cp "$WORK/body" "$WORK/first"
tap_check "repeated, it is answered as before" test \
    "$(post /api/v1/commands/pause '{"confirm": true}' -H 'Idempotency-Key: k-1')" = 200
tap_check "with the same bytes" cmp "$WORK/first" "$WORK/body"
tap_check "and did not run again" test "$(rows pause)" -eq 1
tap_check "the key with another body is refused" test \
    "$(post /api/v1/commands/pause '{"confirm": false}' -H 'Idempotency-Key: k-1')" = 422

# The process dies while clients send the same command again and again.
for round in 1 2 3; do
    key="kill-$round"
    (
        for try in 1 2 3 4 5 6 7 8; do
            curl -s -m 2 -o /dev/null --unix-socket "$state/nightdesk.sock" \
                -H "Idempotency-Key: $key" --data '{"args": "BTC-USD 2h", "confirm": true}' \
                http://localhost/api/v1/commands/cooldown_set
        done
    ) &
    clients=$!
    sleep "0.0$((round * 2))"
    kill -9 $daemon
    wait $clients
    start
    post /api/v1/commands/cooldown_set '{"args": "BTC-USD 2h", "confirm": true}' -H "Idempotency-Key: $key" > "$WORK/status"
    tap_check "after kill -9 the key gives an answer ($(cat "$WORK/status"))" \
        grep -q '^20[02]$' "$WORK/status"
    tap_check "and the command ran once" test "$(sqlite3 "$state/ops.db" \
        "SELECT count(*) FROM idempotency_keys WHERE key = '$key'")" -eq 1
    tap_check "in $round rounds $(rows cooldown_set) times" test "$(rows cooldown_set)" -eq "$round"
done
tap_end
