"""A guest that runs: QEMU without hardware acceleration, its channels and its disks."""

import itertools
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.machine.agent import Agent
from tests.machine.image import Image

KERNEL_ARGUMENTS = (
    "root=LABEL=system rw console=ttyS0 net.ifnames=0 mitigations=off nowatchdog"
    " systemd.show_status=1 systemd.journald.forward_to_console=1"
)
AGENT_PORT = "org.qemu.guest_agent.0"
DATABASES = ("postgresql", "mariadb")
BOOT_S = 900
"""Limit for a boot on a loaded machine without hardware acceleration; a quiet one takes 20 s."""


class MachineError(Exception):
    """What the guest did not do, and the end of its console."""


class Commits:
    """The commits of one database that were acknowledged, each as soon as the host knew it."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._known: list[tuple[datetime, int]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, moment: datetime) -> int:
        """The number of the last one that was acknowledged before; 0 if there was none."""
        return max((number for time, number in list(self._known) if time < moment), default=0)

    def last(self) -> int:
        """The number of the last one of all."""
        return self._known[-1][1] if self._known else 0

    def longest_stall_s(self, begin: datetime, end: datetime) -> float:
        """The longest time without an acknowledgement that has to do with that time."""
        moments = [moment for moment, _ in list(self._known)]
        pairs = [pair for pair in itertools.pairwise(moments) if pair[1] > begin and pair[0] < end]
        return max(((after - before).total_seconds() for before, after in pairs), default=0)

    def wait(self, more: int, timeout_s: float = BOOT_S) -> None:
        """Returns when so many more were acknowledged."""
        wanted, deadline = len(self._known) + more, time.monotonic() + timeout_s
        while len(self._known) < wanted:
            if time.monotonic() > deadline:
                raise MachineError(f"{len(self._known)} commits instead of {wanted}")
            time.sleep(0.1)

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                if line.strip().isdigit():
                    self._known.append((datetime.now(UTC), int(line)))


class Machine:
    """One guest, from power-on to the end of its power.

    Attributes:
        agent_socket: for whoever plays libvirt; the agent talks to one at a time.
        commits: those of each database, of the script `commits` in the guest.
    """

    def __init__(self, image: Image, disks: Mapping[str, Path], media: Sequence[Path] = ()) -> None:
        """Powers it on, with the images of its disks by label, and of what it only reads."""
        self.folder = Path(tempfile.mkdtemp(prefix="stillpoint-machine-"))
        self.agent_socket = self.folder / AGENT_PORT
        with (self.folder / "qemu.log").open("wb") as log:
            self._qemu = subprocess.Popen(
                [*_command(image, self.folder), *_cold_plugged(disks), *_inserted(media)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_for_sockets()
        self.commits = {each: Commits(self.folder / f"commits.{each}") for each in DATABASES}
        self._shell = _connected(self.folder / "shell")
        self._monitor = _connected(self.folder / "monitor")
        self._monitored = self._monitor.makefile("rb")
        self._monitored.readline()  # its greeting
        self.monitor("qmp_capabilities")

    @property
    def is_on(self) -> bool:
        """False when it has ended by itself."""
        return self._qemu.poll() is None

    @property
    def console(self) -> str:
        """What kernel and systemd have printed so far."""
        return self.console_log.read_text(errors="replace")

    @property
    def console_log(self) -> Path:
        """The file of that, which grows."""
        return self.folder / "console.log"

    @contextmanager
    def agent(self, timeout_s: float = BOOT_S) -> Iterator[Agent]:
        """A conversation with the guest's agent, as soon as it answers.

        Raises:
            MachineError: it did not answer in time.
        """
        try:
            agent = Agent.connected(self.agent_socket, timeout_s)
        except TimeoutError as error:
            raise MachineError(f"the agent does not answer:\n{self._last_lines()}") from error
        try:
            yield agent
        finally:
            agent.close()

    def run(self, script: str, timeout_s: float = BOOT_S) -> str:
        """Output of a shell script that the agent runs in the guest."""
        with self.agent() as agent:
            return agent.run(script, timeout_s)

    def shell(self, command: str, timeout_s: float = 180) -> str:
        """Output of a command on the second console, which needs no agent and no disk."""
        token = f"done-{time.monotonic_ns()}"
        self._shell.settimeout(timeout_s)
        end = f"; echo {token[:4]}''{token[4:]}\n"  # not the token itself, for it is echoed
        try:
            self._shell.sendall((command + end).encode())
        except TimeoutError as error:
            raise MachineError(f"{command}: nobody reads it in {timeout_s} s") from error
        read = b""
        while f"{token}\r\n".encode() not in read:
            try:
                part = self._shell.recv(65536)
            except TimeoutError as error:
                raise MachineError(f"{command}: not done in {timeout_s} s: {read!r}") from error
            if not part:
                raise MachineError(f"the machine ended during {command}:\n{self._last_lines()}")
            read += part
        told = read.decode(errors="replace").replace("\r\n", "\n").partition(end)[2]
        return told.partition(f"{token}\n")[0].removesuffix("\n")

    def wait_for_shell(self) -> None:
        """Returns when the second console answers; what is typed before that is lost."""
        deadline = time.monotonic() + BOOT_S
        while True:
            try:
                self.shell("true", timeout_s=1)
            except MachineError:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    def attach(self, label: str, image: Path) -> None:
        """Hot-plugs a disk, as KubeVirt does: on the SCSI bus."""
        node = {
            "driver": "raw",
            "node-name": label,
            "file": {"driver": "file", "filename": str(image)},
        }
        self.monitor("blockdev-add", **node)
        self.monitor("device_add", driver="scsi-hd", id=label, drive=label, bus="scsi.0")

    def monitor(self, command: str, **arguments: Any) -> Any:
        """What QEMU itself returns.

        Raises:
            MachineError: it refused.
        """
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self._monitored.readline())
            if "error" in answer:
                raise MachineError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def reset(self) -> None:
        """Pushes its button: the guest boots again, on the disks as they are."""
        self.monitor("set-action", reboot="reset")
        self.monitor("system_reset")

    def cut_power(self) -> None:
        """Ends it as a power failure does."""
        self._qemu.kill()
        self._qemu.wait()

    def close(self, logs: Path | None = None) -> None:
        """Cuts the power and removes all traces; `logs` is a folder to keep the console in."""
        self.cut_power()
        for commits in self.commits.values():
            commits.close()
        self._monitored.close()
        for channel in (self._shell, self._monitor):
            channel.close()
        if logs:
            logs.mkdir(parents=True, exist_ok=True)
            for log in self.folder.glob("*.log"):
                shutil.copy(log, logs)
        shutil.rmtree(self.folder)

    def _wait_for_sockets(self) -> None:
        deadline = time.monotonic() + 120
        while not (self.folder / "monitor").exists():
            if self._qemu.poll() is not None or time.monotonic() > deadline:
                raise MachineError((self.folder / "qemu.log").read_text())
            time.sleep(0.05)

    def _last_lines(self) -> str:
        return "\n".join(self.console.splitlines()[-25:])


def _command(image: Image, folder: Path) -> Iterator[str]:
    yield from ("setpriv", "--pdeathsig", "KILL", "nice", "qemu-system-x86_64")
    yield from ("-machine", "pc", "-accel", "tcg,thread=multi")
    yield from ("-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults", "-no-reboot")
    yield from ("-display", "none", "-device", "virtio-rng-pci", "-device", "virtio-scsi,id=scsi")
    yield from ("-kernel", str(image.kernel), "-initrd", str(image.initial_ram_disk))
    yield from ("-append", KERNEL_ARGUMENTS, "-serial", f"file:{folder / 'console.log'}")
    yield from ("-device", "virtio-serial", "-chardev", _socket("shell", folder))
    yield from ("-device", "virtconsole,chardev=shell")
    for name in (AGENT_PORT, *(f"commits.{each}" for each in DATABASES)):
        yield from ("-chardev", _socket(name, folder))
        yield from ("-device", f"virtserialport,chardev={name},name={name}")
    yield from ("-qmp", f"unix:{folder / 'monitor'},server=on,wait=off")


def _socket(name: str, folder: Path) -> str:
    return f"socket,id={name},path={folder / name},server=on,wait=off"


def _cold_plugged(disks: Mapping[str, Path]) -> Iterator[str]:
    for label, image in disks.items():
        yield from ("-drive", f"if=virtio,id={label},format=raw,cache=unsafe,file={image}")


def _inserted(media: Sequence[Path]) -> Iterator[str]:
    for medium in media:
        yield from ("-drive", f"if=virtio,format=raw,readonly=on,file={medium}")


def _connected(path: Path) -> socket.socket:
    """Connected to a socket of QEMU, which is there a moment before QEMU listens on it."""
    made, deadline = socket.socket(socket.AF_UNIX), time.monotonic() + 120
    while True:
        try:
            made.connect(str(path))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return made
