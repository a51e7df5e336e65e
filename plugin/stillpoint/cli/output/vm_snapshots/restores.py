"""Restores from snapshots by KubeVirt for people, and for programs.

docs/vm-restores.schema.json describes the latter.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from rich.console import Console

from stillpoint.cli.output.terminal import write_line, write_paragraph
from stillpoint.cli.output.vm_snapshots import findings
from stillpoint.model import item as it
from stillpoint.resources.vm_snapshots import virtual_machine_restore as fields
from stillpoint.vm_snapshots import restore_reasons
from stillpoint.vm_snapshots.reasons import SnapshotFinding
from stillpoint.vm_snapshots.requested import Outcome
from stillpoint.vm_snapshots.restoring import RestorePlan, RestoreState

SCHEMA_VERSION = "1.0"

_COLOURS = {Outcome.COMPLETE: "green", Outcome.UNDER_WAY: "yellow", Outcome.FAILED: "red"}


def write_intention(
    plan: RestorePlan, found: Sequence[SnapshotFinding], refused: Sequence[str], output: Console
) -> None:
    """Writes what a restore would do, and what speaks against it."""
    disks = ", ".join(disk.volume for disk in plan.snapshot.disks) or "no disk"
    write_line(output, (plan.title, "bold"), f" from {plan.snapshot.title}: {disks}")
    namespace = it.namespace(plan.item)
    if plan.target is None:
        write_paragraph(output, f"a new machine {namespace}/{plan.target_name}, off", 4)
    else:
        text = f"{namespace}/{plan.target_name} as it was; what its disks hold now is lost"
        write_paragraph(output, text, 4)
    findings.write(found, output)
    findings.write_refusal(plan.title, refused, output)


def write(state: RestoreState, output: Console) -> None:
    """Writes how a restore stands, and what it has brought back."""
    item = state.item
    outcome = (state.outcome, _COLOURS[state.outcome])
    target = f"{it.namespace(item)}/{fields.target(item)}"
    write_line(output, f"{state.title}: ", outcome, f", {target} from {fields.snapshot(item)}")
    if state.outcome is not Outcome.COMPLETE and (why := fields.trouble(item)):
        write_paragraph(output, why, 4)
    for volume in fields.volumes(item):
        write_paragraph(output, f"{volume.volume} on claim {volume.claim}", 4)
    if deleted := fields.deleted_data_volumes(item):
        write_paragraph(output, f"deleted DataVolumes: {', '.join(deleted)}", 4)
    if state.outcome is Outcome.COMPLETE:
        start = f"virtctl start {fields.target(item)} -n {it.namespace(item)}"
        write_paragraph(output, f"to start it: {start}", 4)


def object_text(plan: RestorePlan) -> str:
    """The VirtualMachineRestore as JSON, which `oc apply -f -` takes."""
    return orjson.dumps(plan.item, option=orjson.OPT_INDENT_2).decode() + "\n"


def text(
    states: Iterable[RestoreState],
    intended: Iterable[tuple[RestorePlan, Sequence[str]]] = (),
) -> str:
    """The document, indented, with a line end.

    Args:
        intended: restores that were to be made, each with why it was not.
    """
    made = {
        "schemaVersion": SCHEMA_VERSION,
        "restores": [_restore(one) for one in states],
        "intended": [_intended(plan, refused) for plan, refused in intended],
    }
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n"


def _restore(state: RestoreState) -> dict[str, Any]:
    item, restored = state.item, fields.restored_at(state.item)
    return {
        "namespace": it.namespace(item),
        "name": it.name(item),
        "target": fields.target(item),
        "snapshot": fields.snapshot(item),
        "outcome": state.outcome,
        "why": "" if state.outcome is Outcome.COMPLETE else fields.trouble(item),
        "volumes": [
            {"volume": one.volume, "claim": one.claim, "dataVolume": one.data_volume}
            for one in fields.volumes(item)
        ],
        "deletedDataVolumes": list(fields.deleted_data_volumes(item)),
        "restoredAt": restored.isoformat() if restored else None,
    }


def _intended(plan: RestorePlan, refused: Sequence[str]) -> dict[str, Any]:
    return {
        "object": plan.item,
        "isNewMachine": plan.target is None,
        "obstacles": list(refused),
        "reasons": findings.document(restore_reasons.findings(plan)),
    }
