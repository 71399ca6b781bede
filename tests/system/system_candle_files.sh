#!/bin/sh
# The same candles in the forms of several exports: a back-test gives the same result, a folder is
# imported with the outcome of each file, and nothing of a damaged file is used.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
d=$WORK/forms
mkdir "$d" "$WORK/folder"

# Two days of minutes from 2022-01-01: time in seconds, prices in cents, volume in thousandths.
awk 'BEGIN {
    srand(7)
    price = 4631950
    for (i = 0; i < 2880; i++) {
        open = price
        price += int((rand() - 0.5) * 6000 + 1200 * sin(i / 200))
        high = (open > price ? open : price) + int(rand() * 1000)
        low = (open < price ? open : price) - int(rand() * 1000)
        print 1640995200 + 60 * i, open, high, low, price, 1 + int(rand() * 900000)
    }
}' > "$WORK/market"
rows() { # AWK-EXPRESSION: of t and the cells o h l c (prices) and v
    awk "{t = \$1; for (i = 2; i <= 5; i++) p[i] = sprintf(\"%.2f\", \$i / 100)
        o = p[2]; h = p[3]; l = p[4]; c = p[5]; v = sprintf(\"%.3f\", \$6 / 1000); $1}" "$WORK/market"
}
{
    echo time,open,high,low,close,volume
    rows 'print t "," o "," h "," l "," c "," v'
} > "$d/plain.csv"
rows 'print t "000000," o "," h "," l "," c "," v "," t + 59 "999999,1,2,3,4,0"' > "$d/klines.csv"
rows 'print t "," o "," h "," l "," c "," v ",12"' > "$d/ohlcvt.csv"
{
    echo https://www.CryptoDataDownload.com
    echo unix,date,symbol,open,high,low,close,Volume BTC,Volume USD
    rows 'print t "000,-,BTC/USD," o "," h "," l "," c "," v ",1"' | sort -r
} > "$d/newest.csv"
{
    echo 'Time;Open;High;Low;Close;Volume'
    rows 's = t ";" o ";" h ";" l ";" c ";" v; gsub(/\./, ",", s); print s'
} | iconv -f UTF-8 -t UTF-16 > "$d/comma.csv"
{
    echo "["
    rows 'print (NR > 1 ? "," : "") "[" t "000," o "," h "," l "," c "," v "]"'
    echo "]"
} > "$d/ccxt.json"
{
    echo time,open,high,low,close,volume
    rows 'print t "," o "," h "," l "," c "," v' | sort -t, -k6
} > "$d/unordered.csv"

result() { # FILE: trades and figures, without the file's name and the duration
    "$ND" backtest --config "$WORK/quiet.yaml" --data "$1" --symbol BTC-USD --trades \
        2> "$WORK/err" | grep -vE "^  Data|candles (a|per) second|^ *[0-9.]+ (m?s|million)|in [0-9.]+ m?s"
}
result "$d/plain.csv" > "$WORK/plain"
tap_check "the plain file is traded" grep -qE "^  Trades +[1-9]" "$WORK/plain"
tap_check "nothing is assumed about it" test ! -s "$WORK/err"
same() { # FILE NOTE
    result "$d/$1" > "$WORK/other"
    tap_check "$1: the same trades and figures" diff "$WORK/plain" "$WORK/other"
    tap_check "$1: what was assumed is said" grep -qF "$1: $2" "$WORK/err"
}
same klines.csv "Binance klines without header, times in µs"
same ohlcvt.csv "Kraken OHLCVT without header, times in s"
same newest.csv 'address in the first line, volume from "Volume BTC", newest first: sorted'
same comma.csv "semicolons, decimal comma, UTF-16"
same ccxt.json "columns time, open, high, low, close, volume in JSON, times in ms"
same unordered.csv "not in the order of time: sorted"

cp "$d/klines.csv" "$WORK/folder/BTCUSDT-1m-2022-01.csv"
cp "$d/ccxt.json" "$WORK/folder/ETH_USDT-1m.json"
cp "$d/newest.csv" "$WORK/folder/Binance_SOLUSDT_minute.csv"
head -c 60000 "$d/ccxt.json" > "$WORK/folder/XRP_USDT-1m.json"
awk -F, 'NR % 20 == 0 {$2 = "nan"} {print}' OFS=, "$d/plain.csv" > "$WORK/folder/ADAUSDT.csv"
cp "$d/plain.csv" "$WORK/folder/unnamed.csv"
echo "about these files" > "$WORK/folder/notes.md"
mkdir "$WORK/folder/older"
"$ND" import candles "$WORK/folder" "$d/plain.csv" --config "$WORK/quiet.yaml" \
    --state "$WORK/state" > "$WORK/out" 2> "$WORK/err"
tap_check "a folder with refused files exits with 1" test $? -eq 1
listed() { tap_check "$1" grep -qF "$2" "$WORK/out"; }
listed "Binance by its name" "BTCUSDT-1m-2022-01.csv: BTC-USDT 1m: 2880 candles stored"
listed "freqtrade by its name" "ETH_USDT-1m.json: ETH-USDT 1m: 2880 candles stored"
listed "CryptoDataDownload by its name" "Binance_SOLUSDT_minute.csv: SOL-USDT 1m: 2880 candles stored"
listed "a file that is cut off" "XRP_USDT-1m.json: refused: MARKET_CSV_CUT"
listed "a file with too many bad rows" "ADAUSDT.csv: refused: MARKET_DROPPED"
listed "with reason and line" "144 of 2880 rows, more than 1 %: 144 not a number (first in line 20)"
listed "a file without a symbol" "unnamed.csv: refused: CLI_USAGE"
listed "another file" "notes.md: left out"
listed "a folder in it" "older: left out: a folder"
listed "the sum" "3 stored, 4 refused, 2 left out"
if command -v sqlite3 > /dev/null; then
    sqlite3 "$WORK/state/trading.db" "SELECT symbol, count(*) FROM imported_candles GROUP BY 1" \
        > "$WORK/out" 2>&1
    printf 'BTC-USDT|2880\nETH-USDT|2880\nSOL-USDT|2880\n' > "$WORK/want"
    tap_check "only whole files are stored" diff "$WORK/want" "$WORK/out"
else
    tap_skip "only whole files are stored" "no sqlite3 on this machine"
fi
"$ND" import candles "$WORK/folder/ADAUSDT.csv" --max-dropped 10 --json \
    --config "$WORK/quiet.yaml" --state "$WORK/state" > "$WORK/out" 2> "$WORK/err"
tap_check "allowed by an option, with exit code 1" test $? -eq 1
tap_check "all its good rows are stored" contains "$WORK/out" '"symbol":"ADA-USDT","timeframe":"1m","stored":2736'
"$ND" import candles "$WORK/folder" --json --config "$WORK/quiet.yaml" --state "$WORK/state" \
    > "$WORK/out" 2> "$WORK/err"
tap_check "the outcomes as JSON" "$BUILD_DIR/system/json_fields" \
    "$(dirname "$0")/../../docs/json.md" < "$WORK/out"

# A coin of 9e-6: steps of 1e-8 would lose what a unit of 1000 keeps.
{
    echo time,open,high,low,close,volume
    rows 'print t "," o / 5e9 "," h / 5e9 "," l / 5e9 "," c / 5e9 ",1e11"'
} > "$d/small.csv"
"$ND" backtest --config "$WORK/quiet.yaml" --data "$d/small.csv" --symbol BONK-USD \
    > "$WORK/out" 2> "$WORK/err"
tap_check "small prices are refused" test $? -eq 2
tap_check "with the remedy" contains "$WORK/err" "--unit 1000 fits"
"$ND" backtest --config "$WORK/quiet.yaml" --data "$d/small.csv" --symbol BONK-USD --unit 1000 \
    > "$WORK/out" 2> "$WORK/err"
tap_check "in a unit they are traded" test $? -eq 0
tap_check "under a symbol that says so" contains "$WORK/out" "1000BONK-USD"
# The daemon reads the same file in the unit that its configuration names.
daemon() { # FILE UNITS MAX-DROPPED
    cat > "$WORK/daemon.yaml" <<YAML
api: {port: 0}
services: {}
state: {dir: $WORK/daemon}
market:
  source: csv
  symbols: [1000BONK-USD]
  files: ["1000BONK-USD=$d/$1"]
  file_units: $2
  max_dropped: $3
YAML
    printf '/version\n' | timeout 30 "$ND" run --config "$WORK/daemon.yaml" > "$WORK/out" 2>&1
    daemon_rc=$?
}
daemon small.csv '[]' 1%
tap_check "the daemon refuses them, too" test $daemon_rc -ne 0
tap_check "and names the option" contains "$WORK/out" market.file_units
daemon small.csv '[1000BONK-USD=1000]' 1%
tap_check "in a unit it trades them" test $daemon_rc -eq 0
sed '40,90s/,[^,]*$/,x/' "$d/small.csv" > "$d/holes.csv"
daemon holes.csv '[1000BONK-USD=1000]' 1%
tap_check "51 of 2880 rows are too many to drop" test $daemon_rc -ne 0
daemon holes.csv '[1000BONK-USD=1000]' 2%
tap_check "unless it is allowed" test $daemon_rc -eq 0
awk -F, 'NR == 1 || ($1 - 1640995200) % 14400 == 0' "$d/plain.csv" > "$d/four.csv"
"$ND" backtest --config "$WORK/quiet.yaml" --data "$d/four.csv" > "$WORK/out" 2> "$WORK/err"
tap_check "candles of four hours are refused with the reason" contains "$WORK/err" \
    "its rows are 4 h apart; decisions are made on bars of 5 min to 1 h"
tap_end
