"""docs/command.md has every verb and exit status, and every module of verbs is one."""

import pkgutil
import re
from pathlib import Path

from stillpoint.cli import verbs
from stillpoint.cli.exit_status import ExitStatus

PAGE = (Path(__file__).parents[3] / "docs/command.md").read_text()


def test_every_verb_has_its_line() -> None:
    names = [verb.NAME for verb in verbs.VERBS]
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == names


def test_every_module_of_verbs_is_a_verb() -> None:
    modules = {f"{verbs.__name__}.{module.name}" for module in pkgutil.iter_modules(verbs.__path__)}
    assert modules == {getattr(verb, "__name__", "") for verb in verbs.VERBS}


def test_every_exit_status_has_its_line() -> None:
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == [str(int(one)) for one in ExitStatus]
