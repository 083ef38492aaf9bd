"""The image of a parent at a call of ``parallel``, which its branches begin with."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .bases import LanePart, lane_parts
from .framing import damaged
from .lanes import last_seq, run_lanes_prefix
from .packing import pack, unpack
from .store import Store, Write

_KEY = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class StoredFork:
    """The parent's VM at the fork, after ``delivered`` settlements.

    ``payload`` is None once the branches have ended, or when it is damaged. ``header`` is as given to ``fork_write``.
    """

    delivered: int
    header: Mapping[str, Any]
    payload: bytes | None


def fork_write(lane: int, seq: int, delivered: int, header: Mapping[str, Any], payload: bytes | None) -> Write:
    """The write that stores the fork of the parent ``lane`` at its call ``seq``; ``payload`` is compressed here."""
    key = _KEY.pack(lane, seq)
    return Write("forks", key, pack(key, {"delivered": delivered, "header": dict(header)}, payload))


def get_fork(store: Store, lane: int, seq: int) -> StoredFork | None:
    """The fork of the lane at its call ``seq``, one in the entries that it shares with its base included.

    Raises:
        StoreError: its header is damaged.
    """
    for part in reversed(lane_parts(store, lane)):
        value = store.get("forks", _KEY.pack(part.lane, seq))
        # Beyond what both share, the base has given the same numbers to other calls.
        if value is not None and (part.stop is None or seq <= last_seq(store, part)):
            return _decode(store, part, seq, value)
    return None


def fork_sizes(store: Store, root_lane: int) -> Iterator[tuple[int, int, int, int]]:
    """The forks of a run's own lanes that still have an image: lane, seq of the call, settlements given before, and
    bytes in the store.

    Raises:
        StoreError: the header of one is damaged.
    """
    for key, value in store.scan("forks", run_lanes_prefix(root_lane)):
        lane, seq = _KEY.unpack(key)
        packed = unpack(store, key, value, f"the fork of lane {lane} at call #{seq}")
        if packed.has_payload:
            yield lane, seq, packed.header["delivered"], len(value)


def _decode(store: Store, part: LanePart, seq: int, value: bytes) -> StoredFork:
    what = f"the fork of lane {part.lane} at call #{seq}"
    packed = unpack(store, _KEY.pack(part.lane, seq), value, what)
    delivered, header = packed.header.get("delivered"), packed.header.get("header")
    if not isinstance(delivered, int) or not isinstance(header, dict):
        raise damaged(store, what)
    return StoredFork(delivered, header, packed.payload())
