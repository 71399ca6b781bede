#!/bin/sh
# The Model Context Protocol of the real program: the public conformance suite, and clients of both
# generations (tests/node; make deps-test).
. "$(dirname "$0")/lib.sh"
tap_start "$@"
nodes=$(cd "$here/../node" && pwd)
needs_node "the Model Context Protocol" @modelcontextprotocol/conformance @modelcontextprotocol/sdk \
    @modelcontextprotocol/client ajv
NODE_MODULES=$(cd "$NODE_MODULES" && pwd)
conf=$WORK/mcp.yaml
state=$WORK/state
token=mcp-test-token-0123456789
port=$("$NODE" -e 'const s = require("net").createServer().listen(0, "127.0.0.1",
    () => { console.log(s.address().port); s.close(); })')
cat > "$conf" <<YAML
api: {port: $port, token: $token, rate: 0}
commands: {rate: 1000}
market: {seed: 5, speed: 600, symbols: [BTC-USD, ETH-USD, SOL-USD]}
services:
  kept: {command: ["/bin/sleep", "1000"]}
  gone: {command: ["/bin/sleep", "1000"], url: "http://127.0.0.1:9", interval: 1s, alert_after: 1, release_root: "$WORK/root", release_unsigned: true}
YAML
"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
wait_for 20 grep -q "ready in" "$WORK/log"

"$NODE" "$nodes/bearer_proxy.mjs" "$port" "$token" > "$WORK/proxy.port" &
kill_at_exit $!
wait_for 5 grep -q . "$WORK/proxy.port"
suite() { # VERSION
    (cd "$WORK" && "$NODE" "$NODE_MODULES/@modelcontextprotocol/conformance/dist/index.js" server \
        --url "http://127.0.0.1:$(cat "$WORK/proxy.port")/mcp" --suite all --spec-version "$1" \
        --expected-failures "$nodes/mcp_expected_failures.yml" > "$WORK/suite.$1" 2>&1) || {
        sed -n '/SUMMARY/,$p' "$WORK/suite.$1"
        return 1
    }
}
for version in 2026-07-28 2025-11-25 2025-06-18; do
    tap_check "the conformance suite of $version" suite $version
done

# Of the library before 2026, of the one since, as it prefers and as it speaks to earlier servers.
client() { # GENERATION URL TOKEN, or stdio COMMAND…
    "$NODE" "$nodes/mcp_client.mjs" "$NODE_MODULES" "$@"
}
has_traded() { "$ND" do --config "$conf" --state "$state" trades | grep -q "^All [1-9]"; }
has_incident() { "$ND" do --config "$conf" --state "$state" --json incidents all | grep -q '"incidents":\[{'; }
wait_for 30 has_traded
wait_for 30 has_incident
"$ND" do --config "$conf" --state "$state" audit > "$WORK/do" 2>&1
EVERY_TOOL=1
export EVERY_TOOL
tap_check "every tool answers as its schema says" client modern \
    "http://127.0.0.1:$port/mcp" $token
unset EVERY_TOOL
for generation in sdk legacy modern; do
    tap_check "a client over HTTP: $generation" client $generation "http://127.0.0.1:$port/mcp" $token
    tap_check "a client over standard input: $generation" client $generation stdio "$ND" mcp \
        --config "$conf" --state "$state"
done

# Standard input by itself: lines of every kind, and no daemon.
stdio() { "$ND" mcp --config "$conf" --state "$state" > "$WORK/out" 2> "$WORK/err"; }
ping='{"jsonrpc":"2.0","id":7,"method":"ping"}'
printf 'nonsense\n\n[%s]\n%s' "$ping" "$ping" | stdio
tap_check "a line that is no message has an error, and the next one its answer" \
    sh -c "grep -q -- -32700 '$WORK/out' && grep -q -- -32600 '$WORK/out' &&
           grep -qx '{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}' '$WORK/out'"
{ head -c 300000 /dev/zero | tr '\0' '['; echo; echo "$ping"; } | stdio
tap_check "a line that is too long has an error, and the next one its answer" \
    sh -c "[ \$(grep -c 'longer than' '$WORK/out') = 1 ] && grep -q '\"result\":{}' '$WORK/out'"
echo '{"jsonrpc":"2.0","method":"notifications/initialized"}' | stdio
tap_check "a notification has no answer" sh -c "[ ! -s '$WORK/out' ] && [ ! -s '$WORK/err' ]"
tap_check "the calls are in the audit log" sh -c "'$ND' auditlog show --last 400 --config '$conf' \
    --state '$state' | grep -q 'mcp.call.*tools/call trades'"
tap_check "every member of the data is declared" lacks "$WORK/log" "which no action of it declares"
tap_check "the token is nowhere in the log" lacks "$WORK/log" $token
kill -TERM $daemon
wait $daemon
echo "$ping" | stdio
tap_check "without a daemon it says so and exits with 2" \
    sh -c "[ $? = 2 ] && grep -q CLI_NO_DAEMON '$WORK/err' && [ ! -s '$WORK/out' ]"
tap_end
