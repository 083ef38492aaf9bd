"""Images of an actor's VM at safepoints, as the VM layer made them."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..errors import StoreError
from .bases import LanePart, base_write, lane_base, lane_parts, least
from .lanes import run_lanes_prefix
from .packing import Packed, pack, unpack
from .store import Store, Write

_KEY = struct.Struct(">QQ")
_LANE = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of a lane's VM after ``delivered`` settlements.

    ``lane`` is where it is stored: the lane itself, or one that it begins with. ``header`` says what can use it (golden
    image, engine build, memory size) and has the lane's ``length`` when it was taken; ``payload`` is opaque here.
    Both are as given to ``image_write``.
    """

    lane: int
    delivered: int
    header: Mapping[str, Any]
    payload: bytes


def image_write(lane: int, delivered: int, header: Mapping[str, Any], payload: bytes) -> Write:
    """The write that stores an image; ``payload`` is compressed here."""
    key = _KEY.pack(lane, delivered)
    return Write("images", key, pack(key, header, payload))


def newest_image(store: Store, lane: int, *, at_most: int | None = None) -> tuple[StoredImage | None, list[str]]:
    """The newest intact image of the lane (with at most ``at_most`` settlements), and what was passed over.

    One of a base of the lane (``bases``) counts when it was taken within the entries that both share. An image is an
    optimisation: a mangled one is not an error. It is left out with a sentence that says so, and an older one, or
    replay, takes its place.
    """
    rejected: list[str] = []
    for part in reversed(lane_parts(store, lane)):
        image = _newest_of(store, part, at_most, rejected)
        if image is not None:
            return image, rejected
    return None, rejected


def _newest_of(store: Store, part: LanePart, at_most: int | None, rejected: list[str]) -> StoredImage | None:
    newest = least(at_most, part.images)
    if newest is not None and newest < 0:
        return None
    start = None if newest is None else _KEY.pack(part.lane, newest)
    for key, value in store.scan("images", _LANE.pack(part.lane), start=start, reverse=True):
        delivered = _delivered(key)
        what = f"the image of lane {part.lane} after {delivered} settlements"
        try:
            packed = unpack(store, key, value, what)
        except StoreError:
            rejected.append(f"{what} is damaged and was not used")
            continue
        if not _is_within(packed, part):
            continue
        payload = packed.payload()
        if payload is not None:
            return StoredImage(part.lane, delivered, packed.header, payload)
        rejected.append(f"{what} is damaged and was not used")
    return None


def _is_within(packed: Packed, part: LanePart) -> bool:
    """Whether the image was taken before the lane went a way of its own."""
    if part.stop is None:
        return True
    length = packed.header.get("length")
    return isinstance(length, int) and length <= part.stop


def _delivered(key: bytes) -> int:
    return int.from_bytes(key[_LANE.size :], "big")


def image_sizes(store: Store, root_lane: int) -> Iterator[tuple[int, int, int]]:
    """The images stored in a run's own lanes: lane, settlements given before, and bytes in the store."""
    for key, value in store.scan("images", run_lanes_prefix(root_lane)):
        lane, delivered = _KEY.unpack(key)
        yield lane, delivered, len(value)


def drop_images(store: Store, lane: int, *, after: int) -> list[Write]:
    """The writes that leave the lane no image after more than ``after`` settlements; -1 leaves it none.

    Those of its base stay where they are, for the base, and are no more the lane's.
    """
    keys = store.keys("images", _LANE.pack(lane))
    dropped = [Write("images", key, None) for key in keys if _delivered(key) > after]
    base = lane_base(store, lane)
    if base is not None:
        dropped.append(base_write(lane, base.lane, base.length, images=least(base.images, after)))
    return dropped


def drop_image(lane: int, delivered: int) -> Write:
    """The write that removes one image, which may be on its way into the store still."""
    return Write("images", _KEY.pack(lane, delivered), None)


def thin_images(store: Store, lane: int, delivered: int, every: int) -> list[Write]:
    """The writes that remove most images of the lane older than a new one after ``delivered`` settlements.

    Those that stay lie about 1, 2, 4, 8 … times ``every`` settlements behind the new one; the oldest always stays.
    Called with each new image, it leaves at most 4 + 2 log2(distance of the oldest / ``every``), the new one included;
    and for each that was ever taken, d >= ``every`` settlements behind, there is one at least d and less than 2 d
    behind: a removal leaves a gap no wider than ``every`` or the distance where it begins, and a gap only moves away.
    """
    behind = sorted(delivered - _delivered(key) for key in store.keys("images", _LANE.pack(lane)))
    older = [distance for distance in behind if distance > 0]
    dropped: list[Write] = []
    newer = 0
    for distance, following in pairwise(older):
        if following - newer <= max(newer, every):
            dropped.append(drop_image(lane, delivered - distance))
        else:
            newer = distance
    return dropped
