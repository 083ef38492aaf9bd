"""What a run's streams tell, in the order in which it became durable: texts, and calls by their places in lanes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .checksum import checked, with_checksum
from .framing import damaged
from .store import Store, Write

_KEY = struct.Struct(">QQ")
_LANE = struct.Struct(">Q")
_CALL = struct.Struct(">cQQQQ")


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that ended: its lane, and there the places of its ``started`` and of its ``settled`` entry. ``calls`` is
    how many the run's record has with it."""

    lane: int
    started: int
    settled: int
    calls: int


@dataclass(frozen=True, slots=True)
class Told:
    """A text: the event's name and its data as JSON."""

    event: str
    data: bytes


def event_write(root_lane: int, number: int, event: EndedCall | Told) -> Write:
    """The write that puts the event into the run's stream; ``number`` counts from 1 and is never given twice."""
    if isinstance(event, EndedCall):
        value = _CALL.pack(b"c", event.lane, event.started, event.settled, event.calls)
    else:
        value = b"t%b\n%b" % (event.event.encode(), event.data)
    return Write("events", _KEY.pack(root_lane, number), with_checksum(value))


def read_events(store: Store, root_lane: int, *, after: int = 0) -> Iterator[tuple[int, EndedCall | Told]]:
    """The run's events behind number ``after``, with their numbers.

    Raises:
        StoreError: one is damaged.
    """
    for key, value in store.scan("events", _LANE.pack(root_lane), start=_KEY.pack(root_lane, after + 1)):
        yield _decode(store, key, value)


def newest_events(store: Store, root_lane: int, limit: int | None = None) -> Iterator[tuple[int, EndedCall | Told]]:
    """At most ``limit`` of the run's events with their numbers, the newest first.

    Raises:
        StoreError: one is damaged.
    """
    for key, value in store.scan("events", _LANE.pack(root_lane), reverse=True, limit=limit):
        yield _decode(store, key, value)


def _decode(store: Store, key: bytes, value: bytes) -> tuple[int, EndedCall | Told]:
    number = _number(store, key)
    body = checked(value)
    if not body:
        raise damaged(store, f"event {number} of lane {int.from_bytes(key[: _LANE.size], 'big')}")
    if body[:1] == b"c":
        return number, EndedCall(*_CALL.unpack(body)[1:])
    name, _, data = body[1:].partition(b"\n")
    return number, Told(name.decode(), data)


def _number(store: Store, key: bytes) -> int:
    if len(key) != _KEY.size:
        raise damaged(store, f"an event of lane {int.from_bytes(key[: _LANE.size], 'big')}")
    return int.from_bytes(key[_LANE.size :], "big")


def last_event(store: Store, root_lane: int) -> int:
    """The number of the run's newest event; 0 when there is none."""
    for key in store.keys("events", _LANE.pack(root_lane), reverse=True, limit=1):
        return _number(store, key)
    return 0
