"""A unit of systemd, or a container, that cannot be quiesced otherwise.

A stopped unit has everything on its disk. A frozen (`systemctl freeze`, systemd 246 and newer) or
paused unit stands still wherever it was, and its copy starts as after a power failure. Both states
outlive everybody, so the undo journal has them first.
"""

import contextlib
from typing import Iterator, Mapping, NamedTuple, Sequence, Tuple

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import APPLICATION, CRASH, Driver, Finding, Report
from stillpoint_guest.errors import Refused
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.program import Program
from stillpoint_guest.state.undo_journal import UndoJournal


class _Way(NamedTuple):
    """Arguments, to which the name of the unit or container is added."""

    rest: Tuple[str, ...]
    back: Tuple[str, ...]
    state: Tuple[str, ...]  # prints what it does now
    running: str  # how that begins when it runs
    level: str
    guarantee: str


_PLACES = ("systemctl", "show", "--property=StateDirectory,WorkingDirectory")
_STANDS_STILL = "what it had on its disk at one moment, as after a power failure"
_WAYS = {
    "stop": _Way(
        ("systemctl", "stop"),
        ("systemctl", "start"),
        ("systemctl", "show", "--property=ActiveState", "--value"),
        "active",
        APPLICATION,
        "everything, as after an orderly stop",
    ),
    "freeze": _Way(
        ("systemctl", "freeze"),
        ("systemctl", "thaw"),
        ("systemctl", "show", "--property=ActiveState", "--value"),
        "active",
        CRASH,
        _STANDS_STILL,
    ),
    "podman": _Way(
        ("podman", "pause"),
        ("podman", "unpause"),
        ("podman", "inspect", "--format={{.State.Status}}"),
        "running",
        CRASH,
        _STANDS_STILL,
    ),
    "docker": _Way(
        ("docker", "pause"),
        ("docker", "unpause"),
        ("docker", "inspect", "--format={{.State.Status}}"),
        "running",
        CRASH,
        _STANDS_STILL,
    ),
}


class Systemd(Driver):
    """A unit or container."""

    KIND = "systemd"
    METHODS = ("stop", "freeze", "podman", "docker")
    OPTIONS = {
        "unit": "the unit, or for podman and docker the container's name",
        "folders": "where its data lies, by commas, if its unit does not say it",
    }

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses `OPTIONS`."""
        super().__init__(section, journal)
        self._unit = section.text("unit")
        if not self._unit or self._unit.startswith("-"):
            raise section.error("unit", "the name of a unit or container", "queue.service")
        self._way = _WAYS[section.method or self.METHODS[0]]
        self._folders = section.paths("folders")
        self._runs = False

    @property
    def instance(self) -> str:
        """The unit."""
        return self._unit

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Probes if the unit runs."""
        self.prepare(deadline)
        runs = "runs" if self._runs else "does not run, so nothing is to be done"
        return [Finding(True, f"{self.section.name}: {runs}", folders=self._folders)]

    def answers(self, deadline: Deadline) -> bool:
        """True if the unit or container runs."""
        return self._state(deadline).startswith(self._way.running)

    def prepare(self, deadline: Deadline) -> None:
        """Looks whether the unit runs: a stopped unit stays stopped."""
        state = self._state(deadline)
        if state in ("activating", "deactivating", "reloading"):
            hint = "try again when it has got there"
            raise Refused(self.section.name, " ".join(self._way.rest), f"it is {state}", hint)
        self._runs = state.startswith(self._way.running)
        if self._runs and self._way.level == APPLICATION:
            self._folders += self._data_folders(deadline)

    @contextlib.contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """Keeps the unit stopped, frozen or paused."""
        if not self._runs:
            kept = ("everything: it did not run",)
            yield Report("none", guarantees=kept, folders=self._folders)
            return
        self.journal.write({"back": self._way.back[-1]})
        try:
            self._run(self._way.rest, deadline)
            yield self._report(deadline)
        finally:
            self._run(self._way.back, Deadline.after(self.section.release_s))
            self.journal.drop()

    def _report(self, deadline: Deadline) -> Report:
        method = " ".join(self._way.rest)
        if self._state(deadline).startswith("failed"):  # systemctl stop is content with that
            warning = "it did not stop in order, so systemd has killed it"
            return Report(method, {}, (_STANDS_STILL,), (warning,), CRASH, self._folders)
        kept = (self._way.guarantee,)
        return Report(method, {}, kept, (), self._way.level, self._folders)

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        """Lets the unit run again, unless it does; a frozen unit counts as running for systemd."""
        del undo
        is_frozen = self.section.method == "freeze"
        if is_frozen or not self._state(deadline).startswith(self._way.running):
            self._run(self._way.back, deadline)

    def _data_folders(self, deadline: Deadline) -> Tuple[str, ...]:
        """The data folders that its unit names: systemd.exec(5)."""
        properties = dict(
            line.split("=", 1) for line in self._run(_PLACES, deadline) if "=" in line
        )
        states = [f"/var/lib/{name}" for name in properties.get("StateDirectory", "").split()]
        working = properties.get("WorkingDirectory", "").lstrip("!-")
        return (*states, *([working] if working.startswith("/") and working != "/" else []))

    def _state(self, deadline: Deadline) -> str:
        lines = self._run(self._way.state, deadline)
        return lines[0].strip() if lines else ""

    def _run(self, arguments: Sequence[str], deadline: Deadline) -> Sequence[str]:
        return self.commands.run(Program([*arguments, self._unit]), deadline).lines
