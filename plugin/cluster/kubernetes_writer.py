"""The `Writer` of a live cluster: the reader's connection and errors, and one more verb."""

import orjson

from plugin.cluster.kubernetes_reader import KubernetesReader
from plugin.cluster.question import Question
from plugin.model.item import Item
from plugin.model.reference import Resource


class KubernetesWriter(KubernetesReader):
    """Reads and patches over HTTP, from as many threads as want to."""

    def patch(self, resource: Resource, namespace: str, name: str, change: Item) -> None:
        """See `Writer.patch`. One whose answer was lost is sent again: it says what shall be."""
        body = orjson.dumps(change)
        question = Question("patch", resource, namespace, name, self._expiry(), body)
        question.found(self._answer(question, {}))
