"""The QEMU guest agent, spoken to as libvirt does."""

import base64
import json
import socket
import time
from pathlib import Path
from typing import Any

FRAME = b"\xff"
ANSWER_S = 300  # the longest that a freeze may take here
CHUNK = 32768  # the agent takes no longer file at once


class AgentError(Exception):
    """The agent's own words why it did not do what it was told."""


class Agent:
    """One conversation with an agent; not for two threads at once."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    @classmethod
    def connected(cls, path: Path, timeout_s: float) -> "Agent":
        """As soon as the guest has booted far enough for an agent that answers.

        Raises:
            TimeoutError: it did not in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                return cls._synchronized(path)
            except OSError:
                time.sleep(0.2)
        raise TimeoutError(f"no answer in {timeout_s} s")

    @classmethod
    def _synchronized(cls, path: Path) -> "Agent":
        agent = cls(path, timeout_s=2)
        try:
            agent.synchronize()
        except OSError:
            agent.close()
            raise
        agent._socket.settimeout(ANSWER_S)
        return agent

    def synchronize(self) -> None:
        """Passes over answers to whoever asked before."""
        token = time.monotonic_ns() % 2**31
        self._socket.sendall(FRAME)  # ends what somebody left half-said
        self._send("guest-sync-delimited", id=token)
        while (self._answer().get("return")) != token:
            pass

    def ask(self, command: str, **arguments: Any) -> Any:
        """What the agent returns.

        Raises:
            AgentError: it refused or failed.
        """
        self._send(command, **arguments)
        answer = self._answer()
        if "error" in answer:
            raise AgentError(answer["error"]["desc"])
        return answer["return"]

    def run(self, script: str, timeout_s: float = 300) -> str:
        """Output of a shell script in the guest.

        Raises:
            AgentError: it ended with another exit status than 0, or not in time.
        """
        arguments = {"path": "/bin/sh", "arg": ["-ec", script], "capture-output": True}
        number = self.ask("guest-exec", **arguments)["pid"]
        deadline = time.monotonic() + timeout_s
        while not (status := self.ask("guest-exec-status", pid=number))["exited"]:
            if time.monotonic() > deadline:
                raise AgentError(f"not done in {timeout_s} s: {script}")
            time.sleep(0.1)
        output, errors = (
            base64.b64decode(status.get(key, "")).decode() for key in ("out-data", "err-data")
        )
        if status.get("exitcode") != 0:
            raise AgentError(f"exit status {status.get('exitcode')}: {script}\n{output}{errors}")
        return output

    def write(self, path: str, content: bytes) -> None:
        """A file in the guest, which only its owner can write; the agent's umask is 0."""
        handle = self.ask("guest-file-open", path=path, mode="w")
        for start in range(0, len(content), CHUNK):
            part = base64.b64encode(content[start : start + CHUNK]).decode()
            self.ask("guest-file-write", **{"handle": handle, "buf-b64": part})
        self.ask("guest-file-close", handle=handle)
        self.run(f"chmod 644 {path}")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def _send(self, command: str, **arguments: Any) -> None:
        message = json.dumps({"execute": command, "arguments": arguments}).encode()
        self._socket.sendall(message + b"\n")

    def _answer(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise ConnectionResetError("the agent's channel was closed")
        answer: dict[str, Any] = json.loads(line.split(FRAME)[-1])
        return answer
