#!/bin/sh
# The state folder's disk fills up while positions are open: the market continues, closing and an
# emergency stop work, /healthz and /status report it, nothing that was answered is lost to kill -9,
# and nothing is opened before a person resumes.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

if [ "$(id -u)" -ne 0 ] || ! command -v curl > /dev/null || ! mkdir -p "$WORK/disk" ||
    ! mount -t tmpfs -o size=24m tmpfs "$WORK/disk"; then
    tap_skip "a full disk" "needs root (to mount a tmpfs) and curl"
    tap_end
fi

cat > "$WORK/fast.yaml" <<YAML
api:
  port: 0
market:
  seed: 7
  speed: 600
services: {}
YAML
STATE=$WORK/disk/state

start() {
    "$ND" run --config "$WORK/fast.yaml" --state "$STATE" < /dev/null >> "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 healthy
}
get() { # PATH
    curl -s -m 5 --unix-socket "$STATE/nightdesk.sock" "http://localhost$1"
}
healthy() {
    get /healthz | grep -q '"status":"ok"'
}
state() { # PATTERN: whether the API's state matches
    get /api/v1/state > "$WORK/state.json"
    grep -q "$1" "$WORK/state.json"
}
has_position() {
    state '"side":"\(long\|short\)"'
}
flat() {
    state '"positions":\[\]'
}
market_time() {
    get /api/v1/state | sed 's/.*"market_time":"\([^"]*\)".*/\1/'
}
run_command() {
    timeout 60 "$ND" do "$@" --config "$WORK/fast.yaml" --state "$STATE" > "$WORK/out" 2>&1
}
fill() {
    # To the last block: the free space of the file system, then byte by byte.
    cat /dev/zero > "$WORK/disk/fill" 2> /dev/null
    cat /dev/zero > "$WORK/disk/fill2" 2> /dev/null
    sync
}

start
tap_check "it starts" healthy
tap_check "its reserve has all its blocks" test "$(stat -c %b "$STATE/reserve.bin")" -ge 256
tap_check "a position is opened" wait_for 60 has_position
fill
tap_check "full: healthz is degraded" wait_for 20 sh -c \
    "curl -s --unix-socket '$STATE/nightdesk.sock' http://localhost/healthz | grep -q degraded"
tap_check "full: and answers 503" test "$(curl -s -o /dev/null -w '%{http_code}' \
    --unix-socket "$STATE/nightdesk.sock" http://localhost/readyz)" -eq 503
tap_check "full: the API names the cause" wait_for 5 state \
    '"disk":{"state":"failed","error_code":"\(DB_FULL\|ENGINE_RECORD\)","closes":true'
one=$(market_time)
sleep 1.5
two=$(market_time)
tap_check "full: the market continues ($one, then $two)" test "$one" != "$two"
run_command status
tap_check "full: /status reports it" contains "$WORK/out" "No new positions; stops, closing and an"
tap_check "full: trading is paused in the end" wait_for 30 state '"state":"paused"'
run_command emergency_stop --yes
code=$?
tap_check "full: an emergency stop works ($code)" wait_for 30 state '"state":"emergency"'
tap_check "full: nothing is open" wait_for 30 flat
tap_check "full: the venue confirms it" wait_for 30 state 'verified flat'

kill -9 $daemon
wait $daemon 2> /dev/null
rm -f "$WORK/disk/fill" "$WORK/disk/fill2"
start
tap_check "killed, and space again: the stop is still active" wait_for 20 state '"state":"emergency"'
tap_check "and everything is closed, now on disk" wait_for 60 state 'verified flat'
tap_check "and it is healthy" wait_for 10 healthy
kill -9 $daemon
wait $daemon 2> /dev/null
start
tap_check "killed again: the stop is still active" wait_for 20 state '"state":"emergency"'
run_command clear_emergency --yes
run_command resume
tap_check "a person clears it and resumes" wait_for 20 state '"state":"active"'

# Without a stop, and with ops.db on another disk: paused, and still paused when space returns.
kill -TERM $daemon
wait $daemon
mkdir "$WORK/ops"
mv "$STATE"/ops.db* "$WORK/ops/"
ln -s "$WORK/ops/ops.db" "$STATE/ops.db"
start
tap_check "a position is opened again" wait_for 90 has_position
fill
tap_check "full again: paused after a while" wait_for 40 state '"state":"paused"'
run_command resume
tap_check "full again: resuming is refused" contains "$WORK/out" ENGINE_DISK
run_command close all --yes
tap_check "full again: closing works" wait_for 30 flat
rm -f "$WORK/disk/fill" "$WORK/disk/fill2"
tap_check "space again: healthy without a restart" wait_for 20 healthy
tap_check "but it stays paused" state '"state":"paused"'
run_command resume
tap_check "until a person resumes" wait_for 20 state '"state":"active"'
kill -TERM $daemon
wait $daemon
tap_check "and the daemon exits with 0" test $? -eq 0
[ "$tap_failed" -eq 0 ] || tail -n 40 "$WORK/log" | sed 's/^/# /'
tap_end
