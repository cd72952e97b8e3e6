# Assembles and packs the root: TREE OUT EPOCH PURGE PURGE_COMMANDS DATABASE SHIPS_AT LEFTOVERS, what to add as a tar on
# stdin. TREE is never written to. The last four are facts about the distribution, see distro.Facts.
tree=$1 out=$2 epoch=$3 purge=$4 purge_commands=$5 database=$6 ships_at=$7 leftovers=$8
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C SOURCE_DATE_EPOCH=$3 SYSTEMD_OFFLINE=1
umask 022

work=$out/work
mkdir "$work"
for layer in root tools; do
    mkdir "$work/$layer" "$work/$layer-upper" "$work/$layer-overlay"
    mount -t overlay overlay -o "userxattr,lowerdir=$tree,upperdir=$work/$layer-upper,workdir=$work/$layer-overlay" "$work/$layer"
done
cd "$work/root"

mount -t proc proc proc
mount -t tmpfs tmpfs dev
for d in null zero urandom; do : > "dev/$d"; mount --bind "/dev/$d" "dev/$d"; done
[ -z "$purge" ] || eval "$purge_commands"
tar -x --no-overwrite-dir

# Units: exactly what our presets enable. The image's first boot would apply them again and find them done.
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires etc/rc?.d etc/init.d
chroot . systemctl preset-all
chroot . systemctl --global preset-all

# No login, no key, no identity; user data lives on state. The package database is a fact about the image, not state.
chroot . passwd --lock --quiet root
umount -R dev proc
find dev -mindepth 1 -delete
mkdir -p "$(dirname "$ships_at")" usr/share/slipway/factory
[ "$database" = "$ships_at" ] || mv "$database" "$ships_at"
rm -rf var/cache/* var/log/* var/tmp/* tmp/* run/* etc/kernel $leftovers
rm -f etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/.pwd.lock var/lib/systemd/random-seed
mkdir -p var/log/journal
cp -a var usr/share/slipway/factory/var
find var -mindepth 1 -delete
rm -rf home root boot mnt usr/lib/modules/*/vmlinuz # the one kernel is in the UKI
ln -s var/home home
ln -s var/roothome root
mkdir boot mnt

{ find . -xdev -type d -printf '%P/ %M %U:%G\n'; find . -xdev ! -type d -printf '%P %M %U:%G %s %l\n'; } | sort > "$out/root.list"

cd /
mount --bind "$work/root" "$work/tools/mnt"
mount --bind "$out" "$work/tools/srv"
mount -t proc proc "$work/tools/proc"
unset SOURCE_DATE_EPOCH
chroot "$work/tools" mksquashfs /mnt /srv/root.squashfs -comp zstd -Xcompression-level 3 -b 128K \
    -noappend -quiet -no-progress -mkfs-time "$epoch" -all-time "$epoch"
