#!/bin/sh
# A changed configuration reaches the real daemon: at SIGHUP and with `do reload`, also while files
# are replaced under it; the run with its new settings replays the same.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

conf=$WORK/live.yaml
state=$WORK/state
write() { # EXTRA: replaces the file by rename
    printf 'api: {port: 0}\nmarket: {seed: 7, speed: 3600}\nservices: {}\n%s\n' "$1" > "$conf.new"
    mv "$conf.new" "$conf"
}
ask() { "$ND" do --config "$conf" --state "$state" "$@" > "$WORK/out" 2>&1; }
has_risk() { ask risk && grep -qF "$1" "$WORK/out"; }

write ""
"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
tap_check "it starts" wait_for 20 grep -q "ready in" "$WORK/log"
tap_check "with three positions at most" wait_for 10 has_risk "≤ 3"

write 'risk: {max_positions: 2, stop: 1.5%}'
kill -HUP $daemon
tap_check "a signal applies a changed limit" wait_for 5 has_risk "≤ 2"
sleep 1 # some market hours with it

write 'risk: {max_positions: 1}
market2: {}'
kill -HUP $daemon
tap_check "a mistake is logged with its place" wait_for 5 grep -qF "live.yaml:5:1" "$WORK/log"
write 'risk: {max_positions: 2, stop: 1.5%}'
tap_check "and changes nothing" has_risk "≤ 2"

write 'risk: {max_positions: 1}
paper: {fee: 9}'
"$ND" do --config "$conf" --state "$state" --yes reload tighter > "$WORK/out" 2>&1
tap_check "do reload applies, and names what needs a restart" \
    sh -c "grep -qF 'risk.max_positions' '$WORK/out' && grep -qF 'paper.fee' '$WORK/out' && grep -qF 'at the next start' '$WORK/out'"
tap_check "the limit is the new one" wait_for 5 has_risk "≤ 1"

i=0
while [ $i -lt 40 ]; do # each file is whole, whenever it is read
    write "risk: {max_positions: $((2 + i % 2)), cooldown: ${i}m}"
    kill -HUP $daemon
    i=$((i + 1))
done
write 'risk: {max_positions: 3, cooldown: 59m}'
kill -HUP $daemon
tap_check "after forty signals in a row the last file counts" wait_for 10 has_risk "≤ 3"
lacks_errors() { ! grep -v 'market2\|resolved' "$WORK/log" | grep -q "cannot be used"; }
tap_check "and none was read half" lacks_errors

sleep 1
kill -TERM $daemon
wait $daemon
tap_check "it exits with 0" test $? -eq 0
"$ND" replay --run 1 --config "$conf" --state "$state" > "$WORK/out" 2>&1
tap_check "the run replays the same" test $? -eq 0
tap_show "$WORK/out"
tap_end
