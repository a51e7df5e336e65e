"""`stillpoint verify`: restores machines of a backup apart from all that lives, and looks."""

import argparse
import functools
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from stillpoint.cli import backup_source, times
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output
from stillpoint.model import item as it
from stillpoint.model.errors import ReadFailed, StillpointError
from stillpoint.model.names import counted, listing

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.backup_files.stored import StoredObjects
    from stillpoint.cli.output.terminal import Report as Progress
    from stillpoint.cluster.kubernetes_writer import StrictWriter
    from stillpoint.downloads.files import DownloadedFiles
    from stillpoint.model.clock import Clock
    from stillpoint.model.item import Item
    from stillpoint.report.model import Machine
    from stillpoint.report.model import Report as BackupReport
    from stillpoint.verification.attempt import Setting
    from stillpoint.verification.interruption import Interruption
    from stillpoint.verification.model import Run

NAME = "verify"
HELP = "restore machines of a backup apart from all that lives, start them, and say what came back"
EXAMPLES = """\
examples:
  stillpoint verify nightly                       every machine of the backup, two at a time
  stillpoint verify nightly shop/db web           these alone
  stillpoint verify nightly --sample 3            three of them, drawn by a seed that is printed
  stillpoint verify --schedule nightly -y         the newest backup of a schedule
  stillpoint verify nightly -o junit > verify.xml
  stillpoint verify --clean-up                    delete what runs that were killed have left

Each machine comes back in a namespace of its own, without network, and is deleted again.

exit status: 0 all came back as expected, 1 one did not, or contradicts the backup's evidence,
2 wrong usage, 3 something was not tried, is not known, or could not be deleted
"""

_OUTPUTS = ("table", "json", "junit")
_NETWORKS = ("none", "isolated")
_SEEDS = 10**6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument("backup", metavar="BACKUP", nargs="?", default="")
    parser.add_argument(
        "machines", metavar="VM", nargs="*", help="NAME or NAMESPACE/NAME (all that it has)"
    )
    parser.add_argument(
        "--schedule", metavar="NAME", default="", help="the newest backup of this schedule"
    )
    parser.add_argument(
        "--sample", metavar="N", type=_count, help="no more than so many, drawn at random"
    )
    parser.add_argument("--seed", metavar="S", type=int, help="draw the same ones as that time")
    parser.add_argument(
        "--network",
        choices=_NETWORKS,
        default=_NETWORKS[0],
        help="none (default): no interface; isolated: the network of pods, of which a "
        "NetworkPolicy lets nothing through",
    )
    parser.add_argument(
        "--at-once", metavar="N", type=_count, default=2, help="machines at a time; default: 2"
    )
    parser.add_argument(
        "--timeout",
        dest="machine_timeout",
        metavar="TIME",
        type=times.seconds,
        default=900.0,
        help="for each machine: seconds, or a time such as 30m; default: 15m",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--clean-up", action="store_true", help="delete what killed runs have left, and no more"
    )
    parser.add_argument("-o", "--output", choices=_OUTPUTS, default="table", help="default: table")
    backup_source.add_cluster_arguments(parser, "--download-timeout")
    parser.set_defaults(path=None, object_file=None, sub_parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cluster.kubernetes_writer import StrictWriter  # noqa: PLC0415
    from stillpoint.model.clock import Clock  # noqa: PLC0415

    check_usage(arguments)
    cluster = StrictWriter.connect(None, arguments.kubeconfig, arguments.context)
    clock = Clock(lambda: datetime.now(UTC), time.sleep)
    left = _clear_leftovers(cluster, clock, arguments)
    if arguments.clean_up:
        return ExitStatus.CANNOT_TELL if left else ExitStatus.GOOD
    _name_backup(cluster, arguments)
    return _verify(cluster, clock, arguments)


def check_usage(arguments: argparse.Namespace) -> None:
    """Ends with the usage where options contradict each other; puts names where they belong."""
    if arguments.schedule:  # then the first name is that of a machine
        arguments.machines = [*filter(None, [arguments.backup]), *arguments.machines]
        arguments.backup = ""
    is_named = bool(arguments.backup or arguments.schedule)
    if is_named == arguments.clean_up or (arguments.clean_up and arguments.machines):
        arguments.sub_parser.error("name a BACKUP, or give --schedule or --clean-up alone")
    if arguments.seed is not None and arguments.sample is None:
        arguments.sub_parser.error("--seed is for --sample")


def _name_backup(cluster: "StrictWriter", arguments: argparse.Namespace) -> None:
    """Puts the name of the backup where `backup_source` looks for names."""
    from stillpoint.velero import own_objects  # noqa: PLC0415

    if arguments.schedule:
        subject, attempt = f"schedule {arguments.schedule}", "cannot verify"
        labels = f"{own_objects.OF_SCHEDULE}={arguments.schedule}"
        made = cluster.list(own_objects.BACKUP, arguments.namespace, labels)
        finished = [one for one in made if own_objects.is_restorable(one)]
        if not finished:
            cause = "it has no backup that has finished"
            hint = f"oc get {own_objects.BACKUP} -A -L {own_objects.OF_SCHEDULE}"
            raise StillpointError(subject, attempt, cause, hint)
        where = sorted({it.namespace(one) for one in finished})
        if len(where) > 1:
            cause = f"several namespaces have backups of one: {listing(where)}"
            raise StillpointError(subject, attempt, cause, "name one with -n")
        newest = max(finished, key=lambda one: it.text(one, "status", "startTimestamp"))
        arguments.backup, arguments.namespace = it.name(newest), it.namespace(newest)
    arguments.names = [arguments.backup]


def _verify(cluster: "StrictWriter", clock: "Clock", arguments: argparse.Namespace) -> int:
    from stillpoint.cli import signals, verification_status  # noqa: PLC0415
    from stillpoint.cli.output import question, terminal  # noqa: PLC0415
    from stillpoint.verification.interruption import Interruption  # noqa: PLC0415

    said = terminal.console(sys.stderr)
    with terminal.progress(said) as progress:
        source = _source(arguments, clock, progress)
    machines, seed = _chosen(source.report, arguments)
    what = counted(len(machines), "machine")
    if len(machines) > 1:
        what += f", {arguments.at_once} at a time"
    if not arguments.yes and not question.is_agreed(f"Restore and start {what}?"):
        return ExitStatus.INTERRUPTED
    interruption = Interruption()
    setting = _setting(cluster, clock, interruption, source, arguments)
    clearing = "what was made is being deleted; once more leaves it there"
    with signals.ending(interruption.come, clearing):
        run = _ran(setting, source, machines, seed, arguments)
        is_interrupted = interruption.has_come
        try:
            _write(run, arguments)
        finally:
            is_kept = _keep(cluster, run, it.uid(source.backup), clock.now())
    status = verification_status.status(run)
    if status is ExitStatus.NOT_SAFE or not (is_interrupted or not is_kept):
        return status
    return ExitStatus.INTERRUPTED if is_interrupted else ExitStatus.CANNOT_TELL


def _ran(
    setting: "Setting",
    source: "_Source",
    machines: "Sequence[Machine]",
    seed: int | None,
    arguments: argparse.Namespace,
) -> "Run":
    """The run, when it is through, or as far as it is at a second interruption."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.verification.model import Run  # noqa: PLC0415
    from stillpoint.verification.run import Verifying  # noqa: PLC0415

    said = terminal.console(sys.stderr)
    began = setting.clock.now()
    with terminal.progress(said) as progress:
        verifying = Verifying(setting, source.stored, progress)
        try:
            results = tuple(verifying.run(machines, arguments.at_once))
            left = tuple(verifying.sweep())
        except KeyboardInterrupt:  # somebody waits no longer
            results = tuple(verifying.so_far(machines))
            left = tuple(map(_left, verifying.under_way)) or (_NOT_LOOKED,)
    return Run(
        id=setting.run,
        namespace=setting.velero,
        backup=setting.backup,
        network=arguments.network,
        seed=seed,
        machines=len(source.report.machines),
        started=began,
        ended=setting.clock.now(),
        results=results,
        left=left,
    )


_NOT_LOOKED = "whether volumes are left is not known: interrupted"


def _left(name: str) -> str:
    """The words for a machine whose clearing was interrupted."""
    by_hand = "stillpoint verify --clean-up, later"
    return f"namespace {name} and its Restore of this name: interrupted; HINT: {by_hand}"


@dataclass(frozen=True, slots=True)
class _Source:
    """The backup, read once."""

    files: "DownloadedFiles"
    backup: "Item"
    objects: "StoredObjects"
    report: "BackupReport"

    def stored(self, machine: "Machine") -> "Item | None":
        """The machine in the backup."""
        from stillpoint.resources.machines import virtual_machine  # noqa: PLC0415

        reference = virtual_machine.RESOURCE.named(machine.namespace, machine.name)
        return self.objects.get(reference)


def _source(arguments: argparse.Namespace, clock: "Clock", progress: "Progress") -> _Source:
    from stillpoint.report import contents, judge  # noqa: PLC0415
    from stillpoint.verification import plan  # noqa: PLC0415

    [files] = backup_source.files(arguments, progress)
    read = contents.read(files)
    backup = plan.usable(files.origin, read.backup if read.objects else None)
    objects = cast("StoredObjects", read.objects)
    report = judge.judge(read, clock.now())
    return _Source(cast("DownloadedFiles", files), backup, objects, report)


def _chosen(
    report: "BackupReport", arguments: argparse.Namespace
) -> "tuple[Sequence[Machine], int | None]":
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.verification import plan  # noqa: PLC0415

    machines = plan.chosen(report, arguments.machines)
    if arguments.sample is None:
        return machines, None
    seed = secrets.randbelow(_SEEDS) if arguments.seed is None else arguments.seed
    drawn = plan.sample(machines, arguments.sample, seed)
    names = ", ".join(one.title for one in drawn)
    said = terminal.console(sys.stderr)
    terminal.write_line(said, f"drawn with --seed {seed}: {names}")
    return drawn, seed


def _setting(
    cluster: "StrictWriter",
    clock: "Clock",
    interruption: "Interruption",
    source: _Source,
    arguments: argparse.Namespace,
) -> "Setting":
    from stillpoint.model import kinds  # noqa: PLC0415
    from stillpoint.resources.disks import persistent_volume  # noqa: PLC0415
    from stillpoint.velero.volumes import fates  # noqa: PLC0415
    from stillpoint.verification import disks, results  # noqa: PLC0415
    from stillpoint.verification.attempt import Setting  # noqa: PLC0415

    @functools.cache
    def labels(namespace: str) -> "Item":
        return it.labels(cluster.get(kinds.NAMESPACE, "", namespace) or {})

    return Setting(
        cluster=cluster,
        clock=clock,
        interruption=interruption,
        run=secrets.token_hex(5),
        velero=it.namespace(source.backup),
        backup=it.name(source.backup),
        keeps_pod_network=arguments.network == "isolated",
        timeout_s=arguments.machine_timeout,
        originals=disks.places(source.objects.list(persistent_volume.RESOURCE, "")),
        results=functools.partial(results.errors, source.files),
        moves_data=fates.moves_data(source.backup),
        labels=labels,
    )


def _keep(cluster: "StrictWriter", run: "Run", uid: str, now: datetime) -> bool:
    """Keeps the verdicts with the Backup; false if that failed, which is said."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.verification import keeping  # noqa: PLC0415

    if not run.verifications:
        return True
    try:
        return keeping.keep(cluster, run, uid, now)
    except ReadFailed as error:
        terminal.write_error(terminal.console(sys.stderr), error)
        return False


def _write(run: "Run", arguments: argparse.Namespace) -> None:
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.cli.output.verification import document, junit, table, words  # noqa: PLC0415

    is_table = arguments.output == "table"
    try:
        with standard_output.flushed() as output:
            if is_table:
                table.write(run, terminal.console(output))
            else:
                forms = {"json": document.text, "junit": junit.text}
                output.buffer.write(forms[arguments.output](run).encode())
    finally:
        said = terminal.console(sys.stderr)
        for line in () if is_table else words.left(run):
            terminal.write_line(said, f"not deleted: {line}")


def _clear_leftovers(
    cluster: "StrictWriter", clock: "Clock", arguments: argparse.Namespace
) -> Sequence[str]:
    """Offers the namespaces of killed runs for deletion; what of them is left, in words."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.verification import leftovers  # noqa: PLC0415

    found = leftovers.find(cluster, cluster.time)
    said = terminal.console(sys.stderr)
    if not found:
        if arguments.clean_up:
            terminal.write_line(
                said, "nothing to delete: no run whose time is over has left a namespace"
            )
        return ()
    terminal.write_line(said, "left by runs that were killed:")
    for one in found:
        going = " (being deleted)" if one.is_going else ""
        terminal.write_line(said, f"  {one.scratch.name}  {one.machine}{going}")
    if not _is_to_be_deleted(arguments):
        terminal.write_line(said, "HINT: stillpoint verify --clean-up --yes deletes them")
        return [one.scratch.name for one in found]
    with terminal.progress(said) as progress:
        clearings = leftovers.clear(cluster, found, clock, progress)
    for clearing in clearings:
        for line in clearing.notes:
            terminal.write_line(said, f"{clearing.scratch.name}: {line}")
        for line in clearing.left:
            terminal.write_line(said, f"not deleted: {line}")
    return [line for clearing in clearings for line in clearing.left]


def _is_to_be_deleted(arguments: argparse.Namespace) -> bool:
    """True if somebody says yes; where nobody can be asked, `--yes` alone does."""
    from stillpoint.cli.output import question  # noqa: PLC0415

    return arguments.yes or (question.is_possible() and question.is_agreed("Delete them?"))


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
