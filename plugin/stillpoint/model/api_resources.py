"""The resources of the Kubernetes API that are known without asking a cluster.

Sources: the API reference of Kubernetes and the custom resource definitions of KubeVirt, CDI and
external-snapshotter.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Served(NamedTuple):
    """A resource in its preferred version, as discovery describes it.

    Attributes:
        older: further versions in which the server takes it.
    """

    group: str
    version: str
    plural: str
    kind: str
    is_namespaced: bool
    short_names: tuple[str, ...] = ()
    older: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Velero's full name of the resource: `virtualmachines.kubevirt.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """Discovery's singular name; the kind in lower case, with rare exceptions."""
        return _SINGULAR.get(self.plural, self.kind.lower())

    @property
    def api_version(self) -> str:
        """`v1`, `kubevirt.io/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def api_versions(self) -> tuple[str, ...]:
        """Each version, as `api_version` has it."""
        versions = (self.version, *self.older)
        return tuple(f"{self.group}/{one}" if self.group else one for one in versions)

    @property
    def is_built_in(self) -> bool:
        """Lists of built-in resources leave out what their items are; custom ones do not."""
        return (self.group, self.version) in _BUILT_IN


_BUILT_IN = {
    ("", "v1"): """
        configmaps             ConfigMap              cm
        endpoints              Endpoints              ep
        events                 Event                  ev
        limitranges            LimitRange             limits
        persistentvolumeclaims PersistentVolumeClaim  pvc
        pods                   Pod                    po
        podtemplates           PodTemplate
        replicationcontrollers ReplicationController  rc
        resourcequotas         ResourceQuota          quota
        secrets                Secret
        serviceaccounts        ServiceAccount         sa
        services               Service                svc
        / namespaces           Namespace              ns
        / nodes                Node                   no
        / persistentvolumes    PersistentVolume       pv
    """,
    ("apps", "v1"): """
        controllerrevisions    ControllerRevision
        daemonsets             DaemonSet              ds
        deployments            Deployment             deploy
        replicasets            ReplicaSet             rs
        statefulsets           StatefulSet            sts
    """,
    ("batch", "v1"): """
        cronjobs               CronJob                cj
        jobs                   Job
    """,
    ("networking.k8s.io", "v1"): """
        ingresses              Ingress                ing
        networkpolicies        NetworkPolicy          netpol
        / ingressclasses       IngressClass
    """,
    ("policy", "v1"): """
        poddisruptionbudgets   PodDisruptionBudget    pdb
    """,
    ("rbac.authorization.k8s.io", "v1"): """
        rolebindings           RoleBinding
        roles                  Role
        / clusterrolebindings  ClusterRoleBinding
        / clusterroles         ClusterRole
    """,
    ("resource.k8s.io", "v1"): """
        resourceclaims         ResourceClaim
        resourceclaimtemplates ResourceClaimTemplate
        / deviceclasses        DeviceClass
    """,
    ("scheduling.k8s.io", "v1"): """
        / priorityclasses      PriorityClass          pc
    """,
    ("storage.k8s.io", "v1"): """
        / csidrivers           CSIDriver
        / csinodes             CSINode
        / storageclasses       StorageClass           sc
        / volumeattachments    VolumeAttachment
        csistoragecapacities   CSIStorageCapacity
    """,
    ("apiextensions.k8s.io", "v1"): """
        / customresourcedefinitions CustomResourceDefinition crd crds
    """,
}
"""One line per resource: plural, kind, short names; behind a slash if it is cluster-scoped."""

_CUSTOM = {
    ("kubevirt.io", "v1"): """
        kubevirts                          KubeVirt                         kv kvs
        virtualmachineinstancemigrations   VirtualMachineInstanceMigration  vmim vmims
        virtualmachineinstancepresets      VirtualMachineInstancePreset     vmipreset vmipresets
        virtualmachineinstancereplicasets  VirtualMachineInstanceReplicaSet vmirs vmirss
        virtualmachineinstances            VirtualMachineInstance           vmi vmis
        virtualmachines                    VirtualMachine                   vm vms
    """,
    ("instancetype.kubevirt.io", "v1beta1"): """
        virtualmachineinstancetypes          VirtualMachineInstancetype        vmf vmfs
        virtualmachinepreferences            VirtualMachinePreference          vmp vmps
        / virtualmachineclusterinstancetypes VirtualMachineClusterInstancetype vmcf vmcfs
        / virtualmachineclusterpreferences   VirtualMachineClusterPreference   vmcp vmcps
    """,
    ("snapshot.kubevirt.io", "v1beta1"): """
        virtualmachinerestores         VirtualMachineRestore         vmrestore vmrestores
        virtualmachinesnapshotcontents VirtualMachineSnapshotContent vmsnapshotcontent
        virtualmachinesnapshots        VirtualMachineSnapshot        vmsnapshot vmsnapshots
    """,
    ("clone.kubevirt.io", "v1beta1"): """
        virtualmachineclones  VirtualMachineClone  vmclone vmclones
    """,
    ("export.kubevirt.io", "v1beta1"): """
        virtualmachineexports VirtualMachineExport vmexport vmexports
    """,
    ("backup.kubevirt.io", "v1alpha1"): """
        virtualmachinebackups        VirtualMachineBackup        vmbackup vmbackups
        virtualmachinebackuptrackers VirtualMachineBackupTracker vmbackuptracker vmbackuptrackers
    """,
    ("pool.kubevirt.io", "v1beta1"): """
        virtualmachinepools   VirtualMachinePool   vmpool vmpools
    """,
    ("migrations.kubevirt.io", "v1alpha1"): """
        / migrationpolicies   MigrationPolicy
    """,
    ("cdi.kubevirt.io", "v1beta1"): """
        dataimportcrons       DataImportCron       dic dics
        datasources           DataSource           das
        datavolumes           DataVolume           dv dvs
        volumeclonesources    VolumeCloneSource
        volumeimportsources   VolumeImportSource
        volumeuploadsources   VolumeUploadSource
        / cdiconfigs          CDIConfig
        / cdis                CDI                  cdi cdis
        / objecttransfers     ObjectTransfer       ot ots
        / storageprofiles     StorageProfile
    """,
    ("snapshot.storage.k8s.io", "v1"): """
        volumesnapshots           VolumeSnapshot        vs
        / volumesnapshotclasses   VolumeSnapshotClass   vsclass vsclasses
        / volumesnapshotcontents  VolumeSnapshotContent vsc vscs
    """,
    ("k8s.cni.cncf.io", "v1"): """
        network-attachment-definitions NetworkAttachmentDefinition net-attach-def
    """,
}
_SINGULAR = {"network-attachment-definitions": "network-attachment-definition"}


def _parse_tables() -> Iterator[Served]:
    for (group, version), lines in (_BUILT_IN | _CUSTOM).items():
        for line in lines.strip().splitlines():
            words = line.split()
            is_namespaced = words[0] != "/"
            plural, kind, *short_names = words if is_namespaced else words[1:]
            yield Served(group, version, plural, kind, is_namespaced, tuple(short_names))


def guess_plural(kind: str) -> str:
    """The plural that an API most likely has for a kind which is not in `KNOWN`.

    Source: UnsafeGuessKindToResource of apimachinery v0.36.
    """
    singular = kind.lower()
    if singular.endswith("s"):
        return f"{singular}es"
    if singular.endswith("y"):
        return f"{singular[:-1]}ies"
    return f"{singular}s"


KNOWN: tuple[Served, ...] = tuple(_parse_tables())
