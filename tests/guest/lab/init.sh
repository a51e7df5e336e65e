#!/bin/sh
# init.sh FOLDER [PATH:KIND ...]: the first process of a lab guest, in its own mount and PID namespace.
# Its root is an overlay over this machine's, with its changes in memory; disks are loop devices in
# FOLDER. Nothing else that a freeze could reach stays visible.
set -eu
folder=$1
shift
root=$folder/root
mount -t tmpfs -o size=2g lab "$folder/memory"
mkdir -p "$folder/memory/upper" "$folder/memory/work"
mount -t overlay -o "lowerdir=/,upperdir=$folder/memory/upper,workdir=$folder/memory/work" lab "$root"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
chmod 1777 "$root/tmp"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sys "$root/sys"
mount -t devtmpfs dev "$root/dev"
for disk; do
    path=${disk%:*}
    image=$folder/$(echo "$path" | tr / _).img
    mkdir -p "$root$path"
    case ${disk#*:} in
    ext4) truncate -s 300M "$image" && mkfs.ext4 -q "$image" ;;
    xfs) truncate -s 300M "$image" && mkfs.xfs -q "$image" ;;
    btrfs) truncate -s 120M "$image" && mkfs.btrfs -q "$image" >/dev/null ;;
    esac
    mount -o loop "$image" "$root$path"
done
mkdir -p "$root/run/old"
cd "$root"
pivot_root . run/old
umount -l /run/old
cd /
exec sleep infinity
