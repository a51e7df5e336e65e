"""Lines on the guest's serial console, which the cluster can read while the guest is frozen.

KubeVirt keeps what the first serial port prints as the log of a container. Nobody waits for that
port: it takes no more bytes while its reader stands still, and its close may wait 30 s for those
that it has (`closing_wait`, setserial(8)). So a thread writes, and a line that is late is dropped.
"""

import os
import re
import select
import stat
import threading
from typing import Callable, List, Optional, Sequence, Tuple

from stillpoint_guest import trust
from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import GuestError
from stillpoint_guest.log import WARNING, Log
from stillpoint_guest.worker import Pending, Worker

KERNELS = "yes"  # a setting: the serial port that is the kernel's console
NONE = "no"  # another; all others are paths of a device
_ACTIVE = "/sys/class/tty/console/active"  # "tty0 ttyS0"
_SERIAL = re.compile(r"(ttyS|ttyAMA|hvc)[0-9]+")
_USUAL = ("ttyS0", "ttyAMA0", "hvc0")  # KubeVirt's; also where the kernel prints elsewhere
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
_WAIT_S = 0.1
_MOST_LINES = 16  # that wait for a console


class Console:
    """Writes lines in a thread of its own, one after the other."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._worker: Optional[Worker] = None
        self._waiting: List[Pending[None]] = []
        self._changing = threading.Lock()

    def say(self, setting: str, line: Callable[[], str], late_s: float) -> None:
        """Writes a line, or drops it and says so in the log; never raises.

        Waits a tenth of a second, not at all while an earlier line is still to be written.

        Args:
            setting: one of the constants, or the path of a device.
            line: makes the line, in ASCII.
            late_s: how much later the line may be written.
        """
        if setting == NONE:
            return
        deadline = Deadline.after(late_s)
        with self._changing:
            pending, is_first = self._begin(lambda: self._write(setting, line, deadline))
        if pending and is_first:
            pending.wait(_WAIT_S)

    def _begin(self, write: Callable[[], None]) -> Tuple[Optional[Pending[None]], bool]:
        """Queues a line; gives none if there is no room, and if no earlier one is waited for."""
        self._waiting = [one for one in self._waiting if not one.wait(0)]
        is_first = not self._waiting
        if len(self._waiting) >= _MOST_LINES:
            self._log.say("the serial console: a line is dropped, others wait for it", WARNING)
            return None, is_first
        try:
            self._worker = self._worker or Worker("console")
        except RuntimeError as error:  # no thread is left
            self._log.say(f"the serial console: {error}", WARNING)
            return None, is_first
        pending = self._worker.begin(write)
        self._waiting.append(pending)
        return pending, is_first

    def finish(self, wait_s: float) -> None:
        """Waits for the lines that are still to be written, before the process ends."""
        deadline = Deadline.after(wait_s)
        for one in self._waiting:
            one.wait(deadline.remaining_s)

    def _write(self, setting: str, line: Callable[[], str], deadline: Deadline) -> None:
        causes: List[str] = []
        try:
            text = line().encode("ascii")
            for device in devices(setting):
                cause = _failure(device, text, deadline)
                if not cause:
                    return
                causes.append(cause)
        except Exception as error:  # noqa: BLE001  the edge: a line is worth no hold
            causes.append(f"fault: {error!r}")
        self._log.say(f"the serial console takes no line: {'; '.join(causes)}", WARNING)


def _failure(device: str, text: bytes, deadline: Deadline) -> str:
    """Writes to a device; the cause if that fails, else nothing."""
    try:
        write(device, text, deadline)
    except (OSError, GuestError) as error:
        return str(error)
    return ""


def devices(setting: str, active: str = _ACTIVE) -> Sequence[str]:
    """The paths of the devices to try, in order: the kernel's serial consoles, or the usual ones.

    Raises:
        OSError: the kernel does not say which are its consoles.
    """
    if setting != KERNELS:
        return [setting]
    with open(active, encoding="ascii") as file:
        names = file.read(4096).split()
    serial = [name for name in names if _SERIAL.fullmatch(name)]
    serial.sort(key=lambda name: name.startswith("hvc"))  # KubeVirt keeps a serial port's output
    return [f"/dev/{name}" for name in serial or _USUAL]


def write(device: str, text: bytes, deadline: Deadline) -> None:
    """Writes to a terminal that nobody else could have put there; may hang when it closes.

    Raises:
        OSError: there is no terminal, or not any more.
        GuestError: somebody besides root chooses what is there, or the terminal takes no more.
    """
    trust.require(os.path.dirname(device))
    if not stat.S_ISCHR(os.lstat(device).st_mode):
        raise GuestError("console", f"write to {device}", "it is no device")
    descriptor = os.open(device, _FLAGS)
    try:
        if not os.isatty(descriptor):
            raise GuestError("console", f"write to {device}", "it is no terminal")
        room = select.poll()
        room.register(descriptor, select.POLLOUT)
        while text:
            deadline.require("console", f"write to {device}")
            try:
                text = text[os.write(descriptor, text) :]
            except BlockingIOError:
                room.poll(deadline.remaining_s * 1000)
    finally:
        os.close(descriptor)
