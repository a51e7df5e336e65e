"""Arguments that are names of objects."""

import argparse
from collections.abc import Callable

from stillpoint.model.names import LONGEST_MACHINE_NAME, LONGEST_NAME, LONGEST_NAMESPACE, is_name


def name_up_to(longest: int) -> Callable[[str], str]:
    """The name of an object, of so many characters at most; empty for one that is not given.

    What it returns raises ArgumentTypeError for what is no name.
    """

    def check(text: str) -> str:
        if len(text) > longest:
            cause = f"{text[:20]}... has {len(text)} characters, and no more than {longest}"
            raise argparse.ArgumentTypeError(f"{cause} are allowed")
        if text and not is_name(text):
            cause = f"{text!r} is no name: lower-case letters and digits, with - and . between them"
            raise argparse.ArgumentTypeError(cause)
        return text

    return check


name_of_object = name_up_to(LONGEST_NAME)
name_of_machine = name_up_to(LONGEST_MACHINE_NAME)
"""Of one that is to be written."""


def name_of_namespace(text: str) -> str:
    """The name of a namespace, which has no dots; as `name_up_to`."""
    if "." in text or (text and not is_name(text[:LONGEST_NAMESPACE])):
        cause = f"{text!r} is no namespace: lower-case letters and digits, with - between them"
        raise argparse.ArgumentTypeError(cause)
    return name_up_to(LONGEST_NAMESPACE)(text)
