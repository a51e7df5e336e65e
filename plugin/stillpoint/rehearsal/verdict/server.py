"""Facts about Velero's server, where the backup leaves snapshots to the plugin."""

import importlib.metadata
from collections.abc import Iterator

from stillpoint.rehearsal.verdict import disks
from stillpoint.rehearsal.verdict.case import Case
from stillpoint.velero import server
from stillpoint.velero.volumes.policy import Fate

_CUSTOM_SINCE = (1, 18, 0)
"""The first Velero that has custom actions."""


def refuses_policy(case: Case) -> Iterator[str]:
    """The version of a server that knows no custom actions, and fails a backup that has some."""
    policies = case.around.selection.policy.volumes
    found = server.version(case.around.server) if case.around.server else None
    is_custom = any(one.fate in (Fate.CUSTOM, Fate.OWN) for one in policies)
    if is_custom and found and found < _CUSTOM_SINCE:
        yield ".".join(map(str, found))


def plugin_unknown(case: Case) -> Iterator[str]:
    """Disks that are left to the plugin, where nothing says which plugins Velero has."""
    if case.around.server is None:
        yield from _own(case)


def plugin_absent(case: Case) -> Iterator[str]:
    """Disks that are left to the plugin, where no init container of Velero brings the plugin."""
    if case.around.server and not any(server.plugin_images(case.around.server)):
        yield from _own(case)


def plugin_older(case: Case) -> Iterator[str]:
    """Images of a plugin that is older than this command, and may leave the disks to others."""
    own = server.of_image(f"stillpoint:{importlib.metadata.version('stillpoint')}")
    if own and case.around.server and any(_own(case)):
        for image in server.plugin_images(case.around.server):
            if (found := server.of_image(image)) and found < own:
                yield image


def _own(case: Case) -> Iterator[str]:
    for disk, claim in disks.claims(case):
        if case.around.fates.of(claim) is Fate.OWN:
            yield disk.name
