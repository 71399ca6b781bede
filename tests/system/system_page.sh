#!/bin/sh
# The page at / in a real Chromium: by keyboard, at the size of a phone and of a desktop, light and dark
# (tests/node/page.mjs; make deps-test).
. "$(dirname "$0")/lib.sh"
tap_start "$@"
nodes=$(cd "$here/../node" && pwd)
needs_node "the page" axe-core
chromium=$(command -v chromium || command -v chromium-browser) ||
    skip_all "the page" "no chromium: make deps-test installs it"
conf=$WORK/page.yaml
state=$WORK/state
token=page-test-token-0123456789
totp=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP
bot=123456789:FAKE-token_0123456789abcdefghijk
mkfifo "$WORK/say"
"$BUILD_DIR/system/fake_chat" "$WORK/chat" "$WORK/sent" < "$WORK/say" 2> "$WORK/wrong" &
kill_at_exit $!
exec 9> "$WORK/say"
wait_for 30 test -s "$WORK/chat"
port=$("$NODE" -e 'const s = require("net").createServer().listen(0, "127.0.0.1",
    () => { console.log(s.address().port); s.close(); })')
configure() { # MINI_APP
    cat > "$conf" <<YAML
api:
  port: $port
  token: $token
  rate: 0
  public_url: https://desk.example.com
commands: {rate: 1000, folder: "$WORK/commands"}
market: {seed: 5, speed: 3600, symbols: [BTC-USD, ETH-USD, SOL-USD]}
services: {kept: {command: ["/bin/sleep", "1000"]}}
telegram:
  bot_token: "$bot"
  api_url: http://127.0.0.1:$(cat "$WORK/chat")
  poll_timeout: 1s
  mini_app: $1
  users: [{id: 1001, name: alice, role: admin, totp: $totp}, {id: 1002, name: bob, role: admin}]
YAML
}
mkdir "$WORK/commands"
cat > "$WORK/commands/playbook.yaml" <<YAML
command: playbook
group: services
summary: Restart a service after a second look
role: operator
args:
  - {name: service, type: service, required: true, help: which service}
steps:
  - {run: service.state, with: {service: \$service}}
  - {id: ok, approve: {role: operator, within: 5m, text: "Restart \$service now?"}}
  - {run: service.restart, with: {service: \$service}, timeout: 60s}
examples: [playbook kept]
YAML
printf 'restrict: backup\nrules:\n  - {four_eyes: true}\n' > "$WORK/commands/two.yaml"
configure false
"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
wait_for 60 grep -q "ready in" "$WORK/log"

# HEADER… : the headers of / are in $WORK/head, the body in $WORK/body
page() { curl -s -D "$WORK/head" -o "$WORK/body" "$@" "http://127.0.0.1:$port/"; }
page
tap_check "it is served without a token" contains "$WORK/body" '<title>nightdesk</title>'
tap_check "with a strict policy" contains "$WORK/head" "default-src 'none'; script-src 'self'; style-src 'self'"
tap_check "in no frame of another page" contains "$WORK/head" "frame-ancestors 'none'"
tap_check "and not compressed for one who cannot read that" lacks "$WORK/head" "Content-Encoding"
page -H 'Accept-Encoding: br, gzip;q=0.8'
tap_check "else compressed" sh -c "gzip -dc '$WORK/body' | grep -q '<title>nightdesk</title>'"
tag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' "$WORK/head")
page -H 'Accept-Encoding: gzip' -H "If-None-Match: $tag"
tap_check "304 to one who has it" contains "$WORK/head" "304"
configure true
kill -HUP $daemon
framed() { page "$@" && contains "$WORK/head" "frame-ancestors https://web.telegram.org"; }
tap_check "with the Mini App Telegram may show it in a frame" wait_for 30 framed
tap_check "also to one who has it" framed -H 'Accept-Encoding: gzip' -H "If-None-Match: $tag"
tap_check "by the 304" contains "$WORK/head" " 304"
curl -s -o "$WORK/body" "http://127.0.0.1:$port/web/api.md"
tap_check "nothing else is served" contains "$WORK/body" API_NOT_FOUND

has_points() { curl -s -H "Authorization: Bearer $token" "http://127.0.0.1:$port/api/v1/equity?limit=2" |
    grep -q '"at".*"at"'; }
tap_check "it has a history" wait_for 60 has_points
"$ND" token create --role read_only --name spare --config "$conf" --state "$state" > "$WORK/spare" 2>&1
tap_check "there is a token to revoke" contains "$WORK/spare" nd_
WORK=$WORK BOT=$bot TOTP=$totp DAEMON=$daemon \
    RUN="'$ND' run --no-console --config '$conf' --state '$state'" "$NODE" "$nodes/page.mjs" "$NODE_MODULES" "$chromium" "$port" $token ${SHOTS:-} \
    > "$WORK/page" 2> "$WORK/page.err"
tap_check "Chromium has seen it: $(grep -c ok "$WORK/page") checks" test "$(grep -c ok "$WORK/page")" -gt 60
tap_show "$WORK/page.err"
tap_check "its pictures are in no file" sh -c "! find '$state' -name '*.png' | grep ."
while read -r line; do
    case $line in
    '#'*) echo "$line" ;;
    *) tap_check "${line#*ok }" test "${line%%ok*}" = "" ;;
    esac
done < "$WORK/page"
tap_end
