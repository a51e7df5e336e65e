"""Velero's own evaluation of a Backup, as a program that is asked line by line.

It is Go, in tests/peers/velero/cmd/filters.
"""

import json
import subprocess
from typing import Any

from stillpoint.model.item import Item
from stillpoint.velero.selection.discovery import STATIC

CLUSTER = ["a", "aa", "ab", "aba", "b", "db", "shop", "shop-1", "shop-12", "shop-shop", "web"]
"""Its namespaces."""


class Velero:
    """The Go program, which answers one question after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        known = [
            {
                "group": served.group,
                "version": served.version,
                "plural": served.plural,
                "singular": served.singular,
                "kind": served.kind,
                "shortNames": served.short_names,
                "namespaced": served.is_namespaced,
            }
            for served in STATIC.served
        ]
        self._write({"resources": known, "namespaces": CLUSTER})

    def ask(self, spec: Item, **about: Any) -> Item:
        """Velero makes `*` of an empty list of namespaces before it starts a backup."""
        included = spec.get("includedNamespaces") or ["*"]
        self._write({"spec": spec | {"includedNamespaces": included}, **about})
        assert self._process.stdout
        answer: Item = json.loads(self._process.stdout.readline())
        return answer

    def _write(self, line: Item) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
