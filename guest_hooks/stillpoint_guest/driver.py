"""The contract between the holder and the driver of an application.

A driver object stands for an instance of an application during a cycle of freeze and thaw: made
when a freeze begins, dropped after the thaw. All its methods are called in a single thread, other
drivers run in theirs. A driver does not log and does not write to disks; whatever there is to
report goes into its `Report`, its `Finding`s or its error.
"""

from contextlib import contextmanager
from typing import Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.discovery import survey
from stillpoint_guest.errors import CommandFailed, DeadlinePassed, SessionLost, Unreachable
from stillpoint_guest.options.found import Found
from stillpoint_guest.options.kind import Kind
from stillpoint_guest.options.section import Section
from stillpoint_guest.processes.command import Commands
from stillpoint_guest.sockets.ways import Way
from stillpoint_guest.state.undo_journal import UndoJournal

APPLICATION = "application"  # starts from the copy with all that it had acknowledged
CRASH = "crash"  # starts as after a power failure; what that means, the guarantees tell
_ENDING_S = 0.5  # kept of a deadline, to end the client of one that does not answer


class Report(NamedTuple):
    """The report of a quiesced application, part of the record that travels with the disks."""

    method: str  # what was done, in the application's words: "BACKUP STAGE BLOCK_COMMIT"
    position: Dict[str, str] = {}  # where it stood: {"lsn": "0/3000060", "timeline": "1"}
    guarantees: Tuple[str, ...] = ()  # what a copy will have, one sentence each
    warnings: Tuple[str, ...] = ()  # and not have: "unlogged table app.cache comes back empty"
    level: str = APPLICATION
    folders: Tuple[str, ...] = ()  # all places that it consists of: data, log, tablespaces


class Finding(NamedTuple):
    """A result of `stillpoint-guest check`."""

    is_good: bool
    text: str
    hint: str = ""
    is_blocking: bool = True  # if not good: a freeze would fail (or only be worth less)
    folders: Tuple[str, ...] = ()  # of an application: where its data lies


class Driver(Kind):
    """An instance of an application; `options.kind` has the attributes of its class."""

    def __init__(self, section: Section, journal: UndoJournal) -> None:
        """Parses the section's own options; no process is started, nothing is asked.

        Args:
            section: its part of the configuration, or what discovery found.
            journal: a place in /run for what must be undone should this process die.

        Raises:
            ConfigurationError: a value makes no sense.
        """
        self.section = section
        self.journal = journal
        self.commands = Commands(section.name, journal.folder)

    @classmethod
    def discover(cls) -> Sequence[Found]:
        """The instances that run here; must not take longer than a look at /proc and files."""
        return [server.found for server in survey.servers([cls])] if cls.PROGRAMS else ()

    @property
    def ways(self) -> Sequence[Way]:
        """Destinations of the section: paths of sockets, or a host and a port.

        The process that listens there is the one that the section means.
        """
        return ()

    @property
    def instance(self) -> str:
        """A text that no other instance has, such as its socket.

        Of two sections with the same instance one is an error; what was discovered gives way to
        what is configured.
        """
        return self.section.name

    @property
    def lock_s(self) -> float:
        """The longest time from `quiesce` to its yield; never more than is left of freeze_s."""
        return self.section.lock_s

    @contextmanager
    def reaching(
        self, deadline: Deadline, hint: str, attempt: str = "connect"
    ) -> Iterator[Deadline]:
        """Everything up to the first response: any failure in this block is `Unreachable`.

        Yields:
            The deadline, early enough to report before the holder abandons the driver.

        Raises:
            Unreachable: instead of what was raised; also for a server that hangs.
        """
        try:
            yield Deadline(deadline.at_s - min(_ENDING_S, deadline.remaining_s / 2))
        except DeadlinePassed as error:
            self.commands.end_all()  # a client that still waits would not end by itself
            raise Unreachable(self.section.name, attempt, "no answer in time", hint) from error
        except (SessionLost, CommandFailed) as error:
            raise Unreachable(self.section.name, attempt, error.cause, hint) from error
        except Unreachable as error:
            if error.subject == self.section.name:
                raise
            cause = f"{error.subject}: {error.attempt}: {error.cause}"  # as `peer` says it
            raise Unreachable(self.section.name, attempt, cause, error.hint or hint) from error

    def check(self, deadline: Deadline) -> Sequence[Finding]:
        """Probes if a freeze would work, without hurting anybody.

        Raises:
            GuestError: the freeze would fail.
        """
        del deadline
        return ()

    def answers(self, deadline: Deadline) -> Optional[bool]:
        """True if the application answers: it is asked after the first boot of a copy.

        By default the answer is that of `check`. None if nobody can ask the application.

        Raises:
            GuestError: no answer; `Refused` is one.
        """
        self.check(deadline)
        return True

    def reconcile(self, undo: Mapping[str, str], deadline: Deadline) -> None:
        """Undoes a dead holder's changes, by its journal; they may be undone already.

        Raises:
            ApplicationError: not undone; the journal is kept for the next start.
        """

    def prepare(self, deadline: Deadline) -> None:
        """Makes the coming hold short: checkpoint, flush. No locks; runs beside the other drivers.

        Raises:
            ApplicationError: not done in time.
        """

    def give_up(self) -> None:
        """Stops quiescing, which takes long: nobody waits any more.

        Called from another thread; a driver that only runs programs need not do anything, they are
        ended.
        """

    @contextmanager
    def quiesce(self, deadline: Deadline) -> Iterator[Report]:
        """Keeps the application at rest from `yield` on, and lets it run again after the block.

        The way back has `section.release_s` seconds from its begin. The way back is taken however
        the block ends, and also when filesystems are still frozen (the watchdog): nothing on it may
        need a disk. Entries that `self.journal` has before a lock that would outlive this process
        are given to `reconcile` at the next start.

        Raises:
            ApplicationError: before the yield, the application is not quiesced, and runs as before;
                after the yield, the application runs again and was not at rest the whole time.
        """
        del deadline
        yield Report(method="none", level=CRASH)
