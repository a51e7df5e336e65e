"""Refusals of a change that no right would prevent: HTTP 403 has two meanings.

An authorizer refuses with `… is forbidden: User "…" cannot …` (k8s.io/apiserver@v0.34,
pkg/endpoints/handlers/responsewriters/errors.go). Every other 403 of a change comes from admission:
a quota, a namespace that is being deleted, a policy, a webhook. Reads pass no admission.
"""

from collections.abc import Mapping
from typing import Any

_FORBIDDEN = " is forbidden: "
_OF_AUTHORIZER = 'User "'
_OF_WEBHOOK = 'admission webhook "'  # pkg/admission/plugin/webhook/errors

_HINTS = (
    ("exceeded quota: ", "raise that ResourceQuota, or delete something that it counts"),
    ("failed quota: ", "give that ResourceQuota what it asks for, or remove it"),
    ("because it is being terminated", "wait until the namespace is gone, or choose another one"),
)
_HINT_OF_ADMISSION = "ask the owner of the webhook or policy that the message names to admit this"


def is_denial(status: Mapping[str, Any]) -> bool:
    """True if a Status of code 403 says that admission has refused the change.

    Without a message that is known from an API server: false.
    """
    message = status.get("message")
    if not isinstance(message, str):
        return False
    if message.startswith(_OF_WEBHOOK):
        return True
    _object, is_forbidden, cause = message.partition(_FORBIDDEN)
    return bool(is_forbidden) and not cause.startswith(_OF_AUTHORIZER)


def hint(message: str) -> str:
    """The remedy for a denial with this message."""
    return next((text for mark, text in _HINTS if mark in message), _HINT_OF_ADMISSION)
