"""The program that Velero executes."""

import functools
import logging
import os
import sys
import time
from typing import TYPE_CHECKING

from stillpoint import garbage
from stillpoint.model.errors import NoPlace
from stillpoint.model.writer import Cluster
from stillpoint.wire import handshake, stderr_log

if TYPE_CHECKING:
    from stillpoint.calls.background import Background
    from stillpoint.calls.contexts import Archives


_LAST_TASKS_S = 1.0  # go-plugin kills 2 s after Shutdown, of which the server takes half a second
_OBSERVATIONS_S = 0.7  # of these


def main() -> int:
    """Serves the catalogue to the Velero process that started this one; to a person, explains.

    Returns:
        The exit status.
    """
    if not handshake.is_started_by_velero(os.environ):
        sys.stderr.write(handshake.NOT_STARTED_BY_VELERO)
        return 1
    parent = os.getppid()
    output = handshake.take_standard_output()
    stderr_log.set_up(sys.argv[1:])
    # The poller before event engine: 100 us of CPU less per call (grpcio 1.85; read at its import).
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")
    # grpc is the larger part of start-up; only a plugin that serves needs it.
    _import_grpc()
    from stillpoint import catalogue  # noqa: PLC0415
    from stillpoint.calls.background import Background  # noqa: PLC0415
    from stillpoint.cluster.cache import CachedIndexes  # noqa: PLC0415
    from stillpoint.registration import warn_of_peer  # noqa: PLC0415
    from stillpoint.wire import flags  # noqa: PLC0415
    from stillpoint.wire.server import Server  # noqa: PLC0415
    from stillpoint.wire.servicers import PluginLister  # noqa: PLC0415

    garbage.collect_less()
    lister = PluginLister(catalogue, launch_path(), functools.partial(warn_of_peer, sys.argv[1:]))
    has_csi = flags.has_feature(sys.argv[1:], "EnableCSI")
    background = Background()
    clusters = CachedIndexes(
        _connect,
        has_csi=has_csi,
        background=background.run,
        note=background.note,
        is_observed=True,
    )
    server = Server(catalogue, clusters, _archives, lister)
    try:
        address = server.start()
    except NoPlace as error:
        logging.getLogger("stillpoint").error("%s", error)  # noqa: TRY400 - it says it all
        return 1
    handshake.announce(output, address)
    server.wait(parent)
    _finish(background)
    os._exit(0)  # the interpreter's own end would wait for workers that hang in a call


def _finish(background: "Background") -> None:
    """Stores what was seen of guests, and ends what no call waited for, in the time that is left.

    What is deleted later the next backup deletes; what was seen is nowhere else. Both go on side by
    side, and each is waited for.
    """
    expires = time.monotonic() + _LAST_TASKS_S
    if "stillpoint.actions.watching.observer" in sys.modules:  # else this process has seen none
        from stillpoint.actions.watching import observer  # noqa: PLC0415

        observer.end_all(_OBSERVATIONS_S)
    background.finish(max(expires - time.monotonic(), 0.0))


def launch_path() -> str:
    """The file that Velero is to run again for each action."""
    return os.path.abspath(sys.argv[0])  # noqa: PTH100 - pathlib is a fortieth of the start


def _import_grpc() -> None:
    """Imports grpc without ssl, a fifteenth of the start: grpc does not need it here.

    asyncio, which grpc imports, does without; the cluster's reader imports ssl later.
    """
    sys.modules["ssl"] = None  # type: ignore[assignment] # the import system's word for absent
    import grpc  # noqa: F401, PLC0415

    del sys.modules["ssl"]


@functools.cache
def _archives() -> "Archives":
    # tempfile and pathlib, for restores alone
    from stillpoint.cluster.extracted_backup import ExtractedBackups  # noqa: PLC0415

    return ExtractedBackups()


def _connect() -> Cluster:
    # The kubernetes package takes 0.4 s to import, and many plugin processes never read a cluster.
    from stillpoint.cluster.kubernetes_writer import KubernetesWriter  # noqa: PLC0415

    return KubernetesWriter.connect()


if __name__ == "__main__":
    sys.exit(main())
