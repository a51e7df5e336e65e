"""Arguments that name finished backups, in the cluster or in files, and their files."""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stillpoint.cli import times
from stillpoint.cli.paths import FileName, existing_file, existing_path
from stillpoint.model import item as it
from stillpoint.model.errors import Forbidden, StillpointError
from stillpoint.model.names import listing

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.backup_files.files import Files
    from stillpoint.cli.output.terminal import Report
    from stillpoint.cluster.kubernetes_writer import KubernetesWriter
    from stillpoint.downloads.trust import Trust
    from stillpoint.model.item import Item

_ATTEMPT = "cannot find it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares them."""
    files = parser.add_argument_group("backups in files")
    files.add_argument(
        "--from",
        dest="path",
        metavar="FILE|DIR",
        action=FileName,
        type=existing_path,
        help="an archive of `velero backup download`, or a folder: of one backup or of several, as "
        "in the object store, or into which an archive was extracted",
    )
    files.add_argument(
        "--backup",
        dest="object_file",
        metavar="FILE",
        action=FileName,
        type=existing_file,
        help="the Backup object of an archive, in JSON: without it no evidence can be believed",
    )
    add_cluster_arguments(parser)


def add_cluster_arguments(
    parser: argparse.ArgumentParser, download_timeout: str = "--timeout"
) -> None:
    """Declares those of backups in the cluster.

    Args:
        download_timeout: the option's name, where `--timeout` is of something else.
    """
    cluster = parser.add_argument_group(
        "backups in the cluster (the one of KUBECONFIG), by Velero's DownloadRequests"
    )
    cluster.add_argument(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        default="",
        help="of Velero (by default Backups of the whole cluster are listed)",
    )
    cluster.add_argument("--kubeconfig", metavar="FILE", action=FileName, default="")
    cluster.add_argument("--context", metavar="NAME", default="", help="context of the kubeconfig")
    add_download_arguments(cluster, download_timeout)


def add_download_arguments(
    cluster: argparse._ArgumentGroup, download_timeout: str = "--timeout"
) -> None:
    """Declares those of downloads alone; see `add_cluster_arguments`."""
    cluster.add_argument(
        "--cacert",
        metavar="FILE",
        action=FileName,
        type=existing_file,
        help="authority of the object store, in PEM; by default that of the backup's location",
    )
    cluster.add_argument(
        download_timeout,
        dest="timeout",
        metavar="TIME",
        type=times.seconds,
        default=1800.0,
        help="of each file: seconds, or a time such as 90m (default: 30m)",
    )
    cluster.add_argument(
        "--insecure-skip-tls-verify",
        action="store_true",
        help="take any certificate: whoever is on the way can read and change the backup",
    )


def files(arguments: argparse.Namespace, progress: "Report") -> Sequence["Files"]:
    """The backups of the arguments: the named ones, or all that are there.

    Raises:
        StillpointError: there are none, or the cluster does not answer.
    """
    if arguments.path:
        from stillpoint.backup_files import search  # noqa: PLC0415

        found = search.find(arguments.path, arguments.object_file)
        return search.named(found, arguments.names)
    if arguments.object_file:
        cause = "--backup is for an archive that is named by --from"
        raise StillpointError(str(arguments.object_file), "cannot use it", cause)
    return of_cluster(arguments.names, arguments.namespace, arguments, progress)


def of_cluster(
    names: Sequence[str], namespace: str, arguments: argparse.Namespace, progress: "Report"
) -> Sequence["Files"]:
    """The backups of these names in the cluster, or all that are there, each file downloaded.

    Args:
        namespace: of Velero; empty for those of the whole cluster.
        arguments: which cluster, and those of `add_download_arguments`.

    Raises:
        StillpointError: there is none of a name, or none; or the cluster does not answer.
    """
    from stillpoint.cluster.kubernetes_writer import KubernetesWriter  # noqa: PLC0415
    from stillpoint.downloads.connection import Connection  # noqa: PLC0415
    from stillpoint.downloads.files import DownloadedFiles  # noqa: PLC0415
    from stillpoint.downloads.requests import DownloadRequests  # noqa: PLC0415
    from stillpoint.downloads.transfer import Limits, Transfer  # noqa: PLC0415

    cluster = KubernetesWriter.connect(None, arguments.kubeconfig, arguments.context)

    @functools.cache
    def transfer(namespace: str, location: str) -> Transfer:
        trust = _trust(cluster, namespace, location, arguments)
        return Transfer(Connection(trust), Limits(arguments.timeout))

    return [
        DownloadedFiles(
            it.name(one),
            DownloadRequests(cluster, it.namespace(one)),
            functools.partial(transfer, it.namespace(one), it.text(one, "spec", "storageLocation")),
            progress,
        )
        for one in _backups(cluster, names, namespace)
    ]


def _backups(
    cluster: "KubernetesWriter", wanted: Sequence[str], namespace: str
) -> Sequence["Item"]:
    """The named Backups of the cluster, or all."""
    from stillpoint.cluster.api_request import CREDENTIALS_HINT  # noqa: PLC0415
    from stillpoint.velero import own_objects  # noqa: PLC0415

    try:
        stored = cluster.list(own_objects.BACKUP, namespace)
    except Forbidden as error:
        if namespace or error.hint == CREDENTIALS_HINT:
            raise
        hint = f"-n NAMESPACE asks for the backups of one Velero alone; else {error.hint}"
        raise Forbidden(error.subject, error.attempt, error.cause, hint) from error
    names = wanted or sorted({it.name(one) for one in stored})
    found = [one for name in names for one in stored if it.name(one) == name]
    missing = [name for name in names if name not in {it.name(one) for one in found}]
    if missing or not found:
        subject = f"backup {missing[0]}" if missing else "backups"
        there_are = listing(dict.fromkeys(it.name(one) for one in stored))
        hint = f"there are {there_are}" if there_are else "oc get backups.velero.io -A"
        cause = f"{f'namespace {namespace}' if namespace else 'the cluster'} has none"
        hint += "; --help says how to name files instead"
        raise StillpointError(subject, _ATTEMPT, cause, hint)
    if wanted and len(found) > len(names):
        where = ", ".join(sorted({it.namespace(one) for one in found}))
        cause = f"several namespaces have one: {where}"
        raise StillpointError(f"backup {names[0]}", _ATTEMPT, cause, "name one with -n")
    return found


def _trust(
    cluster: "KubernetesWriter", namespace: str, location: str, arguments: argparse.Namespace
) -> "Trust":
    """As the velero command decides it: a given authority counts for that of the location."""
    from stillpoint.downloads.trust import Trust, of_location  # noqa: PLC0415
    from stillpoint.velero import own_objects  # noqa: PLC0415

    if arguments.insecure_skip_tls_verify:
        return Trust(verifies=False)
    if arguments.cacert:
        return Trust(_text(arguments.cacert))
    found = cluster.get(own_objects.STORAGE_LOCATION, namespace, location) if location else None
    return of_location(found, cluster.secret_value) if found else Trust()


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError as error:
        raise StillpointError(str(file), "cannot read it", error.strerror or str(error)) from error
