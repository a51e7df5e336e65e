"""Arguments that name files, folders and the cluster to read.

Shells complete names of files (shtab 1.13, `complete`).
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class FileName(argparse.Action):
    """`action=FileName`: the value is kept as `store` does, and completed with names of files."""

    complete = "file"

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - `argparse.Action` says so
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        """See `argparse.Action`."""
        setattr(namespace, self.dest, values)


class FolderName(FileName):
    """`action=FolderName`: completed with names of folders."""

    complete = "directory"


def existing_folder(text: str) -> Path:
    """The folder of that name.

    Raises:
        ArgumentTypeError: there is none.
    """
    folder = Path(text)
    if not _asked(folder.is_dir):
        is_file = _asked(folder.is_file)
        missing = f"there is no folder {text!r}"
        what = f"{text!r} is a file: name the folder of it" if is_file else missing
        raise argparse.ArgumentTypeError(what)
    return folder


def existing_file(text: str) -> Path:
    """The file of that name.

    Raises:
        ArgumentTypeError: there is none.
    """
    file = Path(text)
    if not _asked(file.is_file):
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return file


def existing_path(text: str) -> Path:
    """The file or folder of that name.

    Raises:
        ArgumentTypeError: there is neither.
    """
    path = Path(text)
    if not _asked(path.exists):
        raise argparse.ArgumentTypeError(f"there is no file or folder {text!r}")
    return path


def path_or_name(text: str) -> str:
    """The text, which names a file or a folder, or something else.

    Raises:
        ArgumentTypeError: it is no name of a file, and too long for anything.
    """
    _asked(Path(text).exists)
    return text


def _asked(question: Callable[[], bool]) -> bool:
    """The answer of the file system.

    Raises:
        ArgumentTypeError: it gives none: the name is too long, or one may not look there.
    """
    try:
        return question()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot look there: {error.strerror}") from error


def add_source(parser: argparse.ArgumentParser, manifests: str) -> argparse._ArgumentGroup:
    """Declares `--from`, `--kubeconfig` and `--context`; gives their group.

    Args:
        manifests: how the files of a folder come to be.
    """
    source = parser.add_argument_group("which cluster (the one of KUBECONFIG by default)")
    source.add_argument(
        "--from",
        dest="folder",
        metavar="DIR",
        action=FolderName,
        type=existing_folder,
        help=f"a folder of manifests instead, {manifests}",
    )
    source.add_argument(
        "--kubeconfig",
        metavar="FILE",
        action=FileName,
        default="",
        help="read-only rights will do",
    )
    source.add_argument("--context", metavar="NAME", default="", help="context of the kubeconfig")
    return source
