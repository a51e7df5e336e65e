import functools
import os
import subprocess
import tempfile
import unittest

from stillpoint_guest.discovery import service
from stillpoint_guest.processes.accounts import Names
from stillpoint_guest.processes.process_table import Process

from tests.guest.unit.others import AS_ROOT, DAEMON, NOBODY, other


class WhereAProcessBelongs(unittest.TestCase):
    def test_to_a_unit_of_the_system(self) -> None:
        for groups, unit in (
            (["/system.slice/redis.service"], "redis.service"),
            (["/system.slice/system-postgresql.slice/postgresql@15-main.service"], ""),
            (["/", "/system.slice/mariadb.service"], "mariadb.service"),
            (["/databases.slice/etcd.service"], "etcd.service"),
            (["/system.slice/shop.service/workers"], "shop.service"),
        ):
            with self.subTest(groups):
                self.assertEqual(service.unit_of(groups), unit or "postgresql@15-main.service")

    def test_to_a_session_a_container_or_somebodys_own_systemd(self) -> None:
        for group in (
            "/user.slice/user-1000.slice/session-3.scope",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/db.service",
            "/user.slice/user-0.slice/user@0.service/app.slice/x.service",
            "/system.slice/docker-0123456789ab.scope",
            "/machine.slice/libpod-0123456789ab.scope/container",
            "/machine.slice/machine-guest.scope/system.slice/redis.service",
            "/docker/0123456789ab",
            "/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope",
            "/kubepods/besteffort/pod1/0123456789ab",
            "/system.slice/containerd.service/kubepods/pod1",
            "/init.scope",
        ):
            with self.subTest(group):
                self.assertEqual(service.unit_of([group]), "")
        session = "/user.slice/user-1000.slice/session-3.scope"
        self.assertEqual(service.unit_of(["/system.slice/a.service", session]), "")

    def test_nobody_tells_without_systemd_or_in_a_container(self) -> None:
        for groups in ([], ["/"], ["/", "/../.."]):
            self.assertIsNone(service.unit_of(groups))


@AS_ROOT
class AStranger(unittest.TestCase):
    def cause(self, process: int) -> str:
        found = service.standing(Process(process, "redis-server", ""), service.Units(Names()))
        return found.cause if found else ""

    def test_is_nobody(self) -> None:
        with other(NOBODY, int) as process:
            self.assertIn("runs as nobody", self.cause(process))

    def test_is_who_has_the_rights_of_another_as_a_setuid_program(self) -> None:
        def become_root_as_su() -> None:
            os.setresuid(NOBODY, 0, 0)

        with other(0, become_root_as_su) as process:
            self.assertIn("rights of several users", self.cause(process))

    def test_has_no_executable_of_roots(self) -> None:
        process = Process(os.getpid(), "redis-server", "")
        found = service.belongings(process)
        self.assertIn("executable that we may not see", found.cause if found else "")

    def test_is_who_works_in_a_folder_of_somebody_else(self) -> None:
        """Neither a service in nobody's, nor root; in root's or its own it is none."""
        for user, owner, is_strange in (
            (DAEMON, NOBODY, True),
            (DAEMON, DAEMON, False),
            (DAEMON, 0, False),
            (0, NOBODY, True),
            (0, 0, False),
        ):
            folder = tempfile.mkdtemp(prefix="stillpoint-unit-")
            self.addCleanup(os.rmdir, folder)
            os.chown(folder, owner, -1)
            become = functools.partial(os.setresuid, user, user, user)
            sleeper = subprocess.Popen(("/bin/sleep", "60"), cwd=folder, preexec_fn=become)  # noqa: PLW1509
            try:
                executable = os.readlink("/proc/%d/exe" % sleeper.pid)
                found = service.belongings(Process(sleeper.pid, "redis-server", executable))
            finally:
                sleeper.kill()
                sleeper.wait()
            cause = found.cause if found else ""
            self.assertEqual("folder" in cause, is_strange, (user, owner, cause))


if __name__ == "__main__":
    unittest.main()
