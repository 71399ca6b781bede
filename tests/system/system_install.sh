#!/bin/sh
# make install and make uninstall into a temporary folder; the manual pages and the completion.
. "$(dirname "$0")/lib.sh"
tap_start "$@"
root=$WORK/root

mkdir -p "$root/etc/nightdesk" "$root/usr/local/bin"
echo mine > "$root/etc/nightdesk/nightdesk.yaml"
(cd "$root" && find . | sort) > "$WORK/before"
make_in install "$root" > "$WORK/out" 2>&1
tap_check "make install succeeds" test $? -eq 0
[ -s "$WORK/out" ] && tap_show "$WORK/out"
share=$root/usr/local/share

if command -v man > "$WORK/where" && command -v groff > "$WORK/where"; then
    for page in man1/nightdesk.1 man5/nightdesk.yaml.5; do
        MANROFFOPT=-ww LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$share/man/$page" > "$WORK/page" 2> "$WORK/err"
        tap_check "man has no warning about $page" test ! -s "$WORK/err"
        [ -s "$WORK/err" ] && tap_show "$WORK/err"
        cp "$WORK/page" "$WORK/$(basename "$page").text"
    done
    "$ND" help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' > "$WORK/names"
    for name in $(cat "$WORK/names"); do
        grep -q "^   $name\$" "$WORK/nightdesk.1.text" || echo "$name"
        "$ND" "$name" --help | sed -n 's/^  \(--[a-z-]*\) .*/\1/p' | grep -v '^--help' |
            while read -r option; do
                grep -q -- "^ *$option" "$WORK/nightdesk.1.text" || echo "$name $option"
            done
    done > "$WORK/missing"
    tap_check "nightdesk(1) has every subcommand and option" test ! -s "$WORK/missing"
    [ -s "$WORK/missing" ] && tap_show "$WORK/missing"
    "$ND" docs config | sed -n 's/^| `\([a-z_.]*\)` .*/\1/p' > "$WORK/options"
    while read -r option; do
        grep -q "^ *$option" "$WORK/nightdesk.yaml.5.text" || echo "$option"
    done < "$WORK/options" > "$WORK/missing"
    tap_check "nightdesk.yaml(5) has every option" sh -c "test ! -s '$WORK/missing' && test -s '$WORK/options'"
    [ -s "$WORK/missing" ] && tap_show "$WORK/missing"
else
    tap_skip "the manual pages" "man or groff is not installed"
fi
if command -v mandoc > "$WORK/where"; then
    mandoc -Tlint -W error "$share/man/man1/nightdesk.1" "$share/man/man5/nightdesk.yaml.5" > "$WORK/err" 2>&1
    tap_check "mandoc has no error" test ! -s "$WORK/err"
else
    tap_skip "mandoc" "not installed"
fi

if command -v bash > "$WORK/where"; then
    cat > "$WORK/complete.bash" <<'BASH'
set -u
. "$1"
cd "$2" || exit 1
shift 2
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_nightdesk
[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
BASH
    mkdir -p "$WORK/files/a folder"
    : > "$WORK/files/one file.csv"
    completes() { # EXPECTED (words, one per line) COMMAND LINE...
        expected=$1
        shift
        bash "$WORK/complete.bash" "$share/bash-completion/completions/nightdesk" "$WORK/files" "$@" > "$WORK/out" 2>&1
        printf '%b' "$expected" | sort > "$WORK/expected"
        sort "$WORK/out" | diff "$WORK/expected" -
    }
    tap_check "bash completes a subcommand" completes 'chat\ncheck-config\nconfig\n' nightdesk c
    { cat "$WORK/names" && printf -- '--help\n--version\n'; } > "$WORK/all"
    tap_check "all of them" completes "$(cat "$WORK/all")\n" nightdesk ''
    tap_check "an option" completes '--yes\n' nightdesk do --y
    tap_check "a word" completes 'reads\n' nightdesk auditlog re
    tap_check "a subcommand after help" completes 'replay\n' nightdesk help repl
    tap_check "a file with a blank after its option" completes 'one file.csv\n' nightdesk backtest --data o
    tap_check "a folder after its option" completes 'a folder\n' nightdesk do --state ''
    tap_check "nothing where a number belongs" completes '' nightdesk audit --hours ''
    # Without those that only run by themselves.
    grep -l '^channels: \[\]' "$here/../../commands"/*.yaml | sed 's|.*/||; s|\.yaml$||' > "$WORK/hidden"
    "$ND" docs commands | sed -n 's|^### /\([a-z_0-9]*\).*|\1|p' | grep -vxF -f "$WORK/hidden" |
        sort > "$WORK/commands"
    { cat "$WORK/commands" && "$ND" do --help | sed -n 's/^  \(--[a-z-]*\) .*/\1/p'; } > "$WORK/all"
    tap_check "every command of the chat after do" completes "$(cat "$WORK/all")\n" nightdesk do ''
    tap_check "one of them" completes 'emergency_stop\nexport\nexport_logs\n' nightdesk do --json --otp 123456 e
    tap_check "what its arguments choose from" completes 'operator\n' nightdesk do grant dora op
    tap_check "all for a symbol" completes 'all\n' nightdesk do --yes close a
    for name in $(cat "$WORK/names"); do
        "$ND" "$name" --help | sed -n 's/^  \(--[a-z-]*\) .*/\1/p' | sort > "$WORK/expected"
        bash "$WORK/complete.bash" "$share/bash-completion/completions/nightdesk" "$WORK" nightdesk "$name" -- |
            sort | diff "$WORK/expected" - || echo "$name"
    done > "$WORK/missing" 2>&1
    tap_check "every option of every subcommand" test ! -s "$WORK/missing"
    [ -s "$WORK/missing" ] && tap_show "$WORK/missing"
else
    tap_skip "completion in bash" "not installed"
fi
if command -v zsh > "$WORK/where"; then
    tap_check "zsh accepts its completion" zsh -n "$share/zsh/site-functions/_nightdesk"
    tap_check "which has the commands of the chat" \
        grep -q "'1:word:(.*emergency_stop.*)'" "$share/zsh/site-functions/_nightdesk"
else
    tap_skip "completion in zsh" "not installed"
fi

make_in uninstall "$root" > "$WORK/out" 2>&1
tap_check "make uninstall succeeds" test $? -eq 0
(cd "$root" && find . ! -type d | sort) > "$WORK/after"
echo ./etc/nightdesk/nightdesk.yaml > "$WORK/kept"
tap_check "and leaves only the configuration" diff "$WORK/kept" "$WORK/after"
tap_end
