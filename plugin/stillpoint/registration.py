"""Other plugins that Velero has registered."""

import logging
from collections.abc import Sequence

from stillpoint.wire import flags

PEER = "kubevirt-velero-plugin"
"""Its executable, as its image copies it (kubevirt-velero-plugin@734e6cd6, Dockerfile)."""

_PLUGIN_FOLDER = "/plugins"  # Velero's own default (v1.18.3, pkg/cmd/server/config/config.go)

_log = logging.getLogger("stillpoint")


def warn_of_peer(arguments: Sequence[str]) -> None:
    """Warns if the plugin that this plugin replaces is registered too.

    Velero calls every plugin that applies to an object, and accepts two.

    Args:
        arguments: the flags of the Velero server.
    """
    from pathlib import Path  # noqa: PLC0415 - no handshake waits for it

    folder = Path(flags.value(arguments, "--plugin-dir") or _PLUGIN_FOLDER)
    for peer in sorted(folder.rglob(PEER)):
        _log.warning(
            "%s is registered too and handles the same objects a second time; HINT: take `kubevirt`"
            " out of defaultPlugins of the DataProtectionApplication, or remove its image with"
            " `velero plugin remove`",
            peer,
        )
