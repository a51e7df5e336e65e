"""The findings of a check for programs: docs/check.schema.json describes the JSON.

`schemaVersion` changes its first number when a field changes its meaning or goes.
"""

from typing import Any

import orjson

from stillpoint.check.finding import Finding, Open
from stillpoint.check.report import Report

SCHEMA_VERSION = "1.0"

Json = dict[str, Any]


def text(found: Report) -> str:
    """The document, indented, with a line end."""
    return orjson.dumps(document(found), option=orjson.OPT_INDENT_2).decode() + "\n"


def document(found: Report) -> Json:
    """The document."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "source": found.case.known.origin,
        "namespaces": list(found.namespaces),
        "versions": list(found.versions),
        "unread": [
            {"resource": one.resource, "cause": one.cause, "remedy": one.hint}
            for one in found.case.known.unread
        ],
        "findings": [_finding(one) for one in found.findings],
        "notKnown": [_open(one) for one in found.open],
    }


def _finding(one: Finding) -> Json:
    return {
        "code": one.row.code,
        "area": one.area.name,
        "weight": one.row.weight,
        "sentence": one.row.sentence,
        "about": [{"subject": subject.about, "remedy": subject.remedy} for subject in one.subjects],
    }


def _open(one: Open) -> Json:
    return {"code": one.row.code, "area": one.area.name, "causes": list(one.causes)}
