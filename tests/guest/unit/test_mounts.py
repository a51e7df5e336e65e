import os
from typing import List

from guest_hooks import mounts
from tests.guest.unit.folders import FolderCase

MOUNTINFO = """\
22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /run rw - tmpfs tmpfs rw
30 22 0:40 / /mnt/nfs rw - nfs4 server:/export rw
31 22 7:0 / /data/with\\040space rw - xfs /dev/loop0 rw
32 22 0:45 / /sub rw - btrfs /dev/vdb rw
33 22 254:1 /srv /bind rw - ext4 /dev/vda1 rw
34 22 254:16 / /boot ro - vfat /dev/vdc ro
"""


class Mounts(FolderCase):
    def found(self, text: str = MOUNTINFO) -> "List[mounts.Mount]":
        return list(mounts.mounts(self.write("mountinfo", text)))

    def test_disks_and_btrfs_are_frozen_newest_mount_first_and_each_once(self) -> None:
        paths = [mount.path for mount in mounts.filesystems(self.found())]
        self.assertEqual(paths, ["/boot", "/bind", "/sub", "/data/with space"])

    def test_a_network_filesystem_is_never_touched(self) -> None:
        """Hazard 13: `sync` would hang on a server that is gone."""
        paths = [mount.path for mount in mounts.filesystems(self.found())]
        self.assertNotIn("/mnt/nfs", paths)

    def deadlocks(self, order: "List[str]") -> "List[str]":
        device = os.stat(self.folder).st_dev
        outer = "%d:%d" % (os.major(device), os.minor(device))
        backing = self.write("inner.img", "")
        self.write("sys/dev/block/7:9/loop/backing_file", backing + "\n")
        lines = {
            "outer": "1 1 8:1 / /outer rw - ext4 /dev/sda1 rw\n",
            "inner": "2 1 7:9 / /inner rw - ext4 /dev/loop9 rw\n",
            "bind": "3 1 8:1 / /bind rw - ext4 /dev/sda1 rw\n",
        }
        text = "".join(lines[name] for name in order)
        found = [
            mount._replace(device=outer) if mount.device == "8:1" else mount
            for mount in self.found(text)
        ]
        if outer.startswith("0:"):  # the test's own folder is in memory: let it pass for a disk
            found = [
                mount._replace(kind="btrfs") if mount.device == outer else mount for mount in found
            ]
        return list(mounts.deadlocks(found, self.path("sys")))

    def test_a_disk_in_a_file_is_frozen_before_the_disk_with_the_file(self) -> None:
        self.assertEqual(self.deadlocks(["outer", "inner"]), [])

    def test_a_later_bind_mount_of_the_outer_disk_is_a_deadlock(self) -> None:
        told = self.deadlocks(["outer", "inner", "bind"])
        self.assertEqual(len(told), 1)
        self.assertIn("/inner is in the file", told[0])
        self.assertIn("frozen first, at /bind", told[0])


class Holding(FolderCase):
    def test_it_is_the_innermost_mount_and_of_two_the_newer(self) -> None:
        found = [
            mounts.Mount("8:1", "/", "ext4", "/dev/sda1", False),
            mounts.Mount("0:5", "/data", "tmpfs", "data", False),
            mounts.Mount("8:2", "/data", "xfs", "/dev/sdb", False),
            mounts.Mount("8:3", "/data/other", "xfs", "/dev/sdc", False),
        ]
        for path, device in (("/data/run", "8:2"), ("/data", "8:2"), ("/database", "8:1")):
            self.assertEqual(mounts.holding(path, found).device, device)
