"""Branches of the trees that `--explain` prints, of texts that others may have written."""

from collections.abc import Iterable

from rich.tree import Tree

from stillpoint.cli.output.terminal import line


def add(tree: Tree, title: str, entries: Iterable[Tree]) -> None:
    """Adds a branch, unless it would be empty."""
    branch = entry(title, *entries)
    if branch.children:
        tree.children.append(branch)


def entry(text: str, *children: Tree) -> Tree:
    """A line, with those below it."""
    tree = Tree(line(text))
    tree.children.extend(children)
    return tree
