"""What a user asks of a restore by labels on it, parsed once.

The labels are those of kubevirt-velero-plugin. There, the presence of a switch decides and the run
strategy is used as it is; here both are read, so that `"false"` means no and a misspelt strategy
does not end up in a virtual machine.
"""

from dataclasses import dataclass

from plugin.model import item as it
from plugin.model.errors import Refusal
from plugin.model.item import Item

RUN_STRATEGIES = ("Always", "Halted", "Manual", "Once", "RerunOnFailure", "WaitAsReceiver")
"""Those of kubevirt.io/v1 (KubeVirt v1.9)."""

_RUN_STRATEGY = "velero.kubevirt.io/restore-run-strategy"
_CLEAR_MAC_ADDRESSES = "velero.kubevirt.io/clear-mac-address"
_NEW_FIRMWARE_UUID = "velero.kubevirt.io/generate-new-firmware-uuid"


@dataclass(frozen=True, slots=True)
class Conditions:
    """How virtual machines are to come back.

    Attributes:
        run_strategy: one of `RUN_STRATEGIES`; empty keeps what the machine had.
        is_mac_cleared: take the MAC addresses off, so that KubeVirt gives new ones.
        is_firmware_uuid_new: give a new firmware UUID.
    """

    run_strategy: str = ""
    is_mac_cleared: bool = False
    is_firmware_uuid_new: bool = False

    @classmethod
    def parse(cls, restore: Item) -> "Conditions":
        """Read the conditions from a Restore object.

        Raises:
            Refusal: a label has a value that it cannot have.
        """
        return cls(
            _choice(restore, _RUN_STRATEGY, RUN_STRATEGIES),
            _is_on(restore, _CLEAR_MAC_ADDRESSES),
            _is_on(restore, _NEW_FIRMWARE_UUID),
        )


def _choice(restore: Item, label: str, choices: tuple[str, ...]) -> str:
    value = it.text(restore, "metadata", "labels", label)
    if label in it.labels(restore) and value not in choices:
        raise _refusal(restore, label, value, choices)
    return value


def _is_on(restore: Item, label: str) -> bool:
    value = it.text(restore, "metadata", "labels", label)
    if value.lower() in ("true", ""):  # the peer's documentation sets it without a value, too
        return label in it.labels(restore)
    if value.lower() != "false":
        raise _refusal(restore, label, value, ("true", "false"))
    return False


def _refusal(restore: Item, label: str, value: str, choices: tuple[str, ...]) -> Refusal:
    return Refusal(
        it.describe(restore),
        f"cannot obey its label {label}",
        f"it has no meaning with the value {value!r}",
        f"set it to one of {', '.join(choices)}",
    )
