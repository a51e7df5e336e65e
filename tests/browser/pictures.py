"""Pictures of the report's page for the docs: `python -m tests.browser.pictures docs/pictures`."""

import sys
import tempfile
from pathlib import Path

from tests.browser import chromium
from tests.browser.test_backup_page import DARK, written
from tests.unit.cli import backup_reports as reports

PICTURES = {
    "report.png": (reports.report(reports.below(), reports.good()), ()),
    "report-dark.png": (reports.report(reports.good()), (DARK,)),
}


def main(folder: Path) -> None:
    for name, (report, options) in PICTURES.items():
        with tempfile.TemporaryDirectory() as scratch:
            file = written(report, Path(scratch))
            chromium.take_picture(file, folder / name, 1100, 1500, *options)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
