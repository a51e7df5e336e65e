import json
import os
from typing import Any, Dict

from stillpoint_guest.state import freeze_record
from stillpoint_guest.state.freeze_record import Records

from tests.guest.unit.folders import FolderCase

FACTS: Dict[str, Any] = {
    "state": freeze_record.HELD,
    "verdict": "application",
    "held_at": "2026-11-24T18:21:51.123Z",
    "held_until_at_most": "2026-11-24T18:26:51.123Z",
    "applications": [
        {"name": "postgresql:15/main", "level": "application", "method": "CHECKPOINT"}
    ],
}


class ACopyKnowsWhenItWasCut(FolderCase):
    def records(self, **facts: Any) -> Records:
        records = Records(self.path("state"))
        records.write({**freeze_record.new(**FACTS), **facts})
        return records

    def test_the_original_is_no_copy(self) -> None:
        records = self.records()
        self.assertIsNone(records.origin())
        self.assertIsNone(records.recognise())

    def test_a_disk_that_was_cut_while_held_is_recognised_once_and_remembered(self) -> None:
        """Hazard 12 as well: a guest that was reset while held comes to the same."""
        records = self.records(boot_id="another boot")
        found = records.recognise()
        assert found is not None
        told = freeze_record.summary(found)
        self.assertIn("2026-11-24T18:21:51.123Z", told)
        self.assertIn("postgresql:15/main (application, CHECKPOINT)", told)
        self.assertIsNone(records.recognise())
        self.assertEqual(records.origin(), found)

    def test_on_a_read_only_disk_it_is_known_all_the_same(self) -> None:
        records = self.records(boot_id="another boot")
        self.assertEqual(records.origin(), records.last())

    def test_a_released_hold_was_not_cut(self) -> None:
        records = self.records(boot_id="another boot", state=freeze_record.RELEASED)
        self.assertIsNone(records.recognise())

    def test_a_record_that_cannot_be_replaced_stays_whole(self) -> None:
        records = self.records()
        os.mkdir(self.path("state/record.json.new"))
        with self.assertRaises(OSError):
            records.write({"format": 1})
        self.assertEqual(records.last(), freeze_record.new(**FACTS))

    def test_what_is_no_record_is_none(self) -> None:
        for content in ("", "{", "[]", json.dumps({"format": 2})):
            self.write("state/record.json", content)
            self.assertIsNone(Records(self.path("state")).last())
