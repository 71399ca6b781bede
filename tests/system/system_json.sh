#!/bin/sh
# What the program writes as JSON, compared with docs/json.md: no member that the page does not
# describe, in the API, replies, audits, replays, back-tests and every other subcommand.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
page=$(dirname "$0")/../../docs/json.md
conf=$WORK/fast.yaml
state=$WORK/state
cat > "$conf" <<YAML
api: {port: 0}
market: {seed: 5, speed: 600, symbols: [BTC-USD, ETH-USD, SOL-USD]}
services:
  checked: {url: "http://127.0.0.1:9", health_endpoint: "/health", release_root: "$WORK/root", release_unsigned: true}
  kept: {command: ["/bin/sleep", "1000"]}
YAML

described() { # NAME FILE
    tap_check "$1" "$BUILD_DIR/system/json_fields" "$page" < "$2"
}
ask() { # COMMAND...
    "$ND" do --config "$conf" --state "$state" --json "$@" > "$WORK/out" 2>&1
    described "/$*" "$WORK/out"
}
get() { # PATH
    curl -s --unix-socket "$state/nightdesk.sock" "http://localhost$1" > "$WORK/out"
    described "GET $1" "$WORK/out"
}
subcommand() { # ARGUMENTS...
    "$ND" "$@" > "$WORK/out" 2> "$WORK/err"
    [ -s "$WORK/out" ] || mv "$WORK/err" "$WORK/out"
    described "nightdesk $(echo "$*" | sed "s,$WORK/,,g")" "$WORK/out"
}
has_traded() { "$ND" do --config "$conf" --state "$state" trades | grep -q "^All [1-9]"; }
is_open() { "$ND" do --config "$conf" --state "$state" positions | grep -q "open for"; }

"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
daemon=$!
kill_at_exit $daemon
wait_for 20 grep -q "ready in" "$WORK/log"
tap_check "it trades" wait_for 60 has_traded
wait_for 30 is_open

for path in state summary positions trades orders decisions alerts runs equity rules learnings \
    findings incidents audits auditlog risk services whoami version health "candles?symbol=BTC-USD" \
    decisions/1 decisions/1/why; do
    get "/api/v1/$path"
done
get /healthz
get /readyz
get /api/v1/nothing

ask status
ask positions
ask trades
ask balance
ask profit
ask profit 7
ask daily
ask weekly 2
ask monthly 2
ask performance
ask performance agent
ask performance hour 30
ask performance system
ask performance system 3 service=checked
ask limits
ask cooldown_set BTC-USD 2h
ask cooldown
ask cooldown_lift BTC-USD --yes
ask decisions
ask orders
ask orders 3 run=1
ask why
id=$("$ND" do --config "$conf" --state "$state" --json trades |
    sed -n 's/.*"trades":\[{"id":[0-9]*,.*"client_id":"\([^"]*\)".*/\1/p')
ask why "$id"
ask why 1
ask risk
ask rule_add avoid "rsi > 70 and symbol == DOGE-USD" "too hot"
ask rules
ask rule_activate 1
ask services
for measure in summary accuracy slippage funding vetoes equity; do ask measure $measure; done
ask measure profit by=symbol
ask measure drawdown why=yes
ask measure profit from=-1h versus_from=-2h versus_to=-1h
ask measure trades versus_symbol=BTC-USD
for measure in alerts audits cost uptime commands errors; do ask measure_ops $measure; done
ask recommend
ask autofix
ask plan restart checked
ask logs checked
ask logs kept patterns
ask export_logs
ask health_check
ask forecast
ask selfreport
ask rate 1 good
ask forecast checked
ask backup
ask backups
ask restore none
ask runs
ask run 1
ask alerts
ask incidents all
ask whoami
subcommand token create --role read_only --name grafana --expires 90d --ip 10.1.2.3 \
    --commands status --json --config "$conf" --state "$state"
ask tokens
ask web
ask auditlog
ask help
ask help why
ask workflows
ask workflows restart
ask version
ask config_history
ask config_history 1
ask pause
ask resume --yes
ask emergency_stop
ask close BTC-USD
ask runs
ask runs 1
printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"propose_command","arguments":{"command":"/pause","reason":"x"}}}' |
    "$ND" mcp --config "$conf" --state "$state" > "$WORK/proposed"
tap_check "a program proposes" grep -q '"state":"open"' "$WORK/proposed"
ask proposals
ask proposals 1
ask audit 24
ask findings
ask findings all
ask ask "how many trades were closed today?"
ask analyze 1
ask recommend risk
ask troubleshoot "the service checked is slow"
ask troubleshoot list
ask troubleshoot end
ask sentiment
for name in troubleshoot troubleshoot_list troubleshoot_open sentiment sentiment_test; do
    described "the reply of tests/golden/$name.json" "$(dirname "$0")/../golden/$name.json"
done
ask fixed 1 "known"
ask learnings
ask learnings findings
ask learning 1
ask logs
ask chart
ask chart price
ask chart profit
ask chart exposure
ask export
ask export decisions json
ask export orders json
mkdir "$WORK/folder" && echo x > "$WORK/folder/x"
"$ND" release pack "$WORK/folder" --name checked --version 1 --out "$WORK/checked-1.tar.gz" > /dev/null
ask stage checked "$WORK/checked-1.tar.gz"
ask deploy checked within=1s
ask deploy checked within=1s --yes
ask releases checked
ask nonsense
ask restart nothing
sed 's/seed: 5, speed: 600/seed: 5, speed: 60/' "$conf" > "$conf.new"
mv "$conf.new" "$conf"
ask reload
ask reload --yes
ask update_targets 'risk.max_drawdown 12 %'
ask update_targets 'risk.max_drawdown 12 %' --yes
ask update_targets 'risk.max_drawdown 900 %'
ask rotate_token api --yes
ask status
ask amend BTC-USD stop=1%

ask users
ask pair
ask otp
ask otp new
ask fix_disk --yes
ask plan update_targets 'risk.max_drawdown 11 %'
tap_check "every member of the data is declared" lacks "$WORK/log" "which no action of it declares"
described ".trading_state.json" "$state/.trading_state.json"
kill -TERM $daemon
wait $daemon

subcommand replay --config "$conf" --state "$state" --json
subcommand replay --config "$conf" --state "$state" --json --why
subcommand auditlog show --config "$conf" --state "$state" --json
subcommand auditlog reads --config "$conf" --state "$state" --json
subcommand auditlog export --config "$conf" --state "$state" --json
subcommand auditlog key --config "$conf" --state "$state" --json
subcommand auditlog verify --config "$conf" --state "$state" --json
subcommand auditlog archive --older-than 0 --config "$conf" --state "$state" --json
subcommand audit --config "$conf" --state "$state" --json --verbose
subcommand report --config "$conf" --state "$state" --json
printf 'x\n' | "$ND" secret set CLAUDE_API_KEY --config "$conf" --state "$state" > /dev/null
subcommand secret list --config "$conf" --state "$state" --json
subcommand release key "$WORK/release.key" --json
subcommand release pack "$WORK/folder" --name demo --version 1 --out "$WORK/demo-1.tar.gz" --json
subcommand release sign "$WORK/demo-1.tar.gz" --key "$WORK/release.key" --json
subcommand release verify "$WORK/demo-1.tar.gz" --json
subcommand check-config "$conf" --json
subcommand version --json
subcommand backtest --data simulated:7:10 --json --trades
subcommand backtest --data nowhere.csv --json
subcommand import state "$state/.trading_state.json" --state "$WORK/other" --json
tap_end
