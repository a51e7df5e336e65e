"""Every error of the guest's agent that a person reads.

    GuestError                    subject, attempt, cause, remedy
    ├── ConfigurationError        a file, section, option or value that cannot be used as it is
    │   └── UntrustedFile         somebody besides root could have written it
    ├── ApplicationError          an application cannot be quiesced, or not kept so
    │   ├── Refused               going on would hurt the application, or promise too much
    │   ├── Unreachable           the server runs, and does not let us in
    │   │   └── Senseless         the reply is none of the expected server
    │   ├── DeadlinePassed        not done in time
    │   ├── CommandFailed         a program of the application says no, or cannot be started
    │   └── SessionLost           the program that held the lock has ended
    ├── FreezeRefused             the whole freeze is off; everything runs as before
    ├── HoldLost                  thawed, but snapshots taken before it may be inconsistent
    └── HolderUnreachable         no holder answers, and none can be started
        └── HolderLeft            the holder ended before its reply

Any other exception is a fault of ours, caught at the edge of the process only.
"""


class GuestError(Exception):
    """An error `subject: attempt: cause; HINT: remedy`; the remedy may be missing.

    Args:
        subject: a name, for instance `postgresql:15/main` or a file.
        attempt: the failed attempt.
        cause: why that is impossible.
        hint: the reader's remedy.
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
    """A file that others could write; the agent runs as root and trusts root's files alone."""


class ApplicationError(GuestError):
    """An application cannot be quiesced, or not kept so; drivers raise it."""


class Refused(ApplicationError):
    """The driver could go on, and should not."""


class Unreachable(ApplicationError):
    """No client program, no account or the wrong one: the application was left untouched."""


class Senseless(Unreachable):
    """The reply is none of a known server's."""


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
    """No holder responds, and none can be started."""


class HolderLeft(HolderUnreachable):
    """The holder was there at the request, and ended before its reply."""
