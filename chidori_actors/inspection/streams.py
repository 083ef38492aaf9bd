"""What prompts that are under way have said so far, from a run's events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .. import exact_json
from ..journal.events import EndedCall, Told, newest_events
from ..journal.store import Store
from ..turns import Turns

_MOST_EVENTS = 20_000
"""So far back a text that is under way is looked for when a run is looked at first."""


@dataclass(slots=True)
class _Stream:
    id: str
    parts: list[str] = field(default_factory=list)
    live: bool = True


class Streams:
    """The newest attempt of each prompt that is under way, by the call's seq."""

    def __init__(self) -> None:
        self._by_seq: dict[int, _Stream] = {}

    def take(self, told: Told) -> None:
        """The next event."""
        data = exact_json.loads(told.data)
        seq, stream_id = data.get("seq"), data.get("stream_id")
        stream = self._by_seq.get(seq)
        if stream is None or stream.id != stream_id:
            stream = self._by_seq[seq] = _Stream(stream_id)
        if told.event == "prompt_delta":
            stream.parts.append(data["delta"])
        stream.live = told.event != "prompt_end"

    def drop(self, seq: int) -> None:
        """The call has ended: its record has what it said."""
        self._by_seq.pop(seq, None)

    def view(self, seq: int) -> dict[str, Any] | None:
        """``{text, live}``; None when nothing was streamed."""
        stream = self._by_seq.get(seq)
        return None if stream is None else {"text": "".join(stream.parts), "live": stream.live}


async def read_streams(store: Store, root_lane: int, seqs: Iterable[int], *, up_to: int) -> Streams:
    """What the prompts of these calls have said up to event ``up_to``, as far as it is not too far back.

    Raises:
        StoreError: an event is damaged.
    """
    left, found, turns = set(seqs), list[Told](), Turns()
    for number, event in newest_events(store, root_lane, _MOST_EVENTS) if left else ():
        await turns.over()
        if number > up_to or isinstance(event, EndedCall):
            continue
        seq = exact_json.loads(event.data).get("seq")
        if seq in left:
            found.append(event)
            if event.event == "prompt_start":
                left.discard(seq)
                if not left:
                    break
    streams = Streams()
    for told in reversed(found):
        streams.take(told)
    return streams
