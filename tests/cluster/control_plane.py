"""etcd, kube-apiserver and kube-controller-manager, on loopback."""

import json
import shutil
from pathlib import Path
from typing import Any

import urllib3

from tests.cluster.api import Api
from tests.cluster.certificates import write_certificates, write_tokens
from tests.cluster.processes import Process, Processes, StartError, free_ports
from tests.peers.build import binary

USERS = ("admin", "controller-manager", "node", "storage", "velero")

# The controllers of a cloud's nodes and of joining new ones would find nothing to do here; that of
# the nodes' lifecycle would miss the heartbeats that the stand-in node does not send.
CONTROLLERS = (
    "*,-nodeipam,-node-route-controller,-cloud-node-lifecycle-controller,-node-lifecycle-controller,"
    "-bootstrap-signer-controller,-token-cleaner-controller"
)

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/readyz*", "/livez*", "/openapi*"]},
        {
            "level": "None",
            "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
        },
        {"level": "Metadata"},
    ],
}


class ControlPlane:
    def __init__(self, processes: Processes, folder: Path, etcd_folder: Path) -> None:
        self.processes = processes
        self.folder = folder
        self.certificates = folder / "certificates"
        self.audit_log = folder / "audit.log"
        self.etcd_folder = etcd_folder
        self.etcd_port, self.etcd_peer_port, self.port = free_ports(3)
        self.certificates.mkdir()
        write_certificates(self.certificates)
        self.tokens = write_tokens(self.certificates / "tokens.csv", USERS)

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def api(self, user: str) -> Api:
        return Api(self.server, self.certificates / "ca.crt", self.tokens[user])

    def kubeconfig(self, user: str) -> Path:
        """File with which another program reaches the API server as that user."""
        cluster = {
            "server": self.server,
            "certificate-authority": str(self.certificates / "ca.crt"),
        }
        content: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path = self.folder / f"{user}.kubeconfig"
        path.write_text(json.dumps(content))
        return path

    def start(self) -> None:
        """Returns when the API server is ready and the controllers are on their way."""
        etcd = self._start_etcd()
        self.processes.wait(etcd, self._is_etcd_healthy, "healthy")
        api = self.api("admin")
        apiserver = self._start_apiserver()
        self.processes.wait(apiserver, api.is_ready, "ready")
        api.close()
        self._start_controller_manager()

    def _start_etcd(self) -> Process:
        program = shutil.which("etcd")
        if program is None:
            raise StartError("etcd is not on PATH; HINT: make system")
        client = f"http://127.0.0.1:{self.etcd_port}"
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        return self.processes.start(
            "etcd",
            [
                *(program, "--name=test", f"--data-dir={self.etcd_folder}"),
                *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
                *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
                f"--initial-cluster=test={peer}",
            ],
        )

    def _is_etcd_healthy(self) -> bool:
        with urllib3.PoolManager(retries=False) as pool:
            try:
                health = pool.request("GET", f"http://127.0.0.1:{self.etcd_port}/health")
            except urllib3.exceptions.HTTPError:
                return False
            return b"true" in health.data

    def _start_apiserver(self) -> Process:
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(AUDIT_POLICY))
        at = self.certificates
        return self.processes.start(
            "kube-apiserver",
            [
                *(binary("kube"), "kube-apiserver"),
                f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
                *("--bind-address=127.0.0.1", f"--secure-port={self.port}"),
                *("--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16"),
                *(f"--tls-cert-file={at}/apiserver.crt", f"--client-ca-file={at}/ca.crt"),
                f"--tls-private-key-file={at}/apiserver.key",
                *(f"--token-auth-file={at}/tokens.csv", "--authorization-mode=Node,RBAC"),
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={at}/service-accounts.pub",
                f"--service-account-signing-key-file={at}/service-accounts.key",
                f"--kubelet-client-certificate={at}/kubelet-client.crt",
                f"--kubelet-client-key={at}/kubelet-client.key",
                f"--kubelet-certificate-authority={at}/ca.crt",
                "--kubelet-preferred-address-types=InternalIP",
                f"--proxy-client-cert-file={at}/front-proxy-client.crt",
                f"--proxy-client-key-file={at}/front-proxy-client.key",
                f"--requestheader-client-ca-file={at}/ca.crt",
                "--requestheader-allowed-names=front-proxy-client",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                *(f"--audit-log-path={self.audit_log}", f"--audit-policy-file={policy}"),
                *("--audit-log-maxsize=2000", "--allow-privileged=true", "--profiling=false"),
            ],
        )

    def _start_controller_manager(self) -> Process:
        kubeconfig = self.kubeconfig("controller-manager")
        return self.processes.start(
            "kube-controller-manager",
            [
                *(binary("kube"), "kube-controller-manager"),
                *(f"--kubeconfig={kubeconfig}", "--secure-port=0", "--leader-elect=false"),
                f"--controllers={CONTROLLERS}",
                f"--root-ca-file={self.certificates}/ca.crt",
                f"--service-account-private-key-file={self.certificates}/service-accounts.key",
                *("--kube-api-qps=200", "--kube-api-burst=400"),
                # Velero writes to each claim as it restores it, so this loses many a race for the
                # claim, comes again after the period, 15 s by default, and Velero, which looks for
                # bound claims every 10 s, ends a restore that much later.
                "--pvclaimbinder-sync-period=500ms",
            ],
        )
