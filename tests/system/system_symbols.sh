#!/bin/sh
# As many symbols as there can be: the real daemon over a candle file each, with many positions; its
# replies, its audit and its memory, kill -9, a restart with fewer, and replays.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

conf=$WORK/many.yaml
state=$WORK/state
mkdir "$WORK/candles"
awk -v dir="$WORK/candles" 'BEGIN {
    for (s = 0; s < 300; s++) {
        file = sprintf("%s/%03d.csv", dir, s)
        print "time,open,high,low,close,volume" > file
        price = 100 + s
        for (i = 0; i < 900; i++) {
            next_price = price * (1 + 0.004 * sin(i / (5 + s % 7) + s))
            high = next_price > price ? next_price : price
            low = next_price > price ? price : next_price
            printf "%d,%.4f,%.4f,%.4f,%.4f,10\n", 1790000100 + 60 * i, price, high * 1.0005, low * 0.9995, next_price > file
            price = next_price
        }
        close(file)
    }
}'
write() { # COUNT
    awk -v count="$1" -v dir="$WORK/candles" 'BEGIN {
        print "api: {port: 0}\nservices: {}\npaper: {initial_cash: 1000000}\ntrading: {threshold: 0.1}"
        print "risk: {max_positions: 100, max_orders_per_minute: 1000, max_exposure: 300%, max_leverage: 5,"
        print "  max_consecutive_losses: 100, max_position: 2%, max_correlation: 1, max_daily_loss: 100%, max_drawdown: 100%}"
        print "tiers: {tier3_max_position: 2%, tier3_max_exposure: 300%}"
        print "market:\n  source: csv\n  speed: 600\n  symbols:"
        for (s = 0; s < count; s++) printf "    - S%03d-USD\n", s
        print "  files:"
        for (s = 0; s < count; s++) printf "    - S%03d-USD=%s/%03d.csv\n", s, dir, s
    }' > "$conf"
}
ask() { "$ND" do --config "$conf" --state "$state" "$@" > "$WORK/out" 2>&1; }
state_has() { curl -s --unix-socket "$state/nightdesk.sock" http://localhost/api/v1/state | grep -qF "$1"; }
run() {
    "$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
}
held() { curl -s --unix-socket "$state/nightdesk.sock" http://localhost/api/v1/state | grep -o '"mark_price"' | wc -l; }
holds() { [ "$(held)" -ge "$1" ]; }
rss_below() { awk -v most="$1" '/^VmRSS/ {print; exit !($2 < most)}' "/proc/$daemon/status"; }

write 301
"$ND" run --no-console --config "$conf" --state "$state" < /dev/null > "$WORK/out" 2>&1
tap_check "301 symbols are refused" test $? -ne 0
tap_check "with the place" grep -qF "many.yaml:12:5: market.symbols: expected 1 to 300 items, found 301" "$WORK/out"

write 300
run
tap_check "300 symbols start" wait_for 30 grep -q "ready in" "$WORK/log"
tap_check "the last one is in the state" wait_for 20 state_has '"symbol":"S299-USD"'
tap_check "its memory is below 60 MB" rss_below 61440
ask risk
tap_check "the last one is in /risk" grep -q "^S299-USD" "$WORK/out"
ask status
tap_check "/status has the limit" grep -q "of 100" "$WORK/out"
tap_check "it holds many positions" wait_for 60 holds 20
ask positions
tap_check "/positions shows them" grep -q "^Positions [2-9][0-9] of 100" "$WORK/out"
ask why
tap_check "/why answers" grep -q "score" "$WORK/out"
ask status
tap_check "/status lists them" test "$(grep -c "SL" "$WORK/out")" -ge 20
ask audit
tap_check "an audit holds all of it" grep -q "Audit of the last 24 h" "$WORK/out"
kill -9 $daemon
wait $daemon 2> /dev/null
run
tap_check "after kill -9 it starts again" wait_for 60 grep -q "ready in" "$WORK/log"
tap_check "with its positions" wait_for 20 holds 20
tap_check "and books that balance" wait_for 20 state_has '"books_balance":true'
tap_check "and trades" wait_for 20 state_has '"state":"active"'
kill -TERM $daemon
wait $daemon
tap_check "it exits with 0" test $? -eq 0
for number in 1 2; do
    "$ND" replay --run $number --config "$conf" --state "$state" > "$WORK/out" 2>&1
    tap_check "run $number replays the same" test $? -eq 0
    tap_show "$WORK/out"
done

write 3
run
tap_check "it starts again with three of them" wait_for 30 grep -q "ready in" "$WORK/log"
ask risk
tap_check "and watches them" grep -q "^S002-USD" "$WORK/out"
kill -TERM $daemon
wait $daemon
tap_check "it exits with 0 again" test $? -eq 0
tap_end
