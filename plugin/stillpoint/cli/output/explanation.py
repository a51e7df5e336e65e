"""One machine of a rehearsal with all that belongs to it, as a tree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stillpoint.cli.output.report import COLOURS, item_title, number
from stillpoint.cli.output.terminal import Terminal
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.verdict.verdict import Finding


@dataclass(frozen=True, slots=True)
class _Node:
    text: str
    children: "Sequence[_Node]" = field(default=())


def write(found: Rehearsal, name: str, terminal: Terminal) -> None:
    """Write the tree.

    Args:
        name: `NAME` or `NAMESPACE/NAME`.

    Raises:
        NothingToRehearse: there is no such machine, or there are several.
    """
    machine = _machine(found, name)
    judged = machine.judged
    verdict = terminal.paint(judged.verdict, COLOURS[judged.verdict])
    terminal.write(f"{machine.title}  {verdict}, {judged.level} to be expected\n")
    for line in _lines(list(_nodes(machine, found)), ""):
        terminal.write(f"{line}\n")


def _machine(found: Rehearsal, name: str) -> Machine:
    chosen = [one for one in found.machines if name in (one.title, one.reference.name)]
    if len(chosen) == 1:
        return chosen[0]
    titles = ", ".join(one.title for one in chosen or found.machines[:10])
    cause = "more than one has that name" if chosen else "the backup does not come to it"
    raise NothingToRehearse(f"machine {name}", "cannot explain it", cause, f"there are {titles}")


def _nodes(machine: Machine, found: Rehearsal) -> Iterator[_Node]:
    yield _Node("reasons", [_reason(one) for one in machine.judged.findings])
    yield _Node("disks", [_Node(f"{one.name} ({one.role})") for one in machine.disks])
    members = [
        _Node(f"{place}. {_member(one, found)}") for place, one in enumerate(machine.block, 1)
    ]
    title = "item block, in the order of the backup: hooks before the first, and after the last"
    yield _Node(title, members)
    apart = [one for one in machine.stored if one not in set(machine.block)]
    yield _Node("in the backup besides", [_Node(str(one)) for one in apart])
    yield _Node(
        f"restore: {number(len(machine.restored), 'item')}",
        [
            _Node(
                f"{one.result} {item_title(one)}" + (f": {one.why}" if one.why else ""),
                [_Node(f"changed {path}") for path in one.changed],
            )
            for one in machine.restored
        ],
    )


def _reason(one: Finding) -> _Node:
    remedy = [_Node(f"remedy: {one.remedy}")] if one.remedy else []
    return _Node(f"{one.weight} {one.code}: {one.sentence}", remedy)


def _member(reference: Reference, found: Rehearsal) -> str:
    hooks = found.backup.hooks.get(reference, ())
    return f"{reference}" + "".join(f"  [hook: {hook}]" for hook in hooks)


def _lines(nodes: Sequence[_Node], indent: str) -> Iterator[str]:
    nodes = [node for node in nodes if node.children or indent]
    for node in nodes:
        is_last = node is nodes[-1]
        yield f"{indent}{'└── ' if is_last else '├── '}{node.text}"
        yield from _lines(node.children, indent + ("    " if is_last else "│   "))
