"""Velero and its node agents as they run: plugins, features, flags, readiness."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import chain

from stillpoint.check import matrix
from stillpoint.check.areas import versions
from stillpoint.check.case import Case, Installation
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.model import duration
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import data_protection_application, schedule, workload
from stillpoint.resources.installation.workload import Image
from stillpoint.velero import server as server_of

Facts = Iterator[Found | NotKnown]

_PEER = "kubevirt-velero-plugin"
_MOVES_DATA = "default-snapshot-move-data"
_LEAST_OPERATION = timedelta(hours=1)
_COPIES_FILES = "default-volumes-to-fs-backup"


def plugins(one: Installation) -> Sequence[Image]:
    """The plugins of the server that runs; where none does, what OADP is asked for."""
    if one.server:
        return workload.plugins(one.server)
    named = map(data_protection_application.all_plugins, one.applications)
    return [Image(*name_and_image) for name_and_image in dict.fromkeys(chain(*named))]


def moves_data(one: Installation) -> bool:
    """True if the data of snapshots is moved by default, or by a Schedule."""
    if any(map(schedule.moves_data, one.schedules)):
        return True
    if one.server:
        return workload.is_on(one.server, _MOVES_DATA)
    return any(map(data_protection_application.moves_data, one.applications))


def own(one: Installation) -> Sequence[Image]:
    """The plugins that are stillpoint."""
    return [image for image in plugins(one) if server_of.is_plugin(*image)]


def _servers(case: Case) -> Iterator[tuple[Installation, Item]]:
    """Each installation with its server; Velero without a Deployment is not known."""
    for one in case.installations:
        if one.server:
            yield one, one.server


def _no_server(case: Case) -> Facts:
    for one in case.installations:
        if not one.server:
            case.all(workload.SERVER)
            yield Found.of(f"namespace {one.namespace}", namespace=one.namespace)


def _not_ready(case: Case) -> Facts:
    for one, server in _servers(case):
        ready = workload.ready(server)
        title = _title(server)
        if ready is None:
            yield NotKnown(f"{title}: it has no status")
        elif not ready:
            yield Found.of(title, namespace=one.namespace, name=it.name(server))


def _title(workload_: Item) -> str:
    return f"{it.text(workload_, 'kind').lower()} {it.namespace(workload_)}/{it.name(workload_)}"


def _plugin_missing(case: Case) -> Facts:
    for one in case.installations:
        if not own(one):
            if not one.server and not one.applications:
                yield NotKnown(f"the plugins of Velero in {one.namespace}")
            else:
                yield Found.of(f"namespace {one.namespace}", namespace=one.namespace)


def _plugin_twice(case: Case) -> Facts:
    for one in case.installations:
        found = own(one)
        if len(found) > 1:
            names = ", ".join(f"{image.container} ({image.image})" for image in found)
            yield Found.of(f"namespace {one.namespace}: {names}", namespace=one.namespace)


def _peer_registered(case: Case) -> Facts:
    for one, server in _servers(case):
        for image in workload.plugins(server):
            if _PEER in image.container or _PEER in image.repository:
                text = f"{_title(server)}: {image.container} ({image.image})"
                names = {"namespace": one.namespace, "name": image.image}
                yield Found.of(text, **names)


def _csi_off(case: Case) -> Facts:
    for one, server in _servers(case):
        if "EnableCSI" not in workload.features(server):
            yield Found.of(_title(server), namespace=one.namespace, name=it.name(server))


def _files(case: Case) -> Facts:
    for one, server in _servers(case):
        if workload.is_on(server, _COPIES_FILES):
            yield Found.of(_title(server), namespace=one.namespace, name=it.name(server))


def _no_node_agent(case: Case) -> Facts:
    for one, _ in _servers(case):
        if moves_data(one) and not one.node_agent:
            case.all(workload.NODE_AGENT)
            yield Found.of(f"namespace {one.namespace}", namespace=one.namespace)


def _agents_not_ready(case: Case) -> Facts:
    for one in case.installations:
        if not one.node_agent:
            continue
        pods = workload.agents(one.node_agent)
        title = _title(one.node_agent)
        if pods is None:
            yield NotKnown(f"{title}: its status does not say how many are ready")
        elif pods[0] < pods[1] or not pods[1]:
            text = f"{title}: {pods[0]} of {pods[1]} are ready"
            yield Found.of(text, namespace=one.namespace, name=it.name(one.node_agent))


def _operations_end_early(case: Case) -> Facts:
    for one, server in _servers(case):
        text = server_of.flag(server, "default-item-operation-timeout")
        span = duration.parse(text) if text else None
        if span and span < _LEAST_OPERATION and moves_data(one):
            text = f"{_title(server)}: {text}"
            yield Found.of(text, namespace=one.namespace, name=it.name(server))


def _late_polling(case: Case) -> Facts:
    for one, server in _servers(case):
        version = versions.velero(case, one)
        can = version and version >= matrix.EARLY_POLLING_SINCE
        if can and not server_of.polls_early(server):
            yield Found.of(_title(server), namespace=one.namespace, name=it.name(server))


def _several_at_once(case: Case) -> Facts:
    for one, server in _servers(case):
        if (server_of.flag(server, "concurrent-backups") or "1") != "1":
            yield Found.of(_title(server), namespace=one.namespace, name=it.name(server))


# fmt: off
AREA = Area("running", "Velero as it runs", (
    Row("no-server", Weight.BLOCKS,
        "Velero does not run: there is no Deployment",
        cause="locations and requests are there, and nobody who carries them out",
        by_hand="kubectl get deployment -n NAMESPACE",
        remedy="oc get dpa -n {namespace} -o yaml; kubectl get events -n {namespace}",
        fact=_no_server),
    Row("velero-not-ready", Weight.BLOCKS,
        "no pod of Velero is ready",
        cause="no backup is taken, and no schedule keeps its time",
        by_hand="kubectl get pods -n NAMESPACE",
        remedy="kubectl describe deployment -n {namespace} {name}; "
               "kubectl logs -n {namespace} deployment/{name} --all-containers",
        fact=_not_ready),
    Row("plugin-missing", Weight.BLOCKS,
        "Velero does not have the plugin of stillpoint",
        cause="without it machines are not frozen as a whole, and do not come back as one; "
              "it is looked for by name, of the init container or of its image",
        by_hand="kubectl get deployment -n NAMESPACE velero "
                "-o jsonpath='{.spec.template.spec.initContainers[*].image}'",
        remedy="velero plugin add -n {namespace} IMAGE; with OADP "
               "spec.configuration.velero.customPlugins", fact=_plugin_missing),
    Row("plugin-twice", Weight.BLOCKS,
        "Velero has the plugin of stillpoint more than once",
        cause="both copy themselves to the same place: the one that is copied last runs, and which "
              "one that is may change",
        by_hand="kubectl get deployment -n NAMESPACE velero "
                "-o jsonpath='{.spec.template.spec.initContainers[*].name}'",
        remedy="velero plugin remove -n {namespace} IMAGE; with OADP take one of them out of "
               "customPlugins", fact=_plugin_twice),
    Row("kubevirt-plugin-beside", Weight.DEGRADES,
        "kubevirt-velero-plugin runs beside stillpoint",
        cause="Velero asks both about each object, and does the work twice",
        by_hand="kubectl logs -n NAMESPACE deployment/velero | grep kubevirt-velero-plugin",
        remedy="velero plugin remove -n {namespace} {name}; with OADP take kubevirt out of "
               "defaultPlugins", fact=_peer_registered),
    Row("csi-feature-off", Weight.BLOCKS,
        "Velero runs without --features=EnableCSI",
        cause="it then takes no CSI snapshots: disks are not in the backup",
        by_hand="kubectl get deployment -n NAMESPACE NAME "
                "-o jsonpath='{.spec.template.spec.containers[*].args}'",
        remedy="kubectl edit deployment -n {namespace} {name}; add --features=EnableCSI to the "
               "arguments; with OADP add csi to defaultPlugins", fact=_csi_off),
    Row("server-copies-files", Weight.BLOCKS,
        "Velero runs with --default-volumes-to-fs-backup",
        cause="a file copy of a running machine's disk is no copy of one moment, and no pod that a "
              "restore brings back would take it",
        by_hand="kubectl get deployment -n NAMESPACE NAME "
                "-o jsonpath='{.spec.template.spec.containers[*].args}'",
        remedy="kubectl edit deployment -n {namespace} {name}; take "
               "--default-volumes-to-fs-backup out of the arguments", fact=_files),
    Row("no-node-agent", Weight.BLOCKS,
        "data of snapshots is to be moved, and there are no node agents",
        cause="node agents move the data; without them each backup waits until it fails",
        by_hand="kubectl get daemonset -n NAMESPACE node-agent",
        remedy="velero install --use-node-agent -n {namespace}; with OADP "
               "spec.configuration.nodeAgent.enable: true", fact=_no_node_agent),
    Row("node-agents-not-ready", Weight.DEGRADES,
        "node agents are not ready",
        cause="data of disks on their nodes is not moved, or waits for another node",
        by_hand="kubectl get daemonset -n NAMESPACE node-agent",
        remedy="kubectl describe daemonset -n {namespace} {name}", fact=_agents_not_ready),
    Row("item-operations-end-early", Weight.DEGRADES,
        "data is to be moved within less than an hour (--default-item-operation-timeout)",
        cause="what is not moved by then is given up, and the backup is PartiallyFailed",
        by_hand="kubectl get deployment -n NAMESPACE NAME "
                "-o jsonpath='{.spec.template.spec.containers[*].args}'",
        remedy="set --default-item-operation-timeout=4h; with OADP "
               "spec.configuration.velero.defaultItemOperationTimeout", fact=_operations_end_early),
    Row("early-polling-off", Weight.NOTE,
        f"Velero looks for a snapshot every 5 s ({server_of.EARLY_POLLING} is not set)",
        cause="a guest stays frozen up to 5 s longer for each disk than its storage needs, unless "
              "the plugin takes the snapshots; with it Velero looks each second for the first ten",
        by_hand="kubectl get deployment -n NAMESPACE NAME "
                "-o jsonpath='{.spec.template.spec.containers[*].env}'",
        remedy="let the plugin take the snapshots, all at once (stillpoint render policy); second "
               "best: kubectl set env deployment/{name} -n {namespace} "
               f"{server_of.EARLY_POLLING}=true; with OADP spec.configuration.velero.podConfig.env",
        fact=_late_polling),
    Row("concurrent-backups", Weight.NOTE,
        "Velero takes several backups at once (--concurrent-backups)",
        cause="two that take the same machine thaw it too early for each other",
        by_hand="kubectl get deployment -n NAMESPACE NAME "
                "-o jsonpath='{.spec.template.spec.containers[*].args}'",
        remedy="see that no two Schedules take the same machine at the same time",
        fact=_several_at_once),
))
# fmt: on
