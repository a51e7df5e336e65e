"""Tables with a caption and headings, which a screen reader names with each cell."""

from collections.abc import Iterable, Sequence

from stillpoint.cli.output.markup import Markup, element


def table(caption: str, columns: Sequence[str], rows: Iterable[Markup]) -> Markup:
    """The table, which scrolls by itself where it is wider than the page."""
    head = element("tr", *(element("th", one, scope="col") for one in columns))
    whole = (element("caption", caption), element("thead", head), element("tbody", *rows))
    return element("div", element("table", *whole), class_="wide")
