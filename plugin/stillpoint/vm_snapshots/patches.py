"""JSON patches of a restored machine, within the form that KubeVirt's webhook takes.

The webhook takes a patch apart at commas and colons, and refuses one with any more of them than
`{"op": ..., "path": ..., "value": ...}` has: a MAC address, for instance, is written with dashes,
and an object is no value.

Source: pkg/storage/admitters/vmrestore.go of KubeVirt v1.9, validatePatches.
"""

import json
from collections.abc import Iterator

from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.resources.machines import guest
from stillpoint.vm_snapshots.errors import WrongRequest

_GUEST = "/spec/template/spec"
_ALLOWED = ("/spec/", "/metadata/labels/", "/metadata/annotations/")
_OPERATIONS = ("add", "remove", "replace", "test", "copy", "move")


def check(patch: str) -> str:
    """The patch, if KubeVirt takes it.

    Raises:
        WrongRequest: it is no JSON patch, or of a form that KubeVirt's webhook refuses.
    """
    try:
        parsed = json.loads(patch)
    except ValueError as error:
        raise _refusal(patch, f"it is no JSON: {error}") from error
    if not isinstance(parsed, dict) or parsed.get("op") not in _OPERATIONS:
        raise _refusal(patch, f"it has none of the operations {', '.join(_OPERATIONS)}")
    if not str(parsed.get("path", "")).startswith(_ALLOWED):
        raise _refusal(patch, f"its path begins with none of {', '.join(_ALLOWED)}")
    if any(part.count(":") != 1 for part in patch.strip().strip("{}").split(",")):
        cause = (
            "KubeVirt takes no value with a comma or a colon in it; write a MAC address with dashes"
        )
        raise _refusal(patch, cause)
    return patch.strip()


def of_identity(specification: Item, *, keeps_mac: bool, keeps_uuid: bool) -> Iterator[str]:
    """Patches that take addresses, UUID and serial number off, so that KubeVirt makes new ones.

    Args:
        specification: of the guest in the snapshot.
    """
    interfaces = it.sequence(specification, "domain", "devices", "interfaces")
    for number, interface in enumerate(interfaces):
        if it.text(interface, "macAddress") and not keeps_mac:
            yield _removal(f"domain/devices/interfaces/{number}/macAddress")
    if guest.firmware_uuid(specification) and not keeps_uuid:
        yield _removal("domain/firmware/uuid")
    if guest.serial(specification) and not keeps_uuid:
        yield _removal("domain/firmware/serial")


def _removal(path: str) -> str:
    return json.dumps({"op": "remove", "path": f"{_GUEST}/{path}"})


def _refusal(patch: str, cause: str) -> WrongRequest:
    hint = '{"op": "replace", "path": "/spec/template/spec/hostname", "value": "copy"}'
    return WrongRequest(f"--patch {patch}", "cannot use it", cause, f"for instance {hint}")
