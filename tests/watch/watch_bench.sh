#!/bin/sh
# All that the night watch promises in figures: the 200 incidents, the times from a fault to its alert, the
# cost of 500 services, and a deploy with 10,000 requests in flight. Prints one table; fails if a limit
# is not met or a part cannot run. Needs root, python3 and systemd. About eight minutes.
#     sh tests/watch/watch_bench.sh build/release
build=${1:?usage: $0 BUILD_FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp "${TMPDIR:-/var/tmp}/nightdesk-watch.XXXXXX") || exit 1
rows=$out.rows
trap 'rm -f "$out" "$rows"' EXIT
trap 'exit 1' INT TERM HUP
began=$(date +%s)
part() { # NAME COMMAND...: prints what failed, and a row if nothing else tells of it
    name=$1
    shift
    echo "# $name" >&2
    "$@" > "$out" 2>&1
    result=$?
    grep -E '^(not ok|#|ok .*# SKIP)' "$out" >&2
    grep '^row|' "$out" >> "$rows"
    [ $result -eq 0 ] || grep -q '|NO$' "$out" || echo "row|$name|done|-|failed|-|NO" >> "$rows"
    ! grep -q '^ok .*# SKIP' "$out" || echo "row|$name|done|-|not here|-|NO" >> "$rows"
}

# "ok 1 - incidents: 97.5 % alerts that are real (limit 95 %)"
incidents() {
    "$build/watch_incidents" > "$out.raw"
    result=$?
    grep -v '^ok' "$out.raw"
    sed -nE 's/^ok [0-9]+ - incidents: ([0-9.]+) % (.*) \(limit ([0-9.]+) %\)$/row|incidents: \2|\3|-|\1|%|yes/p
        s/^not ok [0-9]+ - incidents: ([0-9.]+) % (.*) \(limit ([0-9.]+) %\)$/row|incidents: \2|\3|-|\1|%|NO/p' "$out.raw"
    rm -f "$out.raw"
    return $result
}

# "# sent 45104 refused 0 reset 0 failed 0 local 0 in-flight 9857 of 10000 slowest 2756 ms 1.0=…"
deploy() { # HOW REQUESTS
    PAIR=$1 IN_FLIGHT=$2 DELAY_MS=3000 ONLY=load sh "$here/../system/system_deploy_systemd.sh" "$build" > "$out.raw" 2>&1
    result=$?
    cat "$out.raw"
    grep '^# sent ' "$out.raw" | {
        for what in "socket-activated" "blue/green, $1"; do
            read -r _ _ sent _ refused _ reset _ failed _ local _ flying _ wanted _ slowest _ || break
            lost=$((refused + reset + failed + local))
            met=$([ $lost -eq 0 ] && [ "$flying" -ge $((wanted * 9 / 10)) ] && echo yes || echo NO)
            echo "row|deploy and back, $what, of $sent lost|0|-|$lost|requests|$met"
            echo "row|  in flight meanwhile (of $wanted)|$((wanted * 9 / 10)) or more|$flying|-|requests|$met"
            echo "row|  the slowest of them|-|-|$slowest|ms|yes"
        done
    }
    rm -f "$out.raw"
    return $result
}

: > "$rows"
part "200 incidents" incidents
part "units that crash" sh "$here/watch_speed.sh" "$build" crash
part "a deploy with 10,000 requests in flight" deploy socket 10000
part "a deploy behind a proxy" deploy link 3000
part "services that hang, and 500 services" sh "$here/watch_speed.sh" "$build" hang
printf '%-60s | %12s | %10s | %10s | %-9s | %s\n' what limit median p99/worst unit met
sed 's/^row|//' "$rows" | while IFS='|' read -r what limit median worst unit met; do
    printf '%-60s | %12s | %10s | %10s | %-9s | %s\n' "$what" "$limit" "$median" "$worst" "$unit" "$met"
done
echo "$(($(date +%s) - began)) s"
! grep -q '|NO$' "$rows"
