"""Log lines in the format of Velero's side of go-plugin: one JSON object a line on stderr.

Any other line is logged at debug level there. A line of more than 64 KB is split
(hashicorp/go-plugin v1.7.0, client.go:1167), and a line whose `@message` or `@level` is no string
crashes Velero (log_entry.go:49), so both are excluded here.
"""

import logging
import sys
import threading
from collections.abc import Sequence

import orjson

from stillpoint.calls.text import sendable
from stillpoint.wire import flags

_LEVELS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warn",  # hclog's word; logrus' "warning" would be taken for no level at all
    logging.ERROR: "error",
    logging.CRITICAL: "error",
}
_VELERO_LEVELS = {
    "panic": logging.ERROR,
    "fatal": logging.ERROR,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}
_LONGEST_TEXTS = (14_000, 1_000, 100)  # characters; the first with which the line is short enough
_LONGEST_LINE = 60_000  # bytes
_RESERVED = {"time", "timestamp", "level", "msg", "@message", "@level", "@timestamp"}


class HclogFormatter(logging.Formatter):
    """Formats records as go-plugin parses them; `extra={"fields": {...}}` become fields."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        line = {
            "@level": _LEVELS.get(record.levelno, "info"),
            "@message": message,
            "logSource": f"{_place(record.pathname)}:{record.lineno}",
            "@logSourceSetBy": "plugin",
        }
        for name, value in (getattr(record, "fields", None) or {}).items():
            line[f"_{name}" if name in _RESERVED else name] = str(value)
        for longest in _LONGEST_TEXTS:
            written = orjson.dumps({sendable(k): _cut(v, longest) for k, v in line.items()})
            if len(written) < _LONGEST_LINE:
                break
        return written.decode()


def set_up(arguments: Sequence[str]) -> None:
    """Sends all logging to standard error, at the level of Velero's own flags.

    Args:
        arguments: the flags of the Velero server; all but `--log-level` are ignored.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(HclogFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_level(arguments))
    logging.captureWarnings(capture=True)
    threading.excepthook = _tell_of_thread
    # The kubernetes package logs each request with its headers at debug level.
    for chatty in ("kubernetes", "urllib3", "grpc"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Many watched guests are more connections than urllib3 keeps, which is no warning of a backup;
    # what goes wrong with a request is its error as well.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def _tell_of_thread(caught: threading.ExceptHookArgs) -> None:
    """Tells of an error that has ended a thread; Python's own lines are at debug level for Velero.

    No call waits for such a thread. So it is no error of the backup, which Velero would then call
    PartiallyFailed.
    """
    if caught.exc_value is not None and not isinstance(caught.exc_value, SystemExit):
        name = caught.thread.name if caught.thread else "without a name"
        found = caught.exc_type, caught.exc_value, caught.exc_traceback
        text = "thread %s has ended by a fault of the plugin"
        logging.getLogger("stillpoint").warning(text, name, exc_info=found)


def _level(arguments: Sequence[str]) -> int:
    return _VELERO_LEVELS.get(flags.value(arguments, "--log-level").lower(), logging.INFO)


def _place(path: str) -> str:
    """`stillpoint/wire/server.py` for a file of ours, else the name alone."""
    above = _place.__code__.co_filename.rpartition("stillpoint/")[0]
    is_ours = path.startswith(f"{above}stillpoint/")
    return path.removeprefix(above) if is_ours else path.rpartition("/")[2]


def _cut(text: str, longest: int) -> str:
    text = sendable(text)
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"
