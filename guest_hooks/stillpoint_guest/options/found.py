"""An instance of an application that discovery has found."""

from typing import Dict, NamedTuple


class Found(NamedTuple):
    """An instance that runs on this guest."""

    name: str  # the same at every start, as a section would be named: "postgresql:15/main"
    options: Dict[str, str] = {}  # what a section for it would have to say
    unsafe: str = ""  # why it cannot be quiesced without more configuration; "" if it can
    process: int = 0  # its number
