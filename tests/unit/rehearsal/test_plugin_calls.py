"""Actions called in this process: their faults, their log, and what they can read and change."""

from collections.abc import Callable, Sequence

import pytest

from stillpoint import catalogue
from stillpoint.calls.action import BackupEntry, Catalogue, ItemBlockEntry, RestoreEntry
from stillpoint.model import item as it
from stillpoint.model.errors import ReadFailed
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, RestoreOutcome, Selector
from stillpoint.model.reference import Reference, Resource
from stillpoint.rehearsal.plugin.rehearsed_cluster import RehearsedCluster
from stillpoint.rehearsal.plugin.stored_backup import StoredBackup
from stillpoint.rehearsal.rehearsal import Rehearsal, Wanted, rehearse
from stillpoint.rehearsal.sources.known import Known
from stillpoint.rehearsal.velero_steps import backup_request
from stillpoint.rehearsal.velero_steps.backup import BackupResult
from stillpoint.rehearsal.velero_steps.restore import RestoreResult
from stillpoint.velero.context import BackupContext, RestoreContext
from tests.unit.rehearsal import examples

MACHINES = Resource("kubevirt.io", "v1", "virtualmachines", "VirtualMachine")
PODS = Resource("", "v1", "pods", "Pod")
DB = MACHINES.named("shop", "db")
FAULTS = [KeyError("spec"), RecursionError("too deep"), SystemExit(3), MemoryError()]


class Faulty:
    """An action of every kind that raises for the machine `db`, and logs for each."""

    APPLIES_TO = Selector(("virtualmachines.kubevirt.io",))

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def execute(self, item: Item, context: RestoreContext) -> RestoreOutcome:
        self._fail(item, context)
        return RestoreOutcome(item, skip=True)

    def related_items(self, item: Item, context: BackupContext) -> Sequence[Reference]:
        self._fail(item, context)
        return ()

    def _fail(self, item: Item, context: BackupContext | RestoreContext) -> None:
        context.log.debug("looked at")
        context.log.info("not restored: %s", "a test")
        if it.name(item) == "db":
            raise self._error


class FaultyBackup(Faulty):
    def execute(self, item: Item, context: BackupContext) -> BackupOutcome:  # type: ignore[override]
        self._fail(item, context)
        return BackupOutcome(item)


class OfTests:
    """A catalogue with one action of each kind where `error` is to be raised; else the own ones."""

    def __init__(self, error: BaseException, *kinds: str) -> None:
        self._error = error
        self._kinds = kinds

    def backup(self) -> Sequence[BackupEntry]:
        faulty = BackupEntry("test/backup", FaultyBackup(self._error))
        return [faulty] if "backup" in self._kinds else catalogue.backup()

    def item_block(self) -> Sequence[ItemBlockEntry]:
        faulty = ItemBlockEntry("test/block", Faulty(self._error))
        return [faulty] if "block" in self._kinds else catalogue.item_block()

    def restore(self) -> Sequence[RestoreEntry]:
        faulty = RestoreEntry("test/restore", Faulty(self._error))
        return [faulty] if "restore" in self._kinds else catalogue.restore()


def rehearsed(actions: Catalogue) -> Rehearsal:
    known = Known.of_manifests(examples.objects(), "a test")
    return rehearse(known, Wanted(backup_request.of_flags((), None), examples.NOW), actions)


def told(kind: str, error: BaseException) -> str:
    name = type(error).__name__
    return f"VirtualMachine shop/db: a fault inside stillpoint (test/{kind}): {name}: {error}"


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_a_fault_of_an_action_is_a_failure_of_its_item_alone(error: BaseException) -> None:
    found = rehearsed(OfTests(error, "backup", "block"))
    assert found.backup.items[DB].result is BackupResult.FAILED
    assert found.backup.items[DB].error == told("backup", error)
    errors = [one for block in found.backup.blocks for one in block.errors]
    assert errors == [told("block", error)]
    assert found.backup.items[MACHINES.named("shop", "web")].result is BackupResult.STORED


@pytest.mark.parametrize("error", FAULTS, ids=repr)
def test_a_fault_of_a_restore_action_is_a_failure_of_its_item_alone(error: BaseException) -> None:
    found = rehearsed(OfTests(error, "restore"))
    by_name = {one.reference: one for one in found.restored}
    assert by_name[DB].result is RestoreResult.FAILED
    assert by_name[DB].why == told("restore", error)
    assert by_name[MACHINES.named("shop", "web")].result is RestoreResult.SKIPPED


def test_what_an_action_says_of_an_item_that_it_leaves_out_is_the_reason() -> None:
    found = rehearsed(OfTests(KeyError(), "restore"))
    [web] = [one for one in found.restored if one.reference == MACHINES.named("shop", "web")]
    assert web.why == "not restored: a test"
    assert {line.message for line in found.log} >= {"not restored: a test"}
    assert "looked at" not in {line.message for line in found.log}


def test_ctrl_c_ends_a_rehearsal() -> None:
    with pytest.raises(KeyboardInterrupt):
        rehearsed(OfTests(KeyboardInterrupt(), "backup"))


# what an action reads


def machine(namespace: str, name: str, labels: Item | None = None) -> Item:
    metadata = {"namespace": namespace, "name": name, "labels": labels or {}}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": metadata}


def cluster(*objects: Item) -> RehearsedCluster:
    return RehearsedCluster({MACHINES.named(*it.identify(one)): one for one in objects})


WEB, APP, FAR = machine("shop", "web", {"app": "a"}), machine("shop", "app"), machine("far", "db")


def test_objects_are_found_by_namespace_name_and_label() -> None:
    found = cluster(WEB, APP, FAR)
    assert found.get(MACHINES, "shop", "web") == WEB
    assert found.get(MACHINES, "shop", "db") is None
    assert found.get(PODS, "shop", "web") is None
    assert found.list(MACHINES, "shop") == [APP, WEB]
    assert found.list(MACHINES, "") == [FAR, APP, WEB]
    assert found.list(MACHINES, "shop", "app in (a, b)") == [WEB]
    assert found.list(PODS, "shop") == []
    follow = found.follow(MACHINES, "shop", 300)
    assert (follow("web"), follow("db")) == (WEB, None)


def test_an_object_is_served_in_the_version_that_is_asked_for() -> None:
    older = MACHINES._replace(version="v1alpha3")
    assert cluster(WEB).get(older, "shop", "web") == WEB | {"apiVersion": "kubevirt.io/v1alpha3"}
    assert WEB["apiVersion"] == "kubevirt.io/v1"


@pytest.mark.parametrize(("machines", "requests"), [(0, 1), (1, 1), (2_000, 1), (2_001, 2)])
def test_a_list_counts_as_many_requests_as_it_has_pages(machines: int, requests: int) -> None:
    found = cluster(*(machine("shop", str(number)) for number in range(machines)))
    found.list(MACHINES, "shop")
    assert found.requests == requests
    found.get(MACHINES, "shop", "1")
    assert found.requests == requests + 1


def test_a_list_that_is_followed_counts_its_watch() -> None:
    found = cluster(WEB)
    found.follow(MACHINES, "shop", 300)
    found.follow(MACHINES, "far", 300)  # of none, no watch is opened
    assert found.requests == 3


def change(to: RehearsedCluster) -> None:
    to.patch(MACHINES, "shop", "web", {"spec": None})


def create(to: RehearsedCluster) -> None:
    to.create(MACHINES, machine("shop", "new"))


@pytest.mark.parametrize("do", [change, create])
def test_nothing_can_be_changed(do: Callable[[RehearsedCluster], None]) -> None:
    found = cluster(WEB)
    with pytest.raises(ReadFailed, match="a rehearsal changes nothing"):
        do(found)
    assert found.list(MACHINES, "shop") == [WEB]


# what a restore action reads of the backup


def test_a_stored_backup_has_its_objects_by_resource_and_namespace() -> None:
    volume = Reference("", "persistentvolumes", "", "pv")
    stored = {volume: {"kind": "PersistentVolume"}}
    stored |= {MACHINES.named(*it.identify(one)): one for one in (WEB, APP, FAR)}
    archive = StoredBackup(stored).of_restore("uid", WEB)
    assert archive.get(MACHINES.named("shop", "web")) == WEB
    assert archive.get(MACHINES.named("shop", "db")) is None
    assert archive.holds(volume)
    assert not archive.holds(volume.renamed("other"))
    assert archive.list(MACHINES, "shop") == [APP, WEB]
    assert list(archive.list(PODS, "shop")) == []
    assert archive.namespaces(MACHINES) == ["far", "shop"]
    assert archive.namespaces(PODS) == []


def test_what_is_made_of_a_backup_is_made_once() -> None:
    archive = StoredBackup({})
    assert [archive.once("a", lambda: 1), archive.once("a", lambda: 2)] == [1, 1]
