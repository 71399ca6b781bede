#!/bin/sh
# kill -9 at 50 random moments, each followed by a start: see kill9.c. NIGHTDESK_SEED repeats one.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
"$BUILD_DIR/system/kill9" "$ND" "${NIGHTDESK_ROUNDS:-50}" "${NIGHTDESK_SEED:-20260101}"
exit $?
