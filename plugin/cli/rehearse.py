"""`stillpoint rehearse`: a backup and a restore without a cluster."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from plugin.cli.exit_status import ExitStatus
from plugin.cli.terminal import Terminal

NAME = "rehearse"
HELP = "what a backup of virtual machines would hold, and what a restore would create"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "--from",
        dest="folder",
        metavar="DIR",
        type=_folder,
        required=True,
        help="folder of manifests, as `oc get -o yaml` prints them",
    )
    parser.add_argument(
        "-n",
        "--namespace",
        dest="namespaces",
        metavar="NAMESPACE",
        action="append",
        default=[],
        help="back up this namespace only; may be given more than once",
    )


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    # grpc takes most of the time to start; `stillpoint version` and --help do without
    from plugin.cli import rehearse_report  # noqa: PLC0415
    from plugin.rehearsal import manifests  # noqa: PLC0415
    from plugin.rehearsal.errors import NothingToRehearse  # noqa: PLC0415
    from plugin.rehearsal.rehearsal import rehearse  # noqa: PLC0415

    read = manifests.read(arguments.folder)
    found = rehearse(read.objects, arguments.namespaces, datetime.now(UTC))
    if not found.machines:
        cause = "no VirtualMachine among the objects that a backup would select"
        hint = "oc get vm,vmi,pod,pvc,pv,dv,secret,configmap,controllerrevision -o yaml"
        raise NothingToRehearse(str(arguments.folder), "cannot rehearse it", cause, hint)
    rehearse_report.write(found, read, arguments.folder, Terminal(sys.stdout))
    is_safe = all(machine.is_safe for machine in found.machines)
    return ExitStatus.GOOD if is_safe else ExitStatus.NOT_SAFE


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return folder
