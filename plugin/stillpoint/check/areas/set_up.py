"""The DataProtectionApplication: what OADP is asked for, its plugins and conditions."""

import json
import shlex
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from stillpoint.check.case import Case, Installation
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.model import duration
from stillpoint.model import item as it
from stillpoint.model.item import Item
from stillpoint.model.names import listing
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import data_protection_application as dpa
from stillpoint.resources.installation import node as node_resource
from stillpoint.resources.installation import operators, storage_location, workload

Facts = Iterator[Found | NotKnown]

_LEAST_RESOURCE_TIMEOUT = timedelta(minutes=10)
"""Velero's own, and the one that OADP's chapter on virtual machines sets."""


def applications(case: Case) -> Iterator[tuple[Installation, Item]]:
    """Each DataProtectionApplication with its installation."""
    for one in case.installations:
        for application in one.applications:
            yield one, application


def title(application: Item) -> str:
    """`dpa openshift-adp/velero`."""
    return f"dpa {it.namespace(application)}/{it.name(application)}"


def about(application: Item, text: str, remedy: str = "") -> Found:
    """Something about a DataProtectionApplication."""
    names = {"namespace": it.namespace(application), "name": it.name(application)}
    found = Found.of(f"{title(application)}{text and ': '}{text}", **names)
    return Found(found.about, found.fields, remedy)


def patch(application: Item, specification: Mapping[str, Any]) -> str:
    """The command that changes fields of a DataProtectionApplication."""
    text = shlex.quote(json.dumps({"spec": specification}, separators=(",", ":")))
    namespace, name = it.namespace(application), it.name(application)
    return f"oc patch dpa -n {shlex.quote(namespace)} {shlex.quote(name)} --type=merge -p {text}"


def patch_velero(application: Item, settings: Mapping[str, Any]) -> str:
    """As `patch`, below `configuration.velero`."""
    return patch(application, {"configuration": {"velero": settings}})


def _no_velero(case: Case) -> Facts:
    if not case.installations:
        for resource in (workload.SERVER, storage_location.RESOURCE, dpa.RESOURCE):
            case.all(resource)
        where = f" in {listing(case.asked)}; without -n it is looked for" if case.asked else ""
        yield Found.of(f"no Deployment, no location and no DataProtectionApplication of it{where}")


def _orphaned(case: Case) -> Facts:
    """A server that OADP made, whose DataProtectionApplication was not read."""
    for one in case.installations:
        name = workload.owner(one.server) if one.server else ""
        if name and name not in map(it.name, one.applications):
            case.all(dpa.RESOURCE)
            yield Found.of(f"dpa {one.namespace}/{name}", namespace=one.namespace)


def _several(case: Case) -> Facts:
    for one in case.installations:
        if len(one.applications) > 1:
            names = ", ".join(map(it.name, one.applications))
            yield Found.of(f"namespace {one.namespace}: {names}", namespace=one.namespace)


def _not_reconciled(case: Case) -> Facts:
    for one, application in applications(case):
        found = dpa.condition(application, dpa.RECONCILED)
        if found is None and lacks_operator(case, one, application):
            continue  # a finding of its own
        if found is None:
            yield NotKnown(f"{title(application)}: it has no condition {dpa.RECONCILED}")
        elif it.text(found, "status") != "True":
            yield about(application, it.text(found, "message") or "no reason given")


def _without_operator(case: Case) -> Facts:
    for one, application in applications(case):
        if lacks_operator(case, one, application):
            yield about(application, "")


def lacks_operator(case: Case, one: Installation, application: Item) -> bool:
    """True if no operator is in its namespace, and none ever wrote a condition.

    Raises:
        MissingObjects: operators were not read.
    """
    if dpa.has_conditions(application):
        return False
    services = case.all(operators.CLUSTER_SERVICE_VERSION)
    own = (item for item in services if it.namespace(item) == one.namespace)
    return not any(map(operators.oadp_version, own))


def _not_ready(case: Case) -> Facts:
    for _, application in applications(case):
        for kind, message in dpa.parts_not_ready(application):
            yield about(application, f"{kind}: {message}")


def _openshift_missing(case: Case) -> Facts:
    for _, application in applications(case):
        plugins = dpa.default_plugins(application)
        if dpa.OPENSHIFT not in plugins and case.is_openshift:
            with_it = [dpa.OPENSHIFT, *plugins]
            yield about(application, "", patch_velero(application, {"defaultPlugins": with_it}))


def _csi_missing(case: Case) -> Facts:
    for _, application in applications(case):
        if not dpa.has_csi(application):
            with_it = [*dpa.default_plugins(application), dpa.CSI]
            yield about(application, "", patch_velero(application, {"defaultPlugins": with_it}))


def _kubevirt_beside(case: Case) -> Facts:
    for _, application in applications(case):
        plugins = dpa.default_plugins(application)
        if dpa.KUBEVIRT in plugins:
            rest = [one for one in plugins if one != dpa.KUBEVIRT]
            yield about(application, "", patch_velero(application, {"defaultPlugins": rest}))


def _resource_timeout(case: Case) -> Facts:
    for _, application in applications(case):
        text = dpa.resource_timeout(application)
        span = duration.parse(text) if text else _LEAST_RESOURCE_TIMEOUT
        if span is None:
            yield about(application, f"resourceTimeout {text} is no duration")
        elif span < _LEAST_RESOURCE_TIMEOUT:
            remedy = patch_velero(application, {"resourceTimeout": "10m"})
            yield about(application, f"resourceTimeout {text}", remedy)


def _node_agent_off(case: Case) -> Facts:
    for _, application in applications(case):
        if dpa.moves_data(application) and not dpa.has_node_agent(application):
            wanted = {"nodeAgent": {"enable": True, "uploaderType": "kopia"}}
            yield about(application, "", patch(application, {"configuration": wanted}))


def _uploader(case: Case) -> Facts:
    for _, application in applications(case):
        if dpa.has_node_agent(application) and dpa.uploader(application) != "kopia":
            wanted = {"nodeAgent": {"uploaderType": "kopia"}}
            text = f"uploaderType {dpa.uploader(application) or 'is not set'}"
            yield about(application, text, patch(application, {"configuration": wanted}))


def _file_copies(case: Case) -> Facts:
    for _, application in applications(case):
        if dpa.copies_files(application):
            remedy = patch_velero(application, dpa.COPY_NO_FILES)
            yield about(application, "", remedy)


def _no_default_location(case: Case) -> Facts:
    for _, application in applications(case):
        if not dpa.has_no_default_location(application):
            continue
        if list(dpa.locations(application)):
            text = "noDefaultBackupLocation is set, and there are backupLocations"
            remedy = patch_velero(application, {"noDefaultBackupLocation": False})
            yield about(application, text, remedy)
        elif dpa.backs_images_up(application):
            text = "noDefaultBackupLocation is set without backupImages: false"
            yield about(application, text, patch(application, {"backupImages": False}))


def _images_without_prefix(case: Case) -> Facts:
    for _, application in applications(case):
        if not dpa.backs_images_up(application):
            continue
        for name, specification in dpa.locations(application):
            if not storage_location.prefix({"spec": specification}):
                remedy = patch(application, {"backupImages": False})
                yield about(application, f"location {name}", remedy)


def _no_node(case: Case) -> Facts:
    for _, application in applications(case):
        wanted = dpa.node_selector(application)
        if not wanted:
            continue
        labels = [it.labels(node).items() for node in case.all(node_resource.RESOURCE)]
        if not any(wanted.items() <= one for one in labels):
            text = ",".join(f"{key}={value}" for key, value in wanted.items())
            yield about(application, text, f"oc get nodes -l {shlex.quote(text)}")


def _overrides(case: Case) -> Facts:
    for _, application in applications(case):
        if found := dpa.overrides(application):
            yield about(application, ", ".join(found))


# fmt: off
AREA = Area("set-up", "What OADP is asked for", (
    Row("no-velero", Weight.BLOCKS,
        "Velero is not installed",
        cause="nothing would take a backup",
        by_hand="kubectl get deployment -A -l component=velero; oc get dpa -A",
        remedy="install OADP and create a DataProtectionApplication, or velero install",
        fact=_no_velero),
    Row("dpa-missing", Weight.DEGRADES,
        "Velero belongs to a DataProtectionApplication that does not exist",
        cause="without it nothing keeps the installation as it is",
        by_hand="oc get dpa -n NAMESPACE",
        remedy="oc get dpa -n {namespace}", fact=_orphaned),
    Row("several-dpas", Weight.BLOCKS,
        "a namespace has several DataProtectionApplications",
        cause="OADP takes one for each namespace, and refuses all of several",
        by_hand="oc get dpa -A",
        remedy="oc get dpa -n {namespace}; delete all but one", fact=_several),
    Row("dpa-without-operator", Weight.BLOCKS,
        "a DataProtectionApplication is in a namespace without OADP's operator",
        cause="the operator looks into its own namespace alone: nobody makes a Velero of it",
        by_hand="oc get csv -A | grep oadp-operator; oc get dpa -A",
        remedy="oc get csv -A | grep oadp-operator; create it there, and delete the one in "
               "{namespace}: oc delete dpa -n {namespace} {name}", fact=_without_operator),
    Row("dpa-not-reconciled", Weight.BLOCKS,
        "OADP could not make what the DataProtectionApplication asks for",
        cause="Velero is not there, or not as it is asked for",
        by_hand="oc get dpa -n NAMESPACE NAME -o jsonpath='{.status.conditions}'",
        remedy="oc describe dpa -n {namespace} {name}; correct what the message names",
        fact=_not_reconciled),
    Row("dpa-part-not-ready", Weight.DEGRADES,
        "a part of OADP is not ready",
        cause="OADP says so in a condition: of Velero, the node agents or the data mover",
        by_hand="oc get dpa -n NAMESPACE NAME -o jsonpath='{.status.conditions}'",
        remedy="oc get pods -n {namespace}; oc describe dpa -n {namespace} {name}",
        fact=_not_ready),
    Row("openshift-plugin-missing", Weight.DEGRADES,
        "the default plugin `openshift` is missing",
        cause="on OpenShift it adapts what is restored: routes, security contexts, images",
        by_hand="oc get dpa -n NAMESPACE NAME "
                "-o jsonpath='{.spec.configuration.velero.defaultPlugins}'",
        remedy="add openshift to spec.configuration.velero.defaultPlugins",
        fact=_openshift_missing),
    Row("csi-missing", Weight.BLOCKS,
        "neither the default plugin `csi` nor the feature EnableCSI is there",
        cause="without EnableCSI Velero takes no CSI snapshots: disks are not in the backup",
        by_hand="oc get dpa -n NAMESPACE NAME "
                "-o jsonpath='{.spec.configuration.velero.defaultPlugins}'",
        remedy="add csi to spec.configuration.velero.defaultPlugins", fact=_csi_missing),
    Row("kubevirt-plugin-asked-for", Weight.DEGRADES,
        "the default plugin `kubevirt` is beside stillpoint",
        cause="both work on the same objects: Velero asks both, and what one marks the other sees",
        by_hand="oc get dpa -n NAMESPACE NAME "
                "-o jsonpath='{.spec.configuration.velero.defaultPlugins}'",
        remedy="take kubevirt out of spec.configuration.velero.defaultPlugins",
        fact=_kubevirt_beside),
    Row("resource-timeout-short", Weight.DEGRADES,
        "resourceTimeout is shorter than 10 minutes",
        cause="Velero waits so long for objects such as snapshot contents and repositories",
        by_hand="oc get dpa -n NAMESPACE NAME "
                "-o jsonpath='{.spec.configuration.velero.resourceTimeout}'",
        remedy="set spec.configuration.velero.resourceTimeout: 10m", fact=_resource_timeout),
    Row("node-agent-not-asked-for", Weight.BLOCKS,
        "data of snapshots is to be moved, and nodeAgent.enable is not set",
        cause="node agents move the data; without them each backup waits until it fails",
        by_hand="oc get dpa -n NAMESPACE NAME -o jsonpath='{.spec.configuration.nodeAgent}'",
        remedy="set spec.configuration.nodeAgent.enable: true", fact=_node_agent_off),
    Row("uploader-not-kopia", Weight.DEGRADES,
        "nodeAgent.uploaderType is not kopia",
        cause="data of snapshots is moved by kopia alone; restic is on its way out",
        by_hand="oc get dpa -n NAMESPACE NAME -o jsonpath='{.spec.configuration.nodeAgent}'",
        remedy="set spec.configuration.nodeAgent.uploaderType: kopia", fact=_uploader),
    Row("node-selector-without-node", Weight.BLOCKS,
        "nodeAgent.podConfig.nodeSelector matches no node",
        cause="then no node agent runs, and nothing moves data",
        by_hand="oc get nodes -l KEY=VALUE",
        remedy="oc label node NODE KEY=VALUE, or correct the selector", fact=_no_node),
    Row("files-copied-by-default", Weight.BLOCKS,
        "files of volumes are copied by default (defaultVolumesToFsBackup)",
        cause="a file copy of a running machine's disk is no copy of one moment, and no pod that a "
              "restore brings back would take it",
        by_hand="oc get dpa -n NAMESPACE NAME -o yaml | grep -i fsbackup",
        remedy="set spec.configuration.velero.defaultVolumesToFSBackup: false",
        fact=_file_copies),
    Row("no-default-location-incomplete", Weight.BLOCKS,
        "noDefaultBackupLocation is set without what it needs",
        cause="OADP then takes no backupLocations, and needs backupImages: false",
        by_hand="oc get dpa -n NAMESPACE NAME -o yaml",
        remedy="set backupImages: false, or take noDefaultBackupLocation out",
        fact=_no_default_location),
    Row("images-without-prefix", Weight.BLOCKS,
        "images are backed up (backupImages), and a location has no prefix",
        cause="OADP refuses that",
        by_hand="oc get dpa -n NAMESPACE NAME -o jsonpath='{.spec.backupLocations}'",
        remedy="set backupImages: false, or objectStorage.prefix of the location",
        fact=_images_without_prefix),
    Row("unsupported-overrides", Weight.NOTE,
        "settings that OADP calls unsupported are in use",
        cause="images or flags are not OADP's own: what the versions say may not hold",
        by_hand="oc get dpa -n NAMESPACE NAME -o jsonpath='{.spec.unsupportedOverrides}'",
        remedy="oc edit dpa -n {namespace} {name}; take them out when they are not needed",
        fact=_overrides),
))
# fmt: on
