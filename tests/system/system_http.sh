#!/bin/sh
# The API's ports under real, raw and hostile clients: slow and silent ones, smuggled requests, a port
# that is taken, TLS with a certificate that is renewed, a listener's thread that hangs.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v python3 > /dev/null || skip_all "raw HTTP" "no python3 on this machine"
raw() { python3 "$here/http_raw.py" "$@"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port) tls_port=$(free_port)
NIGHTDESK_API_TOKEN=system-test-token-of-32-characters
export NIGHTDESK_API_TOKEN
make_cert() { # DAYS
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -days "$1" -keyout "$WORK/key.new" -out "$WORK/cert.new" 2> "$WORK/openssl" &&
        mv "$WORK/key.new" "$WORK/key.pem" && mv "$WORK/cert.new" "$WORK/cert.pem"
}

# ---- a port that is taken
python3 -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("ready", flush=True); time.sleep(60)' "$port" \
    > "$WORK/taker" &
taker=$!
kill_at_exit $taker
wait_for 5 contains "$WORK/taker" ready
sed "s/^  port: 0/  port: $port/" "$WORK/quiet.yaml" > "$WORK/plain.yaml"
"$ND" run --no-console --config "$WORK/plain.yaml" --state "$WORK/state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon

# ---- beside it one with TLS, whose heartbeats show whether all of its threads are alive
"$BUILD_DIR/system/ping_sink" > "$WORK/pings" &
kill_at_exit $!
wait_for 5 grep -q port "$WORK/pings"
beats="http://127.0.0.1:$(sed -n 's/^port //p' "$WORK/pings")/beat"
make_cert 10
tap_check "a certificate is made" test -s "$WORK/cert.pem"
sed "s|^  port: 0|  port: $tls_port\n  tls_cert: $WORK/cert.pem\n  tls_key: $WORK/key.pem\nmonitoring: {heartbeat_url: \"$beats\", heartbeat_interval: 1s}|" \
    "$WORK/quiet.yaml" > "$WORK/tls.yaml"
"$ND" run --no-console --config "$WORK/tls.yaml" --state "$WORK/tls" < /dev/null > "$WORK/tls.log" 2>&1 &
tls_daemon=$!
kill_at_exit $tls_daemon

tap_check "the log says that the port is taken" wait_for 10 contains "$WORK/log" WEB_LISTEN
"$ND" do alerts --config "$WORK/plain.yaml" --state "$WORK/state" > "$WORK/out" 2>&1
tap_check "it is an alert" contains "$WORK/out" "could not listen"
kill $taker
answers() { curl -s --max-time 2 "$@" > "$WORK/out"; }
tap_check "the API listens once the port is free" wait_for 10 answers "http://127.0.0.1:$port/healthz"
"$ND" do alerts --config "$WORK/plain.yaml" --state "$WORK/state" > "$WORK/out" 2>&1
tap_check "and the alert is over" lacks "$WORK/out" "could not listen"

# ---- TLS
tap_check "HTTPS answers, with a certificate that is checked" wait_for 10 answers \
    --cacert "$WORK/cert.pem" --resolve "localhost:$tls_port:127.0.0.1" "https://localhost:$tls_port/healthz"
tap_check "HTTP at that port has a clear error" raw plain "$tls_port"
raw renewed "$tls_port" > "$WORK/renewed" 2>&1 &
renewal=$!
kill_at_exit $renewal
wait_for 10 contains "$WORK/renewed" ready
make_cert 20

# ---- raw clients, while the certificate is noticed
tap_check "smuggled requests are refused" raw smuggling "$port"
tap_check "pipelined requests are answered in order; HEAD without a body, 405 with Allow" raw pipelining "$port"
tap_check "a body of 10 MB is refused, and the client can read why" raw large "$port"
wait $renewal
tap_check "a renewed certificate is served, and no connection is dropped" test $? -eq 0
tap_show "$WORK/renewed"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$WORK/key.new" 2> "$WORK/openssl"
cp "$WORK/key.pem" "$WORK/key.old"
mv "$WORK/key.new" "$WORK/key.pem"
tap_check "a key without its certificate is not taken, and the log says why" \
    wait_for 15 contains "$WORK/tls.log" "key.pem does not belong to $WORK/cert.pem"
tap_check "the pair before it is served" answers \
    --cacert "$WORK/cert.pem" --resolve "localhost:$tls_port:127.0.0.1" "https://localhost:$tls_port/healthz"
mv "$WORK/key.old" "$WORK/key.pem"

# ---- a listener that hangs, while slow clients are waited for
mkfifo "$WORK/stdin"
sleep 60 > "$WORK/stdin" &
holder=$!
kill_at_exit $holder
"$BUILD_DIR/system/freeze_thread" "$tls_daemon" "api tcp" < "$WORK/stdin" > "$WORK/frozen" 2>&1 &
kill_at_exit $!
wait_for 10 test -s "$WORK/frozen"
tap_check "silent, dripping and half-open clients are closed and shut nobody out" raw slow "$port"
pings() { grep -c '^GET /beat$' "$WORK/pings"; }
more_than() { [ "$(pings)" -gt "$1" ]; }
if grep -q frozen "$WORK/frozen"; then
    tap_check "a listener's thread that hangs is noticed" wait_for 15 contains "$WORK/tls.log" API_SILENT
    sleep 1
    before=$(pings)
    sleep 2
    tap_check "heartbeats and watchdog are withheld" test "$(pings)" -eq "$before"
    kill -9 $holder 2> /dev/null
    tap_check "they are sent again when it runs" wait_for 20 more_than "$before"
else
    tap_skip "a listener's thread that hangs" "no thread can be stopped here: $(head -n 1 "$WORK/frozen")"
fi

# ---- an address that others can reach
sed "s/^  port: 0/  port: $port\n  listen: 0.0.0.0/" "$WORK/quiet.yaml" > "$WORK/open.yaml"
"$ND" config --config "$WORK/open.yaml" > "$WORK/out" 2>&1
tap_check "it is refused without TLS and without a proxy" contains "$WORK/out" "can be reached from other machines"

for pid in $daemon $tls_daemon; do
    kill -TERM "$pid"
    wait "$pid"
    tap_check "it exits with 0" test $? -eq 0
done
tap_end
