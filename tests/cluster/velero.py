"""The Velero server, with an object store in a folder, and with or without a plugin under test."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.cluster.api import Api, Object
from tests.cluster.control_plane import ControlPlane
from tests.cluster.processes import Process, Processes
from tests.payload.built import executable
from tests.peers.build import VELERO_VERSION, binary

NAMESPACE = "velero"
API_VERSION = "velero.io/v1"
BUCKET = "backups"
LOCATION = "default"


PLUGIN_USER = "plugin"
"""Its token is that of the service account that RIGHTS gives to: Velero's own user may do all."""

PLUGIN_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:velero"

RIGHTS = Path(__file__).parents[2] / "docs" / "install" / "rbac.yaml"

_WITH_OWN_RIGHTS = """\
#!/bin/bash
# Velero starts this again for each action, so the plugin is to call itself by this name.
export KUBECONFIG='{kubeconfig}'
exec -a "$0" '{plugin}' "$@"
"""


@dataclass(frozen=True)
class Settings:
    """How one run of the Velero server is set up."""

    plugin: Path | None = None
    """Executable of the plugin under test; None: Velero alone."""
    item_block_workers: int = 1
    """Item blocks that are backed up at once; Velero's own default is 1."""
    concurrent_backups: int = 1
    """Backups of different namespaces that run at once, each with workers of its own."""
    polls_often: bool = True
    """Whether Velero looks every second, not every 5, for a snapshot: the guest's time at rest."""
    log_level: str = "info"
    stores: Sequence[str] = ()
    """More plugins for object stores than that of folders, by the names of their programs."""
    flags: Sequence[str] = ()
    """More flags of `velero server`; the last of two equal ones wins."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """More variables, which its plugins have, too."""


class Velero:
    def __init__(
        self,
        processes: Processes,
        control_plane: ControlPlane,
        folder: Path,
        store: Path | None = None,
    ) -> None:
        self.processes = processes
        self.control_plane = control_plane
        self.folder = folder
        self.store = store or folder / "store"
        self.settings: Settings | None = None
        self._process: Process | None = None

    @property
    def bucket(self) -> Path:
        return self.store / BUCKET

    def prepare(self, api: Api) -> None:
        """What a server needs on the cluster; the custom resources must be there."""
        (self.folder / "tmp").mkdir(parents=True)
        self.bucket.mkdir(parents=True, exist_ok=True)
        for manifest in (*manifests(self.store), *yaml.safe_load_all(RIGHTS.read_text())):
            api.create(manifest)
        account = api.path("v1", "ServiceAccount", NAMESPACE, "velero")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = api.request("POST", f"{account}/token", request)
        self.control_plane.tokens[PLUGIN_USER] = answer["status"]["token"]

    def start(self, api: Api, settings: Settings) -> None:
        """Returns when the server knows its plugins and finds its storage available."""
        location = (API_VERSION, "BackupStorageLocation", NAMESPACE, LOCATION)
        api.patch(*location, {"status": None})  # a former server's word does not count
        self.settings = settings
        self._process = self.processes.start(
            "velero",
            self._command(settings),
            environment=self._environment(settings),
            folder=self.folder,
        )

        def is_available() -> bool:
            status = api.get(*location).get("status", {})
            return bool(status.get("phase") == "Available")

        self.processes.wait(self._process, is_available, "ready")

    def stop(self) -> None:
        if self._process is not None:
            self.processes.stop(self._process)
        self.settings = self._process = None

    def restart(self, api: Api) -> None:
        """A new server, set up as the one before; what that one had in memory is lost."""
        if self.settings is None:
            raise RuntimeError("velero does not run")
        settings = self.settings
        self.stop()
        self.start(api, settings)

    def cpu_s(self) -> tuple[float, float]:
        """CPU of the server so far, and of its plugins' processes that have ended."""
        if self._process is None:
            raise RuntimeError("velero does not run")
        text = Path(f"/proc/{self._process.number}/stat").read_text()
        user, system, of_plugins, of_plugins_system = map(
            int, text.rpartition(")")[2].split()[11:15]
        )
        ticks = os.sysconf("SC_CLK_TCK")
        return (user + system) / ticks, (of_plugins + of_plugins_system) / ticks

    def plugin_processes(self) -> list[int]:
        """Those of the plugin under test that Velero has started from its folder."""
        program = str(self.folder / "plugins" / "stillpoint").encode()
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with suppress(OSError):  # it ended meanwhile
                    if program in (folder / "cmdline").read_bytes().split(b"\0"):
                        found.append(int(folder.name))
        return found

    @contextmanager
    def running(self, api: Api, settings: Settings) -> Iterator[None]:
        """The server set up in another way for a while; afterwards it is as it was before."""
        before = self.settings
        self.stop()
        self.start(api, settings)
        try:
            yield
        finally:
            self.stop()
            if before is not None:
                self.start(api, before)

    def _command(self, settings: Settings) -> list[str | Path]:
        return [
            *(binary("velero"), "server", f"--namespace={NAMESPACE}", "--features=EnableCSI"),
            f"--plugin-dir={self._plugin_folder(settings)}",
            *("--metrics-address=127.0.0.1:0", "--profiler-address=127.0.0.1:0"),
            *("--store-validation-frequency=20s", "--item-operation-sync-frequency=1s"),
            *("--resource-timeout=2m", "--terminating-resource-timeout=2m"),
            f"--item-block-worker-count={settings.item_block_workers}",
            f"--concurrent-backups={settings.concurrent_backups}",
            f"--log-level={settings.log_level}",
            *settings.flags,
        ]

    def _environment(self, settings: Settings) -> dict[str, str]:
        return {
            "CSI_SNAPSHOT_EARLY_FREQUENT_POLLING": str(settings.polls_often).lower(),
            "KUBECONFIG": str(self.control_plane.kubeconfig("velero")),
            "VELERO_NAMESPACE": NAMESPACE,
            "HOME": str(self.folder),
            "TMPDIR": str(
                self.folder / "tmp"
            ),  # Velero's credentials folder has a fixed name in there
            **settings.environment,
        }

    def _plugin_folder(self, settings: Settings) -> Path:
        folder = self.folder / "plugins"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for store in ("folder-store", *settings.stores):
            (folder / store).symlink_to(binary(store))
        if settings.plugin is not None:
            script = folder / "stillpoint"
            kubeconfig = self.control_plane.kubeconfig(PLUGIN_USER)
            script.write_text(
                _WITH_OWN_RIGHTS.format(kubeconfig=kubeconfig, plugin=settings.plugin)
            )
            script.chmod(0o755)
        return folder

    def plugin_under_test(self) -> Path:
        """STILLPOINT_PLUGIN's executable, or that of the payload."""
        return Path(os.environ.get("STILLPOINT_PLUGIN") or executable())


def manifests(store: Path) -> list[Object]:
    labels = {"app": "velero"}
    container = {"name": "velero", "image": f"velero/velero:{VELERO_VERSION}"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "velero", "namespace": NAMESPACE},
        },
        {
            # A restore reads the image of its own Deployment, which needs no replicas.
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "velero", "namespace": NAMESPACE},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": API_VERSION,
            "kind": "BackupStorageLocation",
            "metadata": {"name": LOCATION, "namespace": NAMESPACE},
            "spec": {
                "provider": "stillpoint.test/folder",
                "default": True,
                "objectStorage": {"bucket": BUCKET},
                # A second cluster on this store gets its backups from a test, not each minute.
                "backupSyncPeriod": "0s",
                "config": {"path": str(store)},
            },
        },
    ]
