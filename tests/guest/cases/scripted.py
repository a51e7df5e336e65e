"""The cases with peers that are scripted, and named so."""

import contextlib
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from stillpoint_guest.processes.program import ENVIRONMENT

from tests.guest.cases.case import PASSWORD, Case, secret
from tests.guest.peers import HOOK, MONGOSH, SHOPCTL, SYSTEMCTL, Peer, path_with


@dataclass
class PeerCase(Case):
    is_found: bool = False
    peer: Peer | None = None

    @property
    def there(self) -> Peer:
        assert self.peer
        return self.peer

    def runs(self, timeout_s: float = 10) -> bool:
        deadline = time.monotonic() + timeout_s
        while not self.there.runs:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    @contextlib.contextmanager
    def _with(self, **changes: bool) -> Iterator[Mapping[str, str]]:
        self.there.set(**changes)
        try:
            yield {}
        finally:
            self.there.set(**dict.fromkeys(changes, False))

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        with self._with(down=True):
            yield

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        with self._with(hangs=True):
            yield

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Mapping[str, str]]:
        with self._with(refuses=True) as options:
            yield options


@dataclass
class MongoCase(PeerCase):
    """Somebody has to listen, for the driver looks who does; the peer needs nobody."""

    is_found: bool = True
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def __post_init__(self) -> None:
        self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.options = {"uri": f"mongodb://{self.place}/?directConnection=true"}

    def close(self) -> None:
        self.listener.close()

    def wrong_password(self, folder: Path) -> Mapping[str, str] | None:
        account = f"keeper:wrong {PASSWORD}"
        return {"password_file": secret(folder, f"mongodb://{account}@{self.place}")}


@dataclass
class ScriptCase(PeerCase):
    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Its folder is gone."""
        saved = self.options
        self.options = {"path": f"{saved['path']}/nothing"}
        try:
            yield
        finally:
            self.options = saved


def _mongodb(folder: Path) -> Case:
    peer = Peer(folder, "mongosh", MONGOSH)
    said = "connect ECONNREFUSED"
    return MongoCase("main", "mongodb", {}, said, stops_writes=True, has_client=True, peer=peer)


def _unit(folder: Path, method: str) -> Case:
    peer = Peer(folder, "systemctl", SYSTEMCTL)
    options = {"unit": "shop.service"}
    said = "Failed to connect to bus"
    return PeerCase("main", "systemd", options, said, method, stops_writes=True, peer=peer)


def _scripts(folder: Path, method: str) -> Case:
    peer = Peer(folder, "10-dump", HOOK)
    options = {"path": str(folder)}
    said = "No such file or directory"
    return ScriptCase("main", "script", options, said, method, stops_writes=True, peer=peer)


def _shop(folder: Path) -> Case:
    peer = Peer(folder, "shopctl", SHOPCTL)
    return PeerCase("main", "shop", {}, "no shop listens", stops_writes=True, peer=peer)


# By names that begin with the driver's.
PEERS: Mapping[str, Callable[[Path], Case]] = {
    "mongodb, its shell scripted": _mongodb,
    "systemd stops a unit, systemctl scripted": lambda folder: _unit(folder, "stop"),
    "systemd freezes a unit, systemctl scripted": lambda folder: _unit(folder, "freeze"),
    "shop, the driver of the docs, scripted": _shop,
    "script: hooks of QEMU": lambda folder: _scripts(folder, "folder"),
    "script: hooks of VMware": lambda folder: _scripts(folder, "vmware"),
}


@contextlib.contextmanager
def peer(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """One of `PEERS`, first in the path of programs, in a folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="stillpoint-peer-") as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "peer"
        case = PEERS[name](folder)
        monkeypatch.setitem(ENVIRONMENT, "PATH", path_with(folder))
        yield case
        case.close()
