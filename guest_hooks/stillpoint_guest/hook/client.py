"""The hook that QEMU's agent runs, and everybody else who asks the holder.

It starts twice per backup while the guest waits, so it imports little. With QEMU 9.1 and newer the
agent reads the hook's output until nobody has it open: what is started here inherits nothing.
"""

import _socket
import errno
import posix

from stillpoint_guest.errors import FreezeRefused, HolderLeft, HolderUnreachable, HoldLost
from stillpoint_guest.hook.connection import Connection, connect
from stillpoint_guest.places import Places

_FIRST_ANSWER_S = 15.0


def freeze(places: Places, **question: str) -> Connection:
    """Have everything quiesced; the request may say more, see `messages`.

    Returns:
        The connection: if the request said `is_leashed`, closing it releases everything.

    Raises:
        FreezeRefused: everything runs as before.
        HolderUnreachable: nothing was touched.
    """
    parent = posix.getppid()
    connection = _connect_or_start(places)
    try:
        _freeze(connection, question, parent)
    except BaseException:  # whatever it was: a connection that ends releases everything
        connection.__exit__()
        raise
    return connection


def _freeze(connection: Connection, question: "dict[str, str]", parent: int) -> None:
    answer = request(connection, verb="freeze", **question)
    if "error" in answer:
        raise FreezeRefused(*error_of(answer))
    if posix.getppid() != parent:  # QEMU's agent was killed: nobody will freeze, nor ever thaw
        raise FreezeRefused("guest", "freeze", "whoever asked for it has ended")
    connection.say(kept="1")


def thaw(places: Places) -> bool:
    """Have everything run again.

    Returns:
        Whether anything was held.

    Raises:
        HoldLost: it runs, but it did not rest the whole time.
        HolderUnreachable: nothing is known.
    """
    try:
        answer = _thaw(places)
    except HolderLeft:  # it was dying; what it left behind is undone by the next
        answer = _thaw(places)
    if "error" in answer:
        raise HoldLost(*error_of(answer))
    return answer["was_held"] == "1"


def error_of(answer: "dict[str, str]") -> "tuple[str, str, str, str]":
    """The arguments of the error that a reply is."""
    return answer["subject"], answer["attempt"], answer["error"], answer["hint"]


def _thaw(places: Places) -> "dict[str, str]":
    with _connect_or_start(places) as connection:
        return request(connection, verb="thaw")


def request(connection: Connection, **question: str) -> "dict[str, str]":
    """Send a request and wait for its reply.

    Raises:
        HolderUnreachable: none came.
    """
    try:
        connection.say(**question)
        answer = connection.hear(_FIRST_ANSWER_S)
        if "wait_s" in answer:
            answer = connection.hear(float(answer["wait_s"]))
    except ConnectionError as error:
        raise HolderLeft("holder", "ask it", str(error)) from error
    except (OSError, ValueError) as error:
        cause = "no answer in time" if isinstance(error, _socket.timeout) else str(error)
        raise HolderUnreachable("holder", "ask it", cause) from error
    if not answer:
        raise HolderLeft("holder", "ask it", "it went away before it answered")
    return answer


def _connect_or_start(places: Places) -> Connection:
    try:
        return Connection(connect(places))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
            raise HolderUnreachable(places.socket, "connect", str(error)) from error
    from stillpoint_guest.hook import holder_start  # noqa: PLC0415  only where our unit does not run

    return Connection(holder_start.start_holder(places))
