"""The paths of the agent's files.

Joined without `os`, which would be a fifth of the hook's start.
"""


class Places:
    """The folders and files of an agent; tests have others than a guest."""

    def __init__(
        self,
        configuration: str = "/etc/stillpoint-guest.conf",
        run: str = "/run/stillpoint-guest",
        state: str = "/var/lib/stillpoint-guest",
    ) -> None:
        """Takes the three base paths.

        Args:
            configuration: a file.
            run: in memory, so writable while every disk is frozen.
            state: on a disk of which snapshots are taken, so that the folder travels with the copy.
        """
        self.configuration = configuration
        self.run = run
        self.state = state

    @property
    def socket(self) -> str:
        """The holder's socket."""
        return f"{self.run}/holder.sock"

    @property
    def lock(self) -> str:
        """The file that a holder locks, so that there is only one."""
        return f"{self.run}/holder.lock"

    @property
    def hold(self) -> str:
        """The hold marker."""
        return f"{self.run}/hold.json"

    @property
    def undo_journals(self) -> str:
        """The folder of the undo journals."""
        return f"{self.run}/notes"

    @property
    def drop_ins(self) -> str:
        """The folder of further configuration files."""
        return self._beside_configuration("conf.d")

    @property
    def on_copy(self) -> str:
        """The folder of the steps that run at the first boot of a copy."""
        return self._beside_configuration("on-copy.d")

    def _beside_configuration(self, name: str) -> str:
        import os  # noqa: PLC0415  the hook asks for no configuration

        return os.path.join(os.path.splitext(self.configuration)[0], name)


def package_root() -> str:
    """The file that this package is packed in, or the folder with its sources."""
    import os  # noqa: PLC0415  the hook does without it

    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
