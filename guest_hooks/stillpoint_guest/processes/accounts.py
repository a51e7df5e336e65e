"""Accounts of this guest: which of them are the system's, and which are people's."""

import pwd
import re
from typing import Dict, Optional

from stillpoint_guest.deadline import Deadline
from stillpoint_guest.errors import DeadlinePassed
from stillpoint_guest.worker import within

NOBODY = 65534  # also what the kernel shows for a user of another user namespace
_NAME_S = 0.3
_LEAST_PERSON = 1000  # UID_MIN where nobody says another
_UID_MIN = re.compile(r"^[ \t]*UID_MIN[ \t]+(\d+)[ \t]*$", re.MULTILINE)


def is_system_account(user: int, definitions: str = "/etc/login.defs") -> bool:
    """True if a program of that user runs for the guest: not root, not a person, not nobody."""
    return 0 < user < _least_person(definitions) and user != NOBODY


class Names:
    """The names of accounts, each asked for once, and only for a moment.

    A name may be asked of a directory elsewhere that does not answer: then a number does.
    """

    def __init__(self) -> None:
        """Sends no request yet."""
        self._names: Dict[int, str] = {}
        self._answers = True

    def of(self, user: int) -> str:
        """The account's name, or its number."""
        if user not in self._names:
            self._names[user] = self._look_up(user)
        return self._names[user]

    def _look_up(self, user: int) -> str:
        try:
            deadline = Deadline.after(_NAME_S if self._answers else 0)
            return within(deadline, str(user), "look up its name", lambda: name_of(user))
        except DeadlinePassed:
            self._answers = False
            return str(user)


def name_of(user: int) -> str:
    """The account's name, or its number where the guest knows no name, as of a container's."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def number_of(name: str) -> Optional[int]:
    """The number of the user of that name, if any."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def is_own_group(group: int, user: int) -> bool:
    """True if that group is the account's own, so that root alone has put others into it."""
    try:
        return group == pwd.getpwuid(user).pw_gid and group != NOBODY
    except KeyError:
        return False


def _least_person(definitions: str) -> int:
    try:
        with open(definitions, encoding="utf-8", errors="surrogateescape") as file:
            found = _UID_MIN.search(file.read(65536))
    except OSError:
        return _LEAST_PERSON
    return int(found.group(1)) if found else _LEAST_PERSON
