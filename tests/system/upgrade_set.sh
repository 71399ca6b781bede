# Opens one set of tests/fixtures with this build; sourced by system_upgrade.sh.
#
#   here   the folder of the set. Its expected.sh has the figures that differ between the sets.
#   dir    an empty folder to work in
. "$here/expected.sh"
state=$dir/state

# ---- the folder, unchanged except its times, which are moved to today
mkdir "$state"
cp -r "$here/state/audit" "$here/state/journal" "$here/state/emergency.stop" "$state/"
for file in "$state"/audit/*.txt; do
    mv "$file" "${file%.txt}.log"
done
gunzip "$state"/journal/*.gz
cp "$here/state/trading_state.json" "$state/.trading_state.json"
cp "$here/state/audit-key.txt" "$state/audit.key"
chmod 0600 "$state/audit.key"
for db in ops trading; do
    gunzip -c "$here/state/$db.sql.gz" | sqlite3 "$state/$db.db"
done
# The open prompt is a moment old, and the history was cleaned up today.
sqlite3 "$state/ops.db" "
    UPDATE confirmations SET expires_us = (strftime('%s', 'now') + 3600) * 1000000 WHERE run_id = 50;
    UPDATE kv SET value = strftime('%s', 'now') * 1000000 WHERE name = 'prune_last_us';"

cp -r "$state" "$dir/cut"

# ---- without a daemon
verify() {
    "$ND" auditlog verify --config "$WORK/quiet.yaml" --state "$state" > "$dir/out" 2>&1
}
verify
tap_check "the audit log verifies" test $? -eq 0
tap_check "all 156 rows, with their archive" \
    contains "$dir/out" "156 rows, none changed, including those of 1 archive"
tap_check "the last hash is unchanged" contains "$dir/out" "$last_hash"

channel() { # WORD: the number of rows of the audit log with this channel
    "$ND" auditlog show --last 400 --config "$WORK/quiet.yaml" --state "$state" |
        awk -v word="$1" '$4 == word' | wc -l
}
# 47 of them are in an archive.
tap_check "rows that came from the console" test "$(channel console)" -eq 97
tap_check "rows that came from Telegram" test "$(channel telegram)" -eq 53
tap_check "rows that came over HTTP" test "$(channel http)" -eq 4
tap_check "rows that came over the socket" test "$(channel socket)" -eq 1

"$ND" auditlog reads --config "$WORK/quiet.yaml" --state "$state" > "$dir/out" 2>&1
for row in "alice telegram status 1" "bob telegram positions 1" "api http trades 1" \
    "root console status 1" "root socket risk 1"; do
    tap_check "the count of reads: $row" grep -qE "$(echo "$row" | sed 's/ / +/g')$" "$dir/out"
done

replay() { # RUN FIGURES
    "$ND" replay --run "$1" --config "$WORK/quiet.yaml" --state "$state" > "$dir/out" 2>&1
    tap_check "run $1 is replayed: exits with 0" test $? -eq 0
    tap_check "run $1: $2" contains "$dir/out" "$2"
    tap_check "run $1: identical" grep -q ": identical$" "$dir/out"
}
replay 2 "$run_2"
replay 3 "$run_3"
replay 4 "$run_4"

# ---- the daemon on it, with the same users
mkfifo "$dir/say"
last=$(gunzip -c "$here/state/ops.sql.gz" |
    sed -n "s/^INSERT INTO updates VALUES('telegram',\([0-9]*\),.*/\1/p" | sort -n | tail -n 1)
"$BUILD_DIR/system/fake_chat" "$dir/port" "$dir/sent" "$last" < "$dir/say" 2> "$dir/wrong" &
chat=$!
kill_at_exit $chat
exec 9> "$dir/say"
wait_for 10 test -s "$dir/port"
cat > "$dir/people.yaml" <<YAML
telegram:
  bot_token: "123456789:FAKE-token_0123456789abcdefghijk"
  api_url: http://127.0.0.1:$(cat "$dir/port")
  poll_timeout: 1s
  chat_id: 1001
  users:
    - {id: 1001, name: alice, role: admin, emergency: true}
    - {id: 1002, name: bob, role: read_only}
    - {id: 1003, name: carol, role: operator}
services:
  demo: {command: [/bin/sleep, "3600"], url: "http://127.0.0.1:9"}
  ghost: {command: [/bin/sleep, "3600"], url: "http://127.0.0.1:9"}
market: {seed: 7, speed: 1, symbols: [BTC-USD, ETH-USD]}
monitoring:
  check_interval: 1h
  alert_threshold: 100
  audit_first_after: 1d
  log_retention: 3650d
api: {port: 0}
console: {enabled: false}
YAML
run_command() {
    timeout 60 "$ND" do "$@" --config "$dir/people.yaml" --state "$state" > "$dir/out" 2>&1
}
started() {
    grep -q "ready in" "$dir/log" && run_command whoami
}
start() {
    : > "$dir/log"
    "$ND" run --config "$dir/people.yaml" --state "$state" < /dev/null > "$dir/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 30 started
}
start
tap_check "the daemon starts on it" kill -0 $daemon
tap_check "and migrates or opens both databases without an error" \
    test -z "$(grep -E ' (ERROR|WARNING) ' "$dir/log")"

run_command status
tap_check "trading is still paused" contains "$dir/out" "⏸ paused by alice"
tap_check "one position of three" contains "$dir/out" "positions 1 of 3"
tap_check "the audit is shown" contains "$dir/out" "1 finding"
run_command positions
tap_check "the position is open" grep -qE "$position" "$dir/out"
tap_check "with its stop and target" contains "$dir/out" "$position_limits"
run_command trades
tap_check "all trades are there" contains "$dir/out" "$trades_summary"
tap_check "the newest one has its figures" grep -qE "$newest_trade" "$dir/out"
run_command decisions
tap_check "decisions are there" grep -qE "$decision" "$dir/out"
run_command orders 50
tap_check "earlier orders name no run" grep -qE "^nd-[0-9]+-[0-9]+ (entry|close) .*\)$" "$dir/out"
run_command why "$trades"
tap_check "a trade has its reasons" grep -qE "Order nd-2-[0-9]+: " "$dir/out"
run_command rules
tap_check "a rule is active" contains "$dir/out" "1 · active · avoid"
tap_check "another is tested" contains "$dir/out" "2 · testing · avoid"
tap_check "with its condition" contains "$dir/out" "when rsi14 > 98"
run_command alerts
tap_check "a finding is open" grep -qE "3 +high +The market runs fast" "$dir/out"
tap_check "an acknowledged alert is open" grep -qE "1 +high +ghost is down .*ack" "$dir/out"
run_command alerts 2
tap_check "a resolved alert is kept" contains "$dir/out" "late is down"
run_command alerts 4
tap_check "so is a finding that was rejected" contains "$dir/out" "All the money is gone"

# The alert about polls resolves once a poll completes.
over() {
    grep -q "resolved · $stalled" "$dir/sent" && run_command alerts &&
        contains "$dir/out" "2 open alerts" && lacks "$dir/out" "$stalled"
}
tap_check "the alert about polls is resolved by a poll" wait_for 20 over
tap_check "by an edit of its message" \
    grep -q "^1001 editMessageText" "$dir/sent"
# Its message and the reply of a command were queued when the old build was killed.
tap_check "queued messages are sent" grep -q "high · $stalled" "$dir/sent"
tap_check "each to its recipient" grep -q "restart ghost" "$dir/sent"

run_command auditlog 50
tap_check "the daemon verifies the chain as well" contains "$dir/out" "🟢 Audit log: "
tap_check "and shows the old rows" \
    grep -qE "156 .*carol +confirm\.asked +run 51: restart demo +ok" "$dir/out"

if command -v curl > /dev/null; then
    curl -s -m 5 --unix-socket "$state/nightdesk.sock" http://localhost/api/v1/state \
        > "$dir/state.json"
    for part in '"trading":{"state":"paused","reason":"paused by alice"' '"initial_cash":10000' \
        "\"realised_pnl\":$realised" "\"cash\":$cash" "\"qty\":0.0015" \
        "\"stop\":$stop" "\"client_id\":\"$client_id\"" "\"trades\":$trades,\"wins\":$wins"; do
        tap_check "the API: $part" contains "$dir/state.json" "$part"
    done
    list() { # COMMAND TEXT: as data
        curl -s -m 5 --unix-socket "$state/nightdesk.sock" -X POST \
            -H 'Content-Type: application/json' -d '{}' \
            "http://localhost/api/v1/commands/$1" > "$dir/$1.json"
        tap_check "the API lists $1" contains "$dir/$1.json" "$2"
    }
    list positions "\"entry_price\":$entry_price"
    list trades "\"id\":$trades"
    list alerts "The market runs fast"
    list rules "never chase"
else
    tap_skip "the API" "no curl on this machine"
fi

# ---- commands and their manifests
run_command help
for manifest in "$here"/commands/*.yaml; do
    name=$(sed -n 's/^command: //p' "$manifest")
    case $name in
    own_*) ;; # loaded by the unit test of manifests, because commands are built in
    *) tap_check "/$name is still a command" grep -qE "^/$name( |\$)" "$dir/out" ;;
    esac
done

# ---- prompts that were open when the old build was killed
nonce_of() { # RUN
    gunzip -c "$here/state/ops.sql.gz" |
        sed -n "s/^INSERT INTO confirmations VALUES('\([0-9A-Z]*\)',$1,.*/\1/p"
}
echo "send 1003 /confirm $(nonce_of 51)" >&9
tap_check "an expired prompt is not run" wait_for 20 grep -q "CONFIRM_EXPIRED" "$dir/sent"
echo "send 1002 /confirm $(nonce_of 50)" >&9
tap_check "another person's confirmation is refused" wait_for 20 grep -q "^1002 " "$dir/sent"
run_command positions
tap_check "nothing was closed" contains "$dir/out" "BTC-USD"
echo "send 1001 /confirm $(nonce_of 50)" >&9
closed() {
    run_command positions
    contains "$dir/out" "No position is open."
}
tap_check "the open prompt runs once it is confirmed" wait_for 30 closed
run_command trades
tap_check "and is the next trade" grep -qE "^$((trades + 1)) +.* BTC-USD +$position_side " "$dir/out"
run_command resume
tap_check "trading continues once a person resumes" contains "$dir/out" "Trading resumed"
kill -TERM $daemon
wait $daemon
tap_check "the daemon exits with 0" test $? -eq 0
exec 9>&-
wait $chat
tap_check "all its requests to Telegram were valid" test $? -eq 0
sed 's/^/# /' "$dir/wrong"

verify
tap_check "the audit log still verifies" test $? -eq 0
tap_check "its old rows and the new ones are sealed" \
    grep -qE "^sealed: rows 1 to [0-9]+, at .*; 0 rows not sealed yet" "$dir/out"
tap_check "with the old archive" contains "$dir/out" "including those of 1 archive"
rows=$(sed -n 's/^ok: \([0-9]*\) rows.*/\1/p' "$dir/out")
tap_check "and has grown from its 156 rows ($rows)" test "${rows:-0}" -gt 160
replay 2 "${run_2%%,*}"

# ---- a second start on the migrated state
start
run_command trades
tap_check "it starts again with all trades" contains "$dir/out" "All $((trades + 1)): "
kill -TERM $daemon
wait $daemon

# ---- a finished copy of ops.db that the old build had not moved to its path
mv "$dir/cut/ops.db" "$dir/cut/ops.db-rescue"
printf '/alerts\n' | timeout 60 "$ND" run --config "$WORK/quiet.yaml" --state "$dir/cut" \
    > "$dir/out" 2>&1
tap_check "the finished copy of ops.db is moved to its path" contains "$dir/out" "The market runs fast"
tap_check "and the copy is removed" test ! -e "$dir/cut/ops.db-rescue"

# ---- an emergency stop that is only in its file
mkdir "$dir/stopped"
cp "$here/emergency.stop.set" "$dir/stopped/emergency.stop"
printf '/status\n' | timeout 60 "$ND" run --config "$WORK/quiet.yaml" --state "$dir/stopped" \
    > "$dir/out" 2>&1
tap_check "the file alone restores an emergency stop" contains "$dir/out" "⛔ emergency stop"

# ---- state files
import() { # FILE
    rm -rf "$dir/account"
    "$ND" import state "$1" --config "$WORK/quiet.yaml" --state "$dir/account" > "$dir/out" 2>&1
}
import "$here/state/trading_state.json"
tap_check "its own state file is imported" test $? -eq 0
tap_check "with its figures" contains "$dir/out" \
    "imported: 1 position, $trades trades, total_pnl $realised; the account is new"
tap_check "and its position" contains "$dir/out" "$import_position"
import "$fixtures/0.1.0/older_state.json"
tap_check "an older one is imported" test $? -eq 0
tap_check "with its figures as well" contains "$dir/out" "imported: 2 positions, 5 trades, total_pnl -12.5"
tap_check "and its positions" contains "$dir/out" "BTC-USDT long 0.015 @ 71000"
tap_check "both of them" contains "$dir/out" "ETH-USD short 0.2 @ 3400"

# ---- a configuration that sets every option
for symbol in btc eth; do
    printf 'time,open,high,low,close,volume\n' > "$dir/$symbol.csv"
    printf '2026-01-01T00:0%d:00Z,100,101,99,100,5\n' 0 1 2 3 4 5 >> "$dir/$symbol.csv"
done
cp "$here/nightdesk.yaml" "$dir/nightdesk.yaml"
cd "$dir" || exit 1
"$ND" check-config nightdesk.yaml > "$dir/out" 2>&1
tap_check "its configuration is accepted" test $? -eq 0
"$ND" config --config nightdesk.yaml > "$dir/out" 2>&1
# "group.option" of each option that the file sets, and of each that is said to be a default.
options() { awk '/^[a-z_]+:/ { sub(/:.*/, ""); group = $0 } /^  [a-z_]+:/ { sub(/:.*/, ""); print group "." $1 }' | sort -u; }
options < nightdesk.yaml > "$dir/set"
grep -E '^[a-z_]+:|# default' "$dir/out" | options > "$dir/defaults"
tap_check "the file sets options" test "$(wc -l < "$dir/set")" -ge 50
tap_check "each option is read" test "$(comm -12 "$dir/set" "$dir/defaults" | wc -l)" -eq 0
for option in "cooldown: 45m" "max_drawdown: 12%" "confirm_expiry: 90s" "tick_digits: 5" \
    "poll_timeout: 20s" "audit_log_archive: 60d" "source: csv" "level: debug"; do
    tap_check "$option" contains "$dir/out" "$option"
done
