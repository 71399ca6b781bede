#!/bin/sh
# Name servers that never answer: commands at the socket are answered at once, the number of threads
# stays small, and the daemon exits at once on SIGTERM.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

cat > "$WORK/config.yaml" <<'YAML'
telegram:
  bot_token: "1234567:SILENT-SILENT-SILENT-SILENT-SILENT"
  api_url: "https://bot.silent.test"
  users:
    - {id: 7, name: owner, role: admin}
claude:
  api_key: "silent-key"
  api_url: "https://model.silent.test"
services:
  one: {url: "http://one.silent.test:9000", timeout: 1s}
  two: {url: "http://two.silent.test:9000", timeout: 1s}
  three: {url: "http://three.silent.test:9000", timeout: 1s}
monitoring:
  check_interval: 1s
  audit_first_after: 1s
api:
  port: 0
YAML
"$ND" check-config "$WORK/config.yaml" > "$WORK/out" 2>&1 || tap_show "$WORK/out"
"$BUILD_DIR/system/silent_dns" true > "$WORK/out" 2>&1
if [ $? -eq 77 ]; then
    tap_skip "silent name servers" "no namespaces on this machine"
    tap_end
fi

"$BUILD_DIR/system/silent_dns" "$ND" run --no-console --config "$WORK/config.yaml" \
    --state "$WORK/state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
tap_check "it starts" wait_for 10 grep -q "ready in" "$WORK/log"

# Longer than the timeouts of the checks and of the first poll's connection.
sent=0 answered=0 slowest=0
while [ $sent -lt 40 ]; do
    sent=$((sent + 1))
    from=$(date +%s%N)
    timeout 5 "$ND" do status --config "$WORK/config.yaml" --state "$WORK/state" \
        > "$WORK/out" 2>&1 && answered=$((answered + 1))
    ms=$((($(date +%s%N) - from) / 1000000))
    [ $ms -le $slowest ] || slowest=$ms
    sleep 0.3
done
tap_check "$answered of $sent commands are answered" test $answered -eq $sent
tap_check "each within 2 s ($slowest ms)" test $slowest -lt 2000
threads=$(find /proc/$daemon/task -mindepth 1 -maxdepth 1 | wc -l)
tap_check "the number of threads is limited ($threads)" test "$threads" -le 16
"$ND" do services --config "$WORK/config.yaml" --state "$WORK/state" > "$WORK/out" 2>&1
tap_check "a failed check reports the reason" contains "$WORK/out" "one: could not resolve the host name"

from=$(date +%s%N)
kill -TERM $daemon
(sleep 20 && kill -9 $daemon) 2> /dev/null &
killer=$!
wait $daemon
code=$?
kill $killer 2> /dev/null
took=$((($(date +%s%N) - from) / 1000000))
tap_check "on SIGTERM it exits with 0" test $code -eq 0
tap_check "within 2 s ($took ms)" test $took -lt 2000
tap_end
