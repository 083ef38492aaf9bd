"""Lanes that begin with another lane's entries: a branch from history shares its parent's by reference."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .framing import damaged, frame, unframe
from .store import Store, Write

BASE_PREFIX = b"base/"
"""The keys in ``meta`` of what lanes begin with: this and the lane, 8 bytes big-endian."""

_LANE_BYTES = 8
_ROOT_BYTES = 4
"""What the lanes of a run have in common (lanes.RUN_LANES)."""


@dataclass(frozen=True, slots=True)
class LaneBase:
    """The first ``length`` entries of a lane are those of ``lane``.

    ``images``: its images are those of the lane too, but for any after more settlements than that.
    """

    lane: int
    length: int
    images: int | None = None


@dataclass(frozen=True, slots=True)
class LanePart:
    """Entries that are stored under ``lane`` and come before place ``stop`` (None: all to the end).

    ``images``: of the images there, those after more settlements than that do not count.
    """

    lane: int
    stop: int | None
    images: int | None = None


def base_write(lane: int, base_lane: int, length: int, *, images: int | None = None) -> Write:
    """The write that says that the first ``length`` entries of ``lane`` are those of the older ``base_lane``.

    Own entries of ``lane`` are numbered from ``length`` on. ``images``: see ``LaneBase``.

    Raises:
        ValueError: ``base_lane`` is not older: a lane would lead to itself.
    """
    if not 0 <= base_lane < lane or length < 0:
        raise ValueError(f"lane {lane} cannot begin with {length} entries of lane {base_lane}")
    value, _ = frame({"lane": base_lane, "length": length, "images": images}, ())
    return Write("meta", BASE_PREFIX + lane.to_bytes(_LANE_BYTES, "big"), value)


def lane_base(store: Store, lane: int) -> LaneBase | None:
    """What the lane begins with; None when all of its entries are its own.

    Raises:
        StoreError: it is damaged.
    """
    value = store.get("meta", BASE_PREFIX + lane.to_bytes(_LANE_BYTES, "big"))
    return None if value is None else read_base(store, lane, value)


def run_bases(store: Store, root_lane: int) -> dict[int, LaneBase]:
    """What the lanes of the run with that root lane begin with; those that begin with nothing are not in it.

    Raises:
        StoreError: one is damaged.
    """
    prefix = BASE_PREFIX + root_lane.to_bytes(_LANE_BYTES, "big")[:_ROOT_BYTES]
    found = {}
    for key, value in store.scan("meta", prefix):
        lane = int.from_bytes(key[len(BASE_PREFIX) :], "big")
        found[lane] = read_base(store, lane, value)
    return found


def read_base(store: Store, lane: int, value: bytes) -> LaneBase:
    """The base of ``lane`` from its stored value.

    Raises:
        StoreError: it is damaged.
    """
    what = f"the base of lane {lane}"
    header, _ = unframe(store, value, what)
    try:
        images = header["images"]
        base = LaneBase(int(header["lane"]), int(header["length"]), None if images is None else int(images))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(store, what) from error
    if not 0 <= base.lane < lane or base.length < 0:
        raise damaged(store, what)
    return base


def lane_parts(store: Store, lane: int, start: int = 0) -> list[LanePart]:
    """Where the lane's entries from place ``start`` on are stored, in their order; its own come last.

    Parts that contribute nothing are left out. Costs one look-up for each lane on the way.

    Raises:
        StoreError: a base is damaged.
    """
    return known_parts(partial(lane_base, store), lane, start)


def known_parts(base_of: Callable[[int], LaneBase | None], lane: int, start: int = 0) -> list[LanePart]:
    """The same where ``base_of`` knows what lanes begin with."""
    parts: list[LanePart] = []
    stop: int | None = None
    images: int | None = None
    while True:
        base = base_of(lane)
        first = base.length if base else 0
        if stop is None or first < stop:
            parts.append(LanePart(lane, stop, images))
        if base is None or first <= start:
            return parts[::-1]
        stop = first if stop is None else min(stop, first)
        images = least(images, base.images)
        lane = base.lane


def least(*bounds: int | None) -> int | None:
    """The lowest of some bounds, of which None is no bound at all."""
    return min((bound for bound in bounds if bound is not None), default=None)
