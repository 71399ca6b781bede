#!/bin/sh
# The strict fakes of venues (tests/fakes/venue), tried by a plain client of their own: what a right request
# gets, and that a wrong one is refused and remembered.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
command -v python3 > /dev/null || skip_all "fakes of venues" "no python3"
timeout 60 python3 "$here/venue_fakes.py"
