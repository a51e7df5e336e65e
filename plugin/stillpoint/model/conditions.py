"""Conditions of a restore: annotations on the Restore, and the peer's labels, parsed once.

The labels are those of kubevirt-velero-plugin. There, the presence of a switch decides and the run
strategy is used as it is; here both are read, so that `"false"` means no and a misspelt strategy
does not end up in a virtual machine. An unknown key of `stillpoint.dev/` is refused: a condition
that is ignored in silence is worse than none.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stillpoint.model import duration
from stillpoint.model import item as it
from stillpoint.model.choice import Choice, by_name, pairs, words
from stillpoint.model.item import Item
from stillpoint.model.names import LONGEST_MACHINE_NAME, is_name
from stillpoint.model.switch import is_on, nearest, refusal

PREFIX = "stillpoint.dev/"

KEEP, CLEAR, AUTO, NEW = "keep", "clear", "auto", "new"

RUN_STRATEGIES = ("Always", "Halted", "Manual", "Once", "RerunOnFailure", "WaitAsReceiver")
"""Those of kubevirt.io/v1 (KubeVirt v1.9)."""

NO_WAIT, WAIT_DISKS, WAIT_RUNNING, WAIT_AGENT = "none", "disks", "running", "agent"
WAITS = (NO_WAIT, WAIT_DISKS, WAIT_RUNNING, WAIT_AGENT)
"""States of a machine, each of which includes the one before it."""

WAIT_GRACE_PERIOD, WAIT_EVENTUALLY = "WaitGracePeriod", "WaitEventually"
FAIL_IMMEDIATE, STOP_TARGET = "FailImmediate", "StopTarget"
READINESS_POLICIES = (WAIT_GRACE_PERIOD, FAIL_IMMEDIATE, STOP_TARGET, WAIT_EVENTUALLY)
"""KubeVirt's words (snapshot.kubevirt.io, `TargetReadinessPolicy`); the first is its default."""

RUN_STRATEGY = f"{PREFIX}run-strategy"
MAC_ADDRESSES = f"{PREFIX}mac-addresses"
FIRMWARE_UUID = f"{PREFIX}firmware-uuid"
RENAME = f"{PREFIX}rename"
ONLY = f"{PREFIX}only"
WAIT = f"{PREFIX}wait"
WAIT_TIMEOUT = f"{PREFIX}wait-timeout"
START_WAVE_SIZE = f"{PREFIX}start-wave-size"
TARGET_READINESS_POLICY = f"{PREFIX}target-readiness-policy"
REPLAY = f"{PREFIX}replay"

KEYS = (
    RUN_STRATEGY, MAC_ADDRESSES, FIRMWARE_UUID, RENAME, ONLY, WAIT, WAIT_TIMEOUT, START_WAVE_SIZE,
    TARGET_READINESS_POLICY, REPLAY,
)  # fmt: skip
"""Every annotation that a Restore can have from us."""

_PEER_RUN_STRATEGY = "velero.kubevirt.io/restore-run-strategy"
_PEER_CLEAR_MAC_ADDRESSES = "velero.kubevirt.io/clear-mac-address"
_PEER_NEW_FIRMWARE_UUID = "velero.kubevirt.io/generate-new-firmware-uuid"


@dataclass(frozen=True, slots=True)
class Renames:
    """New names of virtual machines.

    Attributes:
        names: old to new, by `NAME` or `NAMESPACE/NAME`.
        prefix: in front of the name of every machine that has no pair.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""

    def of(self, namespace: str, name: str) -> str:
        """The restored name of a machine; its own if no rename applies."""
        return by_name(self.names, namespace, name) or f"{self.prefix}{name}"

    def __bool__(self) -> bool:
        return bool(self.names or self.prefix)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions for virtual machines. Names are those in the backup.

    Attributes:
        run_strategy: `keep`, or one of `RUN_STRATEGIES`.
        mac_addresses: `keep`, `clear`, or `auto`: clear what would clash with a copy's original.
        firmware_uuid: `keep`, `new`, or `auto`: new where it would clash with the original.
        is_serial_kept: true if `firmware_uuid` does not apply to the serial number: the peer's
            label.
        rename: false if nothing is renamed.
        only: machines, `NAME` or `NAMESPACE/NAME`; empty means all of the backup.
        wait: one of `WAITS`, the state that the restore's item operation waits for.
        wait_timeout_s: after which that wait fails, if Velero's own time-out does not end it.
        start_wave_size: how many machines are started at once; 0 means all.
        target_readiness_policy: one of `READINESS_POLICIES`, for a machine that exists and runs.
        is_replayed: create one-shot resources, so that KubeVirt carries them out again.
    """

    run_strategy: Choice
    mac_addresses: Choice
    firmware_uuid: Choice
    is_serial_kept: bool
    rename: Renames
    only: tuple[str, ...]
    wait: Choice
    wait_timeout_s: float
    start_wave_size: int
    target_readiness_policy: Choice
    is_replayed: bool

    @classmethod
    def parse(cls, restore: Item) -> "Conditions":
        """Reads the conditions from a Restore object.

        Raises:
            Refusal: a label or annotation is unknown, or its value is invalid.
        """
        asked = _Annotations(restore, it.labels(restore), it.annotations(restore))
        asked.check_keys()
        return cls(
            run_strategy=asked.run_strategy(),
            mac_addresses=asked.mac_addresses(),
            firmware_uuid=asked.firmware_uuid(),
            is_serial_kept=_PEER_NEW_FIRMWARE_UUID in asked.labels,
            rename=asked.rename(),
            only=asked.only(),
            wait=asked.choice(WAIT, WAITS),
            wait_timeout_s=asked.seconds(WAIT_TIMEOUT, default=math.inf),
            start_wave_size=asked.count(START_WAVE_SIZE),
            target_readiness_policy=asked.choice(TARGET_READINESS_POLICY, READINESS_POLICIES),
            is_replayed=is_on(restore, asked.annotations, REPLAY),
        )

    def wait_for(self, namespace: str, name: str) -> str:
        """The state to wait for, by a machine's names in the backup: one of `WAITS`.

        Waves need a wait: whoever waits for a machine starts it.
        """
        wait = self.wait.of(namespace, name)
        return WAIT_DISKS if wait == NO_WAIT and self.start_wave_size else wait

    @property
    def machine_names(self) -> Iterator[tuple[str, str]]:
        """Every machine name in a condition, as written, after the annotation's key."""
        for key, choice in (
            (RUN_STRATEGY, self.run_strategy),
            (MAC_ADDRESSES, self.mac_addresses),
            (FIRMWARE_UUID, self.firmware_uuid),
            (WAIT, self.wait),
            (TARGET_READINESS_POLICY, self.target_readiness_policy),
        ):
            yield from ((key, name) for name in choice.exceptions)
        yield from ((RENAME, name) for name in self.rename.names)
        yield from ((ONLY, name) for name in self.only)


@dataclass(frozen=True, slots=True)
class _Annotations:
    restore: Item
    labels: Item
    annotations: Item

    def check_keys(self) -> None:
        for key in self.annotations:
            if key.startswith(PREFIX) and key not in KEYS:
                known = [one.removeprefix(PREFIX) for one in KEYS]
                meant = nearest(key.removeprefix(PREFIX), known)
                hint = f"{meant}of {PREFIX} there are {', '.join(known)}"
                raise refusal(self.restore, key, "there is no such condition", hint)
        for key in self.labels:
            if key.startswith(PREFIX):
                raise refusal(self.restore, key, "it is a label", "set it as an annotation")

    def run_strategy(self) -> Choice:
        label = self._label(_PEER_RUN_STRATEGY, RUN_STRATEGY)
        if label is not None:
            return Choice.parse(self.restore, _PEER_RUN_STRATEGY, label or "''", RUN_STRATEGIES)
        return self.choice(RUN_STRATEGY, (KEEP, *RUN_STRATEGIES))

    def mac_addresses(self) -> Choice:
        if self._is_on(_PEER_CLEAR_MAC_ADDRESSES, MAC_ADDRESSES):
            return Choice(CLEAR)
        return self.choice(MAC_ADDRESSES, (AUTO, KEEP, CLEAR))

    def firmware_uuid(self) -> Choice:
        if self._is_on(_PEER_NEW_FIRMWARE_UUID, FIRMWARE_UUID):
            return Choice(NEW)
        return self.choice(FIRMWARE_UUID, (AUTO, KEEP, NEW))

    def choice(self, key: str, choices: tuple[str, ...]) -> Choice:
        return Choice.parse(self.restore, key, self._text(key), choices)

    def rename(self) -> Renames:
        text = self._text(RENAME)
        prefixes, names = words(text), pairs(self.restore, RENAME, text)
        if len(prefixes) > 1:
            raise refusal(self.restore, RENAME, f"there are {len(prefixes)} prefixes", "keep one")
        prefix = "".join(prefixes)
        if prefix and not is_name(f"{prefix}x"):
            raise refusal(self.restore, RENAME, f"no name can begin with {prefix!r}")
        self._check_new_names(names)
        return Renames(names, prefix)

    def _check_new_names(self, names: Mapping[str, str]) -> None:
        for old, new in names.items():
            if not is_name(new) or len(new) > LONGEST_MACHINE_NAME:
                cause = f"{new!r} can be no name of a virtual machine"
                hint = f"lower case, digits and '-', at most {LONGEST_MACHINE_NAME} characters"
                raise refusal(self.restore, RENAME, cause, hint)
            others = [other for other in names if names[other] == new and other != old]
            if others and _may_meet(old, others[0]):
                cause = f"{' and '.join(sorted((old, others[0])))} would both become {new}"
                raise refusal(self.restore, RENAME, cause)

    def only(self) -> tuple[str, ...]:
        text = self._text(ONLY)
        if wrong := pairs(self.restore, ONLY, text):
            cause = f"{next(iter(wrong))}={next(iter(wrong.values()))} is no name"
            raise refusal(self.restore, ONLY, cause, "list the names of virtual machines")
        if ONLY in self.annotations and not words(text):
            raise refusal(self.restore, ONLY, "it names no virtual machine", "name one")
        return tuple(words(text))

    def seconds(self, key: str, default: float) -> float:
        if key not in self.annotations:
            return default
        text = self._text(key).strip()
        span = duration.parse(text)
        if not span:
            cause = f"{text!r} is no duration"
            raise refusal(self.restore, key, cause, "write 90s, 30m or 1h30m")
        return span.total_seconds()

    def count(self, key: str) -> int:
        text = self._text(key).strip()
        if key not in self.annotations:
            return 0
        if not (text.isascii() and text.isdecimal() and 0 < int(text) < 1_000_000):
            raise refusal(
                self.restore, key, f"{text!r} is no number of machines", "write 1 or more"
            )
        return int(text)

    def _text(self, key: str) -> str:
        return it.text(self.annotations, key)

    def _is_on(self, label: str, annotation: str) -> bool:
        self._label(label, annotation)
        return is_on(self.restore, self.labels, label)

    def _label(self, label: str, annotation: str) -> str | None:
        """The value of the peer's label; None if the label is not set."""
        if label not in self.labels:
            return None
        if annotation in self.annotations:
            cause = f"the label {label} asks for the same"
            raise refusal(self.restore, annotation, cause, "keep one of the two")
        return it.text(self.labels, label)


def _may_meet(one: str, other: str) -> bool:
    """True if two names, each with or without a namespace, may be of one namespace."""
    namespaces = [name.rpartition("/")[0] for name in (one, other)]
    return "" in namespaces or namespaces[0] == namespaces[1]
