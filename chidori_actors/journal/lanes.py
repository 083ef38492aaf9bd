"""An actor's lane: what it called and what came back, in the order it happened."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import StoreError
from .blobs import DAMAGED_HINT
from .framing import JsonObject, damaged, frame, unframe
from .store import Store, Write

CANCELLED = "cancelled"
OUTCOME_UNKNOWN = "outcome unknown"

_KEY = struct.Struct(">QQ")
_LANE = struct.Struct(">Q")
_COUNTER = b"lanes"


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

    ``index`` is its place in the run-wide order of settlements. ``notes`` are extra fields of the record.
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


@dataclass(frozen=True, slots=True)
class Retried:
    """The settlement of that call is taken back: the call is made again."""

    ordinal: int
    at_ms: int


Entry = Started | Settled | Retried


async def new_lane(store: Store) -> int:
    """A lane id that no other actor of the store has; the first is 1."""
    return await store.increment(_COUNTER)


def encode_entry(lane: int, number: int, entry: Entry) -> list[Write]:
    """The writes that put ``entry`` at place ``number`` (from 0, without gaps) of the lane.

    The entry itself is the last of them; args and value of more than 4 KB go to ``blobs``.
    """
    if isinstance(entry, Settled):
        value, writes = frame(_settled_header(entry), (entry.value,))
    elif isinstance(entry, Started):
        value, writes = frame(_started_header(entry), (entry.args,))
    else:
        value, writes = frame({"t": "retried", "o": entry.ordinal, "at": entry.at_ms}, ())
    writes.append(Write("lanes", _KEY.pack(lane, number), value))
    return writes


def _started_header(entry: Started) -> JsonObject:
    header: JsonObject = {
        "t": "started",
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
        "t": "settled",
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


def read_lane(store: Store, lane: int, *, start: int = 0, limit: int | None = None) -> Iterator[Entry]:
    """The entries from place ``start`` on (at most ``limit``), as they were written, ``Retried`` included.

    Raises:
        StoreError: an entry is missing or damaged; the message names it.
    """
    number = start
    for key, value in store.scan("lanes", _LANE.pack(lane), start=_KEY.pack(lane, start), limit=limit):
        found = _KEY.unpack(key)[1] if len(key) == _KEY.size else None
        if found != number:
            raise StoreError(
                f"entry {number} of lane {lane} in the store {store.path} is missing",
                hint=DAMAGED_HINT,
            )
        yield _decode(store, value, f"entry {number} of lane {lane}")
        number += 1


def lane_length(store: Store, lane: int) -> int:
    """How many entries the lane has, which is the next one's number."""
    for key, _ in store.scan("lanes", _LANE.pack(lane), reverse=True, limit=1):
        return int.from_bytes(key[_LANE.size :], "big") + 1
    return 0


def _decode(store: Store, value: bytes, what: str) -> Entry:
    header, texts = unframe(store, value, what)
    try:
        kind = header["t"]
        if kind == "started":
            return _started(header, texts[0] or b"")
        if kind == "settled":
            return _settled(header, texts[0])
        if kind == "retried":
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


def apply_retries(entries: Iterable[Entry], *, delivered_before: int = 0) -> list[Entry]:
    """``entries`` of a lane without its ``Retried`` entries and without what these took back.

    ``delivered_before`` is the number of deliveries that precede the first of ``entries`` (a lane from an image on).
    A retry of a call takes back its settlement; every call that was made because of it, that is, after at
    least as many deliveries (those of a call of unknown ``after`` stay); and what was cancelled since,
    because a call that was in flight when the run ended has to be made again. Calls made before keep their
    settlements. A retry of ordinal 0, which no call has, takes back nothing but all cancellations.
    """
    effective: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Retried):
            effective = _take_back(effective, entry.ordinal, delivered_before)
        else:
            effective.append(entry)
    return effective


def _take_back(effective: list[Entry], ordinal: int, delivered_before: int) -> list[Entry]:
    if ordinal == 0:
        return [entry for entry in effective if not isinstance(entry, Settled) or entry.delivered]
    position = delivered_before
    for settled in effective:
        if isinstance(settled, Settled) and settled.delivered:
            position += 1
            if settled.ordinal == ordinal:
                break
    else:
        return effective  # it has no settlement: already taken back
    made_after = {entry.ordinal for entry in effective if isinstance(entry, Started) and entry.after >= position}

    def stands(entry: Entry) -> bool:
        if entry is settled or entry.ordinal in made_after:
            return False
        return not (isinstance(entry, Settled) and not entry.delivered and entry.index > settled.index)

    return [entry for entry in effective if stands(entry)]
