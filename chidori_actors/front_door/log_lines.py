"""Lines of the server's log on stderr: of requests and of runs, for people or as one JSON object each."""

import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from ..journal.json_text import rfc3339

LogFormat = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class LogLines:
    """Where the server's log goes, and how it looks."""

    log_format: LogFormat

    def write(self, event: str, fault: BaseException | None = None, **fields: Any) -> None:
        """Write what happened; fields that are None are left out. ``fault`` comes with its traceback."""
        now = rfc3339(time.time_ns() // 1_000_000)
        said = {name: value for name, value in fields.items() if value is not None}
        trace = None if fault is None else "".join(traceback.format_exception(fault))
        if self.log_format == "json":
            document = {"time": now, "event": event, **said, **({} if trace is None else {"traceback": trace})}
            line = orjson.dumps(document, default=str).decode()
        else:
            words = " ".join(f"{name}={_word(value)}" for name, value in said.items())
            line = f"{now} {event} {words}" + ("" if trace is None else f"\n{trace.rstrip()}")
        # A log that nobody can take any more (its pipe was closed, its disk is full) must not end the server.
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def _word(value: Any) -> str:
    """One word of a line for people: what has spaces or control characters is quoted, so that a line stays one."""
    text = str(value)
    return text if text.isprintable() and text and not set(text) & {" ", '"', "="} else orjson.dumps(text).decode()
