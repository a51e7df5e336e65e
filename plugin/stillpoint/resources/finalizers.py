"""Finalizers whose remover does not come back with their object.

A finalizer is a program's promise about an object. Velero keeps them all, and a finalizer whose
reason has stayed behind, a clone that is not replayed for instance, keeps its object from ever
going away. Finalizers of programs that look after restored objects, known or not, stay.
"""

from stillpoint.model import item as it
from stillpoint.model.item import Item

ORPHANED = frozenset(
    (
        # KubeVirt v1.9, pkg/storage/snapshot/source.go: goes with the snapshot that locked the
        # machine; a snapshot that is replayed locks it again.
        "snapshot.kubevirt.io/snapshot-source-protection",
        # external-snapshotter v8, pkg/common-controller: goes when a snapshot of the claim is
        # through; nobody looks at a claim without one.
        "snapshot.storage.kubernetes.io/pvc-as-source-protection",
        # CDI v1.66, pkg/controller/populators/clone-populator.go and clone-controller.go: go with
        # the clone's source, which a restored claim does not have.
        "cdi.kubevirt.io/clonePopulator",
        "cdi.kubevirt.io/cloneSource",
    )
)


def without_orphaned(item: Item) -> Item:
    """A machine, instance, DataVolume or claim without finalizers that nobody would take off."""
    return it.without_finalizers(item, ORPHANED)
