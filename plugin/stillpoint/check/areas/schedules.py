"""Schedules and backups: what is taken, of which machines, and what became of it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillpoint.check.case import Case, Installation
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.model import duration, kinds
from stillpoint.model import item as it
from stillpoint.model.errors import MalformedItem, Refusal
from stillpoint.model.item import Item
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import schedule
from stillpoint.resources.machines import kubevirt, virtual_machine
from stillpoint.velero import marks, own_objects, preparation
from stillpoint.velero.request import Backup
from stillpoint.velero.selection.filters import Filters
from stillpoint.velero.volumes import policy as volume_policy
from stillpoint.velero.volumes import volume_group_snapshot_class, volume_snapshot_class
from stillpoint.velero.volumes.policy import Policy

Facts = Iterator[Found | NotKnown]

_SHORT_TTL = timedelta(hours=24)
_LONGEST_BACKUP = timedelta(hours=24)
_BAD = ("Failed", "PartiallyFailed", "FailedValidation")
_UNDER_WAY = (
    "", "New", "Queued", "ReadyToStart", "InProgress", "WaitingForPluginOperations",
    "WaitingForPluginOperationsPartiallyFailed", "Finalizing", "FinalizingPartiallyFailed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Planned:
    """A Schedule and the Backup that it would make."""

    installation: Installation
    item: Item
    backup: Backup

    @property
    def title(self) -> str:
        return f"schedule {self.installation.namespace}/{it.name(self.item)}"

    def about(self, text: str = "", **more: str) -> Found:
        names = {"namespace": self.installation.namespace, "name": it.name(self.item), **more}
        return Found.of(f"{self.title}{text and ': '}{text}", **names)


def _each(case: Case) -> Iterator[_Planned]:
    for one in case.installations:
        for item in case.in_namespace(one.namespace, own_objects.SCHEDULE):
            asked = preparation.of_schedule(item)
            servers = [one.server] if one.server else []
            backup = Backup.parse(preparation.under_server(asked, servers))
            yield _Planned(one, item, backup)
    if case.installations:
        case.all(own_objects.SCHEDULE)


def _none(case: Case) -> Facts:
    for one in case.installations:
        case.all(own_objects.SCHEDULE)
        if not case.in_namespace(one.namespace, own_objects.SCHEDULE):
            yield Found.of(f"namespace {one.namespace}", namespace=one.namespace)


def _paused(case: Case) -> Facts:
    for one in _each(case):
        if schedule.is_paused(one.item):
            yield one.about()


def _invalid(case: Case) -> Facts:
    for one in _each(case):
        if faults := [*schedule.faults(one.item), *preparation.faults(one.backup.asked)]:
            yield one.about("; ".join(faults))


def _no_location(case: Case) -> Facts:
    for one in _each(case):
        named = schedule.location(one.item)
        there = [location.names["name"] for location in one.installation.locations]
        if named and named not in there:
            yield one.about(f"location {named}")


def _files(case: Case) -> Facts:
    for one in _each(case):
        if schedule.copies_files(one.item):
            yield one.about()


def _ttl(case: Case) -> Facts:
    for one in _each(case):
        span = duration.parse(text) if (text := schedule.ttl(one.item)) else None
        if span and span < _SHORT_TTL:
            yield one.about(f"ttl {text}")


def _beyond_thaw(case: Case) -> Facts:
    for one in _each(case):
        span = one.backup.snapshot_timeout
        if span.total_seconds() > kubevirt.SAFETY_THAW_S:
            yield one.about(f"csiSnapshotTimeout {span.total_seconds():g} s")


def _policy_missing(case: Case) -> Facts:
    for one in _each(case):
        for name in one.backup.policies:
            if _config_map(case, one, name) is None:
                yield one.about(f"ConfigMap {name}", name=name)


def _config_map(case: Case, one: _Planned, name: str) -> Item | None:
    case.all(kinds.CONFIG_MAP)
    found = case.in_namespace(one.installation.namespace, kinds.CONFIG_MAP)
    return next((item for item in found if it.name(item) == name), None)


def _policy_invalid(case: Case) -> Facts:
    for one in _each(case):
        try:
            _policy(case, one).check()
        except Refusal as error:
            yield one.about(f"{error.subject}: {error.cause}")


def _policy(case: Case, one: _Planned) -> Policy:
    return one.backup.policy(lambda name: _config_map(case, one, name))


def _no_group_class(case: Case) -> Facts:
    for one in _each(case):
        for driver in sorted(_grouped(case, one)):
            classes = case.all(volume_group_snapshot_class.RESOURCES[0])
            if driver not in [each for of in classes for each in volume_snapshot_class.drivers(of)]:
                yield one.about(f"driver {driver}", driver=driver)


def _grouped(case: Case, one: _Planned) -> set[str]:
    """The drivers of machines' disks of which the policies of a schedule want group snapshots."""
    with suppress(Refusal):  # a finding of its own
        policy = _policy(case, one)
        if not policy.asks_for_groups:
            return set()
        of = {each.driver: {"spec": {"csi": {"driver": each.driver}}} for each in case.disks}
        found = {driver: policy.matching({}, of[driver]) for driver in of if driver}
        return {driver for driver, by in found.items() if by and by.is_grouped}
    return set()


def _drivers(case: Case, one: _Planned) -> Sequence[str]:
    """Drivers that the policies of a schedule name; none where they are invalid or missing."""
    maps = (_config_map(case, one, name) for name in one.backup.policies)
    try:
        return [driver for found in maps if found for driver in volume_policy.drivers(found)]
    except (ValueError, MalformedItem):  # a finding of its own
        return ()


def _driver_pattern(case: Case) -> Facts:
    for one in _each(case):
        for driver in _drivers(case, one):
            if _is_pattern(driver):
                yield one.about(f"csi.driver {driver}")


def _is_pattern(driver: str) -> bool:
    return bool(set(driver) & set("*?["))


def _driver_missed(case: Case) -> Facts:
    for one in _each(case):
        named = _drivers(case, one)
        if not all(named) or not named or any(map(_is_pattern, named)):
            continue
        used = {disk.driver for disk in case.disks if disk.driver}
        for driver in sorted(used - set(named)):
            yield one.about(f"driver {driver} is in use")


def _uncovered(case: Case) -> Facts:
    active = [one for one in _each(case) if schedule.is_active(one.item)]
    if not active:
        return
    hidden = {it.name(one) for one in case.all(kinds.NAMESPACE) if marks.is_excluded(one)}
    filters = [_filters(case, one) for one in active]
    for machine in case.all(virtual_machine.RESOURCE):
        namespace = it.namespace(machine)
        if marks.is_excluded(machine) or namespace in hidden:
            continue
        by = [one for one in filters if one.selects(virtual_machine.RESOURCE, machine)]
        title = f"machine {namespace}/{it.name(machine)}"
        if not by:
            yield Found.of(title, namespace=namespace, name=it.name(machine))
        elif all(one.has_policy for one in by):
            yield NotKnown(f"{title}: filters by name or label in resource policies")


def _filters(case: Case, one: _Planned) -> Filters:
    """The filters, together with those of policies that can be read."""
    filters = Filters.parse(one.backup.asked, case.known.discovery)
    is_missing = any(_config_map(case, one, name) is None for name in one.backup.policies)
    with suppress(Refusal):  # a finding of its own, as one that is missing
        return filters.under(Policy() if is_missing else _policy(case, one))
    return filters.under(Policy())


def _last_bad(case: Case) -> Facts:
    for one in _each(case):
        backups = case.in_namespace(one.installation.namespace, own_objects.BACKUP)
        own = [item for item in backups if schedule.of_backup(item) == it.name(one.item)]
        ended = [item for item in own if own_objects.phase(item) not in _UNDER_WAY]
        newest = max(ended, key=_started, default=None)
        if newest and own_objects.phase(newest) in _BAD:
            text = f"backup {it.name(newest)} {own_objects.phase(newest)}"
            if reason := own_objects.failure(newest):
                text += f": {reason}"
            yield one.about(text, name=it.name(newest))
    if case.installations:
        case.all(own_objects.BACKUP)


def _started(backup: Item) -> tuple[float, str]:
    started = it.time(backup, "status", "startTimestamp") or it.creation_time(backup)
    return (started.timestamp() if started else 0.0), it.name(backup)


def _stuck(case: Case) -> Facts:
    for one in case.installations:
        for backup in case.in_namespace(one.namespace, own_objects.BACKUP):
            if own_objects.phase(backup) in _UNDER_WAY:
                yield from _if_long(case.now, backup)
    if case.installations:
        case.all(own_objects.BACKUP)


def _if_long(now: datetime | None, backup: Item) -> Facts:
    title = f"backup {it.namespace(backup)}/{it.name(backup)}"
    began = _started(backup)[0]
    if now is None or not began:
        yield NotKnown(f"{title}: for how long it has been under way")
    elif timedelta(seconds=now.timestamp() - began) > _LONGEST_BACKUP:
        hours = round((now.timestamp() - began) / 3600)
        text = f"{title}: {own_objects.phase(backup) or 'not begun'} for {hours} hours"
        yield Found.of(text, namespace=it.namespace(backup), name=it.name(backup))


# fmt: off
AREA = Area("schedules", "Schedules and backups", (
    Row("no-schedule", Weight.NOTE,
        "there is no Schedule",
        cause="backups are taken when somebody asks for one, and not else",
        by_hand="kubectl get schedules.velero.io -n NAMESPACE",
        remedy="velero schedule create -n {namespace} nightly --schedule='0 1 * * *' "
               "--include-namespaces NAMESPACES", fact=_none),
    Row("schedule-paused", Weight.DEGRADES,
        "a Schedule is paused",
        cause="it takes no backups",
        by_hand="kubectl get schedules.velero.io -n NAMESPACE",
        remedy="velero schedule unpause -n {namespace} {name}", fact=_paused),
    Row("schedule-invalid", Weight.BLOCKS,
        "Velero refuses a Schedule, or each Backup of it",
        cause="it takes no backups",
        by_hand="kubectl get schedules.velero.io -n NAMESPACE NAME -o jsonpath='{.status}'",
        remedy="kubectl edit schedules.velero.io -n {namespace} {name}", fact=_invalid),
    Row("schedule-without-location", Weight.BLOCKS,
        "a Schedule names a location that does not exist",
        cause="each Backup of it fails",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE",
        remedy="kubectl edit schedules.velero.io -n {namespace} {name}; correct "
               "spec.template.storageLocation", fact=_no_location),
    Row("schedule-copies-files", Weight.BLOCKS,
        "a Schedule copies files of volumes (defaultVolumesToFsBackup)",
        cause="a file copy of a running machine's disk is no copy of one moment, and no pod that a "
              "restore brings back would take it",
        by_hand="kubectl get schedules.velero.io -n NAMESPACE NAME -o yaml",
        remedy="kubectl patch schedules.velero.io -n {namespace} {name} --type=merge "
               "-p='{{\"spec\":{{\"template\":{{\"defaultVolumesToFsBackup\":false}}}}}}'",
        fact=_files),
    Row("schedule-expires-early", Weight.NOTE,
        "backups of a Schedule expire within a day",
        cause="one day after a fault nobody has noticed there is none from before it",
        by_hand="kubectl get schedules.velero.io -n NAMESPACE NAME "
                "-o jsonpath='{.spec.template.ttl}'",
        remedy="kubectl patch schedules.velero.io -n {namespace} {name} --type=merge "
               "-p='{{\"spec\":{{\"template\":{{\"ttl\":\"720h\"}}}}}}'", fact=_ttl),
    Row("snapshot-wait-beyond-thaw", Weight.NOTE,
        "Velero waits longer for a snapshot than a guest stays frozen",
        cause="KubeVirt thaws a guest by itself after 300 s; a snapshot that is taken later is in "
              "no frozen window, and Velero does not see that (its default is 600 s)",
        by_hand="kubectl get schedules.velero.io -n NAMESPACE NAME "
                "-o jsonpath='{.spec.template.csiSnapshotTimeout}'",
        remedy="kubectl patch schedules.velero.io -n {namespace} {name} --type=merge "
               "-p='{{\"spec\":{{\"template\":{{\"csiSnapshotTimeout\":\"5m\"}}}}}}'",
        fact=_beyond_thaw),
    Row("schedule-policy-missing", Weight.BLOCKS,
        "a Schedule names resource policies that do not exist",
        cause="each Backup of it fails",
        by_hand="kubectl get configmap -n NAMESPACE",
        remedy="kubectl create configmap -n {namespace} {name} --from-file=policies.yaml",
        fact=_policy_missing),
    Row("schedule-policy-invalid", Weight.BLOCKS,
        "resource policies of a Schedule are invalid",
        cause="Velero, or the plugin, refuses each Backup of it",
        by_hand="kubectl get configmap -n NAMESPACE NAME -o yaml",
        remedy="kubectl get schedules.velero.io -n {namespace} {name} "
               "-o jsonpath='{{.spec.template.resourcePolicy.name}}'; correct that ConfigMap",
        fact=_policy_invalid),
    Row("policy-driver-pattern", Weight.BLOCKS,
        "a policy names drivers by a pattern",
        cause="Velero compares names of drivers letter by letter: the policy matches no disk",
        by_hand="kubectl get configmap -n NAMESPACE NAME -o yaml",
        remedy="name each driver in a policy of its own: kubectl get csidrivers",
        fact=_driver_pattern),
    Row("policy-misses-driver", Weight.DEGRADES,
        "policies name drivers, and machines have disks of another one",
        cause="for its disks the policies that name a driver do not count",
        by_hand="kubectl get pv -o custom-columns=NAME:.metadata.name,DRIVER:.spec.csi.driver",
        remedy="add a policy for that driver to the ConfigMap of {name}", fact=_driver_missed),
    Row("no-group-snapshot-class", Weight.DEGRADES,
        "a policy wants group snapshots, and a driver of disks has no class for groups",
        cause="its disks are taken side by side, each as of a moment of its own",
        by_hand="kubectl get volumegroupsnapshotclass",
        remedy="create a VolumeGroupSnapshotClass with driver: {driver}, or take group: true off "
               "the policies of {name}", fact=_no_group_class),
    Row("machine-without-schedule", Weight.DEGRADES,
        "machines that no Schedule takes",
        cause="there is no backup of them but by hand",
        by_hand="kubectl get schedules.velero.io -A -o yaml",
        remedy="add namespace {namespace}, or a label of the machine, to a Schedule",
        fact=_uncovered),
    Row("last-backup-failed", Weight.DEGRADES,
        "the newest backup of a Schedule failed, wholly or in part",
        cause="something in it is missing or is not as it should be",
        by_hand="kubectl get backups.velero.io -n NAMESPACE",
        remedy="velero backup describe -n {namespace} {name} --details; "
               "velero backup logs -n {namespace} {name}", fact=_last_bad),
    Row("backup-stuck", Weight.DEGRADES,
        "a backup has been under way for more than a day",
        cause="others may wait behind it, and a guest may be held by it",
        by_hand="kubectl get backups.velero.io -n NAMESPACE",
        remedy="velero backup describe -n {namespace} {name} --details; "
               "kubectl logs -n {namespace} deployment/velero", fact=_stuck),
))
# fmt: on
