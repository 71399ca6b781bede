#!/bin/sh
# Checks that the committed reference pages equal the program's output. Prints TAP.
# usage: docs.sh PROGRAM
set -u
program=$1
n=0
failed=0
same() { # file, arguments
    n=$((n + 1))
    file=$1
    shift
    if "$program" "$@" | cmp -s - "$file"; then
        echo "ok $n - docs: $file is current"
    else
        echo "not ok $n - docs: $file differs from '$*'; run make docs and read the difference"
        failed=1
    fi
}
same docs/errors.md docs errors
same docs/commands.md docs commands
same docs/actions.md docs actions
same docs/api.md docs api
same docs/config.md docs config
same config/schema.json config --schema
same config/nightdesk.example.yaml config --example
echo "1..$n"
exit $failed
