"""The report on a backup for programs: docs/report.schema.json describes the JSON.

`schemaVersion` changes its first number when a field changes its meaning or goes.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from stillpoint.cli.output.backup_report.words import frozen_s
from stillpoint.cli.output.verification_document import verification_document
from stillpoint.evidence.document import Event, Span, Statement
from stillpoint.report.model import Backup, Disk, Machine, Problem, Report

SCHEMA_VERSION = "1.1"

Json = dict[str, Any]


def text(reports: Sequence[Report]) -> str:
    """The document, indented, with a line end."""
    return orjson.dumps(document(reports), option=orjson.OPT_INDENT_2).decode() + "\n"


def document(reports: Sequence[Report]) -> Json:
    """The document."""
    return {"schemaVersion": SCHEMA_VERSION, "reports": [_report(one) for one in reports]}


def _report(report: Report) -> Json:
    return {
        "backup": _backup(report.backup),
        "readAt": _time(report.read_at),
        "verdict": report.verdict,
        "problems": [_problem(one) for one in report.problems],
        "machines": [_machine(one) for one in report.machines],
    }


def _backup(backup: Backup) -> Json:
    return {
        "origin": backup.origin,
        "namespace": backup.namespace,
        "name": backup.name,
        "uid": backup.uid,
        "phase": backup.phase,
        "failure": backup.failure,
        "started": _time(backup.started),
        "completed": _time(backup.completed),
        "expires": _time(backup.expires),
        "errors": backup.errors,
        "warnings": backup.warnings,
        "hooksAttempted": backup.hooks_attempted,
        "hooksFailed": backup.hooks_failed,
        "hasEvidence": backup.has_evidence,
    }


def _machine(machine: Machine) -> Json:
    return {
        "kind": machine.kind,
        "namespace": machine.namespace,
        "name": machine.name,
        "verdict": machine.verdict,
        "level": machine.level,
        "demanded": machine.demanded,
        "expected": machine.expected,
        "isRestorable": machine.is_restorable,
        "whyNot": list(machine.why_not),
        "frozen": _span(machine.frozen) if machine.frozen else None,
        "frozenSeconds": frozen_s(machine),
        "spreadSeconds": machine.spread_s,
        "verification": verification_document(machine.verification),
        "disks": [_disk(one) for one in machine.disks],
        "problems": [_problem(one) for one in machine.problems],
        "events": [_event(one) for one in machine.events],
    }


def _disk(disk: Disk) -> Json:
    evidence = disk.evidence
    return {
        "name": disk.name,
        "claim": disk.claim,
        "method": disk.method,
        "level": disk.level,
        "sizeBytes": disk.size_bytes,
        "handle": disk.handle,
        "driver": disk.driver,
        "sharedWith": list(disk.shared_with),
        "cut": _span(disk.cut),
        "record": evidence.record if evidence else "",
        "applications": list(evidence.applications) if evidence else [],
        "proofs": _statements(evidence.proofs if evidence else ()),
        "missing": _statements(evidence.missing if evidence else ()),
    }


def _problem(problem: Problem) -> Json:
    return {
        "code": problem.code,
        "weight": problem.weight,
        "isOfRestore": problem.is_of_restore,
        "about": list(problem.about),
        "sentence": problem.sentence,
        "remedy": problem.remedy,
    }


def _statements(statements: Iterable[Statement]) -> list[Json]:
    return [{"code": one.code, "says": one.says, "at": _time(one.at)} for one in statements]


def _event(event: Event) -> Json:
    return {"at": _time(event.at), "clock": event.clock, "what": event.what, "says": event.says}


def _span(span: Span) -> Json:
    return {"from": _time(span.start), "until": _time(span.end)}


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
