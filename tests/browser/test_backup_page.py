"""The report's page in a real browser: its own policy lets its script run, and nothing else."""

import re
from pathlib import Path

import pytest

from stillpoint.cli.output.backup_page import page
from stillpoint.report.model import Report
from tests.browser import chromium
from tests.unit.cli import backup_reports as reports
from tests.unit.cli.test_backup_page import HOSTILE, replaced

pytestmark = pytest.mark.exhaustive

DARK = "--blink-settings=preferredColorScheme=0"


def written(report: Report, folder: Path) -> Path:
    file = folder / "report.html"
    file.write_text("".join(page.parts(report)))
    return file


def test_the_filter_is_there_once_the_script_has_run(tmp_path: Path) -> None:
    content = chromium.dom(written(reports.mixed(), tmp_path))
    [form] = re.findall("<form[^>]*>", content)
    assert "hidden" not in form
    assert "4 of 4 machines" in content


@pytest.mark.parametrize("payload", HOSTILE)
def test_no_name_runs_or_loads_anything(payload: str, tmp_path: Path) -> None:
    content = chromium.dom(written(replaced(reports.mixed(), payload), tmp_path))
    assert "<img" not in content
    assert content.count("<script") == 1
    assert len(re.findall("<(?:svg|style|title)", content)) == len(
        re.findall("<(?:svg|style|title)", chromium.dom(written(reports.mixed(), tmp_path)))
    )


def test_light_and_dark_differ_and_it_can_be_printed(tmp_path: Path) -> None:
    file = written(reports.mixed(), tmp_path)
    for name, options in (("light", ()), ("dark", (DARK,))):
        chromium.take_picture(file, tmp_path / f"{name}.png", 1200, 900, *options)
    light, dark = ((tmp_path / f"{name}.png").read_bytes() for name in ("light", "dark"))
    assert light != dark
    chromium.run(file, f"--print-to-pdf={tmp_path / 'report.pdf'}")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
