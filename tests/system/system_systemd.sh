#!/bin/sh
# The installed unit under a separate, real systemd: readiness, watchdog, journal, privileges.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
needs_systemd "nightdesk under a real systemd"

# ---- what is installed
stage=$WORK/stage
make_in install "$stage" > "$WORK/install" 2>&1
tap_check "make install" test $? -eq 0
tap_show "$WORK/install"
cp "$BUILD_DIR/system/freeze_thread" "$stage/usr/local/bin/"
again=$WORK/again
mkdir -p "$again/etc/polkit-1/rules.d"
echo "// mine" > "$again/etc/polkit-1/rules.d/50-nightdesk.rules"
make_in install "$again" > "$WORK/install" 2>&1
tap_check "an admin's polkit rule in /etc is kept by an installation" \
    contains "$again/etc/polkit-1/rules.d/50-nightdesk.rules" "// mine"
make_in uninstall "$again" > "$WORK/install" 2>&1
tap_check "uninstall leaves nothing else" \
    test "$(cd "$again" && find . -type f)" = ./etc/polkit-1/rules.d/50-nightdesk.rules

# ---- the units, as systemd reads them
mkdir -p "$WORK/verify"
sed "s|/usr/local/bin|$stage/usr/local/bin|" "$stage/usr/local/lib/systemd/system/nightdesk.service" \
    > "$WORK/verify/nightdesk.service"
cp "$stage/usr/local/lib/systemd/system/nightdesk-failure@.service" "$WORK/verify/"
printf '#!/bin/sh\n' > "$WORK/verify/on-failure"
chmod 0755 "$WORK/verify/on-failure"
sed -i "s|ExecStart=/etc/nightdesk|ExecStart=$WORK/verify|" "$WORK/verify/nightdesk-failure@.service"
cp "$WORK/verify/nightdesk-failure@.service" "$WORK/verify/nightdesk-failure@nightdesk.service"
# Keys of a later systemd are ignored with a message; any other message is an error in the units.
SYSTEMD_UNIT_PATH="$WORK/verify:" systemd-analyze verify --man=no "$WORK/verify/nightdesk.service" \
    "$WORK/verify/nightdesk-failure@nightdesk.service" 2>&1 |
    grep -F "$WORK/verify" | grep -vE "Unknown key.*'Restart(Steps|MaxDelaySec)'" > "$WORK/faults"
tap_check "systemd-analyze verify finds no error in the unit and its OnFailure= unit" \
    test ! -s "$WORK/faults"
tap_show "$WORK/faults"
tap_check "the polkit rule is installed in /usr/share, not /etc" \
    test -e "$stage/usr/share/polkit-1/rules.d/50-nightdesk.rules"
# polkit reads an admin's rule in /etc first; an installation does not change it.
mkdir -p "$stage/etc/polkit-1/rules.d"
sed 's/"prediction.service"/"demo-unit.service"/' "$here/../../systemd/nightdesk.rules" \
    > "$stage/etc/polkit-1/rules.d/50-nightdesk.rules"
mkdir -p "$stage/etc/nightdesk" "$stage/etc/systemd/system/nightdesk.service.d" \
    "$stage/etc/credstore"
cat > "$stage/etc/nightdesk/nightdesk.yaml" <<'YAML'
market:
  seed: 7
monitoring:
  check_interval: 1s
  metrics_interval: 1s
api:
  local_users:
    - {uid: 4711, name: olga, role: operator}
services:
  demo:
    unit: demo-unit.service
    url: http://127.0.0.1:18099
  crashing: {unit: crash-unit.service, interval: 1h}
  looping: {unit: loop-unit.service, interval: 1h}
  forbidden:
    unit: forbidden-unit.service
  leaking:
    unit: leaking-unit.service
YAML
# Busy, and a megabyte larger each 50 ms.
cat > "$stage/etc/systemd/system/leaking-unit.service" <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'x=; while :; do x="$x$(head -c 1000000 /dev/zero | tr "\\0" x)"; sleep 0.05; done'
MemoryAccounting=yes
MemoryMax=256M
UNIT
for unit in demo forbidden; do
    port=$([ $unit = demo ] && echo 18099 || echo 18098)
    printf '[Service]\nExecStart=/usr/local/bin/nightdesk demo-service --port %s\nDynamicUser=yes\n' \
        "$port" > "$stage/etc/systemd/system/$unit-unit.service"
done
cat > "$stage/etc/systemd/system/crash-unit.service" <<'UNIT'
[Service]
ExecStart=/bin/sh -c 'trap "echo the model file is broken; exit 3" USR1; while :; do sleep 0.05; done'
UNIT
cat > "$stage/etc/systemd/system/loop-unit.service" <<'UNIT'
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sleep 1000
Restart=always
RestartSec=100ms
UNIT
# The real one is 20 s; the rest of the unit is as installed.
printf '[Service]\nWatchdogSec=3\n' > "$stage/etc/systemd/system/nightdesk.service.d/test.conf"
# The owner's program: it only records that it was called.
cat > "$stage/etc/nightdesk/on-failure" <<'SH'
#!/bin/sh
echo "called for $1"
SH
chmod 0755 "$stage/etc/nightdesk/on-failure"
printf 'token-from-the-credential-store\n' > "$stage/etc/credstore/nightdesk.api.token"
chmod 0600 "$stage/etc/credstore/nightdesk.api.token"

score=$(systemd-analyze security --offline=true --no-pager --threshold=100 \
    "$stage/usr/local/lib/systemd/system/nightdesk.service" 2> /dev/null |
    sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
tap_check "systemd-analyze security gives ${score:-nothing}, at most 2.0" \
    awk "BEGIN {exit !(\"$score\" != \"\" && $score + 0 <= 2.0)}"

# ---- boot
boot_systemd "$stage"
show() { in_it systemctl show --value -p "$1" "$2"; }
journal() { in_it journalctl --no-pager --boot "$@" 2> /dev/null; }
run_command() { in_it /usr/local/bin/nightdesk do "$@" > "$WORK/out" 2>&1; }
fails() { ! "$@"; }
explain() {
    [ "$tap_failed" -eq 0 ] || { journal -u nightdesk > "$WORK/journal"; tap_show "$WORK/journal"; }
}

has_bus=no has_polkit=no
in_it systemctl start dbus.service 2> /dev/null && has_bus=yes
[ $has_bus = yes ] && in_it systemctl start polkit.service 2> /dev/null && has_polkit=yes
in_it systemctl start demo-unit forbidden-unit leaking-unit crash-unit loop-unit 2> /dev/null

# ---- ready
timeout 20 nsenter -t "$(tr -d ' ' < "/proc/$outer/task/$outer/children")" --mount --pid --uts --ipc --cgroup --net -- \
    systemctl start nightdesk > "$WORK/out" 2>&1
tap_check "systemctl start returns once it is ready (Type=notify)" test $? -eq 0
pid=$(show MainPID nightdesk)
tap_check "it is active" test "$(show ActiveState nightdesk)" = active
tap_check "it reports its status (STATUS=)" sh -c "echo '$(show StatusText nightdesk)' | grep -q equity"
tap_check "it runs as the user nightdesk" \
    test "$(in_it ps -o user= -p "$pid")" = nightdesk
tap_check "its environment and memory are root's alone" \
    test "$(in_it stat -c '%U %a' "/proc/$pid/environ")" = "root 400"
tap_check "it has no capability at all" \
    in_it grep -q 'CapEff:.0000000000000000' "/proc/$pid/status"
tap_check "it owns its state folder, mode 0750" \
    test "$(in_it stat -c '%U %a' /var/lib/nightdesk)" = "nightdesk 750"
tap_check "a missing credential is not an error; an existing one is used" \
    in_it curl -sf -H 'Authorization: Bearer token-from-the-credential-store' \
    http://127.0.0.1:8088/api/v1/state
# The way of the README: sealed by root, with a key that only root and systemd can read.
in_it rm /etc/credstore/nightdesk.api.token
printf 'token-that-was-sealed\n' | in_it /usr/local/bin/nightdesk secret set NIGHTDESK_API_TOKEN \
    > "$WORK/out" 2>&1
tap_check "root seals a secret for the service" \
    contains "$WORK/out" "with the key in /etc/credstore/nightdesk.secrets.key"
tap_check "the file is the service's, the key is root's" \
    test "$(in_it stat -c '%U %a' /var/lib/nightdesk/secrets.sealed /etc/credstore/nightdesk.secrets.key |
        tr '\n' ' ')" = "nightdesk 600 root 600 "
in_it systemctl restart nightdesk
tap_check "the service reads it at its next start" \
    in_it curl -sf -H 'Authorization: Bearer token-that-was-sealed' http://127.0.0.1:8088/api/v1/state
pid=$(show MainPID nightdesk)
tap_check "and it is not in the files of the service" \
    fails in_it grep -rqa token-that-was-sealed /var/lib/nightdesk
tap_check "without it TCP is refused" fails in_it curl -sf http://127.0.0.1:8088/api/v1/state
journal -u nightdesk -o json > "$WORK/journal"
tap_check "its journal lines carry their source file" contains "$WORK/journal" '"CODE_FILE"'
tap_check "and its identifier" contains "$WORK/journal" '"SYSLOG_IDENTIFIER":"nightdesk"'
tap_check "and no secret" lacks "$WORK/journal" token-from-the-credential-store
tap_check "neither the sealed one" lacks "$WORK/journal" token-that-was-sealed
explain

# ---- commands on units
if [ $has_polkit = yes ]; then
    before=$(show MainPID demo-unit)
    run_command --yes "restart demo"
    tap_check "restart of the listed unit succeeds" test $? -eq 0
    after=$(show MainPID demo-unit)
    tap_check "it is another process ($before, then $after)" test "$before" != "$after"
    before=$after
    run_command --yes "force_restart demo"
    tap_check "a forced restart succeeds" test $? -eq 0
    tap_check "and it is another process again" test "$before" != "$(show MainPID demo-unit)"
    before=$(show MainPID forbidden-unit)
    run_command --yes "restart forbidden"
    tap_check "restart of a unit that polkit does not list fails" test $? -eq 1
    tap_check "and reports the reason" contains "$WORK/out" UNITS_DENIED
    tap_check "that unit was not restarted" test "$before" = "$(show MainPID forbidden-unit)"
else
    tap_skip "restart of units through polkit" "no D-Bus or polkitd on this machine"
fi
run_command "logs demo"
tap_check "the last lines of a unit can be read" test $? -eq 0
explain

# ---- what is measured, with the privileges of the unit
figure() { # SUBJECT METRIC: its newest value; nothing if it is not known
    run_command --json "performance system${1:+ service=$1}"
    grep -o "\"$2\":{\"now\":[0-9.]*" "$WORK/out" | head -n 1 | sed 's/.*://'
}
is_busy() { figure leaking cpu_pct | awk '$1 > 1 {busy = 1} END {exit !busy}'; }
tap_check "the CPU of a unit is known from its control group" wait_for 10 is_busy
tap_check "the machine's memory is known" test -n "$(figure "" memory_pct)"
grew() { figure leaking memory_bytes | awk -v a="$before" '$1 > a + 2e6 {grew = 1} END {exit !grew}'; }
before=$(figure leaking memory_bytes)
if [ -n "$before" ]; then
    tap_check "the memory of a leaking unit grows" wait_for 5 grew
    in_it systemctl kill -s KILL leaking-unit
else
    tap_skip "the memory of a leaking unit" "no memory controller in cgroup v2 on this machine"
fi
in_it systemctl stop leaking-unit
explain

# ---- units are heard
# Their services are checked once an hour: what is known sooner comes from the signals of systemd.
row() { # COLUMN SERVICE
    in_it sqlite3 -readonly /var/lib/nightdesk/ops.db \
        "SELECT $1 FROM monitoring_alerts WHERE fingerprint = 'service:$2' AND status = 'open'"
}
has_row() { [ -n "$(row id "$1")" ]; }
if [ $has_bus = yes ]; then
    run_command services
    tap_check "a unit is up" sh -c "grep -q 'crashing .*up' '$WORK/out'"
    killed_ms=$(date +%s%3N)
    in_it systemctl kill --kill-whom=main -s USR1 crash-unit
    tap_check "an alert of a unit that crashes is open" wait_for 5 has_row crashing
    raised_ms=$(row "(SELECT opened_us / 1000 FROM incidents WHERE incidents.id = monitoring_alerts.id)" \
        crashing)
    tap_check "after $((raised_ms - killed_ms)) ms, at most 1000" \
        test $((raised_ms - killed_ms)) -le 1000
    row description crashing > "$WORK/out"
    tap_check "it has result and exit code" contains "$WORK/out" "unit failed: exit-code, exit code 3"
    tap_check "and the end of the log" contains "$WORK/out" "the model file is broken"
    in_it systemctl start crash-unit
    is_over() { ! has_row crashing; }
    tap_check "it closes when the unit is started" wait_for 3 is_over
    in_it systemctl restart crash-unit
    sleep 0.5
    tap_check "a restart by a person raises none" is_over
    crash=0
    while [ $crash -lt 3 ]; do
        in_it systemctl kill -s KILL loop-unit
        sleep 0.5
        crash=$((crash + 1))
    done
    tap_check "a unit that systemd restarts again and again is one alert" wait_for 5 has_row looping
    row title looping > "$WORK/out"
    tap_check "that says flapping" contains "$WORK/out" "looping is flapping"
else
    tap_skip "signals of systemd" "no D-Bus on this machine"
fi
explain

# ---- users at the socket
ask_as() { # UID COMMAND
    in_it setpriv --reuid "$1" --regid nightdesk --clear-groups \
        /usr/local/bin/nightdesk do --json "$2" > "$WORK/out" 2>&1
}
auditlog() {
    in_it /usr/local/bin/nightdesk auditlog show --last 50 --ndjson --state /var/lib/nightdesk \
        > "$WORK/rows" 2>&1
}
run_command --json whoami
tap_check "root is root at the socket" contains "$WORK/out" '"name":"root"'
ask_as 4711 whoami
tap_check "a listed uid has the name of the configuration" contains "$WORK/out" '"name":"olga"'
tap_check "and its role" contains "$WORK/out" '"role":"operator"'
ask_as 4711 pause
auditlog
tap_check "the audit log names who paused" sh -c "grep -F pause '$WORK/rows' | grep -q '\"user\":\"olga\"'"
ask_as 4711 resume
ask_as 4712 status
tap_check "a uid that is not listed is refused" contains "$WORK/out" ACCESS_UNAUTHORISED
auditlog
tap_check "and recorded with its uid" contains "$WORK/rows" '"user":"socket:4712"'

# ---- reload
in_it systemctl reload nightdesk
tap_check "systemctl reload accepts an unchanged configuration" test $? -eq 0
log_has() { journal -u nightdesk | grep -qF "$1"; }
tap_check "and the daemon logs that nothing is applied" \
    wait_for 5 log_has "configuration read again for SIGHUP: nothing to apply"
in_it sh -c 'printf "risk:\n  stop: 3%%\n" >> /etc/nightdesk/nightdesk.yaml'
in_it systemctl reload nightdesk
tap_check "a changed option is applied" wait_for 5 log_has "applied for SIGHUP: risk.stop: 2% → 3%"
is_active() { [ "$(show ActiveState nightdesk)" = active ]; }
tap_check "the unit is active again" wait_for 5 is_active
in_it sh -c 'printf "riks: {}\n" >> /etc/nightdesk/nightdesk.yaml'
tap_check "the reload of a wrong configuration fails" fails in_it systemctl reload nightdesk
tap_check "and reports the place of the error" wait_for 5 log_has "riks: did you mean risk?"
tap_check "the daemon continues" test "$(show MainPID nightdesk)" = "$pid"
in_it sed -i '/^riks/d' /etc/nightdesk/nightdesk.yaml
explain

# ---- crash
in_it kill -9 "$pid"
is_restarted() {
    now=$(show MainPID nightdesk)
    [ "$now" != "$pid" ] && [ "$now" -gt 0 ] && [ "$(show ActiveState nightdesk)" = active ]
}
tap_check "after kill -9 systemd starts it again" wait_for 20 is_restarted
tap_check "it was one restart" test "$(show NRestarts nightdesk)" = 1
calls() { journal -u nightdesk-failure@nightdesk | grep -c "called for nightdesk"; }
was_called() { [ "$(calls)" -ge 1 ]; }
tap_check "the owner's program was called" wait_for 10 was_called
pid=$(show MainPID nightdesk)

# ---- a loop of crashes
crash=0
while [ $crash -lt 7 ]; do
    in_it kill -9 "$pid"
    wait_for 20 is_restarted || break
    pid=$(show MainPID nightdesk)
    crash=$((crash + 1))
done
tap_check "after seven more crashes in a row it is still restarted" test $crash -eq 7
tap_check "and is not in the failed state" test "$(show ActiveState nightdesk)" = active
tap_check "the owner is notified of a crash loop once in five minutes" test "$(calls)" = 1
explain

# ---- watchdog
sleep 5
tap_check "the watchdog does not restart a healthy daemon" test "$(show MainPID nightdesk)" = "$pid"
mkfifo "$WORK/stdin"
sleep 60 > "$WORK/stdin" &
holder=$!
kill_at_exit $holder
in_it /usr/local/bin/freeze_thread "$pid" engine < "$WORK/stdin" > "$WORK/frozen" 2>&1 &
freezer=$!
kill_at_exit $freezer
wait_for 5 grep -q frozen "$WORK/frozen"
tap_check "the engine thread is frozen" contains "$WORK/frozen" frozen
tap_check "the watchdog restarts it, although the ops thread is alive" \
    wait_for 30 is_restarted
journal -u nightdesk > "$WORK/journal"
tap_check "the journal names the watchdog" grep -qi watchdog "$WORK/journal"
kill $holder 2> /dev/null
explain

# ---- stop
in_it systemctl stop nightdesk
tap_check "systemctl stop ends it successfully" test "$(show Result nightdesk)" = success
tap_end
