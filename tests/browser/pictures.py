"""The picture of the report's page: `python -m tests.browser.pictures docs/pictures`."""

import sys
import tempfile
from pathlib import Path

from tests.browser import chromium
from tests.browser.test_backup_page import written
from tests.unit.cli import backup_reports as reports


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = written(reports.report(reports.below(), reports.good()), Path(scratch))
        chromium.take_picture(file, folder / "report.png", 1100, 1500)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
