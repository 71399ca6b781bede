#!/bin/sh
# Project rules that a compiler does not check. Prints TAP.
. "$(dirname "$0")/check.sh"
check_start tidy

files=$(git ls-files 2> /dev/null | grep -v '^LICENSE$') ||
    files=$(find . -type f -not -path './build/*' -not -path './.git/*' | sed 's,^\./,,')
code=$(echo "$files" | grep -E '\.(c|h|def)$')
text=$(echo "$files" | grep -E '\.(c|h|def|sh|md|yaml|yml|service|rules)$|^Makefile$')

check "no line over 100 columns in code" \
    "$(echo "$code" | grep -v 'errors\.def$' | tr '\n' '\0' |
        LC_ALL=C.UTF-8 xargs -0 grep -nE '^.{101}' | cut -d: -f1,2)"
check "no tab or trailing blank in code" \
    "$(echo "$code" | tr '\n' '\0' | xargs -0 grep -nE "$(printf '\t')| +$")"
# The pattern is put together here so that this file does not match itself.
words='TO''DO|FIX''ME|XX''X'
check "no $words" "$(echo "$text" | tr '\n' '\0' | xargs -0 grep -nwE "$words")"
check "a README in every module" "$(
    for d in src/*/; do
        [ -s "$d/README.md" ] || echo "$d"
    done
)"
check "a thread line in every public header" "$(
    echo "$code" | grep '^include/.*\.h$' | tr '\n' '\0' | xargs -0 grep -L 'Thread:'
)"
# io/json_out is the only writer of JSON. An empty object is where a tree begins.
check "JSON is written by io/json_out only" "$(
    echo "$code" | grep -E '^(src|include)/' | grep -vE '^(src|include)/io/|errors\.def$' | tr '\n' '\0' |
        xargs -0 grep -nE 'json_object_(new_(string|int|uint|double|boolean|array|null)|object_add|array_add|array_put)|\\"[A-Za-z_]*\\" ?:|\{\\"' |
        cut -d: -f1,2
)"
check "no binary, database or key is tracked" \
    "$(echo "$files" | grep -E '\.(o|a|so|db|db-wal|key|pem|log)$')"
check "no empty file" "$(echo "$files" | while read -r f; do [ -s "$f" ] || echo "$f"; done)"
check "every source file belongs to a module of the makefile" "$(
    modules=" $(make -s --no-print-directory print-modules) "
    for d in src/*/ include/*/; do
        r=$(basename "$d")
        case "$modules" in *" $r "*) ;; *) echo "$d" ;; esac
    done
)"
check "every error of the catalogue is used" "$(
    sed -n 's/^ERR(\([A-Z0-9_]*\),.*/\1/p' include/base/errors.def | while read -r id; do
        echo "$code" | grep -v 'errors\.def$' | tr '\n' '\0' | xargs -0 grep -qwE "(ERR_)?$id" || echo "ERR_$id"
    done
)"
if command -v clang-format > /dev/null 2>&1; then
    check "clang-format agrees" "$(
        echo "$code" | grep '\.[ch]$' | tr '\n' '\0' |
            xargs -0 clang-format --dry-run 2>&1 | grep warning: | cut -d: -f1 | sort | uniq -c
    )"
else
    check_skip "clang-format is not installed"
fi
check_end
