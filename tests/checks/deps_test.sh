#!/bin/sh
# Installs programs of others that tests need and that are too large for `make test` to install by
# itself: Debian packages, and npm packages at the versions of tests/node/package-lock.json. A test
# whose program is missing is skipped with its reason. No service is started or enabled by this.
#
#   sh tests/checks/deps_test.sh BUILD_FOLDER DEBIAN_PACKAGE...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
node=$1/node
shift
# The packages of Node.js's own makers bring npm along, and conflict with Debian's.
command -v npm > /dev/null || set -- "$@" nodejs npm

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

policy=/usr/sbin/policy-rc.d
remove_policy() {
    [ -z "${made_policy:-}" ] || as_root rm -f "$policy"
}
if command -v apt-get > /dev/null; then
    missing=""
    for p in "$@"; do
        dpkg-query -W -f '${Status}' "$p" 2> /dev/null | grep -q '^install ok installed' ||
            missing="$missing $p"
    done
    if [ -n "$missing" ]; then
        # A package of a server asks this before it starts it.
        if [ ! -e "$policy" ]; then
            trap remove_policy EXIT
            made_policy=yes
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
            as_root chmod 0755 "$policy"
        fi
        # $missing is unquoted because it is a list of words.
        # shellcheck disable=SC2086
        sh "$here/deps.sh" $missing
        # Nor at the next boot.
        for p in $missing; do
            dpkg-query -L "$p" | sed -n 's|^\(/usr\)\{0,1\}/lib/systemd/system/\([^/]*\.\(service\|timer\)\)$|\2|p' |
                while read -r unit; do
                    as_root systemctl disable --quiet "$unit" < /dev/null || true
                done
        done
    fi
else
    sh "$here/deps.sh" "$@"
fi

command -v npm > /dev/null || {
    echo "npm is missing: install the packages nodejs and npm" >&2
    exit 1
}
mkdir -p "$node"
cmp -s "$here/../node/package-lock.json" "$node/installed" && exit 0
rm -f "$node/installed"
cp "$here/../node/package.json" "$here/../node/package-lock.json" "$here/../node/.npmrc" "$node"
(cd "$node" && npm ci > npm.log 2>&1) || {
    cat "$node/npm.log" >&2
    exit 1
}
cp "$node/package-lock.json" "$node/installed"
