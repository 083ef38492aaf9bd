"""An actor's lane: what it called and what came back, in the order it happened."""

import struct
from collections.abc import Iterable, Iterator

from ..errors import StoreError
from .bases import LanePart, lane_base, lane_parts
from .blobs import DAMAGED_HINT
from .entries import (
    CANCELLED,
    OUTCOME_UNKNOWN,
    SETTLED,
    STARTED,
    Entry,
    Retried,
    Settled,
    Started,
    frame_entry,
    unframe_entry,
)
from .framing import JsonObject, read_header
from .store import Store, Write

__all__ = [
    "CANCELLED",
    "OUTCOME_UNKNOWN",
    "RUN_LANES",
    "Entry",
    "Retried",
    "Settled",
    "Started",
    "apply_retries",
    "encode_entry",
    "lane_length",
    "last_counters",
    "last_seq",
    "new_lane",
    "read_lane",
    "read_own_entries",
]

RUN_LANES = 1 << 32
"""A run's lanes are its root lane, which is a multiple of this, and those up to the next multiple."""

_KEY = struct.Struct(">QQ")
_LANE = struct.Struct(">Q")
LANE_COUNTER = b"lanes"
"""The key in ``meta`` of the number of the newest run's root lane."""


async def new_lane(store: Store, run_id: str, *, above: int = 0) -> int:
    """The root lane of the new run ``run_id``, which no other run of the store has; the first is ``RUN_LANES``.

    Its other actors' lanes are this one + 1, + 2, …; whoever drives the run gives them out. It is higher than
    ``above``, the root lane of another run, whose lanes may so be bases of its own.
    """
    return await store.increment(LANE_COUNTER, run_id=run_id, above=above // RUN_LANES) * RUN_LANES


def run_lanes_prefix(root_lane: int) -> bytes:
    """What the keys that begin with a lane of the run have in common.

    Raises:
        ValueError: it is not a root lane.
    """
    if root_lane <= 0 or root_lane % RUN_LANES:
        raise ValueError(f"{root_lane} is not the root lane of a run")
    return (root_lane // RUN_LANES).to_bytes(4, "big")


def encode_entry(lane: int, number: int, entry: Entry) -> list[Write]:
    """The writes that put ``entry`` at place ``number`` (from 0, without gaps) of the lane.

    The entry itself is the last of them; args and value of more than 4 KB go to ``blobs``.
    """
    value, writes = frame_entry(entry)
    writes.append(Write("lanes", _KEY.pack(lane, number), value))
    return writes


def read_lane(
    store: Store, lane: int, *, start: int = 0, limit: int | None = None, blobs: bool = True
) -> Iterator[Entry]:
    """The entries from place ``start`` on (at most ``limit``), as they were written, ``Retried`` included.

    Those that the lane shares with its base (``bases``) come first. Without ``blobs``, args and values that lie in one
    (those of more than 4 KB) are empty.

    Raises:
        StoreError: an entry is missing or damaged; the message names it.
    """
    number = start
    end = None if limit is None else start + limit
    for part in lane_parts(store, lane, start):
        stops = [stop for stop in (part.stop, end) if stop is not None]
        left = min(stops) - number if stops else None
        prefix, first = _LANE.pack(part.lane), _KEY.pack(part.lane, number)
        for key, value in store.scan("lanes", prefix, start=first, limit=left):
            found = _KEY.unpack(key)[1] if len(key) == _KEY.size else None
            if found != number:
                raise _missing(store, part.lane, number)
            yield unframe_entry(store, value, f"entry {number} of lane {part.lane}", blobs=blobs)
            number += 1
        if part.stop is not None and number < min(stops):
            raise _missing(store, part.lane, number)


def read_own_entries(store: Store, root_lane: int) -> Iterator[tuple[int, int, Entry]]:
    """What all lanes of a run have themselves, lane by lane: the lane, the entry's place there, and the entry, in which
    args and values that lie in blobs are empty. It is one scan, however many actors the run has.

    Raises:
        StoreError: an entry is damaged, or one between two others is missing.
    """
    lane = expected = -1
    for key, value in store.scan("lanes", run_lanes_prefix(root_lane)):
        found, number = _KEY.unpack(key) if len(key) == _KEY.size else (lane, -1)
        if found == lane and number != expected:
            raise _missing(store, lane, expected)
        lane, expected = found, number + 1
        yield lane, number, unframe_entry(store, value, f"entry {number} of lane {lane}", blobs=False)


def _missing(store: Store, lane: int, number: int) -> StoreError:
    return StoreError(f"entry {number} of lane {lane} in the store {store.path} is missing", hint=DAMAGED_HINT)


def lane_length(store: Store, lane: int) -> int:
    """How many entries the lane has, those shared with its base included, which is the next one's number."""
    for key in store.keys("lanes", _LANE.pack(lane), reverse=True, limit=1):
        return int.from_bytes(key[_LANE.size :], "big") + 1
    base = lane_base(store, lane)
    return 0 if base is None else base.length


def last_counters(store: Store, lane: int) -> tuple[int, int]:
    """The highest ``seq`` of a call and the highest ``index`` of a settlement in the lane, 0 when there is none.

    Both ascend along a lane, so its end is enough. After a retry they begin anew above those of the entries that
    count; what it took back is passed over. In a lane from a checkpoint of another implementation they need not
    ascend: all of it is read.

    Raises:
        StoreError: an entry is damaged.
    """
    seq = index = 0
    call_seen = settlement_seen = False
    for header in _headers_from_the_end(store, lane_parts(store, lane)):
        if header["t"] == STARTED:
            if header["after"] == -1:
                return _highest_counters(store, lane)
            seq = max(seq, header["seq"])
            call_seen = True
        elif header["t"] == SETTLED:
            # An inherited one may have been given to the parent earlier than to this actor.
            index = max(index, header["i"])
            settlement_seen = settlement_seen or header["o"] > 0
        if call_seen and settlement_seen:
            break
    return seq, index


def _highest_counters(store: Store, lane: int) -> tuple[int, int]:
    seq = index = 0
    for header in _headers_from_the_end(store, lane_parts(store, lane)):
        if header["t"] == STARTED:
            seq = max(seq, header["seq"])
        elif header["t"] == SETTLED:
            index = max(index, header["i"])
    return seq, index


def last_seq(store: Store, part: LanePart) -> int:
    """The ``seq`` of the last call in that part of a lane or before it, 0 when there is none."""
    parts = [*lane_parts(store, part.lane)[:-1], part]
    for header in _headers_from_the_end(store, parts):
        if header["t"] == STARTED:
            return int(header["seq"])
    return 0


def _headers_from_the_end(store: Store, parts: Iterable[LanePart]) -> Iterator[JsonObject]:
    for part in reversed(list(parts)):
        start = None if part.stop is None else _KEY.pack(part.lane, part.stop - 1)
        for key, value in store.scan("lanes", _LANE.pack(part.lane), start=start, reverse=True):
            number = int.from_bytes(key[_LANE.size :], "big")
            yield read_header(store, value, f"entry {number} of lane {part.lane}")


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
