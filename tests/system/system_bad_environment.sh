#!/bin/sh
# A full disk, a read-only folder, damaged databases, databases of a later version and a wrong
# configuration: each gives a clear error and exit code. If only ops.db is full, trading continues.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

start() { # NAME STATE [OPTION...]: output in $WORK/out, exit code in $code
    start_state=$1
    shift
    timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$start_state" "$@" \
        < /dev/null > "$WORK/out" 2>&1
    code=$?
}

refused() { # NAME CODE: exits with 2, names the catalogue code, cause, impact and what to do
    tap_check "$1: exits with 2" test "$code" -eq 2
    tap_check "$1: $2" contains "$WORK/out" "$2"
}

make_state() { # DIR: creates a state folder by a clean run
    printf '/status\n' | timeout 30 "$ND" run --config "$WORK/quiet.yaml" --state "$1" \
        > /dev/null 2>&1
}

# ---- databases
for db in ops trading; do
    make_state "$WORK/$db"
    rm -f "$WORK/$db"/*.db-wal "$WORK/$db"/*.db-shm
    cp "$WORK/$db/$db.db" "$WORK/$db.good"
    head -c 65536 /dev/urandom > "$WORK/$db/$db.db"
    start "$WORK/$db"
    refused "$db.db of random bytes" DB_CORRUPT
    cp "$WORK/$db.good" "$WORK/$db/$db.db"
    if command -v sqlite3 > /dev/null; then
        sqlite3 "$WORK/$db/$db.db" "PRAGMA user_version = 9999" > /dev/null
        start "$WORK/$db"
        refused "$db.db of a later version" DB_FUTURE
        cp "$WORK/$db.good" "$WORK/$db/$db.db"
        sqlite3 "$WORK/$db/$db.db" "PRAGMA application_id = 12345" > /dev/null
        start "$WORK/$db"
        refused "$db.db of another program" DB_FOREIGN
    else
        tap_skip "$db.db of a later version" "no sqlite3 on this machine"
    fi
done

# ---- configuration
cp "$WORK/quiet.yaml" "$WORK/good.yaml"
printf 'monitoring:\n  check_intervall: 30s\n' > "$WORK/bad.yaml"
"$ND" check-config "$WORK/bad.yaml" > "$WORK/out" 2>&1
code=$?
refused "an unknown key" CONFIG_
tap_check "an unknown key: file, line and column" contains "$WORK/out" "bad.yaml:2:3"
tap_check "an unknown key: the nearest name" contains "$WORK/out" "check_interval"
timeout 30 "$ND" run --config "$WORK/bad.yaml" --state "$WORK/c" < /dev/null > "$WORK/out" 2>&1
code=$?
refused "run with an unknown key" CONFIG_
tap_check "nothing is created for a wrong configuration" test ! -e "$WORK/c"
printf 'a: [b\n' > "$WORK/bad.yaml"
"$ND" check-config "$WORK/bad.yaml" > "$WORK/out" 2>&1
code=$?
refused "broken YAML" YAML_SYNTAX
printf 'telegram:\n  bot_token: [1234567:SECRETSECRET]\n' > "$WORK/bad.yaml"
"$ND" check-config "$WORK/bad.yaml" > "$WORK/out" 2>&1
tap_check "a secret of a wrong type is not shown" lacks "$WORK/out" SECRETSECRET
"$ND" check-config "$WORK/missing.yaml" > "$WORK/out" 2>&1
code=$?
refused "a missing file" FILE_MISSING
"$ND" run --stat "$WORK/x" > "$WORK/out" 2>&1
code=$?
refused "an unknown option" CLI_USAGE
tap_check "an unknown option: the nearest one" contains "$WORK/out" "--state"

# ---- folders
if [ "$(id -u)" -ne 0 ]; then
    mkdir "$WORK/ro" && chmod 0500 "$WORK/ro"
    start "$WORK/ro/state"
    refused "a state folder that cannot be made" FILE_DENIED
fi
if [ "$(id -u)" -eq 0 ] && mkdir -p "$WORK/disk" && mount -t tmpfs -o size=64k tmpfs "$WORK/disk"
then
    mount -o remount,ro "$WORK/disk"
    start "$WORK/disk/state"
    refused "a read-only file system" FILE_
    mount -o remount,rw "$WORK/disk"
    head -c 1000000 /dev/zero > "$WORK/disk/fill" 2> /dev/null
    start "$WORK/disk/state"
    refused "a full disk" DB_FULL
    tap_check "a full disk: what to do" contains "$WORK/out" "Free space"
    umount "$WORK/disk"

    # ops.db on its own disk, which then fills up.
    make_state "$WORK/split"
    mount -t tmpfs -o size=8m tmpfs "$WORK/disk"
    mv "$WORK/split"/ops.db* "$WORK/disk/"
    ln -s "$WORK/disk/ops.db" "$WORK/split/ops.db"
    : > "$WORK/log"
    "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/split" < /dev/null > "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 10 grep -q "ready in" "$WORK/log"
    head -c 10000000 /dev/zero > "$WORK/disk/fill" 2> /dev/null
    run_command() {
        "$ND" do "$@" --config "$WORK/quiet.yaml" --state "$WORK/split" > "$WORK/out" 2>&1
    }
    run_command status
    tap_check "ops.db full: reading commands answer" test $? -eq 0
    tap_check "ops.db full: and report it" contains "$WORK/out" DB_FULL
    run_command resume
    tap_check "ops.db full: commands that change something are refused with 1" test $? -eq 1
    tap_check "ops.db full: with the reason" contains "$WORK/out" DB_FULL
    run_command pause
    tap_check "ops.db full: pausing works" test $? -eq 0
    tap_check "ops.db full: with a note that it is not recorded" \
        contains "$WORK/out" "Not recorded yet"
    steps() {
        curl -s --unix-socket "$WORK/split/nightdesk.sock" http://localhost/api/v1/state |
            sed 's/.*"steps":\([0-9]*\).*/\1/'
    }
    if command -v curl > /dev/null; then
        one=$(steps)
        sleep 1.5
        two=$(steps)
        tap_check "ops.db full: the engine continues ($one, then $two steps)" test "$two" -gt "$one"
    else
        tap_skip "ops.db full: the engine continues" "no curl on this machine"
    fi
    tap_check "ops.db full: the daemon is running" kill -0 $daemon
    run_command emergency_stop --yes
    tap_check "ops.db full: the emergency stop works" test $? -eq 0
    tap_check "ops.db full: everything is closed" contains "$WORK/out" "verified flat"
    tap_check "ops.db full: and that is not recorded yet" \
        contains "$WORK/out" "Not recorded yet"
    rm "$WORK/disk/fill"
    recorded() {
        "$ND" auditlog show --config "$WORK/quiet.yaml" --state "$WORK/split" > "$WORK/out" 2>&1
        grep -q "emergency_stop.*before it could be recorded" "$WORK/out"
    }
    tap_check "with space again the stop is recorded" wait_for 10 recorded
    run_command clear_emergency --yes
    tap_check "with space again the refused command works" test $? -eq 0
    kill -TERM $daemon
    wait $daemon
    tap_check "and the daemon exits with 0" test $? -eq 0
    umount "$WORK/disk"

    # The whole state folder on a full disk: the stop survives kill -9 although no database has it.
    mount -t tmpfs -o size=24m tmpfs "$WORK/disk"
    make_state "$WORK/disk/state"
    run_full() {
        : > "$WORK/log" # discard the log of the previous run
        "$ND" run --config "$WORK/quiet.yaml" --state "$WORK/disk/state" < /dev/null \
            > "$WORK/log" 2>&1 &
        daemon=$!
        kill_at_exit $daemon
        wait_for 10 grep -q "ready in" "$WORK/log"
    }
    run_full
    head -c 40000000 /dev/zero > "$WORK/disk/fill" 2> /dev/null
    sleep 1
    "$ND" do emergency_stop --yes --config "$WORK/quiet.yaml" --state "$WORK/disk/state" \
        > "$WORK/out" 2>&1 &
    asking=$!
    sleep 2
    kill -9 $daemon
    wait $daemon $asking 2> /dev/null
    rm "$WORK/disk/fill"
    run_full
    "$ND" do status --config "$WORK/quiet.yaml" --state "$WORK/disk/state" > "$WORK/out" 2>&1
    tap_check "the emergency stop survives a full disk and kill -9" contains "$WORK/out" "⛔"
    kill -TERM $daemon
    wait $daemon
else
    tap_skip "full and read-only disks" "mounting a tmpfs needs root"
fi
tap_end
