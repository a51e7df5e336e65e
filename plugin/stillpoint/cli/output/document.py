"""The findings of a rehearsal for programs: docs/rehearse.schema.json describes them.

`schemaVersion` changes its first number when a field changes its meaning or goes.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from stillpoint.model.reference import Reference
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.velero_steps.restore import RestoredItem
from stillpoint.rehearsal.verdict.verdict import Finding
from stillpoint.rehearsal.verdict.window import Window

SCHEMA_VERSION = "1.1"

Json = dict[str, Any]


def text(found: Rehearsal) -> str:
    """The document, indented, with a line end."""
    return orjson.dumps(document(found), option=orjson.OPT_INDENT_2).decode() + "\n"


def document(found: Rehearsal) -> Json:
    """The document."""
    blocks = enumerate(found.backup.blocks)
    places = {one: place for place, block in blocks for one in block.items}
    return {
        "schemaVersion": SCHEMA_VERSION,
        "source": found.known.origin,
        "unread": [
            {
                "resource": one.resource,
                "cause": one.cause,
                "remedy": one.hint,
                "isServed": one.is_served,
            }
            for one in found.known.unread
        ],
        "machines": [_machine(machine, found, places) for machine in found.machines],
        "blocks": [[str(one) for one in block.items] for block in found.backup.blocks],
        "hooks": [str(one) for one in found.backup.hooks],
        "items": sorted(str(one) for one in found.backup.stored),
        "errors": sorted(
            {one.error for one in found.backup.items.values() if one.error}
            | {error for block in found.backup.blocks for error in block.errors}
        ),
        "restore": [_item(one) for one in found.restored],
    }


def _machine(machine: Machine, found: Rehearsal, places: Mapping[Reference, int]) -> Json:
    return {
        "kind": found.selection.served[machine.reference].kind,
        "namespace": machine.reference.namespace,
        "name": machine.reference.name,
        "state": machine.state,
        "verdict": machine.judged.verdict,
        "level": machine.judged.level,
        "disks": [
            {"claim": disk.name, "role": disk.role, "inSpecification": disk.is_lasting}
            for disk in machine.disks
        ],
        "frozenSeconds": _window(machine.window) if machine.window else None,
        "block": places.get(machine.reference),
        "items": [str(one) for one in machine.stored],
        "reasons": [_reason(finding) for finding in machine.judged.findings],
    }


def _window(window: Window) -> Json:
    return {
        "expected": window.expected,
        "byVelero": window.by_velero,
        "byPlugin": window.by_plugin,
    }


def _reason(finding: Finding) -> Json:
    return {
        "code": finding.code,
        "weight": finding.weight,
        "about": list(finding.about),
        "sentence": finding.sentence,
        "remedy": finding.remedy,
    }


def _item(one: RestoredItem) -> Json:
    return {
        "item": str(one.reference),
        "result": one.result,
        "why": one.why,
        "changed": list(one.changed),
        "renamed": one.renamed,
        "conflict": one.conflict,
    }
