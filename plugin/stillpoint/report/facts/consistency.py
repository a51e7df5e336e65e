"""Facts about the level that a machine reached, and what shows it."""

from collections.abc import Iterator, Sequence

from stillpoint.model.level import Level, satisfies
from stillpoint.report.case import Case, Doubt
from stillpoint.resources.machines import virtual_machine_instance
from stillpoint.velero import backup_status
from stillpoint.velero.hook_log import HookFailure


def unsealed(case: Case) -> Iterator[str]:
    """Disks with evidence that does not bear the seal of the backup."""
    return _doubted(case, Doubt.SEAL)


def of_others(case: Case) -> Iterator[str]:
    """Disks with the evidence of another disk."""
    return _doubted(case, Doubt.OTHER)


def unchecked(case: Case) -> Iterator[str]:
    """Disks with evidence whose seal cannot be checked."""
    return _doubted(case, Doubt.UNCHECKED)


def absent(case: Case) -> Iterator[str]:
    """Disks without evidence."""
    return _doubted(case, Doubt.ABSENT)


def not_known(case: Case) -> Iterator[str]:
    """Disks whose evidence says that their level is not known, with what is missing."""
    for disk in case.taken:
        if disk.evidence and disk.evidence.level is Level.UNKNOWN:
            why = "; ".join(one.says for one in disk.evidence.missing)
            yield f"{disk.claim.name} ({why})" if why else disk.claim.name


def contradictory(case: Case) -> tuple[str, ...]:
    """Evidence that is believed for each disk and does not say what they reached together."""
    is_told = all(disk.evidence and disk.level is not Level.UNKNOWN for disk in case.taken)
    return ("",) if case.taken and is_told and case.level is Level.UNKNOWN else ()


def below_demanded(case: Case) -> tuple[str, ...]:
    """The demanded level and the one that was reached, if that is lower."""
    return _below(case, case.demanded)


def below_expected(case: Case) -> tuple[str, ...]:
    """The level to be expected and the one that was reached, if that is lower."""
    return _below(case, None if case.demanded else case.expected)


def action_failed(case: Case) -> Iterator[str]:
    """The error of an operation of a plugin for the machine itself."""
    failed = case.contents.books.failed.get(case.reference)
    if failed and not below_demanded(case):
        yield failed.error or failed.action


def said_by_plugin(case: Case) -> Iterator[str]:
    """Of a machine without evidence: the plugin's own words at the end of the backup."""
    if any(absent(case)) and (said := case.contents.books.said.get(case.reference)):
        yield said


def was_stopped(case: Case) -> tuple[str, ...]:
    """Of a machine without evidence: it had no instance when it was stored."""
    return ("",) if any(absent(case)) and case.instance is None else ()


def had_no_agent(case: Case) -> tuple[str, ...]:
    """Of a machine without evidence: no agent of its guest was connected."""
    return ("",) if any(absent(case)) and _runs(case) and not _has_agent(case) else ()


def hooks_went_well(case: Case) -> Iterator[str]:
    """Of a machine without evidence and with an agent: the backup's hooks, none of which failed."""
    backup = case.contents.backup or {}
    attempted = backup_status.hooks_attempted(backup)
    is_well = attempted and backup_status.hooks_failed(backup) == 0
    if any(absent(case)) and _runs(case) and _has_agent(case) and is_well:
        yield str(attempted)


def hook_failed(case: Case) -> Iterator[str]:
    """Its own hooks that failed, by Velero's log, each with what it said."""
    for one in _own_failures(case):
        said = f" ({one.said})" if one.said else ""
        yield f"{_WHAT.get(one.phase, one.phase)}: {one.error}{said}"


_WHAT = {"pre": "the freeze", "post": "the thaw"}


def hooks_failed(case: Case) -> Iterator[str]:
    """Of a machine without evidence that ran: how many hooks of the backup failed, of all.

    Not if the log says of all of them whose they were.
    """
    backup = case.contents.backup or {}
    failed = backup_status.hooks_failed(backup)
    if failed == sum(map(len, (case.contents.hooks or {}).values())) or _own_failures(case):
        return
    if any(absent(case)) and _runs(case) and failed:
        yield f"{failed} of {backup_status.hooks_attempted(backup)}"


def _own_failures(case: Case) -> Sequence[HookFailure]:
    whose = case.reference.namespace, case.reference.name
    return (case.contents.hooks or {}).get(whose, ())


def _doubted(case: Case, doubt: Doubt) -> Iterator[str]:
    return (disk.claim.name for disk in case.taken if disk.doubt is doubt)


def _below(case: Case, wanted: Level | None) -> tuple[str, ...]:
    is_known = case.level not in (Level.UNKNOWN, Level.NONE)
    if wanted and is_known and not satisfies(case.level, wanted):
        return (f"{wanted}, reached {case.level}",)
    return ()


def _runs(case: Case) -> bool:
    return case.instance is not None


def _has_agent(case: Case) -> bool:
    return bool(case.instance) and virtual_machine_instance.is_agent_connected(case.instance or {})
