"""The findings of a rehearsal as a person reads them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from plugin.cli import table
from plugin.cli.table import Cell, Column
from plugin.cli.terminal import Terminal
from plugin.model.reference import Reference
from plugin.rehearsal.machines import Cut, Machine
from plugin.rehearsal.manifests import Manifests
from plugin.rehearsal.rehearsal import Rehearsal
from plugin.rehearsal.restore import RestoreResult

_COLUMNS = (
    Column("VM"),
    Column("STATE"),
    Column("DISKS"),
    Column("ITEM BLOCK", wraps=True),
    Column("CUT"),
    Column("BACKUP"),
    Column("RESTORE CREATES", wraps=True),
)
_WORDS = {
    "virtualmachines": "VM",
    "virtualmachineinstances": "VMI",
    "datavolumes": "DataVolume",
    "persistentvolumeclaims": "PVC",
    "secrets": "Secret",
    "configmaps": "ConfigMap",
    "serviceaccounts": "ServiceAccount",
    "controllerrevisions": "revision",
    "pods": "pod",
    "persistentvolumes": "PV",
}
_ALONE = ("virtualmachines", "virtualmachineinstances")  # there is one of each, so no number
_COLOURS = {Cut.FROZEN: "green", Cut.CRASH: "yellow", Cut.MIXED: "red", Cut.UNKNOWN: "yellow"}
_MEANINGS = {
    Cut.FROZEN: "the guest agent is connected and a hook asks it to freeze: all disks of the block "
    "are cut in that one freeze. That it did freeze, only a real backup can tell.",
    Cut.CRASH: "nothing freezes the guest: its disks are cut as a power failure would leave them.",
    Cut.MIXED: "a disk is cut outside of the freeze of the others.",
    Cut.PAUSED: "the guest stands still, but what it held in memory is not on its disks.",
    Cut.STOPPED: "nothing runs, so nothing needs to be frozen.",
    Cut.UNKNOWN: "the manifests do not tell.",
}
_REMEDIES = {
    "no guest agent": "install and start qemu-guest-agent in the guest",
    "no freeze hook on a launcher pod": "look for kubevirt.io/skip-backup-hooks",
}


def write(found: Rehearsal, read: Manifests, folder: Path, terminal: Terminal) -> None:
    """Write heading, table, errors and what they mean."""
    _write_heading(found, read, folder, terminal)
    rows = [_row(machine) for machine in found.machines]
    for line in table.lines(_COLUMNS, rows, terminal.width, terminal.paint):
        terminal.write(line + "\n")
    terminal.write("\n")
    _write_errors(found.machines, terminal)
    _write_meanings(found.machines, terminal)
    _write_next(terminal)


def _write_heading(found: Rehearsal, read: Manifests, folder: Path, terminal: Terminal) -> None:
    terminal.paragraph(
        f"Rehearsed a backup and a restore of {_number(len(read.objects), 'object')} "
        f"from {_number(read.files, 'file')} in {folder}."
    )
    terminal.paragraph(
        f"Plugin process ready in {found.started_s * 1000:.0f} ms; "
        f"{_number(len(found.backup.stored), 'item')} in "
        f"{_number(len(found.backup.blocks), 'block')}; "
        f"{_number(found.requests, 'request')} of the plugin to the API server."
    )
    terminal.write("\n")


def _row(machine: Machine) -> Sequence[Cell]:
    one = machine.reference
    return (
        Cell(f"{one.namespace}/{one.name}", "" if machine.is_safe else "red"),
        Cell(machine.state or "?"),
        Cell(_disks(machine)),
        Cell(_block(machine)),
        Cell(machine.cut, _COLOURS.get(machine.cut, "")),
        Cell(_number(len(machine.stored), "item")),
        Cell(_restored(machine)),
    )


def _disks(machine: Machine) -> str:
    hotplugged = f" ({len(machine.hotplugged)} hot)" if machine.hotplugged else ""
    return table.unbroken(f"{len(machine.disks)}{hotplugged}")


def _block(machine: Machine) -> str:
    members = Counter(reference.resource for reference in machine.block)
    claims = {one.name for one in machine.block if one.resource == "persistentvolumeclaims"}
    disks = len(claims & set(machine.disks))
    launchers = len(machine.launchers)
    parts = [
        *(_WORDS[resource] for resource in _ALONE if members[resource]),
        "launcher pod" if launchers == 1 else _number(launchers, "launcher pod"),
        _number(members["pods"] - launchers, "attachment pod"),
        _number(disks, "disk"),
        _number(len(claims) - disks, "state PVC"),
    ]
    apart = len(machine.disks) - disks
    words = table.unbroken(f"{_number(apart, 'disk')} apart")
    return _joined(parts) + (f"; {words}" if apart else "")


def _restored(machine: Machine) -> str:
    created = [one.reference for one in machine.restored if one.result is RestoreResult.CREATED]
    others = [one.reference for one in machine.restored if one.result is not RestoreResult.CREATED]
    skips = _counted(others)
    return (_counted(created) or "nothing") + (f"; skips {skips}" if skips else "")


def _counted(references: Iterable[Reference]) -> str:
    counts = Counter(reference.resource for reference in references)
    order = [*(word for word in _WORDS if word in counts), *sorted(set(counts) - set(_WORDS))]
    return _joined(
        _WORDS[resource]
        if resource in _ALONE and counts[resource] == 1
        else _number(counts[resource], _WORDS.get(resource, resource))
        for resource in order
    )


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(table.unbroken(part) for part in parts if part and part[0] != "0")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 or noun.endswith("s") else f"{count} {noun}s"


def _write_errors(machines: Sequence[Machine], terminal: Terminal) -> None:
    unsafe = [machine for machine in machines if not machine.is_safe]
    for machine in unsafe:
        name = f"{machine.reference.namespace}/{machine.reference.name}"
        terminal.write(f"{terminal.paint(name, 'red')} would not come back as it is:\n")
        for error in machine.errors:
            terminal.paragraph(error, 2)
        for reference in machine.missing:
            terminal.paragraph(f"the backup would not hold {reference}", 2)
    terminal.write("\n" if unsafe else "")


def _write_meanings(machines: Sequence[Machine], terminal: Terminal) -> None:
    indent = max(map(len, Cut)) + 2
    for cut in Cut:
        concerned = [machine for machine in machines if machine.cut is cut]
        if concerned:
            text = " ".join([_MEANINGS[cut], *map(_because, concerned)])
            terminal.paragraph(text, indent, cut)
    terminal.paragraph(
        "the restore leaves out what is made anew: instances and pods by KubeVirt, PVs from the "
        "snapshots of their claims.",
        indent,
        "skips",
    )
    if any(machine.hotplugged for machine in machines):
        text = "of these disks, hot-plugged: a pod of its own attaches each, not virt-launcher."
        terminal.paragraph(text, indent, "hot")
    terminal.write("\n")


def _because(machine: Machine) -> str:
    if machine.cut in (Cut.FROZEN, Cut.STOPPED):
        return ""
    remedy = _REMEDIES.get(machine.cut_why)
    one = machine.reference
    return f"{one.namespace}/{one.name}: {machine.cut_why}" + (f"; {remedy}." if remedy else ".")


def _write_next(terminal: Terminal) -> None:
    terminal.write(
        "With your own machines (nothing leaves this host, secrets included):\n"
        "  oc get vm,vmi,pod,pvc,pv,datavolume,secret,configmap,controllerrevision \\\n"
        "      -n NAMESPACE -o yaml > DIR/NAMESPACE.yaml\n"
        "  stillpoint rehearse --from DIR\n"
    )
