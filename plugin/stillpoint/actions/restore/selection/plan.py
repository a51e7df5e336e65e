"""The plan of a restore for the objects of a namespace: left out, renamed, or unchanged.

Velero shows claims before the machines that use them. So the archive decides the fate of a claim,
before the first object of its namespace is created, and every action obeys: a machine is refused as
a whole, and leaves nothing half-made behind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stillpoint.actions.restore.selection import machines, renaming
from stillpoint.model.conditions import ONLY, Conditions
from stillpoint.model.errors import ArchiveUnreadable, Refusal
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.model.switch import nearest, refusal
from stillpoint.resources import cluster_needs
from stillpoint.velero.context import RestoreContext


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan for the objects of a namespace.

    Attributes:
        names: new names, by the reference in the backup.
        wanted: all objects that are restored; None means everything.
        refused: why a machine cannot come back as asked, by its name in the backup.
        withheld: claims, DataVolumes and revisions of refused machines that nobody else uses.
    """

    names: Mapping[Reference, str] = field(default_factory=dict)
    wanted: frozenset[Reference] | None = None
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    withheld: frozenset[Reference] = frozenset()

    def name(self, reference: Reference) -> str:
        """The name that an object comes back under."""
        return self.names.get(reference, reference.name)

    def why_left_out(self, reference: Reference) -> str:
        """The reason for leaving an object out; empty for a restored object."""
        if reference in self.withheld:
            return "not restored: its virtual machine is refused"
        if self.wanted is not None and reference not in self.wanted:
            return f"not restored: no machine of {ONLY} needs it"
        return ""

    @property
    def machines(self) -> Mapping[str, str]:
        """New names of the machines that are renamed, by old ones."""
        return {one.name: name for one, name in self.names.items() if machines.is_machine(one)}

    @property
    def parts(self) -> Mapping[str, str]:
        """New names of claims, DataVolumes and revisions, by old ones."""
        return {one.name: name for one, name in self.names.items() if not machines.is_machine(one)}


_EVERYTHING = Plan()


def of(context: RestoreContext, namespace: str) -> Plan:
    """The plan for a namespace of the backup, made once for the whole restore.

    Raises:
        Refusal: the backup has no machine that the restore could be about.
        ArchiveUnreadable: the plan depends on the archive, which is unavailable or incomplete.
    """
    try:
        asked = context.restore.conditions
    except Refusal as refusal:
        return _of_malformed(refusal, context, namespace)
    if not any(asked.machine_names) and not asked.rename:
        return _EVERYTHING
    try:
        return context.archive.once(("plan", namespace), lambda: _make(asked, context, namespace))
    except ArchiveUnreadable as error:
        if asked.rename or asked.only:
            raise
        context.log.debug("not checked which machines there are: %s", error)
        return _EVERYTHING


def _of_malformed(refusal: Refusal, context: RestoreContext, namespace: str) -> Plan:
    """The plan for a condition without meaning, which fails machines, no other workload."""

    def made() -> Plan:
        found = machines.of_namespace(context.archive, namespace)
        return _refusing(context, namespace, {machine.name: refusal for machine in found})

    try:
        return context.archive.once(("plan", namespace), made)
    except ArchiveUnreadable as error:
        context.log.warning("restored as it was: %s", error)
        return _EVERYTHING


def _make(asked: Conditions, context: RestoreContext, namespace: str) -> Plan:
    found = machines.of_namespace(context.archive, namespace)
    if refusal := _unknown_name(asked, context):
        if asked.only and not machines.names(context.archive):
            raise refusal  # nobody else would say it
        plan = _refusing(context, namespace, {machine.name: refusal for machine in found})
        return plan if not asked.only else Plan(wanted=frozenset(), refused=plan.refused)
    chosen = [machine for machine in found if _is_chosen(asked, machine)]
    names, refused = renaming.of(asked.rename, chosen, context, is_all=not asked.only)
    if not asked.only:
        plan = _refusing(context, namespace, refused)
        return Plan(names, None, refused, plan.withheld)
    kept = [machine for machine in chosen if machine.name not in refused]
    return Plan(names, frozenset(_selection(kept, context)), refused)


def _is_chosen(asked: Conditions, machine: machines.StoredMachine) -> bool:
    full = f"{machine.reference.namespace}/{machine.name}"
    return not asked.only or machine.name in asked.only or full in asked.only


def _selection(kept: list[machines.StoredMachine], context: RestoreContext) -> Iterator[Reference]:
    for machine in kept:
        yield machine.reference
        yield from machine.needs
        stored = context.archive.get(machine.reference)
        yield from cluster_needs.read(stored or {})


def _refusing(context: RestoreContext, namespace: str, refused: Mapping[str, Refusal]) -> Plan:
    used: set[str] = set()
    if refused:
        used |= machines.mounted_claims(context.archive, namespace)
        used |= machines.pool_revisions(context.archive, namespace)
    own: set[Reference] = set()
    for machine in machines.of_namespace(context.archive, namespace):
        if machine.name in refused:
            own.update(machine.own)
        else:
            used |= {one.name for one in machine.own}
    withheld = frozenset(one for one in own if one.name not in used)
    return Plan(refused=refused, withheld=withheld)


def _unknown_name(asked: Conditions, context: RestoreContext) -> Refusal | None:
    """The error for a condition that names a machine which is not in the backup."""
    known = machines.names(context.archive)
    short = {name.partition("/")[2] for name in known}
    for key, named in asked.machine_names:
        if named not in known and named not in short:
            meant = nearest(named, [*short, *known])
            there = f"there are {listing(known)}" if known else "there is none"
            cause = f"the backup holds no virtual machine {named}"
            return refusal(context.restore.asked, key, cause, f"{meant}{there}")
    return None
