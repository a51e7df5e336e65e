"""A booted guest with two databases goes through real Velero with our plugin, and boots again."""

from datetime import datetime

import pytest

from tests.cluster.guest_life import AGENT_CONFIGURATION, Copies, Life
from tests.machine.machine import DATABASES

pytestmark = pytest.mark.e2e

ON_A_COPY = ("on-copy", "copied", "answers")


@pytest.mark.parametrize("name", ["held", "label"])
def test_all_disks_are_cut_inside_one_freeze_by_the_real_agent(life: Life, name: str) -> None:
    taken = life.taken[name]
    assert taken.phase == "Completed", life.archive.backup_log(name)
    assert {call.exit_code for call in taken.freezes} == {0}
    freezes = [call for call in taken.freezes if call.has_changed]
    assert [call.verb for call in freezes] == ["freeze", "unfreeze"]
    frozen, thawed = (call.time for call in freezes)
    assert len(taken.cuts) == 3
    for claim, cut in taken.cuts.items():
        assert frozen < cut.started < cut.finished < thawed, claim


def test_the_log_of_the_console_says_that_the_databases_rested_at_every_cut(life: Life) -> None:
    """With the times of the node alone: what the guest says of time counts for nothing."""
    record = life.on_disk["held"].record
    ours = [pair for pair in life.told["console log"] if pair[1]["id"] == record["id"]]
    (held_at, held), (released_at, released), (_, over) = ours
    assert (held["verdict"], released["lost"], over["lost"]) == (record["verdict"], False, False)
    cuts = life.taken["held"].cuts.values()
    assert held_at < min(cut.started for cut in cuts)
    assert max(cut.finished for cut in cuts) < released_at


def test_the_plugin_thaws_the_guest_whose_snapshots_it_takes(life: Life) -> None:
    calls = [(call.verb, bool(call.pod), call.has_changed) for call in life.taken["held"].freezes]
    assert calls == [
        ("freeze", True, True),
        ("unfreeze", False, True),
        ("unfreeze", True, False),
    ]


@pytest.mark.parametrize("database", DATABASES)
def test_no_acknowledged_commit_is_lost_with_our_package(
    life: Life, copies: Copies, database: str
) -> None:
    found, acknowledged = copies.found["held"][database], life.taken["held"].acknowledged[database]
    assert found.count == found.last >= acknowledged > 0


def test_the_same_backup_without_our_package_loses_acknowledged_commits(
    life: Life, copies: Copies
) -> None:
    assert life.taken["bare"].phase == "Completed"
    found, acknowledged = copies.found["bare"], life.taken["bare"].acknowledged
    assert found["postgresql"].last >= acknowledged["postgresql"]
    assert found["mariadb"].last < acknowledged["mariadb"], "it flushes once a second"


def test_a_hook_that_refuses_fails_the_backup_and_the_guest_runs_on(life: Life) -> None:
    taken = life.taken["refused"]
    assert taken.phase == "PartiallyFailed"
    assert [call.exit_code for call in taken.freezes if call.verb == "freeze"] == [1]
    assert "fsfreeze hook has failed" in life.archive.backup_log("refused")
    assert "script:refusing" in life.told["refused"]["last"]["refused"]  # QEMU 9.1 tells Velero too


def test_without_configuration_the_databases_are_found(life: Life) -> None:
    found = life.told["discovered"]["applications"]
    kinds = {one["kind"] for one in found if one["source"] == "discovered"}
    assert kinds == set(DATABASES)


def test_the_restored_guest_tells_from_which_freeze_it_is(life: Life, copies: Copies) -> None:
    origin = copies.told["status"]["origin"]
    assert origin
    began = datetime.fromisoformat(origin["began_at"])
    cut = min(cut.started for cut in life.taken["held"].cuts.values())
    assert abs((cut - began).total_seconds()) < 120
    kinds = {one["name"].partition(":")[0] for one in origin["applications"]}
    assert kinds >= set(DATABASES)
    assert origin["held_at"] in copies.told["journal"]
    states = {one["state"] for one in life.told["console"] if one["id"] == origin["id"]}
    assert states == {"held", "released", "over"}
    said = copies.told["console"]
    told = [one["state"] for one in said]
    assert told == [one for one in ON_A_COPY if one in told]  # lines of a boot may be torn
    assert told[-1] == "answers"
    assert {one["id"] for one in said} == {origin["id"]}


def test_the_copy_has_run_its_steps_before_its_applications_started(copies: Copies) -> None:
    told = copies.told["status"]["on_copy"]
    assert (told["state"], [one["name"] for one in told["steps"]]) == ("done", ["10-quiet"])
    ended, started = copies.told["order"]
    assert 0 < ended < started
    assert copies.told["steps"].split() == ["inactive", "copy"]
    assert "ordering cycle" not in copies.told["boot"]


def test_the_databases_of_the_copy_answer_again(copies: Copies) -> None:
    answers = copies.told["console"][-1]
    assert answers["yes"] == ["mariadb:main", "postgresql:main"]
    assert answers["no"] == []


def test_the_package_installs_upgrades_and_gives_back_the_hook_of_before(life: Life) -> None:
    told = life.told["removed"]
    assert "upgraded: 0" in told["upgrade"]
    assert "fsfreeze-hook=/usr/bin/stillpoint-guest" in told["hook"]
    assert "removed: 0" in told["removal"]
    assert told["hook of before"].strip() == AGENT_CONFIGURATION.strip()
    assert "inactive" in told["left"]
