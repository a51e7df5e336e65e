"""When a guest is thawed ahead of Velero's post hook: see the module under test for the reasons."""

import copy
import json
import logging
from typing import Any

import pytest

from stillpoint.actions.backup.snapshots import thaw
from stillpoint.actions.backup.snapshots.disks import Freeze
from stillpoint.model.errors import Denied, Forbidden, StillpointError, Unreachable
from stillpoint.model.item import Item
from stillpoint.velero.context import BackupContext
from tests.unit.contexts import backup_context
from tests.unit.dictionary_reader import DictionaryReader, merged

PUT = "put virtualmachineinstances.subresources.kubevirt.io shop/db/unfreeze"
BACKUP: Item = {
    "kind": "Backup",
    "metadata": {
        "name": "nightly",
        "namespace": "velero",
        "uid": "b1",
        "annotations": {"stillpoint.dev/snapshotter": "all"},
    },
    "spec": {"snapshotVolumes": False},
    "status": {"phase": "InProgress"},
}


def guest(name: str, *claims: str) -> Item:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-of-{name}",
            "ownerReferences": [{"kind": "VirtualMachine", "name": name}],
        },
        "spec": {
            "volumes": [
                {"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims
            ]
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "AgentConnected", "status": "True"}],
        },
    }


def machine(name: str) -> Item:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"template": {"spec": {}}},
    }


def command(verb: str, name: str) -> str:
    return json.dumps(["/usr/bin/virt-freezer", verb, "--name", name, "--namespace", "shop"])


def launcher(name: str) -> Item:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"virt-launcher-{name}",
            "namespace": "shop",
            "labels": {"kubevirt.io": "virt-launcher"},
            "annotations": {
                "kubevirt.io/domain": name,
                "pre.hook.backup.velero.io/command": command("--freeze", name),
                "post.hook.backup.velero.io/command": command("--unfreeze", name),
            },
        },
        "status": {"phase": "Running"},
    }


def claim(name: str) -> Item:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-of-{name}"},
        "spec": {"storageClassName": "fast", "volumeName": f"pv-{name}"},
        "status": {"phase": "Bound"},
    }


def other_backup(phase: str, **spec: Any) -> Item:
    return {
        "kind": "Backup",
        "metadata": {"name": "other", "namespace": "velero", "uid": "b2"},
        "spec": spec,
        "status": {"phase": phase},
    }


WORLD: dict[str, Item] = {
    "guest": guest("db", "root", "data"),
    "machine": machine("db"),
    "launcher": launcher("db"),
    "root": claim("root"),
    "data": claim("data"),
}


class Refusing(DictionaryReader):
    """Fails the requests that begin with some words."""

    def __init__(self, objects: list[Item], words: str, failure: StillpointError) -> None:
        super().__init__(objects)
        self.words, self.error = words, failure

    def _ask(self, question: str) -> None:
        super()._ask(question)
        if question.startswith(self.words):
            raise self.error


def changed(**changes: Item) -> list[Item]:
    """The world with some objects changed by a merge patch, and others added."""
    world = copy.deepcopy(WORLD)
    for name, change in changes.items():
        world[name] = merged(world.get(name, {}), change)
    return list(world.values())


def taken(context: BackupContext, *claims: str) -> None:
    """The storage has these claims."""
    for uid in context.snapshots.begin(f"uid-of-{name}" for name in claims):
        context.snapshots.end(uid, {})


def asked(
    reader: DictionaryReader, backup: Item = BACKUP, claims: tuple[str, ...] = ("root", "data")
) -> list[str]:
    """What was asked of KubeVirt when the disks of all guests had been taken."""
    context = backup_context(backup, reader)
    taken(context, *claims)
    guests = [each for each in reader.objects if each["kind"] == "VirtualMachineInstance"]
    thaw.when_taken(Freeze(tuple(guests), ()), context)
    return [question for question in reader.questions if question.startswith("put ")]


def test_a_guest_is_thawed_when_the_storage_has_all_its_disks() -> None:
    assert asked(DictionaryReader(changed())) == [PUT]


def test_a_disk_that_could_not_be_taken_keeps_no_guest_frozen() -> None:
    reader = DictionaryReader(changed())
    context = backup_context(BACKUP, reader)
    taken(context, "root")
    for uid in context.snapshots.begin(["uid-of-data"]):
        context.snapshots.end(uid, Unreachable("data", "cannot take", "the storage is full"))
    thaw.when_taken(Freeze((WORLD["guest"],), ()), context)
    assert PUT in reader.questions
    assert context.snapshots.thawed == {"uid-of-db"}


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({"other": other_backup("Completed")}, id="a backup that is over"),
        pytest.param({"other": other_backup("Queued")}, id="one that has yet to begin"),
        pytest.param(
            {"other": other_backup("InProgress", includedNamespaces=["web"])},
            id="one of other namespaces",
        ),
        pytest.param(
            {"guest": {"status": {"changedBlockTracking": {
                "backupStatus": {"backupName": "cbt", "completed": True}}}}},
            id="KubeVirt's own backup that is over",
        ),
    ],
)  # fmt: skip
def test_what_needs_no_freeze_is_no_reason_to_wait(world: dict[str, Item]) -> None:
    assert asked(DictionaryReader(changed(**world))) == [PUT]


POLICIES = {
    "kind": "ConfigMap",
    "metadata": {"name": "policies", "namespace": "velero"},
    "data": {
        "p.yaml": """
version: v1
volumePolicies:
- conditions: {pvcLabels: {by: velero}}
  action: {type: snapshot}
- conditions: {pvcLabels: {by: copy}}
  action: {type: fs-backup}
- conditions: {pvcLabels: {by: another}}
  action: {type: custom, parameters: {datamover: kubevirt}}
- conditions: {pvcLabels: {by: nobody}}
  action: {type: skip}
- conditions: {}
  action: {type: custom, parameters: {snapshotter: stillpoint}}
"""
    },
}
BY_POLICY = merged(
    BACKUP,
    {
        "metadata": {"annotations": None},
        "spec": {
            "snapshotVolumes": None,
            "resourcePolicy": {"kind": "configmap", "name": "policies"},
        },
    },
)


def by(whom: str) -> Item:
    return {"metadata": {"labels": {"by": whom}}}


def test_a_disk_that_nobody_takes_is_no_reason_to_wait() -> None:
    world = changed(policies=POLICIES, data=by("nobody"))
    assert asked(DictionaryReader(world), BY_POLICY, ("root",)) == [PUT]


@pytest.mark.parametrize("whom", ["velero", "copy", "another"])
def test_never_while_a_disk_that_somebody_else_takes_may_have_to_come(whom: str) -> None:
    world = changed(policies=POLICIES, data=by(whom))
    assert asked(DictionaryReader(world), BY_POLICY, ("root",)) == []


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param({"data": {"metadata": {"uid": "another"}}}, id="another disk of its own"),
        pytest.param(
            {"plugged": claim("plugged"),
             "guest": guest("db", "root", "data", "plugged")},
            id="a hot-plugged disk",
        ),
        pytest.param(
            {"state": merged(claim("state"), {
                "metadata": {"labels": {"persistent-state-for": "db"}}})},
            id="its vTPM and EFI state",
        ),
        pytest.param(
            {"beside": guest("beside", "data", "more"), "more": claim("more"),
             "launcher of beside": launcher("beside")},
            id="a disk of a guest that shares one",
        ),
    ],
)  # fmt: skip
def test_never_while_another_disk_is_still_to_be_taken(objects: dict[str, Item]) -> None:
    assert asked(DictionaryReader(changed(**objects))) == []


def annotated(**annotations: str | None) -> Item:
    whole = {f"{key}.hook.backup.velero.io/command": each for key, each in annotations.items()}
    return {"launcher": {"metadata": {"annotations": whole}}}


def status(**fields: Any) -> Item:
    return {"guest": {"status": fields}}


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(annotated(pre=None, post=None), id="hooks are switched off"),
        pytest.param(annotated(pre='["/bin/sync"]'), id="another pre hook"),
        pytest.param(
            annotated(pre='["/bin/sh", "-c", "/usr/bin/virt-freezer --freeze || true"]'),
            id="a shell around the freeze, which may hide that it failed",
        ),
        pytest.param(annotated(pre='["/usr/bin/virt-freezer", "--freeze"'), id="no JSON"),
        pytest.param(annotated(post=None), id="no post hook"),
        pytest.param(
            {"launcher": {"metadata": {"labels": {"velero.io/exclude-from-backup": "true"}}}},
            id="its pod is not in the backup",
        ),
        pytest.param({"launcher": {"status": {"phase": "Succeeded"}}}, id="its pod has ended"),
        pytest.param({"other": other_backup("InProgress")}, id="another backup of everything"),
        pytest.param(
            {"other": other_backup("InProgress", includedNamespaces=["sh*"])},
            id="another backup of its namespace",
        ),
        pytest.param(
            {"machine": {"status": {"snapshotInProgress": "before-upgrade"}}},
            id="a VirtualMachineSnapshot",
        ),
        pytest.param(
            status(changedBlockTracking={"backupStatus": {"backupName": "cbt"}}),
            id="a VirtualMachineBackup",
        ),
        pytest.param(status(phase="Failed"), id="it has failed"),
        pytest.param(status(conditions=[{"type": "Paused", "status": "True"}]), id="it is paused"),
        pytest.param(status(migrationState={"targetNode": "b"}), id="it is being migrated"),
    ],
)
def test_never_where_the_freeze_is_not_only_this_backup_s(world: dict[str, Item]) -> None:
    assert asked(DictionaryReader(changed(**world))) == []


def test_never_where_a_disk_was_plugged_in_while_the_others_were_taken() -> None:
    reader = DictionaryReader(changed(guest=guest("db", "root", "data", "new"), new=claim("new")))
    context = backup_context(BACKUP, reader)
    taken(context, "root", "data")
    thaw.when_taken(Freeze((WORLD["guest"],), ()), context)
    assert PUT not in reader.questions


def test_never_another_run_of_the_guest() -> None:
    reader = DictionaryReader(changed(guest={"metadata": {"uid": "later"}}))
    context = backup_context(BACKUP, reader)
    taken(context, "root", "data")
    thaw.when_taken(Freeze((WORLD["guest"],), ()), context)
    assert PUT not in reader.questions


@pytest.mark.parametrize(
    "words",
    ["list backups", "get virtualmachineinstances", "get virtualmachines.", "list pods"],
)
def test_in_doubt_the_post_hook_thaws_and_the_claim_is_stored(words: str) -> None:
    failure = Unreachable("something", "cannot read", "HTTP 500")
    assert asked(Refusing(changed(), words, failure)) == []


def test_a_thaw_that_fails_is_told_and_fails_no_claim(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    failure = Unreachable("instance shop/db", "cannot update", "HTTP 500: the agent is away")
    assert asked(Refusing(changed(), "put", failure)) == [PUT]
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage() == (
        "guest db is left to the post hook: "
        "instance shop/db: cannot update: HTTP 500: the agent is away"
    )


def test_without_the_right_nothing_more_is_asked_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reader = Refusing(changed(), "put", Forbidden("db", "cannot update", "HTTP 403"))
    context = backup_context(BACKUP, reader)
    taken(context, "root", "data")
    for _ in range(2):
        thaw.when_taken(Freeze((WORLD["guest"],), ()), context)
    assert reader.questions.count(PUT) == 1
    assert reader.questions[-1] == PUT
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_right_that_is_missing_in_one_namespace_is_asked_for_in_the_next() -> None:
    objects = changed()
    for one in changed():
        one["metadata"]["namespace"] = "web"
        one["metadata"]["uid"] = f"web-{one['metadata'].get('uid')}"
        objects.append(one)
    forbidden = Forbidden("db", "cannot update", "HTTP 403")
    reader = Refusing(objects, PUT, forbidden)
    context = backup_context(BACKUP, reader)
    guests = [one for one in objects if one["kind"] == "VirtualMachineInstance"]
    taken(context, "root", "data")
    for uid in context.snapshots.begin(["web-uid-of-root", "web-uid-of-data"]):
        context.snapshots.end(uid, {})
    for one in (*guests, *guests):
        thaw.when_taken(Freeze((one,), ()), context)
    assert reader.questions.count(PUT) == 1
    assert context.snapshots.thawed == {"web-uid-of-db"}


def test_a_refusal_that_is_no_missing_right_is_of_that_guest_alone() -> None:
    denied = Denied("db", "cannot update", "HTTP 403: admission webhook ...")
    reader = Refusing(changed(), "put", denied)
    context = backup_context(BACKUP, reader)
    taken(context, "root", "data")
    for _ in range(2):
        thaw.when_taken(Freeze((WORLD["guest"],), ()), context)
    assert reader.questions.count(PUT) == 2


def test_it_costs_three_requests_per_guest_and_a_list_of_backups() -> None:
    reader = DictionaryReader(
        changed(
            guest2=guest("web", "web"), machine2=machine("web"), launcher2=launcher("web"),
            claim2=claim("web"),
        )
    )  # fmt: skip
    context = backup_context(BACKUP, reader)
    taken(context, "root", "data", "web")
    for one in (WORLD["guest"], guest("web", "web")):
        before = len(reader.questions)
        thaw.when_taken(Freeze((one,), ()), context)
    assert reader.questions[before:] == [
        "get virtualmachineinstances.kubevirt.io shop/web",
        "get virtualmachines.kubevirt.io shop/web",
        PUT.replace("db", "web"),
    ]
    backups = [one for one in reader.questions if one.startswith("list backups")]
    assert backups == ["list backups.velero.io "]


def of_another_velero(phase: str, **spec: Any) -> Item:
    backup = other_backup(phase, **spec)
    return {**backup, "metadata": {**backup["metadata"], "namespace": "team-velero"}}


@pytest.mark.parametrize(
    "backup",
    [
        of_another_velero("InProgress"),
        merged(of_another_velero("InProgress"), {"metadata": {"name": "nightly"}}),
    ],
)
def test_never_while_a_backup_of_another_velero_may_need_the_freeze(backup: Item) -> None:
    """The two wait for nobody: it may have the same name, too."""
    assert asked(DictionaryReader(changed(other=backup))) == []


def test_a_backup_of_another_velero_that_began_since_the_list_is_seen() -> None:
    reader = DictionaryReader(changed(other=of_another_velero("Completed")))
    context = backup_context(BACKUP, reader)
    taken(context, "root", "data")
    thaw.when_taken(Freeze((WORLD["guest"],), ()), context)
    reader.objects.append(of_another_velero("InProgress"))
    thaw.when_taken(Freeze((WORLD["guest"],), ()), context)
    assert reader.questions.count(PUT) == 1
    assert reader.questions.count("list backups.velero.io ") == 1


def test_backups_in_many_namespaces_cost_one_list_while_the_guest_stands_still() -> None:
    """With OADP each tenant may have Backups in namespaces of its own, which nobody takes."""
    ended = of_another_velero("Completed")
    many = {
        f"other{number}": merged(ended, {"metadata": {"namespace": f"tenant-{number}"}})
        for number in range(50)
    }
    reader = DictionaryReader(changed(**many))
    assert asked(reader) == [PUT]
    assert [one for one in reader.questions if one.startswith("list backups")] == [
        "list backups.velero.io ",
        "list backups.velero.io ",
    ]
    one = merged(ended, {"metadata": {"namespace": "tenant-7"}, "status": {"phase": "InProgress"}})
    assert asked(DictionaryReader(changed(**many, seventh=one))) == []


def test_who_may_list_no_backups_of_other_namespaces_knows_of_its_own() -> None:
    words, forbidden = "list backups.velero.io ", Forbidden("backups", "cannot list", "HTTP 403")

    class OfOwn(Refusing):
        def _ask(self, question: str) -> None:
            DictionaryReader._ask(self, question)
            if question == self.words:
                raise self.error

    assert asked(OfOwn(changed(), words, forbidden)) == [PUT]
    busy = OfOwn(changed(other=other_backup("InProgress")), words, forbidden)
    assert asked(busy) == []
    assert busy.questions.count(words) == 1
