"""Each read that an action makes fails once, in each way: the action says so, and no more."""

from collections.abc import Callable, Sequence

import pytest

from stillpoint import catalogue
from stillpoint.calls.action import BackupEntry, ItemBlockEntry, every
from stillpoint.cluster.api_request import ApiRequest, ApiResponse
from stillpoint.model.errors import ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from tests.contract.running_machine import ASK_NOTHING, BACKUP, CLUSTER, ITEMS
from tests.unit.contexts import backup_context
from tests.unit.dictionary_reader import DictionaryReader

Failure = Callable[[ApiRequest], ReadFailed | None]


def answered(status: int, body: bytes = b"") -> Failure:
    """What the reader makes of an answer of the API server; None if it is no failure to it."""

    def failure(request: ApiRequest) -> ReadFailed | None:
        if status == 404 and (request.verb == "get" or request.resource.group):
            return None  # no such object, or a resource that this cluster does not serve
        response = ApiResponse(status, "", body)
        try:
            if request.verb == "get":
                request.read_object(response)
            else:
                request.read_page(response, lambda _: None)
        except ReadFailed as error:
            return error
        raise AssertionError(f"HTTP {status} passed for an answer")

    return failure


FAILURES: dict[str, Failure] = {
    "403": answered(403),
    "404": answered(404),
    "409": answered(409),
    "429": answered(429),
    "500": answered(500),
    "half an answer": answered(200, b'{"kind": "List", "metadata": {}, "items": [{"metadata": {'),
    "no answer": lambda request: request.unreachable("no response within 180 s"),
}


class FailingReader(DictionaryReader):
    """Fails at one of its questions."""

    def __init__(self, failure: Failure, at: int) -> None:
        super().__init__(CLUSTER)
        self._fails = failure
        self._at = at
        self.failed: ReadFailed | None = None

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        self._count(ApiRequest("get", resource, namespace, name, 0.0))
        return super().get(resource, namespace, name)

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        self._count(ApiRequest("list", resource, namespace, "", 0.0))
        return super().list(resource, namespace, labels)

    def _count(self, request: ApiRequest) -> None:
        if len(self.questions) == self._at:
            self.failed = self._fails(request)
        if self.failed:
            raise self.failed


ASKING = [
    entry
    for entry in every(catalogue)
    if isinstance(entry, BackupEntry | ItemBlockEntry) and entry.name not in ASK_NOTHING
]


def call(entry: BackupEntry | ItemBlockEntry, reader: DictionaryReader) -> object:
    item = next((item for end, item in ITEMS.items() if entry.name.endswith(f"-{end}")), None)
    assert item, "ITEMS of running_machine.py has no item for it"
    context = backup_context(BACKUP, reader)
    if isinstance(entry, ItemBlockEntry):
        return entry.action.related_items(item, context)
    return entry.action.execute(item, context)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("entry", ASKING, ids=lambda entry: entry.name)
def test_no_answer_is_made_of_a_read_that_failed(
    entry: BackupEntry | ItemBlockEntry, failure: Failure
) -> None:
    whole = DictionaryReader(CLUSTER)
    call(entry, whole)
    assert whole.questions, "an action without a question is not among these"
    for place, request in enumerate(whole.questions):
        reader = FailingReader(failure, place)
        error = error_of(entry, reader)
        assert error is reader.failed, f"passed over: {request}"
        if error:  # else this is an answer, such as an object that does not exist
            assert error.subject.split()[0].split(".")[0] in request
            assert error.attempt in ("cannot get", "cannot list")
            assert error.cause


def error_of(entry: BackupEntry | ItemBlockEntry, reader: DictionaryReader) -> ReadFailed | None:
    try:
        call(entry, reader)
    except ReadFailed as error:
        return error
    return None


def test_a_machine_asks_of_all_that_this_test_means_to_break() -> None:
    entry = next(entry for entry in ASKING if entry.name == "stillpoint.dev/backup-virtual-machine")
    reader = DictionaryReader(CLUSTER)
    call(entry, reader)
    assert {request.split()[1].split(".")[0] for request in reader.questions} == {
        "virtualmachineinstances", "pods", "persistentvolumeclaims", "datavolumes", "configmaps",
        "persistentvolumes", "storageclasses", "volumesnapshotclasses",
        "virtualmachineinstancetypes", "virtualmachinepreferences",
    }  # fmt: skip
