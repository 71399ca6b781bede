#!/bin/sh
# Deploys under a separate, real systemd: a socket-activated unit under load, of which no request may be
# refused, and nightdesk itself: to a good version, to one that does not start, to one that hangs.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
needs_systemd "deploys under a real systemd"
[ -x /usr/bin/python3 ] || skip_all "deploys under a real systemd" "no python3 for the service"
stage=$WORK/stage
make_in install "$stage" > "$WORK/install" 2>&1

# ---- releases of the web service and of nightdesk
"$ND" release key "$WORK/release.key" > "$WORK/public"
# /var/lib is a tmpfs inside.
mkdir -p "$stage/var/lib/releases/in" "$stage/var/lib/releases/web" "$stage/var/lib/releases/nightdesk/releases/1.0/bin" "$WORK/files"
cat > "$WORK/files/serve.py" <<'PY'
# Answers on the socket that systemd passes. SIGTERM: no more accepts; what was accepted is answered.
import os, signal, socket, sys, threading, time
listener = socket.socket(fileno=3)
listener.settimeout(0.05)
version = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "version")).read().strip()
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
def answer(c):
    c.settimeout(5)
    try:
        if c.recv(4096):
            body = version.encode()
            time.sleep(0.002)
            c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    except OSError:
        pass
    c.close()
if version.startswith("bad"):
    sys.exit("cannot start")
threads = []
while not stop.is_set():
    try:
        c, _ = listener.accept()
    except TimeoutError:
        continue
    t = threading.Thread(target=answer, args=(c,))
    t.start()
    threads = [x for x in threads if x.is_alive()] + [t]
for t in threads:
    t.join()
PY
cat > "$stage/var/lib/releases/in/load.py" <<'PY'
# Sends requests from many threads until the file `stop` exists; prints counts.
import collections, os, socket, sys, threading
counts, versions, lock = collections.Counter(), collections.Counter(), threading.Lock()
def one():
    with socket.create_connection(("127.0.0.1", 18080), timeout=20) as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        data = b""
        while part := c.recv(4096):
            data += part
    return data.split(b"\r\n\r\n", 1)[1].decode() if data.startswith(b"HTTP/1.1 200") else None
def work():
    while not os.path.exists("/run/load.stop"):
        try:
            version, error = one(), None
        except OSError as e:
            version, error = None, type(e).__name__
        with lock:
            counts["sent"] += 1
            counts["failed" if version is None else "answered"] += 1
            if error:
                counts[error] += 1
            if version:
                versions[version] += 1
threads = [threading.Thread(target=work) for _ in range(40)]
[t.start() for t in threads]
[t.join() for t in threads]
print("sent", counts["sent"], "failed", counts["failed"], dict(counts), dict(versions))
PY
pack() { # NAME VERSION
    "$ND" release pack "$WORK/files" --name "$1" --version "$2" --out "$stage/var/lib/releases/in/$1-$2.tar.gz" > /dev/null &&
        "$ND" release sign "$stage/var/lib/releases/in/$1-$2.tar.gz" --key "$WORK/release.key" > /dev/null
}
for version in 1.0 1.1; do
    echo $version > "$WORK/files/version"
    pack web $version
done
rm "$WORK/files/serve.py" "$WORK/files/version"
mkdir "$WORK/files/bin"
cp "$ND" "$stage/var/lib/releases/nightdesk/releases/1.0/bin/"
ln -s releases/1.0 "$stage/var/lib/releases/nightdesk/current"
cp "$ND" "$WORK/files/bin/" && pack nightdesk 1.1
printf '#!/bin/sh\necho "this version cannot start" >&2\nexit 1\n' > "$WORK/files/bin/nightdesk"
pack nightdesk 1.2

mkdir -p "$stage/etc/nightdesk" "$stage/etc/systemd/system/nightdesk.service.d" "$stage/etc/polkit-1/rules.d"
sed 's/"prediction.service"/"web.service", "nightdesk.service"/' "$here/../../systemd/nightdesk.rules" \
    > "$stage/etc/polkit-1/rules.d/50-nightdesk.rules"
key=$(cut -d' ' -f2 "$WORK/public")
cat > "$stage/etc/nightdesk/nightdesk.yaml" <<YAML
market: {seed: 7}
monitoring: {check_interval: 1s}
services:
  web: {unit: web.service, url: "http://127.0.0.1:18080", release_root: /var/lib/releases/web, release_keys: [$key]}
  nightdesk: {unit: nightdesk.service, release_root: /var/lib/releases/nightdesk, release_keys: [$key]}
YAML
cat > "$stage/etc/systemd/system/nightdesk.service.d/deploy.conf" <<'UNIT'
[Service]
ReadWritePaths=/var/lib/releases/web /var/lib/releases/nightdesk
ExecStartPre=-/usr/local/bin/nightdesk release guard /var/lib/releases/nightdesk
ExecStart=
ExecStart=/var/lib/releases/nightdesk/current/bin/nightdesk run --no-console
RestartSec=100ms
UNIT
printf '[Socket]\nListenStream=127.0.0.1:18080\nBacklog=4096\n' > "$stage/etc/systemd/system/web.socket"
printf '[Service]\nExecStart=/usr/bin/python3 /var/lib/releases/web/current/serve.py\nDynamicUser=yes\nRestart=on-failure\n' \
    > "$stage/etc/systemd/system/web.service"

boot_systemd "$stage"
in_it systemctl start dbus.service polkit.service 2> /dev/null ||
    skip_all "deploys under a real systemd" "no D-Bus or polkitd on this machine"
in_it systemd-sysusers nightdesk.conf 2> /dev/null
in_it chown -R nightdesk: /var/lib/releases/web /var/lib/releases/nightdesk
in_it systemctl start nightdesk
ask() { in_it /usr/local/bin/nightdesk do "$@" > "$WORK/out" 2>&1; }
current() { in_it readlink "/var/lib/releases/$1/current"; }
explain() {
    [ "$tap_failed" -eq 0 ] || {
        in_it journalctl --no-pager --boot -u nightdesk -u web 2> /dev/null | tail -n 40 > "$WORK/journal"
        tap_show "$WORK/journal"
    }
}

# ---- behind a socket
in_it systemctl start web.socket
ask stage web /var/lib/releases/in/web-1.0.tar.gz
tap_check "a unit is deployed the first time" ask --yes deploy web 1.0 within=10s steady=1s
ask stage web /var/lib/releases/in/web-1.1.tar.gz
in_it /usr/bin/python3 /var/lib/releases/in/load.py > "$WORK/load" 2>&1 &
load=$!
sleep 0.5
tap_check "a new release is deployed under load" ask --yes deploy web 1.1 within=10s steady=1s
tap_check "and back" ask --yes rollback web within=10s steady=1s
sleep 0.5
in_it touch /run/load.stop
wait $load
tap_show "$WORK/load"
tap_check "no request was refused or lost" grep -q "^sent [0-9]* failed 0 " "$WORK/load"
tap_check "and there were some of both releases" sh -c "grep -q \"'1.0'\" $WORK/load && grep -q \"'1.1'\" $WORK/load"
explain

# ---- nightdesk itself
settled() { ! ask --json runs || ! grep -q '"state":"running"' "$WORK/out"; }
answers() { ask version; }
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
tap_end
