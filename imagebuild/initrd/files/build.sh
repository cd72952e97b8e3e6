# Builds an initrd: TREE OUT KERNEL EPOCH DRIVERS CABUNDLE, what to add to the tree as a tar on stdin.
tree=$1 out=$2 kernel=$3 drivers=$5
export SOURCE_DATE_EPOCH=$4 ca_bundle=$6 PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
umask 022

mkdir "$out/work"
mkdir "$out/work/upper" "$out/work/overlay" "$out/work/root"
mount -t overlay overlay -o "userxattr,lowerdir=$tree,upperdir=$out/work/upper,workdir=$out/work/overlay" "$out/work/root"
cd "$out/work/root"
tar -x --no-overwrite-dir
mount -t proc proc proc
mount --rbind /dev dev
for d in run tmp var/tmp; do mkdir -p "$d"; mount -t tmpfs tmpfs "$d"; done
mkdir -p root home

chroot . dracut --quiet --no-hostonly --reproducible --no-early-microcode --zstd --kver "$kernel" \
    --modules "slipway kernel-modules" --drivers "$drivers" /run/initrd.img
cp run/initrd.img "$out/initrd.img"
