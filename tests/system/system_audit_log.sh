#!/bin/sh
# The audit log is a hash chain: verify finds one changed byte in the database file and names the row.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
state=$WORK/state

verify() {
    "$ND" auditlog verify --config "$WORK/quiet.yaml" --state "$state" "$@" > "$WORK/out" 2>&1
}

printf '/pause\n/resume\n/whoami\n/nonsense-one\n' |
    timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$state" > "$WORK/replies" 2>&1
verify
tap_check "an untouched log verifies with 0" test $? -eq 0
tap_check "and prints the number of rows" contains "$WORK/out" "rows"
"$ND" auditlog show --config "$WORK/quiet.yaml" --state "$state" > "$WORK/rows" 2>&1
tap_check "show prints the commands" contains "$WORK/rows" "pause"

if ! command -v sqlite3 > /dev/null; then
    tap_skip "one byte edited" "no sqlite3 on this machine"
    tap_end
fi
row=$(sqlite3 "$state/ops.db" "SELECT id FROM audit_log WHERE detail LIKE '%pause%' LIMIT 1")
sqlite3 "$state/ops.db" "PRAGMA wal_checkpoint(TRUNCATE)" > /dev/null
cp -r "$state" "$WORK/copy"
# Edits the bytes of the file itself, bypassing SQLite.
detail=$(sqlite3 "$state/ops.db" "SELECT detail FROM audit_log WHERE id = $row")
changed=0
first=$(printf '%s' "$detail" | cut -c1)
for at in $(grep -aboF "$detail" "$state/ops.db" | cut -d: -f1); do
    printf '#' | dd of="$state/ops.db" bs=1 seek="$at" conv=notrunc 2> /dev/null
    now=$(sqlite3 "$state/ops.db" "SELECT detail FROM audit_log WHERE id = $row")
    if [ "$now" != "$detail" ]; then
        changed=1
        break
    fi
    # The same text is in another row or table: restore the byte.
    printf '%s' "$first" | dd of="$state/ops.db" bs=1 seek="$at" conv=notrunc 2> /dev/null
done
tap_check "one byte of row $row was edited" test $changed -eq 1
verify
tap_check "then verify exits with 1" test $? -eq 1
tap_check "and names row $row" contains "$WORK/out" "row $row"
verify --json
tap_check "in JSON as well" contains "$WORK/out" "\"bad_row\":$row"

rm -rf "$state"
cp -r "$WORK/copy" "$state"
sqlite3 "$state/ops.db" "DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)"
verify
tap_check "a deleted last row is detected" test $? -eq 1
rm -rf "$state"
cp -r "$WORK/copy" "$state"
sqlite3 "$state/ops.db" "UPDATE audit_log SET user = 'mallory' WHERE id = 1"
verify
tap_check "a changed user is detected" contains "$WORK/out" "row 1"
rm -f "$state/audit.key"
verify
tap_check "without its key it cannot be verified: 2" test $? -eq 2

# ---- archives: after kill -9 at any moment there are the rows, or the rows and the file, or the file
rm -rf "$state"
cp -r "$WORK/copy" "$state"
archive() {
    "$ND" auditlog archive --older-than 0 --config "$WORK/quiet.yaml" --state "$state" "$@" \
        > "$WORK/out" 2>&1
}
# Enough rows for several files: the same commands again and again.
i=0
while [ $i -lt 700 ]; do
    printf '/pause\n/resume\n'
    i=$((i + 1))
done > "$WORK/lines"
timeout 120 "$ND" run --config "$WORK/quiet.yaml" --state "$state" < "$WORK/lines" \
    > "$WORK/replies" 2>&1
before=$(sqlite3 "$state/ops.db" "SELECT max(id) FROM audit_log")
tap_check "the log has several archives' worth of rows ($before)" test "$before" -gt 4500
whole=yes kills=0
for ms in 5 10 15 20 30 40 50 60 80 100 130 160 200 250; do
    "$ND" auditlog archive --older-than 0 --config "$WORK/quiet.yaml" --state "$state" \
        > /dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf %03d $ms)"
    kill -9 $pid 2> /dev/null && kills=$((kills + 1))
    wait $pid 2> /dev/null
    verify || { whole="no, after $ms ms"; break; }
done
tap_check "the log is intact after kill -9 at $kills moments" test "$whole" = yes
tap_show "$WORK/out"
archive
tap_check "then it archives the rest" test $? -eq 0
verify
tap_check "verify reads the archives" grep -qE "including those of [0-9]+ archives" "$WORK/out"
left=$(sqlite3 "$state/ops.db" "SELECT count(*) FROM audit_log WHERE action != 'audit.archived'")
tap_check "the newest 50 rows remain, besides those that name archives ($left)" test "$left" -le 50
first=$(ls "$state/audit" | head -n 1)
mv "$state/audit/$first" "$WORK/taken"
verify
tap_check "a missing archive is detected: 1" test $? -eq 1
tap_check "and named" contains "$WORK/out" "$first is missing"
head -c 3000 "$WORK/taken" > "$state/audit/$first"
verify
tap_check "a truncated one is named" contains "$WORK/out" "$first was cut off or damaged"
sed 's/pause/pausf/' "$WORK/taken" > "$state/audit/$first"
verify
tap_check "a changed one is named" contains "$WORK/out" "$first"
mv "$WORK/taken" "$state/audit/$first"
verify
tap_check "once restored, the log is intact again" test $? -eq 0

# ---- beside a running daemon, the only writer of its database
mkfifo "$WORK/stdin"
"$ND" run --config "$WORK/quiet.yaml" --state "$state" < "$WORK/stdin" > /dev/null 2>&1 &
daemon=$!
kill_at_exit $daemon
exec 9> "$WORK/stdin"
wait_for 10 "$ND" do whoami --config "$WORK/quiet.yaml" --state "$state"
archive
tap_check "archive refuses while a daemon is running: 2" test $? -eq 2
tap_check "and reports the lock" contains "$WORK/out" FILE_LOCKED
before=$(sqlite3 "$state/ops.db" "SELECT max(id) FROM audit_log")
i=0
while [ $i -lt 10 ]; do
    "$ND" do status --config "$WORK/quiet.yaml" --state "$state" > /dev/null 2>&1
    i=$((i + 1))
done
tap_check "ten reads leave no row in the log" \
    test "$(sqlite3 "$state/ops.db" "SELECT max(id) FROM audit_log")" = "$before"
"$ND" auditlog reads --config "$WORK/quiet.yaml" --state "$state" > "$WORK/out" 2>&1
tap_check "they are counted" grep -qE 'socket +status +1?[0-9]$' "$WORK/out"
exec 9>&-
"$ND" auditlog archive --state "$WORK/nowhere" --config "$WORK/quiet.yaml" > "$WORK/out" 2>&1
tap_check "a wrong folder is an error" test $? -eq 2
tap_check "and is not created" test ! -e "$WORK/nowhere"
tap_end
