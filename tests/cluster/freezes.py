"""Whether disks were cut while their guest was frozen."""

from tests.cluster.cluster import Cluster
from tests.cluster.manifests import Machine


def assert_cut_inside_one_freeze(cluster: Cluster, machine: Machine) -> None:
    """One freeze and one thaw, both good, and every disk of the machine cut once between them.

    A thaw of the thawed guest, which the post hook is after a thaw by the plugin, does not count.
    """
    calls = [
        call
        for call in cluster.freezes()
        if (call.namespace, call.name) == (machine.namespace, machine.name)
        if call.has_changed or call.exit_code
    ]
    assert [(call.verb, call.exit_code) for call in calls] == [("freeze", 0), ("unfreeze", 0)]
    frozen, thawed = calls
    cuts = cluster.snapshots_cut()
    for disk in (*machine.disks, *machine.hotplugged):
        [cut] = cuts[f"{machine.namespace}/{machine.claim(disk)}"]
        is_inside = frozen.time < cut.started < cut.finished < thawed.time
        assert is_inside, f"{disk.name} cut outside the freeze"
