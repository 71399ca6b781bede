#!/bin/sh
# The Debian package: lintian finds nothing; in a fresh root of this machine's distribution it installs,
# starts, upgrades and purges, and enables nothing. What the machine cannot do is skipped.
#
#   deb_test.sh MAKE BUILD_FOLDER VERSION
. "$(dirname "$0")/../system/lib.sh"
make=$1 build=$2 version=$3
tap_start "$build/release"
for revision in 1 2; do
    sh "$(dirname "$0")/deb.sh" "$make" "$build" "$version-$revision" \
        "${DEB_MAINTAINER:-$(git log -1 --format='%an <%ae>')}" > "$WORK/out" 2>&1
    tap_check "revision $revision is built" test $? -eq 0
    cp "$build/nightdesk_$version-${revision}_$(dpkg --print-architecture).deb" "$WORK/nd-$revision.deb"
done

if command -v lintian > "$WORK/where"; then
    lintian --allow-root --fail-on error,warning "$WORK/nd-1.deb" > "$WORK/lint" 2>&1
    tap_check "lintian finds it clean" test $? -eq 0
    [ -s "$WORK/lint" ] && tap_show "$WORK/lint"
else
    tap_skip "lintian" "not installed"
fi

if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap > "$WORK/where"; then
    tap_skip "a fresh root" "needs root and mmdebstrap"
    tap_end
fi
root=$WORK/root
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
sources=$(ls /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2> /dev/null)
# The machine's own package sources.
depends=$(dpkg-deb -f "$WORK/nd-1.deb" Depends | sed -e 's/([^)]*)//g' -e 's/|[^,]*//g' -e 's/ //g')
# shellcheck disable=SC2086
if ! mmdebstrap --variant=apt --include="$depends" "$codename" "$root" $sources > "$WORK/out" 2>&1; then
    tap_skip "a fresh root" "mmdebstrap: $(grep -m 1 '^E:' "$WORK/out")"
    tap_end
fi
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
without_nightdesk() { ! find "$root/usr" "$root/etc" "$root/var/lib/nightdesk" -name '*nightdesk*' 2> /dev/null | grep .; }
cp "$WORK"/nd-*.deb "$root/tmp/"
tap_check "it installs" inside dpkg -i /tmp/nd-1.deb
tap_check "nightdesk version starts" inside nightdesk version
tap_check "the user was created" inside getent passwd nightdesk
tap_check "nothing is enabled" sh -c "! find '$root/etc/systemd' -name 'nightdesk*' | grep ."
tap_check "the unit runs the packaged program" grep -q "^ExecStart=/usr/bin/nightdesk" "$root/usr/lib/systemd/system/nightdesk.service"
tap_check "no file is in /usr/local" sh -c "! find '$root/usr/local' -type f | grep ."
mkdir -p "$root/etc/nightdesk" "$root/var/lib/nightdesk"
echo 'api: {port: 0}' > "$root/etc/nightdesk/nightdesk.yaml"
inside chown nightdesk: /var/lib/nightdesk
state() { # SHELL-COMMAND: as the user of the package, who owns the state
    inside setpriv --reuid nightdesk --regid nightdesk --clear-groups sh -c "$1" > "$WORK/out" 2>&1
}
tap_check "its user makes the state" state "printf '/pause\n' | timeout 60 nightdesk run --config /etc/nightdesk/nightdesk.yaml --state /var/lib/nightdesk"
tap_check "it upgrades" inside dpkg -i /tmp/nd-2.deb
tap_check "to the newer revision" sh -c "chroot '$root' dpkg-query -W -f '\${Version}' nightdesk | grep -qx '$version-2'"
tap_check "an upgrade keeps the configuration" grep -q "port: 0" "$root/etc/nightdesk/nightdesk.yaml"
tap_check "and the databases" sh -c "test -s '$root/var/lib/nightdesk/ops.db' -a -s '$root/var/lib/nightdesk/trading.db'"
tap_check "the audit log of before is valid" state "nightdesk auditlog verify --config /etc/nightdesk/nightdesk.yaml --state /var/lib/nightdesk"
tap_check "it is removed" inside dpkg -r nightdesk
tap_check "configuration and state are kept" test -e "$root/etc/nightdesk/nightdesk.yaml" -a -d "$root/var/lib/nightdesk"
tap_check "it is purged" inside dpkg -P nightdesk
rm -f "$root"/tmp/nd-*.deb
tap_check "and leaves no file" without_nightdesk
tap_end
