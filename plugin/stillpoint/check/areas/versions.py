"""Versions of Velero, OADP, OpenShift and KubeVirt, and whether they fit."""

from collections.abc import Iterator

from stillpoint.check import matrix
from stillpoint.check.areas import set_up
from stillpoint.check.case import Case, Installation
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.model import item as it
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import operators, snapshot_controller, workload
from stillpoint.resources.machines import kubevirt
from stillpoint.velero import server
from stillpoint.velero.volumes import volume_snapshot_class

Facts = Iterator[Found | NotKnown]


def velero(case: Case, one: Installation) -> matrix.Minor | None:
    """The version of Velero: of its image, else the one that this OADP brings."""
    if one.server and (found := server.version(one.server)):
        return found[:2]
    line = matrix.OADP.get(oadp(case, one) or (0, 0))
    return line.velero if line else None


def oadp(case: Case, one: Installation) -> matrix.Minor | None:
    """The version of OADP; None where no operator says."""
    installed = case.found(operators.CLUSTER_SERVICE_VERSION)
    own = (item for item in installed if it.namespace(item) == one.namespace)
    return next(filter(None, (matrix.parse(operators.oadp_version(item)) for item in own)), None)


def openshift(case: Case) -> matrix.Minor | None:
    """The version of OpenShift; None elsewhere."""
    found = case.found(operators.CLUSTER_VERSION)
    versions = (matrix.parse(operators.openshift_version(item)) for item in found)
    return next(filter(None, versions), None)


def _velero_too_old(case: Case) -> Facts:
    for one in case.installations:
        version = velero(case, one)
        if version is None:
            yield NotKnown(
                f"the version of Velero in {one.namespace}: its image has a digest, not a version"
                if one.server
                else f"the version of Velero in {one.namespace}: it has no Deployment"
            )
        elif version < matrix.LEAST_VELERO:
            yield Found.of(f"Velero {matrix.words(version)} in {one.namespace}")


def snapshotter(case: Case) -> matrix.Minor | None:
    """The oldest version of external-snapshotter that runs; None if no pod says."""
    pods = filter(snapshot_controller.is_controller, case.found(snapshot_controller.RESOURCE))
    found = (snapshot_controller.version(one) for one in pods)
    return min((one[:2] for one in found if one), default=None)


def _do_not_fit(case: Case) -> Facts:
    yield from _of_oadp(case)
    yield from _of_provider_plugins(case)
    yield from _of_virtualization(case)
    found = snapshotter(case)
    if found and found < matrix.LEAST_SNAPSHOTTER:
        yield Found.of(
            f"external-snapshotter {matrix.words(found)} does not know v1 of the snapshot API, "
            f"{matrix.words(matrix.LEAST_SNAPSHOTTER)} does"
        )


def _of_provider_plugins(case: Case) -> Facts:
    """Plugins of Velero's makers for another Velero; OADP's own have no such versions."""
    for one in case.installations:
        runs = velero(case, one)
        wanted = matrix.PROVIDER_PLUGINS.get(runs) if runs else None
        for image in workload.plugins(one.server) if one.server and wanted else ():
            found = server.of_image(image.image) if _is_of_provider(image) else None
            if runs and wanted and found and found[:2] != wanted:
                yield Found.of(
                    f"{image.repository} {matrix.words(found[:2])} in {one.namespace}: Velero "
                    f"{matrix.words(runs)} takes {matrix.words(wanted)}"
                )


def _is_of_provider(image: workload.Image) -> bool:
    return image.repository in (
        "velero-plugin-for-aws",
        "velero-plugin-for-gcp",
        "velero-plugin-for-microsoft-azure",
    )


def _of_virtualization(case: Case) -> Facts:
    on = openshift(case)
    for item in case.found(operators.HYPER_CONVERGED):
        has = matrix.parse(operators.hyper_converged_version(item))
        is_of_openshift = has and has[0] >= matrix.VIRTUALIZATION_ON_SAME_MINOR_SINCE
        if has and on and is_of_openshift and has != on:
            yield Found.of(
                f"OpenShift Virtualization {matrix.words(has)} is for OpenShift "
                f"{matrix.words(has)}, not {matrix.words(on)}"
            )


def _of_oadp(case: Case) -> Facts:
    for one in case.installations:
        has = oadp(case, one)
        if has is None and _has_operator(case, one):
            yield NotKnown(f"the version of OADP: no operator in {one.namespace} says")
        line = matrix.OADP.get(has) if has else None
        if not (has and line):
            continue
        title = f"OADP {matrix.words(has)} in {one.namespace}"
        runs = velero(case, one)
        if runs and runs != line.velero:
            wanted = matrix.words(line.velero)
            yield Found.of(f"{title} comes with Velero {wanted}, not {matrix.words(runs)}")
        on = openshift(case) if case.is_openshift else None
        if on and line.openshift:
            oldest, newest = line.openshift
            if on < oldest or (newest and on > newest):
                until = f" to {matrix.words(newest)}" if newest else " and newer"
                yield Found.of(
                    f"{title} is for OpenShift {matrix.words(oldest)}{until}, "
                    f"not {matrix.words(on)}"
                )


def _has_operator(case: Case, one: Installation) -> bool:
    """True if an operator looks after a DataProtectionApplication of the namespace."""
    if one.applications:
        case.all(operators.CLUSTER_SERVICE_VERSION)
    return not all(set_up.lacks_operator(case, one, each) for each in one.applications)


def _not_in_matrix(case: Case) -> Facts:
    for one in case.installations:
        has, runs = oadp(case, one), velero(case, one)
        if has and has not in matrix.OADP:
            yield Found.of(f"OADP {matrix.words(has)} in {one.namespace}")
        if runs and runs > matrix.NEWEST_TESTED_VELERO:
            yield Found.of(f"Velero {matrix.words(runs)} in {one.namespace}")
    for item in case.found(kubevirt.RESOURCE):
        version = matrix.parse(kubevirt.version(item))
        if version and version > matrix.NEWEST_TESTED_KUBEVIRT:
            yield Found.of(f"KubeVirt {matrix.words(version)}")
    found = snapshotter(case)
    if found and found > matrix.NEWEST_TESTED_SNAPSHOTTER:
        yield Found.of(f"external-snapshotter {matrix.words(found)}")


def _kubevirt_missing(case: Case) -> Facts:
    if not case.all(kubevirt.RESOURCE):
        yield Found.of("there is no KubeVirt object")


def _kubevirt_too_old(case: Case) -> Facts:
    for item in case.all(kubevirt.RESOURCE):
        title = f"KubeVirt {it.namespace(item)}/{it.name(item)}"
        version = matrix.parse(kubevirt.version(item))
        if version is None:
            yield NotKnown(f"the version of {title}: its status does not say")
        elif version < matrix.LEAST_KUBEVIRT:
            yield Found.of(f"{title}: {matrix.words(version)}")


def _no_snapshot_api(case: Case) -> Facts:
    if not case.is_served(volume_snapshot_class.RESOURCE):
        yield Found.of(str(volume_snapshot_class.RESOURCE))


# fmt: off
AREA = Area("versions", "Versions", (
    Row("velero-too-old", Weight.BLOCKS,
        f"Velero is older than {matrix.words(matrix.LEAST_VELERO)}, which the plugin needs",
        cause="the plugin has item-block actions; an older Velero does not start with them",
        by_hand="kubectl get deployment -n NAMESPACE velero "
                "-o jsonpath='{.spec.template.spec.containers[*].image}'",
        remedy="update Velero; with OADP: 1.5 or newer", fact=_velero_too_old),
    Row("versions-do-not-fit", Weight.DEGRADES,
        "versions that are not meant for each other",
        cause="their makers say which work together: OADP, Velero and OpenShift, Velero and the "
              "plugin of a provider, OpenShift Virtualization and OpenShift",
        by_hand="oc get clusterversion; oc get csv -n NAMESPACE",
        remedy="update OADP by its channel, or take overrides of images out of the "
               "DataProtectionApplication; velero plugin add IMAGE of the version that is named",
        fact=_do_not_fit),
    Row("version-not-in-matrix", Weight.NOTE,
        "versions newer than this stillpoint knows",
        cause="nothing is known against them, and nothing was tried with them",
        by_hand="stillpoint version",
        remedy="update stillpoint, or try a backup and a restore of one machine first",
        fact=_not_in_matrix),
    Row("no-kubevirt", Weight.BLOCKS,
        "KubeVirt is not installed",
        cause="there are no virtual machines to back up",
        by_hand="kubectl get kubevirt -A",
        remedy="install OpenShift Virtualization, or KubeVirt", fact=_kubevirt_missing),
    Row("kubevirt-too-old", Weight.DEGRADES,
        f"KubeVirt is older than {matrix.words(matrix.LEAST_KUBEVIRT)}",
        cause="how long it waits for a freeze, and what it writes, is not known here",
        by_hand="kubectl get kubevirt -A -o jsonpath='{.items[*].status.observedKubeVirtVersion}'",
        remedy="update OpenShift Virtualization, or KubeVirt", fact=_kubevirt_too_old),
    Row("no-snapshot-api", Weight.BLOCKS,
        "the snapshot API of CSI is not installed",
        cause="Velero takes snapshots of disks through it",
        by_hand="kubectl api-resources --api-group=snapshot.storage.k8s.io",
        remedy="install the custom resource definitions and the snapshot controller of "
               "external-snapshotter; on OpenShift the operator of cluster storage brings them",
        fact=_no_snapshot_api),
))
# fmt: on
