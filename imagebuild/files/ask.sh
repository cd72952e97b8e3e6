# Asks a program of the image: TREE PROGRAM ANSWER NAME [ARGUMENT ...]. It runs in TREE, read-only, called by NAME, as
# nobody and without privileges to gain; what it prints goes into ANSWER.
tree=$1 program=$2 answer=$3 name=$4
shift 4
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/nonexistent

root=${answer%/*}/root
mkdir "$root"
mount --bind "$tree" "$root"
mount -o remount,bind,ro,nosuid,nodev "$root"
mount -t tmpfs -o mode=0755,size=1m tmpfs "$root/run"
: > "$root/run/$name"
mount --bind "$program" "$root/run/$name"
mount -o remount,bind,ro,nosuid,nodev "$root/run/$name"
mount -o remount,ro,nosuid,nodev "$root/run"

ulimit -f 16384 # of 512 bytes: what it says ends somewhere
chroot --userspec=65534:65534 --groups= "$root" "/run/$name" "$@" > "$answer" < /dev/null
