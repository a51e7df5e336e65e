"""The command line, put together of the verbs."""

import argparse
from typing import Never

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.verb import add_parser
from stillpoint.cli.verbs import VERBS, version

_EPILOG = f"""\
exit status: {", ".join(f"{one:d} {one.meaning}" for one in ExitStatus)}

to begin with: stillpoint rehearse --from examples
  stillpoint rehearse --help has more examples
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command; a result's `run` is the verb's, `parser` this parser."""
    whole = argparse.ArgumentParser(
        "stillpoint",
        description="Backup and restore of KubeVirt virtual machines that can be trusted.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action=_Version, nargs=0, help=f"as `{version.NAME}`")
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        one = add_parser(verbs, verb)
        one.set_defaults(run=verb.run, parser=whole)
    return whole


class _Version(argparse.Action):
    """The verb `version`, for those who type it as an option."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,  # noqa: ARG002 - `argparse.Action` says so
        option_string: str | None = None,  # noqa: ARG002
    ) -> Never:
        """See `argparse.Action`."""
        parser.exit(version.run(namespace))
