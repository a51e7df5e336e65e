"""The seal that distinguishes a restore's own mark from anybody else's.

A restore's marks on a machine lie where the machine's tenant writes. A mark is believed only under
the restore's seal, made with a secret that is in the ids of its operations, which Velero keeps in
its own store.
"""

import hashlib
import hmac
from dataclasses import dataclass

_LENGTH = 32  # hexadecimal digits: 128 bits


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals with a secret; an empty secret seals nothing, and nothing bears its seal."""

    secret: str

    def on(self, *words: str) -> str:
        """The seal on these words, in this order."""
        text = "\n".join(words).encode(errors="replace")
        return hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()[:_LENGTH]

    def is_on(self, mark: str, *words: str) -> bool:
        """True if somebody who knows the secret has sealed these words."""
        found = mark.encode(errors="replace")
        return bool(self.secret) and hmac.compare_digest(found, self.on(*words).encode())
