"""Machines of a backup that a run tries, and those that need no try."""

import random
from collections.abc import Sequence

from stillpoint.model.errors import StillpointError
from stillpoint.model.names import listing
from stillpoint.report.model import Machine, Report
from stillpoint.resources.machines import virtual_machine


def chosen(report: Report, names: Sequence[str]) -> Sequence[Machine]:
    """The named machines of the backup, or all; in the order of their names.

    Args:
        names: `NAME` or `NAMESPACE/NAME`.

    Raises:
        StillpointError: the backup has no machine, or not one of those.
    """
    machines = sorted(report.machines, key=lambda one: one.title)
    known = {name for one in machines for name in (one.name, one.title)}
    missing = [name for name in names if name not in known]
    if missing or not machines:
        subject = f"{report.backup.origin}: {listing(missing) or 'machines'}"
        there = listing(one.title for one in machines)
        hint = f"it has {there}" if there else ""
        raise StillpointError(subject, "cannot verify", "the backup has none", hint)
    return [one for one in machines if not names or {one.name, one.title} & set(names)]


def sample(machines: Sequence[Machine], size: int, seed: int) -> Sequence[Machine]:
    """So many of the machines, in their order; the same ones for the same seed."""
    if size >= len(machines):
        return machines
    places = random.Random(seed).sample(range(len(machines)), size)  # noqa: S311 - no secret
    return [machines[place] for place in sorted(places)]


def why_untried(machine: Machine) -> str | None:
    """Why the machine is not tried: empty by the report on the backup; None if it is tried."""
    if machine.is_restorable is False:
        return ""
    if machine.kind != virtual_machine.RESOURCE.kind:
        return "an instance that stands alone cannot be restored without starting at once"
    return None
