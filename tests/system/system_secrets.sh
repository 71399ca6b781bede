#!/bin/sh
# Secrets: nightdesk secret in a terminal and in scripts; then a daemon with a recognisable secret
# wherever one can be configured, and a search for them in everything it leaves: logs at debug,
# databases, journals, replies, command lines, children, requests, and what a killed process leaves.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
here=$(cd "$(dirname "$0")" && pwd)
cd "$WORK" || exit 1
if ! command -v python3 > /dev/null; then
    tap_skip "secrets" "no python3 on this machine"
    tap_end
fi
unset CREDENTIALS_DIRECTORY NIGHTDESK_MAIL_PASSWORD NIGHTDESK_WEBHOOK_URL NIGHTDESK_WEBHOOK_SECRET

# ---- nightdesk secret
secret() {
    "$ND" secret "$@" --config quiet.yaml --state sealed > out 2>&1
}
refused() { # NAME CODE ERROR
    tap_check "$1: $2" test $code -eq "$2"
    tap_check "$1: $3" contains out "$3"
}
printf 'planted-first-value\n' | secret set TELEGRAM_BOT_TOKEN
tap_check "a value is read from standard input" test $? -eq 0
tap_check "the file and its key are their owner's" \
    test "$(stat -c %a sealed/secrets.sealed sealed/secrets.key | tr '\n' ' ')" = "600 600 "
printf 'planted-second' | secret set OTHER
tap_check "a name that nothing refers to is noticed" contains out "Nothing in the configuration"
secret list
tap_check "list shows names" sh -c "grep -q ^OTHER out && grep -q ^TELEGRAM_BOT_TOKEN out"
tap_check "and no values" lacks out planted
secret list --json
tap_check "nor as JSON" lacks out planted
secret set OTHER planted-on-the-command-line
code=$?
refused "a value on the command line" 1 SEALED_VALUE
tap_check "is not repeated" lacks out planted
printf 'two\nlines\n' | secret set OTHER
code=$?
refused "two lines" 1 SEALED_VALUE
printf x | secret set telegram.bot_token
code=$?
refused "a name with a full stop" 1 SEALED_NAME
secret rm NONE
code=$?
refused "rm of an unknown name" 1 SEALED_UNKNOWN
secret rm OTHER
secret list
tap_check "rm removes" lacks out OTHER

cp -r sealed kept
broken() { # NAME ERROR
    secret list
    code=$?
    refused "$1" 1 "$2"
    "$ND" check-config quiet.yaml --state sealed > out 2>&1
    code=$?
    refused "$1, at a start" 2 "$2"
    rm -rf sealed
    cp -r kept sealed
}
chmod 0640 sealed/secrets.sealed
broken "a file that others can read" SEALED_EXPOSED
chmod 0644 sealed/secrets.key
broken "a key that others can read" SEALED_EXPOSED
head -c 200 kept/secrets.sealed > sealed/secrets.sealed
broken "a truncated file" SEALED_TRUNCATED
sed '3s/[0-9a-f]$/x/' kept/secrets.sealed > sealed/secrets.sealed
broken "a damaged file" SEALED_DAMAGED
sed '1s/1$/2/' kept/secrets.sealed > sealed/secrets.sealed
broken "a foreign version" SEALED_VERSION
printf '%064d\n' 7 > sealed/secrets.key
broken "the key of another machine" SEALED_WRONG_KEY
rm sealed/secrets.key
broken "no key" SEALED_KEY

secret rotate
tap_check "rotate" test $? -eq 0
tap_check "makes another key" sh -c '! cmp -s kept/secrets.key sealed/secrets.key'
secret list
tap_check "that opens the file" contains out TELEGRAM_BOT_TOKEN
# kill -9 at any moment of a rotation leaves a file and a key that fit.
whole=yes kills=0
for ms in 1 2 3 4 5 6 7 8 9 10 12 14 16 18 20 25; do
    "$ND" secret rotate --config quiet.yaml --state sealed > /dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf %03d $ms)"
    kill -9 $pid 2> /dev/null && kills=$((kills + 1))
    wait $pid 2> /dev/null
    secret list && grep -q TELEGRAM_BOT_TOKEN out || { whole="no, after $ms ms"; break; }
done
tap_check "after kill -9 in $kills rotations the file opens" test "$whole" = yes

printf 'right horse battery\n' > phrase
printf 'wrong horse battery\n' > wrong
secret rotate --seal passphrase --passphrase-fd 3 3< phrase
tap_check "a passphrase takes the place of the key" test ! -e sealed/secrets.key
secret list --passphrase-fd 3 3< phrase
tap_check "and opens the file" contains out TELEGRAM_BOT_TOKEN
secret list --passphrase-fd 3 3< wrong
code=$?
refused "a wrong passphrase" 1 SEALED_PASSPHRASE
setsid "$ND" secret list --config quiet.yaml --state sealed > out 2>&1
code=$?
refused "nobody to ask" 1 SEALED_KEY
cat phrase wrong > both
secret rotate --passphrase-fd 3 3< both
secret list --passphrase-fd 3 3< wrong
tap_check "rotate to another passphrase" contains out TELEGRAM_BOT_TOKEN
printf 'short\n' >> wrong
secret rotate --passphrase-fd 3 3< wrong
code=$?
refused "a short passphrase" 1 SEALED_NEW_PASSPHRASE

# In a terminal: typed after the question, never shown.
cat > typist.py <<'PY'
import os, pty, select, sys, time
answers, command = sys.argv[1].split("|"), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen, asked, end = b"", 0, time.time() + 20
while time.time() < end:
    ready, _, _ = select.select([fd], [], [], 0.1)
    try:
        data = os.read(fd, 4096) if ready else b""
    except OSError:
        break
    seen += data
    if seen.count(b": ") > asked and asked < len(answers):
        os.write(fd, answers[asked].encode().decode("unicode_escape").encode() + b"\n")
        asked += 1
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
typed() { # ANSWERS WORDS...
    answers=$1
    shift
    python3 typist.py "$answers" "$ND" secret "$@" --config quiet.yaml --state typed > out 2>&1
}
typed 'planted-typed-value' set CLAUDE_API_KEY
tap_check "set asks in a terminal" contains out "Value of CLAUDE_API_KEY (not shown): "
tap_check "and does not show what is typed" lacks out planted
typed 'x' list
tap_check "and keeps it" contains out "CLAUDE_API_KEY"
tap_check "with all of its bytes" contains out "16 to 31 bytes"
typed 'planted phrase one|planted phrase two' rotate --seal passphrase
tap_check "two entries that differ are refused" contains out SEALED_NEW_PASSPHRASE
typed 'planted phrase one|planted phrase one' rotate --seal passphrase
tap_check "two that are the same are taken" contains out "with a passphrase"
tap_check "and not shown" lacks out planted
typed 'planted phrase one' list
tap_check "list asks for it" contains out CLAUDE_API_KEY
typed '\x03' list
tap_check "^C cancels" contains out PROMPT_CANCELLED

# ---- one secret in each place where one can be configured
cat > secrets <<'TABLE'
telegram 5550001:AAplanted-telegram-token-0001
claude sk-ant-planted-claude-key-0002
mail planted-mail-password-0003
hookurl planted-webhook-path-0004
hookkey planted-webhook-key-0005
beat planted-heartbeat-path-0006
api planted-api-token-0007
totp KBWGC3TUMVSFIT2UKBKGC3TU
localtotp JRXWGYLMKRHVIUDMMFXHIZLE
TABLE
of() { sed -n "s/^$1 //p" secrets; }
mkdir requests mails creds state
python3 "$here/secret_sink.py" requests > sink.log 2>&1 &
sink=$!
kill_at_exit $sink
wait_for 10 test -s requests/port
url=http://127.0.0.1:$(cat requests/port)
mail_port=9
if /usr/bin/python3 -c 'import aiosmtpd' 2> /dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout mail.key -out mail.pem > /dev/null 2>&1
    /usr/bin/python3 "$here/smtp_server.py" mails mail.pem mail.key bot "$(of mail)" > smtp.log 2>&1 &
    kill_at_exit $!
    wait_for 10 test -s mails/port
    mail_port=$(cat mails/port)
fi
cat > child.sh <<'SH'
#!/bin/sh
env > "$1/child.env"
echo "a line of the service"
exec sleep 600
SH
chmod 0755 child.sh
cat > planted.yaml <<YAML
api:
  port: 0
  token: $(of api)
  local_users:
    - {uid: 4711, name: olga, role: operator, totp: "\${LOCAL_TOTP}"}
market: {seed: 7, speed: 600}
log: {level: debug}
services:
  child: {command: [$WORK/child.sh, $WORK]}
telegram:
  api_url: $url
  chat_id: 7
  poll_timeout: 1s
  users:
    - {id: 7, name: alice, role: admin, totp: "\${ALICE_TOTP}"}
claude: {api_url: $url}
mail: {server: localhost, port: $mail_port, ca_file: $WORK/mail.pem, user: bot, from: b@example.org, to: [a@example.org]}
webhook: {url: "$url/\${HOOK_PATH}"}
monitoring: {heartbeat_interval: 1s, audit_first_after: 1s}
YAML
touch mail.pem
# Sealed, in the environment, as a credential and in the file: each way once at least.
for pair in TELEGRAM_BOT_TOKEN=telegram ALICE_TOTP=totp LOCAL_TOTP=localtotp \
    NIGHTDESK_WEBHOOK_SECRET=hookkey HOOK_PATH=hookurl; do
    of "${pair#*=}" | "$ND" secret set "${pair%%=*}" --config quiet.yaml --state state > out 2>&1
done
of mail > creds/mail.password
sed 's/^.* //' secrets > patterns
key=$(cat state/secrets.key)
echo "$key" >> patterns

run_planted() {
    (
        ulimit -c unlimited 2> /dev/null
        CREDENTIALS_DIRECTORY=$WORK/creds CLAUDE_API_KEY=$(of claude) \
            NIGHTDESK_HEARTBEAT_URL=$url/$(of beat) \
            exec python3 -c 'import os, sys
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
print(pid, flush=True)
status = os.waitpid(pid, 0)[1]
print("core" if os.WCOREDUMP(status) else "no core", os.WTERMSIG(status), flush=True)' \
            "$ND" run --no-console --config planted.yaml --state state
    ) < /dev/null > pid 2>> log &
    outer=$!
    kill_at_exit $outer
    wait_for 5 test -s pid
    daemon=$(head -n 1 pid)
    kill_at_exit "$daemon"
    wait_for 20 "$ND" do version --config quiet.yaml --state state
}
# Whatever the daemon runs, and whatever ps shows meanwhile.
look() {
    python3 - "$daemon" "$ND" <<'PY'
import os, sys
daemon, program = sys.argv[1:]
env, lines = open("child.env", "a"), open("cmdlines", "a")
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        p = "/proc/" + pid
        parent = open(p + "/stat").read().rsplit(")", 1)[1].split()[1]
        # Not the command lines of this test's own servers.
        if parent == daemon or os.readlink(p + "/exe") == program:
            lines.write(open(p + "/cmdline").read().replace("\0", "\n"))
        if parent == daemon:
            env.write(open(p + "/environ").read().replace("\0", "\n"))
    except OSError:
        pass
PY
}
requests_have() { grep -qaF -- "$1" requests/request.*; }
run_planted
tap_check "the daemon runs" test -n "$daemon"
tap_check "its service runs" wait_for 10 test -s child.env
look
mkdir replies
ask() {
    "$ND" do --config quiet.yaml --state state "$@" > "replies/$(echo "$*" | tr ' /' '__')" 2>&1
}
ask test_alert
tap_check "Telegram's token is used" wait_for 10 requests_have "POST /bot$(of telegram)/"
tap_check "Claude's key is used" wait_for 10 requests_have "$(of claude)"
tap_check "the webhook is used" wait_for 10 requests_have "POST /$(of hookurl)"
tap_check "the heartbeat is used" wait_for 10 requests_have "GET /$(of beat)"
[ "$mail_port" = 9 ] || tap_check "the mail password is used" wait_for 10 test -s mails/mail.1
for file in "$here"/../../commands/*.yaml; do
    name=$(basename "$file" .yaml)
    case $name in
    emergency_stop | clear_emergency | maintenance) continue ;;
    esac
    ask "$name"
done
for line in "--json status" "--json config_history" "--json runs" "--json auditlog" "--json reload" \
    "help reload" "logs child" "config_history 1" "runs 1" "audit 24" "chart" "mute nothing" "reload --yes" "otp" "services"; do
    # shellcheck disable=SC2086 # the words are apart
    ask $line
done
code=$(sed -n 's/.*\([0-9A-Z]\{5\}-[0-9A-Z]\{5\}\).*/\1/p' replies/pair | head -n 1)
tap_check "a pairing code is shown to root" test -n "$code"
rm -f replies/pair
[ -z "$code" ] || printf '%s\n%s\n' "$code" "$(echo "$code" | tr -d '-')" >> patterns
for path in state positions trades orders decisions alerts runs; do
    curl -s --unix-socket state/nightdesk.sock "http://localhost/api/v1/$path" > "replies/get_$path"
done
curl -s --unix-socket state/nightdesk.sock http://localhost/metrics > replies/get_metrics
curl -s --unix-socket state/nightdesk.sock http://localhost/healthz > replies/get_healthz
for word in config "check-config planted.yaml" "auditlog show" "auditlog export --csv"; do
    # shellcheck disable=SC2086
    CREDENTIALS_DIRECTORY=$WORK/creds CLAUDE_API_KEY=$(of claude) "$ND" $word --state state \
        $([ "$word" = "check-config planted.yaml" ] || echo --config planted.yaml) \
        > "replies/cli_$(echo "$word" | tr ' ' '_')" 2>&1
done
"$ND" secret list --config quiet.yaml --state state > replies/cli_secret 2>&1
# A configuration with mistakes: messages about the lines of secrets.
sed 's/^  token: .*/  token: [&]/;s/^claude:.*/claude: {api_key: {a: '"$(of claude)"'}}/' planted.yaml > mistaken.yaml
"$ND" check-config mistaken.yaml > replies/cli_mistaken 2>&1
# Refusals that repeat the address, and a server that is away.
touch requests/refuse
ask test_alert
sleep 1
look
kill -9 $sink
ask test_alert
sleep 1

# ---- what remains
clean() { # FOLDER_OR_FILE...
    python3 "$here/secret_search.py" patterns "$@"
}
in_log() { tap_check "the log at debug has a line of $1" wait_for 10 grep -q "$2" log; }
in_log "debug" ' DEBUG '
in_log "Telegram's refusals" 'refused /bot\*\*\*/'
in_log "a Telegram that is away" 'HTTP_CONNECT.*/bot\*\*\*/'
in_log "the webhook" 'webhook: '
in_log "the heartbeat" 'heartbeat failed'
in_log "the audit" ' audit ('
tap_check "no secret in the log" clean log
tap_check "nor in a reply or output of a subcommand" clean replies
tap_check "nor on a command line" clean cmdlines
tap_check "the service has an environment" grep -q '^PATH=' child.env
tap_check "and no secret in it, nor in that of any other child" clean child.env
tap_check "requests were recorded" test "$(find requests -name 'request.*' | wc -l)" -gt 10
tap_check "a request carries its own secret, in one place, and no other" \
    clean --requests secrets requests
[ "$mail_port" = 9 ] || tap_check "mails carry none" clean mails
mkdir remains
mv state/secrets.key remains.key
cp -r state remains/running
tap_check "none in the databases and journals of the running daemon" clean remains/running
mv remains.key state/secrets.key
kill -ABRT "$daemon"
wait $outer 2> /dev/null
tap_check "an abort leaves no core" contains pid "no core 6"
tap_check "and no core file" sh -c "! find . -name 'core*' | grep -q ."
: > pid
run_planted
kill -9 "$daemon"
wait $outer 2> /dev/null
mv state/secrets.key remains.key
cp -r state remains/killed
tap_check "none in what kill -9 leaves" clean remains/killed

# ---- a program that leaks is noticed: the same searches, where one secret gets out
leaking() { # PLACE: the daemon leaks Claude's key there
    rm -rf leaking
    mkdir leaking
    cat > leak.yaml <<YAML
api: {port: 0}
log: {level: debug}
services:
  child: {command: [$WORK/child.sh, $WORK/leaking]}
YAML
    LEAK=$1 LEAK_FILE=$WORK/leak.secret LD_PRELOAD=$WORK/leak.so \
        "$ND" run --no-console --config leak.yaml --state leaking/state < /dev/null > leaking/log 2>&1 &
    leaker=$!
    kill_at_exit $leaker
    wait_for 20 "$ND" do pause --config leak.yaml --state leaking/state &&
        wait_for 10 grep -q '^PATH=' leaking/child.env
    kill -9 $leaker
    wait $leaker 2> /dev/null
    rm -f leaking/state/secrets.key
}
of claude > leak.secret
if ${CC:-cc} -D_GNU_SOURCE -shared -fPIC -O1 "$here/preload/leak.c" -o leak.so -ldl > out 2>&1; then
    for place in none log child database; do
        leaking $place
        clean leaking > leaks
        case $place in
        none) tap_check "a program that does not leak is clean" test "$(grep -c ' is in ' leaks)" -eq 0 ;;
        log) tap_check "a key in the log is noticed" grep -q ' is in leaking/log$' leaks ;;
        child) tap_check "a key in the environment of a child is noticed" \
            grep -q ' is in leaking/child.env$' leaks ;;
        database) tap_check "a key in a database is noticed" grep -q ' is in leaking/state/ops.db' leaks ;;
        esac
        [ $place = none ] || tap_check "and nowhere else ($place)" \
            test "$(sed -n 's|.* is in leaking/\(state/\)*||p' leaks | sed 's/-wal$//' | sort -u | wc -l)" -eq 1
    done
else
    tap_show out
    tap_skip "a program that leaks" "no compiler on this machine"
fi

# ---- the search finds what is there
mkdir planted
for name in $(cut -d' ' -f1 secrets); do
    printf 'before "%s" after\n' "$(of "$name")" > planted/plain
    clean planted > leaks
    tap_check "a planted leak is found ($name)" grep -q "is in planted/plain" leaks
done
for shift in '' a bb; do
    printf '%s%s tail' "$shift" "$(of api)" | base64 -w 0 > planted/plain
    clean planted > leaks
    tap_check "a leak in base64 is found (after \"$shift\")" grep -q "is in planted/plain" leaks
done
printf 'POST /bot%s/x\n\n%s' "$(of telegram)" "$(of telegram)" > planted/plain
clean --requests secrets planted > leaks
tap_check "a second copy in a request is found" grep -q "is in planted/plain" leaks
printf 'GET /%s\nX-Api-Key: %s\n\n' "$(of beat)" "$(of claude)" > planted/plain
clean --requests secrets planted > leaks
tap_check "a key in another request is found" grep -q "is in planted/plain" leaks
tap_end
