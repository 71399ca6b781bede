#!/bin/sh
# Candles of venues through strict fakes of their public interfaces: pages, gaps, an import
# that is continued, limits, bans, and answers that cannot be trusted.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v python3 > /dev/null || skip_all "candles of venues" "no python3"
command -v curl > /dev/null || skip_all "candles of venues" "no curl"
cd "$WORK" || exit 1
for name in binance kraken coinbase alpaca; do
    python3 "$here/../fakes/venue" $name > $name.port 2> $name.err &
    kill_at_exit $!
    wait_for 10 test -s $name.port
done
fake() { # VENUE LINE...: commands
    port=$(cat "$1.port")
    shift
    printf '%s\n' "$@" | curl -s --fail-with-body --data-binary @- "http://127.0.0.1:$port/fake" > control || tap_show control
}
# 2026-01-01 01:00 and two candles of 5 minutes after it are missing; the first one is a day before the year.
fake binance "hole BTC-USDT 1767229200 1767230100" "born BTC-USDT 1767139200"

candles() { # VENUE SYMBOL OPTION...: code, out, err; log has the requests
    venue=$1 symbol=$2
    shift 2
    fake "$venue" "forget log"
    url=http://127.0.0.1:$(cat "$venue.port")
    timeout 60 "$ND" import candles --venue "$venue" --symbol "$symbol" --url "$url" \
        --config quiet.yaml --state state "$@" > out 2> err
    code=$?
    curl -s "$url/fake/log" > log
}
requests() { test "$(grep -c "$1" log)" -eq "$2"; }
faults() { # FAULT...: of the next requests for candles
    count=0
    for fault in "$@"; do
        count=$((count + 1))
        fake binance "fault klines $count $fault"
    done
}
day="--since 2026-01-01 --until 2026-01-08"

# 2016 candles of 5 minutes, three of them missing at the venue.
candles binance BTC-USDT $day
tap_check "Binance: a week in three pages" contains out "BTC-USDT 5m of binance: 2013 candles stored, 0 were there"
tap_check "with its gap" contains out "2026-01-01T00:00:00Z to 2026-01-07T23:55:00Z, missing 3, requests 5"
tap_check "exit 0" test $code -eq 0
tap_check "three requests for candles" requests klines 3
candles binance BTC-USDT $day
tap_check "again: only the gap is asked for" contains out "1000 candles stored, 1013 were there"
tap_check "and counted again" contains out "missing 3"
candles binance BTC-USDT --since 2026-01-02 --until 2026-01-09 --json
tap_check "a longer range: only what is new" contains out '"stored":288,"present":1728,"missing":0'
tap_check "as docs/json.md describes it" sh -c "'$BUILD_DIR/system/json_fields' '$here/../../docs/json.md' < out"
candles binance BTC-USDT --since 2026-01-03 --until 2026-01-04
tap_check "nothing new: no request for candles" requests klines 0
candles binance BTC-USDT --since 2025-12-30 --until 2026-01-01 --timeframe 1h
tap_check "what is before the first candle is not missing" contains out "24 candles stored, 0 were there"
tap_check "missing 0" contains out "missing 0"

faults 'limited 1' 'status 500' html
candles binance BTC-USDT --since 2026-02-01 --until 2026-02-02
tap_check "a limit, an error and HTML: repeated" contains out "288 candles stored"
tap_check "four requests" requests klines 4
faults reset truncated
candles binance BTC-USDT --since 2026-02-02 --until 2026-02-03
tap_check "a lost and a truncated answer: repeated" contains out "288 candles stored"
faults 'banned 180'
candles binance BTC-USDT --since 2026-02-03 --until 2026-02-04
tap_check "a ban: no more requests" requests klines 1
tap_check "with its length" contains err "VENUE_BANNED: venue refuses all requests for a time: binance: for 180 s"
tap_check "exit 2" test $code -eq 2
fake binance unlimited
faults html html html html html
candles binance BTC-USDT --since 2026-02-03 --until 2026-02-04
tap_check "five times HTML" contains err "VENUE_UNREACHABLE"

faults 'body [[1770076800000,"1e2","2","1","1","1",1770077099999]]'
candles binance BTC-USDT --since 2026-02-03 --until 2026-02-04
tap_check "an exponent is refused with its place" contains err \
    "binance /api/v3/klines, row 0, open is 1e2, not a decimal above 0 as text, with at most 8 places"
tap_check "and nothing is stored" sh -c "! grep -q 'candles stored\|were stored before' out err"
faults 'body [[99999999999999999999999]]'
candles binance BTC-USDT --since 2026-02-03 --until 2026-02-04
tap_check "a number beyond 64 bits is refused with its end point" contains err \
    "VENUE_DATA: venue's answer cannot be used: binance /api/v3/klines: status 200, "
tap_check "at once" requests klines 1

candles binance BTC-USD --since 2026-02-03
tap_check "no such market" contains err "VENUE_SYMBOL"

candles kraken BTC-USD --since "$(date -u -d '2 hours ago' +%FT%H:00)" --timeframe 1m
tap_check "Kraken: the newest candles, without the open one" grep -Eq "BTC-USD 1m of kraken: 1[2-8][0-9] candles stored" out
tap_check "one request" requests OHLC 1
candles kraken BTC-USD --since 2026-01-01 --timeframe 1m
tap_check "older ones are refused with the first that it has" contains err \
    "VENUE_HISTORY: venue does not give candles that old: kraken: candles of 1m from "
old=$(($(date +%s) / 60 * 60 - 1000 * 60))
awk -v t=$old 'BEGIN { print "time,open,high,low,close,volume"; for (; i < 900; i++) print t + 60 * i ",1,2,1,2,5" }' > old.csv
"$ND" import candles old.csv --symbol BTC-USD --config quiet.yaml --state longer > out 2> err
timeout 60 "$ND" import candles --venue kraken --symbol BTC-USD --url "$url" --config quiet.yaml --state longer \
    --since "$(date -u -d "@$old" +%FT%H:%M)" --timeframe 1m > out 2> err
tap_check "unless they are stored: what follows them is added" grep -Eq "(99|100|101) candles stored, 900 were there" out
candles kraken XRP-USD --since "$(date -u -d '2 hours ago' +%FT%H:00)"
tap_check "no such market at Kraken" contains err "EQuery:Unknown asset pair"

candles coinbase BTC-USD --since 2026-01-01 --until 2026-01-03
tap_check "Coinbase: two days in pages of 350" contains out "BTC-USD 5m of coinbase: 576 candles stored"
tap_check "of which there are two" requests 'candles?' 2
candles alpaca BTC-USD --since 2026-01-01 --until 2026-01-03 --timeframe 1h
tap_check "Alpaca: two days of a coin" contains out "BTC-USD 1h of alpaca: 48 candles stored"
candles alpaca AAPL-USD --since 2026-01-01
tap_check "and no stocks, which need a key" contains err "MARKET_KEY"

for wrong in "--venue nowhere --symbol BTC-USD --since 2026-01-01" "--venue kraken --since 2026-01-01" \
    "--venue kraken --symbol BTC --since 2026-01-01" "--venue kraken --symbol BTC-USD" \
    "--venue kraken --symbol BTC-USD --since yesterday" "--venue kraken --symbol BTC-USD --since 2099-01-01" \
    "--venue kraken --symbol BTC-USD --since 2026-01-01 --timeframe 2m" "x.csv --since 2026-01-01" \
    "--venue kraken --symbol BTC-USD --since 2026-01-01 --url ftp://x" \
    "x.csv --venue kraken --symbol BTC-USD --since 2026-01-01"; do
    # shellcheck disable=SC2086 # the words hold no blanks
    "$ND" import candles $wrong --config quiet.yaml --state state > out 2> err
    code=$?
    tap_check "refused: $wrong" contains err CLI_USAGE
    tap_check "exit 2" test $code -eq 2
done
for name in binance kraken coinbase alpaca; do
    curl -s "http://127.0.0.1:$(cat $name.port)/fake/state" > state.json
    tap_check "$name: every request kept the rules" contains state.json '"violations": []'
    tap_check "$name: the fake has no fault of its own" test ! -s $name.err
done
tap_end
