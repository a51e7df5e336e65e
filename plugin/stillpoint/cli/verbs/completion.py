"""`stillpoint completion`: what a shell needs to complete commands, made from the parser."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from stillpoint.cli.exit_status import ExitStatus

NAME = "completion"
HELP = "completion for bash, zsh or fish, on standard output"
EXAMPLES = """\
examples:
  source <(stillpoint completion bash)                              bash, this shell
  stillpoint completion zsh > "${fpath[1]}/_stillpoint"             zsh
  stillpoint completion fish > ~/.config/fish/completions/stillpoint.fish
"""


@dataclass(frozen=True, slots=True)
class _Option:
    names: tuple[str, ...]
    help: str
    choices: tuple[str, ...]
    takes_value: bool
    takes_path: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `Verb`."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(arguments: argparse.Namespace) -> int:
    """See `Verb`."""
    write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell]
    sys.stdout.write("\n".join(write(_verbs(arguments.parser))) + "\n")
    return ExitStatus.GOOD


def _verbs(whole: argparse.ArgumentParser) -> dict[str, tuple[_Option, ...]]:
    (actions,) = (one for one in whole._actions if one.nargs == argparse.PARSER)  # noqa: SLF001
    choices: dict[str, argparse.ArgumentParser] = dict(actions.choices or {})
    return {name: tuple(map(_option, one._actions)) for name, one in choices.items()}  # noqa: SLF001


def _option(action: argparse.Action) -> _Option:
    return _Option(
        tuple(action.option_strings),
        action.help or "",
        tuple(map(str, action.choices or ())),
        takes_value=action.nargs != 0,
        takes_path=str(action.metavar) in ("FILE", "DIR", "FILE|NAME"),
    )


def _bash(verbs: dict[str, tuple[_Option, ...]]) -> Iterator[str]:
    yield "_stillpoint() {"
    yield '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"'
    yield '  case "${COMP_WORDS[1]} $before" in'
    for verb, options in verbs.items():
        for one in options:
            if one.choices:
                patterns = "|".join(f"'{verb} {name}'" for name in one.names or (verb,))
                words = " ".join(one.choices)
                reply = _reply(f"-W '{words}'")
                yield f"    {patterns}) {reply}; return;;"
            elif one.takes_path:
                patterns = "|".join(f"'{verb} {name}'" for name in one.names or (verb,))
                yield f"    {patterns}) {_reply('-f')}; return;;"
    yield "  esac"
    yield '  case "$COMP_CWORD ${COMP_WORDS[1]}" in'
    all_verbs = " ".join(verbs)
    reply = _reply(f"-W '{all_verbs}'")
    yield f"    '1 '*) {reply};;"
    for verb, options in verbs.items():
        words = " ".join(name for one in options for name in one.names)
        reply = _reply(f"-W '{words}'")
        yield f"    *' {verb}') {reply};;"
    yield "  esac"
    yield "}"
    yield "complete -o filenames -F _stillpoint stillpoint"


def _reply(words: str) -> str:
    return f'COMPREPLY=($(compgen {words} -- "$word"))'


def _zsh(verbs: dict[str, tuple[_Option, ...]]) -> Iterator[str]:
    yield "#compdef stillpoint"
    yield "autoload -U +X bashcompinit && bashcompinit"
    yield from _bash(verbs)


def _fish(verbs: dict[str, tuple[_Option, ...]]) -> Iterator[str]:
    yield "complete -c stillpoint -f"
    for verb in verbs:
        yield f"complete -c stillpoint -n __fish_use_subcommand -a {verb}"
    for verb, options in verbs.items():
        start = f"complete -c stillpoint -n '__fish_seen_subcommand_from {verb}'"
        for one in options:
            names = "".join(
                f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
                for name in one.names
            )
            value = f" -xa '{' '.join(one.choices)}'" if one.choices else ""
            value = value or (" -rF" if one.takes_path else " -x" if one.takes_value else "")
            words = one.help.replace("'", "\\'")
            yield f"{start}{names}{value} -d '{words}'"
