"""One case for each driver: an application, and what the contract has to know about it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers import DRIVERS
from stillpoint_guest.options.section import Section
from stillpoint_guest.state.undo_journal import UndoJournal

from tests.guest.unit.example_driver import Shop

PASSWORD = "correct horse: battery\\staple"
EVERY: Sequence[type[Driver]] = (*DRIVERS, Shop)
KINDS = {driver.KIND: driver for driver in EVERY}


@dataclass
class Case:
    """What is common; `down_says` is in the line about one that is not there."""

    name: str
    kind: str
    options: Mapping[str, str]
    down_says: str
    method: str = ""
    stops_writes: bool = False
    has_client: bool = False
    is_found: bool = True  # when it runs, without configuration

    def close(self) -> None:
        """Once the test is over."""

    def section(self, **options: str) -> Section:
        return Section(
            f"{self.kind}:{self.name}",
            self.kind,
            lock_s=3,
            release_s=2,
            method=self.method,
            options={**self.options, **options},
        )

    def journal(self, folder: Path) -> UndoJournal:
        return UndoJournal(str(folder), self.section())

    def driver(self, folder: Path, **options: str) -> Driver:
        return KINDS[self.kind](self.section(**options), self.journal(folder))

    def runs(self, timeout_s: float = 10) -> bool:
        """Whether it takes a write within that time."""
        raise NotImplementedError

    def is_stopped(self) -> bool:
        """Whether a write waits."""
        return not self.runs(0.7)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        raise NotImplementedError

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        raise NotImplementedError

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        """`held` cannot succeed; yields options that the driver needs for it."""
        raise NotImplementedError

    def wrong_password(self, folder: Path) -> Mapping[str, str] | None:
        """Options with a password that is wrong; None for those that have none."""
        del folder
        return None


def cycle(driver: Driver, prepare_s: float = 10, lock_s: float = 3) -> None:
    """Freeze and thaw at once."""
    driver.prepare(Deadline.after(prepare_s))
    with driver.quiesce(Deadline.after(lock_s)):
        pass


def secret(folder: Path, text: str) -> str:
    path = folder / "secret"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return str(path)
