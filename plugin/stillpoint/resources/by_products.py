"""By-products: objects that controllers around a machine make for a task and delete afterwards.

The controllers recreate them for what is restored. Brought back, a by-product is an orphan that
nobody deletes: a pod that waits for ever for a claim that does not come, a budget that holds up the
drain of a node.

Sources: KubeVirt v1.9, pkg/virt-controller and pkg/storage/export; CDI v1.66, pkg/controller.
"""

import re
from collections.abc import Callable

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.item import Item
from stillpoint.resources import one_shot_resource
from stillpoint.resources.disks import data_volume, persistent_volume_claim

_MIGRATION = "kubevirt.io/migrationName"
_START = "revision-start-vm-"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SOURCE = re.compile(rf"volume-(import|clone|upload)-source-{_UUID}")
_SOURCES = ("VolumeImportSource", "VolumeCloneSource", "VolumeUploadSource")
_APP = "containerized-data-importer"
_CDI = "cdi.kubevirt.io"
_ONE_SHOT_KINDS = {one.kind for one in one_shot_resource.RESOURCES}


def why(stored: Item) -> str:
    """The reason why a stored object, with its owners, is not restored; empty for any other."""
    return next((reason for is_one, reason in _RULES if is_one(stored)), "")


def _is_of_start(stored: Item) -> bool:
    is_revision = stored.get("kind") == kinds.CONTROLLER_REVISION.kind
    return is_revision and it.name(stored).startswith(_START)


def _is_source_of_filling(stored: Item) -> bool:
    """True for CDI's own source; a user's has another name, and no owner."""
    if stored.get("kind") not in _SOURCES:
        return False
    is_owned = bool(it.owner(stored, data_volume.RESOURCE.kind))
    return is_owned or _SOURCE.fullmatch(it.name(stored)) is not None


def _is_worker(stored: Item) -> bool:
    """True for a pod or service that fills a claim: importer, uploader, cloner, any populator's."""
    if stored.get("kind") not in ("Pod", "Service"):
        return False
    labels = it.labels(stored)
    is_cdi = labels.get("app") == _APP and bool(labels.get(_CDI))
    owners = {it.text(owner, "kind") for owner in it.owners(stored)}
    is_of_claim = persistent_volume_claim.RESOURCE.kind in owners
    return is_of_claim or (is_cdi and owners <= {"Pod"})


def _is_scratch(stored: Item) -> bool:
    """True for CDI's own claims: a prime that becomes another, scratch space, a copy to clone."""
    if stored.get("kind") != persistent_volume_claim.RESOURCE.kind:
        return False
    owners = {it.text(owner, "kind") for owner in it.owners(stored)}
    is_cdi = it.labels(stored).get("app") == _APP or any(
        key.startswith(f"{_CDI}/") for key in (*it.annotations(stored), *it.labels(stored))
    )
    return is_cdi and bool(owners & {"Pod", persistent_volume_claim.RESOURCE.kind})


def _is_state_of_migration(stored: Item) -> bool:
    """True for state on its way to another node, which is not the machine's until arrival."""
    is_claim = stored.get("kind") == persistent_volume_claim.RESOURCE.kind
    is_ones = any(persistent_volume_claim.machines_with_state(stored)) if is_claim else True
    return not is_ones and _MIGRATION in it.labels(stored)


def _is_of_transfer(stored: Item) -> bool:
    return stored.get("kind") == "ObjectTransfer"


def _is_of_one_shot(stored: Item) -> bool:
    """True for what KubeVirt makes for a snapshot, an export, a clone, a migration."""
    return any(it.text(owner, "kind") in _ONE_SHOT_KINDS for owner in it.owners(stored))


_RULES: tuple[tuple[Callable[[Item], bool], str], ...] = (
    (_is_of_start, "not restored: KubeVirt recreates it when the machine starts"),
    (_is_source_of_filling, "not restored: CDI recreates it for a claim that it populates"),
    (_is_scratch, "not restored: it was space of CDI's own while it filled a claim"),
    (_is_state_of_migration, "not restored: it was made for a migration that went on"),
    (_is_of_transfer, "not restored: CDI recreates it for a claim that it populates"),
    (_is_worker, "not restored: it populated a claim, and is recreated where needed"),
    (_is_of_one_shot, "not restored: it was made for a snapshot, export, clone or migration"),
)
