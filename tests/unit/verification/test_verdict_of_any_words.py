"""Whatever a guest says, in whichever order and number: what its words can lead to."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from stillpoint.evidence import console
from stillpoint.evidence.console import OF_COPY, ConsoleLine, State
from stillpoint.evidence.verified import Agreement, CameBack
from stillpoint.model.level import Level
from stillpoint.report.model import Machine
from stillpoint.verification.model import Observed, Result
from stillpoint.verification.verdict import judge
from stillpoint_guest.state import console_line
from stillpoint_guest.state.freeze_record import FreezeRecord
from tests.unit.verification.machines import (
    AT,
    BOOT,
    LATER_BOOT,
    OTHER,
    RECORD,
    answers,
    copied,
    disk,
    machine,
    on_copy,
)

NAMES = ("postgresql:15/main", "redis", "mysql")
records = st.sampled_from((RECORD, RECORD, OTHER, ""))
boots = st.sampled_from((BOOT, BOOT, LATER_BOOT))
names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
verdicts = st.sampled_from((Level.APPLICATION, Level.FILESYSTEM, Level.UNKNOWN))
lines = st.lists(
    st.builds(copied, records, verdicts, boots)
    | st.builds(answers, names, names, names, st.integers(0, 2), record=records, boot=boots)
    | st.builds(on_copy, st.sampled_from(("done", "failed", "left-out")), record=records)
    | st.builds(ConsoleLine, st.just(AT), st.sampled_from(State), records, boots),
    max_size=5,
)
good = st.just([copied(), answers()])
words = lines | st.builds(lambda some, more: [*some, *more], good, lines).flatmap(st.permutations)
kept = st.sampled_from(("postgresql:15/main", "redis@812", "mysql"))
disks = st.builds(
    disk,
    st.sampled_from(("root", "data")),
    st.sampled_from((RECORD, RECORD, RECORD, OTHER, "")),
    st.lists(kept, max_size=2, unique=True).map(tuple),
    of=st.sampled_from(("db", "db", "web")),
)
levels = st.sampled_from((Level.APPLICATION, Level.APPLICATION, *Level))
machines = st.builds(
    lambda found, level: machine(*found, level=level), st.lists(disks, min_size=1), levels
)
facts = st.tuples(*(st.sampled_from((True, True, True, False)) for _ in range(4)))


def verdict(of: Machine, said: list[ConsoleLine], known: tuple[bool, ...]) -> Result:
    is_tried, has_disks, is_running, has_agent = known
    observed = Observed((), is_tried, has_disks, is_running, has_agent, lines=said)
    return judge(of, observed, AT)


def own_records(of: Machine) -> set[str]:
    """Ids that the evidence names of this guest's disks, by a way of its own."""
    evidences = [one.evidence for one in of.disks]
    return {one.record for one in evidences if one and one.machine.name == of.name}


def at_rest(of: Machine) -> set[str]:
    evidences = [one.evidence for one in of.disks]
    own = [one for one in evidences if one and one.machine.name == of.name]
    return {name.partition("@812")[0] for one in own for name in one.applications}


@given(machines, words, facts)
def test_another_record_or_a_lower_one_never_passes(
    of: Machine, said: list[ConsoleLine], known: tuple[bool, ...]
) -> None:
    found, named = verdict(of, said, known), own_records(of)
    about = [one for one in said if one.state in OF_COPY]
    is_other = bool(named) and "" not in named and any(one.id not in named for one in about)
    is_lower = of.level is Level.APPLICATION and any(
        one.state is State.COPIED and one.id and one.id in named and one.verdict is Level.FILESYSTEM
        for one in said
    )
    if is_other or is_lower:
        assert found.agreement is Agreement.CONTRADICTED
        assert found.contradictions
    assert bool(found.contradictions) == (found.agreement is Agreement.CONTRADICTED)
    if found.contradictions:
        assert found.came_back is not CameBack.APPLICATION
        assert found.verification.is_bad


@given(machines, words, facts)
def test_an_application_that_does_not_answer_never_passes(
    of: Machine, said: list[ConsoleLine], known: tuple[bool, ...]
) -> None:
    found, named = verdict(of, said, known), own_records(of) - {""}
    silent = {name for one in said if one.answers and one.id in named for name in one.answers.no}
    if silent:
        assert found.came_back is not CameBack.APPLICATION
    if silent & at_rest(of):
        assert found.agreement is Agreement.CONTRADICTED


@given(machines, words, facts)
def test_application_takes_every_word(
    of: Machine, said: list[ConsoleLine], known: tuple[bool, ...]
) -> None:
    found = verdict(of, said, known)
    if found.came_back is not CameBack.APPLICATION:
        return
    assert all(known)
    assert found.agreement is Agreement.CONFIRMED
    [record] = own_records(of)
    assert record
    boots_of = {one.boot for one in said if one.state is State.COPIED and one.id == record}
    own = [one.answers for one in said if one.answers and one.boot in boots_of]
    assert any(own)
    for one in filter(None, own):
        assert one.yes
        assert len(at_rest(of) - {*one.yes}) <= one.more
    for state in (State.COPIED, State.ANSWERS):
        fewer = [one for one in said if one.state is not state]
        assert verdict(of, fewer, known).came_back is not CameBack.APPLICATION
    for place in range(4):
        less = tuple(fact and number != place for number, fact in enumerate(known))
        assert verdict(of, said, less).came_back is not CameBack.APPLICATION


@given(machines, words, lines, facts)
def test_no_further_line_takes_a_contradiction_back(
    of: Machine, said: list[ConsoleLine], more: list[ConsoleLine], known: tuple[bool, ...]
) -> None:
    before, after = verdict(of, said, known), verdict(of, [*said, *more], known)
    assert len(before.contradictions) <= len(after.contradictions)
    if before.agreement is Agreement.CONTRADICTED:
        assert after.agreement is Agreement.CONTRADICTED


@given(machines, words, facts, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(
    of: Machine, said: list[ConsoleLine], known: tuple[bool, ...], chance: object
) -> None:
    mixed = [*said, *said[:2]]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = verdict(of, said, known), verdict(of, mixed, known)
    assert (first.came_back, first.agreement) == (second.came_back, second.agreement)
    assert set(first.contradictions) == set(second.contradictions)


STAMP = "2026-11-27T05:00:00Z "


def through_the_log(texts: list[bytes]) -> list[ConsoleLine]:
    return [one for one in map(console.parse, texts) if one]


def of_the_guest() -> list[bytes]:
    """The lines of a copy that came back, as the container's log has them."""
    record = FreezeRecord("held", "application", BOOT, "1.0", id=RECORD)
    said = (
        console_line.copied(record),
        console_line.answers(record, ("postgresql:15/main", "redis"), (), (), 4.1),
    )
    return [f"{STAMP}{text.strip()}\r".encode() for text in said]


@given(st.integers(0, 1), st.data())
def test_a_line_that_is_torn_counts_for_nothing(which: int, data: st.DataObject) -> None:
    texts = of_the_guest()
    end = data.draw(st.integers(0, len(texts[which]) - 2))  # without the CR it is whole
    texts[which] = texts[which][:end] + data.draw(st.sampled_from((b"", b"\r", b"[ 1.2] eth0: up")))
    found = verdict(machine(), through_the_log(texts), (True,) * 4)
    assert found.came_back is CameBack.GUEST
    assert found.agreement is (Agreement.OPEN if which == 0 else Agreement.CONFIRMED)


@given(st.lists(st.binary(max_size=40) | st.text(max_size=40).map(str.encode), max_size=5))
def test_what_is_no_line_changes_nothing(noise: list[bytes]) -> None:
    stamped = [STAMP.encode() + one.replace(b"@stillpoint", b"") for one in noise]
    found = verdict(machine(), through_the_log([*stamped, *of_the_guest(), *noise]), (True,) * 4)
    assert found.came_back is CameBack.APPLICATION
    assert not found.contradictions


def test_the_time_of_a_line_is_the_node_s_and_decides_nothing() -> None:
    early = datetime(1970, 1, 2, tzinfo=AT.tzinfo)
    old = [ConsoleLine(early, one.state, one.id, one.boot, one.verdict, answers=one.answers)
           for one in (copied(), answers())]  # fmt: skip
    assert verdict(machine(), old, (True,) * 4).came_back is CameBack.APPLICATION
