#!/bin/sh
# A folder that is missing or empty, or whose databases were deleted, is no state folder: each subcommand
# that only reads says so, exits with an error, and creates nothing. "0 findings" would be a lie.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
cd "$WORK" || exit 1

printf '/status\n' | timeout 60 "$ND" run --config quiet.yaml --state good > out 2>&1
tap_check "a state folder to take the databases from" test -s good/trading.db -a -s good/ops.db

cat > table << 'TABLE'
audit --offline
audit --offline --dry-run
audit --offline --json
audit --hours 48
report
report --json
auditlog verify
auditlog show
auditlog export
auditlog key
auditlog archive
do status
do audit
chat
watch --once
mcp
ask what is our balance
replay
otp
token list
auditlog reads
TABLE

# Subcommands that write, need no state folder, or start one on purpose.
others="run demo demo-service backtest import train predict indicators check-config secret docs version
help pair config do otp release venue"
"$ND" help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' > names
for name in $(cat names); do
    case " $(echo $others) " in *" $name "*) continue ;; esac
    grep -q "^$name" table || echo "$name"
done > unlisted
tap_check "the table has every subcommand that reads" test ! -s unlisted
[ -s unlisted ] && tap_show unlisted

make_folder() { # KIND
    rm -rf state
    case $1 in
    missing) ;;
    empty) mkdir state ;;
    deleted) cp -r good state && rm -f state/trading.db* state/ops.db* ;;
    "without trading.db") cp -r good state && rm -f state/trading.db* ;;
    "without ops.db") cp -r good state && rm -f state/ops.db* ;;
    esac
}

files() { # every file with its size
    [ -d state ] || { echo "no folder"; return; }
    find state -printf '%P %s\n' | sort
}

run_in() { # KIND WORDS
    make_folder "$1"
    files > before
    # shellcheck disable=SC2086 # words
    timeout 20 "$ND" $2 --config quiet.yaml --state state < /dev/null > out 2>&1
    code=$?
    files > after
}

for kind in missing empty deleted "without trading.db" "without ops.db"; do
    while read -r words; do
        case "$kind:$words" in
        "without trading.db:auditlog"* | "without trading.db:otp"*) continue ;;
        "without trading.db:replay" | "without ops.db:replay" | deleted:replay) continue ;; # reads the journal
        deleted:auditlog\ key | "without ops.db:auditlog key") continue ;; # reads the key's file
        esac
        run_in "$kind" "$words"
        tap_check "$kind: $words fails ($code)" test $code -ne 0 -a $code -ne 124
        tap_check "$kind: $words is understood" sh -c '! grep -q CLI_USAGE out'
        tap_check "$kind: $words creates nothing" cmp before after
        tap_check "$kind: $words finds nothing clear" sh -c '! grep -qiE "0 findings|intact|clear$" out'
    done < table
done
# These need no database, and create none.
for words in config "secret list"; do
    run_in missing "$words"
    tap_check "$words is understood" sh -c '! grep -q CLI_USAGE out'
    tap_check "$words creates nothing in a missing folder" cmp before after
done
for words in "audit --offline" "audit --offline --dry-run" "audit --offline --json"; do
    run_in missing "$words"
    tap_check "$words: exit 3, no verdict" test $code -eq 3
done
tap_end
