"""`stillpoint snapshot create`."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.names import name_of_object
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place, waits
from stillpoint.model import item as it
from stillpoint.model.errors import StillpointError
from stillpoint.model.names import counted

if TYPE_CHECKING:
    from stillpoint.cluster.kubernetes_writer import KubernetesWriter
    from stillpoint.velero.selection.label_selector import LabelSelector
    from stillpoint.vm_snapshots.creation import Intended
    from stillpoint.vm_snapshots.facts import MachineFacts

NAME = "create"
HELP = "make snapshots of machines, running or stopped, after a look at what could go wrong"
EXAMPLES = """\
examples:
  stillpoint snapshot create db                        made, and not waited for
  stillpoint snapshot create db web --wait             two side by side, until both are ready
  stillpoint snapshot create -n shop -l tier=data --wait --require filesystem
  stillpoint snapshot create db --deadline 10m --name before-upgrade
  stillpoint snapshot create db --dry-run              say what it would hold, make nothing

Nothing is made unless all of them can be. On a terminal it asks first, unless --yes.

exit status: 0 made (with --wait: ready, and of the level that --require asks for), 1 refused,
failed, or of a lower level, 2 wrong usage, 3 not known: no answer, or not ready in time
"""

_WORKERS = 8
_LEVELS = ("crash", "filesystem", "application")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "machines", metavar="VM", nargs="*", type=place.one_name, help="NAME or NAMESPACE/NAME"
    )
    parser.add_argument(
        "-l", "--selector", metavar="SELECTOR", type=_selector, help="machines with these labels"
    )
    parser.add_argument(
        "--name",
        type=name_of_object,
        default="",
        help="of the snapshot; default: VM-DATE-TIME",
    )
    parser.add_argument(
        "--deadline",
        metavar="TIME",
        default="",
        help="KubeVirt fails it after this time: 5m, 300s or 300; default: 5m",
    )
    parser.add_argument("--retain", action="store_true", help="keep its content when it is deleted")
    parser.add_argument(
        "--accept-partial", action="store_true", help="make it also where it would lack disks"
    )
    parser.add_argument(
        "--require",
        metavar="LEVEL",
        choices=_LEVELS,
        help=f"no lower level than this ({', '.join(_LEVELS)}) will do; implies --wait",
    )
    parser.add_argument("--force", action="store_true", help="allow --deadline 0")
    parser.add_argument("--dry-run", action="store_true", help="make nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    waits.add_arguments(parser)
    place.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import question, terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import document, snapshots  # noqa: PLC0415
    from stillpoint.model.level import Level  # noqa: PLC0415
    from stillpoint.vm_snapshots import creation  # noqa: PLC0415

    if bool(arguments.machines) == bool(arguments.selector):
        arguments.sub_parser.error("name machines, or select them by -l SELECTOR")
    deadline = _deadline(arguments)
    cluster = place.connect(arguments)
    wanted = _intended(_machines(cluster, arguments), arguments, deadline)
    for one in wanted:
        creation.require_free_name(cluster, one)
    required = Level(arguments.require) if arguments.require else None
    obstacles = {
        one.title: one.obstacles(required, accepts_partial=arguments.accept_partial)
        for one in wanted
    }
    said = terminal.console(sys.stderr)
    snapshots.write_intention(wanted, obstacles, deadline, said)
    if arguments.dry_run or any(obstacles.values()):
        if arguments.output == "json":
            with standard_output.flushed() as output:
                output.buffer.write(document.text([], wanted, obstacles).encode())
        return ExitStatus.NOT_SAFE if any(obstacles.values()) else ExitStatus.GOOD
    if not arguments.yes and not question.is_agreed(f"Make {counted(len(wanted), 'snapshot')}?"):
        return ExitStatus.INTERRUPTED
    made = _create(cluster, wanted)
    is_awaited = bool(arguments.wait or required)
    longest_s = waits.longest_s(arguments, deadline) if is_awaited else 0.0
    status = waits.wait_and_write(cluster, made, longest_s, arguments, required)
    if len(made) < len(wanted):
        return ExitStatus.CANNOT_TELL
    return status if is_awaited else ExitStatus.GOOD


def _deadline(arguments: argparse.Namespace) -> str:
    from stillpoint.vm_snapshots import creation  # noqa: PLC0415
    from stillpoint.vm_snapshots.errors import WrongRequest  # noqa: PLC0415

    parser: argparse.ArgumentParser = arguments.sub_parser
    try:
        return creation.deadline(arguments.deadline or "5m", is_forced=arguments.force)
    except WrongRequest as error:
        parser.error(f"{error.subject}: {error.cause}; {error.hint}")


def _machines(
    cluster: "KubernetesWriter", arguments: argparse.Namespace
) -> "Sequence[MachineFacts]":
    from stillpoint.vm_snapshots.errors import NoSuchObject  # noqa: PLC0415
    from stillpoint.vm_snapshots.facts import NamespaceFacts  # noqa: PLC0415

    if arguments.selector:
        namespace = place.namespace(arguments)
        found = NamespaceFacts.read(cluster, namespace).labelled(arguments.selector)
        if not found:
            cause = "no machine has labels that fit the selector"
            subject, attempt = f"namespace {namespace}", "cannot select machines"
            raise NoSuchObject(subject, attempt, cause, f"oc get vm -n {namespace} --show-labels")
        return found
    given = place.identities(arguments.machines, arguments)
    known = {one: NamespaceFacts.read(cluster, one) for one in dict(given)}
    return [known[namespace].machine(name) for namespace, name in given]


def _intended(
    machines: "Sequence[MachineFacts]", arguments: argparse.Namespace, deadline: str
) -> "Sequence[Intended]":
    from stillpoint.vm_snapshots import creation  # noqa: PLC0415

    if arguments.name and len(machines) > 1:
        arguments.sub_parser.error("--name is the name of one snapshot: name one machine")
    now, policy = datetime.now(UTC), "Retain" if arguments.retain else ""
    given = deadline if arguments.deadline else ""
    return [
        creation.intended(one, arguments.name or creation.name_for(one.name, now), given, policy)
        for one in machines
    ]


def _create(cluster: "KubernetesWriter", wanted: "Sequence[Intended]") -> Sequence[tuple[str, str]]:
    """Creates all side by side; namespace and name of those that the cluster took."""
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.vm_snapshots import creation  # noqa: PLC0415

    def create(one: "Intended") -> tuple[str, str] | StillpointError:
        try:
            return it.identify(creation.create(cluster, one))
        except StillpointError as error:
            return error

    with ThreadPoolExecutor(_WORKERS) as workers:
        results = list(workers.map(create, wanted))
    for one in results:
        if isinstance(one, StillpointError):
            terminal.write_error(terminal.console(sys.stderr), one)
    return [one for one in results if not isinstance(one, StillpointError)]


def _selector(text: str) -> "LabelSelector":
    from stillpoint.velero.selection.label_selector import LabelSelector  # noqa: PLC0415

    try:
        return LabelSelector.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
