"""Custom resources: small own ones for KubeVirt and CDI, the real ones of Velero and CSI."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from tests.cluster.api import Api, ApiError, Object, group_path
from tests.cluster.processes import StartError
from tests.peers.build import binary, module_folder

OWN = Path(__file__).with_name("crds")
SNAPSHOT_MODULE = "github.com/kubernetes-csi/external-snapshotter/client/v8"
MODULES = {"v1": "kubernetes", "v1beta2": "groups-v1beta2"}
"""That build the snapshot controller, by the newest version of the API of groups that it has."""
API_VERSION = "apiextensions.k8s.io/v1"
KIND = "CustomResourceDefinition"


def all_definitions(groups: str) -> list[Object]:
    """All of them; of group snapshots those of a release that has that version of their API."""
    return [*own_definitions(), *snapshot_definitions(groups), *velero_definitions()]


def own_definitions() -> Iterator[Object]:
    for path in sorted(OWN.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def snapshot_definitions(groups: str) -> Iterator[Object]:
    """Those of snapshots and groups of them, from the module that csi-snapshotter is built with."""
    folder = module_folder(MODULES[groups], SNAPSHOT_MODULE) / "config" / "crd"
    for path in sorted(folder.glob("*snapshot.storage.k8s.io_*.yaml")):
        yield yaml.safe_load(path.read_text())


def velero_definitions() -> Iterator[Object]:
    """Those that this Velero would install."""
    printed = subprocess.run(
        [binary("velero"), "install", "--crds-only", "--dry-run", "-o", "json"],
        capture_output=True,
        check=True,
    )
    yield from yaml.safe_load(printed.stdout)["items"]


def install(api: Api, definitions: list[Object]) -> None:
    """Returns when the API server serves them all, and tells of them."""
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(api.create, definitions))
    deadline = time.monotonic() + 120
    while missing := names(definitions) - (established(api) & discovered(api, definitions)):
        if time.monotonic() > deadline:
            raise StartError(f"custom resources not established: {', '.join(sorted(missing))}")
        time.sleep(0.1)


def names(definitions: list[Object]) -> set[str]:
    return {definition["metadata"]["name"] for definition in definitions}


def discovered(api: Api, definitions: list[Object]) -> set[str]:
    """Names of those whose served versions are all in the lists by which clients find them."""
    wanted = {
        definition["metadata"]["name"]: {
            f"{definition['spec']['group']}/{version['name']}"
            for version in definition["spec"]["versions"]
            if version["served"]
        }
        for definition in definitions
    }
    there = {
        (resource["name"], api_version)
        for api_version in set[str]().union(*wanted.values())
        for resource in resources(api, api_version)
    }
    return {
        name
        for name, versions in wanted.items()
        if all((name.partition(".")[0], each) in there for each in versions)
    }


def resources(api: Api, api_version: str) -> list[Object]:
    try:
        found: list[Object] = api.request("GET", group_path(api_version))["resources"]
    except ApiError as error:
        if error.status != 404:
            raise
        return []
    return found


def established(api: Api) -> set[str]:
    return {
        definition["metadata"]["name"]
        for definition in api.list(API_VERSION, KIND)
        for condition in definition.get("status", {}).get("conditions") or ()
        if (condition["type"], condition["status"]) == ("Established", "True")
    }
