#!/bin/sh
# boot.sh ROOT DIR PACKAGES: a machine with systemd, whose disk is ROOT and has a folder of packages in /var/tmp. What it
# writes is in DIR, and gone with it. To be run in namespaces of its own: mount, pid, ipc, uts, cgroup.
set -e
mount --make-rprivate /
mount -t tmpfs box "$2"
mkdir "$2/up" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs cgroup sys/fs/cgroup
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
rm -f etc/machine-id
systemd-id128 new >etc/machine-id
mkdir old
cp -r "$3" var/tmp/packages
pivot_root . old
umount -l old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 /lib/systemd/systemd --system \
	--unit=basic.target --log-target=null --show-status=0
