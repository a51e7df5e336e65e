"""`stillpoint-guest check`: whether a freeze would work, without one."""

import os
from typing import Iterator, Sequence

from guest_hooks import client, mounts, plan, qemu_agent
from guest_hooks.deadline import Deadline
from guest_hooks.driver import Driver, Finding
from guest_hooks.errors import GuestError
from guest_hooks.places import Places
from guest_hooks.plan import Kinds, Plan
from guest_hooks.worker import within

_DRIVER_S = 5.0
_BUDGETS_S = (("1.5", 5), ("1.6 and 1.7", 20), ("1.8 and newer", 60))  # of KubeVirt's freeze


def findings(places: Places, kinds: Kinds) -> Iterator[Finding]:
    """Everything that was looked at, good or not."""
    yield from qemu_agent.findings()
    yield from _places(places)
    yield from _deadlocks()
    try:
        todo = plan.plan(places, kinds)
    except GuestError as error:
        yield Finding(is_good=False, text=str(error))
        return
    yield from _budgets(todo)
    for driver in todo.drivers:
        yield from _driver(driver)
    for warning in todo.warnings:
        yield Finding(is_good=False, text=warning, is_blocking=False)


def lines(found: Sequence[Finding]) -> Iterator[str]:
    """The same for people."""
    for one in found:
        mark = "good   " if one.is_good else "BLOCKED" if one.is_blocking else "warning"
        yield f"{mark}  {one.text}" + (f"; HINT: {one.hint}" if one.hint else "")


def _places(places: Places) -> Iterator[Finding]:
    if client.status(places):
        yield Finding(is_good=True, text="the holder answers")
    run = os.path.dirname(places.run)
    is_memory = not mounts.holding(run, mounts.mounts()).holds_writers
    yield Finding(is_memory, f"{run} is in memory", "" if is_memory else f"mount a tmpfs on {run}")
    state = places.state
    while not os.path.exists(state):
        state = os.path.dirname(state)
    can_write = os.access(state, os.W_OK)
    hint = "" if can_write else "a copy of this disk will not know when it was cut"
    yield Finding(can_write, f"{places.state} takes the record", hint, is_blocking=False)


def _deadlocks() -> Iterator[Finding]:
    found = list(mounts.deadlocks(mounts.mounts()))
    for why in found:
        yield Finding(is_good=False, text=f"the freeze would hang: {why}", hint="unmount one")
    if not found:
        yield Finding(is_good=True, text="the filesystems can be frozen in the agent's order")


def _budgets(todo: Plan) -> Iterator[Finding]:
    for version, most_s in _BUDGETS_S:
        is_good = todo.freeze_s < most_s
        text = f"KubeVirt {version}: a freeze may take {most_s} s, ours up to {todo.freeze_s:g} s"
        yield Finding(is_good, text, "" if is_good else "profile = fast", is_blocking=False)


def _driver(driver: Driver) -> Iterator[Finding]:
    name = driver.section.name
    deadline = Deadline.after(_DRIVER_S)
    try:
        yield from within(deadline, name, "check", lambda: driver.check(deadline))
    except GuestError as error:
        is_blocking = not driver.section.can_be_left_out(error)
        yield Finding(is_good=False, text=str(error), is_blocking=is_blocking)
    finally:
        driver.commands.close()
