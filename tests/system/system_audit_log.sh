#!/bin/sh
# The audit log is a chain: one byte changed in the database file is found, and the row named.
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
tap_check "and says how many rows" holds "$WORK/out" "rows"
"$ND" auditlog show --config "$WORK/quiet.yaml" --state "$state" > "$WORK/rows" 2>&1
tap_check "show prints what was done" holds "$WORK/rows" "pause"

if ! command -v sqlite3 > /dev/null; then
    tap_skip "one byte edited" "no sqlite3 on this machine"
    tap_end
fi
row=$(sqlite3 "$state/ops.db" "SELECT id FROM audit_log WHERE detail LIKE '%pause%' LIMIT 1")
sqlite3 "$state/ops.db" "PRAGMA wal_checkpoint(TRUNCATE)" > /dev/null
cp -r "$state" "$WORK/copy"
# In the bytes of the file itself, past SQLite.
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
    # The same words in another row or table: put the byte back.
    printf '%s' "$first" | dd of="$state/ops.db" bs=1 seek="$at" conv=notrunc 2> /dev/null
done
tap_check "one byte of row $row was edited" test $changed -eq 1
verify
tap_check "then verify exits with 1" test $? -eq 1
tap_check "and names row $row" holds "$WORK/out" "row $row"
verify --json
tap_check "in JSON, too" holds "$WORK/out" "\"bad_row\":$row"

rm -rf "$state"
cp -r "$WORK/copy" "$state"
sqlite3 "$state/ops.db" "DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log)"
verify
tap_check "a row cut off the end is found" test $? -eq 1
rm -rf "$state"
cp -r "$WORK/copy" "$state"
sqlite3 "$state/ops.db" "UPDATE audit_log SET user = 'mallory' WHERE id = 1"
verify
tap_check "a changed user is found" holds "$WORK/out" "row 1"
rm -f "$state/audit.key"
verify
tap_check "without its key it cannot be verified: 2" test $? -eq 2

# ---- archives: kill -9 at any moment leaves the rows, or the rows and the file, or the file
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
tap_check "killed at $kills moments, the log is whole at each of them" test "$whole" = yes
tap_show "$WORK/out"
archive
tap_check "then it archives what is left" test $? -eq 0
verify
tap_check "verify follows into the archives" holds "$WORK/out" "including 2 archives"
left=$(sqlite3 "$state/ops.db" "SELECT count(*) FROM audit_log WHERE action != 'audit.archived'")
tap_check "the newest 50 rows stay, besides those that name archives ($left)" test "$left" -le 50
first=$(ls "$state/audit" | head -n 1)
mv "$state/audit/$first" "$WORK/taken"
verify
tap_check "a missing archive is found: 1" test $? -eq 1
tap_check "and named" holds "$WORK/out" "$first is missing"
head -c 3000 "$WORK/taken" > "$state/audit/$first"
verify
tap_check "a cut one is named" holds "$WORK/out" "$first was cut off or damaged"
sed 's/pause/pausf/' "$WORK/taken" > "$state/audit/$first"
verify
tap_check "a changed one is named" holds "$WORK/out" "$first"
mv "$WORK/taken" "$state/audit/$first"
verify
tap_check "put back, it is whole again" test $? -eq 0

# ---- beside a daemon, which is the one writer of its database
mkfifo "$WORK/hold"
"$ND" run --config "$WORK/quiet.yaml" --state "$state" < "$WORK/hold" > /dev/null 2>&1 &
daemon=$!
ends_with_us $daemon
exec 9> "$WORK/hold"
wait_for 10 "$ND" do whoami --config "$WORK/quiet.yaml" --state "$state"
archive
tap_check "archive refuses while a daemon runs: 2" test $? -eq 2
tap_check "and says so" holds "$WORK/out" FILE_LOCKED
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
tap_check "and not made" test ! -e "$WORK/nowhere"
tap_end
