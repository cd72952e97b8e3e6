#!/bin/bash
# dracut module 90slipway: verity root -> repart -> state -> first-boot decision -> /etc overlay -> Ignition.
# Everything is systemd units; no dracut shell hook takes part.

check() { return 255; }

depends() {
    echo systemd systemd-initrd systemd-udevd systemd-journald systemd-tmpfiles systemd-veritysetup \
        systemd-repart systemd-modules-load systemd-sysctl dm udev-rules fs-lib
}

install() {
    # What the first-boot script and Ignition's stages run.
    inst_multiple bash sh cp rm mv ln mkdir chmod touch cat sync sleep timeout find grep sed cut head tail tr sort chroot lsblk modprobe udevadm systemctl journalctl mount umount \
        useradd usermod userdel groupadd groupmod groupdel \
        mkfs.ext4 e2fsck sgdisk partx wipefs blkid
    inst_multiple -o mkfs.xfs mkfs.vfat mkswap
    inst /usr/bin/ignition
    inst_multiple /usr/lib/systemd/systemd-networkd /usr/lib/systemd/systemd-networkd-wait-online \
        /usr/lib/systemd/systemd-resolved networkctl resolvectl \
        "$systemdsystemunitdir/systemd-networkd.service" "$systemdsystemunitdir/systemd-networkd.socket" \
        "$systemdsystemunitdir/systemd-resolved.service"
    inst_multiple -o /usr/share/dbus-1/system.d/org.freedesktop.network1.conf
    grep -E '^systemd-(network|resolve):' /etc/passwd >> "$initdir/etc/passwd"
    grep -E '^systemd-(network|resolve):' /etc/group >> "$initdir/etc/group"
    inst_simple "/${ca_bundle:?}"
    inst_simple /etc/nsswitch.conf
    ln -sf ../run/systemd/resolve/stub-resolv.conf "$initdir/etc/resolv.conf"

    # Without these dracut logs "Failed to copy os-release" and systemd does not see an initrd.
    inst_simple /usr/lib/os-release
    ln -sf ../usr/lib/os-release "$initdir/etc/os-release"
    ln -sf ../usr/lib/os-release "$initdir/etc/initrd-release"

    inst_simple "$moddir/console" /usr/lib/slipway/console
    inst_simple "$moddir/disk" /usr/lib/slipway/disk
    inst_simple "$moddir/firstboot" /usr/lib/slipway/firstboot
    inst_simple "$moddir/net" /usr/lib/slipway/net
    inst_simple "$moddir/config" /usr/lib/slipway/config
    inst_simple "$moddir/failed" /usr/lib/slipway/failed
    inst_simple "$moddir/20-ether.network" /etc/systemd/network/20-ether.network
    inst_simple "$moddir/manager.conf" /etc/systemd/system.conf.d/10-slipway.conf

    # Copied, not inst_simple: emergency.target and rescue.target replace those that systemd-initrd brought, whose
    # shells must not be here at all.
    local d="$initdir$systemdsystemunitdir"
    mkdir -p "$d/initrd.target.requires" "$d/initrd-root-fs.target.requires" "$d/systemd-repart.service.d"
    rm -f "$d/emergency.target" "$d/rescue.target" "$d/emergency.service" "$d/rescue.service" "$d/debug-shell.service"
    cp "$moddir"/units/*.service "$moddir"/units/*.mount "$moddir"/units/*.target "$d/"
    cp "$moddir/units/repart.conf" "$d/systemd-repart.service.d/10-slipway.conf"
    ln -sf ../ignition-complete.target "$d/initrd.target.requires/ignition-complete.target"
    ln -sf ../slipway-disk.service "$d/initrd-root-fs.target.requires/slipway-disk.service"
    ln -sf ../sysroot-var.mount "$d/initrd-root-fs.target.requires/sysroot-var.mount"
    ln -sf ../sysroot-etc.mount "$d/initrd-root-fs.target.requires/sysroot-etc.mount"
    ln -sf ../systemd-repart.service "$d/initrd-root-fs.target.requires/systemd-repart.service"
}
