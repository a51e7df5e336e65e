"""Claims filled the way CDI fills them: by a prime claim, whose volume is then given to the target.

Follows pkg/controller/populators of CDI v1.66. The target keeps its `dataSourceRef`, and is Pending
until the volume is its own; csi-provisioner leaves it alone, as it is no snapshot and no claim.
"""

from collections.abc import Sequence
from functools import partial

from tests.cluster.api import Api, Object
from tests.cluster.namespaces import wait_until
from tests.cluster.storage import Storage

CLAIM = ("v1", "PersistentVolumeClaim")
VOLUME = ("v1", "PersistentVolume")


def source(data_volume: Object) -> Object:
    """What CDI asks itself to fill a claim of the DataVolume with."""
    uid = data_volume["metadata"]["uid"]
    name = f"volume-import-source-{uid}"
    return {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": name}


def populate(api: Api, storage: Storage, claims: Sequence[Object]) -> None:
    """Returns when all of these claims are bound, and their prime claims are gone."""
    primes = [api.create(prime(claim)) for claim in claims]
    for claim, made in zip(claims, primes, strict=True):
        rebind(api, storage, claim, made["metadata"]["name"])
    for claim in claims:
        where = identity(claim)
        wait_until(partial(is_populated, api, *where), f"{where} bound")


def prime(claim: Object) -> Object:
    metadata = claim["metadata"]
    left_out = ("dataSource", "dataSourceRef", "volumeName")
    owner = {"apiVersion": "v1", "kind": CLAIM[1], "name": metadata["name"]}
    return {
        "apiVersion": CLAIM[0],
        "kind": CLAIM[1],
        "metadata": {
            "name": f"prime-{metadata['uid']}",
            "namespace": metadata["namespace"],
            "labels": {
                "app": "containerized-data-importer",
                "velero.io/exclude-from-backup": "true",
            },
            "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": ""},
            "ownerReferences": [{**owner, "uid": metadata["uid"], "controller": True}],
        },
        "spec": {key: value for key, value in claim["spec"].items() if key not in left_out},
    }


def rebind(api: Api, storage: Storage, claim: Object, made: str) -> None:
    namespace, name = identity(claim)
    wait_until(lambda: is_bound(api.get(*CLAIM, namespace, made)), f"{made} bound")
    volume = api.get(*CLAIM, namespace, made)["spec"]["volumeName"]
    reference = {
        "apiVersion": CLAIM[0],
        "kind": CLAIM[1],
        "namespace": namespace,
        "name": name,
        "uid": claim["metadata"]["uid"],
        "resourceVersion": claim["metadata"]["resourceVersion"],
    }
    found = api.patch(*VOLUME, None, volume, {"spec": {"claimRef": reference}})
    storage.give(namespace, made, name, found["spec"]["csi"]["volumeHandle"])
    api.delete(*CLAIM, namespace, made)


def is_populated(api: Api, namespace: str, name: str) -> bool:
    return is_bound(api.get(*CLAIM, namespace, name))


def identity(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def is_bound(claim: Object) -> bool:
    return bool(claim["status"].get("phase") == "Bound")
