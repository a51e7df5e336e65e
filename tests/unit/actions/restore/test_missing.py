"""Rights to look at what a machine needs: without one the machine comes back, with a warning."""

import logging

import pytest

from stillpoint.actions.restore import virtual_machine
from stillpoint.cluster.api_request import ApiRequest, ApiResponse
from stillpoint.model.errors import Unreachable
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource
from tests.unit.contexts import restore_context
from tests.unit.dictionary_reader import DictionaryReader

VOLUMES = [
    {"name": "a", "secret": {"secretName": "s"}},
    {"name": "b", "configMap": {"name": "c"}},
    {"name": "d", "secret": {"secretName": "e"}},
]
MACHINE: Item = {
    "kind": "VirtualMachine",
    "metadata": {"namespace": "shop", "name": "db"},
    "spec": {"template": {"spec": {"volumes": VOLUMES}}},
}


class WithoutRight(DictionaryReader):
    """The API server refuses to let it get Secrets."""

    def __init__(self, status: int) -> None:
        super().__init__([])
        self._status = status

    def get(self, resource: Resource, namespace: str, name: str) -> Item | None:
        if resource.plural == "secrets":
            question = ApiRequest("get", resource, namespace, name, 0.0)
            raise question.failure(ApiResponse(self._status, "", b""))
        return super().get(resource, namespace, name)


def test_a_secret_that_must_not_be_looked_at_is_a_warning_of_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    context = restore_context({}, MACHINE, WithoutRight(403), archive=[])
    outcome = virtual_machine.execute(MACHINE, context)
    assert not outcome.skip
    assert [one.name for one in outcome.additional] == [
        "db needs what could not be looked at here: Secret s, Secret e",
        "db needs what is missing here: ConfigMap c",
    ]
    assert 'resources: ["secrets"], verbs: ["get"]' in caplog.text


def test_a_server_that_fails_is_still_an_error() -> None:
    context = restore_context({}, MACHINE, WithoutRight(500), archive=[])
    with pytest.raises(Unreachable, match="cannot get: HTTP 500"):
        virtual_machine.execute(MACHINE, context)
