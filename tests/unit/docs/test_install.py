"""The manifests of docs/install that are there to be copied do what the pages say of them."""

from pathlib import Path

import pytest
import yaml

from stillpoint.model.item import Item
from stillpoint.velero import preparation
from stillpoint.velero.request import Backup
from stillpoint.velero.volumes import snapshotter
from stillpoint.velero.volumes.policy import Fate, Policy

INSTALL = Path(__file__).parents[3] / "docs" / "install"


def manifest(name: str, *, with_comments: bool = False) -> Item:
    """The one object of a file; with its lines that are comments and could be YAML, too."""
    lines = (INSTALL / name).read_text().splitlines()
    if with_comments:
        lines = [line.replace("# ", "", 1) if line.rstrip().endswith((":", ": all")) else line
                 for line in lines]  # fmt: skip
    found: Item = yaml.safe_load("\n".join(lines))
    return found


@pytest.mark.parametrize("driver", ["ebs.csi.aws.com", "openshift-storage.rbd.csi.ceph.com"])
def test_the_policy_leaves_every_csi_volume_to_the_plugin(driver: str) -> None:
    policy = Policy.parse(manifest("policy.yaml"))
    policy.check()
    decides = policy.matching({}, {"spec": {"csi": {"driver": driver}}})
    assert decides
    assert decides.fate is Fate.OWN
    assert not policy.matching({}, {"spec": {"nfs": {"server": "files"}}})


def test_the_backups_of_the_schedule_have_that_policy() -> None:
    policy = manifest("policy.yaml")
    backup = preparation.of_schedule(manifest("backup.yaml"))
    assert list(Backup.parse(backup).policies) == [policy["metadata"]["name"]]
    assert backup["metadata"]["namespace"] == policy["metadata"]["namespace"]
    assert not preparation.faults(backup)
    snapshotter.check(backup)


def test_its_comment_has_the_switch_for_older_versions() -> None:
    backup = preparation.of_schedule(manifest("backup.yaml", with_comments=True))
    backup["spec"]["snapshotVolumes"] = False
    assert snapshotter.takes_rest(backup)
