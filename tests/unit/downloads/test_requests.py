"""DownloadRequests, to a Velero that answers, does not, or loses its request."""

from collections.abc import Generator

import pytest

from stillpoint.downloads.errors import DownloadFailed, Interrupted
from stillpoint.downloads.requests import LABEL, RESOURCE, DownloadRequests
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reader import Change
from stillpoint.model.reference import Resource
from tests.unit.dictionary_reader import DictionaryReader

URL = "https://store.example/bucket/nightly.tar.gz?X-Signature=5e4c9a"


class Velero(DictionaryReader):
    """A cluster whose Velero gives each request these statuses, one after the other."""

    def __init__(self, *statuses: Item | None, failure: Exception | None = None) -> None:
        super().__init__([])
        self.statuses = statuses
        self.created: list[Item] = []
        self.not_deleted = failure

    def create(self, resource: Resource, item: Item) -> Item | None:
        self.created.append(item)
        return super().create(resource, item)

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        for change in super().changes(resource, namespace, labels, longest_s):
            yield change
            for status in self.statuses:
                yield Change({**change.item, "status": status or {}}, is_deleted=status is None)

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        if self.not_deleted:
            raise self.not_deleted
        super().delete(resource, namespace, name, uid=uid, version=version)


def url_of(velero: Velero) -> str:
    with DownloadRequests(velero, "velero").signed_url("nightly", "BackupLog") as url:
        assert len(velero.objects) == 1, "it is there until the download is over"
        return url.text


def test_the_url_comes_with_the_status() -> None:
    velero = Velero({"phase": "New"}, {"phase": "Processed", "downloadURL": URL})
    assert url_of(velero) == URL
    [made] = velero.created
    assert made["spec"] == {"target": {"kind": "BackupLog", "name": "nightly"}}
    assert it.namespace(made) == "velero"
    assert it.labels(made)[LABEL]
    assert velero.objects == []


def test_each_request_has_a_name_of_its_own_however_long_that_of_the_backup_is() -> None:
    velero = Velero({"downloadURL": URL})
    requests = DownloadRequests(velero, "velero")
    with requests.signed_url("n" * 253, "BackupLog"), requests.signed_url("n" * 253, "BackupLog"):
        first, second = map(it.name, velero.created)
    assert first != second
    assert len(first) < 64


def test_a_velero_that_does_not_answer_is_reported_with_what_to_look_at() -> None:
    velero = Velero({"phase": "New"})
    with pytest.raises(DownloadFailed) as caught:
        url_of(velero)
    assert caught.value.subject == "BackupLog of backup nightly"
    assert "no URL within 60 s" in caught.value.cause
    assert "BackupStorageLocation is Available" in caught.value.hint
    assert velero.objects == []


def test_a_request_that_velero_could_not_answer_is_not_waited_for() -> None:
    """A file's next try makes another: Velero itself may have given this one up."""
    velero = Velero({"expiration": "2026-11-28T01:32:38Z"}, {"downloadURL": URL})
    with pytest.raises(Interrupted, match="could make no URL") as caught:
        url_of(velero)
    assert "the server's log" in caught.value.hint
    assert velero.objects == []


def test_a_request_that_somebody_deletes_is_not_waited_for() -> None:
    with pytest.raises(DownloadFailed, match="was deleted"):
        url_of(Velero(None, {"downloadURL": URL}))


def test_a_url_that_leads_to_files_of_this_machine_is_refused() -> None:
    velero = Velero({"downloadURL": "file:///etc/passwd"})
    with pytest.raises(DownloadFailed, match="no server of HTTP"):
        url_of(velero)
    assert velero.objects == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, DownloadFailed("a", "b", "c")])
def test_it_is_deleted_also_when_the_download_is_broken_off(
    error: type[BaseException] | BaseException,
) -> None:
    velero = Velero({"downloadURL": URL})
    requests = DownloadRequests(velero, "velero")
    with (
        pytest.raises((KeyboardInterrupt, DownloadFailed)),
        requests.signed_url("nightly", "BackupLog"),
    ):
        raise error
    assert velero.objects == []


@pytest.mark.parametrize(
    ("error", "is_deleted"),
    [
        (Unreachable(str(RESOURCE), "cannot create", "connection reset"), True),
        (KeyboardInterrupt(), True),
        (Forbidden(str(RESOURCE), "cannot create", "no right"), False),
    ],
)
def test_a_creation_that_may_have_gone_well_leaves_nothing_behind(
    error: BaseException, is_deleted: bool
) -> None:
    velero = Velero()

    def create(resource: Resource, item: Item) -> Item | None:
        DictionaryReader.create(velero, resource, item)
        raise error

    velero.create = create  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        url_of(velero)
    assert (velero.objects == []) is is_deleted


def test_what_cannot_be_deleted_is_reported_and_the_download_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusal = Forbidden(str(RESOURCE), "cannot delete", "no right")
    velero = Velero({"downloadURL": URL}, failure=refusal)
    assert url_of(velero) == URL
    assert "Velero deletes it" in caplog.text
    assert URL not in caplog.text
