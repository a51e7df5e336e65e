"""Builds the programs of this folder once and keeps them outside the tree.

`python -m tests.peers.build [NAME...]` builds the named programs, or all; `binary("velero")`
builds one on demand. A binary lies in `${XDG_CACHE_HOME:-~/.cache}/stillpoint/bin/NAME-HASH`, where
the hash covers whatever it depends on, so that one that is up to date is never built again. Cold,
all of them take about ten minutes on two cores, nearly all of it in the libraries of Kubernetes and
Velero; with Go's build cache warm, half a minute.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MODULES = Path(__file__).parent
KUBERNETES_VERSION = "v1.36.3"
VELERO_VERSION = "v1.18.3"

Report = Callable[[str], None]


class BuildError(Exception):
    """A program could not be built: which one, and what the Go tool said."""


@dataclass(frozen=True)
class Program:
    """One binary: module folder here, package in it, and what the Go tool needs besides."""

    name: str
    module: str
    package: str
    variables: tuple[str, ...] = ()
    """Values for the linker's -X, such as versions."""
    arguments: tuple[str, ...] = ()
    """More arguments of `go build`, such as -tags or -modfile."""

    @property
    def folder(self) -> Path:
        return MODULES / self.module

    @property
    def flags(self) -> tuple[str, ...]:
        set_variables = "".join(f" -X {each}" for each in self.variables)
        return ("-trimpath", f"-ldflags=-s -w{set_variables}", *self.arguments)


PROGRAMS = (
    Program(
        "kube",
        "kubernetes",
        "./cmd/kube",
        variables=(
            f"k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
            "k8s.io/component-base/version.gitMajor=1",
            "k8s.io/component-base/version.gitMinor=36",
        ),
    ),
    Program("node", "kubernetes", "./cmd/node"),
    Program("disks", "kubernetes", "./cmd/disks"),
    Program(
        "csi-provisioner",
        "kubernetes",
        "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner",
    ),
    Program(
        "csi-snapshotter",
        "kubernetes",
        "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter",
    ),
    Program(
        "snapshot-controller",
        "kubernetes",
        "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller",
    ),
    Program(
        "csi-snapshotter-v1beta2",
        "groups-v1beta2",
        "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter",
    ),
    Program(
        "snapshot-controller-v1beta2",
        "groups-v1beta2",
        "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller",
    ),
    Program(
        "velero",
        "velero",
        "./cmd/velero",
        variables=(f"github.com/vmware-tanzu/velero/pkg/buildinfo.Version={VELERO_VERSION}",),
    ),
    Program("folder-store", "velero", "./cmd/folder-store"),
    Program(
        "velero-plugin-for-aws",
        "velero",
        "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws",
    ),
    Program("versitygw", "s3", "github.com/versity/versitygw/cmd/versitygw"),
    Program("go-plugin", "velero", "./cmd/go-plugin"),
    Program("latency", "velero", "./cmd/latency"),
    Program("scale", "velero", "./cmd/scale"),
    Program("velero-filters", "velero", "./cmd/filters"),
    Program("velero-acceptance", "velero", "./cmd/acceptance"),
    Program(
        "velero-acceptance-v1.14",
        "velero",
        "./cmd/acceptance",
        arguments=("-modfile=cmd/acceptance/v1.14.mod", "-tags=velero_v1_14"),
    ),
)


def binary(name: str, report: Report = lambda _: None) -> Path:
    """Path of the named program, built if it has to be.

    Raises:
        BuildError: there is no such program, no Go tool, or its build failed.
    """
    program = next((each for each in PROGRAMS if each.name == name), None)
    if program is None:
        known = ", ".join(each.name for each in PROGRAMS)
        raise BuildError(f"no program {name}; HINT: one of {known}")
    target = cache_folder() / f"{name}-{fingerprint(program)}"
    if not target.exists():
        with one_at_a_time():
            if not target.exists():  # another session may have built it while this one waited
                build(program, target, report)
    return target


def module_folder(module: str, dependency: str) -> Path:
    """Folder of a dependency's sources, as the module here requires it; downloaded if need be."""
    command = [go(), "list", "-m", "-f", "{{.Dir}}", dependency]
    folder = run(command, MODULES / module).strip()
    if not folder:
        run([go(), "mod", "download", dependency], MODULES / module)
        folder = run(command, MODULES / module).strip()
    return Path(folder)


def cache_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "stillpoint" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def one_at_a_time(what: str = "") -> Iterator[None]:
    with (cache_folder() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(program: Program, target: Path, report: Report) -> None:
    report(f"{program.name}: building")
    started = time.monotonic()
    unfinished = target.with_name(f".{target.name}.unfinished")
    command = [go(), "build", *program.flags, "-o", str(unfinished), program.package]
    run(command, program.folder)
    unfinished.rename(target)
    report(f"{program.name}: built in {time.monotonic() - started:.1f} s")


def fingerprint(program: Program) -> str:
    digest = hashlib.sha256()
    for part in (go_version(), program.package, *program.flags):
        digest.update(part.encode() + b"\0")
    for source in sources(program):
        digest.update(str(source.relative_to(program.folder)).encode() + b"\0")
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def sources(program: Program) -> list[Path]:
    """Files of the module that can reach the program: of cmd/, only the program's own folder."""
    commands = program.folder / "cmd"
    own = program.folder / program.package
    return sorted(
        path
        for pattern in ("*.go", "*.mod", "*.sum")
        for path in program.folder.rglob(pattern)
        if path.is_relative_to(own) or not path.is_relative_to(commands)
    )


@cache
def go_version() -> str:
    return run([go(), "env", "GOVERSION", "GOARCH"], MODULES)


@cache
def go() -> str:
    """The Go tool. From 1.21 on it fetches the version that a module wants by itself."""
    tool = shutil.which("go")
    if tool is None:
        raise BuildError("the Go tool is not on PATH; HINT: install Go 1.26 or later")
    version = subprocess.run([tool, "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"go1\.(\d+)", version)
    if found and int(found[1]) < 21:
        raise BuildError(f"{version.strip()} is too old; HINT: install Go 1.26 or later")
    return tool


def run(command: Sequence[str], folder: Path) -> str:
    environment = os.environ | {"CGO_ENABLED": "0"}
    finished = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        shown = " ".join(command)
        raise BuildError(f"{shown}, in {folder}:\n{finished.stdout}{finished.stderr}")
    return finished.stdout


def main(names: Sequence[str]) -> int:
    def show(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        for name in names or [program.name for program in PROGRAMS]:
            show(f"{name}: {binary(name, show)}")
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
