"""The report on a backup as OpenMetrics, for a push gateway or node_exporter's textfile collector.

`docs/report.md` has the metrics. A level is a state of a set, of which one has the value 1.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from stillpoint.cli.output.backup_report import words
from stillpoint.evidence.verified import Agreement, CameBack
from stillpoint.model.level import Level
from stillpoint.model.names import printable
from stillpoint.model.weight import Weight
from stillpoint.report.model import Machine, Report, Verdict

_PREFIX = "stillpoint_backup"
_OF_BACKUP = ("velero_namespace", "backup")
_OF_MACHINE = (*_OF_BACKUP, "namespace", "machine")


def text(reports: Sequence[Report]) -> str:
    """The exposition; the last line says that it is whole."""
    registry = CollectorRegistry()
    registry.register(_Reports(reports))
    written: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return written.decode()


class _Reports(Collector):
    def __init__(self, reports: Sequence[Report]) -> None:
        self._reports = reports

    def collect(self) -> Iterable[Metric]:
        yield from _of_backups(self._reports)
        yield from _of_machines(self._reports)
        yield from _of_verifications(self._reports)


def _of_backups(reports: Sequence[Report]) -> Iterator[Metric]:
    completed = _gauge("completed_timestamp_seconds", "the end of the backup", _OF_BACKUP)
    expires = _gauge("expiration_timestamp_seconds", "when Velero deletes it", _OF_BACKUP)
    machines = _gauge("machines", "machines by verdict", (*_OF_BACKUP, "verdict"))
    for report in reports:
        labels = _labels(report)
        if report.backup.completed:
            completed.add_metric(labels, report.backup.completed.timestamp())
        if report.backup.expires:
            expires.add_metric(labels, report.backup.expires.timestamp())
        counts = Counter(one.verdict for one in report.machines)
        for verdict in Verdict:
            machines.add_metric([*labels, verdict], counts[verdict])
    yield from (completed, expires, machines)


def _of_machines(reports: Sequence[Report]) -> Iterator[Metric]:
    level = StateSetMetricFamily(
        f"{_PREFIX}_machine_level", "what its disks reached together", labels=_OF_MACHINE
    )
    good = _gauge("machine_good", "1 if as demanded, or to be expected, and restorable")
    restorable = _gauge("machine_restorable", "1 if it could be restored; absent if not known")
    frozen = _gauge("machine_frozen_seconds", "the time for which the guest stood still")
    spread = _gauge("machine_spread_seconds", "first to last snapshot, at most")
    problems = _gauge("machine_problem", "a problem, by its code", (*_OF_MACHINE, "code"))
    for labels, machine in _labelled(reports):
        level.add_metric(labels, {one.value: machine.level is one for one in Level})
        good.add_metric(labels, machine.verdict is Verdict.GOOD)
        _add(restorable, labels, machine.is_restorable)
        _add(frozen, labels, words.frozen_s(machine))
        _add(spread, labels, machine.spread_s)
        for one in machine.problems:
            if one.weight is not Weight.NOTE:
                problems.add_metric([*labels, one.code], 1)
    yield from (level, good, restorable, frozen, spread, problems)


def _of_verifications(reports: Sequence[Report]) -> Iterator[Metric]:
    """How machines came back, of those that were restored for a test."""
    came_back = StateSetMetricFamily(
        f"{_PREFIX}_machine_came_back", "how far, when it was restored for a test",
        labels=_OF_MACHINE,
    )  # fmt: skip
    agreement = StateSetMetricFamily(
        f"{_PREFIX}_machine_agreement", "what its guest said of the evidence", labels=_OF_MACHINE
    )
    at = _gauge("machine_verified_timestamp_seconds", "when it was last restored for a test")
    for labels, machine in _labelled(reports):
        if found := machine.verification:
            came_back.add_metric(labels, {str(one): found.came_back is one for one in CameBack})
            agreement.add_metric(labels, {str(one): found.agreement is one for one in Agreement})
            at.add_metric(labels, found.at.timestamp())
    yield from (came_back, agreement, at)


def _gauge(name: str, says: str, labels: Sequence[str] = _OF_MACHINE) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", says, labels=labels)


def _add(gauge: GaugeMetricFamily, labels: Sequence[str], value: float | None) -> None:
    if value is not None:
        gauge.add_metric(labels, value)


def _labelled(reports: Sequence[Report]) -> Iterator[tuple[list[str], Machine]]:
    for report in reports:
        for machine in report.machines:
            names = machine.namespace, machine.name
            yield [*_labels(report), *map(printable, names)], machine


def _labels(report: Report) -> list[str]:
    backup = report.backup
    return [printable(backup.namespace), printable(backup.name or backup.origin)]
