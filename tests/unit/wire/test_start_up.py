"""The process before and at its handshake."""

import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stillpoint.wire import handshake

ROOT = Path(__file__).parents[3]
GENERATED = ROOT / "plugin" / "stillpoint" / "wire" / "generated"
LATER = {"kubernetes", "msgspec", "requests", "urllib3", "yaml", "aiohttp", "http.client", "ssl"}
"""What only the cluster's reader needs. grpc itself imports asyncio, used or not."""
OF_PEOPLE = {"rich", "shtab"}
"""What only the command needs."""
WITH_THE_FIRST_CALL = {
    *(
        "stillpoint.calls.contexts",
        "stillpoint.velero.context",
        "stillpoint.velero.request",
        "stillpoint.velero.selection.filters",
    ),
    *("stillpoint.model.outcome", "stillpoint.model.archive"),
}
WITH_THE_FIRST_ERROR = {"stillpoint.wire.status", "grpc_status"}
WITH_THE_FIRST_RESTORE = {"stillpoint.cluster.extracted_backup", "tempfile"}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )


def test_velero_is_recognised_by_its_cookie() -> None:
    assert handshake.is_started_by_velero({"VELERO_PLUGIN": "hello"})
    assert not handshake.is_started_by_velero({"VELERO_PLUGIN": "bye"})
    assert not handshake.is_started_by_velero({})


def test_only_the_handshake_reaches_standard_output() -> None:
    printed = run(
        "import os; from stillpoint.wire import handshake\n"
        "output = handshake.take_standard_output()\n"
        "print('printed', flush=True); os.write(1, b'written\\n')\n"
        "os.system('echo inherited')\n"
        "handshake.announce(output, '@name')\n"
        "print('printed later', flush=True)\n"
    )
    assert printed.stdout == "1|2|unix|@name|grpc\n"
    assert printed.stderr == "printed\nwritten\ninherited\nprinted later\n"


def test_the_announcement_closes_its_end(capfd: pytest.CaptureFixture[str]) -> None:
    descriptor = os.dup(1)
    handshake.announce(descriptor, "@name")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert capfd.readouterr().out == "1|2|unix|@name|grpc\n"


def test_what_calls_and_the_cluster_need_is_imported_after_the_handshake() -> None:
    # Start-up is felt in each backup, restore and look at operations.
    loaded = json.loads(
        run(
            "import json, os, sys\n"
            "import stillpoint.__main__ as program\n"
            "from stillpoint.wire import handshake\n"
            "def report(*_):\n"
            "    sys.stderr.flush(); os.write(kept, json.dumps(sorted(sys.modules)).encode())\n"
            "    os._exit(0)\n"
            "kept = os.dup(1)\n"
            "handshake.announce = report\n"
            "os.environ.update(dict([handshake.COOKIE]))\n"
            "program.main()\n"
        ).stdout
    )
    assert "grpc" in loaded
    assert (LATER | OF_PEOPLE).intersection(loaded) == set()
    later = WITH_THE_FIRST_CALL | WITH_THE_FIRST_RESTORE | WITH_THE_FIRST_ERROR
    assert later.intersection(loaded) == set()
    assert {name for name in loaded if name.startswith("stillpoint.actions.")} == set()


def test_a_person_waits_for_no_grpc() -> None:
    loaded = run("import sys, stillpoint.__main__; print(*sys.modules)").stdout.split()
    assert {"grpc", "google.protobuf", "asyncio", *LATER, *OF_PEOPLE}.intersection(loaded) == set()


def test_the_generated_code_is_what_the_proto_files_say(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / "proto" / "generate.py", "--output", tmp_path], check=True
    )
    made, kept = sources(tmp_path), sources(GENERATED)
    assert made == kept
    _, different, unreadable = filecmp.cmpfiles(tmp_path, GENERATED, made, shallow=False)
    assert (different, unreadable) == ([], []), "HINT: make proto"


def sources(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*.py*") if path.suffix != ".pyc"
    }
