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
tap_end
