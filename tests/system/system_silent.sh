#!/bin/sh
# While the engine thread is frozen, no view of its figures looks fresh, and prompts show it as well;
# once it runs again everything is green. With the default configuration.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

mkfifo "$WORK/stdin"
"$ND" run --state "$WORK/state" --config "$WORK/quiet.yaml" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
wait_for 15 grep -q "ready in" "$WORK/log"
run_command() {
    "$ND" do "$@" --config "$WORK/quiet.yaml" --state "$WORK/state" > "$WORK/out" 2>&1
}
positions() {
    run_command positions && grep -q USD "$WORK/out"
}
wait_for 60 positions
run_command status
tap_check "a running engine is green" contains "$WORK/out" "🟢"

"$BUILD_DIR/system/freeze_thread" $daemon engine < "$WORK/stdin" > "$WORK/frozen" 2>&1 &
kill_at_exit $!
exec 3> "$WORK/stdin"
if ! wait_for 5 grep -q frozen "$WORK/frozen"; then
    tap_skip "a frozen thread" "no ptrace here: $(cat "$WORK/frozen")"
    tap_end
fi
sleep 7
for view in status positions risk why trades orders decisions "close all" emergency_stop; do
    # shellcheck disable=SC2086 # words of a command line
    run_command $view
    tap_check "/$view reports that the engine is silent" contains "$WORK/out" "🔴 engine silent for"
done
run_command version
tap_check "/version has the warning below" contains "$WORK/out" "engine silent for"
run_command status --json
tap_check "and so has JSON" contains "$WORK/out" '"stale":true'
if command -v curl > /dev/null; then
    curl -s --unix-socket "$WORK/state/nightdesk.sock" http://localhost/api/v1/state > "$WORK/out"
    tap_check "and the API's state" contains "$WORK/out" '"stale":true'
fi

# Requests fail now. The engine refuses a close that is too late, but never a stop.
"$ND" do close all --yes --config "$WORK/quiet.yaml" --state "$WORK/state" > "$WORK/close" 2>&1 &
closing=$!
"$ND" do emergency_stop --yes --config "$WORK/quiet.yaml" --state "$WORK/state" \
    > "$WORK/stop" 2>&1 &
stopping=$!
wait $closing
tap_check "a close times out" contains "$WORK/close" STEP_TIMEOUT
wait $stopping
tap_check "an emergency stop times out as well" contains "$WORK/stop" STEP_TIMEOUT
tap_check "but it has set the kill switch" contains "$WORK/stop" "no new positions are opened"
exec 3>&-
late() { # WORDS
    "$ND" auditlog show --config "$WORK/quiet.yaml" --state "$WORK/state" > "$WORK/out" 2>&1
    grep "command.late" "$WORK/out" | grep -q "$1"
}
tap_check "the engine runs again: the late close is refused and reported" \
    wait_for 15 late "close: The engine refused"
tap_check "the stop is verified late and reported" wait_for 20 late "verified flat after"
run_command alerts
tap_check "and its alert is resolved" lacks "$WORK/out" "not verified"
run_command clear_emergency --yes
run_command resume
wait_for 10 sh -c "'$ND' do status --config '$WORK/quiet.yaml' --state '$WORK/state' | grep -q 🟢"
run_command status
tap_check "it runs again: green" contains "$WORK/out" "🟢"
kill -TERM $daemon
wait $daemon
tap_check "and the daemon exits with 0" test $? -eq 0
tap_end
