import json
import os
from typing import Any, Mapping, Sequence

from stillpoint_guest.state import freeze_record
from stillpoint_guest.state.freeze_record import ApplicationRecord, FreezeRecord, Records
from stillpoint_guest.state.hold_marker import HoldMarker
from stillpoint_guest.verbs import status

from tests.guest.unit.folders import FolderCase

APPLICATION = ApplicationRecord(
    "postgresql:15/main", "postgresql", True, "discovered", "application", "CHECKPOINT"
)
RECORD = FreezeRecord(
    state=freeze_record.HELD,
    verdict="application",
    boot_id="another boot",
    version="0.2.0",
    applications=(APPLICATION,),
    held_at="2026-11-24T18:21:51.123Z",
    held_until_at_most="2026-11-24T18:26:51.123Z",
)
WRONG: Mapping[str, Sequence[Any]] = {
    "it is not a JSON object": ([], 1, None, "x"),
    "state is missing": ({"format": 1},),
    "format 2 is not 1": ({"format": 2},),
    "verdict is not a text": ({**freeze_record.to_json(RECORD), "verdict": 1},),
    "applications is not a list": ({**freeze_record.to_json(RECORD), "applications": {}},),
    "level is missing": ({**freeze_record.to_json(RECORD), "applications": [{"name": "x"}]},),
    "warnings is not a list of texts": ({**freeze_record.to_json(RECORD), "warnings": [1]},),
    "freeze_s is not a number": (
        {**freeze_record.to_json(RECORD), "freeze_s": True},
        {**freeze_record.to_json(RECORD), "freeze_s": float("nan")},
        {**freeze_record.to_json(RECORD), "freeze_s": 10**400},
    ),
}


def stored(name: str) -> str:
    path = os.path.join(os.path.dirname(__file__), "files", name)
    with open(path, encoding="utf-8") as file:
        return file.read()


class ACopyKnowsWhenItWasCut(FolderCase):
    def records(self, **facts: Any) -> Records:
        records = Records(self.path("state"))
        records.write(RECORD._replace(**facts))
        return records

    def test_the_original_is_no_copy(self) -> None:
        records = self.records(boot_id=freeze_record.boot_id())
        self.assertIsNone(records.origin())
        self.assertIsNone(records.recognise())

    def test_a_disk_that_was_cut_while_held_is_recognised_once_and_remembered(self) -> None:
        """Hazard 12 as well: a guest that was reset while held comes to the same."""
        records = self.records()
        found = records.recognise()
        assert found is not None
        told = freeze_record.summary(found)
        self.assertIn("2026-11-24T18:21:51.123Z", told)
        self.assertIn("postgresql:15/main (application, CHECKPOINT)", told)
        self.assertIsNone(records.recognise())
        self.assertEqual(records.origin(), found)

    def test_on_a_read_only_disk_it_is_known_all_the_same(self) -> None:
        records = self.records()
        self.assertEqual(records.origin(), records.last())

    def test_a_released_hold_was_not_cut(self) -> None:
        records = self.records(state=freeze_record.RELEASED)
        self.assertIsNone(records.recognise())

    def test_a_record_that_cannot_be_replaced_stays_whole(self) -> None:
        records = self.records()
        os.mkdir(self.path("state/record.json.new"))
        with self.assertRaises(OSError):
            records.write(RECORD._replace(verdict="filesystem"))
        self.assertEqual(records.last(), RECORD)


class Files(FolderCase):
    def test_records_are_read_as_they_were_written(self) -> None:
        content = freeze_record.to_json(RECORD)
        self.assertEqual(freeze_record.from_json(json.loads(json.dumps(content))), RECORD)
        self.assertEqual(content["format"], 1)
        self.assertNotIn("released_at", content)

    def test_a_record_of_0_1_is_read_and_written_the_same(self) -> None:
        text = stored("record-0.1.json")
        self.write("state/record.json", text)
        records = Records(self.path("state"))
        record = records.recognise()
        assert record
        self.assertEqual(records.origin(), record)
        self.assertEqual((record.version, record.state), ("0.1.0", "held"))
        told = freeze_record.summary(record)
        self.assertIn("shop/main (application, CHECKPOINT), cache (crash, )", told)
        self.assertEqual(freeze_record.to_json(record), json.loads(text))

    def test_a_hold_marker_of_0_1_is_read(self) -> None:
        hold = HoldMarker(self.write("run/hold.json", stored("hold-0.1.json"))).read()
        assert hold
        self.assertEqual(hold.applications, ("shop/main",))
        self.assertIn("the holder was killed", hold.lost)

    def test_keys_of_later_versions_are_ignored(self) -> None:
        content = freeze_record.to_json(RECORD)
        content["applications"][0]["later"] = {"a": 1}
        self.assertEqual(freeze_record.from_json({**content, "later": [1]}), RECORD)

    def test_whatever_others_said_is_bounded_in_lists_too(self) -> None:
        said: Any = ["one\x1b[2J" + "x" * 1000] * 30
        bounded = freeze_record.bounded(RECORD._replace(warnings=said))
        self.assertEqual(
            bounded.warnings, freeze_record.bounded(RECORD._replace(warnings=tuple(said))).warnings
        )

    def test_what_is_no_record_is_none_and_an_error_says_why(self) -> None:
        for cause, contents in WRONG.items():
            for content in contents:
                with self.subTest(cause=cause):
                    self.read(json.dumps(content), cause)

    def test_what_is_torn_is_none_and_an_error_says_so(self) -> None:
        for content in ("", "{", stored("record-0.1.json")[:-100], "[" * 100000, "\0" * 100):
            with self.subTest(content=content[:10]):
                self.read(content, "no freeze record")

    def read(self, content: str, cause: str) -> None:
        path = self.write("state/record.json", content)
        records = Records(self.path("state"))
        self.assertIsNone(records.last())
        self.assertIsNone(records.origin())
        self.assertIsNone(records.recognise())
        [fault] = records.faults()
        self.assertEqual(fault.subject, path)
        self.assertIn(cause, fault.cause)
        shown = status.collect(self.places(), [])
        self.assertIsNone(status.to_json(shown)["last"])
        self.assertIn(str(fault), "\n".join(status.lines(shown)))
