"""DataProtectionApplication (oadp.openshift.io/v1alpha1): what OADP makes a Velero of.

Source: api/v1alpha1/dataprotectionapplication_types.go, internal/controller/validator.go and bsl.go
of oadp-operator, July 2025.
"""

from collections.abc import Iterator, Mapping, Sequence

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

RESOURCE = Resource(
    "oadp.openshift.io",
    "v1alpha1",
    "dataprotectionapplications",
    "DataProtectionApplication",
)
OPENSHIFT, KUBEVIRT, CSI, DATA_MOVER = "openshift", "kubevirt", "csi", "kubevirt-datamover"
"""Names among the default plugins."""

RECONCILED = "Reconciled"
"""Type of the condition that says whether OADP could make what is asked for."""

DEFAULT_SECRETS = {
    "aws": "cloud-credentials",
    "gcp": "cloud-credentials-gcp",
    "azure": "cloud-credentials-azure",
}
"""Secret of a location that names none, by provider (pkg/credentials/credentials.go)."""

DEFAULT_KEY = "cloud"

COPY_NO_FILES = {"defaultVolumesToFSBackup": False, "args": {"default-volumes-to-fs-backup": None}}
"""Settings of Velero that switch the copies of `copies_files` off."""

OVERRIDDEN_ARGUMENTS = (
    "oadp.openshift.io/unsupported-velero-server-args",
    "oadp.openshift.io/unsupported-node-agent-server-args",
)
"""Annotations with the name of a ConfigMap whose flags take the place of all of OADP's."""

_VELERO = ("spec", "configuration", "velero")
_NODE_AGENT = ("spec", "configuration", "nodeAgent")
_CSI_FEATURE = "EnableCSI"


def default_plugins(application: Item) -> Sequence[str]:
    """Names such as `aws`."""
    return it.texts(application, *_VELERO, "defaultPlugins")


def custom_plugins(application: Item) -> Sequence[tuple[str, str]]:
    """Name and image of each."""
    found = it.sequence(application, *_VELERO, "customPlugins")
    return [(it.text(one, "name"), it.text(one, "image")) for one in found]


def has_csi(application: Item) -> bool:
    """True if OADP gives Velero the feature EnableCSI."""
    features = it.texts(application, *_VELERO, "featureFlags")
    return CSI in default_plugins(application) or _CSI_FEATURE in features


def needs_no_secret(application: Item) -> bool:
    """True if OADP is not to look for Secrets of locations: the feature `no-secret`."""
    return "no-secret" in it.texts(application, *_VELERO, "featureFlags")


def has_no_default_location(application: Item) -> bool:
    """True if Velero is asked for without a location for backups."""
    return it.flag(application, *_VELERO, "noDefaultBackupLocation")


def backs_images_up(application: Item) -> bool:
    """True unless that is switched off; each location then needs a prefix."""
    return it.mapping(application, "spec").get("backupImages") is not False


def moves_data(application: Item) -> bool:
    """True if data of snapshots is moved unless a Backup says otherwise."""
    return it.flag(application, *_VELERO, "defaultSnapshotMoveData")


def copies_files(application: Item) -> bool:
    """True if files of volumes are copied unless a Backup says otherwise."""
    in_arguments = it.flag(application, *_VELERO, "args", "default-volumes-to-fs-backup")
    return in_arguments or it.flag(application, *_VELERO, "defaultVolumesToFSBackup")


def resource_timeout(application: Item) -> str:
    """As written; empty if Velero's own holds."""
    return it.text(application, *_VELERO, "resourceTimeout")


def has_node_agent(application: Item) -> bool:
    """True if node agents are wanted, without which no data is moved."""
    return it.flag(application, *_NODE_AGENT, "enable")


def uploader(application: Item) -> str:
    """`kopia` or `restic`; empty if it is not given."""
    return it.text(application, *_NODE_AGENT, "uploaderType")


def node_selector(application: Item) -> Mapping[str, str]:
    """Labels of the nodes on which node agents are to run; empty for all."""
    return it.mapping(application, *_NODE_AGENT, "podConfig", "nodeSelector")


def ignores_delayed_binding(application: Item) -> bool:
    """True if moved data is restored although nobody uses the claim yet."""
    return it.flag(application, *_NODE_AGENT, "restorePVC", "ignoreDelayBinding")


def overrides(application: Item) -> Sequence[str]:
    """Keys of `unsupportedOverrides`, and annotations that replace flags."""
    annotations = it.annotations(application)
    keys = it.mapping(application, "spec", "unsupportedOverrides")
    return [*keys, *(one for one in OVERRIDDEN_ARGUMENTS if one in annotations)]


def locations(application: Item) -> Iterator[tuple[str, Item]]:
    """Name and specification of each BackupStorageLocation that OADP makes of it.

    Locations in buckets that OADP itself creates (`bucket`) are not among them.
    """
    for number, one in enumerate(it.sequence(application, "spec", "backupLocations"), 1):
        if specification := it.mapping(one, "velero"):
            name = it.text(one, "name") or f"{it.name(application)}-{number}"
            yield name, specification


def has_conditions(application: Item) -> bool:
    """True if an operator has looked at it."""
    return bool(it.sequence(application, "status", "conditions"))


def condition(application: Item, kind: str) -> Item | None:
    """The condition of that type; None if the status does not have it."""
    found = it.sequence(application, "status", "conditions")
    return next((one for one in found if it.text(one, "type") == kind), None)


def parts_not_ready(application: Item) -> Iterator[tuple[str, str]]:
    """Conditions of parts, `KubevirtDatamoverReady` for instance, that are not true: type, message.

    A part that is not asked for is ready. Source: internal/controller/readiness.go of
    oadp-operator, 2026; older ones have no such conditions.
    """
    for one in it.sequence(application, "status", "conditions"):
        kind = it.text(one, "type")
        if kind.endswith("Ready") and it.text(one, "status") != "True":
            yield kind, it.text(one, "message")


def all_plugins(application: Item) -> Iterator[tuple[str, str]]:
    """Name and image of each plugin; for default plugins the name stands for both."""
    yield from ((name, name) for name in default_plugins(application))
    yield from custom_plugins(application)
