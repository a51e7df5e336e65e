"""Names as the Kubernetes API takes them (RFC 1123)."""

import re

LONGEST_NAME = 253
"""Of most objects, claims and DataVolumes among them."""

LONGEST_MACHINE_NAME = 63
"""Of a virtual machine: KubeVirt puts it into labels."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def is_name(text: str) -> bool:
    """Whether an object can have this name."""
    return len(text) <= LONGEST_NAME and bool(_NAME.fullmatch(text))
