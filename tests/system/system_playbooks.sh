#!/bin/sh
# Faults that nightdesk mends by itself, made for real: the file of candles becomes shorter while it is
# traded, the disk of the state folder fills up. Each raises an alert, is mended, and the incident says what was done.
. "$(dirname "$0")/lib.sh"
tap_start "$@"

start() { # CONFIG STATE
    conf=$1 state=$2
    "$ND" run --config "$conf" --state "$state" < /dev/null > "$WORK/log" 2>&1 &
    daemon=$!
    kill_at_exit $daemon
    wait_for 20 grep -q "ready in" "$WORK/log"
}
stop() {
    kill -TERM $daemon 2> /dev/null
    wait $daemon
}
ask() { # COMMAND...
    timeout 20 "$ND" do --config "$conf" --state "$state" "$@" > "$WORK/out" 2>&1
}
says() { # TEXT COMMAND...
    says_text=$1
    shift
    ask "$@"
    contains "$WORK/out" "$says_text"
}

# ---- candles: 70 bytes a row, so that the first buffer of 64 KiB holds about 900 of 3000

candles() { # ROWS
    awk -v n="$1" 'BEGIN {
        print "time,open,high,low,close,volume"
        for (i = 0; i < n; i++) {
            p = 60000 + (i * 7919) % 500
            printf "%d,%.8f,%.8f,%.8f,%.8f,1.00000000\n", 1640995200 + i * 10, p, p + 9, p - 9, p + 3
        }
    }'
}
candles 3000 > "$WORK/btc.csv"
cat > "$WORK/feed.yaml" <<YAML
api: {port: 0}
market:
  source: csv
  symbols: [BTC-USD]
  files: ["BTC-USD=$WORK/btc.csv"]
  speed: 3600
services: {}
YAML
start "$WORK/feed.yaml" "$WORK/feed"
tap_check "a market of a file" contains "$WORK/log" "ready in"
cp "$WORK/btc.csv" "$WORK/whole.csv"
truncate -s 90000 "$WORK/btc.csv"
tap_check "the file becomes shorter: candles have stopped" wait_for 20 grep -q "raised: high: candles have stopped" "$WORK/log"
ask status
tap_check "/status says so" contains "$WORK/out" "Candles have stopped (MARKET_LOST)"
tap_check "connecting again does not help yet" wait_for 20 grep -q "MARKET_NO_NEWER" "$WORK/log"
cat "$WORK/whole.csv" > "$WORK/btc.csv"
tap_check "once it is whole, nightdesk mends it" wait_for 40 grep -q "candles have stopped: fixed by fix_feed" "$WORK/log"
tap_check "candles come again" contains "$WORK/log" "candles come again"
tap_check "and are traded to their real end" wait_for 20 grep -q "end of the candles of BTC-USD: .* 0 missing" "$WORK/log"
tap_check "the incident says what was done" says "fix_feed" incident 1
tap_check "so does /autofix" says "fix_feed: Connect the candles again" autofix
stop

# ---- the disk

if [ "$(id -u)" -ne 0 ] || ! mkdir -p "$WORK/disk" || ! mount -t tmpfs -o size=32m tmpfs "$WORK/disk"; then
    tap_skip "a disk that fills up" "needs root (to mount a tmpfs)"
    tap_end
fi
ours=$WORK/disk/state
mkdir -p "$ours/attachments" "$ours/audit"
old=00112233445566778899aabb.csv
fresh=00112233445566778899aacc.csv
head -c 4000000 /dev/zero > "$ours/attachments/$old"
touch -d '3 days ago' "$ours/attachments/$old"
head -c 1000 /dev/zero > "$ours/attachments/$fresh"
head -c 1000000 /dev/zero > "$ours/demo.log.3"
# What somebody else has put there, however old.
for theirs in attachments/theirs.csv notes.log.3 demo.log.3.bak audit/audit-1.log; do
    head -c 1000 /dev/zero > "$ours/$theirs"
    touch -d '300 days ago' "$ours/$theirs"
done
ln -s "$WORK/whole.csv" "$ours/demo.log.2"
cat > "$WORK/disk.yaml" <<YAML
api: {port: 0}
market: {seed: 7}
monitoring: {metrics_interval: 1s}
services:
  demo: {command: [sleep, "1000"]}
YAML
start "$WORK/disk.yaml" "$ours"
tap_check "on a disk of its own" contains "$WORK/log" "ready in"
used() { df --output=pcent "$WORK/disk" | tr -dc 0-9; }
# 93 %, of which 5 MB of 32 are ours.
i=0
while [ "$(used)" -lt 93 ] && [ $i -lt 100 ]; do
    i=$((i + 1))
    head -c 300000 /dev/zero >> "$WORK/disk/fill"
done
tap_check "it fills up: an alert" wait_for 20 grep -q "raised: .*the disk is 9. % full" "$WORK/log"
tap_check "and room is made" wait_for 30 grep -q "full: fixed by fix_disk" "$WORK/log"
gone() { [ ! -e "$ours/$1" ]; }
there() { [ -e "$ours/$1" ]; }
tap_check "of an old export" gone "attachments/$old"
tap_check "and an old log" gone demo.log.3
tap_check "a young export stays" there "attachments/$fresh"
for theirs in attachments/theirs.csv notes.log.3 demo.log.3.bak audit/audit-1.log demo.log.2; do
    tap_check "not ours, or kept: $theirs" there "$theirs"
done
tap_check "the incident says what was freed" says "freed 5.0 MB: old logs 1.0 MB, exported files 4.0 MB" incident 1
while [ "$(used)" -lt 93 ] && [ $i -lt 200 ]; do
    i=$((i + 1))
    head -c 300000 /dev/zero >> "$WORK/disk/fill"
done
tap_check "it fills up again, and nothing of ours is left" wait_for 30 grep -q "that failed (STATE_NOTHING_TO_FREE); nothing to undo" "$WORK/log"
tap_check "so the alert gets worse" wait_for 30 grep -q "worse: critical: the disk" "$WORK/log"
tap_check "and nothing was deleted" there "attachments/$fresh"
rm "$WORK/disk/fill"
stop
tap_end
