"""MySQL.

From 8.0 on, if every table is InnoDB's, a lock of definitions is enough (`LOCK INSTANCE FOR
BACKUP`): commits go on until the disk freezes, and a copy starts as after a power failure, with all
of them. Else `FLUSH TABLES WITH READ LOCK`, which waits for the longest statement and lets
everybody wait behind, so the lock is not tried behind a long statement.
"""

from typing import Dict, Optional, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.drivers.mysql_family.answers import State
from stillpoint_guest.drivers.mysql_family.server import (
    GLOBAL_READ_LOCK,
    Lock,
    MySQLServer,
    is_mariadb,
)
from stillpoint_guest.errors import CommandFailed
from stillpoint_guest.options.found import Found
from stillpoint_guest.processes.process_table import Process

_INSTANCE = Lock(
    method="instance",
    statements=("LOCK INSTANCE FOR BACKUP;",),
    release="UNLOCK INSTANCE;",
    waits_for_reads=False,
    stops_every_engine=False,
)
_HAS_INSTANCE_LOCK = (8, 0)
_HAS_NO_MASTER = (8, 2)  # SHOW BINARY LOG STATUS instead; 8.4 has the old name no more


class MySQL(MySQLServer):
    """A server process of MySQL."""

    KIND = "mysql"
    PROGRAMS = ("mysqld", "mysqld-debug", "mysqld.bin")
    METHODS = ("auto", "instance", "ftwrl")
    CLIENTS = ("mysql", "mariadb")

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """Detects a server by its socket."""
        return None if is_mariadb(process) else super().detect(process)

    def lock_for(self, state: State) -> Lock:
        """The instance's, where that is enough."""
        is_enough = state.version >= _HAS_INSTANCE_LOCK and self.engines == []
        if self.section.method == "instance" and not is_enough:
            engines = ", ".join(one.name for one in self.engines or ()) or "unknown"
            cause = f"version {state.version_text}, and tables of the engines {engines}"
            raise CommandFailed(self.section.name, "rely on InnoDB alone", cause, "method = ftwrl")
        return _INSTANCE if is_enough and self.section.method != "ftwrl" else GLOBAL_READ_LOCK

    def position(self, deadline: Deadline) -> Dict[str, str]:
        """Its binary log's, and its GTIDs'."""
        position = {"gtid": "".join(self.ask("SELECT @@GLOBAL.gtid_executed;", deadline))}
        version = self.state.version if self.state else (0, 0)
        name = "BINARY LOG" if version >= _HAS_NO_MASTER else "MASTER"
        for line in self.ask(f"SHOW {name} STATUS;", deadline):
            position["binary_log"] = ":".join(line.split("\t")[:2])
        return position

    def losses(self, deadline: Deadline) -> Sequence[str]:
        """As of both servers, and everything if the redo log is off."""
        found = list(super().losses(deadline))
        answer = self.ask("SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_enabled';", deadline)
        if any(line.endswith("\tOFF") for line in answer):
            found.append("InnoDB's redo log is disabled, so that a copy need not start at all")
        return found
