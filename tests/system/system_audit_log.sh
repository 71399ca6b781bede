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
tap_end
