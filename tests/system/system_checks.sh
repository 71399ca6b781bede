#!/bin/sh
# Checks against real servers and processes: certificates, a server that hangs, a process that crashes
# again and again, a job that calls. The options are those that make it quick.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v openssl > /dev/null || { tap_skip "checks of real servers" "no openssl"; tap_end; }

# ---- certificates: one authority, a server whose certificate ends in 3 days, one in 300, one of a
# other
certificate() { # NAME DAYS ISSUER
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$WORK/$1.key" -out "$WORK/$1.csr" 2> "$WORK/openssl"
    openssl x509 -req -in "$WORK/$1.csr" -CA "$WORK/$3.pem" -CAkey "$WORK/$3.key" -days "$2" \
        -extfile "$WORK/ext" -out "$WORK/$1.pem" 2>> "$WORK/openssl"
}
authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -days 30 \
        -keyout "$WORK/$1.key" -out "$WORK/$1.pem" 2> "$WORK/openssl"
}
echo 'subjectAltName=IP:127.0.0.1' > "$WORK/ext"
authority ours
authority other
certificate soon 3 ours
certificate later 300 ours
certificate foreign 300 other
serve() { # NAME PORT
    openssl s_server -quiet -www -accept "127.0.0.1:$2" -cert "$WORK/$1.pem" -key "$WORK/$1.key" \
        > /dev/null 2>&1 &
    kill_at_exit $!
}
serve soon 18461
soon=$!
serve later 18462
serve foreign 18463

# ---- a server whose kernel accepts and that never answers
"$ND" demo-service --port 18464 > "$WORK/hung" 2>&1 &
hung=$!
kill_at_exit $hung
wait_for 5 grep -q 18464 "$WORK/hung"
kill -STOP $hung

cat > "$WORK/checks.yaml" <<YAML
api: {port: 18460}
market: {seed: 7}
monitoring: {check_interval: 1s, confirm_interval: 200ms, start_grace: 1s}
services:
  certificates:
    alert_after: 1
    checks:
      soon: {url: "https://127.0.0.1:18461", ca_file: $WORK/ours.pem}
      later: {url: "https://127.0.0.1:18462", ca_file: $WORK/ours.pem}
      foreign: {url: "https://127.0.0.1:18463", ca_file: $WORK/ours.pem}
      three: {url: "https://127.0.0.1:18461", ca_file: $WORK/ours.pem, certificate_days: 2}
  hung: {url: "http://127.0.0.1:18464", timeout: 1s}
  crashing: {command: [sh, -c, "echo cannot open the model; exit 7"]}
  backup: {checks: {nightly: {heartbeat: 1h}}}
YAML
"$ND" run --no-console --config "$WORK/checks.yaml" --state "$WORK/state" < /dev/null \
    > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
ask() { # LINE: the answer in $WORK/out
    "$ND" do --config "$WORK/checks.yaml" --state "$WORK/state" "$@" > "$WORK/out" 2>&1
}
shows() { # LINE TEXT
    ask "$1" && grep -qF "$2" "$WORK/out"
}
tap_check "a certificate that ends soon is an alert" \
    wait_for 10 shows "alerts" "certificate of certificates ends soon"
ask --json "alerts"
tap_check "which says when" contains "$WORK/out" "Check soon: the certificate expires in 2 d"
tap_check "one that ends later is none" lacks "$WORK/out" "Check later"
tap_check "nor is one within the limit of its own check" lacks "$WORK/out" "Check three"
ask "services certificates"
tap_check "the check of it succeeds" sh -c "grep -q 'soon .*up' '$WORK/out'"
kill $soon
wait $soon 2> "$WORK/ignored"
serve later 18461
renewed() { ask "alerts" && ! grep -q "ends soon" "$WORK/out"; }
tap_check "a renewed certificate ends it at once" wait_for 5 renewed
ask "services certificates"
tap_check "one of another authority is a failure" \
    sh -c "grep -q 'foreign: .*TLS' '$WORK/out'"
tap_check "a server that hangs is down" wait_for 20 shows "alerts" "hung is down"
tap_check "a process that ends again and again is one alert that says flapping" \
    wait_for 20 shows "alerts" "crashing is flapping"
ask "services crashing"
tap_check "the reason has the exit code" contains "$WORK/out" "exit code 7"
ask --json "alerts"
tap_check "the alert has the end of its log" contains "$WORK/out" "cannot open the model"
ask --json "services backup"
url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' "$WORK/out")
tap_check "a job's URL is shown" test -n "$url"
stored() { cat "$WORK/state"/ops.db* | grep -aqF "/ping/${url##*/}"; }
not_stored() { ! stored; }
tap_check "and stored nowhere" not_stored
tap_check "a job reports a failure" curl -fsS "$url/fail"
tap_check "which is an alert at once" wait_for 3 shows "alerts" "backup is down"
tap_check "and success" curl -fsS "$url"
gone() { ask "alerts" && ! grep -q "backup is down" "$WORK/out"; }
tap_check "which ends it" wait_for 3 gone
kill -TERM $daemon
wait $daemon
tap_check "it exits with 0" test $? -eq 0
tap_end
