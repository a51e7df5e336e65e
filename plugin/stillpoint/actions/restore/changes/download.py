"""DataDownloads for claims that are renamed or left out.

Velero's own action has made a DataDownload before ours is called, for a claim of the old name; or
none, because there is a claim of that name. So another is made for the new name, and that of a
claim that is left out is called off: else a data mover would wait for a claim that never comes, and
the restore for the data mover.
"""

from collections.abc import Iterable

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.outcome import Progress
from stillpoint.velero import own_objects
from stillpoint.velero.context import RestoreContext
from stillpoint.velero.volumes import claim_data, data_download, data_movement


def call_off(context: RestoreContext, why: str) -> None:
    """Calls off Velero's DataDownload for the claim, as if done."""
    for download in _downloads(context):
        context.log.info("its bytes are called off: %s", why)
        _take_off(download, context)
        done = data_download.without_work(
            data_download.for_operation(download, _operation(context), ""), why
        )
        context.writer.create(data_download.RESOURCE, done)


def bring(claim: Item, name: str, context: RestoreContext) -> tuple[Item, str]:
    """Makes a DataDownload for a renamed claim; gives the claim to create, and an operation.

    Raises:
        Refusal: Velero does not know where the bytes are.
    """
    namespace = context.restore.namespace(it.namespace(context.stored))
    ours, operation = _operation(context), ""
    downloads = list(_downloads(context))
    for one in downloads:
        _take_off(one, context)
    if not downloads:
        downloads = [_new_download(context, (namespace, name))]
        operation = ours
    meant = data_download.with_target(downloads[0], namespace, name)
    context.writer.create(data_download.RESOURCE, data_download.for_operation(meant, ours, name))
    context.log.info("its bytes are brought into %s", name)
    return data_download.with_volume_to_come(claim, namespace, name, ours[-5:]), operation


def progress(operation: str, context: RestoreContext) -> Progress:
    """The progress of our DataDownload, as Velero reports that of its own.

    Raises:
        Refusal: the DataDownload is gone.
    """
    return data_movement.progress(_find(operation, context), context.clock.now())


def cancel(operation: str, context: RestoreContext) -> None:
    """Cancels our DataDownload."""
    name = it.name(_find(operation, context))
    velero_namespace = it.namespace(context.restore.asked)
    context.log.info("no longer brought: cancelled")
    context.writer.patch(
        data_download.RESOURCE, velero_namespace, name, data_movement.cancellation()
    )


def _operation(context: RestoreContext) -> str:
    return data_download.operation(context.restore.uid, context.stored)


def _downloads(context: RestoreContext) -> Iterable[Item]:
    """Velero's DataDownloads for the claim; its action was called before, so none is to come."""
    if not claim_data.is_uploaded(context.stored) or not context.restore.has_volumes:
        return ()
    return _of_operation(_operation(context), context)


def _of_operation(operation: str, context: RestoreContext) -> Iterable[Item]:
    selector = f"{data_movement.OPERATION}={operation}"
    namespace = it.namespace(context.restore.asked)
    found = context.cluster.list_grouped(data_download.RESOURCE, namespace, _one, selector)
    return found.get("", ())


def _find(operation: str, context: RestoreContext) -> Item:
    for found in _of_operation(operation, context):
        return found
    subject = f"DataDownload of operation {operation}"
    raise Refusal(subject, "cannot tell how far it is", "there is none any more")


def _take_off(download: Item, context: RestoreContext) -> None:
    namespace, name = it.identify(download)
    context.writer.patch(data_download.RESOURCE, namespace, name, data_download.cancellation())


def _new_download(context: RestoreContext, target: tuple[str, str]) -> Item:
    restore = context.restore
    velero_namespace = it.namespace(restore.asked)
    selector = data_download.result_selector(restore.uid, context.stored)
    results = context.cluster.list_grouped(kinds.CONFIG_MAP, velero_namespace, _one, selector)
    for config_map in results.get("", ()):
        found = data_download.result(config_map, restore.uid)
        name = it.text(restore.asked, "spec", "backupName")
        backup = context.cluster.get(own_objects.BACKUP, velero_namespace, name) or {}
        return data_download.new(restore.asked, backup, found, target)
    cause = f"no ConfigMap of Velero with the labels {selector} says where its bytes are"
    raise Refusal(it.describe(context.stored), "cannot be renamed", cause)


def _one(_item: Item) -> Iterable[str]:
    return ("",)
