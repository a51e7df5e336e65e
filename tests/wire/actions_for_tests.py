"""A plugin whose actions do one thing each, among them all that an action must not do.

The program `velero-acceptance` (tests/peers/velero/cmd/acceptance) calls them by these names.
"""

import copy
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import stillpoint.__main__
import stillpoint.catalogue
from stillpoint.calls.action import BackupEntry, ItemBlockEntry, RestoreAction, RestoreEntry
from stillpoint.model import item as it
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item
from stillpoint.model.outcome import BackupOutcome, Progress, RestoreOutcome, Selector
from stillpoint.model.reference import Reference
from stillpoint.velero.context import BackupContext, RestoreContext

MACHINES = Selector(("virtualmachines.kubevirt.io", "pods"), "app in (a, b), stillpoint.test/x")
CLAIM = Reference("", "persistentvolumeclaims", "shop", "data")
LAUNCHER = Reference("", "pods", "shop", "virt-launcher")
OPERATION = "upload-shop/db"
LARGE_OUT = 50 << 20

_log = logging.getLogger("stillpoint")


@dataclass(frozen=True)
class Backup:
    """A backup action made of a function."""

    answer: Callable[[Item, BackupContext], BackupOutcome]
    APPLIES_TO: Selector = MACHINES

    def execute(self, item: Item, context: BackupContext) -> BackupOutcome:
        return self.answer(item, context)


class Restore:
    """A restore action that gives a prepared answer."""

    APPLIES_TO = Selector(("virtualmachines.kubevirt.io",))

    def __init__(self, **answer: Any) -> None:
        self._answer = answer

    def execute(self, item: Item, context: RestoreContext) -> RestoreOutcome:
        context.log.info("restores it")
        return RestoreOutcome(item, **self._answer)


class RestoreStored(Restore):
    def execute(self, item: Item, context: RestoreContext) -> RestoreOutcome:
        annotations = dict(it.annotations(context.stored))
        return RestoreOutcome(_with_metadata(item, annotations=annotations))


class RestoreWait(Restore):
    def are_additional_items_ready(
        self, references: Sequence[Reference], context: RestoreContext
    ) -> bool:
        context.log.info("is asked for %d items", len(references))
        return CLAIM in references


class _Operation:
    APPLIES_TO = MACHINES

    def progress(self, operation: str, _context: BackupContext | RestoreContext) -> Progress:
        if operation != OPERATION:
            raise Refusal(f"operation {operation}", "cannot tell its progress", "it is not ours")
        return Progress(
            started=datetime(2026, 5, 4, 3, 2, 1, 500_000, tzinfo=UTC),
            updated=datetime(2026, 5, 4, 3, 2, 2, tzinfo=UTC),
            done=9007199254740993,
            total=9007199254740995,
            units="bytes",
            description="läuft",
        )

    def cancel(self, operation: str, context: BackupContext | RestoreContext) -> None:
        context.log.info("cancelled %s", operation)


class BackupOperation(_Operation):
    def execute(self, item: Item, _context: BackupContext) -> BackupOutcome:
        return BackupOutcome(item, operation=OPERATION, after_operation=(CLAIM,))


class RestoreOperation(_Operation):
    def execute(self, item: Item, _context: RestoreContext) -> RestoreOutcome:
        return RestoreOutcome(item, operation=OPERATION)


class Related:
    APPLIES_TO = MACHINES

    def related_items(self, item: Item, context: BackupContext) -> Sequence[Reference]:
        context.log.debug("belongs together: %s", it.name(item))
        return (CLAIM, LAUNCHER)


class Crash:
    """Raises as no action should; `execute` is the frame that its error must name."""

    APPLIES_TO = MACHINES

    def __init__(self, error: Callable[[], BaseException]) -> None:
        self._error = error

    def execute(self, _item: Item, _context: BackupContext) -> NoReturn:
        raise self._error()


def echo(item: Item, _context: BackupContext) -> BackupOutcome:
    return BackupOutcome(item)


def change(item: Item, _context: BackupContext) -> BackupOutcome:
    return BackupOutcome(_with_metadata(item, labels={"stillpoint.test/changed": "true"}))


def additional(item: Item, _context: BackupContext) -> BackupOutcome:
    return BackupOutcome(item, additional=(CLAIM, LAUNCHER))


def pid(item: Item, _context: BackupContext) -> BackupOutcome:
    annotations = {"stillpoint.test/pid": str(os.getpid())}
    return BackupOutcome(_with_metadata(item, annotations=annotations))


def grow(item: Item, _context: BackupContext) -> BackupOutcome:
    return BackupOutcome(item | {"large": "x" * LARGE_OUT})


def slow(item: Item, _context: BackupContext) -> BackupOutcome:
    time.sleep(0.005)
    return BackupOutcome(item)


def block(item: Item, context: BackupContext) -> BackupOutcome:
    context.log.info("blocks now")
    threading.Event().wait()
    return BackupOutcome(item)


def crash(_item: Item, _context: BackupContext) -> NoReturn:
    os._exit(3)


def fault(_item: Item, _context: BackupContext) -> NoReturn:
    _innermost({})


def _innermost(nothing: Mapping[str, str]) -> NoReturn:
    raise KeyError(*({"spec"} - nothing.keys()))


def recursion(item: Item, context: BackupContext) -> BackupOutcome:
    return _for_ever(item, context)


def _for_ever(item: Item, context: BackupContext) -> BackupOutcome:
    return _for_ever(item, context)


def no_json(item: Item, _context: BackupContext) -> BackupOutcome:
    return BackupOutcome(item | {"set": {1, 2}})


def no_outcome(_item: Item, _context: BackupContext) -> Any:
    return None


def log(item: Item, context: BackupContext) -> BackupOutcome:
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(context.log, level)("said at %s", level)
    return BackupOutcome(item)


def log_nasty(item: Item, _context: BackupContext) -> BackupOutcome:
    fields = {
        "msg": "not the message",
        "level": 7,
        "time": "noon",
        "timestamp": "noon",
        "@message": 1,
        "@level": None,
        "@timestamp": 2,
        "nested": {"a": [1]},
        "surrogate": "half \ud83d an elephant",
        "unicode": "漢字 🐘 \u2028",
        "lines": "one\ntwo",
        "zero": "\x00",
    }
    _log.info("nasty fields", extra={"fields": fields})
    return BackupOutcome(item)


def log_long(item: Item, context: BackupContext) -> BackupOutcome:
    context.log.error("long text %s", "x" * 200_000)
    context.log.error("long elephants %s", "🐘" * 200_000)
    context.log.error("long escapes %s", "\x00" * 200_000)
    fields = {f"field{number}": "🐘" * 200_000 for number in range(8)}
    _log.error("long fields", extra={"fields": fields})
    _log.error("long traceback", exc_info=ValueError("🐘" * 200_000))
    return BackupOutcome(item)


def log_panic(item: Item, context: BackupContext) -> BackupOutcome:
    context.log.info("panic: keep calm")
    context.log.info("fatal error: keep calm")
    print("printed after the panic", flush=True)  # noqa: T201 - what a careless library does
    return BackupOutcome(item)


def print_(item: Item, _context: BackupContext) -> BackupOutcome:
    print("printed to standard output", flush=True)  # noqa: T201
    os.write(1, b"written to descriptor 1\n")
    return BackupOutcome(item)


def _with_metadata(item: Item, **fields: Any) -> Item:
    changed = copy.deepcopy(item)
    changed.setdefault("metadata", {}).update(fields)
    return changed


def _refusal(attempt: str, cause: str, hint: str = "") -> Callable[[], BaseException]:
    return lambda: Refusal("VirtualMachine shop/db", attempt, cause, hint)


_RAISING: dict[str, Callable[[], BaseException]] = {
    "refuse": _refusal("cannot stand still", "the disk spins", "wait"),
    "endless-message": _refusal("cannot say it shortly", "🐘" * 500_000),
    "broken-message": _refusal("cannot name it", "half \ud83d an elephant"),
    "system-exit": lambda: SystemExit(3),
    "keyboard-interrupt": KeyboardInterrupt,
}
_BACKUP: tuple[Callable[[Item, BackupContext], BackupOutcome], ...] = (
    echo, change, additional, pid, grow, slow, block, crash, fault, recursion, no_json, no_outcome,
    log, log_nasty, log_long, log_panic, print_,
)  # fmt: skip
_RESTORE: dict[str, RestoreAction] = {
    "restore-echo": Restore(),
    "restore-stored": RestoreStored(),
    "restore-skip": Restore(skip=True),
    "restore-wait": RestoreWait(additional=(CLAIM,), wait_for_additional=True),
    "restore-operation": RestoreOperation(),
}


@dataclass(frozen=True)
class Catalogue:
    """Velero before 1.15 does not start beside a plugin with item-block actions."""

    with_item_blocks: bool = True

    def backup(self) -> Sequence[BackupEntry]:
        return (
            *(BackupEntry(_full(_name(function)), Backup(function)) for function in _BACKUP),
            *(BackupEntry(_full(name), Crash(error)) for name, error in _RAISING.items()),
            BackupEntry(_full("operation"), BackupOperation()),
        )

    def item_block(self) -> Sequence[ItemBlockEntry]:
        return (ItemBlockEntry(_full("related"), Related()),) if self.with_item_blocks else ()

    def restore(self) -> Sequence[RestoreEntry]:
        return tuple(RestoreEntry(_full(name), action) for name, action in _RESTORE.items())


def _name(function: Callable[..., Any]) -> str:
    return function.__name__.strip("_").replace("_", "-")


def _full(name: str) -> str:
    return f"stillpoint.test/{name}"


def main(*, with_item_blocks: bool = True) -> int:
    """The real plugin's process with another catalogue."""
    catalogue = Catalogue(with_item_blocks)
    for kind in ("backup", "item_block", "restore"):
        setattr(stillpoint.catalogue, kind, getattr(catalogue, kind))
    return stillpoint.__main__.main()
