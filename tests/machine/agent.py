"""QEMU's guest agent in a booted guest."""

import base64
import time
from pathlib import Path

from tests.qemu_agent import AgentError, Conversation

CHUNK = 32768  # the agent takes no longer file at once
SYNCHRONIZE_S = 2.0


class Agent(Conversation):
    """The agent of one guest, which talks to one at a time."""

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
        agent = cls()
        agent.open(path)
        try:
            agent.synchronize(SYNCHRONIZE_S)
        except OSError:
            agent.close()
            raise
        return agent

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

    def write(self, path: str, content: bytes, mode: str = "644") -> None:
        """A file in the guest, of that mode; the agent's umask is 0."""
        handle = self.ask("guest-file-open", path=path, mode="w")
        for start in range(0, len(content), CHUNK):
            part = base64.b64encode(content[start : start + CHUNK]).decode()
            self.ask("guest-file-write", **{"handle": handle, "buf-b64": part})
        self.ask("guest-file-close", handle=handle)
        self.run(f"chmod {mode} {path}")
