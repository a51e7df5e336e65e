"""The rights that the plugin needs in a cluster: those of docs/install/rbac.yaml."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from stillpoint.model.item import Item
from stillpoint.resources.installation import roles
from stillpoint.resources.installation.roles import Account

_NEEDED = """
    kubevirt.io              virtualmachineinstances                get list watch
    kubevirt.io              virtualmachines                        get list patch
    cdi.kubevirt.io          datavolumes                            get list
    cdi.kubevirt.io          volumeclonesources                     get list
    cdi.kubevirt.io          volumeimportsources                    get list
    cdi.kubevirt.io          volumeuploadsources                    get list
    pool.kubevirt.io         virtualmachinepools                    get list patch
    -                        pods                                   get list
    -                        persistentvolumes                      get list
    -                        persistentvolumeclaims                 get list patch
    storage.k8s.io           storageclasses                         get list
    snapshot.storage.k8s.io  volumesnapshotclasses                  get list
    snapshot.storage.k8s.io  volumesnapshots                        get list create watch delete
    snapshot.storage.k8s.io  volumesnapshotcontents                 get patch
    -                        configmaps                             get list
    -                        serviceaccounts                        get list
    apps                     controllerrevisions                    get list patch
    instancetype.kubevirt.io virtualmachineclusterinstancetypes     get list
    instancetype.kubevirt.io virtualmachineclusterpreferences       get list
    instancetype.kubevirt.io virtualmachineinstancetypes            get list
    instancetype.kubevirt.io virtualmachinepreferences              get list
    k8s.cni.cncf.io          network-attachment-definitions         get list
    resource.k8s.io          resourceclaims                         get list
    resource.k8s.io          resourceclaimtemplates                 get list
    scheduling.k8s.io        priorityclasses                        get list
"""
SECRETS, THAW, GROUPS = "stillpoint-secrets", "stillpoint-thaw", "stillpoint-groups"
EVIDENCE = "stillpoint-evidence"
"""Roles that are optional."""

_SECRETS = """
    -                        secrets                                get
"""
_THAW = """
    subresources.kubevirt.io virtualmachineinstances/unfreeze       update
    velero.io                backups                                get list
"""
_GROUPS = """
    groupsnapshot.storage.k8s.io volumegroupsnapshotclasses         get list
    groupsnapshot.storage.k8s.io volumegroupsnapshots               get list create watch delete
    groupsnapshot.storage.k8s.io volumegroupsnapshotcontents        get patch delete
    snapshot.storage.k8s.io  volumesnapshots                        patch
    snapshot.storage.k8s.io  volumesnapshots/status                 patch
    snapshot.storage.k8s.io  volumesnapshotcontents/status          patch
"""
_EVIDENCE = """
    snapshot.storage.k8s.io  volumesnapshots                        patch
    -                        pods/log                               get
    -                        namespaces                             get
    snapshot.kubevirt.io     virtualmachinesnapshots                get list
    backup.kubevirt.io       virtualmachinebackups                  get list
    velero.io                backups                                get list
"""
_EVIDENCE_OF_VELERO = """
    velero.io                backups                                patch
"""
_OF_VELERO = """
    velero.io                backups                                get list
    velero.io                datadownloads                          get list create patch
    velero.io                datauploads                            get list create patch
    velero.io                podvolumebackups                       get list
    velero.io                podvolumerestores                      get list
    apps                     daemonsets                             get
"""
"""One line per resource, `-` for the core group."""

_SUBRESOURCES = {"subresources.kubevirt.io": "kubevirt.io"}
"""Groups of subresources that are not those of their objects."""


class Right(NamedTuple):
    """A verb on a resource.

    Attributes:
        role: of docs/install/rbac.yaml, which gives it.
        is_of_velero: in the namespace of Velero alone.
    """

    group: str
    resource: str
    verb: str
    role: str = "stillpoint"
    is_of_velero: bool = False

    @property
    def is_optional(self) -> bool:
        """True if the plugin can do without, see the sentence of its role."""
        return self.role in (SECRETS, THAW, GROUPS, EVIDENCE)

    @property
    def served_as(self) -> str:
        """The resource that a cluster serves if it has this one; discovery has no subresources."""
        plural, slash, _subresource = self.resource.partition("/")
        group = _SUBRESOURCES.get(self.group, self.group)
        return f"{plural}.{group}" if slash else self.name

    @property
    def name(self) -> str:
        """Its resource: `virtualmachines.kubevirt.io`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    def __str__(self) -> str:
        """`patch virtualmachines.kubevirt.io`."""
        return f"{self.verb} {self.name}"


def _parse(text: str, role: str = "stillpoint", *, is_of_velero: bool = False) -> Iterator[Right]:
    for line in text.strip().splitlines():
        group, resource, *verbs = line.split()
        for verb in verbs:
            yield Right(group.strip("-"), resource, verb, role, is_of_velero)


NEEDED: tuple[Right, ...] = (
    *_parse(_NEEDED),
    *_parse(_SECRETS, SECRETS),
    *_parse(_THAW, THAW),
    *_parse(_GROUPS, GROUPS),
    *_parse(_EVIDENCE, EVIDENCE),
    *_parse(_EVIDENCE_OF_VELERO, EVIDENCE, is_of_velero=True),
    *_parse(_OF_VELERO, is_of_velero=True),
)
ALL = Right("*", "*", "*")
"""What a cluster-admin has."""


def lacking(account: Account, objects: Iterable[Item], served: Collection[str]) -> list[Right]:
    """The rights that an account needs and roles and bindings do not give.

    Args:
        served: names of the resources that the cluster has: of others no right is needed.
    """
    objects = list(objects)
    everywhere = list(roles.rules(account, "", objects))
    at_home = list(roles.rules(account, account.namespace, objects))
    return [
        right
        for right in NEEDED
        if right.served_as in served
        and not any(
            roles.allows(rule, right.group, right.resource, right.verb)
            for rule in (at_home if right.is_of_velero else everywhere)
        )
    ]
