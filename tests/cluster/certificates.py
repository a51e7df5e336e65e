"""Keys and certificates of a cluster, and the tokens of its users."""

import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

NAMES = (
    "DNS:localhost,DNS:node1,DNS:kubernetes.default.svc,DNS:virt-api.kubevirt.svc"
    ",IP:127.0.0.1,IP:10.96.0.1"
)
SUBJECTS = {
    "apiserver": "/CN=kube-apiserver",
    "kubelet-client": "/O=system:masters/CN=apiserver-kubelet-client",
    "kubelet": "/O=system:nodes/CN=system:node:node1",
    "virt-api": "/CN=virt-api",
    "front-proxy-client": "/CN=front-proxy-client",
}


def write_certificates(folder: Path) -> None:
    """An authority, a certificate per subject, and the key pair for service account tokens."""
    new_key(folder / "ca.key")
    openssl(
        *("req", "-x509", "-new", "-key", str(folder / "ca.key"), "-subj", "/CN=test-authority"),
        *("-days", "30", "-out", str(folder / "ca.crt")),
    )
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName={NAMES}\nextendedKeyUsage=serverAuth,clientAuth\n")
    for name, subject in SUBJECTS.items():
        write_certificate(folder, name, subject, extensions)
    new_key(folder / "service-accounts.key")
    openssl(
        *("ec", "-in", str(folder / "service-accounts.key"), "-pubout"),
        *("-out", str(folder / "service-accounts.pub")),
    )


def write_certificate(folder: Path, name: str, subject: str, extensions: Path) -> None:
    key, request = folder / f"{name}.key", folder / f"{name}.csr"
    new_key(key)
    openssl("req", "-new", "-key", str(key), "-subj", subject, "-out", str(request))
    openssl(
        *("x509", "-req", "-in", str(request), "-days", "30", "-extfile", str(extensions)),
        *("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial"),
        *("-out", str(folder / f"{name}.crt")),
    )


def write_tokens(path: Path, users: Sequence[str]) -> dict[str, str]:
    """A token for each user, all of them administrators, in the file that the API server reads."""
    tokens = {user: secrets.token_hex(16) for user in users}
    lines = (f"{token},{user},{user},system:masters\n" for user, token in tokens.items())
    path.write_text("".join(lines))
    return tokens


def new_key(path: Path) -> None:
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)  # noqa: S607
