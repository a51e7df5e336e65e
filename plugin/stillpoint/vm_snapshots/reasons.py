"""Every reason against a snapshot by KubeVirt, or for expecting less of one: one row each.

Codes are stable. `{about}` stands for the subjects of the fact, `{first}` for the first of them,
`{namespace}` and `{name}` for the machine.

Source: pkg/storage/snapshot and pkg/virt-launcher/virtwrap/storage/fsfreeze.go of KubeVirt v1.9.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stillpoint.model import item as it
from stillpoint.model.level import Level
from stillpoint.model.names import listing
from stillpoint.resources.machines import kubevirt, pod, virtual_machine, virtual_machine_instance
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from stillpoint.velero import own_objects
from stillpoint.vm_snapshots.disks import STATE, Disk, Outlook
from stillpoint.vm_snapshots.facts import MachineFacts


class Effect(StrEnum):
    """The effect of a reason on a snapshot that is to be taken."""

    REFUSES = "refuses"
    """KubeVirt would refuse it or wait for its deadline, or it would do harm."""
    PARTIAL = "partial"
    """The snapshot would succeed and lack data: made with `--accept-partial` alone."""
    DEGRADES = "degrades"
    """The snapshot would be less consistent than it could be."""
    NOTE = "note"
    """Good to know."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A machine, with its disks, before its snapshot is made."""

    facts: MachineFacts
    disks: Sequence[Disk]

    def with_outlook(self, *outlooks: Outlook) -> Iterator[str]:
        """Claims, or volumes without a claim, that have one of these outlooks."""
        for disk in self.disks:
            if disk.outlook in outlooks and not _is_missing_state(disk):
                yield disk.claim or disk.volume


Fact = Callable[[Plan], Iterable[str]]
_MACHINE = ("",)
_NOTHING: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SnapshotReason:
    """A row.

    Attributes:
        level: the level that is left where the reason holds; None if it does not decide.
    """

    code: str
    effect: Effect
    sentence: str
    remedy: str
    fact: Fact
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class SnapshotFinding:
    """A reason that holds for a machine, in words."""

    code: str
    effect: Effect
    sentence: str
    remedy: str
    about: tuple[str, ...]


def _gate_off(plan: Plan) -> Sequence[str]:
    installations = plan.facts.around.everywhere.get(kubevirt.RESOURCE, ())
    gate = virtual_machine_snapshot.GATE
    off = [one for one in installations if not kubevirt.has_feature_gate(one, gate)]
    return [kubevirt.command_for_feature_gate(one, gate) for one in off]


def _gate_unread(plan: Plan) -> Sequence[str]:
    return _MACHINE if kubevirt.RESOURCE in plan.facts.around.unread else _NOTHING


def _being_deleted(plan: Plan) -> Sequence[str]:
    return _MACHINE if it.is_being_deleted(plan.facts.machine) else _NOTHING


def _state_unknown(plan: Plan) -> Sequence[str]:
    instance = plan.facts.instance
    if instance is not None:
        return _NOTHING if virtual_machine_instance.phase(instance) else _MACHINE
    machine = plan.facts.machine
    is_off = virtual_machine.has_status(machine) and not virtual_machine.has_instance(machine)
    return _NOTHING if is_off else _MACHINE


def _is_missing_state(disk: Disk) -> bool:
    return disk.outlook is Outlook.MISSING and disk.volume.startswith(f"{STATE}-")


def _state_missing(plan: Plan) -> Sequence[str]:
    return _MACHINE if any(map(_is_missing_state, plan.disks)) else _NOTHING


def _pods_use_disks(plan: Plan) -> Sequence[str]:
    if plan.facts.instance is not None:
        return _NOTHING
    own = {disk.claim for disk in plan.disks if disk.claim}
    pods = plan.facts.around.all_of(pod.RESOURCE)
    return [it.name(one) for one in pods if not pod.is_over(one) and own & set(pod.claims(one))]


def _of_instance(is_so: Callable[[it.Item], bool]) -> Fact:
    def fact(plan: Plan) -> Sequence[str]:
        instance = plan.facts.instance
        return _MACHINE if instance is not None and is_so(instance) else _NOTHING

    return fact


def _no_agent(plan: Plan) -> Sequence[str]:
    instance = plan.facts.instance
    if instance is None or virtual_machine_instance.is_paused(instance):
        return _NOTHING
    is_there = virtual_machine_instance.is_agent_connected(instance)
    is_to_be = not virtual_machine_instance.is_starting(instance)
    return _MACHINE if is_to_be and not is_there else _NOTHING


def _agent_lacks_commands(plan: Plan) -> Sequence[str]:
    instance = plan.facts.instance
    if instance is None or not virtual_machine_instance.is_agent_connected(instance):
        return _NOTHING
    has_all = virtual_machine_instance.has_agent_all_commands(instance)
    return _NOTHING if has_all else _MACHINE


def _backup_under_way(plan: Plan) -> Sequence[str]:
    return plan.facts.backups() if plan.facts.instance is not None else _NOTHING


def _backups_unread(plan: Plan) -> Sequence[str]:
    is_blind = own_objects.BACKUP in plan.facts.around.unread
    return _MACHINE if is_blind and plan.facts.instance is not None else _NOTHING


def _named(name: str) -> Sequence[str]:
    return (name,) if name else _NOTHING


def _outlook(*outlooks: Outlook) -> Fact:
    return lambda plan: plan.with_outlook(*outlooks)


_R, _P, _D, _N = Effect.REFUSES, Effect.PARTIAL, Effect.DEGRADES, Effect.NOTE

# fmt: off
SNAPSHOT_REASONS: tuple[SnapshotReason, ...] = (
    SnapshotReason("snapshot-gate-off", _R,
           "KubeVirt's feature gate Snapshot is off, so KubeVirt refuses snapshots",
           "{about}", _gate_off),
    SnapshotReason("machine-being-deleted", _R,
           "the machine is being deleted", "", _being_deleted),
    SnapshotReason("machine-state-unknown", _R,
           "nothing says whether the guest runs",
           "oc get vm,vmi -n {namespace} {name} -o yaml; KubeVirt has not looked at it yet",
           _state_unknown),
    SnapshotReason("restore-in-progress", _R,
           "a restore is overwriting the machine: {about}",
           "oc wait vmrestore -n {namespace} {first} --for=jsonpath={{.status.complete}}=true",
           lambda plan: _named(virtual_machine.restore_in_progress(plan.facts.machine))),
    SnapshotReason("disk-missing", _R,
           "it names disks that do not exist, for which KubeVirt waits until the deadline: {about}",
           "oc get pvc -n {namespace}; restore the claims, or take the volumes out of the machine",
           _outlook(Outlook.MISSING)),
    SnapshotReason("state-claim-missing", _R,
           "it has a persistent vTPM or EFI and no claim with their state yet, for which KubeVirt "
           "waits until the deadline",
           "start the machine once: virtctl start {name} -n {namespace}", _state_missing),
    SnapshotReason("disk-being-deleted", _R,
           "disks are being deleted: {about}",
           "oc describe pvc -n {namespace} {first}", _outlook(Outlook.BEING_DELETED)),
    SnapshotReason("disk-not-bound", _R,
           "disks have no volume yet, for which KubeVirt waits until the deadline: {about}",
           "oc describe pvc -n {namespace} {first}; start the machine once where the storage waits "
           "for its first consumer", _outlook(Outlook.NOT_BOUND)),
    SnapshotReason("disk-not-populated", _R,
           "CDI has not filled these disks, for which KubeVirt waits until the deadline: {about}",
           "oc wait dv -n {namespace} {first} --for=condition=Ready --timeout=30m",
           _outlook(Outlook.NOT_POPULATED)),
    SnapshotReason("snapshot-class-undecided", _R,
           "the storage has several VolumeSnapshotClasses and no default, so that KubeVirt takes "
           "none and fails at its deadline: {about}",
           "oc annotate volumesnapshotclass NAME snapshot.storage.kubernetes.io/is-default-class="
           "true", _outlook(Outlook.CLASS_UNDECIDED)),
    SnapshotReason("pods-use-disks", _R,
           "the machine is off, and pods use its disks, for whose end KubeVirt waits: {about}",
           "oc describe pod -n {namespace} {first}", _pods_use_disks),
    SnapshotReason("migrating", _R,
           "a live migration goes on, in which no guest is frozen",
           "oc get vmim -n {namespace}; try again when it has ended",
           _of_instance(virtual_machine_instance.is_migrating)),
    SnapshotReason("frozen-by-others", _R,
           "the guest is frozen by somebody else, whose freeze this snapshot would end",
           "try again when that backup or snapshot has ended: oc get backup -A; oc get vmsnapshot "
           "-n {namespace}", _of_instance(virtual_machine_instance.is_frozen)),
    SnapshotReason("backup-under-way", _R,
           "a backup by Velero is under way and takes the machine, and this snapshot would thaw "
           "its guest in the middle: {about}",
           "try again when it has ended: oc get backup -A", _backup_under_way),
    SnapshotReason("no-snapshot-class", _P,
           "the storage of these disks has no VolumeSnapshotClass, so that KubeVirt leaves them "
           "out in silence: {about}",
           "oc get volumesnapshotclass; one is needed whose driver is the provisioner of the "
           "StorageClass", _outlook(Outlook.NO_SNAPSHOT_CLASS)),
    SnapshotReason("no-storage-class", _P,
           "these disks name no StorageClass, so that KubeVirt leaves them out in silence: {about}",
           "move the disks to a StorageClass with a CSI driver that takes snapshots",
           _outlook(Outlook.NO_STORAGE_CLASS)),
    SnapshotReason("disk-on-node", _P,
           "these disks are files of a node, which no snapshot holds: {about}",
           "move the disks to claims", _outlook(Outlook.ON_NODE)),
    SnapshotReason("plugged-only", _P,
           "the running guest has these hot-plugged disks and the machine's specification does "
           "not name them, so that KubeVirt leaves them out: {about}",
           "virtctl addvolume {name} -n {namespace} --volume-name={first} --persist",
           _outlook(Outlook.PLUGGED_ONLY)),
    SnapshotReason("support-unknown", _P,
           "the account may not read storage classes, and KubeVirt has not said whether these "
           "disks can be in a snapshot: {about}",
           "grant get and list of storageclasses, storageprofiles and volumesnapshotclasses",
           _outlook(Outlook.UNKNOWN)),
    SnapshotReason("paused", _D,
           "the guest is paused: what is in its memory is not on its disks",
           "virtctl unpause vm {name} -n {namespace}",
           _of_instance(virtual_machine_instance.is_paused), Level.PAUSED),
    SnapshotReason("starting", _D,
           "the guest is starting, nothing freezes it",
           "oc wait vmi -n {namespace} {name} --for=condition=AgentConnected --timeout=10m",
           _of_instance(virtual_machine_instance.is_starting), Level.CRASH),
    SnapshotReason("agent-not-connected", _D,
           "the guest agent does not answer, nothing freezes it",
           "in the guest: dnf install -y qemu-guest-agent && systemctl enable --now "
           "qemu-guest-agent", _no_agent, Level.CRASH),
    SnapshotReason("agent-lacks-commands", _D,
           "KubeVirt misses commands in the guest agent, the freeze may fail",
           "in the guest: see BLACKLIST_RPC or FILTER_RPC_ARGS in /etc/sysconfig/qemu-ga, then "
           "systemctl restart qemu-guest-agent", _agent_lacks_commands, Level.CRASH),
    SnapshotReason("backups-unread", _D,
           "the account may not list Velero's backups: if one has the guest frozen, this snapshot "
           "thaws it in the middle",
           "grant get and list of backups.velero.io", _backups_unread),
    SnapshotReason("gate-unread", _N,
           "the account may not list KubeVirt's installation, so it is not known whether the "
           "feature gate Snapshot is on",
           "grant get and list of kubevirts.kubevirt.io", _gate_unread),
    SnapshotReason("snapshot-in-progress", _N,
           "another snapshot of the machine is being taken, and KubeVirt waits for it: {about}", "",
           lambda plan: _named(virtual_machine.snapshot_in_progress(plan.facts.machine))),
)
# fmt: on


def findings(plan: Plan) -> Sequence[SnapshotFinding]:
    """The reasons that hold for a machine, in the order of the rows."""
    return tuple(_finding(row, plan, about) for row, about in _holding(plan))


def obstacles(found: Iterable[SnapshotFinding], *, accepts_partial: bool) -> list[str]:
    """Why something is not made, in sentences; none if it can be."""
    refusing = {Effect.REFUSES} | (set() if accepts_partial else {Effect.PARTIAL})
    return [one.sentence for one in found if one.effect in refusing]


def expected(plan: Plan) -> Level:
    """The level that a snapshot taken now would reach at best, as far as the cluster shows."""
    if not any(disk.outlook is Outlook.TAKEN for disk in plan.disks):
        return Level.NONE
    if plan.facts.instance is None:
        return Level.STOPPED
    levels = [row.level for row, _about in _holding(plan) if row.level]
    return levels[0] if levels else Level.FILESYSTEM


def _holding(plan: Plan) -> Iterator[tuple[SnapshotReason, tuple[str, ...]]]:
    for row in SNAPSHOT_REASONS:
        if about := tuple(row.fact(plan)):
            yield row, about


def _finding(row: SnapshotReason, plan: Plan, about: tuple[str, ...]) -> SnapshotFinding:
    names = {
        "about": listing(about),
        "first": about[0],
        "namespace": plan.facts.around.namespace,
        "name": plan.facts.name,
    }
    remedy, sentence = row.remedy.format(**names), row.sentence.format(**names)
    return SnapshotFinding(row.code, row.effect, sentence, remedy, tuple(filter(None, about)))
