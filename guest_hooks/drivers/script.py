"""Executables of the administrator, run as they are.

- `folder`: all of `path`, in alphabetic order, with `freeze` and `thaw`, as QEMU's sample hook does
  (`fsfreeze-hook.d`, Red Hat's too);
- `vmware`: the same with `freezeFail` for a thaw without a snapshot (`backupScripts.d`);
- `pair`: what `freeze` and `thaw` say (VMware's pre-freeze-script and post-thaw-script);
- `azure`: what a VMSnapshotScriptPluginConfig.json names, which is at `path`.

What a script has locked outlives everybody, so it is noted before it is called, and its other half
is called however the hold ends, for one that failed halfway too.
"""

import contextlib
import json
import math
import os
import shlex
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from guest_hooks import trust
from guest_hooks.command import FOR_GOOD, FOR_THE_HOLD, Program
from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Finding, Found, Report
from guest_hooks.errors import ApplicationError, ConfigurationError
from guest_hooks.note import Note
from guest_hooks.section import DISCOVERED, Section

_HOOK_FOLDERS = ("/etc/qemu/fsfreeze-hook.d", "/etc/qemu-ga/fsfreeze-hook.d")
_VMWARE_FOLDER = "/etc/vmware-tools/backupScripts.d"
_VMWARE_PAIR = ("/usr/sbin/pre-freeze-script", "/usr/sbin/post-thaw-script")
_AZURE_FILE = "/etc/azure/VMSnapshotScriptPluginConfig.json"
_IGNORED_ENDINGS = (
    "~",
    ".bak",
    ".sample",
    ".rpmsave",
    ".rpmnew",
    ".rpmorig",
    ".dpkg-old",
    ".dpkg-dist",
)


class Call(NamedTuple):
    """One script: how it is told to freeze, to thaw, and to thaw because somebody failed."""

    freeze: Tuple[str, ...]
    thaw: Tuple[str, ...]
    failed: Tuple[str, ...]


class Script(Driver):
    """The executables of one section."""

    KIND = "script"
    METHODS = ("folder", "pair", "vmware", "azure")
    OPTIONS = {
        "path": "folder of executables, or Azure's file",
        "freeze": "executable and arguments; for method = pair",
        "thaw": "executable and arguments; for method = pair",
        "user": "system user that runs them; root",
    }

    def __init__(self, section: Section, note: Note) -> None:
        """Parse `OPTIONS`; which scripts there are is looked up at every freeze."""
        super().__init__(section, note)
        self._calls: Sequence[Call] = ()
        needed = ("freeze", "thaw") if section.method == "pair" else ("path",)
        for key in needed:
            if not section.text(key):
                raise section.error(key, f"given; method = {section.method or 'folder'} needs it")

    @classmethod
    def discover(cls) -> Sequence[Found]:
        """Hooks of the agent, which this program takes the place of; others are named only."""
        found = [
            Found(f"script:{folder}", {"path": folder})
            for folder in _HOOK_FOLDERS
            if os.path.isdir(folder) and _executables(folder)
        ]
        for path in (_VMWARE_FOLDER, _VMWARE_PAIR[0], _AZURE_FILE):
            if os.path.exists(path):
                unsafe = "it may lock what has its own driver: say in a section that it is to run"
                found.append(Found(f"script:{path}", {"path": path}, unsafe))
        return found

    @property
    def instance(self) -> str:
        """What is called."""
        return self.section.text("path") or self.section.text("freeze")

    @property
    def lock_s(self) -> float:
        """All that is left, for a folder that was only found: QEMU's own hook has no limit."""
        return math.inf if self.section.source == DISCOVERED else self.section.lock_s

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Which scripts would run; none is run."""
        del deadline
        calls = self._read()
        names = ", ".join(" ".join(call.freeze) for call in calls) or "nothing"
        limit = f"{self.lock_s:g} s" if self.lock_s < math.inf else "what is left of freeze_s"
        text = f"{self.section.name}: would run {names}, within {limit}"
        return [Finding(bool(calls), text, is_blocking=False)]

    def prepare(self, deadline: Deadline) -> None:
        """Look up which scripts there are, and that nobody but root could have written them."""
        del deadline
        try:
            self._calls = self._read()
        except ConfigurationError as error:
            raise ApplicationError(error.subject, error.attempt, error.cause, error.hint) from error

    @contextlib.contextmanager
    def held(self, deadline: Deadline) -> Iterator[Report]:
        """Between the scripts' freeze and thaw."""
        begun: List[Call] = []
        ending = "failed"
        try:
            for call in self._calls:
                begun.append(call)
                self.note.write({"thaw": json.dumps([each.thaw for each in reversed(begun)])})
                self._run(call.freeze, FOR_THE_HOLD, deadline)
            ending = "thaw"
            names = ", ".join(call.freeze[0] for call in begun)
            yield Report(f"scripts {names}", guarantees=("what these scripts promise",))
        finally:
            calls = [call.thaw if ending == "thaw" else call.failed for call in reversed(begun)]
            self._run_all(calls, Deadline.after(self.section.release_s))
            self.note.drop()

    def reconcile(self, noted: Mapping[str, str], deadline: Deadline) -> None:
        """Call the other halves."""
        self._run_all([tuple(call) for call in json.loads(noted["thaw"])], deadline)

    def _run_all(self, calls: Sequence[Tuple[str, ...]], deadline: Deadline) -> None:
        """Every one, also behind one that fails or hangs: each has its share of the time."""
        failures: List[ApplicationError] = []
        for number, call in enumerate(calls):
            share_s = deadline.left_s / (len(calls) - number)
            with _collected(failures):
                self._run(call, FOR_GOOD, Deadline.after(share_s))
        if failures:
            raise failures[0]

    def _run(self, call: Sequence[str], leaves: str, deadline: Deadline) -> None:
        environment = {
            "STILLPOINT_APPLICATION": self.section.name,
            "STILLPOINT_SECONDS": str(int(deadline.left_s)),
        }
        program = Program(call, self.section.text("user"), environment, leaves=leaves)
        self.commands.run(program, deadline)

    def _read(self) -> Sequence[Call]:
        method = self.section.method or "folder"
        if method == "pair":
            freeze = tuple(shlex.split(self.section.text("freeze")))
            thaw = tuple(shlex.split(self.section.text("thaw")))
            calls = [Call(freeze, thaw, thaw)]
        elif method == "azure":
            calls = [_azure_call(self.section.text("path"))]
        else:
            failed = "freezeFail" if method == "vmware" else "thaw"
            paths = _executables(self.section.text("path"))
            calls = [Call((path, "freeze"), (path, "thaw"), (path, failed)) for path in paths]
        for call in calls:
            trust.require(call.freeze[0])
            trust.require(call.thaw[0])
        return calls


@contextlib.contextmanager
def _collected(failures: List[ApplicationError]) -> Iterator[None]:
    try:
        yield
    except ApplicationError as error:
        failures.append(error)


def _executables(folder: str) -> Sequence[str]:
    """As QEMU's sample hook chooses them: executable files that are no leftovers."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigurationError(folder, "look for scripts", cause) from error
    paths = [os.path.join(folder, name) for name in names if not name.endswith(_IGNORED_ENDINGS)]
    return [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]


def _azure_call(path: str) -> Call:
    trust.require(path)
    try:
        with open(path, encoding="utf-8") as file:
            written: Dict[str, Any] = json.load(file)
        freeze = (written["preScriptLocation"], *written.get("preScriptParams", ()))
        thaw = (written["postScriptLocation"], *written.get("postScriptParams", ()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(path, "read it", repr(error)) from error
    return Call(freeze, thaw, thaw)
