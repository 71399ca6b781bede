#!/bin/sh
# Commands from a pipe and from a file: replies on standard output, end with the input, exit 0.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

printf '/status\n/positions\n/version\n' |
    timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out" 2> "$WORK/err"
code=$?
tap_check "a pipe ends the program with 0" test $code -eq 0
tap_check "/status was answered" contains "$WORK/out" "Equity"
tap_check "/version was answered, last" sh -c "tail -n 5 '$WORK/out' | grep -q nightdesk"
tap_check "no log line is among the replies" lacks "$WORK/out" "INFO"
tap_check "nothing is on standard error" test ! -s "$WORK/err"
tap_check "the log is in the state folder" contains "$WORK/a/nightdesk.log" "ready in"

echo '/pause' > "$WORK/in"
timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/a" < "$WORK/in" > "$WORK/out" 2>&1
tap_check "it exits with 0 at the end of a file as well" test $? -eq 0
printf '/status\n' |
    timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out" 2>&1
tap_check "a pause survives the restart" grep -qi "paused" "$WORK/out"

printf '/nonsense\n\n/why \377\376\n/restart\n' |
    timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out" 2>&1
tap_check "after invalid input it exits with 0" test $? -eq 0
tap_check "an unknown command is answered with its error" contains "$WORK/out" COMMAND_UNKNOWN
tap_check "invalid UTF-8 is answered with its error" contains "$WORK/out" BAD_UTF8
tap_check "a missing argument is answered with its error" contains "$WORK/out" COMMAND_ARG_MISSING

timeout 20 "$ND" version <&- >&- 2>&-
tap_check "without any standard descriptor it does not crash" test $? -le 2
"$ND" run --config "$WORK/quiet.yaml" --state "$WORK/closed" <&- >&- 2>&- &
closed=$!
kill_at_exit $closed
wait_for 10 "$ND" do version --config "$WORK/quiet.yaml" --state "$WORK/closed"
tap_check "and a daemon starts without them" "$ND" do version --config "$WORK/quiet.yaml" --state "$WORK/closed"
kill -TERM $closed
wait $closed
"$ND" auditlog verify --config "$WORK/quiet.yaml" --state "$WORK/closed" > "$WORK/out" 2>&1
tap_check "and its databases are intact" test $? -eq 0

mkfifo "$WORK/keys"
timeout 60 "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/b" < "$WORK/keys" > "$WORK/out" 2>&1 &
chatting=$!
kill_at_exit $chatting
exec 3> "$WORK/keys"
wait_for 20 grep -q "ready in" "$WORK/b/nightdesk.log"
mv "$WORK/b/nightdesk.log" "$WORK/b/moved.log"
tap_check "a log that was moved is created again" wait_for 10 test -e "$WORK/b/nightdesk.log"
head -c 11000000 /dev/zero | tr '\0' 'x' >> "$WORK/b/nightdesk.log"
tap_check "a large log is rotated while it runs" wait_for 10 test -e "$WORK/b/nightdesk.log.1"
tap_check "and is short again" sh -c "test \$(wc -c < '$WORK/b/nightdesk.log') -lt 1000000"
exec 3>&-
wait $chatting

head -c 10000000 /dev/zero | tr '\0' 'x' |
    timeout 60 "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out" 2>&1
tap_check "after a line of 10 MB it exits with 0" test $? -eq 0
tap_check "a line of 10 MB gets a short answer" \
    sh -c "grep -q 'What to do' '$WORK/out' && test \$(wc -c < '$WORK/out') -lt 4000"

"$ND" run --config "$WORK/quiet.yaml" --state "$WORK/a" < /dev/null > "$WORK/out" 2>&1 &
daemon=$!
kill_at_exit $daemon
wait_for 10 grep -q "ready in" "$WORK/out"
tap_check "with /dev/null it is a daemon and logs to standard error" contains "$WORK/out" "ready in"
rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$daemon/status)
tap_check "idle memory is under 22 MB ($rss kB)" test "$rss" -lt 22528
"$ND" run --config "$WORK/quiet.yaml" --state "$WORK/a" < /dev/null > "$WORK/second" 2>&1
tap_check "a second daemon on the same state does not start" test $? -eq 2
tap_check "it names the pid of the first" contains "$WORK/second" "$daemon"
"$ND" do version --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out2" 2>&1
tap_check "nightdesk do runs a command on it" test $? -eq 0
tap_check "and prints the reply" contains "$WORK/out2" "nightdesk"
"$ND" do pause --json --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out2" 2>&1
tap_check "nightdesk do --json prints one JSON object" sh -c "head -c 1 '$WORK/out2' | grep -q '{'"
"$ND" do nonsense --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out2" 2>&1
tap_check "an unknown command exits with 1" test $? -eq 1
kill -TERM $daemon
wait $daemon
tap_check "on SIGTERM it exits with 0" test $? -eq 0
"$ND" do version --config "$WORK/quiet.yaml" --state "$WORK/a" > "$WORK/out2" 2>&1
tap_check "without a daemon nightdesk do exits with 2" test $? -eq 2
tap_check "and reports it" contains "$WORK/out2" CLI_NO_DAEMON
tap_check "the socket is removed" test ! -e "$WORK/a/nightdesk.sock"
tap_end
