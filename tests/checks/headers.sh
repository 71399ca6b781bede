#!/bin/sh
# Compiles each public header alone, included twice: it must be self-contained. Prints TAP.
# usage: headers.sh COMPILER FLAGS...
set -u
n=0
failed=0
for h in include/*/*.h; do
    case "$h" in include/base/banned.h) continue ;; esac
    n=$((n + 1))
    name=${h#include/}
    if out=$(printf '#include "%s"\n#include "%s"\n' "$name" "$name" |
        "$@" -Werror -fsyntax-only -x c - 2>&1); then
        echo "ok $n - header $name is self-contained"
    else
        echo "not ok $n - header $name"
        echo "$out" | sed 's/^/# /'
        failed=1
    fi
done
echo "1..$n"
exit $failed
