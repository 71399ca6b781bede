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

# Workflows: the same runner, keys, dry runs and confirmations as of any command.
tap_check "a workflow has its steps" test "$(get /api/v1/workflows/restart)" = 200
tap_check "with their actions" grep -q '"action":"service.wait_healthy"' "$WORK/body"
tap_check "an unknown workflow is not found" test "$(get /api/v1/workflows/restrat)" = 404
tap_check "a command of one step is no workflow" test "$(post /api/v1/workflows/status '{}')" = 404
tap_check "which is a problem" grep -q '"error_code":"API_NOT_FOUND"' "$WORK/body"
tap_check "a dry run of a workflow" test \
    "$(post /api/v1/workflows/restart '{"args": {"service": "kept"}, "dry_run": true}')" = 200
tap_check "does nothing" test "$(rows restart)" -eq 0
tap_check "a workflow asks first" test \
    "$(post /api/v1/workflows/restart '{"args": {"service": "kept"}}')" = 202
href=$(sed -n 's/.*"href":"\([^"]*\)".*/\1/p' "$WORK/body")
tap_check "confirmed, it is a run to follow" test \
    "$(post "$href" '{}' -H 'Prefer: respond-async')" = 202
place=$(header Location)
tap_check "at its place ($place)" test "$(get "$place")" = 200
executed() { post /api/v1/workflows/restart '{"args": {"service": "kept"}, "confirm": true}' \
    -H 'Prefer: respond-async' -H 'Idempotency-Key: w-1'; }
wait_for 30 sh -c "! curl -s --unix-socket '$state/nightdesk.sock' 'http://localhost$place' |
    grep -q '\"state\":\"running\"'"
before=$(rows restart)
executed > "$WORK/status"
executed > "$WORK/status"
tap_check "with a key it is executed once" test "$(rows restart)" -eq $((before + 1))

# A command that fails is a problem, with the reply for those that show it; a repeated key gives it again.
failing() {
    post /api/v1/commands/rule_test '{"args": {"rule": "99999999"}, "confirm": true}' -H 'Idempotency-Key: f-1'
}
failing > "$WORK/status"
cp "$WORK/body" "$WORK/failed"
tap_check "a failed command has the status of its error ($(cat "$WORK/status"))" \
    grep -q '^4[0-9][0-9]$' "$WORK/status"
tap_check "as application/problem+json" test "$(header Content-Type)" = application/problem+json
for member in error_code type message cause impact remediation severity context timestamp; do
    tap_check "with $member" grep -q "\"$member\":\"" "$WORK/body"
done
tap_check "and with the reply" grep -q '"reply":{"schema":"nightdesk.reply/2"' "$WORK/body"
before=$(rows rule_test)
tap_check "repeated with its key it has the same status" test "$(failing)" = "$(cat "$WORK/status")"
tap_check "as application/problem+json again" test "$(header Content-Type)" = application/problem+json
tap_check "and is the same problem" cmp "$WORK/failed" "$WORK/body"
tap_check "and was not run again" test "$(rows rule_test)" -eq "$before"

# The configuration: a document is checked, compared, applied and rolled back.
document() { # SPEED [ARGS]: a body with the file of this speed
    python3 -c 'import json, re, sys
text = re.sub("speed: [0-9]+", "speed: " + sys.argv[2], open(sys.argv[1]).read())
body = {"document": text, "confirm": True}
if len(sys.argv) > 3: body["args"] = {"why": sys.argv[3]}
print(json.dumps(body))' "$conf" "$@"
}
tap_check "a document is valid" test "$(post /api/v1/config/validate "$(document 500)")" = 200
tap_check "a wrong one has its mistakes" sh -c "[ $(post /api/v1/config/validate \
    '{"document": "market: {speed: fast}"}') -lt 500 ] && grep -q 'market' '$WORK/body'"
tap_check "a document is compared" test "$(post /api/v1/config/diff "$(document 500)")" = 200
tap_check "by its options" grep -q 'market.speed' "$WORK/body"
tap_check "the secret is not in the difference" lacks "$WORK/body" "$token"
for body in '{' '[]' '{"document": 5}' '{"document": "a: 1", "unknown": 1}' '{"confirm": "yes"}'; do
    for path in validate diff apply rollback; do
        tap_check "POST config/$path $body is refused" test \
            "$(post /api/v1/config/$path "$body")" = 400
    done
done
tap_check "nothing was applied" grep -q 'speed: 600' "$conf"
tap_check "without confirm it asks first" test "$(post /api/v1/config/apply \
    "$(document 500 slower | sed 's/"confirm": true/"confirm": false/')")" = 202
tap_check "and changes nothing" grep -q 'speed: 600' "$conf"
tap_check "confirmed, with a reason, it is applied" test "$(post /api/v1/config/apply "$(document 500 slower)" \
    -H 'Idempotency-Key: c-1')" = 200
tap_check "the file has it" grep -q 'speed: 500' "$conf"
tap_check "its secret stays" grep -q "$token" "$conf"
applied=$(rows config_apply)
tap_check "repeated with its key" test "$(post /api/v1/config/apply "$(document 500 slower)" \
    -H 'Idempotency-Key: c-1')" = 200
tap_check "it is not applied again" test "$(rows config_apply)" -eq "$applied"
tap_check "the key with another document is refused" test "$(post /api/v1/config/apply \
    "$(document 400 slower)" -H 'Idempotency-Key: c-1')" = 422
get /api/v1/config/history > /dev/null
tap_check "the history has the reason" grep -q 'slower' "$WORK/body"
first=$(grep -o '"id":[0-9]*' "$WORK/body" | grep -o '[0-9]*' | sort -n | head -1)
tap_check "it is rolled back to version $first" test "$(post /api/v1/config/rollback \
    "{\"args\": {\"version\": \"$first\", \"why\": \"faster\"}, \"confirm\": true}")" = 200
tap_check "the file is as before" grep -q 'speed: 600' "$conf"
tap_check "a version beyond 64 bit is refused" test "$(post /api/v1/config/rollback \
    '{"args": {"version": "99999999999999999999"}, "confirm": true}')" = 400

long() { # a configuration that is valid, and longer than a request may be
    { printf '{"document": "api: {rate: 0}\\n'
      i=0
      while [ $((i += 1)) -le 700 ]; do printf '# %0100d\\n' $i; done
      printf '"}'; } > "$WORK/long"
    post /api/v1/config/validate "@$WORK/long"
}
tap_check "a document that is too long is refused" test "$(long)" = 413
tap_check "with what to do instead" grep -q '"remediation":".*/reload applies it' "$WORK/body"

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
