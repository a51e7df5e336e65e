"""The lines for the serial console, as docs/guest/console.md has them.

A line is ASCII and bounded, whatever applications are called, and has its marker once: what others
have named is escaped, so that it can neither end the line nor look like one of its own.
"""

import json
import re
from typing import Any, Dict, Mapping, Sequence

from stillpoint_guest.printable import printable
from stillpoint_guest.state import freeze_record
from stillpoint_guest.state.copy_run import CopyRun
from stillpoint_guest.state.freeze_record import FreezeRecord

MARKER = "@stillpoint"
VERSION = 1
_MOST_BYTES = 1000  # of the JSON
_MOST_NAME_BYTES = 100
_MOST_WORD_LETTERS = 64
_NO_WORD = re.compile(r"[^0-9A-Za-z.:-]")


def held(record: FreezeRecord, names: Sequence[str]) -> str:
    """The line of a hold that begins: the record is on the disk, these applications rest."""
    content = {**_head(record, record.boot_id, "held"), "verdict": _word(record.verdict)}
    return _listing(content, apps=names)


def released(record: FreezeRecord, held_s: float, is_lost: bool, by: str) -> str:
    """The line of a hold that ends: from here on its applications are released."""
    facts = {"held_s": round(held_s, 3), "lost": is_lost, "by": _word(by)}
    return _line(_json({**_head(record, record.boot_id, "released"), **facts}))


def over(record: FreezeRecord, is_lost: bool) -> str:
    """The line of a hold that has ended: if every application was at rest up to the release."""
    return _line(_json({**_head(record, record.boot_id, "over"), "lost": is_lost}))


def copied(record: FreezeRecord) -> str:
    """The line of a copy that has booted: the record that its disk carries."""
    facts = {"verdict": _word(record.verdict), "held_at": _word(record.held_at)}
    return _line(_json({**_head(record, freeze_record.boot_id(), "copied"), **facts}))


def on_copy(run: CopyRun, record: FreezeRecord) -> str:
    """The line of a copy whose on-copy steps have run, or were left out."""
    facts = {"outcome": _word(run.state), "machine": _word(run.machine), "steps": len(run.steps)}
    more = {"unfinished": run.unfinished} if run.unfinished else {}
    content = {**_head(record, freeze_record.boot_id(), "on-copy"), **facts, **more}
    return _listing(content, failed=run.failed)


def answers(
    record: FreezeRecord,
    yes: Sequence[str],
    no: Sequence[str],
    unasked: Sequence[str],
    took_s: float,
) -> str:
    """The line of a copy that has asked its applications whether they answer again."""
    head = _head(record, freeze_record.boot_id(), "answers")
    return _listing({**head, "took_s": took_s}, yes=yes, unasked=unasked, no=no)


def _head(record: FreezeRecord, boot: str, state: str) -> Dict[str, Any]:
    return {"v": VERSION, "id": _word(record.id), "boot": _word(boot), "state": state}


def _listing(content: Mapping[str, Any], **names: Sequence[str]) -> str:
    """The line with as many of the names as there is room for, and the number of the others.

    Names of the first key are left out before those of the next.
    """
    shown = {key: [printable(one, _MOST_NAME_BYTES) for one in names[key]] for key in names}
    more = 0
    text = _json({**content, **shown})
    while len(text) > _MOST_BYTES:
        next(one for one in shown.values() if one).pop()
        more += 1
        text = _json({**content, **shown, "more": more})
    return _line(text)


def _word(text: str) -> str:
    return _NO_WORD.sub("?", text[:_MOST_WORD_LETTERS])


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":")).replace("@", "\\u0040")


def _line(text: str) -> str:
    return f"\r\n{MARKER} {text}\r\n"
