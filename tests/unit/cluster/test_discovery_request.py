"""Discovery of the API: each resource once, with all versions in which the server takes it."""

import orjson

from stillpoint.cluster.api_request import ApiResponse
from stillpoint.cluster.discovery_request import DiscoveryRequest
from stillpoint.model.item import Item

VERBS = ["create", "delete", "get", "list"]


def resource(plural: str, kind: str, verbs: list[str] = VERBS) -> Item:
    return {
        "resource": plural,
        "responseKind": {"kind": kind},
        "scope": "Namespaced",
        "verbs": verbs,
    }


def test_a_resource_is_served_in_the_versions_that_have_it() -> None:
    machines, instances = resource("machines", "Machine"), resource("instances", "Instance")
    virtual = resource("tokens", "Token", ["create"])
    versions = [
        {"version": "v2", "resources": [machines, virtual]},
        {"version": "v1", "resources": [machines, instances]},
        {"version": "v1beta1", "resources": [machines]},
    ]
    groups = [{"metadata": {"name": "shop.io"}, "versions": versions}]
    document = {"kind": "APIGroupDiscoveryList", "items": groups}
    response = ApiResponse(200, "", orjson.dumps(document))
    found = DiscoveryRequest("/apis", 0.0).parse(response) or []
    assert [(one.name, one.version, one.api_versions) for one in found] == [
        ("machines.shop.io", "v2", ("shop.io/v2", "shop.io/v1", "shop.io/v1beta1")),
        ("instances.shop.io", "v1", ("shop.io/v1",)),
    ]
