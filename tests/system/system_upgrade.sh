#!/bin/sh
# The state folder, journals, state files, configuration and manifests of older builds are accepted
# unchanged, and nothing in them is lost. tests/fixtures/README.md lists their contents.
#
#   system_upgrade.sh BUILD_FOLDER [SET ...]      SET is a folder in tests/fixtures; default: all
. "$(dirname "$0")/lib.sh"
tap_start "$@"
shift
system=$(cd "$(dirname "$0")" && pwd)
fixtures=$(cd "$system/../fixtures" && pwd)
[ $# -gt 0 ] || set -- $(cd "$fixtures" && ls -d [0-9]*)

if ! command -v sqlite3 > /dev/null; then
    tap_skip "files of an older build" "no sqlite3 on this machine"
    tap_end
fi
for set in "$@"; do
    echo "# $set"
    here=$fixtures/$set dir=$WORK/$set
    mkdir "$dir"
    . "$system/upgrade_set.sh"
done

# ---- a journal between two sets: orders did not say yet how they are executed
dir=$WORK/journal-2
mkdir -p "$dir/journal"
gunzip -c "$fixtures/journal-2/run-1.ndj.gz" > "$dir/journal/run-1.ndj"
"$ND" replay --run 1 --config "$WORK/quiet.yaml" --state "$dir" > "$dir/out" 2>&1
tap_check "a journal of version 2 is replayed: exits with 0" test $? -eq 0
tap_check "with its figures" contains "$dir/out" "858 steps, 332 decisions, 24 orders, 28 fills, 13 trades"
tap_check "identical" grep -q ": identical$" "$dir/out"
tap_end
