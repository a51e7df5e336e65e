"""The folder that comes into Velero's pod."""

import importlib.metadata
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.wire import handshake
from tests.payload.built import executable, payload
from tests.payload.pod import Pod
from tests.unit.wire.test_start_up import LATER
from tests.wire.executables import processes_of
from tests.wire.running import running

MODULE = """
#include <stdio.h>
__attribute__((constructor)) static void loaded(void) { fclose(fopen("MARK", "w")); }
"""
CONFIGURATION = """\
openssl_conf = all
[all]
providers = providers
[providers]
default = own
other = other
[own]
activate = 1
[other]
module = MODULE
activate = 1
"""
USES_OPENSSL = """
def main() -> None:
    import ssl

    ssl.create_default_context()
"""

MOST_BYTES = 60_000_000
MOST_RESIDENT_KB = 60_000


def files() -> list[Path]:
    return sorted(payload().rglob("*"))


def test_one_file_is_executable_and_none_is_a_symlink() -> None:
    assert [path for path in files() if path.is_symlink()] == []
    marked = [path for path in files() if path.is_file() and path.stat().st_mode & 0o111]
    assert marked == [executable()]


def test_everybody_can_read_it_and_nobody_else_can_write() -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files() if path.is_file()}
    assert modes == {0o755, 0o644}


def test_what_is_fast_because_it_is_compiled_is_there_compiled() -> None:
    names = {path.name for path in files()}
    assert {"google._upb._message.so", "grpc._cython.cygrpc.so", "orjson.orjson.so"} <= names


def test_no_openssl_is_there_that_is_out_of_support() -> None:
    names = {path.name for path in files() if path.name.startswith(("libssl", "libcrypto"))}
    assert names == {"libssl.so.3", "libcrypto.so.3"}


def test_no_configuration_makes_openssl_load_a_module(tmp_path: Path) -> None:
    module, mark, configuration = (tmp_path / name for name in ("module.so", "mark", "openssl.cnf"))
    source = tmp_path / "module.c"
    source.write_text(MODULE.replace("MARK", str(mark)))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", module, source], check=True)  # noqa: S607
    configuration.write_text(CONFIGURATION.replace("MODULE", str(module)))
    copied = Path(shutil.copytree(payload(), tmp_path / "payload"))
    (copied / "lib" / "start.pyc").unlink()
    (copied / "lib" / "start.py").write_text(USES_OPENSSL)
    subprocess.run([copied / "stillpoint"], env={"OPENSSL_CONF": str(configuration)}, check=True)
    assert not mark.exists()


def test_the_command_tells_versions() -> None:
    told = subprocess.check_output([executable(), "version"], env={}, text=True).splitlines()
    assert told[0] == f"stillpoint {importlib.metadata.version('stillpoint')}"
    assert any(line.startswith("OpenSSL 3.") for line in told)


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in files()) < MOST_BYTES


def test_it_is_small_in_memory_while_it_waits() -> None:
    with running(executable()) as started:
        status = Path(f"/proc/{started.process.pid}/status").read_text()
    assert int(status.partition("VmRSS:")[2].split()[0]) < MOST_RESIDENT_KB


def test_what_each_start_imports_is_in_the_executable_and_what_comes_later_is_not() -> None:
    with zipfile.ZipFile(payload() / "lib" / "modules.zip") as modules:
        archived = {
            name.removesuffix(".pyc").replace("/", ".").removesuffix(".__init__")
            for name in modules.namelist()
        }
    assert archived & {"encodings", "grpc", "stillpoint.catalogue"} == set()
    assert LATER - archived == {"aiohttp"}  # which nothing here depends on


def test_a_kill_leaves_no_process_and_no_file_but_its_socket(tmp_path: Path) -> None:
    with running(executable(), TMPDIR=str(tmp_path), HOME=str(tmp_path)) as started:
        started.process.kill()
        started.process.wait()
        assert processes_of(executable()) == []
        socket = Path(started.announced.split("|")[3])
    assert [*tmp_path.rglob("*")] == [socket.parent, socket]


def test_nothing_in_the_environment_changes_what_is_imported(tmp_path: Path) -> None:
    (tmp_path / "stillpoint").mkdir()
    (tmp_path / "stillpoint" / "__init__.py").write_text("raise SystemExit('not ours')")
    names = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")
    with running(executable(), **dict.fromkeys(names, str(tmp_path)), PYTHONSTARTUP="x") as started:
        assert started.announced.startswith("1|2|unix|/")


def test_a_person_is_told_what_it_is() -> None:
    started = subprocess.run([executable()], capture_output=True, text=True, check=False)
    assert (started.returncode, started.stderr) == (1, handshake.NOT_STARTED_BY_VELERO)


def test_the_command_rehearses_inside_of_the_container(velero_pod: Pod) -> None:
    finished = velero_pod.run("/plugins/stillpoint/stillpoint", "rehearse", "--from", "/examples")
    assert finished.status in {ExitStatus.GOOD, ExitStatus.NOT_SAFE}, finished.errors
    assert "shop/db" in finished.output


def test_a_shell_completes_the_command_of_the_payload() -> None:
    script = subprocess.check_output([executable(), "completion", "bash"], text=True)
    assert "--every-resource" in script


def test_the_image_installs_as_velero_s_init_container(velero_pod: Pod) -> None:
    finished = velero_pod.run("/plugins/stillpoint/stillpoint", "install", "/target")
    assert finished.status == 0, finished.errors
    states = {f"stillpoint/{path.relative_to(payload())}": path.stat() for path in files()}
    assert finished.target == {
        name: [state.st_mode, state.st_size]
        for name, state in states.items()
        if stat.S_ISREG(state.st_mode)
    }


def test_a_folder_that_cannot_be_written_to_is_one_clear_error(velero_pod: Pod) -> None:
    finished = velero_pod.run("/plugins/stillpoint/stillpoint", "install", "/examples")
    assert finished.status == ExitStatus.CANNOT_TELL
    assert "/examples/stillpoint: cannot install the plugin: " in finished.errors
