#!/bin/sh
# `nightdesk venue check` at the strict fake of each venue: what is fine, and what keeps it from trading.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v python3 > /dev/null || skip_all "venue check" "no python3"
command -v curl > /dev/null || skip_all "venue check" "no curl"
cd "$WORK" || exit 1

check() { # NAME MODE SYMBOL CAPITAL: runs it; the exit code is in code
    cat > venue.yaml <<YAML
market: {symbols: [$3], source: live, venue: $1, speed: 1}
venue: {name: $1, mode: $2, capital: $4, url: "http://$host", accept_unknown_withdrawal: $unknown}
YAML
    VENUE_KEY=$(sed -n 1p keys) VENUE_SECRET=$(sed -n '2,/^$/p' keys | sed '/^$/d' | awk '{printf "%s%s", s, $0; s = "\\n"}')
    export VENUE_KEY VENUE_SECRET
    sed -i 's|^venue: {|venue: {key: "${VENUE_KEY}", secret: "${VENUE_SECRET}", |' venue.yaml
    "$ND" venue check "$1" --config venue.yaml > out 2> err
    code=$?
}
fake() { # LINE...: commands
    printf '%s\n' "$@" | curl -s --fail-with-body --data-binary @- "http://$host/fake" > control || tap_show control
}

for name in binance binance_futures kraken coinbase alpaca; do
    case $name in
    kraken | coinbase | alpaca) symbol=BTC-USD ;;
    *) symbol=BTC-USDT ;;
    esac
    python3 "$here/../fakes/venue" "$name" > port 2> fake.err &
    pid=$!
    kill_at_exit $pid
    wait_for 10 test -s port
    host=127.0.0.1:$(cat port)
    python3 "$here/../fakes/venue" "$name" --keys > keys
    sed -n '2,/^$/p' keys | sed '/^$/d; /-----/d' > secret
    unknown=true
    check "$name" live "$symbol" 100
    tap_check "$name: a good key may trade" test "$code" -eq 0
    [ "$code" -eq 0 ] || tap_show out
    tap_check "$name: each thing has a row" sh -c "grep -q '^ok *clock' out && grep -q '^ok *$symbol' out &&
        grep -q '^\(ok\|note\) *key' out && grep -q '^ok *open orders  *0' out"
    check "$name" live "$symbol" 100000000
    tap_check "$name: too little cash is bad" sh -c "test $code -eq 1 && grep -q '^bad .*the books begin with 100000000' out"
    if [ "$name" = alpaca ]; then
        # The first working day after tomorrow.
        early=$(python3 -c "from datetime import date, timedelta as t; d = date.today() + t(2); print(next(x for x in (d, d + t(1), d + t(2)) if x.weekday() < 5))")
        fake "session open" "closes-early $early"
        check alpaca live AAPL-USD 100
        tap_check "alpaca: hours of stocks, and days that end early" sh -c "grep -q '^ok *hours *stocks are traded until 20' out &&
            test \$(grep -c 'closes early' out) -eq 1 && grep -q '^note *$early *closes early, at 13:00 there' out" || tap_show out
    fi
    if [ "$name" = coinbase ]; then
        seq -f "balance COIN%.0f 1" 300 > coins
        fake "$(cat coins)" "balance BTC 0.5"
        check coinbase live "$symbol" 100
        tap_check "coinbase: a coin on the second page of its accounts is seen" grep -q '^note *BTC *0.5 is held already' out || tap_show out
    fi
    [ "$name" = alpaca ] && unknown=false # it does not tell what a key may do
    fake "permit trade off"
    check "$name" live "$symbol" 100
    tap_check "$name: a key that may not trade, or of which that is not known, is bad" sh -c "test $code -eq 1 && grep -q '^bad *key' out" ||
        tap_show out
    tap_check "$name: no secret is printed" sh -c "! grep -qF -f secret out err"
    tap_check "$name: no violation" sh -c "curl -s http://$host/fake/state | grep -q '\"violations\": \[\]'"
    kill $pid
    rm -f port
done

unknown=false
check alpaca live BTC-USD 100
tap_check "a venue that is gone is bad" sh -c "test $code -eq 1 && grep -q '^bad' out"
cat > venue.yaml <<YAML
market: {symbols: [BTC-USD]}
YAML
"$ND" venue check --config venue.yaml > out 2> err
tap_check "the paper venue has nothing to check" test $? -eq 2
tap_end
