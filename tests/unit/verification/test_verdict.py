"""The verdict on a restored machine: what confirms its evidence, contradicts it, or is missing."""

import pytest

from stillpoint.backup_files.disk_data import Method
from stillpoint.evidence.console import ConsoleLine, State
from stillpoint.evidence.verified import Agreement, CameBack
from stillpoint.model.level import Level
from stillpoint.model.weight import Weight
from stillpoint.report.model import Machine, Problem
from stillpoint.verification.model import Observed, Result
from stillpoint.verification.verdict import is_complete, judge
from tests.unit.verification.machines import (
    AT,
    BOOT,
    LATER_BOOT,
    OTHER,
    RECORD,
    answers,
    bare,
    copied,
    disk,
    machine,
    on_copy,
    seen,
    unrecorded,
)

APPLICATION, GUEST, BOOTED, NOT, UNTRIED = CameBack
CONFIRMED, CONTRADICTED, OPEN, NONE = Agreement
FILESYSTEM = machine(level=Level.FILESYSTEM)
HALF = machine(disk("root"), disk("data", ""), level=Level.FILESYSTEM)
TWO = machine(disk("root"), disk("data", OTHER), level=Level.FILESYSTEM)


def verdict(observed: Observed, of: Machine | None = None) -> Result:
    return judge(of or machine(), observed, AT)


def of_lines(*lines: ConsoleLine, of: Machine | None = None) -> tuple[CameBack, Agreement]:
    found = verdict(seen(*lines), of)
    return found.came_back, found.agreement


def test_the_very_record_and_answers_of_all_are_application() -> None:
    found = verdict(seen(on_copy(), copied(), answers()))
    assert (found.came_back, found.expected) == (APPLICATION, APPLICATION)
    assert found.agreement is CONFIRMED
    assert found.contradictions == found.missing == ()
    assert found.proofs == (
        "all of its disks were there, and its guest ran",
        "its guest agent connected",
        f"its guest says that its disk carries record {RECORD}, of level application",
        "and that these answer again, after 4.1 s: postgresql:15/main, redis",
        "root's on-copy steps were run there: 2",
    )
    assert found.verification.is_good
    assert (found.title, found.took_s, found.verification.why) == ("shop/db", 50.5, "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (copied(OTHER), f"carries record {OTHER}, and the evidence is of record {RECORD}"),
        (answers(record=OTHER), f"carries record {OTHER}"),
        (on_copy(record=OTHER), f"carries record {OTHER}"),
        (copied(""), "carries a record of an earlier version, without an id"),
        (copied(OTHER, boot=LATER_BOOT), f"carries record {OTHER}"),
        (copied(verdict=Level.FILESYSTEM), "of level filesystem, and the evidence of application"),
        (answers(no=("redis",)), "at rest by the evidence, and not answering after 4.1 s: redis"),
        (answers(no=("mysql",)), "not answering after 4.1 s: mysql"),
        (answers(no=("redis",), boot=LATER_BOOT), "not answering after 4.1 s: redis"),
    ],
)
def test_what_contradicts_the_evidence_does_so_beside_all_that_confirms_it(
    line: ConsoleLine, says: str
) -> None:
    for lines in ((line,), (copied(), answers(), line), (line, copied(), answers())):
        found = verdict(seen(*lines))
        assert found.agreement is CONTRADICTED
        assert found.came_back is GUEST
        assert says in "; ".join(found.contradictions)
        assert found.verification.is_bad
        assert found.verification.why == found.contradictions[0]


def test_an_application_that_was_at_rest_contradicts_filesystem_and_no_other_does() -> None:
    lines = copied(verdict=Level.FILESYSTEM), answers(("postgresql:15/main",), ("redis",))
    assert of_lines(*lines, of=FILESYSTEM) == (GUEST, CONTRADICTED)
    lines = copied(verdict=Level.FILESYSTEM), answers(no=("mysql",))
    assert of_lines(*lines, of=FILESYSTEM) == (GUEST, CONFIRMED)
    assert "not answering after 4.1 s: mysql" in verdict(seen(*lines), FILESYSTEM).missing


def test_steps_of_root_are_named_where_an_application_does_not_answer() -> None:
    found = verdict(seen(on_copy(count=3), copied(), answers(no=("redis",))))
    assert found.contradictions[0].endswith("before that, 3 on-copy steps of root's were run there")


@pytest.mark.parametrize(
    ("lines", "agreement", "says"),
    [
        ((), OPEN, "its guest did not say which record its disk carries"),
        ((answers(),), OPEN, "its guest did not say which record its disk carries"),
        ((on_copy(), answers()), OPEN, "its guest did not say which record"),
        ((copied(),), CONFIRMED, "whether these answer again: postgresql:15/main, redis"),
        ((copied(), answers(boot=LATER_BOOT)), CONFIRMED, "redis, but in another boot than"),
        ((copied(), answers(yes=())), CONFIRMED, "no word of these: postgresql:15/main, redis"),
        ((copied(), answers(("redis",))), CONFIRMED, "no word of these: postgresql:15/main"),
        ((copied(), answers(more=2, yes=())), CONFIRMED, "no word of these"),
        ((copied(), answers(), answers(("redis",))), CONFIRMED, "no word of these"),
        ((copied(verdict=Level.UNKNOWN), answers()), OPEN, "in no or several words"),
        ((copied(), copied(verdict=Level.UNKNOWN), answers()), OPEN, "in no or several words"),
    ],
)
def test_a_missing_word_is_not_application(
    lines: tuple[ConsoleLine, ...], agreement: Agreement, says: str
) -> None:
    found = verdict(seen(*lines))
    assert (found.came_back, found.agreement) == (GUEST, agreement)
    assert says in "; ".join(found.missing)
    assert not found.verification.is_good
    assert not found.verification.is_bad
    assert found.verification.why == found.missing[0]


def test_of_two_words_for_the_level_of_a_record_neither_confirms() -> None:
    lines = copied(verdict=Level.FILESYSTEM), copied(verdict=Level.APPLICATION), answers()
    assert of_lines(*lines, of=FILESYSTEM) == (GUEST, OPEN)


def test_names_for_which_a_line_had_no_room_are_those_that_answer() -> None:
    lines = copied(), answers(("postgresql:15/main",), more=1)
    assert of_lines(*lines) == (APPLICATION, CONFIRMED)


def test_an_application_that_nobody_can_ask_is_not_expected_to_answer() -> None:
    found = verdict(seen(copied(), answers(("redis",), unasked=("postgresql:15/main",))))
    assert (found.came_back, found.expected, found.agreement) == (GUEST, GUEST, CONFIRMED)
    assert "nobody can ask these whether they answer again: postgresql:15/main" in found.missing
    assert found.verification.is_good


@pytest.mark.parametrize(
    ("facts", "came_back", "says"),
    [
        ({"has_agent": False}, BOOTED, "its guest agent did not connect"),
        ({"is_running": False}, NOT, "its guest did not run"),
        ({"has_disks": False}, NOT, "not all of its disks were there"),
        ({"has_disks": False, "failure": "no room"}, NOT, "no room"),
        ({"is_tried": False}, UNTRIED, "it was not started"),
        ({"is_tried": False, "failure": "it has a LUN"}, UNTRIED, "it has a LUN"),
    ],
)
def test_no_line_helps_a_machine_that_did_not_come_so_far(
    facts: dict[str, object], came_back: CameBack, says: str
) -> None:
    found = verdict(seen(copied(), answers(), **facts))
    assert found.came_back is came_back
    assert found.agreement is (CONFIRMED if came_back is BOOTED else OPEN)
    assert found.missing[0] == says
    assert found.verification.is_bad is (came_back is NOT)
    assert not found.verification.is_good


def test_of_a_machine_that_is_down_no_word_is_missed() -> None:
    assert verdict(seen(is_running=False)).missing == ("its guest did not run",)
    told = verdict(seen(copied(), is_running=False)).missing
    assert told[1].startswith("its guest said which record its disk carries, and did not run on")


def test_a_console_that_was_not_read_is_named() -> None:
    found = verdict(seen(console="no right to pods/log"))
    assert (found.came_back, found.agreement) == (GUEST, OPEN)
    assert found.missing[0] == "its console could not be read: no right to pods/log"


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (unrecorded(Level.FILESYSTEM), GUEST),
        (unrecorded(Level.CRASH), BOOTED),
        (unrecorded(Level.STOPPED), BOOTED),
        (unrecorded(Level.PAUSED), BOOTED),
        (unrecorded(Level.UNKNOWN), BOOTED),
        (machine(bare("root"), level=Level.UNKNOWN), BOOTED),
        (machine(disk("scratch", method=Method.SKIPPED), level=Level.NONE), BOOTED),
    ],
)
def test_evidence_without_a_record_has_nothing_to_confirm(of: Machine, expected: CameBack) -> None:
    for lines in ((), (copied(OTHER), answers(no=("redis",), record=OTHER))):
        found = verdict(seen(*lines), of)
        assert (found.came_back, found.agreement, found.expected) == (GUEST, NONE, expected)
        assert found.verification.is_good
        assert "the evidence names no record that the guest could confirm" in found.missing


def test_a_record_that_the_evidence_does_not_name_is_told() -> None:
    found = verdict(seen(copied(OTHER)), unrecorded(Level.CRASH))
    assert f"its disk carries record {OTHER}, which the evidence does not name" in found.missing


@pytest.mark.parametrize("of", [HALF, TWO])
def test_disks_that_do_not_carry_one_record_confirm_nothing(of: Machine) -> None:
    for lines in ((), (copied(), answers())):
        assert of_lines(*lines, of=of) == (GUEST, OPEN)
    told = "; ".join(verdict(seen(copied()), of).missing)
    assert "the evidence does not name one record for all disks" in told


def test_another_record_contradicts_only_where_every_disk_has_one() -> None:
    third = copied("99")
    assert of_lines(third, of=HALF) == (GUEST, OPEN)
    assert of_lines(third, of=TWO) == (GUEST, CONTRADICTED)


def test_the_evidence_of_another_guest_says_nothing_of_this_record() -> None:
    of = machine(disk("root"), disk("shared", OTHER, of="web"))
    assert of_lines(copied(), answers(), of=of) == (APPLICATION, CONFIRMED)
    assert of_lines(copied(OTHER), of=of) == (GUEST, CONTRADICTED)


def test_a_skipped_disk_carries_nothing() -> None:
    of = machine(disk("root"), disk("scratch", "", method=Method.SKIPPED))
    assert of_lines(copied(), answers(), of=of) == (APPLICATION, CONFIRMED)


def test_a_hold_that_began_meanwhile_is_another_matter() -> None:
    held = ConsoleLine(AT, State.HELD, OTHER, BOOT, verdict=Level.FILESYSTEM)
    assert of_lines(copied(), held, answers()) == (APPLICATION, CONFIRMED)


def test_failed_steps_are_named() -> None:
    found = verdict(seen(on_copy("failed", failed=("10-quiet",)), copied(), answers()))
    assert found.came_back is APPLICATION
    assert found.missing == ("root's on-copy steps failed there: 10-quiet",)
    assert found.verification.is_good


def test_what_the_backup_lacks_has_not_come_back_without_a_try() -> None:
    lost = Problem("x", Weight.BLOCKS, (), "the bytes of root are not there", is_of_restore=True)
    of = machine(is_restorable=False)
    of = Machine(**{name: getattr(of, name) for name in of.__slots__} | {"problems": (lost,)})
    found = judge(of, Observed((), is_tried=False), AT)
    assert (found.came_back, found.missing[0]) == (NOT, "the bytes of root are not there")
    assert found.verification.why == "the bytes of root are not there"


@pytest.mark.parametrize(
    ("of", "observed", "complete"),
    [
        (machine(), seen(), False),
        (machine(), seen(copied()), False),
        (machine(), seen(copied(), answers(boot=LATER_BOOT)), False),
        (machine(), seen(copied(), answers()), True),
        (machine(), seen(copied(), answers(), has_agent=False), False),
        (machine(), seen(copied(), answers(unasked=("redis",))), True),
        (machine(), seen(copied(OTHER), is_running=False), True),
        (machine(), seen(console="no log"), True),
        (machine(), seen(console="no log", has_agent=False), False),
        (machine(disk("root", applications=()), level=Level.FILESYSTEM), seen(copied()), True),
        (FILESYSTEM, seen(copied(verdict=Level.FILESYSTEM)), False),
        (HALF, seen(), True),
        (unrecorded(Level.CRASH), seen(), True),
        (unrecorded(Level.CRASH), seen(has_agent=False), False),
        (unrecorded(Level.CRASH, "no-agent"), seen(has_agent=False), True),
        (unrecorded(Level.CRASH, "no-agent"), seen(is_running=False, has_agent=False), False),
    ],
)
def test_how_long_there_is_something_to_wait_for(
    of: Machine, observed: Observed, complete: bool
) -> None:
    assert is_complete(of, observed) is complete
