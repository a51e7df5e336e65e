"""Reasons against a snapshot, a restore or a clone by KubeVirt, for people and for programs."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console

from stillpoint.cli.output.terminal import write_line, write_paragraph
from stillpoint.vm_snapshots.reasons import Effect, SnapshotFinding

_COLOURS = {
    Effect.REFUSES: "red",
    Effect.PARTIAL: "red",
    Effect.DEGRADES: "yellow",
    Effect.NOTE: "cyan",
}


def write(findings: Iterable[SnapshotFinding], output: Console) -> None:
    """Writes each with its remedy."""
    for one in findings:
        first = (f"  {one.effect}: ", _COLOURS[one.effect])
        write_paragraph(output, f"{one.code}: {one.sentence}", len(first[0]), first)
        if one.remedy:
            write_paragraph(output, one.remedy, 6, ("    > ", "bold"))


def write_refusal(title: str, obstacles: Iterable[str], output: Console) -> None:
    """Writes why an object is not made, if anything keeps it from that."""
    if said := "; ".join(obstacles):
        write_line(output, (f"{title} is not made: ", "red"), said)


def document(findings: Iterable[SnapshotFinding]) -> list[dict[str, Any]]:
    """The `reasons` of a document."""
    return [
        {
            "code": one.code,
            "effect": one.effect,
            "about": list(one.about),
            "sentence": one.sentence,
            "remedy": one.remedy,
        }
        for one in findings
    ]
