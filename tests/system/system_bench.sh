#!/bin/sh
# An aborted benchmark leaves no process: its daemon and the benchmark end with the runner.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
# The benchmark creates its own folder under /var/tmp.
daemons() { # only those of this runner's benchmark, whose folder has their configuration
    pgrep -f "^$BUILD_DIR/bench/../nightdesk run" > "$WORK/pids"
}
has_ended() {
    ! kill -0 "$1" 2> /dev/null
}

for signal in KILL TERM INT; do
    "$BUILD_DIR/bench/run" "$BUILD_DIR/bench/ops" > "$WORK/out" 2>&1 &
    runner=$!
    kill_at_exit $runner
    wait_for 20 daemons
    bench=$(pgrep -P $runner)
    daemon=$(head -n 1 "$WORK/pids")
    tap_check "the benchmark runs a daemon" test -n "$bench" -a -n "$daemon"
    kill -$signal $([ $signal = INT ] && echo "$bench" || echo $runner)
    wait $runner 2> /dev/null
    tap_check "SIG$signal: the benchmark has ended" wait_for 5 has_ended "${bench:-1}"
    sleep 0.5
    tap_check "SIG$signal: no daemon is running" sh -c "! pgrep -f '^$BUILD_DIR/bench/../nightdesk run'"
done
tap_end
