"""`stillpoint install`: what the image does as an init container of Velero's pod."""

import argparse
import shutil
import sys
from pathlib import Path

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.paths import FolderName
from stillpoint.model.errors import StillpointError

NAME = "install"
HELP = "copy the plugin into the plugin folder of Velero; the image does that by itself"
EXAMPLES = ""

_PLUGIN = "stillpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "folder",
        metavar="DIR",
        action=FolderName,
        type=Path,
        help="the plugin folder, as mounted",
    )


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    if not getattr(sys, "frozen", False):
        cause = "this stillpoint runs on the Python of this machine"
        hint = "use the one in the image"
        raise StillpointError("plugin", "cannot install it", cause, hint)
    target: Path = arguments.folder / _PLUGIN
    try:
        _copy(Path(sys.executable).parent, target)
    except OSError as error:
        raise StillpointError(str(target), "cannot install the plugin", str(error)) from error
    with standard_output.flushed() as output:
        output.write(f"installed {target / _PLUGIN}\n")
    return ExitStatus.GOOD


def _copy(source: Path, target: Path) -> None:
    """The folder with its access rights and nothing more: a label of SELinux is not ours to set."""
    if target.exists():  # of an init container that ran before, and may have been killed
        shutil.rmtree(target)
    target.mkdir()
    for file in sorted(source.rglob("*")):
        copy = target / file.relative_to(source)
        if file.is_dir():
            copy.mkdir()
        else:
            shutil.copyfile(file, copy)
            copy.chmod(file.stat().st_mode)
