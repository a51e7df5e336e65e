"""Every reason against a restore from a snapshot by KubeVirt: one row each; see `reasons`.

Source: pkg/storage/snapshot/restore.go and pkg/storage/admitters/vmrestore.go of KubeVirt v1.9.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from stillpoint.model import item as it
from stillpoint.model.names import listing
from stillpoint.resources.machines import persistent_state
from stillpoint.resources.vm_snapshots import virtual_machine_restore as restores
from stillpoint.vm_snapshots import claim_names
from stillpoint.vm_snapshots.disks import STATE
from stillpoint.vm_snapshots.reasons import Effect, SnapshotFinding
from stillpoint.vm_snapshots.restoring import RestorePlan
from stillpoint.vm_snapshots.state import Standing

_MACHINE = ("",)
_NOTHING: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RestoreReason:
    """A row; `{target}` is the machine that is written, `{snapshot}` the snapshot."""

    code: str
    effect: Effect
    sentence: str
    remedy: str
    fact: Callable[[RestorePlan], Iterable[str]]


def _not_ready(plan: RestorePlan) -> Sequence[str]:
    standing = plan.snapshot.standing
    return _NOTHING if standing is Standing.READY else (f"{standing}; {plan.snapshot.why()}",)


def _content_missing(plan: RestorePlan) -> Sequence[str]:
    is_ready = plan.snapshot.standing is Standing.READY
    return _MACHINE if is_ready and not plan.source else _NOTHING


def _volume_snapshots_missing(plan: RestorePlan) -> Sequence[str]:
    names = (disk.snapshot for disk in plan.snapshot.disks)
    return [name for name in names if name not in plan.volume_snapshots]


def _target_differs(plan: RestorePlan) -> Sequence[str]:
    return _MACHINE if plan.target is not None and plan.is_copy else _NOTHING


def _state(plan: RestorePlan) -> Sequence[str]:
    specification = it.mapping(plan.source, "spec", "template", "spec")
    is_kept = persistent_state.is_kept(plan.source, [specification], has_claims=False)
    return _MACHINE if plan.is_copy and is_kept else _NOTHING


def _other_restore(plan: RestorePlan) -> Sequence[str]:
    return [
        it.name(one)
        for one in plan.earlier
        if restores.target(one) == plan.target_name and not restores.is_complete(one)
    ]


def _in_place_elsewhere(plan: RestorePlan) -> Sequence[str]:
    if plan.wish.volume_policy != restores.IN_PLACE:
        return _NOTHING
    own: Collection[str] = () if plan.is_copy else plan.own_claims
    claims = (d.claim for d in plan.snapshot.disks if not d.volume.startswith(f"{STATE}-"))
    return [name for name in claims if name in plan.claims and name not in own]


def _claims_exist(plan: RestorePlan) -> Sequence[str]:
    return claim_names.taken(plan.new_claims, plan.claims)


def _patches_of_target(plan: RestorePlan) -> Sequence[str]:
    return _MACHINE if plan.target is not None and plan.wish.patches else _NOTHING


def _unknown_volumes(plan: RestorePlan) -> Sequence[str]:
    known = {disk.volume for disk in plan.snapshot.disks}
    return [one.volume for one in plan.wish.overrides if one.volume not in known]


def _lost_sources(plan: RestorePlan) -> Sequence[str]:
    return _NOTHING if plan.wish.volume_policy == restores.IN_PLACE else plan.sources.lost


def _unread_sources(plan: RestorePlan) -> Sequence[str]:
    return _NOTHING if plan.wish.volume_policy == restores.IN_PLACE else plan.sources.unread


def _runs(policy: str) -> Callable[[RestorePlan], Sequence[str]]:
    def fact(plan: RestorePlan) -> Sequence[str]:
        is_running = plan.instance is not None and plan.target is not None
        return _MACHINE if is_running and plan.wish.readiness == policy else _NOTHING

    return fact


def _shared(plan: RestorePlan) -> Sequence[str]:
    return plan.not_restored if plan.is_copy else _NOTHING


def _kept(plan: RestorePlan) -> Sequence[str]:
    return _NOTHING if plan.is_copy else plan.not_restored


_R, _P, _N = Effect.REFUSES, Effect.PARTIAL, Effect.NOTE

# fmt: off
RESTORE_REASONS: tuple[RestoreReason, ...] = (
    RestoreReason("snapshot-not-ready", _R,
           "the snapshot cannot be restored: {about}",
           "stillpoint snapshot show {namespace}/{snapshot}", _not_ready),
    RestoreReason("content-missing", _R,
           "the snapshot says that it is ready, and its content with the machine is missing",
           "oc get vmsnapshotcontent -n {namespace}", _content_missing),
    RestoreReason("volume-snapshot-missing", _R,
           "somebody has deleted snapshots of its disks: {about}",
           "take another snapshot", _volume_snapshots_missing),
    RestoreReason("target-differs", _R,
           "a machine {target} exists and is not the one that the snapshot was taken of, which "
           "KubeVirt never overwrites", "--to another name, or delete that machine",
           _target_differs),
    RestoreReason("persistent-state", _R,
           "the machine has a persistent vTPM or EFI, whose state KubeVirt restores into the same "
           "machine alone", "restore it without --to, while the machine exists", _state),
    RestoreReason("restore-not-complete", _R,
           "other restores into {target} are not complete, and KubeVirt allows no second one, also "
           "after one has failed: {about}",
           "oc get vmrestore -n {namespace} {first} -o yaml; wait for it, or once it has a "
           "condition Failure: oc delete vmrestore -n {namespace} {first}", _other_restore),
    RestoreReason("in-place-elsewhere", _R,
           "InPlace would delete claims that {target} does not use, and another machine may: "
           "{about}", "--volume-restore-policy RandomizeNames", _in_place_elsewhere),
    RestoreReason("claims-exist", _R,
           "claims of these names exist, or two volumes are to have the same, and KubeVirt would "
           "take such a claim as it is, without the data of the snapshot: {about}",
           "--volume-restore-policy RandomizeNames, or other names by --volume-name",
           _claims_exist),
    RestoreReason("patches-of-target", _R,
           "{target} exists, and KubeVirt patches new machines alone", "--to a new name",
           _patches_of_target),
    RestoreReason("volume-unknown", _R,
           "the snapshot has no such volumes: {about}",
           "stillpoint snapshot show {namespace}/{snapshot}", _unknown_volumes),
    RestoreReason("data-source-missing", _R,
           "KubeVirt looks for these DataSources of the machine's templates, and hangs without "
           "them: {about}",
           "create them again, with any content: the disks come from the snapshot", _lost_sources),
    RestoreReason("target-runs", _R,
           "{target} runs, and has to be off",
           "virtctl stop {target} -n {namespace}, or --target-readiness-policy StopTarget",
           _runs(restores.FAIL_IMMEDIATE)),
    RestoreReason("disks-shared", _P,
           "these disks are not in the snapshot, so that the new machine would use those of the "
           "machine that was saved: {about}", "take them out by --patch", _shared),
    RestoreReason("disks-kept", _P,
           "these disks are not in the snapshot, and keep what they hold now: {about}", "", _kept),
    RestoreReason("disks-deleted", _P,
           "the machine has these disks since the snapshot, and KubeVirt deletes them with their "
           "data: {about}", "take a snapshot first: stillpoint snapshot create {target}",
           lambda plan: plan.deleted),
    RestoreReason("data-sources-unread", _N,
           "the account may not read these DataSources of the machine's templates, without which "
           "KubeVirt hangs: {about}",
           "grant get of datasources.cdi.kubevirt.io", _unread_sources),
    RestoreReason("target-is-stopped", _N,
           "{target} runs, and is stopped first", "", _runs(restores.STOP_TARGET)),
    RestoreReason("target-has-five-minutes", _N,
           "{target} runs, and KubeVirt waits five minutes for its end, then fails",
           "virtctl stop {target} -n {namespace}", _runs(restores.WAIT_GRACE_PERIOD)),
    RestoreReason("target-is-awaited", _N,
           "{target} runs, and KubeVirt waits for its end, however long",
           "virtctl stop {target} -n {namespace}", _runs(restores.WAIT_EVENTUALLY)),
)
# fmt: on


def findings(plan: RestorePlan) -> Sequence[SnapshotFinding]:
    """The reasons that hold for a restore, in the order of the rows."""
    found = []
    for row in RESTORE_REASONS:
        if about := tuple(row.fact(plan)):
            names = {
                "about": listing(about),
                "first": about[0],
                "namespace": it.namespace(plan.item),
                "target": plan.target_name,
                "snapshot": restores.snapshot(plan.item),
            }
            sentence, remedy = row.sentence.format(**names), row.remedy.format(**names)
            subjects = tuple(filter(None, about))
            found.append(SnapshotFinding(row.code, row.effect, sentence, remedy, subjects))
    return found
