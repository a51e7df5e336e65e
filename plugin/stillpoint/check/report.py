"""Judges an installation: each row of the registry, once."""

from collections.abc import Iterable
from dataclasses import dataclass

from stillpoint.check import registry
from stillpoint.check.areas import running, versions
from stillpoint.check.case import Case, MissingObjects
from stillpoint.check.finding import Area, Finding, Open, Row, Subject
from stillpoint.check.found import Found, NotKnown
from stillpoint.check.matrix import words
from stillpoint.model.errors import StillpointError
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import operators
from stillpoint.resources.machines import kubevirt
from stillpoint.velero import server

_WEIGHTS = tuple(Weight)


@dataclass(frozen=True, slots=True)
class Report:
    """The answer.

    Attributes:
        findings: in the order of areas, the worst of an area first.
        open: rows that could not be judged, or not for everything, in the same order.
        versions: of what is installed, for people: `Velero 1.18 in velero`.
        namespaces: of the installations.
    """

    case: Case
    findings: tuple[Finding, ...]
    open: tuple[Open, ...]
    versions: tuple[str, ...]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces with a Velero."""
        return tuple(one.namespace for one in self.case.installations)


def judge(case: Case) -> Report:
    """Judges each row."""
    findings, open_ = [], []
    for area, row in registry.rows():
        found, causes = _facts(row, case)
        if found:
            findings.append(_finding(area, row, found))
        if causes:
            open_.append(Open(area, row, tuple(dict.fromkeys(causes))))
    areas = registry.AREAS
    findings.sort(key=lambda one: (areas.index(one.area), _WEIGHTS.index(one.row.weight)))
    try:
        of = tuple(_versions(case))
    except StillpointError as error:  # which leaves rows open as well
        of = (f"not known: {error.subject}: {error.cause}",)
    return Report(case, tuple(findings), tuple(open_), of)


def _facts(row: Row, case: Case) -> tuple[list[Found], list[str]]:
    """Subjects of the row, and causes for what is not known; a fact may end for lack of objects."""
    found, causes = [], []
    try:
        for one in row.fact(case):
            if isinstance(one, NotKnown):
                causes.append(one.cause)
            else:
                found.append(one)
    except MissingObjects as missing:
        causes.append(missing.open.cause)
    except StillpointError as error:
        causes.append(f"{error.subject}: {error.cause}")
    return found, causes


def _finding(area: Area, row: Row, found: Iterable[Found]) -> Finding:
    subjects = (Subject(one.about, row.remedy_for(one)) for one in found)
    return Finding(area, row, tuple(dict.fromkeys(subjects)))


def _versions(case: Case) -> list[str]:
    found = [
        f"{product} {words(version)} in {one.namespace}"
        for one in case.installations
        for product, version in (
            ("OADP", versions.oadp(case, one)),
            ("Velero", versions.velero(case, one)),
        )
        if version
    ]
    found += [
        f"stillpoint {'.'.join(map(str, version))} in {one.namespace}"
        for one in case.installations
        for image in running.own(one)
        if (version := server.of_image(image.image))
    ]
    if on := versions.openshift(case):
        found.append(f"OpenShift {words(on)}")
    for resource, product, version_of in (
        (operators.HYPER_CONVERGED, "HyperConverged", operators.hyper_converged_version),
        (kubevirt.RESOURCE, "KubeVirt", kubevirt.version),
        (operators.CDI, "CDI", operators.cdi_version),
    ):
        texts = {version_of(item) for item in case.found(resource)}
        found += [f"{product} {text}" for text in sorted(texts) if text]
    snapshotter = versions.snapshotter(case)
    found.append(f"external-snapshotter {words(snapshotter) if snapshotter else 'not known'}")
    return found
