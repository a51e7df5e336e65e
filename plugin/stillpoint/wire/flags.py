"""The flags of the Velero server, which it passes on to each plugin."""

from collections.abc import Sequence


def value(arguments: Sequence[str], flag: str) -> str:
    """The value of `flag`, from `--flag value` or `--flag=value`; empty if it is not given."""
    for position, argument in enumerate(arguments):
        name, equals, given = argument.partition("=")
        if name == flag:
            return given if equals else "".join(arguments[position + 1 : position + 2])
    return ""


def has_feature(arguments: Sequence[str], feature: str) -> bool:
    """True if the server runs with a feature of Velero's, for instance `EnableCSI`.

    Source: pkg/features of Velero v1.18.
    """
    return feature in value(arguments, "--features").split(",")
