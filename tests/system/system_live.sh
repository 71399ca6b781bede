#!/bin/sh
# Paper trading on live prices: the history of a first start, candles of the stream, connections that are
# lost, a venue whose clock moves, and a restart after minutes without us, against a strict fake of Binance.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v python3 > /dev/null || skip_all "live prices" "no python3"
command -v curl > /dev/null || skip_all "live prices" "no curl"
cd "$WORK" || exit 1
python3 "$here/../fakes/venue" binance > port 2> fake.err &
kill_at_exit $!
wait_for 10 test -s port
host=127.0.0.1:$(cat port)
fake() { # LINE...: commands
    printf '%s\n' "$@" | curl -s --fail-with-body --data-binary @- "http://$host/fake" > control || tap_show control
}
requests() { curl -s "http://$host/fake/log" | grep -c "$1"; }

live() { # SPEED VENUE: the configuration
    cat > live.yaml <<YAML
api: {port: 0}
services: {}
market:
  symbols: [BTC-USDT, ETH-USDT]
  source: live
  speed: $1
  venue: $2
  depth: 100
  url: http://$host
  stream_url: ws://$host
YAML
}
start() {
    "$ND" run --config live.yaml --state state > out 2> err < /dev/null &
    pid=$!
    kill_at_exit $pid
}
status() { # FILTER TEXT: whether the status has it
    "$ND" do status --config live.yaml --state state --json > status 2>&1 && grep -qE "$1" status
}
updated() { sed 's/.*"symbol":"BTC-USDT","price":[^,]*,"change_24h_pct":[^,]*,"updated_at":"\([^"]*\)".*/\1/' status; }
decisions() { sed 's/.*"decisions":\([0-9]*\),.*/\1/' status; }
newer_than() { # TIME: the candles of both symbols
    status . && test "$(grep -o '"updated_at":"[^"]*"' status | sort | head -n 1 | cut -d'"' -f4)" \> "$1"
}

live 60 binance
tap_check "live prices have their own speed" sh -c "! '$ND' run --config live.yaml --state state > out 2> err"
tap_check "said with its place" contains err "live.yaml:6:10: market.speed: expected 1 with market.source live, found 60"
live 1 kronos
tap_check "a venue that we do not know" sh -c "! '$ND' run --config live.yaml --state state > out 2> err"
tap_check "and those that we know" contains err "MARKET_VENUE: no live prices from this venue"
live 1 alpaca
"$ND" run --config live.yaml --state state > out 2> err
tap_check "a venue whose prices need a key" contains err "MARKET_KEY: prices of this venue need a key: market.key: alpaca: market.key and market.secret are empty"
live 1 binance
key=0123456789012345678901234567890123456789012345678901234567890123
sed -i "s/^market:/venue: {name: binance, key: $key, secret: $key}\nmarket:\n  venues: [ETH-USDT=kraken]/" live.yaml
"$ND" run --config live.yaml --state state > out 2> err
tap_check "a real venue trades at its own prices only" contains err "ETH-USDT is of kraken, orders go to binance"
live 1 binance

# A minute ends five seconds from now.
fake "price BTC-USDT 60000" "price ETH-USDT 3000" "advance $(((55 - $(date +%s) % 60 + 60) % 60))" \
    "walk BTC-USDT 0.2 5" "walk ETH-USDT 0.2 5"
start
tap_check "a first start reads the history, then trades" wait_for 20 status '"state":"active"'
tap_check "its stream is open" wait_for 10 status '"stream":\{"venue":"binance","up":true,"late":false'
first=$(updated)
tap_check "with order books" wait_for 10 status '"books":2,"books_lost":0'
tap_check "whose depth is shown beside the best prices" grep -qE '"bid":[0-9.]+,"ask":[0-9.]+,"bid_depth":[0-9.]+,"ask_depth":[0-9.]+' status
fake "gap public 12"
tap_check "a gap in one is noticed, and it is read again" wait_for 10 status '"books":2,"books_lost":[1-9]'
tap_check "the indicators are there" contains status '"regime":"'
# On a slow machine that minute is over by now, and it is the next one.
tap_check "a minute later there are new candles" wait_for 75 newer_than "$first"
tap_check "of both markets" grep -q '"refused_candles":0.*"refused_candles":0' status

fake "cut public"
tap_check "a lost connection is opened again, and counted" wait_for 10 status '"up":true,.*"connections":2,"lost":1,'
last=$(updated)
fake "advance 180"
tap_check "a venue's clock that moved is read again, and the history fills the gap" wait_for 10 newer_than "$last"
tap_check "counted" status '"filled":[1-9]'
tap_check "nothing is missing" grep -q '"missing_candles":0.*"missing_candles":0' status
tap_check "nothing was refused" grep -q '"late_candles":0,"refused":0' status

kill -9 $pid
wait $pid 2> /dev/null
last=$(updated)
before=$(requests 'interval=5m')
decided=$(decisions)
asked=$(requests '/api/v3/time')
fake "advance 900" "fault time 1 delay-after 4"
start
tap_check "after a quarter of an hour without us" wait_for 20 newer_than "$last"
tap_check "the missed candles are read" wait_for 10 status '"up":true,"late":false,.*"filled":[1-9][0-9]'
tap_check "none is missing" grep -q '"missing_candles":0.*"missing_candles":0' status
tap_check "the indicators go on" test "$(requests 'interval=5m')" -eq "$before"
tap_check "a time that was long on its way is asked again" test "$(requests '/api/v3/time')" -eq $((asked + 2))
# At most on the newest bar of each market; three bars of both were missed.
tap_check "on candles of the past nothing is decided" test "$(decisions)" -le $((decided + 2))
last=$(updated)
fake 'spoil public replace x 7' "advance 180"
tap_check "a message that cannot be trusted is refused" wait_for 10 status '"refused":1,'
tap_check "and its market is not traded until a good candle" wait_for 10 status '"refused_impossible":1,'
tap_check "which is said" sh -c "'$ND' do status --config live.yaml --state state > text 2>&1; grep -q 'candles refused: 1 impossible' text"
tap_check "the others go on" wait_for 10 newer_than "$last"
kill $pid
wait $pid
tap_check "a clean end" test $? -eq 0
tap_check "the run replays the same" "$ND" replay --run 2 --config live.yaml --state state
sed -i 's/ETH-USDT\]/ETH-USDT, SOL-USDT]/' live.yaml
fake "advance 120"
start
tap_check "a symbol that is added later gets its history" wait_for 20 status '"symbol":"SOL-USDT","price":[^}]*"regime":"'
tap_check "and only this one was asked for it" test "$(requests 'interval=5m')" -le $((before + 3))
bars() { # SYMBOL: candles of it in the books
    python3 -c "import sqlite3; print(sqlite3.connect('file:state/trading.db?mode=ro', uri=True).execute(\"SELECT count(*) FROM candles WHERE symbol = '$1'\").fetchone()[0])"
}
tap_check "kept like that of the others" test "$(bars SOL-USDT)" -ge 2000
kill $pid
wait $pid
"$ND" run --config quiet.yaml --state simulated > out 2> err < /dev/null &
pid=$!
kill_at_exit $pid
wait_for 10 test -s simulated/trading.db
sleep 1
kill $pid
wait $pid
"$ND" run --config live.yaml --state simulated > out 2> err < /dev/null &
pid=$!
kill_at_exit $pid
tap_check "books of a simulated market are not continued" wait_for 10 grep -q "MARKET_OTHER" err
curl -s "http://$host/fake/state" > state.json
tap_check "the venue has nothing to complain of" contains state.json '"violations": []'
tap_end
