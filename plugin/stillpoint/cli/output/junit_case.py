"""A case of JUnit's XML."""

from collections.abc import Iterator, Mapping, Sequence

from stillpoint.cli.output.xml_text import attribute


def case(group: str, name: str, parts: Sequence[str], took_s: float | None = None) -> str:
    """The case, with lines of elements in it."""
    time = "" if took_s is None else f' time="{took_s:.3f}"'
    start = f"    <testcase classname={attribute(group)} name={attribute(name)}{time}"
    inner = "".join(f"      {part}\n" for part in parts)
    return f"{start}>\n{inner}    </testcase>\n" if parts else f"{start}/>\n"


def properties(facts: Mapping[str, str]) -> Iterator[str]:
    """Lines of facts of a case; none without any."""
    if facts:
        yield "<properties>"
        for name, value in facts.items():
            yield f"  <property name={attribute(name)} value={attribute(value)}/>"
        yield "</properties>"
