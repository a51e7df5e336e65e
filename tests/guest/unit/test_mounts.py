import os
import threading
from typing import List, Optional, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Report
from stillpoint_guest.filesystems import mounts
from stillpoint_guest.filesystems.backing import deadlocks
from stillpoint_guest.filesystems.mounts import Table
from stillpoint_guest.filesystems.reach import Reach

from tests.guest.unit.folders import FolderCase

MOUNTINFO = b"""\
22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:22 / /run rw - tmpfs tmpfs rw
30 22 0:40 / /mnt/nfs rw - nfs4 server:/export rw
31 22 7:0 / /data/with\\040space rw shared:7 - xfs /dev/loop0 rw
32 22 0:45 / /sub rw - btrfs /dev/not-there rw
33 22 254:1 /srv /bind rw - ext4 /dev/vda1 rw
34 22 254:16 / /boot ro - vfat /dev/vdc ro
35 34 254:17 / /boot/efi rw - vfat /dev/vdd rw
36 22 7:2 / /snap/core ro - squashfs /dev/loop2 ro
"""


def paths(found: "List[mounts.Mount]") -> "List[str]":
    return [mount.path for mount in found]


class Mounts(FolderCase):
    def test_each_filesystem_is_opened_once_the_newest_mount_first(self) -> None:
        found = paths(list(mounts.parse(MOUNTINFO).freeze_order()))
        expected = ["/snap/core", "/boot/efi", "/boot", "/bind", "/data/with space"]
        self.assertEqual(found, expected)

    def test_what_cannot_be_frozen_or_written_to_holds_nobody(self) -> None:
        found = paths(list(mounts.parse(MOUNTINFO).with_writers()))
        self.assertEqual(found, ["/bind", "/data/with space"])

    def test_a_network_filesystem_is_never_touched(self) -> None:
        """Hazard 13: `sync` would hang on a server that is gone."""
        table = mounts.parse(MOUNTINFO)
        self.assertNotIn("/mnt/nfs", paths(list(table.with_writers())))
        holding = table.holding("/mnt/nfs/data")
        self.assertTrue(holding and not holding.is_in_kernel)

    def test_a_filesystem_whose_mounts_are_covered_is_not_frozen(self) -> None:
        covered = MOUNTINFO + b"40 31 0:60 / /data/with\\040space rw - tmpfs over rw\n"
        self.assertEqual(paths(list(mounts.parse(covered).with_writers())), ["/bind"])

    def test_an_odd_mount_is_read_as_the_kernel_wrote_it(self) -> None:
        for odd in (
            b"50 22 0:70 / /odd rw - tmpfs  rw",  # without a source
            b"50 22 0:70 / /odd\x0b\x1f\xc2\x85\xe2\x80\xa8 rw - fuse.x x\r rw",  # no separators
            b"50 22 0:70 / /odd\xff\xfe rw - fuse - rw",
            b"50 22 0:70 mnt:[4026532] /odd rw,a=- shared:1 master:2 - nsfs nsfs rw",
            b"50 22 0:70 / /odd\\134\\011\\012\\043 rw - tmpfs # rw",
            b"50 22 0:70 / /odd\\777\\0 rw - tmpfs x rw",
        ):
            table = mounts.parse(MOUNTINFO + odd + b"\n")
            self.assertEqual(list(table.unread), [], odd)
            self.assertTrue(table.mounts[-1].path.startswith("/odd"), odd)
        self.assertEqual(table.mounts[-1].path, "/odd\\777\\0")

    def test_a_line_that_makes_no_sense_is_one_warning(self) -> None:
        for odd in (
            b"50",
            b"x 22 0:70 / /odd rw - tmpfs x rw",
            b"50 22 0:70 / odd rw - tmpfs x rw",
        ):
            table = mounts.parse(MOUNTINFO + odd + b"\n")
            self.assertEqual(len(table.unread), 1)
            self.assertEqual(len(table.mounts), MOUNTINFO.count(b"\n"))


class Deadlocks(FolderCase):
    LINES = {
        "root": b"1 0 8:9 / / rw - ext4 /dev/sda9 rw\n",
        "outer": b"2 1 8:1 / /outer rw - ext4 /dev/sda1 rw\n",
        "inner": b"3 1 7:9 / /inner rw - ext4 /dev/loop9 rw\n",
        "read-only": b"3 1 7:9 / /inner ro - ext4 /dev/loop9 ro\n",
        "squashfs": b"3 1 7:9 / /inner ro - squashfs /dev/loop9 ro\n",
        "fat": b"3 1 7:9 / /inner rw - vfat /dev/loop9 rw\n",
        "upper": b"3 1 253:0 / /inner rw - xfs /dev/mapper/it rw\n",
        "bind": b"4 1 8:1 / /bind rw - ext4 /dev/sda1 rw\n",
        "cover": b"5 2 0:50 / /outer rw - tmpfs x rw\n",
        "share": b"2 1 0:51 / /outer rw - nfs4 x:/ rw\n",
        "overlay": b"2 1 0:52 / /outer rw - overlay o rw,upperdir=/bind/up,workdir=/bind/w\n",
        "middle": b"6 1 7:8 / /middle rw - xfs /dev/loop8 rw\n",
    }

    def found(self, *order: str) -> "List[str]":
        table = mounts.parse(b"".join(self.LINES[name] for name in order))
        return list(deadlocks(table, table.with_writers(), self.path("sys")))

    def setUp(self) -> None:
        super().setUp()
        self.write("sys/dev/block/7:9/loop/backing_file", "/outer/inner.img\n")
        self.write("sys/dev/block/253:0/slaves/7:9/loop/backing_file", "/outer/inner.img\n")

    def test_a_disk_in_a_file_is_frozen_before_the_disk_with_the_file(self) -> None:
        self.assertEqual(self.found("root", "outer", "inner"), [])

    def test_a_later_bind_mount_of_the_outer_disk_is_a_deadlock(self) -> None:
        told = self.found("root", "outer", "inner", "bind")
        self.assertEqual(len(told), 1)
        self.assertIn("/inner is in the file /outer/inner.img", told[0])
        self.assertIn("frozen first, at /bind", told[0])

    def test_so_it_is_through_device_mapper_and_an_overlay(self) -> None:
        self.assertEqual(len(self.found("root", "outer", "upper", "bind")), 1)
        self.assertEqual(len(self.found("root", "overlay", "inner", "bind")), 1)

    def test_so_it_is_through_a_disk_in_between(self) -> None:
        self.write("sys/dev/block/7:9/loop/backing_file", "/middle/inner.img\n")
        self.write("sys/dev/block/7:8/loop/backing_file", "/outer/middle.img\n")
        told = self.found("root", "outer", "middle", "inner", "bind")
        self.assertEqual(len(told), 2)
        self.assertIn("/middle is in the file /outer/middle.img", told[1])

    def test_what_a_freeze_writes_nothing_of_is_no_danger(self) -> None:
        for harmless in ("read-only", "squashfs", "fat"):
            self.assertEqual(self.found("root", "outer", harmless, "bind"), [], harmless)

    def test_a_file_on_a_share_or_in_memory_is_no_danger(self) -> None:
        self.assertEqual(self.found("root", "share", "inner", "bind"), [])
        self.assertEqual(self.found("root", "outer", "inner", "bind", "cover"), [])


class CountingTable(Table):
    """A table that knows for which paths it was asked."""

    def __init__(self, mounts: "Sequence[mounts.Mount]") -> None:
        super().__init__(mounts)
        self.asked: List[str] = []

    def entered(self, path: str, folder: "Optional[mounts.Mount]") -> "Optional[mounts.Mount]":
        self.asked.append(path)
        return super().entered(path, folder)


class Judging(FolderCase):
    """What a server says of its folders is somebody else's word."""

    TABLE = mounts.parse(MOUNTINFO)

    def judge(self, *folders: str, table: Table = TABLE, most_s: float = 20) -> Report:
        report = Report("paused", guarantees=("every write",), folders=folders)
        held = Reach(table, list(table.with_writers()))
        return held.judge(report, 0, Deadline.after(most_s))

    def test_a_folder_on_a_share_lowers_the_level(self) -> None:
        self.assertEqual(self.judge("/data/with space/db").level, APPLICATION)
        judged = self.judge("/data/with space/db", "/mnt/nfs/wal")
        self.assertEqual((judged.level, judged.guarantees), (CRASH, ()))
        self.assertIn("/mnt/nfs/wal is on /mnt/nfs (nfs4)", judged.warnings[0])

    def test_as_many_folders_as_a_large_server_has_are_looked_at(self) -> None:
        folders = ["/data/with space/main/pg_tblspc/%d" % one for one in range(1024)]
        self.assertEqual(self.judge(*folders).level, APPLICATION)

    def test_more_than_any_server_has_is_not_looked_at(self) -> None:
        for folders in (["/data/with space/%d" % one for one in range(1025)], ["/a/.." * 1000]):
            judged = self.judge(*folders)
            self.assertEqual(judged.level, CRASH)
            self.assertIn("is too much to find out", judged.warnings[0])

    def test_paths_and_links_have_a_bound_on_all_their_parts(self) -> None:
        link = self.path("link")
        os.symlink("./" * 1000, link)
        for folders in (["/a" * 2000] * 9, [link] * 20):
            judged = self.judge(*folders)
            self.assertEqual((judged.level, judged.guarantees), (CRASH, ()))
            [warning] = judged.warnings
            self.assertIn("could not be found out: their paths have too many parts", warning)

    def test_a_path_of_many_parts_is_looked_up_part_by_part(self) -> None:
        table = CountingTable(self.TABLE.mounts)
        self.judge("/a" * 2000, table=table)
        self.assertLess(len(table.asked), 5000)

    def test_nothing_is_looked_up_when_the_time_is_over(self) -> None:
        table = CountingTable(self.TABLE.mounts)
        before = threading.enumerate()
        judged = self.judge("/data/with space/db", table=table, most_s=0)
        for thread in set(threading.enumerate()).difference(before):
            thread.join(20)
        self.assertEqual(judged.level, CRASH)
        self.assertNotIn("/data/with space/db", table.asked)


class Holding(FolderCase):
    def table(self) -> Table:
        return mounts.parse(
            b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
            b"2 1 0:5 / /data rw - tmpfs data rw\n"
            b"3 2 8:2 / /data rw - xfs /dev/sdb rw\n"
            b"4 3 8:3 / /data/other rw - xfs /dev/sdc rw\n"
            b"5 3 8:4 / /data/a/deep rw - xfs /dev/sdd rw\n"
            b"6 3 0:6 / /data/a rw - tmpfs over rw\n"
        )

    def test_it_is_the_innermost_mount_and_of_two_the_newer(self) -> None:
        for path, device in (
            ("/data/run", "8:2"),
            ("/data", "8:2"),
            ("/database", "8:1"),
            ("/data/other", "8:3"),
            ("/data/other/", "8:3"),
            ("/data/others", "8:2"),
            ("/", "8:1"),
        ):
            holding = self.table().holding(path)
            self.assertTrue(holding and holding.device == device, path)

    def test_a_mount_below_one_that_was_covered_later_is_not_seen(self) -> None:
        holding = self.table().holding("/data/a/deep")
        self.assertTrue(holding and holding.kind == "tmpfs")

    def test_in_a_chroot_it_may_be_none(self) -> None:
        table = mounts.parse(b"4 3 8:3 / /data/other rw - xfs /dev/sdc rw\n")
        self.assertIsNone(table.holding("/data"))
        self.assertIsNotNone(table.holding("/data/other/x"))
