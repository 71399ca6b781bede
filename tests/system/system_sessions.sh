#!/bin/sh
# Sessions of the page with the real program: data that Telegram has signed for the Mini App logs a person
# in once; forged, old and used data, and those of an unauthorised user, do not.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
for tool in curl python3; do
    command -v $tool > /dev/null || skip_all "sessions of the page" "no $tool"
done
conf=$WORK/sessions.yaml
state=$WORK/state
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
cat > "$conf" <<YAML
api: {port: $port, public_url: "https://desk.example.com"}
services: {}
telegram:
  bot_token: "123456:$(printf 'a%.0s' $(seq 35))"
  api_url: http://127.0.0.1:9
  mini_app: true
  users: [{id: 1001, name: alice, role: admin}, {id: 1002, name: bob, role: read_only}]
YAML
"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
tap_check "it starts" wait_for 20 "$ND" do --config "$conf" --state "$state" version

# The body of a login as Telegram signs it (core.telegram.org/bots/webapps).
cat > "$WORK/sign.py" <<'PYTHON'
import hashlib, hmac, json, sys, time, urllib.parse
token, user, age, query = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
fields = {"query_id": query, "auth_date": str(int(time.time()) - age), "signature": "c2ln",
          "user": json.dumps({"id": user, "first_name": "Zoë & co", "language_code": "en"})}
key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
text = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
fields["hash"] = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
print(json.dumps({"init_data": urllib.parse.urlencode(fields)}))
PYTHON
bot=$(sed -n 's/.*bot_token: "\(.*\)"/\1/p' "$conf")
signed() { # FILE USER AGE QUERY [BOT]
    python3 "$WORK/sign.py" "${5:-$bot}" "$2" "$3" "$4" > "$WORK/$1"
}
gives() { # STATUS PATH OPTIONS...
    wanted=$1 path=$2
    shift 2
    got=$(curl -s -o "$WORK/answer" -w '%{http_code}' "$@" "$url$path")
    [ "$got" = "$wanted" ] || { echo "$got, not $wanted"; cat "$WORK/answer"; return 1; }
}
refused() { # STATUS CODE FILE
    gives "$1" /api/v1/session --json "@$WORK/$3" && contains "$WORK/answer" "\"error_code\":\"$2\""
}

signed alice 1001 0 first
tap_check "signed data log in" gives 201 /api/v1/session --json "@$WORK/alice"
tap_check "with the person's role" contains "$WORK/answer" '"role":"admin"'
tap_check "and name" contains "$WORK/answer" '"name":"alice'
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' "$WORK/answer")
printf '%s\n' "$token" "$bot" > "$WORK/patterns"
printf 'header = "Authorization: Bearer %s"\n' "$token" > "$WORK/session.curl"
tap_check "the session reads" gives 200 /api/v1/positions -K "$WORK/session.curl"
tap_check "the same data log in once" refused 401 LOGIN_OLD alice
signed other 1001 0 second 654321:another
tap_check "another bot's signature is refused" refused 401 LOGIN_DATA other
signed forged 1002 0 third
sed 's/1002/1001/' "$WORK/forged" > "$WORK/changed"
tap_check "data with another user are refused" refused 401 LOGIN_DATA changed
tap_check "and as they were signed are not" gives 201 /api/v1/session --json "@$WORK/forged"
tap_check "they give the reader's role" contains "$WORK/answer" '"role":"read_only"'
sed -n 's/.*"token":"\([^"]*\)".*/\1/p' "$WORK/answer" >> "$WORK/patterns"
signed old 1001 400 fourth
tap_check "old data are refused" refused 401 LOGIN_OLD old
signed early 1001 -400 fifth
tap_check "and data of the future" refused 401 LOGIN_OLD early
signed unknown 6666 0 sixth
tap_check "somebody without a role is refused" refused 403 LOGIN_NOBODY unknown
tap_check "logged out" gives 204 /api/v1/session -X DELETE -K "$WORK/session.curl"
tap_check "the session is over" gives 401 /api/v1/positions -K "$WORK/session.curl"

kill -TERM $daemon
wait $daemon
"$ND" auditlog show --last 100 --config "$conf" --state "$state" > "$WORK/audit" 2>&1
tap_check "a login is in the audit log" contains "$WORK/audit" session.opened
mkdir "$WORK/all" && cp "$WORK/log" "$WORK/audit" "$WORK/all/"
tap_check "three secrets were used" test "$(wc -l < "$WORK/patterns")" -eq 3
tap_check "none is in the state or the log" \
    python3 "$here/secret_search.py" "$WORK/patterns" "$state" "$WORK/all"
tap_end
