"""The faults by name: `none`, or who, what becomes of it and when, as `holder-kill-lock`."""

import itertools
import random
from typing import Iterator

PHASES = ("prepare", "lock", "held", "release")


def every(order: random.Random) -> Iterator[str]:
    """All of them again and again, each time in another order; for ever."""
    known = ["none", "twice", "thaw-early", "watchdog", "socket-gone", "disk-full", "clock"]
    victims = ("agent", "client", "holder", "session")
    for victim, act in itertools.product(victims, ("kill", "stop")):
        known += ["%s-%s-%s" % (victim, act, phase) for phase in PHASES]
    for name, act in itertools.product(("session", "lasting"), ("fail", "fault", "hang")):
        known += ["%s-%s-%s" % (name, act, phase) for phase in PHASES if phase != "held"]
    while True:
        order.shuffle(known)
        for name in known:
            yield name
