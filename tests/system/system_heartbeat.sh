#!/bin/sh
# The heartbeat of the real daemon: it is sent while both threads are alive, and stops when one is
# frozen, although the process exists and its port listens.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

"$BUILD_DIR/system/ping_sink" > "$WORK/pings" &
kill_at_exit $!
wait_for 5 grep -q port "$WORK/pings"
port=$(sed -n 's/^port //p' "$WORK/pings")
sed "s|^api:|monitoring: {heartbeat_url: \"http://127.0.0.1:$port/5up3r-53cr3t\", heartbeat_interval: 1s}\napi:|" \
    "$WORK/quiet.yaml" > "$WORK/beats.yaml"
"$ND" run --no-console --config "$WORK/beats.yaml" --state "$WORK/state" < /dev/null \
    > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
pings() { grep -c '^GET /5up3r-53cr3t$' "$WORK/pings"; }
more_than() { [ "$(pings)" -gt "$1" ]; }
tap_check "heartbeats arrive" wait_for 20 more_than 2

mkfifo "$WORK/stdin"
sleep 60 > "$WORK/stdin" &
holder=$!
kill_at_exit $holder
"$BUILD_DIR/system/freeze_thread" "$daemon" engine < "$WORK/stdin" > "$WORK/frozen" 2>&1 &
kill_at_exit $!
if wait_for 10 grep -q frozen "$WORK/frozen"; then
    sleep 8 # a heartbeat older than 5 s counts as stopped
    before=$(pings)
    sleep 4
    tap_check "with a frozen engine none is sent" test "$(pings)" -eq "$before"
    kill -9 $holder 2> /dev/null
    tap_check "they are sent again when it runs" wait_for 20 more_than "$before"
    tap_check "the log reports that it was withheld" contains "$WORK/log" "heartbeat is withheld"
else
    tap_skip "a frozen engine" "no thread can be stopped here: $(head -n 1 "$WORK/frozen")"
fi
tap_check "the address is not in the log" lacks "$WORK/log" 53cr3t
"$ND" config --config "$WORK/beats.yaml" > "$WORK/out" 2>&1
tap_check "nor in the output of config" lacks "$WORK/out" 53cr3t
kill -TERM $daemon
wait $daemon
tap_check "it exits with 0" test $? -eq 0
tap_end
