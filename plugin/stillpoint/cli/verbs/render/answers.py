"""Answers that several manifests take: the image, the place for backups, whether data is moved."""

import argparse

from stillpoint.cli.names import name_of_object
from stillpoint.cli.verbs.render import values
from stillpoint.rendering.location import PROVIDERS, Location

_SETTINGS = ("region", "s3_url", "resource_group", "storage_account")


def add(parser: argparse.ArgumentParser, *, usual_name: str) -> None:
    """Declares them.

    Args:
        usual_name: of the Secret unless one is given, for people.
    """
    parser.add_argument(
        "--image",
        metavar="IMAGE",
        type=values.needed(values.image),
        required=True,
        help="of stillpoint, as you pushed it",
    )
    _add_location(parser, usual_name)
    parser.add_argument(
        "--no-move-data", action="store_true", help="snapshots stay in the storage of the cluster"
    )
    parser.add_argument(
        "--node-selector",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=values.label,
        help="label of the nodes for node agents; may be given more than once",
    )


def _add_location(parser: argparse.ArgumentParser, usual_name: str) -> None:
    parser.add_argument(
        "--provider", required=True, choices=PROVIDERS, help="s3: any store that speaks S3"
    )
    parser.add_argument(
        "--bucket", type=values.bucket, required=True, help="bucket, or container of Azure"
    )
    parser.add_argument("--prefix", required=True, help="folder in it, of this cluster alone")
    parser.add_argument("--region", default="", help="of the bucket, for aws and s3")
    parser.add_argument(
        "--s3-url", metavar="URL", type=values.url, default="", help="of the store, for s3"
    )
    parser.add_argument("--resource-group", metavar="NAME", default="", help="for azure")
    parser.add_argument("--storage-account", metavar="NAME", default="", help="for azure")
    parser.add_argument(
        "--secret",
        metavar="NAME",
        type=name_of_object,
        default="",
        help=f"with the credentials (default: {usual_name})",
    )
    parser.add_argument(
        "--key", type=values.key, default="cloud", help="in that Secret (default: cloud)"
    )


def location(arguments: argparse.Namespace) -> Location:
    """The place for backups that was asked for; ends with the usage if a setting is missing."""
    asked = Location(
        arguments.provider,
        arguments.bucket,
        arguments.prefix,
        {name: getattr(arguments, name) for name in _SETTINGS},
        arguments.secret,
        arguments.key,
    )
    if asked.missing:
        needed = " and ".join(asked.missing)
        arguments.sub_parser.error(f"--provider {asked.provider} needs {needed}")
    return asked
