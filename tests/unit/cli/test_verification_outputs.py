"""What a verification found, in each form, and its exit status."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import fastjsonschema
import pytest

from stillpoint.cli import verification_status
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import terminal
from stillpoint.cli.output.verification import document, junit, table
from stillpoint.verification.model import Observed, Result, Run
from stillpoint.verification.verdict import judge
from tests.unit.cli.screen import Screen
from tests.unit.verification.machines import AT, OTHER, answers, copied, machine, seen

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/verify.schema.json").read_text())
HOSTILE = "no \x1b[31mroom\x00 <&\"'\n"

WHOLE = judge(machine(), seen(copied(), answers()), AT)
SILENT = judge(machine(), seen(copied(), notes=("its firmware UUID is that of the original",)), AT)
CONTRADICTED = judge(machine(), seen(copied(OTHER), answers(no=("redis",))), AT)
DOWN = judge(machine(), seen(is_running=False, failure="no node has room"), AT)
UNTRIED = judge(machine(), Observed((), is_tried=False, failure="it has a LUN"), AT)
LEFT = judge(machine(), seen(copied(), answers(), left=("oc delete namespace x",)), AT)


def run(*results: Result, seed: int | None = None, left: tuple[str, ...] = ()) -> Run:
    named = tuple(replace(one, name=f"{one.name}-{number}") for number, one in enumerate(results))
    end = AT + timedelta(minutes=2)
    return Run("x7", "velero", "nightly", "none", seed, 12, AT, end, named, left)


ALL = run(WHOLE, SILENT, DOWN, UNTRIED, CONTRADICTED, seed=7, left=("oc delete restore y",))


def suite_of(of: Run) -> ET.Element:
    [suite] = ET.fromstring(junit.text(of))  # noqa: S314 - our own
    return suite


def printed(of: Run, screen: io.StringIO | None = None) -> str:
    output = screen or io.StringIO()
    table.write(of, terminal.console(output))
    return output.getvalue()


@pytest.mark.parametrize(
    ("of", "status"),
    [
        (run(WHOLE), ExitStatus.GOOD),
        (run(WHOLE, SILENT), ExitStatus.CANNOT_TELL),
        (run(UNTRIED), ExitStatus.CANNOT_TELL),
        (run(LEFT), ExitStatus.CANNOT_TELL),
        (run(), ExitStatus.CANNOT_TELL),
        (ALL, ExitStatus.NOT_SAFE),
    ],
)
def test_the_exit_status(of: Run, status: ExitStatus) -> None:
    assert verification_status.status(of) is status


def test_a_contradiction_is_said_first() -> None:
    for screen in (io.StringIO(), Screen()):
        said = printed(ALL, screen)
        plain = said.replace("\x1b[31m", "").replace("\x1b[0m", "").replace("\x1b[1m", "")
        assert plain.startswith("CONTRADICTED  shop/db-4: its disk carries record")
    assert [one["name"] for one in document.document(ALL)["machines"]] == [
        "db-4", "db-2", "db-1", "db-3", "db-0"
    ]  # fmt: skip
    first = suite_of(ALL).find("testcase/failure")
    assert first is not None
    assert first.attrib["type"] == "contradicted"
    assert first.attrib["message"].startswith("its disk carries record 77aa")


def test_the_table_has_what_became_of_each() -> None:
    said = printed(ALL)
    for text in (
        "Backup velero/nightly, verified: 5 of 12 virtual machines (--seed 7), network none.",
        "Came back: 1 application, 2 guest, 1 not, 1 not tried.",
        "shop/db-0  application  application  confirmed      application  50 s\n",
        "shop/db-2  not          application  not confirmed  application  50 s  no node has room\n",
        "its guest did not say whether these answer again: postgresql:15/main, redis",
        "its firmware UUID is that of the original",
        "! could not be deleted: oc delete restore y",
        "not tried    it was not started, for a reason that says nothing of the backup.",
    ):
        assert text in said
    assert "booted" not in said


def test_an_application_may_need_the_network_that_was_taken_away() -> None:
    hint = "HINT: an application that does not start without its network interface answers with"
    silent = judge(machine(), seen(copied(), answers(no=("redis",))), AT)
    assert hint in printed(run(silent))
    assert hint not in printed(replace(run(silent), network="isolated"))
    assert hint not in printed(run(judge(machine(), seen(copied(OTHER)), AT)))


def test_of_a_good_run_nothing_more_is_said() -> None:
    lines = printed(run(WHOLE)).splitlines()
    assert lines[0].startswith("Backup velero/nightly, verified: 1 of 12 virtual machines,")
    assert len(lines) == 7


def test_a_run_without_machines_has_no_table() -> None:
    assert "VM" not in printed(run())


@pytest.mark.parametrize("of", [ALL, run(), run(WHOLE, LEFT)])
def test_the_json_is_that_of_its_schema(of: Run) -> None:
    made = json.loads(document.text(of))
    fastjsonschema.compile(SCHEMA)(made)
    assert made["outcome"] == of.outcome


def test_the_json_has_each_step_and_what_was_proven() -> None:
    [made] = document.document(run(WHOLE))["machines"]
    assert (made["isAsExpected"], made["seconds"]) == (True, 50.5)
    assert made["steps"][0] == {"code": "restore", "seconds": 12.0, "says": ""}
    assert any("carries record 5b0c" in one for one in made["proofs"])


def test_junit_counts_what_failed_and_what_is_not_known() -> None:
    suite = suite_of(ALL)
    assert suite.attrib == {
        "name": "velero/nightly", "tests": "6", "failures": "3", "skipped": "2", "time": "120.000"
    }  # fmt: skip
    kinds = [one.attrib["type"] for one in suite.iter("failure")]
    assert kinds == ["contradicted", "did not come back", "left"]
    named = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert named["seconds of agent"] == "9.000"
    good = suite_of(run(WHOLE))
    assert (good.attrib["failures"], good.attrib["skipped"]) == ("0", "0")


def test_what_could_not_be_deleted_is_said_once() -> None:
    twice = run(LEFT, LEFT, left=("oc delete namespace x",))
    assert printed(twice).count("oc delete namespace x") == 1
    assert document.document(twice)["left"] == ["oc delete namespace x"]


def test_hostile_words_are_no_friends_of_a_terminal_or_xml_and_change_neither() -> None:
    observed = seen(copied(), is_running=False, failure=HOSTILE, left=(HOSTILE,), notes=(HOSTILE,))
    bad = replace(judge(machine(), observed, AT), namespace=HOSTILE)
    found = run(replace(bad, name=HOSTILE), left=(HOSTILE,))
    assert "\x1b" not in printed(found)
    suite = suite_of(found)
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "2")
    assert json.loads(document.text(found))["machines"][0]["namespace"] == HOSTILE
