"""The verification of a machine that is kept with its backup, for programs."""

from datetime import UTC
from typing import Any

from stillpoint.evidence.verified import Verification


def verification_document(found: Verification | None) -> dict[str, Any] | None:
    """The object in a document; null if the machine was never restored for a test."""
    if found is None:
        return None
    return {
        "at": found.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "cameBack": found.came_back,
        "expected": found.expected,
        "agreement": found.agreement,
        "isAsExpected": found.is_good,
        "seconds": found.took_s,
        "why": found.why,
    }
