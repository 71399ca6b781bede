#!/bin/sh
# Checks the layers: no file includes a header of a module that its own module may not use, and each
# third-party header is included by exactly one src/io file. Prints TAP.
#
# usage: layers.sh BUILD_VARIANT_FOLDER MODULE:ALLOWED,ALLOWED ...
# The folder has the compiler's dependency files (obj/<module>/<file>.d), so includes through other
# headers count as well.
set -eu
build=$1
shift
n=0
failed=0

report() { # "ok" or "not ok", text
    n=$((n + 1))
    echo "$1 $n - $2"
    if [ "$1" != ok ]; then failed=1; fi
}

for rule in "$@"; do
    module=${rule%%:*}
    allowed=" $(echo "${rule#*:}" | tr ',' ' ') $module "
    [ -d "$build/obj/$module" ] || continue
    bad=$(
        for d in "$build/obj/$module"/*.d; do
            [ -e "$d" ] || continue
            src=src/$module/$(basename "$d" .d).c
            [ -e "$src" ] || continue
            # Our headers of other modules: include/<other>/... or src/<other>/...
            tr ' \\' '\n\n' < "$d" | sed -n 's,^\(include\|src\)/\([a-z]*\)/.*\.\(h\|def\)$,\2 &,p' |
                sort -u | while read -r other path; do
                case "$path" in include/base/banned.h) continue ;; esac
                case "$allowed" in
                *" $other "*)
                    # A private header (src/) may be used by its own module only.
                    case "$path" in
                    src/*) [ "$other" = "$module" ] || echo "$src includes private $path" ;;
                    esac
                    ;;
                *) echo "$src includes $path" ;;
                esac
            done
        done
    )
    if [ -z "$bad" ]; then
        report ok "layers: $module uses only the layers below it"
    else
        report "not ok" "layers: $module"
        echo "$bad" | sed 's/^/# /'
    fi
done

# Check the includes of public headers as well: perhaps no .c includes the header.
bad=$(
    for rule in "$@"; do
        module=${rule%%:*}
        allowed=" $(echo "${rule#*:}" | tr ',' ' ') $module "
        for h in include/"$module"/*.h; do
            [ -e "$h" ] || continue
            sed -n 's,^#include "\([a-z]*\)/.*,\1,p' "$h" | sort -u | while read -r other; do
                case "$allowed" in
                *" $other "*) ;;
                *) echo "$h includes $other/" ;;
                esac
            done
        done
    done
)
if [ -z "$bad" ]; then
    report ok "layers: headers include only lower layers"
else
    report "not ok" "layers: headers"
    echo "$bad" | sed 's/^/# /'
fi

# One file per third-party library. json-c is re-exported by io/json.h. libsystemd and OpenSSL (libssl and
# libcrypto) have several parts, so there it is one file per header.
third='curl/|sqlite3\.h|yaml\.h|systemd/|sodium|microhttpd\.h|openssl/|json-c/|wslay|oath|qrencode|archive|cairo|zlib|expat|histedit|editline|nats'
bad=$(grep -nE "^ *# *include *<($third)" -r include src 2> /dev/null |
    sed 's/:.*include *<\([a-z0-9_-]*[/.]*[a-z0-9_-]*\).*/ \1/' |
    awk '{
             lib = $2; sub(/\.h$/, "", lib)
             if (lib !~ /^(systemd|openssl)\//) sub(/\/.*/, "", lib)
             if ($1 !~ /^src\/io\// && $1 != "include/io/json.h") print $1 " includes <" $2 ">"
             else if (lib in home && home[lib] != $1) print lib " is included by two files: " home[lib] ", " $1
             else home[lib] = $1
         }')
if [ -z "$bad" ]; then
    report ok "layers: each third-party header is included by one file of src/io"
else
    report "not ok" "layers: third-party headers"
    echo "$bad" | sed 's/^/# /'
fi
echo "1..$n"
exit $failed
