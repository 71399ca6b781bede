#!/bin/sh
# Runs test programs that speak TAP, one after the other, and sums them up in one line.
#
# usage: run.sh LABEL COMMAND [LABEL COMMAND ...]      each COMMAND is one shell word list
# A program that ends badly without saying "not ok" counts as one failure (a crash is not a pass),
# and so does one that reports nothing. Output is kept under $LOGS; failures are shown at once.
set -u
: "${LOGS:=build/test-logs}"
mkdir -p "$LOGS"
skip='^(not )?ok [0-9]+.*# *skip'
passed=0 failed=0 skipped=0
skips=""
while [ $# -gt 1 ]; do
    label=$1 command=$2
    shift 2
    log=$LOGS/$(echo "$label" | tr ' /' '__').log
    start=$(date +%s)
    CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "${TEST_TIMEOUT:-300}" \
        sh -c "$command" > "$log" 2>&1 < /dev/null
    rc=$?
    p=$(grep -cE '^ok [0-9]+' "$log")
    # cmocka writes "not ok N # SKIP name" for a test that skipped itself.
    s=$(grep -ciE "$skip" "$log")
    f=$(($(grep -cE '^not ok' "$log") - $(grep -ciE '^not ok [0-9]+ *# *skip' "$log")))
    p=$((p - $(grep -ciE '^ok [0-9]+.*# *skip' "$log")))
    if [ "$f" -eq 0 ] && { [ $rc -ne 0 ] || [ $((p + s)) -eq 0 ]; }; then f=1; fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-28s %4d passed %3d failed %3d skipped  %3d s\n' "$label" $p $f $s \
        $(($(date +%s) - start))
    if [ "$f" -ne 0 ]; then
        echo "  exit status $rc; the whole output is in $log; its failures and its end:"
        grep -A 12 -E '^not ok' "$log" | head -n 60 | sed 's/^/  | /'
        tail -n 15 "$log" | sed 's/^/  > /'
    fi
    if [ "$s" -ne 0 ]; then
        skips="$skips$(grep -iE "$skip" "$log" | sed "s/^[a-z ]*ok [0-9]* *-* */  $label: /")
"
    fi
done
[ -z "$skips" ] || printf 'skipped:\n%s' "$skips"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
