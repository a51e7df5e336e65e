"""Hooks of guests that failed, by the lines of a backup's log.

The line of the error has named no pod since Velero v1.15, and no line says that a hook succeeded.
The lines before it have the hook's command, and KubeVirt's names the machine (HandleHooks in
internal/hook/item_hook_handler.go, ExecutePodCommand in pkg/podexec/pod_command_executor.go of
Velero v1.18, pkg/storage/pod/annotations of KubeVirt v1.9). Hooks of several item blocks may run
side by side: an error that could be of two is nobody's here.

A command is an annotation of a pod, so a tenant can name a machine of another one: that of which
the log has two hooks of a phase has none here.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stillpoint.velero import log_line

Title = tuple[str, str]
"""Namespace and name of a machine."""

MARK = b"hookPhase"
"""In each line that is about a hook."""

_RUNNING = "running exec hook"
_OUTPUT, _ERRORS = "stdout: ", "stderr: "
_FAILED = "Error executing hook"
_LATE = "timed out after "
_NOT_BEGUN = re.compile("no such container: |need at least 1 container|[a-z]+ is required")
"""Errors of a hook that leaves no line before."""
_COMMAND = re.compile(
    r"\[\S*virt-freezer (--freeze|--unfreeze) --name ([a-z0-9.-]+) --namespace ([a-z0-9-]+)"
    r"( [^ ]+)*\]"
)
_VERBS = {"pre": "--freeze", "post": "--unfreeze"}
_MOST_HOOKS = 200_000  # of a backup of 100,000 machines
_LONGEST = 300  # letters of what a hook said


class TooManyHooks(ValueError):
    """The log has more hooks than a backup can have."""


@dataclass(frozen=True, slots=True)
class HookFailure:
    """The failure of a hook.

    Attributes:
        phase: `pre`, the freeze, or `post`, the thaw.
        error: Velero's word.
        said: the end of the hook's own words; may be empty. A guest can choose them.
    """

    phase: str
    error: str
    said: str


_Place = tuple[str, str, str]
"""Phase, and namespace and name of the pod, which are empty since v1.15."""


@dataclass(slots=True)
class _Hook:
    """A hook that has begun, or several of nobody's.

    Attributes:
        count: of those that have not ended.
        lines: that have come of it, with no line of another hook between.
        has_ended: true if its output has come, which is there when it has ended in time.
    """

    machine: Title
    place: _Place
    count: int = 1
    lines: int = 1
    said: str = ""
    has_ended: bool = False


Failures = Mapping[Title, Sequence[HookFailure]]


def failures(lines: Iterable[bytes]) -> Failures:
    """The failures that are surely those of one machine's hook, by machine.

    Raises:
        TooManyHooks: the log has more hooks than a backup can have.
    """
    reader = _Reader()
    for line in lines:
        if MARK in line:
            reader.read(log_line.fields(line))
    return reader.failures()


class _Reader:
    def __init__(self) -> None:
        self._running: dict[_Place, dict[Title, _Hook]] = {}
        self._last: _Hook | None = None  # of the line before
        self._begun: Counter[tuple[Title, str]] = Counter()
        self._found: dict[tuple[Title, str], HookFailure] = {}

    def read(self, found: Mapping[str, str]) -> None:
        """Reads the fields of a line about a hook."""
        said, phase = found.get("msg", ""), found.get("hookPhase", "")
        place = phase, found.get("namespace", ""), found.get("name", "")
        if said == _FAILED:
            self._fail(log_line.error(found), place)
            return
        machine = _machine(found.get("hookCommand", ""), phase)
        if said == _RUNNING:
            self._begin(machine, place)
        elif said.startswith((_OUTPUT, _ERRORS)):
            self._hear(machine, place, said)

    def failures(self) -> Failures:
        """The failures of all lines."""
        by_machine: dict[Title, list[HookFailure]] = {}
        for (machine, phase), one in self._found.items():
            if self._begun[machine, phase] == 1:
                by_machine.setdefault(machine, []).append(one)
        return by_machine

    def _begin(self, machine: Title, place: _Place) -> None:
        self._begun[machine, place[0]] += 1
        if len(self._begun) > _MOST_HOOKS:
            raise TooManyHooks(f"more than {_MOST_HOOKS:,} hooks")
        running = self._running.setdefault(place, {})
        known = running.get(machine)
        self._last = running[machine] = _Hook(machine, place, known.count + 1 if known else 1)

    def _hear(self, machine: Title, place: _Place, said: str) -> None:
        """The output of a hook, which comes in two lines when the hook has ended."""
        last = self._last
        hook = self._end(machine, place) if said.startswith(_OUTPUT) else None
        if hook is None and last and (last.machine, last.place) == (machine, place):
            hook = last
        self._last = hook
        if hook is None:
            return
        hook.lines = hook.lines + 1 if hook is last else 0
        words = said.removeprefix(_OUTPUT).removeprefix(_ERRORS).strip()
        hook.said = words[-_LONGEST:] or hook.said
        hook.has_ended = True

    def _fail(self, error: str, place: _Place) -> None:
        last = self._last
        hook: _Hook | None = None
        running = self._running.get(place, {})
        is_at_once = last is not None and running.get(last.machine) is last
        if _NOT_BEGUN.match(error):
            return
        if error.startswith(_LATE) or is_at_once:
            if len(running) == 1:
                [machine] = running
                hook = self._end(machine, place)
        elif last and last.has_ended and last.lines == _LINES and last.place == place:
            hook = last
        if hook and hook.machine != _NOBODY:
            failure = HookFailure(place[0], error[:_LONGEST], hook.said)
            self._found.setdefault((hook.machine, place[0]), failure)

    def _end(self, machine: Title, place: _Place) -> _Hook | None:
        """The hook, which runs no longer; None if none of the machine runs."""
        running = self._running.get(place, {})
        hook = running.get(machine)
        if hook:
            hook.count -= 1
            if not hook.count:
                del running[machine]
        return hook


_LINES = 3
"""Of a hook before its error: that it runs, and its output and errors."""

_NOBODY: Title = ("", "")


def _machine(command: str, phase: str) -> Title:
    """The machine that KubeVirt's command names; nobody for another command."""
    match = _COMMAND.fullmatch(command)
    if match is None or match[1] != _VERBS.get(phase):
        return _NOBODY
    return match[3], match[2]
