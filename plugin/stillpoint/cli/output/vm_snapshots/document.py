"""Snapshots by KubeVirt for programs: docs/vm-snapshots.schema.json describes them.

`schemaVersion` changes its first number when a field changes its meaning or goes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from stillpoint.cli.output.vm_snapshots import findings
from stillpoint.model import item as it
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot as fields
from stillpoint.vm_snapshots.creation import Intended
from stillpoint.vm_snapshots.state import SnapshotState

SCHEMA_VERSION = "1.0"

Json = dict[str, Any]


def text(
    states: Iterable[SnapshotState],
    intended: Iterable[Intended] = (),
    obstacles: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The document, indented, with a line end.

    Args:
        intended: snapshots that were to be made.
        obstacles: why they were not, by their titles.
    """
    made = {
        "schemaVersion": SCHEMA_VERSION,
        "snapshots": [_snapshot(one) for one in states],
        "intended": [_intended(one, (obstacles or {}).get(one.title, ())) for one in intended],
    }
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n"


def _snapshot(state: SnapshotState) -> Json:
    item = state.item
    return {
        "namespace": it.namespace(item),
        "name": it.name(item),
        "machine": fields.machine(item),
        "standing": state.standing,
        "phase": state.phase,
        "readyToUse": fields.is_ready(item),
        "level": state.level,
        "proof": state.proof,
        "why": state.why(),
        "indications": [
            {"indication": word, "message": sentence} for word, sentence in state.indications
        ],
        "includedVolumes": _volumes(state, fields.included(item)),
        "excludedVolumes": _volumes(state, fields.excluded(item)),
        "leftOut": list(state.left_out),
        "disks": [
            {
                "volume": disk.volume,
                "claim": disk.claim,
                "volumeSnapshot": disk.snapshot,
                "ready": disk.is_ready,
                "error": disk.error,
            }
            for disk in state.disks
        ],
        "content": fields.content(item),
        "retainsContent": fields.retains_content(item),
        "sizeBytes": state.size_bytes,
        "takenAt": _time(state.taken_at),
        "deadline": fields.deadline(item),
        "error": fields.error(item),
    }


def _volumes(state: SnapshotState, names: Sequence[str]) -> list[str] | None:
    """None as long as KubeVirt has not said which volumes are in the snapshot."""
    return list(names) if fields.has_volumes(state.item) else None


def _intended(one: Intended, obstacles: Sequence[str]) -> Json:
    return {
        "object": one.item,
        "expectedLevel": one.expected,
        "obstacles": list(obstacles),
        "disks": [
            {"volume": disk.volume, "claim": disk.claim, "outlook": disk.outlook}
            for disk in one.plan.disks
        ],
        "reasons": findings.document(one.findings),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
