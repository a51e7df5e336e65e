"""MariaDB.

From 10.4 on `BACKUP STAGE` stops commits, changes of definitions and of tables that are not
InnoDB's, and lets reads go on. Before, `FLUSH TABLES WITH READ LOCK` does, behind which reads wait
too until the lock is granted.
"""

from typing import Dict, Optional

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

_STAGES = ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT")
_BACKUP_STAGE = Lock(
    method="stage",
    statements=tuple(f"BACKUP STAGE {stage};" for stage in _STAGES),
    release="BACKUP STAGE END;",
    waits_for_reads=False,
    stops_every_engine=True,
)
_HAS_STAGES = (10, 4)


class MariaDB(MySQLServer):
    """A server process of MariaDB."""

    KIND = "mariadb"
    PROGRAMS = ("mariadbd", "mysqld", "mariadbd.bin", "mysqld.bin")
    METHODS = ("auto", "stage", "ftwrl")
    CLIENTS = ("mariadb", "mysql")
    HAS_OWN_ACCOUNT = True

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """Detects a server by its socket."""
        return super().detect(process) if is_mariadb(process) else None

    def lock_for(self, state: State) -> Lock:
        """`BACKUP STAGE`, where supported."""
        has_stages = state.version >= _HAS_STAGES
        if self.section.method == "stage" and not has_stages:
            cause = f"version {state.version_text} has none"
            raise CommandFailed(self.section.name, "BACKUP STAGE", cause, "method = ftwrl")
        return _BACKUP_STAGE if has_stages and self.section.method != "ftwrl" else GLOBAL_READ_LOCK

    def position(self, deadline: Deadline) -> Dict[str, str]:
        """Its binary log's, and its GTIDs'."""
        position = {"gtid": "".join(self.ask("SELECT @@GLOBAL.gtid_current_pos;", deadline))}
        for line in self.ask("SHOW MASTER STATUS;", deadline):
            position["binary_log"] = ":".join(line.split("\t")[:2])
        return position
