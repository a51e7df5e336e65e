import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from stillpoint.cluster.cache import OLDEST_S, Cache, CachedIndex, CachedIndexes
from stillpoint.model import item as it
from stillpoint.model.errors import Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reader import Change, Lookup, Stream
from stillpoint.model.reference import Reference, Resource
from tests.unit.dictionary_reader import MemoryStream

THREADS = 32
PODS = Resource("", "v1", "pods", "Pod")
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")


def pod(name: str, *, namespace: str = "shop", app: str = "") -> Item:
    labels = {"app": app} if app else {}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels}}


def by_app(item: Item) -> Iterable[str]:
    return (it.labels(item).get("app", ""),)


class DictionaryReader:
    """A cluster of pods in memory that counts its questions and can be out of order."""

    def __init__(self, *pods: Item) -> None:
        self.pods = list(pods)
        self.asked: Counter[tuple[str, ...]] = Counter()
        self.failure: Exception | None = None

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        self._ask("get", resource.plural, namespace, name)
        return self._named(resource, namespace, name)

    def list(self, resource: Resource, namespace: str, labels: str = "") -> Sequence[Item]:
        self._ask("list", resource.plural, namespace, labels)
        return self._of(resource, namespace)

    def follow(self, resource: Resource, namespace: str, longest_s: float) -> Lookup:
        self._ask("follow", resource.plural, namespace, str(longest_s))
        return lambda name: self._named(resource, namespace, name)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Item,
        subresource: str = "",
    ) -> Item:
        what = f"{resource.plural}/{subresource}" if subresource else resource.plural
        self._ask("patch", what, namespace, name, str(change))
        return change

    def changes(
        self, resource: Resource, namespace: str, labels: str, longest_s: float
    ) -> Generator[Change, None, None]:
        self._ask("watch", resource.plural, namespace, labels, str(longest_s))
        yield from map(Change, self._of(resource, namespace))

    def log(
        self,
        pod: Reference,
        container: str,
        oldest_s: float | None,
        follow_s: float | None = None,
    ) -> Stream[bytes]:
        self._ask("log", pod.name, container, str(oldest_s), str(follow_s))
        return MemoryStream()

    def watch(
        self, resource: Resource, namespace: str, name: str, longest_s: float
    ) -> Stream[Change]:
        self._ask("watch one", resource.plural, namespace, name, str(longest_s))
        return MemoryStream()

    def create(self, resource: Resource, item: Item) -> Item | None:
        self._ask("create", resource.plural, it.namespace(item), it.name(item))
        return item

    def put(self, resource: Resource, namespace: str, name: str, subresource: str) -> None:
        self._ask("put", resource.plural, namespace, name, subresource)

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", version: str = ""
    ) -> None:
        del uid, version
        self._ask("delete", resource.plural, namespace, name)

    def _of(self, resource: Resource, namespace: str) -> Sequence[Item]:
        found = self.pods if resource is PODS else []
        return [item for item in found if it.namespace(item) == namespace]

    def _named(self, resource: Resource, namespace: str, name: str) -> Item | None:
        return next((item for item in self._of(resource, namespace) if it.name(item) == name), None)

    def _ask(self, *question: str) -> None:
        self.asked[question] += 1
        if self.failure:
            raise self.failure


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def waiting() -> int:
    """Threads that wait in `once` for what another one computes."""
    count = 0
    for frame in sys._current_frames().values():
        codes = (each.f_code for each, _line in traceback.walk_stack(frame))
        count += (Future.result.__code__, Cache.once.__code__) in pairwise(codes)
    return count


def ask_at_once(
    cache: Cache, key: str, compute: Callable[[], Any], threads: int = THREADS
) -> Sequence[Any]:
    """Answers or errors of `once` in many threads; no `compute` ends before all have begun."""
    begun = threading.Semaphore(0)
    all_begun = threading.Event()

    def slow() -> Any:
        assert all_begun.wait(60)
        return compute()

    def ask(_: int) -> Any:
        begun.release()
        try:
            return cache.once(key, slow)
        except RuntimeError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        answers = pool.map(ask, range(threads))
        for _ in range(threads):
            assert begun.acquire(timeout=60)
        latest = time.monotonic() + 60
        while waiting() < threads - 1:
            assert time.monotonic() < latest
            time.sleep(0.005)
        all_begun.set()
        return list(answers)


# one value


def test_32_threads_that_ask_at_once_make_one_computation() -> None:
    computed: list[object] = []

    def compute() -> object:
        computed.append(object())
        return computed[-1]

    answers = ask_at_once(Cache(10, 60, time.monotonic), "key", compute)
    assert len(computed) == 1
    assert answers == computed * THREADS


def test_different_keys_do_not_wait_for_each_other() -> None:
    cache = Cache(10, 60, time.monotonic)
    other_is_done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.once, "slow", lambda: other_is_done.wait(60))
        assert cache.once("quick", lambda: "value") == "value"
        other_is_done.set()
        assert slow.result() is True


def test_a_failure_reaches_every_thread_that_waits_and_is_not_kept() -> None:
    cache = Cache(10, 60, time.monotonic)
    failures: list[RuntimeError] = []

    def fail() -> None:
        failures.append(RuntimeError("no answer"))
        raise failures[-1]

    answers = ask_at_once(cache, "key", fail)
    assert len(failures) == 1
    assert answers == failures * THREADS
    assert cache.once("key", lambda: "better") == "better"


def test_none_is_a_value_like_any_other() -> None:
    cache = Cache(10, 60, time.monotonic)
    assert cache.once("key", lambda: None) is None
    assert cache.once("key", lambda: "not asked again") is None


def test_a_value_is_kept_up_to_its_age_and_computed_anew_after_it() -> None:
    clock = Clock()
    cache = Cache(10, 60, clock)
    assert cache.once("key", lambda: "old") == "old"
    clock.now += 60
    assert cache.once("key", lambda: "new") == "old"
    clock.now += 0.1
    assert cache.once("key", lambda: "new") == "new"
    clock.now += 59
    assert cache.once("key", lambda: "newer") == "new"


def test_a_failure_to_renew_does_not_bring_the_old_value_back() -> None:
    clock = Clock()
    cache = Cache(10, 60, clock)
    cache.once("key", lambda: "old")
    clock.now += 61
    with pytest.raises(ZeroDivisionError):
        cache.once("key", lambda: 1 / 0)
    assert cache.once("key", lambda: "new") == "new"


def test_a_failure_of_an_outdated_computation_leaves_the_newer_one_alone() -> None:
    clock = Clock()
    cache = Cache(10, 60, clock)

    def overtaken() -> None:
        clock.now += 61
        assert cache.once("key", lambda: "newer") == "newer"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.once("key", overtaken)
    assert cache.once("key", lambda: "not asked") == "newer"


def test_beyond_the_bound_the_value_that_was_used_longest_ago_is_forgotten() -> None:
    cache = Cache(2, 60, time.monotonic)
    for key in ("a", "b", "a", "c"):
        cache.once(key, f"first {key}".__str__)
    assert cache.once("a", lambda: "second a") == "first a"
    assert cache.once("c", lambda: "second c") == "first c"
    assert cache.once("b", lambda: "second b") == "second b"


def test_a_value_forgotten_while_it_is_computed_still_reaches_who_asked() -> None:
    cache = Cache(1, 60, time.monotonic)

    def compute() -> str:
        cache.once("other", lambda: None)
        return "value"

    assert cache.once("key", compute) == "value"


# the index of a backup


def test_each_kind_of_a_namespace_is_listed_once_however_many_names_are_asked() -> None:
    reader = DictionaryReader(*(pod(f"p{number}") for number in range(100)))
    index = CachedIndex(reader)
    for number in range(100):
        found = index.get(PODS, "shop", f"p{number}")
        assert found is not None
        assert it.name(found) == f"p{number}"
    assert reader.asked == {("list", "pods", "shop", ""): 1}


def test_one_object_is_read_once_without_its_neighbours() -> None:
    reader = DictionaryReader(pod("a"), pod("b"))
    index = CachedIndex(reader)
    for _ in range(2):
        assert it.name(index.single(PODS, "shop", "a") or {}) == "a"
        assert index.single(PODS, "shop", "c") is None
    assert reader.asked == {("get", "pods", "shop", "a"): 1, ("get", "pods", "shop", "c"): 1}


def test_each_kind_and_each_namespace_has_a_list_of_its_own() -> None:
    reader = DictionaryReader(pod("a"), pod("a", namespace="office"))
    index = CachedIndex(reader)
    for _ in range(2):
        for namespace in ("shop", "office"):
            assert it.namespace(index.get(PODS, namespace, "a") or {}) == namespace
            assert index.list_grouped(CLAIMS, namespace, by_app) == {}
    assert set(reader.asked.values()) == {1}
    assert len(reader.asked) == 4


def test_two_groupings_share_one_list() -> None:
    reader = DictionaryReader(pod("a", app="x"), pod("b", app="x"), pod("c", app="y"))
    index = CachedIndex(reader)
    groups = index.list_grouped(PODS, "shop", by_app)
    assert {app: [it.name(item) for item in group] for app, group in groups.items()} == {
        "x": ["a", "b"],
        "y": ["c"],
    }
    assert index.get(PODS, "shop", "c") is groups["y"][0]
    assert reader.asked == {("list", "pods", "shop", ""): 1}


def test_lists_of_different_labels_are_different_questions() -> None:
    reader = DictionaryReader(pod("a"))
    index = CachedIndex(reader)
    index.list_grouped(PODS, "shop", by_app, "app=x")
    index.list_grouped(PODS, "shop", by_app, "app=y")
    index.list_grouped(PODS, "shop", by_app, "app=x")
    assert sorted(reader.asked) == [
        ("list", "pods", "shop", "app=x"),
        ("list", "pods", "shop", "app=y"),
    ]
    assert set(reader.asked.values()) == {1}


def test_a_name_created_after_the_list_is_found() -> None:
    reader = DictionaryReader(pod("old"))
    index = CachedIndex(reader)
    assert index.get(PODS, "shop", "old")
    reader.pods.append(pod("new"))
    for _ in range(3):
        found = index.get(PODS, "shop", "new")
        assert found == pod("new")
    assert reader.asked == {("list", "pods", "shop", ""): 1, ("get", "pods", "shop", "new"): 1}


def test_a_name_that_does_not_exist_is_asked_once() -> None:
    reader = DictionaryReader()
    index = CachedIndex(reader)
    assert [index.get(PODS, "shop", "gone") for _ in range(3)] == [None] * 3
    assert reader.asked["get", "pods", "shop", "gone"] == 1


def test_32_threads_that_ask_for_different_names_make_one_list() -> None:
    reader = DictionaryReader(*(pod(f"p{number}") for number in range(THREADS)))
    index = CachedIndex(reader)
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda n: index.get(PODS, "shop", f"p{n}"), range(THREADS)))
    assert [it.name(item or {}) for item in found] == [f"p{n}" for n in range(THREADS)]
    assert reader.asked == {("list", "pods", "shop", ""): 1}


def test_an_unanswered_list_is_asked_again_at_the_next_question() -> None:
    reader = DictionaryReader(pod("a"))
    index = CachedIndex(reader)
    reader.failure = Unreachable("pods in namespace shop", "cannot list", "HTTP 503")
    with pytest.raises(Unreachable):
        index.get(PODS, "shop", "a")
    reader.failure = None
    assert index.get(PODS, "shop", "a") == pod("a")
    assert reader.asked == {("list", "pods", "shop", ""): 2}


def test_what_was_read_is_read_anew_when_it_is_too_old() -> None:
    clock = Clock()
    reader = DictionaryReader(pod("a", app="before"))
    index = CachedIndex(reader, clock)
    assert index.list_grouped(PODS, "shop", by_app).keys() == {"before"}
    reader.pods = [pod("a", app="after")]
    clock.now += OLDEST_S
    assert index.list_grouped(PODS, "shop", by_app).keys() == {"before"}
    clock.now += 1
    assert index.list_grouped(PODS, "shop", by_app).keys() == {"after"}


def test_what_is_asked_for_as_it_is_now_is_asked_each_time_and_changes_no_other_answer() -> None:
    reader = DictionaryReader(pod("a"))
    index = CachedIndex(reader)
    assert index.get(PODS, "shop", "a")
    reader.pods.clear()
    assert index.current(PODS, "shop", "a") is None
    assert index.current(PODS, "shop", "a") is None
    assert reader.asked["get", "pods", "shop", "a"] == 2
    assert index.get(PODS, "shop", "a")


# the indexes of all backups


def test_streams_are_opened_each_time_and_by_the_connection_that_reads() -> None:
    reader = DictionaryReader()
    index = CachedIndexes(lambda: reader).for_request("1")
    for _ in range(2):
        index.log(PODS.named("shop", "db"), "compute", 60.0, 5.0)
        index.watch(PODS, "shop", "db", 7.0)
    assert reader.asked == {
        ("log", "db", "compute", "60.0", "5.0"): 2,
        ("watch one", "pods", "shop", "db", "7.0"): 2,
    }


def test_a_change_goes_through_the_connection_that_reads() -> None:
    reader = DictionaryReader(pod("a"))
    connected: list[DictionaryReader] = []

    def connect() -> DictionaryReader:
        connected.append(reader)
        return reader

    indexes = CachedIndexes(connect)
    assert indexes.for_request("one").get(PODS, "shop", "a")
    indexes.writer.patch(PODS, "shop", "a", {"spec": {}})
    assert reader.asked["patch", "pods", "shop", "a", "{'spec': {}}"] == 1
    assert indexes.writer.create(PODS, pod("b")) == pod("b")
    indexes.writer.delete(PODS, "shop", "b")
    assert reader.asked["create", "pods", "shop", "b"] == 1
    indexes.writer.put(PODS, "shop", "a", "evict")
    assert reader.asked["delete", "pods", "shop", "b"] == 1
    assert reader.asked["put", "pods", "shop", "a", "evict"] == 1
    for times in (1, 2):
        assert list(indexes.for_request("one").changes(PODS, "shop", "", 3.0)) == [
            (pod("a"), False)
        ]
        assert reader.asked["watch", "pods", "shop", "", "3.0"] == times
    assert connected == [reader]


def test_two_backups_do_not_share_what_they_read() -> None:
    reader = DictionaryReader(pod("a"))
    indexes = CachedIndexes(lambda: reader)
    for backup in ("one", "two", "one"):
        assert indexes.for_request(backup).get(PODS, "shop", "a")
    assert reader.asked["list", "pods", "shop", ""] == 2
    assert indexes.for_request("one") is indexes.for_request("one")


def test_the_cluster_is_connected_at_the_first_question_and_once() -> None:
    reader = DictionaryReader(pod("a"))
    connected: list[DictionaryReader] = []

    def connect() -> DictionaryReader:
        connected.append(reader)
        return reader

    indexes = CachedIndexes(connect)
    index = indexes.for_request("one")
    assert connected == []
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda n: index.get(PODS, f"n{n}", "a"), range(THREADS)))
    assert connected == [reader]


def test_a_failure_to_connect_is_not_kept() -> None:
    reader = DictionaryReader(pod("a"))
    attempts: Iterator[DictionaryReader | Exception] = iter(
        [Unreachable("cluster", "cannot connect", "no network"), reader]
    )

    def connect() -> DictionaryReader:
        attempt = next(attempts)
        if isinstance(attempt, Exception):
            raise attempt
        return attempt

    index = CachedIndexes(connect).for_request("one")
    with pytest.raises(Unreachable):
        index.get(PODS, "shop", "a")
    assert index.get(PODS, "shop", "a") == pod("a")


def test_the_indexes_of_long_gone_backups_are_forgotten() -> None:
    indexes = CachedIndexes(DictionaryReader)
    first = indexes.for_request("0")
    for number in range(1, 20):
        indexes.for_request(str(number))
    assert indexes.for_request("0") is not first


def test_a_connection_that_is_expected_is_made_before_the_first_question() -> None:
    connected = threading.Event()

    def connect() -> DictionaryReader:
        connected.set()
        return DictionaryReader(pod("a"))

    indexes = CachedIndexes(connect)
    indexes.expect_requests()
    assert connected.wait(60)


def test_an_expected_connection_that_fails_is_told_by_the_first_question() -> None:
    tried = threading.Event()

    def connect() -> DictionaryReader:
        tried.set()
        raise Unreachable("cluster", "cannot connect", "no network")

    indexes = CachedIndexes(connect)
    indexes.expect_requests()
    assert tried.wait(60)
    with pytest.raises(Unreachable):
        indexes.for_request("one").get(PODS, "shop", "a")


def test_a_name_that_came_after_the_list_is_not_among_the_listed() -> None:
    reader = DictionaryReader(pod("a"))
    index = CachedIndex(reader)
    assert index.get_listed(PODS, "shop", "a") == pod("a")
    reader.pods.append(pod("b"))
    assert index.get_listed(PODS, "shop", "b") is None
    assert index.get(PODS, "shop", "b") == pod("b")


def test_what_is_asked_for_in_its_latest_state_follows_one_list_of_its_namespace() -> None:
    clock = Clock()
    reader = DictionaryReader(pod("a", app="before"), pod("b"))
    index = CachedIndex(reader, clock)
    assert index.latest(PODS, "shop", "a") == pod("a", app="before")
    reader.pods[0] = pod("a", app="after")
    clock.now += OLDEST_S
    assert index.latest(PODS, "shop", "a") == pod("a", app="after")
    assert index.latest(PODS, "shop", "b") == pod("b")
    asked = ("follow", "pods", "shop", str(OLDEST_S))
    assert reader.asked == {asked: 1}
    clock.now += 1
    assert index.latest(PODS, "shop", "b") == pod("b")
    assert reader.asked == {asked: 2}


def test_what_a_followed_list_does_not_hold_is_asked_for_by_its_name() -> None:
    reader = DictionaryReader()
    index = CachedIndex(reader)
    for _ in range(2):
        assert index.latest(PODS, "shop", "a") is None
    assert reader.asked["get", "pods", "shop", "a"] == 1


def test_a_list_and_its_groupings_are_renewed_together() -> None:
    clock = Clock()
    reader = DictionaryReader(pod("a", app="before"))
    index = CachedIndex(reader, clock)
    assert index.get(PODS, "shop", "a")
    clock.now += OLDEST_S
    assert index.list_grouped(PODS, "shop", by_app).keys() == {"before"}
    reader.pods = [pod("a", app="after")]
    clock.now += 1
    assert index.get(PODS, "shop", "a") == pod("a", app="after")
    assert index.list_grouped(PODS, "shop", by_app).keys() == {"after"}
    assert reader.asked == {("list", "pods", "shop", ""): 2}
