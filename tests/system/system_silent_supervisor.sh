#!/bin/sh
# A service manager that does not read NOTIFY_SOCKET: its queue is full from the start. Chat and API
# still answer, the daemon exits at once on SIGTERM, and READY=1 arrives when the manager reads.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

# A heartbeat every 0.2 s: far more than the queue's capacity of ten.
start() { # NAME SILENT_SECONDS
    WATCHDOG_USEC=400000 "$BUILD_DIR/system/silent_supervisor" "$WORK/$1.notify" "$2" "$WORK/$1.notified" \
        "$ND" run --no-console --config "$WORK/quiet.yaml" --state "$WORK/$1" \
        < /dev/null > "$WORK/$1.log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 10 test -S "$WORK/$1/nightdesk.sock"
}

run_command() { # NAME
    timeout 4 "$ND" do status --config "$WORK/quiet.yaml" --state "$WORK/$1" > "$WORK/out" 2>&1
}

stop() { # sets $took to the milliseconds from SIGTERM to the exit
    from=$(date +%s%N)
    kill -TERM $daemon
    (sleep 10 && kill -9 $daemon) 2> /dev/null &
    killer=$!
    wait $daemon
    code=$?
    kill $killer 2> /dev/null
    took=$((($(date +%s%N) - from) / 1000000))
}

start silent 1000
sent=0 answered=0
while [ $sent -lt 20 ]; do
    sent=$((sent + 1))
    run_command silent && answered=$((answered + 1))
    sleep 0.2
done
tap_check "a manager that never reads: $answered of $sent commands are answered" \
    test $answered -eq $sent
stop
tap_check "on SIGTERM it exits with 0" test $code -eq 0
tap_check "within 2 s ($took ms)" test "$took" -lt 2000

start late 2
tap_check "a manager that reads late: commands are answered before" run_command late
tap_check "READY=1 was not lost" wait_for 10 grep -q "^READY=1" "$WORK/late.notified"
tap_check "with the status" grep -q "^STATUS=.*equity" "$WORK/late.notified"
tap_check "heartbeats continue" wait_for 10 grep -q "^WATCHDOG=1" "$WORK/late.notified"
before=$(grep -c "^WATCHDOG=1" "$WORK/late.notified")
sleep 2
more=$(($(grep -c "^WATCHDOG=1" "$WORK/late.notified") - before))
tap_check "at half the period: $more in 2 s" test $more -ge 4 -a $more -le 12
stop
tap_check "STOPPING=1 is sent" wait_for 5 grep -q "^STOPPING=1" "$WORK/late.notified"

unset WATCHDOG_USEC
"$BUILD_DIR/system/silent_supervisor" "$WORK/none.notify" 0 "$WORK/none.notified" \
    "$ND" run --no-console --config "$WORK/quiet.yaml" --state "$WORK/none" \
    < /dev/null > "$WORK/none.log" 2>&1 &
daemon=$!
kill_at_exit $daemon
wait_for 10 grep -q "^READY=1" "$WORK/none.notified"
sleep 2
tap_check "without a watchdog no heartbeat is sent" lacks "$WORK/none.notified" "WATCHDOG=1"
stop
tap_end
