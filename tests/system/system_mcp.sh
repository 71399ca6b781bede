#!/bin/sh
# The Model Context Protocol of the real program: the public conformance suite, and clients of both
# generations (tests/node; make deps-test).
. "$(dirname "$0")/lib.sh"
tap_start "$@"
nodes=$(cd "$here/../node" && pwd)
needs_node "the Model Context Protocol" @modelcontextprotocol/conformance @modelcontextprotocol/sdk \
    @modelcontextprotocol/client
NODE_MODULES=$(cd "$NODE_MODULES" && pwd)
conf=$WORK/mcp.yaml
state=$WORK/state
token=mcp-test-token-0123456789
port=$("$NODE" -e 'const s = require("net").createServer().listen(0, "127.0.0.1",
    () => { console.log(s.address().port); s.close(); })')
cat > "$conf" <<YAML
api: {port: $port, token: $token}
market: {seed: 5, speed: 600, symbols: [BTC-USD, ETH-USD, SOL-USD]}
services:
  kept: {command: ["/bin/sleep", "1000"]}
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
tap_end
