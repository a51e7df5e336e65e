"""Makes the payload: a folder with one executable that needs glibc and nothing else.

    python packaging/payload.py SITE OUTPUT

runs with the Python that is to be bundled, on a distribution whose glibc is as old as need be. SITE
is where `pip install --target` put the dependencies; the product is that of this file's own tree.

    OUTPUT/plugins/stillpoint/stillpoint        launcher.c
    OUTPUT/plugins/stillpoint/lib/modules.zip   all modules, compiled; those of every start are
                                                stored uncompressed
    OUTPUT/plugins/stillpoint/lib/*.so*         extension modules under their full names, and what
                                                they need; libpython, if it is not in the executable
    OUTPUT/licenses, OUTPUT/stillpoint.cdx.json what is bundled

Two builds from the same files are the same, byte for byte: compiled modules carry hashes in the
place of times, and the archive is sorted and carries one date.
"""

import argparse
import fnmatch
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bill_of_materials

PACKAGING = Path(__file__).parent
ROOT = PACKAGING.parent

NEWEST_GLIBC = (2, 34)
"""That of RHEL 9, on which Velero's image for OpenShift is built."""

OF_GLIBC = re.compile(r"(ld-linux\S*|linux-vdso|lib(c|m|dl|pthread|rt|util|resolv))\.so\.\d+")
"""What is left to the image. It has zlib too, but one named so may lie in the folder of plugins."""

LEFT_OUT = (
    # of the standard library
    *("test", "unittest", "_test*", "_xx*", "xx*"),
    *("idlelib", "tkinter", "turtle", "turtledemo", "_tkinter"),
    *("curses", "_curses*", "readline"),
    *("distutils", "ensurepip", "lib2to3", "pydoc_data", "venv"),
    *("ctypes", "_ctypes*", "_crypt", "nis", "spwd", "audioop", "ossaudiodev", "_lsprof"),
    *("dbm", "_dbm", "_gdbm", "sqlite3", "_sqlite3", "_bz2", "_lzma"),
    *("_codecs_*", "_multibytecodec", "_elementtree", "pyexpat", "_posixshmem", "cmath"),
    # of the dependencies: what is for each request and each object; ours are dictionaries
    *("kubernetes.aio", "kubernetes.client.api", "kubernetes.client.models.*"),
)
"""Modules, with all below them, that nothing here imports."""

AS_FOLDER = "certifi"
"""Opens a file of its own at its import; out of an archive it would write that file to /tmp."""

_UNTIL_THE_FIRST_CALL = """
import json, os, sys
import plugin.__main__ as program
from plugin import catalogue
from plugin.cluster import extracted_backup
from plugin.wire import contexts
from plugin.wire import handshake
from plugin.wire.action import every
def report(*_):
    every(catalogue)
    os.write(kept, json.dumps(sorted(sys.modules)).encode())
    os._exit(0)
kept = os.dup(1)
handshake.announce = report
os.environ.update([handshake.COOKIE])
program.main()
"""


class Unfit(Exception):
    """What was built would not run where it has to."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    payload: Path = given.output / "plugins" / "stillpoint"
    libraries = payload / "lib"
    libraries.mkdir(parents=True)
    write_modules(libraries / "modules.zip", given.site)
    write_folder(libraries / AS_FOLDER, given.site / AS_FOLDER)
    copy_extensions(libraries, given.site)
    build_launcher(payload / "stillpoint")
    of_system = copy_needed_libraries(payload)
    strip_and_check(payload)
    bill_of_materials.write(given.output, given.site, of_system)


def write_modules(archive: Path, site: Path) -> None:
    started = modules_until_the_first_call(site)
    found = dict(sorted(files_to_archive(site)))
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive, "w") as written:
        for name, file in with_folders_of_namespaces(found).items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            if module_name(name) not in started:
                entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, content(name, file, Path(folder)))


def write_folder(target: Path, source: Path) -> None:
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        for file in (*source.glob("*.py"), *source.glob("*.pem")):
            name = file.with_suffix(".pyc").name if file.suffix == ".py" else file.name
            (target / name).write_bytes(content(f"{source.name}/{name}", file, Path(folder)))


def modules_until_the_first_call(site: Path) -> frozenset[str]:
    reported = subprocess.run(
        [sys.executable, "-S", "-B", "-c", _UNTIL_THE_FIRST_CALL],
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{site}"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return frozenset({"start", *json.loads(reported.stdout)})


def files_to_archive(site: Path) -> Iterator[tuple[str, Path]]:
    """Names in the archive, and the files."""
    standard = Path(sysconfig.get_path("stdlib"))
    yield "start.pyc", PACKAGING / "start.py"
    for folder, product in ((standard, None), (site, None), (ROOT, "plugin")):
        for file in sorted((folder / product if product else folder).rglob("*")):
            name = file.relative_to(folder)
            if file.is_file() and is_wanted(name):
                yield str(name.with_suffix(".pyc") if file.suffix == ".py" else name), file


def is_wanted(name: Path) -> bool:
    """Whether a file belongs into the archive: modules, and what tells of a distribution."""
    top = name.parts[0]
    if top.endswith(".dist-info"):
        return name.name in {"METADATA", "entry_points.txt"}
    if top in {"site-packages", "lib-dynload", "bin", AS_FOLDER} or top.startswith("config-"):
        return False
    return name.suffix == ".py" and not is_left_out(module_name(str(name)))


def is_left_out(module: str) -> bool:
    parts = module.split(".")
    above = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return any(fnmatch.fnmatchcase(name, pattern) for name in above for pattern in LEFT_OUT)


def module_name(file: str) -> str:
    return file.rpartition(".")[0].replace("/", ".").removesuffix(".__init__")


def with_folders_of_namespaces(files: dict[str, Path]) -> dict[str, Path | None]:
    """`files` and the folders without an `__init__`, which Python finds by their own entries."""
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    spaces = {f"{folder}/" for folder in folders if f"{folder}/__init__.pyc" not in files}
    return dict(sorted((files | dict.fromkeys(spaces)).items()))


def content(name: str, file: Path | None, folder: Path) -> bytes:
    """A module as Python caches it; tracebacks will name it `payload/plugin/...`."""
    if file is None:
        return b""
    if file.suffix != ".py":
        return file.read_bytes()
    target = folder / "module.pyc"
    py_compile.compile(
        str(file),
        cfile=str(target),
        dfile=f"payload/{name.removesuffix('c')}",
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return target.read_bytes()


def copy_extensions(libraries: Path, site: Path) -> None:
    standard = Path(sysconfig.get_path("platstdlib")) / "lib-dynload"
    for folder in (standard, site):
        for file in sorted(folder.rglob("*.so")):
            package = file.relative_to(folder).parent.parts
            name = ".".join((*package, file.name.partition(".")[0]))
            if not is_left_out(name):
                shutil.copyfile(file, libraries / f"{name}.so")


def build_launcher(target: Path) -> None:
    settings = sysconfig.get_config_vars()
    subprocess.run(
        [
            *("cc", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{sysconfig.get_path('include')}"),
            *("-o", target, PACKAGING / "launcher.c", f"-L{settings['LIBDIR']}"),
            *settings["LINKFORSHARED"].split(),  # of a libpython in an archive, what extensions use
            f"-lpython{settings['LDVERSION']}",
            *settings["LIBS"].split(),
            *settings["SYSLIBS"].split(),
            # RPATH and not RUNPATH, which LD_LIBRARY_PATH would go before.
            "-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib",
        ],
        check=True,
    )


def copy_needed_libraries(output: Path) -> list[Path]:
    """What the executable and the extension modules need, and what that needs, from the system.

    Returns:
        Where each was found.
    """
    copied = []
    libraries = output / "lib"
    environment = os.environ | {"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR"))}
    for file in (output / "stillpoint", *sorted(libraries.glob("*.so"))):
        listed = read_from(["ldd", file], environment)
        for needed, found in re.findall(
            r"^\s*(\S+) => (.*?)(?: \(0x[0-9a-f]+\))?$", listed, re.MULTILINE
        ):
            if not OF_GLIBC.fullmatch(needed):
                if found == "not found":
                    raise Unfit(f"{file.name} needs {needed}, which is nowhere")
                shutil.copyfile(found, libraries / needed)
                copied.append(Path(found))
    return copied


def strip_and_check(output: Path) -> None:
    """No debug information, nothing newer than the system will have, one executable file.

    Raises:
        Unfit: naming the file and what is wrong.
    """
    for file in (output / "stillpoint", *sorted((output / "lib").glob("*.so*"))):
        subprocess.run(["strip", "--strip-unneeded", file], check=True)
        check_libraries(file)
    for path in sorted(output.rglob("*")):
        if path.is_symlink():
            raise Unfit(f"{path.name}: a symlink, which Velero would execute")
        path.chmod(0o755 if path.is_dir() or path == output / "stillpoint" else 0o644)


def check_libraries(file: Path) -> None:
    for version in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", read_from(["objdump", "-T", file])):
        if tuple(map(int, version.split("."))) > NEWEST_GLIBC:
            newest = ".".join(map(str, NEWEST_GLIBC))
            raise Unfit(f"{file.name} needs glibc {version}; the newest allowed is {newest}")
    if "RUNPATH" in read_from(["objdump", "-p", file]):
        raise Unfit(f"{file.name} has a RUNPATH: its libraries would not be those of the payload")


def read_from(command: list[str | Path], environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


if __name__ == "__main__":
    main()
