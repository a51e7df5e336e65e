"""A cluster to try things on by hand, which stays up until Ctrl-C, SIGTERM or SIGHUP.

    python -m tests.cluster

Standard output has what reaches it, to be read by a shell; standard error what is being done.
"""

import shlex
import signal
import sys
from contextlib import closing
from types import FrameType

from tests.cluster.cluster import Cluster
from tests.cluster.storage import CLASS
from tests.cluster.velero import LOCATION, NAMESPACE
from tests.cluster.virtual_machines import Disk, Machine
from tests.peers.build import KUBERNETES_VERSION, PROGRAMS, VELERO_VERSION, binary

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MACHINE = Machine("shop", "db", disks=(Disk("root"), Disk("data", "Block")))


def main() -> None:
    for one in ENDS:
        signal.signal(one, end)
    for program in PROGRAMS:
        binary(program.name, report)
    cluster = Cluster()
    try:
        with closing(cluster):
            report(f"starting, half a minute; logs: {cluster.logs}")
            cluster.start()
            cluster.start_velero()
            cluster.create_namespace(MACHINE.namespace)
            cluster.create_vm(MACHINE)
            describe(cluster)
            while True:
                signal.pause()
    except Exception as error:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            raise
        report(f"interrupted: {error!r}")  # it came of what `end` raised amid a call
    finally:
        report("ended, with all that was in it")


def describe(cluster: Cluster) -> None:
    server, machine = cluster.control_plane.server, f"{MACHINE.namespace}/{MACHINE.name}"
    kubeconfig = shlex.quote(str(cluster.control_plane.kubeconfig("admin")))
    sys.stdout.write(f"""\
export KUBECONFIG={kubeconfig}
alias velero={shlex.quote(str(binary("velero")))}
# Kubernetes {KUBERNETES_VERSION} at {server}, without KubeVirt; storage class {CLASS}
# Velero {VELERO_VERSION} with the plugin of this tree; namespace {NAMESPACE}, location {LOCATION}
# virtual machine {machine}: its objects and disks, as if it ran
# Ctrl-C ends all of it
""")
    sys.stdout.flush()


def report(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def end(number: int, frame: FrameType | None) -> None:
    """Leaves by way of `finally`, in which no second signal disturbs."""
    del number, frame
    for one in ENDS:
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(0)


if __name__ == "__main__":
    main()
