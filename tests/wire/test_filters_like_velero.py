"""The filters of a Backup, by our code and by Velero's own, on the same generated questions.

Velero's side is Go, in tests/peers/velero/cmd/filters.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from stillpoint.velero.selection.discovery import STATIC
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes.policy import Policy
from tests.wire.velero_filters import CLUSTER, Velero

MANY = settings(max_examples=600, deadline=None)

NAMES = sorted(
    {
        f"{name}.{group}".rstrip(".")
        for served in STATIC.served
        for name in (served.plural, served.singular, served.kind, *served.short_names)
        for group in (served.group, "", served.group[:4], served.group.partition(".")[0], "none.io")
    }
)
RESOURCES = [Resource(*served[:4]) for served in STATIC.served]
NAMESPACED = {served.name for served in STATIC.served if served.is_namespaced}
LABELS = [{}, {"app": ""}, {"app": "a"}, {"app": "b", "tier": "a"}, {"tier": ""}, {"x.io/app": "a"}]


def lists_of(entries: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(entries, max_size=3)


def specs(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Item]:
    return st.fixed_dictionaries({}, optional=fields)


def filters(spec: Item) -> Filters:
    return Filters.parse({"spec": spec})


def test_names_stand_for_the_same_resources(velero: Velero) -> None:
    ours = [STATIC.resolve(name) for name in NAMES]
    answer = velero.ask({}, names=NAMES)
    assert {name: one.name if one else "" for name, one in zip(NAMES, ours, strict=True)} == dict(
        zip(NAMES, answer["Names"], strict=True)
    )


PIECES = ["a", "b", "ab", "sh", "op", "-", "*", "*", "?", "[ab]", "[a-z]", "[0-9-]", "[z-a]"]
namespaces = lists_of(
    st.sampled_from([*CLUSTER, "gone", "", "*", "*", "shop-*", "*-shop", "sh*op", "a*a", "?"])
    | st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
)


@MANY
@given(specs(includedNamespaces=namespaces, excludedNamespaces=namespaces))
def test_namespaces_are_selected_alike(velero: Velero, spec: Item) -> None:
    answer = velero.ask(spec, namespaces=CLUSTER)
    if not answer["Failed"]:
        found = [filters(spec).selects_namespace(name) for name in CLUSTER]
        assert found == answer["Namespaces"]


PATTERNS = [
    "*", "*.kubevirt.io", "virtual*", "*s", "p*s", "po?s", "[pc]*", "[!a-m]*", "s*s", "pod*ods",
    "{pods,secrets}", "{vm*,p*}", "name*", "*claims", "**", "p\\ods", "[pods", "[]", "", "unknown",
    "configmaps", "po", "PVC", "namespaces", "nodes", "vm", "virtualmachines.kubevirt.io",
]  # fmt: skip
resources = lists_of(st.sampled_from(PATTERNS) | st.sampled_from(NAMES))
of_namespaces = {
    field: st.sampled_from([[], ["*"], ["shop"], ["sh*"]])
    for field in ("includedNamespaces", "excludedNamespaces")
}
old_style = specs(
    includedResources=resources,
    excludedResources=resources,
    includeClusterResources=st.sampled_from([True, False, None]),
    **of_namespaces,
)
new_style = specs(
    includedNamespaceScopedResources=resources,
    excludedNamespaceScopedResources=resources,
    includedClusterScopedResources=resources,
    excludedClusterScopedResources=resources,
    **of_namespaces,
)


PIECES_OF_PATTERNS = [
    "po", "ds", "s", "e", "*", "**", "?", "[a-s]", "[!a-e]", "[e-]", ",", "}", "\\",
    "!", "]", ".", "kubevirt", ".io",
]  # fmt: skip
patterns = st.lists(st.sampled_from(PIECES_OF_PATTERNS), min_size=1, max_size=6).map("".join)


@MANY
@given(patterns)
def test_any_pattern_selects_the_same_resources(velero: Velero, pattern: str) -> None:
    spec = {"includedNamespaceScopedResources": [pattern]}
    answer = velero.ask(spec, resources=sorted(NAMESPACED))
    found = [
        name
        for name in sorted(NAMESPACED)
        if filters(spec).resources.collects(name, is_namespaced=True)
    ]
    theirs = [
        name for name, is_in in zip(sorted(NAMESPACED), answer["Resources"], strict=True) if is_in
    ]
    assert found == theirs


@MANY
@given(old_style | new_style)
def test_resources_are_selected_alike(velero: Velero, spec: Item) -> None:
    answer = velero.ask(spec, resources=[str(resource) for resource in RESOURCES])
    ours = filters(spec)
    found = {str(resource): ours.selects_resource(resource) for resource in RESOURCES}
    assert found == dict(zip(found, answer["Resources"], strict=True))
    expelled = {
        served.name: ours.resources.expels(served.name)
        for served in STATIC.served
        if not served.is_namespaced
    }
    theirs = dict(zip(found, answer["Expelled"], strict=True))
    assert expelled == {name: theirs[name] for name in expelled}


policies = specs(
    includedNamespaceScopedResources=resources,
    excludedNamespaceScopedResources=resources,
    includedClusterScopedResources=resources,
    excludedClusterScopedResources=resources,
)


@MANY
@given(new_style, policies)
def test_resources_are_selected_alike_under_a_policy(
    velero: Velero, spec: Item, policy: Item
) -> None:
    names = [str(resource) for resource in RESOURCES]
    answer = velero.ask(spec, resources=names, combined=policy)
    ours = filters(spec).under(Policy(lists=policy))
    found = {str(resource): ours.selects_resource(resource) for resource in RESOURCES}
    assert found == dict(zip(names, answer["Resources"], strict=True))


LONG = f"{'x' * 254}/app"
keys = st.sampled_from(
    ["app", "tier", "app", "tier", "x.io/app", "", "-", "X/app", "a..b/app", LONG]
)
values = st.sampled_from(["", "a", "b", "", "a", "b", "A_1", "-x", "x" * 64])
operators = st.sampled_from(["In", "NotIn", "In", "NotIn", "Exists", "DoesNotExist", "Gt"])
selectors = specs(
    matchLabels=st.dictionaries(keys, values, max_size=2),
    matchExpressions=st.lists(
        st.builds(
            lambda key, operator, values: {"key": key, "operator": operator, "values": values},
            keys,
            operators,
            st.lists(values, max_size=2),
        ),
        max_size=2,
    ),
)


@MANY
@given(specs(labelSelector=selectors, orLabelSelectors=st.lists(selectors, max_size=2)))
def test_labels_are_selected_alike(velero: Velero, spec: Item) -> None:
    answer = velero.ask(spec, labels=LABELS)
    assert [filters(spec).selects_labels(labels) for labels in LABELS] == answer["Labels"]
