"""`INFO` of Redis and Valkey, parsed strictly."""

import re
from typing import Dict, NamedTuple, Optional, Pattern, Tuple

from stillpoint_guest.errors import Senseless

_SAVED_BYTES_PER_S = 100 * 1024 * 1024  # a guess for a server that has not saved yet
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})[.0-9A-Za-z-]{0,40}", re.ASCII)
_WORD = re.compile(r"[a-z_]{1,20}")
_TRUTH = re.compile(r"[01]")
_COUNT = re.compile(r"[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_RUN_ID = re.compile(r"[0-9a-f]{40}")


class Info(NamedTuple):
    """The facts of a server."""

    version: Tuple[int, int]
    version_text: str
    run_id: str
    is_sentinel: bool = False  # then nothing below is known, for it has no data
    is_replica: bool = False
    replication_offset: str = "0"
    has_append_only_file: bool = False
    can_write_append_only_file: bool = True  # it could, the last time
    unwritten_bytes: int = 0  # of what goes into the append-only file
    is_saving: bool = False
    could_save: bool = True
    last_save_s: Optional[int] = None  # None: since its start it has made none
    current_save_s: int = 0
    memory_bytes: int = 0

    @property
    def snapshot_s(self) -> float:
        """Expected duration of the next snapshot, as far as known before it begins."""
        guess_s = self.memory_bytes / _SAVED_BYTES_PER_S
        if self.last_save_s is None:
            lasts_s = guess_s
        elif self.last_save_s <= 1:  # reply by whole seconds that began: 1 may be a moment
            lasts_s = min(float(self.last_save_s), guess_s)
        else:
            lasts_s = float(self.last_save_s)
        runs_s = max(0.0, lasts_s - self.current_save_s) if self.is_saving else 0.0
        return runs_s + lasts_s


def parse(subject: str, answer: object) -> Info:
    """Parses the reply to `INFO`.

    Raises:
        Senseless: the reply is invalid.
    """
    reply = _Reply(subject, answer)
    version = reply.matching("redis_version", _VERSION)
    numbers = version.split(".")
    common = Info(
        (int(numbers[0]), int(re.split(r"[^0-9]", numbers[1])[0])),
        version,
        reply.matching("run_id", _RUN_ID),
    )
    if reply.matching("redis_mode", _WORD) == "sentinel":
        return common._replace(is_sentinel=True)
    last_save_s = int(reply.matching("rdb_last_bgsave_time_sec", _NUMBER))
    return common._replace(
        is_replica=reply.matching("role", _WORD) != "master",
        replication_offset=reply.matching("master_repl_offset", _COUNT),
        has_append_only_file=reply.truth("aof_enabled"),
        can_write_append_only_file=reply.matching("aof_last_write_status", _WORD) == "ok",
        unwritten_bytes=int(reply.matching("aof_buffer_length", _COUNT, "0")),
        is_saving=reply.truth("rdb_bgsave_in_progress"),
        could_save=reply.matching("rdb_last_bgsave_status", _WORD) == "ok",
        last_save_s=last_save_s if last_save_s >= 0 else None,
        current_save_s=max(0, int(reply.matching("rdb_current_bgsave_time_sec", _NUMBER))),
        memory_bytes=int(reply.matching("used_memory", _COUNT)),
    )


class _Reply:
    """The lines `key:value` of a reply; of two with the same key the first counts."""

    def __init__(self, subject: str, answer: object) -> None:
        self._subject = subject
        self._values: Dict[str, str] = {}
        for line in str(answer).split("\r\n"):
            key, _, value = line.partition(":")
            self._values.setdefault(key, value)

    def matching(self, key: str, pattern: "Pattern[str]", default: str = "") -> str:
        value = self._values.get(key, default)
        if not pattern.fullmatch(value):
            cause = f"its answer makes no sense: {key} is {value[:40]!r}"
            raise Senseless(self._subject, "INFO", cause)
        return value

    def truth(self, key: str) -> bool:
        return self.matching(key, _TRUTH) == "1"
