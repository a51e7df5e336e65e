"""Arguments of manifests, as Kubernetes, Velero and container engines take their values.

What they would refuse later, or never find, ends with the usage. An empty text is a value that is
not given, where the option has such a default.
"""

import argparse
import re
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from stillpoint.cli.names import name_of_namespace, name_of_object
from stillpoint.model import cron, duration
from stillpoint.model.names import is_name

_LABEL = r"[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_TAG = r":[A-Za-z0-9_][-.A-Za-z0-9_]{0,127}"
_DIGEST = r"@[a-z0-9]+(?:[-_+.][a-z0-9]+)*:[0-9a-f]{32,}"
_IMAGE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?:{_TAG})?(?:{_DIGEST})?")
"""distribution/reference@v0.6.0, regexp.go: what container engines pull."""

_KEY = re.compile(r"(?!\.\.?$)[-._A-Za-z0-9]{1,253}")
_LONGEST_DRIVER = 63


def needed(of: Callable[[str], str]) -> Callable[[str], str]:
    """The argument, refused if it is empty."""

    def check(text: str) -> str:
        if not text:
            raise argparse.ArgumentTypeError("it is empty")
        return of(text)

    return check


name = needed(name_of_object)
namespace = needed(name_of_namespace)


def namespaces(text: str) -> str:
    """A namespace, or a pattern of several (ValidateNamespaceName, pkg/util/wildcard of Velero)."""
    plain = re.sub(r"\*|\?|\[[^][]+\]", "x", text)
    if "**" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: one * is a pattern, and two are not")
    if plain != text and not is_name(plain):
        raise argparse.ArgumentTypeError(f"{text!r} is no pattern; for instance shop-* or team-?")
    return namespace(text) if plain == text else text


def image(text: str) -> str:
    """The reference of an image; empty for one that is not given."""
    if text and not _IMAGE.fullmatch(text):
        example = "registry.example.com/stillpoint:1.0"
        cause = f"{text!r} is no reference of an image, in lower case but for host and tag"
        raise argparse.ArgumentTypeError(f"{cause}; for instance {example}")
    return text


def key(text: str) -> str:
    """The key of a value in a Secret."""
    if not _KEY.fullmatch(text):
        cause = f"{text!r} is no key of a Secret: letters, digits, -, _ and ."
        raise argparse.ArgumentTypeError(cause)
    return text


def label(text: str) -> tuple[str, str]:
    """The key and the value of a label."""
    from stillpoint.velero.selection.label_selector import LabelSelector  # noqa: PLC0415

    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE")
    try:
        LabelSelector.of_object({"matchLabels": {key: value}})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    return key, value


def driver(text: str) -> str:
    """The name of a CSI driver; its letters may be of either case."""
    if len(text) > _LONGEST_DRIVER or not is_name(text.lower()):
        cause = f"{text!r} is no name of a driver, which is given in full"
        raise argparse.ArgumentTypeError(f"{cause}: kubectl get csidrivers")
    return text


def bucket(text: str) -> str:
    """The name of a bucket; Velero refuses one with a folder."""
    if not text.strip("/") or "/" in text.strip("/"):
        cause = f"{text!r} is no name of a bucket: a folder in it is for --prefix"
        raise argparse.ArgumentTypeError(cause)
    return text


def url(text: str) -> str:
    """The address of a store; empty for one that is not given."""
    parts = _parts(text)
    if text and not (parts and parts.scheme in ("http", "https") and parts.hostname):
        cause = f"{text!r} is no URL of http or https; for instance https://store.example.com"
        raise argparse.ArgumentTypeError(cause)
    return text


def _parts(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def cron_time(text: str) -> str:
    """The time of a schedule."""
    if fault := cron.fault(text):
        raise argparse.ArgumentTypeError(f"{text!r}: {fault}; for instance '0 1 * * *' or @daily")
    return text


def cron_time_without_zone(text: str) -> str:
    """The time of a CronJob, whose zone is another field of it."""
    if cron.has_zone(text):
        cause = f"{text!r}: a CronJob has no time zone in there; give the time in UTC"
        raise argparse.ArgumentTypeError(cause)
    return cron_time(text)


def span(text: str) -> str:
    """A duration, as Go writes it: its longest unit is the hour."""
    if duration.parse(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; for instance 720h or 90m")
    return text
