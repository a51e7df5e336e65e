"""Reads the objects for a user's request, and makes the Backup and Restore to rehearse."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import counted, listing
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.sources import finished_backup, live_cluster, manifests
from stillpoint.rehearsal.sources.finished_backup import FinishedBackup
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import backup_request, restore_request
from stillpoint.resources import cluster_needs
from stillpoint.resources.machines import virtual_machine
from stillpoint.velero import own_objects, preparation
from stillpoint.velero.request import Restore
from stillpoint.velero.selection import glob
from stillpoint.velero.selection.label_selector import LabelSelector

Progress = Callable[[int, int, str], None]

_SCHEDULE = "Schedule"
_HOW_TO_NAME = "velero backup download NAME, or --of NAME for a backup of the cluster"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The selection of a user's command.

    Attributes:
        backup: a file, or the name of a Backup or Schedule in the cluster; may be None.
    """

    namespaces: tuple[str, ...]
    selector: str
    backup: str | None

    @property
    def file(self) -> Path | None:
        """The file with the Backup, if `backup` is a file."""
        return Path(self.backup) if self.backup and Path(self.backup).is_file() else None


def of_folder(folder: Path, progress: Progress, spoilt: manifests.Spoilt | None = None) -> Known:
    """Objects of a folder of manifests.

    Args:
        spoilt: see `manifests.read`.

    Raises:
        UnreadableManifests: the folder has no objects, or an invalid one.
    """
    found = manifests.read(folder, progress, spoilt)
    objects, files = counted(len(found.objects), "object"), counted(found.files, "file")
    origin = f"{objects} from {files} in {folder}"
    if found.passed_over:
        origin += f"; passed over, no objects of the API: {listing(found.passed_over)}"
    return Known.of_manifests(found.objects, origin)


def of_cluster(
    place: tuple[str, str], chosen: Chosen, progress: Progress, *, is_whole: bool
) -> Known:
    """Objects of a live cluster.

    Args:
        place: kubeconfig and context; empty for the default ones.

    Raises:
        ReadFailed: the cluster does not answer.
        NothingToRehearse, UnreadableManifests: as `backup`.
    """
    # Takes half a second to import, and who reads manifests can do without.
    from stillpoint.cluster.kubernetes_reader import KubernetesReader  # noqa: PLC0415

    reader = KubernetesReader.connect(None, *place)
    scope = live_cluster.Scope(_namespaces(chosen), is_whole)
    known = live_cluster.read(reader, scope, progress)
    if chosen.backup and not chosen.file and not _is_there(chosen.backup, known):
        known = live_cluster.with_schedules(known, reader)
    asked = preparation.with_namespace(backup(chosen, known))
    return live_cluster.with_policies(known, asked, reader)


def of_archive(place: Path) -> FinishedBackup:
    """The finished backup in an archive, or in the folder into which it was extracted.

    Raises:
        NothingToRehearse: there is neither.
        ArchiveUnreadable: it is no backup of Velero.
    """
    if not place.exists():
        cause = "there is no such file or folder"
        raise NothingToRehearse(str(place), "cannot restore it", cause, _HOW_TO_NAME)
    return finished_backup.read(place)


def target_of_cluster(
    place: tuple[str, str], finished: FinishedBackup, asked: Item, progress: Progress
) -> Known:
    """Objects of a live cluster, as far as a restore of this backup depends on them.

    Args:
        place: kubeconfig and context; empty for the default ones.
        asked: the Restore.

    Raises:
        ReadFailed: the cluster does not answer.
    """
    from stillpoint.cluster.kubernetes_reader import KubernetesReader  # noqa: PLC0415

    reader = KubernetesReader.connect(None, *place)
    wanted = Restore.parse(asked)
    needed = {one.namespace for one in finished.stored}
    for reference, item in finished.stored.items():
        if reference.is_of(virtual_machine.RESOURCE):
            needed |= {one.namespace for one in cluster_needs.of_machine(item, ())}
    namespaces = sorted({wanted.namespace(one) for one in needed if one})
    scope = live_cluster.Scope(tuple(namespaces), is_target=True)
    known = live_cluster.read(reader, scope, progress)
    return live_cluster.with_storage_classes(known, it.namespace(asked) or "velero", reader)


def backup(chosen: Chosen, known: Known) -> Item:
    """The requested Backup; further flags narrow it down.

    Raises:
        NothingToRehearse: there is no such Backup, or the selector is invalid.
        UnreadableManifests: there is no Backup in the file.
    """
    selector = _selector(chosen)
    if chosen.backup is None:
        return backup_request.of_flags(chosen.namespaces, selector)
    found = _backup_of(chosen.file) if chosen.file else _find(chosen.backup, known)
    if chosen.namespaces:
        found = it.with_value(found, list(chosen.namespaces), "spec", "includedNamespaces")
    if selector and selector.requirements:
        found = it.with_value(found, selector.as_object(), "spec", "labelSelector")
    return found


def restore(file: Path | None, of: Item | None = None) -> Item:
    """The Restore in a file; without a file a plain one.

    Args:
        of: the Backup that is restored, if it is known: a plain Restore is in its namespace.

    Raises:
        UnreadableManifests: there is no Restore in the file.
    """
    if file:
        return _of_file(file, "Restore")
    plain, namespace = restore_request.plain(), it.namespace(of or {})
    return it.with_value(plain, namespace, "metadata", "namespace") if namespace else plain


def _namespaces(chosen: Chosen) -> tuple[str, ...]:
    """Namespaces to which reads can be limited from the start."""
    if chosen.namespaces or not chosen.file:
        return chosen.namespaces
    named = it.texts(_backup_of(chosen.file), "spec", "includedNamespaces")
    return () if any(map(glob.is_pattern, named)) else tuple(named)


def _selector(chosen: Chosen) -> LabelSelector | None:
    try:
        selector = LabelSelector.parse(chosen.selector)
        selector.as_object()
    except ValueError as error:
        subject = f"selector {chosen.selector!r}"
        raise NothingToRehearse(subject, "cannot select by it", str(error)) from error
    return selector


def _is_there(name: str, known: Known) -> bool:
    return any(_is(one, own_objects.BACKUP.kind) and it.name(one) == name for one in known.objects)


def _find(name: str, known: Known) -> Item:
    backups = [item for item in known.objects if _is(item, own_objects.BACKUP.kind)]
    schedules = [item for item in known.objects if _is(item, _SCHEDULE)]
    for item in (*backups, *map(preparation.of_schedule, schedules)):
        if it.name(item) == name:
            return item
    names = listing(dict.fromkeys(map(it.name, [*backups, *schedules])))
    hint = f"there are: {names}" if names else "no Backup and no Schedule was read"
    cause = "there is neither a file nor a Backup or Schedule of that name"
    raise NothingToRehearse(f"backup {name}", "cannot rehearse it", cause, hint)


def _backup_of(file: Path) -> Item:
    """The Backup in a file, or the Backup of a Schedule, which repositories keep instead."""
    found = manifests.read(file).objects
    is_backup = any(_is(item, own_objects.BACKUP.kind) for item in found)
    if is_backup or not any(_is(item, _SCHEDULE) for item in found):
        return _of_file(file, own_objects.BACKUP.kind)
    return preparation.of_schedule(_of_file(file, _SCHEDULE))


def _of_file(file: Path, kind: str) -> Item:
    found = [item for item in manifests.read(file).objects if _is(item, kind)]
    if len(found) == 1:
        return found[0]
    cause = f"{len(found)} objects of kind {kind} are in it, not one"
    raise NothingToRehearse(str(file), "cannot take a request from it", cause)


def _is(item: Item, kind: str) -> bool:
    """True for Velero's objects of this kind; other products have Backups and Schedules, too."""
    return item["kind"] == kind and str(item["apiVersion"]).startswith("velero.io/")
