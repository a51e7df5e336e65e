"""Reports on several backups, of which some may be unreadable."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint.cli import backup_source
from stillpoint.model.errors import StillpointError

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.report.model import Report


def read(
    arguments: argparse.Namespace, since: datetime | None = None, *, with_log: bool = False
) -> "tuple[list[Report], list[str]]":
    """Reports on the backups of the arguments, and where those lie that could not be read.

    Args:
        since: leaves out backups that began before.
        with_log: reads the logs of those in which hooks failed, too.

    Raises:
        StillpointError: no backup is there, or the cluster does not answer.
    """
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.report import contents, judge  # noqa: PLC0415
    from stillpoint.velero import backup_status  # noqa: PLC0415

    now = datetime.now(UTC)
    reports: list[Report] = []
    unread: list[str] = []
    said = terminal.console(sys.stderr)
    with terminal.progress(said) as progress:
        found = backup_source.files(arguments, progress)
        for place, files in enumerate(found):
            progress(place, len(found), files.origin)
            try:
                began = backup_status.started(files.backup() or {})
                if since is None or began is None or began >= since:
                    read_files = contents.read(files, with_log=with_log)
                    reports.append(judge.judge(read_files, now))
            except StillpointError as error:
                terminal.write_error(said, _of(files.origin, error))
                unread.append(files.origin)
    return reports, unread


def _of(origin: str, error: StillpointError) -> StillpointError:
    """The error, which names the backup that it is about."""
    if origin in error.subject:
        return error
    subject = f"{origin}: {error.subject}"
    return StillpointError(subject, error.attempt, error.cause, error.hint)
