"""The conversation with a guest's agent."""

import json
import socket
import threading
from pathlib import Path

from tests.qemu_agent import FRAME, Conversation

LEFT = b'ut-data": ""}}\n{"return": {}}\n'


def test_answers_to_whoever_asked_before_are_passed_over_also_the_rest_of_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        guest = threading.Thread(target=answer_twice, args=(listener,))
        guest.start()
        host = Conversation()
        host.open(path)
        host.synchronize()
        assert host.freeze() == 3
        host.close()
        guest.join()


def answer_twice(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as lines:
        asked = json.loads(lines.readline().removeprefix(FRAME))
        told = json.dumps({"return": asked["arguments"]["id"]}).encode()
        connection.sendall(LEFT + FRAME + told + b"\n")
        lines.readline()
        connection.sendall(b'{"return": 3}\n')
