#!/bin/sh
# Runs test programs that print TAP, and prints one summary line.
#
# usage: run.sh [LABEL COMMAND ... ++] LABEL COMMAND [LABEL COMMAND ...] [-- LABEL COMMAND ...]...
#
# Each COMMAND is one shell command line. Those before ++ wait most of their time: they all begin at
# once, beside the others. Those before the first -- run $JOBS at a time (default: the number of
# cores plus three, because many of them wait; at most six). Each -- begins a round of programs that
# measure time: they run when all others have ended, the programs of one round at the same time,
# because they need little of it. A program that exits with an error without printing "not ok" counts
# as one failure (a crash is not a pass), and so does one without results. Output is kept under
# $LOGS; each result is printed as soon as it is known.
set -u
: "${LOGS:=build/test-logs}"
export LOGS
# The fakes in Python are started some two hundred times; Python keeps what it has compiled of them.
unset PYTHONDONTWRITEBYTECODE
skip='^(not )?ok [0-9]+.*# *skip'

# Runs one program and writes its log, its counts and its report.
one() {
    label=$1 command=$2
    name=$(echo "$label" | tr ' /' '__')
    log=$LOGS/$name.log
    start=$(date +%s)
    CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "${TEST_TIMEOUT:-900}" \
        sh -c "$command" > "$log" 2>&1 < /dev/null
    rc=$?
    p=$(grep -cE '^ok [0-9]+' "$log")
    # cmocka writes "not ok N # SKIP name" for a test that skipped itself.
    s=$(grep -ciE "$skip" "$log")
    f=$(($(grep -cE '^not ok' "$log") - $(grep -ciE '^not ok [0-9]+ *# *skip' "$log")))
    p=$((p - $(grep -ciE '^ok [0-9]+.*# *skip' "$log")))
    if [ "$f" -eq 0 ] && { [ $rc -ne 0 ] || [ $((p + s)) -eq 0 ]; }; then f=1; fi
    {
        printf '%-28s %4d passed %3d failed %3d skipped  %3d s\n' "$label" $p $f $s \
            $(($(date +%s) - start))
        if [ "$f" -ne 0 ]; then
            echo "  exit status $rc; the output is in $log; its failures and last lines:"
            grep -A 12 -E '^not ok' "$log" | head -n 60 | sed 's/^/  | /'
            tail -n 15 "$log" | sed 's/^/  > /'
        fi
    } > "$LOGS/$name.report"
    grep -iE "$skip" "$log" | sed "s/^[a-z ]*ok [0-9]* *-* */  $label: /" > "$LOGS/$name.skips"
    if [ "$f" -ne 0 ]; then
        { grep -E '^not ok' "$log" || echo "exit status $rc"; } |
            grep -viE "$skip" | sed "s/^/  $label: /" > "$LOGS/$name.failures"
    fi
    echo "$p $f $s" > "$LOGS/$name.counts"
    cat "$LOGS/$name.report"
}

if [ "${1:-}" = --one ]; then
    shift
    one "$@"
    exit 0
fi

cores=$(nproc 2> /dev/null || echo 1)
: "${JOBS:=$((cores < 4 ? cores + 3 : 6))}"
mkdir -p "$LOGS"
rm -f "$LOGS"/*.log "$LOGS"/*.report "$LOGS"/*.skips "$LOGS"/*.failures "$LOGS"/*.counts
started=0
beside=""
for word in "$@"; do
    [ "$word" = ++ ] && beside=yes
done
if [ -n "$beside" ]; then
    while [ "$1" != ++ ]; do
        one "$1" "$2" &
        started=$((started + 1))
        shift 2
    done
    shift
fi
while [ $# -gt 1 ] && [ "$1" != -- ]; do
    printf '%s\0%s\0' "$1" "$2"
    shift 2
done > "$LOGS/together"
started=$((started + $(tr -cd '\000' < "$LOGS/together" | wc -c) / 2))
xargs -0 -n 2 -P "$JOBS" sh "$0" --one < "$LOGS/together"
while [ $# -gt 1 ]; do
    if [ "$1" = -- ]; then
        wait
        shift
    fi
    one "$1" "$2" &
    started=$((started + 1))
    shift 2
done
wait

if [ -n "$(cat "$LOGS"/*.skips)" ]; then
    echo skipped:
    cat "$LOGS"/*.skips
fi
# Once more at the end, for a reader who sees only the last lines of a long log.
if ls "$LOGS"/*.failures > /dev/null 2>&1; then
    echo failed:
    head -n 40 "$LOGS"/*.failures | grep -E '^  '
fi
# A program without counts did not start.
cat "$LOGS"/*.counts | awk -v started="$started" '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        failed += started - NR
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0
    }'
