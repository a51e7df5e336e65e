"""What an action sees of the cluster when it is asked about its operations."""

from collections.abc import Sequence
from typing import Any

from stillpoint.calls.action import RestoreEntry
from stillpoint.cluster.cache import CachedIndexes
from stillpoint.model.item import Item
from stillpoint.model.outcome import Progress, RestoreOutcome, Selector
from stillpoint.resources.disks import persistent_volume_claim as claims
from stillpoint.velero.context import RestoreContext
from stillpoint.wire.generated.velero import restore_item_action_v2_pb2 as pb2
from stillpoint.wire.servicers import RestoreActions
from tests.unit.contexts import NOW
from tests.unit.dictionary_reader import DictionaryReader
from tests.unit.memory_archive import MemoryArchive

CLAIM: Item = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop"},
}


class Counting:
    """Tells how many claims it sees."""

    APPLIES_TO = Selector(())

    def execute(self, item: Item, context: RestoreContext) -> RestoreOutcome:
        return RestoreOutcome(item, operation=str(self._count(context)))

    def progress(self, _operation: str, context: RestoreContext) -> Progress:
        return Progress(NOW, NOW, done=self._count(context))

    def cancel(self, _operation: str, _context: RestoreContext) -> None:
        raise NotImplementedError

    def _count(self, context: RestoreContext) -> int:
        return len(context.cluster.list_grouped(claims.RESOURCE, "shop", _one).get("", ()))


def _one(_item: Item) -> Sequence[str]:
    return ("",)


class Archives:
    def of_restore(self, _uid: str, _stored: Item) -> Any:
        return MemoryArchive([])


def test_an_operation_sees_what_its_restore_created_in_the_same_process() -> None:
    cluster = DictionaryReader([])
    entry = RestoreEntry("test", Counting())
    servicer = RestoreActions(lambda: [entry], CachedIndexes(lambda: cluster), Archives)
    call: Any = None
    item, restore = b'{"kind":"A"}', b'{"metadata":{"uid":"u"}}'
    asked = pb2.RestoreItemActionExecuteRequest(
        plugin="test", item=item, itemFromBackup=item, restore=restore
    )
    assert servicer.Execute(asked, call).operationID == "0"

    cluster.objects.append(CLAIM)
    question = pb2.RestoreItemActionProgressRequest(plugin="test", operationID="0", restore=restore)
    for _ in range(2):
        assert servicer.Progress(question, call).progress.nCompleted == 1
    assert len(cluster.questions) == 2
