"""`stillpoint rehearse`: a backup and a restore in which nothing is written."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stillpoint import garbage
from stillpoint.cli import backup_source
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.cli.paths import FileName, add_source, existing_file, path_or_name

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.cli.output.terminal import Report as Progress
    from stillpoint.rehearsal.rehearsal import Rehearsal
    from stillpoint.rehearsal.sources.finished_backup import FinishedBackup

NAME = "rehearse"
HELP = "what a backup of virtual machines would hold, how consistent, and would they come back"
EXAMPLES = """\
examples:
  stillpoint rehearse                                  every virtual machine of the cluster
  stillpoint rehearse -n shop -l app=db                one namespace, by label
  stillpoint rehearse --backup nightly                 as the Backup `nightly` of the cluster does
  stillpoint rehearse --backup backup.yaml --restore restore.yaml
  stillpoint rehearse --from dump/ --explain shop/db   from `oc get ... -o yaml`, one machine whole
  stillpoint rehearse --restore --of nightly           a finished backup of the cluster
  stillpoint rehearse --restore --of nightly-data.tar.gz --into-context drill
                                                       one that was downloaded, into another cluster
  stillpoint rehearse -n shop --output json | jq '.machines[] | select(.verdict != "ready")'

exit status: 0 every machine would come back, 1 one is blocked (with --strict: or degraded),
2 wrong usage, 3 something that decides is not known
"""

_ARCHIVES = (".gz", ".tgz", ".tar")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    source = add_source(parser, "as `oc get -o yaml` or `-o json` prints them")
    source.add_argument(
        "--every-resource",
        action="store_true",
        help="read all that Velero collects, not only what concerns virtual machines",
    )
    what = parser.add_argument_group("what to back up (everything by default)")
    what.add_argument(
        "-n",
        "--namespace",
        dest="namespaces",
        metavar="NAMESPACE",
        action="append",
        default=[],
        help="this namespace only; may be given more than once (with --of NAME: that of Velero)",
    )
    what.add_argument("-l", "--selector", metavar="SELECTOR", default="", help="label selector")
    what.add_argument(
        "--backup",
        metavar="FILE|NAME",
        action=FileName,
        help="as this Backup or Schedule: a file, or one of the cluster",
    )
    what.add_argument(
        "--restore",
        metavar="FILE",
        nargs="?",
        const=False,
        action=FileName,
        type=existing_file,
        help="as this Restore, or a plain one, into the same cluster with all that it has; "
        "without it everything comes back to an empty cluster",
    )
    _add_finished(parser)
    _add_outputs(parser)
    parser.set_defaults(sub_parser=parser)


def _add_finished(parser: argparse.ArgumentParser) -> None:
    finished = parser.add_argument_group("the restore of a finished backup, with --restore")
    finished.add_argument(
        "--of",
        metavar="FILE|DIR|NAME",
        action=FileName,
        type=path_or_name,
        help="what `velero backup download` brought: the .tar.gz, or the folder extracted from it, "
        "with velero-backup.json beside it the Backup is known, too; or that of the backup in an "
        "object store; or the name of a backup of the cluster, which Velero's DownloadRequests "
        "bring (a file or folder of that name comes first)",
    )
    finished.add_argument(
        "--into-context",
        metavar="NAME",
        help="into the cluster of this context of the kubeconfig (by default, as --context says)",
    )
    backup_source.add_download_arguments(finished)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="default: table"
    )
    output.add_argument(
        "--explain", metavar="VM", help="one machine (NAME or NAMESPACE/NAME) with all that it has"
    )
    output.add_argument(
        "--archive",
        metavar="FILE",
        action=FileName,
        type=Path,
        help="write what it would hold, in Velero's layout (.tar.gz), secrets included",
    )
    output.add_argument("--strict", action="store_true", help="a degraded machine is not safe, too")


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import document, explanation, report, terminal  # noqa: PLC0415
    from stillpoint.rehearsal.velero_steps import archive  # noqa: PLC0415

    _require_fitting(arguments)
    garbage.collect_less()
    found = _restore(arguments) if arguments.of else _rehearse(arguments)
    if arguments.archive:
        archive.write(found.backup, found.selection, arguments.archive)
    with standard_output.flushed() as output:
        if arguments.explain:
            explanation.write(found, arguments.explain, terminal.console(output))
        elif arguments.output == "json":
            output.buffer.write(document.text(found).encode())  # JSON is UTF-8 in every locale
        else:
            report.write(found, terminal.console(output))
    return _status(found, is_strict=arguments.strict)


def _restore(arguments: argparse.Namespace) -> "Rehearsal":
    """The rehearsal of a finished backup's restore."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.rehearsal import requests  # noqa: PLC0415
    from stillpoint.rehearsal.errors import NothingToRehearse  # noqa: PLC0415
    from stillpoint.rehearsal.finished import rehearse_restore  # noqa: PLC0415

    with terminal.progress(terminal.console(sys.stderr)) as progress:
        finished = _finished(arguments, progress)
        asked = requests.restore(arguments.restore or None, finished.backup)
        if arguments.folder:
            target = requests.of_folder(arguments.folder, progress)
        else:
            place = (arguments.kubeconfig, arguments.into_context or arguments.context)
            target = requests.target_of_cluster(place, finished, asked, progress)
    found = rehearse_restore(finished, target, asked, datetime.now(UTC))
    if not found.machines:
        cause = "no VirtualMachine is among its items"
        raise NothingToRehearse(f"backup {finished.name}", "cannot restore it", cause)
    return found


def _finished(arguments: argparse.Namespace, progress: "Progress") -> "FinishedBackup":
    """The backup of `--of`: in a file or a folder, or downloaded from the cluster."""
    from stillpoint.rehearsal import requests  # noqa: PLC0415
    from stillpoint.rehearsal.sources import finished_backup  # noqa: PLC0415

    if not _is_by_name(arguments.of):
        return requests.of_archive(Path(arguments.of))
    namespace = "".join(arguments.namespaces)
    [files] = backup_source.of_cluster([arguments.of], namespace, arguments, progress)
    return finished_backup.of_files(files)


def _is_by_name(of: str) -> bool:
    """True for the name of a backup: no file or folder is called so, nor like an archive."""
    return "/" not in of and not of.endswith(_ARCHIVES) and not Path(of).exists()


def _require_fitting(arguments: argparse.Namespace) -> None:
    """Ends with a usage error where options contradict each other."""
    fail = arguments.sub_parser.error
    if arguments.into_context and (not arguments.of or arguments.folder):
        fail("--into-context goes with --of, and without --from")
    is_by_name = bool(arguments.of) and _is_by_name(arguments.of)
    if not is_by_name and (arguments.cacert or arguments.insecure_skip_tls_verify):
        fail("--cacert and --insecure-skip-tls-verify go with --of NAME")
    if not arguments.of:
        return
    if arguments.restore is None:
        fail("--of goes with --restore: say `--restore --of FILE|DIR|NAME`")
    of_backups = ("selector", "backup", "every_resource", "archive")
    wrong = [name.replace("_", "-") for name in of_backups if getattr(arguments, name)]
    if arguments.namespaces and not is_by_name:
        wrong.append("namespace")
    if wrong:
        fail(f"--of is of a finished backup: --{wrong[0]} chooses nothing of it")
    if len(arguments.namespaces) > 1:
        fail("--of NAME is in the namespace of one Velero: give --namespace once")


def _rehearse(arguments: argparse.Namespace) -> "Rehearsal":
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.rehearsal import requests  # noqa: PLC0415
    from stillpoint.rehearsal.errors import NothingToRehearse  # noqa: PLC0415
    from stillpoint.rehearsal.rehearsal import Wanted, rehearse  # noqa: PLC0415

    chosen = requests.Chosen(tuple(arguments.namespaces), arguments.selector, arguments.backup)
    with terminal.progress(terminal.console(sys.stderr)) as progress:
        if arguments.folder:
            known = requests.of_folder(arguments.folder, progress)
        else:
            place = (arguments.kubeconfig, arguments.context)
            known = requests.of_cluster(place, chosen, progress, is_whole=arguments.every_resource)
    backup = requests.backup(chosen, known)
    restore = None if arguments.restore is None else requests.restore(arguments.restore or None)
    found = rehearse(known, Wanted(backup, datetime.now(UTC), restore))
    if not found.machines and not known.unread:
        cause = "no VirtualMachine among the objects that the backup would hold"
        hint = "oc get vm,vmi,pod,pvc,pv,dv,secret,configmap,controllerrevision -o yaml"
        raise NothingToRehearse(known.origin, "cannot rehearse it", cause, hint)
    return found


def _status(found: "Rehearsal", *, is_strict: bool) -> ExitStatus:
    from stillpoint.model.weight import Weight  # noqa: PLC0415
    from stillpoint.rehearsal.verdict.verdict import Verdict  # noqa: PLC0415

    verdicts = {machine.judged.verdict for machine in found.machines}
    weights = {one.weight for machine in found.machines for one in machine.judged.findings}
    if Verdict.BLOCKED in verdicts or (is_strict and Verdict.DEGRADED in verdicts):
        return ExitStatus.NOT_SAFE
    is_open = Weight.UNCERTAIN in weights or any(one.is_served for one in found.known.unread)
    return ExitStatus.CANNOT_TELL if is_open or not verdicts else ExitStatus.GOOD
