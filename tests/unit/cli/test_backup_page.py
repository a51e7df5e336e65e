"""The report on a backup as a page: all that is in it, and nothing of what names would do to it."""

import base64
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterable
from enum import Enum
from typing import Any
from xml.etree import ElementTree as ET  # the page is well-formed, but for its script

import pytest

from stillpoint.cli.output.backup_page import page, style
from stillpoint.cli.output.backup_page.picture import description, picture
from stillpoint.evidence.document import Event, Span
from stillpoint.model.level import Level
from stillpoint.model.weight import Weight
from stillpoint.report.model import Machine, Report, Verdict
from tests.unit.cli import backup_reports as reports

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'--><svg onload=alert(1)>",
    "</title></style></script><b>&lt;&amp;",
    "\x1b]0;x\x07\u202e\ud800\x00",
    "javascript:alert(1)",
]
VERDICTS = [reports.good(), reports.below(), reports.lost(), reports.unknown()]


def text(report: Report) -> str:
    whole = "".join(page.parts(report))
    whole.encode()
    return whole


def parsed(report: Report) -> ET.Element:
    return parse(text(report))


def parse(whole: str) -> ET.Element:
    without_script = re.sub(r"<script>.*?</script>", "<script/>", whole, flags=re.DOTALL)
    return read(without_script.removeprefix("<!DOCTYPE html>\n"))


def read(markup: str) -> ET.Element:
    return ET.fromstring(markup)  # noqa: S314 - our own


def words(of: ET.Element) -> str:
    return " ".join(" ".join(of.itertext()).split())


def by_id(whole: ET.Element) -> dict[str, ET.Element]:
    found = [one for one in whole.iter() if "id" in one.attrib]
    ids = [one.attrib["id"] for one in found]
    assert len(set(ids)) == len(ids), "an id is there once"
    return dict(zip(ids, found, strict=True))


def replaced(value: Any, payload: str) -> Any:
    """The value with each text in it replaced, but for those of enumerations."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return payload
    if isinstance(value, tuple):
        return tuple(replaced(one, payload) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return dataclasses.replace(
            value, **{name: replaced(getattr(value, name), payload) for name in names}
        )
    return value


@pytest.mark.parametrize("report", [reports.mixed(), reports.verified()])
@pytest.mark.parametrize("payload", HOSTILE)
def test_no_name_or_sentence_becomes_markup(payload: str, report: Report) -> None:
    whole = parsed(replaced(report, payload))
    plain = parsed(replaced(report, "plain"))
    assert [one.tag for one in whole.iter()] == [one.tag for one in plain.iter()]
    assert [sorted(one.attrib) for one in whole.iter()] == [
        sorted(one.attrib) for one in plain.iter()
    ]


def test_nothing_comes_from_outside() -> None:
    whole = text(reports.mixed())
    assert not re.search(r"https?:|//[a-z]|@import|url\(", whole)
    leads = [
        value for one in parse(whole).iter() for key, value in one.attrib.items() if key in LEADS
    ]
    assert leads
    assert all(value.startswith("#") for value in leads)


LEADS = {"href", "src", "action", "srcset", "data", "poster", "formaction"}


def test_the_policy_allows_its_style_and_script_alone() -> None:
    whole = text(reports.mixed())
    [policy] = [
        one.attrib["content"]
        for one in parse(whole).iter("meta")
        if one.attrib.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; ")
    for tag in ("style", "script"):
        [content] = re.findall(f"<{tag}>(.*?)</{tag}>", whole, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_every_machine_has_its_part_in_the_order_of_the_report() -> None:
    report = reports.mixed()
    whole = parsed(report)
    rows = [row for row in whole.iter("tr") if "data-verdict" in row.attrib]
    assert [row.attrib["data-verdict"] for row in rows] == [one.verdict for one in report.machines]
    places = by_id(whole)
    for row, machine in zip(rows, report.machines, strict=True):
        part = places[row.attrib["data-of"]]
        assert machine.title in words(part)
        assert machine.verdict in words(part)
        for problem in machine.problems:
            assert problem.sentence in words(part)
            assert problem.remedy in words(part)
        for disk in machine.disks:
            assert disk.handle in words(part)
        for event in machine.events:
            assert event.says in words(part)


def test_proofs_and_what_is_missing_are_given_once_for_disks_that_share_them() -> None:
    whole = words(parsed(reports.report(reports.good())))
    assert whole.count(reports.HELD.says) == 1
    assert "postgresql:15/main" in whole
    assert "7f3a1c" in whole
    apart = words(parsed(reports.report(reports.below())))
    assert f"How it is known: root {reports.SEEN.says}" in apart
    assert f"Not known: data {reports.NO_LOG.says}" in apart


def test_how_machines_came_back_is_there_once_one_was_restored_for_a_test() -> None:
    assert "Came back" not in words(parsed(reports.mixed()))
    whole = words(parsed(reports.verified()))
    for text in (
        "Came back",
        "✓ application",
        "✕ guest, contradicted",
        "not tried yet",
        "2026-11-27 04:00:03 UTC , 48 s: came back ✓ application ; the evidence: confirmed.",
        "came back ✕ guest, contradicted , expected at least guest; the evidence: contradicted",
        "its disk carries another record.",
    ):
        assert text in whole


def test_of_a_machine_that_was_stopped_no_freeze_is_missing() -> None:
    stopped = dataclasses.replace(reports.good(), level=Level.STOPPED, frozen=None)
    assert "no guest ran" in words(parsed(reports.report(stopped)))
    assert "no guest ran" not in words(parsed(reports.mixed()))


def test_a_cause_stands_once_with_its_machines_the_worst_first() -> None:
    machines = [reports.lost(f"cache-{number:02}") for number in range(20)]
    note = dataclasses.replace(reports.unknown().problems[0], code="x", weight=Weight.NOTE)
    noted = dataclasses.replace(reports.good(), problems=(note,))
    whole = parsed(reports.report(*machines, reports.below(), reports.unknown(), noted))
    [causes] = [one for one in whole.iter("section") if one.attrib["aria-label"] == "Causes"]
    rows = [words(row) for row in causes.iter("tr")][1:]
    assert [row.split()[0] for row in rows] == [
        "disk-without-data", "below-demanded", "no-evidence"
    ]  # fmt: skip
    assert "20 machines: shop/cache-00" in rows[0]
    assert "and 8 more" in rows[0]


def test_links_lead_to_what_is_there() -> None:
    whole = parsed(reports.mixed())
    places = by_id(whole)
    links = [one.attrib["href"][1:] for one in whole.iter("a")]
    assert set(links) <= set(places)


def test_a_screen_reader_finds_its_way() -> None:
    whole = parsed(reports.mixed())
    assert whole.attrib["lang"] == "en"
    assert next(map(words, whole.iter("title"))).startswith("Backup nightly")
    for landmark in ("main", "header", "footer", "form"):
        assert whole.find(f".//{landmark}") is not None
    levels = [int(one.tag[1]) for one in whole.iter() if re.fullmatch("h[1-6]", one.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for table in whole.iter("table"):
        assert table.find("caption") is not None
        assert all(one.attrib["scope"] in ("row", "col") for one in table.iter("th"))
    for field in (*whole.iter("input"), *whole.iter("select")):
        assert field in [child for label in whole.iter("label") for child in label]
    named = [one for one in whole.iter() if "aria-labelledby" in one.attrib]
    places = by_id(whole)
    assert all(name in places for one in named for name in one.attrib["aria-labelledby"].split())
    assert len(list(whole.iter("svg"))) == 3
    for drawn in whole.iter("svg"):
        assert drawn.attrib["role"] == "img"


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    parts = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("number", [0, 1, 2], ids=["light", "dark", "print"])
def test_all_text_has_contrast(number: int) -> None:
    """At least 4.5, as WCAG 2.2 asks of text."""
    blocks = [colours(one) for one in re.findall(r":root \{(.*?)\}", style.STYLE, re.DOTALL)]
    [block] = blocks[number : number + 1]
    for text_of in ("text", "soft", "link"):
        for ground in ("page", "frozen"):
            assert contrast(block[text_of], block[ground]) >= 4.5, (text_of, ground)
    for kind in ("good", "below", "bad", "unknown"):
        assert contrast(block[kind], block[f"{kind}-ground"]) >= 4.5, kind
        assert contrast(block["text"], block[f"{kind}-ground"]) >= 4.5, kind


def shapes(machine: Machine, kind: str) -> list[ET.Element]:
    drawn = picture(machine, "m1")
    assert drawn is not None
    return [one for one in read(drawn).iter() if kind in one.attrib.get("class", "").split()]


def reach(shape: ET.Element) -> tuple[float, float]:
    left = float(shape.attrib["x"])
    return left, left + float(shape.attrib["width"])


def test_snapshots_lie_in_the_frozen_window_or_outside_of_it() -> None:
    [window] = shapes(reports.below(), "frozen")
    inside, outside = shapes(reports.below(), "cut")
    assert reach(window)[0] < reach(inside)[0] < reach(inside)[1] < reach(window)[1]
    assert reach(outside)[0] > reach(window)[1]
    assert "good" in inside.attrib["class"]
    assert "below" in outside.attrib["class"]


@pytest.mark.parametrize(("start", "end"), [(1.0, None), (None, 1.0)])
def test_an_end_that_is_not_known_is_open(start: float | None, end: float | None) -> None:
    cut = reports.disk("root", cut=reports.span(start, end))
    machine = dataclasses.replace(
        reports.good(), disks=(cut,), frozen=reports.span(start, end), events=()
    )
    [bar] = shapes(machine, "cut")
    assert "open" in bar.attrib["class"]
    assert len(shapes(machine, "edge")) == 2
    [edge] = [one for one in shapes(machine, "edge") if "open" in one.attrib["class"]]
    assert edge.attrib["class"] == "edge open"


def test_the_picture_has_one_clock() -> None:
    machine = reports.good()
    assert [one.text for one in shapes(machine, "n")] == ["1", "2", "5"]
    late = Event(reports.at(3600), "node", "later", "A clock that is an hour ahead.")
    with_late = dataclasses.replace(machine, events=(*machine.events, late))
    assert picture(with_late, "m1") == picture(machine, "m1")


def test_an_event_far_away_does_not_make_the_freeze_small() -> None:
    machine = reports.good()
    seen = Event(reports.at(-600), "plugin", "seen", "The guest was seen first.")
    with_seen = dataclasses.replace(machine, events=(seen, *machine.events))
    assert [one.text for one in shapes(with_seen, "n")] == ["2", "3", "6"]
    assert reach(*shapes(with_seen, "frozen")) == reach(*shapes(machine, "frozen"))


def test_events_at_one_moment_are_drawn_beside_each_other() -> None:
    same = tuple(Event(reports.at(0.5), "plugin", "x", f"Event {one}.") for one in range(5))
    machine = dataclasses.replace(reports.good(), events=same)
    places = [float(one.attrib["x"]) for one in shapes(machine, "n")]
    assert all(after - before >= 18 for before, after in itertools.pairwise(places))


def test_without_times_there_is_no_picture() -> None:
    assert picture(reports.lost(), "m1") is None
    assert "No time of a snapshot or of a freeze is known." in words(
        parsed(reports.report(reports.lost()))
    )


def test_one_moment_alone_makes_a_picture() -> None:
    disk = reports.disk("root", cut=reports.span(0, 0))
    machine = dataclasses.replace(reports.good(), disks=(disk,), frozen=Span(None, None), events=())
    assert len(shapes(machine, "cut")) == 1


def test_the_picture_is_also_there_in_words() -> None:
    said = description(reports.below())
    assert "stood still: 02:00:03.120 to 02:00:05.020 UTC (1.90 s)" in said
    assert "Snapshot of data: 02:00:05.520 to 02:00:06.220, crash" in said


@pytest.mark.parametrize("machines", [(), *((one,) for one in VERDICTS)])
def test_every_verdict_has_its_page(machines: Iterable[Machine]) -> None:
    report = reports.report(*machines)
    assert report.verdict in words(parsed(report))


def test_a_backup_of_which_nothing_is_known_has_a_page() -> None:
    bare = dataclasses.replace(
        reports.mixed(), backup=type(reports.mixed().backup)("folder x"), machines=()
    )
    said = words(parsed(bare))
    assert "unknown and unknown" in said
    assert "There is no virtual machine in it." in said


def test_a_thousand_machines_are_no_more_than_five_megabytes() -> None:
    report = reports.many(1000)
    assert len("".join(page.parts(report)).encode()) <= 5_000_000
    assert report.verdict is Verdict.BELOW


def test_every_level_is_explained() -> None:
    said = words(parsed(reports.report()))
    assert all(f" {level}" in said for level in Level)
