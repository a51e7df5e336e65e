"""Signed URLs: whoever has one can read a backup until it expires, ten minutes later."""

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, urljoin, urlsplit

from stillpoint.downloads.errors import DownloadFailed

_PLAIN = re.compile(r"[!-~]+")  # no blanks and no control characters, which http.client would quote


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """A URL that is itself a secret; neither its text nor an error about it shows the URL.

    Attributes:
        subject: the file that it leads to, for people.
    """

    subject: str
    text: str = field(repr=False)

    @classmethod
    def parse(cls, subject: str, text: str) -> Self:
        """The URL.

        Raises:
            DownloadFailed: it leads elsewhere than to a server of HTTP.
        """
        url = cls(subject, text)
        if not _PLAIN.fullmatch(text):
            raise url.failure("its URL has characters that no URL has")
        parts = url.parts
        if parts.scheme not in ("http", "https"):
            raise url.failure(f"its URL leads to no server of HTTP, but to {parts.scheme[:20]}:")
        if not parts.hostname or parts.username is not None:
            raise url.failure("its URL names no server, or a user on it")
        return url

    @property
    def parts(self) -> SplitResult:
        """Scheme, server, path and query.

        Raises:
            DownloadFailed: the text is no URL.
        """
        try:
            parts = urlsplit(self.text)
            _ = parts.port
        except ValueError:
            raise self.failure("its URL cannot be read") from None
        return parts

    @property
    def server(self) -> str:
        """Scheme, host and port; this much can be shown. Example: `https://s3.example:9000`."""
        return f"{self.parts.scheme}://{self.parts.netloc}"

    @property
    def target(self) -> str:
        """Path and query, as a request has them."""
        return self.parts._replace(scheme="", netloc="", fragment="").geturl() or "/"

    def redirected(self, location: str) -> Self:
        """The URL that a response of this one leads to.

        Raises:
            DownloadFailed: it leads to no server of HTTP, or from HTTPS to HTTP.
        """
        try:
            joined = urljoin(self.text, location)
        except ValueError:
            raise self.failure(f"{self.server} redirects to what is no URL") from None
        url = self.parse(self.subject, joined)
        if self.parts.scheme == "https" and url.parts.scheme != "https":
            raise self.failure(f"{self.server} redirects to a server without TLS")
        return url

    def failure(self, cause: str, hint: str = "") -> DownloadFailed:
        """The error about this file."""
        return DownloadFailed(self.subject, "cannot download it", cause, hint)
