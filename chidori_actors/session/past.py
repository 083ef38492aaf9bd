"""What the store knows of an actor: the image it can go on from, and the lane behind it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..journal.framing import damaged
from ..journal.images import StoredImage, newest_image
from ..journal.lanes import Entry, Settled, Started, apply_retries, read_lane
from ..journal.store import Store
from ..turns import Turns


@dataclass(slots=True)
class Past:
    """An actor's history from ``image`` on (from its beginning when there is none).

    ``deliveries`` are the settlements that the VM has not been given yet, in order, and ``places`` where they are in
    the lane, by ordinal; ``started`` the calls that were pending in the image or came later, ``numbers`` their places.
    ``rejected`` says why an image was passed over. ``attempt`` is one more than the number of times that settlements
    were taken back.
    """

    image: StoredImage | None = None
    started: dict[int, Started] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    settled: dict[int, Settled] = field(default_factory=dict)
    deliveries: list[Settled] = field(default_factory=list)
    length: int = 0
    seq: int = 0
    index: int = 0
    last_ms: int = 0
    attempt: int = 1
    pending: list[int] = field(default_factory=list)
    """Ordinals of the calls that the image's VM waits for."""
    rejected: list[str] = field(default_factory=list)

    def release(self) -> None:
        """Drop what it holds; whoever started the actor may keep it for as long as the actor lives."""
        self.image = None
        for held in (self.started, self.numbers, self.places, self.settled, self.deliveries, self.pending):
            held.clear()

    @property
    def delivered(self) -> int:
        """How many settlements the image's VM has been given."""
        return self.image.delivered if self.image else 0


def load_past(store: Store, lane: int, golden: str | None, *, at_most: int | None = None) -> Past:
    """The actor's past from its newest image of the golden image ``golden``, or from the start when that is None.

    ``at_most``: no image after more deliveries than these. The cost does not grow with the history before the image.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    image, rejected = newest_image(store, lane, at_most=at_most) if golden is not None else (None, [])
    if image is not None and image.header.get("golden") != golden:
        rejected.append("the stored image is of another build of the engine; the run is replayed instead")
        image = None
    past = Past(image=image, rejected=rejected)
    tail = 0
    if image is not None:
        tail = _apply_header(store, lane, past, image.header)
    return _filled(store, lane, past, tail, read_lane(store, lane, start=tail))


async def read_past(store: Store, lane: int) -> Past:
    """The actor's past from the start, read in slices: others have their turns meanwhile.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    entries, turns = [], Turns()
    for entry in read_lane(store, lane):
        entries.append(entry)
        await turns.over()
    return _filled(store, lane, Past(), 0, entries)


def _filled(store: Store, lane: int, past: Past, tail: int, behind: Iterable[Entry]) -> Past:
    """``past`` with the entries ``behind`` its image, of which ``tail`` is the place of the first."""
    entries = [(tail + place, entry) for place, entry in enumerate(behind)]
    past.length = tail + len(entries)
    for _, entry in entries:
        # The numbers of what was taken back are not given out again.
        if isinstance(entry, Started):
            past.seq = max(past.seq, entry.seq)
        elif isinstance(entry, Settled):
            past.index = max(past.index, entry.index)
        else:
            past.attempt += 1
        past.last_ms = max(past.last_ms, entry.at_ms)
    places = {id(entry): number for number, entry in entries}
    for entry in apply_retries([entry for _, entry in entries], delivered_before=past.delivered):
        _add(past, entry, places[id(entry)])
    for settled in past.deliveries:
        # Calls of a parent have negative ordinals; their beginnings are in its lane.
        if settled.ordinal > 0 and settled.ordinal not in past.started:
            raise damaged(store, f"lane {lane}, in which call {settled.ordinal} has an outcome and no beginning,")
    return past


def _apply_header(store: Store, lane: int, past: Past, header: Any) -> int:
    past.seq, past.index, past.last_ms = header["seq"], header["index"], header["last_ms"]
    past.attempt = header["attempt"]
    for number in header["pending"]:
        entry = next(read_lane(store, lane, start=number, limit=1))
        if isinstance(entry, Started):
            _add(past, entry, number)
            past.pending.append(entry.ordinal)
    return int(header["tail"])


def _add(past: Past, entry: Entry, number: int) -> None:
    if isinstance(entry, Started):
        past.started[entry.ordinal] = entry
        past.numbers[entry.ordinal] = number
    elif isinstance(entry, Settled):
        past.settled[entry.ordinal] = entry
        if entry.delivered:
            past.deliveries.append(entry)
            past.places[entry.ordinal] = number
