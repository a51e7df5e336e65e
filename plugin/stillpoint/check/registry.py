"""Every finding that there can be, by area: one line for each area."""

from collections.abc import Iterator

from stillpoint.check.areas import (
    locations,
    rights,
    running,
    schedules,
    set_up,
    storage,
    versions,
    virtualization,
)
from stillpoint.check.finding import Area, Row

AREAS: tuple[Area, ...] = (
    versions.AREA,
    set_up.AREA,
    running.AREA,
    rights.AREA,
    locations.AREA,
    storage.AREA,
    virtualization.AREA,
    schedules.AREA,
)


def rows() -> Iterator[tuple[Area, Row]]:
    """Each row with its area."""
    for area in AREAS:
        for row in area.rows:
            yield area, row
