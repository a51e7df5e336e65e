"""The real plugin process, started and ended as Velero does.

Source: hashicorp/go-plugin v1.7.0, client.go: one line on standard output, gRPC on a Unix socket,
`Shutdown`, two seconds of grace, SIGKILL.
"""

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self, TypeVar

import grpc
import orjson
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stillpoint.model.errors import StillpointError
from stillpoint.wire import handshake
from stillpoint.wire.generated.goplugin import controller_pb2, controller_pb2_grpc

COMMAND = (sys.executable, "-P", "-m", "stillpoint", "--features=EnableCSI")
"""The plugin of this source tree."""

Answer = TypeVar("Answer")

_MOST_LINES = 10_000
_SHOWN_LINES = 12
_CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_metadata_size", 1 << 20),  # an error comes in the trailers
]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the plugin's log.

    Attributes:
        level: `debug`, `info`, `warn` or `error`; empty for a line that is none of its log.
        fields: what else the line says, for instance `action` and `item`.
    """

    level: str
    message: str
    fields: dict[str, str] = field(default_factory=dict)


class PluginFailed(StillpointError):
    """The process as a whole; `log` holds the last lines that it wrote."""

    def __init__(self, attempt: str, cause: str, log: Sequence[LogLine]) -> None:
        super().__init__("plugin process", attempt, cause)
        self.log = tuple(log)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the process may take. Velero waits 60 s for a start, and for a call without end.

    Attributes:
        start_s: until the handshake.
        connect_s: from there to the first answer.
    """

    start_s: float = 60.0
    connect_s: float = 60.0
    call_s: float = 60.0
    end_s: float = 2.0


class PluginProcess:
    """A running plugin, from `__enter__` to `__exit__`.

    Args:
        environment: variables that are added to this process's own.

    Attributes:
        started_s: from the start of the process to its first answer.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        command: Sequence[str] = COMMAND,
        deadlines: Deadlines | None = None,
    ) -> None:
        self.deadlines = deadlines or Deadlines()
        self.started_s = 0.0
        self._command = command
        name, value = handshake.COOKIE
        protocols = {"PLUGIN_PROTOCOL_VERSIONS": str(handshake.VELERO_PROTOCOL)}
        self._environment = {**os.environ, **environment, **protocols, name: value}
        self._lines: deque[LogLine] = deque(maxlen=_MOST_LINES)
        self._readers: list[threading.Thread] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: grpc.Channel | None = None

    @property
    def channel(self) -> grpc.Channel:
        """The connection to the process."""
        if self._channel is None:
            raise RuntimeError("the plugin process has not been started")
        return self._channel

    @property
    def log(self) -> Sequence[LogLine]:
        """What the process has said so far; all of it once it has ended."""
        return tuple(self._lines)

    def __enter__(self) -> Self:
        began = time.monotonic()
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        self.started_s = time.monotonic() - began
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def call(self, attempt: str, method: Callable[..., Answer], request: Any) -> Answer:
        """The answer to one call, within the deadline.

        Raises:
            PluginFailed: the process is gone, or there is no answer in time.
            grpc.RpcError: the answer is an error of the action that was called.
        """
        try:
            return method(request, timeout=self.deadlines.call_s)
        except grpc.RpcError as error:
            if _is_answered(error):
                raise
            raise self._disconnected(attempt, error, self.deadlines.call_s) from error

    def _start(self) -> None:
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
            )
        except OSError as error:
            raise self._failed("cannot start it", str(error)) from error
        self._channel = grpc.insecure_channel(self._address(), options=_CHANNEL)
        health = health_pb2_grpc.HealthStub(self._channel)
        try:
            health.Check(  # type: ignore[attr-defined] # which its stubs lack
                health_pb2.HealthCheckRequest(service="plugin"),
                timeout=self.deadlines.connect_s,
                wait_for_ready=True,
            )
        except grpc.RpcError as error:
            attempt = "cannot connect to it"
            raise self._disconnected(attempt, error, self.deadlines.connect_s) from error

    def _address(self) -> str:
        lines: queue.Queue[bytes] = queue.Queue()
        process = self._process
        if process is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("unreachable: both are pipes")
        self._read(process.stdout, lines.put)
        self._read(process.stderr, self._note)
        try:
            line = lines.get(timeout=self.deadlines.start_s)
        except queue.Empty:
            cause = f"no handshake within {self.deadlines.start_s:g} s"
            raise self._failed("cannot start it", cause) from None
        if line:
            return self._target(line.decode(errors="replace").strip())
        status = process.wait(self.deadlines.end_s)
        raise self._failed("cannot start it", f"it ended before its handshake: {_how(status)}")

    def _target(self, line: str) -> str:
        core, protocol, network, address, *rest = (*line.split("|"), "", "", "", "")
        expected = (handshake.CORE_PROTOCOL, handshake.VELERO_PROTOCOL, "unix")
        if (core, protocol, network) != tuple(map(str, expected)) or rest[0] != "grpc":
            raise self._failed("cannot start it", f"its first line is no handshake: {line[:80]!r}")
        return f"unix:{address}"

    def _note(self, line: bytes) -> None:
        if line.strip():
            self._lines.append(_parsed(line))

    def _read(self, stream: IO[bytes], take: Callable[[bytes], object]) -> None:
        """Hand over each line, and an empty one at the end."""

        def read() -> None:
            with stream:
                for line in stream:
                    take(line)
            take(b"")

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self._readers.append(reader)

    def _end(self) -> None:
        process = self._process
        if process and process.poll() is None and self._is_told_to_end():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.deadlines.end_s)
        if process and process.poll() is None:
            process.kill()
            process.wait()
        for reader in self._readers:  # a child of the plugin may hold the pipe open
            reader.join(self.deadlines.end_s)
        if self._channel:
            self._channel.close()

    def _is_told_to_end(self) -> bool:
        if self._channel is None:
            return False
        controller = controller_pb2_grpc.GRPCControllerStub(self._channel)
        try:
            controller.Shutdown(controller_pb2.Empty(), timeout=self.deadlines.end_s)
        except grpc.RpcError:
            return False
        return True

    def _disconnected(self, attempt: str, error: grpc.RpcError, deadline_s: float) -> PluginFailed:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._failed(attempt, f"no answer within {deadline_s:g} s")
        if self._process:  # the connection ends a moment before the process does
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.deadlines.end_s)
        return self._failed(attempt, f"{error.code().name}: {error.details()}")

    def _failed(self, attempt: str, cause: str) -> PluginFailed:
        process = self._process
        if process and process.poll() is not None:
            for reader in self._readers:
                reader.join(self.deadlines.end_s)
            if "it ended" not in cause:
                cause = f"{cause}; it has ended: {_how(process.returncode)}"
        return PluginFailed(attempt, cause, self.log[-_SHOWN_LINES:])


def _parsed(line: bytes) -> LogLine:
    text = line.decode(errors="replace").rstrip()
    try:
        values = orjson.loads(text)
        level, message = values.pop("@level"), values.pop("@message")
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return LogLine("", text)
    return LogLine(str(level), str(message), {str(key): str(values[key]) for key in values})


def _is_answered(error: grpc.RpcError) -> bool:
    """Whether an action said this, rather than the connection (stillpoint.wire.status)."""
    return error.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED)


def _how(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {-status}"
