"""Versions in the words of operators: OpenShift, OADP, HyperConverged, CDI.

Sources: config/v1/types_cluster_version.go of openshift/api, ClusterServiceVersion of
operator-framework/api, HyperConverged of kubevirt/hyperconverged-cluster-operator
(`status.versions`) and CDI of containerized-data-importer (`status.observedVersion`).
"""

from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.reference import Resource

CLUSTER_VERSION = Resource("config.openshift.io", "v1", "clusterversions", "ClusterVersion")
CLUSTER_SERVICE_VERSION = Resource(
    "operators.coreos.com", "v1alpha1", "clusterserviceversions", "ClusterServiceVersion"
)
HYPER_CONVERGED = Resource("hco.kubevirt.io", "v1beta1", "hyperconvergeds", "HyperConverged")
CDI = Resource("cdi.kubevirt.io", "v1beta1", "cdis", "CDI")

_OADP = "oadp-operator."
_WANTED = {"Available": "True", "Degraded": "False"}


def openshift_version(cluster_version: Item) -> str:
    """The version that runs: the newest that was completed; empty if none was."""
    history = it.sequence(cluster_version, "status", "history")
    completed = (one for one in history if it.text(one, "state") == "Completed")
    return next((it.text(one, "version") for one in completed), "")


def oadp_version(service_version: Item) -> str:
    """The version of OADP that is installed; empty for any other operator."""
    is_installed = it.text(service_version, "status", "phase") == "Succeeded"
    if is_installed and it.name(service_version).startswith(_OADP):
        return it.text(service_version, "spec", "version")
    return ""


def hyper_converged_version(hyper_converged: Item) -> str:
    """The version of OpenShift Virtualization, or of HyperConverged upstream; empty if unknown."""
    found = it.sequence(hyper_converged, "status", "versions")
    versions = (it.text(one, "version") for one in found if it.text(one, "name") == "operator")
    return next(versions, "")


def cdi_version(cdi: Item) -> str:
    """The version that runs; empty if the status does not say."""
    return it.text(cdi, "status", "observedVersion")


def faults(hyper_converged: Item) -> Iterator[tuple[str, str]]:
    """Conditions of HyperConverged that are as they should not be: type, and the reason.

    Source: docs/cluster-configuration.md and pkg/components of hyperconverged-cluster-operator;
    the types are those of openshift/custom-resource-status.
    """
    for one in it.sequence(hyper_converged, "status", "conditions"):
        wanted = _WANTED.get(it.text(one, "type"))
        if wanted and it.text(one, "status") != wanted:
            yield it.text(one, "type"), it.text(one, "message") or "no reason given"
