"""HTML of any text at all."""

from typing import Any
from xml.etree import ElementTree as ET  # the markup is of both languages

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillpoint.cli.output.markup import element, joined, verbatim
from stillpoint.model.names import printable


@given(st.text(), st.text())
def test_any_text_stays_text(content: str, value: str) -> None:
    html = element("p", content, ("a", element("b", value)), title=value)
    made = ET.fromstring(html)  # noqa: S314 - our own
    assert [one.tag for one in made.iter()] == ["p", "b"]
    assert made.text == printable(content) + "a"
    assert made.attrib == {"title": printable(value)}


@given(st.text())
def test_what_is_shown_has_no_control_characters(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()


def test_direction_cannot_be_turned() -> None:
    assert printable("db\u202egpj") == r"db\u202egpj"


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("script", {}),
        ("style", {}),
        ("p><script", {}),
        ("p", {"onclick": "x"}),
        ("p", {"style": "x"}),
        ("p", {"a b": "x"}),
        ("a", {"href": "https://elsewhere"}),
        ("a", {"href": "javascript:x"}),
        ("img", {"src": "data:x"}),
        ("form", {"action": "x"}),
    ],
)
def test_nothing_that_runs_or_leads_elsewhere_can_be_made(
    name: str, attributes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of the programmer alone
        element(name, **attributes)


def test_attributes_of_none_are_left_out() -> None:
    assert element("input", id=None, class_="a", data_of="b", hidden="") == (
        '<input class="a" data-of="b" hidden=""/>'
    )
    assert element("rect", x=1.0, y=2.50001) == '<rect x="1" y="2.50001"/>'


def test_several_stand_one_after_the_other() -> None:
    assert joined("a<", [element("br")], ["b", "c"]) == "a&lt;<br/>bc"


def test_a_script_of_ours_is_not_escaped_and_cannot_end_early() -> None:
    assert verbatim("script", "a && b") == "<script>a && b</script>"
    with pytest.raises(ValueError, match="script"):
        verbatim("script", "'</script>'")
