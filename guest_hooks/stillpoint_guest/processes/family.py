"""All that a program starts, whatever sessions it makes and however often it forks.

A program is a subreaper (PR_SET_CHILD_SUBREAPER, see prctl(2)) before it begins: orphans of its
children become its own children, so that all its processes are below it as long as it lives. Its
own orphans come to this process, another subreaper. A control group would not do: writing to one
waits for the kernel, tens of milliseconds at times, and some places have none.
"""

import contextlib
import os
import pwd
import signal
import time
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

try:
    import ctypes
except (
    ImportError
):  # Debian's python3-minimal: what is below a living program is found all the same
    _prctl = None
else:
    _prctl = ctypes.PyDLL(None).prctl  # PyDLL: the lock of the interpreter stays where it is

_SET_PDEATHSIG = 1  # linux/prctl.h
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38
_CAPBSET_READ = 23
_CAPBSET_DROP = 24
_CAPABILITIES = 64  # more than Linux knows; what it does not know is an error that changes nothing
_ROUNDS = 100  # of looking for more; what is stopped starts nothing, so that two do nearly always
_PAUSE_S = 0.0005  # for a process to stop, where another one has its processor
_ENVIRONMENT_BYTES = 65536
_ENDED = ("Z", "X", "")
_STILL = ("T", "t", *_ENDED)


class Member(NamedTuple):
    """A process, by number and start time: numbers are used again."""

    number: int
    started: int  # clock ticks from boot


class Orphan(NamedTuple):
    """A process that a program of ours left."""

    member: Member
    session: int  # that of the program, unless it made one for itself


class _Fields(NamedTuple):
    state: str
    session: int
    started: int


def adopt() -> None:
    """Makes orphans of our programs our children."""
    if _prctl is not None:
        _prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def entrance(user: str) -> Callable[[], None]:
    """Makes the function that a new process runs before the program.

    The process dies with the thread that starts it, so that a hanging process outlives no holder
    that was killed before the program was registered. The function runs between fork and exec,
    beside threads that stand still for good: system calls only.

    Args:
        user: of the program, with all its groups, or a number without any and without capabilities,
            which for 0 is root all the same, but only of root's own files (this needs `ctypes`); ""
            for this process's.

    Raises:
        KeyError: there is no such user.
    """
    identity = _identity(user) if user else None
    parent = os.getpid()

    def enter() -> None:
        with contextlib.suppress(OSError):  # a score that is lower than ours takes a right
            score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
            os.write(score, b"0")  # the holder's is its own alone, as OpenSSH has it
            os.close(score)
        if _prctl is not None:
            _prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        if identity is not None:
            number, group, groups = identity
            if user.isdigit() and _prctl is not None:
                for capability in range(_CAPABILITIES):
                    _prctl(_CAPBSET_DROP, capability, 0, 0, 0)
                if number == 0 and any(map(_is_left, range(_CAPABILITIES))):
                    raise PermissionError  # we may not give them away: then it is not started
                _prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            os.setgroups(groups)
            os.setgid(group)
            os.setuid(number)
        if _prctl is not None:  # after the change of user, which takes it back
            _prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return enter


def _is_left(capability: int) -> bool:
    return _prctl is not None and bool(_prctl(_CAPBSET_READ, capability, 0, 0, 0) == 1)


def user_number(user: str) -> int:
    """The number of a user, given by name or as that number.

    Raises:
        KeyError: there is no such user.
    """
    return _identity(user)[0]


def _identity(user: str) -> Tuple[int, int, Sequence[int]]:
    if user.isdigit():
        return int(user), int(user), []
    account = pwd.getpwnam(user)
    groups = os.getgrouplist(user, account.pw_gid)
    return account.pw_uid, account.pw_gid, groups


def member(number: int) -> Member:
    """A process by its number; started is 0 if the process is gone."""
    return Member(number, _fields(number).started)


def lives(one: Member) -> bool:
    """True if a process still runs, if only in a thread that has outlived the first."""
    return _fields(one.number).started == one.started and not _is_all(one.number, _ENDED)


def end(one: Member) -> List[Member]:
    """Kills a process and all below it; processes that cannot die now are left.

    Each is stopped before its children are looked up: so a process starts no more, and the number
    of a child that ends is not used again, as nobody reaps it. One that is to stop may yet be in
    the middle of a fork, and the children of one that has ended are elsewhere: it is looked again
    until all stand still and there is nobody new. What is below a number is theirs only if the
    process was found alive: a number of long ago may be a stranger's by now.

    Returns:
        The processes that were alive.
    """
    known: Set[int] = set()
    stopped: List[Member] = []
    todo = [one]
    for _ in range(_ROUNDS):
        for each in todo:
            known.add(each.number)
            if lives(each):
                _signal(each, signal.SIGSTOP)
                stopped.append(each)
        are_still = all(_is_all(each.number, _STILL) for each in stopped)
        children = {number for each in stopped for number in _children(each.number)}
        todo = [member(number) for number in children.difference(known)]
        if are_still and not todo:
            break
        if not are_still:
            time.sleep(_PAUSE_S)
    for each in stopped:
        _signal(each, signal.SIGKILL)
    return stopped


def below(number: int) -> List[Member]:
    """The processes that a living process has started, and theirs."""
    found: Dict[int, Member] = {}
    todo = _children(number)
    while todo:
        each = todo.pop()
        if each not in found:
            found[each] = member(each)
            todo += _children(each)
    return [each for each in found.values() if lives(each)]


def orphans(since: Member) -> List[Orphan]:
    """Children of this process, alive, outside of our session, younger than a program that ended.

    They are orphans of that program, or another program of ours.
    """
    found = []
    ours = os.getsid(0)
    for number in _children(os.getpid()):
        fields = _fields(number)
        is_ours = fields.session == ours or _is_all(number, _ENDED)
        if not is_ours and fields.started >= since.started > 0:
            found.append(Orphan(Member(number, fields.started), fields.session))
    return found


def is_marked(one: Member, mark: str) -> bool:
    """True if its environment began with a variable of that name and value: NAME=value."""
    try:
        with open(f"/proc/{one.number}/environ", "rb") as file:
            return mark.encode() in file.read(_ENVIRONMENT_BYTES).split(b"\0")
    except OSError:
        return False  # it has ended, or we may not look


def is_gone(one: Member) -> bool:
    """True if nothing of the process is left; reaps a child of this process."""
    if _fields(one.number).started == one.started:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(one.number, os.WNOHANG)
    return _fields(one.number).started != one.started


def reap() -> None:
    """Reaps ended processes that programs have left to this process.

    Of the programs themselves, which lead a session each, whoever started them does.
    """
    for number in _children(os.getpid()):
        fields = _fields(number)
        if fields.state == "Z" and fields.session != number:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)


def _signal(one: Member, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(one.number, number)


def _children(number: int) -> List[int]:
    found: List[int] = []
    for thread in _threads(number):
        with contextlib.suppress(OSError), open(f"{thread}/children", encoding="ascii") as file:
            found += map(int, file.read().split())
    return found


def _threads(number: int) -> Iterator[str]:
    folder = f"/proc/{number}/task"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            yield f"{folder}/{name}"


def _is_all(number: int, states: Sequence[str]) -> bool:
    """True if each thread of a process is in one of some states."""
    return all(_read(thread).state in states for thread in _threads(number))


def _fields(number: int) -> _Fields:
    return _read(f"/proc/{number}")


def _read(folder: str) -> _Fields:
    """Of a process or a thread; without a state and all zero if it is gone."""
    try:
        with open(f"{folder}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except OSError:
        return _Fields("", 0, 0)
    return _Fields(words[0].decode(), int(words[3]), int(words[19]))
