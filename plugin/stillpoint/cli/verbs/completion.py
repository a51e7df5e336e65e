"""`stillpoint completion`: a script that completes commands, made from the parser by shtab."""

import argparse

from stillpoint.cli.exit_status import ExitStatus
from stillpoint.cli.output import standard_output

NAME = "completion"
HELP = "completion for a shell, on standard output"
EXAMPLES = """\
examples:
  source <(stillpoint completion bash)                              bash, this shell
  stillpoint completion zsh > "${fpath[1]}/_stillpoint"             zsh
  stillpoint completion fish > ~/.config/fish/completions/stillpoint.fish
  stillpoint completion tcsh > ~/.stillpoint.tcsh                   and source it in ~/.tcshrc
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"))


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    import shtab  # noqa: PLC0415 - a tenth of a second, which no other verb waits for

    with standard_output.flushed() as output:
        output.write(shtab.complete(arguments.parser, arguments.shell) + "\n")
    return ExitStatus.GOOD
