#!/bin/sh
# Trading at the strict fake of each venue: every fault of the table comes once, some together with kill -9,
# and after each the books are the account's. All venues at the same time, since each mostly waits, and by
# clocks that are many times as fast. See venue_day.c; `make venue-day` sets NIGHTDESK_MINUTES: then it is a
# day with faults and kills at random. NIGHTDESK_SEED repeats one; NIGHTDESK_FAULT ("maintenance") takes only
# the faults whose names have it in them, twenty times.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$here/../.." || exit 1
VENUES=${NIGHTDESK_VENUES:-binance binance_futures kraken coinbase alpaca}
SEED=${NIGHTDESK_SEED:-20261130}

trade() { # VENUE
    if [ -n "${NIGHTDESK_MINUTES:-}" ]; then
        set -- "$1" "$NIGHTDESK_MINUTES" "${NIGHTDESK_KILLS:-2}" "${NIGHTDESK_FAULTS:-0}" "$SEED" "${NIGHTDESK_SPEED:-7200}"
    else
        set -- "$1" faults "$SEED"
    fi
    "$BUILD_DIR/system/venue_day" "$@" > "$WORK/$1.out" 2>&1
    echo $? > "$WORK/$1.rc"
}

# Its lines, with numbers of this test.
show() { # VENUE
    while IFS= read -r line; do
        case $line in
            ok\ * | not\ ok\ *)
                tap_count=$((tap_count + 1))
                case $line in not*) tap_failed=$((tap_failed + 1)) ;; esac
                echo "${line%%ok *}ok $tap_count - ${line#*ok * - }"
                ;;
            \#*) echo "$line" ;;
        esac
    done < "$WORK/$1.out"
}

ended_well() { # VENUE
    [ "$(cat "$WORK/$1.rc")" = 0 ] && grep -q '^1\.\.' "$WORK/$1.out"
}

for venue in $VENUES; do
    trade "$venue" &
    kill_at_exit $!
done
wait
for venue in $VENUES; do
    show "$venue"
    tap_check "$venue: everything was judged" ended_well "$venue"
done
tap_end
