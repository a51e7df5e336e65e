"""What a user asks of a restore by labels and annotations on it, parsed once.

The labels are those of kubevirt-velero-plugin; what it does not have is an annotation. There, the
presence of a switch decides and the run strategy is used as it is; here both are read, so that
`"false"` means no and a misspelt strategy does not end up in a virtual machine.
"""

from dataclasses import dataclass

from plugin.model import item as it
from plugin.model.item import Item
from plugin.model.switch import is_on, without_meaning

RUN_STRATEGIES = ("Always", "Halted", "Manual", "Once", "RerunOnFailure", "WaitAsReceiver")
"""Those of kubevirt.io/v1 (KubeVirt v1.9)."""

_RUN_STRATEGY = "velero.kubevirt.io/restore-run-strategy"
_CLEAR_MAC_ADDRESSES = "velero.kubevirt.io/clear-mac-address"
_NEW_FIRMWARE_UUID = "velero.kubevirt.io/generate-new-firmware-uuid"
_REPLAY = "stillpoint.dev/replay"


@dataclass(frozen=True, slots=True)
class Conditions:
    """How virtual machines are to come back.

    Attributes:
        run_strategy: one of `RUN_STRATEGIES`; empty keeps what the machine had.
        is_mac_cleared: take the MAC addresses off, so that KubeVirt gives new ones.
        is_firmware_uuid_new: give a new firmware UUID.
        is_replayed: create objects that are orders to KubeVirt, to be carried out again.
    """

    run_strategy: str = ""
    is_mac_cleared: bool = False
    is_firmware_uuid_new: bool = False
    is_replayed: bool = False

    @classmethod
    def parse(cls, restore: Item) -> "Conditions":
        """Read the conditions from a Restore object.

        Raises:
            Refusal: a label has a value that it cannot have.
        """
        labels, annotations = it.labels(restore), it.annotations(restore)
        return cls(
            run_strategy=_run_strategy(restore, labels),
            is_mac_cleared=is_on(restore, labels, _CLEAR_MAC_ADDRESSES),
            is_firmware_uuid_new=is_on(restore, labels, _NEW_FIRMWARE_UUID),
            is_replayed=is_on(restore, annotations, _REPLAY),
        )


def _run_strategy(restore: Item, labels: Item) -> str:
    value = it.text(labels, _RUN_STRATEGY)
    if _RUN_STRATEGY in labels and value not in RUN_STRATEGIES:
        raise without_meaning(restore, _RUN_STRATEGY, value, RUN_STRATEGIES)
    return value
