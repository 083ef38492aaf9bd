"""Numbers what happens in a run, and tells it once it is durable."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import exact_json
from ..host.function import PromptEvents
from ..journal.events import EndedCall, Told, event_write
from ..journal.store import Fence, Store, Write

Publish = Callable[[int, str, bytes], None]
"""Told of a text event's number, name and data (JSON) once it is durable."""

_BATCH_SECONDS = 0.03
"""Deltas of a prompt that come within so many seconds are one event."""


class Everybody:
    """What prompts stream is told to both."""

    def __init__(self, first: PromptEvents, second: PromptEvents) -> None:
        self._both = first, second

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        for each in self._both:
            each.prompt_start(stream_id, seq, prompt_type, model)

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None:
        for each in self._both:
            each.prompt_delta(stream_id, seq, prompt_type, delta)

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        for each in self._both:
            each.prompt_end(stream_id, seq, prompt_type, error)


class EventLog:
    """One per live run. Numbers are given where a transaction is put together, so that they ascend in the store.

    Calls are numbered for every run. Texts are kept only when somebody wants them: ``publish`` is given. ``last`` is
    the number of the run's newest event, ``calls`` how many calls are in its record.
    """

    def __init__(
        self, store: Store, fence: Fence, root_lane: int, last: int, calls: int, publish: Publish | None
    ) -> None:
        self._store = store
        self._fence = fence
        self._root_lane = root_lane
        self._last = last
        self._publish = publish
        self.calls = calls
        """How many calls are in the run's record, or on their way there."""
        self._calls_sent = calls
        self._deltas: dict[str, list[Any]] = {}

    def calls_ended(self, lane: int, places: Sequence[tuple[int, int]]) -> list[Write]:
        """The writes for calls of that lane that end with the transaction that is being put together, by the places of
        their ``started`` and ``settled`` entries."""
        writes = []
        for started, settled in places:
            self._last += 1
            self._calls_sent += 1
            ended = EndedCall(lane, started, settled, self._calls_sent)
            writes.append(event_write(self._root_lane, self._last, ended))
        return writes

    def taken_back(self, calls: int) -> None:
        """So many calls are not in the run's record any more."""
        self.calls -= calls
        self._calls_sent -= calls

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        self._tell("prompt_start", stream_id=stream_id, seq=seq, prompt_type=prompt_type, model=model)

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None:
        if self._publish is None:
            return
        waiting = self._deltas.get(stream_id)
        if waiting is None:
            self._deltas[stream_id] = [seq, prompt_type, delta]
            asyncio.get_running_loop().call_later(_BATCH_SECONDS, self._flush, stream_id)
        else:
            waiting.append(delta)

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        self._flush(stream_id)
        self._tell("prompt_end", stream_id=stream_id, seq=seq, prompt_type=prompt_type, error=error)

    def end_interrupted(self, newest: Iterable[tuple[int, EndedCall | Told]]) -> None:
        """End the prompts that an earlier life of the run was streaming; ``newest`` are its last events, backwards."""
        ended = set()
        for _, event in newest:
            if not isinstance(event, Told):
                continue
            data = exact_json.loads(event.data)
            # A long answer's start may be further back than anybody looks: its deltas tell of it too.
            if event.event != "prompt_end" and data["stream_id"] not in ended:
                self.prompt_end(data["stream_id"], data["seq"], data["prompt_type"], "interrupted")
            ended.add(data["stream_id"])

    def _flush(self, stream_id: str) -> None:
        waiting = self._deltas.pop(stream_id, None)
        if waiting is not None:
            seq, prompt_type, *texts = waiting
            self._tell("prompt_delta", stream_id=stream_id, seq=seq, prompt_type=prompt_type, delta="".join(texts))

    def _tell(self, event: str, **data: Any) -> None:
        publish = self._publish
        if publish is None:
            return
        self._last += 1
        number, text = self._last, exact_json.dumps(data)

        def durable(error: BaseException | None) -> None:
            if error is None:
                publish(number, event, text)

        self._store.submit([event_write(self._root_lane, number, Told(event, text))], self._fence, durable)
