"""Each rule: a case in which it counts, and for each of its conditions one in which it does not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from stillpoint.evidence import rules
from stillpoint.evidence.case import Case
from stillpoint.evidence.conclusion import conclude
from stillpoint.evidence.console import ConsoleLine
from stillpoint.evidence.console import State as Moment
from stillpoint.evidence.document import Evidence, Span, Statement, Subject
from stillpoint.evidence.observations import (
    Cut,
    Heard,
    Look,
    Method,
    Observations,
    State,
    Thaw,
)
from stillpoint.model.level import Level
from tests.unit.evidence.timelines import at

RUNNING = State("u-1", "Running", ("l-1",), "n-1", "a-1", os="debian")
FROZEN = replace(RUNNING, is_frozen=True)
OFF = State(machine_version="7")
SKEW = -12.0


def look(received: float, state: State = RUNNING) -> Look:
    return Look(at(received), state)


def asked(moment: float, state: State = RUNNING) -> Look:
    return Look(at(moment + 0.1), state, at(moment))


def heard(moment: float, state: Moment, **facts: Any) -> Heard:
    line = ConsoleLine(at(moment + SKEW), state, facts.pop("id", "5b0c"), "b-1")
    is_live = facts.pop("is_live", True)
    late = facts.pop("late", 0.02)
    return Heard(replace(line, **facts), at(moment + late), is_live)


HELD = heard(2, Moment.HELD, verdict=Level.APPLICATION, applications=("postgresql:15/main",))
RELEASED = heard(9, Moment.RELEASED, held_s=7.0, by="thaw")
OVER = heard(9.2, Moment.OVER)
PLAIN = Observations(
    "shop",
    Subject("VirtualMachine", "db", "m-1"),
    started=at(0),
    began=at(0.9),
    is_before_hook=True,
    has_hook=True,
    has_console=True,
    looks=(asked(0.9),),
    watches=(Span(at(1.2), at(40)),),
    is_hook_failed=False,
    safety_thaws=(),
    others=(),
    later=(),
)
CUT = Cut(Subject("PersistentVolumeClaim", "root", "c-1"), at(3), at(6), in_block_of=("db",))
LONG = replace(CUT, not_after=at(8.9))
TOLD = replace(PLAIN, lines=(HELD, RELEASED, OVER))
LESS = replace(HELD, line=replace(HELD.line, verdict=Level.FILESYSTEM))
THAWED = replace(PLAIN, thaws=(Thaw(at(6.1), at(6.4)),))
SEEN = replace(PLAIN, looks=(asked(0.9), look(2.9, FROZEN), look(13)))
PAUSED = replace(RUNNING, paused_since="p-1")
FIRST_THAWED = replace(
    PLAIN,
    lines=(HELD, heard(2.8, Moment.RELEASED, held_s=0.8, by="thaw"), heard(2.9, Moment.OVER)),
)
NO_AGENT = replace(RUNNING, agent_since="")

BASES: dict[str, tuple[Observations, Cut]] = {
    "stopped": (replace(PLAIN, looks=(asked(0.9, OFF), asked(20, OFF)), watches=()), CUT),
    "paused": (replace(PLAIN, looks=(asked(0.9, PAUSED), asked(20, PAUSED))), CUT),
    "application-held": (TOLD, CUT),
    "application-thawed": (TOLD, LONG),
    "filesystem-held": (replace(TOLD, lines=(LESS, RELEASED, OVER)), CUT),
    "filesystem-thawed": (replace(TOLD, lines=(LESS, RELEASED, OVER)), LONG),
    "filesystem-seen": (SEEN, CUT),
    "filesystem-expected": (THAWED, CUT),
    "crash-thawed": (FIRST_THAWED, CUT),
    "crash-no-agent": (replace(PLAIN, looks=(asked(0.9, NO_AGENT),)), CUT),
    "crash-no-hook": (replace(PLAIN, has_hook=False, is_hook_failed=None), CUT),
    "crash-hook-failed": (replace(PLAIN, is_hook_failed=True), CUT),
    "unknown": (replace(PLAIN, looks=()), CUT),
}

Change = dict[str, Any]
FAILED: Change = {"is_hook_failed": None}
MIGRATED: Change = {"looks": (asked(0.9), look(4, replace(RUNNING, launchers=("l-2",))))}
HOSTPATH: Change = {"driver": "hostpath.csi.k8s.io"}
OTHERS: Change = {"others": ("VirtualMachineSnapshot nightly",)}
FREEZE_SEEN: Change = {"looks": (asked(0.9), look(4, FROZEN), look(6.5))}
LATER: Change = {"is_before_hook": False}
SAID: Change = {"lines": (HELD,)}
FORMER = tuple(
    replace(one, received=at(1.3))  # at once: so how the node's clock goes is not known
    for one in (
        heard(-20, Moment.HELD, id="former", is_live=False),
        heard(-15, Moment.RELEASED, id="former", held_s=5.0, by="thaw", is_live=False),
        heard(-14, Moment.OVER, id="former", is_live=False),
    )
)
"""Lines of the backup before this one."""
JUST_BEFORE = tuple(
    replace(one, received=at(1.3))
    for one in (
        heard(-1, Moment.HELD, id="former", is_live=False),
        heard(0.8, Moment.RELEASED, id="former", held_s=1.8, by="thaw", is_live=False),
        heard(1.1, Moment.OVER, id="former", is_live=False),
    )
)
"""Of one that was over in the second in which this one began."""

UNLESS: dict[str, dict[str, Sequence[Change]]] = {
    "stopped": {
        "not-running": [
            {"looks": (asked(0.9, OFF), asked(20))},
            {"looks": (asked(0.9), asked(20, OFF))},
            {"looks": (asked(0.9, OFF), look(4, RUNNING), asked(20, OFF))},
            {"looks": (asked(0.9, OFF), asked(6, OFF))},
            {"looks": (asked(4, OFF), asked(20, OFF))},
            {"dropped": 1},
        ],
        "not-started": [
            {"looks": (asked(0.9, OFF), asked(20, replace(OFF, machine_version="9")))},
            {"looks": (asked(0.9, State()), asked(20, State()))},
        ],
    },
    "paused": {
        "paused": [
            {"looks": (asked(0.9), asked(20, PAUSED))},
            {"looks": (asked(0.9, PAUSED), look(5), look(5.5, PAUSED))},
            {"looks": (asked(0.9, PAUSED), look(11))},
            {"looks": (asked(0.9, PAUSED), look(5, replace(PAUSED, paused_since="p-2")))},
            {"looks": (asked(0.9, PAUSED), look(5, replace(PAUSED, uid="u-2")))},
        ],
        "point-in-time": [HOSTPATH],
    },
    "application-held": {
        "one-run": [MIGRATED, {"looks": ()}, {"watches": (), "looks": (asked(0.9),)}],
        "held-by-guest|held-by-hook": [
            {"lines": (RELEASED, OVER)},
            {"lines": (HELD, heard(2.5, Moment.HELD, id="other"), RELEASED, OVER)},
            {"lines": (HELD, replace(RELEASED, line=replace(RELEASED.line, boot="b-2")), OVER)},
            {"not_before": at(2.01), "others": None},
            {"not_before": at(2.01), "is_before_hook": False},
            {"not_before": at(2.01), "in_block_of": (), "looks": (asked(0.9), look(2, FROZEN))},
            {"lines": (replace(HELD, received=at(4.1)), RELEASED, OVER), "others": None},
            {
                "lines": (
                    heard(6.1, Moment.HELD, verdict=Level.APPLICATION),
                    heard(19, Moment.RELEASED, held_s=12.9, by="thaw"),
                    OVER,
                )
            },
            {
                "not_before": at(1),
                "not_after": at(3),
                "lines": (
                    heard(2, Moment.HELD, verdict=Level.APPLICATION),
                    heard(9, Moment.RELEASED, held_s=14.1, by="thaw"),
                    OVER,
                ),
            },
            {"lines": (heard(-9, Moment.HELD, is_live=False, late=12), RELEASED, OVER)},
            {"dropped": 1},
        ],
        "all-at-rest": [{"lines": (LESS, RELEASED, OVER)}],
        "hook-succeeded|frozen-alone-before": [
            FAILED,
            {"has_hook": None},
            {"is_hook_failed": True},
            {"in_block_of": ()},
            FAILED | {"looks": (asked(0.9), look(3.1, FROZEN))},
            FAILED | {"looks": (asked(0.9), look(2.9, FROZEN)), "others": None},
        ],
        "released-late": [
            {"lines": (HELD, OVER)},
            {"not_after": at(7.5)},
            {"lines": (HELD, replace(RELEASED, is_live=False, received=at(8.9)), OVER)},
            {"lines": (HELD, replace(RELEASED, received=at(11.1)), OVER)},
            {"lines": (HELD, heard(9, Moment.RELEASED, held_s=5.9, by="thaw"), OVER)},
            {
                "lines": (
                    heard(2, Moment.HELD, verdict=Level.APPLICATION, is_live=False, late=0.9),
                    heard(4, Moment.RELEASED, held_s=2.0, by="thaw", late=4.5),
                    heard(4.2, Moment.OVER, late=4.4),
                )
            },
        ],
        "nothing-lost": [
            {"lines": (HELD, RELEASED)},
            {"lines": (HELD, RELEASED, replace(OVER, line=replace(OVER.line, is_lost=True)))},
            {"lines": (HELD, replace(RELEASED, line=replace(RELEASED.line, is_lost=True)), OVER)},
        ],
    },
    "application-thawed": {
        "one-run": [MIGRATED],
        "held-by-guest|held-by-hook": [{"lines": (RELEASED, OVER)}, {"not_before": at(1), **LATER}],
        "all-at-rest": [{"lines": (LESS, RELEASED, OVER)}],
        "hook-succeeded": [FAILED, {"in_block_of": ()}],
        "released-by-thaw": [
            {"not_after": at(9.1)},
            {"not_after": at(9.03)},
            {"thaws": (Thaw(at(8.8), at(8.95)),)},
            {"thaws": (Thaw(at(9.03), at(9.1)),)},
            {"lines": (HELD, OVER)},
            {"lines": (HELD, replace(RELEASED, is_live=False, received=at(8.9)), OVER)},
            {"lines": (HELD, heard(9, Moment.RELEASED, held_s=7.0, by="other"), OVER)},
        ],
        "alone": [{"others": None}, OTHERS],
        "no-safety-thaw|too-soon-for-safety-thaw": [
            {"safety_thaws": (at(8 + SKEW),)},
            {"safety_thaws": (at(10 + SKEW),)},
            {
                "safety_thaws": None,
                "not_after": at(308.9),
                "watches": (Span(at(1.2), at(400)),),
                "lines": (HELD, heard(309, Moment.RELEASED, held_s=307.0, by="thaw"), OVER),
            },
        ],
        "nothing-lost": [{"lines": (HELD, RELEASED)}],
    },
    "filesystem-held": {
        "one-run": [MIGRATED],
        "held-by-guest|held-by-hook": [{"lines": (RELEASED, OVER)}, {"not_before": at(1), **LATER}],
        "hook-succeeded|frozen-alone-before": [FAILED],
        "released-late": [{"not_after": at(7.5)}],
    },
    "filesystem-thawed": {
        "one-run": [MIGRATED],
        "held-by-guest|held-by-hook": [{"lines": (RELEASED, OVER)}, {"not_before": at(1), **LATER}],
        "hook-succeeded": [FAILED],
        "released-by-thaw": [{"not_after": at(9.1)}],
        "alone": [OTHERS],
        "no-safety-thaw|too-soon-for-safety-thaw": [{"safety_thaws": (at(8 + SKEW),)}],
    },
    "filesystem-seen": {
        "one-run": [{"looks": (asked(0.9), look(2.9, FROZEN), look(5, replace(FROZEN, node="m")))}],
        "alone": [OTHERS, {"others": None}],
        "hook-succeeded|frozen-before": [
            FAILED | {"looks": (asked(0.9), look(3.5, FROZEN))},
            FAILED | {"looks": (asked(0.9), look(2, FROZEN), look(2.9), look(3.5, FROZEN))},
            FAILED | {"watches": (), "looks": (asked(0.9), look(2.9, FROZEN), asked(12, FROZEN))},
        ],
        "still-frozen": [
            {"looks": (asked(0.9), look(2.9, FROZEN), look(11.9))},
            {"looks": (asked(0.9), look(2.9, FROZEN), look(5), look(6, FROZEN))},
            {"watches": (Span(at(1.2), at(11)),)},
            {"watches": (Span(at(7.1), at(40)),)},
            {"watches": (), "looks": (asked(0.9), look(2.9, FROZEN), asked(12, FROZEN))},
            {"looks": (asked(0.9), look(2.9, FROZEN), look(8, replace(FROZEN, agent_since="")))},
            {"later": (at(11),)},
            {"later": None},
        ],
        "not-too-long-for-windows": [
            {
                "looks": (asked(0.9, replace(RUNNING, os=os)), look(2.9, replace(FROZEN, os=os))),
                "not_after": at(10.91),
            }
            for os in ("mswindows", "")
        ],
    },
    "filesystem-expected": {
        "one-run": [{"looks": (asked(0.9), look(4, replace(RUNNING, node="n-2")))}],
        "agent": [
            {"looks": (asked(0.9, NO_AGENT),)},
            {"looks": (asked(0.9), look(4, NO_AGENT), look(5))},
            {"looks": (asked(0.9), look(4, replace(RUNNING, agent_since="a-2")))},
            {"looks": (asked(0.9), look(4, PAUSED), look(5))},
            {"is_before_hook": False},
        ],
        "unfrozen-at-first": [
            {"looks": (asked(0.9, FROZEN), look(2))},
            {"looks": (asked(0.9, FROZEN),), "not_after": at(5), "watches": (Span(at(1), at(12)),)},
        ],
        "hook-succeeded": [FAILED],
        "alone": [OTHERS, {"others": None}],
        "no-safety-thaw|too-soon-for-safety-thaw": [
            {"safety_thaws": (at(5 + SKEW),)},
            {
                "safety_thaws": None,
                "not_after": at(301),
                "thaws": (Thaw(at(302), at(303)),),
                "watches": (Span(at(1.2), at(400)),),
            },
        ],
        "not-released-before": [
            {"lines": (HELD, heard(5, Moment.RELEASED, held_s=3.0, by="thaw"))},
            {"lines": (HELD, heard(5.9, Moment.RELEASED, held_s=3.9, by="thaw", late=2.0))},
            {"lines": (heard(5, Moment.OVER),)},
            {"lines": (HELD, heard(2.5, Moment.HELD, id="other"))},
        ],
        "thawed-by-plugin|seen-frozen": [
            {"thaws": ()},
            {"thaws": (Thaw(at(5.9), at(6.2)),)},
            {"thaws": (Thaw(at(5.9), at(6.2)),), "looks": (asked(0.9), look(3, FROZEN))},
            {"thaws": (Thaw(at(5.9)),), "looks": (asked(0.9), look(3, FROZEN), look(6.5))},
            {"thaws": (Thaw(at(6.1)),)},
            {"thaws": (), "looks": (asked(0.9), look(3, FROZEN), look(5.9))},
            {"thaws": (), "watches": (), "looks": (asked(0.9), asked(13, FROZEN))},
            {"thaws": (), "looks": (asked(0.9), look(8, FROZEN), look(9)), "later": (at(7),)},
            {"thaws": (), "looks": (asked(0.9), look(5.9, FROZEN), look(6.5)), "later": None},
        ],
        "not-too-long-for-windows": [
            {
                "looks": (asked(0.9, replace(RUNNING, os=os)),),
                "not_after": at(10.91),
                "thaws": (Thaw(at(11), at(12)),),
            }
            for os in ("mswindows", "")
        ],
    },
    "crash-thawed": {
        "running": [{"looks": (asked(0.9), look(4, PAUSED))}],
        "one-run": [MIGRATED],
        "released-before|thawed-by-plugin-before|safety-thaw-before|seen-thawed": [
            {"lines": ()},
            {"not_before": at(2.5)},
            {"lines": (HELD, heard(2.1, Moment.RELEASED, held_s=0.8, by="thaw"))},
            {"lines": (replace(HELD, is_live=False), FIRST_THAWED.lines[1]), "started": at(0.1)},
            {"lines": (), "thaws": (Thaw(at(2.8)),)},
            {"lines": (), "thaws": (Thaw(at(2.8), at(3.1)),)},
            {"lines": (), "safety_thaws": (at(2 + SKEW),)},
            {"lines": (HELD,), "safety_thaws": (at(3 + SKEW),)},
            {"lines": (), "looks": (asked(0.9), look(2, FROZEN), look(3.1))},
            {"lines": (), "looks": (asked(0.9), look(2, FROZEN), look(2.9)), "others": None},
            {"lines": (), "looks": (asked(0.9, FROZEN), look(2.9))},
        ],
        "not-frozen-again": [
            {"looks": (asked(0.9), look(5, FROZEN))},
            {"watches": (), "looks": (asked(0.9), asked(20))},
        ],
        "point-in-time": [HOSTPATH],
    },
    "crash-no-agent": {
        "running": [{"looks": (asked(0.9, NO_AGENT), look(4, OFF))}],
        "no-agent": [
            {"looks": (asked(0.9, NO_AGENT), look(4))},
            {"is_before_hook": False},
        ],
        "never-frozen": [
            {"looks": (asked(0.9, replace(NO_AGENT, is_frozen=True)),)},
            {"watches": (), "looks": (asked(0.9, NO_AGENT), asked(20, NO_AGENT))},
        ],
        "point-in-time": [HOSTPATH],
    },
    "crash-no-hook": {
        "running": [{"looks": (asked(0.9), look(4, OFF))}],
        "no-hook": [{"has_hook": None}, {"has_hook": True}],
        "never-frozen": [FREEZE_SEEN, {"watches": ()}],
        "alone": [OTHERS, {"others": None}],
        "no-line": [SAID, {"dropped": 1}],
        "point-in-time": [HOSTPATH],
    },
    "crash-hook-failed": {
        "running": [{"looks": (asked(0.9), look(4, OFF))}],
        "hook-failed": [{"is_hook_failed": None}],
        "never-frozen": [FREEZE_SEEN],
        "alone": [OTHERS],
        "no-line": [
            SAID,
            {"lines": FORMER[:1]},
            {"lines": tuple(replace(one, received=at(3.1)) for one in FORMER)},
            {"lines": (*FORMER, HELD)},
            {"lines": (RELEASED,)},
        ],
        "point-in-time": [HOSTPATH],
    },
    "unknown": {},
}


def changed(base: tuple[Observations, Cut], change: Change) -> tuple[Observations, Cut]:
    seen, cut = base
    of_cut = {key: value for key, value in change.items() if hasattr(cut, key)}
    of_guest = {key: value for key, value in change.items() if key not in of_cut}
    return replace(seen, **of_guest), replace(cut, **of_cut)


def rule(seen: Observations, cut: Cut) -> str:
    [evidence] = conclude(seen, [cut])
    return evidence.proofs[0].code if evidence.proofs else "unknown"


def conditions(row: rules.Row) -> Iterator[str]:
    for ways in row.alternatives:
        yield "|".join(way.code for way in ways)


@pytest.mark.parametrize("code", BASES)
def test_a_rule_counts(code: str) -> None:
    assert rule(*BASES[code]) == code


def test_every_condition_of_every_rule_has_its_case() -> None:
    assert {row.code: set(conditions(row)) for row in rules.ROWS} == {
        code: set(changes) for code, changes in UNLESS.items()
    }


@pytest.mark.parametrize(
    ("code", "condition", "change"),
    [
        pytest.param(code, condition, change, id=f"{code}-{condition}-{number}")
        for code, unless in UNLESS.items()
        for condition, changes in unless.items()
        for number, change in enumerate(changes)
    ],
)
def test_a_rule_does_not_count_unless(code: str, condition: str, change: Change) -> None:
    """Without one condition, which is the only one that is missing."""
    seen, cut = changed(BASES[code], change)
    assert cut.not_before
    assert cut.not_after
    case = Case(seen, cut.not_before, cut.not_after, bool(cut.in_block_of), not cut.driver)
    row = next(row for row in rules.ROWS if row.code == code)
    missing = {one.code for one in rules.hold_against(case, row).missing}
    assert missing & set(condition.split("|"))
    assert rule(seen, cut) != code


ANOTHER_WAY: dict[str, Sequence[Change]] = {
    "application-held": [
        FAILED | {"looks": (asked(0.9), look(2.9, FROZEN))},
        {"lines": (replace(HELD, is_live=False), RELEASED, OVER)},
        {"lines": (*FORMER, HELD, RELEASED, OVER)},
        {"lines": (*JUST_BEFORE, HELD, RELEASED, OVER)},
        {"lines": (*(replace(one, is_live=True) for one in FORMER), HELD, RELEASED, OVER)},
        {"watches": (), "looks": (asked(0.9), asked(20))},
        {
            "lines": (
                heard(0.5, Moment.HELD, verdict=Level.APPLICATION, is_live=False),
                replace(RELEASED, line=replace(RELEASED.line, held_s=8.5)),
                OVER,
            )
        },
        {"lines": (replace(HELD, is_live=False), replace(RELEASED, is_live=False), OVER)},
        {"has_console": None},
        {"not_before": at(1.1)},
        {"lines": (heard(2, Moment.HELD, verdict=Level.APPLICATION, late=1.5), RELEASED, OVER)},
    ],
    "application-thawed": [
        {"safety_thaws": None},
        {"safety_thaws": (at(12 + SKEW),)},
        {"thaws": (Thaw(at(8.91), at(9.1)),)},
        {"thaws": (Thaw(at(8.91)),)},
        {"later": (at(9),)},
        {"later": None},
        {"not_before": at(1.1)},
        LATER,
    ],
    "filesystem-held": [
        FAILED | {"looks": (asked(0.9), look(2.9, FROZEN))},
        {"not_before": at(1.1)},
    ],
    "filesystem-thawed": [{"safety_thaws": None}, {"not_before": at(1.1)}, LATER],
    "filesystem-seen": [
        FAILED,
        {"looks": (asked(0.9), look(3.5, FROZEN), look(13))},
        {"looks": tuple(replace(one, state=replace(one.state, os="")) for one in SEEN.looks)},
    ],
    "filesystem-expected": [
        {"thaws": (), "looks": (asked(0.9), look(5.9, FROZEN), look(6.5))},
        {"thaws": (), "looks": (asked(0.9), look(5.9, FROZEN), look(6.5)), "later": (at(7),)},
        {"later": (at(6),)},
        {"lines": (HELD,)},
        {"safety_thaws": None},
        {"watches": (), "looks": (asked(0.9), asked(20))},
    ],
    "stopped": [
        {"watches": PLAIN.watches, "looks": (asked(0.9, State()),)},
        {"looks": (asked(0.9, replace(OFF, uid="u", phase="Succeeded")), asked(20, OFF))},
        HOSTPATH,
    ],
    "crash-thawed": [
        {"lines": (), "thaws": (Thaw(at(2.5), at(2.9)),)},
        {"lines": (HELD,), "safety_thaws": (at(2.5 + SKEW),), **FAILED},
        {"lines": (), "looks": (asked(0.9), look(2, FROZEN), look(2.9))},
        {"lines": (), "looks": (asked(0.9, FROZEN), look(2.9)), "has_hook": False},
        {"lines": (), "looks": (asked(0.9, FROZEN), look(2.9)), "is_hook_failed": True},
    ],
    "crash-no-hook": [{"lines": FORMER}],
    "crash-hook-failed": [
        {"lines": FORMER},
        {"lines": FORMER[1:]},
        {"lines": (heard(-30, Moment.COPIED, id="former", is_live=False),)},
    ],
}


@pytest.mark.parametrize(
    ("code", "change"),
    [
        pytest.param(code, change, id=f"{code}-{number}")
        for code, changes in ANOTHER_WAY.items()
        for number, change in enumerate(changes)
    ],
)
def test_a_rule_counts_in_another_way(code: str, change: Change) -> None:
    assert rule(*changed(BASES[code], change)) == code


def machine(seen: Observations, *cuts: Cut, **more: Any) -> list[str]:
    """The levels of disks, and that of the machine."""
    evidences = conclude(seen, cuts, **more)
    assert len({evidence.machine_level for evidence in evidences}) == 1
    return [*(evidence.level for evidence in evidences), evidences[0].machine_level]


def cut(start: float, end: float, **more: Any) -> Cut:
    return Cut(CUT.claim, at(start), at(end), in_block_of=("db",), **more)


def test_disks_of_one_frozen_window_are_as_one() -> None:
    assert machine(TOLD, cut(3, 4), cut(4, 6)) == ["application"] * 3


def test_the_worst_of_one_frozen_window_counts() -> None:
    seen = replace(TOLD, others=None, safety_thaws=None, looks=(asked(0.9),))
    assert machine(seen, cut(3, 4), cut(4, 8)) == ["application", "unknown", "unknown"]
    seen = replace(TOLD, lines=(HELD,), looks=(asked(0.9), look(2, FROZEN), look(13)))
    assert machine(seen, cut(3, 4), cut(4, 6)) == ["filesystem"] * 3


def test_a_disk_in_the_block_of_another_guest_is_not_known_to_come_after_this_one_s_hook() -> None:
    """It was moved to this guest after its block had been built."""
    seen, disk = BASES["filesystem-expected"]
    moved = replace(disk, in_block_of=("web",), machines=("db", "web"))
    assert rule(seen, disk) == "filesystem-expected"
    assert rule(seen, moved) == "unknown"
    of_both, other = replace(disk, in_block_of=("db",), shared_with=("web",)), seen
    web = replace(other, machine=replace(other.machine, name="web"))
    assert machine(seen, of_both, others={"web": web}) == ["unknown", "unknown"]


def test_disks_before_and_after_a_thaw_are_mixed() -> None:
    assert machine(TOLD, cut(3, 4), cut(10, 11)) == ["application", "crash", "mixed"]


def test_disks_of_two_frozen_windows_are_not_as_one() -> None:
    looks = (asked(0.9), look(2, FROZEN), look(20), look(30, FROZEN), look(50))
    seen = replace(PLAIN, looks=looks, watches=(Span(at(1), at(60)),))
    assert machine(seen, cut(3, 4), cut(31, 32)) == ["filesystem", "filesystem", "unknown"]


def test_disks_of_a_running_guest_are_mixed_unless_there_is_one() -> None:
    seen, _ = BASES["crash-no-hook"]
    assert machine(seen, cut(3, 4)) == ["crash", "crash"]
    assert machine(seen, cut(3, 4), cut(3, 4)) == ["crash", "crash", "mixed"]


def test_a_pause_in_the_frozen_window_makes_no_difference_to_the_machine() -> None:
    paused = (asked(0.9), look(4.5, PAUSED), look(60))
    seen = replace(TOLD, looks=paused, watches=(Span(at(1), at(70)),))
    assert machine(seen, cut(3, 4), cut(5, 6)) == ["application", "paused", "application"]
    assert machine(seen, cut(3, 4), cut(5, 20)) == ["application", "paused", "unknown"]


def test_disks_before_and_after_a_start_are_mixed() -> None:
    looks = (asked(0.9, OFF), look(20, NO_AGENT))
    seen = replace(PLAIN, looks=looks, watches=(Span(at(1), at(90)),))
    assert machine(seen, cut(3, 4), cut(30, 31)) == ["stopped", "crash", "mixed"]


def test_all_disks_of_a_stopped_or_a_paused_guest_are_as_one() -> None:
    for code in ("stopped", "paused"):
        assert machine(BASES[code][0], cut(3, 4), cut(8, 9)) == [code] * 3


@pytest.mark.parametrize("method", Method)
def test_a_disk_whose_moment_nobody_knows_leaves_the_machine_unknown(method: Method) -> None:
    for unknown in (Cut(CUT.claim, None, at(4), method), Cut(CUT.claim, at(3), None, method)):
        assert machine(TOLD, cut(3, 4), unknown) == ["application", "unknown", "unknown"]
        assert conclude(TOLD, [unknown])[0].missing[0].code == "no-moment"


def test_a_snapshot_that_is_there_before_it_was_asked_for_says_nothing() -> None:
    assert machine(TOLD, cut(6, 3)) == ["unknown", "unknown"]


def test_a_shared_disk_has_the_level_of_its_worst_guest() -> None:
    shared = cut(3, 4, shared_with=("web",))
    assert machine(TOLD, cut(3, 4), shared) == ["application", "unknown", "unknown"]
    others = {"web": replace(TOLD, lines=(LESS, RELEASED, OVER))}
    assert machine(TOLD, cut(3, 4), shared, others=others)[1:] == ["filesystem", "filesystem"]
    others = {"web": BASES["stopped"][0]}
    assert machine(TOLD, cut(3, 4), shared, others=others)[1:] == ["application", "application"]
    others = {"web": BASES["crash-no-hook"][0]}
    assert machine(TOLD, cut(3, 4), shared, others=others)[1:] == ["crash", "mixed"]


def test_no_disk_has_no_evidence() -> None:
    assert conclude(TOLD, []) == ()


def only(seen: Observations, cut: Cut, **more: Any) -> Evidence:
    [evidence] = conclude(seen, [cut], **more)
    return evidence


def test_evidence_says_how_it_is_known() -> None:
    evidence = only(TOLD, CUT, required=Level.APPLICATION)
    assert evidence.claim == CUT.claim
    assert evidence.machine == PLAIN.machine
    assert evidence.required is Level.APPLICATION
    assert evidence.record == "5b0c"
    assert evidence.applications == ("postgresql:15/main",)
    assert evidence.cut == Span(at(3), at(6))
    assert evidence.frozen == Span(at(2.02), at(9.02))
    assert evidence.missing == ()
    says = {proof.code: proof.says for proof in evidence.proofs}
    assert says["held-by-guest"] == (
        "the guest said at 12:00:02.020 UTC, before the snapshot: at rest are postgresql:15/main; "
        "record 5b0c is on the disk"
    )
    assert list(map(str, sorted(event.at for event in evidence.events))) == [
        str(event.at) for event in evidence.events
    ]
    assert {event.clock for event in evidence.events} == {"plugin", "node"}


def test_evidence_says_what_is_missing_for_more() -> None:
    evidence = only(replace(TOLD, lines=(HELD, RELEASED)), CUT)
    assert evidence.level is Level.FILESYSTEM
    assert [one.code for one in evidence.missing] == ["nothing-lost"]
    lack = Statement("pods/log", "the account has no right to get pods/log")
    evidence = only(replace(PLAIN, lacks=(lack,), others=OTHERS["others"]), CUT)
    assert evidence.level is Level.UNKNOWN
    assert evidence.proofs == ()
    assert lack in evidence.missing
    assert "VirtualMachineSnapshot nightly" in " ".join(one.says for one in evidence.missing)


def test_lines_that_come_at_once_are_no_news() -> None:
    short = heard(2.4, Moment.RELEASED, held_s=0.4, by="thaw", is_live=False)
    silent = replace(HELD, is_live=False)
    seen = replace(PLAIN, lines=(silent, short), thaws=(Thaw(at(2.35), at(2.5)),))
    assert only(seen, cut(2.2, 2.3)).level is Level.FILESYSTEM
    assert only(seen, cut(2.2, 2.3)).proofs[0].code == "filesystem-thawed"
    at_once = tuple(replace(one, received=at(2.45)) for one in seen.lines)
    assert only(replace(seen, lines=at_once), cut(2.2, 2.3)).proofs[0].code == "filesystem-expected"


def test_the_record_of_another_hold_is_on_no_disk() -> None:
    for old in (heard(-9, Moment.HELD, is_live=False, late=12), *FIRST_THAWED.lines):
        seen = replace(THAWED, lines=(old,), thaws=())
        evidence = only(replace(seen, has_hook=False), cut(3, 6))
        assert (evidence.record, evidence.applications) == ("", ())


def test_the_frozen_time_is_as_known() -> None:
    assert only(PLAIN, CUT).frozen is None
    assert only(THAWED, CUT).frozen == Span(None, at(6.4))
    assert only(SEEN, CUT).frozen == Span(at(2.9), at(13))
    assert only(replace(TOLD, lines=(HELD,)), CUT).frozen == Span(at(2.02), None)


def test_a_timeline_is_bounded() -> None:
    assert len(only(PLAIN, CUT).events) < 40
    evidences = conclude(TOLD, [CUT] * 64)
    assert all(len(evidence.events) == 40 for evidence in evidences)
