"""Arguments that all verbs of `stillpoint snapshot` have: cluster, namespace and output."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stillpoint.cli.names import name_of_object
from stillpoint.cli.paths import FileName
from stillpoint.model.names import is_name

if TYPE_CHECKING:  # `--help` does without what takes time to import
    from stillpoint.cluster.kubernetes_writer import KubernetesWriter

WAIT_HELP = "seconds, or a time such as 10m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares them."""
    parser.add_argument(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        type=name_of_object,
        default="",
        help="default: the namespace of the kubeconfig's context",
    )
    parser.add_argument("--kubeconfig", metavar="FILE", action=FileName, default="")
    parser.add_argument("--context", metavar="NAME", default="", help="context of the kubeconfig")
    parser.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="default: table"
    )


def connect(arguments: argparse.Namespace) -> "KubernetesWriter":
    """The cluster of the arguments.

    Raises:
        ReadFailed: there is no usable configuration.
    """
    from stillpoint.cluster.kubernetes_writer import StrictWriter  # noqa: PLC0415

    return StrictWriter.connect(None, arguments.kubeconfig, arguments.context)


def namespace(arguments: argparse.Namespace) -> str:
    """The namespace of the arguments.

    Raises:
        ReadFailed: there is no usable configuration.
    """
    from stillpoint.cluster import kubernetes_reader  # noqa: PLC0415

    place = (arguments.kubeconfig, arguments.context)
    return arguments.namespace or kubernetes_reader.default_namespace(*place)


def identities(names: Iterable[str], arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Namespace and name of each of the given `NAME` or `NAMESPACE/NAME`, each once."""
    given = [name.rpartition("/") for name in dict.fromkeys(names)]
    default = namespace(arguments) if any(not one[0] for one in given) else ""
    return [(before or default, name) for before, _slash, name in given]


def one_name(text: str) -> str:
    """A `NAME` or `NAMESPACE/NAME`; an empty name in a request would mean all.

    Raises:
        ArgumentTypeError: the text is neither.
    """
    before, slash, name = text.rpartition("/")
    if not is_name(name) or (slash and not is_name(before)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither NAME nor NAMESPACE/NAME")
    return text
