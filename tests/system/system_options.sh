#!/bin/sh
# Every option of every subcommand with absent, empty, huge, negative, non-UTF-8 and hostile values:
# no crash, no hang, and an exit code that the subcommand's help lists.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1
printf 'time,open,high,low,close,volume\n1767225600,1,2,1,2,5\n1767225900,2,3,2,3,5\n' > candles.csv
printf '/pause\n' | timeout 30 "$ND" run --config quiet.yaml --state old > /dev/null 2>&1
mkdir folder && cp candles.csv folder/
ln -s /dev/zero zero # were it replaced by a file, only the link would be lost
yes 0123456789abcdef | head -n 6000 | tr -d '\n' > long

# The words of each subcommand beside the option that is tried. Standard input is an empty
# pipe, so run and demo stop by themselves.
cat > words <<'TABLE'
run|--config quiet.yaml --state own
demo|--seed 3
do|version --config quiet.yaml --state none
chat|--config quiet.yaml --state none
watch|--once --config quiet.yaml --state none
ask|hello --config quiet.yaml --state none
mcp|--config quiet.yaml --state none
pair|--config quiet.yaml --state none
otp|--config quiet.yaml --state none
token|create --role operator --name x --config quiet.yaml --state none
secret|list --config quiet.yaml --state old
venue|check --config quiet.yaml
release|pack folder --name a --version 1
check-config|quiet.yaml
config|--config quiet.yaml
auditlog|show --config quiet.yaml --state old
audit|--offline --dry-run --config quiet.yaml --state old
report|--config quiet.yaml --state old
predict|--model nothing.json --data candles.csv
replay|--config quiet.yaml --state old
train|--data candles.csv
indicators|--data candles.csv
backtest|--data candles.csv --config quiet.yaml
import|candles candles.csv --config quiet.yaml --state old
docs|errors
demo-service|--port 0
version|
help|
TABLE
"$ND" help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' > names
cut -d'|' -f1 words > tabled
tap_check "the table has every subcommand" sh -c "sort names > a; sort tabled | diff - a"

tried=0
: > wrong
# Runs it and judges the exit code.
try() { # SUBCOMMAND WORDS... (the option and its value last)
    tried=$((tried + 1))
    name=$1
    printf '' | timeout -k 5 25 "$ND" "$@" > out 2> err
    code=$?
    if ! grep -q "^  $code  " "help.$name"; then
        shift
        echo "exit $code: nightdesk $name $(printf '%.40s ' "$@" | tr -dc '[:print:]')" >> wrong
        head -n 3 err | cut -c 1-200 >> wrong
    fi
}

while IFS='|' read -r name words; do
    "$ND" "$name" --help > "help.$name"
    sed -n 's/^  \(--[a-z-]*\) \([A-Z]*\) .*/\1 \2/p' "help.$name" | grep -v '^--help' > options
    # shellcheck disable=SC2086 # the words hold no blanks
    while read -r option value <&5; do
        if [ -z "$value" ]; then
            try "$name" $words "$option=1"
            try "$name" $words "$option="
            continue
        fi
        try "$name" $words "$option"
        for v in '' 99999999999999999999999999 -1 nan "$(printf '\377\376\200\033]0;x\007')" \
            '$(touch pwned)%s%n;touch pwned' /proc/nowhere/x zero "$(cat long)"; do
            try "$name" $words "$option=$v"
        done
        try "$name" $words "$option" -1
        try "$name" $words "$option=x" "$option=y"
    done 5< options
    try "$name" --no-such-option
    try "$name" "$(printf '\377\376')" "$(cat long)" '' -- --
done < words
tap_check "no crash, no hang, only documented exit codes ($tried runs)" test ! -s wrong
[ -s wrong ] && tap_show wrong
tap_check "at least 600 were run" test "$tried" -ge 600
tap_check "no value was run by a shell" test ! -e pwned
tap_check "no device was replaced" test -c zero
tap_check "the databases are intact" "$ND" auditlog verify --config quiet.yaml --state old
tap_end
