"""Each reason before a restore: what provokes it, and that it does not hold without that."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.vm_snapshots import virtual_machine_snapshot
from stillpoint.vm_snapshots import claim_names, patches, restore_reasons, restoring
from stillpoint.vm_snapshots.errors import NoSuchObject, WrongRequest
from stillpoint.vm_snapshots.reasons import Effect
from stillpoint.vm_snapshots.restore_reasons import RESTORE_REASONS
from stillpoint.vm_snapshots.restoring import Override, RestorePlan, Wish
from tests.unit.dictionary_reader import DictionaryReader

NOW = datetime(2026, 1, 2, tzinfo=UTC)
Change = Callable[[dict[str, Item]], None]


def named(kind: str, name: str, **fields: Any) -> Item:
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop", "uid": name}, **fields}


def machine(**specification: Any) -> Item:
    volumes = [{"name": "root", "dataVolume": {"name": "db-root"}}, {"name": "ci", "cloudInit": {}}]
    template = {"spec": {"volumes": volumes, "domain": {"devices": {}, "firmware": {}}}}
    templates = [{"metadata": {"name": "db-root"}, "spec": {"source": {"blank": {}}}}]
    whole = {"template": template, "dataVolumeTemplates": templates, **specification}
    return named("VirtualMachine", "db", spec=whole)


def objects() -> dict[str, Item]:
    """A machine that is off, and its snapshot."""
    snapshot = virtual_machine_snapshot.manifest("shop", "one", "db", "", "")
    snapshot["status"] = {
        "phase": "Succeeded",
        "readyToUse": True,
        "sourceUID": "db",
        "virtualMachineSnapshotContentName": "content",
        "snapshotVolumes": {"includedVolumes": ["root"], "excludedVolumes": ["ci"]},
    }
    backup = {
        "volumeName": "root",
        "volumeSnapshotName": "cut",
        "persistentVolumeClaim": {"metadata": {"name": "db-root"}},
    }
    source = {"virtualMachine": machine()}
    return {
        "snapshot": snapshot,
        "machine": machine(),
        "content": named(
            "VirtualMachineSnapshotContent",
            "content",
            spec={"source": source, "volumeBackups": [backup]},
        ),
        "cut": named("VolumeSnapshot", "cut"),
        "claim": named("PersistentVolumeClaim", "db-root"),
    }


def plan(known: dict[str, Item], wish: Wish) -> RestorePlan:
    return restoring.plan(DictionaryReader(list(known.values())), "shop", "one", wish, NOW)


def codes(known: dict[str, Item], wish: Wish) -> set[str]:
    return {one.code for one in restore_reasons.findings(plan(known, wish))}


def put(what: str, value: object, *path: str) -> Change:
    def change(known: dict[str, Item]) -> None:
        known[what] = it.with_value(known[what], value, *path)

    return change


def of_content(value: object, *path: str) -> Change:
    return put("content", value, "spec", "source", "virtualMachine", "spec", *path)


def add(item: Item) -> Change:
    return lambda known: known.update({it.name(item): item})


def drop(what: str) -> Change:
    def change(known: dict[str, Item]) -> None:
        del known[what]

    return change


ITSELF, COPY = Wish(), Wish("copy")
RUNNING = named("VirtualMachineInstance", "db", status={"phase": "Running"})
TPM = ("template", "spec", "domain", "devices", "tpm")
EXTRA = [
    {"name": "root", "dataVolume": {"name": "db-root"}},
    {"name": "extra", "persistentVolumeClaim": {"claimName": "extra"}},
]
SOURCED = [{"metadata": {"name": "db-root"}, "spec": {"sourceRef": {"name": "fedora"}}}]
NEWER = [
    {"metadata": {"name": "db-root"}, "spec": {}}, {"metadata": {"name": "db-new"}, "spec": {}},
]  # fmt: skip
OTHER = named(
    "VirtualMachineRestore", "earlier", spec={"target": {"name": "db"}}, status={"complete": False}
)
PATCH = '{"op": "remove", "path": "/spec/template/spec/hostname"}'
CASES: dict[str, tuple[Wish, Change]] = {
    "snapshot-not-ready": (ITSELF, put("snapshot", "Failed", "status", "phase")),
    "content-missing": (ITSELF, put("content", {}, "spec", "source")),
    "volume-snapshot-missing": (ITSELF, drop("cut")),
    "target-differs": (ITSELF, put("machine", "another", "metadata", "uid")),
    "persistent-state": (COPY, of_content({"persistent": True}, *TPM)),
    "restore-not-complete": (ITSELF, add(OTHER)),
    "data-source-missing": (ITSELF, of_content(SOURCED, "dataVolumeTemplates")),
    "target-runs": (ITSELF, add(RUNNING)),
    "disks-shared": (COPY, of_content(EXTRA, "template", "spec", "volumes")),
    "disks-kept": (ITSELF, of_content(EXTRA, "template", "spec", "volumes")),
    "disks-deleted": (ITSELF, put("machine", NEWER, "spec", "dataVolumeTemplates")),
    "target-is-stopped": (replace(ITSELF, readiness="StopTarget"), add(RUNNING)),
    "target-has-five-minutes": (replace(ITSELF, readiness="WaitGracePeriod"), add(RUNNING)),
    "target-is-awaited": (replace(ITSELF, readiness="WaitEventually"), add(RUNNING)),
}
WISHES = {
    "in-place-elsewhere": replace(COPY, volume_policy="InPlace"),
    "claims-exist": replace(ITSELF, volume_policy="PrefixTargetName"),
    "patches-of-target": replace(ITSELF, patches=(PATCH,)),
    "volume-unknown": replace(ITSELF, overrides=(Override("none", "claim"),)),
}


def test_every_reason_has_its_test() -> None:
    assert {row.code for row in RESTORE_REASONS} == {*CASES, *WISHES, "data-sources-unread"}


class Restricted(DictionaryReader):
    """Of an account that may not read DataSources, which are in another namespace."""

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        if resource.kind == "DataSource":
            raise Forbidden(f"{resource} {namespace}/{name}", "cannot get", "HTTP 403")
        return super().get(resource, namespace, name)


def test_a_data_source_that_may_not_be_read_is_no_reason_to_give_up() -> None:
    known = objects()
    of_content(SOURCED, "dataVolumeTemplates")(known)
    made = restoring.plan(Restricted(list(known.values())), "shop", "one", ITSELF, NOW)
    assert [(one.code, one.effect, one.about) for one in restore_reasons.findings(made)] == [
        ("data-sources-unread", Effect.NOTE, ("shop/fedora",))
    ]


@pytest.mark.parametrize("code", CASES)
def test_a_reason_holds_where_it_is_provoked_and_not_before(code: str) -> None:
    wish, change = CASES[code]
    known = objects()
    assert codes(known, wish) == set()
    change(known)
    assert code in codes(known, wish)


@pytest.mark.parametrize("code", WISHES)
def test_a_wish_that_kubevirt_would_not_grant_or_not_well(code: str) -> None:
    assert codes(objects(), WISHES[code]) == {code}


@pytest.mark.parametrize(
    ("wish", "about"),
    [
        (replace(COPY, overrides=(Override("root", "db-root"),)), ("db-root",)),
        (replace(COPY, overrides=(Override("root", "free"),)), ()),
        (replace(COPY, volume_policy="PrefixTargetName"), ()),
        (Wish("db", volume_policy="InPlace", overrides=(Override("root", "other"),)), ("other",)),
    ],
)
def test_a_claim_that_exists_never_passes_for_the_data_of_the_snapshot(
    wish: Wish, about: tuple[str, ...]
) -> None:
    known = objects()
    known["other"] = named("PersistentVolumeClaim", "other")
    found = restore_reasons.findings(plan(known, wish))
    assert [(one.code, one.about) for one in found] == [("claims-exist", about)] * bool(about)


def test_two_volumes_never_get_one_claim() -> None:
    known = objects()
    [root] = known["content"]["spec"]["volumeBackups"]
    put("content", [root, {**root, "volumeName": "data"}], "spec", "volumeBackups")(known)
    wish = replace(COPY, overrides=(Override("root", "same"), Override("data", "same")))
    assert codes(known, wish) == {"claims-exist"}


def test_in_place_deletes_no_claim_but_those_of_the_target() -> None:
    known, wish = objects(), replace(ITSELF, volume_policy="InPlace")
    assert codes(known, wish) == set()
    restored = [{"name": "root", "dataVolume": {"name": "restore-1-root"}}]
    put("machine", restored, "spec", "template", "spec", "volumes")(known)
    assert codes(known, wish) == {"in-place-elsewhere"}


def test_a_machine_that_was_restored_before_is_restored_again() -> None:
    """KubeVirt has given its disks and templates other names, and replaces them."""
    known = objects()
    specification = known["machine"]["spec"]
    specification["template"]["spec"]["volumes"][0]["dataVolume"]["name"] = "restore-1-root"
    specification["dataVolumeTemplates"][0]["metadata"]["name"] = "restore-1-root"
    assert codes(known, ITSELF) == set()


@pytest.mark.parametrize(
    ("machine", "volume", "name"),
    [
        ("copy", "root", "copy-root"),
        ("m" * 58, "root", f"{'m' * 58}-root"),
        ("m" * 60, "root", f"{'m' * 49}-e6c4c079-root"),
        ("m" * 20, "v" * 60, f"{'m' * 20}-8522fb2c"),
    ],
)
def test_claims_have_the_names_that_kubevirt_gives(machine: str, volume: str, name: str) -> None:
    made = claim_names.for_volume(machine, volume)
    assert made == name
    assert len(made) <= 63


def test_a_snapshot_that_does_not_say_of_which_machine_overwrites_none() -> None:
    known = objects()
    put("snapshot", "", "status", "sourceUID")(known)
    assert "target-differs" in codes(known, ITSELF)


def test_a_machine_that_is_gone_comes_back_under_its_name_with_its_identity() -> None:
    known = objects()
    drop("machine")(known)
    of_content("aa", "template", "spec", "domain", "firmware", "uuid")(known)
    made = plan(known, ITSELF)
    assert restore_reasons.findings(made) == []
    assert made.target_name == "db"
    assert "patches" not in made.item["spec"]


def test_a_copy_gets_another_identity_unless_it_is_to_keep_it() -> None:
    known = objects()
    interfaces = [{"name": "a"}, {"name": "b", "macAddress": "02:00:00:00:00:01"}]
    of_content(interfaces, "template", "spec", "domain", "devices", "interfaces")(known)
    firmware = {"uuid": "aa", "serial": "bb"}
    of_content(firmware, "template", "spec", "domain", "firmware")(known)
    made = plan(known, COPY).item["spec"]["patches"]
    paths = [one.split('"')[7].removeprefix("/spec/template/spec/domain/") for one in made]
    assert paths == ["devices/interfaces/1/macAddress", "firmware/uuid", "firmware/serial"]
    assert [patches.check(one) for one in made] == made
    assert "patches" not in plan(known, Wish("copy", keeps_mac=True, keeps_uuid=True)).item["spec"]


@pytest.mark.parametrize(
    ("patch", "cause"),
    [
        ("{", "no JSON"),
        ("[]", "operations"),
        ('{"op": "steal", "path": "/spec/a"}', "operations"),
        ('{"op": "remove", "path": "/metadata/name"}', "path"),
        ('{"op": "remove", "path": "/status/a"}', "path"),
        ('{"op": "add", "path": "/spec/a", "value": "02:00:00:00:00:01"}', "colon"),
        ('{"op": "add", "path": "/spec/a", "value": "a,b"}', "comma"),
        ('{"op": "add", "path": "/spec/a", "value": {"b": 1, "c": 2}}', "comma"),
    ],
)
def test_a_patch_that_kubevirt_would_refuse_is_refused_here(patch: str, cause: str) -> None:
    with pytest.raises(WrongRequest, match=cause):
        patches.check(patch)


def test_a_snapshot_whose_content_is_gone_is_not_restored() -> None:
    known = objects()
    drop("content")(known)
    assert codes(known, ITSELF) == {"snapshot-not-ready"}


def test_a_snapshot_or_name_that_cannot_be_is_an_error() -> None:
    with pytest.raises(NoSuchObject):
        restoring.plan(DictionaryReader([]), "shop", "one", ITSELF, NOW)
    for wish in (Wish("Not A Name"), Wish("m" * 64), Wish(name="No Name")):
        with pytest.raises(WrongRequest):
            plan(objects(), wish)
