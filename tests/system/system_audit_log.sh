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

# ---- filters and export
list() {
    "$ND" auditlog "$@" --config "$WORK/quiet.yaml" --state "$state" > "$WORK/out" 2>&1
}
list show --command pause
tap_check "one command" contains "$WORK/out" ": pause"
tap_check "and no other" lacks "$WORK/out" "resume"
run=$(sed -n 's/.*run \([0-9]*\): pause.*/\1/p' "$WORK/out" | head -n 1)
list show --run "$run"
tap_check "all rows of a run" test "$(grep -c "run $run: pause" "$WORK/out")" -ge 3
tap_check "and no others" test "$(grep -vc "run $run: pause" "$WORK/out")" -eq 0
list show --result failed
tap_check "what failed" contains "$WORK/out" "nonsense-one"
tap_check "and nothing that did not" lacks "$WORK/out" "[ok]"
list show --user nobody
tap_check "nobody's rows" test ! -s "$WORK/out"
list export --csv
tap_check "export as CSV has a header" \
    test "$(head -n 1 "$WORK/out")" = "id,at,user,channel,action,detail,result,hash"
exported=$(wc -l < "$WORK/out")
list show --last 1000
tap_check "and each row" test "$exported" -eq "$(($(wc -l < "$WORK/out") + 1))"
list export --ndjson --command /pause --since -1h
tap_check "export takes the filters" test "$(grep -c '"detail":"run' "$WORK/out")" -ge 3
list export --json
tap_check "export as JSON" grep -qE '^\{"schema":"nightdesk.auditlog_rows/1","rows":\[\{"id":1,.*\}\]\}$' "$WORK/out"
list export
tap_check "export without a form: 2" test $? -eq 2
list show --since yesterday
tap_check "a time that cannot be read: 2" contains "$WORK/out" CLI_USAGE

# ---- seals: what was kept elsewhere finds what the folder alone does not
key() {
    "$ND" auditlog key --config "$WORK/quiet.yaml" --state "$state"
}
verify
tap_check "the stop has sealed all rows" \
    grep -qE "^sealed: rows 1 to [0-9]+, at .*; 0 rows not sealed yet" "$WORK/out"
tap_check "the private key is for its owner alone" \
    test "$(stat -c %a "$state/audit_seal.key")" = 600
key > "$WORK/kept"
tap_check "key prints the public key" grep -qE "^key [0-9a-f]{64}$" "$WORK/kept"
tap_check "and the seal" grep -qE "^seal [0-9]+:[0-9a-f]{64} 20" "$WORK/kept"
tap_check "the private key is not printed" lacks "$WORK/kept" "$(cat "$state/audit_seal.key")"
cp -r "$state" "$WORK/early"
mkfifo "$WORK/sealed-in"
: > "$WORK/replies" # the pipe is opened first, and those of the last run would be read
"$ND" run --config "$WORK/quiet.yaml" --state "$state" < "$WORK/sealed-in" > "$WORK/replies" 2>&1 &
daemon=$!
kill_at_exit $daemon
exec 9> "$WORK/sealed-in"
printf '/pause\n/resume\n' >&9
wait_for 10 grep -q "Trading resumed" "$WORK/replies"
kill -9 $daemon
wait $daemon 2> /dev/null
exec 9>&-
verify --key "$WORK/kept"
tap_check "after kill -9 the log is intact" test $? -eq 0
tap_check "with rows that are not sealed yet" grep -qE "[1-9][0-9]* rows not sealed yet" "$WORK/out"
tap_check "and the kept seal is found in it" contains "$WORK/out" "1 kept seal found in it"
printf '/whoami\n' | timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$state" \
    > "$WORK/replies" 2>&1
verify --key "$WORK/kept"
tap_check "the next stop seals them" contains "$WORK/out" "; 0 rows not sealed yet"
tap_check "and logs the seal" contains "$state/nightdesk.log" "sealed the audit log"
key >> "$WORK/kept"
verify --key - < "$WORK/kept"
tap_check "kept keys and seals are read from standard input" \
    contains "$WORK/out" "2 kept seals found in it"
mv "$state" "$WORK/late"
cp -r "$WORK/early" "$state"
verify
tap_check "an early copy of the folder is intact in itself" test $? -eq 0
verify --key "$WORK/kept"
tap_check "but ends before a kept seal: 1" test $? -eq 1
tap_check "and says so" contains "$WORK/out" "of a seal that was kept"
verify --seal "$(sed -n 's/^seal \([0-9]*:.\{16\}\).*/\1/p' "$WORK/kept" | tail -n 1)"
tap_check "so does a seal with 16 digits" test $? -eq 1
verify --key "$(printf '%064d' 7)"
tap_check "a foreign key: 1" test $? -eq 1
tap_check "and it is named" contains "$WORK/out" "not signed with the kept key"
verify --key nonsense
tap_check "a key that cannot be read: 2" test $? -eq 2
verify --seal 5
tap_check "a seal that cannot be read: 2" contains "$WORK/out" "AUDIT_WITNESS"
chmod 0644 "$state/audit_seal.key"
key > "$WORK/out" 2>&1
tap_check "a key file that others can read is refused" contains "$WORK/out" "SECRET_KEY"
rm -rf "$state"
mv "$WORK/late" "$state"

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
list export --csv
tap_check "export has the archived rows, too" test "$(wc -l < "$WORK/out")" -gt 4500
list show --last 1000
tap_check "and so has show" test "$(wc -l < "$WORK/out")" -eq 1000
list show --run "$run"
tap_check "also the oldest" contains "$WORK/out" "run $run: pause"
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
