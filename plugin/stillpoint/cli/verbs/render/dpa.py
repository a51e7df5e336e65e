"""`stillpoint render dpa`."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verbs.render import result

NAME = "dpa"
HELP = "the DataProtectionApplication of OADP"
EXAMPLES = """\
examples:
  stillpoint render dpa --provider s3 --s3-url https://store.example.com --region any \\
      --bucket backups --prefix prod --image registry.example.com/stillpoint:1.0
  stillpoint render dpa --provider azure --bucket backups --prefix prod --image IMAGE \\
      --resource-group rg --storage-account backups
"""

_PROVIDERS = ("aws", "gcp", "azure", "s3")
_SETTINGS = ("region", "s3_url", "resource_group", "storage_account")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    result.add_place(parser, "openshift-adp", "velero")
    parser.add_argument("--image", required=True, help="of stillpoint, as you pushed it")
    parser.add_argument(
        "--provider", required=True, choices=_PROVIDERS, help="s3: any store that speaks S3"
    )
    parser.add_argument("--bucket", required=True, help="bucket, or container of Azure")
    parser.add_argument("--prefix", required=True, help="folder in it, of this cluster alone")
    parser.add_argument("--region", default="", help="of the bucket, for aws and s3")
    parser.add_argument("--s3-url", metavar="URL", default="", help="of the store, for s3")
    parser.add_argument("--resource-group", metavar="NAME", default="", help="for azure")
    parser.add_argument("--storage-account", metavar="NAME", default="", help="for azure")
    parser.add_argument(
        "--secret", metavar="NAME", default="", help="with the credentials (default: OADP's own)"
    )
    parser.add_argument("--key", default="cloud", help="in that Secret (default: cloud)")
    parser.add_argument(
        "--no-move-data", action="store_true", help="snapshots stay in the storage of the cluster"
    )
    parser.add_argument(
        "--node-selector",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=_label,
        help="label of the nodes for node agents; may be given more than once",
    )


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE")
    return key, value


def run(arguments: argparse.Namespace) -> ExitStatus:
    """See `Verb`."""
    from stillpoint.rendering import dpa  # noqa: PLC0415
    from stillpoint.rendering.location import Location  # noqa: PLC0415

    settings = {name: getattr(arguments, name) for name in _SETTINGS}
    place = Location(
        arguments.provider,
        arguments.bucket,
        arguments.prefix,
        settings,
        arguments.secret,
        arguments.key,
    )
    answers = dpa.Answers(
        arguments.namespace,
        arguments.name,
        arguments.image,
        place,
        not arguments.no_move_data,
        dict(arguments.node_selector),
    )
    return result.write(dpa.manifest(answers), is_checked=arguments.check)
