"""The verdicts of several runs on one Backup: none is lost, and none gets onto another Backup."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from stillpoint.evidence import verified
from stillpoint.model import item as it
from stillpoint.model.errors import Conflict, Unreachable
from stillpoint.verification import keeping
from stillpoint.verification.model import Run
from stillpoint.verification.verdict import judge
from tests.unit.verification.machines import AT, answers, copied, machine, seen
from tests.unit.verification.played import Played

KEY = "Backup", "velero", "nightly"


def run(name: str) -> Run:
    result = replace(judge(machine(), seen(copied(), answers()), AT), name=name)
    return Run("x7", "velero", "nightly", "none", None, 3, AT, AT, (result,))


def keep(cluster: Played, name: str) -> bool:
    return keeping.keep(cluster, run(name), it.uid(cluster.objects[KEY]), AT)


def test_runs_that_end_together_all_keep_their_verdicts() -> None:
    cluster, names = Played(), [f"vm-{number}" for number in range(12)]
    together = threading.Barrier(len(names))

    def end(name: str) -> None:
        together.wait()
        assert keep(cluster, name)

    threads = [threading.Thread(target=end, args=(name,)) for name in names]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert set(verified.of(cluster.objects[KEY])) == {f"shop/{name}" for name in names}


def test_a_run_with_a_clock_ahead_hides_no_later_one() -> None:
    cluster = Played()
    uid, ahead = it.uid(cluster.objects[KEY]), AT + timedelta(days=1)
    earlier = run("db")
    [result] = earlier.results
    earlier = replace(earlier, results=(replace(result, at=ahead),))
    assert keeping.keep(cluster, earlier, uid, ahead)
    assert keep(cluster, "db")
    assert verified.of(cluster.objects[KEY])["shop/db"].at == AT


def changing(cluster: Played, times: int) -> None:
    """Somebody changes the Backup before each of so many changes of ours."""
    left = times

    def change(number: int) -> None:
        nonlocal left
        if left and cluster.requests[number - 1].startswith("patch backups"):
            left -= 1
            cluster.keep(cluster.objects[KEY])

    cluster.on_request = change


def test_a_change_of_somebody_else_is_no_reason_to_give_up() -> None:
    cluster = Played()
    changing(cluster, 20)
    assert keep(cluster, "db")
    assert set(verified.of(cluster.objects[KEY])) == {"shop/db"}


def test_changes_without_end_are() -> None:
    cluster = Played()
    changing(cluster, 1000)
    with pytest.raises(Conflict):
        keep(cluster, "db")


def test_a_server_that_does_not_answer_is_asked_once() -> None:
    """The connection has tried for long enough by then."""
    cluster, asked = Played(), []

    def fail(number: int) -> None:
        if cluster.requests[number - 1].startswith("patch backups"):
            asked.append(1)
            raise Unreachable("it", "cannot patch", "no answer")

    cluster.on_request = fail
    with pytest.raises(Unreachable):
        keep(cluster, "db")
    assert asked == [1]


def test_another_backup_of_that_name_gets_no_verdict() -> None:
    cluster = Played()
    uid = it.uid(cluster.objects[KEY])
    backup = cluster.objects[KEY]
    cluster.drop(KEY)
    assert not keeping.keep(cluster, run("db"), uid, AT)
    cluster.keep({**backup, "metadata": {"name": "nightly", "namespace": "velero"}})
    assert not keeping.keep(cluster, run("db"), uid, AT)
    assert not any(one.startswith("patch") for one in cluster.requests)
