#!/bin/sh
# The command line in the first hour: check-config agrees with run, a socket without permission, JSON
# as one document, the outcome of a run whose answer was lost, help in every usual spelling.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1

# A configuration, and a command that prepares the state folder "st"; "-" is none.
cat > table <<'TABLE'
|-
api: {port: 0, socket: /nowhere/x.sock}|-
commands: {folder: /nowhere}|-
trading: {model: /nowhere}|-
state: {dir: elsewhere}|-
api: {prot: 1}|-
telegram: {api_url: nonsense}|-
monitoring: {heartbeat_url: nonsense}|-
services: {a: {command: [/nowhere], url: nonsense}}|-
market: {symbols: []}|-
market: {source: journal}|-
market: {source: csv}|-
market: {source: csv, symbols: [A-B], files: [A-B=empty.csv]}|-
market: {source: csv, symbols: [A-B], files: [A-B=head.csv]}|-
market: {source: csv, symbols: [A-B], files: [A-B=daily.csv]}|-
|echo x > st
|ln -s /proc/self st
|ln -s /sys/kernel st
|mkdir st; : > st/trading.db; : > st/ops.db
|mkdir st; echo this is not a database at all > st/trading.db
|mkdir st; echo this is not a database at all > st/ops.db
|mkdir -p st/trading.db
|mkdir -p st/ops.db
|mkdir -p st/nightdesk.lock
|mkdir -p st/nightdesk.log
|mkdir -p st/nightdesk.sock
|mkdir -p st/audit.key
|mkdir st; echo short > st/audit.key; chmod 600 st/audit.key
|mkdir st; echo short > st/audit.key; chmod 644 st/audit.key
|mkdir st; sqlite3 st/trading.db 'pragma user_version = 999; create table t (a)'
|mkdir st; sqlite3 st/ops.db 'pragma user_version = 999; create table t (a)'
|cp -r old st; sqlite3 st/trading.db 'pragma user_version = 999'
|cp -r old st; sqlite3 st/ops.db 'pragma user_version = 999'
|cp -r old st
TABLE
printf 't,open\n' > empty.csv
printf 'time,open,high,low,close,volume\n' > head.csv
printf 'time,open,high,low,close,volume\n2026-01-01,1,1,1,1,1\n2026-01-02,1,1,1,1,1\n' > daily.csv
printf '/pause\n' | timeout 30 "$ND" run --config quiet.yaml --state old > out 2>&1

code_of() { head -n 1 "$1" | cut -d: -f1; }
agree() {
    [ $check -eq $run ] || return 1
    [ $check -eq 0 ] || [ "$(code_of check.err)" = "$(code_of run.err)" ]
}
: > wrong
refused=0
while IFS='|' read -r yaml prepare; do
    printf '%s\n' "$yaml" > c.yaml
    case $yaml in *"api:"*) ;; *) echo 'api: {port: 0}' >> c.yaml ;; esac
    case $yaml in *"services:"*) ;; *) echo 'services: {}' >> c.yaml ;; esac
    for what in check run; do
        rm -rf st
        [ "$prepare" = - ] || eval "$prepare"
        case $what in
            check) "$ND" check-config c.yaml --state st > out 2> check.err; check=$? ;;
            run) printf '/version\n' | timeout 30 "$ND" run --config c.yaml --state st > out 2> run.err ;;
        esac
        run=$?
    done
    [ $check -eq 0 ] || refused=$((refused + 1))
    agree || { echo "check-config $check, run $run: $yaml, $prepare"; cat check.err run.err; } >> wrong
done < table
tap_check "check-config refuses what run refuses, with the same error, and nothing else" test ! -s wrong
[ -s wrong ] && tap_show wrong
tap_check "of the table it refuses at least 15" test $refused -ge 15

mkdir mine
i=0
while [ $i -lt 399 ]; do
    i=$((i + 1))
    printf 'command: mine%d\ngroup: see\nsummary: s\nrole: read_only\nsteps: [{run: alert.list}]\nexamples: [mine%d]\n' \
        $i $i > mine/m$i.yaml
done
cp quiet.yaml many.yaml
echo "commands: {folder: $WORK/mine}" >> many.yaml
printf '/mine399\n/version\n' | timeout 60 "$ND" run --config many.yaml --state many > out 2>&1
tap_check "399 manifests of one's own are read" sh -c "grep -qi 'alerts' out && grep -q '^nightdesk' out"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo 'command: [' > mine/m$i.yaml; done
"$ND" check-config many.yaml --state st > out 2> err
tap_check "warnings beyond the first are counted" contains err "4 more warnings"

cat > slow.yaml <<'YAML'
api: {port: 0}
market: {seed: 7}
services:
  slow: {command: [/bin/sleep, "3600"], url: "http://127.0.0.1:9", health_endpoint: /x}
YAML
"$ND" run --no-console --config slow.yaml --state live < /dev/null > log 2>&1 &
daemon=$!
kill_at_exit $daemon
wait_for 20 grep -q "ready in" log
timeout 4 "$ND" do --yes "restart slow" --config slow.yaml --state live > out 2> err
tap_check "a client that is ended has printed its run" contains err "nightdesk do runs 1"
tap_check "and no answer" test ! -s out
"$ND" do runs 1 --config slow.yaml --state live > out 2>&1
tap_check "whose outcome can be looked up" contains out "Run 1: restart slow"
"$ND" do --yes "restart slow" --config slow.yaml --state live > out 2>&1
tap_check "it is locked meanwhile, and refused at once" contains out COMMAND_LOCKED

"$ND" auditlog show --json --config slow.yaml --state live > out
tap_check "auditlog show --json is one document" \
    sh -c "test \$(wc -l < out) -eq 1 && grep -q '\"schema\":\"nightdesk.auditlog_rows/1\"' out"
"$ND" auditlog show --ndjson --config slow.yaml --state live > out
tap_check "and with --ndjson a document per row" \
    sh -c "test \$(wc -l < out) -gt 1 && ! grep -v '^{\"schema\":\"nightdesk.auditlog_row/1\"' out"

if [ "$(id -u)" -eq 0 ] && command -v setpriv > "$WORK/where"; then
    chmod 755 "$WORK"
    cp "$ND" nightdesk
    chmod 755 nightdesk
    setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/nightdesk" do version --state live > out 2>&1
    tap_check "a socket without permission is named, with exit 2" test $? -eq 2
    tap_check "as what it is" contains out CLI_SOCKET_DENIED
    setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/nightdesk" auditlog verify --state live > out 2>&1
    tap_check "and so is a database" contains out FILE_DENIED
else
    tap_skip "a socket without permission" "needs root and setpriv"
fi

"$ND" --version > a
"$ND" -V > b
tap_check "-V prints the version" cmp a b
"$ND" run --help > a
"$ND" help run > b
tap_check "help run is run --help" cmp a b
"$ND" help > a
"$ND" --help > b
tap_check "help is --help" cmp a b
"$ND" help rnu > out 2> err
tap_check "help of an unknown subcommand exits with 2" test $? -eq 2
tap_check "and names the nearest" contains err "did you mean run?"
tap_end
