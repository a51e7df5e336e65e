"""The platform's chapter on OADP with OpenShift Virtualization, callout by callout.

"Installing the Data Protection Application" has an example with fourteen numbered parameters and
two verifications. Each parameter is written by `render dpa`, and what is wrong with it is found.
"""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.model.item import Item
from tests.unit.check import world
from tests.unit.check.test_findings import (
    CONFIGURATION,
    DPA,
    LOCATION,
    SECRET,
    both,
    condition,
    plugins,
    setting,
)
from tests.unit.check.world import Change, put

Rendered = Callable[[Item], Any]
VELERO = ("configuration", "velero")
AGENT = ("configuration", "nodeAgent")
PLACE = ("backupLocations", 0, "velero")


def at(*path: str | int) -> Rendered:
    def read(manifest: Item) -> Any:
        value: Any = manifest["spec"]
        for key in path:
            value = value[key]
        return value

    return read


def among(name: str) -> Rendered:
    return lambda manifest: name in at(*VELERO, "defaultPlugins")(manifest)


def no_operator(of: list[Item]) -> None:
    world.without("ClusterServiceVersion")(of)
    put(DPA, {}, "status")(of)


CALLOUTS: dict[str, tuple[Rendered, Any, Change, str]] = {
    "1 namespace": (
        lambda manifest: manifest["metadata"]["namespace"], "openshift-adp",
        no_operator, "dpa-without-operator",
    ),
    "2 kubevirt": (
        among("kubevirt"), False,
        plugins("openshift", "csi", "aws", "kubevirt"), "kubevirt-plugin-asked-for",
    ),
    "3 plugin of the provider": (
        among("gcp"), True, world.without_plugin("velero-plugin-for-aws"),
        "provider-plugin-missing",
    ),
    "4 csi": (among("csi"), True, plugins("openshift", "aws"), "csi-missing"),
    "5 openshift": (
        among("openshift"), True, plugins("csi", "aws"), "openshift-plugin-missing",
    ),
    "6 resourceTimeout": (
        at(*VELERO, "resourceTimeout"), "10m",
        put(DPA, "1m", *CONFIGURATION, "velero", "resourceTimeout"), "resource-timeout-short",
    ),
    "7 nodeAgent": (
        lambda manifest: "nodeAgent" in at("configuration")(manifest), True,
        world.off(DPA, *CONFIGURATION, "nodeAgent"), "node-agent-not-asked-for",
    ),
    "8 enable": (
        at(*AGENT, "enable"), True,
        put(DPA, False, *CONFIGURATION, "nodeAgent", "enable"), "node-agent-not-asked-for",
    ),
    "9 uploaderType": (
        at(*AGENT, "uploaderType"), "kopia",
        put(DPA, "restic", *CONFIGURATION, "nodeAgent", "uploaderType"), "uploader-not-kopia",
    ),
    "10 nodeSelector": (
        at(*AGENT, "podConfig", "nodeSelector"), {"example.com/backup": "yes"},
        put(DPA, {"no": "node"}, *CONFIGURATION, "nodeAgent", "podConfig", "nodeSelector"),
        "node-selector-without-node",
    ),
    "11 provider": (
        at(*PLACE, "provider"), "gcp",
        both(setting("gcp", "provider"), setting({"name": "cloud-credentials", "key": "cloud"},
                                                 "credential")),
        "provider-plugin-missing",
    ),
    "12 credential": (
        at(*PLACE, "credential"), {"name": "cloud-credentials-gcp", "key": "cloud"},
        world.without(SECRET), "location-secret-missing",
    ),
    "13 bucket": (
        at(*PLACE, "objectStorage", "bucket"), "backups",
        setting("", "objectStorage", "bucket"), "location-without-bucket",
    ),
    "14 prefix": (
        at(*PLACE, "objectStorage", "prefix"), "here",
        world.copied(LOCATION, "other", setting(False, "default")), "location-shares-folder",
    ),
    "Reconciled": (
        lambda manifest: "status" in manifest, False,
        condition("Reconciled", "False", "no such secret"), "dpa-not-reconciled",
    ),
    "Available": (
        at(*PLACE, "default"), True,
        put(LOCATION, "Unavailable", "status", "phase"), "location-unavailable",
    ),
}  # fmt: skip
"""By callout: the place in what is rendered, its value there, what breaks it, and the finding."""


@pytest.mark.parametrize("callout", CALLOUTS)
def test_what_is_wrong_with_a_callout_is_found(callout: str) -> None:
    _, _, change, code = CALLOUTS[callout]
    assert world.codes(world.judged(change)) == {code}


@pytest.mark.parametrize("callout", CALLOUTS)
def test_a_callout_is_rendered(callout: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--image", "i", "--provider", "gcp", "--bucket", "backups", "--prefix", "here"]
    selector = ["--node-selector", "example.com/backup=yes"]
    assert cli.main(["render", "dpa", *place, *selector]) == ExitStatus.GOOD
    read, value, _, _ = CALLOUTS[callout]
    assert read(yaml.safe_load(capsys.readouterr().out)) == value
