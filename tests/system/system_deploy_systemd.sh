#!/bin/sh
# Deploys under a separate, real systemd: a socket-activated unit and a blue/green pair under load, of
# which no request may be refused or lost, and nightdesk itself: to a good version, to one that does not
# start, to one that hangs. IN_FLIGHT=10000: with so many requests in flight; ONLY=load: not nightdesk;
# PAIR=socket: the pair shares a listening socket; otherwise a proxy follows the link.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
in_flight=${IN_FLIGHT:-400}
needs_systemd "deploys under a real systemd"
stage=$WORK/stage
make_in install "$stage" > "$WORK/install" 2>&1

# ---- releases of the web services and of nightdesk
"$ND" release key "$WORK/release.key" > "$WORK/public"
# /var/lib is a tmpfs inside.
mkdir -p "$stage/var/lib/releases/in" "$stage/var/lib/releases/web" "$stage/var/lib/releases/nightdesk/releases/1.0/bin" \
    "$stage/var/lib/releases/pair" "$WORK/files" "$stage/usr/local/bin"
cp "$BUILD_DIR/system/slow_http" "$WORK/files/serve"
cp "$BUILD_DIR/system/http_load" "$stage/usr/local/bin/"
pack() { # NAME VERSION
    "$ND" release pack "$WORK/files" --name "$1" --version "$2" --out "$stage/var/lib/releases/in/$1-$2.tar.gz" > /dev/null &&
        "$ND" release sign "$stage/var/lib/releases/in/$1-$2.tar.gz" --key "$WORK/release.key" > /dev/null
}
for version in 1.0 1.1; do
    echo $version > "$WORK/files/version"
    pack web $version
    pack pair $version
done
echo bad-1.2 > "$WORK/files/version" && pack pair 1.2
echo broken-1.3 > "$WORK/files/version" && pack pair 1.3
echo 1.4 > "$WORK/files/version" && pack pair 1.4
touch "$WORK/files/slow" && pack pair 1.5
rm "$WORK/files/slow" "$WORK/files/serve" "$WORK/files/version"
mkdir "$WORK/files/bin"
cp "$ND" "$stage/var/lib/releases/nightdesk/releases/1.0/bin/"
ln -s releases/1.0 "$stage/var/lib/releases/nightdesk/current"
cp "$ND" "$WORK/files/bin/" && pack nightdesk 1.1
printf '#!/bin/sh\necho "this version cannot start" >&2\nexit 1\n' > "$WORK/files/bin/nightdesk"
pack nightdesk 1.2

# The link current/socket leads to the socket of the live colour.
for colour in 18091 18092; do
    mkdir -p "$stage/var/lib/releases/pair/$colour"
    ln -s /run/pair-$colour/http.sock "$stage/var/lib/releases/pair/$colour/socket"
done
mkdir -p "$stage/etc/nightdesk" "$stage/etc/systemd/system/nightdesk.service.d" "$stage/etc/polkit-1/rules.d"
sed 's/"prediction.service"/"web.service", "nightdesk.service", "pair@18091.service", "pair@18092.service"/' \
    "$here/../../systemd/nightdesk.rules" > "$stage/etc/polkit-1/rules.d/50-nightdesk.rules"
key=$(cut -d' ' -f2 "$WORK/public")
cat > "$stage/etc/nightdesk/nightdesk.yaml" <<YAML
market: {seed: 7}
monitoring: {check_interval: 1s}
# Nothing listens there: messages stay in the outbox.
telegram: {bot_token: "123456789:FAKE-token_0123456789abcdefghijk", chat_id: 100, api_url: "http://127.0.0.1:9"}
services:
  web: {unit: web.service, url: "http://127.0.0.1:18080", release_root: /var/lib/releases/web, release_keys: [$key]}
  pair:
    unit: pair@.service
    url: "http://127.0.0.1:%i"
    release_root: /var/lib/releases/pair
    release_keys: [$key]
    release_colours: ["18091", "18092"]
    release_drain: 8s
  nightdesk: {unit: nightdesk.service, release_root: /var/lib/releases/nightdesk, release_keys: [$key]}
YAML
cat > "$stage/etc/systemd/system/nightdesk.service.d/deploy.conf" <<'UNIT'
[Service]
ReadWritePaths=/var/lib/releases/web /var/lib/releases/pair /var/lib/releases/nightdesk
ExecStartPre=-/usr/local/bin/nightdesk release guard /var/lib/releases/nightdesk
ExecStart=
ExecStart=/var/lib/releases/nightdesk/current/bin/nightdesk run --no-console
RestartSec=100ms
UNIT
units=$stage/etc/systemd/system
printf '[Socket]\nListenStream=127.0.0.1:18080\nBacklog=16384\n' > "$units/web.socket"
cat > "$units/web.service" <<UNIT
[Service]
ExecStart=/var/lib/releases/web/current/serve ${DELAY_MS:-1000}
DynamicUser=yes
LimitNOFILE=65536
Restart=on-failure
UNIT
if [ "${PAIR:-link}" = link ]; then # a socket, systemd's proxy, and the link that a switch replaces
    serve="unix:/run/pair-%i/http.sock"
    sockets= proxy=pair.service
    cat > "$units/pair.service" <<'UNIT'
[Service]
ExecStart=/lib/systemd/systemd-socket-proxyd --connections-max=20000 /var/lib/releases/pair/current/socket
LimitNOFILE=131072
UNIT
else # both colours accept from one socket; what it would start by itself does nothing
    serve= sockets="Sockets=pair.socket" proxy=pair-hold.service
    printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n' > "$units/$proxy"
fi
printf '[Socket]\nListenStream=127.0.0.1:18081\nBacklog=16384\nService=%s\n' "$proxy" > "$units/pair.socket"
cat > "$units/pair@.service" <<UNIT
[Service]
ExecStartPre=/bin/sh -c "test ! -e /var/lib/releases/pair/%i/release/slow || sleep 40"
ExecStart=/var/lib/releases/pair/%i/release/serve ${DELAY_MS:-1000} tcp:%i $serve
RuntimeDirectory=pair-%i
LimitNOFILE=65536
$sockets
UNIT

boot_systemd "$stage"
in_it systemctl start dbus.service polkit.service 2> /dev/null ||
    skip_all "deploys under a real systemd" "no D-Bus or polkitd on this machine"
in_it sh -c 'echo 16384 > /proc/sys/net/core/somaxconn'
in_it systemd-sysusers nightdesk.conf 2> /dev/null
in_it chown -R nightdesk: /var/lib/releases/web /var/lib/releases/pair /var/lib/releases/nightdesk
in_it systemctl start nightdesk
ask() { in_it /usr/local/bin/nightdesk do "$@" > "$WORK/out" 2>&1; }
current() { in_it readlink "/var/lib/releases/$1/current"; }
explain() {
    [ "$tap_failed" -eq 0 ] || {
        in_it journalctl --no-pager --boot -u nightdesk -u web -u 'pair@*' -u pair 2> /dev/null | tail -n 40 > "$WORK/journal"
        tap_show "$WORK/journal"
    }
}
begin_load() { # PORT
    in_it rm -f /run/load.stop
    in_it /usr/local/bin/http_load "$1" "$in_flight" /run/load.stop > "$WORK/load" 2>&1 &
    load=$!
    sleep 1.5
}
end_load() {
    sleep 1
    in_it touch /run/load.stop
    wait $load
    tap_show "$WORK/load"
}
none_lost() { grep -q " refused 0 reset 0 failed 0 local 0 " "$WORK/load"; }
# The server answers after a second, so nearly all of them wait for it at any moment.
all_in_flight() { [ "$(sed 's/.*in-flight \([0-9]*\) .*/\1/' "$WORK/load")" -ge $((in_flight * 9 / 10)) ]; }
of_both() { grep -q " 1.0=" "$WORK/load" && grep -q " 1.1=" "$WORK/load"; }

# ---- behind a socket
in_it systemctl start web.socket
ask stage web /var/lib/releases/in/web-1.0.tar.gz
tap_check "a unit is deployed the first time" ask --yes deploy web 1.0 within=10s steady=1s
ask stage web /var/lib/releases/in/web-1.1.tar.gz
begin_load 18080
tap_check "a new release is deployed with $in_flight requests in flight" ask --yes deploy web 1.1 within=20s steady=1s
tap_check "and back" ask --yes rollback web within=20s steady=1s
end_load
tap_check "no request was refused or lost" none_lost
tap_check "they were in flight" all_in_flight
tap_check "and there were some of both releases" of_both
explain

# ---- blue/green behind a link
active() { in_it systemctl is-active --quiet "pair@$1.service"; }
not_active() { ! active "$1"; }
live_is() { [ "$(current pair)" = "$1" ] && ask services pair --json && contains "$WORK/out" "\"colour\":\"$1\""; }
in_it systemctl start pair.socket
ask stage pair /var/lib/releases/in/pair-1.0.tar.gz
tap_check "a template is deployed the first time" ask --yes deploy pair 1.0 within=10s steady=1s
tap_check "its first colour is live" live_is 18091
for version in 1.1 1.2 1.3 1.4 1.5; do
    ask stage pair /var/lib/releases/in/pair-$version.tar.gz
done
pid=$(in_it systemctl show --value -p MainPID pair@18091)
begin_load 18081
tap_check "the other colour is deployed beside it" ask --yes deploy pair 1.1 within=20s steady=1s
tap_check "and is live" live_is 18092
tap_check "the one before still runs" test "$pid" = "$(in_it systemctl show --value -p MainPID pair@18091)"
tap_check "a roll back is only a switch" ask --yes rollback pair within=20s steady=100ms
tap_check "to the process that ran all the time" test "$pid" = "$(in_it systemctl show --value -p MainPID pair@18091)"
tap_check "it is live again" live_is 18091
end_load
tap_check "no request was refused or lost over both" none_lost
tap_check "they were in flight" all_in_flight
tap_check "and there were some of both colours" of_both
explain
if [ "${ONLY:-}" = load ]; then
    tap_end
fi
refused() { ! ask --yes deploy pair "$1" within=2s steady=500ms; }
in_it /usr/local/bin/nightdesk do --yes deploy pair 1.2 within=2s steady=500ms > "$WORK/unhealthy" 2>&1 &
first=$!
sleep 1
ask --yes rollback pair
tap_check "a second operator is refused meanwhile" contains "$WORK/out" COMMAND_LOCKED
wait $first
tap_check "a release that is not healthy is refused" test $? -ne 0
tap_check "the reply says why" contains "$WORK/unhealthy" "HTTP 500"
tap_check "a release that does not start is refused" refused 1.3
tap_check "the reply has its log" contains "$WORK/out" "no model in release broken-1.3"
tap_check "what was live was never touched" test "$pid" = "$(in_it systemctl show --value -p MainPID pair@18091)"
tap_check "and is live" live_is 18091
tap_check "the one that failed does not run" not_active 18092
in_it /usr/local/bin/nightdesk do --yes deploy pair 1.5 within=10s steady=500ms > "$WORK/cancelled" 2>&1 &
first=$!
state_is() { [ "$(in_it systemctl show --value -p ActiveState "pair@$1")" = "$2" ]; }
ended() { state_is "$1" inactive || state_is "$1" failed; }
tap_check "a release that is slow to start" wait_for 10 state_is 18092 activating
ask --json runs
ask cancel "$(grep -o '"id":[0-9]*,"command":"deploy"' "$WORK/out" | head -n 1 | tr -dc 0-9)"
wait $first
tap_check "is stopped if its deploy is cancelled" wait_for 5 ended 18092
ask releases pair
tap_check "both are marked" sh -c "test \$(grep -c failed '$WORK/out') -ge 2"
tap_check "and what each colour has is said" contains "$WORK/out" "18091 has 1.0, live"
explain

# ---- kill -9 of nightdesk: each time it ends with one live colour, which answers
settled() { ask --json runs && ! grep -q '"state":"running"' "$WORK/out"; }
answers() { ask version; }
one_is_live() {
    live=$(current pair)
    [ "$live" = 18091 ] || [ "$live" = 18092 ] || return 1
    active "$live" && [ "$(in_it readlink "/var/lib/releases/pair/$live/release")" = "../releases/$1" ]
}
for delay in 0.2 1.2 1.9; do
    in_it /usr/local/bin/nightdesk do --yes deploy pair 1.4 within=10s steady=1s > "$WORK/killed" 2>&1 &
    asked=$!
    sleep $delay
    in_it systemctl kill --signal=KILL --kill-whom=main nightdesk
    wait $asked
    wait_for 20 answers
    wait_for 20 settled
    explain
    if [ "$(in_it readlink "/var/lib/releases/pair/$(current pair)/release")" = ../releases/1.4 ]; then
        tap_check "killed after $delay s it ends with the new release live" one_is_live 1.4
        ask --yes rollback pair 1.0 within=10s steady=100ms
    else
        tap_check "killed after $delay s it ends with the old release live" one_is_live 1.0
    fi
done
# The unit's ExecStopPost= writes how a run has ended, and the next one says so.
in_it journalctl --no-pager --boot -u nightdesk > "$WORK/journal" 2> /dev/null
tap_check "the journal says how the last run died" contains "$WORK/journal" "the last run ended unexpectedly: signal killed KILL"
in_it sh -c 'cat /var/lib/nightdesk/ops.db /var/lib/nightdesk/ops.db-wal' > "$WORK/outbox"
tap_check "and the message of the start when, and of what" grep -aqE "The last run died at .*: signal KILL" "$WORK/outbox"
tap_check "then a deploy works as before" ask --yes deploy pair 1.4 within=10s steady=500ms
tap_check "and the release is live" one_is_live 1.4
explain

# ---- nightdesk itself
ask pause
ask stage nightdesk /var/lib/releases/in/nightdesk-1.1.tar.gz
before=$(in_it systemctl show --value -p MainPID nightdesk)
ask --yes self_update
tap_check "nightdesk answers after its update" wait_for 30 answers
done_as() { sleep 1 && ask --json runs && grep -o '"command":"self_update"[^}]*' "$WORK/out" | head -n 1 | grep -q "\"state\":\"$1\""; }
tap_check "the run has ended well" wait_for 30 done_as done
tap_check "the new version runs" sh -c "test '$(current nightdesk)' = releases/1.1"
tap_check "in another process" test "$before" != "$(in_it systemctl show --value -p MainPID nightdesk)"
tap_check "the update is confirmed" in_it test ! -e /var/lib/releases/nightdesk/update
ask status
tap_check "trading is as it was: paused" contains "$WORK/out" paused
explain
ask stage nightdesk /var/lib/releases/in/nightdesk-1.2.tar.gz
ask --yes self_update nightdesk 1.2
tap_check "with a version that cannot start it comes back by itself" wait_for 40 answers
tap_check "the run has failed" wait_for 30 done_as failed
tap_check "the version before runs" test "$(current nightdesk)" = releases/1.1
ask alerts
tap_check "an alert says so" contains "$WORK/out" "update of nightdesk to 1.2 failed; 1.1 runs"
ask status
tap_check "trading is still paused" contains "$WORK/out" paused
explain
drained=$([ "$(current pair)" = 18091 ] && echo 18092 || echo 18091)
tap_check "the colour before was stopped after the drain, over a restart of nightdesk" wait_for 20 not_active $drained
tap_check "and the live one was not" one_is_live 1.4
tap_end
