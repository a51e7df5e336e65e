"""Where the agent's files are."""

import os


class Places:
    """The folders and files of one agent; tests have others than a guest."""

    def __init__(
        self,
        configuration: str = "/etc/stillpoint-guest.conf",
        run: str = "/run/stillpoint-guest",
        state: str = "/var/lib/stillpoint-guest",
    ) -> None:
        """Name them.

        Args:
            configuration: a file.
            run: in memory, where it can be written while every disk is frozen.
            state: on the disk that is cut, so that it travels with the copy.
        """
        self.configuration = configuration
        self.run = run
        self.state = state

    @property
    def socket(self) -> str:
        """Where the holder listens."""
        return os.path.join(self.run, "holder.sock")

    @property
    def lock(self) -> str:
        """Locked by the one holder."""
        return os.path.join(self.run, "holder.lock")

    @property
    def hold(self) -> str:
        """There while something is held, and after that until a thaw has been told of its loss."""
        return os.path.join(self.run, "hold.json")

    @property
    def notes(self) -> str:
        """What is to be undone should the holder die."""
        return os.path.join(self.run, "notes")

    @property
    def drop_ins(self) -> str:
        """The folder of further configuration files."""
        return os.path.join(os.path.splitext(self.configuration)[0], "conf.d")
