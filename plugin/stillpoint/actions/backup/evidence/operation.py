"""The id of the operation in which the evidence of a machine is concluded.

Velero asks about an operation in another process, and shows the id alone: all that this process
knows of the machine and that can be said in a line is in there. Velero keeps it in its own store,
where no tenant writes.
"""

from dataclasses import dataclass
from urllib.parse import quote, unquote

from stillpoint.actions.backup.evidence.demand import Demand
from stillpoint.evidence.document import Subject
from stillpoint.model.errors import MalformedRequest
from stillpoint.model.level import Level

_SORT = "evidence"
_SEPARATOR = ";"


@dataclass(frozen=True, slots=True)
class Operation:
    """A machine whose evidence is to be concluded.

    Attributes:
        version: `metadata.resourceVersion` of a machine that did not run when Velero listed it,
            before anything of the backup was taken; empty for others.
    """

    namespace: str
    machine: Subject
    version: str
    demand: Demand

    @property
    def id(self) -> str:
        """Example: `evidence;VirtualMachine;shop;db;5b0c...;;application;`.

        A ninth word is only there if somebody may have demanded more.
        """
        machine, demand = self.machine, self.demand
        words = (self.namespace, machine.name, machine.uid, self.version, demand.level or "")
        said = [quote(one, safe=" /.:,'") for one in (demand.fault, demand.lack)]
        return _SEPARATOR.join((_SORT, machine.kind, *words, *said[: 2 if demand.lack else 1]))

    @classmethod
    def parse(cls, text: str) -> "Operation":
        """Parses an id.

        Raises:
            MalformedRequest: it is none of this sort.
        """
        try:
            sort, kind, namespace, name, uid, version, level, *said = text.split(_SEPARATOR)
            fault, lack = map(unquote, said if len(said) > 1 else [*said, ""])
            demand = Demand(Level(level) if level else None, fault, lack)
        except ValueError:
            sort = ""
        if sort != _SORT:
            cause = "its id is none of this plugin's"
            raise MalformedRequest(f"operation {text!r}", "cannot conclude it", cause)
        return cls(namespace, Subject(kind, name, uid), version, demand)
