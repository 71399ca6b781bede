#!/bin/sh
# Makes a Debian package of what `make install` installs.
#
#   deb.sh MAKE BUILD_FOLDER VERSION MAINTAINER      writes BUILD_FOLDER/nightdesk_VERSION_ARCH.deb
set -eu
make=$1 build=$2 version=$3 maintainer=$4
arch=$(dpkg --print-architecture)
root=$build/deb/root
rm -rf "$build/deb"
mkdir -p "$root/DEBIAN" "$build/deb/debian"
umask 022

"$make" -s -o build BUILD="$build" DESTDIR="$root" PREFIX=/usr install
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/nightdesk"
mkdir -p "$root/usr/share/zsh/vendor-completions" "$root/usr/share/doc/nightdesk/examples"
mv "$root/usr/share/zsh/site-functions/_nightdesk" "$root/usr/share/zsh/vendor-completions/"
rmdir "$root/usr/share/zsh/site-functions"
doc=$root/usr/share/doc/nightdesk
mv "$doc/nightdesk.example.yaml" "$doc/schema.json" "$doc/examples/"
gzip -9n "$root/usr/share/man/man1/nightdesk.1" "$root/usr/share/man/man5/nightdesk.yaml.5"
gzip -9nc CHANGELOG.md > "$doc/changelog.gz"
date=$(date -u -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}")
printf 'nightdesk (%s) unstable; urgency=medium\n\n  * Built from the sources; changelog.gz has the changes.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$date" | gzip -9n > "$doc/changelog.Debian.gz"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: nightdesk\n\n'
    printf 'Files: *\nCopyright: %s\nLicense: Expat\n' "$(sed -n 's/^Copyright (c) //p' LICENSE | head -n 1)"
    sed -e '1,/^Copyright/d' LICENSE | sed -e '/./,$!d' -e 's/^$/./' -e 's/^/ /'
} > "$doc/copyright"

mkdir -p "$root/usr/share/lintian/overrides"
printf '# Not for the archive, so there is no request for a package to close.\nnightdesk: initial-upload-closes-no-bugs *\n' \
    > "$root/usr/share/lintian/overrides/nightdesk"

printf 'Source: nightdesk\n\nPackage: nightdesk\nArchitecture: any\n' > "$build/deb/debian/control"
# Libraries that the program loads at their first use: a file that is linked with them needs the same
# packages. libxgboost is not among them; its absence is an error of `nightdesk train`.
late=$(strings -a "$root/usr/bin/nightdesk" | grep -E '^((curl|cairo|el|SSL|archive|wslay|nettle)_[a-z0-9_]+|EVP_PKEY_sign|XML_ParserCreateNS)$' | sed 's/^/-Wl,-u,/')
# shellcheck disable=SC2086
cc -shared -o "$build/deb/late.so" -Wl,--no-as-needed $late -Wl,-u,deflate -lcurl -lcairo -lz -ledit -lssl -lcrypto -larchive -lwslay -lnettle -lexpat
depends=$(cd "$build/deb" && dpkg-shlibdeps -O -eroot/usr/bin/nightdesk -elate.so | sed 's/^shlibs:Depends=//')
cat > "$root/DEBIAN/control" <<CONTROL
Package: nightdesk
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends, systemd | systemd-standalone-sysusers | systemd-sysusers
Recommends: ca-certificates
Suggests: polkitd
Section: misc
Priority: optional
Description: trading bot that you operate from your phone
 A trading engine, a chat over Telegram or in the terminal, and an auditor in
 one process. It trades with play money on a simulated market or on candles
 from files, watches the services around it, and keeps an audit log that shows
 every change.
 .
 Nothing is enabled or started by the installation: write
 /etc/nightdesk/nightdesk.yaml, then enable nightdesk.service.
CONTROL
cat > "$root/DEBIAN/postinst" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
    systemd-sysusers /usr/lib/sysusers.d/nightdesk.conf
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload
        # Only an upgrade, and only what runs: try-restart starts nothing.
        [ -z "${2-}" ] || deb-systemd-invoke try-restart nightdesk.service
    fi
fi
SCRIPT
cat > "$root/DEBIAN/prerm" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop nightdesk.service
fi
SCRIPT
cat > "$root/DEBIAN/postrm" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = purge ]; then
    # The user stays, so that its number is not given to another.
    rm -rf /var/lib/nightdesk /etc/nightdesk
    if command -v deb-systemd-helper > /dev/null; then
        deb-systemd-helper purge nightdesk.service
    fi
fi
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload
fi
SCRIPT
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
(cd "$root" && find usr -type f -exec md5sum {} + | sort -k 2) > "$root/DEBIAN/md5sums"
dpkg-deb --root-owner-group --build "$root" "$build/nightdesk_${version}_$arch.deb"
