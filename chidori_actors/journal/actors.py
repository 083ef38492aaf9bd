"""What the store knows of a run's actors other than its root: branches, sub-agents, tools."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from .checksum import CHECKSUM_BYTES
from .framing import damaged, frame_fields, read_header, unframe_fields
from .lanes import run_lanes_prefix
from .store import Store, Write

ActorKind = Literal["branch", "sub_agent", "tool"]
ActorStatus = Literal["running", "completed", "failed", "cancelled"]

_TEXTS = ("input", "output")
_LANE_BYTES = 8


@dataclass(frozen=True, slots=True)
class ActorMeta:
    """One actor. ``input`` and ``output`` are JSON text; ``epoch_ms`` is the start time given to its VM.

    ``path`` is its path in the tree, ``lane`` its own lane; the call that started it is ``parent_seq`` of
    ``parent_lane``. ``index`` is that of a branch among those of its call, else 0. ``bundle`` is the hash of its source
    in ``blobs``; ``error`` is ``{message, name, data}``; ``failed_ordinal`` is the call whose error ended it. When it
    has ended, ``ended`` is the run-wide index at that moment and ``seq`` the run's highest.
    """

    lane: int
    path: str
    kind: ActorKind
    parent_lane: int
    parent_seq: int
    index: int
    status: ActorStatus
    epoch_ms: int
    bundle: str | None = None
    input: bytes = b"null"
    output: bytes | None = None
    error: Mapping[str, Any] | None = None
    failed_ordinal: int | None = None
    ended: int | None = None
    seq: int = 0


def actor_writes(meta: ActorMeta) -> list[Write]:
    """The writes that put the actor into the store, in place of what was there of it."""
    value, writes = frame_fields(meta, _TEXTS)
    writes.append(Write("actors", meta.lane.to_bytes(_LANE_BYTES, "big"), value))
    return writes


def run_actors(store: Store, root_lane: int) -> list[ActorMeta]:
    """The actors of the run with that root lane, by their lanes, the root itself not among them.

    Raises:
        StoreError: the description of one is damaged.
        ValueError: it is not a root lane.
    """
    return [_decode(store, key, value) for key, value in store.scan("actors", run_lanes_prefix(root_lane))]


def changed_actors(store: Store, root_lane: int, known: dict[int, bytes]) -> Iterator[ActorMeta]:
    """Those of the same actors whose description is another than it was at the last time that ``known`` was given,
    which is empty at first; without what they were given and gave: ``input`` is null and ``output`` None.

    Raises:
        StoreError: the description of one is damaged.
        ValueError: it is not a root lane.
    """
    for key, value in store.scan("actors", run_lanes_prefix(root_lane)):
        lane, checksum = int.from_bytes(key, "big"), value[:CHECKSUM_BYTES]
        if known.get(lane) != checksum:
            known[lane] = checksum
            yield _decode_header(store, key, value)


@dataclass(frozen=True, slots=True)
class ActorPlace:
    """Where an actor stands in its run, see ``ActorMeta``; ``status`` and the counters are those in the store."""

    lane: int
    parent_seq: int
    index: int
    status: ActorStatus
    ended: int | None
    seq: int


def actor_places(store: Store, root_lane: int) -> list[ActorPlace]:
    """The same actors without what they were given and what they gave, which may be large.

    Raises:
        StoreError: the description of one is damaged.
        ValueError: it is not a root lane.
    """
    places = []
    for key, value in store.scan("actors", run_lanes_prefix(root_lane)):
        what = _what(key)
        header = read_header(store, value, what)
        try:
            places.append(ActorPlace(*(header[name] for name in ActorPlace.__slots__)))
        except KeyError as error:
            raise damaged(store, what) from error
    return places


def get_actor(store: Store, lane: int) -> ActorMeta:
    """The actor of that lane.

    Raises:
        StoreError: there is none, or its description is damaged.
    """
    key = lane.to_bytes(_LANE_BYTES, "big")
    value = store.get("actors", key)
    if value is None:
        raise damaged(store, _what(key))
    return _decode(store, key, value)


def _decode(store: Store, key: bytes, value: bytes) -> ActorMeta:
    what = _what(key)
    fields = unframe_fields(store, value, what, ActorMeta, _TEXTS)
    try:
        return ActorMeta(**{**fields, "input": fields["input"] or b"null"})
    except (KeyError, TypeError) as error:
        raise damaged(store, what) from error


def _decode_header(store: Store, key: bytes, value: bytes) -> ActorMeta:
    what = _what(key)
    header = read_header(store, value, what)
    names = [each.name for each in fields(ActorMeta) if each.name in header]
    try:
        return ActorMeta(**{name: header[name] for name in names})
    except TypeError as error:
        raise damaged(store, what) from error


def _what(key: bytes) -> str:
    return f"the description of the actor with lane {int.from_bytes(key, 'big')}"
