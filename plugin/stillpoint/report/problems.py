"""Every problem of a machine in a report: one row each.

Codes are stable: scripts and monitoring go by them (docs/report.md). Sentences and remedies may
change. In a sentence `{about}` stands for the subjects of the fact; in a remedy `{namespace}` and
`{name}` for the machine; `remedies` has the rest.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.model.weight import Weight
from stillpoint.report import remedies
from stillpoint.report.case import Case
from stillpoint.report.facts import consistency, data, verified, whole
from stillpoint.report.model import Problem

Fact = Callable[[Case], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """A problem that a machine can have.

    Attributes:
        is_of_restore: true if it is about whether the machine would come back, false if about its
            level.
    """

    code: str
    weight: Weight
    is_of_restore: bool
    sentence: str
    remedy: str
    fact: Fact


_B, _D, _U, _N = Weight.BLOCKS, Weight.DEGRADES, Weight.UNCERTAIN, Weight.NOTE
_RESTORE, _LEVEL = True, False

# fmt: off
ROWS: tuple[Row, ...] = (
    Row("backup-failed", _B, _RESTORE,
        "the backup failed as a whole: {about}",
        "take another; velero backup logs -n {velero} {backup}", whole.failed),
    Row("backup-being-deleted", _B, _RESTORE,
        "Velero is deleting the backup, and the snapshots of its disks",
        "restore from another", whole.being_deleted),
    Row("claim-missing", _B, _RESTORE,
        "the backup does not hold the claims of these disks, and none of their data: {about}",
        "look for them in the errors of velero backup describe -n {velero} {backup} --details; "
        "stillpoint rehearse -n {namespace} says why the next backup would leave them out",
        data.claims_missing),
    Row("disk-without-data", _B, _RESTORE,
        "the backup holds no data of these disks: {about}",
        "stillpoint rehearse -n {namespace} --explain {name} says why", data.without_data),
    Row("disk-not-saved", _B, _RESTORE,
        "no backup has the bytes of these volumes, they live on a node: {about}",
        "move the data to a PersistentVolumeClaim", data.unsaved),
    Row("disk-skipped", _B, _RESTORE,
        "Velero skipped the data of these disks: {about}",
        "if a policy is to leave them out, take their volumes out of the machine; else "
        "stillpoint rehearse -n {namespace} --explain {name}", data.skipped),
    Row("snapshot-missing", _B, _RESTORE,
        "the backup does not hold the snapshots that these disks come back from: {about}",
        "take another backup; velero backup logs -n {velero} {backup}", data.snapshots_missing),
    Row("snapshot-without-handle", _B, _RESTORE,
        "the backup does not say where the storage has the snapshots of these disks: {about}",
        "take another backup; look at the events of its VolumeSnapshots meanwhile",
        data.without_handle),
    Row("snapshot-failed", _B, _RESTORE,
        "the snapshots of these disks failed: {about}",
        "take another backup; look at the events of its VolumeSnapshots meanwhile",
        data.snapshots_failed),
    Row("upload-missing", _B, _RESTORE,
        "the data of these disks is to have been moved, and no DataUpload says that it was: "
        "{about}",
        "take another backup; velero backup logs -n {velero} {backup}", data.uploads_missing),
    Row("upload-not-completed", _B, _RESTORE,
        "the data of these disks was not moved wholly: {about}",
        "oc get datauploads -n {velero} -l velero.io/backup-name={backup} -o yaml; "
        "take another backup",
        data.uploads_not_completed),
    Row("uploads-of-one-claim", _B, _RESTORE,
        "the backup holds several DataUploads of these disks, of which Velero restores none: "
        "{about}",
        "take another, without DataUploads of other backups: leave out Velero's own namespace",
        data.uploads_of_one_claim),
    Row("files-not-completed", _B, _RESTORE,
        "the files of these disks were not copied wholly: {about}",
        "oc get podvolumebackups -n {velero} -l velero.io/backup-name={backup} -o yaml",
        data.files_not_completed),
    Row("disk-without-way-back", _B, _RESTORE,
        "the files of these disks were copied through the machine's own pod, which no restore "
        "brings back, so nobody puts them back: {about}",
        "save the disks as snapshots: set defaultVolumesToFsBackup: false in the Backup, and take "
        "fs-backup out of its volume policies", data.without_way_back),
    Row("needs-missing", _B, _RESTORE,
        "it needs what the backup does not hold: {about}",
        "include it in the next backup; have it in the namespace before a restore of this one",
        whole.missing),
    Row("below-demanded", _D, _LEVEL,
        "demanded was {about}",
        "stillpoint report {backup} --explain {namespace}/{name} has every proof, and what is "
        "missing", consistency.below_demanded),
    Row("below-expected", _D, _LEVEL,
        "to be expected was {about}",
        "stillpoint report {backup} --explain {namespace}/{name} has every proof, and what is "
        "missing; if crash is enough, which mixed is not: oc annotate vm -n {namespace} {name} "
        "stillpoint.dev/require=crash",
        consistency.below_expected),
    Row("verification-contradicts", _D, _LEVEL,
        "RESTORED FOR A TEST, ITS GUEST CONTRADICTS THE EVIDENCE: {about}",
        "restore from another backup; stillpoint verify {backup} {namespace}/{name} looks again",
        verified.contradicted),
    Row("evidence-not-sealed", _U, _LEVEL,
        "THE EVIDENCE OF THESE DISKS DOES NOT BEAR THE SEAL OF THE BACKUP, somebody may have "
        "changed it: {about}",
        "oc auth can-i patch volumesnapshots -n {namespace} --as=USER: who could have written it?",
        consistency.unsealed),
    Row("evidence-of-another-disk", _U, _LEVEL,
        "THE EVIDENCE OF THESE DISKS IS THAT OF OTHER DISKS OR SNAPSHOTS, somebody may have copied "
        "it: {about}",
        "oc auth can-i patch volumesnapshots -n {namespace} --as=USER: who could have written it?",
        consistency.of_others),
    Row("evidence-not-checked", _U, _LEVEL,
        "the seal of the evidence of these disks cannot be checked, as the Backup object is not "
        "there, or is an early copy without its secret: {about}",
        "oc get backups.velero.io -n {velero} {backup} -o json > backup.json, then "
        "--backup backup.json; in the object store it is velero-backup.json",
        consistency.unchecked),
    Row("no-evidence", _U, _LEVEL,
        "nothing proves how consistent these disks are: {about}",
        "only stillpoint's plugin leaves evidence in a backup (docs/install)", consistency.absent),
    Row("level-not-known", _U, _LEVEL,
        "the plugin could not tell how consistent these disks are: {about}",
        "stillpoint report {backup} --explain {namespace}/{name} has every proof, and what is "
        "missing", consistency.not_known),
    Row("evidence-contradicts", _U, _LEVEL,
        "the evidence of its disks does not agree on what they reached together",
        "stillpoint report {backup} --explain {namespace}/{name} has every proof",
        consistency.contradictory),
    Row("action-failed", _U, _LEVEL,
        "the plugin failed: {about}",
        "velero backup logs -n {velero} {backup}", consistency.action_failed),
    Row("did-not-come-back", _U, _RESTORE,
        "restored for a test, it did not come back: {about}",
        "stillpoint verify {backup} {namespace}/{name} tries again: a restore that comes back "
        "counts in place of this one", verified.not_back),
    Row("backup-goes-on", _U, _RESTORE,
        "the backup has not ended: {about}",
        "wait until it has: velero backup get -n {velero} {backup}", whole.going_on),
    Row("backup-expired", _U, _RESTORE,
        "the backup has expired: Velero deletes it, and the snapshots of its disks, at any moment",
        "restore from another; spec.ttl of the Backup says how long one is kept", whole.expired),
    Row("data-not-known", _U, _RESTORE,
        "nothing here says whether and how the data of these disks was stored: {about}",
        "report on the backup in the cluster, or on its folder in the object store: "
        "NAME-volumeinfo.json.gz says it", data.of_unknown_method),
    Row("snapshot-not-ready", _U, _RESTORE,
        "the storage had not made these snapshots ready when the backup ended: {about}",
        "ask the storage for the snapshot by its handle", data.snapshots_not_ready),
    Row("upload-of-another-backup", _U, _RESTORE,
        "the DataUploads of these disks are those of another Backup: {about}",
        "oc get datauploads -n {velero} -l velero.io/backup-name={backup} -o yaml has those "
        "of this one",
        data.uploads_of_others),
    Row("operation-failed", _U, _RESTORE,
        "an operation of Velero for these disks failed: {about}",
        "velero backup describe -n {velero} {backup} --details", data.operations_failed),
    Row("said-by-plugin", _N, _LEVEL,
        "without evidence on its disks, the plugin said at the end of the backup: {about}",
        "", consistency.said_by_plugin),
    Row("was-stopped", _N, _LEVEL,
        "it had no guest when it was stored, which says nothing of the moment of its snapshots",
        "", consistency.was_stopped),
    Row("had-no-agent", _N, _LEVEL,
        "no guest agent was connected when it was stored: most likely nothing froze it",
        "", consistency.had_no_agent),
    Row("hooks-went-well", _N, _LEVEL,
        "its guest agent was connected, and none of the {about} hooks of the backup failed: most "
        "likely it was frozen, for how long nothing says",
        "", consistency.hooks_went_well),
    Row("hook-failed", _N, _LEVEL,
        "by Velero's log its hook failed: {about}",
        "ask the agent in the guest, and stillpoint-guest status there; "
        "velero backup logs -n {velero} {backup} | grep hook", consistency.hook_failed),
    Row("hooks-failed", _N, _LEVEL,
        "{about} hooks of the backup failed, and nothing says whether its own did",
        "velero backup logs -n {velero} {backup} | grep hook", consistency.hooks_failed),
    Row("data-in-storage", _N, _RESTORE,
        "snapshots of these disks are in the storage of the cluster, and lost with it: {about}",
        "", data.in_storage),
    Row("needed-at-target", _N, _RESTORE,
        "not in the backup, must be there before a restore: {about}",
        "", whole.elsewhere),
)
# fmt: on

UNREADABLE = Row("unreadable", _U, _RESTORE, "it cannot be read: {about}", "", lambda _case: ())
"""Of a machine that is not what the Kubernetes API makes, so that no fact can be found."""


def of_case(case: Case) -> tuple[Problem, ...]:
    """The problems of a machine, worst first."""
    return tuple(sorted(_found(case), key=lambda one: tuple(Weight).index(one.weight)))


def _found(case: Case) -> Iterator[Problem]:
    for row in ROWS:
        if about := tuple(dict.fromkeys(row.fact(case))):
            yield problem(row, about, case.reference, case.contents.backup)


def problem(row: Row, about: tuple[str, ...], machine: Reference, backup: Item | None) -> Problem:
    """The problem that a row makes of its subjects."""
    names = tuple(filter(None, about))
    sentence = row.sentence.format(about=listing(names))
    remedy = remedies.text(row.remedy, backup, namespace=machine.namespace, name=machine.name)
    return Problem(row.code, row.weight, names, sentence, remedy, row.is_of_restore)
