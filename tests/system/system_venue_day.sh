#!/bin/sh
# A part of a day at each venue that the program can trade at, against its strict fake: kill -9, and
# books that are the account's. See venue_day.c; `make venue-day` is a whole day.
# NIGHTDESK_SEED repeats one.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$here/../.." || exit 1
for venue in ${NIGHTDESK_VENUES:-binance binance_futures}; do
    tap_check "$venue: after kill -9 the books are the account's" "$BUILD_DIR/system/venue_day" "$venue" \
        "${NIGHTDESK_MINUTES:-300}" "${NIGHTDESK_KILLS:-3}" "${NIGHTDESK_FAULTS:-0}" \
        "${NIGHTDESK_SEED:-20261130}" "${NIGHTDESK_SPEED:-7200}"
done
tap_end
