"""A Backup's policies, from its own ConfigMap and from the one for all backups."""

from stillpoint.model.item import Item
from stillpoint.velero.request import POLICIES_OF_ALL, Backup
from stillpoint.velero.volumes.policy import Fate

VOLUMES = "version: v1\nvolumePolicies: [{conditions: {}, action: {type: %s}}]\n"
LISTS = "includeExcludePolicy: {excludedNamespaceScopedResources: [%s]}\n"
BACKUP = Backup.parse(
    {
        "metadata": {"namespace": "velero", "annotations": {POLICIES_OF_ALL: "of-all"}},
        "spec": {"resourcePolicy": {"kind": "configmap", "name": "own"}},
    }
)
OWN = {"data": {"p": VOLUMES % "skip" + LISTS % "secrets"}}
OF_ALL = {"data": {"p": VOLUMES % "snapshot" + LISTS % "pods"}}


def of(**config_maps: Item) -> tuple[Fate | None, list[str], bool]:
    policy = BACKUP.policy(lambda name: config_maps.get(name.replace("-", "_")))
    lists = [name for names in policy.lists.values() for name in names]
    decides = policy.matching({}, {})
    return decides.fate if decides else None, lists, policy.has_other_filters


def test_the_own_policies_come_first_and_alone_choose_resources() -> None:
    assert of(own=OWN, of_all=OF_ALL) == (Fate.SKIP, ["secrets"], False)
    assert of(own=OWN) == (Fate.SKIP, ["secrets"], False)


def test_own_policies_that_are_gone_may_have_chosen_anything() -> None:
    assert of(of_all=OF_ALL) == (Fate.SNAPSHOT, [], True)
    assert of() == (None, [], True)


def test_a_backup_without_policies_has_empty_ones() -> None:
    policy = Backup.parse({}).policy(lambda _name: None)
    assert (policy.volumes, policy.lists, policy.has_other_filters) == ((), {}, False)
