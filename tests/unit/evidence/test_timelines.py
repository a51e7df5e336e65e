"""No level is better than the truth, nor another than it, on timelines at random."""

import json
from collections import Counter
from pathlib import Path

import fastjsonschema

from stillpoint.evidence import document
from stillpoint.evidence.conclusion import conclude
from stillpoint.evidence.rules import ROWS
from stillpoint.evidence.sealed import Key
from stillpoint.model.level import Level
from tests.unit.evidence.timelines import Timeline

SCHEMA = Path(__file__).parents[3] / "docs/evidence.schema.json"
TIMELINES = 1_500


def rules_of(timeline: Timeline) -> tuple[list[str], list[str]]:
    """The rules that counted, and the claims that are not true."""
    evidences = conclude(*timeline.observe())
    rules = [evidence.proofs[0].code if evidence.proofs else "unknown" for evidence in evidences]
    excepted = exceptions(timeline)
    false = [
        f"{disk.name} is not {evidence.level} ({rule})"
        for disk, evidence, rule in zip(timeline.disks, evidences, rules, strict=True)
        if rule not in excepted and not timeline.is_true(evidence.level, disk)
    ]
    machine = evidences[0].machine_level
    if not excepted.intersection(rules) and not timeline.is_true_of_all(machine):
        false.append(f"the machine is not {machine}")
    return rules, false


def exceptions(timeline: Timeline) -> set[str]:
    """Rules that docs/evidence.md excepts.

    Without the guest's word a thaw by hand is not seen. The others make the level worse than the
    truth, not better: a freeze that failed and came late, and one of which every line was lost,
    right after that of another program.
    """
    return {
        *["filesystem-expected"] * timeline.by_hand,
        *["crash-hook-failed"] * timeline.is_hook_late,
        *["crash-thawed"] * bool(timeline.others),
    }


def test_no_timeline_leads_to_a_level_that_is_not_true() -> None:
    counts: Counter[str] = Counter()
    for seed in range(TIMELINES):
        rules, false = rules_of(Timeline(seed))
        assert not false, f"timeline {seed}: {'; '.join(false)}"
        counts.update(rules)
    assert counts.keys() == {row.code for row in ROWS}, "not all rules were tried"


def test_evidence_is_as_its_schema_says() -> None:
    validate = fastjsonschema.compile(json.loads(SCHEMA.read_text()))
    for seed in range(50):
        for evidence in conclude(*Timeline(seed).observe(), required=Level.APPLICATION):
            validate(json.loads(document.to_annotation(evidence, Key("0a4b"))))
