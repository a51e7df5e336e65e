"""Undoing what a holder that was killed has left: programs, and locks that outlive sessions."""

import os
from typing import Sequence, Type

from guest_hooks import note
from guest_hooks.child_register import Register
from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver
from guest_hooks.log import ERROR, WARNING, Log
from guest_hooks.note import Note, Noted
from guest_hooks.places import Places
from guest_hooks.worker import within


def reconcile(places: Places, kinds: Sequence[Type[Driver]], log: Log) -> None:
    """Undo it all; what cannot be undone now stays noted, and is logged."""
    count = Register(places.notes).end_left_over()
    if count:
        log.say(f"ended {count} programs of a holder that was killed", WARNING)
    for name in sorted(os.listdir(places.notes)):
        if name.endswith(note.SUFFIX):
            _reconcile_one(os.path.join(places.notes, name), places, kinds, log)


def _reconcile_one(path: str, places: Places, kinds: Sequence[Type[Driver]], log: Log) -> None:
    try:
        noted = note.read(path)
        deadline = Deadline.after(noted.section.release_s)
        within(deadline, noted.section.name, "undo", lambda: _undo(noted, deadline, places, kinds))
        log.say(f"{noted.section.name}: undone what a holder that was killed left", WARNING)
    except Exception as error:  # noqa: BLE001  the edge: the others are undone all the same
        log.say(f"{path}: cannot be undone, kept for the next start: {error}", ERROR)


def _undo(noted: Noted, deadline: Deadline, places: Places, kinds: Sequence[Type[Driver]]) -> None:
    kind = next(kind for kind in kinds if noted.section.kind == kind.KIND)
    kept = Note(places.notes, noted.section)
    driver = kind(noted.section, kept)
    try:
        driver.reconcile(noted.noted, deadline)
    finally:
        driver.commands.close()
    kept.drop()
