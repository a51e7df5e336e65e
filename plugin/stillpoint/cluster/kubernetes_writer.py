"""The `Writer` of a live cluster: the reader's connection and errors, and two more verbs."""

import orjson

from stillpoint.cluster.kubernetes_reader import KubernetesReader
from stillpoint.cluster.question import Question
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource


class KubernetesWriter(KubernetesReader):
    """Reads, patches and creates over HTTP, from as many threads as want to."""

    def patch(self, resource: Resource, namespace: str, name: str, change: Item) -> None:
        """See `Writer.patch`. One whose answer was lost is sent again: it says what shall be."""
        body = orjson.dumps(change)
        question = Question("patch", resource, namespace, name, self._expiry(), body)
        question.found(self._answer(question, {}))

    def create(self, resource: Resource, item: Item) -> None:
        """See `Writer.create`. One whose answer was lost is sent again, and may be there then."""
        body = orjson.dumps(item)
        namespace, name = it.namespace(item), it.name(item)
        question = Question("create", resource, namespace, name, self._expiry(), body)
        answer = self._answer(question, {})
        if answer.status != 409:
            question.found(answer)
