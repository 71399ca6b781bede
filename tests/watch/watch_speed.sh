#!/bin/sh
# How fast the night watch is, with the real program: services that hang and 500 services of one web
# server (hang), and units that crash under a separate, real systemd (crash; needs root and systemd).
# Prints a row for each figure, which watch_bench.sh makes a table of:
#     row|what|limit|median|worst|unit|yes or NO
#     sh tests/watch/watch_speed.sh build/release hang|crash
here=$(cd "$(dirname "$0")/../system" && pwd)
. "$here/lib.sh"
tap_start "$@"
here=$(cd "$(dirname "$0")/../system" && pwd)
part=${2:?hang or crash}
UNITS=30
token=123456789:FAKE-token_0123456789abcdefghijk
cat > "$WORK/speed.py" <<'PY'
"""The measurements: speed.py crash UNITS STATE | hang STATE NAME LIMIT PID=NAME... | many PORT | load PID"""
import http.server, os, signal, socketserver, sqlite3, subprocess, sys, time

def row(name, values, unit, limit):
    values = sorted(values)
    at = lambda f: values[min(int(f * len(values)), len(values) - 1)]
    good = at(0.99) <= limit
    print("row|%s|%s|%.2f|%.2f|%s|%s" % (name, limit, at(0.5), at(0.99), unit, "yes" if good else "NO"),
          flush=True)
    return good

def message_us(db, text, since_us):
    """When the first message with this text was queued; None: not yet."""
    found = db.execute("SELECT min(created_at_us) FROM outbox WHERE created_at_us >= ? AND"
                       " payload LIKE ?", (since_us, "%" + text + "%")).fetchone()
    return found[0]

def wait_message(db, text, since_us, within_s):
    end = time.time() + within_s
    while time.time() < end:
        at = message_us(db, text, since_us)
        if at is not None:
            return (at - since_us) / 1e6
        time.sleep(0.05)
    sys.exit("no message: " + text)

def crash(count, state):
    db = sqlite3.connect(state + "/ops.db", timeout=10)
    reported, healed = [], []
    for i in range(count):
        name = "u%d" % i
        pid = int(subprocess.check_output(
            ["systemctl", "show", "--value", "-p", "MainPID", name + ".service"]))
        since_us = int(time.time() * 1e6)
        os.kill(pid, signal.SIGKILL)
        reported.append(wait_message(db, "%s is down" % name, since_us, 60))
        healed.append(wait_message(db, "resolved · %s is down" % name, since_us, 60))
    good = row("crash of a unit to its alert", [1000 * s for s in reported], "ms", 1000)
    good = row("crash to healthy, by auto-fix", healed, "s", 10) and good
    sys.exit(0 if good else 1)

def hang(state, services, name, limit_s):
    db = sqlite3.connect(state + "/ops.db", timeout=10)
    since_us = {}
    for service in services:
        pid, service_name = service.split("=")
        since_us[service_name] = int(time.time() * 1e6)
        os.kill(int(pid), signal.SIGSTOP)
        time.sleep(2.7)  # at other moments of the interval
    reported = [wait_message(db, "%s is down" % s, at, limit_s + 15) for s, at in since_us.items()]
    sys.exit(0 if row(name, reported, "s", limit_s) else 1)

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    request_queue_size = 512
    daemon_threads = True

def used_s(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def load(pid):
    before, began = used_s(pid), time.time()
    time.sleep(60)
    share = 100 * (used_s(pid) - before) / (time.time() - began)
    rss = [int(l.split()[1]) / 1024 for l in open("/proc/%d/status" % pid) if l.startswith("VmRSS")]
    good = row("500 services every 30 s, CPU", [share], "% of core", 5)
    good = row("500 services every 30 s, memory", rss, "MB", 40) and good
    sys.exit(0 if good else 1)

if sys.argv[1] == "crash":
    crash(int(sys.argv[2]), sys.argv[3])
elif sys.argv[1] == "hang":
    hang(sys.argv[2], sys.argv[5:], sys.argv[3], float(sys.argv[4]))
elif sys.argv[1] == "many":
    Server(("127.0.0.1", int(sys.argv[2])), Answer).serve_forever()
else:
    load(int(sys.argv[2]))
PY
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
telegram() { # PORT, on which nothing listens: messages stay in the outbox
    printf 'telegram: {bot_token: "%s", chat_id: 100, api_url: "http://127.0.0.1:%s"}\n' "$token" "$1"
}
nowhere=$(free_port)
stop() { # PID: as an operator does, so that its children end too
    kill -TERM "$1" 2> /dev/null
    wait "$1" 2> /dev/null
}

# ---- services that hang
hanging() { # FOLDER INTERVAL
    mkdir -p "$WORK/$1"
    {
        telegram "$nowhere"
        printf 'api: {port: 0}\nstate: {dir: "%s/%s/state"}\nmonitoring: {check_interval: %s}\nservices:\n' \
            "$WORK" "$1" "$2"
        for name in a b c; do
            port=$(free_port)
            printf '  %s: {command: [self, demo-service, --port, "%s"], url: "http://127.0.0.1:%s"}\n' \
                $name "$port" "$port"
        done
    } > "$WORK/$1/nightdesk.yaml"
    "$ND" run --config "$WORK/$1/nightdesk.yaml" > "$WORK/$1/log" 2>&1 &
    kill_at_exit $!
}
pids() { # FOLDER
    "$ND" do --config "$WORK/$1/nightdesk.yaml" services --json |
        python3 -c 'import json, sys
for s in json.load(sys.stdin)["data"]["services"]: print("%d=%s" % (s["pid"], s["name"]))'
}
if [ "$part" = hang ]; then
hanging minimum 1s
minimum=$!
hanging default 30s
default=$!

# ---- 500 services
mkdir -p "$WORK/many"
port=$(free_port)
python3 "$WORK/speed.py" many "$port" &
kill_at_exit $!
{
    telegram "$nowhere"
    printf 'api: {port: 0}\nstate: {dir: "%s/many/state"}\nservices:\n' "$WORK"
    i=0
    while [ $i -lt 500 ]; do
        printf '  s%s: {url: "http://127.0.0.1:%s"}\n' $i "$port"
        i=$((i + 1))
    done
} > "$WORK/many/nightdesk.yaml"
"$ND" run --config "$WORK/many/nightdesk.yaml" > "$WORK/many/log" 2>&1 &
many=$!
kill_at_exit $many
sleep 45 # the grace of the starts, and the first rounds
python3 "$WORK/speed.py" load $many > "$WORK/load" 2>&1 &
load=$!
# shellcheck disable=SC2046
python3 "$WORK/speed.py" hang "$WORK/minimum/state" "hung service to its alert, interval 1 s" 30 $(pids minimum)
tap_check "a hung service is reported in time at the shortest interval" test $? -eq 0
# The interval, three looks and a timeout.
# shellcheck disable=SC2046
python3 "$WORK/speed.py" hang "$WORK/default/state" "hung service to its alert, interval 30 s" 95 $(pids default)
tap_check "and by default" test $? -eq 0
wait $load
result=$?
cat "$WORK/load"
tap_check "500 services cost little" test $result -eq 0
stop $minimum
stop $default
stop $many
tap_end
fi

# ---- units that crash
needs_systemd "crashes under a real systemd"
stage=$WORK/stage
make_in install "$stage" > "$WORK/install" 2>&1
mkdir -p "$stage/etc/nightdesk" "$stage/etc/systemd/system" "$stage/etc/polkit-1/rules.d" \
    "$stage/usr/local/bin"
cp "$WORK/speed.py" "$stage/usr/local/bin/"
names=
{
    telegram "$nowhere"
    printf 'alerts: {storm: 1000}\nservices:\n'
    i=0
    while [ $i -lt $UNITS ]; do
        printf '  u%s: {unit: u%s.service}\n' $i $i
        printf '[Service]\nExecStart=/bin/sleep infinity\n' > "$stage/etc/systemd/system/u$i.service"
        i=$((i + 1))
    done
} > "$stage/etc/nightdesk/nightdesk.yaml"
i=0
while [ $i -lt $UNITS ]; do
    names="$names${names:+, }\"u$i.service\""
    i=$((i + 1))
done
sed "s/\"prediction.service\"/$names/" "$here/../../systemd/nightdesk.rules" \
    > "$stage/etc/polkit-1/rules.d/50-nightdesk.rules"
boot_systemd "$stage"
in_it systemctl start dbus.service polkit.service 2> /dev/null ||
    skip_all "crashes under a real systemd" "no D-Bus or polkitd on this machine"
in_it systemd-sysusers nightdesk.conf 2> /dev/null
i=0
while [ $i -lt $UNITS ]; do
    in_it systemctl start u$i.service
    i=$((i + 1))
done
in_it systemctl start nightdesk
sleep 12 # the grace after a start
in_it python3 /usr/local/bin/speed.py crash $UNITS /var/lib/nightdesk
tap_check "a crash is reported and healed in time" test $? -eq 0
tap_end
