"""`stillpoint-guest check`: predicts if a freeze would work, without freezing."""

import os
from typing import Iterator, Sequence

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver, Finding, Report
from stillpoint_guest.errors import GuestError, Unreachable
from stillpoint_guest.filesystems import agent_freeze, mounts
from stillpoint_guest.filesystems.reach import Reach, of_agent
from stillpoint_guest.holder import plan
from stillpoint_guest.holder.plan import Kinds, Plan
from stillpoint_guest.hook import holder_status, qemu_agent
from stillpoint_guest.places import Places
from stillpoint_guest.verbs import on_copy
from stillpoint_guest.worker import within

_DRIVER_S = 5.0
_BUDGETS_S = (("1.5", 5), ("1.6 and 1.7", 20), ("1.8 and newer", 60))  # of KubeVirt's freeze

_ANY = Unreachable("any", "bring it to rest", "it is not held")


def findings(places: Places, kinds: Kinds) -> Iterator[Finding]:
    """Everything that was looked at, good or not."""
    yield from qemu_agent.findings()
    yield from _places(places)
    yield from on_copy.findings(places)
    agent = qemu_agent.process()
    reach = of_agent(agent)
    try:
        todo = plan.plan(places, kinds)
    except GuestError as error:
        yield Finding(is_good=False, text=str(error))
        yield from agent_freeze.findings(reach, agent, is_blocking=False)
        return
    is_wanted = [not driver.section.can_be_left_out(_ANY) for driver in todo.drivers]
    yield from agent_freeze.findings(reach, agent, is_blocking=any(is_wanted))
    yield from _budgets(todo)
    for driver in todo.drivers:
        yield from _driver(driver, reach)
    for warning in todo.warnings:
        yield Finding(is_good=False, text=warning, is_blocking=False)


def lines(found: Sequence[Finding]) -> Iterator[str]:
    """The same for people."""
    for one in found:
        mark = "good   " if one.is_good else "BLOCKED" if one.is_blocking else "warning"
        yield f"{mark}  {one.text}" + (f"; HINT: {one.hint}" if one.hint else "")


def _places(places: Places) -> Iterator[Finding]:
    status = holder_status.ask(places)
    if status:
        yield Finding(is_good=True, text="the holder answers")
        for warning in status.unread:
            yield Finding(is_good=False, text=warning, is_blocking=False)
    run = os.path.dirname(places.run)
    mount = mounts.table().holding(os.path.realpath(run))
    is_memory = mount is None or not mount.holds_writers
    verb = "is" if is_memory else "is not"
    hint = "" if is_memory else f"mount a tmpfs on {run}"
    yield Finding(is_memory, f"{run} {verb} in memory", hint)
    state = places.state
    while not os.path.exists(state):
        state = os.path.dirname(state)
    can_write = os.access(state, os.W_OK)
    if can_write:
        yield Finding(is_good=True, text=f"{places.state} takes the record")
    else:
        text = f"{state} cannot be written: a copy will not know when its snapshot was taken"
        yield Finding(is_good=False, text=text, is_blocking=False)


def _budgets(todo: Plan) -> Iterator[Finding]:
    for version, most_s in _BUDGETS_S:
        is_good = todo.freeze_s < most_s
        text = f"KubeVirt {version}: a freeze may take {most_s} s, ours up to {todo.freeze_s:g} s"
        yield Finding(is_good, text, "" if is_good else "profile = fast", is_blocking=False)


def _driver(driver: Driver, reach: Reach) -> Iterator[Finding]:
    name = driver.section.name
    deadline = Deadline.after(_DRIVER_S)
    try:
        found = within(deadline, name, "check", lambda: driver.check(deadline))
        yield from found
        yield from _data(driver, [folder for one in found for folder in one.folders], reach)
    except GuestError as error:
        is_blocking = not driver.section.can_be_left_out(error)
        yield Finding(is_good=False, text=str(error), is_blocking=is_blocking)
    finally:
        driver.commands.close()


def _data(driver: Driver, folders: Sequence[str], reach: Reach) -> Iterator[Finding]:
    """Checks if a freeze covers the data of a promise."""
    report = Report("", folders=tuple(folders))
    deadline = Deadline.after(_DRIVER_S)
    for warning in reach.judge(report, driver.section.process, deadline).warnings:
        text = f"{driver.section.name}: {warning}"
        yield Finding(is_good=False, text=text, is_blocking=False)
