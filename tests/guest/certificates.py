"""A certificate authority for a test, and what it has signed for 127.0.0.1."""

from pathlib import Path

from tests.guest.databases import output_of

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


def make(folder: Path, *names: str) -> None:
    """`ca.crt`, and NAME.crt and NAME.key for each; keys can be read by everybody."""
    folder.mkdir()
    authority = ("-subj", "/CN=authority", "-keyout", folder / "ca.key", "-out", folder / "ca.crt")
    output_of(["openssl", "req", "-x509", *_KEY, *authority])
    for name in names:
        subject = ("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1")
        signed = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key")
        files = ("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
        output_of(["openssl", "req", "-x509", *_KEY, *subject, *signed, *files])
        (folder / f"{name}.key").chmod(0o644)
