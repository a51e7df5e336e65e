"""What else Velero has registered, as far as it matters here."""

import logging
from collections.abc import Sequence

from stillpoint.wire import flags

PEER = "kubevirt-velero-plugin"
"""Its executable, as its image copies it (kubevirt-velero-plugin@734e6cd6, Dockerfile)."""

_PLUGIN_FOLDER = "/plugins"  # Velero's own default (v1.18.3, pkg/cmd/server/config/config.go)

_log = logging.getLogger("stillpoint")


def warn_of_peer(arguments: Sequence[str]) -> None:
    """Log it if the plugin that this one takes the place of is registered too.

    Velero calls every plugin that applies to an object, and finds nothing wrong with two.

    Args:
        arguments: the flags of the Velero server, which it passes on.
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
