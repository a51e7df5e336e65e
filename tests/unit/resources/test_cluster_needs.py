"""The note of needs says the same to whoever reads it as to whoever wrote it."""

from stillpoint.model.kinds import NETWORK_ATTACHMENT
from stillpoint.resources import cluster_needs
from stillpoint.resources.disks import storage_class

MACHINE = {"kind": "VirtualMachine", "metadata": {"name": "db", "namespace": "shop"}}


def test_what_was_noted_is_read() -> None:
    needs = (storage_class.RESOURCE.named("", "fast.v2"), NETWORK_ATTACHMENT.named("lan", "blue"))
    assert tuple(cluster_needs.read(cluster_needs.with_mark(MACHINE, needs))) == needs


def test_without_a_note_nothing_is_read() -> None:
    assert list(cluster_needs.read(MACHINE)) == []
