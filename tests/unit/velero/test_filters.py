"""What a Backup selects; that Velero itself says so is for tests/wire/test_filters_like_velero.py.

By Velero's code at v1.18.3.
"""

from typing import Any

import pytest

from stillpoint.model import kinds
from stillpoint.model.api_resources import Served
from stillpoint.model.errors import MalformedItem
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.resources.disks import persistent_volume_claim, volume_snapshot
from stillpoint.resources.machines import pod, virtual_machine
from stillpoint.velero.selection.discovery import STATIC, Discovery
from stillpoint.velero.selection.filters import Filters

VM = virtual_machine.RESOURCE
CLAIM = persistent_volume_claim.RESOURCE
NAMESPACE = Resource("", "v1", "namespaces", "Namespace")
VOLUME = Resource("", "v1", "persistentvolumes", "PersistentVolume")
WIDGET = Resource("acme.io", "v1", "widgets", "Widget")


def filters(**spec: Any) -> Filters:
    return Filters.parse({"spec": spec})


def item(namespace: str = "shop", **metadata: Any) -> Item:
    return {"metadata": {"namespace": namespace, "name": "db", **metadata}}


@pytest.mark.parametrize(
    ("included", "excluded", "expected"),
    [
        ([], [], "a db shop shop-1"),
        (["*"], [], "a db shop shop-1"),
        (["shop"], [], "shop"),
        (["shop", "db"], ["db"], "shop"),
        ([], ["shop"], "a db shop-1"),
        (["shop-*"], [], "shop-1"),
        (["shop*"], ["*-1"], "shop"),
        (["?"], [], "a"),
        (["[a-d]*"], [], "a db"),
        (["s*p"], [], "shop"),
        (["none-*"], [], ""),
        ([], ["[z-a]"], "a db shop shop-1"),
    ],
)
def test_namespaces(included: list[str], excluded: list[str], expected: str) -> None:
    found = filters(includedNamespaces=included, excludedNamespaces=excluded)
    names = ["a", "db", "shop", "shop-1"]
    assert [name for name in names if found.selects_namespace(name)] == expected.split()


def test_beginning_and_end_of_a_pattern_may_overlap() -> None:
    assert filters(includedNamespaces=["shop-*-shop"]).selects_namespace("shop-shop")


@pytest.mark.parametrize(
    "name",
    [
        "virtualmachines.kubevirt.io", "virtualmachines", "virtualmachine", "VirtualMachine", "vm",
        "vms", "vm.kubevirt.io", "vm.kube", "virtual*s.kubevirt.io", "*.kubevirt.io", "*",
    ],
)  # fmt: skip
@pytest.mark.parametrize("style", ["Resources", "NamespaceScopedResources"])
def test_a_resource_has_many_names(name: str, style: str) -> None:
    included = filters(**{f"included{style}": [name]})
    assert included.selects_resource(VM)
    assert included.selects_resource(pod.RESOURCE) is (name == "*")
    if name != "*":
        excluded = filters(**{f"excluded{style}": [name]})
        assert not excluded.selects_resource(VM)
        assert excluded.selects_resource(pod.RESOURCE)


@pytest.mark.parametrize("name", ["VM", "VMs", "virtualmachines.acme.io", "machine", "vmx"])
def test_short_names_are_in_lower_case_and_a_group_is_one_of_those_there(name: str) -> None:
    assert not filters(includedResources=[name]).selects_resource(VM)


def test_any_of_the_old_fields_makes_velero_ignore_the_new_ones() -> None:
    found = filters(excludedResources=["pods"], includedNamespaceScopedResources=["pods"])
    assert found.selects_resource(VM)
    assert not found.selects_resource(pod.RESOURCE)
    set_to_false = filters(includeClusterResources=False, includedNamespaceScopedResources=["pods"])
    assert set_to_false.selects_resource(VM)


def test_a_list_of_only_the_other_scope_is_no_list() -> None:
    assert filters(includedNamespaceScopedResources=["nodes"]).selects_resource(VM)
    assert not filters(includedNamespaceScopedResources=["unknown"]).selects_resource(VM)
    assert not filters(includedResources=["nodes"]).selects_resource(VM)


@pytest.mark.parametrize(
    ("spec", "is_collected", "is_admitted"),
    [
        ({}, True, True),
        ({"includedNamespaces": ["shop"]}, False, True),
        ({"includedNamespaces": ["shop"], "includeClusterResources": True}, True, True),
        ({"includeClusterResources": False}, False, False),
        ({"includedResources": ["pods"]}, False, False),
        ({"includedNamespaces": ["shop"], "includedResources": ["pv"]}, False, True),
        ({"includedNamespaceScopedResources": ["pods"]}, False, True),
        ({"excludedNamespaceScopedResources": ["events"]}, False, True),
        ({"includedClusterScopedResources": ["pv"]}, True, True),
        ({"includedClusterScopedResources": ["nodes"]}, False, True),
        ({"excludedClusterScopedResources": ["nodes"]}, False, True),
        ({"excludedClusterScopedResources": ["*"]}, False, False),
    ],
)
def test_cluster_scoped_objects(spec: Item, is_collected: bool, is_admitted: bool) -> None:
    found = filters(**spec)
    assert found.selects_resource(VOLUME) is is_collected
    assert found.selects(VOLUME, item("")) is is_collected
    assert found.admits(VOLUME, item("")) is is_admitted


@pytest.mark.parametrize(
    ("selector", "is_selected"),
    [
        ({"labelSelector": {"matchLabels": {"app": "db"}}}, True),
        ({"labelSelector": {"matchLabels": {"app": "db", "tier": "x"}}}, False),
        (
            {"orLabelSelectors": [{"matchLabels": {"app": "x"}}, {"matchLabels": {"app": "db"}}]},
            True,
        ),
        ({"orLabelSelectors": []}, True),
        *(
            ({"labelSelector": {"matchExpressions": [expression]}}, is_selected)
            for expression, is_selected in (
                ({"key": "app", "operator": "In", "values": ["db", "web"]}, True),
                ({"key": "app", "operator": "NotIn", "values": ["db"]}, False),
                ({"key": "tier", "operator": "NotIn", "values": ["db"]}, True),
                ({"key": "app", "operator": "Exists"}, True),
                ({"key": "app", "operator": "DoesNotExist"}, False),
                ({"key": "app", "operator": "Like", "values": ["d"]}, False),
                ({"key": "tier", "operator": "NotIn"}, False),
            )
        ),
        ({"labelSelector": {}}, False),
    ],
)
def test_labels_matter_when_collecting_only(selector: Item, is_selected: bool) -> None:
    found = filters(**selector)
    assert found.selects(VM, item(labels={"app": "db"})) is is_selected
    assert found.admits(VM, item(labels={"app": "db"}))


@pytest.mark.parametrize(
    ("metadata", "is_taken"),
    [
        ({"labels": {"velero.io/exclude-from-backup": "true"}}, False),
        ({"labels": {"velero.io/exclude-from-backup": "yes"}}, True),
        ({"deletionTimestamp": "2026-05-01T08:00:00Z"}, False),
    ],
)
def test_an_object_can_say_no_itself(metadata: Item, is_taken: bool) -> None:
    assert filters().selects(VM, item(**metadata)) is is_taken
    assert filters().admits(VM, item(**metadata)) is is_taken


def test_what_is_filtered_out_is_not_admitted_either() -> None:
    assert not filters(includedNamespaces=["other"]).admits(VM, item())
    assert not filters(includedResources=["pods"]).admits(VM, item())
    assert not filters(excludedNamespaceScopedResources=["vm"]).admits(VM, item())


def test_excluding_namespaces_of_one_letter_lists_no_namespace_at_all() -> None:
    found = filters(excludedNamespaces=["?"])
    assert found.admits(VM, item())
    assert not found.selects(VM, item())
    assert not found.surely_selects(VM.named("shop", "db"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "a shop"),
        ({"includedNamespaces": ["shop"]}, "shop"),
        ({"excludedClusterScopedResources": ["namespaces"]}, ""),
        ({"labelSelector": {"matchLabels": {"of": "a"}}}, "a"),
        ({"includedNamespaces": ["shop"], "labelSelector": {"matchLabels": {"of": "a"}}}, "a shop"),
    ],
)
def test_namespaces_themselves(spec: Item, expected: str) -> None:
    names = ["a", "shop", "going"]
    found = [name for name in names if filters(**spec).selects(NAMESPACE, namespace(name))]
    assert found == expected.split()


def namespace(name: str) -> Item:
    phase = "Terminating" if name == "going" else "Active"
    return {"metadata": {"name": name, "labels": {"of": name}}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"includedNamespaces": ["*"], "excludedNamespaces": ["kube-*"]},
        {"includedNamespaces": ["shop"], "excludedResources": ["events", "backups.velero.io"]},
        {"includedResources": ["pvc", "vm"]},
        {"includedNamespaceScopedResources": ["persistentvolumeclaims"]},
        {"excludedNamespaceScopedResources": ["volumesnapshots.snapshot.storage.k8s.io"]},
        {"excludedClusterScopedResources": ["nodes", "whatever"]},
    ],
)
def test_what_is_held_for_sure_is_not_asked_for(spec: Item) -> None:
    assert filters(**spec).surely_selects(CLAIM.named("shop", "data"))


@pytest.mark.parametrize(
    "spec",
    [
        {"includedNamespaces": ["other"]},
        {"includedNamespaces": ["sh*"]},
        {"labelSelector": {"matchLabels": {"app": "db"}}},
        {"orLabelSelectors": [{"matchLabels": {"app": "db"}}]},
        {"resourcePolicy": {"kind": "configmap", "name": "policy"}},
        {"includedResources": ["vm"]},
        {"includedResources": ["unknown"]},
        {"excludedResources": ["unknown"]},
        {"excludedResources": ["{x,y}"]},
        {"excludedResources": ["persistentvolumeclaim"]},
        {"includedNamespaceScopedResources": ["nodes"]},
    ],
)
def test_where_a_cluster_could_make_a_difference_nothing_is_sure(spec: Item) -> None:
    assert not filters(**spec).surely_selects(CLAIM.named("shop", "data"))


@pytest.mark.parametrize(
    ("name", "is_sure"),
    [
        ("virtualmachines.kubevirt.io", True),
        ("vm.kubevirt.io", True),
        ("*.kubevirt.io", True),
        ("*", True),
        ("virtualmachines", False),
        ("vm.kube", False),
        ("vm", False),
    ],
)
def test_a_custom_resource_without_its_group_may_be_another_one(name: str, is_sure: bool) -> None:
    assert filters(includedResources=[name]).surely_selects(VM.named("shop", "db")) is is_sure


def test_cluster_scoped_objects_are_never_held_for_sure() -> None:
    assert not filters().surely_selects(VOLUME.named("", "disk"))


def test_a_resource_that_is_not_known_goes_by_its_name() -> None:
    assert filters().selects(WIDGET, item())
    assert filters(includedResources=["widgets.acme.io"]).selects_resource(WIDGET)
    assert filters(includedResources=["widgets.acme.io"]).surely_selects(WIDGET.named("a", "b"))
    assert not filters(excludedResources=["*.acme.io"]).selects_resource(WIDGET)


def test_another_cluster_can_be_told_of() -> None:
    others = Served("acme.io", "v1", "virtualmachines", "VirtualMachine", True, ("vm",))
    cluster = Discovery((others, *STATIC.served))
    found = Filters.parse({"spec": {"includedResources": ["vm"]}}, cluster)
    assert not found.selects_resource(VM)
    assert found.selects_resource(Resource(*others[:4]))


def test_snapshots_are_left_out_as_velero_writes_it_into_the_backup() -> None:
    found = filters(excludedNamespaceScopedResources=["volumesnapshots.snapshot.storage.k8s.io"])
    assert not found.selects_resource(volume_snapshot.RESOURCE)
    assert found.selects_resource(kinds.CONTROLLER_REVISION)


@pytest.mark.parametrize(
    "spec", [{"includedResources": "pods"}, {"labelSelector": []}, {"includedNamespaces": [1]}]
)
def test_a_field_of_the_wrong_type_is_an_error(spec: Item) -> None:
    with pytest.raises(MalformedItem):
        filters(**spec)
