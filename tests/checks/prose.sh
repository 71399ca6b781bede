#!/bin/sh
# Checks what prose says against what is there. Prints TAP.
#
# Prose is the documents (Markdown), the texts of the tables and manifests, and the comments of the
# code. Retired words are in words.txt beside this file: a pattern, a tab, what to write instead.
here=$(dirname "$0")
. "$here/check.sh"
check_start prose

files=$(git ls-files 2> /dev/null) || files=$(find . -type f -not -path './build/*' | sed 's,^\./,,')
pages=$(echo "$files" | grep -E '\.md$' | grep -v '^CHANGELOG\.md$')
prose=$(echo "$files" | grep -E '\.(c|h|def|md|yaml|sh|service|rules)$|^Makefile$' |
    grep -vE "^$here/|^tests/(fuzz/corpus|fixtures/[0-9])")

# in_pages PATTERN: every match in the pages, as FILE:MATCH.
in_pages() { echo "$pages" | tr '\n' '\0' | xargs -0 grep -oHE "$1"; }

exempt=$(sed -n 's/^!\t//p' "$here/words.txt")
check "no retired word" "$(
    # \b takes _ for a letter; an identifier is made of words too.
    grep -vE '^([#!]|$)' "$here/words.txt" | sed 's/\\b/(^|[^a-z]|$)/g' |
        while IFS="$(printf '\t')" read -r pattern instead; do
            echo "$prose" | tr '\n' '\0' | xargs -0 grep -nHiE -- "$pattern" |
                grep -vE -- "$exempt" | cut -c1-140 | sed "s|\$|   [write: $instead]|"
        done
)"
check "no retired word in a file's name" "$(
    echo "$files" | grep -v "^tests/fixtures/[0-9]" |
        grep -E 'door|room|inquir|lesson|booster|pacer?[_.]|trouble([^s]|$)|statefile|rescue|deaf|stranger|crossing'
)"
check "every file that a page links to exists" "$(
    in_pages '\]\([^)#:]+[)#]' | sed 's/](\([^)#]*\)[)#]$/\1/' | while IFS=: read -r page link; do
        [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
    done
)"
check "every source file that a page names exists" "$(
    in_pages '`[A-Za-z0-9_.-][A-Za-z0-9_/.-]*\.(c|h|def|sh|service|rules|yaml|md|py|txt)`' | tr -d '`' |
        while IFS=: read -r page name; do
            # An operator's own file, and the name under which a page is installed.
            case $name in ./nightdesk.yaml | systemd.md) continue ;; esac
            echo "$files" | grep -qE "(^|/)$(echo "$name" | sed 's/\./\\./g')\$" || echo "$page: $name"
        done
)"
check "every subcommand that a page names exists" "$(
    in_pages '(`|^\$ |[|] )nightdesk [a-z][a-z-]+' | sed 's/:.*nightdesk /:/' | sort -u |
        while IFS=: read -r page name; do
            grep -rqF "\"$name\"" src/cli || echo "$page: nightdesk $name"
        done
)"
# /confirm and /cancel are the runner's, /start is Telegram's, /newbot BotFather's, the others the API's.
check "every operator command that a page names exists" "$(
    in_pages '(`|^nightdesk> )/[a-z_]+/?' | grep -v '/$' | sed 's,:.*/,:,' | sort -u |
        while IFS=: read -r page name; do
            case $name in confirm | cancel | start | newbot | metrics | health | healthz | readyz | api) continue ;; esac
            [ -e "commands/$name.yaml" ] ||
                grep -qE "^aliases: \[(.*, )?$name[],]" commands/*.yaml || echo "$page: /$name"
        done
)"
# An action has a dot in its name too; it stands in its table as a string.
groups=$(sed -n 's/^GROUP(\([a-z_]*\),.*/\1/p' include/config/options.def | paste -sd '|' -)
check "every option and action that a page names exists" "$(
    in_pages "\`($groups)\.[a-z_]+[\`:]" | tr -d '`' | sed 's/:$//' | grep -vE '\.(c|h|def|sh)$' | sort -u |
        while IFS=: read -r page name; do
            grep -qE "^[A-Z_]+\(${name%%.*}, ${name#*.}," include/config/options.def ||
                grep -rqF "\"$name\"" src include || echo "$page: $name"
        done
)"
areas=$(sed -n 's/^ERR(\([A-Z0-9]*\)_.*/\1/p' include/base/errors.def | sort -u | paste -sd '|' -)
check "every error code that a page names exists" "$(
    in_pages "\`($areas)_[A-Z0-9_]+\`" | tr -d '`' | sort -u | while IFS=: read -r page code; do
        grep -q "^ERR($code," include/base/errors.def ||
            grep -rqwF "$code" src include || echo "$page: $code"
    done
)"
check "every command-line option that a page names exists" "$(
    in_pages '(`|^\$ |[|] )nightdesk [^`|]*' | while IFS= read -r line; do
        echo "$line" | grep -oE -- ' --[a-z][a-z-]+' | while read -r option; do
            grep -rqF "\"$option\"" src/cli || echo "${line%%:*}: $option"
        done
    done
)"
# Samples of counters are named in full in pages, and by their family in the source (io/exposition.h).
check "every function that a page names exists" "$(
    in_pages '`[a-z][a-z0-9]*_[a-z0-9_]+(\(\))?`' | tr -d '`()' | sort -u | while IFS=: read -r page name; do
        family=${name%_total} family=${family%_info}
        grep -rqwF -e "$name" -e "\"$family\"" src include tests commands Makefile || echo "$page: $name"
    done
)"
check_end
