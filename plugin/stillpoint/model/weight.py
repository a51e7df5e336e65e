"""The weights of what is said about a machine or an installation."""

from enum import StrEnum


class Weight(StrEnum):
    """The effect of a reason on a verdict."""

    BLOCKS = "blocks"
    """The machine would not come back as it is, or without data."""
    DEGRADES = "degrades"
    """It would come back, less consistent than it could be or not quite the same."""
    UNCERTAIN = "uncertain"
    """Something that decides is not known; so the machine is not called ready."""
    NOTE = "note"
    """Good to know."""
