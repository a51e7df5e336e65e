"""Folders as Velero scans them: with one executable, which is a plugin."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_SCRIPT = """\
#!{python}
import sys
sys.path.insert(0, {root!r})
from tests.wire.actions_for_tests import main
sys.exit(main(with_item_blocks={with_item_blocks}))
"""


def plugin_for_tests(folder: Path, *, with_item_blocks: bool = True) -> Path:
    """The plugin with the actions of `actions_for_tests`, in a new folder."""
    folder.mkdir()
    file = folder / "stillpoint-test"
    script = _SCRIPT.format(
        python=sys.executable, root=str(ROOT), with_item_blocks=with_item_blocks
    )
    file.write_text(script)
    file.chmod(0o755)
    return file


def real_plugin(folder: Path) -> Path:
    """The product itself, as the installation made it, in a new folder."""
    folder.mkdir()
    installed = Path(sys.executable).with_name("stillpoint-velero-plugin")
    return Path(shutil.copy2(installed, folder))


def processes_of(file: Path) -> list[int]:
    """Ids of the processes that were started from this file."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended since
            continue
        if str(file).encode() in arguments[:2]:  # the second, because of the interpreter's line
            found.append(int(folder.name))
    return found
