"""The hook that QEMU's agent runs, and every other client of the holder.

The hook starts twice per backup while the guest waits, so this module imports little. With QEMU 9.1
and newer the agent reads the hook's output until nobody has it open: programs that are started here
inherit nothing.
"""

import _socket
import errno
import posix

from stillpoint_guest.errors import FreezeRefused, HolderLeft, HolderUnreachable, HoldLost
from stillpoint_guest.hook.connection import Connection, connect
from stillpoint_guest.places import Places

_FIRST_REPLY_S = 15.0


def freeze(places: Places, **options: str) -> Connection:
    """Has everything quiesced; the request may have more fields, see `messages`.

    Returns:
        The connection: if the request said `is_leashed`, closing it releases everything.

    Raises:
        FreezeRefused: everything runs as before.
        HolderUnreachable: nothing was touched.
    """
    parent = posix.getppid()
    connection = _connect_or_start(places)
    try:
        _freeze(connection, options, parent)
    except BaseException:  # whatever it was: a connection that ends releases everything
        connection.__exit__()
        raise
    return connection


def _freeze(connection: Connection, options: "dict[str, str]", parent: int) -> None:
    reply = request(connection, "is_held", verb="freeze", **options)
    if "error" in reply:
        raise FreezeRefused(*error_of(reply))
    if posix.getppid() != parent:  # QEMU's agent was killed: nobody will freeze, nor ever thaw
        raise FreezeRefused("guest", "freeze", "whoever asked for it has ended")
    connection.say(kept="1")


def thaw(places: Places) -> bool:
    """Has everything released.

    Returns:
        True if anything was held.

    Raises:
        HoldLost: the applications run, but did not rest the whole time.
        HolderUnreachable: nothing is known.
    """
    try:
        reply = _thaw(places)
    except HolderLeft:  # it was dying; what it left behind is undone by the next
        reply = _thaw(places)
    if "error" in reply:
        raise HoldLost(*error_of(reply))
    return reply["was_held"] == "1"


def error_of(reply: "dict[str, str]") -> "tuple[str, str, str, str]":
    """The arguments of the error that a reply is."""
    subject, attempt = reply.get("subject", "holder"), reply.get("attempt", "ask it")
    return subject, attempt, reply["error"], reply.get("hint", "")


def _thaw(places: Places) -> "dict[str, str]":
    with _connect_or_start(places) as connection:
        return request(connection, "was_held", verb="thaw")


def request(connection: Connection, good: str, **fields: str) -> "dict[str, str]":
    """Sends a request and waits for its reply.

    Args:
        connection: to the holder.
        good: the key of a reply that is no error.
        fields: the request.

    Raises:
        HolderUnreachable: none came, or one that has neither key.
    """
    try:
        connection.say(**fields)
        reply = connection.hear(_FIRST_REPLY_S)
        if "wait_s" in reply:
            reply = connection.hear(float(reply["wait_s"]))
    except ConnectionError as error:
        raise HolderLeft("holder", "ask it", str(error)) from error
    except (OSError, ValueError) as error:
        cause = "no answer in time" if isinstance(error, _socket.timeout) else str(error)
        raise HolderUnreachable("holder", "ask it", cause) from error
    if not reply:
        raise HolderLeft("holder", "ask it", "it went away before it answered")
    if good not in reply and "error" not in reply:
        raise HolderUnreachable("holder", "ask it", f"no reply of this version: {reply!r}")
    return reply


def _connect_or_start(places: Places) -> Connection:
    try:
        return Connection(connect(places))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
            raise HolderUnreachable(places.socket, "connect", str(error)) from error
    from stillpoint_guest.hook import holder_start  # noqa: PLC0415  only where our unit does not run

    return Connection(holder_start.start_holder(places))
