#!/bin/sh
# Mail as the second channel, with a real SMTP server (aiosmtpd): STARTTLS, a login, certificates.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
here=$(cd "$(dirname "$0")" && pwd)

if ! /usr/bin/python3 -c 'import aiosmtpd' 2> /dev/null || ! command -v openssl > /dev/null; then
    tap_skip "mail" "python3-aiosmtpd or openssl is not installed"
    tap_end
fi

# An authority of the test, and a server certificate signed by it.
cd "$WORK" || exit 1
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=test authority" -keyout ca.key \
    -out ca.pem > /dev/null 2>&1
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr \
    > /dev/null 2>&1
printf 'subjectAltName=DNS:localhost\n' > san
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san \
    -out server.pem > /dev/null 2>&1

mkdir mails
/usr/bin/python3 "$here/smtp_server.py" mails server.pem server.key bot 's3cret-pass' > smtp.log 2>&1 &
kill_at_exit $!
tap_check "the SMTP server listens" wait_for 10 test -s mails/port
port=$(cat mails/port)

configure() { # HOST CA_FILE PASSWORD
    cat > mail.yaml <<YAML
api: {port: 0}
market: {seed: 7, speed: 1}
services: {}
console: {enabled: false}
mail:
  server: $1
  port: $port
  ca_file: "$2"
  user: bot
  password: $3
  from: bot@example.org
  to: [one@example.org, two@example.org]
YAML
}

run() {
    "$ND" run --config mail.yaml --state state < /dev/null >> log 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 "$ND" do --config mail.yaml --state state version
}
stop() {
    kill -TERM $daemon
    wait $daemon
}
mail_has() { # NUMBER TEXT
    sed '1,/^\r*$/d' "mails/mail.$1" | sed '1,/^\r*$/d' | tr -d '\r' | base64 -d | grep -q "$2"
}

configure localhost "$WORK/ca.pem" s3cret-pass
tap_check "check-config accepts it" "$ND" check-config mail.yaml
run
"$ND" do --config mail.yaml --state state test_alert mail > out 2>&1
tap_check "test_alert says that mail delivers" contains out "All channels deliver"
# The first mail may be that of the start.
for f in mails/mail.*; do grep -q 'test of' "$f" || mail_has "${f##*.}" "test of the alert" && test_mail=${f##*.}; done
tap_check "the mail arrived" test -n "${test_mail:-}"
tap_check "over TLS" grep -q '^TLS True' "mails/mail.${test_mail:-0}"
tap_check "after the login" grep -q '^LOGIN True' "mails/mail.${test_mail:-0}"
tap_check "for both recipients" grep -q '^TO one@example.org two@example.org' "mails/mail.${test_mail:-0}"
tap_check "with a Message-ID of the outbox row" grep -q '^Message-ID: <outbox-[0-9]*\.[0-9]*@example.org>' \
    "mails/mail.${test_mail:-0}"
stop
tap_check "it exits with 0" test $? -eq 0

configure localhost "$WORK/ca.pem" wrong
run
"$ND" do --config mail.yaml --state state test_alert mail > out 2>&1
tap_check "a wrong password is named" contains out "MAIL_LOGIN"
stop

configure localhost "" s3cret-pass
run
"$ND" do --config mail.yaml --state state test_alert mail > out 2>&1
tap_check "an unknown authority is refused" contains out "MAIL_TLS"
before=$(ls mails | grep -c '^mail\.[0-9]*$')
stop
configure 127.0.0.1 "$WORK/ca.pem" s3cret-pass
run
"$ND" do --config mail.yaml --state state test_alert mail > out 2>&1
tap_check "a certificate for another name is refused" contains out "MAIL_TLS"
tap_check "nothing was sent meanwhile" test "$(ls mails | grep -c '^mail\.[0-9]*$')" -eq "$before"
sqlite3 state/ops.db "UPDATE outbox SET created_at_us = created_at_us - 120000000 WHERE state = 'queued'"
"$ND" do --config mail.yaml --state state status > out 2>&1
tap_check "status shows what waits" contains out "waiting"
stop

# What waited is delivered when the configuration is right again.
configure localhost "$WORK/ca.pem" s3cret-pass
run
more() { [ "$(ls mails | grep -c '^mail\.[0-9]*$')" -ge $((before + 3)) ]; }
tap_check "what waited is delivered then" wait_for 20 more
stop
for secret in s3cret-pass; do
    tap_check "the password is in no log" lacks log "$secret"
    tap_check "nor in the databases" sh -c "! grep -aq $secret state/*.db*"
done
cd /
tap_end
