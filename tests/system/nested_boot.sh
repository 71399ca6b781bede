#!/bin/sh
# Boots a separate systemd inside new namespaces. Not run by hand: system_systemd.sh calls
#   unshare --mount --pid --fork --uts --ipc --cgroup --kill-child --mount-proc sh nested_boot.sh STAGE
# Every folder that systemd or an installation writes to is a new tmpfs, and /etc is a copy. Units that
# would affect the host (devices, kernel settings, time, consoles) are masked. STAGE is the output of
# `make install DESTDIR=`; it is copied over / before systemd starts.
set -eu
stage=$1
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock /run/copy
cp -a "$stage" /run/stage
cp -a /etc /run/copy/etc
mount --bind /run/copy/etc /etc
for d in /tmp /var/tmp /var/log /var/lib /usr/local; do
    mount -t tmpfs -o mode=0755 tmpfs "$d"
done
chmod 1777 /tmp /var/tmp
mkdir -p /var/lib/dbus /var/lib/polkit-1 /var/lib/systemd /var/log/journal
# As systemd-tmpfiles does: members of the group may read the journal.
chgrp systemd-journal /var/log/journal && chmod 2755 /var/log/journal
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /sys/fs/pstore 2> /dev/null || true
(cd /run/stage && tar cf - .) | (cd / && tar xf - --no-same-owner)
rm -rf /run/stage
[ -s /etc/machine-id ] || systemd-machine-id-setup > /dev/null
hostname nightdesk-test
for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service \
    systemd-tmpfiles-clean.service systemd-tmpfiles-clean.timer systemd-udevd.service \
    systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-udev-settle.service systemd-modules-load.service systemd-sysctl.service \
    systemd-timesyncd.service systemd-logind.service systemd-remount-fs.service \
    systemd-random-seed.service systemd-update-utmp.service systemd-binfmt.service \
    systemd-hwdb-update.service systemd-networkd.service systemd-resolved.service \
    systemd-ask-password-console.path systemd-ask-password-wall.path systemd-rfkill.socket \
    systemd-boot-system-token.service systemd-pstore.service systemd-vconsole-setup.service \
    systemd-firstboot.service systemd-machine-id-commit.service systemd-quotacheck.service \
    networking.service ifupdown-pre.service apparmor.service keyboard-setup.service \
    console-setup.service kmod-static-nodes.service getty.target console-getty.service \
    tmp.mount dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
    proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount cron.service ssh.service \
    e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer fstrim.timer logrotate.timer \
    man-db.timer dpkg-db-backup.timer; do
    ln -sf /dev/null /etc/systemd/system/$unit
done
rm -f /etc/fstab
# Mounts are private to the host but shared inside: systemd passes credentials through them.
mount --make-rshared /
exec env -i container=nightdesk-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
