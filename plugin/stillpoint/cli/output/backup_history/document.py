"""Backups of machines, and machines without one, for programs: docs/history.schema.json.

`schemaVersion` changes its first number when a field changes its meaning or goes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from stillpoint.cli.output.verification_document import verification_document
from stillpoint.model.level import Level
from stillpoint.report.history import Coverage, MachineBackup

SCHEMA_VERSION = "1.1"

Json = dict[str, Any]


def copies_text(copies: Sequence[MachineBackup], unread: Sequence[str]) -> str:
    """The document of `stillpoint history`.

    Args:
        unread: names of backups that could not be read.
    """
    return _text({"backups": [_copy(one) for one in copies], "unread": list(unread)})


def coverage_text(
    covered: Sequence[Coverage], wanted: Level, since: datetime, unread: Sequence[str]
) -> str:
    """The document of `stillpoint coverage`."""
    machines = [
        {
            "namespace": one.name[0],
            "name": one.name[1],
            "covered": one.good is not None,
            "backup": _copy(one.good) if one.good else None,
            "whyNot": one.why_not,
        }
        for one in covered
    ]
    demand = {"level": wanted, "since": _time(since)}
    return _text({"demand": demand, "machines": machines, "unread": list(unread)})


def _text(document: Json) -> str:
    made = {"schemaVersion": SCHEMA_VERSION, **document}
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n"


def _copy(copy: MachineBackup) -> Json:
    backup, machine = copy.backup, copy.machine
    return {
        "namespace": machine.namespace,
        "name": machine.name,
        "backup": copy.title,
        "started": _time(backup.started),
        "expires": _time(backup.expires),
        "level": machine.level,
        "restorable": copy.is_restorable,
        "whyNot": copy.wants,
        "verification": verification_document(machine.verification),
        "command": copy.command,
    }


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
