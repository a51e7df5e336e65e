"""Reasons for which the look at a machine ends before all was seen."""


class Ended(Exception):
    """The machine came no further.

    Attributes:
        is_tried: false if that says nothing of the backup.
    """

    def __init__(self, why: str, *, is_tried: bool = True) -> None:
        super().__init__(why)
        self.is_tried = is_tried


class Lost(Ended):
    """The bytes of a disk did not come, and will not, whatever is said of others."""


class Interrupted(Ended):
    """Somebody wants the whole run to end."""

    def __init__(self) -> None:
        super().__init__("interrupted", is_tried=False)
