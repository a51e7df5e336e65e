"""Arguments that are times."""

import argparse
import re


def seconds(text: str) -> float:
    """A time such as `300`, `300s` or `5m`, in seconds.

    Raises:
        ArgumentTypeError: the text is no time.
    """
    from stillpoint.model import duration  # noqa: PLC0415 - `--help` does without

    span = duration.parse(f"{text}s" if re.fullmatch("[0-9]+", text) else text)
    if span is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; for instance 300, 300s or 5m")
    return span.total_seconds()
