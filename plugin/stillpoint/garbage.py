"""Python's garbage collector, in processes that hold many items."""

import gc


def collect_less() -> None:
    """Raises the thresholds of Python's garbage collector.

    Items are trees of dictionaries, without cycles: collections find nothing in them. With Python's
    own thresholds they were two thirds of the time for a list of 10,000 machines.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
