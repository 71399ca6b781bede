#!/bin/sh
# Runs the unit tests and the simulator of a coverage build and prints branch coverage by module.
# usage: cov.sh BUILD_FOLDER MODULE...
set -eu
build=$1
shift
find "$build" -name '*.gcda' -delete
for module in "$@"; do
    "$build/unit/$module" > /dev/null 2>&1 || echo "unit $module failed" >&2
done
[ ! -x "$build/sim" ] || "$build/sim" --seeds 50 > /dev/null
printf '%-12s %10s %10s\n' module lines branches
for module in "$@"; do
    set -- "$build/obj/$module"/*.o
    [ -e "$1" ] || continue
    gcov -b -n -o "$build/obj/$module" "$@" 2> /dev/null |
        awk -v module="$module" '
            /^File / { own = index($0, "src/" module "/") > 0 }
            own && /^Lines executed:/ { split($0, a, /[:% ]+/); l += a[3] * a[5] / 100; lt += a[5] }
            own && /^Branches executed:/ { next }
            own && /^Taken at least once:/ {
                split($0, a, ":"); split(a[2], b, "% of "); t += b[1] * b[2] / 100; tt += b[2] }
            END { printf "%-12s %9.1f%% %9.1f%%\n", module, lt ? 100 * l / lt : 0, tt ? 100 * t / tt : 0 }'
done
