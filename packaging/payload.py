"""Makes the payload: a folder with one executable that needs glibc and nothing else.

    python packaging/payload.py SITE OUTPUT

runs with the Python that is to be bundled, on a distribution whose glibc is as old as need be. SITE
is where `pip install --target` put the dependencies; the product is that of this file's own tree.

    OUTPUT/plugins/stillpoint/stillpoint        launcher.c, with the modules of every start
    OUTPUT/plugins/stillpoint/lib/start.pyc     start.py, which that runs; tests put another there
    OUTPUT/plugins/stillpoint/lib/modules.zip   all other modules, compiled
    OUTPUT/plugins/stillpoint/lib/*.so*         extension modules under their full names, and what
                                                they need; libpython, if it is not in the executable
    OUTPUT/licenses, OUTPUT/stillpoint.cdx.json what is bundled

Two builds from the same files are the same, byte for byte: compiled modules carry hashes in the
place of times, and the archive is sorted and carries one date.
"""

import _imp
import argparse
import fnmatch
import itertools
import json
import marshal
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import bill_of_materials
from version import version

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

LENGTH_OF_HEADER = 16
"""Of a compiled module's file, before the code object (PEP 552)."""

METADATA = f"Metadata-Version: 2.1\nName: stillpoint\nVersion: {version()}\n"
"""Of the product, as `importlib.metadata` reads it."""

AS_FOLDER = "certifi"
"""Opens a file of its own at its import; out of an archive it would write that file to /tmp."""

_UNTIL_THE_FIRST_CALL = """
import json, os, sys
import stillpoint.__main__ as program
from stillpoint import catalogue
from stillpoint.cluster import extracted_backup
from stillpoint.calls import contexts
from stillpoint.wire import handshake
from stillpoint.calls.action import every
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
    modules = dict(modules_to_bundle(given.site))
    started = modules_until_the_first_call(given.site)
    frozen = {name: code for name, code in modules.items() if module_name(name) in started}
    write_archive(libraries / "modules.zip", modules, without=frozen)
    write_files(libraries, given.site)
    copy_extensions(libraries, given.site)
    build_launcher(payload / "stillpoint", frozen)
    of_system = copy_needed_libraries(payload)
    strip_and_check(payload)
    check_start(payload / "stillpoint")
    bill_of_materials.write(given.output, given.site, of_system)


def modules_to_bundle(site: Path) -> Iterator[tuple[str, bytes]]:
    """Names as in an archive, and contents; those of folders end with a slash."""
    yield f"stillpoint-{version()}.dist-info/METADATA", METADATA.encode()
    files = dict(files_to_bundle(site))
    with tempfile.TemporaryDirectory() as folder:
        for name, file in with_folders_of_namespaces(files).items():
            yield name, content(name, file, Path(folder))


def files_to_bundle(site: Path) -> Iterator[tuple[str, Path]]:
    standard = Path(sysconfig.get_path("stdlib"))
    for folder, product in ((standard, None), (site, None), (ROOT / "plugin", "stillpoint")):
        for file in sorted((folder / product if product else folder).rglob("*")):
            name = file.relative_to(folder)
            if file.is_file() and is_wanted(name):
                yield str(name.with_suffix(".pyc") if file.suffix == ".py" else name), file


def is_wanted(name: Path) -> bool:
    """Whether a file is to be bundled: modules, and what tells of a distribution."""
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
    return str(PurePosixPath(file).with_suffix("")).replace("/", ".").removesuffix(".__init__")


def with_folders_of_namespaces(files: dict[str, Path]) -> dict[str, Path | None]:
    """`files` and the folders without an `__init__`, which Python finds by their own entries."""
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    spaces = {f"{folder}/" for folder in folders if f"{folder}/__init__.pyc" not in files}
    return dict(sorted((files | dict.fromkeys(spaces)).items()))


def content(name: str, file: Path | None, folder: Path) -> bytes:
    """A module as Python caches it; tracebacks will name it `payload/stillpoint/...`."""
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


def modules_until_the_first_call(site: Path) -> frozenset[str]:
    """Names, without those that CPython itself has in its executable."""
    reported = subprocess.run(
        [sys.executable, "-S", "-B", "-c", _UNTIL_THE_FIRST_CALL],
        env={"PYTHONPATH": f"{ROOT / 'plugin'}{os.pathsep}{site}"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return frozenset(name for name in json.loads(reported.stdout) if not _imp.is_frozen(name))


def write_archive(archive: Path, modules: dict[str, bytes], without: Collection[str]) -> None:
    with zipfile.ZipFile(archive, "w") as written:
        for name, code in modules.items():
            if name not in without:
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                written.writestr(entry, code, zipfile.ZIP_DEFLATED)


def write_files(libraries: Path, site: Path) -> None:
    files = [*(site / AS_FOLDER).glob("*.py"), *(site / AS_FOLDER).glob("*.pem")]
    names = {f"{AS_FOLDER}/{file.name}": file for file in files}
    (libraries / AS_FOLDER).mkdir()
    with tempfile.TemporaryDirectory() as folder:
        for name, file in {"start.py": PACKAGING / "start.py", **names}.items():
            compiled = name.replace(".py", ".pyc")
            (libraries / compiled).write_bytes(content(compiled, file, Path(folder)))


def copy_extensions(libraries: Path, site: Path) -> None:
    standard = Path(sysconfig.get_path("platstdlib")) / "lib-dynload"
    for folder in (standard, site):
        for file in sorted(folder.rglob("*.so")):
            package = file.relative_to(folder).parent.parts
            name = ".".join((*package, file.name.partition(".")[0]))
            if not is_left_out(name):
                shutil.copyfile(file, libraries / f"{name}.so")


def build_launcher(target: Path, frozen: dict[str, bytes]) -> None:
    settings = sysconfig.get_config_vars()
    with tempfile.TemporaryDirectory() as folder:
        write_frozen(Path(folder), frozen)
        subprocess.run(
            [
                *("cc", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{sysconfig.get_path('include')}"),
                *(f"-I{folder}", f"-Wa,-I,{folder}", "-o", target, PACKAGING / "launcher.c"),
                f"-L{settings['LIBDIR']}",
                *settings["LINKFORSHARED"].split(),  # of an archive, what extensions use
                f"-lpython{settings['LDVERSION']}",
                *settings["LIBS"].split(),
                *settings["SYSLIBS"].split(),
                # RPATH and not RUNPATH, which LD_LIBRARY_PATH would go before.
                "-Wl,--disable-new-dtags,-rpath,$ORIGIN/lib",
            ],
            check=True,
        )


def write_frozen(folder: Path, modules: dict[str, bytes]) -> None:
    """What launcher.c includes: code objects one after the other, and a table of them.

    A folder without an `__init__` becomes an empty package.
    """
    empty = marshal.dumps(compile("", "payload", "exec"))
    codes = [compiled[LENGTH_OF_HEADER:] or empty for compiled in modules.values()]
    (folder / "frozen.bin").write_bytes(b"".join(codes))
    begins = itertools.accumulate(map(len, codes), initial=0)
    (folder / "frozen.h").write_text(
        "".join(
            f'{{"{module_name(name)}", CODE + {begin}, {len(code)}, {is_package(name):d}, NULL}},\n'
            for (name, begin, code) in zip(modules, begins, codes, strict=False)
        )
    )


def is_package(name: str) -> bool:
    return name.endswith(("/", "/__init__.pyc"))


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


def check_start(executable: Path) -> None:
    """The command of the payload runs, on a glibc as old as need be."""
    subprocess.run([executable, "version"], env={}, stdout=subprocess.DEVNULL, check=True)


def check_libraries(file: Path) -> None:
    for needed in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", read_from(["objdump", "-T", file])):
        if tuple(map(int, needed.split("."))) > NEWEST_GLIBC:
            newest = ".".join(map(str, NEWEST_GLIBC))
            raise Unfit(f"{file.name} needs glibc {needed}; the newest allowed is {newest}")
    if "RUNPATH" in read_from(["objdump", "-p", file]):
        raise Unfit(f"{file.name} has a RUNPATH: its libraries would not be those of the payload")


def read_from(command: list[str | Path], environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


if __name__ == "__main__":
    main()
