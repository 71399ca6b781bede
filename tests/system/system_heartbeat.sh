#!/bin/sh
# The heartbeat of the real daemon: it goes out while both threads are alive, and stops when one
# does not turn, although the process is there and its port listens.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

"$BUILD_DIR/system/ping_sink" > "$WORK/pings" &
ends_with_us $!
wait_for 5 grep -q port "$WORK/pings"
port=$(sed -n 's/^port //p' "$WORK/pings")
sed "s|^api:|monitoring: {heartbeat_url: \"http://127.0.0.1:$port/5up3r-53cr3t\", heartbeat_interval: 1s}\napi:|" \
    "$WORK/quiet.yaml" > "$WORK/beats.yaml"
"$ND" run --no-console --config "$WORK/beats.yaml" --state "$WORK/state" < /dev/null \
    > "$WORK/log" 2>&1 &
daemon=$!
ends_with_us $daemon
pings() { grep -c '^GET /5up3r-53cr3t$' "$WORK/pings"; }
more_than() { [ "$(pings)" -gt "$1" ]; }
tap_check "heartbeats arrive" wait_for 20 more_than 2

mkfifo "$WORK/hold"
sleep 60 > "$WORK/hold" &
holder=$!
ends_with_us $holder
"$BUILD_DIR/system/freeze_thread" "$daemon" engine < "$WORK/hold" > "$WORK/frozen" 2>&1 &
ends_with_us $!
if wait_for 10 grep -q frozen "$WORK/frozen"; then
    sleep 8 # a heart that does not beat for 5 s has stopped
    before=$(pings)
    sleep 4
    tap_check "with the engine frozen none goes out" test "$(pings)" -eq "$before"
    kill -9 $holder 2> /dev/null
    tap_check "they go out again when it turns" wait_for 20 more_than "$before"
    tap_check "the log says that it was withheld" holds "$WORK/log" "heartbeat is withheld"
else
    tap_skip "a frozen engine" "no thread can be stopped here: $(head -n 1 "$WORK/frozen")"
fi
tap_check "the address stands nowhere in the log" lacks "$WORK/log" 53cr3t
"$ND" config --config "$WORK/beats.yaml" > "$WORK/out" 2>&1
tap_check "nor in what config prints" lacks "$WORK/out" 53cr3t
kill -TERM $daemon
wait $daemon
tap_check "it stops well" test $? -eq 0
tap_end
