"""A machine of a rehearsal with all that belongs to it, as a tree."""

import sys

from rich.console import Console
from rich.tree import Tree

from stillpoint.cli.output.branches import add, entry
from stillpoint.cli.output.report import COLOURS, item_title
from stillpoint.cli.output.terminal import line, write_lines
from stillpoint.model.names import counted
from stillpoint.model.reference import Reference
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.machines import Machine
from stillpoint.rehearsal.rehearsal import Rehearsal
from stillpoint.rehearsal.velero_steps.restore import RestoredItem
from stillpoint.rehearsal.verdict.verdict import Finding


def write(found: Rehearsal, name: str, output: Console) -> None:
    """Writes the tree: wrapped on a terminal, a line for each entry anywhere else.

    Args:
        name: `NAME` or `NAMESPACE/NAME`.

    Raises:
        NothingToRehearse: there is no such machine, or there are several.
    """
    tree = _tree(_machine(found, name), found)
    write_lines(output, tree, output.width if output.is_terminal else sys.maxsize)


def _machine(found: Rehearsal, name: str) -> Machine:
    chosen = [one for one in found.machines if name in (one.title, one.reference.name)]
    if len(chosen) == 1:
        return chosen[0]
    titles = ", ".join(one.title for one in chosen or found.machines[:10])
    cause = "more than one has that name" if chosen else "the backup does not come to it"
    raise NothingToRehearse(f"machine {name}", "cannot explain it", cause, f"there are {titles}")


def _tree(machine: Machine, found: Rehearsal) -> Tree:
    judged = machine.judged
    verdict = (judged.verdict, COLOURS[judged.verdict])
    level = "" if found.of else f", {judged.level} to be expected"
    tree = Tree(line(f"{machine.title}  ", verdict, level))
    add(tree, "reasons", map(_reason, judged.findings))
    add(tree, "disks", [entry(f"{one.name} ({one.role})") for one in machine.disks])
    add(
        tree,
        "item block, in the order of the backup: hooks before the first, and after the last",
        [entry(f"{place}. {_member(one, found)}") for place, one in enumerate(machine.block, 1)],
    )
    apart = [one for one in machine.stored if one not in set(machine.block)]
    add(tree, "in the backup besides", [entry(str(one)) for one in apart])
    restored = map(_item, machine.restored)
    add(tree, f"restore: {counted(len(machine.restored), 'item')}", restored)
    return tree


def _reason(one: Finding) -> Tree:
    remedy = [entry(f"remedy: {one.remedy}")] if one.remedy else []
    return entry(f"{one.weight} {one.code}: {one.sentence}", *remedy)


def _member(reference: Reference, found: Rehearsal) -> str:
    hooks = found.backup.hooks.get(reference, ())
    return f"{reference}" + "".join(f"  [hook: {hook}]" for hook in hooks)


def _item(one: RestoredItem) -> Tree:
    why = f": {one.why}" if one.why else ""
    changes = [entry(f"changed {path}") for path in one.changed]
    return entry(f"{one.result} {item_title(one)}{why}", *changes)
