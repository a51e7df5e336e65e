"""Removals of snapshots by KubeVirt for people, and for programs.

docs/vm-snapshot-removals.schema.json describes the latter.
"""

from collections.abc import Collection, Mapping, Sequence

import orjson
from rich.console import Console

from stillpoint.cli.output import table
from stillpoint.cli.output.table import Column
from stillpoint.cli.output.terminal import line, write_line, write_paragraph
from stillpoint.model import item as it
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot as fields
from stillpoint.vm_snapshots.removal import Identity, Judged, Remains

SCHEMA_VERSION = "1.0"

_COLUMNS = (
    Column("SNAPSHOT"),
    Column("VM"),
    Column("STANDING"),
    Column("GOES"),
    Column("WHY", wraps=True),
)


def write_intention(found: Sequence[Judged], output: Console) -> None:
    """Writes a table, a line for each snapshot; first those that go, in that order."""
    if not found:
        write_line(output, "No snapshots.")
        return
    rows = [
        (
            line(one.state.title),
            line(fields.machine(one.state.item)),
            line(one.state.standing),
            line(("yes", "red") if one.goes else "no"),
            line(f"{one.why}{_kept(one)}"),
        )
        for one in found
    ]
    table.write(output, _COLUMNS, rows)


def _kept(one: Judged) -> str:
    is_kept = one.goes and fields.retains_content(one.state.item)
    return "; its content stays, as its deletionPolicy is Retain" if is_kept else ""


def write(
    asked: Sequence[Identity],
    left: Collection[Identity],
    remains: Mapping[str, Remains],
    output: Console,
) -> None:
    """Writes what became of the snapshots, and what is left of them."""
    for identity in asked:
        is_there = identity in left
        state = ("on its way out", "yellow") if is_there else ("gone", "green")
        write_line(output, f"{'/'.join(identity)}: ", state)
    for namespace, one in remains.items():
        for what, plural, names in (
            ("contents without a snapshot", "vmsnapshotcontent", one.contents),
            ("VolumeSnapshots that no content owns", "volumesnapshot", one.volume_snapshots),
        ):
            if names:
                write_paragraph(output, f"{what} in {namespace}: {', '.join(names)}", 2)
                hint = f"oc delete {plural} -n {namespace} NAME, once nobody needs their data"
                write_paragraph(output, hint, 6, ("    > ", "bold"))


def text(
    found: Sequence[Judged],
    asked: Collection[Identity] = (),
    left: Collection[Identity] = (),
    remains: Mapping[str, Remains] | None = None,
) -> str:
    """The document, indented, with a line end."""
    made = {
        "schemaVersion": SCHEMA_VERSION,
        "snapshots": [
            {
                "namespace": it.namespace(one.state.item),
                "name": it.name(one.state.item),
                "machine": fields.machine(one.state.item),
                "standing": one.state.standing,
                "goes": one.goes,
                "why": one.why,
                "retainsContent": fields.retains_content(one.state.item),
                "outcome": _outcome(it.identify(one.state.item), asked, left),
            }
            for one in found
        ],
        "remains": [
            {
                "namespace": namespace,
                "contents": list(one.contents),
                "volumeSnapshots": list(one.volume_snapshots),
            }
            for namespace, one in (remains or {}).items()
        ],
    }
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n"


def _outcome(identity: Identity, asked: Collection[Identity], left: Collection[Identity]) -> str:
    if identity not in asked:
        return "untouched"
    return "on its way out" if identity in left else "gone"
