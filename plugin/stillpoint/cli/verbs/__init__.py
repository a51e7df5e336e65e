"""The verbs of the command: a module each, a line each in `VERBS`."""

from stillpoint.cli.verb import Verb
from stillpoint.cli.verbs import (
    check,
    completion,
    coverage,
    history,
    install,
    rehearse,
    render,
    report,
    snapshot,
    verify,
    version,
)

VERBS: tuple[Verb, ...] = (
    check,
    render,
    rehearse,
    report,
    history,
    coverage,
    verify,
    snapshot,
    install,
    completion,
    version,
)
