"""One machine: restored, made to reach nothing, started, looked at, and cleared away."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stillpoint.model import item as it
from stillpoint.model import kinds
from stillpoint.model.clock import Clock
from stillpoint.model.errors import ReadFailed, StillpointError
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.writer import Cluster
from stillpoint.report.model import Machine
from stillpoint.resources.disks import volume
from stillpoint.resources.machines import (
    guest,
    seclusion,
    virtual_machine,
    virtual_machine_instance,
)
from stillpoint.velero import marks, own_objects
from stillpoint.verification import data_downloads, restoring, securing, verdict
from stillpoint.verification import scratch as scratches
from stillpoint.verification.arrival import Arrival
from stillpoint.verification.clearing import Clearing
from stillpoint.verification.ending import Ended, Interrupted, Lost
from stillpoint.verification.interruption import Interruption
from stillpoint.verification.look import Look, Seen
from stillpoint.verification.model import CLEAR, Observed, Step
from stillpoint.verification.restoring import Results
from stillpoint.verification.scratch import Purpose, Scratch
from stillpoint.verification.waiting import TimedOut, Waiting

_QUOTA_S = 60.0
_OF_CLUSTER = (
    "exceeded quota",
    "failed quota",
    "unknown for quota",
    "Unschedulable",
    data_downloads.TO_COME,
)
"""Words of reasons that say nothing of a backup."""

_FOR_CLEARING = timedelta(minutes=30)
"""After the time of a machine: then a scratch namespace is there because its run was killed."""

Say = Callable[[str], None]
"""Takes what is being done."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings that the machines of a run have in common.

    Attributes:
        run: id of the run.
        velero: namespace of the backup.
        backup: its name.
        keeps_pod_network: whether guests get an interface in the network of pods.
        timeout_s: for each machine, from its restore to the end of the look at it.
        originals: places of the volumes that the backup was taken of.
        results: the errors of a Restore.
        moves_data: whether a data mover has stored the bytes of the backup.
        labels: of the namespace of that name, as it is now; empty if there is none.
    """

    cluster: Cluster
    clock: Clock
    interruption: Interruption
    run: str
    velero: str
    backup: str
    keeps_pod_network: bool
    timeout_s: float
    originals: Collection[str]
    results: Results
    moves_data: bool
    labels: Callable[[str], Item]


class Attempt:
    """The attempt to bring one machine back.

    Attributes:
        scratch: the namespace that it makes.

    Args:
        stored: the machine in the backup.
        say: takes each step as it begins.
        vacated: called as soon as the machine takes no room any more, see `Clearing`.
    """

    def __init__(
        self,
        setting: Setting,
        machine: Machine,
        stored: Item,
        say: Say,
        vacated: Callable[[], None] = lambda: None,
    ) -> None:
        self._setting = setting
        self._cluster = setting.cluster
        self._machine = machine
        self._stored = stored
        self._say = say
        self._vacated = vacated
        self.scratch = Scratch.new(setting.run, setting.velero)
        deadline = setting.clock.now() + timedelta(seconds=setting.timeout_s)
        self._waiting = Waiting(setting.cluster, setting.clock, setting.interruption, deadline)
        self._namespace: Item | None = None
        self._restore: Item | None = None
        self._arrival: Arrival | None = None
        self._is_started = False
        self._restored_machine: Item | None = None
        self._steps: list[Step] = []
        self._notes: list[str] = []
        self._has_disks = False
        self._seen = Seen()

    def observe(self) -> Observed:
        """Does all of it, and clears whatever happens; names a fault of the command, too."""
        failure, is_tried = "", True
        left: Sequence[str] = ()
        try:
            self._go()
        except Ended as end:
            failure, is_tried = self._reason(end)
        except StillpointError as error:
            failure, is_tried = str(error), False
        except Exception as error:  # noqa: BLE001 - what is left is named all the same
            what = f"a fault of the command: {type(error).__name__}: {error}"
            failure, is_tried = what, False
        finally:
            left = self._clear()
        return replace(self._observed(), failure=failure, is_tried=is_tried, left=tuple(left))

    def _observed(self) -> Observed:
        return Observed(
            steps=tuple(self._steps),
            has_disks=self._has_disks,
            is_running=self._seen.is_running,
            has_agent="agent" in self._seen.when,
            console=self._seen.console,
            lines=tuple(self._seen.lines),
            notes=tuple(self._notes),
        )

    def _go(self) -> None:
        setting, scratch = self._setting, self.scratch
        keeps = setting.keeps_pod_network
        with self._step("restore"):
            namespace = self._create_namespace()
            identity = self._machine.namespace, self._machine.name
            wanted = restoring.restore(scratch, setting.backup, identity, setting.timeout_s)
            self._cluster.create(own_objects.RESTORE, wanted)
            self._restore = restoring.wait(self._waiting, scratch)
        with self._step("disks"):
            machine = self._restored_machine = self._restored()
            names = self._claims(machine)
            arrival = Arrival(self._waiting, scratch, setting.originals, namespace, names)
            self._arrival = arrival
            arrival.require_new()
            self._has_disks = arrival.are_bound
        self._notes += (f"an error of its Restore: {one}" for one in self._errors())
        self._say("start")
        began = setting.clock.now()
        secured = securing.secure(self._cluster, scratch, machine, keeps_pod_network=keeps)
        setting.interruption.check()
        securing.start(self._cluster, scratch, secured, keeps_pod_network=keeps)
        self._is_started = True
        self._look(arrival, machine, began)

    def _create_namespace(self) -> Item:
        setting, machine = self._setting, self._machine
        setting.interruption.check()
        purpose = Purpose(
            machine.title,
            f"{setting.velero}/{setting.backup}",
            timedelta(seconds=setting.timeout_s) + _FOR_CLEARING,
            setting.labels(machine.namespace),
        )
        namespace = scratches.create(self._cluster, self.scratch, purpose)
        self._namespace = namespace
        quota = scratches.QUOTA, self.scratch.name, scratches.OBJECT
        try:
            self._waiting.until(_QUOTA_S).awaited(quota, scratches.is_effective)
        except TimedOut as error:
            why = "the quota of its namespace had no effect in time: nothing was restored"
            raise Ended(why, is_tried=False) from error
        return namespace

    def _restored(self) -> Item:
        """The machine, with nothing beside it that could run."""
        machines = self._cluster.list(virtual_machine.RESOURCE, self.scratch.name)
        others = [it.name(one) for one in machines if it.name(one) != self._machine.name]
        if others:
            why = f"more than the machine came back: {listing(others)}"
            hint = "is stillpoint's plugin in that Velero?"
            raise Ended(f"{why}; HINT: {hint}", is_tried=False)
        if not machines:
            raise Ended("the Restore has brought no machine")
        [machine] = machines
        if not marks.is_of_restore(machine, self.scratch.name):
            raise Ended("somebody else created a machine of that name there", is_tried=False)
        uuid = guest.firmware_uuid(virtual_machine.template(machine))
        if uuid and uuid == guest.firmware_uuid(virtual_machine.template(self._stored)):
            self._notes.append(f"it kept its firmware UUID {uuid}, as a vTPM needs it")
        return machine

    def _claims(self, machine: Item) -> Sequence[str]:
        """Names of the claims without which the guest would lack a disk, or get an empty one."""
        named = (
            *map(volume.needed_claim, virtual_machine.volumes(machine)),
            *virtual_machine.data_volume_templates(machine),
            *(one.name for one in virtual_machine.state_claims(self._stored)),
        )
        return list(dict.fromkeys(filter(None, named)))

    def _look(self, arrival: Arrival, machine: Item, began: datetime) -> None:
        keeps = self._setting.keeps_pod_network
        instance = self.scratch.name, self._machine.name
        look = Look(self._waiting, instance, keeps_pod_network=keeps)
        self._seen = look.seen
        to_come = () if self._has_disks else arrival.to_come

        def is_complete(seen: Seen) -> bool:
            if seen.is_running and seen.came == len(to_come) and not self._has_disks:
                arrival.require_bound()
                self._has_disks = True
            return verdict.is_complete(self._machine, self._observed())

        try:
            look.follow(is_complete, to_come)
        except Ended:
            self._stop(machine)
            raise
        finally:
            self._steps += _steps(began, look.seen.when)

    def _stop(self, machine: Item) -> None:
        with suppress(ReadFailed):  # it ends with its namespace, later
            resource = virtual_machine.RESOURCE
            self._cluster.patch(resource, *it.identify(machine), seclusion.stop(machine))

    def _reason(self, end: Ended) -> tuple[str, bool]:
        """Why it came no further, and whether that says anything of the backup."""
        if isinstance(end, Interrupted) or not end.is_tried or self._observed().is_up:
            return str(end), end.is_tried
        try:
            namespace = self._cluster.get(kinds.NAMESPACE, "", self.scratch.name)
            if namespace is None or it.is_being_deleted(namespace):
                return f"somebody deleted its namespace: {end}", False
            more = [*self._errors(), *(() if isinstance(end, Lost) else self._trouble())]
        except StillpointError as error:
            more = [str(error)]
        said = "; ".join(dict.fromkeys((str(end), *more)))
        return said, not any(word in said for word in _OF_CLUSTER)

    def _errors(self) -> Sequence[str]:
        return restoring.errors(self._restore, self._setting.results) if self._restore else ()

    def _trouble(self) -> Iterator[str]:
        """Why the guest does not run, in the words of the storage, Velero and KubeVirt."""
        if not self._is_started:
            return
        if self._arrival:
            yield from self._arrival.obstacles()
        identity = self.scratch.name, self._machine.name
        machine = self._cluster.get(virtual_machine.RESOURCE, *identity)
        yield from filter(None, [virtual_machine.trouble(machine or {})])
        if self._seen.instance:
            yield from virtual_machine_instance.troubles(self._seen.instance)

    def _clear(self) -> Sequence[str]:
        self._say(CLEAR)
        setting = self._setting
        began = setting.clock.now()
        clearing = Clearing(
            setting.cluster,
            setting.clock,
            self.scratch,
            setting.originals,
            are_bound=self._has_disks,
            may_move=setting.moves_data,
            namespace=self._namespace,
            restore=self._restore,
            machine=self._restored_machine,
            vacated=self._vacated,
        )
        left = clearing.run()
        self._notes += clearing.notes
        seconds = None if left else (setting.clock.now() - began).total_seconds()
        self._steps.append(Step(CLEAR, seconds))
        return left

    @contextmanager
    def _step(self, code: str) -> Iterator[None]:
        self._say(code)
        began = self._setting.clock.now()
        self._setting.interruption.check()
        try:
            yield
        except (Ended, StillpointError):
            self._steps.append(Step(code, None))
            raise
        seconds = (self._setting.clock.now() - began).total_seconds()
        self._steps.append(Step(code, seconds))


def _steps(began: datetime, when: Mapping[str, datetime]) -> Iterator[Step]:
    """The steps of the look, one after the other; the first that did not end is the last."""
    for code, moment in sorted(when.items(), key=lambda one: one[1]):
        yield Step(code, (moment - began).total_seconds())
        began = moment
    if "start" not in when:
        yield Step("start", None)
