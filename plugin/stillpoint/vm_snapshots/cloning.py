"""A clone of a machine, or of a snapshot, by KubeVirt.

KubeVirt makes a snapshot of its own of the machine, restores it as a new one, and deletes the
snapshot. Where something is in the way it waits, without a time limit and without saying so in the
phase; so that is looked for before.

Source: pkg/virt-controller/watch/clone of KubeVirt v1.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import LONGEST_MACHINE_NAME, is_name, listing
from stillpoint.model.reader import Reader
from stillpoint.resources.disks import persistent_volume_claim, volume
from stillpoint.resources.machines import persistent_state, virtual_machine
from stillpoint.resources.vm_snapshots import virtual_machine_clone, virtual_machine_restore
from stillpoint.vm_snapshots import (
    claim_names,
    creation,
    disks,
    reasons,
    restore_reasons,
    restoring,
)
from stillpoint.vm_snapshots.errors import WrongRequest
from stillpoint.vm_snapshots.facts import MachineFacts, NamespaceFacts
from stillpoint.vm_snapshots.reasons import Effect, Plan, SnapshotFinding
from stillpoint.vm_snapshots.requested import Kind, Outcome


@dataclass(frozen=True, slots=True)
class CloneWish:
    """A clone as it was asked for.

    Attributes:
        target: name of the new machine.
        name: of the clone; empty for one of the target and the moment.
        addresses: MAC addresses by interface; others are new.
        serial: serial number; empty for a new one.
        labels: filters such as `*` and `!tier`; empty for all labels of the source.
    """

    target: str
    name: str = ""
    volume_names: str = ""
    serial: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()
    patches: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ClonePlan:
    """A clone that is to be made, with all that speaks against it."""

    item: Item
    findings: Sequence[SnapshotFinding]

    @property
    def title(self) -> str:
        """`shop/copy-20260101-120000`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    def obstacles(self) -> Sequence[str]:
        """Why it is not made, in sentences; none if it can be. KubeVirt clones whole machines."""
        return reasons.obstacles(self.findings, accepts_partial=False)


@dataclass(frozen=True, slots=True)
class CloneState:
    """A clone as the cluster has it."""

    item: Item

    @property
    def title(self) -> str:
        """`shop/copy-20260101-120000`."""
        return f"{it.namespace(self.item)}/{it.name(self.item)}"

    @property
    def outcome(self) -> Outcome:
        """Complete, failed, or under way, also in a phase that nobody here knows."""
        outcomes = {"Succeeded": Outcome.COMPLETE, "Failed": Outcome.FAILED}
        return outcomes.get(virtual_machine_clone.phase(self.item), Outcome.UNDER_WAY)


KIND = Kind(virtual_machine_clone.RESOURCE, "clone", CloneState, virtual_machine_clone.phase)


def of_machine(
    reader: Reader, namespace: str, name: str, wish: CloneWish, now: datetime
) -> ClonePlan:
    """The clone of a machine.

    Raises:
        NoSuchObject: there is no such machine.
        WrongRequest: no machine can have the target's name.
        ReadFailed: a request failed.
    """
    around = NamespaceFacts.read(reader, namespace)
    facts = around.machine(name)
    snapshot = Plan(facts, disks.of(facts))
    found = [*_own(facts, wish.target), *_claims_exist(snapshot, wish), *reasons.findings(snapshot)]
    item = _manifest(namespace, (virtual_machine_clone.OF_MACHINE, name), wish, now)
    return ClonePlan(item, found)


def of_snapshot(
    reader: Reader, namespace: str, name: str, wish: CloneWish, now: datetime
) -> ClonePlan:
    """The clone of a snapshot, which KubeVirt makes by a restore.

    Raises:
        NoSuchObject: there is no such snapshot.
        WrongRequest: no machine can have the target's name.
        ReadFailed: a request failed.
    """
    item = _manifest(namespace, (virtual_machine_clone.OF_SNAPSHOT, name), wish, now)
    same = restoring.Wish(wish.target, volume_policy=wish.volume_names)
    restore = restoring.plan(reader, namespace, name, same, now)
    found = restore_reasons.findings(restore)
    if restore.target is not None and not restore.is_copy:
        found = [*found, _target_exists(namespace, wish.target)]
    return ClonePlan(item, found)


def _manifest(namespace: str, source: tuple[str, str], wish: CloneWish, now: datetime) -> Item:
    if not is_name(wish.target) or len(wish.target) > LONGEST_MACHINE_NAME:
        cause = "no machine has such a name"
        raise WrongRequest(f"machine {wish.target!r}", "cannot clone", cause, "see --help")
    fields = {
        "volumeNamePolicy": wish.volume_names,
        "newSMBiosSerial": wish.serial,
        "newMacAddresses": wish.addresses,
        "labelFilters": list(wish.labels),
        "patches": list(wish.patches),
    }
    more = {key: value for key, value in fields.items() if value}
    identity = (namespace, wish.name or creation.name_for(wish.target, now))
    return virtual_machine_clone.manifest(identity, source, wish.target, more)


def _own(facts: MachineFacts, target: str) -> Sequence[SnapshotFinding]:
    """Reasons against a clone of a machine that do not speak against a snapshot."""
    found = []
    if facts.around.get(virtual_machine.RESOURCE, target) is not None:
        found.append(_target_exists(facts.around.namespace, target))
    specification = persistent_state.template(facts.machine)
    if persistent_state.is_kept(facts.machine, [specification], has_claims=False):
        found.append(
            _refusing(
                "persistent-state",
                "the machine has a persistent vTPM or EFI, and KubeVirt clones no such machine",
                "take a snapshot, and restore it into the machine itself",
            )
        )
    said = virtual_machine.snapshot_support(facts.machine)
    silent = [
        it.text(one, "name")
        for one in virtual_machine.volumes(facts.machine)
        if volume.disk_claim(one) and it.text(one, "name") not in said
    ]
    if silent:
        sentence = f"KubeVirt has not said whether disks can be in a snapshot: {', '.join(silent)}"
        remedy = f"oc get vm -n {facts.around.namespace} {facts.name} -o yaml; wait for it"
        one = _refusing("support-not-said", sentence, remedy)
        found.append(replace(one, about=tuple(silent)))
    return found


def _claims_exist(snapshot: Plan, wish: CloneWish) -> Sequence[SnapshotFinding]:
    """As before a restore: KubeVirt takes a claim of the new disk's name as it is."""
    if wish.volume_names != virtual_machine_restore.PREFIX_TARGET_NAME:
        return ()
    wanted = [claim_names.for_volume(wish.target, disk.volume) for disk in snapshot.disks]
    around = snapshot.facts.around
    existing = set(map(it.name, around.all_of(persistent_volume_claim.RESOURCE)))
    if not (taken := claim_names.taken(wanted, existing)):
        return ()
    sentence = (
        "claims of these names exist, and KubeVirt would take them as they are, without the data "
        f"of the machine: {listing(taken)}"
    )
    remedy = "without --volume-name-policy, or another name for --to"
    return (replace(_refusing("claims-exist", sentence, remedy), about=tuple(taken)),)


def _target_exists(namespace: str, target: str) -> SnapshotFinding:
    sentence = f"a machine {target} exists, and KubeVirt never clones onto one"
    return _refusing("target-exists", sentence, f"oc get vm -n {namespace}; another name for --to")


def _refusing(code: str, sentence: str, remedy: str) -> SnapshotFinding:
    return SnapshotFinding(code, Effect.REFUSES, sentence, remedy, ())
