"""Arguments that name files and folders; shells complete them (shtab 1.13, `complete`)."""

import argparse
from collections.abc import Sequence
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
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return folder


def existing_file(text: str) -> Path:
    """The file of that name.

    Raises:
        ArgumentTypeError: there is none.
    """
    file = Path(text)
    if not file.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return file
