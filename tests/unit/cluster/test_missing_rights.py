"""The rule that an error tells people to grant is one of docs/install/rbac.yaml, and grants it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stillpoint.cluster.api_request import ApiRequest, ApiResponse
from stillpoint.model.errors import Forbidden
from stillpoint.model.reference import Resource

RIGHTS = Path(__file__).parents[3] / "docs" / "install" / "rbac.yaml"
BODY = b"{}"
CHANGES = ("patch", "create")


def granted() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """API group, resource and verbs of each rule that the plugin is installed with."""
    for manifest in yaml.safe_load_all(RIGHTS.read_text()):
        for rule in manifest.get("rules", ()):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    yield group, resource, tuple(rule["verbs"])


@pytest.mark.parametrize(
    ("group", "resource", "verbs"), [pytest.param(*rule, id=rule[1]) for rule in granted()]
)
def test_the_rule_to_grant_is_one_that_the_plugin_is_installed_with(
    group: str, resource: str, verbs: tuple[str, ...]
) -> None:
    kind = Resource(group, "v1", resource, resource)
    for verb in verbs:
        request = ApiRequest(verb, kind, "shop", "db", 0, BODY if verb in CHANGES else b"")
        with pytest.raises(Forbidden) as caught:
            request.read_object(ApiResponse(403, "", b""))
        rule = yaml.safe_load("{" + caught.value.hint.partition("with the rule ")[2] + "}")
        assert (rule["apiGroups"], rule["resources"]) == ([group], [resource])
        assert verb in rule["verbs"]
        assert set(rule["verbs"]) <= set(verbs)
