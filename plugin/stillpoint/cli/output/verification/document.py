"""A verification for programs: docs/verify.schema.json describes it.

`schemaVersion` changes its first number when a field changes its meaning or goes.
"""

from datetime import UTC, datetime
from typing import Any

import orjson

from stillpoint.cli.output.verification import words
from stillpoint.verification.model import Result, Run

SCHEMA_VERSION = "1.0"

Json = dict[str, Any]


def text(run: Run) -> str:
    """The document, indented, with a line end."""
    return orjson.dumps(document(run), option=orjson.OPT_INDENT_2).decode() + "\n"


def document(run: Run) -> Json:
    """The document; contradictions come first."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "outcome": run.outcome,
        "run": run.id,
        "backup": {"namespace": run.namespace, "name": run.backup, "machines": run.machines},
        "network": run.network,
        "seed": run.seed,
        "started": _time(run.started),
        "ended": _time(run.ended),
        "machines": [_machine(one) for one in words.ordered(run)],
        "left": list(words.left(run)),
    }


def _machine(one: Result) -> Json:
    return {
        "namespace": one.namespace,
        "name": one.name,
        "cameBack": one.came_back,
        "expected": one.expected,
        "agreement": one.agreement,
        "level": one.level,
        "isAsExpected": one.verification.is_good,
        "at": _time(one.at),
        "seconds": round(one.took_s, 3),
        "contradictions": list(one.contradictions),
        "proofs": list(one.proofs),
        "missing": list(one.missing),
        "notes": list(one.observed.notes),
        "left": list(one.observed.left),
        "steps": [
            {"code": step.code, "seconds": step.seconds, "says": step.says}
            for step in one.observed.steps
        ],
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
