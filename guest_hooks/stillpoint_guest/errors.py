"""Every error of the guest's agent that a person reads.

    GuestError                    subject, attempt, cause, remedy
    ├── ConfigurationError        a file, section, option or value that cannot be used as it is
    │   └── UntrustedFile         somebody besides root could have written it
    ├── ApplicationError          an application cannot be quiesced, or not kept so
    │   ├── Refused               going on would hurt the application, or promise too much
    │   ├── Unreachable           it runs, and does not let us in as things are
    │   │   └── Senseless         what it answers is no answer: not the server that it should be
    │   ├── DeadlinePassed        it did not get there in time
    │   ├── CommandFailed         a program of the application says no, or cannot be started
    │   └── SessionLost           the program that held the lock has ended
    ├── FreezeRefused             the whole freeze is off; everything runs as before
    ├── HoldLost                  thawed, but snapshots taken before it may be inconsistent
    └── HolderUnreachable         no holder answers, and none can be started
        └── HolderLeft            one did, and ended

What is not among them is a fault of ours, and is caught at the edge of the process only.
"""


class GuestError(Exception):
    """`subject: attempt: cause; HINT: remedy`, of which the remedy may be missing.

    Args:
        subject: what it is about, for instance `postgresql:15/main` or a file.
        attempt: what was tried with it.
        cause: why that is impossible.
        hint: what the reader of the message can do.
    """

    def __init__(self, subject: str, attempt: str, cause: str, hint: str = "") -> None:
        self.subject = subject
        self.attempt = attempt
        self.cause = cause
        self.hint = hint
        message = f"{subject}: {attempt}: {cause}"
        super().__init__(f"{message}; HINT: {hint}" if hint else message)


class ConfigurationError(GuestError):
    """The administrator's own words cannot be used."""


class UntrustedFile(ConfigurationError):
    """The agent runs as root: what it reads and executes must be root's alone."""


class ApplicationError(GuestError):
    """An application cannot be quiesced, or not kept so; drivers raise it."""


class Refused(ApplicationError):
    """The driver could go on, and should not."""


class Unreachable(ApplicationError):
    """No client program, no account or the wrong one: nothing of it was asked or changed."""


class Senseless(Unreachable):
    """Whatever speaks there; it is nobody's fault of ours, and no word of a known server's."""


class DeadlinePassed(ApplicationError):
    """The time for this step is over."""


class CommandFailed(ApplicationError):
    """Its first line of error output is the cause."""


class SessionLost(ApplicationError):
    """With its session a lock is gone, whenever that was."""


class FreezeRefused(GuestError):
    """Every application that was at rest already was released again."""


class HoldLost(GuestError):
    """Between freeze and thaw an application may have written."""


class HolderUnreachable(GuestError):
    """The one process that holds the applications is not there."""


class HolderLeft(HolderUnreachable):
    """It was there when it was asked, and ended before it answered."""
