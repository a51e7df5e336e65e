"""Clones by KubeVirt for people, and for programs (docs/vm-clones.schema.json)."""

from collections.abc import Iterable
from typing import Any

import orjson
from rich.console import Console

from stillpoint.cli.output.terminal import write_line, write_paragraph
from stillpoint.cli.output.vm_snapshots import findings
from stillpoint.model import item as it
from stillpoint.resources.vm_snapshots import virtual_machine_clone as fields
from stillpoint.vm_snapshots.cloning import ClonePlan, CloneState
from stillpoint.vm_snapshots.requested import Outcome

SCHEMA_VERSION = "1.0"

_COLOURS = {Outcome.COMPLETE: "green", Outcome.UNDER_WAY: "yellow", Outcome.FAILED: "red"}


def write_intention(plan: ClonePlan, output: Console) -> None:
    """Writes what a clone would make, and what speaks against it."""
    target = f"{it.namespace(plan.item)}/{fields.target(plan.item)}"
    source = fields.source(plan.item)
    write_line(output, (plan.title, "bold"), f": a new machine {target} from {source}")
    findings.write(plan.findings, output)
    findings.write_refusal(plan.title, plan.obstacles(), output)


def write(state: CloneState, output: Console) -> None:
    """Writes how a clone stands."""
    item = state.item
    outcome = (state.outcome, _COLOURS[state.outcome])
    target = f"{it.namespace(item)}/{fields.target(item)}"
    write_line(output, f"{state.title}: ", outcome, f", {target} from {fields.source(item)}")
    if state.outcome is not Outcome.COMPLETE:
        why = ", ".join(filter(None, (fields.phase(item), fields.trouble(item))))
        write_paragraph(output, why or "KubeVirt has said nothing yet", 4)


def object_text(plan: ClonePlan) -> str:
    """The VirtualMachineClone as JSON, which `oc apply -f -` takes."""
    return orjson.dumps(plan.item, option=orjson.OPT_INDENT_2).decode() + "\n"


def text(states: Iterable[CloneState], intended: Iterable[ClonePlan] = ()) -> str:
    """The document, indented, with a line end."""
    made = {
        "schemaVersion": SCHEMA_VERSION,
        "clones": [_clone(one) for one in states],
        "intended": [_intended(one) for one in intended],
    }
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n"


def _clone(state: CloneState) -> dict[str, Any]:
    return {
        "namespace": it.namespace(state.item),
        "name": it.name(state.item),
        "source": fields.source(state.item),
        "target": fields.target(state.item),
        "outcome": state.outcome,
        "phase": fields.phase(state.item),
        "why": "" if state.outcome is Outcome.COMPLETE else fields.trouble(state.item),
    }


def _intended(plan: ClonePlan) -> dict[str, Any]:
    return {
        "object": plan.item,
        "obstacles": list(plan.obstacles()),
        "reasons": findings.document(plan.findings),
    }
