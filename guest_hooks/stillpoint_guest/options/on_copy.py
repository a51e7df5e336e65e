"""The configuration of what runs at the first boot of a copy: the section `[on-copy]`."""

from typing import NamedTuple

from stillpoint_guest.options.section import Section

NAME = "on-copy"
KEYS = ("step_s", "required", "same_machine", "answers_s")


class OnCopy(NamedTuple):
    """The section, with every default filled in; times in seconds."""

    step_s: float = 60.0  # the longest that a step may take
    required: bool = False  # a failure fails the unit, and so what `Requires=` it
    has_same_machine: bool = True  # also where the machine is the one that was frozen
    answers_s: float = 300.0  # how long applications have to answer again


def parse(section: Section) -> OnCopy:
    """The section's settings.

    Raises:
        ConfigurationError: a value makes no sense.
    """
    default = OnCopy()
    return OnCopy(
        section.seconds("step_s", default.step_s),
        section.boolean("required", default.required),
        section.boolean("same_machine", default.has_same_machine),
        section.seconds("answers_s", default.answers_s),
    )
