"""Plugin folders as Velero scans them, with one plugin each."""

import sys
from pathlib import Path

from tests.payload.built import executable
from tests.peers.build import binary


def ours(folder: Path) -> Path:
    """A folder with stillpoint, as installed in this environment.

    Returns:
        The plugin's executable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plugin = folder / "stillpoint"
    plugin.symlink_to(Path(sys.executable).parent / "stillpoint-velero-plugin")
    return plugin


def payload(folder: Path) -> Path:
    """A folder with stillpoint as its image brings it; see `ours`."""
    folder.mkdir(parents=True, exist_ok=True)
    plugin = folder / "stillpoint"
    plugin.symlink_to(executable())
    return plugin


def in_go(folder: Path) -> Path:
    """A folder with the same action on Velero's Go framework; see `ours`."""
    folder.mkdir(parents=True, exist_ok=True)
    plugin = folder / "go-plugin"
    plugin.symlink_to(binary("go-plugin", print))
    return plugin
