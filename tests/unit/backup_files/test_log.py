"""Lines of the log of a backup, which may be anything."""

import gzip
import io
from dataclasses import dataclass
from typing import IO

import pytest

from stillpoint.backup_files import log
from stillpoint.backup_files.files import Kind
from stillpoint.model.errors import ArchiveUnreadable
from stillpoint.model.item import Item


@dataclass
class OneFile:
    """A backup of which nothing is there but its log."""

    content: bytes | None
    origin: str = "a test"
    name: str = "nightly"

    def backup(self) -> Item | None:
        return None

    def open(self, kind: Kind) -> IO[bytes] | None:
        return None if self.content is None or kind is not Kind.LOG else io.BytesIO(self.content)


def lines(content: bytes) -> list[bytes]:
    found = log.lines(OneFile(content))
    assert found is not None
    return list(found)


def test_a_log_that_is_not_there_has_no_lines() -> None:
    assert log.lines(OneFile(None)) is None


def test_a_line_is_one_however_it_is_packed() -> None:
    assert lines(gzip.compress(b"a\nb\n")) == lines(b"a\nb\n") == [b"a\n", b"b\n"]


def test_a_line_longer_than_any_is_left_out_and_the_next_is_read() -> None:
    for length in (65_535, 65_536, 65_537, 300_000):
        long = b"x" * (length - 1) + b"\n"
        kept = [long] if length <= 65_536 else []
        assert lines(b"a\n" + long + b"b\nhalf a line") == [b"a\n", *kept, b"b\n"]


def test_a_log_that_is_cut_short_is_refused() -> None:
    with pytest.raises(ArchiveUnreadable, match="BackupLog of the backup"):
        lines(gzip.compress(b"a\n" * 100_000)[:-20])


def test_a_log_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_MOST_BYTES", 1000)
    with pytest.raises(ArchiveUnreadable, match="more than 1,000 bytes"):
        lines(gzip.compress(b"a\n" * 600))
