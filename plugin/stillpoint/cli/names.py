"""Arguments that are names of objects."""

import argparse

from stillpoint.model.names import LONGEST_MACHINE_NAME, LONGEST_NAME, LONGEST_NAMESPACE, is_name


def name_of_object(text: str) -> str:
    """The name of an object; empty for one that is not given.

    Raises:
        ArgumentTypeError: no object can have it.
    """
    return _checked(text, LONGEST_NAME)


def name_of_machine(text: str) -> str:
    """The name of a machine that is to be written; as `name_of_object`."""
    return _checked(text, LONGEST_MACHINE_NAME)


def name_of_namespace(text: str) -> str:
    """The name of a namespace, which has no dots; as `name_of_object`."""
    if "." in text or (text and not is_name(text[:LONGEST_NAMESPACE])):
        cause = f"{text!r} is no namespace: lower-case letters and digits, with - between them"
        raise argparse.ArgumentTypeError(cause)
    return _checked(text, LONGEST_NAMESPACE)


def _checked(text: str, longest: int) -> str:
    if len(text) > longest:
        cause = f"{text[:20]}... has {len(text)} characters, and no more than {longest} are allowed"
        raise argparse.ArgumentTypeError(cause)
    if text and not is_name(text):
        cause = f"{text!r} is no name: lower-case letters and digits, with - and . between them"
        raise argparse.ArgumentTypeError(cause)
    return text
