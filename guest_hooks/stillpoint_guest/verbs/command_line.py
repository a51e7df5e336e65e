"""The verbs of `stillpoint-guest` for people, and `holder` for systemd."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Type

from stillpoint_guest import __version__
from stillpoint_guest.driver import Driver
from stillpoint_guest.errors import GuestError
from stillpoint_guest.hook import client
from stillpoint_guest.hook.messages import FreezeRequest
from stillpoint_guest.places import Places, package_root
from stillpoint_guest.printable import printable
from stillpoint_guest.state import freeze_record
from stillpoint_guest.state.json_fields import plain

GOOD = 0
NOT_SAFE = 1
_MOST_BYTES = 4096  # of one line
_EPILOG = "exit status: 0 good, 1 not safe, 2 wrong usage, 3 cannot tell"


def run(arguments: Sequence[str], kinds: Optional[Sequence[Type[Driver]]] = None) -> int:
    """Runs a verb and gives the exit status; `kinds` are the drivers, by default all."""
    given = _parser().parse_args(arguments)
    given.places = Places(given.configuration, given.run, given.state)
    given.kinds = kinds
    return int(given.verb(given))


def _parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        "stillpoint-guest",
        description="Quiesces the applications of a guest while snapshots of its disks are taken.",
        epilog=_EPILOG,
    )
    default = Places()
    whole.add_argument("--version", action="version", version=__version__)
    whole.add_argument("--configuration", metavar="FILE", default=default.configuration)
    whole.add_argument("--run", metavar="FOLDER", default=default.run, help="in memory")
    whole.add_argument("--state", metavar="FOLDER", default=default.state, help="for the record")
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", dest="verb_name")
    whole.set_defaults(verb=lambda _: whole.error("a verb is missing"))
    _add(verbs, "freeze", _freeze, "bring everything to rest; for QEMU's agent")
    _add(verbs, "thaw", _thaw, "let everything run again; for QEMU's agent")
    _add(verbs, "status", _status, "what is held, the last freeze, and where this disk is from")
    _add(verbs, "check", _check, "whether a freeze would work")
    around = _add(verbs, "run", _run, "hold everything while a command runs")
    around.add_argument(
        "--filesystems",
        nargs="?",
        const="",
        metavar="PATH,PATH",
        help="freeze filesystems too: those named, or all (for guests without an agent)",
    )
    around.add_argument("command", nargs="+", metavar="COMMAND")
    hook = _add(verbs, "hook", _hook, "have QEMU's agent call this program, or no longer")
    hook.add_argument("state_wanted", choices=("on", "off"), metavar="on|off")
    _add(verbs, "on-copy", _on_copy, "run root's steps for a copy, once (systemd calls it at boot)")
    holder = _add(verbs, "holder", _holder, "be the process that holds (systemd starts it)")
    holder.add_argument("--leave-when-idle", type=float, default=0, metavar="SECONDS")
    return whole


def _add(
    verbs: Any, name: str, verb: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(verb=verb)
    return parser


def _freeze(given: argparse.Namespace) -> int:
    client.freeze(given.places)
    return _answer(given, {"is_held": True}, "held")


def _thaw(given: argparse.Namespace) -> int:
    was_held = client.thaw(given.places)
    return _answer(given, {"was_held": was_held}, "released" if was_held else "nothing was held")


def _status(given: argparse.Namespace) -> int:
    from stillpoint_guest.verbs import status  # noqa: PLC0415  imports the drivers, as do the next two

    known = status.collect(given.places, _kinds(given))
    _answer(given, status.to_json(known), *status.lines(known))
    hold = known.holder.hold
    return NOT_SAFE if hold and hold.lost else GOOD


def _check(given: argparse.Namespace) -> int:
    from stillpoint_guest.verbs import check  # noqa: PLC0415

    findings = list(check.findings(given.places, _kinds(given)))
    content = {"findings": [finding._asdict() for finding in findings]}
    _answer(given, content, *check.lines(findings))
    return NOT_SAFE if any(one.is_blocking and not one.is_good for one in findings) else GOOD


def _run(given: argparse.Namespace) -> int:
    paths = None
    if given.filesystems is not None:
        paths = tuple(filter(None, given.filesystems.split(",")))
    request = FreezeRequest(is_leashed=True, filesystems=paths)
    with client.freeze(given.places, **request.options()):
        try:
            status = subprocess.call(given.command)
        except OSError as error:
            attempt = f"run {' '.join(given.command)}"
            raise GuestError("guest", attempt, str(error)) from error
        finally:
            client.thaw(given.places)
    _answer(given, {"command_status": status})
    return status


def _hook(given: argparse.Namespace) -> int:
    from stillpoint_guest.hook.agent_switch import Switch  # noqa: PLC0415

    switch = Switch(_program(), given.places.state)
    is_on = given.state_wanted == "on"
    has_changed = switch.turn_on() if is_on else switch.turn_off()
    text = "changed: start qemu-guest-agent again" if has_changed else "as before"
    return _answer(given, {"has_changed": has_changed}, text)


def _program() -> str:
    """The file that this package is packed in; never as /bin/..., as rpm would find it."""
    program = os.path.realpath(package_root())
    if os.path.isfile(program):
        return program
    hint = "pack them: python3 -m stillpoint_guest.build FILE"
    raise GuestError(program, "make it the agent's hook", "it is a folder of sources", hint)


def _holder(given: argparse.Namespace) -> int:
    from stillpoint_guest.holder import holder  # noqa: PLC0415

    leave = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leave.set())
    return holder.run(given.places, _kinds(given), given.leave_when_idle, leave)


def _on_copy(given: argparse.Namespace) -> int:
    from stillpoint_guest.verbs import on_copy  # noqa: PLC0415

    boot = on_copy.run(given.places, lambda: _kinds(given))
    _answer(given, {"on_copy": plain(boot.run), "faults": boot.faults}, *on_copy.boot_lines(boot))
    return GOOD if boot.is_good else NOT_SAFE


def _kinds(given: argparse.Namespace) -> Sequence[Type[Driver]]:
    from stillpoint_guest.drivers import DRIVERS  # noqa: PLC0415

    return DRIVERS if given.kinds is None else given.kinds


def _answer(given: argparse.Namespace, content: Mapping[str, Any], *lines: str) -> int:
    """Prints JSON or text; names and errors inside are other people's words."""
    if given.output == "json":
        document: Dict[str, Any] = {"format": freeze_record.FORMAT, **content}
        sys.stdout.write(json.dumps(document, indent=1, sort_keys=True) + "\n")
        return GOOD
    encoding = sys.stdout.encoding or "ascii"
    for line in lines:
        shown = printable(line, _MOST_BYTES).encode(encoding, "backslashreplace")
        sys.stdout.write(shown.decode(encoding) + "\n")
    return GOOD
