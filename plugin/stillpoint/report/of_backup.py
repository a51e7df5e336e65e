"""A backup as a whole: what Velero says of it, and its problems that are no machine's."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from stillpoint.backup_files.stored import StoredObjects
from stillpoint.evidence import document
from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import ArchiveUnreadable, MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.reference import Reference
from stillpoint.model.weight import Weight
from stillpoint.report import remedies
from stillpoint.report.contents import Contents
from stillpoint.report.facts import whole as facts
from stillpoint.report.model import Backup, Problem
from stillpoint.velero import backup_status, own_objects
from stillpoint.velero.volumes import data_upload

Fact = Callable[["Whole"], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Whole:
    """A backup as a whole.

    Attributes:
        now: by which it expires.
    """

    contents: Contents
    backup: Backup
    now: datetime


@dataclass(frozen=True, slots=True)
class WholeRow:
    """A problem that a backup as a whole can have."""

    code: str
    weight: Weight
    sentence: str
    remedy: str
    fact: Fact


def record(contents: Contents) -> Backup:
    """The backup as Velero's own object says.

    Raises:
        MalformedItem: the Backup is none.
    """
    item = _item(contents)
    return Backup(
        origin=contents.origin,
        name=it.name(item),
        namespace=it.namespace(item),
        uid=it.uid(item),
        phase=own_objects.phase(item),
        started=backup_status.started(item),
        completed=backup_status.completed(item),
        expires=backup_status.expires(item),
        errors=backup_status.errors(item),
        warnings=backup_status.warnings(item),
        hooks_attempted=backup_status.hooks_attempted(item),
        hooks_failed=backup_status.hooks_failed(item),
        failure=own_objects.failure(item),
        has_evidence=_has_evidence(contents),
    )


def _item(contents: Contents) -> Item:
    """The Backup object; without fields if there is none."""
    if contents.backup is None:
        return {}
    item, wanted = contents.backup, own_objects.BACKUP
    found = it.text(item, "apiVersion").partition("/")[0], it.text(item, "kind")
    if found != (wanted.group, wanted.kind):
        subject = f"Backup object of {contents.origin}"
        raise MalformedItem(subject, "kind", f"{wanted.kind} of {wanted.group}", "/".join(found))
    return item


def problems(contents: Contents, backup: Backup, now: datetime) -> tuple[Problem, ...]:
    """Problems of the backup as a whole, worst first."""
    found = _found(Whole(contents, backup, now))
    return tuple(sorted(found, key=lambda one: tuple(Weight).index(one.weight)))


def _found(whole: Whole) -> Iterator[Problem]:
    for row in ROWS:
        if about := tuple(row.fact(whole)):
            sentence = row.sentence.format(about=listing(about))
            remedy = remedies.text(row.remedy, whole.contents.backup)
            yield Problem(row.code, row.weight, tuple(filter(None, about)), sentence, remedy)


def _failed(whole: Whole) -> Iterator[str]:
    return facts.why_failed(whole.contents)


def _being_deleted(whole: Whole) -> tuple[str, ...]:
    return ("",) if facts.is_being_deleted(whole.contents) else ()


def _without_archive(whole: Whole) -> tuple[str, ...]:
    return ("",) if whole.contents.objects is None else ()


def _without_machines(whole: Whole) -> tuple[str, ...]:
    objects = whole.contents.objects
    return ("",) if objects is not None and not objects.has_machines else ()


def _expired(whole: Whole) -> tuple[str, ...]:
    return ("",) if facts.has_expired(whole.contents, whole.now) else ()


def _partially_failed(whole: Whole) -> Iterator[str]:
    backup = whole.backup
    if backup.phase == "PartiallyFailed":
        yield f"errors: {backup.errors or 0}"
        yield f"warnings: {backup.warnings or 0}"
    if backup.hooks_failed:
        yield f"hooks that failed: {backup.hooks_failed} of {backup.hooks_attempted}"


def _unsealed_verification(whole: Whole) -> Iterator[str]:
    if whole.contents.verification_fault:
        yield whole.contents.verification_fault


def _log_not_read(whole: Whole) -> tuple[str, ...]:
    fault = whole.contents.hooks_fault
    return (fault,) if fault else ()


def _without_object(whole: Whole) -> tuple[str, ...]:
    return ("",) if whole.contents.backup is None else ()


def _has_evidence(contents: Contents) -> bool:
    """True if any snapshot or upload has evidence, whether or not it is believed."""
    objects = contents.objects
    return objects is not None and any(
        _is_evident(one, objects)
        for resource in (data_upload.RESOURCE, kinds.VOLUME_SNAPSHOT)
        for namespace in objects.namespaces(resource)
        for one in objects.references(resource, namespace)
    )


def _is_evident(reference: Reference, objects: StoredObjects) -> bool:
    """True if the object has evidence; false too if it cannot be read, as its machine says."""
    try:
        return document.ANNOTATION in it.annotations(objects.get(reference) or {})
    except (MalformedItem, ArchiveUnreadable):
        return False


# fmt: off
ROWS = (
    WholeRow("backup-failed", Weight.BLOCKS,
             "it failed as a whole: {about}",
             "take another; velero backup logs -n {velero} {backup}", _failed),
    WholeRow("backup-being-deleted", Weight.BLOCKS,
             "Velero is deleting it, and the snapshots of its disks",
             "restore from another", _being_deleted),
    WholeRow("no-archive", Weight.UNCERTAIN,
             "there is no archive, so nothing is known of machines",
             "Velero stores none of a backup that failed; else "
             "velero backup download -n {velero} {backup}",
             _without_archive),
    WholeRow("no-machines", Weight.UNCERTAIN,
             "it holds no virtual machine",
             "stillpoint rehearse --backup {backup} says what a Backup would take, and why "
             "not more",
             _without_machines),
    WholeRow("backup-expired", Weight.UNCERTAIN,
             "it has expired: Velero deletes it, and the snapshots of its disks, at any moment",
             "restore from another; spec.ttl of the Backup says how long one is kept", _expired),
    WholeRow("partially-failed", Weight.NOTE,
             "Velero had trouble: {about}",
             "velero backup describe -n {velero} {backup} --details", _partially_failed),
    WholeRow("verification-not-sealed", Weight.NOTE,
             "its annotation stillpoint.dev/verified counts for nothing, somebody else may have "
             "written it: {about}",
             "stillpoint verify {backup} writes it again", _unsealed_verification),
    WholeRow("log-not-read", Weight.NOTE,
             "whose hooks failed is not known: {about}",
             "velero backup logs -n {velero} {backup} | grep hook; in the object store it is "
             "NAME-logs.gz", _log_not_read),
    WholeRow("no-backup-object", Weight.NOTE,
             "its Backup object is not there: phase, hooks and expiry are not known, and the seal "
             "of its evidence cannot be checked",
             "oc get backups.velero.io -n {velero} {backup} -o json > backup.json, then --backup "
             "backup.json", _without_object),
)
# fmt: on
