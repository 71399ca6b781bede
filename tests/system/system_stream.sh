#!/bin/sh
# The stream of the real daemon: Server-Sent Events with curl, a WebSocket with node, resuming, and
# what becomes of the clients when the daemon stops or is killed.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

token=stream-token-of-32-characters-abcd
port=18347
printf 'api:\n  port: %s\n  token: %s\n' "$port" "$token" > "$WORK/stream.yaml"
url=http://127.0.0.1:$port/api/v1/stream
start() {
    "$ND" run --no-console --config "$WORK/stream.yaml" --state "$WORK/state" < /dev/null \
        >> "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 curl -sf "http://127.0.0.1:$port/healthz" -o /dev/null
}
events() { # FILE PARAMETERS [CURL_OPTION...]
    out=$1 query=$2
    shift 2
    curl -sN -H "Authorization: Bearer $token" -H 'Accept: text/event-stream' "$@" "$url?$query" \
        > "$out" 2>&1 &
    reader=$!
    kill_at_exit $reader
}

start
events "$WORK/all" topics=decisions,equity,services
tap_check "a snapshot comes first" wait_for 10 contains "$WORK/all" '"type":"snapshot","topic":"services"'
tap_check "decisions follow" wait_for 20 contains "$WORK/all" '"topic":"decisions","sent_at"'
kill $reader
id=$(sed -n 's/^id: //p' "$WORK/all" | tail -n 1)
events "$WORK/resumed" topics=decisions -H "Last-Event-ID: $id"
tap_check "it resumes behind an id" wait_for 10 contains "$WORK/resumed" '"resumed":true'
tap_check "without a snapshot" lacks "$WORK/resumed" '"type":"snapshot"'
status=$(curl -s -o "$WORK/refused" -w '%{http_code}' -H 'Accept: text/event-stream' "$url")
tap_check "nobody reads without a token" test "$status" -eq 401

if command -v node > /dev/null && node --experimental-websocket -e 'WebSocket' 2> /dev/null; then
    ticket=$(curl -s -X POST -H "Authorization: Bearer $token" "$url/ticket" |
        sed 's/.*"ticket":"\([^"]*\)".*/\1/')
    ws="ws://127.0.0.1:$port/api/v1/stream?topics=runs,alerts&ticket=$ticket"
    node --no-warnings --experimental-websocket "$(dirname "$0")/stream_client.js" "$ws" \
        > "$WORK/ws" 2>&1 &
    kill_at_exit $!
    tap_check "a WebSocket opens with a ticket" wait_for 10 contains "$WORK/ws" '"type":"hello"'
    "$ND" do status --config "$WORK/stream.yaml" --state "$WORK/state" > /dev/null 2>&1
    "$ND" do --yes pause --config "$WORK/stream.yaml" --state "$WORK/state" > /dev/null 2>&1
    tap_check "it gets the runs of commands" wait_for 10 contains "$WORK/ws" '"topic":"runs","sent_at"'
    node --no-warnings --experimental-websocket "$(dirname "$0")/stream_client.js" "$ws" \
        > "$WORK/again" 2>&1
    tap_check "a ticket works once" contains "$WORK/again" refused
    kill -TERM $daemon
    wait $daemon
    tap_check "the daemon stops in order" test $? -eq 0
    tap_check "a WebSocket learns why" wait_for 5 contains "$WORK/ws" 'closed 1001 nightdesk stops'
else
    tap_skip "a WebSocket of node" "there is no node with WebSocket"
    kill -TERM $daemon
    wait $daemon
fi
tap_check "and the other stream ends" wait_for 5 sh -c "! kill -0 $reader 2> /dev/null"

start
events "$WORK/killed" "topics=decisions&after=$id"
tap_check "after a restart an old id begins with a snapshot" \
    wait_for 10 contains "$WORK/killed" '"resumed":false'
kill -9 $daemon
wait $daemon 2> /dev/null
tap_check "clients of a killed daemon end" wait_for 5 sh -c "! kill -0 $reader 2> /dev/null"
tap_check "no token is in the log" lacks "$WORK/log" "$token"
tap_end
