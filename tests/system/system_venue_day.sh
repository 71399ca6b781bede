#!/bin/sh
# A part of a day at each venue that the program can trade at, against its strict fake: kill -9, and
# books that are the account's. All at the same time, since each mostly waits. See venue_day.c;
# `make venue-day` is a whole day, also at Kraken, whose few requests last for few trades a minute.
# NIGHTDESK_SEED repeats one.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$here/../.." || exit 1
VENUES=${NIGHTDESK_VENUES:-binance binance_futures coinbase alpaca}

trade() { # VENUE
    "$BUILD_DIR/system/venue_day" "$1" "${NIGHTDESK_MINUTES:-300}" "${NIGHTDESK_KILLS:-2}" "${NIGHTDESK_FAULTS:-0}" \
        "${NIGHTDESK_SEED:-20261130}" "${NIGHTDESK_SPEED:-7200}" > "$WORK/$1.out" 2>&1
    echo $? > "$WORK/$1.rc"
}

result() { # VENUE
    grep '^#' "$WORK/$1.out"
    [ "$(cat "$WORK/$1.rc")" = 0 ]
}

for venue in $VENUES; do
    trade "$venue" &
    kill_at_exit $!
done
wait
for venue in $VENUES; do
    tap_check "$venue: after kill -9 the books are the account's" result "$venue"
    [ -z "${NIGHTDESK_FAULTS:-}" ] || grep "^#" "$WORK/$venue.out"
done
tap_end
