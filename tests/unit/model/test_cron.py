"""Times of schedules; `tests/cluster/test_rendered.py` asks a real API server about the same."""

import pytest

from stillpoint.model import cron

GOOD = (
    "0 1 * * *",
    "*/15 * * * *",
    "0 0-6/2,12 ? * mon-Fri",
    "59 23 31 12 6",
    "0 0 1 JAN-mar sun",
    "5/10 4 1,15 * 0",
    "  0   1 * *  * ",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
    "@every 90m",
    "@every 1h30m",
)
BAD = (
    "",
    "nonsense",
    "every day at one",
    "0 1 * *",
    "0 0 1 * * *",
    "60 1 * * *",
    "0 24 * * *",
    "0 1 0 * *",
    "0 1 32 * *",
    "0 1 * 0 *",
    "0 1 * 13 *",
    "0 1 * * 7",
    "0 1 * * monday",
    "0 1 * mon *",
    "-1 1 * * *",
    "a 1 * * *",
    "1- 1 * * *",
    "5-1 1 * * *",
    "1-2-3 1 * * *",
    "*/0 1 * * *",
    "*/ 1 * * *",
    "*/a 1 * * *",
    "1/2/3 1 * * *",
    "1.5 1 * * *",
    "٣ 1 * * *",
    "0 1 L * *",
    "0 1 * * 5#2",
    "H 1 * * *",
    "@Daily",
    "@reboot",
    "@every",
    "@every day",
    "@every 1d",
)
OF_LATER_VELEROS = ("0 1 * * 7", "5-1 1 * * *")
"""Of those: what Velero 1.18.3 takes, and older ones and Kubernetes do not."""

ZONED = ("CRON_TZ=Europe/Berlin 0 1 * * *", "TZ=UTC @daily", "CRON_TZ=UTC  0 1 * * *")
BADLY_ZONED = ("TZ=", "CRON_TZ=UTC", "CRON_TZ= 0 1 * * *", "TZ=UTC nonsense", "ZONE=UTC 0 1 * * *")


@pytest.mark.parametrize("text", [*GOOD, *ZONED])
def test_it_is_the_time_of_a_schedule(text: str) -> None:
    assert cron.fault(text) == ""


@pytest.mark.parametrize("text", [*BAD, *BADLY_ZONED])
def test_it_is_no_time_of_a_schedule(text: str) -> None:
    assert cron.fault(text)


def test_what_is_hardly_meant_is_refused_although_velero_takes_it() -> None:
    for text in ("1,,2 1 * * *", "*-5 1 * * *", "+1 1 * * *", "@every 0s", "@every -1h"):
        assert cron.fault(text)


def test_the_fault_names_the_field_and_its_bounds() -> None:
    assert cron.fault("0 1 * * 7") == "day of week '7': not within 0 to 6"
    assert cron.fault("5-1 1 * * *") == "minute '5-1': ends before it begins"
    assert cron.fault("0 */0 * * *") == "hour '*/0': no step from 1 on after the slash"
    assert cron.fault("0 1").startswith("2 fields, not five: minute, hour")
