"""The Backup that a rehearsal is about, from where people keep it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from stillpoint.model.item import Item
from stillpoint.rehearsal import requests
from stillpoint.rehearsal.errors import NothingToRehearse
from stillpoint.rehearsal.requests import Chosen
from stillpoint.rehearsal.sources.known import Known

TEMPLATE = {"includedNamespaces": ["plant"], "snapshotVolumes": False}


def velero(kind: str, name: str, spec: Item, **metadata: Any) -> Item:
    placed = {"name": name, "namespace": "velero", **metadata}
    return {"apiVersion": "velero.io/v1", "kind": kind, "metadata": placed, "spec": spec}


def schedule(template: Item, **metadata: Any) -> Item:
    return velero(
        "Schedule", "nightly", {"schedule": "0 2 * * *", "template": template}, **metadata
    )


def of_file(folder: Path, *objects: Item) -> Item:
    file = folder / "asked.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    return requests.backup(Chosen((), "", str(file)), Known.of_manifests((), ""))


def test_a_schedule_in_a_file_is_the_backup_that_velero_makes_of_it(tmp_path: Path) -> None:
    asked = schedule(TEMPLATE, labels={"team": "a"}, annotations={"stillpoint.dev/x": "y"})
    made = of_file(tmp_path, asked)
    assert (made["kind"], made["spec"]) == ("Backup", TEMPLATE)
    assert made["metadata"]["labels"] == {"team": "a", "velero.io/schedule-name": "nightly"}
    assert made["metadata"]["annotations"] == {"stillpoint.dev/x": "y"}


def test_labels_of_the_template_go_before_those_of_the_schedule(tmp_path: Path) -> None:
    asked = schedule({**TEMPLATE, "metadata": {"labels": {"b": "c"}}}, labels={"team": "a"})
    labels = of_file(tmp_path, asked)["metadata"]["labels"]
    assert labels == {"b": "c", "velero.io/schedule-name": "nightly"}


def test_a_backup_beside_a_schedule_is_the_one_that_is_meant(tmp_path: Path) -> None:
    backup = velero("Backup", "now", {})
    others = {
        "apiVersion": "postgresql.example.com/v1",
        "kind": "Backup",
        "metadata": {"name": "x"},
    }
    assert of_file(tmp_path, schedule(TEMPLATE), others, backup) == backup


def test_several_schedules_are_not_one(tmp_path: Path) -> None:
    second = velero("Schedule", "weekly", {"template": {}})
    with pytest.raises(NothingToRehearse, match="2 objects of kind Schedule are in it, not one"):
        of_file(tmp_path, schedule(TEMPLATE), second)


def test_a_schedule_among_the_manifests_is_found_by_its_name() -> None:
    known = Known.of_manifests([schedule(TEMPLATE), velero("Backup", "now", {})], "")
    assert requests.backup(Chosen((), "", "nightly"), known)["spec"] == TEMPLATE
    with pytest.raises(NothingToRehearse, match="there are: now, nightly"):
        requests.backup(Chosen((), "", "hourly"), known)
