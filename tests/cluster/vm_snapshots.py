"""`stillpoint snapshot`, called by an account with the rights of the manifest and no others."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml

from stillpoint import cli
from tests.cluster.api import ApiError, Object
from tests.cluster.cluster import Cluster
from tests.cluster.namespaces import wait_until_allowed

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "vm-snapshots.schema.json").read_text())
RIGHTS = DOCS / "install" / "rbac-snapshots.yaml"
GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Account:
    """The service account of a namespace.

    Attributes:
        capture: None where nobody looks at what is printed.
    """

    cluster: Cluster
    namespace: str
    capture: pytest.CaptureFixture[str] | None

    def call(self, *arguments: str) -> int:
        """The exit status of `stillpoint snapshot`."""
        if self.namespace not in self.cluster.control_plane.tokens:
            self._give_rights()
        kubeconfig = str(self.cluster.control_plane.kubeconfig(self.namespace))
        return cli.main(["snapshot", *arguments, "-n", self.namespace, "--kubeconfig", kubeconfig])

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        assert self.capture
        self.capture.readouterr()
        status = self.call(*arguments)
        return status, *self.capture.readouterr()

    def json(self, *arguments: str) -> tuple[int, Any]:
        """Exit status, and a document of snapshots."""
        status, output, _errors = self.run(*arguments, "--output", "json")
        document = json.loads(output)
        fastjsonschema.compile(SCHEMA)(document)
        return status, document

    def errors(self) -> str:
        """Standard error since the last look."""
        assert self.capture
        return self.capture.readouterr().err

    def _give_rights(self) -> None:
        api = self.cluster.api
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": self.namespace}
        of_namespace, of_cluster = yaml.safe_load_all(RIGHTS.read_text())
        for role in (of_namespace, of_cluster):
            create_unless_there(api.create, role)
        for role, kind, where in (
            (of_namespace, "RoleBinding", {"namespace": self.namespace}),
            (of_cluster, "ClusterRoleBinding", {}),
        ):
            name = role["metadata"]["name"]
            api.create(
                {
                    "apiVersion": f"{GROUP}/v1",
                    "kind": kind,
                    "metadata": {"name": f"{name}-{self.namespace}", **where},
                    "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": name},
                    "subjects": [subject],
                }
            )
        path = api.path("v1", "ServiceAccount", self.namespace, "default")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = api.request("POST", f"{path}/token", request)
        self.cluster.control_plane.tokens[self.namespace] = answer["status"]["token"]
        account = f"{self.namespace}/default"
        snapshots = "virtualmachinesnapshots.snapshot.kubevirt.io"
        wait_until_allowed(api, account, "create", snapshots, self.namespace)
        wait_until_allowed(api, account, "list", "storageclasses.storage.k8s.io")


def create_unless_there(create: Any, manifest: Object) -> None:
    try:
        create(manifest)
    except ApiError as error:
        if error.status != 409:
            raise
