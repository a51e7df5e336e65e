"""Runs a command as in Velero's pod: `confine.py ROOT TMP COMMAND...` in new namespaces.

The root is read-only, the user is one that no file knows, LD_LIBRARY_PATH is what Velero's
Deployment sets. TMP is `empty`, `noexec` or `absent`; /target is as for an init container. Every
mount is in the namespace of mounts that this process was started in.

Prints one JSON object: what the command printed and how it ended, and which processes and files it
has left.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

USER = "1000650000"
ENVIRONMENT = {"LD_LIBRARY_PATH": "/plugins", "HOME": "/", "PATH": "/"}
FOR_SOCKETS = {"TMPDIR": "/target"}
"""Where there is no /tmp: the plugins that Velero brings along do need a folder."""
LONGEST_S = 120


def main() -> None:
    root, temporary, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    set_up(root, temporary)
    finished = subprocess.run(
        [shutil.which("chroot") or "chroot", f"--userspec={USER}:0", "--groups=", root, *command],
        env=ENVIRONMENT | (FOR_SOCKETS if temporary == "absent" else {}),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    report = {
        "status": finished.returncode,
        "output": finished.stdout,
        "errors": finished.stderr,
        "processes": [path.name for path in root.glob("proc/[2-9]*")],
        "files": [path.name for path in root.glob("tmp/*")],
        "target": dict(listed(root / "target")),
    }
    json.dump(report, sys.stdout)


def set_up(root: Path, temporary: str) -> None:
    mount("--make-rprivate", "/")
    mount("--bind", root, root)
    mount("-t", "proc", "proc", root / "proc")
    mount("--bind", "/dev", root / "dev")
    if temporary == "absent":
        (root / "tmp").rmdir()
    else:
        options = "mode=1777,noexec" if temporary == "noexec" else "mode=1777"
        (root / "tmp").mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", options, "tmpfs", root / "tmp")
    mount("-t", "tmpfs", "-o", "mode=777", "tmpfs", root / "target")
    mount("-o", "remount,bind,ro", root, root)


def listed(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Access rights and size of each file."""
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            state = path.lstat()
            yield str(path.relative_to(folder)), [state.st_mode, state.st_size]


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main()
