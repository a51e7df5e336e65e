"""New names for machines and their parts, or the reason why renaming is not safe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stillpoint.actions.restore.selection import machines
from stillpoint.actions.restore.selection.machines import StoredMachine
from stillpoint.model.conditions import Renames
from stillpoint.model.errors import Refusal
from stillpoint.model.names import LONGEST_MACHINE_NAME, LONGEST_NAME
from stillpoint.model.reference import Reference
from stillpoint.resources.disks import data_volume, persistent_volume_claim
from stillpoint.resources.machines import virtual_machine, virtual_machine_instance
from stillpoint.velero import marks
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import claim_data

_LISTED = (
    virtual_machine.RESOURCE,
    virtual_machine_instance.RESOURCE,
    persistent_volume_claim.RESOURCE,
    data_volume.RESOURCE,
)
_STATE = "persistent-state-for"
_CHOOSE = "choose another name"


def of(
    asked: Renames, chosen: Sequence[StoredMachine], context: RestoreContext, *, is_all: bool
) -> tuple[Mapping[Reference, str], Mapping[str, Refusal]]:
    """New names by the reference in the backup, and refusals by the name of the machine.

    Args:
        chosen: the machines of a namespace that come back.
        is_all: true if everything else of the namespace comes back with them.
    """
    renamed = {
        machine.name: asked.of(machine.reference.namespace, machine.name) for machine in chosen
    }
    names: dict[Reference, str] = {}
    refused: dict[str, Refusal] = {}
    check = _Check(chosen, renamed, names, context, is_all)
    for machine in chosen:
        if renamed[machine.name] == machine.name:
            continue
        cause, hint = next(check.faults(machine), ("", ""))
        if cause:
            subject = f"virtual machine {machine.reference.namespace}/{machine.name}"
            attempt = f"cannot come back as {renamed[machine.name]}"
            refused[machine.name] = Refusal(subject, attempt, cause, hint)
        else:
            names |= check.names(machine)
    return names, refused


@dataclass(frozen=True, slots=True)
class _Check:
    """The check of new names.

    Attributes:
        renamed: the name of each machine after the restore, by its name in the backup.
        taken: new names that have been given to machines before.
    """

    chosen: Sequence[StoredMachine]
    renamed: Mapping[str, str]
    taken: Mapping[Reference, str]
    context: RestoreContext
    is_all: bool

    def names(self, machine: StoredMachine) -> Mapping[Reference, str]:
        """New names of a machine and its parts; a shared disk keeps the first machine's."""
        new = self.renamed[machine.name]
        own = {one: self.taken.get(one, _after(machine.name, new, one.name)) for one in machine.own}
        return {machine.reference: new} | own

    def faults(self, machine: StoredMachine) -> Iterator[tuple[str, str]]:
        """Causes and remedies of whatever makes renaming unsafe, the plainest first."""
        names = self.names(machine)
        if machine.has_persistent_state:
            yield _STATE_IS_BOUND
        yield from _of_length(names)
        yield from self._of_other_machines(machine)
        yield from self._of_shared_claims(machine)
        yield from self._of_data(machine)
        yield from self._of_targets(names)

    def _of_other_machines(self, machine: StoredMachine) -> Iterator[tuple[str, str]]:
        for other, name in self.renamed.items():
            if name == self.renamed[machine.name] and other != machine.name:
                yield f"{other} of the backup comes back under that name, too", _CHOOSE

    def _of_shared_claims(self, machine: StoredMachine) -> Iterator[tuple[str, str]]:
        data = {one for one in machine.own if machines.is_data(one)}
        for other in self.chosen:
            shared = data.intersection(other.own)
            if shared and self.renamed[other.name] == other.name:
                cause = f"{min(shared)} is also a disk of {other.name}, which is not renamed"
                yield cause, "rename both, or restore only one of them"
        mounted = machines.mounted_claims(self.context.archive, machine.reference.namespace)
        for one in sorted(data) if self.is_all else ():
            if one.name in mounted:
                yield f"{one} is also mounted by a pod", "restore the machine alone"

    def _of_data(self, machine: StoredMachine) -> Iterator[tuple[str, str]]:
        for one in machine.own:
            is_claim = one.is_of(persistent_volume_claim.RESOURCE)
            stored = self.context.archive.get(one) if is_claim else None
            if (
                stored
                and persistent_volume_claim.is_bound(stored)
                and not claim_data.is_there(stored)
            ):
                yield f"the backup has no snapshot of {one}, and two cannot share its volume", ""

    def _of_targets(self, names: Mapping[Reference, str]) -> Iterator[tuple[str, str]]:
        targets = [one.renamed(name) for one, name in {**self.taken, **names}.items()]
        for reference, name in names.items():
            target = reference.renamed(name)
            if targets.count(target) > 1:
                yield f"two objects would become {target}", "choose another name"
            if self._comes_back(target):
                yield f"{target} is in the backup, too", _CHOOSE
            if self._is_in_cluster(target):
                yield f"{target} exists", f"{_CHOOSE}, or delete what a former restore has left"

    def _comes_back(self, target: Reference) -> bool:
        for machine in self.chosen:
            if self.renamed[machine.name] != machine.name and target in machine.own:
                return False
        if self.is_all:
            return not target.is_of(virtual_machine.RESOURCE) and self.context.archive.holds(target)
        return any(target in machine.needs for machine in self.chosen)

    def _is_in_cluster(self, target: Reference) -> bool:
        resource = next((one for one in _LISTED if target.is_of(one)), None)
        if resource is None:
            return False
        namespace = self.context.restore.namespace(target.namespace)
        there = self.context.cluster.get_listed(resource, namespace, target.name)
        return there is not None and not marks.is_of_restore(there, self.context.restore.name)


_STATE_IS_BOUND = (
    "it keeps vTPM or EFI state, and KubeVirt does not restore such a machine as another one",
    "restore it under its own name, for instance into another namespace",
)


def _of_length(names: Mapping[Reference, str]) -> Iterator[tuple[str, str]]:
    for reference, name in names.items():
        longest = LONGEST_MACHINE_NAME if machines.is_machine(reference) else LONGEST_NAME
        if len(name) > longest:
            cause = f"{reference} would get a name of {len(name)} characters"
            yield cause, f"choose a shorter one: {longest} are possible"


def _after(old: str, new: str, name: str) -> str:
    """The name of an object of the renamed machine: `db-root` of `db` becomes `db2-root` of `db2`.

    A name that does not contain the machine's gets the machine's new name in front.
    """
    for stem in (old, f"{_STATE}-{old}"):
        if name == stem or name.startswith((f"{stem}-", f"{stem}.")):
            return f"{stem.removesuffix(old)}{new}{name.removeprefix(stem)}"
    return f"{new}-{name}"
