"""Images of an actor's VM at safepoints, as the VM layer made them."""

import hashlib
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import zstandard

from .store import Store, Write

_KEY = struct.Struct(">QQ")
_LANE = struct.Struct(">Q")
_LEVEL = 3
_SHA = "payload_sha256"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of a lane's VM after ``delivered`` settlements.

    ``header`` says what can use it (golden image, engine build, prelude version, memory size); ``payload`` is
    opaque here. Both are as given to ``image_write``.
    """

    lane: int
    delivered: int
    header: Mapping[str, Any]
    payload: bytes


def image_write(lane: int, delivered: int, header: Mapping[str, Any], payload: bytes) -> Write:
    """The write that stores an image; ``payload`` is compressed here."""
    checked = {**header, _SHA: hashlib.sha256(payload).hexdigest()}
    value = orjson.dumps(checked) + b"\n" + zstandard.compress(payload, _LEVEL)
    return Write("images", _KEY.pack(lane, delivered), value)


def newest_image(store: Store, lane: int, *, at_most: int | None = None) -> tuple[StoredImage | None, list[str]]:
    """The newest intact image of the lane (with at most ``at_most`` settlements), and what was passed over.

    An image is an optimisation: a mangled one is not an error. It is left out with a sentence that says so,
    and an older one, or replay, takes its place.
    """
    rejected: list[str] = []
    start = None if at_most is None else _KEY.pack(lane, at_most)
    for key, value in store.scan("images", _LANE.pack(lane), start=start, reverse=True):
        delivered = int.from_bytes(key[_LANE.size :], "big")
        image = _decode(lane, delivered, value)
        if image is not None:
            return image, rejected
        rejected.append(f"the image of lane {lane} after {delivered} settlements is damaged and was not used")
    return None, rejected


def _decode(lane: int, delivered: int, value: bytes) -> StoredImage | None:
    line, _, compressed = value.partition(b"\n")
    try:
        header = orjson.loads(line)
        expected = header.pop(_SHA)
        payload = zstandard.decompress(compressed)
    except (orjson.JSONDecodeError, zstandard.ZstdError, MemoryError, KeyError, AttributeError, TypeError):
        return None
    if hashlib.sha256(payload).hexdigest() != expected:
        return None
    return StoredImage(lane, delivered, header, payload)


def drop_images(store: Store, lane: int, *, keep: Collection[int]) -> list[Write]:
    """The writes that remove the lane's stored images except those after ``keep`` settlements."""
    return [
        Write("images", key, None)
        for key, _ in store.scan("images", _LANE.pack(lane))
        if int.from_bytes(key[_LANE.size :], "big") not in keep
    ]


def drop_image(lane: int, delivered: int) -> Write:
    """The write that removes one image, which may be on its way into the store still."""
    return Write("images", _KEY.pack(lane, delivered), None)
