"""Names of resources, resolved as Velero does by its discovery of the cluster.

Sources: pkg/discovery/helper.go of Velero v1.18, and of the Kubernetes libraries that it calls
client-go/restmapper/discovery.go and apimachinery/pkg/api/meta/restmapper.go.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stillpoint.model.api_resources import KNOWN, Served
from stillpoint.velero.selection import glob


@dataclass(frozen=True, slots=True)
class Name:
    """A resource as named in a filter.

    Attributes:
        text: in full where the name is known, `persistentvolumeclaims` for `pvc`; else as written,
            which may also be a pattern.
        is_namespaced: None if the name is unknown.
        is_sure: true for a name of the same resource in every cluster, as a name with its group, or
            a name of Kubernetes itself; `vm` may be somebody else's short name.
    """

    text: str
    is_namespaced: bool | None
    is_sure: bool


class Discovery:
    """The known resources of a cluster.

    Args:
        served: in the API server's order of groups, which decides between two of the same name: its
            own before custom groups, custom groups in the order of the alphabet.
    """

    def __init__(self, served: Iterable[Served]) -> None:
        self.served = tuple(served)
        self._by_name: defaultdict[str, list[Served]] = defaultdict(list)
        self._by_short_name: defaultdict[str, list[Served]] = defaultdict(list)
        for one in self.served:
            for name in {one.plural, one.singular}:
                self._by_name[name].append(one)
            for name in one.short_names:
                self._by_short_name[name].append(one)

    def resolve(self, name: str) -> Served | None:
        """The resource that a name stands for: plural, singular or short, with group or without.

        Of a group, the beginning is enough: `vm.kube` is `virtualmachines.kubevirt.io`.
        """
        short, _, group = name.partition(".")
        own = [one for one in self._by_short_name.get(short, ()) if one.group.startswith(group)]
        exact = [one for one in own if one.group == group]
        plural = (exact + own)[0].plural if own else short.lower()
        found = (one for one in self._by_name.get(plural, ()) if one.group.startswith(group))
        return next(found, None)

    def name(self, text: str) -> Name:
        """The meaning of an entry of a filter."""
        if glob.is_pattern(text):  # no resource has such a name
            return Name(text, is_namespaced=None, is_sure=not set(text) & set("{!"))
        served = self.resolve(text)
        group = text.partition(".")[2]
        if served is None:
            is_sure = bool(group) and not any(one.group.startswith(group) for one in self.served)
            return Name(text, is_namespaced=None, is_sure=is_sure)
        is_sure = served.group == group or served.is_built_in
        return Name(served.name, served.is_namespaced, is_sure)


def _in_order(one: Served) -> tuple[bool, str]:
    return (False, "") if one.is_built_in else (True, one.group)


STATIC = Discovery(sorted(KNOWN, key=_in_order))
"""The resources known without a cluster; a cluster may have more."""
