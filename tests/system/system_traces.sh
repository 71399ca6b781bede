#!/bin/sh
# Traces against a collector on loopback, decoded with the message types of OpenTelemetry; exemplars of
# /metrics; the log as JSON lines with the same trace ids.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
for program in python3 curl; do
    command -v $program > /dev/null || skip_all "traces" "no $program on this machine"
done
needs_node "traces" @opentelemetry/otlp-transformer
NODE_MODULES=$(cd "$NODE_MODULES" && pwd)
cd "$WORK" || exit 1
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
api=$(free_port) sink=$(free_port)
token=traces-test-token-0123456789
mkdir taken
python3 "$here/traces_sink.py" "$sink" taken scope-secret-4711 &
kill_at_exit $!
cat > nightdesk.yaml <<YAML
api: {port: $api, token: $token}
market: {seed: 7, speed: 3600}
services: {}
log: {format: json}
traces: {sample: 100%, url: "http://127.0.0.1:$sink/v1/traces", header: "X-Scope: scope-secret-4711"}
YAML
"$ND" run --no-console --config nightdesk.yaml --state state < /dev/null > nightdesk.out 2>&1 &
kill_at_exit $!
ask() { curl -sf -H "Authorization: Bearer $token" "$@"; }
wait_for 20 ask "http://127.0.0.1:$api/metrics"
"$ND" do --config nightdesk.yaml --state state pause > pause.out 2>&1
"$ND" do --config nightdesk.yaml --state state resume --yes > resume.out 2>&1
traded() { ask "http://127.0.0.1:$api/metrics" | grep -q '^nightdesk_positions [1-9]'; }
wait_for 20 traded
"$ND" do --config nightdesk.yaml --state state emergency_stop --yes > stop.out 2>&1

decode() { NODE_MODULES_OF="$(dirname "$NODE_MODULES")" "$NODE" "$here/../node/decode_traces.mjs" taken/*.json > spans 2> decode.err; }
complete() {
    decode && for name in candle "engine step" decision "venue order" command step "engine request"; do
        grep -q "\"$name\"" spans || return 1
    done
}
tap_check "a collector's decoder reads every span" wait_for 30 complete
tree() { # each parent of a span is a span of the same trace, or not sent yet; roots have none
    python3 - spans << 'PY'
import sys
spans = [line.split(" ", 6) for line in open(sys.argv[1], encoding="utf-8")]
ids = {(s[0], s[1]): s for s in spans}
roots = {s[0] for s in spans if s[2] == "-"}
assert len(ids) == len(spans), "an id is used twice"
for s in spans:
    assert int(s[4]) >= 0, s
    name = " ".join(s[5:]).split('"')[1]
    assert (s[2] == "-") == (name in ("candle", "command")), s
inner = [s for s in spans if s[2] != "-" and s[0] in roots]
assert len(inner) > 20 and all((s[0], s[2]) in ids for s in inner), "a parent is missing"
order = next(s for s in spans if '"venue' in s[5])
assert ids[(order[0], order[2])][5] in ('"candle"', '"engine'), order
assert any("outcome=order" in " ".join(s) for s in spans)
request = next(s for s in spans if '"engine' in s[5] and "request" in s[6])
command = ids[(request[0], request[2])]
assert "command=pause" in command[6] or "command=resume" in command[6], command
PY
}
tap_check "spans form trees: candle, step, decision, order; command, step, request" tree
counted() {
    ask "http://127.0.0.1:$api/metrics" > metrics
    grep -q '^nightdesk_trace_spans_total [1-9]' metrics && grep -q '^nightdesk_trace_spans_lost_total [0-9]' metrics
}
tap_check "/metrics counts them" wait_for 5 counted
exemplar() { # a trace that was sent is named in a bucket
    ask -H 'Accept: application/openmetrics-text' "http://127.0.0.1:$api/metrics" > open.txt
    decode
    sed -n 's/^nightdesk_decision_delay_seconds_bucket.*trace_id="\([0-9a-f]*\)".*/\1/p' open.txt > ids
    [ -s ids ] && grep -qf ids spans
}
tap_check "an exemplar of /metrics leads to a trace" wait_for 10 exemplar
logged() {
    decode
    python3 - nightdesk.out spans << 'PY'
import json
import sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
traces = {line.split(" ")[0] for line in open(sys.argv[2], encoding="utf-8")}
assert all({"time", "level", "thread", "source", "message"} <= line.keys() for line in lines)
assert any(line.get("trace_id") in traces for line in lines), "no line names a trace"
PY
}
tap_check "each line of the log is an object, and some name their trace" wait_for 20 logged
secret() { grep -rl scope-secret-4711 nightdesk.out state taken && return 1; return 0; }
tap_check "the header is in no log, database or span" secret
tap_end
