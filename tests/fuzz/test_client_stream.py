"""Event streams that were damaged on their way: the client's events, or its error in words."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st

from chidori_actors.client.errors import ClientError
from chidori_actors.client.event_stream import Event, EventStream
from chidori_actors.client.exchange import Open, Pause, Read, Response
from chidori_actors.client.retries import Retries
from chidori_actors.client.sse import FrameParser
from tests.client.script import frame

from .mangling import corpus, examples, fuzz, mangled_bytes, refusal_of

WHOLE = b": hello\n\n" + b"".join(
    (
        frame(1, "call", seq=1, function="log", args={}, result=None),
        frame(2, "prompt_start", stream_id="p", seq=2, prompt_type="draft", model="m"),
        frame(3, "prompt_delta", stream_id="p", seq=2, prompt_type="draft", delta="Grüße 🐦\n\n"),
        frame(4, "done", id="s1", status="completed", output={"ok": True}),
    )
)


@examples
def test_a_mangled_stream_gives_events_or_an_error_in_words(examples: int) -> None:
    fuzz(examples, st.tuples(mangled_bytes([WHOLE]), st.integers(1, 64)), check_stream)


def check_stream(given: tuple[bytes, int]) -> None:
    data, step = given
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    events: list[Event] = []
    refusal = refusal_of(ClientError, lambda: events.extend(_events(pieces)))
    assert refusal is None or "s1" in str(refusal)
    numbers = [event["event_id"] for event in events if "event_id" in event]
    assert numbers == sorted(set(numbers))
    assert all(number >= 0 for number in numbers)
    assert "done" not in [event["type"] for event in events[:-1]]


def test_ids_that_no_server_takes_back_are_refused() -> None:
    for data in corpus("streams"):
        with pytest.raises(ClientError, match="is not the id of an event"):
            _events([data])


@examples
def test_a_stream_is_the_same_in_pieces_of_any_size(examples: int) -> None:
    def check(given: tuple[bytes, list[int]]) -> None:
        data, cuts = given
        places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        parser = FrameParser()
        in_pieces = [found for at, end in pairwise(places) for found in parser.feed(data[at:end])]
        assert in_pieces == FrameParser().feed(data)

    fuzz(examples, st.tuples(mangled_bytes([WHOLE]), st.lists(st.integers(0, 600), max_size=8)), check)


def _events(pieces: list[bytes]) -> list[Event]:
    """What a reader of the stream is given, until it ends for good; the connection ends after ``pieces``."""
    stream = EventStream("s1", Retries((), ()))
    events: list[Event] = []
    waiting = iter(pieces)
    while True:
        flow = stream.next()
        answer: Any = None
        try:
            while True:
                asked = flow.send(answer)
                answer = None
                if isinstance(asked, Open):
                    answer = Response(200, {"content-type": "text/event-stream"}, b"")
                elif isinstance(asked, Read):
                    answer = next(waiting, b"")
                else:
                    assert isinstance(asked, Pause), asked
        except StopIteration as ended:
            if ended.value is None:
                return events
            events.append(ended.value)
