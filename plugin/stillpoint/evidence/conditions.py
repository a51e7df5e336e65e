"""Conditions of the rules: what may hold of a case, and a sentence for either.

Sentences are for people who own databases. `{at}` is the moment by which the condition holds; other
words in braces are those of `_words`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from stillpoint.evidence import facts, word
from stillpoint.evidence.case import Case
from stillpoint.evidence.document import Statement
from stillpoint.model.names import listing

Fact = Callable[[Case], datetime | bool | None]
"""The moment by which something is known to hold, or true; false or None if it is not known."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of rules.

    Attributes:
        code: stable; of the proof, and of what is missing without it.
        proof: the sentence if it holds.
        lack: the sentence if it is not known to hold.
    """

    code: str
    fact: Fact
    proof: str
    lack: str

    def proved(self, case: Case) -> Statement | None:
        """The proof; None if the condition is not known to hold."""
        found = self.fact(case)
        at = found if isinstance(found, datetime) else None
        return Statement(self.code, _sentence(self.proof, case, at), at) if found else None

    def missing(self, case: Case) -> Statement:
        """The statement that the condition is not known to hold."""
        return Statement(self.code, _sentence(self.lack, case))


def _sentence(text: str, case: Case, at: datetime | None = None) -> str:
    moment = f"at {at.astimezone(UTC):%H:%M:%S.%f}"[:-3] + " UTC" if at else ""
    return text.format(at=moment, **_words(case))


def _words(case: Case) -> Mapping[str, str]:
    line = case.hold.held.line if case.hold else None
    names = list(line.applications) if line else []
    more = [f"{line.more} more"] if line and line.more else []
    return {
        "applications": ", ".join(names + more) or "no application",
        "others": listing(case.seen.others or ("nobody looked",)),
        "record": line.id if line else "",
    }


# fmt: off
HAS_MOMENTS = Condition("point-in-time", facts.has_moments,
    "its storage takes a snapshot at one moment",
    "its storage copies the disk while the guest writes: nothing frozen, it is of no one moment")

OFF = Condition("not-running", facts.is_off,
    "there was no running guest before the snapshot, nor after it",
    "a guest was there before or after the snapshot, or nobody looked")
NOT_STARTED = Condition("not-started", facts.has_not_started,
    "and none was started and ended in between",
    "nobody watched if a guest was started and ended in between")
PAUSED = Condition("paused", facts.is_paused,
    "the guest was in one and the same pause before and after the snapshot",
    "the guest was not in one pause from before to after the snapshot")
ON = Condition("running", facts.is_on,
    "the guest was running before and after the snapshot",
    "it is not known that the guest was running before and after the snapshot")
ONE_RUN = Condition("one-run", facts.is_one_run,
    "the guest ran on one node, in one pod, all the time",
    "it is not known that the guest ran on one node, in one pod, all the time: it was started, "
    "ended, or migrated, or nobody saw it before or after")
AGENT = Condition("agent", facts.has_agent,
    "its guest agent was connected all the time",
    "it is not known that its guest agent was connected all the time, and the guest not paused")
NO_AGENT = Condition("no-agent", facts.has_no_agent,
    "no guest agent was connected: nobody could freeze it",
    "a guest agent was connected, or nobody looked")

HOOK = Condition("hook-succeeded", facts.hook_froze,
    "KubeVirt's freeze reported success to Velero, which took the disk after that",
    "it is not known that KubeVirt's freeze succeeded here before Velero took the disk: Velero "
    "does not run it here, a hook of this backup failed, or the disk was taken apart")
NO_HOOK = Condition("no-hook", facts.has_no_hook,
    "Velero runs no freeze in this guest",
    "Velero runs a freeze in this guest, or nobody knows")
HOOK_FAILED = Condition("hook-failed", facts.hook_failed,
    "the freeze of this guest failed",
    "it is not known that the freeze of this guest failed")
ALONE = Condition("alone", facts.is_alone,
    "nobody else was seen to freeze or thaw the guest",
    "others may have frozen or thawed the guest: {others}")
NO_SAFETY_THAW = Condition("no-safety-thaw", facts.no_safety_thaw,
    "KubeVirt's log has no safety thaw up to the last snapshot",
    "KubeVirt's log of safety thaws was not read, or has one that may have been too early")
TOO_SOON = Condition("too-soon-for-safety-thaw", facts.too_soon_for_safety_thaw,
    "KubeVirt thaws a forgotten guest after 300 s: the last snapshot was sooner",
    "the last snapshot may have been more than 300 s after the freeze, when KubeVirt thaws a guest")

SHORT_FOR_WINDOWS = Condition("not-too-long-for-windows", facts.is_short_enough_for_windows,
    "the guest is no Windows, or the last snapshot was within the 10 s for which Windows is held",
    "Windows is held for 10 s only: the guest may be one, and the last snapshot was later")

UNFROZEN_AT_FIRST = Condition("unfrozen-at-first", facts.is_unfrozen_at_first,
    "before that the guest was not frozen",
    "it is not known that nobody had frozen the guest before")
FROZEN_BEFORE = Condition("frozen-before", facts.frozen_before,
    "KubeVirt's status said frozen when the snapshot was asked for, {at}",
    "KubeVirt's status, which is up to six seconds late, did not say frozen before the snapshot")
FROZEN_ALONE = Condition("frozen-alone-before", facts.frozen_alone_before,
    "KubeVirt's status said frozen when the snapshot was asked for, {at}, and nobody else was seen "
    "to freeze",
    "KubeVirt's status did not say frozen before the snapshot, or others may have frozen the guest")
STILL_FROZEN = Condition("still-frozen", facts.still_frozen,
    "KubeVirt's status still said frozen six seconds after the last snapshot, {at}",
    "KubeVirt's status did not say frozen until six seconds after the last snapshot, was not "
    "watched all the time, or another backup may have frozen the guest by then")
SEEN_FROZEN = Condition("seen-frozen", facts.seen_frozen,
    "KubeVirt's status said frozen, first {at}, and not otherwise before the last snapshot",
    "KubeVirt's status never said frozen, this plugin or the status said thawed before the last "
    "snapshot, or another backup may have frozen the guest before its status had settled")
NEVER_FROZEN = Condition("never-frozen", facts.never_frozen,
    "KubeVirt's status never said frozen",
    "KubeVirt's status said frozen, or was not watched all the time")
SEEN_THAWED = Condition("seen-thawed", facts.seen_thawed,
    "KubeVirt's status had said frozen, last {at}, and said thawed before the snapshot",
    "KubeVirt's status did not turn to thawed before the snapshot")
NOT_FROZEN_AGAIN = Condition("not-frozen-again", facts.not_frozen_again,
    "and KubeVirt's status did not turn to frozen again",
    "KubeVirt's status turned to frozen again, or was not watched all the time")

HELD = Condition("held-by-guest", word.held,
    "the guest said {at}, before the snapshot: at rest are {applications}; record {record} is on "
    "the disk",
    "the guest's console has no word of a hold before the snapshot, or has contradictory ones")
HELD_BY_HOOK = Condition("held-by-hook", word.held_by_hook,
    "the guest said {at}, upon the freeze by the hook: at rest are {applications}; record {record} "
    "is on the disk",
    "the guest's console has no word that must be of the hook's freeze: it has none, or the agent "
    "was away, the hook failed, or others may have frozen the guest")
AT_REST = Condition("all-at-rest", word.is_at_rest,
    "by the guest's record that is every application that keeps data",
    "by the guest's record not every application that keeps data was at rest, or there was none")
NOTHING_LOST = Condition("nothing-lost", word.nothing_lost,
    "and the guest said afterwards that all of them were, until their release",
    "the guest did not say afterwards that all were at rest until their release")
RELEASED_LATE = Condition("released-late", word.released_late,
    "the guest released them {at}, more than two seconds after the last snapshot",
    "the guest did not say that it released them more than two seconds after the last snapshot")
RELEASED_BY_THAW = Condition("released-by-thaw", word.released_by_thaw,
    "the guest released them {at}, upon a thaw after the last snapshot",
    "the guest's console does not say that it released them upon a thaw after the last snapshot")
NOT_RELEASED = Condition("not-released-before", word.not_released_before,
    "the guest's console has no release before the last snapshot",
    "the guest's console has a release before the last snapshot, or words that contradict others")
THAWED_BY_PLUGIN = Condition("thawed-by-plugin", facts.thawed_by_plugin,
    "this plugin thawed the guest {at}, after the last snapshot",
    "this plugin did not thaw the guest, or thawed it before the last snapshot")

RELEASED_BEFORE = Condition("released-before", word.released_before,
    "the guest had said that it is released, {at}, before the snapshot",
    "the guest did not say that it was released before the snapshot")
THAWED_BY_PLUGIN_BEFORE = Condition("thawed-by-plugin-before", facts.thawed_by_plugin_before,
    "this plugin had thawed the guest, {at}, before the snapshot",
    "this plugin did not thaw the guest before the snapshot")
SAFETY_THAW_BEFORE = Condition("safety-thaw-before", facts.safety_thaw_before,
    "KubeVirt had thawed the guest by itself, {at}, before the snapshot",
    "KubeVirt did not thaw the guest by itself before the snapshot")
NO_LINE = Condition("no-line", word.no_line,
    "the guest's console has no word of a hold that may have lasted until the snapshot",
    "the guest's console has words of a hold that may have lasted until the snapshot")
# fmt: on
