"""A guest of another distribution, as far as installing a package goes: the root of this machine
behind a layer that takes all changes, with the files of that distribution that matter.

`FOLDER COMMAND...` as a program: runs the command in it, in a mount namespace of its own.
"""

import os
import subprocess
import sys
from pathlib import Path


class Root:
    """What is done in it stays in a folder; this machine is as it was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("changes", "work", "root"):
            (folder / name).mkdir(parents=True)

    def path(self, inside: str) -> Path:
        """Of a file that was made or changed in it, outside of `run`."""
        return self._folder / "changes" / inside.lstrip("/")

    def write(self, inside: str, content: str) -> None:
        self.path(inside).parent.mkdir(parents=True, exist_ok=True)
        self.path(inside).write_text(content)

    def run(self, *words: str) -> str:
        """Output of a command as root in it.

        Raises:
            CalledProcessError: it ended with another exit status than 0.
        """
        command = ["unshare", "--mount", "--propagation=private", sys.executable, "-IB", __file__]
        done = subprocess.run(
            [*command, self._folder, *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
            error.add_note(done.stdout + done.stderr)
            raise error
        return done.stdout


def main() -> None:
    folder = Path(sys.argv[1])
    root = folder / "root"
    layers = f"lowerdir=/,upperdir={folder / 'changes'},workdir={folder / 'work'}"
    mount("-t", "overlay", "-o", layers, "overlay", root)
    mount("-t", "proc", "proc", root / "proc")
    mount("-t", "tmpfs", "tmpfs", root / "run")
    os.chroot(root)
    os.chdir("/")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  what a test says


def mount(*arguments: str | Path) -> None:
    command = ["mount", *arguments]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
