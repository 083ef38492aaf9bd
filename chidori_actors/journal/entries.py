"""What a lane consists of: calls that left the VM, what came back, and what was taken back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .framing import JsonObject, damaged, frame, unframe, unframe_inline
from .store import Store, Write

CANCELLED = "cancelled"
OUTCOME_UNKNOWN = "outcome unknown"

STARTED, SETTLED, RETRIED = "started", "settled", "retried"
"""What a stored entry's header calls its kind (field ``t``)."""


@dataclass(frozen=True, slots=True)
class Started:
    """A call left the VM.

    ``ordinal`` counts the actor's calls from 1, ``seq`` those of the run. ``after`` is the number of
    settlements that the VM had been given when it made the call, or -1 when that is unknown (a checkpoint
    of another implementation). ``attempt`` is one more than the number of ``Retried`` entries before it: two
    different calls can have one ordinal in different attempts. ``args`` is JSON text; ``site`` is the stack frame
    that made the call, in the transformed source.
    """

    ordinal: int
    seq: int
    after: int
    function: str
    args: bytes
    at_ms: int
    site: str | None = None
    parent_seq: int | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Settled:
    """A call ended: with ``value`` (JSON text), with ``error`` (``{message, name, data}``), or ``cancelled``.

    ``index`` is its place in the run-wide order of settlements. ``notes`` are extra fields of the record. A negative
    ``ordinal`` is that of a call of the parent, made before the fork (``inherited``).
    """

    ordinal: int
    index: int
    at_ms: int
    duration_ms: float
    value: bytes | None = None
    error: Mapping[str, Any] | None = None
    cancelled: str | None = None
    token_usage: Mapping[str, int] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def delivered(self) -> bool:
        """Whether the VM was given it; a cancelled call stays pending there."""
        return self.cancelled is None

    @property
    def inherited(self) -> bool:
        """Whether a branch got it from its parent, whose call it settles: the branch's lane has no such call."""
        return self.ordinal < 0


@dataclass(frozen=True, slots=True)
class Retried:
    """The settlement of that call is taken back: the call is made again."""

    ordinal: int
    at_ms: int


Entry = Started | Settled | Retried


def frame_entry(entry: Entry) -> tuple[bytes, list[Write]]:
    """The entry as it lies in the store, and the blobs with its large texts."""
    if isinstance(entry, Settled):
        return frame(_settled_header(entry), (entry.value,))
    if isinstance(entry, Started):
        return frame(_started_header(entry), (entry.args,))
    return frame({"t": RETRIED, "o": entry.ordinal, "at": entry.at_ms}, ())


def _started_header(entry: Started) -> JsonObject:
    header: JsonObject = {
        "t": STARTED,
        "o": entry.ordinal,
        "seq": entry.seq,
        "after": entry.after,
        "f": entry.function,
        "at": entry.at_ms,
    }
    if entry.site is not None:
        header["site"] = entry.site
    if entry.parent_seq is not None:
        header["parent"] = entry.parent_seq
    if entry.attempt != 1:
        header["attempt"] = entry.attempt
    return header


def _settled_header(entry: Settled) -> JsonObject:
    header: JsonObject = {
        "t": SETTLED,
        "o": entry.ordinal,
        "i": entry.index,
        "at": entry.at_ms,
        "ms": entry.duration_ms,
    }
    if entry.error is not None:
        header["error"] = dict(entry.error)
    if entry.cancelled is not None:
        header["cancelled"] = entry.cancelled
    if entry.token_usage is not None:
        header["usage"] = dict(entry.token_usage)
    if entry.notes:
        header["notes"] = dict(entry.notes)
    return header


def unframe_entry(store: Store, value: bytes, what: str, *, blobs: bool = True) -> Entry:
    """The entry; ``what`` names it in errors. Without ``blobs``, args and values that lie in one are empty.

    Raises:
        StoreError: it is damaged, or a blob of it is.
    """
    header, texts = (unframe if blobs else unframe_inline)(store, value, what)
    try:
        kind = header["t"]
        if kind == STARTED:
            return _started(header, texts[0] or b"")
        if kind == SETTLED:
            return _settled(header, texts[0])
        if kind == RETRIED:
            return Retried(header["o"], header["at"])
    except (KeyError, IndexError) as error:
        raise damaged(store, what) from error
    raise damaged(store, what)


def _started(header: JsonObject, args: bytes) -> Started:
    return Started(
        ordinal=header["o"],
        seq=header["seq"],
        after=header["after"],
        function=header["f"],
        args=args,
        at_ms=header["at"],
        site=header.get("site"),
        parent_seq=header.get("parent"),
        attempt=header.get("attempt", 1),
    )


def _settled(header: JsonObject, value: bytes | None) -> Settled:
    return Settled(
        ordinal=header["o"],
        index=header["i"],
        at_ms=header["at"],
        duration_ms=header["ms"],
        value=value,
        error=header.get("error"),
        cancelled=header.get("cancelled"),
        token_usage=header.get("usage"),
        notes=header.get("notes", {}),
    )
