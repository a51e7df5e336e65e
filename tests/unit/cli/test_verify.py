"""`stillpoint verify`: what it is asked for."""

from pathlib import Path

import pytest

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.model.item import Item
from tests.api_server.server import ApiServer


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a BACKUP, or give --schedule or --clean-up alone"),
        (["nightly", "--clean-up"], "name a BACKUP, or give --schedule or --clean-up alone"),
        (["nightly", "--seed", "1"], "--seed is for --sample"),
        (["nightly", "--sample", "0"], "'0' is no number from 1 on"),
        (["nightly", "--at-once", "-1"], "'-1' is no number from 1 on"),
        (["nightly", "--timeout", "soon"], "'soon' is no time"),
        (["nightly", "--network", "all"], "invalid choice: 'all'"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", *arguments])
    assert caught.value.code == ExitStatus.WRONG_USAGE
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.startswith("usage: stillpoint verify ")


def test_a_mistyped_schedule_and_an_empty_clean_up_are_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer([]) as server:
        place = ["--kubeconfig", str(server.kubeconfig(tmp_path / "kubeconfig")), "-y"]
        assert cli.main(["verify", "--clean-up", *place]) == ExitStatus.GOOD
        assert capsys.readouterr().err == (
            "nothing to delete: no run whose time is over has left a namespace\n"
        )
        given = ["verify", "--schedule", "nigthly", *place]
        assert cli.main(given) == ExitStatus.CANNOT_TELL
    assert "HINT: oc get backups.velero.io -A -L velero.io/schedule-name" in capsys.readouterr().err


def backup(namespace: str, schedule: str, started: str) -> Item:
    labels = {"velero.io/schedule-name": schedule}
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {"name": f"{schedule}-1", "namespace": namespace, "labels": labels},
        "spec": {},
        "status": {"phase": "Completed", "startTimestamp": started},
    }


def test_of_schedules_of_one_name_nobody_guesses_which_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [
        backup("team-a", "nightly", "2026-05-04T01:00:00Z"),
        backup("team-b", "nightly", "2026-05-04T02:00:00Z"),
    ]
    with ApiServer(both) as server:
        place = ["--kubeconfig", str(server.kubeconfig(tmp_path / "kubeconfig")), "-y"]
        given = ["verify", "--schedule", "nightly", *place]
        assert cli.main(given) == ExitStatus.CANNOT_TELL
    said = capsys.readouterr().err
    assert "several namespaces have backups of one: team-a, team-b" in said
    assert "HINT: name one with -n" in said
