"""The configuration: an INI file and its drop-ins, read strictly.

    [stillpoint-guest]            the agent itself: profile, freeze_s, watchdog_s, discovery,
                                  console
    profile = fast

    [on-copy]                     the first boot of a copy, see `on_copy`

    [postgresql:15/main]          one section per application; the name is free
    type = postgresql
    lock_s = 2

Later files win, key by key. An unknown key is an error that names the nearest valid one; a file
that others than root could have written is not read at all. No file is no error: then discovery
decides.
"""

import configparser
import difflib
import glob
import os
from typing import Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple, Type

from stillpoint_guest import console, trust
from stillpoint_guest.errors import ConfigurationError
from stillpoint_guest.options import on_copy
from stillpoint_guest.options.kind import Kind
from stillpoint_guest.options.on_copy import OnCopy
from stillpoint_guest.options.section import Section, unreadable
from stillpoint_guest.places import Places

AGENT = "stillpoint-guest"
_AGENT_KEYS = ("profile", "freeze_s", "watchdog_s", "discovery", "console")
_SECTION_KEYS = (
    "type",
    "order",
    "prepare_s",
    "lock_s",
    "release_s",
    "required",
    "method",
    "enabled",
    "covers",
)


class Profile(NamedTuple):
    """Defaults for the time that a freeze may take; all in seconds.

    KubeVirt gives up on a freeze after 5 s (1.5), 20 s (1.6, 1.7) or 60 s (1.8 and newer).
    """

    prepare_s: float
    lock_s: float
    release_s: float
    freeze_s: float  # all of prepare, sync and lock


PROFILES = {
    "normal": Profile(prepare_s=10, lock_s=3, release_s=10, freeze_s=15),
    "fast": Profile(prepare_s=2, lock_s=1, release_s=10, freeze_s=4),
}


class Configuration(NamedTuple):
    """The configuration, with every default filled in."""

    sections: Tuple[Section, ...] = ()
    disabled: Tuple[str, ...] = ()  # names of instances that are to be left alone
    profile: Profile = PROFILES["normal"]
    watchdog_s: float = 300.0
    covered: Tuple[str, ...] = ()  # names of instances that some section quiesces
    has_discovery: bool = True
    console: str = console.KERNELS
    on_copy: OnCopy = OnCopy()
    files: Tuple[str, ...] = ()


class _Written(NamedTuple):
    values: Dict[str, str]
    source: str


def load(places: Places, kinds: Sequence[Type[Kind]]) -> Configuration:
    """Reads the file and its drop-ins.

    Raises:
        ConfigurationError: a part of the configuration is invalid.
    """
    files = [one for one in (places.configuration, *_drop_ins(places)) if os.path.exists(one)]
    written = _read(files)
    none = _Written({}, places.configuration)
    agent = _agent(written.pop(AGENT, none))
    agent = agent._replace(on_copy=_on_copy(written.pop(on_copy.NAME, none)))
    by_name = {kind.KIND: kind for kind in kinds}
    sections: List[Section] = []
    disabled: List[str] = []
    covered: List[str] = []
    for name, one in written.items():
        if _is_enabled(name, one):
            sections.append(_section(name, one, agent.profile, by_name))
            covered += [each.strip() for each in one.values.get("covers", "").split(",")]
        else:
            disabled.append(name)
    return agent._replace(
        sections=tuple(sections),
        disabled=tuple(disabled),
        covered=tuple(each for each in covered if each),
        files=tuple(files),
    )


def _drop_ins(places: Places) -> Sequence[str]:
    return sorted(glob.glob(os.path.join(glob.escape(places.drop_ins), "*.conf")))


def _read(files: Iterable[str]) -> Dict[str, _Written]:
    merged: Dict[str, _Written] = {}
    for path in files:
        trust.require(path)
        parser = configparser.ConfigParser(interpolation=None, default_section="")
        try:
            with open(path, encoding="utf-8") as file:
                parser.read_file(file)
        except (configparser.Error, OSError, UnicodeDecodeError) as error:
            hint = "a text in UTF-8: [SECTION], below it KEY = VALUE, each of them once"
            raise unreadable(path, error, hint) from error
        for name in parser.sections():
            values = dict(merged[name].values) if name in merged else {}
            values.update(parser.items(name))
            merged[name] = _Written(values, path)
    return merged


def _agent(written: _Written) -> Configuration:
    _require_known(AGENT, written, _AGENT_KEYS)
    section = Section(AGENT, "", options=written.values, source=written.source)
    name = section.text("profile", "normal")
    if name not in PROFILES:
        raise section.error("profile", f"one of {', '.join(sorted(PROFILES))}", "normal")
    profile = PROFILES[name]
    return Configuration(
        profile=profile._replace(freeze_s=section.seconds("freeze_s", profile.freeze_s)),
        watchdog_s=section.seconds("watchdog_s", 300),
        has_discovery=section.boolean("discovery", default=True),
        console=_console(section),
    )


def _on_copy(written: _Written) -> OnCopy:
    _require_known(on_copy.NAME, written, on_copy.KEYS)
    return on_copy.parse(Section(on_copy.NAME, "", options=written.values, source=written.source))


def _console(section: Section) -> str:
    written = section.text("console", "yes")
    if written.startswith("/dev/"):
        return written
    try:
        return console.KERNELS if section.boolean("console", default=True) else console.NONE
    except ConfigurationError as error:
        raise section.error("console", "yes, no or a path that begins with /dev/", "yes") from error


def _section(
    name: str, written: _Written, profile: Profile, kinds: Mapping[str, Type[Kind]]
) -> Section:
    raw = Section(name, "", options=written.values, source=written.source)
    kind = raw.text("type", name.partition(":")[0])
    if kind not in kinds:
        raise ConfigurationError(
            raw.place,
            "read it",
            f"there is no type {kind!r}",
            f"type = {_nearest(kind, sorted(kinds))}",
        )
    driver = kinds[kind]
    _require_known(name, written, (*_SECTION_KEYS, *driver.OPTIONS))
    if raw.text("method") and raw.text("method") not in driver.METHODS:
        first, *_ = driver.METHODS or ("none",)
        raise raw.error("method", f"one of {', '.join(driver.METHODS) or 'none'}", first)
    own = {key: value for key, value in written.values.items() if key in driver.OPTIONS}
    return fill(
        Section(
            name,
            kind,
            order=raw.integer("order", 50),
            required=raw.boolean("required", default=True),
            method=raw.text("method"),
            options=own,
            source=written.source,
        ),
        profile,
        raw,
    )


def fill(section: Section, profile: Profile, raw: Section) -> Section:
    """The section with its own times from `raw`, else the profile's."""
    return section._replace(
        prepare_s=raw.seconds("prepare_s", profile.prepare_s),
        lock_s=raw.seconds("lock_s", profile.lock_s),
        release_s=raw.seconds("release_s", profile.release_s),
    )


def _is_enabled(name: str, written: _Written) -> bool:
    return Section(name, "", options=written.values, source=written.source).boolean(
        "enabled", default=True
    )


def _require_known(name: str, written: _Written, keys: Sequence[str]) -> None:
    for key in written.values:
        if key not in keys:
            raise ConfigurationError(
                f"{written.source} [{name}]",
                "read it",
                f"there is no key {key!r} here",
                f"the nearest is {_nearest(key, keys)!r}",
            )


def _nearest(word: str, words: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, words, n=1, cutoff=0)
    return found[0] if found else "none"
