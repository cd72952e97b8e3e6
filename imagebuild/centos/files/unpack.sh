# Makes a root tree from packages: PACKAGES DEST EPOCH DATABASE EXCLUDED
packages=$1 dest=$2 database=$4 excluded=$5
export SOURCE_DATE_EPOCH=$3 LC_ALL=C HOME=/ KERNEL_INSTALL_BYPASS=1 SYSTEMD_OFFLINE=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin
work=${packages%/*}

# Debian's rpm wants to be told that it is meant. Scripts of packages run in the tree.
install() {
    rpm --root "$dest" --dbpath "/$database" --force-debian --noplugins --nosignature --define '_pkgverify_level digest' \
        --define '_install_langs C.utf8' --excludedocs --install "$@"
}

mkdir -p "$dest/proc" "$dest/dev" "$dest/etc/kernel/install.d"
mount -t proc proc "$dest/proc"
mount -t tmpfs tmpfs "$dest/dev"
for d in null zero full random urandom; do : > "$dest/dev/$d"; mount --bind "/dev/$d" "$dest/dev/$d"; done

# No script of a kernel's package makes an initrd or writes to /boot.
for plugin in 50-dracut.install 51-dracut-rescue.install 90-loaderentry.install 20-grub.install; do
    ln -s /dev/null "$dest/etc/kernel/install.d/$plugin"
done

# First what knows the accounts. Those that packages bring in their metadata, for rpm 4.19 to make, are made before any file
# can want them: the host's rpm may be older. Encoding: docs/man/rpm-sysusers.7 of rpm.
# shellcheck disable=SC2046
install --nodeps $(ls "$packages"/setup-????????.rpm "$packages"/filesystem-????????.rpm)
rpm -q --dbpath "$work/none" --nosignature --provides --package "$packages"/*.rpm |
    sed -nE 's/^(user|group|groupmember)\([^)]*\) = ([A-Za-z0-9+\/=]+)$/\2/p' | sort -u |
    while read -r line; do printf '%s' "$line" | base64 -d; echo; done > "$work/accounts.conf"
systemd-sysusers --root="$dest" - < "$work/accounts.conf"
rm "$packages"/setup-????????.rpm "$packages"/filesystem-????????.rpm

install "$packages"/*.rpm

for path in $excluded; do
    # shellcheck disable=SC2086
    (cd "$dest" && rm -rf $path)
done
for modules in "$dest"/usr/lib/modules/*; do
    [ ! -d "$modules" ] || chroot "$dest" depmod -a "${modules##*/}"
done
umount -R "$dest/dev" "$dest/proc"

# What differs from run to run and what belongs to this moment.
rm -rf "$dest/etc/kernel" "$dest"/var/log/* "$dest"/var/cache/* "$dest"/var/lib/dnf "$dest/$database/.rpm.lock" "$dest/$database"/rpmdb.sqlite-* \
    "$dest"/boot/* "$dest/etc/resolv.conf" "$dest/etc/hostname" "$dest"/etc/ssh/ssh_host_* "$dest/var/lib/dbus/machine-id" \
    "$dest"/etc/passwd- "$dest"/etc/group- "$dest"/etc/shadow- "$dest"/etc/gshadow- "$dest"/etc/subuid- "$dest"/etc/subgid- "$dest/etc/.pwd.lock" \
    "$dest/var/lib/systemd/random-seed" "$dest/var/lib/systemd/catalog/database" "$dest"/etc/yum.repos.d "$dest/etc/machine-id"
