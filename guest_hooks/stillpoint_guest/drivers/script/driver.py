"""Executables of the administrator, run as they are.

- `folder`: all of `path`, in alphabetic order, with `freeze` and `thaw`, as QEMU's sample hook does
  (`fsfreeze-hook.d`, Red Hat's too). One that was only found has the time that it had before this
  program: what is left of the whole freeze;
- `vmware`: the same with `freezeFail` for a thaw without a snapshot (`backupScripts.d`);
- `pair`: what `freeze` and `thaw` say (VMware's pre-freeze-script and post-thaw-script);
- `azure`: what a VMSnapshotScriptPluginConfig.json names, which is at `path`.

A script's lock outlives everybody, so the undo journal has the script before the call, and its
other half is called however the hold ends, after a failure halfway too.
"""

import contextlib
import json
import math
import os
import shlex
from typing import Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Finding, Report
from stillpoint_guest.drivers.script import azure_pair
from stillpoint_guest.errors import (
    ApplicationError,
    CommandFailed,
    ConfigurationError,
    DeadlinePassed,
)
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.section import DISCOVERED, Section
from stillpoint_guest.places import package_root
from stillpoint_guest.processes.hook_folder import executables
from stillpoint_guest.processes.program import FOR_GOOD, FOR_THE_HOLD, Program
from stillpoint_guest.state.undo_journal import UndoJournal

_HOOK_FOLDERS = ("/etc/qemu/fsfreeze-hook.d", "/etc/qemu-ga/fsfreeze-hook.d")
_VMWARE_FOLDER = "/etc/vmware-tools/backupScripts.d"
_VMWARE_PAIR = ("/usr/sbin/pre-freeze-script", "/usr/sbin/post-thaw-script")
_OURS = os.path.realpath(package_root())


class Step(NamedTuple):
    """A command line, with the number and the total time of its tries."""

    words: Tuple[str, ...]
    tries: int = 1
    limit_s: float = math.inf


class Call(NamedTuple):
    """The commands of a script: freeze, thaw, and thaw after a failure."""

    freeze: Step
    thaw: Step
    failed: Step


class Script(Driver):
    """The executables of a section."""

    KIND = "script"
    METHODS = ("folder", "pair", "vmware", "azure")
    OPTIONS = {
        "path": "folder of executables, or Azure's file; the section's name after its type",
        "freeze": "executable and arguments; for method = pair",
        "thaw": "executable and arguments; for method = pair",
        "user": "system user that runs them; root",
        "folders": "where the data lies that they bring to rest, by commas",
    }

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses `OPTIONS`; which scripts there are is looked up at every freeze."""
        super().__init__(section, journal)
        self._calls: Sequence[Call] = ()
        self._folders = section.paths("folders")
        named = section.name.partition(":")[2]
        self._path = section.text("path") or (named if named.startswith("/") else "")
        if section.method == "pair":
            for key in ("freeze", "thaw"):
                self._words(key)
        elif not self._path.startswith("/"):
            example = azure_pair.FILE if section.method == "azure" else _HOOK_FOLDERS[0]
            expected = f"a path that begins with /; method = {section.method or 'folder'} needs it"
            raise section.error("path", expected, example)

    @classmethod
    def discover(cls) -> Sequence[Found]:
        """Hooks of the agent, which this program takes the place of; others are named only."""
        folders = {os.path.realpath(path): path for path in reversed(_HOOK_FOLDERS)}
        found = [_detect(path) for path in folders.values() if _has_scripts(path)]
        others = (_VMWARE_FOLDER, *_VMWARE_PAIR[:1], azure_pair.FILE)
        for path in others:
            if _has_scripts(path) if path == _VMWARE_FOLDER else os.path.exists(path):
                unsafe = "it may lock what has its own driver: say in a section that it is to run"
                found.append(Found(f"script:{path}", {"path": path}, unsafe))
        return found

    @property
    def instance(self) -> str:
        """The scripts themselves, by whatever name they are called."""
        return os.path.realpath(self._path) if self._path else self.section.text("freeze")

    @property
    def lock_s(self) -> float:
        """All that is left, for a folder that was only found: QEMU's own hook has no limit."""
        return math.inf if self.section.source == DISCOVERED else self.section.lock_s

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Reports the scripts and their time; none is run."""
        del deadline
        calls = self._read()
        names = ", ".join(" ".join(call.freeze.words) for call in calls) or "nothing"
        text = f"{self.section.name}: would run {names}, within {self._time}"
        found = [Finding(bool(calls), text, self._longer, is_blocking=False, folders=self._folders)]
        limit_s = max([call.freeze.limit_s for call in calls], default=0)
        if self.lock_s < limit_s < math.inf:
            text = f"{self.section.name}: {self._path} gives {limit_s:g} s, and lock_s is less"
            hint = f"lock_s = {limit_s:g}, and a freeze_s that is longer"
            found.append(Finding(is_good=False, text=text, hint=hint, is_blocking=False))
        return found

    def answers(self, deadline: Deadline) -> None:
        """Nobody knows how to ask what is behind a script."""

    def prepare(self, deadline: Deadline) -> None:
        """Looks up which scripts there are, and that nobody but root could have written them."""
        del deadline
        try:
            self._calls = self._read()
        except ConfigurationError as error:
            raise ApplicationError(error.subject, error.attempt, error.cause, error.hint) from error

    @contextlib.contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """Between the scripts' freeze and thaw."""
        begun: List[Call] = []
        ending = "failed"
        try:
            for call in self._calls:
                begun.append(call)
                self.journal.write({"thaw": json.dumps([each.thaw for each in reversed(begun)])})
                self._run(call.freeze, FOR_THE_HOLD, deadline)
            ending = "thaw"
            names = ", ".join(call.freeze.words[0] for call in begun)
            promised = ("what these scripts promise",)
            yield Report(f"scripts {names}", guarantees=promised, folders=self._folders)
        finally:
            calls = [call.thaw if ending == "thaw" else call.failed for call in reversed(begun)]
            self._run_all(calls, Deadline.after(self.section.release_s))
            self.journal.drop()

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        """Calls the thaw halves."""
        steps = [Step(tuple(words), *rest) for words, *rest in json.loads(undo["thaw"])]
        self._run_all(steps, deadline)

    @property
    def _time(self) -> str:
        if self.section.source == DISCOVERED:
            return "what is left of freeze_s"
        return f"{self.lock_s:g} s"

    @property
    def _longer(self) -> str:
        if self.section.source == DISCOVERED:
            return f"a longer freeze_s, or lock_s in a section [{self.section.name}]"
        return f"a longer lock_s in [{self.section.name}], within freeze_s"

    @property
    def _longer_back(self) -> str:
        return f"a longer release_s in [{self.section.name}]"

    def _run_all(self, steps: Sequence[Step], deadline: Deadline) -> None:
        """Runs every step, each with its share of the time, whatever the others do."""
        failures: List[ApplicationError] = []
        for number, step in enumerate(steps):
            share_s = deadline.remaining_s / (len(steps) - number)
            with _collect(failures):
                self._run(step, FOR_GOOD, Deadline.after(share_s))
        if failures:
            raise failures[0]

    def _run(self, step: Step, leaves: str, deadline: Deadline) -> None:
        """Runs a step as often as allowed; the last failure is raised."""
        time_s = min(step.limit_s, deadline.remaining_s)
        whole = deadline.or_after(time_s)
        try:
            for _ in range(step.tries - 1):
                if self._succeeds(step, leaves, whole):
                    return
            self._run_once(step, leaves, whole)
        except DeadlinePassed as error:
            cause = f"{error.cause} after {time_s:.1f} s"
            hint = self._longer if leaves == FOR_THE_HOLD else self._longer_back
            if time_s == step.limit_s:
                hint = f"timeoutInSeconds in {self._path}"
            raise DeadlinePassed(error.subject, error.attempt, cause, hint) from error

    def _succeeds(self, step: Step, leaves: str, deadline: Deadline) -> bool:
        try:
            self._run_once(step, leaves, deadline)
        except CommandFailed:
            return False
        return True

    def _run_once(self, step: Step, leaves: str, deadline: Deadline) -> None:
        environment = {
            "STILLPOINT_APPLICATION": self.section.name,
            "STILLPOINT_SECONDS": str(int(deadline.remaining_s)),
        }
        program = Program(step.words, self.section.text("user"), environment, leaves=leaves)
        self.commands.run(program, deadline)

    def _read(self) -> Sequence[Call]:
        method = self.section.method or "folder"
        if method == "pair":
            freeze, thaw = Step(self._words("freeze")), Step(self._words("thaw"))
            calls = [Call(freeze, thaw, thaw)]
        elif method == "azure":
            calls = [self._azure()]
        else:
            failed = "freezeFail" if method == "vmware" else "thaw"
            calls = [
                Call(Step((path, "freeze")), Step((path, "thaw")), Step((path, failed)))
                for path in self._executables()
            ]
        for call in calls:
            for key, step in (("freeze", call.freeze), ("thaw", call.thaw)):
                self.section.trusted(key if method == "pair" else "path", step.words[0])
        return calls

    def _words(self, key: str) -> Tuple[str, ...]:
        """The command line of an option."""
        try:
            words = shlex.split(self.section.text(key))
        except ValueError:  # a quote without its end
            words = []
        if not words or not words[0].startswith("/"):
            expected = "the whole path of an executable, and arguments; method = pair needs it"
            raise self.section.error(key, expected, f"/usr/local/sbin/{key}-database")
        return tuple(words)

    def _executables(self) -> Sequence[str]:
        """The executables; a file that two found folders have runs once."""
        try:
            paths = executables(self._path)
        except ConfigurationError as error:
            raise self.section.in_words("path", error) from error
        if self.section.source != DISCOVERED or self._path not in _HOOK_FOLDERS:
            return paths
        earlier = _HOOK_FOLDERS[: _HOOK_FOLDERS.index(self._path)]
        there = [path for folder in earlier if _has_scripts(folder) for path in executables(folder)]
        run = {os.path.realpath(path) for path in there}
        return [path for path in paths if os.path.realpath(path) not in run]

    def _azure(self) -> Call:
        try:
            pair = azure_pair.read(self._path)
        except ConfigurationError as error:
            raise self.section.in_words("path", error) from error
        if pair.is_optional:
            self.section = self.section._replace(required=False)
        return Call(Step(*pair.before), Step(*pair.after), Step(*pair.after))


@contextlib.contextmanager
def _collect(failures: List[ApplicationError]) -> Iterator[None]:
    try:
        yield
    except ApplicationError as error:
        failures.append(error)


def _has_scripts(folder: str) -> bool:
    return os.path.isdir(folder) and bool(executables(folder))


def _detect(folder: str) -> Found:
    ours = [path for path in executables(folder) if os.path.realpath(path) == _OURS]
    unsafe = f"{ours[0]} is this program: what runs it there runs the others too" if ours else ""
    return Found(f"script:{folder}", {"path": folder}, unsafe)
