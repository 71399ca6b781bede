#!/bin/sh
# Each flush of ops.db takes 0.7 s: a command that changes something is answered late but not lost, one
# that only reads does not wait, the API answers reads at once, trading continues, and the absence of the ops loop is in its state, in the log and an alert.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
if ! command -v curl > /dev/null || ! ${CC:-cc} -D_GNU_SOURCE -shared -fPIC -O1 \
    "$(dirname "$0")/preload/slow_disk.c" -o "$WORK/slow_disk.so" -ldl > "$WORK/out" 2>&1; then
    tap_skip "a slow disk" "no curl or no compiler"
    tap_end
fi

state() { # KEY: a number of the API's state
    curl -s --max-time 2 --unix-socket "$WORK/state/nightdesk.sock" \
        http://localhost/api/v1/state | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}
run_command() {
    timeout 60 "$ND" do "$@" --config "$WORK/quiet.yaml" --state "$WORK/state" > "$WORK/out" 2>&1
}

echo 0 > "$WORK/slow"
SLOW_DISK=$WORK/slow LD_PRELOAD=$WORK/slow_disk.so "$ND" run --no-console \
    --config "$WORK/quiet.yaml" --state "$WORK/state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
tap_check "it starts" wait_for 10 grep -q "ready in" "$WORK/log"
tap_check "a command is answered" run_command status

echo 700 > "$WORK/slow"
from=$(date +%s%N)
run_command status
ms=$((($(date +%s%N) - from) / 1000000))
tap_check "a command that only reads does not wait for the disk ($ms ms)" test $ms -lt 700
sleep 2
steps=$(state steps)
run_command pause &
asking=$!
sleep 0.3
from=$(date +%s%N)
tap_check "the API reads while the loop waits for the disk" test -n "$(state steps)"
ms=$((($(date +%s%N) - from) / 1000000))
tap_check "at once ($ms ms)" test $ms -lt 500
wait $asking
tap_check "a command is answered, although late" contains "$WORK/out" "paused"
tap_check "the engine continued" test "$(state steps)" -gt "$steps"
tap_check "the absence is in the state" test "$(state longest_absence_us)" -ge 700000
tap_check "and in the log" contains "$WORK/log" OPS_LOOP_AWAY
sleep 2
echo 0 > "$WORK/slow"
tap_check "it is an alert" wait_for 10 sh -c "'$ND' do alerts --config '$WORK/quiet.yaml' \
    --state '$WORK/state' | grep -q 'chat and API were delayed'"
kill -TERM $daemon
wait $daemon
tap_check "the daemon exits with 0" test $? -eq 0
tap_end
