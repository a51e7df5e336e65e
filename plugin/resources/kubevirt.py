"""KubeVirt (kubevirt.io/v1): the installation itself and its settings."""

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.reference import Resource
from plugin.resources import virtual_machine_instance

RESOURCE = Resource("kubevirt.io", "v1", "kubevirts", "KubeVirt")

_DEVELOPER = ("spec", "configuration", "developerConfiguration")


def has_feature_gate(installation: Item, gate: str) -> bool:
    """Whether a feature gate is on."""
    is_off = gate in it.texts(installation, *_DEVELOPER, "disabledFeatureGates")
    return gate in it.texts(installation, *_DEVELOPER, "featureGates") and not is_off


def are_hooks_skipped(installation: Item) -> bool:
    """Whether launcher pods get no freeze hooks, unless their instance says otherwise."""
    return virtual_machine_instance.skips_hooks(installation) is True


def version(installation: Item) -> str:
    """Version that runs; empty where the status does not say."""
    return it.text(installation, "status", "observedKubeVirtVersion")
