"""A kind of application: everything about a driver that needs no instance."""

from typing import Mapping, Optional, Tuple

from stillpoint_guest.options.found import Found
from stillpoint_guest.processes.process_table import Process


class Kind:
    """Class attributes of a driver, for configuration and discovery."""

    KIND = ""  # `type` in the configuration
    METHODS: Tuple[str, ...] = ()  # values of `method`; the first is the default
    OPTIONS: Mapping[str, str] = {}  # keys of its own in a section: what each means, with unit
    PROGRAMS: Tuple[str, ...] = ()  # of its server, by every name that vendors give it
    REACHED_BY: Tuple[str, ...] = ()  # the OPTIONS that say where it is

    @classmethod
    def detect(cls, process: Process) -> Optional[Found]:
        """The instance that a process named as in `PROGRAMS` is; None for any other process.

        The process is a service of this machine, and its executable and its folder are in order.
        Its arguments may be wrong nevertheless. The process may end at any moment (OSError), and
        any error becomes a warning about that process.
        """
        del process
        return None
