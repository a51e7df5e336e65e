"""No verb is forgotten."""

import pkgutil

from stillpoint.cli import verbs


def test_every_module_of_verbs_is_a_verb() -> None:
    modules = {f"{verbs.__name__}.{module.name}" for module in pkgutil.iter_modules(verbs.__path__)}
    assert modules == {getattr(verb, "__name__", "") for verb in verbs.VERBS}
