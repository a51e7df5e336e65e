"""`stillpoint snapshot restore`."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillpoint.cli import times
from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.names import name_of_machine, name_of_object
from stillpoint.cli.output import standard_output
from stillpoint.cli.verbs.snapshot import place

if TYPE_CHECKING:
    from stillpoint.vm_snapshots.restoring import Override, RestorePlan, RestoreState, Wish

NAME = "restore"
HELP = "bring a machine back from a snapshot: itself, while it is off, or a new one beside it"
EXAMPLES = """\
examples:
  stillpoint snapshot restore before-upgrade --wait               the machine itself, which is off
  stillpoint snapshot restore before-upgrade --target-readiness-policy StopTarget --wait
  stillpoint snapshot restore before-upgrade --to db-copy         a new machine, off, with a MAC
                                                                  address and UUID of its own
  stillpoint snapshot restore one --to two --volume-name root=two-root --volume-label root:tier=test
  stillpoint snapshot restore before-upgrade --dry-run            prints the object, makes nothing

exit status: 0 made (with --wait: complete), 1 refused or failed, 2 wrong usage,
3 not known: no answer, or not complete in time
"""

_TIMEOUT_S = 600.0
_READINESS = ("FailImmediate", "StopTarget", "WaitGracePeriod", "WaitEventually")
_VOLUMES = ("RandomizeNames", "PrefixTargetName", "InPlace")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument(
        "snapshot", metavar="SNAPSHOT", type=place.one_name, help="NAME or NAMESPACE/NAME"
    )
    parser.add_argument(
        "--to",
        metavar="VM",
        type=name_of_machine,
        default="",
        help="name of the machine to be written",
    )
    parser.add_argument(
        "--name",
        type=name_of_object,
        default="",
        help="of the restore; default: VM-DATE-TIME",
    )
    parser.add_argument(
        "--target-readiness-policy",
        dest="readiness",
        metavar="POLICY",
        type=_readiness,
        default=_READINESS[0],
        help="what if the machine runs: FailImmediate (default), StopTarget, WaitGracePeriod "
        "(five minutes, then it fails) or WaitEventually",
    )
    parser.add_argument(
        "--volume-restore-policy",
        dest="volume_policy",
        choices=_VOLUMES,
        default="",
        help="names of the new claims; default: RandomizeNames",
    )
    parser.add_argument(
        "--volume-ownership-policy", dest="ownership", choices=("Vm", "None"), default=""
    )
    _add_volumes(parser)
    parser.add_argument(
        "--patch", dest="patches", metavar="JSON", action="append", default=[], type=_patch,
        help="JSON patch of a new machine; may be given more than once",
    )  # fmt: skip
    parser.add_argument("--keep-mac", action="store_true", help="with --to: the old MAC addresses")
    parser.add_argument("--keep-uuid", action="store_true", help="with --to: UUID and serial")
    parser.add_argument(
        "--accept-partial", action="store_true", help="also where disks are not in the snapshot"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the object, make nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--wait", action="store_true", help="until it is complete, or has failed")
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=times.seconds,
        default=_TIMEOUT_S,
        help=f"of --wait: {place.WAIT_HELP}; default: 10m",
    )
    place.add_arguments(parser)


def _add_volumes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--volume-name", dest="volume_names", metavar="VOLUME=CLAIM", action="append", default=[],
        type=_pair, help="name of a volume's new claim; may be given more than once",
    )  # fmt: skip
    parser.add_argument(
        "--volume-label", dest="volume_labels", metavar="VOLUME:KEY=VALUE", action="append",
        default=[], type=_label, help="label of a volume's new claim",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    from stillpoint.cli.output import question, terminal  # noqa: PLC0415
    from stillpoint.cli.output.vm_snapshots import restores  # noqa: PLC0415
    from stillpoint.vm_snapshots import reasons, restore_reasons, restoring  # noqa: PLC0415

    cluster = place.connect(arguments)
    [(namespace, snapshot)] = place.identities([arguments.snapshot], arguments)
    now = datetime.now(UTC)
    plan = restoring.plan(cluster, namespace, snapshot, _wish(arguments), now)
    found = restore_reasons.findings(plan)
    obstacles = reasons.obstacles(found, accepts_partial=arguments.accept_partial)
    restores.write_intention(plan, found, obstacles, terminal.console(sys.stderr))
    if arguments.dry_run or obstacles:
        _write_intended(plan, obstacles, arguments)
        return ExitStatus.NOT_SAFE if obstacles else ExitStatus.GOOD
    if not arguments.yes and not question.is_agreed(f"Restore {plan.target_name}?"):
        return ExitStatus.INTERRUPTED
    restoring.KIND.create(cluster, plan.item)
    state = _wait(arguments, plan)
    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(restores.text([state]).encode())
        else:
            restores.write(state, terminal.console(output))
    return _status(state) if arguments.wait else ExitStatus.GOOD


def _write_intended(
    plan: "RestorePlan", obstacles: Sequence[str], arguments: argparse.Namespace
) -> None:
    """The object, for `oc apply -f -`; with `--output json` all about it."""
    from stillpoint.cli.output.vm_snapshots import restores  # noqa: PLC0415

    with standard_output.flushed() as output:
        if arguments.output == "json":
            output.buffer.write(restores.text([], [(plan, obstacles)]).encode())
        elif arguments.dry_run:
            output.buffer.write(restores.object_text(plan).encode())


def _wait(arguments: argparse.Namespace, plan: "RestorePlan") -> "RestoreState":
    from stillpoint.cli.output import terminal  # noqa: PLC0415
    from stillpoint.model import item as it  # noqa: PLC0415
    from stillpoint.model.clock import Clock  # noqa: PLC0415
    from stillpoint.vm_snapshots import restoring  # noqa: PLC0415

    clock = Clock(lambda: datetime.now(UTC), time.sleep)
    longest_s = arguments.timeout if arguments.wait else 0.0
    cluster = place.connect(arguments)
    with terminal.progress(terminal.console(sys.stderr)) as report:
        identity = it.identify(plan.item)
        return restoring.KIND.wait(cluster, identity, longest_s, clock, report)


def _status(state: "RestoreState") -> ExitStatus:
    from stillpoint.vm_snapshots.requested import Outcome  # noqa: PLC0415

    statuses = {Outcome.COMPLETE: ExitStatus.GOOD, Outcome.FAILED: ExitStatus.NOT_SAFE}
    return statuses.get(state.outcome, ExitStatus.CANNOT_TELL)


def _wish(arguments: argparse.Namespace) -> "Wish":
    from stillpoint.vm_snapshots import restoring  # noqa: PLC0415

    return restoring.Wish(
        arguments.to,
        arguments.name,
        arguments.readiness,
        arguments.volume_policy,
        arguments.ownership,
        tuple(_overrides(arguments)),
        tuple(arguments.patches),
        arguments.keep_mac,
        arguments.keep_uuid,
    )


def _overrides(arguments: argparse.Namespace) -> "Iterator[Override]":
    from stillpoint.vm_snapshots.restoring import Override  # noqa: PLC0415

    names = dict(arguments.volume_names)
    labels: dict[str, dict[str, str]] = {}
    for volume, key, value in arguments.volume_labels:
        labels.setdefault(volume, {})[key] = value
    for volume in dict.fromkeys((*names, *labels)):
        yield Override(volume, names.get(volume, ""), labels.get(volume))


def _readiness(text: str) -> str:
    if text in _READINESS:
        return text
    if text.startswith("WaitGracePeriod"):
        cause = "its five minutes are fixed, and no number goes with it: WaitGracePeriod"
        raise argparse.ArgumentTypeError(f"{text!r}: {cause}")
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(_READINESS)}")


def _pair(text: str) -> tuple[str, str]:
    volume, equals, name = text.partition("=")
    if not (volume and equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not VOLUME=CLAIM, for instance root=db-root")
    return volume, name_of_object(name)


def _label(text: str) -> tuple[str, str, str]:
    volume, colon, label = text.partition(":")
    key, equals, value = label.partition("=")
    if not (volume and colon and key and equals):
        wanted = "VOLUME:KEY=VALUE, for instance root:tier=test"
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return volume, key, value


def _patch(text: str) -> str:
    from stillpoint.vm_snapshots import patches  # noqa: PLC0415
    from stillpoint.vm_snapshots.errors import WrongRequest  # noqa: PLC0415

    try:
        return patches.check(text)
    except WrongRequest as error:
        raise argparse.ArgumentTypeError(f"{text}: {error.cause}; {error.hint}") from error
