#!/bin/sh
# Installs the missing ones of the Debian packages named on the command line; silent if none is
# missing. Without apt it prints the list and exits with 0; the build then reports what is missing.
set -eu
missing=""
if ! command -v apt-get > /dev/null 2>&1; then
    echo "this is not Debian or Ubuntu; nightdesk needs the equivalents of these packages:"
    printf '  %s\n' "$@"
    exit 0
fi
for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2> /dev/null | grep -q '^install ok installed' ||
        missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null 2>&1 || {
        echo "not root and no sudo; as root: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
# $missing is unquoted because it is a list of words.
# shellcheck disable=SC2086
$sudo apt-get install -y -q --no-install-recommends $missing ||
    { $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends $missing; }
