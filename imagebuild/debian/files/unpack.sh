# Makes a root tree from a local repository: REPO DEST RELEASE PACKAGES EPOCH [MMDEBSTRAP OPTION ...]
repo=$1 dest=$2 release=$3 packages=$4
export SOURCE_DATE_EPOCH=$5 TMPDIR=${2%/*} # killed, it leaves nothing elsewhere
shift 5

mmdebstrap --mode=root --variant=essential --format=directory --skip=check/qemu \
    --include="$packages" "$@" \
    "$release" "$dest" "deb [trusted=yes] copy:$repo ./"

# What differs from run to run and what belongs to this moment.
rm -rf "$dest/etc/kernel" "$dest"/var/log/* "$dest"/var/cache/* "$dest"/var/lib/apt "$dest"/etc/apt "$dest/var/lib/dpkg/lock"* \
    "$dest"/boot/initrd* "$dest"/initrd* "$dest"/vmlinuz* "$dest/etc/resolv.conf" "$dest/etc/hostname" "$dest"/etc/ssh/ssh_host_* \
    "$dest/var/lib/dbus/machine-id" "$dest"/etc/passwd- "$dest"/etc/group- "$dest"/etc/shadow- "$dest"/etc/gshadow- "$dest"/etc/subuid- "$dest"/etc/subgid- \
    "$dest/var/lib/systemd/random-seed" "$dest/var/lib/systemd/catalog/database"
