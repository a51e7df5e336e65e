#!/bin/sh
# init.sh FOLDER FIRST [PATH:KIND ...]: the first process of a lab guest, in its own mount and PID
# namespace; in the end it is FIRST: `sleep`, or `systemd` with a tree of control groups of its own.
# Its root is an overlay over this machine's, with its changes in memory; disks are loop devices in
# FOLDER. Nothing else that a freeze could reach stays visible.
set -eu
folder=$1
first=$2
shift 2
root=$folder/root
mount -t tmpfs -o size=2g lab "$folder/memory"
mkdir -p "$folder/memory/upper" "$folder/memory/work"
mount -t overlay -o "lowerdir=/,upperdir=$folder/memory/upper,workdir=$folder/memory/work" lab "$root"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
chmod 1777 "$root/tmp"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sys "$root/sys"
if [ "$first" = systemd ]; then  # it puts its own into /dev, and the other is this machine's
    mount -t tmpfs -o mode=755 dev "$root/dev"
    for node in null zero full random urandom tty; do cp -a "/dev/$node" "$root/dev/$node"; done
    ln -s /proc/self/fd "$root/dev/fd"
    mount -t cgroup2 group "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/${folder##*/}"
    echo $$ >"$root/sys/fs/cgroup/${folder##*/}/cgroup.procs"
    umount "$root/sys/fs/cgroup"
else
    mount -t devtmpfs dev "$root/dev"
    for console in ttyS0 ttyAMA0 hvc0; do  # this machine's
        if [ -e "$root/dev/$console" ]; then mount --bind /dev/null "$root/dev/$console"; fi
    done
fi
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
[ "$first" = systemd ] || exec sleep infinity
printf '[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\n' >/etc/systemd/system/lab.target
exec unshare --cgroup sh -c '
    mount -t cgroup2 group /sys/fs/cgroup
    exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --unit=lab.target --log-target=null --show-status=no
'
