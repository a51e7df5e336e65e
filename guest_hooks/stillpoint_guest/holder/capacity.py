"""The number of applications in a freeze: each takes a thread, two clients and their pipes."""

import resource
from typing import Dict, List, Sequence, Tuple

from stillpoint_guest.driver import Driver
from stillpoint_guest.errors import Unreachable
from stillpoint_guest.options.section import DISCOVERED, Section
from stillpoint_guest.sockets import peer

_MOST_APPLICATIONS = 64
_MOST_DESCRIPTORS = 1024  # what select(2) can wait for
_OURS = 48  # descriptors beside those of applications: clients, marks, the record
_EACH = 8  # two clients with three pipes each, and what their start takes
_MOST_NAMES = 12
CONFIGURED = -1  # or hooks that were found, which are root's
ENDED = -2  # a found process that nobody can ask any more


def raise_limit() -> None:
    """Raises the limit of descriptors as far as useful, and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def select(drivers: Sequence[Driver]) -> Tuple[List[Driver], List[str]]:
    """Selects the drivers that there is room for: all configured ones, then found ones.

    Found drivers take turns by kind and by account, so that many of one account displace no
    other's.

    Returns:
        The drivers, and a warning that names the others.
    """
    found = [one for one in drivers if one.section.source == DISCOVERED]
    room = max(0, _most() - (len(drivers) - len(found)))
    left = _in_turn(found)[room:]
    if not left:
        return list(drivers), []
    names = [one.section.name for one in left[:_MOST_NAMES]]
    more = [f"{len(left) - len(names)} others"] if len(left) > len(names) else []
    warning = f"no room in one freeze for {len(left)} more, left alone: {', '.join(names + more)}"
    hint = "HINT: sections for those that matter, enabled = no for the others"
    return [one for one in drivers if one not in left], [f"{warning}; {hint}"]


def _most() -> int:
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if descriptors == resource.RLIM_INFINITY:
        return _MOST_APPLICATIONS
    return max(1, min(_MOST_APPLICATIONS, (descriptors - _OURS) // _EACH))


def _in_turn(found: Sequence[Driver]) -> List[Driver]:
    taken: Dict[Tuple[str, int], int] = {}
    turns: List[Tuple[int, int]] = []
    for number, one in enumerate(found):
        whose = one.section.kind, owner(one.section)
        taken[whose] = taken.get(whose, 0) + 1
        turns.append((taken[whose], number))
    return [found[number] for _, number in sorted(turns)]


def owner(section: Section) -> int:
    """The user of a found server, or one of the constants above."""
    if section.source != DISCOVERED or not section.process:
        return CONFIGURED
    try:
        return peer.user_of(section.process)
    except Unreachable:
        return ENDED
