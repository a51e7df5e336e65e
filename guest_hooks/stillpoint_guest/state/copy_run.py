"""The outcome of the on-copy steps: on the disk, so that they run once on each copy.

`docs/guest/copies.md` documents it as JSON. The file is there before the first step, as `running`:
a boot that finds it so knows that the last one did not come to the end of the steps.
"""

import os
from typing import Any, Dict, NamedTuple, Optional, Tuple

from stillpoint_guest.errors import GuestError
from stillpoint_guest.state import json_file
from stillpoint_guest.state.json_fields import Fields, plain

FORMAT = 1
RUNNING = "running"
DONE = "done"
FAILED = "failed"
LEFT_OUT = "left-out"  # the machine is the one that was frozen, and root wants none there
MISSED = "missed"  # the holder found the copy, and no outcome of a run
_FILE = "on-copy.json"


class Step(NamedTuple):
    """A step that was run; the names are the keys of its JSON."""

    name: str
    error: str = ""
    took_s: float = 0.0


class CopyRun(NamedTuple):
    """The run of a copy's steps; the names are the keys of its JSON."""

    of: str  # the key of the record that this disk carries
    boot_id: str
    state: str
    machine: str  # `machine.SAME`, `OTHER` or `UNKNOWN`
    required: bool = False  # a failure keeps units back that need these steps
    began_at: str = ""
    ended_at: str = ""
    unfinished: int = 0  # earlier runs for this copy that did not come to their end
    error: str = ""  # of no single step
    steps: Tuple[Step, ...] = ()

    @property
    def failed(self) -> Tuple[str, ...]:
        """The names of the steps that failed."""
        return tuple(one.name for one in self.steps if one.error)

    @property
    def is_to_run_again(self) -> bool:
        """True if the next boot, too, has to run the steps."""
        return self.state == RUNNING or (self.state in (FAILED, MISSED) and self.required)


def to_json(run: CopyRun) -> Dict[str, Any]:
    """The run as the object that docs/guest/copies.md shows."""
    content: Dict[str, Any] = {"format": FORMAT, **plain(run)}
    return content


def from_json(content: Any) -> CopyRun:
    """A run of this or an earlier version; keys of later versions are ignored.

    Raises:
        ValueError: the content is no run, and why.
    """
    fields = Fields(content)
    number = fields.optional("format")
    if number != FORMAT:
        raise ValueError(f"format {number!r} is not {FORMAT}, the one that this version reads")
    return CopyRun(
        of=fields.text("of"),
        boot_id=fields.text("boot_id"),
        state=fields.text("state"),
        machine=fields.text("machine"),
        required=fields.truth("required"),
        began_at=fields.text("began_at", ""),
        ended_at=fields.text("ended_at", ""),
        unfinished=int(fields.number("unfinished", 0)),
        error=fields.text("error", ""),
        steps=tuple(_step(one) for one in fields.several("steps", ())),
    )


def _step(content: Any) -> Step:
    fields = Fields(content)
    return Step(fields.text("name"), fields.text("error", ""), fields.number("took_s", 0.0))


class CopyRuns:
    """The last run on this disk."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, _FILE)

    def write(self, run: CopyRun) -> None:
        """Replaces the run; when this returns, the disk has it.

        Raises:
            GuestError: not written.
        """
        try:
            json_file.write(self._path, to_json(run))
        except OSError as error:
            raise GuestError(self._path, "write it", error.strerror or str(error)) from error

    def last(self, of: str) -> Optional[CopyRun]:
        """The run for the record with that key; None if there was none.

        Raises:
            GuestError: there is a file, and it cannot be read.
        """
        try:
            run = from_json(json_file.read(self._path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            hint = "the next boot runs the steps of a copy again, and writes a new one"
            raise GuestError(self._path, "read it", str(error), hint) from error
        return run if run.of == of else None
