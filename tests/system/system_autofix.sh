#!/bin/sh
# A service that hangs, and one whose process is gone: nightdesk heals both by itself, says so, and
# leaves alone what a person works on.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
port=$((20000 + $$ % 20000))
conf=$WORK/fix.yaml
state=$WORK/state
cat > "$conf" <<YAML
api: {port: 0}
state: {dir: "$state"}
monitoring: {check_interval: 1s, alert_threshold: 2}
services:
  demo:
    command: [self, demo-service, --port, "$port"]
    url: "http://127.0.0.1:$port"
    timeout: 500ms
YAML

ask() { # COMMAND...
    "$ND" do --config "$conf" "$@" 2>&1
}
is_up() {
    ask services --json | grep -q '"name":"demo"[^}]*"state":"up"'
}
is_down() {
    ask services --json | grep -q '"name":"demo"[^}]*"state":"down"'
}
pid() {
    ask services --json | sed -n 's/.*"name":"demo"[^}]*"pid":\([0-9]*\).*/\1/p'
}
fixes() {
    "$ND" auditlog show --state "$state" --config "$conf" | grep -c 'received.*fix_[a-z]* demo'
}
"$ND" run --config "$conf" > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
tap_check "the service is up" wait_for 20 is_up
sleep 11 # the grace period after a start
before=$(pid)
kill -STOP "$before"
tap_check "a process that does not answer: the service is down" wait_for 15 is_down
tap_check "it is restarted and up again" wait_for 30 is_up
tap_check "as another process" test "$(pid)" != "$before"
tap_check "by one run of fix_hung" test "$(fixes)" = 1
ask incident 1 > "$WORK/incident"
tap_check "the incident says so" grep -q 'fix_hung demo' "$WORK/incident"
tap_check "and is over" grep -q 'resolved: healthy again' "$WORK/incident"
tap_check "so does the log" wait_for 20 grep -q 'demo is down: fixed by fix_hung' "$WORK/log"
tap_check "and the audit log names who did it" sh -c \
    "'$ND' auditlog show --state '$state' --config '$conf' | grep -q autofix"

ask autofix off > "$WORK/out"
tap_check "it can be switched off" grep -q 'Auto-fix is off' "$WORK/out"
kill -STOP "$(pid)"
tap_check "the next time the service is down" wait_for 15 is_down
sleep 6
tap_check "and stays so" is_down
tap_check "without another run" test "$(fixes)" = 1
tap_end
