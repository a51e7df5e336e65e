"""Archives as Go and Python write them, and as somebody writes them who means no good."""

import io
import tarfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillpoint.backup_files import tar_stream
from stillpoint.model.errors import ArchiveUnreadable
from tests.unit.report.world import add

LONG = f"resources/virtualmachines.kubevirt.io/namespaces/{'n' * 63}/{'m' * 200}.json"
FILES = {"metadata/version": b"1.1.0\n", LONG: b"{}" * 700, "empty": b""}
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
names = st.text(st.characters(exclude_categories=["C"], exclude_characters="/"), min_size=1)


def written(files: Mapping[str, bytes], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tar_format) as tar:
        for name, content in files.items():
            add(tar, name, content)
    return stream.getvalue()


def read(archive: bytes) -> dict[str, bytes | None]:
    return dict(tar_stream.members(io.BytesIO(archive), lambda _name: True))


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_is_read(tar_format: int) -> None:
    assert read(written(FILES, tar_format)) == FILES


def test_a_name_of_ustar_in_two_parts_is_read() -> None:
    files = {f"{'a' * 80}/{'b' * 90}": b"x"}
    assert read(written(files, tarfile.USTAR_FORMAT)) == files


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=2000), max_size=6), st.sampled_from(FORMATS[1:]))
def test_what_python_writes_is_read(files: dict[str, bytes], tar_format: int) -> None:
    assert read(written(files, tar_format)) == files


def test_what_nobody_wants_is_passed_over() -> None:
    stream = io.BytesIO(written(FILES))
    found = list(tar_stream.members(stream, lambda name: name == LONG))
    assert [(one.name, one.content) for one in found] == [
        ("metadata/version", None),
        (LONG, FILES[LONG]),
        ("empty", None),
    ]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"5", b"S"])
def test_what_is_no_file_is_none(kind: bytes) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        header = tarfile.TarInfo("resources/secrets/namespaces/shop/db.json")
        header.type, header.linkname = kind, "/etc/passwd"
        tar.addfile(header)
        add(tar, "last", b"x")
    assert read(stream.getvalue()) == {"last": b"x"}


@pytest.mark.parametrize("length", range(600, 3 * 512, 100))
def test_a_file_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ArchiveUnreadable, match="ends in the middle"):
        read(written({"one": b"x" * 600})[:length])


@pytest.mark.parametrize("length", [0, 1, 511])
def test_what_is_shorter_than_any_archive_is_not_called_the_middle_of_one(length: int) -> None:
    with pytest.raises(ArchiveUnreadable, match=f"it has {length} bytes, which is no tar file"):
        read(written({"one": b"x" * 600})[:length])


def test_bytes_that_are_no_archive_are_refused() -> None:
    with pytest.raises(ArchiveUnreadable, match="no tar file"):
        read(b"<html>Access denied</html>" * 100)


def header(kind: bytes, size: bytes) -> bytes:
    made = tarfile.TarInfo("x").tobuf()
    changed = made[:124] + size.ljust(12, b"\0") + b" " * 20 + kind + made[157:]
    return changed[:148] + b"%06o\0 " % sum(changed) + changed[156:]


@pytest.mark.parametrize("kind", [b"x", b"L", b"0"])
def test_a_size_that_no_object_has_is_refused_before_it_is_read(kind: bytes) -> None:
    with pytest.raises(ArchiveUnreadable, match="the most"):
        read(header(kind, b"\x80" + (2**40).to_bytes(11, "big")))


NO_RECORDS = (
    b" ", b"9", b"99 path=x\n", b"0 path=x\n", b"3 path=x\n", b"8 path\n", b"-5 path=x\n",
    b"x y=z\n", b"9 path=xy",
)  # fmt: skip


@pytest.mark.parametrize("record", NO_RECORDS)
def test_an_extended_header_that_is_none_is_refused(record: bytes) -> None:
    block = record.ljust(512, b"\0")
    with pytest.raises(ArchiveUnreadable, match="extended header"):
        read(header(b"x", b"%o" % len(record)) + block)


@pytest.mark.parametrize("size", [b"x", b"-1", b"9" * 16])
def test_a_size_that_is_no_number_is_refused(size: bytes) -> None:
    record = b" size=" + size + b"\n"
    record = b"%d" % (len(record) + 2) + record
    whole = header(b"x", b"%o" % len(record)) + record.ljust(512, b"\0") + header(b"0", b"0")
    with pytest.raises(ArchiveUnreadable):
        read(whole + bytes(1024))


def test_an_archive_larger_than_any_backup_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_stream, "_MOST_BYTES", 4096)
    with pytest.raises(ArchiveUnreadable, match="more than 4,096 bytes"):
        read(written({"bomb": bytes(10_000)}))


def test_more_files_than_any_backup_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_stream, "_MOST_MEMBERS", 2)
    with pytest.raises(ArchiveUnreadable, match="more than 2 files"):
        read(written(dict.fromkeys("abc", b"")))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2048), st.integers(0, 2000), st.integers(0, 255))
def test_whatever_comes_is_read_or_refused(noise: bytes, place: int, byte: int) -> None:
    archive = bytearray(written({"one": noise, "two": b"x"}))
    archive[place] = byte
    for one in (noise, bytes(archive)):
        try:
            read(one)
        except ArchiveUnreadable:
            continue
