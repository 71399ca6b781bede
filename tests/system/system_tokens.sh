#!/bin/sh
# Tokens of the API with the real program: made, used, expired, revoked while in use, of every wrong
# shape, too many requests, guesses; and that no secret stays anywhere.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
for tool in curl python3; do
    command -v $tool > /dev/null || skip_all "tokens of the API" "no $tool"
done
conf=$WORK/tokens.yaml
state=$WORK/state
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
cat > "$conf" <<YAML
api: {port: $port, rate: 40}
log: {level: debug}
services: {kept: {command: ["/bin/sleep", "1000"]}}
YAML
start() {
    "$ND" run --no-console --config "$conf" --state "$state" < /dev/null >> "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 "$ND" do --config "$conf" --state "$state" version
}
token() { "$ND" token "$@" --config "$conf" --state "$state"; }
make() { # NAME OPTIONS...: its secret is in the file NAME
    name=$1
    shift
    token create --name "$name" "$@" --json > "$WORK/made" 2> "$WORK/err"
    sed -n 's/.*"token":"\(nd_[^"]*\)".*/\1/p' "$WORK/made" > "$WORK/$name"
    rm "$WORK/made"
    cat "$WORK/$name" >> "$WORK/patterns"
    printf 'header = "Authorization: Bearer %s"\n' "$(cat "$WORK/$name")" > "$WORK/$name.curl"
    test -s "$WORK/$name"
}
# The secret is in a file, never on a command line.
call() { # NAME PATH OPTIONS...: prints the status; answer and headers are in files
    name=$1 path=$2
    shift 2
    curl -s -o "$WORK/answer" -D "$WORK/headers" -w '%{http_code}\n' -K "$WORK/$name.curl" "$@" "$url$path"
}
gives() { # STATUS NAME PATH OPTIONS...
    wanted=$1
    shift
    got=$(call "$@")
    [ "$got" = "$wanted" ] || { echo "$got, not $wanted"; cat "$WORK/answer"; return 1; }
}
start

# ---- made and used
tap_check "a token is made" make grafana --role read_only --expires 90d --ip 127.0.0.1
tap_check "another" make ci --role operator --commands 'whoami,restart'
tap_check "it reads" gives 200 grafana /api/v1/positions
tap_check "it has its own name" gives 200 grafana /api/v1/commands/whoami -X POST
tap_check "in the answer" contains "$WORK/answer" '"name":"grafana","role":"read_only"'
tap_check "and its role" gives 403 grafana /api/v1/commands/restart -d '{"args":["kept"]}'
tap_check "an operator's runs" gives 200 ci /api/v1/commands/restart -d '{"args":["kept"],"confirm":true}'
tap_check "and no other command" gives 403 ci /api/v1/commands/pause -d '{"confirm":true}'
tap_check "nobody takes its name" sh -c '! "$@"' - "$ND" token create --role admin --name ci \
    --config "$conf" --state "$state"
tap_check "no chat makes one" sh -c "! grep -q telegram '$here/../../commands/token_create.yaml'"

# ---- wrong shapes
n=0
while IFS= read -r header; do
    n=$((n + 1))
    printf 'header = "%s"\n' "$header" > "$WORK/wrong.curl"
    gives 401 wrong /api/v1/positions >> "$WORK/shapes" || echo "$header" >> "$WORK/shapes"
done <<TABLE
Authorization:
Authorization: Bearer
Authorization: Bearer $(cut -c 1-40 "$WORK/grafana")
Authorization: Bearer $(cat "$WORK/grafana")A
Authorization: Bearer $(tr 'A-Z' 'a-z' < "$WORK/grafana")
Authorization: Bearer Bearer $(cat "$WORK/grafana")
Authorization: Basic $(cat "$WORK/grafana")
Authorization: $(cat "$WORK/grafana")
X-Api-Key: $(cat "$WORK/grafana")
TABLE
tap_check "tokens of every wrong shape are refused" test ! -s "$WORK/shapes"
[ -s "$WORK/shapes" ] && tap_show "$WORK/shapes"
tap_check "all of them were tried" test $n -eq 9

# ---- expired, and revoked while it is in use
stream() { # NAME: reads until the daemon ends it
    curl -sN -m 20 -K "$WORK/$1.curl" -H 'Accept: text/event-stream' "$url/api/v1/stream" \
        > "$WORK/$1.stream" 2>&1 &
    kill_at_exit $!
    wait_for 5 grep -q '"type":"hello"' "$WORK/$1.stream"
}
tap_check "a token for two seconds" make brief --role read_only --expires 2s
tap_check "is valid" gives 200 brief /api/v1/positions
stream brief
brief=$!
wait_for 10 gives 401 brief /api/v1/positions
tap_check "and then is not" contains "$WORK/answer" API_TOKEN_ENDED
tap_check "its stream ends" wait_for 3 sh -c "! kill -0 $brief 2> /dev/null"
make leaving --role read_only
stream leaving
leaving=$!
while sleep 0.05; do call leaving /api/v1/positions; done > "$WORK/statuses" 2> /dev/null &
user=$!
kill_at_exit $user
wait_for 5 grep -q 200 "$WORK/statuses"
token revoke leaving --yes > "$WORK/out"
wait_for 5 grep -q 401 "$WORK/statuses"
kill $user
tap_check "a stream ends when its token is revoked" \
    wait_for 3 sh -c "! kill -0 $leaving 2> /dev/null"
tap_check "a token is revoked while it is used" sh -c \
    "uniq '$WORK/statuses' | tr '\n' ' ' | grep -q '^200 401 *\$'"

# ---- too many requests
many() { # NAME COUNT: prints each status and how often
    curl -s -o /dev/null -w '%{http_code}\n' -K "$WORK/$1.curl" "$url/api/v1/positions?limit=[1-$2]" |
        sort | uniq -c | tr -s ' \n' ' '
}
make greedy --role read_only
tap_check "40 requests of 60 are answered" test "$(many greedy 60)" = " 40 200 20 429 "
call greedy /api/v1/positions > /dev/null
tap_check "the answer says when to come again" grep -qi '^Retry-After: [1-9]' "$WORK/headers"
tap_check "and what is left" grep -qi '^RateLimit-Remaining: 0' "$WORK/headers"
tap_check "others are served" gives 200 grafana /api/v1/positions
local_many() {
    curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$state/nightdesk.sock" \
        "http://localhost/api/v1/positions?limit=[1-100]" | sort | uniq -c | tr -s ' \n' ' '
}
tap_check "the socket has no limit" test "$(local_many)" = " 100 200 "

# ---- guesses
for i in $(seq 1 300); do
    printf 'url = "%s/api/v1/state"\nheader = "Authorization: Bearer guess%s"\noutput = /dev/null\n' "$url" "$i"
    printf 'write-out = "%%{http_code}\\n"\nsilent\nnext\n'
done | sed '$d' > "$WORK/guesses.curl"
curl -K "$WORK/guesses.curl" > "$WORK/statuses"
tap_check "300 guesses are refused" sh -c "! grep -qv '^4[02][19]\$' '$WORK/statuses'"
tap_check "the most of them without a look" test "$(grep -c 429 "$WORK/statuses")" -gt 250
tap_check "the right token is not shut out" gives 200 ci /api/v1/positions
alerted() {
    "$ND" do --config "$conf" --state "$state" alerts > "$WORK/out"
    grep -q "someone tries tokens" "$WORK/out"
}
tap_check "an alert is raised" wait_for 5 alerted
tap_check "and only one" test "$(grep -c "someone tries" "$WORK/out")" -eq 1

# ---- what is recorded
kill -TERM $daemon
wait $daemon
"$ND" auditlog show --last 500 --config "$conf" --state "$state" > "$WORK/audit" 2>&1
tap_check "a command has the token's name" grep -q 'ci .*restart' "$WORK/audit"
tap_check "what was refused is counted" grep -q '[0-9][0-9] calls from 127.0.0.1.*API_UNAUTHORIZED' "$WORK/audit"
tap_check "in a few rows" test "$(grep -c api.refused "$WORK/audit")" -lt 20
"$ND" auditlog reads --json --config "$conf" --state "$state" > "$WORK/reads"
tap_check "what was read is counted" contains "$WORK/reads" '"user":"grafana","channel":"http"'
tap_check "the log is intact" "$ND" auditlog verify --config "$conf" --state "$state"

# ---- after a crash
start
tap_check "tokens outlive a restart" gives 200 grafana /api/v1/positions
make last --role read_only
kill -9 $daemon
wait $daemon 2> /dev/null
start
tap_check "one that was shown outlives a crash" gives 200 last /api/v1/positions
tap_check "a revoked one stays revoked" gives 401 leaving /api/v1/positions
token list > "$WORK/list"
tap_check "the list says who is who" grep -q 'grafana: read_only, valid' "$WORK/list"
tap_check "and when it was used" grep -q 'last used .* from 127.0.0.1' "$WORK/list"

# ---- no secret stays
ps -eo args > "$WORK/ps"
mkdir "$WORK/all" && cp "$WORK/log" "$WORK/ps" "$WORK/audit" "$WORK/list" "$WORK/reads" "$WORK/all/"
tap_check "six secrets were shown" test "$(wc -l < "$WORK/patterns")" -eq 6
tap_check "none is in the state, the log or a command line" \
    python3 "$here/secret_search.py" "$WORK/patterns" "$state" "$WORK/all"
tap_end
