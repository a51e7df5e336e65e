"""What the stand-in API server says about itself: groups, versions and resources."""

from collections.abc import Collection, Sequence

from stillpoint.model.api_resources import Served
from stillpoint.model.item import Item


def answer(  # noqa: PLR0911 - one for each document
    parts: Sequence[str], served: Collection[Served]
) -> Item | None:
    """The discovery document at a path, or None if that is the path of no document.

    Args:
        parts: the path between its slashes, for instance `["apis", "kubevirt.io", "v1"]`.
    """
    match list(parts):
        case ["version"]:
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.0+stillpoint"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = sorted({one.group for one in served if one.group})
            return {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(group, served) for group in groups],
            }
        case ["apis", group] if any(one.group == group for one in served):
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, served)}
        case ["api", version]:
            return _resources("", version, served)
        case ["apis", group, version]:
            return _resources(group, version, served)
    return None


AGGREGATED = "APIGroupDiscoveryList"
"""What a client names in its `Accept` to have all groups in one answer."""


def aggregated(parts: Sequence[str], served: Collection[Served]) -> Item | None:
    """All groups behind `/api` or `/apis` at once; None for other paths."""
    if list(parts) not in (["api"], ["apis"]):
        return None
    groups = sorted({one.group for one in served if bool(one.group) is (parts[0] == "apis")})
    return {
        "kind": AGGREGATED,
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(group, served) for group in groups],
    }


def _aggregated_group(group: str, served: Collection[Served]) -> Item:
    versions = dict.fromkeys(one.version for one in served if one.group == group)
    return {
        "metadata": {"name": group},
        "versions": [
            {
                "version": version,
                "resources": [
                    _aggregated_resource(one)
                    for one in served
                    if (one.group, one.version) == (group, version)
                ],
            }
            for version in versions
        ],
    }


def _aggregated_resource(one: Served) -> Item:
    return {
        "resource": one.plural,
        "responseKind": {"group": one.group, "version": one.version, "kind": one.kind},
        "scope": "Namespaced" if one.is_namespaced else "Cluster",
        "singularResource": one.singular,
        "shortNames": list(one.short_names),
        "verbs": ["create", "delete", "get", "list"],  # as a cluster; here nothing can be changed
    }


def _group(group: str, served: Collection[Served]) -> Item:
    versions = list(dict.fromkeys(one.version for one in served if one.group == group))
    named = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": named, "preferredVersion": named[0]}


def _resources(group: str, version: str, served: Collection[Served]) -> Item | None:
    found = [one for one in served if (one.group, one.version) == (group, version)]
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [_resource(one) for one in found],
    }


def _resource(one: Served) -> Item:
    return {
        "name": one.plural,
        "singularName": one.singular,
        "namespaced": one.is_namespaced,
        "kind": one.kind,
        "verbs": ["get", "list"],
        "shortNames": list(one.short_names),
    }
