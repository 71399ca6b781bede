#!/bin/sh
# /openapi.json: valid for the linter of others, and the real answer of every path that is read, and
# every example, fits its schema (tests/node; make deps-test). With EXAMPLES=/…/src/api/examples.json
# the answers are written there.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
nodes=$(cd "$here/../node" && pwd)
needs_node "the description of the API" @redocly/cli ajv html-validate
NODE_MODULES=$(cd "$NODE_MODULES" && pwd)
conf=$WORK/openapi.yaml
state=$WORK/state
cat > "$conf" <<YAML
api: {rate: 0}
commands: {rate: 1000}
market: {seed: 5, speed: 600, symbols: [BTC-USD, ETH-USD, SOL-USD]}
services: {demo: {command: ["/bin/sleep", "1000"], release_root: "$WORK/root", release_unsigned: true}}
YAML
"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
kill_at_exit $!
wait_for 20 grep -q "ready in" "$WORK/log"

get() { curl -s --unix-socket "$state/nightdesk.sock" -o "$WORK/body" "http://localhost$1"; }
lint() {
    (cd "$WORK" && REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true "$NODE" \
        "$NODE_MODULES/@redocly/cli/bin/cli.js" lint --extends=spec --max-problems=1000 openapi.json \
        > lint 2>&1) || {
        cat "$WORK/lint"
        return 1
    }
}
get /openapi.json
mv "$WORK/body" "$WORK/openapi.json"
tap_check "the linter accepts it" lint

html() { # PATH
    get "$1" && mv "$WORK/body" "$WORK/page.html" &&
        "$NODE" "$NODE_MODULES/html-validate/bin/html-validate.mjs" --config "$nodes/html.json" \
            "$WORK/page.html"
}
tap_check "the validator accepts the page of it" html /docs
tap_check "and the page for people" html /

# A list with a row each, so that rows are checked as well.
has_traded() { get '/api/v1/trades?limit=1' && ! grep -q '"trades":\[\]' "$WORK/body"; }
"$ND" do --config "$conf" --state "$state" audit > "$WORK/do" 2>&1
tap_check "it trades" wait_for 60 has_traded
"$NODE" "$nodes/api_contract.mjs" "$NODE_MODULES" "$state/nightdesk.sock" "$WORK/openapi.json" ${EXAMPLES:+"$EXAMPLES"} \
    > "$WORK/contract" 2>&1
tap_check "paths were read: $(wc -l < "$WORK/contract")" test "$(wc -l < "$WORK/contract")" -gt 20
while read -r line; do
    tap_check "${line#*ok }" test "${line%%ok*}" = ""
done < "$WORK/contract"
tap_end
